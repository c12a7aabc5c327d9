"""Values on their way into the store and out of it: clean text, moments in UTC, small values as JSON.

Whatever door a value came through, this is the last one: here, and nowhere else, text loses what is no text, and a
moment becomes UTC.  `fields` makes peewee's columns of it, `sql` the values of a statement.
"""

from __future__ import annotations

from _json import encode_basestring as _quoted  # the half of `json` that is written in C
from datetime import UTC, datetime
from functools import lru_cache

from crmmail.core.typed import Any

SLICE = 1 << 20  # characters that are looked at together

_FIRST, _LAST = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)


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


@lru_cache(16)  # all that one act writes has the same moment
def written(moment: datetime) -> str:
    """An aware moment in UTC without a zone, with microseconds always there so that text sorts by time.

    Raises:
        ValueError: it is naive; a moment of unknown zone must not get into the store.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    there = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return there.replace(tzinfo=None).isoformat(" ", "microseconds")


def moment(value: Any) -> Any:
    """What the database has of a moment (text, or PostgreSQL's naive one), aware; None stays None.

    What is at the very ends of the calendar is read as some days away from them, or no other time zone could show it.
    """
    if value is None:
        return None
    read = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    read = read.replace(tzinfo=UTC)
    return read if 1 < read.year < 9999 else min(max(read, _FIRST), _LAST)


def json(value: Any) -> str:
    """Lists, dicts and plain values as JSON text."""
    text = _json(value)
    if "\\u0000" in text:  # NUL in other clothes
        text = _json(_plain_values(value))
    return plain(text)


def unjson(text: str | None) -> Any:
    """The value of JSON text.  Text that is no JSON is read as it stands, for one row that somebody wrote by hand must
    not hide the others."""
    if text is None:
        return None
    if text in ("[]", "{}"):
        return [] if text == "[]" else {}
    from json import loads  # a store may hold none

    try:
        return loads(text)
    except (ValueError, RecursionError):
        return text


def _json(value: Any) -> str:
    if isinstance(value, list | tuple) and all(type(one) is str for one in value):
        return f"[{','.join(map(_quoted, value))}]"
    from json import dumps  # 0.15 x `python -c pass`, and most of what a delivery writes are such lists

    return dumps(value, ensure_ascii=False, separators=(",", ":"))


def _plain_values(value: Any) -> Any:
    """The same lists and dicts, with plain text in them."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {_plain_values(key): _plain_values(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_values(one) for one in value]
    return value
