"""`crmmail db copy`: a shop moves from its file to PostgreSQL, and back, with everything that it has."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conversation import Talk, opened
from pgstack import PostgresStack

from crmmail.services.keeping.copying import Copy
from crmmail.store.care import copying
from crmmail.store.engine import database, sql

MESSAGE = next(one for one in copying.tables() if one.name == "crm_message")


@pytest.fixture
def empty(postgres: PostgresStack) -> Iterator[str]:
    """A database that nobody has used."""
    url = postgres.database()
    yield url
    postgres.drop(url)


@pytest.fixture
def moving(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Talk:
    """A shop in a file, with some of everything; #1 was merged into the newer #2."""
    talk = opened(request.getfixturevalue("_shop"), tmp_path, monkeypatch)
    first = talk.mail("ana@example.com", subject="Принтер", text="It burns.", files=[("a.bin", bytes(range(256)) * 40)])
    second = talk.mail("ana@example.com", subject="Printer again", text="It still burns.")
    talk.do(f"contacts add --from {first.message}")
    talk.do(["reply", str(second.record), "-m", "Pull the plug!"], "agent")
    talk.do(f"star {second.message}")
    talk.do("rules add Old --trigger created --delay 1d --set-priority low")
    talk.do(f"merge {first.record} --into {second.record}")
    talk.mail("nobody@example.com", "nowhere@crm.test", subject="Lost")
    return talk


def contents(place: str) -> dict[str, Any]:
    store = database.open(place)
    found = {one.name: copying.content(store, one) for one in copying.tables()}
    store.close()
    return found


def numbers(talk: Talk, place: str) -> tuple[int, int]:
    """The next record and the next message."""
    talk.environ(CRMMAIL_DB=place)
    made = talk.mail("new@example.com", subject="The next one")
    return made.record or 0, made.message or 0


def test_there_and_back_it_is_the_same_shop(moving: Talk, empty: str, tmp_path: Path) -> None:
    before = contents(str(moving.db))
    said = moving.do(["db", "copy", f"sqlite:{moving.db}", empty])
    rows = sum(one.rows for one in before.values())
    assert said == f"{rows} rows of {len(before)} tables are in {empty}, compared; the old store is as it was"
    assert contents(empty) == before == contents(str(moving.db))
    assert all(before[f"crm_{name}"].rows for name in ("setting", "message", "blob", "star", "rule", "quarantine"))

    back = str(tmp_path / "back.db")
    moving.do(["db", "copy", empty, back])
    assert contents(back) == before
    moving.environ(CRMMAIL_DB=back)
    assert moving.do("db check") == "the store is sound"
    wanted = numbers(moving, str(moving.db))
    assert numbers(moving, back) == wanted
    assert numbers(moving, empty) == wanted


def test_the_shop_goes_on_there(moving: Talk, empty: str) -> None:
    shown = [moving.show(1), moving.show(2)]
    letter = next(one for one in moving.sent if one.subject == "Printer again")
    moving.do(["db", "copy", str(moving.db), empty])
    moving.environ(CRMMAIL_DB=empty)
    assert [moving.show(1), moving.show(2)] == shown
    assert [one["record"] for one in moving.cli("search burns --json").json] == [2, 2, 2]
    assert moving.mail("ana@example.com", answers=letter, text="Thank you!").record == 2
    with moving.open():
        token = sql.value("SELECT identifier FROM crm_delivery")
    assert moving.mail("ana@example.com", answers=str(token).strip("<>"), text="And again!").record == 2
    moving.do("set 2 title=Fire", "agent")
    moving.do("undo", "agent")
    assert moving.field(2, "title") == shown[1]["record"]["title"]


LISTINGS = (
    "list case", "list case --json", "list contact --json", "list case state:open принтер", "list case late",
    "inbox --json", "inbox", "", "show 1 --peek", "show 2 --peek --json", "agenda --json", "stats", "stats --by month",
    "search burns", "search 'ПРИНТ'", "search from:ana --json", "outbox --json", "quarantine --json", "log --json",
    "users --json", "sections --json", "aliases --json", "rules --json", "views --json", "starred --json", "why 2",
    "contacts --json", "rules run --dry-run", "config --json",
)  # fmt: skip


def test_every_listing_says_the_same(moving: Talk, empty: str) -> None:
    moving.do(["db", "copy", str(moving.db), empty])
    moving.wait(days=2)
    here = {line: moving.cli(line)[:3] for line in LISTINGS}
    assert sum(len(said[1]) > 2 for said in here.values()) > len(LISTINGS) * 0.8
    moving.environ(CRMMAIL_DB=empty)
    for line, said in here.items():
        assert moving.cli(line)[:3] == said, line


def test_a_number_that_was_given_is_not_given_again(moving: Talk, empty: str) -> None:
    newest = moving.mail("ana@example.com", subject="Goes again")
    with moving.open() as workspace, workspace.store.transaction():
        for table in ("decision", "notification", "message_address"):
            sql.run(f"DELETE FROM crm_{table} WHERE message_id = ?", newest.message)
        sql.run("DELETE FROM crm_message WHERE thread_id = ?", newest.record)
        for table, key in (("follower", "thread_id"), ("case", "thread_id"), ("journal", "thread"), ("thread", "id")):
            sql.run(f"DELETE FROM crm_{table} WHERE {key} = ?", newest.record)
    moving.do(["db", "copy", str(moving.db), empty])
    assert numbers(moving, empty)[0] == (newest.record or 0) + 1


def test_what_is_in_use_is_left_alone(moving: Talk, empty: str) -> None:
    moving.do(["db", "copy", str(moving.db), empty])
    assert moving.refused(["db", "copy", str(moving.db), empty]) == (
        f"{empty} is in use: there are rows in crm_user; name an empty database, or a file that is not there"
    )
    assert "into itself" in moving.refused(["db", "copy", str(moving.db), f"sqlite:{moving.db}"])
    assert "no store at /nowhere" in moving.refused(["db", "copy", "/nowhere.db", empty])


def test_damage_of_the_source_is_said_of_the_source(moving: Talk, tmp_path: Path) -> None:
    with moving.open():
        page = sql.value("SELECT rootpage FROM sqlite_master WHERE name = 'crm_message'")
        size = sql.value("PRAGMA page_size")
    with open(moving.db, "r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    sentence = moving.refused(["db", "copy", str(moving.db), str(tmp_path / "copy.db")])
    assert sentence.startswith(f"{moving.db}: the database says: database disk image is malformed")
    assert "copy.db" not in sentence


def test_long_texts_are_read_a_few_at_a_time(moving: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    size, count = 100_000, 40
    with moving.open() as workspace, workspace.store.transaction():
        columns = ", ".join(one for one in MESSAGE.columns if one not in ("id", "text"))
        for _ in range(count):
            sql.run(
                f"INSERT INTO crm_message ({columns}, text) SELECT {columns}, ? FROM crm_message LIMIT 1", "x" * size
            )
    monkeypatch.setattr(copying, "BYTES", 3 * size)
    with moving.open() as workspace:
        tracemalloc.start()
        found = copying.content(workspace.store, MESSAGE)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert found.rows > count
    assert peak < count * size / 4


@pytest.mark.parametrize("trouble", ["breaks", "changes"])
def test_a_broken_try_leaves_it_empty_and_can_be_made_again(
    moving: Talk, empty: str, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    real = copying.copy_numbers

    def broken(source: database.Store, target: database.Store, table: copying.Table) -> None:
        if table.name == "crm_message":
            if trouble == "breaks":
                raise OSError("the cable")
            target.connection.execute("UPDATE crm_message SET subject = 'x' WHERE id = 1")
        real(source, target, table)

    monkeypatch.setattr(copying, "copy_numbers", broken)
    wanted = r"the cable|crm_message was not copied as it is \(its rows became others\)"
    with Copy(str(moving.db), empty) as copy, pytest.raises(Exception, match=wanted):
        copy.run()
    monkeypatch.undo()
    moving.environ(HOME=str(moving.home))
    with Copy(str(moving.db), empty) as copy:
        assert copying.filled(copy.target) == ""
        assert copy.run().rows == copy.rows()
