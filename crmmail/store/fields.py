"""The column types of our own: text that every database takes, moments in UTC, and small values as JSON.

Whatever door a value came through, this is the last one: here, and nowhere else, text loses what is no text, and a
moment becomes UTC.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from peewee import CharField, Field, TextField

_FIRST, _LAST = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)


SLICE = 1 << 20  # characters that are looked at together


def plain(text: str) -> str:
    """`text` without NUL and half characters (lone surrogates), which PostgreSQL and UTF-8 refuse; each is U+FFFD.

    Most text has none, and then this is a look at it, without a copy of a big one.
    """
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        for start in range(0, len(text), SLICE):
            text[start : start + SLICE].encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    return text


class Text(TextField):
    """Text of any length."""

    def adapt(self, value: Any) -> str:
        return plain(super().adapt(value))


class Word(CharField):
    """A short text."""

    def adapt(self, value: Any) -> str:
        return plain(super().adapt(value))


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


class JSONText(Text):
    """Lists, dicts and plain values, as JSON text.

    Text that is no JSON is read as it stands, for one row that somebody wrote by hand must not hide the others.
    """

    def db_value(self, value: Any) -> str | None:
        if value is None:
            return None
        written = _json(value)
        if "\\u0000" in written:  # NUL in other clothes
            written = _json(_plain_values(value))
        return plain(written)

    def python_value(self, value: str | None) -> Any:
        try:
            return None if value is None else json.loads(value)
        except (ValueError, RecursionError):
            return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _plain_values(value: Any) -> Any:
    """The same lists and dicts, with plain text in them."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {_plain_values(key): _plain_values(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_values(one) for one in value]
    return value
