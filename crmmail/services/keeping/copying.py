"""`crmmail db copy`: a whole store into another place, from a file to PostgreSQL or back.

Everything is copied in one transaction, and read back before it is committed; so whatever goes wrong, the target is as
empty as it was, and the copy can simply be begun again.  The source is only read.  Deliveries into it wait meanwhile
and come again (on SQLite, unless its journal is WAL): whoever moves a shop wants no letter to come into the old store
behind his back.
"""

from __future__ import annotations

from collections.abc import Callable

from crmmail.core.typed import NamedTuple
from crmmail.errors import Refused, StoreBroken
from crmmail.services.keeping import upkeep
from crmmail.store.care import copying
from crmmail.store.engine import database
from crmmail.store.engine import place as places
from crmmail.store.engine.database import speaking_plainly

PATIENCE = 30  # seconds to wait for somebody else's lock


class Copied(NamedTuple):
    """What was copied."""

    place: str
    tables: int
    rows: int


class Copy:
    """Two open stores.  Use it as a context manager, so that they are closed."""

    def __init__(self, source: str, target: str) -> None:
        """Opens them, and makes the target's tables.

        Raises:
            Refused: the target has something in it, or is the source.
            StoreMissing, StoreBehind, StoreBroken: one of them cannot be opened.
        """
        if places.of(source) == places.of(target):
            raise Refused(f"{places.of(source)} cannot be copied into itself: name another place")
        self.source = database.open(source, busy_timeout=PATIENCE)
        try:
            self.target = database.open(target, busy_timeout=PATIENCE, check=False, create=True)
        except BaseException:
            self.source.close()
            raise
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        upkeep.update(self.target)
        table = copying.filled(self.target)
        if table:
            sentence = f"{self.target.place} is in use: there are rows in {table}"
            raise Refused(f"{sentence}; name an empty database, or a file that is not there")

    def __enter__(self) -> Copy:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.source.close()
        self.target.close()

    def rows(self) -> int:
        """How many there are to copy; `run` calls `step` so many times."""
        return copying.count(self.source)

    def run(self, step: Callable[[], None] = lambda: None) -> Copied:
        """Copies everything, and compares.

        Raises:
            StoreBroken: something went wrong, and nothing was copied.
        """
        tables = copying.tables()
        with speaking_plainly(self.source.place):
            copying.begin_reading(self.source)
        try:
            with self.target.transaction():
                found = {one.name: copying.copy(self.source, self.target, one, step) for one in tables}
                for one in tables:
                    copying.copy_numbers(self.source, self.target, one)
                    self._compare(one.name, found[one.name], copying.content(self.target, one))
        finally:
            copying.end_reading(self.source)
        upkeep.fill(self.target)
        return Copied(self.target.place, len(tables), sum(one.rows for one in found.values()))

    def _compare(self, table: str, there: copying.Content, here: copying.Content) -> None:
        if there != here:
            said = f"{there.rows} rows became {here.rows}" if there.rows != here.rows else "its rows became others"
            raise StoreBroken(f"{table} was not copied as it is ({said}), so nothing was: crmmail db check")
