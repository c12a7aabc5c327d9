"""Dates as people type them, and as we show them.

`parse` reads what stands on a command line: ISO 8601, DD.MM.YYYY, `today`, `tomorrow 9:00`, `friday`, `+3d`; in
English, Russian and French.  A date means the midnight where it begins, or for a deadline its last minute; a time is
the wall clock, in the zone of `now`; an answer is in UTC.  03/04/2026 is March in one country and April in another, so
it is refused until the settings say which.
`ago` and `iso` write.  Every refusal is a ValueError with the sentence for the user.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from crmmail.core.pattern import pattern

_DAYS = {
    "today": 0, "tomorrow": 1, "yesterday": -1,
    "сегодня": 0, "завтра": 1, "послезавтра": 2, "вчера": -1, "позавчера": -2,
    "aujourd'hui": 0, "demain": 1, "après-demain": 2, "apres-demain": 2, "hier": -1, "avant-hier": -2,
}  # fmt: skip
_WEEKDAYS = {
    word: number
    for number, words in enumerate(
        (
            "monday mon понедельник пн lundi lun",
            "tuesday tue tues вторник вт mardi mar",
            "wednesday wed среда среду ср mercredi mer",
            "thursday thu thur thurs четверг чт jeudi jeu",
            "friday fri пятница пятницу пт vendredi ven",
            "saturday sat суббота субботу сб samedi sam",
            "sunday sun воскресенье вс dimanche dim",
        )
    )
    for word in words.split()
}
# Seconds of a unit; a month is no number of seconds and only `+1month` knows it.
_SECONDS = {
    word: seconds
    for seconds, words in (
        (1, "s sec secs second seconds с сек секунда секунды секунд seconde secondes"),
        (60, "m min mins minute minutes м мин минута минуту минуты минут"),
        (3600, "h hr hrs hour hours ч час часа часов heure heures"),
        (86400, "d day days д день дня дней дн j jour jours"),
        (604800, "w week weeks н нед неделя неделю недели недель sem semaine semaines"),
    )
    for word in words.split()
}
_MONTHS = frozenset("mo month months мес месяц месяца месяцев mois".split())
# Words between that mean nothing: "on Friday at 9:00", "le 5 à 9h".
_FILLERS = frozenset("at on next в во на à a le ce prochain".split())
_FUTURE, _PAST = ("+", "in ", "через ", "dans "), ("-", "−", "il y a ")
_AGO = (" ago", " назад")
_AMOUNT = pattern(r"(\d{1,6}(?:[.,]\d{1,3})?)\s?([^\W\d_]+)\s?")
_CLOCK = pattern(r"(\d{1,2})(?:[:.hч](\d\d))?(?::(\d\d))?\s?(am|pm|h|ч)?\Z")
_DOTTED = pattern(r"(\d{1,2})\.(\d{1,2})\.(\d{4}|\d\d)\Z")
_SLASHED = pattern(r"(\d{1,2})/(\d{1,2})/(\d{4})\Z")
_ISO = pattern(r"\d{4}-\d\d-\d\d(?:[t ]\d\d(?::\d\d){1,2}(?:[.,]\d{1,6})?\s?(?:z|[+-]\d\d(?::?\d\d)?)?)?\Z")
_EXAMPLES = "write 2026-11-24, 24.11.2026, tomorrow 9:00, friday or +3d"
FIRST_YEAR, LAST_YEAR = 1970, 9000  # as of $CRMMAIL_NOW: near the ends of the calendar no time can be added
_LAST = time(23, 59)  # minute of a day
_SHORT_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def parse(words: str, now: datetime, *, day_first_slash: bool | None = None, end_of_day: bool = False) -> datetime:
    """The moment that `words` mean, in UTC.  `now` is aware, in the user's zone (a ZoneInfo, so that it knows summer).

    A weekday is the next such day after today.  `+3d` keeps the time on the wall, `+2h` is two hours later whatever the
    wall says.  `day_first_slash`: 03/04/2026 is 3 April (True), March 4 (False), or refused (None).  `end_of_day`: what
    is due `friday` may be done all Friday, so a day without a time is its last minute.

    >>> parse("tomorrow 9:00", datetime(2026, 11, 24, 10, tzinfo=UTC)).isoformat()
    '2026-11-25T09:00:00+00:00'
    """
    said = " ".join(words[:100].split()).lower().replace("’", "'")
    slashed = next(filter(None, map(_SLASHED.match, said.split())), None)
    if slashed and day_first_slash is None:
        first, second, year = slashed.groups()
        raise ValueError(
            f"'{slashed[0]}' can be two days: write {year}-{second:0>2}-{first:0>2} or {year}-{first:0>2}-{second:0>2}."
        )
    try:
        moment = _shifted(said, now) or _iso(said, now) or _day_and_clock(said, now, bool(day_first_slash), end_of_day)
        moment = moment and moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"'{said}' is on no calendar or clock: {_EXAMPLES}.") from None
    if moment is None:
        raise ValueError(f"'{said}' is no date that I can read: {_EXAMPLES}.")
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"'{said}' is in the year {moment.year}: write a date from {FIRST_YEAR} to {LAST_YEAR}.")
    return moment


def ago(then: datetime, now: datetime) -> str:
    """`then` for a reader at `now`, whose zone it is told in: relative under 7 days, else the ISO date.

    What lies ahead is "in 2 h" or "tomorrow 09:00", then a date: a weekday alone could be taken for the last one.
    """
    local = then.astimezone(now.tzinfo)
    minutes = int((now - then).total_seconds() // 60)
    days = (now.date() - local.date()).days
    if minutes in (-1, 0):
        return "now"
    if abs(minutes) < 60 or days == 0:
        distance = f"{abs(minutes)} min" if abs(minutes) < 60 else f"{abs(minutes) // 60} h"
        return f"{distance} ago" if minutes > 0 else f"in {distance}"
    if days in (1, -1):
        return f"{'yesterday' if days == 1 else 'tomorrow'} {local:%H:%M}"
    return f"{_SHORT_DAYS[local.weekday()]} {local:%H:%M}" if 1 < days < 7 else local.date().isoformat()


def minute(then: datetime, now: datetime) -> str:
    """`2026-11-24 09:00` on the clock of a reader at `now`: for deadlines, whose day nobody may mistake."""
    return f"{then.astimezone(now.tzinfo):%Y-%m-%d %H:%M}"


def iso(moment: datetime) -> str:
    """`2026-11-24T10:00:00Z`: how every date leaves for a program.  `moment` is aware."""
    if moment.tzinfo is None:
        raise ValueError("A date without a zone is nobody's: this is a bug of crmmail.")
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _shifted(said: str, now: datetime) -> datetime | None:
    """`+3d`, `-2h`, `+1month`, `in 3 days`, `3 days ago`, `now`."""
    if said == "now":
        return now
    sign = 1 if said.startswith(_FUTURE) else -1 if said.startswith(_PAST) or said.endswith(_AGO) else 0
    if not sign:
        return None
    for sign_word in _FUTURE + _PAST:
        said = said.removeprefix(sign_word)
    for sign_word in _AGO:
        said = said.removesuffix(sign_word)
    said = said.strip()
    months = _AMOUNT.fullmatch(said)
    if months and months[2] in _MONTHS:
        return _months_later(now, sign * int(months[1]))
    length = _length(said)
    if length is None:
        return None
    if length % timedelta(days=1):
        return now.astimezone(UTC) + sign * length
    return now + sign * length  # whole days: Python moves the wall clock


def _months_later(now: datetime, months: int) -> datetime:
    """The same day of another month, or its last: 31 January + 1 month is 28 February."""
    year, month = divmod(now.year * 12 + now.month - 1 + months, 12)
    following = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    last = (following - timedelta(days=1)).day
    return now.replace(year=year, month=month + 1, day=min(now.day, last))


def _length(said: str) -> timedelta | None:
    """How long `2d`, `1h30m`, `3 days` or `1.5 h` is; m is minutes.  None: that is no length, and a month is none."""
    seconds, at = 0.0, 0
    while at < len(said):
        amount = _AMOUNT.match(said, at)
        if not amount or amount[2] not in _SECONDS:
            return None
        seconds += float(amount[1].replace(",", ".")) * _SECONDS[amount[2]]
        at = amount.end()
    return timedelta(seconds=seconds) if said else None


def _iso(said: str, now: datetime) -> datetime | None:
    """A day and a time; a day alone is like other words for one."""
    if not _ISO.match(said) or len(said) == len("2026-11-24"):
        return None
    moment = datetime.fromisoformat(said.replace("t", " ").replace(",", ".").replace(" z", "z").upper())
    return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)


def _day_and_clock(said: str, now: datetime, day_first: bool, end_of_day: bool) -> datetime | None:
    """A day, a time, or both in any order."""
    words = [word for word in said.replace(",", " ").split() if word not in _FILLERS]
    for day_said, clock_said in ((words[:1], words[1:]), (words[-1:], words[:-1]), ([], words)):
        day = _day(day_said[0], now.date(), day_first) if day_said else now.date()
        clock = _clock(" ".join(clock_said), alone=not day_said) if clock_said else _LAST if end_of_day else time()
        if words and day and clock:
            return datetime.combine(day, clock, now.tzinfo)
    return None


def _day(said: str, today: date, day_first: bool) -> date | None:
    if said in _DAYS:
        return today + timedelta(days=_DAYS[said])
    if said in _WEEKDAYS:
        return today + timedelta(days=(_WEEKDAYS[said] - today.weekday() - 1) % 7 + 1)
    if _ISO.match(said):
        return date.fromisoformat(said[:10])
    numbers = _DOTTED.match(said) or _SLASHED.match(said)
    if not numbers:
        return None
    day, month, year = map(int, numbers.groups())
    if "/" in said and not day_first:
        day, month = month, day
    return date(year + 2000 if year < 100 else year, month, day)


def _clock(said: str, *, alone: bool) -> time | None:
    """`9:00`, `9h30`, `9 pm`, and behind a day also `9`."""
    read = _CLOCK.match(said)
    if not read or (alone and said.isdigit()):
        return None
    hour, half = int(read[1]), read[4] or ""
    if half in ("am", "pm"):
        if not 1 <= hour <= 12:
            raise ValueError(said)
        hour = hour % 12 + 12 * (half == "pm")
    return time(hour, int(read[2] or 0), int(read[3] or 0))
