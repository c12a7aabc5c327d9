"""Queries whose SQL is written once.

peewee takes ten times longer to write the SQL of a record with all that belongs to it than SQLite takes to run it, and
an act reads its record several times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crmmail.store import tables as t

_ASKED = -(2**62)  # stands for the number that is asked for; no row has it


class ByNumber:
    """A query for the row with a number: `ByNumber(lambda number: Thread.select().where(Thread.id == number))`."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        self._make = make
        self._written: dict[type, tuple[Any, str, list[Any]]] = {}  # by kind of database

    def first(self, number: int) -> Any:
        """The first row, as the query makes it; None where there is none."""
        kind = type(t.database.obj)
        if kind not in self._written:
            query = self._make(_ASKED)
            self._written[kind] = (query, *query.sql())
        query, sql, values = self._written[kind]
        cursor = t.database.execute_sql(sql, [number if value == _ASKED else value for value in values])
        rows = query._get_cursor_wrapper(cursor)  # knows the types of the columns
        rows.initialize()
        return next(rows.iterator(), None)
