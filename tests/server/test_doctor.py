"""`crmmail doctor` sees the server: that it runs, that it was killed, that it is an older program."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conversation import Talk

from crmmail import __version__
from crmmail.services.keeping.checks import serving as checks
from crmmail.store.engine.database import NEWEST
from crmmail.store.files import beside, serving
from crmmail.store.files.serving import Server

RUNS = Server(4711, __version__, NEWEST, datetime(2026, 11, 24, 9, tzinfo=UTC), "unix:/run/crmmail/lmtp")


@pytest.fixture
def lock(talk: Talk) -> Iterator[int]:
    """Somebody serves the store."""
    file = serving.lock(str(talk.db))
    assert file is not None
    yield file
    os.close(file)


def findings(talk: Talk) -> list[tuple[str, str, str]]:
    said = json.loads(talk.cli("doctor --json").out)
    return [(one["level"], one["sentence"], one["advice"]) for one in said if one["check"] == "serve"]


def test_where_no_server_runs_nothing_is_said(talk: Talk) -> None:
    assert findings(talk) == []
    os.close(serving.lock(str(talk.db)) or 0)
    assert findings(talk) == [], "what a server leaves that ended is no trouble"


WELL = "220 crmmail LMTP\r\n250-crmmail\r\n250 SIZE\r\n250 2.1.0 OK\r\n250 2.1.5 OK\r\n221 2.0.0 bye\r\n"


def test_a_server_that_runs_is_well(talk: Talk, lock: int) -> None:
    with listening(WELL) as where:
        serving.write(lock, RUNS._replace(lmtp=where))
        ((level, sentence, _),) = findings(talk)
    assert level == "ok"
    assert "process 4711" in sentence and sentence.endswith(f"takes mail, LMTP on {where}")
    serving.write(lock, RUNS._replace(lmtp=""))
    assert talk.cli("doctor").code == 0


@pytest.mark.parametrize("which", ["lmtp", "mda"])
def test_one_that_does_not_answer_is_trouble_whatever_its_file_says(
    talk: Talk, lock: int, which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "PATIENCE", 0.2)
    monkeypatch.setenv("CRMMAIL_DELIVERY_BUSY_TIMEOUT", "0")
    with listening() as where:
        serving.write(lock, RUNS._replace(**{"lmtp": "", which: where}))
        ((level, sentence, advice),) = findings(talk)
        assert (level, "restart" in advice) == ("fail", True)
        assert f"does not answer: nothing is heard on {where}" in sentence
    for gone in (where, f"unix:{tmp_path}/lost"):
        serving.write(lock, RUNS._replace(**{"lmtp": "", which: gone}))
        ((level, sentence, _),) = findings(talk)
        assert (level, f"nobody listens on {gone}" in sentence) == ("fail", True)


def test_one_whose_process_with_the_store_stands_still_is_trouble(
    talk: Talk, lock: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It greets, and says nothing to RCPT."""
    monkeypatch.setattr(checks, "PATIENCE", 0.2)
    monkeypatch.setenv("CRMMAIL_DELIVERY_BUSY_TIMEOUT", "0")
    with listening(WELL.partition("250 2.1.5")[0], hangs_up=False) as where:
        serving.write(lock, RUNS._replace(lmtp=where))
        ((level, sentence, _),) = findings(talk)
    assert (level, f"nothing is heard on {where}" in sentence) == ("fail", True)
    with listening("220 crmmail LMTP\r\n") as where:
        serving.write(lock, RUNS._replace(lmtp=where))
        ((level, sentence, _),) = findings(talk)
    assert (level, f"it hangs up on {where}" in sentence) == ("fail", True)


@pytest.mark.parametrize(
    ("which", "says", "refusal"),
    [
        ("lmtp", WELL.replace("250 2.1.5 OK", "451 4.3.0 the disk is full"), "451 4.3.0 the disk is full"),
        ("lmtp", "421 4.3.2 too many connections\r\n", "421 4.3.2 too many connections"),
        ("mda", "75 16\nthe disk is full", "the disk is full"),
        ("mda", "75 0\n", ""),
    ],
)
def test_one_that_takes_no_mail_now_says_why(talk: Talk, lock: int, which: str, says: str, refusal: str) -> None:
    with listening(says) as where:
        serving.write(lock, RUNS._replace(**{"lmtp": "", which: where}))
        ((level, sentence, _),) = findings(talk)
    assert (level, sentence.partition(" takes ")[2]) == (
        ("warn", f"no mail now: {refusal}") if refusal else ("ok", "mail")
    )


@contextmanager
def listening(says: str = "", *, hangs_up: bool = True) -> Iterator[str]:
    """Somebody's address, who says that much to whoever comes first, and nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as door, ThreadPoolExecutor(1) as pool:
        done = threading.Event()
        if hangs_up:
            done.set()
        if says:
            pool.submit(_say, door, says.encode(), done)
        yield f"127.0.0.1:{door.getsockname()[1]}"
        done.set()


def test_an_older_program_is_a_warning_and_one_of_another_schema_takes_no_mail(talk: Talk, lock: int) -> None:
    serving.write(lock, RUNS._replace(version="0.0.9"))
    ((level, sentence, advice),) = findings(talk)
    assert (level, sentence.endswith("is still crmmail 0.0.9"), "restart" in advice) == ("warn", True, True)
    serving.write(lock, RUNS._replace(schema="0001_initial"))
    ((level, sentence, advice),) = findings(talk)
    assert (level, sentence.endswith("it takes no mail"), "restart" in advice) == ("fail", True, True)


def test_one_that_is_just_starting_is_well(talk: Talk, lock: int) -> None:
    ((level, _, _),) = findings(talk)
    assert level == "ok"


def _say(door: socket.socket, words: bytes, done: threading.Event) -> None:
    client, _ = door.accept()
    with client:
        client.recv(1000)
        client.sendall(words)
        done.wait(10)


@pytest.mark.sqlite("beside a database of a server the name of the socket may be too long here")
def test_a_socket_at_which_nobody_listens_is_one_of_a_killed_server(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(beside.serve(str(talk.db)))
    monkeypatch.chdir(path.parent)  # the path of a socket may not be long
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path.name)
        left.listen()
        assert findings(talk) == [], "systemd listens, and starts a server when a mail comes"
    path.chmod(0o600)
    ((level, sentence, advice),) = findings(talk)
    assert (level, str(path) in sentence, "start it again" in advice) == ("warn", True, True)
