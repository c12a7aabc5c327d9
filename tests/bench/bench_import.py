#!/usr/bin/env python3
"""Measures how fast years of mail come in: `crmmail import` beside `notmuch new` and `mu index` on the same letters.

    python tests/bench/bench_import.py --venv PATH [--runs 3] [--mails 20000]

PATH is a virtual environment with crmmail's wheel in it, not an editable install.  Each round begins with empty stores;
the programs take turns, in another order each time, so that what else the machine does falls on all of them, and the
ratio of a round is what counts.  Ours does all that a delivery does but telling people: routing, threads, contacts,
attachments, the search index, why.  A second import of the same file finds that all of it is there.  And while one goes
on, crmmail-mda delivers letters beside it: how long it waits is told below the table.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pairs
from pairs import Cost, Program

ORDER = ("crmmail import, Maildir", "crmmail import, mbox", "crmmail import, mbox, again", "notmuch new", "mu index")
BESIDE = 0.5  # seconds between two deliveries beside an import


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--venv", type=Path, required=True, help="where the wheel is installed")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--mails", type=int, default=20_000)
    options = parser.parse_args()
    bin = pairs.installed(options.venv)
    folder = Path(tempfile.mkdtemp(prefix="crmmail-bench-"))
    try:
        mails = pairs.make_mails(folder, options.mails)
        maildir, mbox = as_maildir(folder, mails), as_mbox(folder, mails)
        env = pairs.environment(folder)
        pairs.make_shop(bin, env)
        fresh = folder / "fresh.db"
        shutil.copy(folder / "crmmail.db", fresh)
        costs: dict[str, list[Cost]] = {}
        for number in range(options.runs):
            programs = {
                "crmmail import, Maildir": lambda: ours(bin, folder, fresh, maildir, options.mails),
                "crmmail import, mbox": lambda: ours(bin, folder, fresh, mbox, options.mails),
                "notmuch new": lambda: notmuch(folder, maildir),
                "mu index": lambda: mu(folder, maildir),
            }
            for name in pairs.rotated(list(programs), number):
                cost = programs[name]()
                if cost is not None:
                    costs.setdefault(name, []).append(cost)
                if name.endswith("mbox"):  # its store is still there
                    costs.setdefault(f"{name}, again", []).append(imported(bin, folder, mbox))
        print(pairs.table(table(costs, options.mails)))
        size = pairs.mean_size(mails)
        beside = waits(bin, folder, fresh, mbox)
        print(f"\n{options.runs} rounds, {options.mails:,} mails of {size:,.0f} bytes.  {beside}")
        print(f"{pairs.machine(bin / 'python')}; {versions()}.")
    finally:
        shutil.rmtree(folder)
    return 0


# --- the same letters in two forms ------------------------------------------------------------------------------------


def as_maildir(folder: Path, mails: Sequence[Path]) -> Path:
    maildir = folder / "Maildir"
    for name in ("cur", "new", "tmp"):
        (maildir / name).mkdir(parents=True)
    for number, mail in enumerate(mails):
        os.link(mail, maildir / "cur" / f"{1_700_000_000 + number}.M{number}P1.bench:2,S")
    return maildir


def as_mbox(folder: Path, mails: Sequence[Path]) -> Path:
    mbox = folder / "all.mbox"
    with mbox.open("wb") as out:
        for mail in mails:
            letter = re.sub(rb"^(>*From )", rb">\1", mail.read_bytes(), flags=re.M)
            out.write(b"From bench@crm.example Tue Nov 24 10:00:00 2026\n" + letter.rstrip(b"\n") + b"\n\n")
    return mbox


# --- the programs -----------------------------------------------------------------------------------------------------


def imported(bin: Path, folder: Path, what: Path) -> Cost:
    """One import into the store that is there."""
    return run(Program([str(bin / "crmmail"), "import", str(what)], pairs.environment(folder)))


def ours(bin: Path, folder: Path, fresh: Path, what: Path, count: int) -> Cost:
    """One import into a new store; all of it must have arrived."""
    begin_anew(folder, fresh)
    cost = imported(bin, folder, what)
    pairs.everything_arrived(folder / "crmmail.db", count)
    return cost


def begin_anew(folder: Path, fresh: Path) -> None:
    for path in folder.glob("crmmail.db*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copy(fresh, folder / "crmmail.db")


def notmuch(folder: Path, maildir: Path) -> Cost | None:
    program = shutil.which("notmuch")
    if program is None:
        return None
    config = folder / "notmuch"
    config.write_text(f"[database]\npath={maildir}\n[user]\nname=x\nprimary_email=x@crm.example\n[new]\ntags=new\n")
    shutil.rmtree(maildir / ".notmuch", ignore_errors=True)
    try:
        return run(Program([program, "new", "--quiet"], {**os.environ, "NOTMUCH_CONFIG": str(config)}))
    finally:
        shutil.rmtree(maildir / ".notmuch", ignore_errors=True)


def mu(folder: Path, maildir: Path) -> Cost | None:
    program = shutil.which("mu")
    if program is None:
        return None
    home = folder / "mu"
    shutil.rmtree(home, ignore_errors=True)
    init = [program, "init", f"--muhome={home}", f"--maildir={maildir}"]
    subprocess.run(init, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return run(Program([program, "index", "--quiet", f"--muhome={home}"], os.environ))


def run(program: Program) -> Cost:
    """What it takes; with the processes that it has started, for `wait4` counts those that it has waited for."""
    cost = pairs.measured(program.command, Path(os.devnull), program.env)
    if cost.status != 0:
        sys.exit(f"{' '.join(program.command)}: exit {cost.status}: {cost.said.strip()}")
    return cost


# --- a delivery beside it ---------------------------------------------------------------------------------------------


def waits(bin: Path, folder: Path, fresh: Path, mbox: Path) -> str:
    """How long deliveries take that come while an import goes on."""
    begin_anew(folder, fresh)
    env = pairs.environment(folder)
    importing = subprocess.Popen([bin / "crmmail", "import", mbox], env=env, stdout=subprocess.DEVNULL)
    taken: list[float] = []
    while importing.poll() is None:
        letter = folder / "beside.eml"
        letter.write_text(f"From: x@y.example\nTo: support@crm.example\nMessage-ID: <{len(taken)}@beside>\n\nNow!\n")
        start = time.perf_counter()
        with letter.open("rb") as stdin:
            if subprocess.run([bin / "crmmail-mda"], env=env, stdin=stdin).returncode != 0:
                sys.exit("a delivery beside an import was put off")
        taken.append(time.perf_counter() - start)
        time.sleep(BESIDE)
    middle, most = (round(1000 * one) for one in (statistics.median(taken), max(taken)))
    return f"{len(taken)} deliveries beside an import took {middle:,} ms each (median), at most {most:,} ms."


# --- what is said -----------------------------------------------------------------------------------------------------


def table(costs: Mapping[str, Sequence[Cost]], count: int) -> list[pairs.Row]:
    rows: list[pairs.Row] = [("", "mails/s", "× notmuch new", "processor, ms a mail", "peak, MiB")]
    theirs = costs.get("notmuch new")
    for name, ours in costs.items():
        speed = count / statistics.median(one.seconds for one in ours)
        faster = statistics.median(pairs.ratios(theirs, ours)) if theirs else "–"
        processor = 1000 * statistics.median(one.processor for one in ours) / count
        rows.append((name, speed, faster, processor, statistics.median(one.peak for one in ours)))
    return [rows[0], *sorted(rows[1:], key=lambda row: ORDER.index(str(row[0])))]


def versions() -> str:
    found = []
    for name in ("notmuch", "mu"):
        if shutil.which(name):
            said = subprocess.run([name, "--version"], capture_output=True, text=True).stdout.splitlines()[0]
            found.append(f"{name} {re.sub(r'^[^0-9]*', '', said)}")
    return ", ".join(found) or "neither notmuch nor mu is installed"


if __name__ == "__main__":
    sys.exit(main())
