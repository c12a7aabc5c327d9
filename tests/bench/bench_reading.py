#!/usr/bin/env python3
"""Measures what people wait for all day, as whole processes: the inbox, the summary, a long conversation, lists.

    python tests/bench/bench_reading.py --venv PATH [--runs 25] [--messages 100 100000 1000000] [--stores FOLDER]

PATH is a virtual environment with crmmail's wheel in it, not an editable install.  Each round is the command, and a
process that imports click, rich.table and peewee and prints 50 rows of the same store, both into a pipe and on a
terminal of 120 columns, without a pager: their ratio is what counts.  The stores come from make_store.py, where the
first user has up to 100,000 unread items and the last record is a conversation of 200 messages; FOLDER keeps them for
the next time.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pairs
from stores import store_of

COMMANDS = {
    "inbox --limit 50": "inbox, 50 of {unread:,} unread",
    "": "crmmail (the summary)",
    "show {long} --peek": "show, {said} messages",
    "list case --limit 50": "list case, newest 50",
    "list case mine --limit 50": "list case mine, 50",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--venv", type=Path, required=True, help="where the wheel is installed")
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--messages", type=int, nargs="+", default=[100, 100_000, 1_000_000])
    parser.add_argument("--stores", type=Path, help="where the big stores are kept")
    options = parser.parse_args()
    bin = pairs.installed(options.venv)
    folder = Path(tempfile.mkdtemp(prefix="crmmail-bench-"))
    try:
        nobody = folder / "nothing"
        nobody.touch()
        rows: list[pairs.Row] = [("messages", "command", *pairs.QUARTILES, "on a terminal", "ms", "MiB")]
        for messages in options.messages:
            store = store_of(options.stores or folder, messages, bin)
            facts = known(store)
            for words, name in COMMANDS.items():
                command = [str(bin / "crmmail"), "--db", str(store), *words.format(**facts).split()]
                inputs = [nobody] * (options.runs + pairs.WARMING)
                rows.append((f"{messages:,}", name.format(**facts), *asked(bin, command, store, inputs)))
        print(pairs.table(rows))
        print(f"\n{options.runs} rounds.  {pairs.machine(bin / 'python')}.")
    finally:
        shutil.rmtree(folder)
    return 0


def known(store: Path) -> dict[str, int]:
    """What the store is asked for: the long conversation, and how much there is."""
    reader = sqlite3.connect(store)
    (long,) = reader.execute("SELECT MAX(id) FROM crm_thread WHERE kind = 'case'").fetchone()
    (said,) = reader.execute("SELECT COUNT(*) FROM crm_message WHERE thread_id = ?", (long,)).fetchone()
    (unread,) = reader.execute("SELECT COUNT(*) FROM crm_notification WHERE user_id = 1 AND done IS NULL").fetchone()
    reader.close()
    return {"long": long, "said": said, "unread": unread}


def asked(bin: Path, command: Sequence[str], store: Path, inputs: Sequence[Path]) -> tuple[float, ...]:
    """Quartiles of the ratio into a pipe, its median on a terminal, milliseconds and MiB of the command."""
    env = {**pairs.environment(store.parent), "PAGER": "cat"}
    costs = pairs.take_turns(
        {
            "ours": pairs.Program(command, env),
            "floor": pairs.reading(bin, store, terminal=False),
            "ours, terminal": pairs.Program([*command, "--color", "always"], env, terminal=True),
            "floor, terminal": pairs.reading(bin, store, terminal=True),
        },
        inputs,
    )
    ratios = pairs.quartiles(pairs.ratios(costs["ours"], costs["floor"]))
    terminal = pairs.quartiles(pairs.ratios(costs["ours, terminal"], costs["floor, terminal"]))[1]
    milliseconds = pairs.quartiles([one.seconds * 1000 for one in costs["ours"]])[1]
    return *ratios, terminal, milliseconds, max(one.peak for one in costs["ours"])


if __name__ == "__main__":
    sys.exit(main())
