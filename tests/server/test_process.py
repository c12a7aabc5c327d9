"""A process of the server's own that cannot be started: that is a mail that comes again, and no more."""

from __future__ import annotations

import os
import subprocess

import pytest

from crmmail import mda
from crmmail.core.known import Envelope
from crmmail.errors import StoreBroken
from crmmail.server.process import Died, Process
from crmmail.server.queue import Mail
from crmmail.server.storekeeper import Storekeeper
from crmmail.spool import Spool
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
    assert keeper.trouble(0) == f"the process that has the store {TROUBLE}"
    unread = keeper.read([mail], at_leisure=False)
    assert isinstance(unread, StoreBroken) and TROUBLE in str(unread)
    batch = keeper.read([mail], at_leisure=True)
    (verdict,) = keeper.take([([mail], batch)], list)
    assert isinstance(verdict, StoreBroken) and TROUBLE in str(verdict)
    assert len(notes) == 3
    keeper.close()
