"""What was wanted, and what the tables of docs/benchmarks.md say was reached: its first table, made from the others.

    print(reached(page))

A goal whose bench has no table yet, or one without such a row, is "not measured".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

import pairs

BIG = "1,000,000"  # messages of the store that the goals speak of


class Tables(NamedTuple):
    """The tables of one bench: each row by the names of its columns; `""` is the first one."""

    rows: list[dict[str, str]]

    def number(self, begins: str, column: str) -> float:
        """Of the first row that begins so and has this column.  Raises LookupError: there is none."""
        for row in self.rows:
            if row[""].startswith(begins) and column in row:
                return float(row[column].replace(",", ""))
        raise LookupError(begins)

    def most(self, begins: str, columns: Iterable[str]) -> float:
        """Of all rows that begin so, in any of these columns.  Raises LookupError: there is none."""
        found = [float(row[each].replace(",", "")) for row in self.rows if row[""] == begins for each in columns]
        if not found:
            raise LookupError(begins)
        return max(found)


class Goal(NamedTuple):
    """One line of the goals."""

    work: str
    wanted: str
    reached: Callable[[dict[str, Tables]], str]  # from the tables by the marks of the benches; may raise LookupError


def alone(there: dict[str, Tables]) -> str:
    return f"{pairs.figure(there['delivery'].number('crmmail-mda', 'median'))} ×"


def of_roundup(there: dict[str, Tables]) -> str:
    ours = there["peers"].number("**crmmail-mda** alone", "median")
    return f"{pairs.figure(ours / there['peers'].number('roundup-mailgw', 'median'))} of it"


def served(there: dict[str, Tables]) -> str:
    return f"{pairs.figure(there['delivery'].number('crmmail-mda with a server', 'median'))} ×"


def growth(there: dict[str, Tables]) -> str:
    found = [
        there["growth"].number(f"crmmail-mda{name} into 100 messages →", "median") for name in ("", " with a server")
    ]
    return f"{pairs.figure(found[0])} × alone, {pairs.figure(found[1])} × with a server"


def imported(there: dict[str, Tables]) -> str:
    ours, theirs = (there["import"].number(name, "mails/s") for name in ("crmmail import", "notmuch new"))
    return f"{pairs.figure(ours)} mails/s, {pairs.figure(ours / theirs)} × notmuch"


def lmtp(there: dict[str, Tables]) -> str:
    alike, real = (there["lmtp"].number(name, "median") for name in ("smtp-source, 8", "mails of the benches, 8"))
    return f"{pairs.figure(alike)} × with smtp-source's mails, {pairs.figure(real)} × with those of the benches"


def read(bench: str) -> Callable[[dict[str, Tables]], str]:
    return lambda there: f"at most {pairs.figure(there[bench].most(BIG, ('median', 'on a terminal')))} ×"


def memory(there: dict[str, Tables]) -> str:
    def over(row: dict[str, str]) -> bool:
        mail = float(row["peak, MB"]) / float(row["x mail"])
        return float(row["peak, MB"]) > 3 * mail + 30

    rows = there["memory"].rows
    missed = [f"{row['']} ({row['peak, MB']} MB)" for row in rows if over(row)]
    one = f"{there['memory'].number('one file', 'peak, MB'):.0f} MB for 25 MB of one file"
    return f"{one}; {len(rows) - len(missed)} of {len(rows)} kinds" + (f", not: {', '.join(missed)}" if missed else "")


FLOOR = "≤ 1.3 × a process that imports click, rich.table and peewee and prints 50 rows"
GOALS = (
    Goal("`crmmail-mda` alone, a mail of 3 KB, everything done and committed", "≤ 7 × `python -c pass`", alone),
    Goal("the same", "≤ half of roundup-mailgw", of_roundup),
    Goal("`crmmail-mda` where `crmmail serve` runs", "≤ 1.5 × `python -c pass`", served),
    Goal("growth of both from 100 to 1,000,000 messages", "≤ 1.2 ×", growth),
    Goal("`crmmail import` of 20,000 mails", "≥ 1,000 mails/s on 2 cores, 1.8 × `notmuch new`", imported),
    Goal("LMTP, 8 connections over a unix socket, committed before 250", "≥ 1.2 × dovecot's LMTP", lmtp),
    Goal("`crmmail inbox` (50 of 100,000 unread), `crmmail`, `show` of 200 messages", FLOOR, read("reading")),
    Goal("`crmmail search`, the newest 50 hits of 1,000,000 messages", "the same", read("search")),
    Goal("peak memory of a delivery", "≤ 3 × the mail + 30 MB", memory),
)


def reached(page: str) -> str:
    """The table of the goals, in Markdown."""
    there = {name: tables(words) for name, words in re.findall(r"<!-- (\w+) -->\n(.*?)\n?<!-- end -->", page, re.S)}
    rows: list[pairs.Row] = [("work", "wanted", "reached")]
    for goal in GOALS:
        try:
            found = goal.reached(there)
        except LookupError:
            found = "not measured"
        rows.append((goal.work, goal.wanted, found))
    return pairs.table(rows)


def tables(words: str) -> Tables:
    """All tables in a piece of Markdown."""
    rows: list[dict[str, str]] = []
    head: list[str] = []
    for line in words.splitlines():
        if not line.startswith("|"):
            head = []
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not head:
            head = ["", *cells[1:]]
        elif not set(cells[0]) <= {"-", ":"} or cells[0] == "":
            rows.append(dict(zip(head, cells, strict=False)))
    return Tables(rows)
