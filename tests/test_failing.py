"""Deliveries that fail leave a mark, `crmmail doctor` and the summary tell of it, the next success takes it away."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conversation import Talk

from crmmail.store.files import beside, failing

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def findings(talk: Talk, check: str = "deliveries", *, options: str = "") -> list[dict[str, Any]]:
    """What `doctor` finds under that name, whatever its exit code."""
    return [one for one in json.loads(talk.cli(f"doctor --json {options}").out) if one["check"] == check]


def mark_of(talk: Talk) -> Path:
    return Path(beside.failing(str(talk.db)))


def fail(talk: Talk, *flags: str, raw: bytes = b"From: ana@example.com\n\nHello\n") -> str:
    code, (line,) = talk.mda(raw, *flags)
    assert code == 75
    return line


def broken(talk: Talk) -> None:
    talk.environ(CRMMAIL_LOOP_MINUTES="soon")


def mended(talk: Talk) -> None:
    talk.environ(CRMMAIL_LOOP_MINUTES="120")


def test_failures_are_counted_until_one_succeeds(talk: Talk) -> None:
    broken(talk)
    fail(talk)
    talk.wait(minutes=5)
    fail(talk)
    talk.wait(minutes=5)
    fail(talk)
    mended(talk)
    (one,) = findings(talk)
    assert one["level"] == "fail"
    assert one["sentence"].startswith("deliveries fail since 10:00: $CRMMAIL_LOOP_MINUTES is 'soon'")
    assert one["sentence"].endswith("(3 in a row, the last at 10:10)")
    assert one["advice"]
    assert talk.cli("doctor").code == 1
    assert talk.do("").splitlines()[0].startswith("! deliveries fail since 10:00: $CRMMAIL_LOOP_MINUTES is 'soon'")
    assert talk.cli("--json").json["failing"].startswith("deliveries fail since 10:00")
    talk.mail("ana@example.com", subject="At last")
    assert findings(talk) == []
    assert talk.cli("doctor").code == 0
    assert "fail" not in talk.do("").splitlines()[0]
    assert talk.cli("--json").json["failing"] is None
    assert not mark_of(talk).exists()


@pytest.mark.parametrize(
    ("flags", "words", "advice"),
    [
        (["--db", "/nowhere/crm.db"], "no store at /nowhere/crm.db", "mend --db in the mda line"),
        (["--config", "/nowhere.toml"], "no configuration file /nowhere.toml", "mend that setting"),
        (["--nonsense"], "option --nonsense not recognized", "mend the mda line"),
        (["support"], "unexpected word 'support'", "mend the mda line"),
    ],
)
def test_a_wrong_line_is_named(talk: Talk, flags: list[str], words: str, advice: str) -> None:
    fail(talk, *flags)
    (one,) = findings(talk)
    assert (one["level"], words in one["sentence"], advice in one["advice"]) == ("fail", True, True)


def test_a_bug_of_ours_is_named(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("crmmail.mda.deliver", lambda *args, **more: 1 / 0)
        fail(talk)
    (one,) = findings(talk)
    assert "ZeroDivisionError" in one["sentence"]


def test_a_locked_store_is_named(talk: Talk) -> None:
    talk.environ(CRMMAIL_DELIVERY_BUSY_TIMEOUT="0")
    holder = sqlite3.connect(talk.db, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    fail(talk)
    holder.close()
    (one,) = findings(talk)
    assert "is locked by another process" in one["sentence"]
    assert f"fuser {talk.db}" in one["advice"]


def test_nothing_on_stdin_is_a_fetchmail_that_was_stopped_but_not_three_times(talk: Talk) -> None:
    for level in ("warn", "warn", "fail"):
        fail(talk, raw=b"")
        (one,) = findings(talk)
        assert (one["level"], "nothing came on standard input" in one["sentence"]) == (level, True)


def test_it_is_said_what_takes_a_failure_away(talk: Talk) -> None:
    broken(talk)
    fail(talk)
    mended(talk)
    talk.wait(hours=3)
    (one,) = findings(talk)
    assert one["level"] == "fail"
    assert one["advice"].endswith("; the next delivery that succeeds clears this (since 10:00 none has come)")


@pytest.mark.parametrize("trouble", ["gone", "cut off", "behind"])
def test_a_store_that_is_back_makes_it_a_warning(talk: Talk, trouble: str) -> None:
    whole = talk.db.read_bytes()
    {"gone": gone, "cut off": empty, "behind": behind}[trouble](talk)
    fail(talk)
    assert findings(talk)[0]["level"] == "fail"
    talk.db.write_bytes(whole)
    (one,) = findings(talk)
    assert one["level"] == "warn"
    assert one["sentence"].startswith("deliveries failed until 10:00, and none has come since the store was mended: ")
    assert "init" not in one["advice"] and "migrate" not in one["advice"]
    talk.mail("ana@example.com", subject="At last")
    assert findings(talk) == []


def test_what_failed_days_ago_is_history(talk: Talk) -> None:
    fail(talk, "--nonsense")
    talk.wait(days=2)
    (one,) = findings(talk)
    assert (one["level"], one["sentence"].startswith("deliveries failed until 2026-11-24 10:00")) == ("warn", True)
    assert f"rm {mark_of(talk)}" in one["advice"]
    assert "deliveries" not in talk.do("")


def test_each_75_has_its_line_in_the_log(talk: Talk) -> None:
    fail(talk, "--db", "/nowhere/crm.db")
    fail(talk, "--nonsense")
    first, second = talk.do("log --file").splitlines()[-2:]
    assert "later: no store at /nowhere/crm.db" in first
    assert "later: option --nonsense not recognized" in second


# --- where the mark lies ------------------------------------------------------------------------------------


def test_where_it_cannot_lie_beside_the_store_it_lies_with_the_user(talk: Talk) -> None:
    mark_of(talk).mkdir()  # so that no file can be made there, not even by root
    broken(talk)
    fail(talk)
    fail(talk)
    mended(talk)
    mark_of(talk).rmdir()
    there = talk.home / ".local/state/crmmail/failing"
    assert json.loads(there.read_bytes())["count"] == 2
    assert "2 in a row" in findings(talk)[0]["sentence"]
    talk.mail("ana@example.com", subject="At last")
    assert not there.exists()


def test_a_success_elsewhere_changes_nothing(talk: Talk) -> None:
    fail(talk, "--db", "/nowhere/crm.db")
    talk.mail("ana@example.com", subject="Another mailbox")
    assert "/nowhere/crm.db" in findings(talk)[0]["sentence"]


def test_without_room_an_empty_file_says_since_when(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    broken(talk)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        fail(talk)
    mended(talk)
    assert mark_of(talk).stat().st_size == 0
    os.utime(mark_of(talk), (talk.clock.timestamp(), talk.clock.timestamp()))
    (one,) = findings(talk)
    assert (one["level"], one["sentence"]) == (
        "fail", "deliveries fail since 10:00, and there was no room to write down why"
    )  # fmt: skip
    talk.wait(days=2)
    assert findings(talk)[0]["sentence"] == "deliveries failed until 2026-11-24 10:00, and none has come since"
    talk.mail("ana@example.com", subject="Room again")
    assert findings(talk) == []


def test_once_it_is_there_it_needs_no_more_room(tmp_path: Path) -> None:
    path = str(tmp_path / "mark")
    for number in range(3):
        assert failing.note(path, NOW, kind="StoreBroken", why="x" * number * 4_000, place="/srv/crm.db")
        assert os.stat(path).st_size == failing.SIZE
    found = failing.read(path)
    assert found is not None
    assert (found.count, len(found.why)) == (3, failing.LONGEST)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=oct)
@pytest.mark.parametrize("mode", [0o600, 0o660, 0o000, 0o400], ids=oct)
def test_whoever_may_use_the_store_may_read_it(tmp_path: Path, umask: int, mode: int) -> None:
    store = tmp_path / "crm.db"
    store.touch()
    store.chmod(mode)
    before = os.umask(umask)
    try:
        failing.note(beside.failing(str(store)), NOW, kind="", why="", place=str(store))
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(beside.failing(str(store))).st_mode) == mode | 0o600  # what we wrote we can read


def test_the_stores_own_mark_goes_by_whatever_way_it_was_named(talk: Talk) -> None:
    failing.note(beside.failing(str(talk.db)), NOW, kind="bug", why="", place="/another/way/to/it")
    talk.mail("ana@example.com", subject="Printer broken", text="It smokes.")
    assert failing.read(beside.failing(str(talk.db))) is None


def test_a_mark_that_its_reader_may_not_open_says_so(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(talk)
    fail(talk)
    mended(talk)
    real = os.open

    def shut(path: Any, *args: Any, **more: Any) -> int:
        if path == str(mark_of(talk)):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path, *args, **more)

    mark_of(talk).chmod(0)
    os.utime(mark_of(talk), (talk.clock.timestamp(), talk.clock.timestamp()))
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", shut)
        (one,) = findings(talk)
    assert one["sentence"].endswith(", and what says why cannot be read by you")
    assert one["advice"].startswith(f"chmod u+rw {mark_of(talk)}; the next delivery that succeeds")


NOTE = """
import sys; from datetime import UTC, datetime; from crmmail.store.files import failing
for _ in range(25): assert failing.note(sys.argv[1], datetime.now(UTC), kind="", why=sys.argv[2], place="/srv/crm.db")
"""


def test_failures_at_once_are_all_counted(tmp_path: Path) -> None:
    path = str(tmp_path / "mark")
    those = [subprocess.Popen([sys.executable, "-c", NOTE, path, str(number)]) for number in range(4)]
    assert [one.wait() for one in those] == [0] * 4
    found = failing.read(path)
    assert found is not None and found.count == 100


def test_where_nothing_failed_a_success_only_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    real = os.path.exists
    with monkeypatch.context() as patch:
        patch.setattr(os.path, "exists", lambda path: looks.append(path) or real(path))
        for call in ("open", "unlink", "listdir", "makedirs"):
            patch.setattr(os, call, lambda *args, **more: pytest.fail("it does more than look"))
        failing.clear(str(tmp_path / "mark"), "/srv/crm.db")
    assert looks == [str(tmp_path / "mark")]


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"null", b"\xff" * 5_000, b'{"since": "soon"}', b"[" * 100_000, b'{"since": 1, "last": 2}'],
    ids=lambda content: repr(content[:12]),
)
def test_a_mark_that_is_none_still_says_since_when(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mark"
    path.write_bytes(content)
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    assert failing.read(str(path)) == failing.Mark(NOW, NOW, 0, "", "", "")


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "mark").symlink_to(victim)
    assert not failing.note(str(tmp_path / "mark"), NOW, kind="", why="", place="")
    assert victim.read_text() == "precious"


def test_its_words_are_one_clean_line(tmp_path: Path) -> None:
    path = str(tmp_path / "mark")
    failing.note(path, NOW, kind="bug", why="a\nb\x1b[31m\u202ec\ud800\0", place="/srv/\udcff.db")
    found = failing.read(path)
    assert found is not None and found.why.isprintable() and found.why.startswith("a b")
    failing.clear(path, "/srv/\udcff.db")
    assert failing.read(path) is None


def test_a_failure_that_cannot_be_written_down_is_75_all_the_same(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("crmmail.services.shared.failing.place_of", lambda *args: 1 / 0)
        assert "not recognized" in fail(talk, "--nonsense")


# --- a store that does not open -----------------------------------------------------------------------------


def gone(talk: Talk) -> None:
    talk.db.unlink()


def no_database(talk: Talk) -> None:
    talk.db.write_bytes(b"This is no database at all." * 100)


def damaged(talk: Talk) -> None:
    data = bytearray(talk.db.read_bytes())
    data[8192:40960] = b"\xaa" * 32768
    talk.db.write_bytes(bytes(data))


def empty(talk: Talk) -> None:
    talk.db.write_bytes(b"")


def behind(talk: Talk) -> None:
    with sqlite3.connect(talk.db) as store:
        store.execute("DELETE FROM crm_migration WHERE name = '0004_scale'")


def ahead(talk: Talk) -> None:
    with sqlite3.connect(talk.db) as store:
        store.execute("INSERT INTO crm_migration (name, applied) VALUES ('9999_later', '2026-01-01')")


def wrong_setting(talk: Talk) -> None:
    with sqlite3.connect(talk.db) as store:
        store.execute("INSERT INTO crm_setting VALUES ('loop.minutes', 'soon')")


def wrong_clock(talk: Talk) -> None:
    talk.environ(CRMMAIL_NOW="tomorrow")


@pytest.mark.parametrize(
    ("spoil", "check", "words"),
    [
        (gone, "store", "no store at"),
        (no_database, "store", "file is not a database"),
        (damaged, "store", "malformed"),
        (empty, "schema", "every delivery says 75"),
        (behind, "schema", "pending: 0004_scale; every delivery says 75"),
        (ahead, "schema", "made by a newer crmmail (9999_later"),
        (wrong_setting, "settings", "loop.minutes in the store is 'soon'"),
        (wrong_clock, "settings", "$CRMMAIL_NOW is 'tomorrow'"),
        (broken, "settings", "$CRMMAIL_LOOP_MINUTES is 'soon'"),
    ],
)
def test_doctor_answers_where_the_store_does_not(
    talk: Talk, spoil: Callable[[Talk], None], check: str, words: str
) -> None:
    fail(talk, "--nonsense")
    spoil(talk)
    said = talk.cli("doctor --json")
    found = json.loads(said.out)
    assert (said.code, said.err) == (1, "")
    assert (found[0]["level"], found[0]["check"]) == ("fail", check)
    assert words in found[0]["sentence"] and found[0]["advice"]
    assert {tuple(one) for one in found} == {("level", "check", "sentence", "advice")}
    assert {"deliveries", "disk"} <= {one["check"] for one in found}  # what needs no store is looked at all the same
    assert "domains" not in {one["check"] for one in found}  # what is in it is not
    assert words in talk.cli("doctor").out and words in talk.cli("doctor --quiet").out
    assert fail(talk)


def test_doctor_does_not_wait_for_ever_for_a_store_that_is_held(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crmmail.services.keeping.doctor.PATIENCE", 0)
    talk.environ(CRMMAIL_DELIVERY_BUSY_TIMEOUT="3600")
    holder = sqlite3.connect(talk.db, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    said = talk.cli("doctor --json")
    holder.close()
    first, *others = json.loads(said.out)
    assert (said.code, first["level"], first["check"]) == (1, "fail", "store")
    assert "is locked by another process" in first["sentence"]
    assert "permissions" in {one["check"] for one in others}


def test_a_mark_grows_old_with_the_house_s_clock(talk: Talk) -> None:
    broken(talk)
    fail(talk)
    mended(talk)
    found = failing.read(str(mark_of(talk)))
    assert found is not None and found.last - talk.clock < timedelta(seconds=1)
