"""Deliveries on PostgreSQL beside those on SQLite, and from several hosts at once.

    python tests/bench/bench_postgres.py [MAILS]

Each pair delivers the same mails, one by one and twenty to a transaction, in one process that is there already: into a
file, then into a server of our own on the same disk (fsync on; a Unix socket).  Then so many hosts, each a process, at
once into one database.  Printed are medians of mails a second, and of the pairs' ratios.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pgstack import PostgresStack

PAIRS = 5
MAILS = 200
GROUP = 20
HOSTS = (1, 2, 4)
WORK = """
import pathlib, sys, time
from crmmail.core.known import Envelope
from crmmail.services.incoming.deliver import deliver, deliver_together
from crmmail.services.incoming.prepare import prepare, reading
from crmmail.workspace import Choice, Workspace
place, name, count, group, go = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), pathlib.Path(sys.argv[5])
mail = "From: <p{0}@example.com>\\nTo: support@crm.test\\nSubject: Printer {0}\\nMessage-ID: <{0}@x>\\n\\nIt burns.\\n"
mails = [(mail.format(f"{name}.{number}") + "words " * 500).encode() for number in range(count)]
with Workspace(Choice(db=place)) as workspace:
    deliver(workspace, mail.format(f"{name}.first").encode(), Envelope())
    print("ready", flush=True)
    while not go.exists():
        time.sleep(0.001)
    begun = time.perf_counter()
    for at in range(0, count, group):
        part = mails[at : at + group]
        if group == 1:
            deliver(workspace, part[0], Envelope())
        else:
            limits = reading(workspace)
            done = deliver_together(workspace, [prepare(limits, one, Envelope()) for one in part])
            assert all(isinstance(one, list) for one in done), done
    print(time.perf_counter() - begun, flush=True)
"""


def founded(place: str) -> str:
    """An empty shop at this place."""
    for line in (
        "init --domain crm.test --user boss:boss@crm.test",
        "sections add support --name Support --email support@crm.test --manager boss",
    ):
        subprocess.run([sys.executable, "-m", "crmmail", "--db", place, *line.split()], check=True, capture_output=True)
    return place


def rate(place: str, hosts: int, count: int, group: int, folder: Path) -> float:
    """Mails a second, by so many processes at once."""
    go = folder / f"go{time.perf_counter_ns()}"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORK, place, f"{host}.{go.name}", str(count), str(group), str(go)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for host in range(hosts)
    ]
    for one in processes:
        assert one.stdout and one.stdout.readline() == "ready\n"
    go.touch()
    seconds = max(float(one.communicate()[0]) for one in processes)
    return hosts * count / seconds


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else MAILS
    # As it is installed: the settings of the tests spare the disk and never clean up.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, PostgresStack(settings=(), place="/tmp") as server:
        os.environ["HOME"] = folder
        file, url = founded(f"{folder}/crm.db"), founded(server.database())
        for group in (1, GROUP):
            pairs = [
                (rate(file, 1, count, group, Path(folder)), rate(url, 1, count, group, Path(folder)))
                for _ in range(PAIRS)
            ]
            sqlite, postgres = (statistics.median(one) for one in zip(*pairs, strict=True))
            ratio = statistics.median(there / here for here, there in pairs)
            print(f"{group:3} to a transaction: SQLite {sqlite:.0f}/s, PostgreSQL {postgres:.0f}/s, {ratio:.2f} x")
        for hosts in HOSTS:
            for group in (1, GROUP):
                url = founded(server.database())
                print(
                    f"{hosts} hosts, {group:3} to a transaction: {rate(url, hosts, count, group, Path(folder)):.0f}/s"
                )


if __name__ == "__main__":
    main()
