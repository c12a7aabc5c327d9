"""An SMTP server on loopback that takes everything and keeps it, a file a mail: where the demo's mail goes.

    with Sink(folder) as sink:
        ...                             # crmmail sends to sink.url
        for recipient, data in sink.mails():

The files are `0001-ann@customer.example.eml` and so on, oldest first, the bytes as they came.  A mail is on the disk
before the server says 250.  No login, no TLS, and no other interface than 127.0.0.1: nothing is sent on from here.
"""

from __future__ import annotations

import asyncio
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

    recipient: str
    data: bytes  # as it came: CRLF line ends, without the dots of transport


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
        self.folder.mkdir(parents=True, exist_ok=True)
        self._server = self._loop.run_until_complete(
            self._loop.create_server(lambda: SMTP(_Hooks(self), hostname="sink.example", loop=self._loop), HOST, 0)
        )
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

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        clients = asyncio.all_tasks() - {asyncio.current_task()}
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    def keep(self, recipient: str, data: bytes) -> None:
        """Writes one mail down.

        Raises:
            OSError: the disk is full, or the like; then it was not kept.
        """
        number = sum(1 for _ in self.folder.glob("[0-9]*.eml")) + 1
        with open(self.folder / file_name(f"{number:04}-{recipient}.eml"), "xb") as file:
            file.write(data)
        self._received.append(Received(recipient, data))


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
        try:
            for recipient in envelope.rcpt_tos:
                self.sink.keep(recipient, envelope.original_content or b"")
        except OSError:
            return NOT_KEPT
        return KEPT
