"""Opens the store, and sets everything about SQLite on purpose.

    lock_type IMMEDIATE   a transaction that reads and then writes must take its lock first: a deferred one fails at
                          once with "locked", whatever the time-out (measured: 536 of 800)
    synchronous FULL      "committed" means: on the disk, also after a power cut
    journal TRUNCATE      WAL only where the SQLite library is 3.51.3 or newer: older ones can corrupt a WAL that two
                          processes checkpoint at the same moment
    foreign_keys ON       SQLite's default is off

One process has one store open at a time; the tables are bound to it by `tables.database`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import peewee
from peewee import SQL, NodeList, SqliteDatabase, fn

from crmmail.errors import ConfigBroken, NotFound, StoreBehind, StoreBroken, StoreBusy, StoreDamaged, StoreMissing
from crmmail.store import tables

# The newest file in migrations/: a store that has not applied it is behind.  A test holds this to the folder.
NEWEST = "0003_rules"
HISTORY = "crm_migration"
WAL_IS_SAFE = (3, 51, 3)
LOOK_CLOSER = "; `crmmail db check` looks closer"
RESTORE = "keep this file as it is, and restore a backup (`crmmail db backup` makes them)"
NOTHING_IN = "no crmmail tables are in it: restore a backup, or run `crmmail init` if it never was a store"
TROUBLE = (peewee.DatabaseError, peewee.InterfaceError, sqlite3.Error)  # what the driver raises


class Store:
    """An open store.  Only `services` calls `transaction`; every other door reads and writes inside one."""

    def __init__(self, place: str, database: SqliteDatabase) -> None:
        self.place = place
        self.database = database

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: the lock is taken at the start, the commit is on the disk at the end.

        Raises:
            StoreBusy: somebody held the lock for longer than the time-out.
            StoreBroken: anything else the database says, whatever its words (disk full surfaces as "cannot
                rollback", corruption as DatabaseError); an integer that does not fit is a NotFound.
        """
        with speaking_plainly(self.place), self.database.atomic():
            yield

    def wait(self, seconds: int) -> None:
        """How long to wait for somebody else's lock from now on."""
        self.database.execute_sql(f"PRAGMA busy_timeout={int(seconds * 1000)}")

    def journal_mode(self) -> str:
        """`wal`, `truncate` …"""
        with speaking_plainly(self.place):
            return str(self.database.execute_sql("PRAGMA journal_mode").fetchone()[0]).lower()

    def synchronous(self) -> int:
        """0 off, 1 normal, 2 full, 3 extra."""
        with speaking_plainly(self.place):
            return int(self.database.execute_sql("PRAGMA synchronous").fetchone()[0])

    def close(self) -> None:
        self.database.close()


def open(place: str, *, busy_timeout: float = 30, check: bool = True, create: bool = False) -> Store:
    """Opens the store at `place` (a path).

    Args:
        busy_timeout: seconds to wait for somebody else's lock.
        check: refuse a store whose schema is not the one this program knows.
        create: make an empty file, readable by its owner only, where there is none.

    Raises:
        StoreMissing, StoreBehind, StoreBroken, StoreBusy, ConfigBroken: see `errors`.
    """
    if place.startswith("sqlite:"):
        place = place.removeprefix("sqlite:").removeprefix("//")
    if "://" in place:
        scheme = place.partition("://")[0]
        raise ConfigBroken(
            f"cannot open a {scheme} store yet: give the path of an SQLite file with --db or $CRMMAIL_DB"
        )
    path = os.path.abspath(os.path.expanduser(place))
    if create and not os.path.exists(path):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    if not os.path.exists(path):
        try:
            os.stat(path)
        except PermissionError:
            raise StoreBroken(f"{path} is in a folder that you may not enter: check owner and mode") from None
        except OSError:
            pass
        raise StoreMissing(f"no store at {path}: make one with `crmmail init`, or name another with --db")
    journal = "WAL" if sqlite3.sqlite_version_info >= WAL_IS_SAFE else "TRUNCATE"
    database = SqliteDatabase(
        f"file:{_quoted(path)}?mode=rw",  # rw: a store that vanished must not come back empty
        uri=True,
        timeout=busy_timeout,
        lock_type="IMMEDIATE",
        pragmas=(("foreign_keys", 1), ("synchronous", "FULL")),
    )
    # SQLite's own LOWER and LIKE know only ASCII: "ПРИНТЕР" would not find "принтер".
    database.register_function(lambda text: text.casefold() if text else "", "casefold", 1)
    with speaking_plainly(path):
        database.connect()
        if os.access(path, os.W_OK):
            _set_journal(database, journal, busy_timeout)
        tables.database.initialize(database)
        if check:
            check_schema(path, database)
    return Store(path, database)


def _set_journal(database: SqliteDatabase, wanted: str, patience: float) -> None:
    """Sets the journal mode, which SQLite does only while nobody else has the store open, and for which it never waits.

    The change to WAL can wait until we are alone.  Out of WAL we wait ourselves, for `patience` seconds, and with the
    store shut: two that waited with it open would wait for each other.
    """
    until = time.monotonic() + patience
    while database.execute_sql("PRAGMA journal_mode").fetchone()[0].upper() != wanted:
        try:
            database.execute_sql(f"PRAGMA journal_mode={wanted}")
            return
        except peewee.OperationalError as error:
            if "locked" not in str(error) or (wanted != "WAL" and time.monotonic() > until):
                raise
            if wanted == "WAL":
                return
        database.close()
        time.sleep(0.01 + os.urandom(1)[0] / 2000)  # not all at the same moments
        database.connect()


def _quoted(path: str) -> str:
    """A path inside an SQLite URI: these three mean something there.  (urllib.parse would cost a delivery 3 ms.)"""
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def check_schema(path: str, database: SqliteDatabase) -> None:
    """Refuses a store that is behind or ahead of this program, and a file in which there is none: SQLite takes one that
    was cut off at its beginning for a new database."""
    applied = _newest(database)
    if not applied:
        raise StoreMissing(f"{path}: {NOTHING_IN}")
    if applied < NEWEST:
        raise StoreBehind(f"{path} has the schema {applied}, this program needs {NEWEST}: run `crmmail db migrate`")
    if applied > NEWEST:
        raise StoreBehind(f"{path} was made by a newer crmmail ({applied}; this one knows {NEWEST}): upgrade crmmail")


def newest_applied(store: Store) -> str:
    """The newest migration that the store has seen, which this program need not know; "" where it has seen none."""
    with speaking_plainly(store.place):
        return _newest(store.database)


def _newest(database: SqliteDatabase) -> str:
    try:
        row = database.execute_sql(f"SELECT name FROM {HISTORY} ORDER BY name DESC LIMIT 1").fetchone()
    except peewee.OperationalError as error:
        if "no such table" not in str(error):
            raise
        row = None
    return row[0] if row else ""


def is_made(store: Store) -> bool:
    """Has it tables at all?"""
    with speaking_plainly(store.place):
        return bool(store.database.table_exists(tables.Setting))


def has(column: Any, words: str) -> Any:
    """The condition that a text column contains these words, in any letter case of any alphabet.

    INSTR, because LIKE refuses a pattern of more than 50,000 bytes.
    """
    return fn.INSTR(fn.CASEFOLD(column), words.casefold()) > 0


def every(conditions: Sequence[Any]) -> Any:
    """The condition that all of these hold.  peewee nests what `&` and `where` put together, and SQLite's parser gives
    up at a hundred brackets."""
    return NodeList(list(conditions), " AND ", parens=True)


def among(column: Any, numbers: Sequence[int]) -> Any:
    """The condition that a column is one of these numbers, however many they are.

    As one parameter: SQLite takes no more than 32,766, and peewee needs longer for ten thousand than SQLite does.
    """
    return column.in_(SQL("(SELECT value FROM json_each(?))", [json.dumps(list(numbers))]))


@contextmanager
def speaking_plainly(place: str) -> Iterator[None]:
    """Turns what the database driver raises into our errors."""
    try:
        yield
    except TROUBLE as error:
        raise plainly(error, place) from error
    except OverflowError as error:
        raise NotFound("no such number: it has more digits than any here") from error


def plainly(error: BaseException, place: str) -> StoreBroken | StoreBusy:
    """What the database driver raised (TROUBLE), in our words."""
    words = _first_words(error)
    if "locked" in words or "busy" in words:
        return StoreBusy(f"{place} is locked by another process: try again")
    if "readonly" in words:
        return StoreBroken(f"{place} cannot be written: check the owner and mode of the file and its folder")
    if "full" in words:
        return StoreBroken(f"no room left on the disk of {place}: make some and try again")
    if "unable to open" in words:
        if _is_out_of_files(place):  # the journal is a file, too
            return StoreBroken(f"no room for another file on the disk of {place}: remove some")
        return StoreBroken(f"cannot open {place}: check the owner and mode of the file and its folder")
    if "not a database" in words:  # there is nothing to look closer at
        return StoreDamaged(f"{place}: the database says: {words}; {RESTORE}")
    if "malformed" in words:
        return StoreDamaged(f"{place}: the database says: {words}{LOOK_CLOSER}")
    return StoreBroken(f"{place}: the database says: {words}{LOOK_CLOSER}")


def _is_out_of_files(place: str) -> bool:
    """Has its file system no room for another name?  (One that does not count them says 0 of 0.)"""
    try:
        disk = os.statvfs(place)
    except OSError:
        return False
    return disk.f_files > 0 and disk.f_favail == 0


def _first_words(error: BaseException) -> str:
    """What the database said first: on a full disk "cannot rollback" is only the end of the story."""
    words = str(error)
    while error.__context__ is not None:
        error = error.__context__
        if isinstance(error, sqlite3.Error):
            words = str(error)
    return words
