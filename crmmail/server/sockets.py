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

from crmmail.errors import ConfigBroken, Refused, UsageError
from crmmail.store.files import beside, serving
from crmmail.store.files.serving import Address

LONGEST = 107  # bytes of a socket's path, which the system sets
BACKLOG = 128


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
    try:
        where = serving.address(words)
    except ValueError:
        raise UsageError(f"{words!r} is no address to listen on: say unix, unix:PATH, HOST:PORT or off") from None
    if not anywhere and not _is_loopback(where.host):
        raise Refused(
            f"{where.host} can be reached by other machines, and LMTP has no login: whoever connects can write as "
            "anybody. Say 127.0.0.1, or --anywhere where a firewall stands before it"
        )
    return where


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


def fits(path: str) -> bool:
    """Is it short enough for a socket?"""
    return len(os.fsencode(path)) <= LONGEST


def _on_path(path: str, place: str) -> socket.socket:
    if not fits(path):
        raise ConfigBroken(f"{path} is too long for a socket: {LONGEST} bytes at most; name a shorter one with --lmtp")
    with _alone(os.path.dirname(path)):
        return _taken(path, place)


@contextmanager
def _alone(folder: str) -> Iterator[None]:
    """No other server looks for left-overs in that folder meanwhile: it would take for one what is just being made.

    Raises:
        Refused: another one does.
        OSError: there is no such folder.
    """
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not _is_held(file):
            raise Refused(f"somebody else is just beginning to listen in {folder}: try again")
        yield
    finally:
        os.close(file)


def _is_held(folder: int) -> bool:
    try:
        return serving.held(folder)
    except OSError:
        return True  # NFS locks no folder (flock(2)): then nobody is kept away, and two at one moment are rare


def _taken(path: str, place: str) -> socket.socket:
    """A socket that listens there, in the place of what was left over."""
    if serving.listens(path):
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
