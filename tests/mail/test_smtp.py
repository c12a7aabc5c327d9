"""Handing mails over, to real servers on loopback: what arrives, what trouble is called, what is tried again."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from mailsink import Sink
from quick import QUICK

from crmmail.core.failure import Failure
from crmmail.errors import ConfigBroken
from crmmail.mail import smtp_talk, smtp_url
from crmmail.mail.smtp import Connection
from crmmail.mail.smtp_secret import without_password
from crmmail.mail.smtp_talk import Talk
from crmmail.mail.smtp_url import Server

MAIL = b"From: agent@crm.test\r\nSubject: Offer\r\n\r\nHere it is.\r\n"
ANN, BOB, AGENT = "ann@customer.example", "bob@customer.example", "agent@crm.test"


def no_password() -> str:
    raise AssertionError("nobody needs a password here")


@contextlib.contextmanager
def connected(
    url: str, password: Callable[[], str] = no_password, timeout: float = 5, deadline: float = 10
) -> Iterator[Connection]:
    place = smtp_url.read(url)
    with Connection(place, password, helo="crm.test", timeout=timeout, deadline=deadline) as connection:
        yield connection


def send(url: str, to: str = ANN, data: bytes = MAIL, **options: object) -> Failure | None:
    with connected(url, **options) as connection:  # type: ignore[arg-type]
        return connection.send(AGENT, to, data)


# --- what arrives -------------------------------------------------------------------------------------------


def test_a_mail_arrives_as_it_is(sink: Sink) -> None:
    assert send(sink.url) is None
    (mail,) = sink.received
    assert (mail.sender, mail.recipient, mail.data) == (AGENT, ANN, MAIL)
    assert sink.heard.lower().startswith(b"ehlo crm.test\r\n")
    assert sink.heard.lower().endswith(b"quit\r\n")


@pytest.mark.parametrize(
    ("data", "arrives"),
    [
        (b"A: b\n\n.\n..\n.dots\n", b"A: b\r\n\r\n.\r\n..\r\n.dots\r\n"),
        (b"A: b\r\n\r\nno end", b"A: b\r\n\r\nno end\r\n"),
        (b"A: b\r\n\r\n\r.\rMAIL FROM:<evil@evil.example>\n.\r\n", None),
        (b"A: b\r\n\r\n" + b"x" * 70 + b"\r\n.", b"A: b\r\n\r\n" + b"x" * 70 + b"\r\n.\r\n"),
    ],
    ids=["dots", "no-line-end", "smuggling", "a-last-dot"],
)
def test_lines_and_dots(sink: Sink, data: bytes, arrives: bytes | None) -> None:
    assert send(sink.url, data=data) is None
    assert [mail.data for mail in sink.received] == [arrives or b"\r\n".join(data.splitlines()) + b"\r\n"]


def test_a_large_mail_of_many_chunks(sink: Sink) -> None:
    data = MAIL + b".23456789012345678901234567890123456789\r\n" * 50_000
    assert send(sink.url, data=data) is None
    assert sink.received[0].data == data


def test_the_null_path(sink: Sink) -> None:
    with connected(sink.url) as connection:
        assert connection.send("", ANN, MAIL) is None
    assert sink.received[0].sender == ""


def test_two_hundred_mails_over_one_connection(sink: Sink) -> None:
    started = time.monotonic()
    with connected(sink.url) as connection:
        for number in range(200):
            assert connection.send(AGENT, f"{number}@customer.example", MAIL) is None
    assert sink.recipients == [f"{number}@customer.example" for number in range(200)]
    assert sink.connections == 1
    assert time.monotonic() - started < 4, "40 ms a mail are Nagle's: see TCP_NODELAY"


def test_nothing_is_connected_before_the_first_mail(sink: Sink) -> None:
    with connected(sink.url):
        pass
    assert sink.connections == 0


def test_eight_bits_are_announced_only_where_there_are_some(sink: Sink) -> None:
    with connected(sink.url) as connection:
        connection.send(AGENT, ANN, MAIL)
        connection.send(AGENT, ANN, MAIL + "Привет\r\n".encode())
    assert [mail.options for mail in sink.received] == [[], ["BODY=8BITMIME"]]


def test_an_address_beyond_ascii(sink: Sink) -> None:
    arina = "арина@customer.example"
    assert send(sink.url, arina) is None
    with connected(sink.url) as connection:
        assert connection.send(AGENT, ANN, "Subject: Привет\r\n\r\n".encode(), utf8=True) is None
        assert connection.send(AGENT, ANN, MAIL) is None
    assert sink.recipients == [arina, ANN, ANN]
    assert [mail.options for mail in sink.received] == [["BODY=8BITMIME", "SMTPUTF8"]] * 2 + [[]]


def test_a_server_of_long_ago(sink: Sink) -> None:
    sink.answer(helo="502 5.5.1 EHLO unknown")
    assert send(sink.url) is None
    assert sink.recipients == [ANN]


# --- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "reply", "kind", "permanent"),
    [
        ("sender", "553 5.7.1 agent@crm.test: not owned by user boss", "sender", True),
        ("sender", "451 4.3.0 Temporary lookup failure", "later", False),
        ("recipient", "550 5.1.1 no such user", "recipient", True),
        ("recipient", "550 5.1.2 host of customer.example not found", "address", True),
        ("recipient", "450 4.2.0 Recipient address rejected: Greylisted for 300 seconds", "greylisted", False),
        ("recipient", "452 4.2.2 mailbox full", "quota", False),
        ("recipient", "450 4.7.1 Error: too much mail from 127.0.0.1", "too-many", False),
        ("data", "451 4.3.1 not now", "later", False),
        ("mail", "550 5.7.1 This is spam", "content", True),
        ("mail", "552 5.3.4 message too big", "size", True),
        ("mail", "451 4.7.1 Try again later", "greylisted", False),
        ("mail", "554 5.6.0 no", "refused", True),
    ],
)
def test_a_refusal_and_the_connection_goes_on(sink: Sink, stage: str, reply: str, kind: str, permanent: bool) -> None:
    sink.answer(**{stage: [reply, "ok"]})
    with connected(sink.url) as connection:
        assert connection.send(AGENT, BOB, MAIL) == Failure(kind, permanent, False, reply)
        assert connection.send(AGENT, ANN, MAIL) is None
    assert sink.recipients == [ANN]
    assert sink.connections == 1


def test_a_server_that_wants_a_login_and_gets_none(new_sink: Callable[..., Sink]) -> None:
    sink = new_sink(user="agent", password="secret")
    failure = send(sink.url.replace("agent@", ""))
    assert failure == Failure("no-login", False, True, "530 5.7.0 Authentication required")


def test_relaying_is_a_matter_of_the_login(sink: Sink) -> None:
    sink.answer(recipient=f"554 5.7.1 <{ANN}>: Relay access denied")
    failure = send(sink.url)
    assert failure is not None
    assert (failure.kind, failure.permanent, failure.ours) == ("no-login", False, True)


def test_a_mail_larger_than_the_server_announced_is_not_sent(new_sink: Callable[..., Sink]) -> None:
    sink = new_sink(size=1000)
    with connected(sink.url) as connection:
        failure = connection.send(AGENT, ANN, MAIL + b"x" * 1000)
        assert connection.send(AGENT, BOB, MAIL) is None
    assert failure is not None
    assert (failure.kind, failure.permanent, failure.ours) == ("size", True, False)
    assert sink.recipients == [BOB]
    assert ANN.encode() not in sink.heard
    assert sink.received[0].options == [f"SIZE={len(MAIL)}"]


def test_a_server_without_smtputf8(new_sink: Callable[..., Sink]) -> None:
    sink = new_sink(utf8=False)
    failure = send(sink.url, "арина@customer.example")
    assert failure is not None
    assert (failure.kind, failure.permanent, failure.ours) == ("utf8", True, False)
    assert not sink.received


@pytest.mark.parametrize(
    "address",
    ["ann@customer.example>\r\nRCPT TO:<evil@evil.example", "a b@x.example", "", "a\udc80@x.example", "<a@x>"],
)
def test_what_is_no_address_never_reaches_the_server(sink: Sink, address: str) -> None:
    failure = send(sink.url, address)
    assert failure is not None
    assert (failure.kind, failure.permanent, failure.ours) == ("unbuildable", True, False)
    assert sink.connections == 0


# --- connections that go --------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["sender", "recipient", "data", "mail"])
def test_after_421_the_mail_goes_over_a_fresh_connection(sink: Sink, stage: str) -> None:
    sink.answer(**{stage: ["ok", "ok", "421 4.3.2 closing", "ok"]})
    with connected(sink.url) as connection:
        assert [connection.send(AGENT, f"{number}@customer.example", MAIL) for number in range(4)] == [None] * 4
    assert sink.recipients == [f"{number}@customer.example" for number in range(4)]
    assert sink.connections == 2


@pytest.mark.parametrize("stage", ["sender", "recipient", "data"])
def test_421_twice_is_a_failure(sink: Sink, stage: str) -> None:
    sink.answer(**{stage: "421 4.3.2 closing"})
    assert send(sink.url) == Failure("later", False, False, "421 4.3.2 closing")
    assert sink.connections == 2


def test_a_connection_closed_between_two_mails(sink: Sink) -> None:
    with connected(sink.url) as connection:
        assert connection.send(AGENT, ANN, MAIL) is None
        sink.hang_up()
        assert connection.send(AGENT, BOB, MAIL) is None
    assert sink.recipients == [ANN, BOB]
    assert sink.connections == 2


@pytest.mark.parametrize(("stage", "ours"), [("sender", True), ("recipient", False), ("data", False)])
def test_a_connection_lost_twice(sink: Sink, stage: str, ours: bool) -> None:
    sink.answer(**{stage: "drop"})
    failure = send(sink.url)
    assert failure is not None
    assert (failure.kind, failure.permanent, failure.ours) == ("no-connection", False, ours)
    assert sink.connections == 2


@pytest.mark.parametrize(("act", "kept"), [("drop", 0), ("keep-and-drop", 1), ("keep-and-hang", 1)])
def test_what_may_have_arrived_is_not_sent_again(sink: Sink, act: str, kept: int) -> None:
    sink.answer(mail=act)
    with connected(sink.url, timeout=0.3) as connection:
        failure = connection.send(AGENT, ANN, MAIL)
        sink.behave()
        assert connection.send(AGENT, BOB, MAIL) is None
    assert failure is not None
    assert (failure.kind, failure.permanent, failure.ours) == ("dropped", False, False)
    assert sink.recipients == [ANN] * kept + [BOB]


def test_a_server_that_hangs_up_in_the_middle_of_the_mail_had_its_reasons() -> None:
    """It says 552 while we still talk, and closes: the words count, not the broken pipe."""

    def talk(client: socket.socket) -> None:
        hello(client)
        client.sendall(b"250 ok\r\n")
        client.recv(1000)
        client.sendall(b"250 ok\r\n")
        client.recv(1000)
        client.sendall(b"354 go on\r\n")
        client.recv(1000)
        client.sendall(b"552 5.3.4 that is enough\r\n")
        time.sleep(0.1)

    with raw_server(talk) as url:
        failure = send(url, data=MAIL + (b"x" * 998 + b"\r\n") * 20_000)
    assert failure == Failure("size", True, False, "552 5.3.4 that is enough")


# --- no way out -----------------------------------------------------------------------------------------------


def test_nobody_listens(sink: Sink) -> None:
    sink.stop()
    failure = send(sink.url)
    assert failure == Failure("no-connection", False, True, f"127.0.0.1:{sink.port}: Connection refused")


@pytest.mark.parametrize(("number", "kind"), [(socket.EAI_NONAME, "no-such-host"), (socket.EAI_AGAIN, "no-connection")])
def test_a_host_that_is_not_found(monkeypatch: pytest.MonkeyPatch, number: int, kind: str) -> None:
    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(number, "so says the resolver")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    expected = Failure(kind, False, True, "mx.crm.example: so says the resolver")
    assert send("smtp://mx.crm.example") == expected


@pytest.mark.parametrize(
    ("stage", "act", "kind"),
    [
        ("connect", "421 4.3.2 too busy", "later"),
        ("connect", "421 4.7.0 too many connections", "too-many"),
        ("connect", "554 5.7.1 no mail from you", "no-connection"),
        ("connect", "drop", "no-connection"),
        ("connect", "SSH-2.0-OpenSSH_9.2", "no-connection"),
        ("helo", "421 4.3.2 too busy", "later"),
        ("helo", "drop", "no-connection"),
    ],
)
def test_a_shut_way_out_is_tried_once(sink: Sink, stage: str, act: str, kind: str) -> None:
    sink.answer(**{stage: act})
    with connected(sink.url) as connection:
        failure = connection.send(AGENT, ANN, MAIL)
        sink.behave()
        assert connection.send(AGENT, BOB, MAIL) == failure
    assert failure is not None
    assert (failure.kind, failure.permanent, failure.ours) == (kind, False, True)
    assert (sink.connections, sink.received) == (1, [])


@pytest.mark.parametrize("act", ["421 4.7.0 rate limit", "drop", "450 too many mails"])
def test_what_one_sender_meets_is_not_remembered(sink: Sink, act: str) -> None:
    sink.answer(sender={"evil@crm.test": act})
    with connected(sink.url) as connection:
        failure = connection.send("evil@crm.test", ANN, MAIL)
        assert failure is not None and failure.ours
        assert (connection.is_shut, connection.named) == (False, True)
        assert connection.send(AGENT, BOB, MAIL) is None
    assert sink.recipients == [BOB]


def test_what_went_out_whole(sink: Sink) -> None:
    other = MAIL + b"More.\r\n"
    with connected(sink.url) as connection:
        assert not connection.may_have_arrived(MAIL)
        connection.send(AGENT, ANN, MAIL)
        assert connection.may_have_arrived(MAIL)
        sink.answer(recipient="550 5.1.1 no such user")
        connection.send(AGENT, ANN, other)
        assert not connection.may_have_arrived(other)
        assert not connection.may_have_arrived(MAIL)


# --- servers that are slow --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "ours"), [("connect", True), ("helo", True), ("sender", True), ("recipient", False), ("data", False)]
)
def test_a_server_that_falls_silent(sink: Sink, stage: str, ours: bool) -> None:
    sink.answer(**{stage: "hang"})
    failure = send(sink.url, timeout=0.2)
    words = f"no answer from 127.0.0.1:{sink.port} for 0.2 seconds"
    assert failure == Failure("timeout", False, ours, words)


@pytest.mark.parametrize(
    ("stage", "kind"),
    [("connect", "timeout"), ("helo", "timeout"), ("recipient", "timeout"), ("mail", "dropped")],
)
def test_a_server_that_trickles_is_left_at_the_deadline(sink: Sink, stage: str, kind: str) -> None:
    sink.answer(**{stage: "trickle"})
    started = time.monotonic()
    with connected(sink.url, timeout=5, deadline=0.4) as connection:
        failure = connection.send(AGENT, ANN, MAIL)
        assert time.monotonic() - started < 1.5
    assert failure is not None
    assert (failure.kind, failure.permanent) == (kind, False)
    assert "0.4 seconds" in failure.words


def test_a_trickling_handshake_is_left_too(trusted: Path) -> None:
    def talk(client: socket.socket) -> None:
        client.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 kB begins …
        with contextlib.suppress(OSError):
            while True:
                client.sendall(b"\x02")
                time.sleep(0.05)

    started = time.monotonic()
    with raw_server(talk) as url:
        failure = send(url.replace("smtp:", "smtps:"), deadline=0.4)
    assert time.monotonic() - started < 1.5
    assert failure is not None
    assert (failure.kind, failure.ours) == ("timeout", True)


def test_a_server_that_reads_nothing() -> None:
    def talk(client: socket.socket) -> None:
        hello(client)
        for answer in (b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"):
            client.sendall(answer)
            if not answer.startswith(b"354"):
                client.recv(1000)
        time.sleep(1)

    with raw_server(talk) as url:
        failure = send(url, data=MAIL + (b"x" * 998 + b"\r\n") * 20_000, timeout=0.3)
    assert failure is not None
    assert (failure.kind, failure.ours) == ("timeout", False)


def test_quit_is_not_waited_for_long(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_talk, "GOODBYE", 0.2)

    def talk(client: socket.socket) -> None:
        hello(client)
        for answer in (b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n", b"250 kept\r\n"):
            client.sendall(answer)
            client.recv(1000)
        with contextlib.suppress(OSError):
            while True:
                client.sendall(b"2")
                time.sleep(0.05)

    started = time.monotonic()
    with raw_server(talk) as url:
        assert send(url) is None
    assert time.monotonic() - started < 1.5


def test_a_mail_that_is_interrupted_is_left_at_once(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C between the mail's lines and its last dot: no QUIT, which would be a line of it, and nothing arrives."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Talk, "_pour", interrupted)
    with pytest.raises(KeyboardInterrupt):
        send(sink.url)
    assert b"QUIT" not in sink.heard.upper()
    assert not sink.received


# --- TLS ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_encrypted(new_sink: Callable[..., Sink], trusted: Path, tls: str) -> None:
    sink = new_sink(tls=tls)
    with connected(sink.url) as connection:
        assert connection.send(AGENT, ANN, MAIL) is None
        assert connection.send(AGENT, BOB, MAIL) is None
    assert (sink.recipients, sink.connections) == ([ANN, BOB], 1)


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_certificate_of_nobody_we_know(new_sink: Callable[..., Sink], tls: str) -> None:
    sink = new_sink(tls=tls)
    failure = send(sink.url)
    assert failure is not None
    assert (failure.kind, failure.permanent, failure.ours) == ("tls", False, True)
    assert "certificate" in failure.words
    assert not sink.received


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_certificate_of_another_host(
    new_sink: Callable[..., Sink], authority: trustme.CA, trusted: Path, tls: str
) -> None:
    sink = new_sink(tls=tls, certificate=authority.issue_cert("mx.other.example"))
    failure = send(sink.url)
    assert failure is not None
    assert (failure.kind, failure.ours) == ("tls", True)
    assert "127.0.0.1" in failure.words and "not valid for" in failure.words
    assert not sink.received


def test_starttls_that_is_not_offered(sink: Sink) -> None:
    failure = send(sink.url + "?starttls=1")
    assert failure is not None
    assert (failure.kind, failure.ours) == ("tls", True)
    assert "STARTTLS" in failure.words
    assert b"MAIL" not in sink.heard.upper()


def test_starttls_that_is_refused() -> None:
    def talk(client: socket.socket) -> None:
        hello(client, b"250-mx.example\r\n250 STARTTLS\r\n")
        client.sendall(b"454 4.7.0 TLS not available\r\n")
        client.recv(1000)

    with raw_server(talk) as url:
        failure = send(url + "?starttls=1")
    assert failure == Failure("tls", False, True, "454 4.7.0 TLS not available")


def test_words_slipped_in_behind_starttls_are_not_believed(
    authority: trustme.CA, new_sink: Callable[..., Sink], trusted: Path
) -> None:
    """CVE-2011-0411, the other way round: clear text that arrives with the 220 is no answer to what comes encrypted."""
    context = new_sink(tls="starttls").context
    assert context is not None

    def talk(client: socket.socket) -> None:
        hello(client, b"250-mx.example\r\n250 STARTTLS\r\n")
        client.sendall(b"220 go on\r\n250-mx.example\r\n250 AUTH PLAIN\r\n")
        with contextlib.suppress(OSError), context.wrap_socket(client, server_side=True) as encrypted:
            encrypted.recv(1000)

    with raw_server(talk) as url:
        failure = send(url.replace("//", "//agent@") + "?starttls=1")
    assert failure is not None
    assert failure.kind == "no-connection", "it would be `secret` had we believed that a login is offered"


@pytest.mark.parametrize("act", ["ok", "hang"])
def test_tls_where_the_server_speaks_clear(sink: Sink, act: str) -> None:
    sink.answer(connect=act)
    failure = send(sink.url.replace("smtp:", "smtps:"), timeout=0.3)
    assert failure is not None
    assert (failure.kind, failure.ours) == ("tls" if act == "ok" else "timeout", True)


# --- login --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanisms", ["PLAIN LOGIN", "PLAIN", "LOGIN"])
@pytest.mark.parametrize("tls", ["none", "starttls", "tls"])
def test_login(new_sink: Callable[..., Sink], trusted: Path, tls: str, mechanisms: str) -> None:
    sink = new_sink(tls=tls, user="agent@crm.test", password="Пароль: 1", mechanisms=mechanisms)
    assert send(sink.url, password=lambda: "Пароль: 1") is None
    assert sink.recipients == [ANN]


def test_the_password_is_asked_for_once(new_sink: Callable[..., Sink]) -> None:
    sink = new_sink(user="agent", password="secret")
    asked: list[int] = []
    with connected(sink.url, password=lambda: asked.append(1) or "secret") as connection:
        assert connection.send(AGENT, ANN, MAIL) is None
        sink.hang_up()
        assert connection.send(AGENT, BOB, MAIL) is None
    assert (sink.recipients, sink.connections, len(asked)) == ([ANN, BOB], 2, 1)


def test_a_wrong_password_is_tried_once(new_sink: Callable[..., Sink]) -> None:
    sink = new_sink(user="agent", password="secret")
    with connected(sink.url, password=lambda: "Secret") as connection:
        failure = connection.send(AGENT, ANN, MAIL)
        assert connection.send(AGENT, BOB, MAIL) == failure
    assert failure == Failure("login", False, True, "535 5.7.8 Authentication credentials invalid")
    assert sink.heard.upper().count(b"AUTH") == 1


ECHOES = [
    ("500 unknown command: {line}", "500 unknown command: AUTH PLAIN ***"),
    ("535 5.7.8 user boss password {password} wrong", "535 5.7.8 user boss password *** wrong"),
    ("535 no: {token}", "535 no: ***"),
    ("535 no: {cut}…", "535 no: ***…"),
    ("535 no {shout}", "535 no ***"),
    ("{line}", "PLAIN ***"),
    ("{whole}", "***"),
    ("535-no {cut}\r\n535 {rest}", "535 no *** ***"),
]


@pytest.mark.parametrize(("reply", "shown"), ECHOES)
def test_a_server_that_repeats_the_password(reply: str, shown: str) -> None:
    password = "hunter2 (пароль)"
    token = base64.b64encode(f"\0boss\0{password}".encode()).decode()

    def talk(client: socket.socket) -> None:
        lines = client.makefile("rb")
        client.sendall(b"220 mx\r\n")
        lines.readline()
        client.sendall(b"250-mx\r\n250 AUTH PLAIN\r\n")
        line = lines.readline().decode().strip()
        said = reply.format(
            line=line,
            password=password,
            token=base64.b64encode(password.encode()).decode().rstrip("="),
            cut=token[:17],
            rest=token[17:],
            whole=token,
            shout=token.upper(),
        )
        client.sendall(said.encode() + b"\r\n")
        lines.readline()

    with raw_server(talk) as url:
        failure = send(url.replace("//", "//boss@"), password=lambda: password)
    assert failure is not None and failure.ours
    assert failure.words == shown


def test_long_words_are_looked_through_in_no_time() -> None:
    words = "aHVu" * 50_000 + " no"
    started = time.process_time()
    assert without_password(words, b"agent", b"hunter2 " * 10) == words
    assert time.process_time() - started < QUICK


def test_a_server_that_repeats_the_password_later(new_sink: Callable[..., Sink]) -> None:
    sink = new_sink(user="boss", password="hunter2")
    sink.answer(recipient="550 5.1.1 no such user, hunter2 aHVudGVyMg==")
    failure = send(sink.url, password=lambda: "hunter2")
    assert failure == Failure("recipient", True, False, "550 5.1.1 no such user, *** ***")


def test_a_password_that_cannot_be_had(new_sink: Callable[..., Sink]) -> None:
    sink = new_sink(user="agent", password="secret")

    def broken() -> str:
        raise ConfigBroken("smtp.password_command ended with 1")

    failure = send(sink.url, password=broken)
    assert failure == Failure("secret", False, True, "smtp.password_command ended with 1")
    failure = send(sink.url, password=lambda: "")
    assert failure == Failure("no-login", False, True, "smtp.url has a user, and no password is set")


def test_a_server_without_login(sink: Sink) -> None:
    failure = send(sink.url.replace("//", "//agent@"))
    assert failure is not None
    assert (failure.kind, failure.permanent, failure.ours) == ("no-login", False, True)


def test_a_login_that_we_do_not_know() -> None:
    with raw_server(lambda client: hello(client, b"250-mx.example\r\n250 AUTH XOAUTH2\r\n")) as url:
        failure = send(url.replace("//", "//agent@"))
    assert failure is not None
    assert (failure.kind, failure.ours) == ("no-login", True)
    assert failure.words.endswith("only: XOAUTH2")


def test_the_password_never_goes_in_clear(new_sink: Callable[..., Sink], monkeypatch: pytest.MonkeyPatch) -> None:
    sink = new_sink(user="agent", password="secret")
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **named: real("127.0.0.1", *rest, **named))
    failure = send(sink.url.replace("127.0.0.1", "mx.crm.example"))  # and nobody is asked for the password
    assert failure is not None
    assert (failure.kind, failure.permanent, failure.ours) == ("tls", False, True)
    assert "?starttls=1" in failure.words
    assert b"AUTH" not in sink.heard.upper()


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_the_password_waits_for_the_certificate(new_sink: Callable[..., Sink], tls: str) -> None:
    sink = new_sink(tls=tls, user="agent", password="secret")
    assert send(sink.url) is not None  # no_password would fail the test
    assert base64.b64encode(b"\0agent\0secret") not in sink.heard


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
    ],
)
def test_who_is_here(host: str, here: bool) -> None:
    assert Server(host, 25, "none", "").is_here is here


# --- smtp.url -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mx.crm.example", Server("mx.crm.example", 25, "none", "")),
        ("smtp://MX.crm.example:2525/", Server("mx.crm.example", 2525, "none", "")),
        ("smtp://mx.crm.example?starttls=1", Server("mx.crm.example", 587, "starttls", "")),
        ("smtp://mx.crm.example:25?starttls=1", Server("mx.crm.example", 25, "starttls", "")),
        ("smtp://mx.crm.example?starttls=0", Server("mx.crm.example", 25, "none", "")),
        ("smtps://mx.crm.example", Server("mx.crm.example", 465, "tls", "")),
        ("smtps://agent@mx.crm.example", Server("mx.crm.example", 465, "tls", "agent")),
        ("smtps://agent%40crm.example@mx.crm.example", Server("mx.crm.example", 465, "tls", "agent@crm.example")),
        ("smtps://agent@crm.example@mx.crm.example", Server("mx.crm.example", 465, "tls", "agent@crm.example")),
        ("smtps://a%3Ab%25%2F@mx.crm.example:1", Server("mx.crm.example", 1, "tls", "a:b%/")),
        ("smtp://[::1]", Server("::1", 25, "none", "")),
        ("smtp://agent@[2001:DB8::1]:26", Server("2001:db8::1", 26, "none", "agent")),
        ("smtp://почта.example", Server("xn--80a1acny.example", 25, "none", "")),
    ],
)
def test_where_mail_leaves(url: str, expected: Server) -> None:
    assert smtp_url.read(url) == expected


@pytest.mark.parametrize(
    ("url", "because"),
    [
        ("", "does not begin with"),
        ("mx.crm.example:25", "does not begin with"),
        ("http://mx.crm.example", "does not begin with"),
        ("smtp://mx.crm .example", "blanks"),
        ("smtp://mx.crm.example\r\nX: y", "blanks"),
        ("smtp://", "names no host"),
        ("smtp://agent@", "names no host"),
        ("smtp://-x-:25", "host is none"),
        ("smtp://[::1", "no IPv6 address"),
        ("smtp://[mx.crm.example]", "no IPv6 address"),
        ("smtp://mx.crm.example:0", "port"),
        ("smtp://mx.crm.example:70000", "port"),
        ("smtp://mx.crm.example:smtp", "port"),
        ("smtp://mx.crm.example/inbox", "behind the host"),
        ("smtp://mx.crm.example#tls", "behind the host"),
        ("smtp://mx.crm.example?tls=1", "only ?starttls=1"),
        ("smtp://mx.crm.example?starttls=yes", "only ?starttls=1"),
        ("smtp://mx.crm.example?starttls=1&starttls=0", "only ?starttls=1"),
        ("smtps://mx.crm.example?starttls=1", "leave ?starttls=1 away"),
        ("smtp://a%0Ab@mx.crm.example", "cannot be seen"),
    ],
)
def test_what_is_no_way_out(url: str, because: str) -> None:
    with pytest.raises(ConfigBroken, match=r"smtp\.url cannot be used: ") as caught:
        smtp_url.read(url)
    assert because in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "smtp://agent:hunter2@mx.crm.example",
        "smtps://agent@crm.example:hunter2@mx.crm.example:465",
        "smtp://agent:hunter2/@mx.crm.example",
        "smtp://agent:hunter2?@mx.crm.example",
        "smtp://agent:hunter2@mx.crm.example/x y",
        "smtp://agent:hunter2@mx.crm.example:z",
    ],
)
def test_a_password_in_the_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigBroken) as caught:
        smtp_url.read(url)
    assert "hunter2" not in str(caught.value)


def test_a_password_in_the_address_says_where_it_belongs() -> None:
    with pytest.raises(ConfigBroken, match=r"smtp\.password_command"):
        smtp_url.read("smtp://agent:hunter2@mx.crm.example")


# --- a server made by hand, for what aiosmtpd would never do --------------------------------------------------


@contextlib.contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """`talk` with each client that comes, one after another; the address as `smtp.url` says it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                client.settimeout(5)
                talk(client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"smtp://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def hello(client: socket.socket, features: bytes = b"250 mx.example\r\n") -> None:
    """Greeting and EHLO, up to the next command, which is read and not answered."""
    client.sendall(b"220 mx.example\r\n")
    client.recv(1000)
    client.sendall(features)
    client.recv(1000)
