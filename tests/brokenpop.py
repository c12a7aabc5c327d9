"""A POP3 server on loopback whose line breaks as it is told, one act each time its mail is asked for.

    with BrokenPop(raw, ["cut", "whole"]) as server:
        ...                          # poll server.port twice
        server.deleted               # True once a session that ended well has taken the mail away

Acts at RETR (or TOP), and in what is left of that session:

    whole    as it should be
    cut      half of the mail, then the connection is closed
    reset    half of the mail, then the connection is reset
    half     half of the mail and the dot behind it, as if that were all; reset when the mail is to be deleted
    late     the whole mail, and reset when it is to be deleted
    quit     the whole mail, deleted, and reset at QUIT: a server then deletes nothing
    refuse   -ERR
    silent   half of the mail, and then nothing until the other side goes away
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time
from pathlib import Path

TOLD = {
    b"USER": b"+OK",
    b"PASS": b"+OK",
    b"NOOP": b"+OK",
    b"RSET": b"+OK",
    b"LAST": b"+OK 0",
}


class BrokenPop:
    """The server; it runs in a thread until `stop`."""

    def __init__(self, raw: bytes, acts: list[str]) -> None:
        self.raw, self.acts = raw, acts
        self.deleted = False
        self.asked = 0  # how often for the mail
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> BrokenPop:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        """One session: authorization, transaction, update (RFC 1939)."""
        client.sendall(b"+OK ready\r\n")
        act, marked = "", False
        for line in client.makefile("rb"):
            word = line.split()[0].upper() if line.split() else b""
            here = not self.deleted
            if word in TOLD:
                client.sendall(TOLD[word] + b"\r\n")
            elif word == b"STAT":
                client.sendall(b"+OK %d %d\r\n" % (here, len(self.raw) * here))
            elif word in (b"LIST", b"UIDL"):
                fact = b"%d" % len(self.raw) if word == b"LIST" else b"mail-1"
                told = b"1 " + fact + b"\r\n" if here else b""
                one = len(line.split()) > 1
                client.sendall(b"+OK 1 " + fact + b"\r\n" if one and here else b"+OK\r\n" + told + b".\r\n")
            elif word in (b"RETR", b"TOP") and here:
                act = self.acts[min(self.asked, len(self.acts) - 1)]
                self.asked += 1
                if not self._send(client, act):
                    return
            elif word == b"DELE" and here:
                if act in ("half", "late"):
                    return _reset(client)
                marked = True
                client.sendall(b"+OK\r\n")
            elif word == b"QUIT":
                if act == "quit":
                    return _reset(client)
                self.deleted = self.deleted or marked
                client.sendall(b"+OK\r\n")
                return
            else:
                client.sendall(b"-ERR\r\n")

    def _send(self, client: socket.socket, act: str) -> bool:
        """The mail, as far as it comes; does the session go on?"""
        if act == "refuse":
            client.sendall(b"-ERR the mail is busy\r\n")
            return True
        # What begins with a dot gets another one (RFC 1939, 3).
        stuffed = self.raw.replace(b"\r\n.", b"\r\n..")
        client.sendall(b"+OK %d octets\r\n" % len(self.raw))
        if act in ("whole", "late", "quit"):
            client.sendall(stuffed + b".\r\n")
            return True
        half = stuffed[: stuffed.rindex(b"\r\n", 0, len(stuffed) // 2) + 2]
        client.sendall(half)
        if act == "half":
            client.sendall(b".\r\n")
            return True
        if act == "silent":
            while client.recv(1000):
                pass
        elif act == "reset":
            _wait_until_read(client)
            _reset(client)
        return False


def _wait_until_read(client: socket.socket) -> None:
    """Until the other side has read all of it, as the kernel counts: a reset takes with it what has not been read."""
    here, there = client.getsockname()[1], client.getpeername()[1]
    ends = ((here, there), (there, here))
    rows = [re.compile(rf":{one:04X} \w+:{other:04X} \w+ (\w+:\w+)") for one, other in ends]
    until = time.monotonic() + 10
    while time.monotonic() < until:
        table = Path("/proc/net/tcp").read_text()
        if all(
            found is None or int(found[1].replace(":", ""), 16) == 0 for found in (row.search(table) for row in rows)
        ):
            return
        time.sleep(0.01)


def _reset(client: socket.socket) -> None:
    """Closes without a good-bye: the other side reads "connection reset by peer"."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.shutdown(socket.SHUT_RD)
    client.close()
