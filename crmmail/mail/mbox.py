"""An mbox: many letters in one file.

Before each letter stands a line "From ann@example.com Tue Nov 24 10:00:00 2026", behind it a blank line, and such a
line of a letter itself has a ">" before it (mboxrd: one more than it had; Content-Length tells nothing).  The standard
library's `mailbox` takes nearly twice as long to read one, and leaves the ">" where it is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from crmmail.core.typed import IO
from crmmail.errors import Refused
from crmmail.mail.header import with_newlines

STEP = 4 << 20  # bytes that are looked at at once
MAX_LINE = 1000  # bytes of a "From " line
HEAD = 64 << 10  # bytes at a file's beginning that show how its lines end

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_MONTHS = rb"(?:%b)" % "|".join(MONTHS).encode()
_FROM = re.compile(rb"From [^\n]{0,500}?\b" + _MONTHS + rb"\b[^\n]{0,60}?\b[0-9]{1,2}:[0-9]{2}[^\n]{0,400}\n")
_ANY_FROM = re.compile(rb"From [^\n]{0,900}\n>?[!-9;-~]+[ \t]*:")  # where the file's first line has no date
_STAMP = re.compile(
    rb"\b(" + _MONTHS + rb") +([0-9]{1,2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})[^\n]*? ((?:19|20)[0-9]{2})\b"
)
_QUOTED = re.compile(rb"^>(>*From )", re.M)
_TO_QUOTE = re.compile(rb"^(>*From )", re.M)


def begins(head: bytes) -> bool:
    """Does a file that begins so, with newlines as line ends, look like an mbox?"""
    return bool(_ANY_FROM.match(head) or _FROM.match(head))


def letters(path: str) -> Iterator[tuple[int, int]]:
    """Where each letter of a file begins, with its "From " line, and how many bytes it has there.

    The file is looked through for these lines, a piece at a time.

    Raises:
        Refused: no letter was found in it.
    """
    blank = True  # all of it, so far
    with open(path, "rb") as file:
        held, base = b"\n", -1  # what is looked at, and where in the file it begins; as if behind a blank line
        start, line = -1, _ANY_FROM
        more = True
        while more:
            piece = file.read(STEP)
            held, more = held + piece, bool(piece)
            blank = blank and not piece.strip()
            at = held.find(b"\nFrom ")
            # A line at the very end waits for the next piece, in which it goes on.
            while 0 <= at < len(held) - 2 * MAX_LINE or (at >= 0 and not more):
                if start < 0 and _FROM.match(held, at + 1):
                    line = _FROM
                if _ends_a_blank_line(held, at) and line.match(held, at + 1):
                    if start >= 0:
                        yield start, base + at + 1 - start
                    start = base + at + 1
                at = held.find(b"\nFrom ", at + 1)
            done = max((at if at >= 0 else len(held) - 2 * MAX_LINE) - 2, 0)
            held, base = held[done:], base + done
        if start >= 0:
            yield start, base + len(held) - start
        elif not blank:
            file.seek(0)
            begin = file.read(HEAD)
            mend = ": its lines end in CR alone, which tr '\\r' '\\n' mends" if with_newlines(begin) != begin else ""
            raise Refused(f"no letter was found in {path}{mend}")


def _ends_a_blank_line(held: bytes, at: int) -> bool:
    """Does the line end at `at` end an empty line?"""
    return at == 0 or held[at - 1] == 10 or (held[at - 1] == 13 and (at == 1 or held[at - 2] == 10))


def date(line: bytes) -> datetime | None:
    """The date of a "From " line; its zone is whoever wrote it's, and mostly not told."""
    found = _STAMP.search(line)
    if not found:
        return None
    day, hour, minute, second = (int(found[one]) for one in (2, 3, 4, 5))
    try:
        return datetime(int(found[6]), MONTHS.index(found[1].decode()) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def letter(file: IO[bytes], size: int) -> Iterator[bytes]:
    """A letter as it was before it was put there, in pieces.

    Args:
        file: stands where the letter begins.
        size: the bytes it has there.

    Raises:
        EOFError: it is not there any more; the words say what was done to the file.
    """
    first = file.readline(MAX_LINE)
    if not first.startswith(b"From "):
        raise EOFError("was written anew while it was read")
    left, kept = size - len(first), b""
    while left > 0:
        piece = file.read(min(left, STEP))
        if not piece:
            raise EOFError("was cut while it was read")
        left -= len(piece)
        piece = kept + piece
        cut = _whole_lines(piece) if left else len(piece)
        kept = piece[cut:]
        yield _unquoted(piece[:cut] if left else _without_separator(piece))


def _whole_lines(piece: bytes) -> int:
    """Up to where a piece can be handed on: a line that goes on in the next one waits, and so do the last bytes, which
    may separate the letter from the next.  A line without an end is cut, but not before a quoted one could begin."""
    cut = piece.rfind(b"\n", 0, max(len(piece) - 4, 0)) + 1
    if not cut and len(piece) > STEP + MAX_LINE:
        cut = len(piece) - 4
        while cut and piece[cut : cut + 1] == b">":
            cut -= 1
    return cut


def _unquoted(piece: bytes) -> bytes:
    return _QUOTED.sub(rb"\1", piece) if b">From " in piece else piece


def _without_separator(piece: bytes) -> bytes:
    """Without the blank line that stands between two letters."""
    for ending, blank in ((b"\n\n", 1), (b"\n\r\n", 2)):
        if piece.endswith(ending):
            return piece[:-blank]
    return b"" if piece in (b"\n", b"\r\n") else piece


def as_mbox(letter: bytes, sender: str, at: datetime) -> bytes:
    """A letter as it stands in an mbox, with the blank line behind it."""
    who = sender if sender.isascii() and sender and not re.search(r"\s", sender) else "MAILER-DAEMON"
    line = f"From {who} {time.asctime(at.astimezone(UTC).timetuple())}\n".encode("ascii")
    quoted = _TO_QUOTE.sub(rb">\1", letter) if b"From " in letter else letter
    return line + quoted + (b"\n" if quoted.endswith(b"\n") else b"\n\n")
