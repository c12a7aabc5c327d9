"""Big stores, made once and used by several benches.

big = store_of(folder, 1_000_000, bin)      # folder/1000000.db, by make_store.py where it is not there yet
own = copy_of(big, work)                    # to write into
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pairs

MAKER = Path(__file__).with_name("make_store.py")


def store_of(folder: Path, messages: int, bin: Path) -> Path:
    """A store with so many messages, for reading."""
    store = folder / f"{messages}.db"
    if not store.exists():
        # A maker that is interrupted must leave nothing that looks finished.
        unfinished = folder / f"{messages}.unfinished"
        remove(unfinished)
        command = [sys.executable, str(MAKER), str(unfinished), "--messages", str(messages), "--bin", str(bin)]
        subprocess.run(command, env=pairs.environment(folder), check=True, stdout=sys.stderr)
        unfinished.rename(store)
    return store


def copy_of(store: Path, target: Path) -> Path:
    """The same store at another place, which may be changed."""
    remove(target)
    shutil.copy(store, target)
    return target


def remove(store: Path) -> None:
    """A store and what lies beside it."""
    for path in store.parent.glob(f"{store.name}*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
