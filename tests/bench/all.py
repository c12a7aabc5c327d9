#!/usr/bin/env python3
"""Measures everything that docs/benchmarks.md tells, one bench after the other, and prints its tables.

    python tests/bench/all.py [--quick] [--write] [--only WORDS] [--venv PATH] [--roundup PATH] [--keep FOLDER]

Without --venv it builds the wheel and installs it into an environment of its own; --roundup is one with Roundup in it.
About half an hour on an idle machine of two cores, with --quick five minutes; other work on it moves every figure, so
the load before each bench is told.  --write puts each table into docs/benchmarks.md, between the marks that name it
(`<!-- lmtp -->`), with the command that makes it again, and then makes the table of the goals from them (goals.py); a
bench that fails leaves the old table there.  --keep is where the big stores are made, to be used again by the next run.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from goals import reached

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"


class Bench(NamedTuple):
    """One table of the page: {venv}, {bin}, {roundup} and {stores} are filled in."""

    name: str  # its mark in the page
    program: str  # behind `python tests/bench/`
    whole: str  # what it is told besides
    quick: str  # and with --quick

    def command(self, *, quick: bool) -> str:
        return f"{self.program} {self.quick if quick else self.whole}".rstrip()


BENCHES = (
    Bench("delivery", "bench_delivery.py --venv {venv} --serve", "--runs 100", "--runs 25"),
    Bench(
        "growth",
        "bench_delivery.py --venv {venv} --serve --stores {stores}",
        "--runs 60 --messages 100 1000000",
        "--runs 20 --messages 100 10000",
    ),
    Bench("peers", "bench_peers.py --venv {venv} --roundup {roundup}", "--runs 60", "--runs 15 --issues 500"),
    Bench("lmtp", "bench_lmtp.py --venv {venv}", "--runs 5", "--runs 3 --mails 500"),
    Bench("import", "bench_import.py --venv {venv}", "--runs 3", "--runs 1 --mails 4000"),
    Bench(
        "reading",
        "bench_reading.py --venv {venv} --stores {stores}",
        "--runs 25 --messages 100 100000 1000000",
        "--runs 7 --messages 100 10000",
    ),
    Bench(
        "search",
        "bench_search.py --venv {venv} --stores {stores}",
        "--runs 25 --messages 10000 1000000",
        "--runs 7 --messages 10000",
    ),
    Bench("memory", "bench_memory.py --bin {bin}", "", "--kind text"),
    Bench("sending", "bench_sending.py --venv {venv}", "", "--runs 3 --mails 100"),
    Bench("rules", "bench_rules.py --venv {venv}", "--runs 9", "--runs 3 --cases 1000 --rules 10"),
    Bench("quotes", "bench_quotes.py", "", "--runs 1 --size 60000"),
)
FIELDS = {
    "venv": "/tmp/bench",
    "bin": "/tmp/bench/bin",
    "roundup": "/tmp/roundup",
    "stores": "/tmp/stores",
}  # on the page


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    parser.add_argument("--only", default="", help="only the benches with one of these words in their names")
    parser.add_argument("--venv", type=Path, help="where the wheel is installed")
    parser.add_argument("--roundup", type=Path, default=Path("roundup"), help="where Roundup is installed")
    parser.add_argument("--keep", type=Path, help="where the big stores are made and found again")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="crmmail-bench-"))
    chosen = [one for one in BENCHES if not options.only or any(word in one.name for word in options.only.split())]
    missed = []
    try:
        venv = (options.venv or installed(folder)).absolute()
        stores = (options.keep or folder / "stores").absolute()
        stores.mkdir(exist_ok=True)
        there = {"venv": venv, "bin": venv / "bin", "roundup": options.roundup.absolute(), "stores": stores}
        for bench in chosen:
            command = bench.command(quick=options.quick)
            load = os.getloadavg()[0]
            table = run(bench.name, command.format(**there).split())
            if table is None:
                missed.append(bench.name)
                continue
            again = command.format(**FIELDS)
            words = f"```sh\npython tests/bench/{again}\n```\n\n{table}  Measured {date.today()}, load {load:.1f}."
            print(f"## {bench.name}\n\n{words}\n", flush=True)
            if options.write:
                put(bench.name, words)
    finally:
        shutil.rmtree(folder)
    if options.write:
        put("goals", reached(PAGE.read_text()))
    if missed:
        print(f"not measured: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


def installed(folder: Path) -> Path:
    """A new environment with the wheel of this checkout in it."""
    venv = folder / "venv"
    commands: Sequence[Sequence[str | Path]] = (
        [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "-w", folder, ROOT],
        [sys.executable, "-m", "venv", venv],
    )
    for command in commands:
        subprocess.run(command, check=True)
    (wheel,) = folder.glob("crmmail-*.whl")
    subprocess.run([venv / "bin" / "pip", "install", "-qq", wheel], check=True)
    return venv


def run(name: str, words: Sequence[str]) -> str | None:
    """What the bench says; None where it fails, and why goes to standard error, as does what it leaves out."""
    start = time.monotonic()
    done = subprocess.run([sys.executable, HERE / words[0], *words[1:]], stdout=subprocess.PIPE, text=True)
    print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    return done.stdout.strip() if done.returncode == 0 else None


def put(name: str, words: str) -> None:
    """Replaces what stands between the marks of this name."""
    page = PAGE.read_text()
    between = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end -->)", re.S)
    if not between.search(page):
        sys.exit(f"{PAGE} has no mark <!-- {name} -->")
    PAGE.write_text(between.sub(lambda _: f"{words}\n", page, count=1))


if __name__ == "__main__":
    sys.exit(main())
