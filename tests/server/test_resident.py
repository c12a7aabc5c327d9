"""The socket of `crmmail-mda`: it takes the mail of whoever has the same settings, and tells all others to do it."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

import pytest
from lmtp import Client, Desk

from crmmail import handover
from crmmail.errors import StoreBusy
from crmmail.server.resident import DO_IT_YOURSELF, Resident, Settings, at_home, settings_of
from crmmail.workspace import Choice

MAIL = b"From: ann@customer.example\r\n\r\nHello\r\n"


class House:
    """A server for the store of a home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environ = {"HOME": str(home), "CRMMAIL_DB": str(home / "crm.db"), "CRMMAIL_LOOP_MAILS": "5"}
        (home / "crm.db").touch()
        self.desk = Desk()

    def ours(self) -> Settings:
        return settings_of(Choice(), at_home(self.environ, os.getuid()))

    def connect(self) -> Client:
        return Client(self.desk, Resident, self.ours)

    def asks(self, *words: str, mail: bytes = MAIL, environ: Mapping[str, str] | None = None) -> bytes:
        """What one client gets to hear."""
        client = self.connect()
        said = client.sends(request(*words, mail=mail, environ=self.environ if environ is None else environ))
        assert not client.wire.open
        return said


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def request(*words: str, mail: bytes = MAIL, environ: Mapping[str, str]) -> bytes:
    fields = b"".join(one.encode() + b"\0" for one in (str(len(words)), *words, *map("=".join, environ.items())))
    return b"crmmail-mda 1 %d %d\n%b%b" % (len(fields), len(mail), fields, mail)


def test_a_mail_is_taken_with_all_that_its_line_says(house: House) -> None:
    assert house.asks("--sender=", "--recipient=Support@crm.test", "-s", "support", "-u3", "-padmin") == b"0 0\n"
    (mail,) = house.desk.mails
    envelope = mail.options.envelope
    assert mail.letter.whole() == MAIL
    assert (envelope.recipients, envelope.section, envelope.null_sender) == (("support@crm.test",), "support", True)
    assert (mail.options.user, mail.options.password) == ("3", True)
    assert house.desk.places == 0


def test_it_is_what_the_client_sends(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in os.environ if one.startswith(("CRMMAIL_", "XDG_"))]:
        monkeypatch.delenv(name)
    for name, value in house.environ.items():
        monkeypatch.setenv(name, value)
    client = house.connect()
    sent = handover.request(["--recipient=support@crm.test", "-v"], MAIL)
    for at in range(len(sent) - 1):
        assert client.sends(sent[at : at + 1]) == b""
    said = client.sends(sent[-1:])
    assert said.startswith(b"0 ") and said.endswith(b"crmmail-mda: stored #101 (new): a new case [new]")
    assert house.desk.mails[0].letter.whole() == MAIL


def test_lines_for_stderr_come_with_their_length(house: House) -> None:
    head, _, lines = house.asks("-v").partition(b"\n")
    assert head == b"0 %d" % len(lines)


def test_nothing_is_said_before_the_verdict(house: House) -> None:
    house.desk.slow = True
    client = house.connect()
    assert client.sends(request(environ=house.environ)) == b""
    house.desk.catch_up()
    assert (client.wire.out, len(house.desk.mails)) == (b"", 1)
    house.desk.catch_up()
    assert client.wire.out == b"0 0\n"


@pytest.mark.parametrize(("trouble", "said"), [("", b"75 0\n"), ("locked", b"75 6\nlocked")])
def test_doctor_hears_whether_a_mail_could_be_taken(house: House, trouble: str, said: bytes) -> None:
    house.desk.slow, house.desk.trouble = True, trouble
    client = house.connect()
    assert client.sends(b"doctor\n") == b"", "it asks the store"
    house.desk.catch_up()
    assert (client.wire.out, client.wire.open) == (said, False)
    assert (house.desk.asked, house.desk.places, house.desk.mails) == ([0], 0, [])


@pytest.mark.parametrize("trouble", ["full", "not committed"])
def test_trouble_is_the_clients(house: House, trouble: str) -> None:
    if trouble == "full":
        house.desk.trouble = "too many mails wait already"
    else:
        house.desk.verdict = StoreBusy("locked")
    assert house.asks() == DO_IT_YOURSELF
    assert house.desk.places == 0


@pytest.mark.parametrize(
    ("words", "environ", "taken"),
    [
        ((), {}, True),
        (("-u3",), {"CRMMAIL_USER": "bob", "CRMMAIL_SMTP_URL": "smtp://x", "XDG_RUNTIME_DIR": "/run/x"}, True),
        (("--db", "{home}/crm.db"), {}, True),
        (("--db", "{home}/./crm.db"), {"CRMMAIL_DB": "/elsewhere.db"}, True),
        (("--db", "{home}/link.db"), {}, True),
        ((), {"HOME": "/nowhere"}, True),
        ((), {"CRMMAIL_SERVE_LMTP": "off"}, True),
        (("--db", "{home}/other.db"), {}, False),
        ((), {"CRMMAIL_DB": "{home}/other.db"}, False),
        ((), {"CRMMAIL_LOOP_MAILS": "6"}, False),
        ((), {"CRMMAIL_NOW": "2026-11-24T10:00:00Z"}, False),
        (("--config", "{home}/other.toml"), {}, False),
        (("--config", "{home}/none.toml"), {}, False),
        ((), {"XDG_CONFIG_HOME": "{home}/config"}, False),
        (("--nonsense",), {}, False),
        (("support",), {}, False),
    ],
)
def test_only_who_has_the_same_settings_is_served(
    house: House, words: tuple[str, ...], environ: dict[str, str], taken: bool
) -> None:
    (house.home / "link.db").symlink_to(house.home / "crm.db")
    (house.home / "other.toml").write_text("[loop]\nmails = 5\n")
    (house.home / "config" / "crmmail").mkdir(parents=True)
    (house.home / "config" / "crmmail" / "config.toml").write_text("[loop]\nmails = 7\n")
    more = {name: value.format(home=house.home) for name, value in environ.items()}
    said = house.asks(*(one.format(home=house.home) for one in words), environ={**house.environ, **more})
    assert (said == b"0 0\n", len(house.desk.mails)) == (taken, int(taken)), said


def test_a_setting_that_only_the_server_has_is_another_one(house: House) -> None:
    del (theirs := dict(house.environ))["CRMMAIL_LOOP_MAILS"]
    assert house.asks(environ=theirs) == DO_IT_YOURSELF


def test_a_client_without_home_is_at_home_where_its_user_is(house: House) -> None:
    home = at_home({}, os.getuid())["XDG_CONFIG_HOME"]
    assert home == os.path.join(pwd.getpwuid(os.getuid()).pw_dir, ".config")
    assert at_home({"HOME": "/h", "XDG_CONFIG_HOME": "relative"}, 0)["XDG_CONFIG_HOME"] == "/h/.config"


def test_who_has_a_mark_of_failure_of_his_own_delivers_and_clears_it(house: House) -> None:
    mark = house.home / ".local" / "state" / "crmmail" / "failing"
    mark.parent.mkdir(parents=True)
    mark.touch()
    assert house.asks() == DO_IT_YOURSELF
    mark.unlink()
    assert house.asks() == b"0 0\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n",
        b"crmmail-mda 2 2 3\n0\0abc",
        b"crmmail-mda 1 2\n",
        b"crmmail-mda 1 -2 3\n",
        b"crmmail-mda 1 \xb2 3\n",
        b"x" * 100,
        b"crmmail-mda 1 2 0\n0\0",
        b"crmmail-mda 1 2 %d\n" % (handover.MOST + 1),
        b"crmmail-mda 1 999999999 3\n",
        b"crmmail-mda 1 2 3\n7\0abc",
        b"crmmail-mda 1 2 3\nx\0abc",
        b"crmmail-mda 1 1 3\n\0abc",
    ],
)
def test_what_is_no_request_is_declined(house: House, sent: bytes) -> None:
    client = house.connect()
    assert client.sends(sent) == DO_IT_YOURSELF
    assert not client.wire.open
    assert house.desk.mails == []
