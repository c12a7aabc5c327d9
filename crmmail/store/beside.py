"""The files of ours that lie beside the store: what they are called, and whose they are.

The names are the store's with an ending, so they move with it and are found without a setting.
"""

from __future__ import annotations

import os
import stat


def failing(place: str) -> str:
    """The mark that deliveries into a store fail (`store.failing`)."""
    return place + ".failing"


def attempts(place: str) -> str:
    """The folder of deliveries that were cut off (`store.attempts`)."""
    return place + ".attempts"


def migrate(place: str) -> str:
    """What whoever migrates a store holds locked (`store.schema`)."""
    return place + ".migrate"


def tick(place: str) -> str:
    """The file whose time says when `crmmail tick` last ran (`services.keeping.upkeep`)."""
    return place + ".tick"


def every(place: str) -> list[str]:
    """All of them, whether or not they are there."""
    return [name(place) for name in (migrate, failing, tick, attempts)]


def fit(file: int, place: str) -> None:
    """Gives an open file of ours the mode of its store, whatever the umask: whoever may use the one may the other.

    Its owner always may: a store that nobody can open is what a mark beside it tells of.
    """
    try:
        wanted = stat.S_IMODE(os.stat(place).st_mode) & 0o660 | 0o600
        if stat.S_IMODE(os.fstat(file).st_mode) != wanted:
            os.fchmod(file, wanted)
    except OSError:
        pass
