"""The seam: our SQL and peewee's on one connection, in one transaction."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

from crmmail.store import tables as t
from crmmail.store.engine import sql, values
from crmmail.store.engine.database import Store

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


class Broken(Exception):
    """Something goes wrong in the middle."""


def titles() -> list[str]:
    return [title for (title,) in sql.rows("SELECT title FROM crm_thread ORDER BY id")]


def add(title: str) -> int:
    return sql.insert("crm_thread", kind="case", title=title, created=NOW, updated=NOW)


# --- statements ---------------------------------------------------------------------------------------------


def test_numbers_are_given_and_rows_found(store: Store) -> None:
    first, second = add("one"), add("two")
    assert second == first + 1
    assert sql.row("SELECT title FROM crm_thread WHERE id = ?", second) == ("two",)
    assert sql.row("SELECT title FROM crm_thread WHERE id = ?", 99) is None
    assert sql.value("SELECT COUNT(*) FROM crm_thread") == 2
    assert sql.value("SELECT title FROM crm_thread WHERE id = ?", 99) is None
    found = sql.rows(f"SELECT id FROM crm_thread WHERE id IN ({sql.marks(2)}) ORDER BY id", first, second)
    assert found == [(first,), (second,)]


def test_rows_are_changed_and_counted(store: Store) -> None:
    number = add("one")
    assert sql.change("crm_thread", "id", number, title="two", address=None) == 1
    assert sql.change("crm_thread", "id", 99, title="three") == 0
    assert titles() == ["two"]


def test_what_is_there_already_is_left(store: Store) -> None:
    assert sql.put("crm_setting", key="a", value="1")
    assert not sql.put("crm_setting", key="a", value="2")
    assert sql.value("SELECT value FROM crm_setting WHERE key = ?", "a") == "1"


def test_several_rows_at_once(store: Store) -> None:
    sql.run_many("INSERT INTO crm_setting (key, value) VALUES (?, ?)", [("a", "x\0y"), ("b", ["é"])])
    assert sql.rows("SELECT key, value FROM crm_setting ORDER BY key") == [("a", "x\ufffdy"), ("b", '["é"]')]


@pytest.mark.parametrize(
    ("given", "there"),
    [
        ("a\0b\ud800c", "a\ufffdb\ufffdc"),
        (NOW.astimezone(timezone(timedelta(hours=3))), "2026-11-23 10:00:00.000000"),
        (["a", {"b": None}], '["a",{"b":null}]'),
        (("x",), '["x"]'),
        (None, None),
    ],
)
def test_values_go_in_as_peewee_would_write_them(store: Store, given: object, there: object) -> None:
    assert sql.value("SELECT ?", given) == there


def test_a_moment_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        sql.value("SELECT ?", datetime(2026, 11, 23))


def test_values_come_back(store: Store) -> None:
    assert values.moment(sql.value("SELECT ?", NOW)) == NOW
    assert values.moment(None) is None
    assert values.unjson(sql.value("SELECT ?", ["a", {"b": 1}])) == ["a", {"b": 1}]
    assert values.unjson("{no json") == "{no json"


# --- transactions -------------------------------------------------------------------------------------------


def test_all_or_nothing(store: Store) -> None:
    with pytest.raises(Broken), store.transaction():
        add("one")
        raise Broken
    assert titles() == []
    with store.transaction():
        add("two")
    assert titles() == ["two"]
    assert not sql.in_transaction()


def test_a_part_that_fails_takes_back_only_itself(store: Store) -> None:
    with store.transaction():
        add("one")
        with pytest.raises(Broken), sql.savepoint():
            add("two")
            with sql.savepoint():
                add("three")
            raise Broken
        with sql.savepoint():
            add("four")
    assert titles() == ["one", "four"]


def test_only_a_transaction_has_parts(store: Store) -> None:
    """Else whoever means a part would open a transaction of his own, far below whoever should know of it."""
    with pytest.raises(AssertionError), sql.savepoint():
        add("one")
    assert titles() == []


def test_peewee_is_in_the_same_transaction(store: Store) -> None:
    with pytest.raises(Broken), store.transaction():
        t.Thread.create(kind="case", title="peewee's", created=NOW, updated=NOW)
        assert titles() == ["peewee's"]
        add("ours")
        assert t.Thread.select().count() == 2
        raise Broken
    assert titles() == []


def test_a_row_of_ours_is_what_peewee_reads(store: Store) -> None:
    row = t.Thread.get_by_id(add("one"))
    assert (row.title, row.created) == ("one", NOW)


def test_the_database_may_have_ended_the_transaction(store: Store) -> None:
    """As it does on a full disk: what was said first is what is raised, and the next transaction is a new one."""
    with pytest.raises(Broken), store.transaction(), sql.savepoint():
        add("one")
        store.connection.driver.execute("ROLLBACK")
        raise Broken
    with store.transaction():
        add("two")
    assert titles() == ["two"]


@pytest.mark.sqlite("only SQLite can put off its keys")
def test_a_commit_that_fails_is_taken_back(store: Store) -> None:
    """A foreign key that is looked at when all is done: only the commit finds that it points nowhere."""
    sql.run("PRAGMA defer_foreign_keys=ON")
    with pytest.raises(Exception, match="FOREIGN KEY"), store.transaction():
        sql.run("PRAGMA defer_foreign_keys=ON")
        add("one")
        sql.insert("crm_case", thread_id=99, state="open", priority=3)
    assert titles() == []
    assert not sql.in_transaction()


# --- the door to the tables ---------------------------------------------------------------------------------


def test_what_is_no_table_is_said(store: Store) -> None:
    with pytest.raises(AttributeError, match="no table Nothing"):
        _ = t.Nothing  # type: ignore[attr-defined]


def test_a_store_is_opened_and_written_without_peewee(place: str) -> None:
    code = (
        "import sys\n"
        "from crmmail.store.engine import database, sql\n"
        f"store = database.open({place!r})\n"
        "with store.transaction():\n"
        "    sql.put('crm_setting', key='a', value='b')\n"
        "assert 'peewee' not in sys.modules\n"
        "from crmmail.store import tables as t\n"
        "assert t.Setting.get_by_id('a').value == 'b'\n"
        "assert 'peewee' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
