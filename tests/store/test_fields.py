"""The two column types of our own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmail.store.fields import JSONText, UTCField

MOSCOW = ZoneInfo("Europe/Moscow")
moments = st.datetimes(
    min_value=datetime(2, 1, 1),
    max_value=datetime(9998, 12, 31),
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@pytest.mark.parametrize(
    ("moment", "stored"),
    [
        (datetime(2026, 11, 24, 10, 0, tzinfo=UTC), "2026-11-24 10:00:00.000000"),
        (datetime(2026, 11, 24, 10, 0, tzinfo=MOSCOW), "2026-11-24 07:00:00.000000"),
        (datetime(2026, 1, 1, 2, 30, 0, 5, tzinfo=timezone(timedelta(hours=3))), "2025-12-31 23:30:00.000005"),
        (datetime(33, 1, 1, tzinfo=UTC), "0033-01-01 00:00:00.000000"),
        (None, None),
    ],
)
def test_a_moment_is_stored_in_utc(moment: datetime | None, stored: str | None) -> None:
    assert UTCField().db_value(moment) == stored


@pytest.mark.parametrize("stored", ["0001-01-01 00:00:00.000000", "9999-12-31 23:59:59.999999"])
def test_the_ends_of_the_calendar_can_be_shown_everywhere(stored: str) -> None:
    moment = UTCField().python_value(stored)
    assert moment is not None
    for hours in (-23, 23):
        assert abs(moment.astimezone(timezone(timedelta(hours=hours))) - moment) == timedelta()


@pytest.mark.parametrize("words", ["no json", "[" * 5000, "{"])
def test_text_that_is_no_json_is_read_as_it_stands(words: str) -> None:
    assert JSONText().python_value(words) == words


def test_a_moment_of_unknown_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        UTCField().db_value(datetime(2026, 11, 24, 10, 0))


@pytest.mark.parametrize(
    ("stored", "moment"),
    [
        ("2026-11-24 10:00:00.000000", datetime(2026, 11, 24, 10, 0, tzinfo=UTC)),
        ("2026-11-24 10:00:00", datetime(2026, 11, 24, 10, 0, tzinfo=UTC)),
        (datetime(2026, 11, 24, 10, 0), datetime(2026, 11, 24, 10, 0, tzinfo=UTC)),
        (None, None),
    ],
)
def test_what_was_stored_comes_back_aware(stored: object, moment: datetime | None) -> None:
    found = UTCField().python_value(stored)
    assert found == moment
    assert found is None or found.tzinfo is UTC


@given(moments)
def test_round_trip(moment: datetime) -> None:
    field = UTCField()
    assert field.python_value(field.db_value(moment)) == moment


@given(moments, moments)
def test_text_sorts_by_time(one: datetime, other: datetime) -> None:
    field = UTCField()
    assert (field.db_value(one) < field.db_value(other)) == (one < other)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        ([], "[]"),
        ({}, "{}"),
        (["a", 1, None, True], '["a",1,null,true]'),
        ({"title": "Принтер"}, '{"title":"Принтер"}'),
        ("", '""'),
        (0, "0"),
    ],
)
def test_json(value: object, stored: str | None) -> None:
    assert JSONText().db_value(value) == stored
    assert JSONText().python_value(stored) == value
