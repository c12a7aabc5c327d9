"""The column types of our own, for peewee: what `values` says of text, moments and JSON."""

from __future__ import annotations

from datetime import datetime

from peewee import CharField, Field, TextField

from crmmail.core.typed import Any
from crmmail.store.engine import values
from crmmail.store.engine.values import plain


class Text(TextField):
    """Text of any length."""

    def adapt(self, value: Any) -> str:
        return plain(super().adapt(value))


class Word(CharField):
    """A short text."""

    def adapt(self, value: Any) -> str:
        return plain(super().adapt(value))


class UTCField(Field):
    """An aware datetime, stored in UTC.  Raises ValueError for a naive one."""

    field_type = "DATETIME"

    def db_value(self, value: datetime | None) -> Any:
        return None if value is None else values.written(value)

    def python_value(self, value: Any) -> datetime | None:
        found: datetime | None = values.moment(value)
        return found


class JSONText(Text):
    """Lists, dicts and plain values, as JSON text."""

    def db_value(self, value: Any) -> str | None:
        return None if value is None else values.json(value)

    def python_value(self, value: str | None) -> Any:
        return values.unjson(value)
