"""`stats` on a terminal and for programs: tables and charts that fit, forms that stay, words that are refused."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conversation import Talk
from hypothesis import given
from hypothesis import strategies as st

from crmmail.cli import chart
from crmmail.cli.voice import Voice
from crmmail.core import stats as core
from crmmail.core.stats import Case, Measure, Partner
from crmmail.core.text import cells
from crmmail.services.desk.stats import Asked

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
MEASURES = {one.name: one for one in core.RECORDS}
ASKED = Asked("case")


def case(number: int, **more: Any) -> Case:
    plain = {
        "kind": "case", "state": "done", "section": "", "category": "", "user": "", "priority": 3, "partner": None,
        "created": NOW, "closed": None, "answered": None, "revenue": None, "cost": None, "probability": None,
    }  # fmt: skip
    return Case(number, **{**plain, **more})  # type: ignore[arg-type]


def month(number: int, **more: Any) -> Case:
    return case(0, created=datetime(2026, number, 15, tzinfo=UTC), **more)


def drawn(found: list[Case], by: str, measure: str = "count", width: int = 80) -> list[str]:
    keys = core.grouping(by, core.OF_RECORDS)
    draw = chart.heat_map if len(keys) == 2 else chart.bars
    return draw(ASKED, core.group(found, keys, core.RECORDS, UTC), keys, MEASURES[measure], width)


# --- bars -------------------------------------------------------------------------------------------------------------


def test_bars() -> None:
    sections = ["support"] * 8 + ["sales"] * 3 + [""]
    assert drawn([case(0, section=one) for one in sections], "section", width=30) == [
        "support     8  ███████████████",
        "sales       3  █████▋",
        "no section  1  █▉",
    ]


def test_times_and_states_keep_their_order() -> None:
    months = [month(2), month(1), month(2), month(3)]
    assert [line.split()[0] for line in drawn(months, "month")] == ["2026-01", "2026-02", "2026-03"]
    states = [case(0, state=state) for state in ("cancel", "open", "cancel", "draft")]
    assert [line.split()[0] for line in drawn(states, "state")] == ["draft", "open", "cancel"]


def test_bars_of_times_and_of_money() -> None:
    found = [
        case(1, section="support", closed=NOW + timedelta(days=3, hours=4), cost=10.5),
        case(2, section="sales", closed=NOW + timedelta(days=1, hours=14), cost=-3.0),
        case(3, section="hr"),
    ]
    assert drawn(found, "section", "average_delay", 40) == [
        "support   3 d 4 h  █████████████████████",
        "sales    1 d 14 h  ██████████▌",
        "hr              -",
    ]
    assert drawn(found, "section", "cost", 40)[0].startswith("support  10  █")
    assert drawn(found, "section", "cost", 40)[1:] == ["hr        -", "sales    -3"]


def test_long_names_are_cut_and_what_is_too_much_is_summed() -> None:
    firms = [
        case(0, partner=Partner(at, f"{at} Gesellschaft für sehr lange Namen"), cost=float(at)) for at in range(30)
    ]
    lines = drawn(firms, "partner", "cost")
    assert len(lines) == chart.LINES
    assert lines[0].startswith("29 Gesellschaft für sehr lange Namen  29  ████")
    assert drawn(firms, "partner", "cost", 40)[0] == "29 Gesellsc…ange Namen  29  ████████████"
    assert lines[-1].split() == ["others", str(sum(range(11)))]


def test_of_many_days_the_latest_stay() -> None:
    days = [case(0, created=NOW + timedelta(days=day)) for day in range(70)]
    lines = drawn(days, "day")
    assert (lines[0].split()[0], lines[-2].split()[0]) == ("2026-12-05", "2027-02-01")
    assert lines[-1].split() == ["others", "11"]


def test_a_time_without_a_case_is_a_line_too() -> None:
    found = [month(9), month(9), case(0, created=datetime(2027, 1, 15, tzinfo=UTC))]
    assert [line.split()[:2] for line in drawn(found, "month")] == [
        ["2026-09", "2"], ["2026-10", "0"], ["2026-11", "0"], ["2026-12", "0"], ["2027-01", "1"],
    ]  # fmt: skip
    assert [line[:7] for line in drawn(found, "section,month")[1:6]] == [
        "2026-09", "2026-10", "2026-11", "2026-12", "2027-01",
    ]  # fmt: skip
    assert [line.split()[0] for line in drawn(found, "year")] == ["2026", "2027"]
    leap = [case(0, created=datetime(2028, 2, day, tzinfo=UTC)) for day in (27, 28)]
    leap.append(case(0, created=datetime(2028, 3, 1, tzinfo=UTC)))
    assert [line.split()[0] for line in drawn(leap, "day")] == ["2028-02-27", "2028-02-28", "2028-02-29", "2028-03-01"]


def test_an_axis_that_is_too_long_has_only_what_there_is() -> None:
    found = [case(0, created=NOW), case(0, created=NOW + timedelta(days=400))]
    assert [line.split()[0] for line in drawn(found, "day")] == ["2026-11-24", "2027-12-29"]


def test_what_tells_lines_apart_is_not_cut_while_there_is_room() -> None:
    found = [case(0, section=code, user="bobby") for code in ("sales-international", "sales-internal")]
    assert [line.split("  ")[0] for line in drawn(found, "month,user,section,state", width=80)] == [
        "2026-11 / bobby / sales-internal / done",
        "2026-11 / bobby / sales-international / done",
    ]
    assert drawn(found, "month,section")[0].split() == ["sales-internal", "sales-international"]
    narrow = drawn(found, "month,section", width=36)
    assert narrow[0].split() == ["sales-…ernal", "sales-…ional"]
    assert max(map(cells, narrow[:2])) <= 36


@pytest.mark.parametrize(
    ("labels", "room", "found"),
    [
        (["support", "sales"], 7, ["support", "sales"]),
        (["sales-international", "sales-internal"], 10, ["sales…onal", "sales…rnal"]),
        (
            ["2026-11 / bob / a / draft", "2026-11 / rob / a / draft"],
            20,
            ["2026-11 / b…/ draft", "2026-11 / r…/ draft"],
        ),
        (["営業部門の長い名前", "営業部門の名前"], 9, ["営…い名前", "営…の名前"]),
    ],
)
def test_long_labels_lose_their_middle(labels: list[str], room: int, found: list[str]) -> None:
    said = chart.shortened(labels, room)
    assert all(cells(one) <= room for one in said)
    assert said == found


# --- the heat map -----------------------------------------------------------------------------------------------------


def heat() -> list[Case]:
    return [
        *[month(10, section="support")] * 10, *[month(11, section="support")] * 5, *[month(10, section="sales")] * 2,
        *[month(11)] * 7,
    ]  # fmt: skip


def test_a_heat_map_reads_without_colour() -> None:
    assert drawn(heat(), "month,section") == [
        "         sales  support  no section",
        "2026-10   ·· 2    ██ 10",
        "2026-11           ▒▒  5        ▓▓ 7",
        "",
        "· ░ ▒ ▓ █  a fifth each, up to 10",
    ]


def test_time_runs_down_whatever_stands_first() -> None:
    assert drawn(heat(), "section,month") == drawn(heat(), "month,section")
    assert drawn(heat(), "section,state")[1].split() == ["sales", "··", "2"]


def test_what_has_no_room_is_others() -> None:
    sections = [
        month(at, section=f"section-{number:02}") for number in range(12) for at in (1, 2) for _ in range(number)
    ]
    lines = drawn(sections, "month,section")
    assert max(map(cells, lines)) <= 80
    assert lines[0].split()[-1] == "others"
    numbers = [int(word) for line in lines[1:3] for word in line.split()[1:] if word.isdigit()]
    assert sum(numbers) == len(sections)


names = st.sampled_from(["", "a", "support", "quality-assurance", "Отдел сбыта", "営業部門の長い名前", "x" * 60])
cases = st.builds(
    case,
    st.just(0),
    section=names,
    user=names,
    state=st.sampled_from(["draft", "open", "done"]),
    created=st.integers(0, 800).map(lambda days: NOW - timedelta(days=days)),
    closed=st.none() | st.integers(0, 800).map(lambda hours: NOW + timedelta(hours=hours)),
    cost=st.none() | st.floats(-1e6, 1e6, allow_nan=False),
)


@given(
    st.lists(cases, min_size=1, max_size=60),
    st.lists(st.sampled_from(["section", "user", "day", "month", "state"]), min_size=1, max_size=3, unique=True),
    st.sampled_from(core.RECORDS),
    st.sampled_from([80, 120]),
)
def test_no_line_is_wider_than_the_terminal(found: list[Case], by: list[str], measure: Measure, width: int) -> None:
    lines = drawn(found, ",".join(by), measure.name, width)
    assert lines
    assert max(map(cells, lines)) <= width


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(talk: Talk) -> Talk:
    talk.do("new case Printer --section support --responsible agent")
    talk.do("new case Scanner --responsible agent --cost 10.5")
    talk.do("new case Mouse --cost 2")
    talk.wait(days=3, hours=4)
    talk.do("close 1")
    return talk


def test_a_table_has_what_says_something_and_a_total(shop: Talk) -> None:
    shop.environ(COLUMNS="80")
    assert shop.do("stats -o table").splitlines() == [
        "month    user   section  state  count    delay   cost",
        "2026-11  agent  support  done       1  3 d 4 h",
        "2026-11  agent  none     draft      1           10.50",
        "2026-11  none   none     draft      1            2.00",
        "total                               3  3 d 4 h  12.50",
    ]
    assert shop.do("stats state:done --by section -o table").splitlines()[-1] == "support      1  3 d 4 h"


def test_a_narrow_terminal_has_fewer_columns_and_says_which_are_missing(shop: Talk) -> None:
    shop.environ(COLUMNS="50")
    shop.do("set 1 revenue=1000 probability=10")
    lines = shop.do("stats -o table").splitlines()
    assert lines[0].split() == ["month", "user", "section", "state", "count", "delay"]
    assert lines[-2:] == ["No room for revenue, cost, weighted: a wider", "  terminal, -o csv or --json has it"]
    assert "weighted_revenue" in shop.do("stats -o csv")


def test_many_groups_that_nobody_asked_for_come_with_a_hint(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(13):
        talk.do(f"users add user{number} --email user{number}@crm.test")
        talk.do(f"new case Printer --responsible user{number}")
    assert "groups" not in talk.do("stats")
    monkeypatch.setattr(Voice, "terminal", True)
    hint = "13 groups: --by month makes fewer, --by month,section --chart draws them"
    for line in ("stats --color never", "stats --chart --color never"):
        assert talk.do(line).splitlines()[-1] == hint
    assert "groups" not in talk.do("stats --by month,user --color never")
    assert talk.cli("stats --json").json[0]["count"] == 1


def test_programs_get_every_column_and_no_total(shop: Talk) -> None:
    rows = list(csv.DictReader(io.StringIO(shop.do("stats --by user -o csv"))))
    assert [(row["user"], row["count"], row["average_delay_seconds"], row["cost"]) for row in rows] == [
        ("agent", "2", "273600", "10.5"),
        ("", "1", "", "2.0"),
    ]
    assert shop.do("stats --by user").splitlines() == ["agent\t2\t273600\t\t10.5\t\t", "\t1\t\t\t2.0\t\t"]
    assert shop.do("stats --by user --fields count,user").splitlines() == ["2\tagent", "1\t"]
    assert shop.do("stats --by user --header").splitlines()[0].startswith("user\tcount\taverage_delay_seconds\t")


def test_a_chart(shop: Talk) -> None:
    assert shop.do("stats --by user --chart").splitlines() == [
        "count by user",
        "agent    2  " + "█" * 68,
        "no user  1  " + "█" * 34,
    ]
    assert "average delay by month and section" in shop.do("stats --by month,section --chart --value average_delay")
    assert shop.do("stats cases nothing --chart") == "Nothing to draw: nothing fits."
    shop.mail("ana@example.com", subject="Help")
    assert shop.do("stats messages --by user --chart").splitlines()[1].split()[:2] == ["outside", "1"]


def test_of_nothing(talk: Talk) -> None:
    for line in ("stats", "stats leads", "stats messages"):
        assert talk.cli(f"{line} --json").json == []
        assert talk.do(f"{line} -o table") == "Nothing fits."
        assert talk.do(line) == ""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("stats printer", "no statistics of 'printer': they are of cases, leads or messages"),
        ("stats opportunities", "no statistics of 'opportunities': they are of cases, leads or messages"),
        ("stats contacts", "no statistics of contacts: they are of cases, leads or messages"),
        ("stats --by colour", "no grouping by 'colour'"),
        ("stats messages --by state", "no grouping by 'state'"),
        ("stats --chart --value speed", "no measure 'speed'"),
        ("stats --value cost", "--value is for --chart"),
        ("stats --chart --json", "--chart is for people"),
        ("stats --chart --by all", "say --by"),
        ("stats --chart --list", "--chart and --list cannot be done in one go"),
        ("stats --list --assert count=1", "--list and --assert cannot"),
        ("stats messages --list", "crmmail message"),
        ("stats -o ids", "say --list"),
        ("stats --limit 3", "--limit and --before are of records: say --list"),
        ("stats --chart --before 3", "--limit and --before are of records: say --list"),
        ("stats --assert fast", "asserts nothing"),
        ("stats --assert 'count<3d'", "compared with a number"),
        ("stats --from soon", "is no date"),
        ("stats --to 31.02.2026", "on no calendar"),
    ],
)
def test_what_is_refused(talk: Talk, line: str, words: str) -> None:
    assert words in talk.refused(line, code=2)


def test_an_unknown_section(talk: Talk) -> None:
    assert "there is no section 'nowhere'" in talk.refused("stats --section nowhere")


def test_what_a_letter_says_never_runs_the_terminal(talk: Talk) -> None:
    talk.mail("ana@example.com", subject="Printer")
    talk.do(["contacts", "add", "\x1b[2J Ana", "--email", "ana@example.com"])
    for line in ("stats --by partner -o table", "stats --by partner --chart", "stats --by partner,month --chart"):
        assert "\x1b" not in talk.do(line)
        assert "Ana" in talk.do(line)
