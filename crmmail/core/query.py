"""What a person types to find things: words and `key:value` pairs, and any input is a valid query.

    printer from:ann kind:case state:open section:support after:2026-01-01 has:attachment mine unassigned late

An unknown key is a word like any other, and so is a value that does not fit: a query never fails, it finds less.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from crmmail.errors import CrmmailError


class Query(NamedTuple):
    words: tuple[str, ...] = ()  # each must occur, in any letter case
    sender: str = ""  # part of the sender's name or address
    kind: str = ""
    state: str = ""
    section: str = ""
    responsible: str = ""
    after: datetime | None = None
    before: datetime | None = None
    has_attachment: bool = False
    mine: bool = False
    unassigned: bool = False
    late: bool = False


_TEXT = {
    "from": "sender",
    "kind": "kind",
    "state": "state",
    "section": "section",
    "responsible": "responsible",
}
# A terminal hands over bytes that are no UTF-8 as half surrogates, and no database takes those.
_NO_TEXT = re.compile("[\ud800-\udfff]")
_FLAGS = ("mine", "unassigned", "late")


def parse(arguments: Iterable[str], understand_date: Callable[[str], datetime]) -> Query:
    """The query of some command-line arguments.

    Args:
        understand_date: makes a moment of a date in words, or raises ValueError.
    """
    found: dict[str, object] = {}
    words: list[str] = []
    for word in _NO_TEXT.sub("\ufffd", " ".join(arguments)).split():
        key, colon, value = word.partition(":")
        if colon and value and key in _TEXT:
            found[_TEXT[key]] = value.lower()
        elif colon and key in ("after", "before") and value:
            try:
                found[key] = understand_date(value)
            except (ValueError, CrmmailError):
                words.append(word)
        elif word == "has:attachment":
            found["has_attachment"] = True
        elif word in _FLAGS:
            found[word] = True
        else:
            words.append(word)
    return Query(words=tuple(words), **found)  # type: ignore[arg-type]
