#!/usr/bin/env python3
"""Measures what one delivery of a big mail takes: the memory at its peak, and the time.

    python tests/bench/bench_memory.py [--bin FOLDER] [--size BYTES] [--kind WORDS]

FOLDER has the programs, of an installed wheel or of the checkout; those beside this Python if none is named.  Each kind
of mail (tests/bigmails.py) is made in the size, 25 MB if none is given, and delivered into a store of its own.  The
ratio is that of its processor time to `python -c pass`, started right before it, so what else the machine does falls on
both.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bigmails import KINDS
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
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="crmmail-bench-"))
    try:
        deliver_all(folder, options.bin.absolute(), options.size, options.kind)
    finally:
        shutil.rmtree(folder)
    return 0


def deliver_all(folder: Path, bin: Path, size: int, words: str) -> None:
    own = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "CRMMAIL_", "XDG_"))}
    store, fresh, mail = folder / "crmmail.db", folder / "fresh.db", folder / "mail"
    env = {**own, "HOME": str(folder), "CRMMAIL_DB": str(store), "CRMMAIL_USER": "boss"}
    mail.write_bytes(b"")
    for line in SHOP:
        cost = measured([str(bin / "crmmail"), *line.split()], mail, env)
        if cost.status:
            sys.exit(cost.said)
    store.rename(fresh)
    empty, delivery = [str(bin / "python"), "-c", "pass"], [str(bin / "crmmail-mda"), "-v"]
    print(f"{'kind':40}{'mail MB':>8}{'peak MB':>9}{'x mail':>8}{'cpu s':>8}{'s':>8}{'ratio':>8}  outcome")
    for kind in KINDS:
        if words not in kind.name:
            continue
        mail.write_bytes(kind.make(size))
        shutil.copy(fresh, store)
        start, cost = measured(empty, mail, env), measured(delivery, mail, env)
        print(row(kind.name, mail.stat().st_size, start, cost), flush=True)


def row(name: str, size: int, start: Cost, cost: Cost) -> str:
    said = cost.said.strip().removeprefix("crmmail-mda: ").partition("\n")[0]
    outcome = (
        f"{said.partition(' ')[0]} {said[said.rfind('[') :]}" if cost.status == 0 else f"exit {cost.status}: {said}"
    )
    times, ratio = cost.peak * 2**20 / size, cost.processor / start.processor
    figures = f"{size / 1e6:8.1f}{cost.peak * 2**20 / 1e6:9.0f}{times:8.1f}"
    return f"{name[:39]:40}{figures}{cost.processor:8.2f}{cost.seconds:8.2f}{ratio:8.0f}  {outcome}"


if __name__ == "__main__":
    sys.exit(main())
