"""What a person types to find things: words and `key:value` pairs, and any input is a valid query.

    printer from:ann kind:case state:open,pending section:support category:"Fault Fix" partner:12 priority:high
    responsible:bob after:2026-01-01 before:friday has:attachment mine unassigned unfinished closed late today

A value with blanks, or a phrase, stands in quotes; of `category:` and `partner:` a shell has taken them away already.
An unknown key is a word like any other, and so is a value that does not fit: a query never fails, it finds less.  Of a
text with more than MOST words the last ones count as one phrase, for a database takes no condition of any length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from crmmail.core import record
from crmmail.core.pattern import pattern
from crmmail.core.typed import NamedTuple
from crmmail.errors import CrmmailError


class Query(NamedTuple):
    words: tuple[str, ...] = ()  # each must occur, in any letter case
    sender: str = ""  # part of the sender's name or address
    kind: str = ""
    states: tuple[str, ...] = ()  # any of them
    sections: tuple[str, ...] = ()  # codes, any of them
    responsible: str = ""
    category: str = ""
    partner: str = ""  # a contact's number, or part of a name
    priorities: tuple[int, int] | None = None  # from the higher to the lower: (1, 2)
    after: datetime | None = None
    before: datetime | None = None
    has_attachment: bool = False
    mine: bool = False
    unassigned: bool = False
    unfinished: bool = False
    closed: bool = False
    late: bool = False
    today: tuple[datetime, datetime] | None = None  # unfinished, with a deadline from here to there


_TEXT = {
    "from": "sender",
    "kind": "kind",
    "responsible": "responsible",
    "category": "category",
    "partner": "partner",
}
_SEVERAL = {"state": "states", "section": "sections"}
MOST = 50  # words that are looked for one by one; states, sections
_FLAGS = ("mine", "unassigned", "unfinished", "closed", "late")
# A terminal hands over bytes that are no UTF-8 as half surrogates, and no database takes those.
_NO_TEXT = pattern("[\ud800-\udfff]")
# A word; a phrase, or a value with blanks, in quotes that begin and end it.
_PIECE = pattern(r'(?:[a-z]+:)?"[^"]+"(?=\s|\Z)|\S+')
_NAMED = pattern(r"(category|partner):([^\"\s]*\s[^\"]*)\Z")


def join(arguments: Iterable[str]) -> str:
    """Command-line arguments as one text.  The shell took the quotes of `category:"Fault Fix"`; here they come back,
    unless what follows the first word is said in the language of queries."""
    return " ".join(_quoted(one) for one in arguments)


def _quoted(argument: str) -> str:
    named = _NAMED.match(argument)
    if not named or any(":" in word or word in (*_FLAGS, "today") for word in named[2].split()):
        return argument
    return f'{named[1]}:"{named[2].strip()}"'


def parse(arguments: Iterable[str], understand_date: Callable[[str], datetime]) -> Query:
    """The query of some command-line arguments.

    Args:
        understand_date: makes a moment of a date in words, or raises ValueError.
    """
    found: dict[str, object] = {}
    words: list[str] = []

    def moment(said: str) -> datetime | None:
        try:
            return understand_date(said)
        except (ValueError, CrmmailError):
            return None

    for piece in _PIECE.findall(_NO_TEXT.sub("\ufffd", join(arguments))):
        key, colon, said = piece.partition(":")
        value = said[1:-1] if said.endswith('"') and said.startswith('"') and len(said) > 2 else said
        if colon and value and key in _TEXT:
            found[_TEXT[key]] = value.lower()
        elif colon and key in _SEVERAL and value.strip(","):
            found[_SEVERAL[key]] = tuple(dict.fromkeys(one for one in value.lower().split(",") if one))[:MOST]
        elif colon and key in ("after", "before") and value and (when := moment(value)):
            found[key] = when
        elif colon and key == "priority" and (span := _priorities(value)):
            found["priorities"] = span
        elif piece == "has:attachment":
            found["has_attachment"] = True
        elif piece == "today" and (begins := moment("today")) and (ends := moment("tomorrow")):
            found["today"] = (begins, ends)
        elif piece in _FLAGS:
            found[piece] = True
        else:
            words.append(piece[1:-1] if piece.startswith('"') and piece.endswith('"') and len(piece) > 2 else piece)
    if len(words) > MOST:
        words[MOST - 1 :] = [" ".join(words[MOST - 1 :])]
    return Query(words=tuple(words), **found)  # type: ignore[arg-type]


def _priorities(words: str) -> tuple[int, int] | None:
    """`high` → (2, 2), `1-2` and `high-highest` → (1, 2); None where it is no priority."""
    first, dash, second = words.partition("-")
    try:
        ends = sorted(map(record.priority, (first, second) if dash else (first, first)))
    except CrmmailError:
        return None
    return ends[0], ends[1]
