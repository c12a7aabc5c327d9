#!/usr/bin/env python3
"""Measures one delivery as a whole process beside other programs that take a mail on standard input and keep it.

    python tests/bench/bench_peers.py --venv PATH [--roundup PATH] [--runs 60] [--issues 5000]

PATH is a virtual environment with crmmail's wheel in it, not an editable install; that of --roundup has Roundup in it.
Each round starts every program once with the same mail (3 KB, 30 % open a record, 70 % answer), and `python -c pass` of
crmmail's environment; its ratio to that is what counts.  Afterwards every mail must be in every store.  What is not
installed is left out, with a line that says how to install it.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pairs
import receiver
from pairs import Program
from served import Served, has_serve
from stores import copy_of

# Spool, sync, rename: the least that is safe.
SPOOL = """
import os, sys
raw, folder = sys.stdin.buffer.read(), sys.argv[1]
name = str(os.getpid())
with open(folder + "/tmp/" + name, "wb") as file:
    file.write(raw)
    file.flush()
    os.fsync(file.fileno())
os.rename(folder + "/tmp/" + name, folder + "/new/" + name)
directory = os.open(folder + "/new", os.O_RDONLY)
os.fsync(directory)
"""
# 5,000 issues with a message each, as an old tracker has.
ISSUES = """
import sys, roundup.instance
database = roundup.instance.open(sys.argv[1]).open("admin")
for number in range(int(sys.argv[2])):
    words = database.msg.create(author="1", content="Hello,\\n" * 20, messageid=f"<{number}@old.example>")
    database.issue.create(title=f"Issue {number}", messages=[words])
database.commit()
"""
NOTMUCH = """
[database]
path={folder}/notmuch
[user]
name=Support
primary_email=support@crm.example
[new]
tags=unread;inbox
"""


class Peer(NamedTuple):
    """A program that takes mails, and how many it has."""

    name: str
    program: Program
    count: Callable[[], int]
    version: str = ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--venv", type=Path, required=True, help="where the wheel is installed")
    parser.add_argument("--roundup", type=Path, help="where Roundup is installed")
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--issues", type=int, default=5000, help="in Roundup's tracker")
    options = parser.parse_args()
    bin = pairs.installed(options.venv)
    folder = Path(tempfile.mkdtemp(prefix="crmmail-bench-"))
    env = pairs.environment(folder)
    try:
        pairs.make_shop(bin, env)
        mails = pairs.make_mails(folder, options.runs + pairs.WARMING)
        with contextlib.ExitStack() as stack:
            peers = [*others(folder, options.roundup, options.issues, env, stack), alone(bin, folder, env)]
            server = resident(bin, folder, env, stack, peers)
            compare(bin, mails, peers)
            if server is not None:
                print(f"The server held {server.peak():.0f} MiB at most.")
            versions = [pairs.machine(bin / "python"), *(peer.version for peer in peers if peer.version)]
            print(f"{', '.join(versions)}.")
    finally:
        shutil.rmtree(folder)
    return 0


def compare(bin: Path, mails: Sequence[Path], peers: Sequence[Peer]) -> None:
    """Prints the table; ends the program where a mail is missing."""
    nothing = "`python -c pass`"
    before = {peer.name: peer.count() for peer in peers}
    costs = pairs.take_turns({nothing: pairs.nothing(bin), **{peer.name: peer.program for peer in peers}}, mails)
    for peer in peers:
        if peer.count() - before[peer.name] != len(mails):
            sys.exit(f"{peer.name} took {len(mails)} mails and has {peer.count() - before[peer.name]} of them")
    rows: list[pairs.Row] = [("program", *pairs.QUARTILES, "by processor time", "ms", "peak, MiB")]
    for name, taken in costs.items():
        by_processor = pairs.quartiles(pairs.processor_ratios(taken, costs[nothing]))[1]
        milliseconds = pairs.quartiles([one.seconds * 1000 for one in taken])[1]
        peak = pairs.quartiles([one.peak for one in taken])[1]
        rows.append((name, *pairs.quartiles(pairs.ratios(taken, costs[nothing])), by_processor, milliseconds, peak))
    print(pairs.table(rows))
    print(
        f"\n{len(mails) - pairs.WARMING} rounds, mails of {pairs.mean_size(mails):,.0f} bytes, every one found again."
    )
    print("What starts them holds 9 MiB, and less is not seen.")


# -- the programs ------------------------------------------------------------------------------------------------------


def others(
    folder: Path, roundup: Path | None, issues: int, env: dict[str, str], stack: contextlib.ExitStack
) -> Iterator[Peer]:
    """Those that are installed."""
    yield spool(folder, env)
    if absent := receiver.missing():
        print(f"no {', '.join(absent)}: {receiver.APT_LINE}", file=sys.stderr)
    else:
        dovecot = stack.enter_context(receiver.Receiver())
        yield Peer("dovecot-lda → Maildir", Program(dovecot.lda, env), dovecot.count_mails, receiver.version())
    if shutil.which("notmuch"):
        yield notmuch(folder, env)
    else:
        print("no notmuch: apt-get install notmuch", file=sys.stderr)
    if roundup is not None and (roundup / "bin" / "roundup-mailgw").exists():
        yield tracker(folder, roundup.absolute() / "bin", issues, env)
    else:
        print("no roundup: python3 -m venv R && R/bin/pip install roundup, then --roundup R", file=sys.stderr)


def alone(bin: Path, folder: Path, env: dict[str, str]) -> Peer:
    mda = Program([str(bin / "crmmail-mda")], env)
    return Peer("**crmmail-mda** alone", mda, lambda: stored(folder / "crmmail.db"))


def resident(
    bin: Path, folder: Path, env: dict[str, str], stack: contextlib.ExitStack, peers: list[Peer]
) -> Served | None:
    """The same with a server, and a store of its own."""
    if not has_serve(bin):
        print("this crmmail has no serve", file=sys.stderr)
        return None
    (folder / "served").mkdir()
    store = copy_of(folder / "crmmail.db", folder / "served" / "crmmail.db")
    handing = {**env, "CRMMAIL_DB": str(store)}
    server = stack.enter_context(Served(bin, handing))
    mda = Program([str(bin / "crmmail-mda")], handing)
    peers.append(Peer("**crmmail-mda** with `crmmail serve`", mda, lambda: stored(store)))
    return server


def stored(store: Path) -> int:
    database = sqlite3.connect(store)
    try:
        (count,) = database.execute("SELECT count(*) FROM crm_original").fetchone()
    finally:
        database.close()
    return int(count)


def spool(folder: Path, env: dict[str, str]) -> Peer:
    for name in ("tmp", "new"):
        (folder / "spool" / name).mkdir(parents=True)
    command = [sys.executable, "-I", "-S", "-c", SPOOL, str(folder / "spool")]
    new = folder / "spool" / "new"
    return Peer("spool file, fsync, rename (Python)", Program(command, env), lambda: len(list(new.iterdir())))


def notmuch(folder: Path, env: dict[str, str]) -> Peer:
    for name in ("cur", "new", "tmp"):
        (folder / "notmuch" / name).mkdir(parents=True)
    configuration = folder / "notmuch.conf"
    configuration.write_text(NOTMUCH.format(folder=folder))
    command = [shutil.which("notmuch") or "", f"--config={configuration}"]
    subprocess.run([*command, "new"], env=env, check=True, capture_output=True)

    def count() -> int:
        return int(subprocess.run([*command, "count"], env=env, check=True, capture_output=True, text=True).stdout)

    version = pairs.version("notmuch", [command[0], "--version"])
    return Peer("notmuch insert", Program([*command, "insert"], env), count, version)


def tracker(folder: Path, bin: Path, issues: int, env: dict[str, str]) -> Peer:
    """Roundup as its documentation sets it up, open for everybody's mail; what it sends goes to a file."""
    home = folder / "tracker"
    home.mkdir()
    settings = {
        "tracker_web": "http://crm.example/tracker/",
        "tracker_email": "support",
        "mail_domain": "crm.example",
        "mail_host": "localhost",
        "mail_debug": str(folder / "tracker.sent"),
        "mailgw_subject_prefix_parsing": "loose",  # the tags of our mails are not its own
    }
    admin = [str(bin / "roundup-admin"), "-i", str(home)]
    words = ",".join(f"{name}={value}" for name, value in settings.items())
    subprocess.run([*admin, "install", "classic", "sqlite", words], env=env, check=True, capture_output=True)
    schema = home / "schema.py"
    open_door = "db.security.addPermissionToRole('Anonymous', 'Email Access')"
    schema.write_text(schema.read_text().replace(f"#{open_door}", open_door))
    subprocess.run([*admin, "initialise", "secret"], env=env, check=True, capture_output=True)
    subprocess.run([bin / "python", "-c", ISSUES, str(home), str(issues)], env=env, check=True)

    def count() -> int:
        database = sqlite3.connect(home / "db" / "db")
        (messages,) = database.execute("SELECT count(*) FROM _msg").fetchone()
        database.close()
        return int(messages)

    mailgw = Program([str(bin / "roundup-mailgw"), str(home)], env)
    version = pairs.version("roundup", [bin / "python", "-c", "import roundup; print(roundup.__version__)"])
    return Peer(f"roundup-mailgw (SQLite, {issues:,} issues)", mailgw, count, version)


if __name__ == "__main__":
    sys.exit(main())
