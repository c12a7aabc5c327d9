"""The journal: who did what, and when, with the changes by which it can be taken back (`undoable`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import peewee

from crmmail.store import tables as t
from crmmail.store.undoable import Change, keys


class Entry(NamedTuple):
    id: int
    user: int | None
    login: str
    os_login: str
    at: datetime
    act: str
    sentence: str
    thread: int | None
    changes: list[Change]
    undoable: bool
    undone: datetime | None


# An act that could have been taken back, had it changed anything.
_NOTHING = peewee.SQL("'[]'")


def write(
    user: int | None,
    os_login: str,
    at: datetime,
    act: str,
    sentence: str,
    changes: Sequence[Change] = (),
    *,
    thread: int | None = None,
    undoable: bool = True,
) -> int:
    """Notes an act.

    Args:
        sentence: what undo will print.
        undoable: False: nobody can take it back, and undo says so instead of going on with what was before it.
    """
    row = t.Journal.create(
        user=user,
        os_login=os_login or None,
        at=at,
        act=act,
        sentence=sentence,
        thread=thread,
        changes=[list(change) for change in changes],
        undoable=undoable,
    )
    return int(row.id)


def last(user: int, count: int) -> list[Entry]:
    """Somebody's last undoable acts that stand, newest first."""
    mine = (t.Journal.user == user) & t.Journal.undone.is_null()
    rows = t.Journal.select().where(mine, t.Journal.undoable, t.Journal.changes != _NOTHING)
    return [_entry(row) for row in rows.order_by(t.Journal.id.desc()).limit(count)]


def last_final(user: int) -> Entry | None:
    """Somebody's last act that nobody can take back; not one that could be, and was given up."""
    rows = t.Journal.select().where(t.Journal.user == user, ~t.Journal.undoable, t.Journal.changes == _NOTHING)
    row = rows.order_by(t.Journal.id.desc()).first()
    return _entry(row) if row else None


def of_thread(thread: int) -> list[Entry]:
    """All that was done to a record, oldest first."""
    return [_entry(row) for row in t.Journal.select().where(t.Journal.thread == thread).order_by(t.Journal.id)]


def newest(limit: int) -> list[Entry]:
    """The last acts of everybody, oldest first."""
    rows = t.Journal.select().order_by(t.Journal.id.desc()).limit(limit)
    return [_entry(row) for row in reversed(list(rows))]


def who_changed(change: Change, after: int) -> str:
    """The login of whoever changed the same thing in an act later than `after`; "" if the journal does not tell."""
    rows = keys(change)
    for row in t.Journal.select().where(t.Journal.id > after, t.Journal.undone.is_null()).order_by(t.Journal.id.desc()):
        for one in map(Change._make, row.changes):
            same = one.field == change.field or change.field == "*"
            if one.table == change.table and same and not rows.isdisjoint(keys(one)):
                return row.user.login if row.user_id else ""
    return ""


def newest_number() -> int:
    """The number of the last act of anybody's; 0 if there is none."""
    return t.Journal.select(peewee.fn.MAX(t.Journal.id)).scalar() or 0


def taken_over(after: int) -> list[Change]:
    """The changes of the acts that were written later than `after`, for the greater act that they are part of: they
    stay in the journal, and undo does not come to them alone."""
    rows = list(t.Journal.select().where(t.Journal.id > after, t.Journal.undoable).order_by(t.Journal.id))
    for row in rows:
        give_up(row.id)
    return [Change(*change) for row in rows for change in row.changes]


def give_up(entry: int) -> None:
    """Undo shall not come back to this act."""
    t.Journal.update(undoable=False).where(t.Journal.id == entry).execute()


def mark_undone(entry: int, at: datetime) -> None:
    t.Journal.update(undone=at).where(t.Journal.id == entry).execute()


def _entry(row: Any) -> Entry:
    return Entry(
        row.id,
        row.user_id,
        row.user.login if row.user_id else "",
        row.os_login or "",
        row.at,
        row.act,
        row.sentence,
        row.thread,
        [Change(*change) for change in row.changes],
        row.undoable,
        row.undone,
    )
