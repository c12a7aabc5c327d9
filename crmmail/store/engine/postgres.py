"""PostgreSQL, for shops that outgrow one machine: a connection of the kind that `sql` speaks on, over psycopg 3.

Only who opens a store by a URL reads this page, and psycopg with it.

Transactions come one after the other, from however many hosts, as SQLite's do: each takes a lock on a table that every
store has, and readers do not wait for it.  Letters of one shop are about the same sections, inboxes and indexes; three
hosts that delivered beside each other had every second transaction refused, and were slower than in a queue.

They are SERIALIZABLE all the same: where somebody else writes without that lock, the server takes back what it cannot
fit in (StoreContended), and a delivery is done again (`services.shared.again`).  LOCK TABLE takes no snapshot, so what
a transaction sees is what was committed before it got the lock.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Sequence
from functools import lru_cache

from crmmail.core import url as urls
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import (
    CrmmailError,
    DriverMissing,
    StoreBroken,
    StoreBusy,
    StoreContended,
    StoreDamaged,
    StoreMissing,
)
from crmmail.store.engine import place as places
from crmmail.store.engine import sql
from crmmail.store.engine.sql import Connection, inserting

if sys.modules.get("psycopg") is None:
    sys.modules.pop("psycopg", None)  # `sql` has hidden it from peewee
try:
    import psycopg
except ImportError:
    raise DriverMissing(
        "a store on PostgreSQL needs psycopg, which is not there: pip install 'crmmail[postgres]'"
    ) from None

GATE = "crm_setting"
NUMBERLESS = {"crm_blob"}  # tables that are added to by `insert`, and whose key is no number
BEGIN = "BEGIN ISOLATION LEVEL SERIALIZABLE"
ALONE = f"{BEGIN}; LOCK TABLE {GATE} IN SHARE ROW EXCLUSIVE MODE"
REACHING = 10  # seconds in which a server must answer, where the URL does not say
# "Committed" means: on the disk.  Where the server waits for more than its own, it may.
ON_THE_DISK = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
AWAY = "10min"  # after which the server takes back a transaction of somebody who does nothing


logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # what it warns of, it raises too


class Postgres(Connection):
    """A connection to a database; opened again when the server was away between two transactions."""

    postgres = True

    def __init__(self, url: str, patience: float) -> None:
        self.url = url
        self.patience = patience
        super().__init__(self._connected())

    def _connected(self) -> Any:
        given = {} if "connect_timeout" in self.url else {"connect_timeout": REACHING}
        driver = psycopg.connect(self.url, autocommit=True, application_name="crmmail", **given)
        try:
            driver.execute(
                f"SET lock_timeout = {milliseconds(self.patience)}; SET timezone = 'UTC'; "
                f"SET idle_in_transaction_session_timeout = '{AWAY}'; SET client_min_messages = error; {ON_THE_DISK}"
            )
        except BaseException:
            driver.close()
            raise
        return driver

    def execute(self, text: str, given: Sequence[Any] = ()) -> Any:
        if self.driver.closed and not self.depth:
            self._reopen()
        return self.driver.execute(written(text), given)

    def many(self, text: str, given: Sequence[Sequence[Any]]) -> None:
        with self.driver.cursor() as cursor:
            cursor.executemany(written(text), given)

    def insert(self, table: str, columns: Sequence[str], given: Sequence[Any]) -> int:
        text = inserting(table, tuple(columns))
        if table in NUMBERLESS:
            self.execute(text, given)
            return 0
        return int(self.execute(f"{text} RETURNING id", given).fetchone()[0])

    def begin(self) -> None:
        try:
            self._begin()
        except psycopg.OperationalError:
            if not self.driver.closed:
                raise
            self._reopen()  # the server was started again since we last asked it something
            self._begin()

    def _begin(self) -> None:
        try:
            self.driver.execute(ALONE if self.is_made else BEGIN)
        except BaseException:
            self.rollback()
            raise

    @property
    def is_made(self) -> bool:
        """Are the tables there?  Whoever makes them has none to lock."""
        if not self._made:
            self._made = self.has_table(GATE)
        return self._made

    _made = False

    def commit(self) -> None:
        self.driver.execute("COMMIT")

    def rollback(self) -> None:
        if self.in_transaction():
            self.driver.execute("ROLLBACK")

    def back_to(self, savepoint: str) -> None:
        if self.in_transaction():
            self.driver.execute(f"ROLLBACK TO SAVEPOINT {savepoint}; RELEASE SAVEPOINT {savepoint}")

    def in_transaction(self) -> bool:
        return not self.driver.closed and self.driver.info.transaction_status != psycopg.pq.TransactionStatus.IDLE

    def expect_parts(self) -> None:
        pass  # the server has room for them

    def has_table(self, name: str) -> bool:
        return self.execute("SELECT to_regclass(?)", (name,)).fetchone()[0] is not None

    def wait(self, seconds: float) -> None:
        self.patience = seconds
        self.execute(f"SET lock_timeout = {milliseconds(seconds)}")

    def _reopen(self) -> None:
        self.driver = self._connected()
        if self.peewee is not None:
            self.peewee.close()
            self.peewee.connect()


class Server(NamedTuple):
    """What `doctor` asks of a server."""

    version: str
    fsync: bool  # what was committed survives a power cut
    synchronous: bool  # a commit waits for the disk
    connections: int
    most: int  # connections that it takes


def server() -> Server:
    """The one of the open store."""
    found = sql.row(
        "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'),"
        " (SELECT COUNT(*) FROM pg_stat_activity), current_setting('max_connections')"
    )
    assert found is not None
    version, fsync, synchronous, connections, most = found
    return Server(version.partition(" ")[0], fsync == "on", synchronous != "off", connections, int(most))


def opened(url: str, patience: float) -> Postgres:
    """The connection to the database that a URL names.  Raises what `plainly` says of it."""
    try:
        return Postgres(url, patience)
    except psycopg.Error as error:
        raise plainly(error, places.of(url), url) from None  # the URL may stand in the error


def milliseconds(seconds: float) -> int:
    """For the server, to whom 0 means for ever."""
    return max(1, math.ceil(seconds * 1000))


@lru_cache(500)  # few are asked again and again; those with as many marks as something had are many
def written(text: str) -> str:
    """A statement with psycopg's marks for its values."""
    return text.replace("%", "%%").replace("?", "%s")


# --- what it says when something is wrong -------------------------------------------------------------------


def of_psycopg(error: BaseException) -> psycopg.Error | None:
    """What psycopg raised, if it did: this itself, or what peewee made its own error of (and calls `orig`)."""
    found = getattr(error, "orig", error)
    return found if isinstance(found, psycopg.Error) else None


# By SQLSTATE or its class: what is wrong, and what to do.  What a server says of its disk or its rights is for whoever
# keeps it; the mail waits until it is mended.
SAID: dict[str, tuple[type[CrmmailError], str]] = {
    "40": (StoreContended, "somebody changed the same in {place} at the same moment: try again"),
    "23505": (StoreContended, "somebody wrote the same into {place} at the same moment: try again"),
    "55P03": (StoreBusy, "{place} is locked by another process: try again"),
    "57014": (StoreBusy, "{place} did not answer in time: try again"),
    "53300": (StoreBusy, "{place} has no connection left for us: try again, or raise its max_connections"),
    "53100": (StoreBroken, "no room left on the disk of {place}: make some and try again"),
    "53": (StoreBroken, "{place} is short of something: {words}"),
    "25006": (StoreBroken, "{place} cannot be written: it is a standby, or was set read-only"),
    "42501": (StoreBroken, "{place} does not let us: {words}; its owner can GRANT it"),
    "57P": (StoreBroken, "{place} is being started or stopped: try again"),
    "08": (StoreBroken, "the connection to {place} broke: {words}; try again"),
    "28": (StoreBroken, "{place} does not let us in: {words}"),
    "3D000": (
        StoreMissing,
        "there is no database at {place}: make it with `createdb`; `crmmail init` or `crmmail db copy` fills it",
    ),
    "XX001": (StoreDamaged, "{place}: the database says: {words}; restore a backup"),
    "XX002": (StoreDamaged, "{place}: the database says: {words}; REINDEX, or restore a backup"),
}
# A connection that never was has no SQLSTATE; its words tell.
UNREACHED = (
    ("does not exist", "3D000"),
    ("authentication failed", "28"),
    ("no password supplied", "28"),
    ("no pg_hba.conf entry", "28"),
    ("too many clients", "53300"),
    ("remaining connection slots", "53300"),
    ("starting up", "57P"),
    ("shutting down", "57P"),
)


def plainly(error: psycopg.Error, place: str, url: str = "") -> CrmmailError:
    """What psycopg raised, in our words.

    Args:
        url: as it was given, with the password that must not be repeated.
    """
    words = _first_line(error)
    for word in sorted(urls.passwords(url), key=len, reverse=True):
        words = words.replace(word, "***")
    state = error.sqlstate or next((code for said, code in UNREACHED if said in words), "")
    if state == "3D000" and "role" in words:  # or "user": it is who we are that does not exist
        state = "28"
    for code in (state, state[:3], state[:2]):
        if code in SAID:
            kind, sentence = SAID[code]
            return kind(sentence.format(place=place, words=words))
    if not state and isinstance(error, psycopg.OperationalError):
        return StoreBroken(f"cannot reach {place}: {words}; does the server run, and is the URL right?")
    return StoreBroken(f"{place}: the database says: {words}")


def _first_line(error: psycopg.Error) -> str:
    """Its first words: behind them libpq repeats them for each address of the host, and the statement."""
    told = error.diag.message_primary
    lines = [line.strip() for line in str(told or error).splitlines() if line.strip()]
    said = next((line for line in lines if "FATAL:" in line), lines[0] if lines else type(error).__name__)
    return said.rpartition("FATAL:")[2].strip().rstrip(".")
