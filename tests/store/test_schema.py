"""Migrations make what the tables say; numbers that a person may have seen are never used again."""

from __future__ import annotations

import multiprocessing.synchronize
import os
import stat
from pathlib import Path

import pytest
from peewee import SqliteDatabase
from playhouse.schema_diff import diff_models
from store import rows

from crmmail.errors import StoreBroken
from crmmail.store import schema, tables
from crmmail.store import tables as t
from crmmail.store.care import soundness
from crmmail.store.engine import database
from crmmail.store.engine.database import NEWEST, Store

MIGRATIONS = sorted(path.stem for path in Path(schema.FOLDER).glob("[0-9]*.py"))


@pytest.mark.sqlite("peewee describes its tables otherwise; `test_postgres` has the like")
def test_migrations_make_the_tables_of_the_models(store: Store) -> None:
    assert not diff_models(store.database, tables.TABLES), (
        "store/tables.py and store/migrations/ disagree: write a new migration (and set database.NEWEST to its name); "
        "0001_initial.py is frozen"
    )


def _shape(database: SqliteDatabase, table: str) -> tuple[object, ...]:
    """Types, NOT NULL, keys and references of a table's columns, whatever their order."""
    columns = database.execute_sql(f"PRAGMA table_info({table})").fetchall()
    references = database.execute_sql(f"PRAGMA foreign_key_list({table})").fetchall()
    return (
        sorted((name, kind.upper(), bool(required), key) for _, name, kind, required, _, key in columns),
        sorted((column, parent, there) for _, _, parent, column, there, *_ in references),
    )


@pytest.mark.parametrize("model", tables.TABLES, ids=lambda model: model.__name__)
@pytest.mark.sqlite("peewee describes its tables otherwise; `test_postgres` has the like")
def test_each_column_is_as_its_model_says(store: Store, model: type[tables.Table]) -> None:
    fresh = SqliteDatabase(":memory:")
    with fresh.bind_ctx(tables.TABLES):
        fresh.create_tables(tables.TABLES)
        name = model._meta.table_name
        assert _shape(store.database, name) == _shape(fresh, name)


@pytest.mark.sqlite("its index is many tables")
def test_every_table_of_the_store_is_known(store: Store) -> None:
    known = {model._meta.table_name for model in tables.TABLES}
    # FTS5 has some of its own.
    here = {name for name in store.database.get_tables() if not name.startswith("crm_search")}
    assert here - {"sqlite_sequence"} == known | {database.HISTORY}
    assert all(name.startswith("crm_") for name in known)


def test_every_model_is_listed() -> None:
    assert set(tables.TABLES) == set(tables.Table.__subclasses__())


def test_the_program_knows_the_newest_migration() -> None:
    assert MIGRATIONS[-1] == NEWEST, f"set database.NEWEST to {MIGRATIONS[-1]!r}"


def test_the_subtypes_are_there(store: Store) -> None:
    rows_found = {row.code: row.internal for row in t.Subtype.select()}
    assert rows_found["discussion"] is False
    assert [code for code, internal in rows_found.items() if not internal] == ["discussion"]
    assert {"note", "created", "state", "assigned", "section", "call"} <= set(rows_found)


def test_migrating_again_does_nothing(store: Store) -> None:
    assert schema.migrate(store) == []
    steps = schema.status(store)
    assert [step.name for step in steps] == MIGRATIONS
    assert all(step.applied for step in steps)


def test_what_is_pending_is_said(tmp_path: Path) -> None:
    new = database.open(str(tmp_path / "new.db"), create=True, check=False)
    assert [(step.name, step.applied) for step in schema.status(new)] == [(name, "") for name in MIGRATIONS]
    assert not database.is_made(new)
    assert schema.migrate(new) == MIGRATIONS
    assert database.is_made(new)
    new.close()


MAKERS = {
    "thread": (t.Thread, lambda _: rows.case()),
    "message": (t.Message, lambda thread: rows.message(thread)),
    "quarantine": (t.Quarantine, lambda _: rows.quarantined()),
}


@pytest.mark.parametrize("table", MAKERS)
def test_a_number_is_never_used_again(store: Store, table: str) -> None:
    model, make = MAKERS[table]
    thread = rows.case()
    first, last = make(thread), make(thread)
    t.Case.delete().where(t.Case.thread == last).execute()
    model.delete().where(model.id == last).execute()
    assert make(thread) == last + 1 > first


def test_a_number_is_not_used_again_after_the_store_was_closed(place: str) -> None:
    opened = database.open(place)
    last = rows.quarantined()
    t.Quarantine.delete().execute()
    opened.close()
    opened = database.open(place)
    assert rows.quarantined() == last + 1
    opened.close()


# --- two at once --------------------------------------------------------------------------------------------


def _migrate(place: str, start: multiprocessing.synchronize.Barrier, done: multiprocessing.Queue[object]) -> None:
    opened = database.open(place, check=False)
    start.wait(20)
    try:
        done.put(schema.migrate(opened))
    except Exception as error:
        done.put(repr(error))


def test_two_processes_that_migrate_at_once(tmp_path: Path) -> None:
    place = str(tmp_path / "new.db")
    database.open(place, create=True, check=False).close()
    context = multiprocessing.get_context("spawn")
    start, done = context.Barrier(2), context.Queue()
    both = [context.Process(target=_migrate, args=(place, start, done)) for _ in range(2)]
    for one in both:
        one.start()
    results = sorted((done.get(timeout=30) for _ in both), key=len)
    for one in both:
        one.join(20)
    assert results == [[], MIGRATIONS]
    opened = database.open(place)
    assert list(soundness.damages(opened)) == []
    opened.close()


# --- check and backup ---------------------------------------------------------------------------------------


def test_a_sound_store_has_nothing_to_report(store: Store) -> None:
    rows.message(rows.case())
    assert list(soundness.damages(store)) == []


@pytest.mark.sqlite("PostgreSQL takes no such row")
def test_a_row_that_points_nowhere_is_reported(store: Store) -> None:
    number = rows.message(rows.case())
    store.database.execute_sql("PRAGMA foreign_keys=OFF")
    t.Message.update(thread=999).where(t.Message.id == number).execute()
    assert [one.sentence for one in soundness.damages(store)] == [
        f"row {number} of crm_message points to a row of crm_thread that is not there"
    ]


@pytest.mark.sqlite("a copy of the file")
def test_a_backup_is_whole_and_as_secret_as_the_store(store: Store, tmp_path: Path) -> None:
    number = rows.case("Only in the copy")
    target = str(tmp_path / "copy.db")
    assert schema.backup(store, target) == os.path.getsize(target) > 0
    assert stat.S_IMODE(os.stat(target).st_mode) == 0o600
    store.close()
    copy = database.open(target)
    assert t.Thread.get_by_id(number).title == "Only in the copy"
    copy.close()


@pytest.mark.sqlite("a copy of the file")
def test_a_backup_overwrites_nothing(store: Store, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("precious")
    with pytest.raises(StoreBroken, match="exists already"):
        schema.backup(store, str(there))
    assert there.read_text() == "precious"


@pytest.mark.sqlite("a copy of the file")
def test_a_backup_into_no_folder_is_refused_in_our_words(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreBroken, match="cannot open"):
        schema.backup(store, str(tmp_path / "nowhere" / "copy.db"))
