"""The agenda: the deadlines of unfinished cases and the open activities, the next first."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from crmmail.core.query import Query
from crmmail.core.typed import NamedTuple
from crmmail.store.lists import finding
from crmmail.store.people import directory
from crmmail.store.work import activities, deadlines
from crmmail.workspace import Workspace


class Entry(NamedTuple):
    """Something that must be done by a moment."""

    when: datetime
    what: str  # deadline | activity
    id: int | None  # of an activity
    record: int
    title: str  # the record's
    user: str  # whose it is, "" if nobody's
    summary: str  # of an activity
    overdue: bool


def agenda(
    workspace: Workspace, query: Query, *, login: str = "", everybody: bool = False, days: int | None = None
) -> list[Entry]:
    """What must be done.

    Args:
        query: only about records that fit it.
        login: whose; "": the acting user's.
        everybody: everybody's, and what nobody has to do in particular.
        days: how many, today included, beside what is overdue; None: all there are.
    """
    now = workspace.now()
    user = None if everybody else directory.user(login).id if login else workspace.user().id
    until = end_of_day(workspace, days) if days is not None else None
    found = [
        Entry(one.when, "deadline", None, one.record, one.title, one.user, "", one.when < now)
        for one in deadlines.deadlines(user=user, until=until)
    ]
    found += [
        Entry(one.due, "activity", one.id, one.record, one.title, one.user, one.summary, one.overdue)
        for one in activities.activities(now, user=user, until=until)
    ]
    if query != Query():
        mine = workspace.user().id if query.mine else None
        fitting = set(finding.numbers(None, query, user=mine, now=now))
        found = [one for one in found if one.record in fitting]
    return sorted(found, key=lambda one: (one.when, one.record, one.id or 0))


def end_of_day(workspace: Workspace, days: int = 1) -> datetime:
    """The midnight at which the last of some days ends, today being the first."""
    day = workspace.now().astimezone().date() + timedelta(days=days)
    return datetime.combine(day, time()).astimezone()  # without a zone it is the clock on our wall, whatever day it is
