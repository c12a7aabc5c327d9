"""Working time: the hours of the week in which somebody works, and moments counted in them.

    mon-fri 9:00-17:00
    mon-thu 9:00-12:30 13:30-18:00, fri 9:00-15:00
    sat, sun 10:00-14:00

Hours are those of the wall clock where people work, so nine o'clock is nine o'clock in winter and in summer; what is
counted are seconds that really pass.  A night's work is written as two spans, one before and one after midnight.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise

from crmmail.core.typed import NamedTuple
from crmmail.errors import UsageError

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
FARTHEST = 10 * 366  # days that `add` looks ahead
_CLOCK = r"(\d{1,2})(?::(\d\d))?"
_SPAN = re.compile(rf"{_CLOCK}-{_CLOCK}", re.ASCII)
_WHOLE_DAY = 24 * 60


class Span(NamedTuple):
    """From a minute of the day to another, counted from midnight; the last is 24:00."""

    start: int
    end: int


class Week(NamedTuple):
    """Monday to Sunday: the spans of each day, in order.  Holidays have none, whatever day they are."""

    days: tuple[tuple[Span, ...], ...]
    holidays: frozenset[date] = frozenset()


# --- reading ------------------------------------------------------------------------------------------------


def parse(hours: str, holidays: str = "") -> Week:
    """The week that the words mean.

    Args:
        holidays: ISO dates, separated by blanks.

    Raises:
        UsageError: with the sentence what is wrong, and how it is written.
    """
    days: dict[int, tuple[Span, ...]] = {}
    waiting: list[int] = []  # days named before their hours: `sat, sun 10:00-14:00`
    for part in hours.lower().replace("–", "-").split(","):
        named = [word for word in part.split() if not word[0].isdigit()]
        spans = [_span(word, hours) for word in part.split() if word[0].isdigit()]
        for word in named:
            waiting += _days(word, hours)
        if not spans:
            continue
        for day in waiting:
            if day in days:
                raise _wrong(hours, f"{DAYS[day]} is named twice")
            days[day] = _in_order(spans, hours)
        if not waiting:
            raise _wrong(hours, "hours stand before their day")
        waiting = []
    if waiting or not days:
        raise _wrong(hours, f"{DAYS[waiting[0]]} has no hours" if waiting else "there is no day in it")
    return Week(tuple(days.get(day, ()) for day in range(7)), frozenset(map(_holiday, holidays.split())))


def _days(word: str, hours: str) -> list[int]:
    """`mon-fri` → [0, 1, 2, 3, 4]; `sat-mon` goes round the end of the week."""
    first, dash, last = word.partition("-")
    start, end = _day(first, hours), _day(last if dash else first, hours)
    return [(start + step) % 7 for step in range((end - start) % 7 + 1)]


def _day(word: str, hours: str) -> int:
    for number, name in enumerate(DAYS):
        if len(word) >= 3 and name.startswith(word):
            return number
    raise _wrong(hours, f"{word!r} is no day")


def _span(word: str, hours: str) -> Span:
    """`9:00-17:30`, `9-17`."""
    read = _SPAN.fullmatch(word)
    if read is None:
        raise _wrong(hours, f"{word!r} is no time from – to")
    start, end = (int(read[at]) * 60 + int(read[at + 1] or 0) for at in (1, 3))
    if any(int(read[at] or 0) > 59 for at in (2, 4)) or end > _WHOLE_DAY:
        raise _wrong(hours, f"{word!r} is on no clock")
    if start >= end:
        raise _wrong(hours, f"{word!r} ends before it begins; a night is two spans, until 24:00 and from 0:00")
    return Span(start, end)


def _in_order(spans: list[Span], hours: str) -> tuple[Span, ...]:
    found = sorted(spans)
    for one, following in pairwise(found):
        if following.start < one.end:
            raise _wrong(hours, "two times of one day overlap")
    return tuple(found)


def _holiday(word: str) -> date:
    try:
        return date.fromisoformat(word)
    except ValueError:
        raise UsageError(f"{word!r} is no holiday: write its date, like 2026-12-25") from None


def _wrong(hours: str, why: str) -> UsageError:
    return UsageError(f"{hours!r} are no working hours: {why}; write mon-thu 9:00-12:30 13:30-18:00, fri 9:00-15:00")


# --- counting -----------------------------------------------------------------------------------------------


def add(start: datetime, seconds: int, week: Week, zone: tzinfo | None) -> datetime:
    """The moment at which `seconds` of working time have passed since `start`.

    It lies within working time, or at the very end of a span; outside of it the clock starts with the next span.

    Args:
        start: aware; so is the answer, in UTC.
        zone: where people work; None: the zone of this machine.

    Raises:
        UsageError: that much work does not fit into the next ten years.
    """
    left = timedelta(seconds=seconds)
    first = start.astimezone(zone).date()
    for begin, end in _spans(first, first + timedelta(days=FARTHEST), week, zone):
        if end < start:
            continue
        begin = max(begin, start.astimezone(UTC))
        if left <= end - begin:
            return begin + left
        left -= end - begin
    raise UsageError(f"{seconds // 3600} hours of working time do not fit into the next ten years")


def _spans(first: date, last: date, week: Week, zone: tzinfo | None) -> Iterator[tuple[datetime, datetime]]:
    """The working time of some days in UTC, in order and without overlap."""
    done = datetime.min.replace(tzinfo=UTC)
    # Where a zone leaves a whole day out, its hours fall on the next; beginning before it, we see that.
    day = first - timedelta(days=2)
    while day <= last:
        for span in () if day in week.holidays else week.days[day.weekday()]:
            begin, end = max(done, _moment(day, span.start, zone)), _moment(day, span.end, zone)
            if begin < end:  # a span may lie in the hour that summer time leaves out
                yield begin, end
                done = end
        day += timedelta(days=1)


def _moment(day: date, minute: int, zone: tzinfo | None) -> datetime:
    """A time on the wall in UTC: of an hour that comes twice the first, of one that is left out an hour later."""
    if minute == _WHOLE_DAY:
        day, minute = day + timedelta(days=1), 0
    return datetime.combine(day, time(minute // 60, minute % 60), zone).astimezone(UTC)
