"""Statistics of records and of messages: who, when, how many, how long, for how much (F244–F254)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from crmmail.core import record, section, stats
from crmmail.core.query import Query
from crmmail.core.stats import Claim, Measure, Row
from crmmail.core.typed import NamedTuple
from crmmail.errors import UsageError
from crmmail.services.shared import fields
from crmmail.store.lists import finding
from crmmail.store.lists import stats as stored
from crmmail.store.people import offices
from crmmail.store.work import records
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace, local_zone

MESSAGES = "messages"


class Asked(NamedTuple):
    """What is counted."""

    kind: str  # of record, or MESSAGES
    query: Query = Query()
    begin: datetime | None = None
    end: datetime | None = None  # not counted itself
    section: str | None = None
    recursive: bool = False

    @property
    def measures(self) -> tuple[Measure, ...]:
        return stats.MESSAGES if self.kind == MESSAGES else stats.RECORDS

    @property
    def keys(self) -> tuple[str, ...]:
        return stats.OF_MESSAGES if self.kind == MESSAGES else stats.OF_RECORDS

    def word(self, key: str, value: object) -> str:
        """A value of a key as people read it; "" is nothing."""
        if value is None:
            return "outside" if self.kind == MESSAGES and key == "user" else ""
        return value.name if isinstance(value, stats.Partner) else str(value)

    def name(self, by: Sequence[str], group: Sequence[object]) -> str:
        """A group as people read it: `2026-11 / support`, `2026-11 / no section`."""
        return " / ".join(self.word(key, one) or f"no {key}" for key, one in zip(by, group, strict=True))


def kind(name: str) -> str:
    """What statistics there are of: a kind of record that has states, or MESSAGES."""
    if name in (MESSAGES, "message"):
        return MESSAGES
    found = next((one.name for one in record.KINDS.values() if name in (one.name, one.plural)), "")
    if found not in stats.GOOD:
        counted = ", ".join(record.KINDS[one].plural for one in sorted(stats.GOOD))
        what = record.KINDS[found].plural if found else repr(name)
        raise UsageError(f"there are no statistics of {what}: they are of {counted} or {MESSAGES}")
    return found


def by_default(kind_name: str) -> str:
    return "user,day" if kind_name == MESSAGES else "month,user,section,state"  # F254, F244


def until(workspace: Workspace, words: str) -> datetime:
    """The moment before which `--to` counts; a day is counted to its end."""
    zone = local_zone(workspace.environ)
    local: datetime = fields.moment(workspace, words).astimezone(zone)
    whole_day = (local.hour, local.minute, local.second, local.microsecond) == (0, 0, 0, 0)
    return local + timedelta(days=1) if whole_day else local


def rows(workspace: Workspace, asked: Asked, by: Sequence[str]) -> list[Row]:
    """The groups with their sums; one SELECT, however many records there are."""
    zone = local_zone(workspace.environ)
    facts = _letters(workspace, asked) if asked.kind == MESSAGES else _cases(workspace, asked)
    return stats.group(facts, by, asked.measures, zone)


def listing(
    workspace: Workspace, asked: Asked, *, limit: int | None = None, before: int | None = None
) -> Iterator[Record]:
    """The records behind the rows, newest activity first (F252), read as they are wanted.

    Args:
        limit: the newest so many.
        before: of those that come after this record in the list.
    """
    if asked.kind == MESSAGES:
        raise UsageError("--list is of cases and leads; single messages are listed by: crmmail message")
    counted = {one.id for one in _cases(workspace, asked)}
    user, sections = _user(workspace, asked), _sections(asked)
    found = finding.numbers(asked.kind, asked.query, user=user, now=workspace.now(), sections=sections, before=before)
    return records.listed(islice((one for one in found if one in counted), limit))


def broken(asked: Asked, found: Sequence[Row], by: Sequence[str], claims: Sequence[Claim]) -> list[str]:
    """A sentence for each row that is not as it is asserted to be."""
    return [
        f"{one.measure.name}{' of ' + asked.name(by, row.group) if by else ''} is {_against(one, row)}: not {one.words}"
        for one in claims
        for row in found
        if not stats.holds(one, row)
    ]


def _against(claim: Claim, row: Row) -> str:
    """What it is instead; a time to the second where it would read like the bound."""
    value = stats.value(claim.measure, row.sums[claim.measure.name])
    if isinstance(value, timedelta) and isinstance(claim.bound, timedelta):
        short = stats.span(value)
        return short if short != stats.span(claim.bound) else stats.span(value, len(stats.UNITS))
    return f"{value:.2f}" if claim.measure.unit == "money" else str(value)


def _cases(workspace: Workspace, asked: Asked) -> list[stats.Case]:
    return stored.cases(
        asked.kind,
        asked.query,
        begin=asked.begin,
        end=asked.end,
        user=_user(workspace, asked),
        now=workspace.now(),
        sections=_sections(asked),
    )


def _letters(workspace: Workspace, asked: Asked) -> list[stats.Letter]:
    return stored.letters(
        asked.query,
        begin=asked.begin,
        end=asked.end,
        user=_user(workspace, asked),
        now=workspace.now(),
        sections=_sections(asked),
    )


def _user(workspace: Workspace, asked: Asked) -> int | None:
    return workspace.user().id if asked.query.mine else None


def _sections(asked: Asked) -> list[str] | None:
    if not asked.section:
        return None
    this = offices.section(asked.section)
    parents = {one.code: one.parent for one in offices.sections()}
    return section.descendants(this.code, parents) if asked.recursive else [this.code]
