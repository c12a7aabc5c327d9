"""Activities: what somebody has to do about a record by a moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from peewee import JOIN, fn

from crmmail.errors import NotFound
from crmmail.store import tables as t


class Activity(NamedTuple):
    id: int
    record: int
    title: str  # the record's
    user: str  # who has to do it, "" if nobody in particular
    summary: str
    due: datetime
    created: datetime
    done: datetime | None
    overdue: bool  # its moment has passed, and it is not done


def put_activity(record: int, user: int | None, summary: str, due: datetime, created: datetime) -> int:
    """Makes one; its number."""
    return int(t.Activity.create(thread=record, user=user, summary=summary, due=due, created=created).id)


def activity(number: int, now: datetime) -> Activity:
    """The activity with that number; `now` is what `overdue` is measured against.

    Raises:
        NotFound: there is none.
    """
    row = _base().where(t.Activity.id == number).objects().first()
    if row is None:
        raise NotFound(f"there is no activity {number} (crmmail activity lists what is to do)")
    return _activity(row, now)


def activities(
    now: datetime,
    *,
    user: int | None = None,
    record: int | None = None,
    until: datetime | None = None,
    done: bool = False,
) -> list[Activity]:
    """What is to do, the next first.

    Args:
        now: against which `overdue` is measured.
        user: only his; None: everybody's.
        record: only about this record.
        until: only what is due before that moment.
        done: what was done too.
    """
    query = _base().order_by(t.Activity.due, t.Activity.id)
    if not done:
        query = query.where(t.Activity.done.is_null())
    if user is not None:
        query = query.where(t.Activity.user == user)
    if record is not None:
        query = query.where(t.Activity.thread == record)
    if until is not None:
        query = query.where(t.Activity.due < until)
    return [_activity(row, now) for row in query.objects()]


def count(user: int, until: datetime) -> int:
    """How much somebody has to do before a moment."""
    query = t.Activity.select(fn.COUNT(t.Activity.id)).where(t.Activity.done.is_null(), t.Activity.due < until)
    return int(query.where(t.Activity.user == user).scalar() or 0)


def _base() -> Any:
    return (
        t.Activity.select(t.Activity, t.Thread.title, t.User.login)
        .join(t.Thread)
        .switch(t.Activity)
        .join(t.User, JOIN.LEFT_OUTER)
    )


def _activity(row: Any, now: datetime) -> Activity:
    return Activity(
        row.id,
        row.thread_id,
        row.title,
        row.login or "",
        row.summary,
        row.due,
        row.created,
        row.done,
        row.done is None and row.due < now,
    )
