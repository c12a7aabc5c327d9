"""Delays as rules are written with them: what they mean, how they are written, and what lies beyond the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmail.core.delay import MOST, Delay, after, parse
from crmmail.errors import UsageError

MINUTE, HOUR, DAY = 60, 3600, 86_400


@pytest.mark.parametrize(
    ("words", "delay"),
    [
        ("0", Delay()),
        ("30m", Delay(0, 30 * MINUTE)),
        ("30 min", Delay(0, 30 * MINUTE)),
        ("90 minutes", Delay(0, 90 * MINUTE)),
        ("3h", Delay(0, 3 * HOUR)),
        ("1h30m", Delay(0, 90 * MINUTE)),
        ("1.5h", Delay(0, 90 * MINUTE)),
        ("0,5 d", Delay(0, 12 * HOUR)),
        ("1d 12 hours", Delay(0, 36 * HOUR)),
        ("2D", Delay(0, 2 * DAY)),
        (" 1 week ", Delay(0, 7 * DAY)),
        ("+2d", Delay(0, 2 * DAY)),
        ("-1d", Delay(0, -DAY)),
        ("- 1h30m", Delay(0, -90 * MINUTE)),
        ("−1d", Delay(0, -DAY)),
        ("1mo", Delay(1, 0)),
        ("1 month", Delay(1, 0)),
        ("-2 months 3d", Delay(-2, -3 * DAY)),
        ("1200mo", Delay(MOST, 0)),
    ],
)
def test_a_delay_in_words(words: str, delay: Delay) -> None:
    assert parse(words) == delay


@pytest.mark.parametrize(
    "words",
    [
        "",
        " ",
        "-",
        "2",
        "d",
        "2x",
        "2d3",
        "1d-2h",
        "--1d",
        "+-1d",
        "1.55h",
        "0.5m",
        "1.5mo",
        "1..5h",
        "٣d",
        "²d",
        "1e3m",
    ],
)
def test_no_delay(words: str) -> None:
    with pytest.raises(UsageError, match="is no delay: write 30m, 3h, 2d, 1w, 1mo or 1h30m, with a minus for before"):
        parse(words)


@pytest.mark.parametrize("words", ["1201mo", "99999w", "-99999d"])
def test_longer_than_a_century(words: str) -> None:
    with pytest.raises(UsageError, match="is longer than a century"):
        parse(words)


@pytest.mark.parametrize(
    ("delay", "words"),
    [
        (Delay(), "0m"),
        (Delay(0, 90 * MINUTE), "1h30m"),
        (Delay(0, -7 * DAY), "-7d"),
        (Delay(14, 0), "14mo"),
        (Delay(-1, -HOUR), "-1mo1h"),
    ],
)
def test_a_delay_is_written(delay: Delay, words: str) -> None:
    assert str(delay) == words


delays = st.builds(
    lambda months, minutes, sign: Delay(sign * months, sign * minutes * MINUTE),
    st.integers(0, MOST), st.integers(0, 99_999), st.sampled_from((1, -1)),
)  # fmt: skip


@given(delays)
def test_what_is_written_can_be_read(delay: Delay) -> None:
    assert parse(str(delay)) == delay


@pytest.mark.parametrize(
    ("moment", "words", "later"),
    [
        ("2026-11-24T10:00", "2d", "2026-11-26T10:00"),
        ("2026-11-24T10:00", "-30m", "2026-11-24T09:30"),
        ("2026-01-31T10:00", "1mo", "2026-02-28T10:00"),
        ("2024-01-31T10:00", "1mo", "2024-02-29T10:00"),
        ("2026-03-31T10:00", "-1mo", "2026-02-28T10:00"),
        ("2026-12-31T10:00", "2mo", "2027-02-28T10:00"),
        ("2026-11-30T10:00", "1mo", "2026-12-30T10:00"),
        ("2026-01-15T10:00", "-1mo", "2025-12-15T10:00"),
        ("2026-01-31T23:00", "1mo2h", "2026-03-01T01:00"),
        ("2026-05-31T00:00", "1200mo", "2126-05-31T00:00"),
    ],
)
def test_a_delay_later(moment: str, words: str, later: str) -> None:
    base = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert after(base, parse(words)) == datetime.fromisoformat(later).replace(tzinfo=UTC)


@given(st.datetimes(timezones=st.just(UTC)), delays)
def test_no_date_is_too_far(moment: datetime, delay: Delay) -> None:
    later = after(moment, delay)
    assert later.tzinfo is UTC
    assert (later >= moment) if delay >= Delay() else (later <= moment)


@pytest.mark.parametrize("zone", [timezone(timedelta(hours=hours)) for hours in (-14, 0, 14)])
def test_what_leaves_the_calendar_stays_where_every_zone_can_show_it(zone: timezone) -> None:
    for moment in (datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)):
        for delay in (
            Delay(-1200),
            Delay(1200),
            Delay(0, -1200 * 30 * 86_400),
            Delay(0, 1200 * 30 * 86_400),
            Delay(0, 1),
        ):
            assert after(moment, delay).astimezone(zone) == after(moment, delay)
