#!/usr/bin/env python3
"""Measures LMTP over a unix socket: `crmmail serve` beside dovecot's LMTP server, each mail safe before its 250.

    python tests/bench/bench_lmtp.py --venv PATH [--runs 5] [--mails 2000]

PATH is a virtual environment with crmmail's wheel in it, not an editable install.  Each run sends the same mails to
both servers, one after the other, in turns; the ratio of their mails a second is what counts.  Three loads: smtp-source
over 1 and over 8 connections that stay open (3 KB, each a new case of ours), and over 8 the mails of the other benches
(30 % open a record, 70 % answer; sent by lmtp_client.py).  Every mail must be there afterwards.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pairs
import receiver
from served import Served, has_serve
from stores import copy_of

RECIPIENT = "support@crm.example"
CLIENT = Path(__file__).with_name("lmtp_client.py")


class Load(NamedTuple):
    """A way to send mails to a socket."""

    name: str
    command: Callable[[Path], Sequence[str]]


class Run(NamedTuple):
    """What a server took for all mails of a run, in seconds."""

    seconds: float
    processor: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--venv", type=Path, required=True, help="where the wheel is installed")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--mails", type=int, default=2000, help="of a run")
    options = parser.parse_args()
    bin = pairs.installed(options.venv)
    if absent := [*receiver.missing(), *(["smtp-source"] if smtp_source() is None else [])]:
        sys.exit(f"no {', '.join(absent)}: {receiver.APT_LINE} postfix")
    if not has_serve(bin):
        sys.exit("this crmmail has no serve")
    folder = Path(tempfile.mkdtemp(prefix="crmmail-bench-", dir="/tmp"))  # short: a socket's path has 107 bytes
    try:
        env = pairs.environment(folder)
        pairs.make_shop(bin, env)
        pairs.make_mails(folder, options.mails)
        fresh = copy_of(Path(env["CRMMAIL_DB"]), folder / "fresh.db")
        head = ("load", *pairs.QUARTILES, "crmmail, mails/s", "dovecot, mails/s")
        rows: list[pairs.Row] = [(*head, "crmmail, processor ms a mail", "dovecot, processor ms a mail")]
        for load in loads(folder, options.mails):
            runs = [one_run(bin, env, fresh, load, options.mails, number) for number in range(options.runs)]
            rows.append(row(load.name, options.mails, runs))
        print(pairs.table(rows))
        facts = f"{options.runs} pairs of {options.mails:,} mails, every one found again"
        print(f"\n{facts}.  {pairs.machine(bin / 'python')}, {receiver.version()}.")
    finally:
        shutil.rmtree(folder)
    return 0


def loads(folder: Path, count: int) -> list[Load]:
    def source(connections: int) -> Load:
        words = [smtp_source() or "", "-L", "-d", "-s", str(connections), "-m", str(count), "-l", "3000"]
        words += ["-f", "ann@customer.example", "-t", RECIPIENT]
        return Load(f"smtp-source, {_connections(connections)}", lambda socket: [*words, f"unix:{socket}"])

    def mails(connections: int) -> Load:
        client = [sys.executable, "-I", str(CLIENT)]
        return Load(
            f"mails of the benches, {_connections(connections)}",
            lambda socket: [*client, str(socket), RECIPIENT, str(connections), str(folder / "mails")],
        )

    return [source(1), source(8), mails(8)]


def _connections(number: int) -> str:
    return f"{number} connection{'s' if number > 1 else ''}"


def row(name: str, count: int, runs: Sequence[tuple[Run, Run]]) -> pairs.Row:
    ratios = pairs.quartiles([theirs.seconds / ours.seconds for ours, theirs in runs])
    speeds = (count / statistics.median(one.seconds for one in server) for server in zip(*runs, strict=True))
    costs = (statistics.median(one.processor for one in server) / count * 1000 for server in zip(*runs, strict=True))
    return name, *ratios, *speeds, *costs


def one_run(bin: Path, env: dict[str, str], fresh: Path, load: Load, count: int, number: int) -> tuple[Run, Run]:
    """Both servers, new ones with empty stores, each started before the clock and stopped behind it."""
    if number % 2:
        theirs = to_dovecot(load, count)
        return to_crmmail(bin, env, fresh, load, count), theirs
    return to_crmmail(bin, env, fresh, load, count), to_dovecot(load, count)


def to_crmmail(bin: Path, env: dict[str, str], fresh: Path, load: Load, count: int) -> Run:
    store = copy_of(fresh, Path(env["CRMMAIL_DB"]))
    with Served(bin, env) as server:
        begun = server.processor_time()
        taken = Run(send(load.command(server.lmtp)), server.processor_time() - begun)
        # Committed before the last 250, so it is looked for while the server still runs.
        pairs.everything_arrived(store, count)
    return taken


def to_dovecot(load: Load, count: int) -> Run:
    with receiver.Receiver() as dovecot:
        begun = dovecot.processor_time()
        taken = Run(send(load.command(dovecot.lmtp)), dovecot.processor_time() - begun)
        if dovecot.count_mails() != count:
            sys.exit(f"dovecot took {count} mails and has {dovecot.count_mails()}")
    return taken


def send(command: Sequence[str]) -> float:
    def work() -> None:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{command[0]}: {done.stderr.strip()}")

    return pairs.seconds(work)


def smtp_source() -> str | None:
    return shutil.which("smtp-source", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))


if __name__ == "__main__":
    sys.exit(main())
