"""Two column types of our own: moments in UTC, and small values as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from peewee import Field, TextField


class UTCField(Field):
    """An aware datetime, stored in UTC without a zone, with microseconds always there so that text sorts by time.

    Raises ValueError for a naive value: a moment of unknown zone must not get into the store.
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
        return moment.replace(tzinfo=UTC)


class JSONText(TextField):
    """Lists, dicts and plain values, as JSON text."""

    def db_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def python_value(self, value: str | None) -> Any:
        return None if value is None else json.loads(value)
