"""A store of its own for each test: a copy of an empty one that was made once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from crmmail.store import database, schema
from crmmail.store.database import Store


@pytest.fixture(scope="session")
def _empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("empty") / "crm.db"
    made = database.open(str(place), create=True, check=False)
    schema.migrate(made)
    made.close()
    return place


@pytest.fixture
def place(_empty: Path, tmp_path: Path) -> str:
    """The path of an empty store that nobody has open."""
    return str(shutil.copy(_empty, tmp_path / "crm.db"))


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    """An empty store, open; the tables are bound to it.  It does not wait for the disk, as a real one does."""
    opened = database.open(place)
    opened.database.execute_sql("PRAGMA synchronous=OFF")
    yield opened
    opened.close()
