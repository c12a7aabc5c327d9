"""What all tables share."""

from __future__ import annotations

from typing import Any

from peewee import DatabaseProxy, Model

from crmmail.store.fields import Word

database = DatabaseProxy()


class Table(Model):
    class Meta:
        database = database
        legacy_table_names = False


def word(**options: Any) -> Word:
    """A short text: a code, a login, a state."""
    return Word(max_length=255, **options)
