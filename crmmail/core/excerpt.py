"""The line of a text in which somebody finds what he asked for, with the places of his words in it.

Made from the text itself, so it has the writer's accents and letter case; the index knows words only.  A line that the
writer quoted is taken only where no line of his own will do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from unicodedata import category, normalize

from crmmail.core.query import Query
from crmmail.core.typed import NamedTuple
from crmmail.core.words import words

SHORT = 2  # letters of a word that is found whole only: what begins with so few is half of all there is
WIDTH = 160  # characters of an excerpt
BEFORE = 40  # of these as many stand before the first place, where the line is longer
LINE = 400  # characters of a line that are looked at together
LINES = 2_000  # lines of a text that are looked through


class Asked(NamedTuple):
    """Words in a row that somebody asked for."""

    words: tuple[str, ...]
    whole: bool = False  # the last one is a whole word, too, and not the beginning of one
    sender: bool = False  # they stand in the sender's name or address


class Excerpt(NamedTuple):
    text: str  # one line
    marks: list[tuple[int, int]]  # (from, to) of what was asked for; empty where it is in no line


def asked_for(query: Query) -> list[Asked]:
    """What a query looks for.  Signs by themselves are no words."""
    found = [(words(one), any(map(str.isspace, one)), False) for one in query.words]
    found += [([one], False, True) for one in words(query.sender)]
    return [Asked(tuple(one), whole or _is_short(one[-1]), sender) for one, whole, sender in found if one]


def _is_short(word: str) -> bool:
    """Do too many words begin so?  Two syllables of Korean say enough."""
    return len(word) <= SHORT and word < "\u1100"


def excerpt(text: str, asked: Sequence[Asked]) -> Excerpt:
    """The first line that has something of what was asked for, else the first line."""
    best: tuple[str, bool] | None = None  # a line, and has it something
    for line in _lines(text):
        quoted = line.startswith(">")
        if best is None or (quoted < best[0].startswith(">") and not best[1]):
            best = line, False
        if (not best[1] or best[0].startswith(">") > quoted) and _has(line, asked):
            best = line, True
            if not quoted:
                break
    line, found = best or ("", False)
    return _cut(line, marks(line, asked) if found else [])


def marks(line: str, asked: Sequence[Asked]) -> list[tuple[int, int]]:
    """(from, to) of what was asked for in one line, in order, none within another."""
    places = list(_places(line))
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(places):
        length = max((_length(places, at, one) for one in asked), default=0)
        if length:
            found.append((places[at][1], places[at + length - 1][2]))
        at += length or 1
    return found


def _length(places: Sequence[tuple[str, int, int]], at: int, asked: Asked) -> int:
    """How many words at this place are what was asked for: all of its, or none."""
    here = [word for word, _, _ in places[at : at + len(asked.words)]]
    if len(here) < len(asked.words) or here[:-1] != list(asked.words[:-1]):
        return 0
    fits = here[-1] == asked.words[-1] if asked.whole else here[-1].startswith(asked.words[-1])
    return len(here) if fits else 0


def _has(line: str, asked: Sequence[Asked]) -> bool:
    found = f" {' '.join(words(line))} "
    return any(f" {' '.join(one.words)}{' ' if one.whole else ''}" in found for one in asked)


def _lines(text: str) -> Iterator[str]:
    """Lines with something in them, with single blanks, composed; long ones in pieces."""
    for line in text.split("\n", LINES)[:LINES]:
        line = normalize("NFC", " ".join(line.split()))
        while len(line) > LINE:
            end = line.rfind(" ", 1, LINE) + 1 or LINE
            yield f"{line[:end].rstrip()}…"
            line = f"…{line[end:]}"
        if line:
            yield line


def _places(line: str) -> Iterator[tuple[str, int, int]]:
    """(word as the index has it, where it begins, where it ends)."""
    begin = None
    for at, one in enumerate(f"{line} "):
        of_a_word = one.isalnum() or category(one) in ("Mn", "Mc", "Co") or one in "\xad\u200b"
        if of_a_word and begin is None:
            begin = at
        elif not of_a_word and begin is not None:
            yield from _parted(line[begin:at], begin)
            begin = None


def _parted(run: str, begin: int) -> Iterator[tuple[str, int, int]]:
    """A run of letters is one word, or many where its script writes no blanks."""
    found = words(run)
    if len(found) < 2:
        yield from ((one, begin, begin + len(run)) for one in found)
        return
    kept, start = "", 0  # the word that grows, and where it began
    for at in range(len(run)):
        there = words(run[: at + 1])
        if len(there) > 1 and kept:
            yield kept, begin + start, begin + at
            yield from _parted(run[at:], begin + at)
            return
        kept = there[-1] if there else ""
    yield from ((one, begin, begin + len(run)) for one in found)


def _cut(line: str, places: list[tuple[int, int]]) -> Excerpt:
    """WIDTH characters of a line, with the first place in them."""
    if len(line) <= WIDTH:
        return Excerpt(line, places)
    start = max(0, places[0][0] - BEFORE) if places else 0
    if start:
        start = line.find(" ", start, places[0][0]) + 1 or start
    end = min(len(line), start + WIDTH)
    if end < len(line):
        end = line.rfind(" ", start + BEFORE, end) if " " in line[start + BEFORE : end] else end
    before, after = "…" if start else "", "…" if end < len(line) else ""
    shift = len(before) - start
    shown = [(one + shift, min(to, end) + shift) for one, to in places if one < end]
    return Excerpt(before + line[start:end] + after, shown)
