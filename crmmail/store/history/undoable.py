"""Writes that can be undone.

A service changes rows through `update`, `insert` and `delete` here; each returns the changes it made, as data, which
the journal keeps with the act.  `revert` puts rows back, but only where they still are as the act left them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from crmmail.core.record import KINDS
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import Changed
from crmmail.store import tables as t
from crmmail.store.engine import sql, values
from crmmail.store.letters import index


class Change(NamedTuple):
    """One column of one row, or ("*") a whole row: made (before None), or removed (before is the row)."""

    table: str
    key: Any  # a number; [user, message] for a star; the numbers of all the rows that `update_all` changed
    field: str
    before: Any
    after: Any


# The tables that acts change.
JOURNALLED = (
    "thread", "case", "lead", "contact", "contact_address", "record_contact", "original", "message", "message_address",
    "attachment", "quarantine", "decision", "activity", "follower", "auto_follow", "notification", "star", "delivery",
    "template", "view", "rule", "firing", "sla", "section", "category", "alias", "user",
)  # fmt: skip

# Those whose rows belong to a record without being the record's own row.
_OF_A_RECORD = frozenset(
    (
        "record_contact", "message", "message_address", "decision", "activity", "follower", "notification", "delivery",
        "firing",
    )
)  # fmt: skip

# Before and after of a mail that an act queued besides: undoing the act calls it off, unless it has left.
CALLED_OFF = ("cancelled", "queued")

# Columns that change with another, which is the one that people know.
_GOES_WITH = {
    "closed": "state",
    "assigned": "responsible",
    "company_key": "company",
    "changed": "rule",
    "away_until": "leave",
}

# Columns that every letter moves on: where one did, what stands there now is right, and undo leaves it.
_MOVES_ON = ("partner_wrote", "answered")

# Undo removes made rows in this order backwards, so that what points to a row goes before it.
_MADE = (
    "thread", "case", "lead", "contact", "contact_address", "record_contact", "follower", "message", "message_address",
    "attachment", "decision", "notification", "delivery", "activity", "firing",
)  # fmt: skip


# --- changing -----------------------------------------------------------------------------------------------


def update(table: str, key: int, **columns: Any) -> list[Change]:
    """Sets columns of one row; what changed (a column that has the value already is no change)."""
    if not columns:
        return []
    names, there = sql.named(columns), _key_column(table)
    row = sql.row(f"SELECT {', '.join(names)} FROM crm_{table} WHERE {there} = ?", key)
    if row is None:
        raise Changed(f"{table} {key} is gone")
    found = []
    for name, had, value in zip(columns, row, columns.values(), strict=True):
        before, after = _kept(had), _kept(value)
        before = bool(before) if isinstance(after, bool) else before
        if before != after:
            found.append(Change(table, key, name, before, after))
    if found:
        with index.changing(_indexed(found)):
            sql.change(f"crm_{table}", there, key, **sql.named({one.field: columns[one.field] for one in found}))
    return found


def _key_column(table: str) -> str:
    return "thread_id" if table in KINDS else "id"


def _kept(value: Any) -> Any:
    """A value as a change holds it: a moment as text, what the store has as JSON as its text."""
    if isinstance(value, datetime):
        return values.written(value if value.tzinfo else values.moment(value))
    return sql.adapted([value])[0]


def update_all(table: str, keys: Sequence[int], field: str, value: Any) -> list[Change]:
    """Like `update`, for one column of many rows: one change for all that had the same value before.

    A record has thousands of messages; a change a row would hold the lock for longer than a delivery can wait.
    """
    model = _model(table)
    number, column = model._meta.primary_key, model._meta.fields[field]
    after = _plain(column, value)
    had: dict[Any, list[int]] = {}
    for key, found in model.select(number, column).where(_among(number, keys)).order_by(number).tuples():
        before = _plain(column, found)
        if before != after:
            had.setdefault(before, []).append(key)
    for those in had.values():
        model.update({column: value}).where(_among(number, those)).execute()
    return [Change(table, those, field, before, after) for before, those in had.items()]


def update_record(number: int, kind: str, **columns: Any) -> list[Change]:
    """Like `update`, for a record: its title and redirect are the thread's, the rest is its kind's."""
    own = {name: columns.pop(name) for name in ("title", "address", "moved_to") if name in columns}
    found = update("thread", number, **own) if own else []
    return found + (update(kind, number, **columns) if columns else [])


def insert(table: str, **columns: Any) -> list[Change]:
    """Makes a row, unless an equal key is there: then no change."""
    model = _model(table)
    try:
        with sql.savepoint():
            row = model.create(**columns)
    except t.peewee.IntegrityError:
        return []
    return [Change(table, _key(row), "*", None, None)]


def was_queued(delivery: int) -> Change:
    """The change that queued a mail because of an act, not as the act."""
    return Change("delivery", delivery, "state", *CALLED_OFF)


def was_made(table: str, key: int, **still: Any) -> Change:
    """The change that made a row which is there now.

    Args:
        still: columns whose values must be these when it is taken back: nobody has done anything with the row since.
            What belongs to a record must in any case still belong to it, and not to one that it was merged into.
    """
    if table in _OF_A_RECORD:
        row = sql.row(f"SELECT thread_id FROM crm_{table} WHERE id = ?", key)
        if row is None:
            raise Changed(f"{table} {key} is gone")
        still["thread"] = row[0]
    return Change(table, key, "*", None, still or None)


def delete(table: str, key: Any) -> list[Change]:
    """Removes a row, unless it is gone already."""
    row = _row(table, key, missing=None)
    if row is None:
        return []
    gone = [Change(table, key, "*", _image(row), None)]
    with index.changing(_indexed(gone)):
        _where(_model(table).delete(), table, key).execute()
    return gone


@contextmanager
def made(changes: list[Change]) -> Iterator[None]:
    """Adds to `changes` every row that is made inside the block, in the tables that a new record writes to."""
    before = {table: _highest(table) for table in _MADE}
    yield
    for table in _MADE:
        model = _model(table)
        key = model._meta.primary_key
        for row in model.select(key).where(key > before[table]).order_by(key):
            changes.append(was_made(table, _key(row)))


# --- undoing ------------------------------------------------------------------------------------------------


def revert(changes: Sequence[Change]) -> None:
    """Puts rows back as they were before these changes.

    Raises:
        Changed: a row is no longer as the act left it, or something newer hangs on a row the act made.
    """
    with index.changing(_indexed(changes)):
        _revert(changes)


def _indexed(changes: Sequence[Change]) -> list[int]:
    """The messages of which the index has other words after these changes."""
    found: set[int] = set()
    for change in changes:
        if change.table == "message" and (change.field == "*" or change.field in index.FIELDS):
            found.add(change.key)
        elif change.table in index.HANGING and change.field == "*":
            hangs = f"SELECT message_id FROM crm_{change.table} WHERE id = ?"
            found.add(change.before["message"] if change.before else sql.value(hangs, change.key))
    return sorted(one for one in found if one is not None)


def _revert(changes: Sequence[Change]) -> None:
    for change in reversed(changes):
        if _is_of_many(change):
            _revert_all(change)
            continue
        row = _row(change.table, change.key, missing=None)
        if change.field == "*" and change.before is None:
            if row is None:
                continue
            if change.table == "delivery" and row.state != "queued":
                raise Changed("a mail about it has left already")
            for name, value in (change.after or {}).items():
                if _plain(row._meta.fields[name], row.__data__[name]) != value:
                    raise Changed(f"{_in_words(change)} was changed since")
            try:
                with sql.savepoint():
                    _where(_model(change.table).delete(), change.table, change.key).execute()
            except t.peewee.IntegrityError:
                raise Changed(f"{_in_words(change)} cannot go again: something newer hangs on it") from None
        elif change.field == "*":
            if row is not None:
                raise Changed(f"{_in_words(change)} is there again already")
            model = _model(change.table)
            fields = model._meta.fields
            row = model.insert(**{name: fields[name].python_value(value) for name, value in change.before.items()})
            with _in_its_place(change):
                row.execute()
        else:
            if change[3:] == CALLED_OFF and (row is None or row.state != "queued"):
                continue  # it has left; what it tells of is taken back all the same
            field = _model(change.table)._meta.fields[change.field]
            is_so = row is not None and _plain(field, row.__data__[change.field]) == change.after
            if change.field in _MOVES_ON and not is_so:
                continue
            if not is_so:
                raise Changed(f"{_in_words(change)} was changed since")
            with _in_its_place(change):
                _set(change.table, change.key, {change.field: field.python_value(change.before)})


def _is_of_many(change: Change) -> bool:
    """Did `update_all` make it?"""
    return isinstance(change.key, list) and change.table != "star"


def _revert_all(change: Change) -> None:
    """Puts a column of many rows back; all of them must be as the act left them."""
    model = _model(change.table)
    number, column = model._meta.primary_key, model._meta.fields[change.field]
    is_so = column == column.python_value(change.after) if change.after is not None else column.is_null()
    back = model.update({column: column.python_value(change.before)})
    with _in_its_place(change):
        count = back.where(_among(number, change.key), is_so).execute()
    if count < len(change.key):
        raise Changed(f"{_in_words(change)} was changed since")


@contextmanager
def _in_its_place(change: Change) -> Iterator[None]:
    """What was there before may stand in somebody else's place by now: a name, for instance, that was given again."""
    try:
        with sql.savepoint():
            yield
    except t.peewee.IntegrityError:
        raise Changed(f"{_in_words(change)} cannot be as it was: something newer is in its place") from None


def _in_words(change: Change) -> str:
    """What a change is about, for people."""
    if change.table == "notification":
        return "an inbox item"
    if change.field == "*":
        name = {"thread": "record", "message_address": "message"}.get(change.table, change.table.replace("_", " "))
        return name if isinstance(change.key, list) else f"{name} {change.key}"
    return f"the {_GOES_WITH.get(change.field, change.field)}"


def moment(value: datetime) -> str:
    """A moment as a change holds it."""
    return values.written(value)


def keys(change: Change) -> set[Any]:
    """The keys of the rows that a change is about."""
    if _is_of_many(change):
        return set(change.key)
    return {tuple(change.key) if isinstance(change.key, list) else change.key}


# --- rows as plain data, by peewee ---------------------------------------------------------------------------


def _model(table: str) -> Any:
    """`record_contact` → RecordContact."""
    return getattr(t, "".join(word.capitalize() for word in table.split("_")))


def _plain(field: Any, value: Any) -> Any:
    """A column's value as JSON can hold it; rows given for foreign keys become their keys."""
    return field.db_value(getattr(value, "_pk", value))


def _image(row: Any) -> dict[str, Any]:
    """A whole row as plain data; bytes stay out of the journal (rows that hold them are never removed by an act)."""
    fields = row._meta.fields
    image = {name: _plain(fields[name], value) for name, value in row.__data__.items()}
    return {name: value for name, value in image.items() if not isinstance(value, bytes | memoryview)}


def _key(row: Any) -> Any:
    key = row._pk
    return list(key) if isinstance(key, tuple) else key


def _where(query: Any, table: str, key: Any) -> Any:
    model = _model(table)
    if isinstance(key, list | tuple):
        user, message = key
        return query.where(t.Star.user == user, t.Star.message == message)
    return query.where(model._meta.primary_key == key)


def _row(table: str, key: Any, **missing: None) -> Any:
    row = _where(_model(table).select(), table, key).first()
    if row is None and "missing" not in missing:
        raise Changed(f"{table} {key} is gone")
    return row


def _set(table: str, key: Any, columns: dict[str, Any]) -> None:
    _where(_model(table).update(**columns), table, key).execute()


def _highest(table: str) -> int:
    key = _model(table)._meta.primary_key
    return _model(table).select(t.fn.MAX(key)).scalar() or 0


def _among(column: Any, numbers: Sequence[int]) -> Any:
    """The condition that a column is one of these numbers, however many they are.

    As one parameter: SQLite takes no more than 32,766, and peewee needs longer for ten thousand than SQLite does.
    """
    import json  # which a delivery has no use for

    if sql.postgres():
        return t.peewee.NodeList([column, t.peewee.SQL("= ANY(%s)", [list(numbers)])])
    return column.in_(t.peewee.SQL("(SELECT value FROM json_each(?))", [json.dumps(list(numbers))]))
