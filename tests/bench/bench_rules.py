#!/usr/bin/env python3
"""Measures `crmmail rules run` in a shop of 10,000 open cases and 50 rules: what cron pays each minute.

    python tests/bench/bench_rules.py --venv PATH [--runs 11] [--cases 10000] [--rules 50] [--due 200]

PATH is a virtual environment with crmmail's wheel in it, not an editable install.  Three states of the shop: nothing
has been due yet; everything has been done, so that the ledger holds a row a rule and case; and `--due` cases are due.
Each run is a pair: `crmmail rules run`, and a process that reads peewee and makes one SELECT of the due cases, in
turns; the ratio of the pair is what counts.  docs/benchmarks.md has the last numbers.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pairs

from crmmail.store import tables as t
from crmmail.store.engine import database

START = datetime(2026, 11, 24, 10, tzinfo=UTC)
USERS = 10
SECTIONS = 8
SHOP = (
    "init --domain crm.test --user boss:boss@crm.test",
    *(f"users add user{number} --email user{number}@crm.test" for number in range(USERS)),
    *(f"sections add section{number}" for number in range(SECTIONS)),
)
# What a shop's rules look like; {n} makes each another one.
KINDS = (
    "--trigger created --delay {days}d --state-from open --responsible user{user} --watch expert{n}@firm.example",
    "--trigger created --delay {days}d --state-from open --section section{section} --set-priority high",
    "--trigger action --delay {days}d --state-from open --priority 1-2 --watch expert{n}@firm.example",
    "--trigger deadline --delay=-{days}d --section section{section} --watch expert{n}@firm.example",
    "--trigger partner-mail --delay {days}d --state-to open --watch expert{n}@firm.example",
)
# One SELECT of the due cases, and nothing else.
FLOOR = """
import peewee, sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute(
    "SELECT c.thread_id FROM crm_case c JOIN crm_thread t ON t.id = c.thread_id "
    "WHERE c.state = 'open' AND t.created <= ? AND c.priority = 5", (sys.argv[2],)
).fetchall()
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--venv", type=Path, required=True, help="where the wheel is installed")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--rules", type=int, default=50)
    parser.add_argument("--due", type=int, default=200)
    options = parser.parse_args()
    bin = pairs.installed(options.venv)
    folder = Path(tempfile.mkdtemp(prefix="crmmail-bench-"))
    try:
        environment = {**pairs.environment(folder), "CRMMAIL_NOW": START.isoformat()}
        pairs.make_shop(bin, environment, SHOP)
        for number in range(options.rules):
            words = KINDS[number % len(KINDS)].format(
                n=number, days=3 + number % 5, user=number % USERS, section=number % SECTIONS
            )
            line = ["rules", "add", f"Rule {number}", *words.split()]
            subprocess.run([bin / "crmmail", *line], env=environment, check=True, stdout=subprocess.DEVNULL)
        due = ["rules", "add", "The due ones", *"--trigger created --delay 1d --priority 5 --set-priority 4".split()]
        subprocess.run([bin / "crmmail", *due], env=environment, check=True, stdout=subprocess.DEVNULL)
        empty = folder / "crmmail.db"
        rows: list[pairs.Row] = [("the shop", *pairs.QUARTILES, "the process, ms")]
        for name, days, acted in (("nothing due yet", 0.5, False), ("all done before", 30, True)):
            fill(empty, folder / "shop.db", options.cases, 0, acted)
            taken = measure(bin, environment, folder / "shop.db", START + timedelta(days=days), options.runs, 0)
            rows.append(row(name, taken))
        fill(empty, folder / "shop.db", options.cases, options.due, False)
        at = START + timedelta(days=2)
        taken = measure(bin, environment, folder / "shop.db", at, options.runs, options.due)
        rows.append(row(f"{options.due} cases due", taken))
        print(pairs.table(rows))
        print(f"\n{options.runs} pairs, {options.cases:,} open cases.  {pairs.machine(bin / 'python')}.")
    finally:
        shutil.rmtree(folder)
    return 0


def fill(empty: Path, target: Path, cases: int, due: int, acted: bool) -> None:
    """A shop with open cases, `due` of which the rule "The due ones" waits for; `acted`: every rule did on all."""
    shutil.copy(empty, target)
    store = database.open(str(target))
    try:
        with store.transaction():
            users = [row.id for row in t.User.select()]
            sections = [row.id for row in t.Section.select()]
            threads = [
                {"kind": "case", "title": f"Case {n}", "created": START, "updated": START} for n in range(1, cases + 1)
            ]
            t.Thread.insert_many(threads).execute()
            numbers = [row.id for row in t.Thread.select(t.Thread.id)]
            rows = [
                {
                    "thread": number, "state": "open", "section": sections[at % len(sections)],
                    "responsible": users[at % len(users)], "priority": 5 if at < due else 1 + at % 4,
                    "deadline": START + timedelta(days=9), "acted": START, "partner_wrote": START,
                }
                for at, number in enumerate(numbers)
            ]  # fmt: skip
            for begin in range(0, len(rows), 2000):
                t.Case.insert_many(rows[begin : begin + 2000]).execute()
            if acted:
                for rule in t.Rule.select():
                    base = START + timedelta(days=9) if rule.spec["trigger"] == "deadline" else START
                    firings = [
                        {"rule": rule.id, "thread": number, "base": base, "at": START, "sentence": "acted"}
                        for number in numbers
                    ]
                    for begin in range(0, len(firings), 5000):
                        t.Firing.insert_many(firings[begin : begin + 5000]).execute()
        store.database.execute_sql("ANALYZE")
    finally:
        store.close()


def measure(
    bin: Path, environment: dict[str, str], shop: Path, at: datetime, runs: int, due: int
) -> list[tuple[float, float]]:
    """(ours, the floor) in seconds, in pairs; the first pair, which writes byte code, is left out."""
    work = shop.with_name("work.db")
    found = []
    for number in range(runs + 1):
        shutil.copy(shop, work)
        ours = [str(bin / "crmmail"), "--db", str(work), "rules", "run"]
        floor = [
            str(bin / "python"),
            "-c",
            FLOOR,
            str(work),
            (at - timedelta(days=1)).isoformat(" ", "microseconds")[:26],
        ]
        pair = []
        for command in (ours, floor):
            begin = time.perf_counter()
            done = subprocess.run(
                command, env={**environment, "CRMMAIL_NOW": at.isoformat()}, check=True, capture_output=True, text=True
            )
            pair.append(time.perf_counter() - begin)
            if command is ours and done.stdout.count("\n") != due:
                sys.exit(f"rules run did {done.stdout.count(chr(10))} cases, not {due}")
        if number:
            found.append((pair[0], pair[1]))
    return found


def row(name: str, taken: list[tuple[float, float]]) -> pairs.Row:
    ratios = [ours / floor for ours, floor in taken]
    return name, *pairs.quartiles(ratios), statistics.median(ours for ours, _ in taken) * 1000


if __name__ == "__main__":
    sys.exit(main())
