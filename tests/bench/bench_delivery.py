#!/usr/bin/env python3
"""Measures one delivery as a whole process: what fetchmail pays for each mail.

    python tests/bench/bench_delivery.py --venv PATH [--runs 100] [--serve] [--messages 100 1000000] [--stores FOLDER]

PATH is a virtual environment with crmmail's wheel in it, not an editable install.  In each round `python -c pass` and
crmmail-mda with the next mail take turns, and the ratio of the two is what counts.  With --serve a second crmmail-mda
takes part, with a store of its own where `crmmail serve` runs.  --messages names sizes of stores; each of them takes
part, and the growth from the first to the last is printed; FOLDER keeps them for the next time.  docs/benchmarks.md has
the last numbers.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pairs
from measure import Cost
from served import Served
from stores import copy_of, store_of


class Shop(NamedTuple):
    """A store, and what a delivery into it is called in the table."""

    name: str
    env: Mapping[str, str]
    served: bool
    before: int  # letters in it

    @property
    def place(self) -> Path:
        return Path(self.env["CRMMAIL_DB"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--venv", type=Path, required=True, help="where the wheel is installed")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--serve", action="store_true", help="also with a server")
    parser.add_argument("--messages", type=int, nargs="*", default=[0], help="in the store before the first mail comes")
    parser.add_argument("--stores", type=Path, help="where the big stores are kept")
    options = parser.parse_args()
    bin = pairs.installed(options.venv)
    folder = Path(tempfile.mkdtemp(prefix="crmmail-bench-"))
    try:
        mails = pairs.make_mails(folder, options.runs + pairs.WARMING)
        shops = [
            shop
            for number in options.messages
            for shop in open_shops(bin, folder / f"{number}", number, options.stores or folder, options.serve)
        ]
        programs = {shop.name: pairs.Program([str(bin / "crmmail-mda")], shop.env) for shop in shops}
        with contextlib.ExitStack() as servers:
            for shop in shops:
                if shop.served:
                    servers.enter_context(Served(bin, shop.env))
            costs = pairs.take_turns({"python -c pass": pairs.nothing(bin), **programs}, mails)
        for shop in shops:
            look_for(shop, len(mails))
        report(costs, options.messages)
        size = pairs.mean_size(mails)
        print(f"\n{options.runs} rounds, mails of {size:,.0f} bytes, every one found again.")
        print(f"{pairs.machine(bin / 'python')}.")
    finally:
        shutil.rmtree(folder)
    return 0


def open_shops(bin: Path, folder: Path, messages: int, stores: Path, serve: bool) -> list[Shop]:
    """The shop that delivers alone, and the same once more where a server runs."""
    size = f" into {messages:,} messages" if messages else ""
    shops = []
    for name, served in (("crmmail-mda", False), ("crmmail-mda with a server", True)):
        if served and not serve:
            continue
        own = folder / name.replace(" ", "-")
        own.mkdir(parents=True)
        env = pairs.environment(own)
        if messages:
            copy_of(store_of(stores, messages, bin), Path(env["CRMMAIL_DB"]))
        else:
            pairs.make_shop(bin, env)
        shops.append(Shop(f"{name}{size}", env, served, letters(Path(env["CRMMAIL_DB"]))))
    return shops


def letters(store: Path) -> int:
    """How many letters came so far, whatever became of them."""
    with contextlib.closing(sqlite3.connect(store)) as database:
        (count,) = database.execute("SELECT count(*) FROM crm_original").fetchone()
    return int(count)


def look_for(shop: Shop, count: int) -> None:
    """A fast delivery that loses mail is none: ends the program where one is missing."""
    more = letters(shop.place) - shop.before
    if more != count:
        sys.exit(f"{count} mails were delivered, and {more} more letters are in {shop.place}")


def report(costs: Mapping[str, Sequence[Cost]], sizes: Sequence[int]) -> None:
    (_, empty), *ours = costs.items()
    head = ("", *pairs.QUARTILES, "by processor time", "ms", "peak, MiB")
    rows: list[pairs.Row] = [head, ("python -c pass", "", "", "", "", *figures(empty))]
    for name, taken in ours:
        ratios = pairs.quartiles(pairs.ratios(taken, empty))
        processor = statistics.median(pairs.processor_ratios(taken, empty))
        rows.append((name, *ratios, processor, *figures(taken)))
    print(pairs.table(rows))
    if len(sizes) > 1:
        doors = len(ours) // len(sizes)
        rows = [("growth", *pairs.QUARTILES, "by processor time")]
        for (name, first), (_, last) in zip(ours[:doors], ours[-doors:], strict=True):
            processor = statistics.median(pairs.processor_ratios(last, first))
            rows.append((f"{name} → {sizes[-1]:,}", *pairs.quartiles(pairs.ratios(last, first)), processor))
        print(f"\n{pairs.table(rows)}")


def figures(costs: Sequence[Cost]) -> tuple[float, float]:
    """Milliseconds and MiB, medians."""
    return statistics.median(one.seconds for one in costs) * 1000, statistics.median(one.peak for one in costs)


if __name__ == "__main__":
    sys.exit(main())
