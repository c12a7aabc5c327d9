"""docs/benchmarks.md and the benches belong together: each table has the bench that makes it, each goal its row.

The benches themselves measure, and so have no place in a test.
"""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parent / "bench"
PAGE = (Path(__file__).parents[1] / "docs" / "benchmarks.md").read_text()

sys.path.insert(0, str(BENCH))
benches = importlib.import_module("all").BENCHES
goals = importlib.import_module("goals")
sys.path.remove(str(BENCH))

TABLES = """
<!-- delivery -->
| program | quartile | median | quartile | ms |
| --- | --- | --- | --- | --- |
| python -c pass |  |  |  | 15 |
| crmmail-mda | 4.9 | 5.1 | 5.6 | 80 |
| crmmail-mda with a server | 0.98 | 1.10 | 1.21 | 16 |

60 rounds.
<!-- end -->
<!-- memory -->
| 25 MB of | peak, MB | x mail |
| --- | --- | --- |
| one file | 93 | 3.7 |
| text in koi8-r | 157 | 6.3 |
<!-- end -->
<!-- reading -->
| messages | command | median | on a terminal |
| --- | --- | --- | --- |
| 100 | inbox | 2.0 | 2.5 |
| 1,000,000 | inbox | 0.90 | 1.05 |
| 1,000,000 | show | 0.95 | 0.99 |
<!-- end -->
"""


def test_each_table_of_the_page_has_its_bench() -> None:
    marks = re.findall(r"<!-- (\w+) -->\n", PAGE.replace("<!-- end -->", ""))
    assert sorted(marks) == sorted([one.name for one in benches] + ["goals"])


@pytest.mark.parametrize("bench", benches, ids=lambda one: one.name)
def test_its_options_are_there(bench: Any) -> None:
    """Each option that a table's command gives is one of the program."""
    for quick in (False, True):
        program, *words = shlex.split(bench.command(quick=quick))
        source = (BENCH / program).read_text()
        for word in words:
            assert not word.startswith("--") or f'"{word}"' in source, f"{program} has no {word}"


def test_goals_come_from_the_tables() -> None:
    lines = [line.strip("| ").split(" | ") for line in goals.reached(TABLES).splitlines()[2:]]
    assert [said for *_, said in lines if said != "not measured"] == [
        "5.1 ×",
        "1.10 ×",
        "at most 1.05 ×",
        "93 MB for 25 MB of one file; 1 of 2 kinds, not: text in koi8-r (157 MB)",
    ]


def test_the_page_says_what_its_tables_say() -> None:
    assert goals.reached(PAGE) in PAGE
