"""How often judging one mail was cut off: a kill leaves its mark, every other end leaves nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import time
from pathlib import Path

import pytest

from crmmail.store.files import beside
from crmmail.store.files.attempts import LIMIT, Attempts, Steady

KEY = "c0ffee"


@pytest.fixture
def attempts(tmp_path: Path) -> Attempts:
    return Attempts(str(tmp_path / "crm.db"))


def _killed_while_judging(place: str) -> None:
    with Attempts(place).judging(KEY):
        os.kill(os.getpid(), signal.SIGKILL)


def kill(place: str, times: int = 1) -> None:
    for _ in range(times):
        child = multiprocessing.get_context("fork").Process(target=_killed_while_judging, args=(place,))
        child.start()
        child.join(20)
        assert child.exitcode == -signal.SIGKILL


def left(attempts: Attempts) -> list[str]:
    return os.listdir(attempts.folder) if os.path.isdir(attempts.folder) else []


def test_nothing_was_tried(attempts: Attempts) -> None:
    assert attempts.count(KEY) == 0


def test_a_mail_that_was_judged_leaves_nothing(attempts: Attempts) -> None:
    with attempts.judging(KEY):
        assert len(left(attempts)) == 1
    assert (attempts.count(KEY), left(attempts)) == (0, [])


def test_a_delivery_that_lives_is_not_counted(attempts: Attempts) -> None:
    with attempts.judging(KEY), attempts.judging(KEY):
        assert len(left(attempts)) == 2
        assert attempts.count(KEY) == 0


def test_an_exception_is_an_end_like_any_other(attempts: Attempts) -> None:
    with pytest.raises(ZeroDivisionError), attempts.judging(KEY):
        1 / 0  # noqa: B018
    assert left(attempts) == []


@pytest.mark.parametrize("times", [1, 2, LIMIT])
def test_each_kill_is_counted(attempts: Attempts, tmp_path: Path, times: int) -> None:
    kill(str(tmp_path / "crm.db"), times)
    assert attempts.count(KEY) == times
    assert attempts.count("another") == 0


def test_the_limit_is_three() -> None:
    assert LIMIT == 3


def test_a_good_end_takes_away_only_its_own_mark(attempts: Attempts, tmp_path: Path) -> None:
    kill(str(tmp_path / "crm.db"), 2)
    with attempts.judging(KEY):
        assert len(left(attempts)) == 3
    assert (attempts.count(KEY), len(left(attempts))) == (2, 2)


def test_a_mail_that_is_safe_is_forgotten(attempts: Attempts, tmp_path: Path) -> None:
    kill(str(tmp_path / "crm.db"), 2)
    attempts.forget(KEY)
    assert left(attempts) == []
    attempts.forget(KEY)
    assert attempts.count(KEY) == 0


def test_trouble_with_the_files_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "crm.db.attempts").write_text("a file where the folder should be")
    attempts = Attempts(str(tmp_path / "crm.db"))
    judged = []
    with attempts.judging(KEY):
        judged.append(KEY)
    attempts.forget(KEY)
    assert (judged, attempts.count(KEY)) == ([KEY], 0)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=oct)
@pytest.mark.parametrize(("store", "folder"), [(0o600, 0o700), (0o660, 0o2770)], ids=["alone", "group"])
def test_whoever_may_use_the_store_may_count(tmp_path: Path, umask: int, store: int, folder: int) -> None:
    place = tmp_path / "crm.db"
    place.touch()
    place.chmod(store)
    attempts = Attempts(str(place))
    before = os.umask(umask)
    try:
        with attempts.judging("key"):
            modes = {stat.S_IMODE(mark.stat().st_mode) for mark in Path(attempts.folder).iterdir()}
        attempts.give_up("key")
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(attempts.folder).st_mode) == folder
    assert modes == {store}
    assert {stat.S_IMODE(mark.stat().st_mode) for mark in Path(attempts.folder).iterdir()} == {store}


# --- a process that stays -----------------------------------------------------------------------------------


class Server:
    """A process that stays, and takes mails in hand until one kills it."""

    def __init__(self, place: str) -> None:
        self.beats = 0
        self.counter = Steady(place, self._beat)

    def _beat(self) -> None:
        self.beats += 1


def _killed_while_it_stays(place: str) -> None:
    counter = Server(place).counter
    with counter.judging("innocent"):
        pass
    with counter.judging(KEY):
        os.kill(os.getpid(), signal.SIGKILL)


def kill_a_server(place: str) -> None:
    child = multiprocessing.get_context("fork").Process(target=_killed_while_it_stays, args=(place,))
    child.start()
    child.join(20)
    assert child.exitcode == -signal.SIGKILL


def test_a_server_that_is_killed_accuses_the_mail_in_hand_and_no_other(attempts: Attempts) -> None:
    for number in range(1, LIMIT + 1):
        kill_a_server(attempts.place)
        server = Server(attempts.place)
        assert (server.counter.count(KEY), server.counter.count("innocent")) == (number, 0)
        assert Attempts(attempts.place).count(KEY) == number, "a process of its own knows it, too"
        server.counter.close()
    attempts.forget(KEY)
    assert left(attempts) == []


def test_a_server_that_lives_is_not_counted_and_leaves_nothing(attempts: Attempts) -> None:
    server = Server(attempts.place)
    with server.counter.judging(KEY):
        assert attempts.count(KEY) == 0
        assert Server(attempts.place).counter.count(KEY) == 0
    with pytest.raises(ZeroDivisionError), server.counter.judging(KEY):
        1 / 0  # noqa: B018
    assert server.beats == 2
    assert attempts.unsettled(time.time() + 60) == 0
    server.counter.close()
    assert attempts.count(KEY) == 0


def test_for_a_server_memory_that_is_not_enough_counts_too(attempts: Attempts) -> None:
    server = Server(attempts.place)
    with pytest.raises(MemoryError), server.counter.judging(KEY):
        raise MemoryError
    assert attempts.count(KEY) == 1
    server.counter.close()
    assert len(left(attempts)) == 1


def test_a_server_whose_folder_cannot_be_made_counts_nothing_and_goes_on() -> None:
    server = Server("/proc/nowhere/crm.db")
    with server.counter.judging(KEY):
        pass
    assert (server.beats, server.counter.count(KEY)) == (1, 0)
    server.counter.close()


def test_who_begins_is_not_taken_for_dead_before_he_has_locked_his_file(
    attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader and the storekeeper of one server begin at the same moment."""
    real, others = beside.fit, list[Server]()

    def fit(file: int, place: str) -> None:
        monkeypatch.setattr(beside, "fit", real)
        others.append(Server(place))
        real(file, place)

    monkeypatch.setattr(beside, "fit", fit)
    server = Server(attempts.place)
    assert os.fstat(server.counter._file).st_nlink == 1
    with server.counter.judging(KEY):
        assert attempts.count(KEY) == 0
    for one in (server, *others):
        one.counter.close()
    assert left(attempts) == []
