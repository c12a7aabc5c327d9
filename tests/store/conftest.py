"""A store of its own for each test: a copy of an empty one that was made once, on either database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pgstack import PostgresStack

from crmmail.store import schema
from crmmail.store.engine import database
from crmmail.store.engine.database import Store


@pytest.fixture(scope="session")
def _empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("empty") / "crm.db"
    made = database.open(str(place), create=True, check=False)
    schema.migrate(made)
    made.close()
    return place


@pytest.fixture(scope="session")
def _empty_on_postgres(postgres: PostgresStack) -> str:
    url = postgres.database()
    made = database.open(url, check=False)
    schema.migrate(made)
    made.close()
    return url


@pytest.fixture
def place(_empty: Path, tmp_path: Path) -> str:
    """The path of an empty store that nobody has open."""
    return str(shutil.copy(_empty, tmp_path / "crm.db"))


@pytest.fixture
def empty(on: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The place of an empty store that nobody has open, on either database."""
    if on == "sqlite":
        yield request.getfixturevalue("place")
        return
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    url = request.getfixturevalue("_empty_on_postgres")
    yield url
    request.getfixturevalue("postgres").clear(url)


@pytest.fixture
def store(empty: str) -> Iterator[Store]:
    """An empty store, open; the tables are bound to it.  It does not wait for the disk, as a real one does."""
    opened = database.open(empty)
    if not opened.connection.postgres:
        opened.database.execute_sql("PRAGMA synchronous=OFF")
    yield opened
    opened.close()
