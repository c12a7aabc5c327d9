"""Makes the schema and brings it up to date: numbered, frozen migrations, run by peewee's own runner.

The runner takes no lock, so we do: a lock file beside the store, held for as long as it works.  Delivery never
migrates; a store that is behind is an answer of 75 until somebody runs `crmmail db migrate`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from playhouse.migrations import Runner

from crmmail.errors import StoreBroken
from crmmail.store import tables
from crmmail.store.database import HISTORY, Store, speaking_plainly

FOLDER = os.path.join(os.path.dirname(__file__), "migrations")


class Step(NamedTuple):
    name: str
    applied: str  # ISO date, "" if pending


def migrate(store: Store) -> list[str]:
    """Applies what is pending, in order; the names of what was applied."""
    with locked(store.place), speaking_plainly(store.place):
        return list(Runner(store.database, FOLDER, HISTORY).up())


def status(store: Store) -> list[Step]:
    """Every migration, and when it was applied."""
    with speaking_plainly(store.place):
        rows = Runner(store.database, FOLDER, HISTORY).status()
    return [Step(row.name, row.applied.isoformat(timespec="seconds") if row.applied else "") for row in rows]


def check(store: Store) -> list[str]:
    """What is damaged: SQLite's integrity and foreign keys, the bytes of attachments and letters; [] if nothing is."""
    found: list[str] = []
    with speaking_plainly(store.place):
        for (line,) in store.database.execute_sql("PRAGMA integrity_check").fetchall():
            if line != "ok":
                found.append(str(line))
        for table, row, parent, _ in store.database.execute_sql("PRAGMA foreign_key_check").fetchall():
            found.append(f"row {row} of {table} points to a row of {parent} that is not there")
        for blob in tables.Blob.select().iterator():
            if hashlib.sha256(bytes(blob.data)).hexdigest() != blob.sha256:
                found.append(f"the attachment bytes {blob.sha256[:12]}… are not what came")
        for original in tables.Original.select().where(tables.Original.data.is_null(False)).iterator():
            if _size(bytes(original.data)) != original.size:
                found.append(f"the kept letter {original.id} is not what came")
    return found


def _size(packed: bytes) -> int:
    try:
        return len(zlib.decompress(packed))
    except zlib.error:
        return -1


def backup(store: Store, target: str) -> int:
    """A whole, consistent copy of the store at `target`, made while others write; its size in bytes.

    Raises:
        StoreBroken: the file is there already, or cannot be written.
    """
    if os.path.exists(target):
        raise StoreBroken(f"{target} exists already: name a new file")
    old = os.umask(0o077)  # a copy of the store is as secret as the store
    try:
        with speaking_plainly(target):
            store.database.execute_sql("VACUUM INTO ?", (target,))
    finally:
        os.umask(old)
    return os.path.getsize(target)


@contextmanager
def locked(place: str) -> Iterator[None]:
    """Waits until no other process migrates this store.  The lock file stays: removing it would let two in."""
    with open(place + ".migrate", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
