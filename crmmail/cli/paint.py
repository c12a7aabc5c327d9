"""The only file that knows rich; read when something is painted on a terminal, not before.

What comes here is cleaned and cut already.  rich gets `Text`, never markup, and neither emoji names nor numbers are
looked for in it.  Each function gives the whole text, with the terminal's codes in it where `color` is true.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crmmail.cli.columns import GAP
from crmmail.cli.line import STYLES, Span
from crmmail.core.text import cells


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


def lines(paragraphs: Iterable[tuple[str, Sequence[Span]]], width: int, color: bool) -> str:
    """Paragraphs of (what stands before each line, pieces), broken between words at `width`.

    A word that is longer is left whole, so that an address can be copied.
    """
    console = _console(width, color)
    for before, pieces in paragraphs:
        text = Text.assemble(*((piece.text, STYLES[piece.style]) for piece in pieces))
        for line in text.divide(_breaks(text.plain, max(20, width - cells(before)))):
            line.rstrip()
            console.print(Text(before) + line, soft_wrap=True)
    return _written(console)


def _breaks(words: str, width: int) -> list[int]:
    """Where new lines begin.  rich's own wrapping also cuts words."""
    found: list[int] = []
    if cells(words) <= width and "\t" not in words:
        return found
    used = 0
    for word in re.finditer(r"\s*\S+", words):
        taken = cells(word[0].expandtabs(8))
        if used and used + taken > width:
            found.append(word.end() - len(word[0].lstrip()))
            used = cells(word[0].lstrip())
        else:
            used += taken
    return found


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
    return "".join(line.rstrip() + "\n" for line in file.getvalue().removesuffix("\n").split("\n"))
