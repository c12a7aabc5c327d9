"""For tests of the sending pass: a shop that can send, many rows of the outbox at once, mails as they are read.

    letter = office.letter("ann@customer.example", text="Here it is.")     # queued, and not sent
    office.talk.do("tick")
    office.row(letter).state

`fill` writes many rows into the store of another process at once; `read`, `words` and `identifier` read what arrived.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from conversation import Talk
from mailsink import Received, Sink

from crmmail.core import token
from crmmail.services.acts import post
from crmmail.services.keeping import upkeep
from crmmail.services.sending import outbox as sent
from crmmail.services.sending import preview
from crmmail.services.sending.preview import Words
from crmmail.store.letters import outbox
from crmmail.store.letters.outbox import Delivery
from crmmail.workspace import Choice, Workspace

LONG_AGO = "2026-01-01 10:00:00.000000"


class Office:
    """A shop with Ana's case, which writes by the sink."""

    def __init__(self, talk: Talk, sink: Sink) -> None:
        self.talk, self.sink = talk, sink
        self.use(sink.url)
        case = talk.mail('"Ana" <ana@example.com>', subject="Printer broken", text="It smokes.").record
        assert case is not None
        self.case = case
        talk.quiet()

    def use(self, url: str, **more: str) -> None:
        """The server by which mail leaves."""
        self.talk.environ(CRMMAIL_SMTP_URL=url, **more)

    def letter(
        self, to: str = "ana@example.com", text: str = "Pull the plug!", user: str = "agent", **more: Any
    ) -> int:
        """A letter to somebody waits in the outbox; the number of its row."""
        return self.letters([to], text, user, **more)[0]

    def letters(self, to: Sequence[str], text: str = "Pull the plug!", user: str = "agent", **more: Any) -> list[int]:
        record = more.pop("record", self.case)
        with self.talk.open(user) as workspace:
            plan = preview.plan(workspace, "send", record, Words(text=text, to=tuple(to), **more))
            return post.post(workspace, plan).deliveries

    def row(self, number: int) -> Delivery:
        with self.talk.open():
            return sent.delivery(number)

    def rows(self) -> list[Delivery]:
        with self.talk.open():
            return outbox.deliveries()

    def listed(self, number: int) -> dict[str, Any]:
        """The row as `outbox --json` has it."""
        return next(one for one in self.talk.cli("outbox list --all --json").json if one["id"] == number)

    def change(self, number: int, **columns: Any) -> None:
        with self.talk.open() as workspace, workspace.store.transaction():
            outbox.change(number, **columns)

    def items(self, user: str = "agent") -> list[tuple[str, str]]:
        """His inbox: why he has an item, and its envelope."""
        return [(one["why"], one["envelope"]) for one in self.talk.inbox(user)]

    def envelope(self) -> str | None:
        """The case's, as `list case` has it."""
        (found,) = [one["envelope"] for one in self.talk.cli("list case --json").json if one["id"] == self.case]
        return found

    def mails(self, to: str = "") -> list[EmailMessage]:
        """What arrived, oldest first."""
        return [read(one) for one in self.sink.received if to in ("", one.recipient)]


def read(mail: Received) -> EmailMessage:
    return message_from_bytes(mail.data, policy=policy.default)


def identifier(mail: EmailMessage) -> str:
    return str(mail["Message-ID"]).strip("<>")


def words(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n").strip()


@contextlib.contextmanager
def raw_store(place: Path) -> Iterator[sqlite3.Connection]:
    if "://" in str(place):
        pytest.skip("it writes into SQLite's file by hand")
    with contextlib.closing(sqlite3.connect(place, timeout=30)) as store, store:
        yield store


def fill(place: Path, count: int, *, records: int = 10) -> list[str]:
    """Queues letters from the first user to as many people, a message each, in some records; their Message-IDs."""
    with raw_store(place) as store:
        secret = bytes.fromhex(store.execute("SELECT value FROM crm_setting WHERE key = 'secret'").fetchone()[0])
        user = store.execute("SELECT min(id) FROM crm_user").fetchone()[0]
        cases = [_case(store, number) for number in range(records)]
        marks = [_queued(store, secret, user, cases[number % records], number) for number in range(count)]
    with Workspace(Choice(db=str(place))) as workspace:  # whoever searches finds them
        upkeep.fill(workspace.store)
    return marks


def _case(store: sqlite3.Connection, number: int) -> int:
    row = {"kind": "case", "title": f"Printer {number}", "created": LONG_AGO, "updated": LONG_AGO}
    case = _insert(store, "crm_thread", **row)
    section = store.execute("SELECT min(id) FROM crm_section").fetchone()[0]
    _insert(store, "crm_case", thread_id=case, state="open", priority=3, section_id=section)
    return case


def _queued(store: sqlite3.Connection, secret: bytes, user: int, case: int, number: int) -> str:
    mark = token.message_id(secret, token.Token(case, "x"), f"{number:016x}", "crm.test")
    message = _insert(
        store, "crm_message", thread_id=case, kind="email_out", subtype="discussion", internal=False, automatic=False,
        author_id=user, from_name="", from_address="", subject=f"Offer {number}", text="Here it is.", html="",
        date=LONG_AGO, received=LONG_AGO, format="markdown", message_id=mark,
    )  # fmt: skip
    _insert(
        store, "crm_delivery", message_id=message, thread_id=case, address=f"ann{number}@customer.example",
        purpose="mail", role="to", why="explicit", state="queued", identifier=mark, attempts=0, due=LONG_AGO,
        created=LONG_AGO,
    )  # fmt: skip
    return mark


def _insert(store: sqlite3.Connection, table: str, **columns: Any) -> int:
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    number = store.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(columns.values())).lastrowid
    assert number is not None
    return number
