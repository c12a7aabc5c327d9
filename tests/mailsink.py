"""A pytest plugin: the fixture `sink`, a real mail server on loopback that keeps what it gets and misbehaves as told.

    def test_a_refused_recipient(sink):
        sink.answer(recipient={"bob@customer.example": "550 5.1.1 no such user"})
        ...                                     # send to sink.url
        assert sink.recipients == ["ann@customer.example"]

`sink.answer(stage=act)` says what happens at connect, helo, sender, recipient, data, or at mail (the dot after it):

    "451 4.7.1 Greylisted"      this reply (after 421 it hangs up)
    "drop"                      hangs up without a word; at `mail` the mail is lost
    "hang", "trickle"           says nothing; says a byte now and then, and never finishes
    "keep-and-drop", "keep-and-hang"    at `mail`: keeps it first
    "ok"                        as usual
    [act, act, …]               one for each time, the last one for ever after
    {address: act or acts}      by sender (at sender) or recipient (behind it); others as usual

So a server that says 421 after two mails is `sink.answer(sender=["ok", "ok", "421 4.3.2 closing", "ok"])`.

The fixture `new_sink` makes more of them, for instance `new_sink(tls="starttls", user="agent", password="secret")` or
`new_sink(size=1000, utf8=False)`; `trusted` makes $SSL_CERT_FILE name the authority that signs their certificates.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Act: TypeAlias = "str | list[str]"
STAGES = ("connect", "helo", "sender", "recipient", "data", "mail")


class Received(NamedTuple):
    """One mail to one recipient."""

    sender: str
    recipient: str
    data: bytes  # as it came, CR LF, without the dots of transport
    options: list[str]  # of MAIL FROM, upper case: SIZE=…, BODY=8BITMIME, SMTPUTF8


class Sink:
    """The server.  It starts at once and runs in a thread until `stop`; its acts can be changed while it runs."""

    def __init__(
        self,
        *,
        tls: str = "none",  # or "starttls", or "tls"
        certificate: trustme.LeafCert | None = None,
        user: str = "",  # with a user, nothing goes without a login
        password: str = "",
        mechanisms: str = "PLAIN LOGIN",
        size: int | None = None,  # bytes that it takes
        utf8: bool = True,
        port: int = 0,  # 0: any that is free
    ) -> None:
        self.user, self.password, self.mechanisms = user, password, mechanisms
        self.tls, self.size, self.utf8 = tls, size, utf8
        self.received: list[Received] = []
        self.heard = bytearray()  # everything that clients said, out of its encryption
        self.connections = 0
        self.clients: set[_Client] = set()  # connected now
        self.context: ssl.SSLContext | None = None
        if certificate:
            self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            certificate.configure_cert(self.context)
        self._acts: dict[str, Act | dict[str, Act]] = {}
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            self._loop.create_server(
                lambda: _Client(self, self._loop),
                "127.0.0.1",
                port,
                ssl=self.context if tls == "tls" else None,
            )
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What `smtp.url` says for it."""
        scheme, query = ("smtps" if self.tls == "tls" else "smtp"), ("?starttls=1" if self.tls == "starttls" else "")
        login = quote(self.user, safe="") + "@" if self.user else ""
        return f"{scheme}://{login}127.0.0.1:{self.port}{query}"

    @property
    def recipients(self) -> list[str]:
        return [mail.recipient for mail in self.received]

    def answer(self, **acts: Act | dict[str, Act]) -> None:
        """What happens at each of these stages from now on; see the top of this file."""
        assert set(acts) <= set(STAGES), f"there are these stages: {STAGES}"
        self._acts.update(acts)

    def behave(self) -> None:
        """Everything as usual again."""
        self._acts.clear()

    def due(self, stage: str, address: str = "") -> str:
        """The act that is due now; of several this takes the first away."""
        act = self._acts.get(stage, "ok")
        if isinstance(act, dict):
            act = act.get(address, "ok")
        if isinstance(act, list):
            return act.pop(0) if len(act) > 1 else act[0]
        return act

    def hang_up(self) -> None:
        """Close all connections, as a server does with idle ones."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(5)

    def stop(self) -> None:
        """Close everything; the port refuses connections from now on."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
            self._loop.close()

    async def _hang_up(self) -> None:
        for client in list(self.clients):
            client.abort()
        while self.clients:
            await asyncio.sleep(0)

    async def _close(self) -> None:
        self._server.close()
        await self._hang_up()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class _Client(SMTP):
    """One connection.  aiosmtpd speaks the protocol; each stage first asks the sink what is due."""

    def __init__(self, sink: Sink, loop: asyncio.AbstractEventLoop) -> None:
        self.sink = sink
        super().__init__(
            _Hooks(sink, self),
            data_size_limit=sink.size,
            enable_SMTPUTF8=sink.utf8,
            hostname="sink.example",
            tls_context=sink.context if sink.tls == "starttls" else None,
            require_starttls=sink.tls == "starttls",
            auth_require_tls=False,  # aiosmtpd would take TLS from the first byte for none
            auth_exclude_mechanism=[name for name in ("PLAIN", "LOGIN") if name not in sink.mechanisms.split()],
            authenticator=self.check_login,
            loop=loop,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._original_transport is None:  # not the second time, after STARTTLS
            self.sink.connections += 1
            self.sink.clients.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.sink.clients.discard(self)
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        self.sink.heard += data
        super().data_received(data)

    def abort(self) -> None:
        # The plain one below an encrypted one: aborting a closed encrypted one fails on some 3.11 (AttributeError).
        transport = self._original_transport or self.transport
        if transport is not None and not transport.is_closing():
            transport.abort()

    def check_login(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: LoginPassword
    ) -> AuthResult:
        right = (login.login, login.password) == (self.sink.user.encode(), self.sink.password.encode())
        return AuthResult(success=right, handled=False)

    async def _handle_client(self) -> None:
        said = await self.play("connect")
        if said:
            await self.push(said)
            self.transport.close()
        else:
            await super()._handle_client()

    async def smtp_DATA(self, arg: str) -> None:
        said = await self.play("data", "".join(self.envelope.rcpt_tos))
        if said:
            await self.push(said)
        else:
            await super().smtp_DATA(arg)

    async def play(self, stage: str, address: str = "", keep: Callable[[], None] = lambda: None) -> str:
        """Do what the sink says; "" is as usual, anything else the reply to give instead."""
        act = self.sink.due(stage, address)
        if act.startswith("keep-and-") or act == "ok":
            keep()
            act = act.removeprefix("keep-and-")
        if act == "ok":
            return ""
        if act == "hang":
            await asyncio.Event().wait()
        while act == "trickle":
            self._writer.write(b"2")
            await asyncio.sleep(0.05)
        if act.startswith("421"):
            await self.push(act)
            self.transport.close()
        elif act == "drop":
            self.abort()
        else:
            return act
        raise asyncio.CancelledError  # aiosmtpd's own way to end a connection that is gone


class _Hooks:
    """aiosmtpd calls these; what they return is the reply."""

    def __init__(self, sink: Sink, client: _Client) -> None:
        self.sink, self.client = sink, client

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, name: str, lines: list[str]
    ) -> list[str]:
        said = await self.client.play("helo")
        if said:
            return [said]
        session.host_name = name
        return [line for line in lines if self.sink.user or not line.startswith("250-AUTH")]

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.sink.user and not session.authenticated:
            return "530 5.7.0 Authentication required"
        said = await self.client.play("sender", address)
        if not said:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return said or "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        said = await self.client.play("recipient", address)
        if not said:
            envelope.rcpt_tos.append(address)
        return said or "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        sender = (envelope.mail_from or "").removeprefix("<>")

        def keep() -> None:
            for recipient in envelope.rcpt_tos:
                mail = Received(sender, recipient, envelope.original_content, envelope.mail_options)
                self.sink.received.append(mail)

        said = await self.client.play("mail", envelope.rcpt_tos[0], keep)
        return said or "250 2.0.0 OK: kept"


# --- fixtures -----------------------------------------------------------------------------------------------


@pytest.fixture
def new_sink(request: pytest.FixtureRequest) -> Iterator[Callable[..., Sink]]:
    """Make a Sink: `new_sink(tls="starttls")`; its certificate is of `authority` where none is given."""
    made: list[Sink] = []

    def make(**options: Any) -> Sink:
        if options.get("tls", "none") != "none" and "certificate" not in options:
            options["certificate"] = request.getfixturevalue("authority").issue_cert("127.0.0.1", "localhost")
        made.append(Sink(**options))
        return made[-1]

    yield make
    for sink in made:
        sink.stop()


@pytest.fixture
def sink(new_sink: Callable[..., Sink]) -> Sink:
    """A server that takes everything: no TLS, no login, no limit."""
    return new_sink()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Who signs the sinks' certificates."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The authority's certificate, in the file that $SSL_CERT_FILE names: this computer trusts the sinks."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file
