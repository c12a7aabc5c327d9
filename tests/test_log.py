"""The log: one line an event, and trouble with it is nobody's trouble."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crmmail import log

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "state" / "crmmail" / "log")


def test_a_line_has_its_time_its_door_and_its_process(path: str) -> None:
    log.write(path, NOW, "mda", "stored #101")
    assert log.tail(path, 5) == [f"2026-11-24T10:00:00+00:00 mda[{os.getpid()}] stored #101"]


def test_many_lines_at_once(path: str) -> None:
    log.write(path, NOW, "serve", "stored #101", "stored\n#102")
    head = f"2026-11-24T10:00:00+00:00 serve[{os.getpid()}]"
    assert log.tail(path, 5) == [f"{head} stored #101", f"{head} stored #102"]


def test_the_log_is_its_owner_s_alone(path: str) -> None:
    log.write(path, NOW, "mda", "stored")
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "words",
    [
        "one\ntwo",
        "one\r\ntwo",
        "one\x0b\x0ctwo",
        "one\u2028two\u2029",
        "one\x85two",
        "one\x1b[31mtwo",
        "one\x9b31mtwo",
        "one\x1b]52;c;aGVsbG8=\x07two",
        "one\x00two",
        "one\u202etwo",
        "one\ud800two",
    ],
    ids=ascii,
)
def test_a_mail_s_words_cannot_act_nor_make_a_line_of_their_own(path: str, words: str) -> None:
    log.write(path, NOW, "mda", words)
    content = Path(path).read_bytes().decode()
    assert content.count("\n") == 1 and content.endswith("\n")
    assert content[:-1].isprintable()
    assert "one" in content and "two" in content


def test_a_long_line_is_cut(path: str) -> None:
    log.write(path, NOW, "mda", "x" * 100_000)
    (line,) = log.tail(path, 5)
    assert 900 < len(line) < 1100


@pytest.mark.parametrize("words", ["Принтер горит", "プリンター", "naïve"])
def test_words_of_any_alphabet_stay(path: str, words: str) -> None:
    log.write(path, NOW, "mda", words)
    assert log.tail(path, 1)[0].endswith(words)


def test_lines_of_many_writers_do_not_mix(path: str) -> None:
    log.write(path, NOW, "mda", "first")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: log.write(path, NOW, "mda", f"{number} " + "x" * 500), range(200)))
    lines = Path(path).read_text().splitlines()
    assert len(lines) == 201
    assert sorted(int(re.search(r"\] (\d+) x{500}$", line)[1]) for line in lines[1:]) == list(range(200))  # type: ignore[index]


# --- once ---------------------------------------------------------------------------------------------------


def test_the_same_is_said_once_ever(path: str) -> None:
    log.write(path, NOW, "mda", "the folder is there")
    for words in ("a password", "a password", "a user", "a password"):
        log.once(path, NOW, "mda", words)
    assert [line.rpartition("] ")[2] for line in log.tail(path, 9)] == ["the folder is there", "a password", "a user"]


def test_the_first_line_of_all_is_not_lost(path: str) -> None:
    log.once(path, NOW, "mda", "a password")
    assert len(log.tail(path, 9)) == 1


def test_a_line_that_begins_like_another_is_another(path: str) -> None:
    log.write(path, NOW, "mda", "the folder is there")
    log.once(path, NOW, "mda", "-ubob fits no user")
    log.once(path, NOW, "mda", "-ubo")
    assert len(log.tail(path, 9)) == 3


@pytest.mark.parametrize(
    "words", ["-uann\nbob fits no user", "-uann\x85\u2028 fits", "-uann\udcff fits", "\x1b[2J\u202e"]
)
def test_it_is_said_once_whatever_is_in_it(path: str, words: str) -> None:
    for _ in range(3):
        log.once(path, NOW, "mda", words)
    assert len(log.tail(path, 9)) == 1
    said = Path(path + ".once").read_text(encoding="utf-8")
    assert said.count("\n") == 1 and said[:-1].isprintable()


# --- trouble ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("say", [log.write, log.once], ids=["write", "once"])
@pytest.mark.parametrize("place", ["/dev/null/log", "/proc/nowhere/log", ".", "full", "x" * 5000])
def test_trouble_is_nobody_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: Callable[[str, datetime, str, str], None], place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    os.symlink("/dev/full", "full")
    say(place, NOW, "mda", "stored")
    assert set(os.listdir()) <= {"full", "full.once", "..once"}


def test_a_pipe_that_nobody_reads_holds_nobody_up(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    os.mkfifo(path)
    start = time.monotonic()
    log.write(path, NOW, "mda", "stored")
    assert time.monotonic() - start < 1


# --- tail ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "wanted", "shown"),
    [(0, 5, 0), (3, 5, 3), (5, 5, 5), (50, 5, 5), (5000, 7, 7)],
)
def test_the_last_lines_oldest_first(tmp_path: Path, lines: int, wanted: int, shown: int) -> None:
    path = tmp_path / "log"
    path.write_text("".join(f"line {number}\n" for number in range(lines)))
    assert log.tail(str(path), wanted) == [f"line {number}" for number in range(lines - shown, lines)]


def test_the_last_lines_are_whole_also_when_they_are_long(path: str) -> None:
    for number in range(10):
        log.write(path, NOW, "mda", f"{number} " + "🖨" * 998)
    lines = log.tail(path, 5)
    assert [re.search(r"\] (\d) ", line)[1] for line in lines] == ["5", "6", "7", "8", "9"]  # type: ignore[index]


def test_without_a_log_there_is_nothing_to_show(path: str) -> None:
    assert log.tail(path, 5) == []
