#!/usr/bin/env python3
"""Measures `crmmail outbox send` with a full outbox: what a shop waits for when its mail server is back.

    python tests/bench/bench_sending.py --venv PATH [--runs 7] [--mails 500]

PATH is a virtual environment with crmmail's wheel in it, not an editable install; this script itself needs the
environment of the tests.  Each run is a pair: `crmmail outbox send`, and a loop of smtplib's over the very same mails
that does nothing but send them over one connection, both to one server on loopback, in turns; the ratio of the pair is
what counts.  docs/benchmarks.md has the last numbers.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pairs
from mailsink import Sink
from outgoing import fill

SHOP = (
    "init --domain crm.test --user boss:boss@crm.test",
    "sections add support --name Support --email support@crm.test",
)
LOOP = """
import pathlib, smtplib, sys
host, port, folder = sys.argv[1:]
with smtplib.SMTP(host, int(port), local_hostname="crm.test") as server:
    for path in sorted(pathlib.Path(folder).iterdir()):
        sender, recipient = path.name.split("__")[1:]
        server.sendmail(sender, [recipient], path.read_bytes())
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--venv", type=Path, required=True, help="where the wheel is installed")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--mails", type=int, default=500)
    options = parser.parse_args()
    bin = pairs.installed(options.venv)
    folder, sink = Path(tempfile.mkdtemp(prefix="crmmail-bench-")), Sink()
    try:
        environment = {**pairs.environment(folder), "CRMMAIL_SMTP_URL": sink.url}
        pairs.make_shop(bin, environment, SHOP)
        full = folder / "full.db"
        shutil.copy(folder / "crmmail.db", full)
        fill(full, options.mails, records=options.mails // 10)
        send, mails = [str(bin / "crmmail"), "outbox", "send"], folder / "mails"
        host, port = sink.url.removeprefix("smtp://").split(":")
        loop = [str(bin / "python"), "-c", LOOP, host, port, str(mails)]
        taken = []
        for number in range(options.runs + 1):
            ours = measure(send, environment, sink, options.mails, full, folder / "crmmail.db")
            if number == 0:  # writes the byte code, and the mails for the loop
                mails.mkdir()
                for at, one in enumerate(sink.received):
                    (mails / f"{at:06}__{one.sender}__{one.recipient}").write_bytes(one.data)
                continue
            taken.append((ours, measure(loop, environment, sink, options.mails)))
    finally:
        sink.stop()
        shutil.rmtree(folder)
    ratios = [ours / theirs for ours, theirs in taken]
    print(pairs.table([("", *pairs.QUARTILES), ("ratio of the pair", *pairs.quartiles(ratios))]))
    speed = options.mails / statistics.median(ours for ours, _ in taken)
    print(f"\n{speed:.0f} mails/s; {len(taken)} pairs of {options.mails} mails.  {pairs.machine(bin / 'python')}.")
    return 0


def measure(
    command: list[str], environment: dict[str, str], sink: Sink, count: int, full: Path | None = None, db: Path = Path()
) -> float:
    """Seconds from start to end of a process that sends `count` mails."""
    if full is not None:
        shutil.copy(full, db)
    sink.received.clear()
    begin = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    taken = time.perf_counter() - begin
    if len(sink.received) != count:
        sys.exit(f"{command[0]} sent {len(sink.received)} mails, not {count}")
    return taken


if __name__ == "__main__":
    sys.exit(main())
