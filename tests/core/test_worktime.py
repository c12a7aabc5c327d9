"""Working time: how hours are written, and what is counted in them, across nights, weekends and summer time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crmmail.core.worktime import Span, Week, _spans, add, parse
from crmmail.errors import UsageError

OFFICE = parse("mon-fri 9:00-17:00")
BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600


def between(start: datetime, end: datetime, week: Week, zone: ZoneInfo) -> int:
    """Seconds of working time from one moment to a later one: what `add` is held against."""
    days = (start.astimezone(zone).date(), end.astimezone(zone).date())
    parts = [min(stop, end) - max(begin, start) for begin, stop in _spans(*days, week, zone)]
    return sum((max(timedelta(), part) for part in parts), timedelta()) // timedelta(seconds=1)


def at(words: str, zone: ZoneInfo = BERLIN) -> datetime:
    """A time on the wall, in UTC."""
    return datetime.fromisoformat(words).replace(tzinfo=zone).astimezone(UTC)


# --- how it is written --------------------------------------------------------------------------------------

NINE_TO_FIVE = (Span(540, 1020),)


@pytest.mark.parametrize(
    ("words", "days"),
    [
        ("mon-fri 9:00-17:00", (NINE_TO_FIVE,) * 5 + ((), ())),
        ("Monday-Friday 9-17", (NINE_TO_FIVE,) * 5 + ((), ())),
        ("mon–fri 9:00–17:00", (NINE_TO_FIVE,) * 5 + ((), ())),
        ("sat, sun 9:00-17:00", ((),) * 5 + (NINE_TO_FIVE,) * 2),
        ("sat-mon 9-17", (NINE_TO_FIVE, (), (), (), (), NINE_TO_FIVE, NINE_TO_FIVE)),
        ("wed 13:30-18:00 9:00-12:30", ((), (), (Span(540, 750), Span(810, 1080)), (), (), (), ())),
        ("mon 9-17, tue 0:00-24:00", (NINE_TO_FIVE, (Span(0, 1440),), (), (), (), (), ())),
        ("mon wed 9-17", (NINE_TO_FIVE, (), NINE_TO_FIVE, (), (), (), ())),
        ("mon 9-12 12-13", ((Span(540, 720), Span(720, 780)), (), (), (), (), (), ())),
    ],
)
def test_parse(words: str, days: tuple[tuple[Span, ...], ...]) -> None:
    assert parse(words).days == days


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("", "there is no day in it"),
        (" , ", "there is no day in it"),
        ("9:00-17:00", "hours stand before their day"),
        ("mon", "monday has no hours"),
        ("mon 9-17, tue", "tuesday has no hours"),
        ("mo 9:00-17:00", "'mo' is no day"),
        ("lundi 9:00-17:00", "'lundi' is no day"),
        ("mon-fri-sun 9-17", "'fri-sun' is no day"),
        ("mon 9:00", "'9:00' is no time from – to"),
        ("mon 9am-5pm", "'9am-5pm' is no time"),
        ("mon ٩:00-17:00", "is no time from – to"),
        ("mon 9:60-17:00", "is on no clock"),
        ("mon 9:00-24:01", "is on no clock"),
        ("mon 17:00-9:00", "ends before it begins"),
        ("mon 22:00-22:00", "ends before it begins; a night is two spans"),
        ("mon 9-13 12-17", "two times of one day overlap"),
        ("mon-fri 9-17, fri 9-15", "friday is named twice"),
        ("mon mon 9-17", "monday is named twice"),
    ],
)
def test_what_are_no_working_hours(words: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words)
    assert why in str(caught.value) and "write mon-thu" in str(caught.value)


def test_holidays() -> None:
    assert parse("mon 9-17", "2026-12-25  2027-01-01").holidays == {date(2026, 12, 25), date(2027, 1, 1)}
    with pytest.raises(UsageError, match=r"'25\.12\.2026' is no holiday: write its date, like 2026-12-25"):
        parse("mon 9-17", "25.12.2026")


# --- what is counted ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-11-24 10:00", 2, "2026-11-24 12:00"),
        ("2026-11-24 10:00", 7, "2026-11-24 17:00"),  # the very end of a day is still that day
        ("2026-11-24 10:00", 8, "2026-11-25 10:00"),
        ("2026-11-24 10:00", 0, "2026-11-24 10:00"),
        ("2026-11-24 20:00", 1, "2026-11-25 10:00"),
        ("2026-11-24 05:00", 0, "2026-11-24 09:00"),
        ("2026-11-27 16:00", 2, "2026-11-30 10:00"),  # over a weekend
        ("2026-11-28 12:00", 8, "2026-11-30 17:00"),
        ("2026-11-24 10:00", 40, "2026-12-01 10:00"),
        ("2026-03-27 16:00", 2, "2026-03-30 10:00"),  # summer time begins on the Sunday between: nine stays nine
        ("2026-10-23 16:00", 2, "2026-10-26 10:00"),
    ],
)
def test_add(start: str, hours: int, end: str) -> None:
    assert add(at(start), hours * HOUR, OFFICE, BERLIN) == at(end)
    if hours:
        assert between(at(start), at(end), OFFICE, BERLIN) == hours * HOUR


def test_a_lunch_hour_does_not_count() -> None:
    week = parse("mon-thu 9:00-12:30 13:30-18:00, fri 9:00-15:00")
    assert add(at("2026-11-24 12:00"), HOUR, week, BERLIN) == at("2026-11-24 14:00")
    assert add(at("2026-11-27 14:00"), 2 * HOUR, week, BERLIN) == at("2026-11-30 10:00")
    assert between(at("2026-11-23 00:00"), at("2026-11-30 00:00"), week, BERLIN) == 38 * HOUR


def test_holidays_do_not_count() -> None:
    week = parse("mon-fri 9:00-17:00", "2026-12-24 2026-12-25 2026-12-26")
    assert add(at("2026-12-23 16:00"), 2 * HOUR, week, BERLIN) == at("2026-12-28 10:00")


def test_the_hour_that_summer_time_takes_is_not_worked_and_that_it_gives_back_is_worked_twice() -> None:
    week = parse("sun 0:00-6:00")
    assert between(at("2026-03-29 00:00"), at("2026-03-29 06:00"), week, BERLIN) == 5 * HOUR
    assert between(at("2026-10-25 00:00"), at("2026-10-25 06:00"), week, BERLIN) == 7 * HOUR
    assert add(at("2026-03-29 01:00"), 2 * HOUR, week, BERLIN) == at("2026-03-29 04:00")


def test_a_day_that_a_zone_left_out_is_not_worked_twice() -> None:
    """Samoa went from the 29th to the 31st of December 2011."""
    apia = ZoneInfo("Pacific/Apia")
    worked = between(at("2011-12-29 00:00", apia), at("2012-01-01 00:00", apia), parse("mon-sun 9-17"), apia)
    assert worked == 16 * HOUR


def test_where_people_work_decides() -> None:
    """Nine in Auckland is the evening before in UTC."""
    auckland = ZoneInfo("Pacific/Auckland")
    start = datetime(2026, 11, 24, 21, 0, tzinfo=UTC)  # Wednesday 10:00 there
    assert add(start, 8 * HOUR, OFFICE, auckland) == at("2026-11-26 10:00", auckland)
    assert add(start, HOUR, OFFICE, ZoneInfo("UTC")) == datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


def test_what_takes_more_than_ten_years_is_refused() -> None:
    with pytest.raises(UsageError, match="do not fit into the next ten years"):
        add(at("2026-11-24 10:00"), 1000 * HOUR, parse("mon 9:00-9:01"), BERLIN)


# --- properties ---------------------------------------------------------------------------------------------

ZONES = [ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut")]
spans = st.lists(st.integers(0, 48).map(lambda half: half * 30), min_size=2, max_size=6, unique=True).map(
    lambda edges: tuple(Span(*pair) for pair in zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False))
)
weeks = st.builds(
    Week,
    st.tuples(*[spans | st.just(())] * 7).filter(any),
    st.frozensets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=5),
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))
lengths = st.integers(0, 60 * HOUR)


def is_working(moment: datetime, week: Week, zone: ZoneInfo) -> bool:
    """Is there working time right before, or right after it?"""
    second = timedelta(seconds=1)
    return between(moment - second, moment + second, week, zone) > 0


@given(moments, lengths, weeks, st.sampled_from(ZONES))
@example(at("2026-03-29 01:30"), 0, parse("sun 2:00-3:00, mon 9-17"), BERLIN)  # an hour that there was not
def test_add_lands_in_working_time_and_between_takes_it_back(
    start: datetime, seconds: int, week: Week, zone: ZoneInfo
) -> None:
    end = add(start, seconds, week, zone)
    assert end >= start
    assert is_working(end, week, zone)
    assert between(start, end, week, zone) == seconds


@given(moments, lengths, lengths, weeks, st.sampled_from(ZONES))
def test_more_work_ends_later(start: datetime, seconds: int, more: int, week: Week, zone: ZoneInfo) -> None:
    less, longer = sorted((seconds, more))
    assert add(start, less, week, zone) <= add(start, longer, week, zone)
    assert add(start, less, week, zone) <= add(start + timedelta(seconds=more), less, week, zone)


@given(moments, weeks, st.sampled_from(ZONES))
def test_no_work_inside_working_time_is_that_moment(start: datetime, week: Week, zone: ZoneInfo) -> None:
    if is_working(start, week, zone):
        assert add(start, 0, week, zone) == start
    else:
        assert add(start, 0, week, zone) > start


@given(moments, moments, moments, weeks, st.sampled_from(ZONES))
def test_between_adds_up(one: datetime, other: datetime, third: datetime, week: Week, zone: ZoneInfo) -> None:
    first, middle, last = (moment.replace(microsecond=0) for moment in sorted((one, other, third)))
    whole = between(first, last, week, zone)
    assert between(first, middle, week, zone) + between(middle, last, week, zone) == whole
    assert between(last, first, week, zone) == 0
