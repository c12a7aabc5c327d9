"""Mails that tests read by the hundred: ours, in the repository, and those of public test suites, beside it.

A test that needs no more than mails takes both, so that it claims something in a clone that stands alone, too.  One
that speaks of certain mails of the corpora has the mark `needed`.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from bigmails import LETTERS

CORPORA = Path(__file__).parents[1].parent / "shared" / "corpora"
THERE = CORPORA.is_dir()
needed = pytest.mark.skipif(not THERE, reason=f"needs the mail corpora, which are expected in {CORPORA}")

HOSTILE = Path(__file__).parent / "mail" / "hostile"
OURS = sorted(HOSTILE.parent.glob("*/*.eml"))  # bounces and hostile ones


def theirs(*patterns: str) -> list[Path]:
    """The files of the corpora that fit one of the patterns."""
    return [path for pattern in patterns for path in sorted(CORPORA.glob(pattern)) if path.is_file()]


def of_each_kind(folder: Path) -> list[Path]:
    """A small letter of each kind that people send, written into the folder."""
    paths = []
    for number, kind in enumerate(LETTERS):
        paths.append(folder / f"{kind.name}.eml")
        paths[-1].write_bytes(kind.make(5000).replace(b"<big@", b"<%d@" % number, 1))
    return paths


def hostile(table: str) -> list[dict[str, str]]:
    """The rows of `expected.tsv` or `inside.tsv`, with the `path` of the mail that each speaks of."""
    found = []
    for folder in (HOSTILE, CORPORA / "hostile") if THERE else (HOSTILE,):
        with (folder / table).open(encoding="utf-8") as lines:
            rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            found += [{**row, "path": str(folder / row["file"])} for row in rows]
    return found
