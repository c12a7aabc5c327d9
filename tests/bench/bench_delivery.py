#!/usr/bin/env python3
"""Measures one delivery as a whole process: what fetchmail pays for each mail.

    python tests/bench/bench_delivery.py --venv PATH [--runs 100]

PATH is a virtual environment with crmmail's wheel in it, not an editable install.  Each run is a pair: `python -c pass`
and crmmail-mda with the next mail, both of that environment, in turns, so that what else the machine does falls on
both; the ratio of the pair is what counts.  The mails (3 KB, 30 % open a record, 70 % answer) come from
../shared/bench/make_mails.py where it is there, else they are made here.  docs/benchmarks.md has the last numbers.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

MAKER = Path(__file__).resolve().parents[3] / "shared" / "bench" / "make_mails.py"
ALIASES = "sales info billing leads projects crm"  # those of the mail maker; support is the section's


class Cost(NamedTuple):
    """What one process took."""

    seconds: float
    processor: float  # seconds, user and system
    peak: float  # MiB


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--venv", type=Path, required=True, help="where the wheel is installed")
    parser.add_argument("--runs", type=int, default=100)
    options = parser.parse_args()
    bin = options.venv.absolute() / "bin"
    folder = Path(tempfile.mkdtemp(prefix="crmmail-bench-"))
    try:
        environment = surroundings(folder)
        refuse_editable(bin, environment)
        mails = make_mails(folder, options.runs + 3)
        make_store(bin, environment)
        empty, delivery = [str(bin / "python"), "-c", "pass"], [str(bin / "crmmail-mda")]
        for mail in mails[:3]:  # writes the byte code
            measure(delivery, mail, environment)
            measure(empty, mail, environment)
        pairs = []
        for number, mail in enumerate(mails[3:]):
            if number % 2:
                second = measure(delivery, mail, environment)
                pairs.append((measure(empty, mail, environment), second))
            else:
                pairs.append((measure(empty, mail, environment), measure(delivery, mail, environment)))
        stored = everything_arrived(folder, len(mails))
        report(pairs, mails, stored, bin)
    finally:
        shutil.rmtree(folder)
    return 0


def surroundings(folder: Path) -> dict[str, str]:
    """An environment without what would slow Python down or send the mail elsewhere."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "CRMMAIL_", "XDG_"))}
    limits = {"CRMMAIL_LOOP_NEW_RECORDS": "0", "CRMMAIL_LOOP_MESSAGES": "0"}
    return {**own, **limits, "HOME": str(folder), "CRMMAIL_DB": str(folder / "crmmail.db")}


def refuse_editable(bin: Path, environment: dict[str, str]) -> None:
    where = "import crmmail.mda, sys; print(crmmail.mda.__file__); print(sys.prefix)"
    said = subprocess.run([bin / "python", "-c", where], env=environment, capture_output=True, text=True, cwd="/")
    if said.returncode != 0:
        sys.exit(f"no crmmail in {bin.parent}: {said.stderr.strip()}")
    file, prefix = said.stdout.splitlines()
    if not Path(file).is_relative_to(prefix):
        sys.exit(f"crmmail is installed from {file}, not from its wheel")


def make_mails(folder: Path, count: int) -> list[Path]:
    """`count` mails in the order in which they come."""
    out = folder / "mails"
    out.mkdir()
    if MAKER.exists():
        maker = [sys.executable, str(MAKER), str(count), str(out), "--profile", "text"]
        subprocess.run(maker, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    else:
        chance = random.Random(1)
        for number in range(count):
            thread = number if number < 3 or chance.random() < 0.3 else chance.randrange(number)
            answers = f"In-Reply-To: <{thread}@customer.example>\n" if thread != number else ""
            words = "".join(f"> line {line} of what was written before, and some more words\n" for line in range(40))
            (out / f"{number:06}.eml").write_text(
                f"From: Ann <ann@customer.example>\nTo: support@crm.example\nSubject: Mail {number}\n"
                f"Message-ID: <{number}@customer.example>\n{answers}Date: Tue, 24 Nov 2026 10:00:00 +0000\n"
                f"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nHello,\n\n{words}\n-- \nAnn\n"
            )
    return sorted(out.glob("*.eml"))


def make_store(bin: Path, environment: dict[str, str]) -> None:
    def crmmail(words: str) -> None:
        subprocess.run([bin / "crmmail", *words.split()], env=environment, check=True, stdout=subprocess.DEVNULL)

    crmmail("init --domain crm.example --user boss:boss@crm.example")
    crmmail("sections add support --name Support --email support@crm.example --manager boss")
    for alias in ALIASES.split():
        crmmail(f"aliases add {alias}@crm.example --kind lead")


def measure(command: Sequence[str], mail: Path, environment: dict[str, str]) -> Cost:
    """One process from its start to its end; it must say 0."""
    null = (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)
    start = time.perf_counter()
    process = os.posix_spawn(
        command[0],
        command,
        environment,
        file_actions=[(os.POSIX_SPAWN_OPEN, 0, str(mail), os.O_RDONLY, 0), null],
    )
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        sys.exit(f"{command[0]} with {mail.name}: exit {os.waitstatus_to_exitcode(status)}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def everything_arrived(folder: Path, count: int) -> str:
    """A fast delivery that loses mail is none."""
    store = sqlite3.connect(folder / "crmmail.db")
    (messages,) = store.execute("SELECT count(*) FROM crm_message WHERE kind = 'email_in'").fetchone()
    (records,) = store.execute("SELECT count(*) FROM crm_case").fetchone()
    (leads,) = store.execute("SELECT count(*) FROM crm_lead").fetchone()
    (held,) = store.execute("SELECT count(*) FROM crm_quarantine").fetchone()
    store.close()
    if messages + held != count:
        sys.exit(f"{count} mails were delivered, and {messages} messages and {held} in quarantine are there")
    return f"{messages} messages in {records + leads} records, {held} in quarantine"


def report(pairs: list[tuple[Cost, Cost]], mails: list[Path], stored: str, bin: Path) -> None:
    size = statistics.mean(mail.stat().st_size for mail in mails)
    ask = "import sys, sqlite3; print(sys.version.split()[0], sqlite3.sqlite_version)"
    python, library = subprocess.run([bin / "python", "-c", ask], capture_output=True, text=True).stdout.split()
    print(f"{len(pairs)} pairs, mails of {size:.0f} bytes: {stored}")
    print(f"{os.cpu_count()} cores, {_system()}, {platform.machine()}, Python {python}, SQLite {library}")
    print(f"{'':24}{'quartile':>10}{'median':>10}{'quartile':>10}")
    _line("python -c pass, ms", [empty.seconds * 1000 for empty, _ in pairs])
    _line("crmmail-mda, ms", [delivery.seconds * 1000 for _, delivery in pairs])
    _line("processor time, ms", [delivery.processor * 1000 for _, delivery in pairs])
    _line("peak, MiB", [delivery.peak for _, delivery in pairs])
    _line("ratio of the pair", [delivery.seconds / empty.seconds for empty, delivery in pairs])
    # On a machine that has other work this one moves less.
    _line("  by processor time", [delivery.processor / empty.processor for empty, delivery in pairs])


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform()


def _line(name: str, values: list[float]) -> None:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    print(f"{name:24}{low:10.2f}{middle:10.2f}{high:10.2f}")


if __name__ == "__main__":
    sys.exit(main())
