"""What systemd gives a service, and what it wants to hear: sd_listen_fds(3) and sd_notify(3), without its library."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping

FIRST = 3  # the descriptor behind stderr


def sockets(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """The sockets that systemd listens on for us; [] where it does not.  The variables go: they are for nobody else."""
    count, owner = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    environ.pop("LISTEN_FDNAMES", None)
    if owner != str(os.getpid()) or not count.isdigit():
        return []
    found = [socket.socket(fileno=number) for number in range(FIRST, FIRST + int(count))]
    for one in found:
        os.set_inheritable(one.fileno(), False)
    return found


class Notices:
    """What systemd is told; nothing, where it does not listen."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._address = environ.pop("NOTIFY_SOCKET", "")
        asked = environ.pop("WATCHDOG_USEC", "")
        for_us = environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.pulse = int(asked) / 2_000_000 if asked.isdigit() and for_us else 0.0  # seconds between signs of life

    def say(self, words: str) -> None:
        """`READY=1`, `STOPPING=1`, `WATCHDOG=1`; `@` is a name of the abstract kind."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.connect(self._address.replace("@", "\0", 1) if self._address[0] == "@" else self._address)
                line.send(words.encode())
        except OSError:
            pass  # it would end us only for silence
