"""`crmmail doctor`: each thing that can be wrong, made wrong and found, with what to do; its exit, for monitoring."""

from __future__ import annotations

import grp
import json
import os
import pwd
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from conversation import RECEIVED, Talk

from crmmail.errors import StoreBroken
from crmmail.services.keeping import doctor
from crmmail.services.keeping.checks import disk, files, store
from crmmail.store.engine import database
from crmmail.workspace import Choice

LATELY = "2026-11-24 09:00:00.000000"


def doctor_says(talk: Talk) -> list[dict[str, Any]]:
    said = talk.cli("doctor --json")
    assert said.err == ""
    return list(json.loads(said.out))


def sql(talk: Talk, line: str, *values: object) -> None:
    with sqlite3.connect(talk.db) as there:
        there.execute(line, values)
    there.close()


def _mode(suffix: str, mode: int) -> Callable[[Talk], None]:
    """Something beside the store, with that mode."""

    def spoil(talk: Talk) -> None:
        path = Path(f"{talk.db}{suffix}")
        if suffix == ".attempts":
            path.mkdir(exist_ok=True)
        elif suffix:
            path.touch()
        path.chmod(mode)

    return spoil


def _folder_mode(mode: int, store_mode: int = 0o600) -> Callable[[Talk], None]:
    def spoil(talk: Talk) -> None:
        talk.db.chmod(store_mode)
        talk.db.parent.chmod(mode)

    return spoil


def _sql(line: str, *values: object) -> Callable[[Talk], None]:
    return lambda talk: sql(talk, line, *values)


def _secret(value: str | None) -> Callable[[Talk], None]:
    if value is None:
        return _sql("DELETE FROM crm_setting WHERE key = 'secret'")
    return _sql("UPDATE crm_setting SET value = ? WHERE key = 'secret'", value)


def _do(*lines: str) -> Callable[[Talk], None]:
    def spoil(talk: Talk) -> None:
        for line in lines:
            talk.do(line)

    return spoil


def copy_for_everybody(talk: Talk) -> None:
    talk.do(f"db backup {talk.home}/monday.db")
    (talk.home / "monday.db").chmod(0o644)


def log_for_everybody(talk: Talk) -> None:
    talk.mail("ana@example.com", subject="Hello")
    (talk.home / ".local/state/crmmail/log").chmod(0o644)


def settings_for_everybody(talk: Talk) -> None:
    file = talk.home / "config.toml"
    file.write_text('[mail]\ncatchall = "all@crm.test"\n')
    file.chmod(0o666)
    talk.environ(CRMMAIL_CONFIG=str(file))


def password_in_the_settings(talk: Talk) -> None:
    file = talk.home / "config.toml"
    file.write_text('[smtp]\nurl = "smtps://crm:geheim@mail.crm.test"\n')
    file.chmod(0o644)
    talk.environ(CRMMAIL_CONFIG=str(file))


def password_where_all_can_put_another(talk: Talk) -> None:
    folder = talk.home / "open"
    folder.mkdir()
    folder.chmod(0o777)
    talk.environ(CRMMAIL_SMTP_PASSWORD_FILE=str(folder / "password"))


def password_that_others_read(talk: Talk) -> None:
    file = talk.home / "password"
    file.write_text("geheim")
    file.chmod(0o640)
    talk.environ(CRMMAIL_SMTP_PASSWORD_FILE=str(file), CRMMAIL_SMTP_URL="smtps://crm@mail.crm.test")


def password_on_the_mda_line(talk: Talk) -> None:
    talk.mail("ana@example.com", subject="Hello", flags="-u1 -padmin")


def flood(talk: Talk) -> None:
    talk.mail("ana@example.com", "nobody@crm.test", "Hello")
    row = "SELECT original_id, reason, sentence, recipients, from_name, from_address, subject, text, internal, state, "
    names = row.removeprefix("SELECT ") + "received"
    for _ in range(30):
        sql(talk, f"INSERT INTO crm_quarantine ({names}) {row} received FROM crm_quarantine WHERE id = 1")


def forgotten_letter(talk: Talk) -> None:
    talk.mail("ana@example.com", "nobody@crm.test", "Hello")
    talk.wait(days=20)


def stranger(talk: Talk) -> None:
    first = talk.mail("ana@example.com", subject="Hello")
    assert talk.mail("eve@evil.example", answers=first, text="Send it to me.").reason == "unconfirmed"


def nobody_named(talk: Talk) -> None:
    raw = talk.raw("ana@example.com", subject="Hello").replace(b"To: support@crm.test\n", b"")
    assert talk.post(raw).reason == "no-route"


def before_the_alias(talk: Talk) -> None:
    talk.mail("ana@example.com", "jobs@crm.test", "Do you hire?")
    talk.mail("bob@example.com", "jobs@crm.test", "And me?")
    talk.do("aliases add jobs@crm.test --kind lead")


BOTH = "crmmail quarantine create 1 2 --kind lead"


def other_addresses(talk: Talk) -> None:
    for number in range(15):
        talk.mail("ana@example.com", f"nobody{number}@crm.test", f"Hello {number}")


def from_the_future(talk: Talk) -> None:
    talk.wait(days=300)
    talk.mail("ana@example.com", subject="Hello")
    talk.wait(days=-300)


def old_copy(talk: Talk) -> None:
    talk.do(f"db backup {talk.home}/monday.db")
    talk.wait(days=30)


def cron_stopped(talk: Talk) -> None:
    talk.do("tick")
    talk.wait(hours=1)


def mail_waits(talk: Talk) -> None:
    talk.environ(CRMMAIL_SMTP_URL="smtp://mail.crm.test")
    talk.mail("ana@example.com", subject="Hello")
    sql(
        talk,
        "INSERT INTO crm_delivery (message_id, thread_id, address, purpose, role, why, state, identifier, attempts,"
        " due, created) VALUES (1, 1, 'ana@example.com', 'mail', 'to', '', 'queued', 'x@crm.test', 0, ?, ?)",
        LATELY,
        LATELY,
    )


def mail_failed(talk: Talk) -> None:
    mail_waits(talk)
    sql(talk, "UPDATE crm_delivery SET state = 'failed', failure = 'refused', reason = '550 no'")


def bad_address(talk: Talk) -> None:
    sql(talk, "INSERT INTO crm_bad_address (address, since, reason) VALUES ('ana@gone.example', ?, '550')", LATELY)


def alias_in_a_user(talk: Talk) -> None:
    sql(talk, "INSERT INTO crm_user_address (address, user_id, main, virtual) VALUES ('sales@crm.test', 2, 0, 1)")


def alias_follows(talk: Talk) -> None:
    talk.mail("ana@example.com", subject="Hello")
    sql(talk, "INSERT INTO crm_follower (thread_id, address, created) VALUES (1, 'sales@crm.test', ?)", LATELY)


def alias_is_a_contact(talk: Talk) -> None:
    talk.do("contacts add Ana --email ana@example.com")
    sql(talk, "UPDATE crm_contact_address SET address = 'sales@crm.test'")


def a_user_without_address(talk: Talk) -> None:
    sql(talk, "DELETE FROM crm_user_address WHERE user_id = 2")


class Case(NamedTuple):
    spoil: Callable[[Talk], None]
    level: str
    check: str
    words: str
    advice: str


CASES = (
    # The files of the house.
    Case(_mode("", 0o604), "fail", "permissions", "crmmail.db is open to every local user (0604)", "chmod o= "),
    Case(_folder_mode(0o777), "fail", "permissions", "every local user can put files beside", "chmod o-w"),
    Case(_folder_mode(0o755, 0o660), "fail", "permissions", "its group may write", "chmod 2770"),
    Case(_folder_mode(0o770, 0o660), "warn", "permissions", "belongs to his own group", "chmod g+s"),
    Case(_mode("-journal", 0o644), "warn", "permissions", "crmmail.db-journal is more open", "chmod 600"),
    Case(_mode("-wal", 0o644), "warn", "permissions", "crmmail.db-wal is more open", "chmod 600"),
    Case(_mode("-shm", 0o644), "warn", "permissions", "crmmail.db-shm is more open", "chmod 600"),
    Case(_mode(".migrate", 0o644), "warn", "permissions", "crmmail.db.migrate is more open", "chmod 600"),
    Case(_mode(".failing", 0o644), "warn", "permissions", "crmmail.db.failing is more open", "chmod 600"),
    Case(_mode(".tick", 0o644), "warn", "permissions", "crmmail.db.tick is more open", "chmod 600"),
    Case(_mode(".attempts", 0o755), "warn", "permissions", "crmmail.db.attempts is more open", "chmod 700"),
    Case(copy_for_everybody, "fail", "permissions", "monday.db is a copy of a store, and open to", "chmod 600"),
    Case(log_for_everybody, "warn", "log", "tells every local user who writes to us (0644)", "chmod o="),
    Case(settings_for_everybody, "fail", "secrets", "every local user can write", "chmod o-w"),
    Case(password_in_the_settings, "fail", "secrets", "the password in smtp.url can be read", "change the password"),
    Case(password_in_the_settings, "fail", "outgoing", "a password does not belong into it", "crmmail config"),
    Case(password_where_all_can_put_another, "fail", "secrets", "can put another file in the place of", "chmod o-w"),
    Case(password_that_others_read, "fail", "outgoing", "password can be read by others: chmod 600", "crmmail config"),
    Case(_do("config set smtp.password_command 'echo geheim'"), "warn", "secrets", "has the password in it", "0600"),
    Case(password_on_the_mda_line, "warn", "secrets", "a password stood on the mda line (-p)", "rm "),
    # The store.
    Case(_secret(None), "fail", "secrets", "has lost its token secret", "restore"),
    Case(_secret("zz"), "fail", "secrets", "is damaged", "restore"),
    Case(_secret("abcd"), "fail", "secrets", "has 2 bytes", "restore"),
    Case(from_the_future, "warn", "clock", "is dated 2027-09-20 10:00, and the clock says 2026-11-24", "set the clock"),
    Case(old_copy, "warn", "backup", "was 2026-11-24 10:00", "crmmail db backup FILE"),
    # Addresses and people.
    Case(_do("config set mail.domains other.test"), "fail", "domains", "alias sales@crm.test lies in no", "domains"),
    Case(_do("config set mail.catchall sales@crm.test"), "warn", "aliases", "sales@crm.test is an alias", "remove"),
    Case(alias_in_a_user, "fail", "loops", "agent has the address sales@crm.test", "aliases remove sales"),
    Case(alias_follows, "warn", "loops", "sales@crm.test, which makes records, follows #1", "crmmail unfollow 1 --who"),
    Case(alias_is_a_contact, "warn", "loops", "sales@crm.test, which makes records, is an address of", "set 1"),
    Case(a_user_without_address, "warn", "users", "agent has no address", "crmmail users set agent --email"),
    Case(_sql("UPDATE crm_user SET admin = 0"), "fail", "users", "nobody is admin", "restore"),
    # What waits.
    Case(flood, "warn", "quarantine", "31 letters came into it in the last 24 hours, 0.0 a day", "a loop?"),
    Case(forgotten_letter, "warn", "quarantine", "the oldest letter has been waiting since 2026-11-24", "purge"),
    Case(other_addresses, "warn", "quarantine", "5 letters more, to other addresses", "crmmail quarantine"),
    Case(nobody_named, "warn", "quarantine", "1 letter names nobody it came for", "-s SECTION in the mda line"),
    Case(before_the_alias, "warn", "quarantine", "2 letters to jobs@crm.test came before it made", BOTH),
    Case(stranger, "warn", "unconfirmed", "1 answer whose sender nothing confirms waits since", "crmmail unconfirmed"),
    Case(mail_waits, "fail", "outgoing", "mail has been due since 2026-11-24 09:00 and nobody sends it", "cron"),
    Case(mail_failed, "warn", "outgoing", "1 mail could not be delivered", "crmmail outbox"),
    Case(bad_address, "warn", "outgoing", "1 address does not exist, say their mail servers: ana@gone.example", "mend"),
    # What is done by itself.
    Case(cron_stopped, "warn", "cron", "`crmmail tick` last ran 2026-11-24 10:00", "tick"),
    Case(
        _do("rules add Later --trigger created --delay 2d --set-priority high"),
        "warn", "cron", "`crmmail tick`, which lets them act, has never run", "tick",
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check}: {case.words[:40]}")
def test_what_is_wrong_is_found(talk: Talk, case: Case) -> None:
    def matching() -> list[dict[str, Any]]:
        return [one for one in doctor_says(talk) if one["check"] == case.check and case.words in one["sentence"]]

    assert matching() == []
    case.spoil(talk)
    (found,) = matching()
    assert found["level"] == case.level
    assert case.advice in found["advice"]
    if case.level == "fail":
        assert talk.cli("doctor").code == 1


def test_a_sound_shop_has_no_failure_and_no_warning_but_that_nothing_leaves(talk: Talk) -> None:
    talk.mail("ana@example.com", subject="Hello")
    talk.do("tick")
    assert [one["check"] for one in doctor_says(talk) if one["level"] != "ok"] == ["outgoing"]


@pytest.mark.parametrize("umask", [0o000, 0o077], ids=oct)
@pytest.mark.parametrize("shared", [False, True], ids=["alone", "group"])
def test_modes_are_set_on_purpose_whatever_the_umask(
    talk: Talk, monkeypatch: pytest.MonkeyPatch, umask: int, shared: bool
) -> None:
    place = talk.home / "shop" / "crm.db"
    monkeypatch.setenv("CRMMAIL_DB", str(place))
    group = f"--group {grp.getgrgid(os.getgid()).gr_name}" if shared else ""
    before = os.umask(umask)
    try:
        talk.do(f"init --domain crm.test --user boss:boss@crm.test {group}")
        talk.do("aliases add sales@crm.test --kind lead")
        talk.mda(b"")  # leaves the mark that deliveries fail
        with monkeypatch.context() as patch:
            patch.setattr("crmmail.store.files.attempts._remove", lambda path: None)  # as if each was killed
            talk.mail("ana@example.com", "sales@crm.test", "Hello", flags="-u9 -padmin")
        talk.mda(b"")
        talk.do("tick")
        talk.do(f"db backup {talk.home}/shop/copy")
    finally:
        os.umask(before)
    file, folder = (0o660, 0o2770) if shared else (0o600, 0o700)
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in place.parent.iterdir()}
    beside = {f"crm.db{end}" for end in ("", "-journal", ".migrate", ".failing", ".tick")}
    assert {name: modes[name] for name in beside} == dict.fromkeys(beside, file)
    assert (stat.S_IMODE(place.parent.stat().st_mode), modes["crm.db.attempts"]) == (folder, folder)
    assert {stat.S_IMODE(one.stat().st_mode) for one in Path(f"{place}.attempts").iterdir()} == {file}
    assert modes["copy"] == 0o600
    logs = talk.home / ".local/state/crmmail"
    assert {stat.S_IMODE(one.stat().st_mode) for one in logs.iterdir()} == {0o600}
    assert [one["sentence"] for one in doctor_says(talk) if one["check"] == "permissions"] == [f"{place} is {file:04o}"]


# --- exit and options ---------------------------------------------------------------------------------------


def test_exit_and_options_are_made_for_monitoring(talk: Talk) -> None:
    talk.environ(CRMMAIL_SMTP_URL="smtp://mail.crm.test")
    assert (talk.cli("doctor --quiet --strict").code, talk.cli("doctor --quiet --strict").out) == (0, "")
    bad_address(talk)
    assert talk.cli("doctor").code == 0
    assert (talk.cli("doctor --quiet").code, talk.cli("doctor --quiet").out) == (0, "")
    strict = talk.cli("doctor --quiet --strict")
    assert (strict.code, strict.out.count("\n"), "ana@gone.example" in strict.out) == (1, 1, True)
    talk.db.chmod(0o604)
    quiet = talk.cli("doctor --quiet")
    assert (quiet.code, quiet.out.count("\n"), "open to every local user" in quiet.out) == (1, 1, True)
    assert talk.cli("doctor --quiet --strict").out.count("\n") == 2
    assert [one["level"] for one in json.loads(talk.cli("doctor --quiet --json").out)] == ["fail"]


def test_quiet_json_of_a_sound_shop_is_an_empty_list(talk: Talk) -> None:
    assert talk.cli("doctor --quiet --json").json == []


def test_instead_of_numbers_the_names_of_what_was_looked_at(talk: Talk) -> None:
    assert {"schema", "aliases", "outgoing"} <= set(talk.cli("doctor -o ids").out.split())


def test_a_retired_alias_makes_no_loop(talk: Talk) -> None:
    alias_follows(talk)
    alias_is_a_contact(talk)
    talk.do("aliases remove sales@crm.test")
    assert [one for one in doctor_says(talk) if one["check"] == "loops"] == []


def test_a_log_in_the_folder_where_one_stands(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    talk.environ(CRMMAIL_LOG_FILE="crm.log")
    monkeypatch.chdir(talk.home)
    monkeypatch.setattr(files.os, "access", lambda path, mode: path != ".")
    (found,) = [one for one in doctor_says(talk) if one["check"] == "log"]
    assert found["sentence"] == "crm.log cannot be written"
    assert found["advice"].startswith("chmod u+w ., or ")


def test_one_address_makes_records(talk: Talk) -> None:
    talk.do("aliases remove sales@crm.test")
    assert "1 address makes records" in [one["sentence"] for one in doctor_says(talk)]


def test_a_password_keeper_that_is_not_installed_is_named(talk: Talk) -> None:
    talk.environ(CRMMAIL_SMTP_URL="smtps://crm@mail.crm.test", PATH="/nowhere")
    talk.do("config set smtp.password_command 'pass show crm-smtp'")
    (found,) = [one for one in doctor_says(talk) if one["check"] == "outgoing" and one["level"] == "fail"]
    assert found["sentence"] == "smtp.password_command cannot be run: `pass` was not found"


# --- what a test cannot be, or have -------------------------------------------------------------------------


def test_somebody_else_s_store(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {0: "root", 4711: "fetchmail"}
    monkeypatch.setattr(pwd, "getpwuid", lambda number: SimpleNamespace(pw_name=names[number]))
    attempts = Path(f"{talk.db}.attempts")
    attempts.mkdir(mode=0o700)
    os.chown(attempts, 4711, -1)
    (found,) = [one for one in doctor_says(talk) if "works with the store of" in one["sentence"]]
    assert found["sentence"].startswith("fetchmail works with the store of root")
    assert (found["level"], found["advice"].endswith("crmmail init --group")) == ("fail", True)


def test_what_the_group_shares_must_be_theirs(talk: Talk) -> None:
    talk.db.parent.chmod(0o2770)
    talk.db.chmod(0o660)
    _mode(".attempts", 0o700)(talk)
    (found,) = [one for one in doctor_says(talk) if "cannot use" in one["sentence"]]
    assert (found["level"], found["advice"]) == ("fail", f"chmod 2770 {talk.db}.attempts")


def test_who_cannot_write_is_told_who_must_roll_back(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Path(f"{talk.db}-journal")
    journal.write_bytes(b"half a write")
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    found = list(files.nothing_waits_to_be_rolled_back(site_of(talk)))
    assert [(one.level, one.check) for one in found] == [("fail", "journal")]
    assert "you may not put it in order" in found[0].sentence and "never remove it" in found[0].advice
    assert any("cannot be written by you" in one.sentence for one in files.store_is_private(site_of(talk)))
    for nothing in (b"", bytes(28) + b"what was rolled back once"):
        journal.write_bytes(nothing)
        assert list(files.nothing_waits_to_be_rolled_back(site_of(talk))) == []


@pytest.mark.parametrize(
    ("mode", "ours", "advice"),
    [
        (0o000, True, "chmod u+rw {place}"),
        (0o400, True, "chmod u+rw {place}"),
        (0o600, True, "look how the disk of {place} is mounted"),
        (0o600, False, "run as fetchmail"),
    ],
)
def test_who_may_not_use_the_store_is_told_what_he_can_type(
    talk: Talk, monkeypatch: pytest.MonkeyPatch, mode: int, ours: bool, advice: str
) -> None:
    monkeypatch.setattr(pwd, "getpwuid", lambda number: SimpleNamespace(pw_name="fetchmail"))
    monkeypatch.setattr(os, "access", lambda path, wanted: False)
    talk.db.chmod(mode)
    if not ours:
        monkeypatch.setattr(os, "getuid", lambda: 4711)
    wanted = advice.format(place=talk.db)
    assert wanted in [one.advice for one in files.store_is_private(site_of(talk))]
    shut = doctor._failed("store", StoreBroken(f"cannot open {talk.db}"), str(talk.db))
    assert shut.advice == wanted


def site_of(talk: Talk) -> Any:
    return doctor._site(Choice(db=str(talk.db)), os.environ)


@pytest.mark.parametrize(
    ("room", "files_left", "level", "words"),
    [
        (50_000_000, 9_999, "fail", "50 MB are free: the next big mail does not fit"),
        (500_000_000, 9_999, "warn", "only 500 MB are free"),
        (9_000_000_000, 9_999, "ok", "9 GB are free"),
        (9_000_000_000, 50, "fail", "50 more files can be made (inodes)"),
        (9_000_000_000, 500, "warn", "only 500 more files can be made (inodes)"),
    ],
)
def test_a_disk_that_fills(
    talk: Talk, monkeypatch: pytest.MonkeyPatch, room: int, files_left: int, level: str, words: str
) -> None:
    facts = SimpleNamespace(f_bavail=room // 1_000, f_frsize=1_000, f_files=10_000, f_favail=files_left)
    monkeypatch.setattr(os, "statvfs", lambda path: facts)
    found = [one for one in disk.there_is_room(site_of(talk)) if words in one.sentence]
    assert [one.level for one in found] == [level]


def test_a_disk_without_a_table_of_files_is_not_out_of_them(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = SimpleNamespace(f_bavail=10**9, f_frsize=1_000, f_files=0, f_favail=0)  # btrfs
    monkeypatch.setattr(os, "statvfs", lambda path: facts)
    assert [one.level for one in disk.there_is_room(site_of(talk))] == ["ok"]


MOUNTS = """\
22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:40 / /srv rw,relatime - nfs4 server:/srv rw
31 30 0:41 / /srv/local\\040disk rw - xfs /dev/sdb rw
32 22 0:42 / /srvx rw - cifs //server/x rw
line that is none
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/crm.db", "ext4"),
        ("/srv/crm.db", "nfs4"),
        ("/srv/local disk/crm.db", "xfs"),
        ("/srvx/crm.db", "cifs"),
        ("/srvy/crm.db", "ext4"),
    ],
)
def test_on_which_file_system_a_path_lies(path: str, kind: str) -> None:
    assert disk.filesystem(path, MOUNTS) == kind


def test_a_store_on_the_network(talk: Talk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text("30 22 0:40 / / rw,relatime - nfs4 server:/ rw\n")
    monkeypatch.setattr(disk, "MOUNTS", str(tmp_path / "mounts"))
    (found,) = [one for one in doctor_says(talk) if "network file system (nfs4)" in one["sentence"]]
    assert (found["level"], found["check"]) == ("warn", "disk")


def test_wal_with_an_old_sqlite(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    with talk.open() as workspace:
        workspace.store.database.execute_sql("PRAGMA journal_mode=WAL")
        monkeypatch.setattr(database, "WAL_IS_SAFE", (99,))
        (found,) = store.journal_is_safe(workspace)
    assert (found.level, found.sentence.startswith("WAL with SQLite")) == ("fail", True)


def test_a_store_that_does_not_wait_for_the_disk(talk: Talk) -> None:
    with talk.open() as workspace:
        workspace.store.database.execute_sql("PRAGMA synchronous=OFF")
        (found,) = store.journal_is_safe(workspace)
    assert (found.level, "synchronous is 0" in found.sentence) == ("fail", True)


def test_what_a_check_dies_of_does_not_silence_the_others(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    def burn(*_: Any) -> Any:
        raise RuntimeError("paper jam")
        yield

    before = {one["check"] for one in doctor_says(talk)}
    monkeypatch.setattr(doctor, "INSIDE", (burn, *doctor.INSIDE))
    monkeypatch.setattr(doctor, "AROUND", (burn, *doctor.AROUND))
    found = doctor_says(talk)
    assert [one["level"] for one in found if "RuntimeError: paper jam" in one["sentence"]] == ["fail", "fail"]
    assert before <= {one["check"] for one in found}


def test_looking_changes_nothing(talk: Talk) -> None:
    talk.mail("ana@example.com", subject="Hello")
    talk.mail("ana@example.com", subject="Hello", headers={"X-Again": "1"}, id="m1@example.com")
    assert talk.sent[0].raw != RECEIVED
    before = talk.db.read_bytes()
    doctor_says(talk)
    assert talk.db.read_bytes() == before
