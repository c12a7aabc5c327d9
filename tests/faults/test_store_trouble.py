"""The store in trouble: locked, shut, damaged, of another time.  The mail waits, and comes in when the trouble is over.

What `test_door` says of a store that is missing, a folder, empty or no database, and `test_fetchmail` of a whole poll,
is not said again here.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from doors import CRMMAIL, LATER, OK, SOUND, Shop, answers_later, letter, open_shop

pytestmark = pytest.mark.timeout(600)  # many processes each; on a busy machine that takes its time


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path)


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """What a command says that could not do it: one line, no traceback."""
    assert done.returncode != 0, done
    assert re.fullmatch(r"crmmail: [^\n]+\n", done.stderr), done.stderr
    return done.stderr


def crmmail(shop: Shop, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CRMMAIL, *words], env=shop.env(), capture_output=True, text=True, timeout=60)


def change(shop: Shop, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(shop.place)) as store:
        store.execute(statement)
        store.commit()


# -- locked -----------------------------------------------------------------------------------------------------------

# Others may not even read while this goes on: a reader as well as a writer must wait for it.
_SHUT = """
import sqlite3, sys, time
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


@contextlib.contextmanager
def shut(shop: Shop, seconds: float) -> Iterator[None]:
    holder = subprocess.Popen([sys.executable, "-c", _SHUT, str(shop.place), str(seconds)], stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        yield
        holder.kill()


def test_store_that_is_locked_is_waited_for_and_no_longer_than_said(shop: Shop) -> None:
    with shut(shop, 60):
        words = answers_later(shop.mda(letter("Printer broken"), env={"CRMMAIL_DELIVERY_BUSY_TIMEOUT": "1"}))
        assert "is locked by another process" in words
    with shut(shop, 1.5):
        done = shop.mda(letter("Printer broken"), env={"CRMMAIL_DELIVERY_BUSY_TIMEOUT": "50"})
    assert (done.returncode, done.stderr) == (OK, b"")
    assert (shop.mails(), shop.held(), shop.check()) == (["Printer broken"], [], SOUND)


# -- shut -------------------------------------------------------------------------------------------------------------


PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


def as_a_user() -> None:
    """In a child process: modes count.  root stays root, and loses what lets it pass by them."""
    if os.getuid() == 0:
        for power in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, power, 0, 0, 0)


@pytest.fixture
def users_shop(shop: Shop) -> Iterator[Shop]:
    secret = shop.folder / "secret"
    secret.touch(0o000)
    if subprocess.run(["cat", str(secret)], preexec_fn=as_a_user, capture_output=True).returncode == 0:
        pytest.skip("root, whose powers cannot be taken away here")
    assert shop.mda(letter("Can he?"), prepare=as_a_user).returncode == OK
    yield shop
    shop.place.parent.chmod(0o700)
    shop.place.chmod(0o600)


@pytest.mark.parametrize(
    ("folder", "store", "words"),
    [
        (0o700, 0o400, "cannot be written"),
        (0o500, 0o600, "cannot be written|cannot open"),  # there is no journal yet, and none can be made
        (0o500, 0o400, "cannot be written"),
        (0o700, 0o000, "cannot open"),
        (0o000, 0o600, "you may not enter"),
        (0o600, 0o600, "you may not enter"),
    ],
)
def test_store_that_may_not_be_used(users_shop: Shop, folder: int, store: int, words: str) -> None:
    shop = users_shop
    Path(f"{shop.place}-journal").unlink(missing_ok=True)
    shop.place.chmod(store)
    shop.place.parent.chmod(folder)
    assert re.search(words, answers_later(shop.mda(letter("Printer broken"), prepare=as_a_user)))
    shop.place.parent.chmod(0o700)
    shop.place.chmod(0o600)
    assert shop.mda(letter("Printer broken"), prepare=as_a_user).returncode == OK
    assert (shop.mails(), shop.held(), shop.check()) == (["Can he?", "Printer broken"], [], SOUND)


def test_reader_without_the_right_to_write_may_read(users_shop: Shop) -> None:
    shop = users_shop
    shop.place.chmod(0o400)
    shop.place.parent.chmod(0o500)

    def crmmail(*words: str) -> subprocess.CompletedProcess[str]:
        env = shop.env()
        return subprocess.run([CRMMAIL, *words], env=env, capture_output=True, text=True, preexec_fn=as_a_user)

    assert "Can he?" in crmmail("list", "case", "--json").stdout
    assert "cannot be written" in one_line(crmmail("take", "1"))


# -- of another time --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"), [("0000_before", "crmmail db migrate"), ("9999_later", "made by a newer crmmail")]
)
def test_store_of_another_version(shop: Shop, name: str, words: str) -> None:
    (newest,) = shop.rows("SELECT max(name) FROM crm_migration")[0]
    change(shop, f"DELETE FROM crm_migration WHERE name < '{newest}'")
    change(shop, f"UPDATE crm_migration SET name = '{name}'")
    assert words in answers_later(shop.mda(letter("Printer broken")))
    assert words in one_line(crmmail(shop, "inbox"))
    change(shop, f"UPDATE crm_migration SET name = '{newest}'")
    assert shop.mda(letter("Printer broken")).returncode == OK
    assert shop.mails() == ["Printer broken"]


def test_store_that_has_lost_its_secret(shop: Shop) -> None:
    """Without it no token can be judged: the mail waits for the backup."""
    (secret,) = shop.rows("SELECT value FROM crm_setting WHERE key = 'secret'")[0]
    for broken in ("", "no number"):
        change(shop, f"UPDATE crm_setting SET value = '{broken}' WHERE key = 'secret'")
        assert "token secret" in answers_later(shop.mda(letter("Printer broken")))
    change(shop, f"UPDATE crm_setting SET value = '{secret}' WHERE key = 'secret'")
    assert shop.mda(letter("Printer broken")).returncode == OK
    assert (shop.mails(), shop.held()) == (["Printer broken"], [])


# -- damaged ----------------------------------------------------------------------------------------------------------

PAGE = 4096


def test_damage_anywhere(shop: Shop, thorough: bool) -> None:
    """A page of the store becomes nonsense.  A delivery that does not notice it may file the mail; one that does says
    75, and the mail comes in when a backup is back.  Nobody meets a traceback, and `db check` sees what is read."""
    for number in range(3):
        assert shop.mda(letter(f"Mail {number}")).returncode == OK
    assert shop.mails() == ["Mail 0", "Mail 1", "Mail 2"]
    whole = shop.place.read_bytes()
    pages = range(len(whole) // PAGE)
    statuses = []
    for page in pages if thorough else (0, *random.Random(5).sample(pages, 7)):
        noise = random.Random(page).randbytes(PAGE)
        shop.place.write_bytes(whole[: page * PAGE] + noise + whole[(page + 1) * PAGE :])
        done = shop.mda(letter("Printer broken"))
        statuses.append(done.returncode)
        assert done.returncode in (OK, LATER), (page, done)
        if done.returncode == LATER:
            answers_later(done)
            assert shop.place.read_bytes()[page * PAGE :][:PAGE] == noise, "nobody mends a store by the way"
        checked = crmmail(shop, "db", "check")
        assert checked.returncode in (0, 1) and "Traceback" not in checked.stderr, (page, checked)
        if done.returncode == LATER:
            assert checked.returncode == 1, (page, checked)
        Path(f"{shop.place}-journal").unlink(missing_ok=True)
        shop.place.write_bytes(whole)
    assert LATER in statuses
    print(f"\n{len(statuses)} pages damaged: {statuses.count(OK)} answered 0, {statuses.count(LATER)} answered 75")
    assert shop.mda(letter("Printer broken")).returncode == OK
    assert shop.mails() == ["Mail 0", "Mail 1", "Mail 2", "Printer broken"]


@pytest.mark.parametrize("size", [0, 1, 100, 4096, 50_000, 300_001])
def test_store_cut_off(shop: Shop, size: int) -> None:
    whole = shop.place.read_bytes()
    shop.place.write_bytes(whole[:size])
    answers_later(shop.mda(letter("Printer broken")))
    for words in (["inbox"], ["db", "check"], ["db", "backup", str(shop.folder / "backup.db")], ["db", "migrate"]):
        done = crmmail(shop, *words)
        assert "Traceback" not in done.stdout + done.stderr, (words, done)
        assert done.returncode == 1, (words, done)
    shop.place.write_bytes(whole)
    assert shop.mda(letter("Printer broken")).returncode == OK
    assert (shop.mails(), shop.check()) == (["Printer broken"], SOUND)


@pytest.mark.parametrize("journal", ["-journal", "-wal", "-shm"])
def test_nonsense_beside_the_store(shop: Shop, journal: str) -> None:
    """Files that some program left there, or a disk invented: SQLite sees that they are none of its own."""
    Path(f"{shop.place}{journal}").write_bytes(random.Random(3).randbytes(30_000))
    assert shop.mda(letter("Printer broken")).returncode == OK
    assert (shop.mails(), shop.check()) == (["Printer broken"], SOUND)


# Dies after the journal is on the disk, in the middle of the pages that go into the store.
_DIES = """
import os, sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("PRAGMA cache_size = 5")  # what does not fit in there is written before the commit
store.execute("PRAGMA cache_spill = 1")
store.execute("BEGIN IMMEDIATE")
store.execute("DELETE FROM crm_message")
store.execute("DELETE FROM crm_subtype")
store.execute("UPDATE crm_user SET name = hex(randomblob(100000))")
os._exit(9)
"""


def test_hot_journal_is_rolled_back_by_whoever_comes_first(shop: Shop) -> None:
    """Somebody died in the middle of his writing: the next delivery or reader takes back what was half done."""
    for number in range(3):
        assert shop.mda(letter(f"Mail {number}")).returncode == OK
    for first in ("delivery", "reader", "check"):
        before = shop.place.read_bytes()
        done = subprocess.run([sys.executable, "-c", _DIES, str(shop.place)])
        assert done.returncode == 9
        assert Path(f"{shop.place}-journal").stat().st_size > 512
        assert shop.place.read_bytes() != before, "the store is half changed"
        if first == "delivery":
            assert shop.mda(letter("Printer broken")).returncode == OK
        elif first == "reader":
            assert len(shop.json("list", "case")) == 4
        assert shop.check() == SOUND
        assert shop.mails() == ["Mail 0", "Mail 1", "Mail 2", "Printer broken"]
