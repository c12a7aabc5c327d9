"""A whole store into an empty one, of the other kind or of the same: every row as it is, its number too.

Two stores are open here, so every function is told which; `sql` speaks to one only.  What is read speaks plainly for
the store that it is read from: else the target would be blamed for it, in whose transaction it happens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import peewee

from crmmail.core.typed import Any, NamedTuple
from crmmail.store import tables as t
from crmmail.store.engine.database import Store, speaking_plainly
from crmmail.store.engine.sql import inserting, marks

PAGE = 1_000  # rows that are read together
BYTES = 4 << 20  # and of those that may be long, so many bytes


class Table(NamedTuple):
    """What copying needs to know of one."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    truths: frozenset[int]  # places of the columns that are true or false
    own: tuple[int, ...]  # places of the columns that refer to a row of the same table
    long: tuple[str, ...]  # columns of text or bytes of any length


class Content(NamedTuple):
    """What is in a table: two that are equal hold the same."""

    rows: int
    digest: str


def tables() -> list[Table]:
    """All of them, each behind those that it refers to."""
    return [_table(model) for model in peewee.sort_models(t.TABLES)]


def _table(model: Any) -> Table:
    fields = model._meta.sorted_fields
    key = model._meta.primary_key
    keys = key.field_names if isinstance(key, peewee.CompositeKey) else [key.name]
    return Table(
        model._meta.table_name,
        tuple(one.column_name for one in fields),
        tuple(model._meta.fields[one].column_name for one in keys),
        frozenset(place for place, one in enumerate(fields) if isinstance(one, peewee.BooleanField)),
        tuple(place for place, one in enumerate(fields) if getattr(one, "rel_model", None) is model),
        tuple(one.column_name for one in fields if isinstance(one, peewee.BlobField | peewee.TextField)),
    )


def count(store: Store) -> int:
    """How many rows there are."""
    return sum(int(_ask(store, f"SELECT COUNT(*) FROM {one.name}")[0][0]) for one in tables())


def filled(store: Store) -> str:
    """A table that has rows of somebody's; "" where the store is as it was made."""
    made = {"crm_subtype"}  # by the first migration
    there = (one.name for one in tables() if one.name not in made)
    return next((name for name in there if _ask(store, f"SELECT 1 FROM {name} LIMIT 1")), "")


def begin_reading(store: Store) -> None:
    """From now on the store stands still for us.  On SQLite nobody can write meanwhile, unless its journal is WAL."""
    store.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if _pg(store) else "BEGIN")


def end_reading(store: Store) -> None:
    store.connection.rollback()


def copy(source: Store, target: Store, table: Table, step: Callable[[], None]) -> Content:
    """Every row of a table, inside a transaction of the target; what it was."""
    target.connection.execute(f"DELETE FROM {table.name}")
    insert = inserting(table.name, table.columns)
    digest, total = hashlib.sha256(), 0
    later: list[tuple[Any, ...]] = []
    for page in _pages(source, table):
        ready = []
        for row in page:
            digest.update(_written(row))
            given, after = _in_order(table, row)
            ready.append(_as_the_target_has_it(table, given, _pg(target)))
            later += after
            step()
        total += len(page)
        target.connection.many(insert, ready)
    for column, value, key in later:
        target.connection.execute(f"UPDATE {table.name} SET {column} = ? WHERE {table.key[0]} = ?", (value, key))
    return Content(total, digest.hexdigest())


def content(store: Store, table: Table) -> Content:
    """What is in a table."""
    digest, total = hashlib.sha256(), 0
    for page in _pages(store, table):
        for row in page:
            digest.update(_written(row))
        total += len(page)
    return Content(total, digest.hexdigest())


def copy_numbers(source: Store, target: Store, table: Table) -> None:
    """Goes on counting where the source would: a number that was ever given is not given again."""
    if table.key != ("id",):
        return
    last = _last_number(source, table.name)
    if not last:
        return
    if _pg(target):
        target.connection.execute("SELECT setval(pg_get_serial_sequence(?, 'id'), ?)", (table.name, last))
    elif not target.connection.execute(
        "UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (last, table.name)
    ).rowcount and _is_counted(target, table.name):
        target.connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table.name, last))


def _last_number(store: Store, table: str) -> int:
    if _pg(store):
        name = _ask(store, "SELECT pg_get_serial_sequence(?, 'id')", table)[0][0]
        last, called = _ask(store, f"SELECT last_value, is_called FROM {name}")[0]
        return int(last) if called else 0
    given = _ask(store, "SELECT seq FROM sqlite_sequence WHERE name = ?", table)
    return int(given[0][0] if given else _ask(store, f"SELECT COALESCE(MAX(id), 0) FROM {table}")[0][0])


def _is_counted(store: Store, table: str) -> bool:
    """Does SQLite remember the last number of this table?"""
    made = _ask(store, "SELECT sql FROM sqlite_master WHERE name = ?", table)
    return "AUTOINCREMENT" in str(made[0][0])


# --- rows ---------------------------------------------------------------------------------------------------


def _pages(store: Store, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    """The rows by their key, some at a time."""
    key, columns = ", ".join(table.key), ", ".join(table.columns)
    places = [table.columns.index(one) for one in table.key]
    where, last = "", ()
    while True:
        limit = _fitting(store, table, where, last) if table.long else PAGE
        found = _ask(store, f"SELECT {columns} FROM {table.name}{where} ORDER BY {key} LIMIT {limit}", *last)
        page = [tuple(map(_plain, row)) for row in found]
        if not page:
            return
        yield page
        last = tuple(page[-1][place] for place in places)
        where = f" WHERE ({key}) > ({marks(len(last))})"


def _fitting(store: Store, table: Table, where: str, last: Sequence[Any]) -> int:
    """How many of the next rows are to be read together: so many bytes, and one at least."""
    # PostgreSQL knows it without unpacking the value.  SQLite reads the text for it, so it is asked for no more rows
    # than fit.
    length = "OCTET_LENGTH" if _pg(store) else "LENGTH"
    size = " + ".join(f"COALESCE({length}({one}), 0)" for one in table.long)
    key = ", ".join(table.key)
    total, fit = 0, 0
    with speaking_plainly(store.place):
        text = f"SELECT {size} FROM {table.name}{where} ORDER BY {key} LIMIT {PAGE}"
        for (size,) in store.connection.execute(text, last):
            total += size
            if total > BYTES:
                break
            fit += 1
    return max(fit, 1)


def _plain(value: Any) -> Any:
    """A value in the same form, whichever database it comes from."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        return value.isoformat(" ", "microseconds")
    if isinstance(value, memoryview):
        return bytes(value)
    return value


def _written(row: Sequence[Any]) -> bytes:
    """A row for the digest."""
    short = [hashlib.sha256(one).hexdigest() if isinstance(one, bytes) else one for one in row]
    return repr(short).encode("utf-8", "surrogatepass")


def _in_order(table: Table, row: tuple[Any, ...]) -> tuple[list[Any], list[tuple[Any, ...]]]:
    """The row without references to rows of its table that come behind it, and those as (column, value, key)."""
    given, later = list(row), []
    for place in table.own:
        number = row[table.columns.index(table.key[0])]
        if row[place] is not None and row[place] >= number:
            later.append((table.columns[place], row[place], number))
            given[place] = None
    return given, later


def _as_the_target_has_it(table: Table, row: list[Any], on_postgres: bool) -> list[Any]:
    if not on_postgres:
        return row
    return [bool(one) if place in table.truths and one is not None else one for place, one in enumerate(row)]


def _ask(store: Store, text: str, *given: Any) -> list[tuple[Any, ...]]:
    with speaking_plainly(store.place):
        found: list[tuple[Any, ...]] = store.connection.execute(text, given).fetchall()
    return found


def _pg(store: Store) -> bool:
    return store.connection.postgres
