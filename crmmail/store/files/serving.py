"""Who serves the store: one file beside it, which `crmmail serve` holds locked while it lives; it says who that is.

The kernel lets go of a dead one's lock, so the file tells for certain, also after a kill.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from datetime import UTC, datetime

from crmmail.core.typed import NamedTuple
from crmmail.store.files import beside

TRIES, PAUSE = 20, 0.02  # how often, and after how many seconds, the lock is asked for: `doctor` holds it for a moment


class Server(NamedTuple):
    """A server that runs."""

    process: int
    version: str  # of the program
    schema: str  # the newest it knows
    began: datetime
    lmtp: str  # its address for mail servers; "": none
    mda: str = ""  # that for crmmail-mda; "": none, or an older program


def lock(place: str) -> int | None:
    """Makes us the one who serves this store, until the descriptor is closed; None: somebody else is.

    Raises:
        OSError: the file cannot be made.
    """
    file = os.open(beside.served(place), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        beside.fit(file, place)
        for _ in range(TRIES):
            if _is_free(file, fcntl.LOCK_EX):
                return file
            time.sleep(PAUSE)
    except OSError:
        os.close(file)
        raise
    os.close(file)
    return None


def write(file: int, server: Server) -> None:
    """Says who holds the lock."""
    os.ftruncate(file, 0)
    os.pwrite(file, json.dumps({**server._asdict(), "began": server.began.isoformat()}).encode(), 0)


def read(place: str) -> Server | None:
    """Who serves the store now; None: nobody.

    Raises:
        PermissionError: it is not for us to know.
    """
    try:
        file = os.open(beside.served(place), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return None if _is_free(file, fcntl.LOCK_SH) else _understood(os.pread(file, 4096, 0))
    finally:
        os.close(file)


def _is_free(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _understood(data: bytes) -> Server:
    """What it says; of one that is just starting nothing is known."""
    try:
        facts = json.loads(data)
        return Server(
            int(facts["process"]),
            str(facts["version"]),
            str(facts["schema"]),
            datetime.fromisoformat(facts["began"]).astimezone(UTC),
            str(facts["lmtp"]),
            str(facts.get("mda", "")),
        )
    except (ValueError, KeyError, TypeError, OverflowError):
        return Server(0, "", "", datetime.now(UTC), "")
