"""How often judging one mail was cut off: a kill leaves its mark, every other end leaves nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
from pathlib import Path

import pytest

from crmmail.store.attempts import LIMIT, Attempts

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
