"""The columns of a listing, and how wide each is on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from crmmail.cli.line import Style
from crmmail.core.text import cells, one_line

GAP = 2  # blanks between two columns
NARROWEST = 8  # cells; a column is not cut below this
READABLE = 20  # cells; a flexible column, such as a title, keeps so many as long as others can give way

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
    whole: not cut, because people type it again, but where it is half a terminal wide; dates and numbers neither.
    wraps: its words go on in the lines below, they are not cut (sentences).
    exact: dates with day and hour: for what lies ahead, where "Thu" could be the last one or the next.
    drop: where there is no room, columns are left out, the highest first, and of equals the last; 0: never.
    piped: False keeps it out of tsv and csv (marks, things that another column says already).
    shown: False keeps it out of the table (what programs alone read); `--fields` has it all the same.
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
    shown: bool = True
    whole: bool = False
    wraps: bool = False
    exact: bool = False
    drop: int = 1
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

    def is_whole(self, values: Sequence[Any]) -> bool:
        """Half a date and half a number say something else."""
        return self.whole or any(type(value) in (datetime, int, float) for value in values)

    def can_go(self) -> bool:
        """Whether it may be left out.  Flexible columns are what a listing is about; marks have no name to be missed
        by, and take no room to speak of."""
        return bool(self.drop and self.title) and not self.flex


class Fitted(NamedTuple):
    """What a terminal has room for."""

    at: list[int]  # the places of the columns that are shown
    widths: list[int]  # of these, in cells
    left_out: list[str]  # the titles of those that are not


def fit(
    columns: Sequence[Column], shown: Sequence[Sequence[str]], room: int, values: Sequence[Sequence[Any]] = ()
) -> Fitted:
    """Which columns are shown, and how wide, so that a line takes no more than `room` cells.

    A column is as wide as its widest cell, or its own limit.  Where that is too much, the flexible columns give way
    first, the widest first, as long as they are READABLE; then the others, none below NARROWEST, for a line of stumps
    says nothing; then columns are left out, but never the first.  What is empty goes before all
    else, and nobody misses it; marks that no row has take no room at all.

    Args:
        shown: the lines, a cell for each column.
        values: what is in the cells, where it is known.
    """
    widest = [
        max([1, cells(one_line(column.title)), *(cells(line[at]) for line in shown)])
        for at, column in enumerate(columns)
    ]
    whole = [column.is_whole([line[at] for line in values]) for at, column in enumerate(columns)]
    kept = [at for at, column in enumerate(columns) if column.title or any(line[at] for line in shown) or not shown]
    empty = {at for at in kept if shown and not any(line[at] for line in shown)}
    left_out: list[int] = []
    while True:
        widths = {at: min(widest[at], columns[at].width or widest[at]) for at in kept}
        cut = [at for at in kept if not whole[at]]
        over = sum(widths.values()) + GAP * (len(kept) - 1) - room
        for flex, least in ((True, READABLE), (False, NARROWEST)):
            over = _narrow(widths, [at for at in cut if columns[at].flex is flex], least, over)
        can_go = [at for at in kept[1:] if columns[at].can_go()]
        if over <= 0 or not can_go:
            break
        goes = max(can_go, key=lambda at: (at in empty, columns[at].drop, at))
        kept.remove(goes)
        left_out.append(goes)
    over = _narrow(widths, [at for at in cut if columns[at].flex], NARROWEST, over)
    # A word that fills the terminal, such as a code of 200 letters, would break every line of the table.
    _narrow(widths, kept, max(READABLE, room // 2), over)
    return Fitted(kept, [widths[at] for at in kept], [columns[at].title for at in sorted(set(left_out) - empty)])


def _narrow(widths: dict[int, int], yielding: Sequence[int], least: int, over: int) -> int:
    """Makes columns narrower, the widest first; how many cells are too much then."""
    while over > 0 and (wide := [at for at in yielding if widths[at] > least]):
        widths[max(wide, key=widths.__getitem__)] -= 1
        over -= 1
    return over
