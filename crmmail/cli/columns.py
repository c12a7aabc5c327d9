"""The columns of a listing, and how wide each is on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from crmmail.cli.line import Style
from crmmail.core.text import cells, one_line

GAP = 2  # blanks between two columns
NARROWEST = 8  # cells; a column is not cut below this

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column of a listing.

    key: the row's key; `--fields`, `--header` and CSV know the column by it.
    title: what stands above it on a terminal.
    show: row → what people read instead of `row[key]`; programs read `row[key]`.
    style: of the cell; a name, or row → name.
    justify: "" is right for numbers, left for the rest.
    flex: it gets the width that the others leave; give it to one or two (title, subject).
    width: no wider than this on a terminal (cells; 0: no limit).
    whole: never cut, because people type it again.
    piped: False keeps it out of tsv and csv (marks, things that another column says already).
    lead: row → what is drawn before the words, blanks and all (the branches of a tree).  Ours only: it is not cleaned.
    """

    key: str
    title: str = ""
    show: Callable[[Row], Any] | None = None
    style: Style | Callable[[Row], Style] = ""
    justify: Literal["", "left", "right"] = ""
    flex: bool = False
    width: int = 0
    piped: bool = True
    whole: bool = False
    lead: Callable[[Row], str] | None = None

    def value(self, row: Row) -> Any:
        """What people read."""
        return self.show(row) if self.show else row.get(self.key)

    def lead_of(self, row: Row) -> str:
        return self.lead(row) if self.lead else ""

    def style_of(self, row: Row) -> Style:
        return self.style(row) if callable(self.style) else self.style

    def is_right(self, values: Sequence[Any]) -> bool:
        """Numbers stand under each other by their last digit."""
        if self.justify:
            return self.justify == "right"
        numbers = [value for value in values if value is not None]
        return bool(numbers) and all(type(value) in (int, float) for value in numbers)


def fit(columns: Sequence[Column], shown: Sequence[Sequence[str]], room: int) -> list[int]:
    """The width of each column, so that a line takes no more than `room` cells.

    A column is as wide as its widest cell, or its own limit.  Where that is too much, the flexible columns give way
    first, the widest first, then the others; none below NARROWEST, for a line of stumps says nothing.
    """
    widths = []
    for at, column in enumerate(columns):
        widest = max([1, cells(one_line(column.title)), *(cells(line[at]) for line in shown)])
        widths.append(min(widest, column.width or widest))
    over = sum(widths) + GAP * (len(widths) - 1) - room
    for flex in (True, False):
        yielding = [at for at, column in enumerate(columns) if column.flex is flex]
        while over > 0 and (wide := [at for at in yielding if widths[at] > NARROWEST and not columns[at].whole]):
            widths[max(wide, key=widths.__getitem__)] -= 1
            over -= 1
    return widths
