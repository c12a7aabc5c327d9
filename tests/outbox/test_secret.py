"""The password of the mail server: where it may come from, and that it is seen nowhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mailsink import Sink
from outgoing import Office

from crmmail import secret
from crmmail.errors import ConfigBroken
from crmmail.secret import smtp_password

PASSWORD = "S3cret-päss wörd"


def file(folder: Path, words: str | bytes = PASSWORD + "\n", mode: int = 0o600) -> str:
    path = folder / "password"
    path.write_bytes(words.encode() if isinstance(words, str) else words)
    path.chmod(mode)
    return str(path)


def test_environment_before_command_before_file(tmp_path: Path) -> None:
    there = file(tmp_path, "of the file")
    environ = {secret.VARIABLE: "of the environment"}
    assert smtp_password("echo of the command", there, environ) == "of the environment"
    assert smtp_password("echo of the command", there, {secret.VARIABLE: ""}) == "of the command"
    assert smtp_password("", there, {}) == "of the file"
    assert smtp_password("", "", {}) == ""


@pytest.mark.parametrize(
    ("words", "password"),
    [
        (PASSWORD, PASSWORD),
        (f"{PASSWORD}\n", PASSWORD),
        (f"{PASSWORD}\r\n", PASSWORD),
        (f"{PASSWORD}\nlogin: agent\n", PASSWORD),  # as `pass show` prints it
        ("  blanks count \n", "  blanks count "),
    ],
)
def test_the_first_line_is_the_password(tmp_path: Path, words: str, password: str) -> None:
    there = file(tmp_path, words)
    assert smtp_password("", there, {}) == password
    assert smtp_password(f"cat {there}", "", {}) == password


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    there = file(tmp_path, mode=mode)
    with pytest.raises(ConfigBroken, match=f"can be read by others: chmod 600 {there}") as error:
        smtp_password("", there, {})
    assert PASSWORD not in str(error.value)
    os.chmod(there, 0o600)
    assert smtp_password("", there, {}) == PASSWORD


@pytest.mark.parametrize(("path", "sentence"), [("/nowhere/password", "No such file"), ("/", "Is a directory")])
def test_a_file_that_cannot_be_read(path: str, sentence: str) -> None:
    with pytest.raises(ConfigBroken, match=sentence):
        smtp_password("", path, {})


def test_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigBroken, match="is empty"):
        smtp_password("", file(tmp_path, "\nsecond line\n"), {})


def test_a_file_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file(tmp_path)
    assert smtp_password("", "~/password", {}) == PASSWORD


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("false", "ended with 1: try it in a terminal"),
        ("true", "printed nothing"),
        ("no-such-program-here hunter2", "cannot be run: No such file or directory"),
        ("echo 'hunter2", "cannot be run: No closing quotation"),
        ("ls /no/such/hunter2", "ended with 2"),
        ("hunter2", "cannot be run: No such file or directory"),
    ],
)
def test_a_command_that_fails_repeats_no_word_of_it(command: str, sentence: str) -> None:
    with pytest.raises(ConfigBroken) as error:
        smtp_password(command, "", {})
    assert sentence in str(error.value)
    assert "hunter2" not in str(error.value)


def test_a_command_runs_without_a_shell(tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert smtp_password(f"echo $HOME; touch {made} `id` | cat > {made}", "", {}).startswith("$HOME; touch")
    assert not made.exists()


def test_a_command_cannot_ask_and_cannot_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigBroken, match="printed nothing"):
        smtp_password("cat", "", {})  # its stdin is empty
    monkeypatch.setattr(secret, "SECONDS", 0.2)
    began = time.monotonic()
    with pytest.raises(ConfigBroken, match="did not answer within"):
        smtp_password("sleep 20", "", {})
    with pytest.raises(ConfigBroken, match="did not answer within"):
        smtp_password("sh -c 'sleep 20 & sleep 20'", "", {})
    assert time.monotonic() - began < 5


def test_a_command_without_end_is_stopped() -> None:
    began = time.monotonic()
    with pytest.raises(ConfigBroken, match="prints more than 65536 bytes"):
        smtp_password("yes", "", {})
    assert time.monotonic() - began < 5
    with pytest.raises(ConfigBroken, match="prints more than"):
        smtp_password(f"head -c {secret.LONGEST + 1} /dev/zero", "", {})


def test_the_notes_below_a_password_may_be_long(tmp_path: Path) -> None:
    there = file(tmp_path, PASSWORD + "\n" + "x" * 60_000)
    assert smtp_password(f"cat {there}", "", {}) == PASSWORD


# --- seen nowhere -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["environment", "command", "file"])
@pytest.mark.parametrize("right", [True, False], ids=["right", "wrong"])
def test_it_is_seen_nowhere(
    office: Office, new_sink: Callable[..., Sink], tmp_path: Path, source: str, right: bool
) -> None:
    server = new_sink(user="agent", password=PASSWORD if right else "another", mechanisms="LOGIN")
    talk = office.talk
    office.use(server.url)
    there = file(tmp_path)
    if source == "environment":
        talk.environ(CRMMAIL_SMTP_PASSWORD=PASSWORD)
    elif source == "command":
        talk.do(["config", "set", "smtp.password_command", f"cat {there}"])
    else:
        talk.do(["config", "set", "smtp.password_file", there])
    number = office.letter()
    heard = [talk.cli(line) for line in ("outbox send -v", "-v outbox send", "tick", "doctor")]
    heard += [talk.cli(f"outbox show {number}"), talk.cli(f"outbox show {number} --json"), talk.cli("outbox --json")]
    heard += [talk.cli(line) for line in ("config", "config --json", "log", "log --file", f"show {office.case}")]
    assert office.row(number).state == ("sent" if right else "queued")
    for said in heard:
        assert PASSWORD not in said.out + said.err
        assert "S3cret" not in said.out + said.err
    for path in talk.home.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path


def test_a_password_in_the_address_is_refused_and_not_repeated(office: Office) -> None:
    sentence = office.talk.refused("config set smtp.url smtp://agent:hunter2@mail.crm.test")
    assert "a password does not belong into it" in sentence
    assert "hunter2" not in sentence
    office.use("smtp://agent:hunter2@mail.crm.test")
    number = office.letter()
    for line in ("outbox send", "tick"):
        assert "hunter2" not in office.talk.refused(line)
    assert office.row(number).attempts == 0
