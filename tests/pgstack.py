"""A pytest plugin: a PostgreSQL server of the tests' own: no root, a Unix socket, nothing kept; a database a test.

    with PostgresStack() as server:
        url = server.database()              # empty
        url = server.database(like=url)      # a copy of it, some 30 ms

Tests whose fixtures ask for `on` (`talk`, `store`) run on SQLite; those in tests/store, and those that are marked
`both`, on PostgreSQL, too.  With --thorough all do, but those that are marked `sqlite(reason)` or `postgres`, which run
on that one only.  With --postgres none runs on SQLite.
"""

from __future__ import annotations

import glob
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from servers import absent

APT_LINE = "apt-get install postgresql"
USER = "crm"
# What is lost in a power cut was only a test's.
FAST = ("synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "shared_buffers=32MB")
MEMORY = "/dev/shm"  # there fsync costs nothing
PATIENCE = 30  # seconds for the server to come up


def programs() -> Path | None:
    """The folder of initdb and postgres; None where there is none."""
    if os.environ.get("PG_BIN"):
        return Path(os.environ["PG_BIN"])
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: float(path.split("/")[4]))
    initdb = found[-1] if found else shutil.which("initdb")
    return Path(initdb).parent if initdb else None


class PostgresStack:
    """The server, from `with` to its end.

    Args:
        settings: what it is started with, NAME=VALUE; the usual ones spare the disk.
        place: the folder in which its own is made; None: memory, where there is some.
    """

    def __init__(self, settings: Sequence[str] = FAST, place: str | None = None) -> None:
        found = programs()
        assert found, f"no initdb: {APT_LINE}"
        self.programs = found
        self.settings = settings
        place = place or (MEMORY if os.path.isdir(MEMORY) else "/tmp")
        self.folder = Path(tempfile.mkdtemp(prefix="pg-", dir=place))  # a socket's path has room for 107 letters
        self.process: subprocess.Popen[bytes] | None = None
        self._as: dict[str, Any] = {}
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        self._numbers = itertools.count(1)

    def __enter__(self) -> PostgresStack:
        data = self.folder / "data"
        make: list[str | Path] = [
            self.programs / "initdb",
            "-D",
            data,
            "-U",
            USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        ]
        subprocess.run([*make, "--no-sync", "--no-instructions"], check=True, capture_output=True, cwd="/", **self._as)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Starts it, also after `stop`."""
        options = [word for one in (*self.settings, "listen_addresses=", "max_connections=60") for word in ("-c", one)]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data", "-k", self.folder, *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
                **self._as,
            )
        until = time.monotonic() + PATIENCE
        ready: list[str | Path] = [self.programs / "pg_isready", "-q", "-h", self.folder]
        while subprocess.run(ready, check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.01)

    def stop(self) -> None:
        """Stops it at once; what was committed stays in its files."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(10)

    def database(self, like: str = "", name: str = "") -> str:
        """The URL of a new database: empty, or a copy of one that nobody has open."""
        name = name or f"t{next(self._numbers)}"
        template = like.partition("?")[0].rpartition("/")[2] or "template0"
        self.ask(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Removes a database, whoever has it open."""
        name = url.partition("?")[0].rpartition("/")[2]
        self.ask(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def clear(self, url: str) -> None:
        """Empties a store as it was made; a tenth of the time that another database takes."""
        name = url.partition("?")[0].rpartition("/")[2]
        made = "('crm_migration', 'crm_subtype')"
        tables = self.ask(
            f"SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN {made}", name
        )
        emptied = "; ".join(f"DELETE FROM {table}" for (table,) in tables)
        again = "setval(format('%I', sequencename), start_value, false)"
        self.ask(f"SET session_replication_role = replica; {emptied}", name)  # in any order: no key is looked at
        self.ask(f"SELECT {again} FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL", name)

    def ask(self, statement: str, database: str = "postgres") -> list[Any]:
        """One statement by psql's rights; the rows of its answer."""
        from crmmail.store.engine import postgres

        with postgres.psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def url(self, name: str) -> str:
        return f"postgresql://{USER}@/{name}?host={self.folder}"


# --- fixtures -----------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgres", action="store_true", help="only on PostgreSQL what can run on either store")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "both: on SQLite and on PostgreSQL, also in the short form")
    config.addinivalue_line("markers", "postgres: only on PostgreSQL")
    config.addinivalue_line("markers", "sqlite(reason): about SQLite and its file, so never on PostgreSQL")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "on" not in metafunc.fixturenames or metafunc.definition.get_closest_marker("sqlite"):
        return
    if metafunc.config.getoption("--postgres") or metafunc.definition.get_closest_marker("postgres"):
        metafunc.parametrize("on", ["postgres"], indirect=True)
    elif (
        metafunc.config.getoption("--thorough")
        or metafunc.definition.get_closest_marker("both")
        or metafunc.definition.path.parent.name == "store"
    ):
        metafunc.parametrize("on", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def on(request: pytest.FixtureRequest) -> str:
    """`sqlite` or `postgres`: what the test's store is."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresStack]:
    """The server of this process."""
    if programs() is None:
        absent(f"needs: {APT_LINE}")
    with PostgresStack() as server:
        yield server
