"""The only file that knows rich; read when something is painted on a terminal, not before.

What comes here is cleaned and cut already.  rich gets `Text`, never markup, and neither emoji names nor numbers are
looked for in it.  Each function gives the whole text, with the terminal's codes in it where `color` is true.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crmmail.cli.columns import GAP
from crmmail.cli.line import STYLES, Paragraph, Span


class Head(NamedTuple):
    """The top of a column."""

    title: str
    width: int
    right: bool


def table(heads: Sequence[Head], rows: Iterable[Sequence[Span]], color: bool) -> str:
    """A table without a frame, `sum of widths + GAP between` cells wide."""
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
    """Paragraphs, broken between words at `width`: rich's own wrapping also cuts words."""
    console = _console(width, color)
    for one in paragraphs:
        text = Text.assemble(*((piece.text, STYLES[piece.style]) for piece in one.spans))
        for at, line in enumerate(text.divide(one.breaks(width))):
            line.rstrip()
            console.print(Text(one.further if at else one.before) + line, soft_wrap=True)
    return _written(console)


def _console(width: int, color: bool) -> Console:
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
