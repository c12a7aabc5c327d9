"""An SMTP server on loopback that takes everything and keeps it, a file a mail: where the demo's mail goes.

    with Sink(folder) as sink:
        ...                             # crmmail sends to sink.url
        sink.mails()                    # what came, oldest first

The files are `0001-ann@customer.example.eml` and so on, oldest first, the bytes as they came, for their owner only.  A
mail is in its file before the server says 250.  No login, no TLS, and no other interface than 127.0.0.1: nothing is
sent on from here.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as Client

from crmmail.core.text import file_name
from crmmail.errors import CrmmailError

HOST = "127.0.0.1"
KEPT, NOT_KEPT = "250 2.0.0 OK: kept", "452 4.3.1 cannot keep it"
STOPPING = 5  # seconds


class Received(NamedTuple):
    """One mail to one recipient."""

    recipient: str  # RCPT TO
    data: bytes  # as it came: CRLF line ends, without the dots of transport
    sender: str  # MAIL FROM, where a bounce goes; "" is the null path


class Sink:
    """The server.  Starts and stops with its `with` block, or by `start` and `stop`.

    Args:
        folder: where the mails are kept; made where it is missing.  What is there already stays, and is not listed.
        refused: recipient → the reply to give instead, for instance "550 5.1.1 no such user".
    """

    def __init__(self, folder: Path, *, refused: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.refused = dict(refused or {})
        self._received: list[Received] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sink", daemon=True)
        self._server: asyncio.Server | None = None
        self._clients: list[SMTP] = []

    @property
    def url(self) -> str:
        """What `smtp.url` says for it."""
        if self._server is None:
            raise CrmmailError("the sink has no address before it is started")
        return f"smtp://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    def mails(self) -> list[Received]:
        """What came, oldest first; a mail to two recipients twice."""
        return list(self._received)

    def start(self) -> Self:
        """Listens on any free port.  A sink starts once."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._server = self._loop.run_until_complete(self._loop.create_server(self._client, HOST, 0))
        self._thread.start()
        return self

    def stop(self) -> None:
        """Refuses connections from now on, and ends those that are open; what was kept stays."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(STOPPING)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOPPING)
        if not self._loop.is_closed():
            self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _client(self) -> SMTP:
        """One connection."""
        client = SMTP(
            _Hooks(self), data_size_limit=None, enable_SMTPUTF8=True, hostname="sink.example", loop=self._loop
        )
        self._clients.append(client)
        return client

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for client in self._clients:
            if client.transport is not None:
                client.transport.close()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)

    def keep(self, mail: Received) -> None:
        """Writes one mail down.

        Raises:
            OSError: the disk is full, or the like; then it was not kept.
        """
        number = sum(1 for _ in self.folder.glob("[0-9]*.eml")) + 1
        with open(self.folder / f"{number:04}-{file_name(mail.recipient)}.eml", "xb", opener=_private) as file:
            file.write(mail.data)
        self._received.append(mail)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class _Hooks:
    """aiosmtpd calls these, one at a time; what they return is the reply."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    async def handle_RCPT(
        self, server: SMTP, client: Client, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if reply := self.sink.refused.get(address):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, client: Client, envelope: Envelope) -> str:
        data, sender = envelope.original_content or b"", (envelope.mail_from or "").removeprefix("<>")
        try:
            for recipient in envelope.rcpt_tos:
                self.sink.keep(Received(recipient, data, sender))
        except OSError:
            return NOT_KEPT
        return KEPT
