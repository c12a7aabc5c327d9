#!/usr/bin/env python3
"""Measures `crmmail search` as a whole process: the newest 50 hits among many messages.

    python tests/bench/bench_search.py --venv PATH [--runs 25] [--messages 10000 1000000] [--stores FOLDER]

PATH is a virtual environment with crmmail's wheel in it, not an editable install.  Each round is the search, and a
process that imports click, rich.table and peewee and prints 50 rows of the same store: their ratio is what counts.
The stores come from make_store.py; FOLDER keeps them for the next time.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pairs
from stores import store_of

HITS = 50
# What is looked for: a frequent word, its beginning in another alphabet, a rare number, and words with conditions.
QUESTIONS = ("printer", "принт*", "1999", "invoice kind:case state:open after:2026-01-01")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--venv", type=Path, required=True, help="where the wheel is installed")
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--messages", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--stores", type=Path, help="where the big stores are kept")
    options = parser.parse_args()
    bin = pairs.installed(options.venv)
    folder = Path(tempfile.mkdtemp(prefix="crmmail-bench-"))
    try:
        nobody = folder / "nothing"
        nobody.touch()
        rows: list[pairs.Row] = [("messages", "looked for", "hits", *pairs.QUARTILES, "on a terminal", "ms")]
        for messages in options.messages:
            store = store_of(options.stores or folder, messages, bin)
            env = {**pairs.environment(folder), "CRMMAIL_DB": str(store)}
            for question in QUESTIONS:
                rows.append(asked(bin, env, store, messages, question, [nobody] * (options.runs + pairs.WARMING)))
        print(pairs.table(rows))
        print(f"\n{options.runs} rounds.  {pairs.machine(bin / 'python')}.")
    finally:
        shutil.rmtree(folder)
    return 0


def asked(
    bin: Path, env: dict[str, str], store: Path, messages: int, question: str, inputs: Sequence[Path]
) -> pairs.Row:
    """One question to one store."""
    command = [str(bin / "crmmail"), "search", question, "--limit", str(HITS)]
    found = json.loads(subprocess.run([*command, "--json"], env=env, check=True, capture_output=True).stdout)
    if not found:
        sys.exit(f"{question!r} finds nothing in {store}")
    costs = pairs.take_turns(
        {
            "ours": pairs.Program(command, env),
            "floor": pairs.reading(bin, store, terminal=False),
            "ours, terminal": pairs.Program(command, env, terminal=True),
            "floor, terminal": pairs.reading(bin, store, terminal=True),
        },
        inputs,
    )
    ratios = pairs.quartiles(pairs.ratios(costs["ours"], costs["floor"]))
    terminal = pairs.quartiles(pairs.ratios(costs["ours, terminal"], costs["floor, terminal"]))[1]
    milliseconds = pairs.quartiles([one.seconds * 1000 for one in costs["ours"]])[1]
    return f"{messages:,}", f"`{question}`", f"{len(found)}", *ratios, terminal, milliseconds


if __name__ == "__main__":
    sys.exit(main())
