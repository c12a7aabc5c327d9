"""The journal: who did what, and when, with the changes by which it can be taken back (`undoable`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from crmmail.core.typed import NamedTuple
from crmmail.store.engine import sql
from crmmail.store.engine.values import moment, unjson
from crmmail.store.history.undoable import Change, keys


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
    return sql.insert(
        "crm_journal",
        user_id=user,
        os_login=os_login or None,
        at=at,
        act=act,
        sentence=sentence,
        thread=thread,
        changes=[list(change) for change in changes],
        undoable=undoable,
    )


_SELECT = """
    SELECT j.id, j.user_id, u.login, j.os_login, j.at, j.act, j.sentence, j.thread, j.changes, j.undoable, j.undone
    FROM crm_journal j LEFT JOIN crm_user u ON u.id = j.user_id"""


def last(user: int, count: int) -> list[Entry]:
    """Somebody's last undoable acts that stand, newest first."""
    mine = "WHERE j.user_id = ? AND j.undone IS NULL AND j.undoable AND j.changes <> '[]'"
    return [_entry(row) for row in sql.rows(f"{_SELECT} {mine} ORDER BY j.id DESC LIMIT ?", user, count)]


def last_final(user: int) -> Entry | None:
    """Somebody's last act that nobody can take back; not one that could be, and was given up."""
    mine = "WHERE j.user_id = ? AND NOT j.undoable AND j.changes = '[]'"
    row = sql.row(f"{_SELECT} {mine} ORDER BY j.id DESC LIMIT 1", user)
    return _entry(row) if row else None


def of_thread(thread: int, limit: int, before: int | None = None) -> list[Entry]:
    """The last acts on a record, oldest first; arguments as `newest` has them."""
    return _newest({"j.thread = ?": thread}, limit, before)


def newest(limit: int, before: int | None = None) -> list[Entry]:
    """The last acts of everybody, oldest first.  `before`: of those that are older than this one."""
    return _newest({}, limit, before)


def _newest(wanted: dict[str, int], limit: int, before: int | None) -> list[Entry]:
    wanted |= {"j.id < ?": before} if before is not None else {}
    where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
    rows = sql.rows(f"{_SELECT} {where} ORDER BY j.id DESC LIMIT ?", *wanted.values(), limit)
    return [_entry(row) for row in reversed(rows)]


def who_changed(change: Change, after: int) -> str:
    """The login of whoever changed the same thing in an act later than `after`; "" if the journal does not tell."""
    wanted, last = keys(change), newest_number() + 1
    while rows := sql.rows(
        f"{_SELECT} WHERE j.id > ? AND j.id < ? AND j.undone IS NULL ORDER BY j.id DESC LIMIT ?",
        after,
        last,
        sql.TOGETHER,
    ):
        for entry in map(_entry, rows):
            for one in entry.changes:
                same = one.field == change.field or change.field == "*"
                if one.table == change.table and same and not wanted.isdisjoint(keys(one)):
                    return entry.login
        last = rows[-1][0]
    return ""


def newest_number() -> int:
    """The number of the last act of anybody's; 0 if there is none."""
    return sql.value("SELECT MAX(id) FROM crm_journal") or 0


def taken_over(after: int) -> list[Change]:
    """The changes of the acts that were written later than `after`, for the greater act that they are part of: they
    stay in the journal, and undo does not come to them alone."""
    found = [_entry(row) for row in sql.rows(f"{_SELECT} WHERE j.id > ? AND j.undoable ORDER BY j.id", after)]
    for one in found:
        give_up(one.id)
    return [change for one in found for change in one.changes]


def give_up(entry: int) -> None:
    """Undo shall not come back to this act."""
    sql.change("crm_journal", "id", entry, undoable=False)


def mark_undone(entry: int, at: datetime) -> None:
    sql.change("crm_journal", "id", entry, undone=at)


def _entry(row: sql.Row) -> Entry:
    number, user, login, os_login, at, act, sentence, thread, changes, undoable, undone = row
    return Entry(
        number,
        user,
        login or "",
        os_login or "",
        moment(at),
        act,
        sentence,
        thread,
        [Change(*change) for change in unjson(changes)],
        bool(undoable),
        moment(undone),
    )
