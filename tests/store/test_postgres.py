"""What PostgreSQL does otherwise than SQLite, and nobody above the store may notice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import peewee
import pytest
from pgstack import PostgresStack
from store import rows

from crmmail.core.query import Query
from crmmail.errors import (
    ConfigBroken,
    CrmmailError,
    StoreBroken,
    StoreBusy,
    StoreContended,
    StoreMissing,
)
from crmmail.services.keeping.checks import store as checks
from crmmail.services.shared.again import PAUSES, again
from crmmail.store import schema
from crmmail.store import tables as t
from crmmail.store.care import soundness
from crmmail.store.engine import database, sql
from crmmail.store.engine import postgres as driver
from crmmail.store.engine.database import Store
from crmmail.store.fields import UTCField
from crmmail.store.files import beside
from crmmail.store.lists import finding
from crmmail.store.work import records

pytestmark = pytest.mark.postgres


def title(number: int) -> str:
    return str(sql.value("SELECT title FROM crm_thread WHERE id = ?", number))


@contextmanager
def another(store: Store, server: PostgresStack) -> Iterator[Any]:
    """Somebody else's connection to the same database, with a tool of his own."""
    with driver.psycopg.connect(server.url(str(sql.value("SELECT current_database()"))), autocommit=True) as found:
        yield found


# --- values -------------------------------------------------------------------------------------------------


def test_texts_are_as_long_as_they_are_and_amounts_are_not_rounded(store: Store) -> None:
    number = rows.case("x" * 3000, email="a" * 900 + "@example.com", revenue=123456789.25)
    found = records.record(number)
    assert (found.title, len(found.email or ""), found.revenue) == ("x" * 3000, 912, 123456789.25)


@pytest.mark.parametrize(
    ("words", "asked"),
    [("ПРИНТЕР горит", "принтер"), ("Straße", "STRASSE"), ("Σίσυφος", "ΣΊΣΥΦΟΣ"), ("100 % sure?", "% SURE?")],
)
def test_words_are_found_in_any_letter_case_of_any_alphabet(store: Store, words: str, asked: str) -> None:
    number = rows.case(words)
    rows.case("something else")
    assert [one.id for one in list(records.listed(finding.numbers("case", Query(words=(asked,)))))] == [number]


def test_texts_sort_as_their_bytes_do(store: Store) -> None:
    for words in ("b", "a", "B", "é", "Я"):
        rows.case(words)
    assert [one for (one,) in sql.rows("SELECT title FROM crm_thread ORDER BY title")] == ["B", "a", "b", "é", "Я"]


# --- transactions -------------------------------------------------------------------------------------------


def test_one_writes_at_a_time(store: Store, empty: str) -> None:
    other = database.open(empty, busy_timeout=0.05)
    sql.use(store.connection)
    with store.transaction():
        sql.use(other.connection)
        with pytest.raises(StoreBusy, match="is locked by another process: try again"), other.transaction():
            pass
        assert sql.value("SELECT COUNT(*) FROM crm_thread") == 0  # a reader does not wait
        sql.use(store.connection)
    sql.use(other.connection)
    with other.transaction():
        assert rows.case("mine now") == 1
    other.close()
    sql.use(store.connection)


def test_what_a_transaction_sees_is_what_was_there_when_its_turn_came(store: Store, postgres: PostgresStack) -> None:
    rows.case("before")
    with another(store, postgres) as other, store.transaction():
        assert title(1) == "before"
        other.execute("UPDATE crm_thread SET title = 'after'")
        assert title(1) == "before"
    assert title(1) == "after"


class _Workspace:
    def __init__(self, store: Store) -> None:
        self.store = store


def meddled_with(store: Store, server: PostgresStack, times: int) -> tuple[int, list[int]]:
    """An act that reads a title and writes it, while somebody else writes it without our lock; how often it ran."""
    tries: list[int] = []

    def act() -> int:
        tries.append(1)
        seen = title(1)
        if len(tries) <= times:
            with another(store, server) as other:
                other.execute("UPDATE crm_thread SET title = title || '+'")
        sql.run("UPDATE crm_thread SET title = ? WHERE id = 1", f"{seen}!")
        return len(tries)

    return again(_Workspace(store), act), tries  # type: ignore[arg-type]


def test_a_delivery_that_somebody_came_in_the_way_of_is_done_again(store: Store, postgres: PostgresStack) -> None:
    rows.case("a")
    assert meddled_with(store, postgres, 2)[0] == 3
    assert title(1) == "a++!"


def test_who_is_always_in_the_way_is_told_of(store: Store, postgres: PostgresStack) -> None:
    rows.case("a")
    with pytest.raises(StoreContended, match="at the same moment: try again"):
        meddled_with(store, postgres, 99)
    assert title(1) == "a" + "+" * (len(PAUSES) + 1)


def test_what_fails_inside_a_part_leaves_the_rest(store: Store) -> None:
    with store.transaction():
        rows.case("one")
        with pytest.raises(Exception, match="duplicate key"), sql.savepoint():
            sql.insert("crm_thread", id=1, kind="case", title="again", created=rows.NOW, updated=rows.NOW)
        rows.case("two")
    assert [one for (one,) in sql.rows("SELECT title FROM crm_thread ORDER BY id")] == ["one", "two"]


# --- trouble ------------------------------------------------------------------------------------------------


def test_a_server_that_was_started_again_is_found_again(store: Store, postgres: PostgresStack) -> None:
    rows.case("before")
    for _ in range(2):
        number = sql.value("SELECT pg_backend_pid()")
        postgres.ask(f"SELECT pg_terminate_backend({number})")
        with store.transaction():
            rows.case("after")
    assert sql.value("SELECT COUNT(*) FROM crm_thread") == 3


def test_a_connection_that_breaks_in_a_transaction_is_said_and_the_next_is_well(
    store: Store, postgres: PostgresStack
) -> None:
    with pytest.raises(StoreBroken) as told, store.transaction():
        rows.case("lost")
        postgres.ask(f"SELECT pg_terminate_backend({sql.value('SELECT pg_backend_pid()')})")
        rows.case("lost too")
    assert told.value.retry and store.place in str(told.value)
    with store.transaction():
        rows.case("kept")
    assert [one for (one,) in sql.rows("SELECT title FROM crm_thread")] == ["kept"]


def with_password(url: str) -> str:
    return url.replace("crm@", "crm:geheim@")


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        (("/t", "/nowhere"), StoreMissing, "there is no database at .*createdb"),
        (("crm:", "nobody:"), StoreBroken, 'does not let us in: role "nobody" does not exist'),
        (("host=/", "host=/nowhere/"), StoreBroken, "cannot reach .*does the server run"),
        (("?host", "?nonsense=1&host"), StoreBroken, 'invalid URI query parameter: "nonsense"'),
        (("postgresql:", "mysql:"), ConfigBroken, "cannot open a mysql store"),
    ],
)
def test_what_cannot_be_opened_is_said_without_the_password(
    empty: str, change: tuple[str, str], kind: type[CrmmailError], said: str
) -> None:
    with pytest.raises(kind, match=said) as told:
        database.open(with_password(empty).replace(*change, 1))
    assert "geheim" not in str(told.value) and "\n" not in str(told.value)
    assert told.value.__cause__ is None


def test_the_password_is_in_no_place(empty: str) -> None:
    store = database.open(with_password(empty))
    assert store.place == empty
    assert beside.tick(store.place) == beside.tick(empty)
    store.close()


@pytest.mark.parametrize(
    ("facts", "level", "said"),
    [
        ({}, "ok", "PostgreSQL 15.7, Python"),
        ({"fsync": False}, "fail", "fsync is off: a power cut can take what was committed"),
        ({"synchronous": False}, "fail", "synchronous_commit is off: a power cut"),
        ({"connections": 90}, "warn", "90 of 100 connections to the server are in use"),
    ],
)
def test_what_doctor_says_of_the_server(
    store: Store, monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any], level: str, said: str
) -> None:
    well = driver.Server("15.7", fsync=True, synchronous=True, connections=1, most=100)
    monkeypatch.setattr(driver, "server", lambda: well._replace(**facts))
    found = list(checks._server_is_safe())[-1]
    assert found.level == level and found.sentence.startswith(said)


def test_what_is_committed_is_on_the_disk_whatever_the_server_says(store: Store) -> None:
    assert driver.server().synchronous  # the tests' server says off


# --- the schema ---------------------------------------------------------------------------------------------

KINDS = {
    peewee.BooleanField: "boolean",
    peewee.IntegerField: "integer",
    peewee.FloatField: "double precision",
    peewee.BlobField: "bytea",
    UTCField: "timestamp without time zone",
}


@pytest.mark.parametrize("model", t.TABLES, ids=lambda model: model.__name__)
def test_columns_are_as_their_model_says(store: Store, model: type[t.Table]) -> None:
    there = sql.rows(
        "SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns WHERE table_name = ?",
        model._meta.table_name,
    )
    wanted = []
    for field in model._meta.sorted_fields:
        plain = field
        while isinstance(plain, peewee.ForeignKeyField):
            plain = plain.rel_field
        kind = next((kind for one, kind in KINDS.items() if isinstance(plain, one)), "text")
        wanted.append((field.column_name, kind, bool(field.null)))
    assert sorted(there) == sorted(wanted)


def test_it_has_the_indexes_that_sqlite_has(store: Store, place: str) -> None:
    def indexes(query: str) -> set[str]:
        return {name for (name,) in sql.rows(query)}

    ours = indexes("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")
    file = database.open(place)
    theirs = indexes("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    file.close()
    sql.use(store.connection)
    assert len(theirs) > 40
    assert theirs <= ours


def test_a_number_is_never_used_again(store: Store) -> None:
    with pytest.raises(RuntimeError), store.transaction():
        rows.case("taken back")
        raise RuntimeError
    assert rows.case("kept") > 1


def test_who_migrates_waits_for_who_migrates(store: Store, postgres: PostgresStack) -> None:
    with another(store, postgres) as other:
        other.execute("SELECT pg_advisory_lock(hashtext('crmmail migrate'))")
        with pytest.raises(StoreBusy, match="is locked by another process"):
            store.wait(0.05)
            schema.migrate(store)
    assert schema.migrate(store) == []


# --- db check -----------------------------------------------------------------------------------------------


def test_damage_is_found(store: Store) -> None:
    with store.transaction():
        number = rows.case("broken")
        sql.run("UPDATE crm_case SET priority = 9")
        sql.put("crm_blob", sha256="ab" * 32, size=3, data=b"abc")
        sql.run("UPDATE crm_thread SET moved_to_id = id")
        sql.insert("crm_follower", thread_id=number, created=rows.NOW)
    found = {one.check: one for one in soundness.damages(store)}
    assert found["rows"].row in (number, 1)
    assert found["rings"].sentence.startswith("row 1 of crm_thread was merged into itself")
    assert found["bytes"].sentence == "the attachment bytes abababababab… are not what came"


def test_a_sound_one_has_none(store: Store) -> None:
    rows.case("well")
    assert list(soundness.damages(store)) == []


def test_statements_are_not_kept_for_ever() -> None:
    """What is asked of many has as many marks as they are."""
    for count in range(1_000):
        driver.written(f"SELECT {count}")
        sql.inserting(f"table_{count}", ("a",))
    assert driver.written.cache_info().currsize <= 500
    assert sql.inserting.cache_info().currsize <= 500
