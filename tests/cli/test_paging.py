"""Long listings: a terminal gets a screenful and how to read on, a pipe gets all of it, part after part."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bigstore import run

from crmmail.cli import forms
from crmmail.cli import voice as voices
from crmmail.cli.voice import Column, Voice

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
COLUMNS = [Column("id", "#"), Column("title", "title")]

Crmmail = Callable[..., str]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def crmmail(big_store: tuple[Path, int], monkeypatch: pytest.MonkeyPatch) -> Crmmail:
    """What a command prints, or shows on a terminal."""

    def call(line: str, terminal: bool = False) -> str:
        out = Terminal() if terminal else io.StringIO()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.setenv("PAGER", "cat")
        assert run(monkeypatch, big_store[0], line.split()) == 0
        return out.getvalue()

    return call


LISTINGS = (
    "list case",
    "list lead state:lost,converted",
    "list contact",
    "inbox --all",
    "inbox --starred",
    "outbox --all",
    "quarantine --all",
    "message --limit 1000",
    "view all",
    "following",
    "stats cases state:done --list",
)


@pytest.mark.parametrize("line", LISTINGS)
def test_pages_are_the_whole_list(crmmail: Crmmail, line: str) -> None:
    key = "message" if "starred" in line else "id"
    whole = json.loads(crmmail(f"{line} --json"))
    numbers = [one[key] for one in whole]
    oldest_first = line.startswith("outbox")
    pages: list[list[int]] = []
    size = max(len(numbers) // 3, 1)
    line = line.replace(" --limit 1000", "")
    while len(pages) < 9:
        last = f" --before {pages[-1][0 if oldest_first else -1]}" if pages else ""
        page = [one[key] for one in json.loads(crmmail(f"{line} --json --limit {size}{last}"))]
        if not page:
            break
        pages.append(page)
    if oldest_first:
        pages.reverse()
    assert len(pages) > 1 or len(numbers) < 2
    assert [one for page in pages for one in page] == numbers
    assert len(set(numbers)) == len(numbers) > 0


@pytest.mark.parametrize("line", [*LISTINGS, "log", "search printer", "contacts"])
def test_a_limit_that_no_database_holds_means_all(crmmail: Crmmail, line: str) -> None:
    line = line.replace(" --limit 1000", "")
    assert crmmail(f"{line} --json --limit {10**20}") == crmmail(f"{line} --json --limit 9999") != "[]\n"


@pytest.mark.parametrize("words", ["", " firm"])
def test_pages_of_contacts_are_the_newest_by_name(crmmail: Crmmail, words: str) -> None:
    whole = json.loads(crmmail(f"contacts{words} --json"))
    numbers = sorted((one["id"] for one in whole), reverse=True)
    assert by_name(whole) == whole and len(numbers) > 4
    pages: list[dict[str, Any]] = []
    while page := json.loads(crmmail(f"contacts{words} --json --limit 3{before(pages)}")):
        assert by_name(page) == page
        assert sorted((one["id"] for one in page), reverse=True) == numbers[len(pages) : len(pages) + 3]
        pages += page
    assert by_name(pages) == whole


def by_name(contacts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(contacts, key=lambda one: (one["name"].lower(), one["id"]))


def before(shown: list[dict[str, Any]]) -> str:
    return f" --before {min(one['id'] for one in shown)}" if shown else ""


def test_pages_of_the_journal(crmmail: Crmmail) -> None:
    whole = [one["id"] for one in json.loads(crmmail("log --limit 9999 --json"))]
    last = [one["id"] for one in json.loads(crmmail("log --limit 5 --json"))]
    before = [one["id"] for one in json.loads(crmmail(f"log --limit 5 --before {last[0]} --json"))]
    assert before + last == whole[-10:]


def test_a_terminal_shows_a_screenful_and_says_how_to_go_on(crmmail: Crmmail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "SCREENFUL", 10)
    numbers = crmmail("list case -o ids").split()
    assert len(numbers) > 30
    shown = crmmail("list case", terminal=True)
    assert f"--before {numbers[9]}" in shown
    assert [one in shown for one in (f"\n{numbers[9]}  ", f"\n{numbers[10]}  ")] == [True, False]
    more = crmmail(f"list case --before {numbers[9]}", terminal=True)
    assert f"\n{numbers[10]}  " in more and f"--before {numbers[19]}" in more
    assert "--before" not in crmmail("list case --limit 10", terminal=True)
    assert f"\n{numbers[11]}  " in crmmail("list case --limit 12", terminal=True)


@pytest.mark.parametrize(
    "line", ["inbox", "inbox --short", "outbox --all", "view all", "following", "stats cases --list"]
)
def test_other_terminals_too(crmmail: Crmmail, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(voices, "SCREENFUL", 4)
    assert "The first 4. Read on with --before" in crmmail(line, terminal=True)


def test_a_terminal_shows_the_newest_contacts_by_name(crmmail: Crmmail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "SCREENFUL", 4)
    contacts = json.loads(crmmail("contacts --json"))
    newest = by_name(sorted(contacts, key=lambda one: int(one["id"]))[-4:])
    screen = crmmail("contacts", terminal=True)
    assert [line.split()[0] for line in screen.splitlines() if line.split()[0].isdigit()] == [
        str(one["id"]) for one in newest
    ]
    assert f"The newest 4. Read on with{before(newest)};" in screen


def test_a_form_that_was_asked_for_is_whole_on_a_terminal_too(
    crmmail: Crmmail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voices, "SCREENFUL", 10)
    assert crmmail("list case -o ids", terminal=True) == crmmail("list case -o ids")


def test_nothing_stands_before_what_is_not_there(
    big_store: tuple[Path, int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, big_store[0], "list case --before 99999".split()) == 1
    assert "there is no record 99999" in capsys.readouterr().err


def test_the_words_of_an_inbox_are_whole_only_where_they_are_asked_for(crmmail: Crmmail) -> None:
    (whole,) = json.loads(crmmail("inbox --limit 1 --json"))
    assert whole["text"].endswith("\n") and len(whole["text"]) > 20
    assert crmmail("inbox --limit 1 --fields text").strip() == " ".join(whole["text"].split())


# --- the voice ----------------------------------------------------------------------------------------------


def rows(count: int, written: list[str], seen: list[int]) -> Iterator[dict[str, Any]]:
    for number in range(count):
        if number % voices.TOGETHER == 0:
            seen.append(len(written))
        yield {"id": number, "title": f"a\nb {number}", "on": NOW, "with": [{"id": 1, "name": "Ann"}], "none": None}


@pytest.mark.parametrize("form", ["tsv", "json", "jsonl", "csv", "ids"])
def test_each_part_is_written_before_the_next_is_read(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    written: list[str] = []
    seen: list[int] = []
    voice = Voice(now=lambda: NOW, environ={})
    voice.form, voice.header = form, True
    monkeypatch.setattr(voice, "_write", written.append)
    count = 3 * voices.TOGETHER
    voice.listing(rows(count, written, seen), COLUMNS)
    assert len(seen) == 3 and 0 == seen[0] < seen[1] + 1 < seen[2] + 1
    text = "".join(written)
    everything = list(rows(count, [], []))
    if form == "json":
        assert text == forms.json(everything)
    elif form == "jsonl":
        assert text == forms.jsonl(everything)
    elif form == "csv":
        assert text == forms.csv(everything, ["id", "title"]) and len(list(csv.reader(io.StringIO(text)))) == count + 1
    elif form == "tsv":
        assert text == forms.tsv(everything, ["id", "title"], header=True)
    else:
        assert text == forms.ids(everything, "id")


@pytest.mark.parametrize("fields", [(), ("title",)])
@pytest.mark.parametrize("count", [0, 1])
def test_few_rows_are_the_same_json(monkeypatch: pytest.MonkeyPatch, count: int, fields: tuple[str, ...]) -> None:
    written: list[str] = []
    voice = Voice(now=lambda: NOW, environ={})
    voice.form, voice.fields = "json", fields
    monkeypatch.setattr(voice, "_write", written.append)
    voice.listing(rows(count, [], []), COLUMNS, keys=("id", "title"))
    wanted = [{key: one[key] for key in fields} if fields else one for one in rows(count, [], [])]
    assert "".join(written) == forms.json(wanted)
