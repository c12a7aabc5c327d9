"""The only file that knows rich, and a terminal's codes; read when something is painted, not before.

What comes here is cleaned and cut already.  rich gets `Text`, never markup, and neither emoji names nor numbers are
looked for in it.  Each function gives the whole text, with the terminal's codes in it where `color` is true.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

from crmmail.cli.columns import GAP
from crmmail.cli.line import STYLES, Paragraph, Span
from crmmail.core.text import cells
from crmmail.core.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.console import Console


# What a terminal calls the styles of `line.STYLES` (ECMA-48 8.3.117, SGR); rich says the same.
_CODES = {"": "", "bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


class Head(NamedTuple):
    """The top of a column."""

    title: str
    width: int
    right: bool


def table(heads: Sequence[Head], rows: Iterable[Sequence[Span]], color: bool) -> str:
    """A table without a frame, `sum of widths + GAP between` cells wide."""
    from rich.table import Table  # which lines have no use for
    from rich.text import Text

    painted = Table(box=None, show_header=any(head.title for head in heads), pad_edge=False, padding=(0, GAP, 0, 0))
    for head in heads:
        painted.add_column(
            Text(head.title, style="bold"),
            width=head.width,
            justify="right" if head.right else "left",
            no_wrap=True,
            overflow="crop",
        )
    for row in rows:
        painted.add_row(*(Text(cell.text, style=STYLES[cell.style]) for cell in row))
    console = _console(sum(head.width for head in heads) + GAP * len(heads), color)
    console.print(painted)
    return _written(console)


def lines(paragraphs: Iterable[Paragraph], width: int, color: bool) -> str:
    """Paragraphs, broken between words at `width`: rich's own wrapping also cuts words.

    rich is not asked: a Console would take ten times longer for each line, and a conversation has thousands; for a few
    lines, as of an inbox, reading it takes longer than all the rest.
    """
    codes = {name: _CODES[words] if color else "" for name, words in STYLES.items()}
    painted = []
    for one in paragraphs:
        for at, spans in enumerate(_divided(one.spans, one.breaks(width))):
            before = one.further if at else one.before
            words = (_styled(text, codes[style]) for text, style in _aligned(before, spans) if text)
            painted.append("".join((before, *words)).rstrip())
    return "".join(f"{line}\n" for line in painted)


def _styled(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def _divided(spans: Sequence[Span], cuts: Sequence[int]) -> Iterator[list[Span]]:
    """Spans as they stand in the lines that begin at `cuts`, without the blanks at the end of each."""
    if not cuts:
        yield _trimmed(list(spans))
        return
    lines: list[list[Span]] = [[]]
    ends = [*cuts, sum(len(span.text) for span in spans)]
    at = 0
    for span in spans:
        rest = span.text
        while len(lines) <= len(cuts) and at + len(rest) > ends[len(lines) - 1]:
            head = ends[len(lines) - 1] - at
            lines[-1].append(Span(rest[:head], span.style))
            at, rest = at + head, rest[head:]
            lines.append([])
        lines[-1].append(Span(rest, span.style))
        at += len(rest)
    yield from map(_trimmed, lines)


def _trimmed(line: list[Span]) -> list[Span]:
    """The same line, without the blanks at its end."""
    while line and not line[-1].text.rstrip():
        line.pop()
    if line:
        line[-1] = Span(line[-1].text.rstrip(), line[-1].style)
    return line


def _aligned(before: str, spans: list[Span]) -> list[Span]:
    """With blanks for tabs, to every eighth cell."""
    if not any("\t" in span.text for span in spans):
        return spans
    found, column = [], cells(before)
    for span in spans:
        text = ""
        for part in re.split("(\t)", span.text):
            part = " " * (8 - column % 8) if part == "\t" else part
            column += cells(part)
            text += part
        found.append(Span(text, span.style))
    return found


def _console(width: int, color: bool) -> Console:
    from rich.console import Console

    return Console(
        file=StringIO(),
        width=width,
        force_terminal=True,
        color_system="standard" if color else None,
        no_color=not color,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )


def _written(console: Console) -> str:
    file = console.file
    assert isinstance(file, StringIO)
    if not file.getvalue():
        return ""
    return "".join(line.rstrip() + "\n" for line in file.getvalue().removesuffix("\n").split("\n"))
