"""Two column types of our own: moments in UTC, and small values as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from peewee import Field, TextField

_FIRST, _LAST = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)


class UTCField(Field):
    """An aware datetime, stored in UTC without a zone, with microseconds always there so that text sorts by time.

    Raises ValueError for a naive value: a moment of unknown zone must not get into the store.  What is in it at the
    very ends of the calendar is read as some days away from them, or no other time zone could show it.
    """

    field_type = "DATETIME"

    def db_value(self, value: datetime | None) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")

    def python_value(self, value: Any) -> datetime | None:
        if value is None:
            return None
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=UTC)
        return moment if 1 < moment.year < 9999 else min(max(moment, _FIRST), _LAST)


class JSONText(TextField):
    """Lists, dicts and plain values, as JSON text.

    Text that is no JSON is read as it stands, for one row that somebody wrote by hand must not hide the others.
    """

    def db_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def python_value(self, value: str | None) -> Any:
        try:
            return None if value is None else json.loads(value)
        except (ValueError, RecursionError):
            return value
