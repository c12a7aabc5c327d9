"""A whole mail as it may be passed on: without the marks that we signed.

Whoever holds a token of ours answers as the one whom it was made for.  A letter that came in carries it in To, Cc,
Delivered-To or Received, and our Message-IDs in In-Reply-To and References.  In its header block the plus-tags and ids
go that our secret verifies; everything else stays as it is, byte for byte.
"""

from __future__ import annotations

import re

from crmmail.core import token
from crmmail.core.token import Token
from crmmail.mail import header

_BODY = rb"[0-9]{1,18}\.(?:u[0-9]{1,18}|c[0-9]{1,18}|x)n?\.(?:[a-z0-9]{1,32}\.)?[a-z2-7]{16}(?![a-z0-9])"
_TAG = re.compile(rb"\+(" + _BODY + rb")", re.I)
_ID = re.compile(rb"<?(?<![a-z0-9.+_=-])(" + _BODY + rb")@[a-z0-9.-]{1,255}>?", re.I)
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:(.*(?:\n[ \t].*)*)\n?", re.M)
_SENT = re.compile(rb"^x-crmmail-sent[ \t]*:", re.I | re.M)


def marks(secret: bytes, raw: bytes) -> list[Token]:
    """The tokens that we signed in the header block of a mail."""
    block = raw[: _end(raw)]
    found = (_read(secret, match) for pattern in (_TAG, _ID) for match in pattern.finditer(block))
    return [one for one in found if one is not None]


def is_ours(raw: bytes) -> bool:
    """It says of itself that we sent it."""
    return bool(_SENT.search(raw[: _end(raw)]))


def masked(secret: bytes, raw: bytes) -> bytes:
    """`raw` without our marks in its header block; a field that held nothing else goes whole."""

    def field(match: re.Match[bytes]) -> bytes:
        clean = _without_ids(secret, match[0])
        empty = clean != match[0] and not clean.partition(b":")[2].strip()
        return b"" if empty else clean

    def tag(match: re.Match[bytes]) -> bytes:
        return match[0] if _read(secret, match) is None else b""

    end = _end(raw)
    block = _FIELD.sub(field, raw[:end])
    return _without_ids(secret, _TAG.sub(tag, block)) + raw[end:]  # a broken line is no field, and is read too


def _without_ids(secret: bytes, block: bytes) -> bytes:
    """`block` without our ids and the blanks before each: what is left of a folded line must not be a line of blanks,
    which could end the header."""
    kept: list[bytes] = []
    at = 0
    for match in _ID.finditer(block):
        if _read(secret, match) is None:
            continue
        before = block[at : match.start()]
        bare = before.rstrip(b" \t")
        if bare != before and bare.endswith(b"\n"):
            bare = bare[:-1].removesuffix(b"\r")
        kept.append(bare)
        at = match.end()
    return b"".join([*kept, block[at:]])


def _end(raw: bytes) -> int:
    """Where the header block ends: at the first empty line, though a broken line above may have ended it for others."""
    same = header.with_newlines(raw)  # of the same length
    at = header.split_at(same)
    blank = re.compile(rb"\n\r?\n").search(same, at.start)
    return max(at.end, blank.start() + 1 if blank else len(same))


def _read(secret: bytes, match: re.Match[bytes]) -> Token | None:
    words = match[1].decode("ascii")
    return token.read_tag(secret, words) or token.read_message_id(secret, f"{words}@")
