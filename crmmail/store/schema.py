"""Makes the schema and brings it up to date: numbered, frozen migrations, run by peewee's own runner.

The runner takes no lock, so we do: a lock file beside the store, held for as long as it works.  Delivery never
migrates; a store that is behind is an answer of 75 until somebody runs `crmmail db migrate`.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from playhouse.migrations import Runner

from crmmail.errors import StoreBroken
from crmmail.store import beside
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


def backup(store: Store, target: str) -> int:
    """A whole, consistent copy of the store at `target`, made while others write; its size in bytes.

    Raises:
        StoreBroken: the file is there already, or cannot be written.
    """
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
