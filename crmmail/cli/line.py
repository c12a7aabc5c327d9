"""Lines for people: words, their styles, and how they become harmless.

A line is a `str` or a tuple of `str` and `Span` (words with a style of STYLES); it stays one line, whatever is in it.
A `Body` is many lines, such as the text of a mail.  Colour never stands alone: what a style means is also said by a
word or a mark (● unread, ★ starred).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from crmmail.core.text import clean

Style = str  # a key of STYLES

STYLES: dict[Style, str] = {
    "": "",
    "title": "bold",
    "unread": "bold",
    "read": "dim",
    "starred": "yellow",
    "overdue": "red",
    "failed": "red",
    "waiting": "yellow",
    "done": "green",
    "won": "green",
    "dim": "dim",
}
UNREAD, STARRED, ENVELOPE = "●", "★", "✉!"

_FLAT = str.maketrans("\n\t", "  ")


class Span(NamedTuple):
    """Words with a style."""

    text: str
    style: Style = ""


class Body(NamedTuple):
    """Many lines, broken between words on a terminal; `indent` stands before each."""

    text: str
    style: Style = ""
    indent: str = ""


Line = str | Span | Body | Sequence[str | Span]


def flat(line: Line) -> str:
    """A line without its styles, cleaned."""
    return "\n".join((indent + "".join(span.text for span in spans)).rstrip() for indent, spans in paragraphs([line]))


def paragraphs(lines: Iterable[Line]) -> Iterator[tuple[str, list[Span]]]:
    """Each line, each line of a body: what stands before it, and its pieces, cleaned."""
    for line in lines:
        if isinstance(line, Body):
            for words in clean(line.text).split("\n"):
                yield line.indent, [Span(words, line.style)]
        else:
            pieces = (line,) if isinstance(line, str | Span) else line
            yield "", [_span(piece) for piece in pieces]


def _span(piece: str | Span) -> Span:
    span = piece if isinstance(piece, Span) else Span(piece)
    return Span(clean(span.text).translate(_FLAT), span.style)


def size(count: int) -> str:
    """Bytes, as people read them."""
    amount = float(count)
    for unit in ("B", "KB", "MB"):
        if amount < 1000 or unit == "MB":
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1000
    return ""
