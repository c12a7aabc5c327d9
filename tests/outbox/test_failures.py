"""Every way in which a mail does not leave, by real servers on loopback: what is said of it, and what clears it.

The server is real, the failure is real, and so is the way back: `outbox retry` sends the same mail under the same id.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from conversation import Talk
from mailsink import Sink
from outgoing import Office, identifier
from postfix import Postfix

ANA = "ana@example.com"


class Trouble(NamedTuple):
    """What a server does, and what becomes of a letter."""

    kind: str
    state: str  # after the first try
    acts: dict[str, str]
    reason: str  # a part of it
    advice: str  # a part of it


REFUSALS = [
    Trouble("recipient", "failed", {"recipient": "550 5.1.1 no such user"}, "550 5.1.1 no such user", "right address"),
    Trouble("recipient", "failed", {"recipient": "550 unknown user"}, "550 unknown user", "right address"),
    Trouble("address", "failed", {"recipient": "550 5.1.2 host unknown"}, "5.1.2", "behind the @"),
    Trouble("sender", "failed", {"sender": "553 5.7.1 not allowed"}, "553 5.7.1 not allowed", "let us send from"),
    Trouble("quota", "failed", {"recipient": "552 5.2.2 mailbox full"}, "552 5.2.2 mailbox full", "mailbox is full"),
    Trouble("quota", "queued", {"recipient": "452 4.2.2 mailbox full"}, "452 4.2.2 mailbox full", "mailbox is full"),
    Trouble("size", "failed", {"mail": "552 5.3.4 too large"}, "552 5.3.4 too large", "smaller files"),
    Trouble("content", "failed", {"mail": "554 5.7.1 looks like spam"}, "looks like spam", "refused the mail as spam"),
    Trouble("greylisted", "queued", {"recipient": "451 4.7.1 Greylisted"}, "451 4.7.1 Greylisted", "Nothing is wrong"),
    Trouble("too-many", "queued", {"sender": "450 too many mails"}, "450 too many mails", "wait an hour"),
    Trouble("later", "queued", {"mail": "451 4.3.0 disk trouble"}, "451 4.3.0 disk trouble", "nothing needs doing"),
    Trouble("later", "queued", {"connect": "421 4.3.2 closing"}, "421 4.3.2 closing", "nothing needs doing"),
    Trouble("no-connection", "queued", {"connect": "554 go away"}, "554 go away", "smtp.url"),
    Trouble("no-connection", "queued", {"connect": "drop"}, "closed the connection", "smtp.url"),
    Trouble("no-connection", "queued", {"helo": "drop"}, "closed the connection", "smtp.url"),
    Trouble("timeout", "queued", {"sender": "hang"}, "no answer from", "slow or silent"),
    Trouble("dropped", "queued", {"mail": "drop"}, "before it confirmed the mail", "may have arrived"),
    Trouble("dropped", "queued", {"mail": "keep-and-hang"}, "before it confirmed the mail", "may have arrived"),
]


def check(office: Office, number: int, trouble: Trouble) -> None:
    """What every place says of a letter that did not leave."""
    talk, row = office.talk, office.row(number)
    assert (row.failure, row.state, row.attempts) == (trouble.kind, trouble.state, 1)
    listed = office.listed(number)
    assert (listed["state"], listed["attempts"]) == (trouble.state, 1)
    assert trouble.reason in listed["reason"]
    assert listed["reason"].isprintable() and listed["reason"] == listed["reason"].strip()
    assert trouble.advice in listed["advice"]
    assert listed["advice"].endswith(".")
    (copy,) = talk.show(office.case)["messages"][-1]["deliveries"]
    assert (copy["to"], copy["state"], copy["reason"]) == (row.to, trouble.state, listed["reason"])
    shown = talk.do(f"show {office.case} --peek")
    said = "failed" if trouble.state == "failed" else "not delivered yet"
    assert f"✉! {row.to}: {said}: {listed['reason']}" in shown
    assert listed["advice"] in shown
    failed = trouble.state == "failed"
    assert office.envelope() == ("failed" if failed else "waiting")
    assert office.items() == ([("failed", "failed")] if failed else [])  # of what still waits he hears later
    if not failed:
        assert row.due > talk.clock
        assert office.listed(number)["due"] is not None


def cleared(office: Office, number: int, sink: Sink) -> None:
    """Oracle 15: the next try succeeds, and nothing is red any more."""
    before = office.row(number).identifier
    office.use(sink.url)
    sink.behave()
    assert office.talk.do(f"outbox retry {number}") == (
        f"mail {number} to {office.row(number).to}: due now   (crmmail outbox send)"
    )
    assert office.talk.do("outbox send") == "1 sent"
    row = office.row(number)
    assert (row.state, row.reason, row.failure, row.attempts) == ("sent", "", "", 1)  # a person's retry counts anew
    assert office.envelope() is None
    assert "✉!" not in office.talk.do(f"show {office.case} --peek")
    assert {identifier(mail) for mail in office.mails(row.to)} == {before}
    assert [envelope for _, envelope in office.items()] in ([], [None])
    assert office.listed(number)["advice"] is None


@pytest.mark.parametrize("trouble", REFUSALS, ids=lambda one: f"{one.kind}-{'-'.join(one.acts)}-{one.state}")
def test_what_a_server_refuses(office: Office, sink: Sink, trouble: Trouble) -> None:
    office.talk.environ(CRMMAIL_SMTP_TIMEOUT="1")
    number = office.letter()
    sink.answer(**trouble.acts)
    said = office.talk.cli("outbox send")
    assert said.code == (1 if trouble.state == "failed" else 0)
    assert said.err.count("\n") == 1
    assert trouble.reason in said.err and trouble.advice in said.err
    check(office, number, trouble)
    cleared(office, number, sink)


class TestTheWayOutIsShut:
    """What meets every mail: it waits, and tries again in a minute."""

    def shut(self, office: Office, kind: str, reason: str, advice: str) -> None:
        number = office.letter()
        said = office.talk.cli("outbox send")
        assert (said.code, said.out) == (0, "")
        check(office, number, Trouble(kind, "queued", {}, reason, advice))
        assert (office.row(number).due - office.talk.clock).total_seconds() == 60
        assert office.sink.received == []
        cleared(office, number, office.sink)

    def test_nobody_listens(self, office: Office, new_sink: Callable[..., Sink]) -> None:
        away = new_sink()
        away.stop()
        office.use(away.url)
        self.shut(office, "no-connection", "Connection refused", "Check that the mail server runs")

    def test_no_such_host(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        # The test's own name server: what loopback cannot do is ask the real one.
        def unknown(*_: object, **__: object) -> list[object]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        office.use("smtp://mail.customer.invalid:25")
        with monkeypatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", unknown)
            number = office.letter()
            office.talk.do("outbox send")
        check(office, number, Trouble("no-such-host", "queued", {}, "mail.customer.invalid", "Check the host"))
        cleared(office, number, office.sink)

    def test_an_authority_that_nobody_knows(self, office: Office, new_sink: Callable[..., Sink]) -> None:
        office.use(new_sink(tls="starttls").url)
        self.shut(office, "tls", "certificate", "as its certificate does")

    @pytest.mark.usefixtures("trusted")
    def test_a_certificate_of_another_host(
        self, office: Office, new_sink: Callable[..., Sink], authority: object
    ) -> None:
        other = authority.issue_cert("mail.other.example")  # type: ignore[attr-defined]
        office.use(new_sink(tls="tls", certificate=other).url)
        self.shut(office, "tls", "certificate", "as its certificate does")

    def test_no_starttls(self, office: Office) -> None:
        office.use(office.sink.url + "?starttls=1")
        self.shut(office, "tls", "offers no STARTTLS", "as its certificate does")

    @pytest.mark.usefixtures("trusted")
    def test_a_wrong_password(self, office: Office, new_sink: Callable[..., Sink]) -> None:
        server = new_sink(tls="starttls", user="agent", password="right")
        office.use(server.url, CRMMAIL_SMTP_PASSWORD="wr0ng-s3cret")
        self.shut(office, "login", "535 5.7.8", "Check the user in smtp.url and the password")
        assert "wr0ng-s3cret" not in office.talk.do("log --file")

    def test_no_password(self, office: Office, new_sink: Callable[..., Sink]) -> None:
        office.use(new_sink(user="agent", password="right").url)
        self.shut(office, "no-login", "no password is set", "smtp.password_command")

    def test_a_password_command_that_fails(self, office: Office, new_sink: Callable[..., Sink]) -> None:
        server = new_sink(user="agent", password="right")
        office.use(server.url, CRMMAIL_SMTP_PASSWORD_COMMAND="false")
        self.shut(office, "secret", "smtp.password_command ended with 1", "in a terminal")

    @pytest.mark.usefixtures("trusted")
    @pytest.mark.parametrize("tls", ["starttls", "tls"])
    def test_with_the_right_password_it_leaves(self, office: Office, new_sink: Callable[..., Sink], tls: str) -> None:
        server = new_sink(tls=tls, user="agent", password="right")
        office.use(server.url, CRMMAIL_SMTP_PASSWORD_COMMAND="echo right")
        office.letter()
        assert office.talk.do("outbox send") == "1 sent"
        assert server.recipients == [ANA]


class TestCommands:
    def test_reply_says_what_failed_and_ends_with_1(self, office: Office, sink: Sink) -> None:
        sink.answer(recipient="550 5.1.1 no such user")
        said = office.talk.cli(["reply", str(office.case), "-m", "Pull the plug!"], "agent")
        assert said.code == 1
        assert (
            "not sent to ana@example.com: 550 5.1.1 no such user. Ask the recipient for the right address" in said.err
        )
        assert office.items() == [("failed", "failed")]

    def test_reply_that_waits_ends_with_0(self, office: Office, sink: Sink) -> None:
        sink.answer(recipient="451 4.7.1 Greylisted")
        said = office.talk.cli(["reply", str(office.case), "-m", "Pull the plug!"], "agent")
        assert (said.code, said.err) == (0, "")
        assert "waits in the outbox" in said.out and "Greylisted" in said.out

    def test_tick_is_silent_about_greylisting(self, office: Office, sink: Sink) -> None:
        sink.answer(recipient="451 4.7.1 Greylisted")
        office.letter()
        said = office.talk.cli("tick")
        assert (said.code, said.out, said.err) == (0, "", "")

    def test_tick_says_what_fails_for_good(self, office: Office, sink: Sink) -> None:
        sink.answer(recipient="550 5.1.1 no such user")
        office.letter()
        said = office.talk.cli("tick")
        assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
        again = office.talk.cli("tick")
        assert (again.code, again.out, again.err) == (0, "", "")

    def test_tick_says_once_that_the_server_is_away(self, office: Office, sink: Sink) -> None:
        sink.stop()
        office.letters([ANA, "bob@example.com"])
        assert office.talk.cli("tick").err.count("\n") == 1
        for seconds in (30, 20, 1200, 30):
            office.talk.wait(seconds=seconds)
            office.letter("eve@example.com")  # a new letter is no new trouble
            said = office.talk.cli("tick")
            assert (said.code, said.out, said.err) == (0, "", "")

    def test_an_address_that_does_not_exist_warns_the_next_time(self, office: Office, sink: Sink) -> None:
        sink.answer(recipient="550 5.1.1 no such user")
        office.letter()
        office.talk.cli("tick")
        said = office.talk.cli(["reply", str(office.case), "-m", "Hello?"], "agent")
        assert "mail to ana@example.com came back before: 550 5.1.1 no such user" in said.err


class TestGreylisting:
    def test_after_its_delay_it_goes_by_itself(self, office: Office, sink: Sink) -> None:
        number = office.letter()
        sink.answer(recipient=["451 4.7.1 Greylisted, please come back", "ok"])
        assert office.talk.cli("tick").code == 0
        office.talk.wait(minutes=4)
        office.talk.do("tick")
        assert (office.row(number).state, sink.received) == ("queued", [])
        office.talk.wait(minutes=1)
        office.talk.do("tick")
        assert office.row(number).state == "sent"
        assert [identifier(mail) for mail in office.mails()] == [office.row(number).identifier]
        assert office.items() == []

    def test_after_the_third_try_somebody_hears(self, office: Office, sink: Sink) -> None:
        office.letter()
        sink.answer(recipient="451 4.7.1 Greylisted")
        heard = []
        for minutes in (0, 5, 15, 60):
            office.talk.wait(minutes=minutes)
            office.talk.do("tick")
            heard.append(office.items())
        assert heard == [[], [], [("waiting", "waiting")], [("waiting", "waiting")]]


# --- by Postfix ---------------------------------------------------------------------------------------------


class TestPostfix:
    @pytest.mark.parametrize(
        ("to", "kind", "state", "reason"),
        [
            ("nobody@customer.example", "recipient", "failed", "550 5.1.1"),
            ("grey@customer.example", "greylisted", "queued", "450 4.7.1"),
            ("full@customer.example", "quota", "failed", "552 5.2.2"),
            ("ann@elsewhere.example", "address", "failed", "550 5.4.4"),
        ],
    )
    def test_a_recipient(self, office: Office, postfix: Postfix, to: str, kind: str, state: str, reason: str) -> None:
        office.use(postfix.url)
        numbers = office.letters([to, "ann@customer.example"])
        assert office.talk.cli("outbox send").code == (1 if state == "failed" else 0)
        refused, taken = (office.row(number) for number in numbers)
        assert (refused.failure, refused.state, taken.state) == (kind, state, "sent")
        assert reason in refused.reason and refused.reason.isprintable()
        assert office.envelope() == ("failed" if state == "failed" else "waiting")
        assert len(postfix.mailbox("ann@customer.example")) == 1

    def test_a_sender(self, office: Office, postfix: Postfix) -> None:
        office.use(postfix.url, CRMMAIL_MAIL_BOUNCE="evil@crm.example")
        number = office.letter("ann@customer.example")
        assert office.talk.cli("outbox send").code == 1
        assert (office.row(number).failure, office.items()) == ("sender", [("failed", "failed")])
        assert "553 5.7.1" in office.row(number).reason

    def test_a_mail_that_is_too_large(self, office: Office, postfix: Postfix) -> None:
        postfix.configure(message_size_limit=20_000)
        office.use(postfix.url)
        number = office.letter("ann@customer.example", text="x" * 70 + "\n" + "many words\n" * 3_000)
        assert office.talk.cli("outbox send").code == 1
        row = office.row(number)
        assert (row.failure, row.state) == ("size", "failed")
        assert "takes 20000" in row.reason

    def test_a_wrong_password_and_the_right_one(
        self, office: Office, postfix: Postfix, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(postfix.ca_file))
        office.use(postfix.submission_url, CRMMAIL_SMTP_PASSWORD="wrong")
        number = office.letter("ann@customer.example")
        office.talk.do("outbox send")
        assert (office.row(number).failure, office.row(number).state) == ("login", "queued")
        office.talk.environ(CRMMAIL_SMTP_PASSWORD=postfix.password)
        office.talk.do("outbox retry")
        assert office.talk.do("outbox send") == "1 sent"
        (mail,) = postfix.mailbox("ann@customer.example")
        assert f"Message-ID: <{office.row(number).identifier}>".encode() in mail


def test_the_log_and_the_errors_have_one_clean_line(office: Office, sink: Sink, talk: Talk) -> None:
    sink.answer(recipient="550-5.1.1 no \x1b[31msuch\r\n550 5.1.1 user")
    number = office.letter()
    assert talk.cli("tick").err.count("\n") == 1
    assert office.row(number).reason.isprintable()
    assert "\x1b" not in talk.do(f"show {office.case} --peek") + talk.do(f"outbox show {number}")
