"""Set-commands: what a user tells the program in his answer by mail, one on a line (behaviour §5, F171).

    Set-State: close
    Set-Priority: 2

They stand anywhere in his own words, at the beginning of a line, in any letter case.  They are taken out of his
letter, the wrong ones too: nobody outside reads them.  This file says what he asked for, and in words what came of it;
whether it can be done, `services.incoming.orders` asks the store.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from crmmail.core import record
from crmmail.core import text as texts
from crmmail.core.typed import Any, NamedTuple

TEMPLATE = "orders"  # of the mail that tells what was wrong; why he is told, too
MOST = 50  # orders that one letter may give
_LONG = 200  # letters of one that anybody looks at
_COMPARED = 20_000_000  # letters of a record's text that orders are looked for in

# What can be set, and the field that it is.
FIELDS = {
    "state": "state",
    "priority": "priority",
    "user": "responsible",
    "partner": "partner",
    "cost": "cost",
    "revenue": "revenue",
    "probability": "probability",
}
_ORDER = re.compile(r"[\s\ufeff\u200b]*set-([^\W_][\w-]{0,40})[^\S\n]*:(.*)", re.IGNORECASE | re.DOTALL)
_LINK = re.compile(r"<(?:mailto:|https?://)[^<>]*>\Z", re.IGNORECASE)  # that a mail program puts behind an address


class Order(NamedTuple):
    line: str  # as he wrote it
    name: str  # lower case: state, priority …, or one that nobody knows
    value: str

    @property
    def field(self) -> str:
        """The field that it sets; "" where there is no such order."""
        return FIELDS.get(self.name, "")

    @property
    def asks(self) -> str:
        """What it asks for, however it is written: `setstateclose`."""
        return squeezed(f"set{self.name}{self.value}")


class Given(NamedTuple):
    """What stands in a text."""

    orders: tuple[Order, ...]  # the first MOST
    rest: str  # the text without any of them
    beyond: int = 0  # how many there were after those


def read(text: str, words: str | None = None) -> Given:
    """The orders in a text, and the text without them; in time that grows with its length.

    Args:
        words: his own words in it; what stands elsewhere is quoted, and no order.  None: all are his.
    """
    lines = text.split("\n")
    his = lines if words is None else words.split("\n")
    given = {line.strip(): order for line in his if (order := _order(line))}
    found = [given[line.strip()] for line in his if line.strip() in given]
    if not found:
        return Given((), text)
    rest = "\n".join(line for line in lines if line.strip() not in given)
    return Given(tuple(found[:MOST]), rest.strip("\n"), max(0, len(found) - MOST))


def _order(line: str) -> Order | None:
    found = _ORDER.match(line)
    if not found:
        return None
    value = texts.one_line(_LINK.sub("", found[2][:_LONG].strip()), _LONG)
    return Order(texts.one_line(line[:_LONG], _LONG), found[1].lower(), value)


# --- whose words they are -----------------------------------------------------------------------------------

_ASCII = bytes(code for code in range(128) if not chr(code).isalnum())
_LOWER = bytes(range(256)).lower()
_SIGNS = re.compile("[\\W_\u115f\u1160]+")  # the fillers of Hangul count as letters, and nobody sees them


def squeezed(text: str) -> str:
    """Nothing but the letters and digits of a text, in one letter case and without accents and costumes (NFKD).

    What wraps, marks, decorates or hides in a text is gone; each letter becomes the same wherever it stands, so what
    is part of a text is part of it squeezed, too.
    """
    text = text.encode(errors="ignore").translate(_LOWER, _ASCII).decode()
    if text.isascii():
        return text
    # Marks go first: many of them on one letter are what normalizing takes long for.
    return _SIGNS.sub("", unicodedata.normalize("NFKD", _SIGNS.sub("", text)).casefold())


def repeated(given: Iterable[Order], texts: Iterable[str]) -> set[str]:
    """Which orders stand in texts of others, too, as `asks` has them; there a mail program may have quoted them from.

    Where the texts are longer than anybody waits for, all of them count as repeated.
    """
    waiting = {order.asks for order in given}
    found: set[str] = set()
    room = _COMPARED
    for text in texts:
        room -= len(text)
        if room < 0:
            return found | waiting
        words = squeezed(text)
        if "set" in words:
            found |= {asks for asks in waiting if asks in words}
            waiting -= found
        if not waiting:
            break
    return found


# --- states -------------------------------------------------------------------------------------------------


def states(kind: str) -> list[str]:
    """The states that a user can name: where the buttons of a kind lead, in the order of their table."""
    return list(dict.fromkeys(one.target for one in record.BUTTONS if one.kind == kind))


def state(kind: str, word: str) -> str:
    """The state that a word means, a state's own name or a button's; "" if none.  Any state leads to any other."""
    word = word.lower()
    return word if word in states(kind) else record.target(kind, word)


# --- what came of it ----------------------------------------------------------------------------------------

# Outcome → in words, with its value and what is possible.  The templates `orders.txt` have the same in their language.
SENTENCES = {
    "done": "obeyed",  # no word that could be a state: `Set-State: pending → done` reads as a change
    "same": "it is so already",
    "again": "a later line says otherwise",
    "unknown": "there is no such order: {possible}",
    "state": "there is no state '{value}': {possible}",
    "stateless": "a {value} has no states",
    "final": "it is {value}, which nothing can change",
    "field": "a {value} has no such field: {possible}",
    "user": "there is no user '{value}': {possible}",
    "partner": "there is no contact '{value}': its number or address",
    "partners": "several contacts have the address {value}: {possible}",
    "priority": "there is no priority '{value}': {possible}",
    "number": "'{value}' is no number",
    "amount": "'{value}' can be two amounts: {possible}",
    "percent": "'{value}' is no percentage from 0 to 100",
    "quoted": "it stands in a letter from outside too, and may be a quote; to do it anyway: {possible}",
    "beyond": "only the first {value} orders of a letter are obeyed",
}
_FINE = ("done", "same", "again")


class Result(NamedTuple):
    """What came of an order."""

    line: str
    outcome: str  # a key of SENTENCES
    value: str = ""
    possible: str = ""

    @property
    def wrong(self) -> bool:
        """Must he hear of it?"""
        return self.outcome not in _FINE

    @property
    def sentence(self) -> str:
        return SENTENCES[self.outcome].format(value=self.value, possible=self.possible)

    def __str__(self) -> str:
        return f"{self.line} → {self.sentence}"


def results(stored: list[dict[str, Any]]) -> list[Result]:
    """Results as the store keeps them (`_asdict`)."""
    return [Result(**{key: str(one.get(key, "")) for key in Result._fields}) for one in stored]


def told(stored: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The same, for the template."""
    return [
        {key: texts.one_line(value) for key, value in {**one._asdict(), "sentence": one.sentence}.items()}
        for one in results(stored)
    ]
