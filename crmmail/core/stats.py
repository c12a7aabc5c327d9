"""Statistics: facts about records, or about messages, are put into groups, and each group's measures are added up.

A fact is one record (`Case`) or one message (`Letter`).  A grouping is a list of names such as month and user, in any
order; each group is a `Row`.  What is added up is kept as a total and of how many, so that rows can be added up again:
an average of averages would be wrong.  Money is added as decimals, so that the groups come to the total to the cent.

A `Claim` is what monitoring asserts of every row: `average_delay<3d`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Literal, NamedTuple

from crmmail.core import delay
from crmmail.core.record import KINDS
from crmmail.errors import UsageError

# The state in which a kind of record has ended well.  Only such records count for the average delay: how fast something
# was given up says nothing about how fast people are.
GOOD = {"case": "done", "lead": "converted"}


class Partner(NamedTuple):
    """A contact, or where none is known the address or name that a letter gave (then without a number)."""

    id: int | None
    name: str


class Case(NamedTuple):
    """What statistics ask of a case or lead; "" is nothing."""

    id: int
    kind: str
    state: str
    section: str
    category: str
    user: str  # login of the responsible
    priority: int | None
    partner: Partner | None
    created: datetime
    closed: datetime | None
    answered: datetime | None
    revenue: float | None
    cost: float | None
    probability: float | None  # percent


class Letter(NamedTuple):
    """What statistics ask of a message."""

    id: int
    kind: str  # email_in | email_out | note | call
    user: str  # login of its author, "" for people outside
    section: str  # of its record
    created: datetime  # when we got it, or wrote it


# --- measures -----------------------------------------------------------------------------------------------


class Measure(NamedTuple):
    """Numbers are added up and are 0 where there is nothing; money is added up, times are averaged, else both null."""

    name: str  # in --value and --assert
    key: str  # in the JSON
    unit: Literal["number", "money", "time"]
    of: Callable[[Any], int | Decimal | timedelta | None]  # of one fact; None: it says nothing


Value = int | Decimal | timedelta | None


def _money(amount: float | None) -> Decimal | None:
    return None if amount is None else Decimal(repr(amount))


def _delay(one: Case) -> timedelta | None:
    return one.closed - one.created if one.closed and one.state == GOOD[one.kind] else None


def _first_answer(one: Case) -> timedelta | None:
    return one.answered - one.created if one.answered else None


def _weighted(one: Case) -> Decimal | None:
    revenue, probability = _money(one.revenue), _money(one.probability)
    return None if revenue is None or probability is None else revenue * probability / 100


def _kind(name: str) -> Callable[[Letter], int]:
    return lambda one: int(one.kind == name)


RECORDS = (
    Measure("count", "count", "number", lambda one: 1),
    Measure("average_delay", "average_delay_seconds", "time", _delay),
    Measure("revenue", "revenue", "money", lambda one: _money(one.revenue)),
    Measure("cost", "cost", "money", lambda one: _money(one.cost)),
    Measure("weighted_revenue", "weighted_revenue", "money", _weighted),
    Measure("first_answer", "average_first_answer_seconds", "time", _first_answer),
)
MESSAGES = (
    Measure("count", "count", "number", lambda one: 1),
    Measure("letters_in", "letters_in", "number", _kind("email_in")),
    Measure("letters_out", "letters_out", "number", _kind("email_out")),
    Measure("notes", "notes", "number", _kind("note")),
    Measure("calls", "calls", "number", _kind("call")),
)


def measure(name: str, measures: Sequence[Measure]) -> Measure:
    """The measure of that name, or of that key in the JSON."""
    for one in measures:
        if name in (one.name, one.key):
            return one
    raise UsageError(f"there is no measure {name!r} here: it is one of {', '.join(one.name for one in measures)}")


class Sum(NamedTuple):
    total: Any  # int, Decimal or timedelta; 0 where nothing was added
    of: int  # of how many facts


def add(sums: Iterable[Sum]) -> Sum:
    total: Any = 0
    count = 0
    for one in sums:
        if one.of:
            total, count = (total + one.total if count else one.total), count + one.of
    return Sum(total, count)


def value(one: Measure, added: Sum) -> Value:
    """What a sum comes to: itself, or for times the average; None where nothing was added."""
    if one.unit == "number":
        return int(added.total)
    if not added.of:
        return None
    found: Value = added.total / added.of if one.unit == "time" else added.total
    return found


# --- groups -------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """A group: its value for each key of the grouping (None: nothing), and the sum of each measure by its name."""

    group: tuple[Any, ...]
    sums: dict[str, Sum]


class Key(NamedTuple):
    """Something to group by."""

    of: Callable[[Any, datetime], Any]  # a fact, and its moment on the clock of the people here
    order: Callable[[Any], Any] = lambda value: value
    stands: bool = False  # has an order of its own, which a chart keeps


_STATES = {state: position for kind in KINDS.values() for position, state in enumerate(kind.states)}

KEYS = {
    "month": Key(lambda one, local: f"{local:%Y-%m}", stands=True),
    "user": Key(lambda one, local: one.user or None),
    "section": Key(lambda one, local: one.section or None),
    "state": Key(lambda one, local: one.state or None, lambda state: (_STATES.get(state, 0), state), stands=True),
    "category": Key(lambda one, local: one.category or None, str.casefold),
    "partner": Key(lambda one, local: one.partner, lambda one: (one.name.casefold(), one.id or 0, one.name)),
    "day": Key(lambda one, local: f"{local:%Y-%m-%d}", stands=True),
    "year": Key(lambda one, local: f"{local:%Y}", stands=True),
    "priority": Key(lambda one, local: one.priority, stands=True),
    "kind": Key(lambda one, local: one.kind),
}
OF_RECORDS = tuple(KEYS)
OF_MESSAGES = ("user", "day", "month", "year", "section", "kind")


def grouping(words: str, known: Sequence[str]) -> tuple[str, ...]:
    """The keys that `month,user` names, each once; `all` names none, which makes one row of everything."""
    names = tuple(dict.fromkeys(name for name in words.lower().replace(",", " ").split() if name != "all"))
    for name in names:
        if name not in known:
            raise UsageError(f"there is no grouping by {name!r} here: it is by {', '.join(known)}, or all for one row")
    return names


def group(facts: Iterable[Any], by: Sequence[str], measures: Sequence[Measure], zone: tzinfo | None) -> list[Row]:
    """The facts in groups, in the order of the keys; what has no value for a key stands behind what has one.

    A grouping by nothing has one row always, also of no facts.

    Args:
        zone: whose days and months they are; None: the system's.
    """
    keys = [KEYS[name].of for name in by]
    groups: dict[tuple[Any, ...], list[Any]] = {} if by else {(): []}
    for one in facts:
        local = one.created.astimezone(zone)
        groups.setdefault(tuple(key(one, local) for key in keys), []).append(one)
    rows = [
        Row(values, {each.name: _sum(map(each.of, members)) for each in measures}) for values, members in groups.items()
    ]
    return sorted(rows, key=lambda row: position(by, row.group))


def position(by: Sequence[str], values: Sequence[Any]) -> list[Any]:
    """Where a group stands among the others."""
    return [
        (one is None, KEYS[name].order(one) if one is not None else None) for name, one in zip(by, values, strict=True)
    ]


def together(rows: Sequence[Row], values: tuple[Any, ...] = ()) -> Row:
    """Several rows as one."""
    names = rows[0].sums if rows else ()
    return Row(values, {name: add(row.sums[name] for row in rows) for name in names})


def _sum(values: Iterable[Any]) -> Sum:
    return add(Sum(one, 1) for one in values if one is not None)


# --- what is asserted -----------------------------------------------------------------------------------------

# The longer ones first, so that `<=` is not read as `<` with a value that begins with `=`.
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": le, ">=": ge, "!=": ne, "==": eq, "<": lt, ">": gt, "=": eq,
}  # fmt: skip
_CLAIM = re.compile(rf"\s*(\w+)\s*({'|'.join(OPERATORS)})\s*(.+?)\s*", re.ASCII)


class Claim(NamedTuple):
    """`average_delay < 3d`."""

    measure: Measure
    operator: str
    bound: Decimal | timedelta
    words: str  # operator and bound, as they were written


def claim(words: str, measures: Sequence[Measure]) -> Claim:
    """What `words` assert.

    Raises:
        UsageError: they assert nothing that can be measured.
    """
    read = _CLAIM.fullmatch(words[:200])
    if read is None:
        raise UsageError(f"{words!r} asserts nothing: write it like 'average_delay<3d' or 'count<=100'")
    name, operator, bound = read.groups()
    one = measure(name.lower(), measures)
    return Claim(one, operator, _bound(one, bound), f"{operator} {bound}")


def _bound(one: Measure, words: str) -> Decimal | timedelta:
    try:
        number = Decimal(words)
        if number.is_finite():
            return timedelta(seconds=float(number)) if one.unit == "time" else number
    except (InvalidOperation, OverflowError):
        if one.unit == "time":
            length = delay.parse(words)
            if not length.months:
                return timedelta(seconds=length.seconds)
            raise UsageError(f"{words!r} has no fixed length: write a month as 30d") from None
    form = "a duration like 3d, or a number of seconds" if one.unit == "time" else "a number"
    raise UsageError(f"{one.name} is compared with {form}, not with {words!r}") from None


def holds(one: Claim, row: Row) -> bool:
    """Whether a row is as it is asserted to be; of what nothing is known yet, nothing is untrue."""
    found = value(one.measure, row.sums[one.measure.name])
    return found is None or OPERATORS[one.operator](found, one.bound)


# --- words --------------------------------------------------------------------------------------------------

UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def span(length: timedelta, parts: int = 2) -> str:
    """`3 d 4 h`: the largest unit and what follows it, at most `parts` units; what is smaller is left out."""
    rest = abs(round(length.total_seconds()))
    sign = "-" if length < timedelta() and rest else ""
    amounts = []
    for unit, seconds in UNITS:
        amount, rest = divmod(rest, seconds)
        amounts.append((amount, unit))
    first = next((at for at, (amount, _) in enumerate(amounts) if amount), len(amounts) - 1)
    said = [f"{amount} {unit}" for amount, unit in amounts[first : first + parts] if amount]
    return sign + (" ".join(said) or "0 s")
