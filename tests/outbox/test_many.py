"""Many mails over one connection, killed in the middle and taken up again (safety.md: none lost)."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

from doors import CRMMAIL, SOUND, open_shop
from mailsink import Sink
from outgoing import fill, identifier, read


class Screen:
    """A terminal, and all that was written to it."""

    def __init__(self) -> None:
        self.shown = b""
        self._ours, self.theirs = pty.openpty()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._ours, 4096):
                self.shown += data

    def close(self) -> None:
        os.close(self.theirs)
        self._reader.join(5)
        os.close(self._ours)


def test_many_mails_killed_in_the_middle(tmp_path: Path, sink: Sink, thorough: bool) -> None:
    count = 1_000 if thorough else 300
    shop = open_shop(tmp_path)
    wanted = fill(shop.place, count, records=count // 10)
    env = shop.env(CRMMAIL_SMTP_URL=sink.url)
    screen = Screen()
    first = subprocess.Popen([CRMMAIL, "outbox", "send"], env=env, stdout=screen.theirs, stderr=screen.theirs)
    end = time.monotonic() + 60
    while len(sink.received) < count // 3 or b"Sending" not in screen.shown:
        assert time.monotonic() < end and first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    screen.close()
    assert len(sink.received) < count * 9 // 10, "it was not killed in the middle"
    assert f"/{count} [".encode() in screen.shown
    assert "█".encode() in screen.shown

    second = subprocess.run([CRMMAIL, "outbox", "send"], env=env, capture_output=True, text=True, timeout=60)
    assert (second.returncode, second.stderr) == (0, "")  # no bar where nobody looks
    assert int(second.stdout.removesuffix(" sent\n")) >= count - len(sink.received)
    ids = Counter(identifier(read(mail)) for mail in sink.received)
    assert set(ids) == set(wanted)
    assert sum(ids.values()) <= count + 1
    assert sink.connections == 2
    assert shop.rows("SELECT state, count(*) FROM crm_delivery GROUP BY state") == [("sent", count)]
    assert shop.check() == SOUND


def test_two_hundred_over_one_connection_in_their_order(tmp_path: Path, sink: Sink) -> None:
    shop = open_shop(tmp_path)
    wanted = fill(shop.place, 200)
    env = shop.env(CRMMAIL_SMTP_URL=sink.url)
    done = subprocess.run([CRMMAIL, "tick"], env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [identifier(read(mail)) for mail in sink.received] == wanted
    assert sink.connections == 1
