"""SQL on the connection of the open store: what a delivery asks and writes, without peewee.

peewee's import is a third of a delivery's time as a process, and in a resident one it takes ten times longer to write
a statement than the database takes to run it.  So the paths that every mail goes are written in SQL, here plain text
with `?` for each value; everything else is peewee's, on the same connection (`Store.database`) and in the same
transaction.

Values go in as they are: text is cleaned, moments become UTC, lists and dicts JSON (`values`).  They come out as the
driver has them: `values.moment`, `values.unjson` and `bool` make of them what they were.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import lru_cache

from crmmail.core.typed import Any
from crmmail.store.engine import values

# peewee imports every driver that is installed, and psycopg takes three times as long as peewee itself.  None means
# that there is none; `postgres` takes it away when a store is opened by a URL.
for _driver in ("psycopg", "psycopg2"):
    sys.modules.setdefault(_driver, None)

Row = tuple[Any, ...]
TOGETHER = 500  # values that one statement asks for


class Connection:
    """The connection of the open store; `sqlite` and `postgres` are of this kind."""

    postgres = False

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self.depth = 0  # transactions that are open, the outermost among them
        self.peewee: Any = None  # peewee's Database, once somebody asked for it (`shared`)
        self.left: dict[Callable[[list[int]], None], dict[int, None]] = {}  # what `at_the_end` has been told

    def execute(self, text: str, given: Sequence[Any] = ()) -> Any:
        """A cursor over the answer."""
        return self.driver.execute(text, given)

    def many(self, text: str, given: Sequence[Sequence[Any]]) -> None:
        self.driver.executemany(text, given)

    def insert(self, table: str, columns: Sequence[str], given: Sequence[Any]) -> int:
        """Adds a row; its number."""
        return int(self.execute(inserting(table, tuple(columns)), given).lastrowid)

    def close(self) -> None:
        self.driver.close()
        if self.peewee is not None:
            self.peewee.close()

    def begin(self) -> None:
        """Begins a transaction, when nobody else writes any more."""
        self.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        if self.driver.in_transaction:  # a full disk has ended it already
            self.execute("ROLLBACK")

    def back_to(self, savepoint: str) -> None:
        """Takes back what was done since the savepoint."""
        if self.driver.in_transaction:
            self.execute(f"ROLLBACK TO SAVEPOINT {savepoint}")
            self.execute(f"RELEASE SAVEPOINT {savepoint}")

    def in_transaction(self) -> bool:
        """Is the one that was begun still open?  A database that fails may have ended it."""
        return bool(self.driver.in_transaction)

    def expect_parts(self) -> None:
        """A transaction of many savepoints comes: what they may have to take back is held in memory.  Else SQLite
        writes it into a file beyond 64 KB, which was two thirds of all writes of eight letters in one transaction."""
        self.execute("PRAGMA temp_store=MEMORY")

    def wait(self, seconds: float) -> None:
        """How long to wait for somebody else's lock from now on."""
        self.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")

    def has_table(self, name: str) -> bool:
        return bool(self.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)).fetchone())


_open: Connection | None = None


def use(connection: Connection | None) -> None:
    """The connection of the store that is open from now on; one process has one."""
    global _open
    _open = connection


def connection() -> Connection:
    """The one in use."""
    assert _open is not None, "no store is open"
    return _open


def is_open() -> bool:
    """Is there one?"""
    return _open is not None


def postgres() -> bool:
    """Is it PostgreSQL's?"""
    return connection().postgres


def in_transaction() -> bool:
    """Is a transaction open?"""
    return connection().in_transaction()


# --- statements ---------------------------------------------------------------------------------------------


def rows(text: str, *given: Any) -> list[Row]:
    """All rows of the answer."""
    found: list[Row] = connection().execute(text, adapted(given)).fetchall()
    return found


def row(text: str, *given: Any) -> Row | None:
    """The first row; None where there is none."""
    found: Row | None = connection().execute(text, adapted(given)).fetchone()
    return found


def value(text: str, *given: Any) -> Any:
    """The first column of the first row; None where there is none."""
    found = row(text, *given)
    return found[0] if found else None


def run(text: str, *given: Any) -> int:
    """How many rows it changed."""
    return int(connection().execute(text, adapted(given)).rowcount)


def run_many(text: str, given: Sequence[Sequence[Any]]) -> None:
    """The same statement for each of these."""
    connection().many(text, [adapted(one) for one in given])


def insert(table: str, **columns: Any) -> int:
    """Adds a row to a table with numbers of its own; the number."""
    return connection().insert(table, list(columns), adapted(list(columns.values())))


def put(table: str, **columns: Any) -> bool:
    """Adds a row unless one with an equal key is there; was it added?"""
    text = f"{inserting(table, tuple(columns))} ON CONFLICT DO NOTHING"
    return run(text, *columns.values()) > 0


def change(table: str, key: str, which: Any, **columns: Any) -> int:
    """Sets columns of the rows whose column `key` has that value; how many rows."""
    if not columns:
        return 0
    named = ", ".join(f"{name} = ?" for name in columns)
    return run(f"UPDATE {table} SET {named} WHERE {key} = ?", *columns.values(), which)


# The columns that refer to another row end in _id; outside the store they are called without that.
REFERENCES = frozenset(
    (
        "author", "answers", "candidate", "category", "contact", "decided_by", "delivery", "deputy", "manager",
        "message", "moved_to", "original", "parent", "partner", "partner_category", "quarantine", "responsible",
        "rule", "section", "superseded_by", "thread", "user",
    )
)  # fmt: skip


def named(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Columns by their names in the database."""
    return {f"{name}_id" if name in REFERENCES else name: value for name, value in columns.items()}


def marks(count: int) -> str:
    """`?, ?, ?`: as many places for values.  For numbers and addresses of one mail; `parts` cuts longer lists.

    For none it is NULL, which nothing is `IN`: PostgreSQL takes no empty list.
    """
    return ", ".join("?" * count) or "NULL"


def cut(limit: int | None) -> tuple[str, tuple[int, ...]]:
    """The end of a statement that gives so many rows, and its values; None: all."""
    return ("LIMIT ?", (limit,)) if limit is not None else ("", ())


def parts(given: Iterable[Any], size: int = TOGETHER) -> Iterator[list[Any]]:
    """Values in parts of so many that one statement takes them all."""
    wanted = list(given)
    for begin in range(0, len(wanted), size):
        yield wanted[begin : begin + size]


@lru_cache(500)
def inserting(table: str, columns: tuple[str, ...]) -> str:
    """The statement that adds a row."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks(len(columns))})"


def adapted(given: Sequence[Any]) -> list[Any]:
    """The values as a statement takes them."""
    return [one if one is None or one.__class__ is int else _ADAPT.get(one.__class__, _adapted)(one) for one in given]


def _adapted(one: Any) -> Any:
    """A value of a class that is derived from one of those, as NamedTuples are; any other as it is."""
    return next((act(one) for known, act in _ADAPT.items() if isinstance(one, known)), one)


_ADAPT: dict[type, Callable[[Any], Any]] = {
    str: values.plain,
    bool: bool,
    datetime: values.written,
    **dict.fromkeys((list, tuple, dict), values.json),
}


# --- transactions -------------------------------------------------------------------------------------------


def savepoint() -> AbstractContextManager[None]:
    """Inside a transaction a part of it that can fail by itself."""
    assert connection().depth, "there is no transaction that this could be a part of: services open one"
    return transaction()


@contextmanager
def transaction() -> Iterator[None]:
    """All or nothing; inside a transaction a savepoint.  It is `database.Store.transaction` that services open."""
    held = connection()
    name = f"part_{held.depth}"
    if held.depth:
        held.execute(f"SAVEPOINT {name}")
    else:
        held.begin()
    held.depth += 1
    try:
        yield
        if held.depth > 1:
            held.execute(f"RELEASE SAVEPOINT {name}")
        else:
            while held.left:
                act, numbers = held.left.popitem()
                act(list(numbers))
            held.commit()
    except BaseException:
        if held.depth > 1:
            held.back_to(name)
        else:
            held.left.clear()
            held.rollback()
        raise
    finally:
        held.depth -= 1


def expect_parts() -> None:
    """A transaction of many savepoints comes, which may ask for some memory."""
    connection().expect_parts()


@contextmanager
def at_once() -> Iterator[None]:
    """What the block leaves for the end of the transaction is done at the end of the block."""
    held = connection()
    others, held.left = held.left, {}
    try:
        yield
        while held.left:
            act, numbers = held.left.popitem()
            act(list(numbers))
    finally:
        held.left = others


def at_the_end(act: Callable[[list[int]], None], number: int) -> None:
    """Has `act` done before the commit with all numbers that it was asked for; at once where no transaction is open.

    A savepoint that is taken back takes no number back: `act` has to look what is there.
    """
    held = connection()
    if held.depth:
        held.left.setdefault(act, {})[number] = None
    else:
        act([number])
