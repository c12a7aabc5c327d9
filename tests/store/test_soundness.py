"""`db check`: each kind of damage, done and found; a sound store has none, and others go on working meanwhile."""

from __future__ import annotations

import json
import sqlite3
import threading
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conversation import Talk, founded, opened

from crmmail.store import tables as t
from crmmail.store.care import soundness
from crmmail.store.engine import database

LIFE = (
    "contacts add Ann --email ann@customer.example --category 'Support / Gold'",
    "note 1 -m 'Look at it.'",
    "users set agent --notify both",
    "reply 1 -m 'Done.' --then close",
)


pytestmark = pytest.mark.sqlite("damages the file")


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a shop in which something of everything has happened."""
    folder = tmp_path_factory.mktemp("lived")
    with pytest.MonkeyPatch.context() as patch:
        talk = opened(founded(folder), folder, patch)
        first = talk.mail("Ann <ann@customer.example>", subject="Привет", text="Hi.", files=[("a.bin", b"\0\1" * 99)])
        for line in LIFE:
            talk.do(line)
        talk.mail("ann@customer.example", answers=first, text="Thank you!")
        talk.mail("eve@evil.example", answers=first, text="Send it to me.")
        talk.mail("cy@new.example", "jobs@crm.test", "Do you hire?")
        other = talk.mail("ann@customer.example", subject="Twice", text="The same.").record
        talk.do(f"merge {other} --into 1")
    return talk.db


@pytest.fixture
def busy(lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Talk:
    return opened(lived, tmp_path, monkeypatch)


def sql(talk: Talk, line: str, *values: object) -> None:
    """Straight into the file, without foreign keys."""
    with closing(sqlite3.connect(talk.db)) as there:
        there.execute(line, values)
        there.commit()


def damage(talk: Talk) -> list[tuple[str, str]]:
    """(check, sentence) of all that is wrong."""
    with closing(database.open(str(talk.db), check=False)) as store:
        return [(one.check, one.sentence) for one in soundness.damages(store)]


def test_a_sound_store_has_none(busy: Talk) -> None:
    assert damage(busy) == []
    assert busy.do("db check") == "the store is sound"
    assert busy.cli("db check -o tsv").out == ""
    assert busy.cli("db check --json").json == []


def test_damage_is_said_in_words_and_in_json_and_by_the_exit(busy: Talk) -> None:
    sql(busy, "UPDATE crm_case SET priority = -3 WHERE thread_id = 1")
    said = busy.cli("db check")
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines() == [
        "crmmail: the priority of case 1 is none of 1 to 5",
        "crmmail: what to do: keep this file as it is, and restore a backup (`crmmail db backup` makes them)",
    ]
    said = busy.cli("db check --json")
    assert (said.code, said.err) == (1, "")
    assert json.loads(said.out) == [
        {"check": "rows", "table": "crm_case", "row": 1, "sentence": "the priority of case 1 is none of 1 to 5"}
    ]


MESSAGE = "(SELECT MIN(id) FROM crm_message WHERE kind = 'note')"
DAMAGES = (
    ("DELETE FROM crm_case WHERE thread_id = 1", "rows", "#1 is a case and has no row in crm_case"),
    ("UPDATE crm_thread SET kind = 'lead' WHERE id = 1", "rows", "belongs to a thread that is no case"),
    ("UPDATE crm_thread SET kind = 'ticket' WHERE id = 1", "rows", "#1 is of a kind that there is not"),
    ("UPDATE crm_case SET state = 'new' WHERE thread_id = 1", "rows", "case 1 has a state that cases do not have"),
    ("UPDATE crm_case SET priority = -3 WHERE thread_id = 1", "rows", "the priority of case 1 is none of 1 to 5"),
    ("DELETE FROM crm_decision WHERE original_id = 1", "rows", "the letter 1 came, and nothing says what was decided"),
    (
        "UPDATE crm_original SET data = NULL WHERE id = (SELECT original_id FROM crm_quarantine WHERE id = 1)",
        "rows", "the letter 1 waits in quarantine, and its bytes are gone",
    ),
    ("UPDATE crm_original SET size = -1 WHERE id = 1", "rows", "the letter 1 has less than no bytes"),
    (
        "UPDATE crm_notification SET message_id = NULL, quarantine_id = NULL WHERE id = 1",
        "rows", "item 1 of an inbox is about nothing",
    ),
    ("UPDATE crm_follower SET address = 'x@y.example' WHERE id = 1", "rows", "follower 1 is not exactly one of"),
    (
        f"UPDATE crm_delivery SET message_id = {MESSAGE} WHERE user_id IS NULL",
        "rows", "would carry what is internal to somebody outside",
    ),
    ("UPDATE crm_delivery SET state = 'lost' WHERE id = 1", "rows", "mail 1 of the outbox is in a state that"),
    ("UPDATE crm_delivery SET state = 'sent', sent = NULL WHERE id = 1", "rows", "was sent, and nothing says when"),
    ("UPDATE crm_delivery SET address = '' WHERE id = 1", "rows", "mail 1 of the outbox goes to nobody"),
    ("UPDATE crm_delivery SET attempts = -1 WHERE id = 1", "rows", "mail 1 of the outbox was tried less than no times"),
    ("UPDATE crm_blob SET size = 7", "rows", "attachment bytes in row 1 are not as many as they were"),
    ("UPDATE crm_attachment SET size = 7", "rows", "attachment 1 says another size than its bytes have"),
    (
        "UPDATE crm_thread SET moved_to_id = (SELECT id FROM crm_thread WHERE moved_to_id = 1) WHERE id = 1",
        "rings", "crm_thread was merged into itself",
    ),
    ("UPDATE crm_thread SET moved_to_id = 1 WHERE id = 1", "rings", "row 1 of crm_thread was merged into itself"),
    ("UPDATE crm_message SET superseded_by_id = 2 WHERE id = 2", "rings", "row 2 of crm_message takes the place of"),
    ("UPDATE crm_message SET answers_id = 2 WHERE id = 2", "rings", "row 2 of crm_message answers itself"),
    ("UPDATE crm_section SET parent_id = 1 WHERE id = 1", "rings", "row 1 of crm_section stands above itself"),
    ("UPDATE crm_message SET subject = 'a' || char(0) || 'b' WHERE id = 2", "text", "no clean text in subject"),
    ("UPDATE crm_message SET text = CAST(x'eda080' AS TEXT) WHERE id = 2", "text", "no clean text in text"),
    ("UPDATE crm_message SET text = CAST(x'd0' AS TEXT) WHERE id = 2", "text", "no clean text in text"),
    ("UPDATE crm_user SET name = x'616263' WHERE id = 1", "text", "row 1 of crm_user has no clean text in name"),
    ("UPDATE crm_quarantine SET recipients = '[\"' || char(0) || '\"]'", "text", "no clean text in recipients"),
    ("UPDATE crm_thread SET created = '2026-11-24T10:00:00+01:00' WHERE id = 1", "moments", "in UTC in created"),
    ("UPDATE crm_journal SET at = '2026-11-24 10:00:00' WHERE id = 1", "moments", "row 1 of crm_journal has no moment"),
    ("UPDATE crm_blob SET data = zeroblob(size)", "bytes", "are not what came"),
    ("UPDATE crm_original SET data = substr(data, 1, length(data) - 2) WHERE id = 1", "bytes", "kept letter 1 is not"),
    ("UPDATE crm_original SET size = size + 1 WHERE id = 1", "bytes", "the kept letter 1 is not what came"),
    ("UPDATE crm_original SET data = x'00' WHERE id = 1", "bytes", "the kept letter 1 is not what came"),
    ("UPDATE crm_original SET data = CAST(data || x'00' AS BLOB) WHERE id = 1", "bytes", "kept letter 1 is not"),
    ("DELETE FROM crm_setting WHERE key = 'secret'", "secret", "the token secret is gone or damaged"),
    ("UPDATE crm_setting SET value = 'short' WHERE key = 'secret'", "secret", "the token secret is gone or damaged"),
    ("DELETE FROM crm_user WHERE login = 'agent'", "keys", "points to a row of crm_user that is not there"),
)  # fmt: skip


@pytest.mark.parametrize(("line", "check", "words"), DAMAGES, ids=[line[:60] for line, _, _ in DAMAGES])
def test_damage_is_found(busy: Talk, line: str, check: str, words: str) -> None:
    sql(busy, line)
    found = damage(busy)
    assert [one for one in found if one[0] == check and words in one[1]], found


def test_letters_packed_slower_or_faster_are_sound(busy: Talk) -> None:
    with busy.open():
        raw = zlib.decompress(bytes(t.Original.get_by_id(1).data))
        t.Original.update(data=zlib.compress(raw, 1)).where(t.Original.id == 1).execute()
    assert damage(busy) == []


def test_a_bomb_is_unpacked_in_slices() -> None:
    size = 100_000_000
    packed = zlib.compress(bytes(size), 9)
    tracemalloc.start()
    try:
        assert soundness._unpacked(iter([packed])) == size
        assert tracemalloc.get_traced_memory()[1] < 4 * soundness.SLICE
    finally:
        tracemalloc.stop()


def test_a_big_file_is_checked_table_by_table(busy: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundness, "SMALL", 0)
    assert damage(busy) == []
    sql(busy, "CREATE INDEX spoilt ON crm_message (subject)")
    with closing(sqlite3.connect(busy.db)) as there:  # an index that has lost an entry
        there.execute("PRAGMA writable_schema = ON")
        there.execute("UPDATE sqlite_schema SET sql = replace(sql, 'subject', 'from_name') WHERE name = 'spoilt'")
        there.commit()
    assert "integrity" in {check for check, _ in damage(busy)}


def test_pages_overwritten(busy: Talk) -> None:
    data = bytearray(busy.db.read_bytes())
    data[8192:40960] = b"\xaa" * 32768
    busy.db.write_bytes(bytes(data))
    found = damage(busy)
    assert found and found[0][0] == "integrity"
    assert len(found) == len(set(found))  # the same words for every table say no more


@pytest.mark.parametrize("data", [b"", b"S"], ids=["empty", "1 byte"])  # SQLite takes either for a new database
@pytest.mark.parametrize("line", ["", "inbox", "db check", "db migrate"])
def test_a_file_that_was_cut_off_has_to_be_restored(busy: Talk, data: bytes, line: str) -> None:
    busy.db.write_bytes(data)
    said = busy.refused(line)
    assert said.endswith("no crmmail tables are in it: restore a backup, or run `crmmail init` if it never was a store")
    assert busy.db.read_bytes() == data
    code, (later,) = busy.mda(b"From: ana@example.com\n\nHello\n")
    assert (code, "restore a backup, or run `crmmail init`" in later) == (75, True)
    (schema,) = [one for one in json.loads(busy.cli("doctor --json").out) if one["check"] == "schema"]
    assert schema["advice"] == "restore a backup, or crmmail init if it never was a store"


def test_where_there_never_was_a_store_init_makes_one(busy: Talk) -> None:
    busy.db.write_bytes(b"")
    busy.do("init --domain crm.test --user boss:boss@crm.test")
    assert busy.do("db check") == "the store is sound"
    assert busy.do("db migrate") == "the schema is up to date"


@pytest.mark.parametrize("line", ["", "inbox", "show 1", "list case", "why 1"])
def test_a_command_that_reads_damage_says_whose_it_is(busy: Talk, line: str) -> None:
    with closing(sqlite3.connect(busy.db)) as there:
        size = there.execute("PRAGMA page_size").fetchone()[0]
        pages = there.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name GLOB 'crm_[mntc]*' AND rootpage"
        ).fetchall()
    data = bytearray(busy.db.read_bytes())
    for (page,) in pages[1:]:
        data[(page - 1) * size : page * size] = b"\xaa" * size
    busy.db.write_bytes(bytes(data))
    said = busy.refused(line)
    assert said.endswith("database disk image is malformed; `crmmail db check` looks closer")
    assert "Traceback" in busy.cli(f"{line} -v").err  # it may be a fault of ours after all
    last = busy.cli("db check").err.splitlines()[-1]
    assert "keep this file as it is, and restore a backup" in last and "looks closer" not in last


@pytest.mark.parametrize("start", [0, 100], ids=["no database", "malformed"])
def test_who_looks_closer_is_not_sent_to_look_closer(busy: Talk, start: int) -> None:
    data = bytearray(busy.db.read_bytes())
    data[start:40960] = b"\xaa" * (40960 - start)
    busy.db.write_bytes(bytes(data))
    said = busy.cli("db check").err
    assert "restore a backup (`crmmail db backup` makes them)" in said and "looks closer" not in said
    first = json.loads(busy.cli("doctor --json").out)[0]
    assert (first["check"], "looks closer" in first["sentence"]) == ("store", False)
    assert "restore a backup" in first["advice"]


def test_a_store_that_is_behind_is_looked_at_as_far_as_we_know_it(busy: Talk) -> None:
    sql(busy, "DELETE FROM crm_migration WHERE name = '0003_rules'")
    assert damage(busy) == []
    assert busy.do("db check") == "the file is sound; its rows can be looked at after: crmmail db migrate"
    sql(busy, "DELETE FROM crm_user WHERE login = 'agent'")
    assert {check for check, _ in damage(busy)} == {"keys"}


@pytest.mark.parametrize("page", [1, 2, 3])
def test_no_row_is_left_out_between_pages(busy: Talk, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(soundness, "PAGE", page)
    sql(busy, "UPDATE crm_message SET text = char(0)")
    with busy.open() as workspace:
        rows = {one.row for one in soundness.damages(workspace.store) if one.table == "crm_message"}
        assert rows == {row.id for row in t.Message.select()}


def test_others_read_and_write_while_it_looks(busy: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter is delivered after each step, with no patience at all: nothing is held from one to the next."""
    came: list[int | None] = []
    monkeypatch.setattr(soundness, "PAGE", 1)

    def deliver() -> None:
        other = sqlite3.connect(busy.db, timeout=0, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO crm_setting VALUES (?, 'x')", (f"step {len(came)}",))
        other.execute("COMMIT")
        other.close()
        came.append(None)

    with busy.open() as workspace:
        steps = soundness.pieces(workspace.store)
        assert list(soundness.damages(workspace.store, deliver)) == []
    assert len(came) == steps > 30


def test_between_two_pages_others_can_write(busy: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    wrote = 0
    real = soundness._pages

    def pages(store: database.Store, table: str) -> object:
        nonlocal wrote
        for piece in real(store, table):
            with closing(sqlite3.connect(busy.db, timeout=0, isolation_level=None)) as other:
                other.execute("UPDATE crm_setting SET value = value")
            wrote += 1
            yield piece

    monkeypatch.setattr(soundness, "PAGE", 1)
    monkeypatch.setattr(soundness, "_pages", pages)
    assert damage(busy) == []
    assert wrote > 50


def test_what_is_removed_meanwhile_is_no_damage(busy: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., object] = soundness._slices

    def slices(store: database.Store, table: str, row: int) -> object:
        with closing(sqlite3.connect(busy.db, isolation_level=None)) as other:
            other.execute("UPDATE crm_original SET data = NULL WHERE id = ?", (row,))
        return real(store, table, row)

    monkeypatch.setattr(soundness, "_slices", slices)
    with busy.open() as workspace:
        assert list(soundness._letters(workspace.store)) == []


# --- copies -------------------------------------------------------------------------------------------------


def test_a_copy_of_a_store_that_is_being_written_is_sound(busy: Talk, tmp_path: Path) -> None:
    """Copies while another connection adds rows that belong together."""
    stop = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(busy.db, timeout=30, isolation_level=None)) as other:
            number = 1_000
            while not stop.is_set():
                number += 1
                other.execute("BEGIN IMMEDIATE")
                other.execute(
                    "INSERT INTO crm_thread (id, kind, title, created, updated) VALUES (?, 'contact', 'x', ?, ?)",
                    (number, "2026-11-24 10:00:00.000000", "2026-11-24 10:00:00.000000"),
                )
                other.execute("INSERT INTO crm_contact (thread_id) VALUES (?)", (number,))
                other.execute("COMMIT")
                stop.wait(0.005)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(4):
            busy.do(f"db backup {tmp_path}/copy-{number}.db")
    finally:
        stop.set()
        writer.join()
    counts = []
    for number in range(4):
        assert busy.do(f"--db {tmp_path}/copy-{number}.db db check") == "the store is sound"
        with closing(sqlite3.connect(tmp_path / f"copy-{number}.db")) as there:
            counts.append(there.execute("SELECT COUNT(*) FROM crm_contact").fetchone()[0])
    assert counts == sorted(counts) and counts[0] < counts[-1]


def test_half_a_copy_does_not_stay(busy: Talk, tmp_path: Path) -> None:
    data = bytearray(busy.db.read_bytes())
    data[40960:81920] = b"\xaa" * 40960
    busy.db.write_bytes(bytes(data))
    assert "malformed" in busy.refused(f"db backup {tmp_path}/copy.db")
    assert not (tmp_path / "copy.db").exists()
