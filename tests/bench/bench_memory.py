#!/usr/bin/env python3
"""Measures what one delivery of a big mail takes: the memory at its peak, and the time.

    python tests/bench/bench_memory.py [--bin FOLDER] [--size BYTES] [--kind WORDS] [--hostile]

FOLDER has the programs, of an installed wheel or of the checkout; those beside this Python if none is named.  Each kind
of mail that people send (tests/bigmails.py), and with --hostile those made to exhaust a parser, is made in the size,
25 MB if none is given, and delivered into a store of its own.  The ratio is that of its processor time to
`python -c pass`, started right before it, so what else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pairs
from bigmails import KINDS, LETTERS, Kind
from measure import Cost, measured

SHOP = (
    "init --domain crm.test --user boss:boss@crm.test",
    "sections add support --name Support --email support@crm.test --manager boss",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bin", type=Path, default=Path(sys.executable).parent, help="where crmmail-mda lies")
    parser.add_argument("--size", type=int, default=25_000_000, help="bytes of each mail")
    parser.add_argument("--kind", default="", help="only the kinds with these words in their names")
    parser.add_argument("--hostile", action="store_true", help="those made to exhaust a parser, too")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="crmmail-bench-"))
    kinds = [kind for kind in (KINDS if options.hostile else LETTERS) if options.kind in kind.name]
    try:
        deliver_all(folder, options.bin.absolute(), options.size, kinds)
    finally:
        shutil.rmtree(folder)
    return 0


def deliver_all(folder: Path, bin: Path, size: int, kinds: list[Kind]) -> None:
    env = pairs.environment(folder)
    pairs.make_shop(bin, env, SHOP)
    store, fresh, mail = Path(env["CRMMAIL_DB"]), folder / "fresh.db", folder / "mail"
    store.rename(fresh)
    empty, delivery = pairs.nothing(bin), [str(bin / "crmmail-mda"), "-v"]
    rows: list[pairs.Row] = [(f"{size / 1e6:.0f} MB of", "peak, MB", "x mail", "seconds", "ratio", "what came of it")]
    for kind in kinds:
        mail.write_bytes(kind.make(size))
        shutil.copy(fresh, store)
        start, cost = measured(empty.command, mail, empty.env), measured(delivery, mail, env)
        rows.append(row(kind.name, mail.stat().st_size, start, cost))
    print(pairs.table(rows))
    print(f"\n{pairs.machine(bin / 'python')}.")


def row(name: str, size: int, start: Cost, cost: Cost) -> pairs.Row:
    said = cost.said.strip().removeprefix("crmmail-mda: ").partition("\n")[0]
    taken = f"{said.partition(' ')[0]} {said[said.rfind('[') + 1 : -1]}"
    outcome = taken if cost.status == 0 else f"exit {cost.status}: {said}"
    peak = cost.peak * 2**20
    return name, f"{peak / 1e6:.0f}", peak / size, cost.processor, cost.processor / start.processor, outcome


if __name__ == "__main__":
    sys.exit(main())
