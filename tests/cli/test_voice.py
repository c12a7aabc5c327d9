"""What listings, shows and questions say, to people and to programs, whatever stands in a mail."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unicodedata import category

import pytest

from crmmail.cli import forms, pager
from crmmail.cli.columns import fit
from crmmail.cli.voice import STYLES, UNREAD, Body, Column, Span, Voice
from crmmail.core.text import cells
from crmmail.errors import UsageError

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
HOSTILE = "\x1b]52;c;aGk=\x07\x9b2J [/] [red]x[/red] :smile: gpj.\u202eexe\ttab\nnew\u2028line \ud800 \u0301\u0301 =1+1"
COLUMNS = (
    Column("unread", "", show=lambda row: UNREAD if row["unread"] else "", piped=False),
    Column("id", "#"),
    Column("title", "Title", flex=True),
    Column("partner", "Partner", width=20),
    Column("date", "When"),
)


def row(number: int = 1, title: str = "Printer broken", **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "title": title,
        "unread": True,
        "partner": {"id": 12, "name": "Ann"},
        "date": NOW - timedelta(days=30),
        "to": [],
        **more,
    }


@pytest.fixture
def voice() -> Voice:
    return Voice(now=lambda: NOW, environ={})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch, voice: Voice) -> Callable[..., str]:
    """Runs something with stdout a terminal of so many columns; what is on it then."""

    def run(act: Callable[[Voice], None], columns: int = 80) -> str:
        screen = Terminal()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", screen)
            patch.setenv("COLUMNS", str(columns))
            patch.setenv("LINES", "1000")
            act(voice)
        return screen.getvalue()

    return run


def test_piped_is_a_record_a_line_with_tabs_and_nothing_cut(voice: Voice, capsys: pytest.CaptureFixture[str]) -> None:
    voice.listing([row(1, "a " * 200), row(2, "b\tc\nd", partner=None)], COLUMNS)
    first, second = capsys.readouterr().out.splitlines()
    assert first.split("\t") == ["1", ("a " * 200).strip(), "Ann", "2026-10-25T10:00:00Z"]
    assert second.split("\t") == ["2", "b c d", "", "2026-10-25T10:00:00Z"]


def test_header_and_fields_choose_columns_of_tsv(voice: Voice, capsys: pytest.CaptureFixture[str]) -> None:
    voice.header, voice.fields = True, ("unread", "id")
    voice.listing([row()], COLUMNS)
    assert capsys.readouterr().out == "unread\tid\nyes\t1\n"


def test_json_has_every_key_in_order_and_null_and_arrays(voice: Voice, capsys: pytest.CaptureFixture[str]) -> None:
    voice.form = "json"
    voice.listing([row(partner=None, title="Ёлка")], COLUMNS)
    said = capsys.readouterr().out
    assert "Ёлка" in said
    assert json.loads(said) == [
        {"id": 1, "title": "Ёлка", "unread": True, "partner": None, "date": "2026-10-25T10:00:00Z", "to": []}
    ]
    assert list(json.loads(said)[0]) == ["id", "title", "unread", "partner", "date", "to"]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("json", '[\n  {\n    "title": "t",\n    "id": 1\n  }\n]\n'),
        ("jsonl", '{"title": "t", "id": 1}\n'),
        ("csv", "title,id\nt,1\n"),
        ("tsv", "t\t1\n"),
        ("ids", "t\n"),
    ],
)
def test_fields_in_every_form(voice: Voice, capsys: pytest.CaptureFixture[str], form: str, said: str) -> None:
    voice.form, voice.fields = form, ("title", "id")
    voice.listing([row(title="t")], COLUMNS)
    assert capsys.readouterr().out == said


@pytest.mark.parametrize(("form", "said"), [("json", "[]\n"), ("jsonl", ""), ("tsv", ""), ("ids", ""), ("", "")])
def test_no_rows_are_nothing_to_a_program(
    voice: Voice, capsys: pytest.CaptureFixture[str], form: str, said: str
) -> None:
    voice.form = form
    voice.listing([], COLUMNS)
    assert capsys.readouterr().out == said


def test_no_rows_are_a_sentence_to_a_person(on_terminal: Callable[..., str]) -> None:
    assert "Nobody writes" in on_terminal(lambda voice: voice.listing([], COLUMNS, empty="Nobody writes."))


def test_unknown_field_names_those_there_are(voice: Voice) -> None:
    voice.fields = ("nmae",)
    with pytest.raises(UsageError, match="'nmae' here; there are id, title"):
        voice.listing([row()], COLUMNS)
    with pytest.raises(UsageError, match="there are id, name"):
        voice.listing([], COLUMNS, keys=("id", "name"))


def test_ids_without_numbers_are_the_first_column(voice: Voice, capsys: pytest.CaptureFixture[str]) -> None:
    voice.form = "ids"
    voice.listing([{"login": "ann"}, {"login": "bob"}], [Column("login")])
    assert capsys.readouterr().out == "ann\nbob\n"


def test_csv_disarms_words_and_leaves_numbers(voice: Voice, capsys: pytest.CaptureFixture[str]) -> None:
    voice.form = "csv"
    voice.listing([{"a": "=cmd|x", "b": -5, "c": "two\nlines", "d": ["@x"]}], [Column(key) for key in "abcd"])
    assert list(csv.reader(io.StringIO(capsys.readouterr().out))) == [
        list("abcd"),
        ["'=cmd|x", "-5", "two\nlines", "'@x"],
    ]


@pytest.mark.parametrize("between", [",", ";", "\t", "|", "\n", '"'])
def test_no_cell_of_csv_ends_before_its_end(voice: Voice, capsys: pytest.CaptureFixture[str], between: str) -> None:
    """Also not in a country whose spreadsheets split at another sign: a formula could stand behind it."""
    voice.form = "csv"
    voice.listing([{"a": f"x{between}=cmd|x", "b": "", "c": " y "}], [Column(key) for key in "abc"])
    said = capsys.readouterr().out.removeprefix("a,b,c\n")
    assert said.startswith('"x' + between.replace('"', '""') + '=cmd|x",,')
    assert list(csv.reader(io.StringIO(said))) == [[f"x{between}=cmd|x", "", " y "]]


def test_csv_is_what_the_library_reads(voice: Voice, capsys: pytest.CaptureFixture[str]) -> None:
    voice.form = "csv"
    rows = [{"a": value} for value in ("", None, -1.5, 10**20, "it's", 'say "x"', "two\nlines", True, ["a", "b"])]
    voice.listing(rows, [Column("a")])
    said = [row[0] for row in csv.reader(io.StringIO(capsys.readouterr().out))]
    assert said == ["a", "", "", "-1.5", str(10**20), "it's", 'say "x"', "two\nlines", "yes", "a, b"]


def test_json_has_no_endless_numbers(voice: Voice, capsys: pytest.CaptureFixture[str]) -> None:
    voice.form = "json"
    voice.listing([{"a": float("inf"), "b": [float("-inf")], "c": {"d": float("nan")}, "e": 1.5}], [Column("a")])
    said = capsys.readouterr().out
    assert json.loads(said, parse_constant=pytest.fail) == [{"a": None, "b": [None], "c": {"d": None}, "e": 1.5}]


def acting(text: str) -> list[str]:
    return [char for char in text if (category(char) in ("Cc", "Cs") and char not in "\n\t") or char in "\u202e\u2028"]


@pytest.mark.parametrize("form", forms.FORMS)
def test_hostile_words_reach_no_listing(voice: Voice, capsys: pytest.CaptureFixture[str], form: str) -> None:
    voice.form = form
    rows = [{"id": HOSTILE, "title": HOSTILE, HOSTILE: [{"name": HOSTILE}], "who": {"name": HOSTILE}}]
    voice.listing(rows, [*(Column(key, HOSTILE) for key in rows[0])])
    said = capsys.readouterr().out
    assert acting(said) == []
    said.encode()
    if form in ("tsv", "ids", "table", "jsonl"):
        assert len(said.splitlines()) == (2 if form == "table" else 1)
    if form == "tsv":
        assert said.count("\t") == 3


def test_hostile_words_on_a_terminal_are_neither_markup_nor_codes(on_terminal: Callable[..., str]) -> None:
    def act(voice: Voice) -> None:
        voice.color = "never"
        voice.listing([row(title=HOSTILE)], COLUMNS, empty=HOSTILE)
        voice.document({}, lambda: [HOSTILE, ("a ", Span(HOSTILE, "failed")), Body(HOSTILE, indent="  ")])
        voice.say(("done: ", Span(HOSTILE)))
        voice.listing([], COLUMNS, empty=HOSTILE)

    said = on_terminal(act, 300)
    assert acting(said) == []
    assert said.count("[/] [red]x[/red] :smile:") == 6
    # Only the body keeps its line ends.
    assert len([line for line in said.splitlines() if line.strip() == "new" or line.startswith("  new")]) == 1


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_table_fits_its_terminal(on_terminal: Callable[..., str], columns: int) -> None:
    rows = [
        row(number, "Ein sehr langer Titel 漢字 " * number, date=NOW - timedelta(hours=1)) for number in (1, 22, 333)
    ]

    def act(voice: Voice) -> None:
        voice.color = "never"
        voice.listing(rows, COLUMNS)

    head, *lines = on_terminal(act, columns).splitlines()
    if columns == 40:  # dates are whole, or not there
        assert lines[3:] == ["No room for When: a wider terminal, -o", "  csv or --json has it"]
        assert head.split() == ["#", "Title", "Partner"]
        return
    assert len(lines) == 3
    assert max(map(cells, lines)) <= columns
    assert all("1 h ago" in line for line in lines)
    assert [line[3:6] for line in lines] == ["  1", " 22", "333"]
    assert "…" in lines[2]
    assert head.split() == ["#", "Title", "Partner", "When"]


def test_a_date_is_relative_for_seven_days_only(on_terminal: Callable[..., str]) -> None:
    rows = [row(1, date=NOW - timedelta(minutes=5)), row(2, date=NOW - timedelta(days=30))]
    said = on_terminal(lambda voice: voice.listing(rows, COLUMNS))
    assert "5 min ago" in said
    assert "2026-10-25" in said


def test_style_is_never_alone(on_terminal: Callable[..., str]) -> None:
    said = on_terminal(lambda voice: voice.listing([row()], COLUMNS, row_style=lambda one: "unread"))
    assert f"\x1b[1m{UNREAD}" in said


@pytest.mark.parametrize(
    ("color", "environ", "colored"),
    [
        ("auto", {}, True),
        ("auto", {"NO_COLOR": "1"}, False),
        ("auto", {"NO_COLOR": ""}, True),
        ("auto", {"TERM": "dumb"}, False),
        ("never", {}, False),
        ("always", {"NO_COLOR": "1"}, True),
    ],
)
def test_color(on_terminal: Callable[..., str], color: str, environ: dict[str, str], colored: bool) -> None:
    def act(voice: Voice) -> None:
        voice.color, voice.environ = color, environ
        voice.listing([row()], COLUMNS)
        voice.document({}, lambda: [("a", Span("b", "failed"))])
        voice.say(Span("c", "done"))

    assert ("\x1b[" in on_terminal(act)) is colored


def test_every_style_can_be_painted(on_terminal: Callable[..., str]) -> None:
    said = on_terminal(lambda voice: voice.document({}, lambda: [tuple(Span(style, style) for style in STYLES)]))
    assert "overdue" in said


def test_piped_has_no_color_and_document_is_plain(voice: Voice, capsys: pytest.CaptureFixture[str]) -> None:
    voice.document({"a": 1}, lambda: [("Subject: ", Span("x\ny", "unread")), Body("one\n\n  two", indent="  ")])
    assert capsys.readouterr().out == "Subject: x y\n  one\n\n    two\n"


def test_document_as_json_and_its_fields(voice: Voice, capsys: pytest.CaptureFixture[str]) -> None:
    voice.form = "json"
    voice.fields = ("b",)
    voice.document({"a": 1, "b": (1, {"c": NOW})}, list)
    assert json.loads(capsys.readouterr().out) == {"b": [1, {"c": "2026-11-24T10:00:00Z"}]}
    voice.fields = ("x",)
    with pytest.raises(UsageError):
        voice.document({"a": 1}, list)


def test_a_body_breaks_between_words_and_leaves_addresses_whole(on_terminal: Callable[..., str]) -> None:
    address = "https://example.com/" + "x" * 100
    text = "word " * 30 + "\n" + address + "\n> quoted"
    lines = on_terminal(lambda voice: voice.document({}, lambda: [Body(text, indent="    ")]), 60).splitlines()
    assert [line for line in lines if len(line) > 60] == ["    " + address]
    assert lines[0] == "    " + "word " * 10 + "word"
    assert all(line.startswith("    ") for line in lines)
    assert lines[-1] == "    > quoted"


def test_a_line_goes_on_below_its_first_word(on_terminal: Callable[..., str]) -> None:
    words = "word " * 9
    lines = [
        f"#1 {words}", f"    [3] {words}", ("● ", Span(f"Ann {words}", "unread")), f"    ✉! ann: {words}",
        f"       {words}", Body(words, "", "  │ "), Body(words),
    ]  # fmt: skip
    for color in ("never", "always"):

        def act(voice: Voice, color: str = color) -> None:
            voice.color = color
            voice.page(lines)

        said = re.sub("\x1b\\[[0-9;]*m", "", on_terminal(act, columns=30)).splitlines()
        assert [re.split(r"[^ │]", line)[0] for line in said] == [
            "", "  ", "    ", "    ", "", "  ", "    ", "       ", "       ", "       ", "       ", "       ",
            "  │ ", "  │ ", "", "",
        ], said  # fmt: skip
        assert all(len(line) <= 30 for line in said)


def test_what_was_done_is_broken_between_words_on_a_terminal_only(
    on_terminal: Callable[..., str], voice: Voice, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ("#1 Printer broken: draft → done", Span("   (undo: crmmail undo)", "dim"))
    for color in ("never", "always"):
        voice.color = color
        said = on_terminal(lambda voice: voice.say(line), columns=40)
        assert re.sub("\x1b\\[[0-9;]*m", "", said).splitlines() == [
            "#1 Printer broken: draft → done   (undo:",
            "  crmmail undo)",
        ]
        said = on_terminal(lambda voice: voice.say(line, whole=True), columns=40)
        assert said.count("\n") == 1  # what is copied stays whole
    voice.color = "auto"
    voice.say(line)
    assert capsys.readouterr().out == "#1 Printer broken: draft → done   (undo: crmmail undo)\n"


def test_a_page_of_nothing_is_nothing(on_terminal: Callable[..., str]) -> None:
    assert on_terminal(lambda voice: voice.page([])) == ""


def test_columns_give_way_in_turn() -> None:
    columns = [Column("a"), Column("b", flex=True), Column("c", width=5)]
    shown = [["x" * 20, "y" * 100, "z" * 50]]
    assert fit(columns, shown, 200) == ([0, 1, 2], [20, 100, 5], [])
    assert fit(columns, shown, 60) == ([0, 1, 2], [20, 31, 5], [])
    assert fit(columns, shown, 40) == ([0, 1, 2], [11, 20, 5], [])
    assert fit([columns[0], columns[1], Column("c", "C", width=5)], shown, 30) == ([0, 1], [8, 20], ["C"])
    assert fit(columns, shown, 1) == ([0, 1, 2], [8, 8, 5], [])
    assert fit([Column("a")], [], 10) == ([0], [1], [])


def test_what_matters_least_is_left_out_first() -> None:
    columns = [
        Column("id", "#"),
        Column("b", "B", drop=2),
        Column("c", "C"),
        Column("d", "D"),
        Column("e", "E", drop=0),
    ]
    shown = [["x" * 8, "x" * 8, "x" * 8, "", "x" * 8]]
    assert fit(columns, shown, 41) == ([0, 1, 2, 3, 4], [8, 8, 8, 1, 8], [])
    assert fit(columns, shown, 38) == ([0, 1, 2, 4], [8, 8, 8, 8], [])  # nobody misses what is empty
    assert fit(columns, shown, 28) == ([0, 2, 4], [8, 8, 8], ["B"])
    assert fit(columns, shown, 9) == ([0, 4], [8, 8], ["B", "C"])


def test_dates_and_numbers_are_never_cut() -> None:
    columns = [Column("a", "A"), Column("when", "When"), Column("many", "Many")]
    shown = [["x" * 30, "yesterday 10:00", "1234567890"]]
    values = [["x" * 30, NOW, 1234567890]]
    assert fit(columns, shown, 40, values) == ([0, 1, 2], [11, 15, 10], [])
    assert fit(columns, shown, 28, values) == ([0, 1], [11, 15], ["Many"])


def test_marks_that_no_row_has_take_no_room() -> None:
    assert fit([Column("a", "A"), Column("mark")], [["x", ""], ["y", ""]], 80) == ([0], [1], [])
    assert fit([Column("a", "A"), Column("mark")], [["x", ""], ["y", "!"]], 80) == ([0, 1], [1, 1], [])


def test_a_sentence_goes_on_below_itself(on_terminal: Callable[..., str]) -> None:
    columns = [Column("id", "#"), Column("what", "what", flex=True, wraps=True), Column("who", "who")]
    rows = [{"id": 1, "what": "word " * 9, "who": "ann"}, {"id": 2, "what": "x" * 60, "who": "bob"}]

    def act(voice: Voice) -> None:
        voice.color = "never"
        voice.listing(rows, columns)

    assert on_terminal(act, 35).splitlines() == [
        "#  what                         who",
        "1  word word word word word     ann",
        "   word word word word",
        f"2  {'x' * 26}…  bob",
    ]


def test_what_lies_ahead_is_told_by_its_day(on_terminal: Callable[..., str]) -> None:
    rows = [{"due": NOW - timedelta(days=5, hours=1)}, {"due": NOW + timedelta(days=2)}]
    said = on_terminal(lambda voice: voice.listing(rows, [Column("due", "due", exact=True)]))
    stamps = [one["due"].astimezone().strftime("%Y-%m-%d %H:%M") for one in rows]
    assert [line.strip() for line in re.sub("\x1b\\[[0-9;]*m", "", said).splitlines()[1:]] == stamps


def test_long_text_goes_to_the_pager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, voice: Voice) -> None:
    kept = tmp_path / "kept"
    keeper = tmp_path / "keep it"
    keeper.write_text(f"#!/bin/sh\ncat > '{kept}'\n")
    keeper.chmod(0o755)
    voice.environ = {"CRMMAIL_PAGER": f"'{keeper}'", "PAGER": "false", "NO_COLOR": "1"}
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("LINES", "20")
    voice.page(["line"] * 19)
    assert screen.getvalue() == "line\n" * 19
    voice.page(["long"] * 20)
    assert kept.read_text() == "long\n" * 20
    assert "long" not in screen.getvalue()


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, ["less"]),
        ({"PAGER": "more -s"}, ["more", "-s"]),
        ({"PAGER": "more", "CRMMAIL_PAGER": "less '-X y'"}, ["less", "-X y"]),
        ({"PAGER": ""}, []),
        ({"PAGER": "cat"}, []),
        ({"PAGER": "less '"}, []),
    ],
)
def test_which_pager(environ: dict[str, str], words: list[str]) -> None:
    assert pager.command(environ) == words


def test_a_pager_that_is_not_there_is_no_pager() -> None:
    assert pager.page("text", {"PAGER": "/nowhere/pager"}) is False


def test_confirm(voice: Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    assert voice.confirm("Purge?", yes=True)
    with pytest.raises(UsageError, match="--yes"):
        voice.confirm("Purge?")
    monkeypatch.setattr(sys, "stderr", Terminal())
    for answer, meant in (("y\n", True), ("YES\n", True), ("\n", False), ("", False), ("n\n", False)):
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        assert voice.confirm("Purge \x1b[2J?") is meant
    assert "\x1b" not in sys.stderr.getvalue()  # type: ignore[attr-defined]


def test_progress_shows_after_a_second_and_only_on_a_terminal(
    voice: Voice, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import time

    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    with voice.progress(2, "Reading") as step:
        step()
    assert capsys.readouterr().err == ""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with voice.progress(2, "Reading\x1b") as step:
        step()
        voice.say("between")
        step()
    shown = screen.getvalue()
    assert "1/2 [██████████░░░░░░░░░░]" in shown
    assert "\x1b" not in shown
    assert shown.endswith(" \r")


def test_warnings_are_one_line_on_stderr(voice: Voice, capsys: pytest.CaptureFixture[str]) -> None:
    voice.warn(f"cannot read {HOSTILE}")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("crmmail: cannot read")
    assert said.err.count("\n") == 1
    assert acting(said.err) == []
