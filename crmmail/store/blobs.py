"""Bytes of any size into a row: what is big is written piece by piece.

SQLite's usual way needs the bytes three times: ours, its copy of them, and the row made of both.  So a big value is put
in as so many zero bytes, which take no memory, and written over in place, as sqlite3_blob_open is meant for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from peewee import fn

from crmmail.errors import StoreBroken
from crmmail.store import tables as t

WHOLE = 1 << 20  # bytes up to which a value goes in whole
ROW = 1 << 16  # bytes of a row beside the value


class Bytes(NamedTuple):
    """Bytes to be stored."""

    size: int
    pieces: Iterable[bytes | memoryview]


def of(data: bytes) -> Bytes:
    """Bytes that are in memory, handed on without a copy."""
    return Bytes(len(data), [memoryview(data)])


def insert(table: type[t.Table], given: Bytes | None, **columns: Any) -> int:
    """Adds a row whose column `data` has these bytes, or NULL; its rowid.

    Raises:
        StoreBroken: they are more than SQLite takes in one value (a thousand million, unless it was built otherwise).
    """
    if given is None or given.size <= WHOLE:
        return int(table.insert(data=given and b"".join(given.pieces), **columns).execute())
    connection = _connection(given.size)
    row = int(table.insert(data=fn.ZEROBLOB(given.size), **columns).execute())
    with connection.blobopen(table._meta.table_name, "data", row) as there:
        for piece in given.pieces:
            there.write(piece)
    return row


def create(table: type[t.Table], column: str, **columns: Any) -> Any:
    """Adds a row of which one column may be a long text; the row.  Raises StoreBroken like `insert`."""
    text = columns.get(column, "")
    if len(text) <= WHOLE:
        return table.create(**columns)
    text = table._meta.fields[column].db_value(text)  # the column's own cleaning
    # As one value it would be here in UTF-8 twice more: Python keeps its own bytes of a text that was asked for them.
    size = sum(map(len, _encoded(text)))
    connection = _connection(size)
    row = table.create(**{**columns, column: fn.ZEROBLOB(size).cast("TEXT")})
    with connection.blobopen(table._meta.table_name, column, row.id) as there:
        for piece in _encoded(text):
            there.write(piece)
    return row


def _connection(size: int) -> sqlite3.Connection:
    """The connection that can write so many bytes into a row."""
    connection: sqlite3.Connection = t.database.connection()
    most = connection.getlimit(sqlite3.SQLITE_LIMIT_LENGTH)
    if size > most - ROW:
        raise StoreBroken(f"the mail needs {size} bytes in one row of the store, which can hold {most}")
    return connection


def _encoded(text: str) -> Iterator[bytes]:
    return (text[start : start + WHOLE].encode() for start in range(0, len(text), WHOLE))
