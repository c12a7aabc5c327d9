"""How the database goes about it: nothing that is asked every day reads a table that grows with the mail.

Real commands run against a small store of `bench/make_store.py`; each statement that SQLite gets is explained to us,
and a plan that scans such a table, or sorts what it cannot bound, is a failure.  What must read what it counts stands
in EXCEPTIONS with its reason.  And the steps of the hottest paths are counted: ten times the mail, the same steps.
"""

from __future__ import annotations

import re
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from bigstore import SIZES, Stores, copied, run

from crmmail.cli import voice
from crmmail.store.engine import database
from crmmail.store.letters import index
from crmmail.store.lists import search

GROWING = frozenset(
    f"crm_{name}"
    for name in (
        "thread case lead contact contact_address follower original message message_address blob attachment quarantine "
        "decision notification star delivery journal record_contact activity firing hook_call bad_address"
    ).split()
)
LETTER = """\
From: Ann <person7@firm2.example>
To: support@crm.example
Subject: Re: Printer broken
Message-ID: <{id}@firm2.example>
In-Reply-To: <{answers}>
Date: Fri, 20 Nov 2026 22:00:00 +0000

It smokes again.
"""

# What belongs to one record or one letter may be sorted: it is as much as people have done about that.
OF_ONE = re.compile(
    r"SEARCH crm_(follower|record_contact|activity|original|contact_address|quarantine) "
    r".*\((thread_id|message_id|contact_id|candidate_id)=\?"
)

EACH = "CORRELATED SCALAR SUBQUERY 1"  # asked once for each row

# What people and cron do all day: no scan, no sort of more than a screen.  LONG is a case with many messages.
HOT = (
    "summary --json",
    "inbox --limit 20",
    "inbox --all --limit 20",
    "inbox --starred --limit 20",
    "inbox --limit 5 --before 50",
    "inbox --count",
    "show LONG",
    "show LONG --json",
    "list case --limit 20",
    "list case --limit 20 --before 40",
    "list lead --limit 20",
    "list contact --limit 20",
    "search",
    "search printer",
    "search printer from:ann --before 50",
    "search printer kind:lead",
    "search kind:lead has:attachment",
    "search printer after:2024-02-01 before:2025-02-01",
    "list case closed --limit 20",
    "list case --section support --limit 20",
    "list case priority:high --limit 20",
    "list case has:attachment --limit 20",
    "list case after:2026-01-01 --limit 20",
    "message --limit 20",
    "message --mine --limit 20",
    "log --limit 20",
    "log --limit 20 --before 100",
    "log LONG",
    "log LONG --limit 5 --before 100",
    "contacts --limit 5",
    "contacts --limit 5 --before 50",
    "outbox",
    "outbox --all --limit 20",
    "outbox --all --limit 20 --before 30",
    "quarantine --all --limit 20",
    "unconfirmed --all --limit 20",
    "unconfirmed --all --limit 20 --before 30",
    "why 40",
    "why-not 40 --user user2",
    "followers LONG",
    "take LONG ; undo",
    "deliver",
    "deliver answer",
    "done 60",
    "note LONG -m Remember.",
    "star 40",
    "take LONG",
    "stats cases --by month --from 2026-11-01 --to 2026-11-20",
    "stats messages --by day --from 2026-11-01 --to 2026-11-20",
)
# What is found by an index, and sorted then: only as much as the command asks for, or as is unfinished.
SORTED = (
    "quarantine",
    "unconfirmed",
    "outbox --limit 20",
    "outbox --limit 20 --before 50",
    "following",
    "following --limit 20",
    "following --limit 20 --before 50",
    "list case state:open --limit 20",
    "list case mine --limit 20",
    "list case unassigned --limit 20",
    "list case unfinished late --limit 20",
    "list case responsible:user2 --limit 20",
    "list case partner:3 --limit 20",
    "list lead state:new --limit 20",
    "agenda --all",
    "activity",
    "rules run",
    "tick",
    "list case --section support mine --recursive --limit 20",
)
EXCEPTIONS = {
    "stats cases --by section": "statistics of all cases must read all cases",
    "stats messages --by user": "statistics of all messages must read all messages",
    "list case printer --limit 20": "words in titles and names are looked for in each; `search` has an index",
    "list case from:ann --limit 20": "a part of a name is looked for in each; `search from:` has an index",
    "contacts --json": "the address book is shown by name, all of it",
    "contacts anna --limit 5": "words in names and addresses are looked for in each",
    "stats cases --list --limit 20": "as many records as the statistics of all cases count",
    "rules test remind --limit 5": "the conditions of a rule are asked of each record, until so many hold",
    "doctor": "looks at everything there is, when somebody asks",
}


class Watch:
    """The statements and the steps of the connections that are opened from now on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statements: list[str] = []
        self.steps = 0
        real = database._connected

        def connected(*args: object) -> sqlite3.Connection:
            driver = real(*args)  # type: ignore[arg-type]
            driver.set_trace_callback(self.statements.append)
            driver.set_progress_handler(self._step, 100)
            return driver

        monkeypatch.setattr(database, "_connected", connected)

    def _step(self) -> None:
        self.steps += 1


def command(patch: pytest.MonkeyPatch, store: tuple[Path, int], line: str) -> None:
    """One of the lines above; two of them are letters that come."""
    for one in line.split(" ; ")[:-1]:
        command(patch, store, one)
    place, long = store
    line = line.split(" ; ")[-1]
    words, letter = shlex.split(line.replace("LONG", str(long))), ""
    if words[0] == "deliver":
        reader = sqlite3.connect(place)
        known = "SELECT message_id FROM crm_message WHERE kind = 'email_in' ORDER BY id DESC LIMIT 1"
        (answered,) = reader.execute(known).fetchone()
        reader.close()
        answers = answered if words[1:] else "nothing@firm.example"
        letter = LETTER.format(id=f"{line.replace(' ', '-')}", answers=answers)
        words = words[:1]
    code = run(patch, place, words, letter)
    assert code == 0 or words[0] in ("doctor", "tick"), line


def plans(place: Path, statements: list[str]) -> Iterator[tuple[list[str], str]]:
    """(the lines of its plan, the statement), of each that reads or changes a table; lines name tables, not aliases."""
    reader = sqlite3.connect(place)
    reader.create_function("casefold", 1, str.casefold)
    for statement in dict.fromkeys(statements):
        if statement.startswith("CREATE VIRTUAL TABLE IF NOT EXISTS temp."):
            reader.execute(statement)  # what `search` asks of it is explained next
        if statement.split()[0].upper() not in ("SELECT", "UPDATE", "DELETE", "WITH"):
            continue
        tables = re.findall(r'"?(crm_\w+)"?(?:\s+(?:AS\s+)?"?(\w+)"?)?', statement)
        names = {alias: table for table, alias in tables} | {table: table for table, _ in tables}
        lines = []
        for *_, line in reader.execute(f"EXPLAIN QUERY PLAN {statement}"):
            verb, _, rest = line.partition(" ")
            name, _, how = rest.partition(" ")
            lines.append(f"{verb} {names.get(name, name)} {how}" if verb in ("SCAN", "SEARCH") else line)
        yield lines, " ".join(statement.split())
    reader.close()


def troubles(place: Path, statements: list[str], *, sorts: bool) -> list[str]:
    """What of these plans grows with the mail."""
    found = []
    for lines, statement in plans(place, statements):
        reads = [line for line in lines if line.split()[1] in GROWING]
        sorting = [line for line in lines if "TEMP B-TREE FOR ORDER BY" in line]
        cut = " LIMIT " in statement and not sorting  # it is read in its order, as far as is shown
        whole = [line for line in reads if reads_all(line) and not (cut and " WHERE " not in statement)]
        whole = [line for line in whole if not (cut and line.startswith("SEARCH"))]
        for_each = lines[lines.index(EACH) :] if EACH in lines else []
        whole += [line for line in for_each if line.endswith(("(state=?)", "(kind=?)"))]
        wild = bool(reads) and not sorts and not any(map(OF_ONE.match, reads))
        found += [f"{line}: {statement[:400]}" for line in (*whole, *(sorting if wild else ()))]
    return found


def reads_all(line: str) -> bool:
    """All rows of a table, or all records of a kind."""
    return (line.startswith("SCAN") and "VIRTUAL TABLE" not in line) or line.endswith("(kind=?)")


def watched(big_store: tuple[Path, int], monkeypatch: pytest.MonkeyPatch, line: str) -> Watch:
    """What a command asked of the store."""
    watch = Watch(monkeypatch)
    command(monkeypatch, big_store, line)
    assert len(watch.statements) > 2
    return watch


@pytest.mark.parametrize("line", HOT)
def test_nothing_is_scanned_and_nothing_sorted(
    big_store: tuple[Path, int], monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    watch = watched(big_store, monkeypatch, line)
    assert troubles(big_store[0], watch.statements, sorts=False) == []


@pytest.mark.parametrize("line", [line for line in HOT if line.startswith("search")])
@pytest.mark.parametrize("most", [0, 1_000_000])
def test_a_search_by_date_neither(
    big_store: tuple[Path, int], monkeypatch: pytest.MonkeyPatch, line: str, most: int
) -> None:
    """In a store into which old mail was imported."""
    monkeypatch.setattr(index, "is_by_date", lambda: True)
    monkeypatch.setattr(search, "SORTED", most)
    watch = watched(big_store, monkeypatch, line)
    assert troubles(big_store[0], watch.statements, sorts=False) == []


@pytest.mark.parametrize("line", SORTED)
def test_what_is_sorted_was_found_by_an_index(
    big_store: tuple[Path, int], monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    watch = watched(big_store, monkeypatch, line)
    assert troubles(big_store[0], watch.statements, sorts=True) == []


@pytest.mark.parametrize("line", EXCEPTIONS)
def test_the_exceptions_are_some(big_store: tuple[Path, int], monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """One that is none any more must not stand there."""
    watch = watched(big_store, monkeypatch, line)
    assert troubles(big_store[0], watch.statements, sorts=False) or grows(watch, line)


def grows(watch: Watch, line: str) -> bool:
    """It reads in the order of an index, as far as it must."""
    return line.startswith("list") and watch.steps > 20


COUNTED = (
    "deliver",
    "deliver answer",
    "inbox --limit 20",
    "inbox --all --limit 20",
    "show LONG --peek",
    "list case --limit 20",
    "list case closed --limit 20",
    "message --limit 20",
    "log --limit 20",
    "log LONG --limit 5",
    "contacts --limit 5",
    "outbox --limit 20",
    "outbox --all --limit 20",
    "note LONG -m Remember.",
    "take LONG ; undo",
)
WHOLE = (
    "contacts",
    "following",
    "inbox --all",
    "list case",
    "log --limit 9999",
    "message --limit 9999",
    "outbox --all",
    "quarantine --all",
    "stats cases --list",
)
# What a terminal is shown where nobody says how much.
SCREENS = ("contacts", "inbox --all", "list case", "log", "message", "outbox --all", "quarantine --all", "view all")


@pytest.mark.parametrize("line", COUNTED)
def test_ten_times_the_mail_the_same_steps(big_stores: Stores, tmp_path: Path, line: str) -> None:
    as_many_steps(big_stores, tmp_path, line)


@pytest.mark.parametrize("line", SCREENS)
def test_the_newest_screenful_of_ten_times_the_mail_too(
    big_stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(voice, "SCREENFUL", 5)
    monkeypatch.setattr(voice.Voice, "terminal", True)
    monkeypatch.setenv("PAGER", "cat")
    as_many_steps(big_stores, tmp_path, line)


@pytest.mark.parametrize("line", WHOLE)
def test_no_statement_for_each_row(big_stores: Stores, tmp_path: Path, line: str) -> None:
    """Rows are read by their keys, many at once."""
    asked = []
    for count in SIZES:
        with pytest.MonkeyPatch.context() as patch:
            watch = Watch(patch)
            command(patch, copied(big_stores[count], tmp_path), line)
            asked.append(len(watch.statements))
    few, many = asked
    assert few > 2 and many <= few + 20, f"{few} statements in a store of 300 messages, {many} in one of 3,000"


def as_many_steps(stores: Stores, folder: Path, line: str) -> None:
    """The command takes no more steps in the great store than in the small one."""
    steps = []
    for count in SIZES:
        with pytest.MonkeyPatch.context() as patch:
            watch = Watch(patch)
            command(patch, copied(stores[count], folder), line)
            steps.append(watch.steps)
    few, many = steps
    assert few > 0 and many <= 1.3 * few + 5, f"{few} hundred steps in a store of 300 messages, {many} in one of 3,000"
