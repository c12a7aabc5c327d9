"""Several hosts with one store on a PostgreSQL server: they deliver, send and tick at the same time.

A host is a process with a home of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conversation import Talk
from mailsink import Sink
from pgstack import PostgresStack

from crmmail.store.engine import sql

pytestmark = pytest.mark.postgres

HOSTS = 3
MDA = Path(__file__).parents[1] / "bin" / "crmmail-mda"
# Delivers the mails of a folder, in order, once the file GO is there; one line for each that is ours.
DELIVERY = """
import pathlib, sys, time
from types import SimpleNamespace
from crmmail import mda
mda.signal = SimpleNamespace(alarm=lambda seconds: 0)
print("ready", flush=True)
while not pathlib.Path(sys.argv[2]).exists():
    time.sleep(0.002)
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    status, lines = mda.run([], path.read_bytes())
    print(status, path.name, *lines, flush=True)
"""


class Host:
    """One of them, at work."""

    def __init__(self, talk: Talk, name: str, *words: str) -> None:
        home = talk.home / name
        home.mkdir(exist_ok=True)
        environ = {**os.environ, "HOME": str(home), "CRMMAIL_DB": talk.db}
        self.process = subprocess.Popen(
            [sys.executable, *words], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def ready(self) -> None:
        assert self.process.stdout
        assert self.process.stdout.readline() == "ready\n"

    def done(self) -> list[str]:
        """What it printed; it must have ended well."""
        out, err = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, err
        return out.splitlines()


def deliver_at_once(talk: Talk, tmp_path: Path, mails: list[list[bytes]]) -> list[Host]:
    """Each host has a list of mails to deliver; all begin at the same moment."""
    go = tmp_path / "go"
    go.unlink(missing_ok=True)
    hosts = []
    for number, those in enumerate(mails):
        folder = tmp_path / f"mails{number}"
        folder.mkdir(exist_ok=True)
        for position, raw in enumerate(those):
            (folder / f"{position:03}").write_bytes(raw)
        hosts.append(Host(talk, f"host{number}", "-c", DELIVERY, str(folder), str(go)))
    for host in hosts:
        host.ready()
    go.touch()
    return hosts


def stored(talk: Talk) -> list[tuple[str, int]]:
    """(Message-ID, how many messages there are of it), for those that came."""
    with talk.open():
        return [
            (identifier, count)
            for identifier, count in sql.rows(
                "SELECT message_id, COUNT(*) FROM crm_message WHERE kind = 'email_in' GROUP BY message_id"
                " ORDER BY message_id"
            )
        ]


def outcomes(talk: Talk) -> dict[str, int]:
    with talk.open():
        return dict(sql.rows("SELECT outcome, COUNT(*) FROM crm_decision GROUP BY outcome"))


def test_a_mail_that_comes_to_all_at_once_is_stored_once(talk: Talk, tmp_path: Path, thorough: bool) -> None:
    count = 20 if thorough else 3
    same = [talk.raw(f"ana{one}@example.com", subject=f"Same {one}", id=f"same{one}@x") for one in range(count)]
    own = [
        [talk.raw(f"bob{host}.{one}@example.com", subject="Own", id=f"own{host}-{one}@x") for one in range(count)]
        for host in range(HOSTS)
    ]
    mails = [[mail for pair in zip(same, own[host], strict=True) for mail in pair] for host in range(HOSTS)]
    hosts = deliver_at_once(talk, tmp_path, mails)
    for host in hosts:
        assert [line.split()[0] for line in host.done()] == ["0"] * 2 * count
    wanted = [f"own{host}-{one}@x" for host in range(HOSTS) for one in range(count)]
    wanted += [f"same{one}@x" for one in range(count)]
    assert stored(talk) == [(one, 1) for one in sorted(wanted)]
    assert outcomes(talk) == {"stored": count + HOSTS * count, "duplicate": (HOSTS - 1) * count}
    assert talk.quarantine() == []
    assert talk.cli("db check").line == "the store is sound"


def test_an_answer_to_each_of_them_stays_in_its_record(talk: Talk, tmp_path: Path) -> None:
    first = talk.mail("ana@example.com", subject="Printer broken")
    answers = [
        [talk.raw("ana@example.com", answers=first, text=f"{host}.{one}", id=f"a{host}.{one}@x") for one in range(2)]
        for host in range(HOSTS)
    ]
    for host in deliver_at_once(talk, tmp_path, answers):
        host.done()
    assert talk.all("case") == [first.record]
    assert sorted(talk.words(first.record)[1:]) == sorted(f"{host}.{one}" for host in range(HOSTS) for one in range(2))


def test_each_mail_leaves_once_and_each_rule_acts_once(talk: Talk, sink: Sink) -> None:
    talk.environ(CRMMAIL_SMTP_URL=sink.url)
    talk.do("rules add Old --trigger created --delay 1d --set-priority low")
    case = talk.mail("ana@example.com", subject="Printer broken", text="It burns.").record
    for number in range(6):
        talk.do(["reply", str(case), "-m", f"Answer {number}"], "agent")
    talk.wait(days=2)
    ticks = [Host(talk, f"host{number}", "-m", "crmmail", "tick") for number in range(HOSTS)]
    for one in ticks:
        one.done()
    texts = sorted(
        line for mail in sink.received for line in mail.data.decode().splitlines() if line.startswith("Answer")
    )
    assert texts == [f"Answer {number}" for number in range(6)]
    assert talk.outbox() == []
    with talk.open():
        assert sql.rows("SELECT thread_id, failed FROM crm_firing") == [(case, None)]


@pytest.mark.thorough
def test_a_host_that_is_killed_leaves_nothing_half_done(talk: Talk, tmp_path: Path) -> None:
    mails = [
        [talk.raw(f"ana{host}.{one}@example.com", subject="Own", id=f"{host}.{one}@x") for one in range(40)]
        for host in range(HOSTS)
    ]
    hosts = deliver_at_once(talk, tmp_path, mails)
    time.sleep(1)
    hosts[0].process.send_signal(signal.SIGKILL)
    for host in hosts[1:]:
        host.done()
    hosts[0].process.wait()
    for again in deliver_at_once(talk, tmp_path, mails):
        assert len(again.done()) == 40
    assert stored(talk) == [(one, 1) for one in sorted(f"{host}.{one}@x" for host in range(HOSTS) for one in range(40))]
    assert talk.cli("db check").line == "the store is sound"


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path: a socket's has room for 107 letters."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.thorough
def test_a_server_that_is_started_again_loses_nothing(
    talk: Talk, short: Path, postgres: PostgresStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails = [talk.raw("ana@example.com", subject=f"{one}", id=f"{one}@x") for one in range(4)]
    monkeypatch.setenv("XDG_STATE_HOME", str(short))
    serving = Host(talk, "serving", "-m", "crmmail", "serve", "--no-tick")
    try:
        until = time.monotonic() + 60
        while not list(short.rglob("*.serve")):
            assert time.monotonic() < until and serving.process.poll() is None
            time.sleep(0.05)
        for number, raw in enumerate(mails):
            if number == 2:
                postgres.stop()
                assert handed_over(talk, raw) == 75
                postgres.start()
            assert handed_over(talk, raw) == 0
    finally:
        serving.process.terminate()
    assert serving.process.wait(30) == 0
    assert stored(talk) == [(f"{one}@x", 1) for one in range(4)]


def handed_over(talk: Talk, raw: bytes) -> int:
    """What `crmmail-mda` answers, on the host whose server is there."""
    environ = {**os.environ, "HOME": str(talk.home / "serving"), "CRMMAIL_DB": talk.db}
    done = subprocess.run([sys.executable, MDA], input=raw, env=environ, capture_output=True, timeout=60)
    return done.returncode
