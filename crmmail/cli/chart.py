"""Statistics drawn with letters: bars, and a heat map of two keys.  Shades and numbers say it; no colour is needed.

    support   12  ████████████████████████▌            2026-10  ██ 12  ░░  3
    sales      3  ██████▏                              2026-11  ▒▒  7   ·  1

Lines are no wider than asked for: long names are cut, and what is too much for a line of its own is summed as "others",
which has a number only: its bar would make all the others short.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from fractions import Fraction
from math import ceil
from typing import Any

from crmmail.cli.columns import GAP
from crmmail.core import stats
from crmmail.core.stats import KEYS, Measure, Row
from crmmail.core.text import cells, one_line
from crmmail.services.stats import Asked

DAYS, LINES = 31, 20  # how many lines: of times the days of a month, else a screenful
TITLE = 10  # cells of the title of a column
OTHERS = "others"
EIGHTHS = " ▏▎▍▌▋▊▉█"
SHADES = " ·░▒▓█"  # nothing, then each a fifth of the highest
BLOCK = 2  # cells of shade before a number
TIMES = ("day", "month", "year")


# --- bars ---------------------------------------------------------------------------------------------------


def bars(asked: Asked, rows: Sequence[Row], by: Sequence[str], measure: Measure, width: int) -> list[str]:
    """A line a row.  What has an order of its own (days, states) keeps it, else the longest bar comes first.

    Args:
        rows: at least one.
    """
    kept, rest = _split(rows, _lines(by[0]), lambda row: _weight(by[0], row.group[0], row, measure))
    if not KEYS[by[0]].stands:
        kept.sort(key=lambda row: -size(measure, row))
    highest = max(size(measure, row) for row in kept)
    drawn = [(one_line(asked.name(by, row.group)), row, size(measure, row)) for row in kept]
    if rest:
        drawn.append((OTHERS, stats.together(rest), Fraction()))
    numbers = [amount(measure, row) for _, row, _ in drawn]
    of_label = min(max(cells(label) for label, _, _ in drawn), max(12, width // 3))
    of_number = max(map(len, numbers))
    room = max(1, width - of_label - of_number - 2 * GAP)
    gap = " " * GAP
    return [
        gap.join([_left(label, of_label), number.rjust(of_number), _bar(length, highest, room)]).rstrip()
        for (label, _, length), number in zip(drawn, numbers, strict=True)
    ]


def _bar(length: Fraction, highest: Fraction, room: int) -> str:
    eighths = ceil(length / highest * room * 8) if highest else 0
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


# --- the heat map -------------------------------------------------------------------------------------------


def heat_map(asked: Asked, rows: Sequence[Row], by: Sequence[str], measure: Measure, width: int) -> list[str]:
    """Two keys: the first runs down, the second across.  Time always runs down, where there is room for it.

    Args:
        rows: at least one.
    """
    down, across = (1, 0) if by[1] in TIMES and by[0] not in TIMES else (0, 1)
    lines, _ = _values(rows, by, down, measure, _lines(by[down]))
    labels = [one_line(asked.name(by[down : down + 1], [one])) for one in lines]
    most = len({row.group[across] for row in rows})
    while True:
        columns, _ = _values(rows, by, across, measure, most)
        grid = _grid(rows, down, across, lines, columns)
        titles = [one_line(asked.name(by[across : across + 1], [one]), TITLE) for one in columns]
        drawn = _drawn(grid, labels, titles, measure)
        if most <= 2 or max(map(cells, drawn)) <= width:
            return drawn
        most -= 1


def _values(
    rows: Sequence[Row], by: Sequence[str], at: int, measure: Measure, most: int
) -> tuple[list[Any], list[Any]]:
    """The values of the key `at` that are drawn for themselves, in their order, and the others."""
    members: dict[Any, list[Row]] = {}
    for row in rows:
        members.setdefault(row.group[at], []).append(row)
    ordered = sorted(members, key=lambda one: stats.position([by[at]], [one]))
    return _split(ordered, most, lambda one: _weight(by[at], one, stats.together(members[one]), measure))


def _grid(
    rows: Sequence[Row], down: int, across: int, lines: Sequence[Any], columns: Sequence[Any]
) -> dict[tuple[int, int], Row]:
    """(line, column) → what stands there; the others stand behind the last line and column."""
    of_line = {one: at for at, one in enumerate(lines)}
    of_column = {one: at for at, one in enumerate(columns)}
    gathered: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        place = of_line.get(row.group[down], len(lines)), of_column.get(row.group[across], len(columns))
        gathered.setdefault(place, []).append(row)
    return {place: stats.together(members) for place, members in gathered.items()}


def _drawn(
    grid: dict[tuple[int, int], Row], labels: Sequence[str], titles: Sequence[str], measure: Measure
) -> list[str]:
    """The titles of the columns, the lines, and what the shades mean."""
    alone = {(line, column): row for (line, column), row in grid.items() if line < len(labels) and column < len(titles)}
    highest = max((alone or grid).values(), key=lambda row: size(measure, row))
    scale = size(measure, highest)
    labels = [*labels, *[OTHERS] * any(line == len(labels) for line, _ in grid)]
    titles = [*titles, *[OTHERS] * any(column == len(titles) for _, column in grid)]
    of_label = min(max(map(cells, labels)), 2 * TITLE)
    found = [[" " * of_label], *([_left(label, of_label)] for label in labels)]
    for column, title in enumerate(titles):
        numbers = [amount(measure, grid[line, column]) if (line, column) in grid else "" for line in range(len(labels))]
        longest = max(map(len, numbers))
        room = max(BLOCK + 1 + longest, cells(title))
        found[0].append(" " * (room - cells(title)) + title)
        for line, number in enumerate(numbers):
            place = (line, column)
            shade = SHADES[_level(size(measure, alone[place]), scale)] if place in alone else SHADES[0]
            found[line + 1].append(f"{shade * BLOCK} {number:>{longest}}".rjust(room))
    legend = f"{' '.join(SHADES[1:])}  a fifth each, up to {amount(measure, highest)}"
    return [*((" " * GAP).join(line).rstrip() for line in found), "", legend]


def _level(found: Fraction, highest: Fraction) -> int:
    return ceil(found / highest * (len(SHADES) - 1)) if highest else 0


# --- both ---------------------------------------------------------------------------------------------------


def amount(measure: Measure, row: Row) -> str:
    """The number that stands beside a bar or shade; money in whole units."""
    value = stats.value(measure, row.sums[measure.name])
    if value is None:
        return "-"
    return stats.span(value) if isinstance(value, timedelta) else f"{value:.0f}"


def size(measure: Measure, row: Row) -> Fraction:
    """How long a bar is, how dark a shade; what is less than nothing is nothing."""
    value = stats.value(measure, row.sums[measure.name])
    number = value // timedelta(microseconds=1) if isinstance(value, timedelta) else value
    return max(Fraction(number or 0), Fraction())


def _split(found: Sequence[Any], most: int, weight: Callable[[Any], Any]) -> tuple[list[Any], list[Any]]:
    """What is drawn for itself, in its order, and the rest, which takes one of the `most` places."""
    if len(found) <= most:
        return list(found), []
    heaviest = sorted(range(len(found)), key=lambda at: weight(found[at]), reverse=True)
    kept = set(heaviest[: most - 1])
    return [one for at, one in enumerate(found) if at in kept], [one for at, one in enumerate(found) if at not in kept]


def _weight(key: str, value: Any, row: Row, measure: Measure) -> Any:
    """What is drawn for itself: of times the latest, of all else the most."""
    return value or "" if key in TIMES else size(measure, row)


def _lines(key: str) -> int:
    return DAYS if key in TIMES else LINES


def _left(words: str, room: int) -> str:
    cut = one_line(words, room)
    return cut + " " * (room - cells(cut))
