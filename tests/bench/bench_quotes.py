#!/usr/bin/env python3
"""Measures quote folding: the processor time of hostile texts, and of the letters of the corpora.

    python tests/bench/bench_quotes.py [--runs 5] [--size 300000] [--shown 5] [--layouts]

Each shape of `tests/core/test_quote.py` at `--size` letters and at a quarter of it: the best of the runs, and how many
times longer the whole takes than the quarter (4 is linear).  The slowest are shown.  With `--layouts` the shapes of
`tests/mail/test_html.py` are laid out as text, too.  docs/benchmarks.md has the last numbers.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "core"), str(TESTS / "mail")]

import pairs  # noqa: E402 (the folders above)
import test_html  # noqa: E402 (the folders above)
import test_quote  # noqa: E402 (the folders above)

from crmmail.core.quote import fold  # noqa: E402 (the folders above)
from crmmail.mail.html import to_text  # noqa: E402 (the folders above)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--size", type=int, default=300_000, help="letters of a text")
    parser.add_argument("--shown", type=int, default=5, help="how many shapes")
    parser.add_argument("--layouts", action="store_true", help="lay hostile HTML out, too")
    options = parser.parse_args()
    report("folding", shapes(test_quote.HOSTILE, options.size), fold, options.runs, options.shown)
    if options.layouts:
        pages = {name: (page[: len(page) // 4], page) for name, page in test_html.HOSTILE.items()}
        report("laying out", pages, to_text, options.runs, options.shown)
    return 0


def shapes(units: dict[str, str], size: int) -> dict[str, tuple[str, str]]:
    return {name: (unit * (size // 4 // len(unit)), unit * (size // len(unit))) for name, unit in units.items()}


def report(title: str, texts: dict[str, tuple[str, str]], work: Callable[[str], object], runs: int, shown: int) -> None:
    found = []
    for name, (quarter, whole) in texts.items():
        short, long = best(quarter, work, runs), best(whole, work, runs)
        found.append((long * 1000, long / max(short, 1e-6), f"{len(whole):,}", name))
    found.sort(reverse=True)
    rows: list[pairs.Row] = [(name, letters, slow, times) for slow, times, letters, name in found[:shown]]
    print(pairs.table([(title, "letters", "ms", "times a quarter of it"), *rows]))
    most = max(times for _, times, _, _ in found)
    print(
        f"\n{len(found)} shapes, the slowest first; at most {most:.1f} times as long.  {pairs.machine(sys.executable)}."
    )


def best(text: str, work: Callable[[str], object], runs: int) -> float:
    times = []
    for _ in range(runs):
        start = time.process_time()
        work(text)
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    sys.exit(main())
