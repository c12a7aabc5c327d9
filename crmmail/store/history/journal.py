"""The journal: who did what, and when, with the changes by which it can be taken back (`undoable`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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


class Line(NamedTuple):
    """An act as the log shows it.  Its changes are not read: who empties an inbox writes one for each item."""

    id: int
    login: str
    os_login: str
    at: datetime
    act: str
    sentence: str
    thread: int | None
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


def numbers(limit: int, *, thread: int | None = None, before: int | None = None) -> list[int]:
    """The numbers of the last acts, oldest first.

    Args:
        thread: of those on this record; None: of everybody's on everything.
        before: of those that are older than this one.
    """
    wanted = [("thread = ?", thread), ("id < ?", before)]
    asked = [(condition, one) for condition, one in wanted if one is not None]
    where = f"WHERE {' AND '.join(condition for condition, _ in asked)}" if asked else ""
    newest = f"SELECT id FROM crm_journal {where} ORDER BY id DESC LIMIT ?"
    return [number for (number,) in reversed(sql.rows(newest, *(one for _, one in asked), limit))]


def listed(numbers: Iterable[int]) -> Iterator[Line]:
    """Acts by their numbers, in that order, read a part at a time."""
    select = """
        SELECT j.id, u.login, j.os_login, j.at, j.act, j.sentence, j.thread, j.undone
        FROM crm_journal j LEFT JOIN crm_user u ON u.id = j.user_id WHERE j.id"""
    for some in sql.parts(numbers):
        found = {row[0]: row for row in sql.rows(f"{select} IN ({sql.marks(len(some))})", *some)}
        yield from (_line(found[one]) for one in some if one in found)


def _line(row: sql.Row) -> Line:
    number, login, os_login, at, act, sentence, thread, undone = row
    return Line(number, login or "", os_login or "", moment(at), act, sentence, thread, moment(undone))


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
