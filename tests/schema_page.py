"""Writes docs/schema.md from crmmail.store.tables:

    python tests/schema_page.py > docs/schema.md

`tests/test_schema_page.py` holds the page equal to this.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator

from peewee import (
    SQL,
    BlobField,
    BooleanField,
    CompositeKey,
    Field,
    FloatField,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from crmmail.store import tables
from crmmail.store.fields import JSONText, UTCField
from crmmail.store.letters import index

TYPES: tuple[tuple[type[Field], str], ...] = (  # the first that fits
    (JSONText, "JSON"),
    (UTCField, "moment (UTC)"),
    (BooleanField, "yes/no"),
    (BlobField, "bytes"),
    (FloatField, "number"),
    (IntegerField, "whole number"),
    (TextField, "text"),
    (Field, "word"),
)


def page() -> str:
    """The whole page."""
    return "\n".join([*_head(), *(line for table in tables.TABLES for line in _table(table)), *_index()]) + "\n"


def _head() -> Iterator[str]:
    yield "# The tables"
    yield ""
    yield "<!-- Written by `python tests/schema_page.py > docs/schema.md` from crmmail/store/tables.py. -->"
    yield ""
    yield from _sentences(inspect.getdoc(tables) or "")
    yield ""
    yield "A *word* is a short text: a code, a login, an address. A *moment* is stored in UTC, as text that sorts by"
    yield "time. What may be empty says so. Numbers in columns like `id` count from 1."


def _table(table: type[tables.Table]) -> Iterator[str]:
    meta = table._meta
    yield ""
    yield f"## {meta.table_name}"
    yield ""
    # Model makes a docstring of its own for a table that has none.
    if table.__doc__ and not table.__doc__.startswith(f"{table.__name__}("):
        yield from _sentences(inspect.cleandoc(table.__doc__))
        yield ""
    yield "| column | type | may be empty | default | refers to | remark |"
    yield "|---|---|---|---|---|---|"
    remarks = _remarks(table)
    for field in meta.sorted_fields:
        yield "| " + " | ".join(_column(field, remarks.get(field.name, ""))) + " |"
    lines = list(_indexes(table))
    if lines:
        yield ""
        yield f"Indexes: {'; '.join(lines)}."


def _index() -> Iterator[str]:
    """The one table that is none of peewee's: each database has its own kind."""
    yield ""
    yield "## crm_search"
    yield ""
    first, _, contents, *_ = (inspect.getdoc(index) or "").split("\n\n")
    yield from _sentences(f"{first}\n\n{contents}")
    yield ""
    columns = ", ".join(f"`{one}`" for one in index.COLUMNS)
    yield f"SQLite: a table of FTS5 without texts; its `rowid` is the message's, its columns are {columns}."
    yield "PostgreSQL: `message_id` (key) and `document`, a tsvector in which the words of the sender are marked A."


def _column(field: Field, remark: str) -> tuple[str, ...]:
    reference = ""
    kind = field
    if isinstance(field, ForeignKeyField):
        reference = f"{field.rel_model._meta.table_name}.{field.rel_field.column_name}"
        kind = field.rel_field
        while isinstance(kind, ForeignKeyField):
            kind = kind.rel_field
    name = f"`{field.column_name}`" + (" (key)" if field.primary_key else "")
    return (
        name,
        next(words for cls, words in TYPES if isinstance(kind, cls)),
        "yes" if field.null else "",
        _default(field.default),
        reference,
        remark.replace("|", "·"),
    )


def _default(default: object) -> str:
    if default is None or isinstance(default, SQL):
        return ""
    if callable(default):
        default = default()
    if isinstance(default, bool):
        return "yes" if default else "no"
    return str(default) or '""'


def _indexes(table: type[tables.Table]) -> Iterator[str]:
    if isinstance(table._meta.primary_key, CompositeKey):
        names = (table._meta.fields[name].column_name for name in table._meta.primary_key.field_names)
        yield ", ".join(f"`{name}`" for name in names) + " (key)"
    for one in table._meta.fields_to_index():
        columns = [f"`{getattr(column, 'column_name', column)}`" for column in one._expressions]
        only = " (of some rows)" if getattr(one, "_where", None) is not None else ""
        yield ", ".join(columns) + (" (unique)" if one._unique else "") + only


def _remarks(table: type[tables.Table]) -> dict[str, str]:
    """The comment behind each column in the source."""
    source = inspect.getsource(table)
    lines = source.splitlines()
    found = {}
    for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            end = lines[(node.end_lineno or 1) - 1]
            _, hash_, words = end[node.end_col_offset :].partition("#")
            found[node.targets[0].id] = words.strip() if hash_ else ""
    return found


def _sentences(words: str) -> Iterator[str]:
    """Our two blanks behind a full stop are one in Markdown; paragraphs and lines stay."""
    yield from re.sub(r"(?<=\S)  +", " ", words).splitlines()


if __name__ == "__main__":
    print(page(), end="")
