"""Bytes of any size into a row: what is big is written piece by piece.

SQLite's usual way needs the bytes three times: ours, its copy of them, and the row made of both.  So a big value is put
in as so many zero bytes, which take no memory, and written over in place, as sqlite3_blob_open is meant for.
PostgreSQL takes a value only whole.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import StoreBroken
from crmmail.store.engine import sql, values

WHOLE = 1 << 20  # bytes up to which a value goes in whole
ROW = 1 << 16  # bytes of a row beside the value


class Bytes(NamedTuple):
    """Bytes to be stored."""

    size: int
    pieces: Iterable[bytes | memoryview]


def of(data: bytes) -> Bytes:
    """Bytes that are in memory, handed on without a copy."""
    return Bytes(len(data), [memoryview(data)])


def insert(table: str, given: Bytes | None, **columns: Any) -> int:
    """Adds a row whose column `data` has these bytes, or NULL; its number.

    Raises:
        StoreBroken: they are more than SQLite takes in one value (a thousand million, unless it was built otherwise).
    """
    if given is None or given.size <= WHOLE or sql.postgres():
        return sql.insert(table, data=given and b"".join(given.pieces), **columns)
    return _in_pieces(table, "data", "ZEROBLOB(?)", given, columns)


def insert_text(table: str, column: str, **columns: Any) -> int:
    """Adds a row of which one column may be a long text; its number.  Raises StoreBroken like `insert`."""
    text = columns[column]
    if len(text) <= WHOLE or sql.postgres():
        return sql.insert(table, **columns)
    text = values.plain(columns.pop(column))
    # As one value it would be here in UTF-8 twice more: Python keeps its own bytes of a text that was asked for them.
    given = Bytes(sum(map(len, _encoded(text))), _encoded(text))
    return _in_pieces(table, column, "CAST(ZEROBLOB(?) AS TEXT)", given, columns)


def _in_pieces(table: str, column: str, empty: str, given: Bytes, columns: dict[str, Any]) -> int:
    """Adds a row with a big value, which is written into its place; its rowid."""
    driver: sqlite3.Connection = sql.connection().driver
    most = driver.getlimit(sqlite3.SQLITE_LIMIT_LENGTH)
    if given.size > most - ROW:
        raise StoreBroken(f"the mail needs {given.size} bytes in one row of the store, which can hold {most}")
    text = f"INSERT INTO {table} ({', '.join([*columns, column])}) VALUES ({sql.marks(len(columns))}, {empty})"
    row = int(driver.execute(text, sql.adapted([*columns.values(), given.size])).lastrowid or 0)
    with driver.blobopen(table, column, row) as there:
        for piece in given.pieces:
            there.write(piece)
    return row


def _encoded(text: str) -> Iterator[bytes]:
    return (text[start : start + WHOLE].encode() for start in range(0, len(text), WHOLE))
