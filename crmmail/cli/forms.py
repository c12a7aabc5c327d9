"""The forms that programs read.  Held by golden tests: scripts stand on them.

    tsv      a record a line, tabs between, no header unless asked for, nothing cut, ISO dates in UTC
    json     one array of objects; every key there, null where there is nothing
    jsonl    an object a line
    csv      with a header; words that a spreadsheet would run begin with '
    ids      the number (the first column, where rows have none) a line, for `crmmail close -`

Each function takes rows (key → plain value) and gives their text.  All words are cleaned here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import Enum
from math import inf

from crmmail.core.text import clean, csv_cell, one_line
from crmmail.core.typed import Any

_CELL_END = re.compile(r'[,;\t|"\n]|^\s|\s$')

FORMS = ("table", "tsv", "json", "jsonl", "csv", "ids")

Row = Mapping[str, Any]


def iso(moment: datetime) -> str:
    """2026-11-24T10:00:00Z."""
    from crmmail.core import when  # its tables of words are read only where there is a date

    return when.iso(moment)


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: words cleaned, dates ISO, spans in seconds, sets sorted."""
    match value:
        case None | bool() | int() | float() if not isinstance(value, Enum):
            return None if value in (inf, -inf) or value != value else value  # JSON has no endless numbers
        case Enum():
            return plain(value.value)
        case str():
            return clean(value)
        case datetime():
            return iso(value)
        case date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Mapping():
            return {clean(str(key)): plain(entry) for key, entry in value.items()}
        case set() | frozenset():
            return sorted((plain(entry) for entry in value), key=str)
        case list() | tuple():
            return [plain(entry) for entry in value]
    return clean(str(value))


def words(value: Any) -> str:
    """`value` in a cell, not cleaned yet: what is inside a list or a {"id", "name"} is named."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return iso(value)
        case date():
            return value.isoformat()
        case Mapping():
            return words(next((value[key] for key in ("name", "title", "id") if value.get(key) is not None), None))
        case list() | tuple() | set() | frozenset():
            listed = [words(entry) for entry in value]
            return ", ".join(listed if isinstance(value, list | tuple) else sorted(listed))
        case Enum():
            return words(value.value)
    return str(value)


def tsv(rows: Sequence[Row], keys: Sequence[str], header: bool = False) -> str:
    """`keys` of each row, in this order."""
    lines = [[one_line(words(row.get(key))) for key in keys] for row in rows]
    return "".join("\t".join(line) + "\n" for line in ([[*map(one_line, keys)], *lines] if header else lines))


def json(value: Any) -> str:
    """`value` (rows, or a mapping of a show) as indented JSON."""
    from json import dumps

    return dumps(plain(value), indent=2, ensure_ascii=False) + "\n"


def json_parts(parts: Iterable[Iterable[Any]]) -> Iterator[str]:
    """What `json` makes of all rows together, a part at a time."""
    from json import dumps

    before = "[\n"
    for part in parts:
        for value in part:
            lines = dumps(plain(value), indent=2, ensure_ascii=False).replace("\n", "\n  ")
            yield f"{before}  {lines}"
            before = ",\n"
    yield "[]\n" if before[0] == "[" else "\n]\n"


def jsonl(values: Iterable[Any]) -> str:
    """An object a line."""
    from json import dumps

    return "".join(dumps(plain(value), ensure_ascii=False) + "\n" for value in values)


def csv(rows: Sequence[Row], keys: Sequence[str], header: bool = True) -> str:
    """RFC 4180 but for the line end, which is ours."""
    head = [[_quoted(csv_cell(one_line(key))) for key in keys]] if header else []
    lines = [[_csv_value(row.get(key)) for key in keys] for row in rows]
    return "".join((",".join(line) or '""') + "\n" for line in [*head, *lines])


def ids(rows: Sequence[Row], key: str) -> str:
    """What stands under `key` in each row; rows that have nothing there are left out."""
    found = (row.get(key) for row in rows)
    return "".join(one_line(words(value)) + "\n" for value in found if value is not None)


def _csv_value(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return _quoted(csv_cell(clean(words(value))))


def _quoted(cell: str) -> str:
    """In quotes where anything in it could end a cell.

    A spreadsheet splits lines at what its country writes between cells, so a `;` or a tab is as good as a comma: behind
    it a formula could begin.
    """
    return '"' + cell.replace('"', '""') + '"' if _CELL_END.search(cell) else cell
