"""Makes the schema and brings it up to date: numbered, frozen migrations, run by peewee's own runner.

The runner takes no lock, so we do: a lock file beside the store, held for as long as it works.  Delivery never
migrates; a store that is behind is an answer of 75 until somebody runs `crmmail db migrate`.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from playhouse.migrations import Runner

from crmmail.core.typed import NamedTuple
from crmmail.errors import Refused, StoreBroken
from crmmail.store.engine import sql
from crmmail.store.engine.database import HISTORY, Store, speaking_plainly
from crmmail.store.files import beside

FOLDER = os.path.join(os.path.dirname(__file__), "migrations")


class Step(NamedTuple):
    name: str
    applied: str  # ISO date, "" if pending


def migrate(store: Store) -> list[str]:
    """Applies what is pending, in order; the names of what was applied.  `upkeep.update` fills the index afterwards."""
    with locked(store.place), speaking_plainly(store.place):
        return _on_postgres(store) if store.connection.postgres else list(Runner(store.database, FOLDER, HISTORY).up())


def status(store: Store) -> list[Step]:
    """Every migration, and when it was applied."""
    with speaking_plainly(store.place):
        rows = Runner(store.database, FOLDER, HISTORY).status()
    return [Step(row.name, row.applied.isoformat(timespec="seconds") if row.applied else "") for row in rows]


def backup(store: Store, target: str) -> int:
    """A whole, consistent copy of the store at `target`, made while others write; its size in bytes.

    Raises:
        StoreBroken: the file is there already, or cannot be written.
        Refused: it is a database on a server, which has a program for that.
    """
    if store.connection.postgres:
        raise Refused(f"a database is copied by its own program: pg_dump --format=custom --file={target} {store.place}")
    try:
        file = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)  # as secret as the store
    except FileExistsError:
        raise StoreBroken(f"{target} exists already: name a new file") from None
    except OSError as error:
        raise StoreBroken(f"cannot open {target}: {error.strerror}; name a file in a folder of yours") from None
    try:
        with speaking_plainly(target):
            store.database.execute_sql("VACUUM INTO ?", (target,))  # an empty file is as good to it as none
        os.fsync(file)
        return os.path.getsize(target)
    except BaseException:
        os.unlink(target)  # half a copy would pass for one
        raise
    finally:
        os.close(file)


# What SQLite has by itself, or gets from `database`: functions that the store's statements use.
FUNCTIONS = (
    # lower() knows the letters that the database's locale knows, so it is told one that knows all.
    """CREATE OR REPLACE FUNCTION casefold(words text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT replace(translate(lower(words COLLATE "{alphabet}"), 'ς', 'σ'), 'ß', 'ss') $$""",
    """CREATE OR REPLACE FUNCTION instr(text, text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT strpos($1, $2) $$""",
)
ALPHABETS = ("und-x-icu", "C.utf8", "C.UTF-8", "en_US.utf8")  # collations for lower(), the best first
# Texts sort as their bytes do, as in SQLite, whatever the locale; no address is too long, and no amount is rounded.
NARROW = {"character varying": 'text COLLATE "C"', "text": 'text COLLATE "C"', "real": "double precision"}
COLUMNS = """
SELECT table_name, column_name, data_type FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name LIKE 'crm@_%' ESCAPE '@' AND collation_name IS NULL
"""


def _on_postgres(store: Store) -> list[str]:
    """The same migrations; then the columns that peewee makes narrower than SQLite's are made like those."""
    store.connection.execute("SELECT pg_advisory_lock(hashtext('crmmail migrate'))")
    try:
        known = {name for (name,) in sql.rows("SELECT collname FROM pg_collation")}
        alphabet = next((one for one in ALPHABETS if one in known), "default")
        for function in FUNCTIONS:
            store.connection.driver.execute(function.format(alphabet=alphabet))
        done = list(Runner(store.database, FOLDER, HISTORY).up())
        for table, column, kind in sql.rows(COLUMNS):
            if kind in NARROW:
                sql.run(f'ALTER TABLE {table} ALTER COLUMN "{column}" TYPE {NARROW[kind]}')
        return done
    finally:
        if not store.connection.driver.closed:
            store.connection.execute("SELECT pg_advisory_unlock(hashtext('crmmail migrate'))")


@contextmanager
def locked(place: str) -> Iterator[None]:
    """Waits until no other process migrates this store.  The lock file stays: removing it would let two in."""
    file = os.open(beside.migrate(place), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        beside.fit(file, place)
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
