"""The sink takes mail over SMTP, keeps each in a file, and refuses whom it is told to refuse."""

from __future__ import annotations

import smtplib
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from crmmail.errors import CrmmailError
from crmmail.server.sink import Sink

MAIL = b"From: agent@crm.test\r\nTo: ann@customer.test\r\nSubject: Hello\r\n\r\n.dots\r\n\xd0\x9f\r\n"


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with Sink(tmp_path / "sent", refused={"gone@customer.test": "550 5.1.1 no such user"}) as found:
        yield found


def send(sink: Sink, recipients: list[str], sender: str = "agent@crm.test", data: bytes = MAIL) -> None:
    place = urlsplit(sink.url)
    with smtplib.SMTP(place.hostname or "", place.port or 0, timeout=10) as client:
        client.sendmail(sender, recipients, data)


def test_a_mail_is_kept_as_it_came(sink: Sink) -> None:
    send(sink, ["ann@customer.test"])
    assert sink.mails() == [("ann@customer.test", MAIL, "agent@crm.test")]
    assert (sink.folder / "0001-ann@customer.test.eml").read_bytes() == MAIL


def test_mails_are_for_their_owner_only(sink: Sink) -> None:
    send(sink, ["ann@customer.test"])
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (sink.folder, *sink.folder.iterdir())]
    assert modes == [0o700, 0o600]


def test_mails_are_numbered_in_the_order_in_which_they_came(sink: Sink) -> None:
    send(sink, ["ann@customer.test", "bob@customer.test"])
    send(sink, ["ann@customer.test"], sender="")
    names = sorted(path.name for path in sink.folder.iterdir())
    assert names == ["0001-ann@customer.test.eml", "0002-bob@customer.test.eml", "0003-ann@customer.test.eml"]
    assert [mail.sender for mail in sink.mails()] == ["agent@crm.test", "agent@crm.test", ""]


def test_a_recipient_that_it_was_told_to_refuse_is_refused(sink: Sink) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refusal:
        send(sink, ["gone@customer.test"])
    assert refusal.value.recipients == {"gone@customer.test": (550, b"5.1.1 no such user")}
    send(sink, ["gone@customer.test", "ann@customer.test"])
    assert [mail.recipient for mail in sink.mails()] == ["ann@customer.test"]


def test_a_recipient_cannot_choose_the_place_of_its_file(sink: Sink) -> None:
    send(sink, ["../../x@customer.test"])
    assert [path.name for path in sink.folder.iterdir()] == ["0001-x@customer.test.eml"]
    assert sorted(path.name for path in sink.folder.parent.iterdir()) == ["sent"]


def test_what_lies_in_the_folder_already_is_not_written_over(tmp_path: Path) -> None:
    for _ in range(2):
        with Sink(tmp_path) as sink:
            send(sink, ["ann@customer.test"])
            assert len(sink.mails()) == 1
    assert sorted(path.name[:4] for path in tmp_path.iterdir()) == ["0001", "0002"]


def test_a_mail_that_cannot_be_kept_is_refused(sink: Sink) -> None:
    (sink.folder / "0002-ann@customer.test.eml").touch()  # where the second file would go
    with pytest.raises(smtplib.SMTPDataError, match="452"):
        send(sink, ["ann@customer.test"])
    assert sink.mails() == []


def test_it_listens_on_loopback_only(sink: Sink) -> None:
    place = urlsplit(sink.url)
    assert place.hostname == "127.0.0.1"
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", place.port), timeout=1):
        pass


def test_after_stop_nobody_is_served_and_the_mails_are_still_there(sink: Sink) -> None:
    send(sink, ["ann@customer.test"])
    place = urlsplit(sink.url)
    idle = smtplib.SMTP(place.hostname or "", place.port or 0, timeout=10)
    sink.stop()
    with pytest.raises(smtplib.SMTPServerDisconnected):
        idle.docmd("NOOP")
    idle.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((place.hostname, place.port), timeout=1)
    assert [mail.recipient for mail in sink.mails()] == ["ann@customer.test"]
    sink.stop()


def test_it_has_no_address_before_it_is_started(tmp_path: Path) -> None:
    sink = Sink(tmp_path)
    with pytest.raises(CrmmailError, match="before it is started"):
        _ = sink.url
    sink.stop()
