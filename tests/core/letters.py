"""Letters and facts for the tests of `core`: whatever a case does not name is left at its plainest.

The shop is crm.example: support@ makes cases in the section support, sales@ and offers@ make leads, bob (user 3) is
bob@crm.example, a virtual address behind catchall@.  Ann is a customer.
"""

from __future__ import annotations

from typing import Any

from crmmail.core import token
from crmmail.core.known import AliasFact, Known, Settings, Twin
from crmmail.core.message import NOBODY, Address, Mail
from crmmail.core.token import Token

SECRET = b"a secret of thirty-two bytes ..."
ANN, BOB, BOB_AT_HOME = "ann@customer.example", "bob@crm.example", "bob@home.example"


def letter(sender: str = ANN, to: str = "support@crm.example", cc: str = "", answers: str = "", **changes: Any) -> Mail:
    """A mail.  `to`, `cc`, `answers` (its In-Reply-To) are words; `headers` maps a name to a value, or to several."""
    headers = {
        name: (value,) if isinstance(value, str) else tuple(value) for name, value in changes.pop("headers", {}).items()
    }
    fields: dict[str, Any] = {
        "message_id": "1@customer.example",
        "has_own_id": True,
        "content_hash": "c0ffee",
        "sender": Address("", sender) if sender else NOBODY,
        "from_line": sender,
        "to": tuple(Address("", one) for one in to.split()),
        "cc": tuple(Address("", one) for one in cc.split()),
        "reply_to": (),
        "subject": "The printer burns",
        "date": None,
        "in_reply_to": tuple(answers.split()),
        "references": (),
        "text": "Help!",
        "html": "",
        "attachments": (),
        "headers": headers,
        "defects": (),
        "guessed_charset": False,
        "leaves": 1,
    }
    return Mail(**{**fields, **changes})


def settings(**changes: Any) -> Settings:
    return Settings(
        secret=SECRET,
        domains=("crm.example",),
        catchall="catchall@crm.example",
        bounce="bounce@crm.example",
        trusted_authserv_id="mx.crm.example",
    )._replace(**changes)


def alias(address: str, kind: str = "case", section: str = "", **changes: Any) -> AliasFact:
    number = sum(address.encode()) % 1000  # any number, but the same for the same address
    return AliasFact(number, address, kind, section, None, "everyone", "thread", None)._replace(**changes)


SHOP = (
    alias("support@crm.example", section="support"),
    alias("sales@crm.example", "lead"),
    alias("offers@crm.example", "lead"),
    alias("jobs@crm.example", "contact"),
)


def known(*aliases: AliasFact, **facts: Any) -> Known:
    """What the store knows: the shop above, records 101 to 109, and whatever is named."""
    plain: dict[str, Any] = {
        "aliases": {one.address: one for one in (*SHOP, *aliases)},
        "users": {BOB: 3, BOB_AT_HOME: 3, "boss@crm.example": 1},
        "threads": frozenset(range(101, 110)),
        "sections": {"support": "support", "2": "support"},
    }
    return Known(**{**plain, **facts})


def twin(**changes: Any) -> Twin:
    """An earlier mail with the same Message-ID: an equal one, which made record 101."""
    return Twin(
        original=7,
        same_content=True,
        from_address=ANN,
        size=100,
        subject="The printer burns",
        text="Help!",
        attachments=0,
        thread=101,
        message=11,
        quarantine=None,
        reply=False,
        covered=frozenset({"support@crm.example"}),
    )._replace(**changes)


def tagged(thread: int, who: str = "x", internal: bool = False, at: str = "support@crm.example") -> str:
    """The Reply-To address of a mail of ours that was made for `who`."""
    local, _, host = at.partition("@")
    return f"{local}+{token.address_tag(SECRET, Token(thread, who, internal))}@{host}"


def own_id(thread: int, who: str = "x", internal: bool = False) -> str:
    """The signed Message-ID of a mail of ours."""
    return token.message_id(SECRET, Token(thread, who, internal), "n0nce", "crm.example")


def vouched(words: str, host: str = "mx.crm.example") -> dict[str, str]:
    """The headers of a letter about which a host says so."""
    return {"authentication-results": f"{host}; {words}"}
