"""F244–F254, oracle 16: however the facts are put into groups, the groups come to the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmail.core import stats
from crmmail.core.stats import Case, Letter, Partner, Row
from crmmail.errors import UsageError

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


def case(number: int = 1, **more: Any) -> Case:
    plain = {
        "kind": "case", "state": "open", "section": "support", "category": "", "user": "", "priority": 3,
        "partner": None, "created": NOW, "closed": None, "answered": None, "revenue": None, "cost": None,
        "probability": None,
    }  # fmt: skip
    return Case(number, **{**plain, **more})  # type: ignore[arg-type]


def closed(days: float = 0, hours: float = 0, **more: Any) -> Case:
    return case(state="done", closed=NOW + timedelta(days=days, hours=hours), **more)


def values(row: Row, measures: Any = stats.RECORDS) -> dict[str, Any]:
    return {one.name: stats.value(one, row.sums[one.name]) for one in measures}


def one_row(*cases: Case) -> dict[str, Any]:
    (row,) = stats.group(cases, (), stats.RECORDS, UTC)
    return values(row)


# --- what is measured -------------------------------------------------------------------------------------------------


def test_oracle_16_an_average_of_3_days_4_hours() -> None:
    average = one_row(closed(days=2, hours=2), closed(days=4, hours=6))["average_delay"]
    assert average == timedelta(days=3, hours=4)
    assert stats.span(average) == "3 d 4 h"


def test_oracle_16_weighted_revenue_is_revenue_times_probability() -> None:
    found = one_row(case(revenue=1000.0, probability=20.0), case(revenue=99.99, probability=50.0))
    assert found["revenue"] == Decimal("1099.99")
    assert found["weighted_revenue"] == Decimal("249.995")


def test_nothing_is_null_and_not_nought() -> None:
    assert one_row(case()) == {
        "count": 1, "average_delay": None, "revenue": None, "cost": None, "weighted_revenue": None,
        "first_answer": None,
    }  # fmt: skip
    assert one_row()["count"] == 0
    assert one_row(case(cost=0.0))["cost"] == 0


def test_what_was_given_up_says_nothing_of_the_delay() -> None:
    cancelled = case(state="cancel", closed=NOW + timedelta(days=9))
    lost = case(kind="lead", state="lost", closed=NOW + timedelta(days=9))
    converted = case(kind="lead", state="converted", closed=NOW + timedelta(days=1))
    assert one_row(cancelled, closed(days=1))["average_delay"] == timedelta(days=1)
    assert one_row(lost, converted)["average_delay"] == timedelta(days=1)


def test_what_has_no_probability_adds_nothing_to_the_weighted_revenue() -> None:
    assert one_row(case(revenue=1000.0), case(revenue=10.0, probability=10.0))["weighted_revenue"] == 1


def test_the_first_answer() -> None:
    assert one_row(case(answered=NOW + timedelta(hours=1)), case())["first_answer"] == timedelta(hours=1)


def test_messages() -> None:
    kinds = ("email_in", "email_in", "email_out", "note", "call")
    letters = [Letter(at, kind, "agent", "support", NOW) for at, kind in enumerate(kinds)]
    (row,) = stats.group(letters, ["user", "day"], stats.MESSAGES, UTC)
    assert row.group == ("agent", "2026-11-24")
    assert list(values(row, stats.MESSAGES).values()) == [5, 2, 1, 1, 1]


# --- groups -----------------------------------------------------------------------------------------------------------


def groups(by: str, *cases: Case, zone: Any = UTC) -> list[tuple[Any, ...]]:
    return [row.group for row in stats.group(cases, stats.grouping(by, stats.OF_RECORDS), stats.RECORDS, zone)]


def test_months_and_days_are_those_of_the_people_here() -> None:
    late = case(created=datetime(2026, 11, 30, 23, 30, tzinfo=UTC))
    assert groups("month,day,year", late) == [("2026-11", "2026-11-30", "2026")]
    assert groups("month,day,year", late, zone=ZoneInfo("Europe/Berlin")) == [("2026-12", "2026-12-01", "2026")]


def test_states_stand_in_the_order_of_their_table_and_nothing_stands_last() -> None:
    cases = [case(state=state) for state in ("cancel", "done", "draft", "pending", "open")]
    assert groups("state", *cases) == [("draft",), ("open",), ("pending",), ("done",), ("cancel",)]
    assert groups("section", case(section=""), case(section="sales")) == [("sales",), (None,)]


def test_partners_of_one_name_are_two() -> None:
    two = [case(partner=Partner(number, "Ann")) for number in (7, 5)]
    assert groups("partner", *two, case(partner=Partner(None, "ann"))) == [
        (Partner(None, "ann"),), (Partner(5, "Ann"),), (Partner(7, "Ann"),)
    ]  # fmt: skip


def test_groupings_are_read() -> None:
    assert stats.grouping("user, month,user", stats.OF_RECORDS) == ("user", "month")
    assert stats.grouping("all", stats.OF_RECORDS) == ()
    with pytest.raises(UsageError, match="no grouping by 'colour' here: it is by month, user"):
        stats.grouping("month,colour", stats.OF_RECORDS)
    with pytest.raises(UsageError, match="no grouping by 'state'"):
        stats.grouping("state", stats.OF_MESSAGES)


moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))
amounts = st.none() | st.floats(-1e6, 1e6, allow_nan=False).map(lambda amount: round(amount, 2))
cases = st.builds(
    Case,
    id=st.integers(1, 10**6),
    kind=st.just("case"),
    state=st.sampled_from(["draft", "open", "done", "cancel"]),
    section=st.sampled_from(["", "support", "sales"]),
    category=st.sampled_from(["", "Fault"]),
    user=st.sampled_from(["", "agent", "boss"]),
    priority=st.integers(1, 5),
    partner=st.none() | st.builds(Partner, id=st.none() | st.integers(1, 3), name=st.sampled_from(["Ann", "Bea"])),
    created=moments,
    closed=st.none() | moments,
    answered=st.none() | moments,
    revenue=amounts,
    cost=amounts,
    probability=st.none() | st.integers(0, 100).map(float),
)
groupings = st.lists(st.sampled_from(stats.OF_RECORDS), unique=True, max_size=4)
TOTALS = ("count", "revenue", "cost", "weighted_revenue")


@given(st.lists(cases), groupings)
def test_groups_add_up_to_the_whole_whatever_the_grouping(found: list[Case], by: list[str]) -> None:
    (whole,) = stats.group(found, (), stats.RECORDS, UTC)
    rows = stats.group(found, by, stats.RECORDS, UTC)
    for one in (measure for measure in stats.RECORDS if measure.name in TOTALS):
        parts = [stats.value(one, row.sums[one.name]) for row in rows]
        known = [part for part in parts if part is not None]
        assert sum(known) == (values(whole)[one.name] or 0)
        assert bool(known) or values(whole)[one.name] in (None, 0)
    if rows:
        assert stats.together(rows).sums == whole.sums


@given(st.lists(cases, min_size=1), groupings)
def test_the_weighted_average_of_averages_is_the_average(found: list[Case], by: list[str]) -> None:
    (whole,) = stats.group(found, (), stats.RECORDS, UTC)
    rows = stats.group(found, by, stats.RECORDS, UTC)
    for name in ("average_delay", "first_answer"):
        average = values(whole)[name]
        counts = [(row.sums[name].of, values(row)[name]) for row in rows]
        if average is None:
            assert all(of == 0 and one is None for of, one in counts)
        else:
            total = sum((one * of for of, one in counts if of), timedelta())
            # Each average is rounded to a microsecond.
            assert abs(total / sum(of for of, _ in counts) - average) <= timedelta(microseconds=1)


@given(st.lists(cases), groupings.filter(bool))
def test_groups_share_the_records_out(found: list[Case], by: list[str]) -> None:
    rows = stats.group(found, by, stats.RECORDS, UTC)
    assert sum(row.sums["count"].of for row in rows) == len(found)
    assert len({row.group for row in rows}) == len(rows)
    for row in rows:
        members = [
            one
            for one in found
            if all(stats.KEYS[key].of(one, one.created) == value for key, value in zip(by, row.group, strict=True))
        ]
        assert len(members) == row.sums["count"].of


@given(st.lists(cases), groupings, st.randoms())
def test_the_order_of_the_facts_is_nothing(found: list[Case], by: list[str], random: Any) -> None:
    rows = stats.group(found, by, stats.RECORDS, UTC)
    random.shuffle(found)
    assert stats.group(found, by, stats.RECORDS, UTC) == rows


# --- what is asserted -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        ("average_delay<4d", True),
        ("average_delay<3d", False),
        ("average_delay < 3d4h", False),
        ("average_delay <= 3d4h", True),
        ("average_delay_seconds=273600", True),
        ("average_delay>=76h", True),
        ("average_delay!=76h", False),
        ("average_delay > 1w", False),
        ("count=1", True),
        ("count==1", True),
        ("COUNT>1", False),
        ("revenue>=100.5", True),
        ("revenue>100.5", False),
        ("weighted_revenue=50.25", True),
        ("cost<1", True),  # nothing is known of the cost
        ("cost>1", True),
        ("first_answer<1m", True),
    ],
)
def test_claims(words: str, holds: bool) -> None:
    (row,) = stats.group([closed(days=3, hours=4, revenue=100.5, probability=50.0)], (), stats.RECORDS, UTC)
    assert stats.holds(stats.claim(words, stats.RECORDS), row) is holds


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "asserts nothing"),
        ("average_delay", "asserts nothing"),
        ("average_delay<", "asserts nothing"),
        ("average_delay=<3d", "is no delay"),
        ("speed<3d", "there is no measure 'speed' here: it is one of count, average_delay"),
        ("letters_in<3", "there is no measure"),
        ("count<3d", "count is compared with a number, not with '3d'"),
        ("count<nan", "a number"),
        ("average_delay<1mo", "write a month as 30d"),
        ("average_delay<inf", "number of seconds"),
        ("average_delay<1e99", "'1e99' is no delay"),
        ("average_delay<soon", "'soon' is no delay"),
    ],
)
def test_what_asserts_nothing(words: str, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        stats.claim(words, stats.RECORDS)
    assert sentence in str(refused.value)


@given(st.text(max_size=30))
def test_any_words_are_a_claim_or_refused(words: str) -> None:
    try:
        assert stats.claim(words, stats.RECORDS).operator in stats.OPERATORS
    except UsageError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(minutes=90), "1 h 30 min"),
        (timedelta(days=3), "3 d"),
        (timedelta(days=3, hours=4, minutes=59), "3 d 4 h"),
        (timedelta(days=3, minutes=59), "3 d"),
        (timedelta(days=400), "400 d"),
        (timedelta(hours=-2), "-2 h"),
    ],
)
def test_spans(length: timedelta, words: str) -> None:
    assert stats.span(length) == words
