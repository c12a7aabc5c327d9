"""Our own marks on mail: what proves that a letter answers one of ours.

A token names a record and the one recipient it was made for, and is signed with the store's secret:

    Message-ID: <101.u3.k7h2…nonce.mac@crm.example>          in References of an answer (evidence b)
    Reply-To:   support+101.u3.mac@crm.example               as a recipient of an answer (evidence a)
    X-Crmmail-Sent: mac                                      over Message-ID and content: our own mail coming back

`u3` is the user number 3, `c12` the contact 12, `x` a bare address; a trailing `n` marks an internal notice, whose
answer stays internal.  The mac is the first 80 bits of HMAC-SHA-256 (RFC 2104), in base32 so that it survives hosts
that change the case of a local part, and is compared in constant time (safety.md 1).
"""

from __future__ import annotations

import re

from crmmail.core import digest
from crmmail.core.pattern import pattern
from crmmail.core.typed import NamedTuple


class Token(NamedTuple):
    """For whom, and about which record, a mail of ours was made."""

    thread: int
    who: str  # "u3", "c12" or "x"
    internal: bool = False


_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"  # RFC 4648 §6, in lower case
_NUMBER = "[0-9]{1,18}"  # more digits than that overflow the database's integers
_BODY = rf"({_NUMBER})\.(u{_NUMBER}|c{_NUMBER}|x)(n?)"
_TAG = pattern(rf"{_BODY}\.([a-z2-7]{{16}})\Z")
_ID = pattern(rf"{_BODY}\.([a-z0-9]{{1,32}})\.([a-z2-7]{{16}})@")


def sign(secret: bytes, *words: object) -> str:
    """The mac over `words`, 16 letters."""
    text = "\0".join(str(word) for word in words).encode("utf-8", "surrogatepass")
    mac = int.from_bytes(digest.hmac(secret, text)[:10], "big")
    return "".join(_BASE32[mac >> shift & 31] for shift in range(75, -1, -5))


def message_id(secret: bytes, token: Token, nonce: str, domain: str) -> str:
    """A signed Message-ID, without <>.  `nonce`: 1 to 32 of [a-z0-9], never used twice."""
    body = f"{token.thread}.{token.who}{'n' if token.internal else ''}.{nonce}"
    return f"{body}.{sign(secret, 'id', body)}@{domain}"


def read_message_id(secret: bytes, identifier: str) -> Token | None:
    """The token of a Message-ID that we signed; None for every other."""
    # The dots are counted first: hardly an id that is not ours has as many, and so no pattern is compiled for it.
    match = _ID.match(identifier.lower()) if identifier.partition("@")[0].count(".") == 3 else None
    if not match:
        return None
    body, _, rest = match[0].rpartition(".")
    return _checked(secret, "id", body, match, rest[:-1])


def address_tag(secret: bytes, token: Token) -> str:
    """The plus-tag of a Reply-To address made for one recipient."""
    body = f"{token.thread}.{token.who}{'n' if token.internal else ''}"
    return f"{body}.{sign(secret, 'to', body)}"


def read_tag(secret: bytes, tag: str) -> Token | None:
    """The token of a plus-tag that we signed; None for every other."""
    match = _TAG.match(tag.lower()) if "." in tag else None
    if not match:
        return None
    body, _, mac = match[0].rpartition(".")
    return _checked(secret, "to", body, match, mac)


def without_mark(address: str) -> str:
    """An address as people know it: without a plus-tag that looks like one of ours, signed or not."""
    local, at, host = address.rpartition("@")
    head, plus, tag = local.partition("+")
    marked = plus and (_TAG.match(tag.lower()) or _ID.match(f"{tag.lower()}@"))
    return f"{head}{at}{host}" if marked else address


def sent_mark(secret: bytes, identifier: str, content_hash: str) -> str:
    """The value of X-Crmmail-Sent for a mail of ours: valid for exactly this Message-ID and content."""
    return sign(secret, "sent", identifier, content_hash)


def same(one: str, other: str) -> bool:
    """Compared in constant time."""
    return digest.same(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def _checked(secret: bytes, purpose: str, body: str, match: re.Match[str], mac: str) -> Token | None:
    if not same(mac, sign(secret, purpose, body)):
        return None
    return Token(int(match[1]), match[2], bool(match[3]))
