"""The throw-away Postfix of the tests is itself what it says: each answer, the mailboxes, the queue, the pipe."""

from __future__ import annotations

import email
import email.policy
import smtplib
import socket
import ssl
from email.message import EmailMessage
from pathlib import Path

import pytest
from postfix import HOST, Postfix

BOB = "bob@crm.example"
ANN = "ann@customer.example"
LETTER = b"""\
From: bob@crm.example
To: somebody
Subject: An offer
Message-ID: <1@crm.example>
Date: Mon, 21 Jul 2025 10:00:00 +0000

For ten.
""".replace(b"\n", b"\r\n")


def send(postfix: Postfix, to: str, sender: str = BOB, letter: bytes = LETTER) -> None:
    with smtplib.SMTP(HOST, postfix.port, timeout=10) as connection:
        connection.sendmail(sender, [to], letter)


def refusal(postfix: Postfix, to: str) -> tuple[int, str]:
    """Status and first word of the answer to RCPT."""
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        send(postfix, to)
    ((status, words),) = caught.value.recipients.values()
    return status, words.decode().split()[0]


def parse(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


@pytest.fixture
def mda(tmp_path: Path) -> str:
    """A command that keeps its words and its mail, then leaves with the status that the test has written."""
    script = tmp_path / "mda"
    script.write_text(
        f"""#!/bin/sh
cd {tmp_path}
cat >mail
printf '%s\\n' "$@" >words
echo "said by the mda ($WHO)"
eval "$(cat end)"
"""
    )
    script.chmod(0o755)
    (tmp_path / "end").write_text("exit 0")
    return f"{script} --sender=${{sender}} --recipient=${{original_recipient}} {{--note=two words}}"


# -- mailboxes --------------------------------------------------------------------------------------------------------


def test_each_mailbox_gets_its_mails_in_order(postfix: Postfix) -> None:
    for number in range(3):
        send(postfix, ANN, letter=LETTER.replace(b"offer", b"offer %d" % number))
        assert len(postfix.mailbox(ANN)) == number + 1
    send(postfix, "Eve+tag@Customer.Example", letter=b"Subject: dots\r\n\r\n..\r\n.\r\n\xc3\xa9\r\n")

    assert [parse(raw)["Subject"] for raw in postfix.mailbox(ANN)] == ["An offer 0", "An offer 1", "An offer 2"]
    assert postfix.mailbox(ANN)[0].endswith(b"\nDate: Mon, 21 Jul 2025 10:00:00 +0000\n\nFor ten.\n")
    (raw,) = postfix.mailbox("eve@customer.example")
    assert raw.startswith(b"Return-Path: <bob@crm.example>\nX-Original-To: Eve+tag@Customer.Example\n")
    assert raw.endswith(b"\n\n..\n.\n\xc3\xa9\n")
    assert postfix.mailbox(BOB) == [] == postfix.queue()


def test_clear_forgets_everything(postfix: Postfix, mda: str) -> None:
    send(postfix, ANN)
    send(postfix, "slow@customer.example")
    postfix.configure(message_size_limit=2000)
    postfix.deliver_to(mda)
    assert postfix.mailbox(ANN) and postfix.queue()

    postfix.clear()

    assert postfix.mailbox(ANN) == [] == postfix.queue()
    send(postfix, BOB, letter=LETTER + b"x" * 3000)
    assert len(postfix.mailbox(BOB)) == 1, "no size limit, and no MDA"
    assert "An offer" not in postfix.log() and ANN not in postfix.log()


# -- trouble ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "answer"),
    [
        ("nobody@customer.example", (550, "5.1.1")),
        ("nobody+c-101@customer.example", (550, "5.1.1")),
        ("grey@customer.example", (450, "4.7.1")),
        ("full@customer.example", (552, "5.2.2")),
        ("ann@elsewhere.example", (550, "5.4.4")),
    ],
)
def test_a_refused_recipient(postfix: Postfix, to: str, answer: tuple[int, str]) -> None:
    assert refusal(postfix, to) == answer


def test_the_others_get_their_mail_when_one_recipient_is_refused(postfix: Postfix) -> None:
    with smtplib.SMTP(HOST, postfix.port, timeout=10) as connection:
        refused = connection.sendmail(BOB, [ANN, "full@customer.example"], LETTER)
    assert list(refused) == ["full@customer.example"]
    assert len(postfix.mailbox(ANN)) == 1


def test_a_refused_sender(postfix: Postfix) -> None:
    with pytest.raises(smtplib.SMTPSenderRefused) as caught:
        send(postfix, ANN, sender="evil@crm.example")
    assert caught.value.smtp_code == 553
    assert caught.value.smtp_error.startswith(b"5.7.1 ")


def test_a_letter_that_is_too_long(postfix: Postfix) -> None:
    postfix.configure(message_size_limit=2000)
    with pytest.raises(smtplib.SMTPSenderRefused) as caught:  # smtplib tells SIZE with MAIL FROM
        send(postfix, ANN, letter=LETTER + b"x" * 3000)
    assert (caught.value.smtp_code, caught.value.smtp_error[:5]) == (552, b"5.3.4")
    send(postfix, ANN)
    assert len(postfix.mailbox(ANN)) == 1


def test_what_cannot_be_delivered_yet_waits(postfix: Postfix) -> None:
    send(postfix, "slow@customer.example")
    (waiting,) = postfix.queue()
    assert (waiting["queue_name"], waiting["sender"]) == ("deferred", BOB)
    assert waiting["recipients"][0]["address"] == "slow@customer.example"
    assert "Connection refused" in waiting["recipients"][0]["delay_reason"]

    postfix.flush()

    assert [again["queue_id"] for again in postfix.queue()] == [waiting["queue_id"]]
    assert postfix.log().count("status=deferred") == 2


# -- login ------------------------------------------------------------------------------------------------------------


def test_starttls_and_login(postfix: Postfix) -> None:
    trust = ssl.create_default_context(cafile=str(postfix.ca_file))
    with smtplib.SMTP(HOST, postfix.submission_port, timeout=10) as connection:
        with pytest.raises(smtplib.SMTPSenderRefused) as early:
            connection.sendmail(BOB, [ANN], LETTER)
        assert (early.value.smtp_code, early.value.smtp_error) == (530, b"5.7.0 Must issue a STARTTLS command first")
        connection.starttls(context=trust)
        with pytest.raises(smtplib.SMTPRecipientsRefused) as nameless:
            connection.sendmail(BOB, [ANN], LETTER)
        assert nameless.value.recipients[ANN][0] == 554
        with pytest.raises(smtplib.SMTPAuthenticationError) as wrong:
            connection.login(postfix.user, "guess")
        assert (wrong.value.smtp_code, wrong.value.smtp_error[:5]) == (535, b"5.7.8")
        connection.login(postfix.user, postfix.password)
        connection.sendmail(BOB, [ANN], LETTER)
    assert len(postfix.mailbox(ANN)) == 1


def test_tls_from_the_first_byte(postfix: Postfix) -> None:
    trust = ssl.create_default_context(cafile=str(postfix.ca_file))
    with smtplib.SMTP_SSL(HOST, postfix.smtps_port, timeout=10, context=trust) as connection:
        connection.login(postfix.user, postfix.password)
        connection.sendmail(BOB, [ANN], LETTER)
    assert len(postfix.mailbox(ANN)) == 1


def test_a_stranger_certificate_is_not_trusted(postfix: Postfix) -> None:
    with pytest.raises(ssl.SSLCertVerificationError), smtplib.SMTP(HOST, postfix.submission_port) as connection:
        connection.starttls(context=ssl.create_default_context())


def test_the_plain_port_knows_neither_tls_nor_login(postfix: Postfix) -> None:
    with smtplib.SMTP(HOST, postfix.port, timeout=10) as connection:
        connection.ehlo()
        assert not connection.has_extn("starttls") and not connection.has_extn("auth")


# -- the pipe ---------------------------------------------------------------------------------------------------------


def test_our_mail_goes_into_the_pipe(postfix: Postfix, mda: str, tmp_path: Path) -> None:
    postfix.deliver_to(mda)
    send(postfix, "Support+c101-abc@crm.example", sender=ANN, letter=LETTER + b"\xc3\xa9\r\n" * 3)
    assert postfix.queue() == [] == postfix.mailbox("support@crm.example")

    assert (tmp_path / "words").read_text().splitlines() == [
        f"--sender={ANN}",
        "--recipient=Support+c101-abc@crm.example",
        "--note=two words",
    ]
    mail = (tmp_path / "mail").read_bytes()
    assert mail.startswith(b"Received: from ")
    assert mail.endswith(b"\n\nFor ten.\n" + b"\xc3\xa9\n" * 3)
    assert "status=sent" in postfix.log()


def test_two_recipients_are_two_calls(postfix: Postfix, mda: str, tmp_path: Path) -> None:
    (tmp_path / "end").write_text('echo "$2" >>all')
    postfix.deliver_to(mda, flags="R")
    with smtplib.SMTP(HOST, postfix.port, timeout=10) as connection:
        connection.sendmail(ANN, ["sales@crm.example", "support@crm.example"], LETTER)
    postfix.settle()
    assert sorted((tmp_path / "all").read_text().splitlines()) == [
        "--recipient=sales@crm.example",
        "--recipient=support@crm.example",
    ]
    assert (tmp_path / "mail").read_bytes().startswith(b"Return-Path: <ann@customer.example>\n")


def test_another_domain_can_be_ours(postfix: Postfix, mda: str, tmp_path: Path) -> None:
    postfix.deliver_to(mda, domain="crm.test")
    send(postfix, "support@crm.test", sender=ANN)
    assert postfix.queue() == []
    assert "--recipient=support@crm.test" in (tmp_path / "words").read_text()
    assert refusal(postfix, BOB) == (550, "5.4.4")


@pytest.mark.parametrize("end", ["exit 75", "kill -9 $$"])
def test_what_the_mda_does_not_take_is_offered_again(postfix: Postfix, mda: str, tmp_path: Path, end: str) -> None:
    (tmp_path / "end").write_text(end)
    postfix.deliver_to(mda, env={"WHO": "me"})
    send(postfix, "support@crm.example", sender=ANN)
    (waiting,) = postfix.queue()
    assert "said by the mda (me)" in waiting["recipients"][0]["delay_reason"]

    (tmp_path / "mail").unlink()
    (tmp_path / "end").write_text("exit 0")
    postfix.flush()

    assert postfix.queue() == []
    assert (tmp_path / "mail").read_bytes().endswith(b"\n\nFor ten.\n")
    assert postfix.mailbox(ANN) == []


def test_any_other_status_returns_the_mail_to_its_sender(postfix: Postfix, mda: str, tmp_path: Path) -> None:
    (tmp_path / "end").write_text("exit 1")
    postfix.deliver_to(mda)
    send(postfix, "support@crm.example", sender=ANN)
    (returned,) = postfix.mailbox(ANN)
    assert parse(returned).get_content_type() == "multipart/report"
    assert postfix.queue() == []


def test_a_late_bounce_comes_back_through_the_pipe(postfix: Postfix, mda: str, tmp_path: Path) -> None:
    postfix.deliver_to(mda)
    send(postfix, "late@customer.example", sender="bounces+d7@crm.example")
    postfix.settle()

    words = (tmp_path / "words").read_text().splitlines()
    assert words[:2] == ["--sender=", "--recipient=bounces+d7@crm.example"]
    report = parse((tmp_path / "mail").read_bytes())
    assert report.get_content_type() == "multipart/report"
    assert report["From"] == "Mail Delivery System <MAILER-DAEMON@mx.crm.example>"
    _words, status, original = report.iter_parts()
    _about_the_mail, about_the_recipient = status.iter_parts()
    assert about_the_recipient["Final-Recipient"] == "rfc822; late@customer.example"
    assert (about_the_recipient["Action"], about_the_recipient["Status"]) == ("failed", "5.1.1")
    assert about_the_recipient["Diagnostic-Code"].startswith("smtp; 550 5.1.1 ")
    assert original.get_content()["Message-ID"] == "<1@crm.example>"


# -- the end ----------------------------------------------------------------------------------------------------------


def _command_lines() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            pass  # it has just ended
    return found


def test_nothing_is_left_of_it(postfix: Postfix, mda: str, tmp_path: Path) -> None:
    """Not even when it is stopped while an MDA sleeps."""
    (tmp_path / "end").write_text("sleep 1000")
    with Postfix() as second:
        second.deliver_to(mda)
        send(second, "support@crm.example", sender=ANN)
        with pytest.raises(TimeoutError):
            second.settle(0.3)
        started = [line for line in _command_lines() if str(second.dir) in line]
        assert any("/master -c" in line for line in started)
        assert any(f"{second.dir}/door " in line for line in started)
        assert any(str(tmp_path) in line for line in _command_lines())

    assert not second.dir.exists()
    assert not [line for line in _command_lines() if str(second.dir) in line or str(tmp_path) in line]
    for port in (second.port, second.submission_port, second.smtps_port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, port), 5)
    send(postfix, ANN)
    assert len(postfix.mailbox(ANN)) == 1, "the other one is not touched"
