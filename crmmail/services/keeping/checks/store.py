"""The store, opened: its schema, its journal, its secret, its clock, its copies."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from datetime import timedelta

from crmmail.errors import StoreBroken
from crmmail.services.keeping import upkeep
from crmmail.services.keeping.checks.finding import Finding, fail, local, ok, warn
from crmmail.store import schema
from crmmail.store.care import health
from crmmail.store.engine import database
from crmmail.store.letters import index
from crmmail.workspace import Workspace

FULL = 2  # PRAGMA synchronous: "committed" means on the disk
FULL_OF = 0.8  # of a server's connections in use
SHORTEST = 16  # bytes of the token secret
AHEAD = timedelta(minutes=10)  # of the clock: two machines that share a store may differ by some
OLD_COPY = timedelta(days=14)


def schema_is_known(workspace: Workspace) -> Iterator[Finding]:
    """Behind or ahead: deliveries say 75 until program and store fit each other again."""
    steps = schema.status(workspace.store)
    pending = [one.name for one in steps if not one.applied]
    newer = database.newest_applied(workspace.store)
    if not database.is_made(workspace.store):
        advice = "restore a backup, or crmmail init if it never was a store"
        yield fail("schema", "no crmmail tables are in the store; every delivery says 75", advice)
    elif newer > database.NEWEST:
        sentence = f"made by a newer crmmail ({newer}; this one knows {database.NEWEST}); every delivery says 75"
        yield fail("schema", sentence, "upgrade crmmail")
    elif pending:
        yield fail("schema", f"pending: {', '.join(pending)}; every delivery says 75", "crmmail db migrate")
    else:
        yield ok("schema", f"up to date ({database.NEWEST})")


def journal_is_safe(workspace: Workspace) -> Iterator[Finding]:
    """What is committed is on the disk, and stays there."""
    if workspace.store.connection.postgres:
        yield from _server_is_safe()
        return
    mode = workspace.store.journal_mode()
    versions = f"SQLite {database.LIBRARY}, Python {platform.python_version()}"
    if mode == "wal" and not database.wal_is_safe():
        wanted = ".".join(map(str, database.WAL_IS_SAFE))
        sentence = f"WAL with SQLite {database.LIBRARY}: two processes can corrupt it (safe from {wanted})"
        yield fail("journal", sentence, "open it once with crmmail and nobody else, which sets PERSIST")
    elif workspace.store.synchronous() < FULL:
        sentence = f"synchronous is {workspace.store.synchronous()}: a power cut can take what was committed"
        yield fail("journal", sentence, "tell us: crmmail sets it to FULL whenever it opens the store")
    else:
        yield ok("journal", f"journal mode {mode}, {versions}")


def _server_is_safe() -> Iterator[Finding]:
    from crmmail.store.engine import postgres  # psycopg comes with it

    server = postgres.server()
    if not (server.fsync and server.synchronous):
        name = "fsync" if not server.fsync else "synchronous_commit"
        yield fail(
            "journal", f"{name} is off: a power cut can take what was committed", f"set {name} = on on the server"
        )
    else:
        yield ok("journal", f"PostgreSQL {server.version}, Python {platform.python_version()}")
    if server.connections > server.most * FULL_OF:
        sentence = (
            f"{server.connections} of {server.most} connections to the server are in use: deliveries may get none"
        )
        yield warn("server", sentence, "raise max_connections, or look who has them (pg_stat_activity)")


def secret_is_there(workspace: Workspace) -> Iterator[Finding]:
    """Without it no answer finds its record by a token, and every delivery says 75."""
    try:
        secret = workspace.secret
    except StoreBroken as error:
        yield fail("secrets", f"{error}; every delivery says 75", "crmmail db check, then restore the store")
        return
    if len(secret) < SHORTEST:
        sentence = f"the token secret has {len(secret)} bytes: others can sign answers as if we had"
        yield fail("secrets", sentence, "restore the store from a backup: `crmmail init` made one of 32")


def clock_is_right(workspace: Workspace) -> Iterator[Finding]:
    """What is dated in the future is late, due and in order only when that day comes."""
    newest, now = health.newest(), workspace.now()
    if newest is not None and newest - now > AHEAD:
        sentence = f"something in the store is dated {local(newest)}, and the clock says {local(now)}"
        yield warn("clock", sentence, "set the clock; was it wrong then? `crmmail log` shows what has that date")


def copies_are_fresh(workspace: Workspace) -> Iterator[Finding]:
    """Whoever makes copies with crmmail wants them fresh; of other ways we know nothing."""
    last = upkeep.last_backup()
    if last is not None and workspace.now() - last > OLD_COPY:
        yield warn("backup", f"the last `crmmail db backup` was {local(last)}", "crmmail db backup FILE, from cron")


def words_are_found(workspace: Workspace) -> Iterator[Finding]:
    """A migration that was cut off leaves old messages out of the index; what comes is put in all the same."""
    missing = index.missing()
    if missing:
        what = "1 message is" if missing == 1 else f"{missing} messages are"
        yield warn("search", f"{what} not in the index, and no search finds them", "crmmail db migrate goes on with it")
