"""Dates in words.  It is Tuesday 24 November 2026, 10:00 in Berlin (09:00 UTC), but where a case says otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmail.core.when import ago, iso, parse

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 24, 10, 0, tzinfo=BERLIN)


def at(words: str, now: datetime = NOW, slash: bool | None = None) -> str:
    return parse(words, now, day_first_slash=slash).astimezone(BERLIN).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("words", "local"),
    [
        ("now", "2026-11-24 10:00"),
        ("2026-12-01", "2026-12-01 00:00"),
        ("2026-12-01 09:30", "2026-12-01 09:30"),
        ("2026-12-01T09:30:15", "2026-12-01 09:30"),
        ("2026-12-01T09:30:00Z", "2026-12-01 10:30"),
        ("2026-12-01t09:30:00.123z", "2026-12-01 10:30"),
        ("2026-12-01 09:30 +03:00", "2026-12-01 07:30"),
        ("2026-12-01T09:30+0300", "2026-12-01 07:30"),
        ("2026-12-01 9:30", "2026-12-01 09:30"),
        ("2026-07-01", "2026-07-01 00:00"),
        ("today", "2026-11-24 00:00"),
        ("Tomorrow 9:00", "2026-11-25 09:00"),
        ("tomorrow at 9", "2026-11-25 09:00"),
        ("tomorrow, 9 pm", "2026-11-25 21:00"),
        ("9:00 tomorrow", "2026-11-25 09:00"),
        ("yesterday", "2026-11-23 00:00"),
        ("сегодня 14:30", "2026-11-24 14:30"),
        ("завтра в 9:00", "2026-11-25 09:00"),
        ("послезавтра", "2026-11-26 00:00"),
        ("вчера", "2026-11-23 00:00"),
        ("aujourd’hui", "2026-11-24 00:00"),
        ("demain 9h", "2026-11-25 09:00"),
        ("demain à 9h30", "2026-11-25 09:30"),
        ("hier", "2026-11-23 00:00"),
        ("friday", "2026-11-27 00:00"),
        ("Fri 9:00", "2026-11-27 09:00"),
        ("on next friday at 9:00", "2026-11-27 09:00"),
        ("tuesday", "2026-12-01 00:00"),
        ("monday", "2026-11-30 00:00"),
        ("в пятницу", "2026-11-27 00:00"),
        ("во вторник 10:15", "2026-12-01 10:15"),
        ("пн", "2026-11-30 00:00"),
        ("vendredi 9:00", "2026-11-27 09:00"),
        ("dim", "2026-11-29 00:00"),
        ("18:45", "2026-11-24 18:45"),
        ("6pm", "2026-11-24 18:00"),
        ("12 am", "2026-11-24 00:00"),
        ("+3d", "2026-11-27 10:00"),
        ("-2h", "2026-11-24 08:00"),
        ("+30m", "2026-11-24 10:30"),
        ("+1h30m", "2026-11-24 11:30"),
        ("+2w", "2026-12-08 10:00"),
        ("+1month", "2026-12-24 10:00"),
        ("+ 2 months", "2027-01-24 10:00"),
        ("-11mo", "2025-12-24 10:00"),
        ("+13 месяцев", "2027-12-24 10:00"),
        ("+3 дня", "2026-11-27 10:00"),
        ("+2 semaines", "2026-12-08 10:00"),
        ("in 3 days", "2026-11-27 10:00"),
        ("через 2 часа", "2026-11-24 12:00"),
        ("dans 2 jours", "2026-11-26 10:00"),
        ("3 days ago", "2026-11-21 10:00"),
        ("24.12.2026", "2026-12-24 00:00"),
        ("1.2.2027 8:05", "2027-02-01 08:05"),
        ("01.02.27", "2027-02-01 00:00"),
    ],
)
def test_parse(words: str, local: str) -> None:
    assert at(words) == local
    assert parse(words, NOW).tzinfo is UTC


@pytest.mark.parametrize(
    ("words", "local"),
    [
        ("today", "2026-11-24 23:59"),
        ("friday", "2026-11-27 23:59"),
        ("в пятницу", "2026-11-27 23:59"),
        ("2026-12-01", "2026-12-01 23:59"),
        ("24.12.2026", "2026-12-24 23:59"),
        ("2026-03-29", "2026-03-29 23:59"),  # when the clocks go forward
        ("today 0:00", "2026-11-24 00:00"),
        ("2026-12-01 00:00", "2026-12-01 00:00"),
        ("2026-12-01T09:30:00Z", "2026-12-01 10:30"),
        ("tomorrow at 9", "2026-11-25 09:00"),
        ("18:45", "2026-11-24 18:45"),
        ("+3d", "2026-11-27 10:00"),
        ("now", "2026-11-24 10:00"),
    ],
)
def test_of_a_deadline_a_day_is_all_of_that_day(words: str, local: str) -> None:
    assert parse(words, NOW, end_of_day=True).astimezone(BERLIN).strftime("%Y-%m-%d %H:%M") == local


def test_slashes_are_read_as_configured() -> None:
    assert at("03/04/2026", slash=True) == "2026-04-03 00:00"
    assert at("03/04/2026 9:00", slash=False) == "2026-03-04 09:00"
    assert parse("03/04/2026", NOW, day_first_slash=True, end_of_day=True) == datetime(2026, 4, 3, 21, 59, tzinfo=UTC)


def test_slashes_are_refused_with_both_readings() -> None:
    with pytest.raises(ValueError, match=r"'3/04/2026' can be two days: write 2026-04-03 or 2026-03-04\.\Z"):
        parse("3/04/2026", NOW)


@pytest.mark.parametrize(
    "words",
    [
        "", " ", "soon", "9", "tomorrow soon", "friday friday", "31.02.2026", "2026-13-01", "2026-02-30 10:00", "25:00",
        "tomorrow 9:75", "13pm", "+", "+3", "+3x", "+d", "+999999w", "-999999mo", "+1.5months", "24.11", "0.0.2026",
        "2026-11-24 10:00 +99:00", "x" * 10_000, "٣d", "1 2 3 4",
    ],
)  # fmt: skip
def test_refusals_are_one_sentence_that_says_what_to_write(words: str) -> None:
    with pytest.raises(ValueError, match=r"\A'.*' is .*: write .*\.\Z") as refused:
        parse(words, NOW)
    assert len(str(refused.value)) < 250


@given(st.text(max_size=30) | st.from_regex(r"[+-]?[0-9./: adhmw-]{1,20}"))
def test_anything_typed_is_a_date_or_a_value_error(words: str) -> None:
    try:
        assert parse(words, NOW, day_first_slash=True).tzinfo is UTC
    except ValueError:
        pass


def test_summer_time_begins_between() -> None:
    """In the night to 29 March 2026 Berlin's clocks jump from 2 to 3."""
    evening = datetime(2026, 3, 28, 12, 0, tzinfo=BERLIN)
    assert at("+1d", evening) == "2026-03-29 12:00"
    assert at("+25h", evening) == "2026-03-29 14:00"
    assert parse("tomorrow 12:00", evening) == datetime(2026, 3, 29, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "words", "later"),
    [
        ("2026-01-31", "+1month", "2026-02-28"),
        ("2028-01-31", "+1month", "2028-02-29"),
        ("2026-03-31", "-1month", "2026-02-28"),
        ("2026-12-15", "+1month", "2027-01-15"),
        ("2026-12-31", "-12month", "2025-12-31"),
        ("2026-11-30", "+1mois", "2026-12-30"),
    ],
)
def test_months_end_where_they_end(day: str, words: str, later: str) -> None:
    assert at(words, datetime.fromisoformat(day).replace(tzinfo=BERLIN)) == later + " 00:00"


@pytest.mark.parametrize(
    ("words", "minutes"),
    [
        ("2d", 2880), ("90m", 90), ("1h30m", 90), ("1h 30m", 90), ("3 days", 4320), ("1.5 h", 90), ("1,5h", 90),
        ("2 weeks", 20160),
        ("30 sec", 0.5), ("3 дня", 4320), ("2 jours", 2880), ("0m", 0), ("1 day 2 hours", 1560), ("45 мин", 45),
    ],
)  # fmt: skip
def test_lengths(words: str, minutes: float) -> None:
    noon = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    assert parse(f"+{words}", noon) - noon == timedelta(minutes=minutes)


@pytest.mark.parametrize("words", ["", "90", "m", "2 moons", "1h30", "h1", "1" * 50 + "d"])
def test_what_is_no_length(words: str) -> None:
    with pytest.raises(ValueError, match=r"is no date that I can read: write 2026-11-24"):
        parse(f"+{words}", NOW)


@pytest.mark.parametrize(
    ("then", "shown"),
    [
        ("2026-11-24 10:00", "now"),
        ("2026-11-24 09:57", "3 min ago"),
        ("2026-11-24 08:00", "2 h ago"),
        ("2026-11-24 00:10", "9 h ago"),
        ("2026-11-23 23:59", "yesterday 23:59"),
        ("2026-11-23 14:03", "yesterday 14:03"),
        ("2026-11-22 09:12", "Sun 09:12"),
        ("2026-11-18 09:12", "Wed 09:12"),
        ("2026-11-17 10:00", "2026-11-17"),
        ("2025-01-02 03:04", "2025-01-02"),
        ("2026-11-24 10:05", "in 5 min"),
        ("2026-11-24 13:00", "in 3 h"),
        ("2026-11-25 09:00", "tomorrow 09:00"),
        ("2026-11-27 09:00", "2026-11-27"),
        ("2099-01-01 00:00", "2099-01-01"),
    ],
)
def test_ago(then: str, shown: str) -> None:
    assert ago(datetime.fromisoformat(then).replace(tzinfo=BERLIN).astimezone(UTC), NOW) == shown


def test_ago_just_after_midnight() -> None:
    midnight = datetime(2026, 11, 24, 0, 20, tzinfo=BERLIN)
    assert ago(midnight - timedelta(minutes=40), midnight) == "40 min ago"
    assert ago(midnight - timedelta(minutes=80), midnight) == "yesterday 23:00"


def test_iso() -> None:
    assert iso(datetime(2026, 11, 24, 11, 0, 0, 999, tzinfo=BERLIN)) == "2026-11-24T10:00:00Z"
    with pytest.raises(ValueError, match="without a zone"):
        iso(datetime(2026, 11, 24))


@pytest.mark.parametrize(
    "words", ["0001-01-01", "1969-12-31", "9001-01-01", "9999-12-31T23:59:59Z", "31.12.1969", "100000 days ago"]
)
def test_a_date_is_from_1970_to_9000(words: str) -> None:
    with pytest.raises(ValueError, match=r"is in the year \d+: write a date from 1970 to 9000\.\Z"):
        parse(words, datetime(2026, 11, 24, 10, tzinfo=UTC))
    assert parse("1970-01-01", datetime(2026, 11, 24, 10, tzinfo=UTC)).year == 1970
    assert parse("9000-12-31", datetime(2026, 11, 24, 10, tzinfo=UTC)).year == 9000
