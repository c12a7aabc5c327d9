"""How long before or after a moment: `2d`, `90m`, `1h30m`, `1 month`, and with a minus before it, `-1d`.

Months have no fixed length, so a delay keeps them apart from its seconds.  Dates are `core.when`'s; this is what rules
and deadlines are written with, read in a few lines because a delivery may need them.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import NamedTuple

from crmmail.errors import UsageError

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SECONDS = {
    "m": _MINUTE, "min": _MINUTE, "minute": _MINUTE, "minutes": _MINUTE,
    "h": _HOUR, "hour": _HOUR, "hours": _HOUR,
    "d": _DAY, "day": _DAY, "days": _DAY,
    "w": 7 * _DAY, "week": 7 * _DAY, "weeks": 7 * _DAY,
}  # fmt: skip
_MONTHS = ("mo", "month", "months")
_AMOUNT = re.compile(r"\s*(\d{1,5})\s*([a-z]+)", re.ASCII)
MOST = 100 * 12  # months: a century


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
    rest = said.lstrip("+-−").strip()
    months = seconds = at = 0
    while at < len(rest):
        amount = _AMOUNT.match(rest, at)
        if not amount or (amount[2] not in _SECONDS and amount[2] not in _MONTHS):
            break
        if amount[2] in _MONTHS:
            months += int(amount[1])
        else:
            seconds += int(amount[1]) * _SECONDS[amount[2]]
        at = amount.end()
    if not rest or (at < len(rest) and rest != "0"):
        raise UsageError(f"{words!r} is no delay: write 30m, 3h, 2d, 1w, 1mo or 1h30m, with a minus for before")
    if months > MOST or seconds > MOST * 30 * _DAY:
        raise UsageError(f"{words!r} is longer than a century")
    return Delay(sign * months, sign * seconds)


def after(moment: datetime, delay: Delay) -> datetime:
    """The moment a delay later: the same day of another month, or its last (31 January + 1mo is 28 February)."""
    if delay.months:
        year, month = divmod(moment.year * 12 + moment.month - 1 + delay.months, 12)
        following = date(year + (month == 11), (month + 1) % 12 + 1, 1)
        moment = moment.replace(year=year, month=month + 1, day=min(moment.day, (following - timedelta(days=1)).day))
    return moment + timedelta(seconds=delay.seconds)
