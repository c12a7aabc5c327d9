"""Deadlines by contract: a new case must be done within what its partner, its section and its priority promise (F241).

    a row of `crmmail sla`      8h in working hours, for Support contract / Gold in support

Of all rows that fit a case the most particular one counts: first by the partner's contract, then by the section, then
by the priority; of two contracts, or two sections, the nearer one.  A delivery asks one query where there are no rows.
`sla_admin` changes the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from crmmail.core import category, record, section
from crmmail.core.typed import TYPE_CHECKING, Any, NamedTuple
from crmmail.errors import UsageError
from crmmail.store.people import offices
from crmmail.store.work import deadlines
from crmmail.store.work.deadlines import Sla
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace, local_zone

if TYPE_CHECKING:
    from crmmail.core.delay import Delay  # core.delay is read only where something is promised

NORMAL = record.PRIORITIES["normal"]
_FAR = 1000  # farther away than any section or category is nested


class Facts(NamedTuple):
    """What decides about the deadline of a case."""

    sections: Sequence[str]  # its section's code and those above it, the nearest first
    categories: Sequence[str]  # the keys of its partner's category and of those above it, the nearest first
    priority: int


# --- a record's deadline ------------------------------------------------------------------------------------


def deadline(
    workspace: Workspace, kind: str, columns: Mapping[str, Any], *, start: datetime | None = None
) -> datetime | None:
    """By when a new record must be done; None where nothing is promised.

    Args:
        columns: as the store takes them: the numbers of its section and partner, its priority.
        start: when it was made; None: now.
    """
    rows = deadlines.slas() if "deadline" in record.FIELDS[kind] else []
    if not rows:
        return None
    facts = _facts(_code(columns.get("section")), columns.get("partner"), columns.get("priority"))
    return _promised(workspace, rows, facts, start or workspace.now())


def fill(workspace: Workspace, this: Record, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The deadline that an unfinished record without one gets when what decides about it changes; {} where none.

    It counts from the record's creation, since that is when the partner began to wait.  A deadline that is there stays:
    somebody may have promised it.

    Args:
        changes: columns as `deadline` has them, for what changes.
    """
    deciding = {"section", "partner", "priority"} & set(changes)
    has_one = this.deadline is not None or "deadline" in changes or "deadline" not in record.FIELDS[this.kind]
    rows = deadlines.slas() if deciding and not has_one else []
    if not rows or changes.get("state", this.state) in record.KINDS[this.kind].done:
        return {}
    code = _code(changes["section"]) if "section" in changes else this.section
    partner = changes.get("partner", this.partner.id if this.partner else None)
    moment = _promised(workspace, rows, _facts(code, partner, changes.get("priority", this.priority)), this.created)
    return {"deadline": moment} if moment else {}


def explain(workspace: Workspace, this: Record) -> str:
    """Why a record's deadline is what it is: `8 working hours, because of Support contract / Gold in support`.

    "" where no row that is there now gives just that deadline: somebody set it, or what decides changed since.
    """
    rows = deadlines.slas() if this.deadline else []
    if not rows:
        return ""
    found = choose(rows, _facts(this.section, this.partner.id if this.partner else None, this.priority))
    if found is None or _moment(workspace, found, this.created) != this.deadline:
        return ""
    return f"{promise(found)}, {because(found)}"


def choose(rows: Sequence[Sla], facts: Facts) -> Sla | None:
    """The most particular row that fits; None where none does."""
    fitting = [(rank, one) for one in rows if (rank := _rank(one, facts)) is not None]
    return min(fitting)[1] if fitting else None


def _rank(one: Sla, facts: Facts) -> tuple[int, int, int, int] | None:
    """How far a row is from what it is about, the lower the nearer; None where it does not fit."""
    contract = _distance(category.key(one.partner_category), facts.categories)
    place = _distance(one.section, facts.sections)
    if contract is None or place is None or one.priority not in (None, facts.priority):
        return None
    return contract, place, int(one.priority is None), one.id


def _distance(wanted: str, chain: Sequence[str]) -> int | None:
    if not wanted:
        return _FAR
    return chain.index(wanted) if wanted in chain else None


def _code(number: int | None) -> str:
    """The code of a section, "" for none."""
    return next((one.code for one in offices.sections() if one.id == number), "")


def _facts(code: str, partner: int | None, priority: int | None) -> Facts:
    parents = {one.code: one.parent for one in offices.sections()}
    return Facts(
        [code, *section.ancestors(code, parents)] if code else [],
        category.chain(deadlines.category_of(partner)) if partner else [],
        priority or NORMAL,
    )


def _promised(workspace: Workspace, rows: Sequence[Sla], facts: Facts, start: datetime) -> datetime | None:
    found = choose(rows, facts)
    return _moment(workspace, found, start) if found else None


def _moment(workspace: Workspace, one: Sla, start: datetime) -> datetime | None:
    """None where the working hours are fewer by now than when the row was made, and no longer have room for it."""
    from crmmail.core.delay import parse

    try:
        return later(workspace, start, parse(one.within), one.working)
    except UsageError:
        return None


def later(workspace: Workspace, start: datetime, length: Delay, working: bool) -> datetime:
    if not working:
        from crmmail.core.delay import after

        return after(start, length)
    from crmmail.core import worktime  # read only where somebody counts in working hours

    week = worktime.parse(workspace.config.work_hours, workspace.config.work_holidays)
    return worktime.add(start, length.seconds, week, local_zone(workspace.environ))


# --- in words -----------------------------------------------------------------------------------------------


def promise(one: Sla) -> str:
    """`8 working hours`, `2 days`, `1 month 12 hours`."""
    from crmmail.core.delay import parse

    length = parse(one.within)
    hours, minutes = divmod(length.seconds // 60, 60)
    days, hours = (0, hours) if one.working else divmod(hours, 24)
    parts = ((length.months, "month"), (days, "day"), (hours, "hour"), (minutes, "minute"))
    units = [(amount, name) for amount, name in parts if amount]
    words = [f"{amount} {name}{'' if amount == 1 else 's'}" for amount, name in units]
    if one.working:
        amount, rest = words[0].split()
        words[0] = f"{amount} working {rest}"
    return " ".join(words)


def whom(one: Sla) -> str:
    """Which cases a row is about: `for Support contract / Gold in support at priority high`, `for every case`."""
    words = [
        f"for {one.partner_category or 'every case'}",
        f"in {one.section}" if one.section else "",
        f"at priority {record.priority_name(one.priority)}" if one.priority else "",
    ]
    return " ".join(filter(None, words))


def because(one: Sla) -> str:
    """Why a row fits a case: `because of Support contract / Gold in support`."""
    if not (one.partner_category or one.section or one.priority):
        return "as for every case"
    words = [
        f"of {one.partner_category}" if one.partner_category else "",
        f"in {one.section}" if one.partner_category and one.section else "",
        f"it is in {one.section}" if one.section and not one.partner_category else "",
        f"at priority {record.priority_name(one.priority)}" if one.priority else "",
    ]
    if not (one.partner_category or one.section):
        return f"because it has priority {record.priority_name(one.priority or NORMAL)}"
    return " ".join(["because", *filter(None, words)])
