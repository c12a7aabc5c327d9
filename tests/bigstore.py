"""Stores with many messages, of `bench/make_store.py`, for tests of what must not grow with them.

    big_stores[300]        (its path, the number of its case with LONG messages), made once; copy it to write into it

`run` calls the program in this process as the first user.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent / "bench"))

import make_store

from crmmail.cli import main

SIZES = (300, 3_000)
LONG = 20  # messages of the long case
NOW = "2026-11-20T22:00:00Z"

Stores = dict[int, tuple[Path, int]]


def run(patch: pytest.MonkeyPatch, place: Path, words: Sequence[str], letter: str = "") -> int:
    """A command; its exit code."""
    for name, value in (("DB", str(place)), ("USER", "boss"), ("NOW", NOW), ("LOOP_MESSAGES", "0")):
        patch.setenv(f"CRMMAIL_{name}", value)
    patch.setenv("HOME", str(place.parent))
    patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(letter.encode())))
    return main.run(list(words))


@pytest.fixture(scope="session")
def big_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Stores of SIZES."""
    folder = tmp_path_factory.mktemp("big")
    empty, made = folder / "empty.db", {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make_store, "LONG", LONG)
        patch.setattr(sys, "stdout", io.StringIO())
        make_store.set_up(lambda words: run(patch, empty, words), 2)
        for count in SIZES:
            place = folder / f"{count}.db"
            place.write_bytes(empty.read_bytes())
            made[count] = (place, make_store.fill(place, count))
    yield made


@pytest.fixture
def big_store(big_stores: Stores, tmp_path: Path) -> tuple[Path, int]:
    """A copy of the small one."""
    return copied(big_stores[SIZES[0]], tmp_path)


def copied(store: tuple[Path, int], folder: Path) -> tuple[Path, int]:
    place = folder / store[0].name
    place.write_bytes(store[0].read_bytes())
    return place, store[1]
