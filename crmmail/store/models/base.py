"""What all tables share."""

from __future__ import annotations

from typing import Any

from peewee import CharField, DatabaseProxy, Model

database = DatabaseProxy()


class Table(Model):
    class Meta:
        database = database
        legacy_table_names = False


def word(**options: Any) -> CharField:
    """A short text: a code, a login, a state."""
    return CharField(max_length=255, **options)
