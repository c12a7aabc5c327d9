"""Statistics drawn with letters: bars, and a heat map of two keys.  Shades and numbers say it; no colour is needed.

    support   12  ████████████████████████▌            2026-10  ██ 12  ░░  3
    sales      3  ██████▏                              2026-11  ▒▒  7   ·  1

Lines are no wider than asked for: names have the room they need before bars and columns have theirs, and what is too
long loses letters of its middle, where that leaves it unlike the others.  What is too much for a line of its own is
summed as "others", which has a number only: its bar would make all the others short.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from fractions import Fraction
from math import ceil

from crmmail.cli.columns import GAP
from crmmail.core import stats
from crmmail.core.stats import KEYS, Measure, Row, Sum
from crmmail.core.text import cells, one_line
from crmmail.core.typed import Any
from crmmail.services.desk.stats import Asked

DAYS, LINES = 60, 20  # how many lines: of times the days of two months, else a screenful
TITLE, LABEL, BAR = (
    10,
    20,
    12,
)  # cells that the title of a column, the name of a line, and the longest bar have at least
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
    if len(by) == 1:
        rows = _with_gaps(by[0], rows)
    kept, rest = _split(rows, _lines(by[0]), lambda row: _weight(by[0], row.group[0], row, measure))
    if not KEYS[by[0]].stands:
        kept.sort(key=lambda row: -size(measure, row))
    highest = max(size(measure, row) for row in kept)
    drawn = [(one_line(asked.name(by, row.group)), row, size(measure, row)) for row in kept]
    if rest:
        drawn.append((OTHERS, stats.together(rest), Fraction()))
    numbers = [amount(measure, row) for _, row, _ in drawn]
    of_number = max(map(len, numbers))
    labels = shortened([label for label, _, _ in drawn], max(BAR, width - of_number - BAR - 2 * GAP))
    of_label = max(map(cells, labels))
    room = max(1, width - of_label - of_number - 2 * GAP)
    gap = " " * GAP
    return [
        gap.join([_left(label, of_label), number.rjust(of_number), _bar(length, highest, room)]).rstrip()
        for label, (_, _, length), number in zip(labels, drawn, numbers, strict=True)
    ]


def _with_gaps(key: str, rows: Sequence[Row]) -> Sequence[Row]:
    """Times of which there is nothing are lines too: a gap in an axis is seen only where it is drawn."""
    known = {row.group[0]: row for row in rows}
    nothing = {name: Sum(0, 0) for name in rows[0].sums}
    return [known.get(one) or Row((one,), nothing) for one in _axis(key, list(known))]


def _axis(key: str, values: Sequence[Any]) -> list[Any]:
    """All times from the first to the last; the values alone where that is too much to be drawn, or is no time."""
    if key not in TIMES or not values:
        return list(values)
    first, last = min(values), max(values)
    found = [first]
    while found[-1] < last and len(found) <= DAYS:
        found.append(_after(key, found[-1]))
    return found if len(found) <= DAYS else list(values)


def _after(key: str, time: str) -> str:
    """The day after a day, the month after a month, the year after a year."""
    if key == "day":
        return (date.fromisoformat(time) + timedelta(days=1)).isoformat()
    if key == "year":
        return f"{int(time) + 1:04}"
    year, month = divmod(int(time[:4]) * 12 + int(time[5:]), 12)
    return f"{year:04}-{month + 1:02}"


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
    lines, rest = _values(rows, by, down, measure, _lines(by[down]))
    if not rest:
        lines = _axis(by[down], lines)
    labels = [one_line(asked.name(by[down : down + 1], [one])) for one in lines]
    most = len({row.group[across] for row in rows})
    while True:
        columns, _ = _values(rows, by, across, measure, most)
        grid = _grid(rows, down, across, lines, columns)
        titles = [one_line(asked.name(by[across : across + 1], [one])) for one in columns]
        drawn = _drawn(grid, shortened(labels, LABEL), shortened(titles, TITLE), measure)
        if most <= 2 or max(map(cells, drawn)) <= width:
            break
        most -= 1
    # There is room for so many columns: what is left of it goes to their names.
    for room in range(TITLE + 1, width):
        wider = _drawn(grid, shortened(labels, max(LABEL, room)), shortened(titles, room), measure)
        if max(map(cells, wider)) > width:
            break
        drawn = wider
        if room >= max(map(cells, [*labels, *titles])):
            break
    return drawn


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
    of_label = max(map(cells, labels))
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


def shortened(labels: Sequence[str], room: int) -> list[str]:
    """`labels`, none of more than `room` cells.  What is too long loses its middle, or where this makes two labels one,
    other letters: `sales…onal` and `sales…rnal`."""
    if all(cells(label) <= room for label in labels):
        return list(labels)
    best: list[str] = []
    for head in sorted(range(room), key=lambda head: abs(head - room // 2)):
        found = [label if cells(label) <= room else _ends(label, head, room - 1 - head) for label in labels]
        if len(set(found)) > len(set(best)):
            best = found
        if len(set(best)) == len(set(labels)):
            break
    return best


def _ends(words: str, head: int, tail: int) -> str:
    """The beginning and the end of `words`, of so many cells each."""
    begin, end = _fitting(words, head), _fitting(words[::-1], tail)
    return f"{words[:begin].rstrip()}…{words[len(words) - end :].lstrip()}"


def _fitting(words: str, room: int) -> int:
    """How many characters take no more than `room` cells."""
    for count, char in enumerate(words):
        room -= cells(char)
        if room < 0:
            return count
    return len(words)


def _left(words: str, room: int) -> str:
    cut = one_line(words, room)
    return cut + " " * (room - cells(cut))
