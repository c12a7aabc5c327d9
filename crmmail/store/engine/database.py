"""Opens the store, and sets everything about SQLite on purpose.

    lock_type IMMEDIATE   a transaction that reads and then writes must take its lock first: a deferred one fails at
                          once with "locked", whatever the time-out (measured: 536 of 800)
    synchronous FULL      "committed" means: on the disk, also after a power cut
    journal PERSIST       WAL only where the SQLite library is 3.51.3 or newer: older ones can corrupt a WAL that two
                          processes checkpoint at the same moment.  A journal that stays has its blocks already, so
                          that the file system writes down less; its zeroed head says that nothing waits in it
    foreign_keys ON       SQLite's default is off

One process has one store open at a time.  What a delivery needs runs on its connection as `sql` has it; peewee's own
Database sits on the same connection and is made when somebody first asks for a table.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from crmmail.core import url as urls
from crmmail.core.typed import Any
from crmmail.errors import (
    ConfigBroken,
    CrmmailError,
    NotFound,
    StoreBehind,
    StoreBroken,
    StoreBusy,
    StoreDamaged,
    StoreMissing,
)
from crmmail.store.engine import place as places
from crmmail.store.engine import sql
from crmmail.store.engine.sql import Connection

# The newest file in migrations/: a store that has not applied it is behind.  A test holds this to the folder.
NEWEST = "0004_scale"
HISTORY = "crm_migration"
WAL_IS_SAFE = (3, 51, 3)
LIBRARY = sqlite3.sqlite_version  # what reads and writes the file
KEPT_JOURNAL = 4 << 20  # bytes of it that stay behind a transaction
CANNOT_WRITE = "{} cannot be written: check the owner and mode of the file and its folder"
LOOK_CLOSER = "; `crmmail db check` looks closer"
RESTORE = "keep this file as it is, and restore a backup (`crmmail db backup` makes them)"
NOTHING_IN = "no crmmail tables are in it: restore a backup, or run `crmmail init` if it never was a store"


class Store:
    """An open store.  Only `services` calls `transaction`; every other door reads and writes inside one."""

    def __init__(self, place: str, connection: Connection) -> None:
        self.place = place
        self.connection = connection
        sql.use(connection)
        models: Any = sys.modules.get("crmmail.store.models.all")
        if models is not None:  # else they bind themselves when they are read
            models.database.initialize(self.database)

    @property
    def database(self) -> Any:
        """peewee's Database, on the same connection."""
        from crmmail.store.engine import shared

        return shared.database(self.connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: the lock is taken at the start, the commit is on the disk at the end.

        Raises:
            StoreBusy: somebody held the lock for longer than the time-out.
            StoreContended: PostgreSQL could not fit it in with what others did; nothing of it was done.
            StoreBroken: anything else the database says, whatever its words (disk full surfaces as "cannot
                rollback", corruption as DatabaseError); an integer that does not fit is a NotFound.
        """
        with speaking_plainly(self.place), sql.transaction():
            yield

    def check_writable(self) -> None:
        """Does nothing where our user may write the store; a PostgreSQL says it when a transaction begins.

        Raises:
            StoreBroken: he may not, and SQLite would only say so at the first write.
        """
        if places.is_url(self.place):
            return
        # A transaction needs its journal, which has stayed of the one before, or is made.
        beside = (os.path.dirname(self.place) or ".", f"{self.place}-journal")
        if not (os.access(self.place, os.W_OK) and any(os.access(one, os.W_OK) for one in beside)):
            raise StoreBroken(CANNOT_WRITE.format(self.place))

    def wait(self, seconds: float) -> None:
        """How long to wait for somebody else's lock from now on."""
        self.connection.wait(seconds)

    def journal_mode(self) -> str:
        """`wal`, `persist` …; of SQLite only."""
        with speaking_plainly(self.place):
            return str(sql.value("PRAGMA journal_mode")).lower()

    def synchronous(self) -> int:
        """0 off, 1 normal, 2 full, 3 extra; of SQLite only."""
        with speaking_plainly(self.place):
            return int(sql.value("PRAGMA synchronous"))

    def close(self) -> None:
        self.connection.close()


def open(place: str, *, busy_timeout: float = 30, check: bool = True, create: bool = False) -> Store:
    """Opens the store at `place` (a path, or a URL of a PostgreSQL server).

    Args:
        busy_timeout: seconds to wait for somebody else's lock.
        check: refuse a store whose schema is not the one this program knows.
        create: make an empty file, readable by its owner only, where there is none.

    Raises:
        StoreMissing, StoreBehind, StoreBroken, StoreBusy, ConfigBroken: see `errors`.
    """
    if places.is_url(place):
        return _on_a_server(place, busy_timeout, check)
    path = places.of(place)
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
    with speaking_plainly(path):
        driver = _connected(path, busy_timeout)
        if os.access(path, os.W_OK):
            driver = _in_journal_mode(driver, path, busy_timeout)
        store = Store(path, Connection(driver))
        if check:
            check_schema(path)
    return store


def _on_a_server(url: str, busy_timeout: float, check: bool) -> Store:
    """Opens a database that is there; `createdb` makes one."""
    scheme, place = url.partition("://")[0], places.of(url)
    if scheme not in urls.SCHEMES:
        raise ConfigBroken(f"cannot open a {scheme} store: give the path of a file, or postgresql://USER@HOST/DATABASE")
    from crmmail.store.engine import postgres  # psycopg comes with it

    store = Store(place, postgres.opened(url, busy_timeout))
    if check:
        with speaking_plainly(place):
            check_schema(place)
    return store


def _connected(path: str, busy_timeout: float) -> sqlite3.Connection:
    driver = sqlite3.connect(
        f"file:{_quoted(path)}?mode=rw",  # rw: a store that vanished must not come back empty
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,  # transactions are begun by us
        cached_statements=512,  # what letters ask differs by how many addresses and ids stand in them
    )
    # SQLite's own LOWER and LIKE know only ASCII: "ПРИНТЕР" would not find "принтер".
    driver.create_function("casefold", 1, lambda text: text.casefold() if text else "")
    driver.execute("PRAGMA foreign_keys=ON")
    driver.execute("PRAGMA synchronous=FULL")
    driver.execute(f"PRAGMA journal_size_limit={KEPT_JOURNAL}")
    return driver


def _in_journal_mode(driver: sqlite3.Connection, path: str, patience: float) -> sqlite3.Connection:
    """Sets the journal mode, which SQLite does only while nobody else has the store open, and for which it never waits;
    the connection, which may be another one then.

    The change to WAL can wait until we are alone.  Out of WAL we wait ourselves, for `patience` seconds, and with the
    store shut: two that waited with it open would wait for each other.
    """
    wanted = "WAL" if wal_is_safe() else "PERSIST"
    until = time.monotonic() + patience
    while driver.execute("PRAGMA journal_mode").fetchone()[0].upper() != wanted:
        try:
            driver.execute(f"PRAGMA journal_mode={wanted}")
            return driver
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or (wanted != "WAL" and time.monotonic() > until):
                raise
            if wanted == "WAL":
                return driver
        driver.close()
        time.sleep(0.01 + os.urandom(1)[0] / 2000)  # not all at the same moments
        driver = _connected(path, patience)
    return driver


def _quoted(path: str) -> str:
    """A path inside an SQLite URI: these three mean something there.  (urllib.parse would cost a delivery 3 ms.)"""
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def check_schema(path: str) -> None:
    """Refuses a store that is behind or ahead of this program, and a file in which there is none: SQLite takes one that
    was cut off at its beginning for a new database."""
    applied = _newest()
    if not applied:
        raise StoreMissing(f"{path}: {NOTHING_IN}")
    if applied < NEWEST:
        raise StoreBehind(f"{path} has the schema {applied}, this program needs {NEWEST}: run `crmmail db migrate`")
    if applied > NEWEST:
        raise StoreBehind(f"{path} was made by a newer crmmail ({applied}; this one knows {NEWEST}): upgrade crmmail")


def wal_is_safe() -> bool:
    """May two processes have this library's WAL open at once?"""
    return sqlite3.sqlite_version_info >= WAL_IS_SAFE


def newest_applied(store: Store) -> str:
    """The newest migration that the store has seen, which this program need not know; "" where it has seen none."""
    with speaking_plainly(store.place):
        return _newest()


def _newest() -> str:
    if not sql.connection().has_table(HISTORY):
        return ""
    return sql.value(f"SELECT name FROM {HISTORY} ORDER BY name DESC LIMIT 1") or ""


def is_made(store: Store) -> bool:
    """Has it tables at all?"""
    with speaking_plainly(store.place):
        return store.connection.has_table("crm_setting")


@contextmanager
def speaking_plainly(place: str) -> Iterator[None]:
    """Turns what the database driver raises into our errors."""
    try:
        yield
    except OverflowError as error:
        raise NotFound("no such number: it has more digits than any here") from error
    except Exception as error:
        if not is_trouble(error):
            raise
        raise plainly(error, place) from error


def is_trouble(error: BaseException) -> bool:
    """Is it what a database's driver raises, or peewee of it?"""
    if isinstance(error, sqlite3.Error) or _of_psycopg(error) is not None:
        return True
    peewee = sys.modules.get("peewee")  # where nobody has read it, nobody can have raised it
    return peewee is not None and isinstance(error, peewee.DatabaseError | peewee.InterfaceError)


def plainly(error: BaseException, place: str) -> CrmmailError:
    """What the database driver raised (`is_trouble`), in our words."""
    said = _of_psycopg(error)
    if said is not None:
        from crmmail.store.engine import postgres

        return postgres.plainly(said, place)
    words = _first_words(error)
    if "locked" in words or "busy" in words:
        return StoreBusy(f"{place} is locked by another process: try again")
    if "readonly" in words:
        return StoreBroken(CANNOT_WRITE.format(place))
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


def _of_psycopg(error: BaseException) -> Any:
    """What PostgreSQL's driver raised, if it did; where nobody has read it, nobody can have raised it."""
    if sys.modules.get("psycopg") is None:
        return None
    from crmmail.store.engine import postgres

    return postgres.of_psycopg(error)


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
