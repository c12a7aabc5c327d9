"""Activities: what somebody has to do about a record by a moment."""

from __future__ import annotations

from datetime import datetime

from crmmail.core.typed import NamedTuple
from crmmail.errors import NotFound
from crmmail.store.engine import sql
from crmmail.store.engine.values import moment


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
    return sql.insert("crm_activity", thread_id=record, user_id=user, summary=summary, due=due, created=created)


def activity(number: int, now: datetime) -> Activity:
    """The activity with that number; `now` is what `overdue` is measured against.

    Raises:
        NotFound: there is none.
    """
    row = sql.row(f"{_SELECT} WHERE a.id = ?", number)
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
    wanted = [("a.user_id = ?", user), ("a.thread_id = ?", record), ("a.due < ?", until)]
    asked = [(condition, value) for condition, value in wanted if value is not None]
    held = [*([] if done else ["a.done IS NULL"]), *(condition for condition, _ in asked)] or ["1 = 1"]
    rows = sql.rows(f"{_SELECT} WHERE {' AND '.join(held)} ORDER BY a.due, a.id", *(value for _, value in asked))
    return [_activity(row, now) for row in rows]


def count(user: int, until: datetime) -> int:
    """How much somebody has to do before a moment."""
    waiting = "SELECT COUNT(*) FROM crm_activity WHERE done IS NULL AND due < ? AND user_id = ?"
    return int(sql.value(waiting, until, user))


_SELECT = """
    SELECT a.id, a.thread_id, h.title, u.login, a.summary, a.due, a.created, a.done
    FROM crm_activity a JOIN crm_thread h ON h.id = a.thread_id LEFT JOIN crm_user u ON u.id = a.user_id"""


def _activity(row: sql.Row, now: datetime) -> Activity:
    number, record, title, login, summary, due, created, done = row
    until = moment(due)
    return Activity(
        number, record, title, login or "", summary, until, moment(created), moment(done), done is None and until < now
    )
