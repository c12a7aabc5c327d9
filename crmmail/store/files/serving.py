"""Who serves the store, and where: one file beside it, which `crmmail serve` holds locked while it lives; it says who
that is, and its addresses, which are written and read here.

The kernel lets go of a dead one's lock, so the file tells for certain, also after a kill.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from datetime import UTC, datetime

from crmmail.core.typed import NamedTuple
from crmmail.store.files import beside

TRIES, PAUSE = 20, 0.02  # how often, and after how many seconds, the lock is asked for: `doctor` holds it for a moment

# What `doctor` says on the socket for crmmail-mda.  The answer is `75 <bytes>\n` and why no mail could be taken now; no
# bytes where one could.
QUESTION = b"doctor"


class Address(NamedTuple):
    """Where a server listens: a path, or a host and a port."""

    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(words: str) -> Address:
    """What `str` makes of an address: unix:PATH or HOST:PORT.

    Raises:
        ValueError: it is none.
    """
    if words.startswith("unix:"):
        return Address(words.removeprefix("unix:"))
    host, _, port = words.rpartition(":")
    host = host.strip("[]")
    if not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise ValueError(f"{words!r} is no address")
    return Address(host=host, port=int(port))


def connected(where: Address, patience: float) -> socket.socket:
    """A connection to whoever listens there.

    Args:
        patience: seconds that each step of the talk may take.

    Raises:
        OSError: there is none; FileNotFoundError and ConnectionRefusedError: nobody listens.
    """
    if not where.path:
        return socket.create_connection((where.host, where.port), patience)
    line = socket.socket(socket.AF_UNIX)
    try:
        line.settimeout(patience)
        line.connect(where.path)
    except BaseException:
        line.close()
        raise
    return line


def listens(path: str) -> bool:
    """Does somebody listen at that path?

    Raises:
        OSError: that cannot be told; it is not for us, for one.
    """
    try:
        connected(Address(path), 1).close()
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    except (BlockingIOError, TimeoutError):
        pass  # so many wait there already
    return True


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
        if held(file):
            return file
    except OSError:
        os.close(file)
        raise
    os.close(file)
    return None


def held(file: int) -> bool:
    """Locks an open file, or a folder, until the descriptor is closed; False: somebody else does, and went on."""
    for _ in range(TRIES):
        if _is_free(file, fcntl.LOCK_EX):
            return True
        time.sleep(PAUSE)
    return False


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
