"""What is too much: the limits a mail must keep before anybody tries to read it.

A mail over a limit is kept whole in quarantine (behaviour.md 1), so a limit that strikes an ordinary big mail would
cost a letter, and one that comes too late would cost the delivery's time or memory.  Sizes and counts of the header
are looked at on the raw bytes.  Whether parts are too many or too deep is not estimated from lines that look like
delimiters, for letters quote such lines: where the cheap count leaves a doubt, the same walk that reads the mail
decides, and it copies nothing.
"""

from __future__ import annotations

import re

from crmmail.errors import OverLimit
from crmmail.mail.header import MAX_HEADER, split_header, with_newlines
from crmmail.mail.structure import MAX_DEPTH, MAX_PARTS, tree

MAX_FIELDS = 1000
MAX_RECEIVED = 100  # more is a loop, whatever the mail says of itself

_BLANK = re.compile(rb"\n\r?\n|\r\r")
_FIELD = re.compile(rb"(?:^|\n)[!-9;-~]")
_RECEIVED = re.compile(rb"(?:^|\n)received[ \t]*:", re.I)


def check_size(size: int, most: int) -> None:
    """Raise OverLimit (too-large) where a mail has more bytes than are allowed."""
    if size > most:
        raise OverLimit("too-large", f"the mail has {size} bytes, more than the {most} that are allowed")


def check(raw: bytes) -> None:
    """Raise OverLimit where `raw` is over a limit.

    The reasons: header-too-large, too-many-headers, loop, too-deep, too-many-parts.
    """
    # Three bytes more than allowed: the blank line may stand just there.
    blank = _BLANK.search(raw, 0, MAX_HEADER + 3)
    if blank is None and len(raw) > MAX_HEADER:
        raise OverLimit("header-too-large", f"the header is longer than {MAX_HEADER // 1024} KB")
    block = with_newlines(raw[: blank.start() if blank else None])
    count = len(_FIELD.findall(block))
    if count > MAX_FIELDS:
        raise OverLimit("too-many-headers", f"the header has {count} fields, more than {MAX_FIELDS}")
    received = len(_RECEIVED.findall(block))
    if received > MAX_RECEIVED:
        raise OverLimit("loop", f"the mail has been through {received} hosts, more than {MAX_RECEIVED}: a loop")
    # Necessary for more parts or levels than allowed; almost no mail has as many, and the walk is exact.
    if raw.count(b"--") > MAX_PARTS or raw.count(b"oundary") > MAX_DEPTH:
        tree(with_newlines(raw))


__all__ = ["MAX_DEPTH", "MAX_FIELDS", "MAX_HEADER", "MAX_PARTS", "MAX_RECEIVED", "check", "check_size", "split_header"]
