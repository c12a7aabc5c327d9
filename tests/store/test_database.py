"""Opening the store: every way it can fail is one of our errors, in one line; and what SQLite is told."""

from __future__ import annotations

import multiprocessing.synchronize
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from store import rows

from crmmail.errors import (
    ConfigBroken,
    CrmmailError,
    NotFound,
    StoreBehind,
    StoreBroken,
    StoreBusy,
    StoreDamaged,
    StoreMissing,
)
from crmmail.store import tables as t
from crmmail.store.engine import database
from crmmail.store.engine.database import HISTORY, WAL_IS_SAFE, Store, speaking_plainly
from crmmail.store.people import directory

JOURNAL = "wal" if sqlite3.sqlite_version_info >= WAL_IS_SAFE else "persist"


pytestmark = pytest.mark.sqlite("its file, its pragmas, its words")


def pragma(store: Store, name: str) -> object:
    return store.database.execute_sql(f"PRAGMA {name}").fetchone()[0]


def history(*names: str) -> Callable[[Path], None]:
    """Makes a store that has applied just these migrations."""

    def make(path: Path) -> None:
        with sqlite3.connect(path) as made:
            made.execute(f"CREATE TABLE {HISTORY} (id INTEGER PRIMARY KEY, name TEXT, applied TEXT)")
            made.executemany(f"INSERT INTO {HISTORY} (name) VALUES (?)", [(name,) for name in names])
        made.close()

    return make


TROUBLES: dict[str, tuple[Callable[[Path], object], type[CrmmailError], str]] = {
    "missing": (lambda path: None, StoreMissing, "make one with `crmmail init`"),
    "empty": (lambda path: path.touch(), StoreMissing, "restore a backup, or run `crmmail init` if it never was"),
    "another-program's": (lambda path: history()(path), StoreMissing, "no crmmail tables are in it"),
    "behind": (history("0000_before"), StoreBehind, "run `crmmail db migrate`"),
    "ahead": (history("0002_sending", "9999_future"), StoreBehind, "upgrade crmmail"),
    "no-database": (
        lambda path: path.write_bytes(b"precious words " * 1000),
        StoreDamaged,
        "file is not a database; keep",
    ),
    "folder": (lambda path: path.mkdir(), StoreBroken, "cannot open"),
}


@pytest.mark.parametrize(("make", "error", "words"), TROUBLES.values(), ids=TROUBLES)
def test_a_store_that_cannot_be_used(
    tmp_path: Path, make: Callable[[Path], object], error: type[CrmmailError], words: str
) -> None:
    path = tmp_path / "crm.db"
    make(path)
    with pytest.raises(error) as caught:
        database.open(str(path))
    assert type(caught.value) is error
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_looking_for_a_store_does_not_make_one(tmp_path: Path) -> None:
    with pytest.raises(StoreMissing):
        database.open(str(tmp_path / "crm.db"))
    assert os.listdir(tmp_path) == []


def test_a_store_of_another_kind() -> None:
    with pytest.raises(ConfigBroken, match="cannot open a mysql store: give the path of a file, or postgresql://"):
        database.open("mysql://root@x/y")


WITHOUT_A_DRIVER = """
import sys
class Hidden:
    def find_spec(self, name, *more):
        if name == "psycopg":
            raise ImportError(name)
sys.meta_path.insert(0, Hidden())
from crmmail import mda
print(*mda.run(["--db", "postgresql://crm:geheim@db.example.com/crm"], b"Subject: x\\n\\nx"))
"""


def test_a_server_s_store_without_its_driver_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_DRIVER],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = "a store on PostgreSQL needs psycopg, which is not there: pip install 'crmmail[postgres]'"
    assert done.stdout == f'75 ["crmmail-mda: {said}; the mail stays where it is"]\n', done.stderr


def test_unchecked_it_opens_what_is_behind(tmp_path: Path) -> None:
    path = tmp_path / "crm.db"
    history("0000_before")(path)
    opened = database.open(str(path), check=False)
    assert not database.is_made(opened)
    opened.close()


def test_a_new_store_is_its_owner_s_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        database.open(str(tmp_path / "crm.db"), create=True, check=False).close()
    finally:
        os.umask(old)
    assert os.stat(tmp_path / "crm.db").st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "what?.db", "sharp#1.db", "принтер.db"])
def test_a_path_is_taken_by_the_letter(tmp_path: Path, name: str) -> None:
    database.open(str(tmp_path / name), create=True, check=False).close()
    assert os.listdir(tmp_path) == [name]


# --- locks --------------------------------------------------------------------------------------------------


def _hold(place: str, kind: str, held: multiprocessing.synchronize.Event) -> None:
    connection = sqlite3.connect(place, isolation_level=None)
    connection.execute(f"BEGIN {kind}")
    held.set()
    time.sleep(60)


@contextmanager
def somebody_holds(place: str, kind: str) -> Iterator[None]:
    context = multiprocessing.get_context("fork")
    held = context.Event()
    other = context.Process(target=_hold, args=(place, kind, held))
    other.start()
    try:
        assert held.wait(20)
        yield
    finally:
        other.kill()
        other.join(20)


def test_a_store_that_somebody_locks_is_busy_after_the_timeout(place: str) -> None:
    with somebody_holds(place, "EXCLUSIVE"):
        start = time.monotonic()
        with pytest.raises(StoreBusy, match="locked by another process: try again"):
            opened = database.open(place, busy_timeout=0.4)
            with opened.transaction():
                pass
        assert 0.3 < time.monotonic() - start < 5


def test_a_transaction_waits_for_another_only_so_long(place: str) -> None:
    opened = database.open(place, busy_timeout=0.4)
    with somebody_holds(place, "IMMEDIATE"):
        start = time.monotonic()
        with pytest.raises(StoreBusy), opened.transaction():
            pytest.fail("it must take its lock at the start")
        assert 0.3 < time.monotonic() - start < 5
    with opened.transaction():
        rows.case()
    assert t.Case.select().count() == 1
    opened.close()


def test_busy_means_try_again_and_missing_does_not() -> None:
    assert StoreBusy.retry and StoreBroken.retry
    assert not StoreMissing.retry and not StoreBehind.retry


def test_a_transaction_locks_before_its_first_write(store: Store) -> None:
    with store.transaction():
        assert t.Case.select().count() == 0
        other = sqlite3.connect(store.place, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


# --- transactions -------------------------------------------------------------------------------------------


def test_all_or_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction():
        rows.case()
        1 / 0  # noqa: B018
    assert t.Thread.select().count() == 0


def test_what_was_committed_is_there_after_opening_again(place: str) -> None:
    opened = database.open(place)
    with opened.transaction():
        number = rows.case("Still here")
    opened.close()
    opened = database.open(place)
    assert t.Thread.get_by_id(number).title == "Still here"
    opened.close()


ERRORS: dict[str, tuple[str, type[CrmmailError], str]] = {
    "locked": ("database is locked", StoreBusy, "try again"),
    "table locked": ("database table is locked: crm_case", StoreBusy, "try again"),
    "read-only": ("attempt to write a readonly database", StoreBroken, "check the owner and mode"),
    "full": ("database or disk is full", StoreBroken, "no room left"),
    "no file": ("unable to open database file", StoreBroken, "cannot open"),
    "rollback": ("cannot rollback - no transaction is active", StoreBroken, "the database says: cannot rollback"),
    "corrupt": ("database disk image is malformed", StoreDamaged, "`crmmail db check` looks closer"),
}


@pytest.mark.parametrize(("words", "error", "said"), ERRORS.values(), ids=ERRORS)
def test_the_driver_s_words_become_ours(words: str, error: type[CrmmailError], said: str) -> None:
    with pytest.raises(error) as caught, speaking_plainly("/srv/crm.db"):
        raise sqlite3.OperationalError(words)
    assert said in str(caught.value)
    assert "/srv/crm.db" in str(caught.value)


def test_a_number_that_no_row_can_have_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="more digits than any here"), store.transaction():
        t.Thread.get_or_none(t.Thread.id == 10**20)


def test_our_own_errors_pass(store: Store) -> None:
    with pytest.raises(NotFound, match=r"^mine$"), store.transaction():
        raise NotFound("mine")


# --- what SQLite is told ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "value"), [("foreign_keys", 1), ("synchronous", 2), ("journal_mode", JOURNAL)])
def test_pragmas(place: str, name: str, value: object) -> None:
    opened = database.open(place)
    assert pragma(opened, name) == value
    assert opened.journal_mode() == JOURNAL
    opened.close()


def test_the_journal_mode_is_put_right_at_opening(place: str) -> None:
    with sqlite3.connect(place) as other:
        other.execute("PRAGMA journal_mode=DELETE" if JOURNAL == "wal" else "PRAGMA journal_mode=WAL")
    other.close()
    opened = database.open(place)
    assert opened.journal_mode() == JOURNAL
    opened.close()


def test_a_row_cannot_point_to_nowhere(store: Store) -> None:
    with pytest.raises(StoreBroken, match="FOREIGN KEY"), store.transaction():
        rows.message(999)


# --- a store that may be read only --------------------------------------------------------------------------


def _read_and_write(place: str, said: multiprocessing.Queue[object]) -> None:
    if os.getuid() == 0:  # root may write anything
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
    opened = database.open(place)
    said.put(len(directory.users()))
    try:
        with opened.transaction():
            directory.put_setting("a", "b")
    except CrmmailError as error:
        said.put((type(error), str(error)))


def test_a_store_that_may_only_be_read_is_read_and_not_written(place: str) -> None:
    # In a folder where somebody else may look: pytest's own are closed to him.
    with tempfile.TemporaryDirectory() as folder:
        path = shutil.copy(place, os.path.join(folder, "crm.db"))
        os.chmod(path, 0o444)
        os.chmod(folder, 0o555)
        context = multiprocessing.get_context("fork")
        said = context.Queue()
        somebody = context.Process(target=_read_and_write, args=(path, said))
        somebody.start()
        users, (error, words) = said.get(timeout=20), said.get(timeout=20)
        somebody.join(20)
        os.chmod(folder, 0o755)
    assert users == 0
    assert error is StoreBroken
    assert "cannot be written: check the owner and mode" in words
