"""The server's own processes: one that cannot be started is a mail that comes again, and no more; one that reads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from doors import letter

from crmmail import mda
from crmmail.core.known import Envelope
from crmmail.core.message import Mail as Letter
from crmmail.errors import StoreBroken
from crmmail.mail.parse import body_digest_key, parse
from crmmail.server.process import Died, Process
from crmmail.server.queue import Mail
from crmmail.server.reader import Desk, Question
from crmmail.server.storekeeper import Storekeeper
from crmmail.services.incoming import prepare
from crmmail.services.incoming.prepare import Prepared, Reading, Terms
from crmmail.spool import Spool
from crmmail.store.files import beside
from crmmail.workspace import Choice

TROUBLE = "cannot be started: [Errno 24] Too many open files"


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def popen(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(subprocess, "Popen", popen)


@pytest.mark.usefixtures("no_process")
def test_it_is_said_and_tried_again_and_leaves_no_descriptor_open() -> None:
    process = Process("crmmail.server.reader", "reads mails", Choice(), {})
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    for _ in range(2):
        with pytest.raises(Died, match="the process that reads mails cannot be started"):
            process.ask("anything")
    process.close()
    assert not before or os.listdir("/proc/self/fd") == before


@pytest.mark.usefixtures("no_process")
def test_no_recipient_is_accepted_and_no_mail_taken() -> None:
    notes: list[str] = []
    mail = Mail(Spool(b"Hello"), mda.Options(Choice(), Envelope(), "", False, False))
    keeper = Storekeeper(Choice(), {}, lambda: None, notes.append)
    assert keeper.trouble([0, 7]) == [f"the process that has the store {TROUBLE}"] * 2
    keeper._terms = Terms(Reading(1000, ""), 0, "crm.db")  # as the process would have said them
    unread = keeper.read([mail], at_leisure=False)
    assert isinstance(unread, StoreBroken) and TROUBLE in str(unread)
    batch = keeper.read([mail], at_leisure=True)
    (verdict,) = keeper.take([([mail], batch)], list)
    assert isinstance(verdict, StoreBroken) and TROUBLE in str(verdict)
    assert len(notes) == 3
    assert keeper.take([([mail], unread)], list) == [unread]
    assert len(notes) == 3, "where no mail could be read, the store is not asked"
    keeper.begin()
    assert notes[3] == f"the process that reads mails {TROUBLE}", "and nothing of mails, where there were none"
    keeper.close()


def test_who_reads_knows_no_store_and_nothing_of_filing() -> None:
    code = "import sys, crmmail.server.reader; print(*(one for one in sys.modules if one.startswith('crmmail.')))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "crmmail.services.incoming.prepare" in modules
    assert not {"crmmail.services.incoming.judge", "crmmail.core.route", "crmmail.server.intake"} & set(modules)
    assert not [one for one in modules if one.startswith(("crmmail.services.automatic", "crmmail.store.models"))]


def test_who_reads_counts_each_mail_and_gives_it_the_whole_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the terms of each question: what is told anew holds at once."""
    seen: list[tuple[str, int]] = []  # what stands in the file of attempts, and the seconds that are left
    place = str(tmp_path / "crm.db")

    def parsed(raw: bytes) -> Letter:
        (path,) = Path(beside.attempts(place)).glob("steady.*")
        seen.append((path.read_text().strip(), signal.alarm(0)))
        return parse(raw)

    monkeypatch.setattr(prepare, "parse", parsed)
    desk, letters = Desk(), [letter("One"), letter("Two")]
    for max_size, deadline in ((1_000_000, 100), (1_000_000, 200), (10, 200)):
        terms = Terms(Reading(max_size, ""), deadline, place)
        read = desk.read(Question(terms, [(one, Envelope()) for one in letters]))
        assert [one.reason for one in read if isinstance(one, Prepared)] == ["" if max_size > 10 else "too-large"] * 2
    one, two = (body_digest_key([raw]) for raw in letters)
    assert seen == [(one, 100), (two, 100), (one, 200), (two, 200)]
    assert signal.alarm(0) == 0
    desk.close()
    assert os.listdir(beside.attempts(place)) == []
