"""Lines for people: words, their styles, and how they become harmless.

A line is a `str` or a tuple of `str` and `Span` (words with a style of STYLES); it stays one line, whatever is in it.
A `Body` is many lines, such as the text of a mail.  Colour never stands alone: what a style means is also said by a
word or a mark (● unread, ★ starred).

On a terminal lines are broken between words; a line goes on below its own first word, so that its end is not taken for
a line of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from crmmail.core.text import cells, clean
from crmmail.core.typed import NamedTuple

Style = str  # a key of STYLES

STYLES: dict[Style, str] = {
    "": "",
    "title": "bold",
    "unread": "bold",
    "read": "dim",
    "found": "bold",
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
_BEGINNING = re.compile(r" *(?:[●★✉!]+ +)?")  # what stands before the words of a line
_HANG = 2  # cells; how far a line goes in that has nothing before its words
_NARROWEST = 20  # cells; room for words there is always


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
    return "\n".join((one.before + one.words).rstrip() for one in paragraphs([line]))


class Paragraph(NamedTuple):
    """A line before it is broken: what stands before it, and before what it goes on with; its pieces, cleaned."""

    before: str
    further: str
    spans: list[Span]

    @property
    def words(self) -> str:
        return "".join(span.text for span in self.spans)

    def breaks(self, width: int) -> list[int]:
        """Where in the words new lines begin, on a terminal of `width` cells."""
        return breaks(self.words, width - cells(self.before), width - cells(self.further))


def paragraphs(lines: Iterable[Line]) -> Iterator[Paragraph]:
    """Each line, and each line of a body."""
    for line in lines:
        if isinstance(line, Body):
            for words in clean(line.text).split("\n"):
                yield Paragraph(line.indent, line.indent, [Span(words, line.style)])
        else:
            spans = [_span(piece) for piece in ((line,) if isinstance(line, str | Span) else line)]
            beginning = _BEGINNING.match("".join(span.text for span in spans))
            assert beginning is not None  # nothing is a beginning too
            yield Paragraph("", " " * (beginning.end() or _HANG), spans)


def broken(line: Line, width: int) -> str:
    """A line without its styles, cleaned, as it stands on a terminal of `width` cells."""
    found = []
    for one in paragraphs([line]):
        words, cuts = one.words, one.breaks(width)
        parts = [words[start:end] for start, end in zip([0, *cuts], [*cuts, len(words)], strict=True)]
        found += [(f"{one.further if at else one.before}{part}").rstrip() for at, part in enumerate(parts)]
    return "\n".join(found)


def breaks(words: str, width: int, further: int) -> list[int]:
    """Where new lines begin: the first has `width` cells, the others `further`.

    A word that is longer is left whole, so that an address can be copied.
    """
    found: list[int] = []
    room, further = max(_NARROWEST, width), max(_NARROWEST, further)
    # No letter takes more than two cells: most lines are short enough without counting.
    if "\t" not in words and (2 * len(words) <= room or cells(words) <= room):
        return found
    used = 0
    for word in re.finditer(r"\s*\S+", words):
        taken = cells(word[0].expandtabs(8))
        if used and used + taken > room:
            found.append(word.end() - len(word[0].lstrip()))
            used, room = cells(word[0].lstrip()), further
        else:
            used += taken
    return found


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
