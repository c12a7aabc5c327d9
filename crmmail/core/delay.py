"""How long before or after a moment: `2d`, `90m`, `1h30m`, `1.5h`, `1 month`, and with a minus before it, `-1d`.

Months have no fixed length, so a delay keeps them apart from its seconds.  Dates are `core.when`'s; this is what rules
and deadlines are written with, read in a few lines because a delivery may need them.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from crmmail.core.typed import NamedTuple
from crmmail.errors import UsageError

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SECONDS = {
    "m": _MINUTE, "min": _MINUTE, "minute": _MINUTE, "minutes": _MINUTE,
    "h": _HOUR, "hour": _HOUR, "hours": _HOUR,
    "d": _DAY, "day": _DAY, "days": _DAY,
    "w": 7 * _DAY, "week": 7 * _DAY, "weeks": 7 * _DAY,
}  # fmt: skip
_MONTHS = ("mo", "month", "months")
_AMOUNT = re.compile(r"\s*(\d{1,5})(?:[.,](\d))?\s*([a-z]+)", re.ASCII)
MOST = 100 * 12  # months: a century
# A day from the ends of the calendar, so that every time zone can still show them.
_FIRST, _LAST = datetime(1, 1, 2), datetime(9999, 12, 30)


class Delay(NamedTuple):
    """Both parts have the same sign; negative is before."""

    months: int = 0
    seconds: int = 0

    def __str__(self) -> str:
        months, rest = abs(self.months), abs(self.seconds)
        parts = [f"{months}mo"] if months else []
        for name, length in (("d", _DAY), ("h", _HOUR), ("m", _MINUTE)):
            amount, rest = divmod(rest, length)
            parts += [f"{amount}{name}"] if amount else []
        sign = "-" if self.months < 0 or self.seconds < 0 else ""
        return sign + ("".join(parts) or "0m")


def parse(words: str) -> Delay:
    """The delay that `words` mean; a bare `0` is none.

    Raises:
        UsageError: they are no delay, or a longer one than a century.
    """
    said = words.strip().lower()
    sign = -1 if said.startswith(("-", "−")) else 1
    rest = said[1:].strip() if said.startswith(("+", "-", "−")) else said
    months = seconds = at = 0
    while amount := _AMOUNT.match(rest, at):
        whole, tenths, unit = amount.groups()
        if unit in _MONTHS and tenths is None:
            months += int(whole)
        elif unit in _SECONDS and not int(tenths or 0) * _SECONDS[unit] % (10 * _MINUTE):  # whole minutes
            seconds += int(whole) * _SECONDS[unit] + int(tenths or 0) * _SECONDS[unit] // 10
        else:
            break
        at = amount.end()
    if not rest or (at < len(rest) and rest != "0"):
        raise UsageError(f"{words!r} is no delay: write 30m, 3h, 2d, 1w, 1mo or 1h30m, with a minus for before")
    if months > MOST or seconds > MOST * 30 * _DAY:
        raise UsageError(f"{words!r} is longer than a century")
    return Delay(sign * months, sign * seconds)


def after(moment: datetime, delay: Delay) -> datetime:
    """The moment a delay later: the same day of another month, or its last (31 January + 1mo is 28 February).

    Beyond the years that a date can have, it is their first or last day.
    """
    first, last = _FIRST.replace(tzinfo=moment.tzinfo), _LAST.replace(tzinfo=moment.tzinfo)
    year, month = divmod(moment.year * 12 + moment.month - 1 + delay.months, 12)
    try:
        if delay.months:
            moment = moment.replace(year=year, month=month + 1, day=min(moment.day, _days_of(year, month + 1)))
        return min(max(moment + timedelta(seconds=delay.seconds), first), last)
    except (ValueError, OverflowError):
        return first if delay.months < 0 or delay.seconds < 0 else last


def _days_of(year: int, month: int) -> int:
    """How many days a month has: `calendar` knows too, and costs a delivery its import."""
    if month == 12:
        return 31
    return (date(year, month + 1, 1) - timedelta(days=1)).day
