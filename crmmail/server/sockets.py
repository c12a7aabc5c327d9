"""Where the server listens: our own sockets beside the store, an address that was chosen, or what systemd gave us.

    unix                  a socket beside the store
    unix:PATH or /PATH    a socket there
    HOST:PORT             TCP; only on loopback, for LMTP knows no login
    off                   none

A socket's file is as open as the store: whoever may write the store may hand mail over.  What a killed server left
behind is taken over; one at which somebody listens stays his, for the same path may have been given to the servers of
two stores.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from crmmail.errors import ConfigBroken, Refused, UsageError
from crmmail.store.files import beside

LONGEST = 107  # bytes of a socket's path, which the system sets
BACKLOG = 128


class Address(NamedTuple):
    """Where to listen: a path, or a host and a port."""

    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(words: str, place: str, *, anywhere: bool = False) -> Address | None:
    """What `serve.lmtp` or --lmtp says; None: off.

    Args:
        place: of the store.
        anywhere: other machines may connect, too.

    Raises:
        UsageError: it says nothing that can be understood.
        Refused: others than this machine could connect, and nobody said that they may.
    """
    if words == "off":
        return None
    if words == "unix":
        return Address(beside.lmtp(place))
    if words.startswith(("unix:", "/", "~", ".")):
        return Address(os.path.abspath(os.path.expanduser(words.removeprefix("unix:"))))
    host, colon, port = words.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"{words!r} is no address to listen on: say unix, unix:PATH, HOST:PORT or off")
    if not anywhere and not _is_loopback(host):
        raise Refused(
            f"{host} can be reached by other machines, and LMTP has no login: whoever connects can write as anybody. "
            "Say 127.0.0.1, or --anywhere where a firewall stands before it"
        )
    return Address(host=host, port=int(port))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def opened(where: Address, place: str) -> Iterator[socket.socket]:
    """A socket that listens there until the block ends; then its file goes.

    Args:
        place: of the store, whose mode the file gets.

    Raises:
        ConfigBroken: the path is too long, somebody else has the port, or the like.
        Refused: somebody listens at that path.
    """
    try:
        found = _on_path(where.path, place) if where.path else _on_port(where)
    except OSError as error:
        raise ConfigBroken(f"cannot listen on {where}: {error.strerror or error}") from None
    ours = _file(where.path)
    try:
        yield found
    finally:
        # While the socket is open nobody else's file can have its number.
        if ours is not None and ours == _file(where.path):
            remove(where.path)
        found.close()


def _on_path(path: str, place: str) -> socket.socket:
    if len(os.fsencode(path)) > LONGEST:
        raise ConfigBroken(f"{path} is too long for a socket: {LONGEST} bytes at most; name a shorter one with --lmtp")
    if _answers(path):
        raise Refused(f"somebody listens on {path} already: end that server, or name another path with --lmtp")
    found = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)  # nobody else may connect in the moment before it has its mode
    try:
        remove(path)
        found.bind(path)
    except BaseException:
        found.close()
        raise
    finally:
        os.umask(before)
    facts = os.stat(place) if os.path.exists(place) else None
    if facts:
        os.chmod(path, stat.S_IMODE(facts.st_mode) & 0o660 | 0o600)
    found.listen(BACKLOG)
    return found


def _answers(path: str) -> bool:
    """Does somebody listen there?

    Raises:
        OSError: that cannot be told; it is not for us, for one.
    """
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except (BlockingIOError, TimeoutError):
            pass  # so many wait there already
    return True


def _file(path: str) -> tuple[int, int] | None:
    """Which file it is, whatever its name; None: there is none."""
    try:
        facts = os.lstat(path)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _on_port(where: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    return socket.create_server((where.host, where.port), family=family, backlog=BACKLOG)


def remove(path: str) -> None:
    """Takes a socket's file away; what is no socket stays, and `bind` will say so."""
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        pass


def is_mda(given: socket.socket, place: str) -> bool:
    """Is this one of systemd's the socket for `crmmail-mda`?"""
    name = given.getsockname()
    return isinstance(name, str) and os.path.realpath(name) == os.path.realpath(beside.serve(place))


def name(listening: socket.socket) -> str:
    """Where it listens, as `address` reads it."""
    where = listening.getsockname()
    return str(Address(where) if isinstance(where, str) else Address(host=where[0], port=where[1]))
