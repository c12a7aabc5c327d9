#!/usr/bin/env python3
"""Sends mails by LMTP over a unix socket, over several connections at once.

    python tests/bench/lmtp_client.py SOCKET RECIPIENT CONNECTIONS FOLDER

Every file of the folder once, in the order of their names, whichever connection is free next; what is not accepted ends
the program.  Postfix's smtp-source does the same with mails that all look alike.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

SENDER = "ann@customer.example"


def main() -> int:
    path, recipient, connections, folder = sys.argv[1:]
    # Read beforehand: the bench is about the server.
    mails = iter([letter(file) for file in sorted(Path(folder).glob("*.eml"))])
    turn = threading.Lock()
    failures: list[str] = []

    def free() -> bytes | None:
        with turn:
            return next(mails, None)

    def work() -> None:
        try:
            send(path, recipient, iter(free, None))
        except (OSError, RuntimeError) as error:
            failures.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(int(connections))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return "; ".join(failures) or 0


def letter(file: Path) -> bytes:
    """As it goes over the wire, its last line with it (RFC 5321, 4.5.2)."""
    lines = file.read_bytes().replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"


def send(path: str, recipient: str, mails: Iterator[bytes]) -> None:
    """One connection, from its greeting to QUIT; a command a packet, as most clients do."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        replies = connection.makefile("rb")

        def say(words: bytes, wanted: bytes) -> None:
            if words:
                connection.sendall(words)
            line = replies.readline()
            while line[3:4] == b"-":
                line = replies.readline()
            if not line.startswith(wanted):
                raise RuntimeError(f"{words[:40]!r}: {line!r}")

        say(b"", b"220")
        say(b"LHLO bench.example\r\n", b"250")
        for mail in mails:
            say(f"MAIL FROM:<{SENDER}>\r\n".encode(), b"250")
            say(f"RCPT TO:<{recipient}>\r\n".encode(), b"250")
            say(b"DATA\r\n", b"354")
            say(mail, b"250")
        say(b"QUIT\r\n", b"221")


if __name__ == "__main__":
    sys.exit(main())
