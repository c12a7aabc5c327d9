"""No room: a real small file system that is full, one without inodes, and a process that may have little of anything.

A delivery says 75 and a command one line, nothing of what is there is touched, and when there is room everything goes
on where it stood.
"""

from __future__ import annotations

import random
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from doors import CRMMAIL, LATER, MDA, OK, SOUND, Shop, answers_later, letter, open_shop
from mailsink import Sink
from strike import need_strace

pytestmark = pytest.mark.timeout(600)  # many processes each; on a busy machine that takes its time


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path)


def crmmail(shop: Shop, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CRMMAIL, *words], env=shop.env(**env), capture_output=True, text=True, timeout=100)


def fails(done: subprocess.CompletedProcess[str], words: str) -> None:
    """One line says why, and no traceback."""
    assert done.returncode == 1, done
    assert re.search(words, done.stderr), done.stderr
    assert "Traceback" not in done.stderr, done.stderr


# -- a small disk -----------------------------------------------------------------------------------------------------


class Disk:
    """A file system in memory, mounted where the shop's store lies."""

    def __init__(self, shop: Shop, options: str) -> None:
        self.folder = shop.place.parent
        aside = shop.folder / "aside.db"
        shutil.move(shop.place, aside)
        self._mount("-t", "tmpfs", "-o", options, "tmpfs")
        shutil.move(aside, shop.place)

    def _mount(self, *words: str) -> None:
        done = subprocess.run(["mount", *words, str(self.folder)], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(
                f"a file system cannot be mounted here, which needs root and a kernel that lets it: {done.stderr}"
            )

    def make_room(self, options: str) -> None:
        self._mount("-o", f"remount,{options}")

    def fill(self) -> None:
        """To the last byte."""
        with open(self.folder / "filler", "ab", buffering=0) as filler:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while True:
                        filler.write(bytes(size))
                except OSError:
                    pass

    def empty(self) -> None:
        (self.folder / "filler").unlink()

    def remove(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture
def disk(shop: Shop) -> Iterator[Callable[[str], Disk]]:
    """Makes the shop's disk: `disk("size=2m")`."""
    made: list[Disk] = []

    def make(options: str) -> Disk:
        made.append(Disk(shop, options))
        return made[-1]

    yield make
    for one in made:
        one.remove()


def plan(number: int) -> bytes:
    return letter(f"Plan {number}", attachment=random.Random(number).randbytes(100_000))


def test_disk_that_fills_up_and_has_room_again(shop: Shop, disk: Callable[[str], Disk], sink: Sink) -> None:
    small = disk("size=2m")
    assert shop.mda(letter("Printer broken")).returncode == OK
    shop.crmmail("reply", "1", "-m", "It is done.", "--yes")  # no way out is set: it waits
    shop.crmmail("take", "1")
    statuses = [shop.mda(plan(number)).returncode for number in range(14)]
    assert set(statuses) == {OK, LATER}
    there = ["Printer broken", *(f"Plan {number}" for number, status in enumerate(statuses) if status == OK)]
    Path(f"{shop.place}-journal").unlink()  # in the room that it keeps a small act would still succeed
    small.fill()

    # Full.  What is there can be read, and nothing can be added; what could not be done is as if nobody had tried.
    assert "no room left on the disk" in answers_later(shop.mda(plan(99)))
    assert (shop.mails(), shop.held(), shop.check()) == (there, [], SOUND)
    assert len(shop.json("list", "case")) == len(there)
    before = shop.rows("SELECT * FROM crm_message")
    fails(crmmail(shop, "reply", "1", "-m", "The second answer.", "--yes"), "no room left on the disk")
    fails(crmmail(shop, "undo"), "no room left on the disk")
    fails(crmmail(shop, "done", "--all"), "no room left on the disk")
    fails(crmmail(shop, "new", "case", "Another"), "no room left on the disk")
    fails(crmmail(shop, "tick", CRMMAIL_SMTP_URL=sink.url), "no room left on the disk")
    assert sink.received == [], "what could not be written down must not leave"
    assert (shop.rows("SELECT * FROM crm_message"), shop.check()) == (before, SOUND)

    # Room again: the same mails are offered again, and everything goes on.
    small.make_room("size=8m")
    assert [shop.mda(plan(number)).returncode for number in (*range(14), 99)] == [OK] * 15
    assert sorted(shop.mails()) == sorted(["Printer broken", *(f"Plan {number}" for number in (*range(14), 99))])
    assert "The second answer." in crmmail(shop, "drafts", "show", "1").stdout, "the words are kept"
    assert crmmail(shop, "tick", CRMMAIL_SMTP_URL=sink.url).returncode == 0
    assert sink.recipients == ["ann@customer.example"]
    assert "1" in shop.crmmail("undo")
    assert (shop.held(), shop.check()) == ([], SOUND)


def test_disk_without_inodes(shop: Shop, disk: Callable[[str], Disk]) -> None:
    """No file can be made: neither the journal, if it is not there, nor the count of attempts."""
    small = disk("size=8m,nr_inodes=10")
    fillers = [small.folder / f"filler{number}" for number in range(8)]
    for filler in fillers:
        filler.touch()  # with the folder and the store that is all
    words = answers_later(shop.mda(letter("Printer broken")))
    assert "no room for another file on the disk" in words
    for filler in fillers[:4]:
        filler.unlink()
    assert shop.mda(letter("Printer broken")).returncode == OK
    assert (shop.mails(), shop.held(), shop.check()) == (["Printer broken"], [], SOUND)


FILLS_THE_DISK = """
import os, sys
from crmmail.mail import smtp
send = smtp.Connection.send
def send_and_fill(self, *words, **more):
    said = send(self, *words, **more)
    os.unlink(os.environ["JOURNAL"])  # in the room that it keeps "sent" could still be written down
    with open(os.environ["FILLER"], "ab", buffering=0) as filler:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    filler.write(bytes(size))
            except OSError:
                pass
    return said
smtp.Connection.send = send_and_fill
from crmmail.cli.main import run
sys.exit(run(["tick"]))
"""


def test_disk_that_is_full_when_the_server_has_taken_the_mail(
    shop: Shop, disk: Callable[[str], Disk], sink: Sink
) -> None:
    """The pass waits for room rather than send the mail twice."""
    small = disk("size=2m")
    assert shop.mda(letter("Printer broken")).returncode == OK
    shop.crmmail("reply", "1", "-m", "It is done.", "--yes")
    beside = {"FILLER": str(small.folder / "filler"), "JOURNAL": f"{shop.place}-journal"}
    env = shop.env(CRMMAIL_SMTP_URL=sink.url, **beside)
    with subprocess.Popen([sys.executable, "-c", FILLS_THE_DISK], env=env, stderr=subprocess.PIPE) as tick:
        wait_until(lambda: bool(sink.received))
        with pytest.raises(subprocess.TimeoutExpired):
            tick.wait(2)
        small.empty()
        assert tick.wait(60) == 0
    assert crmmail(shop, "tick", CRMMAIL_SMTP_URL=sink.url).returncode == 0
    assert sink.recipients == ["ann@customer.example"]
    assert shop.rows("SELECT state FROM crm_delivery") == [("sent",)]
    assert shop.check() == SOUND


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    import time

    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


def test_full_disk_is_called_so(shop: Shop) -> None:
    """The database's last word on it is "cannot rollback - no transaction is active"."""
    need_strace()
    inject = ["-e", "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC:when=20"]
    command = ["strace", "-f", "-qq", "-o", "/dev/null", *inject, sys.executable, MDA]
    assert "no room left on the disk" in answers_later(shop.mda(letter("Printer broken"), command=command))
    assert shop.mails() == []


# -- a process that may have little -----------------------------------------------------------------------------------


def limited(kind: int, amount: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (amount, amount))


def test_no_room_for_what_it_writes(shop: Shop) -> None:
    """A limit on file sizes (`ulimit -f`) is a full disk by another name."""
    size = shop.place.stat().st_size
    raw = letter("The plan", attachment=random.Random(1).randbytes(1_000_000))
    answers_later(shop.mda(raw, prepare=limited(resource.RLIMIT_FSIZE, size)))
    assert (shop.mails(), shop.held(), shop.check()) == ([], [], SOUND)
    assert shop.mda(raw).returncode == OK
    assert shop.mails() == ["The plan"]


def python_starts(prepare: Callable[[], None]) -> bool:
    """Where Python itself cannot start nobody can answer for us."""
    command = [sys.executable, "-c", "import os, encodings.idna"]
    return subprocess.run(command, preexec_fn=prepare, capture_output=True).returncode == 0


def test_little_memory(shop: Shop, thorough: bool) -> None:
    """From too little to read the mail to enough: it is here, or waits in quarantine, or comes again."""
    raw = letter("The plan", "Words and words.\n" * 20_000, attachment=random.Random(1).randbytes(3_000_000))
    statuses = []
    for megabytes in range(24, 160, 2) if thorough else (*range(28, 60, 6), 90, 150):
        if not python_starts(limited(resource.RLIMIT_AS, megabytes << 20)):
            continue
        done = shop.mda(raw, prepare=limited(resource.RLIMIT_AS, megabytes << 20))
        statuses.append(done.returncode)
        assert done.returncode in (OK, LATER) or done.returncode < 0, (megabytes, done)
        assert b"Traceback" not in done.stderr, (megabytes, done)
        there = len(shop.mails()) + len(shop.held())
        assert there <= 1
        assert there == 1 or done.returncode != OK, (megabytes, done)
    assert LATER in statuses and OK in statuses, statuses
    assert shop.mda(raw).returncode == OK
    assert len(shop.mails()) + len(shop.held()) == 1
    assert shop.check() == SOUND


def test_few_open_files(shop: Shop) -> None:
    statuses = []
    amounts = [amount for amount in range(3, 14) if python_starts(limited(resource.RLIMIT_NOFILE, amount))]
    for amount in amounts:
        done = shop.mda(letter(f"Mail {amount}"), prepare=limited(resource.RLIMIT_NOFILE, amount))
        statuses.append(done.returncode)
        assert done.returncode in (OK, LATER), (amount, done)
        assert b"Traceback" not in done.stderr, (amount, done)
        there = shop.mails() + shop.held()
        assert there.count(f"Mail {amount}") == (done.returncode == OK), (amount, done)
        assert shop.mda(letter(f"Mail {amount}")).returncode == OK
    assert LATER in statuses and OK in statuses, statuses
    assert shop.mails() == [f"Mail {amount}" for amount in amounts]
    assert (shop.held(), shop.check()) == ([], SOUND)
