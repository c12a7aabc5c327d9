"""What all tables share."""

from __future__ import annotations

from peewee import DatabaseProxy, Model

from crmmail.core.typed import Any
from crmmail.store.fields import Word

database = DatabaseProxy()


class Table(Model):
    class Meta:
        database = database
        legacy_table_names = False


def word(**options: Any) -> Word:
    """A short text: a code, a login, a state."""
    return Word(max_length=255, **options)


def some(table: type[Table], name: str, *columns: Any, unique: bool = False, filled: Any = None) -> None:
    """Gives a table an index of those rows only in which a column (the last one, unless another is named) has
    something.  A letter then writes nothing into the indexes of what it has not."""
    filled = columns[-1] if filled is None else filled
    table.add_index(table.index(*columns, name=name, unique=unique, where=filled.is_null(False)))
