"""What of a mail's words may be shown.

A subject can move the cursor, write to the clipboard, or read from right to left so that `exe.pdf` ends in .exe.
Everything that came with a mail goes through `clean` (many lines) or `one_line` (a cell of a table) before it
meets a terminal, a file name through `file_name`, a CSV cell through `csv_cell`; nothing else in the house does
this work.  What could act becomes U+FFFD, so that a reader sees something was there; what is merely invisible is
dropped without a trace, for honest mail is full of it (padding, soft hyphens, phone numbers copied from a
telephone).  The zero-width joiner and non-joiner stay: Persian, the Indian scripts and emoji are spelled with them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from unicodedata import category, east_asian_width, name

MARKS = 4  # marks on one letter: decomposed Vietnamese has two, pointed Hebrew four; a zalgo hundreds
SUSPECT = "(look twice) "
MAX_FILE_NAME, MAX_EXTENSION = 120, 20  # bytes of UTF-8
_NO_NAME = "attachment"
_SEEN = "\ufffd"

# (characters of a regular expression's set, what stands in their place), in this order.
_RULES = (
    # Invisible: soft hyphen, grapheme joiner, Hangul and Khmer fillers, Mongolian separators, zero-width space and
    # no-break space, word joiner, invisible operators, interlinear notes, formats of shorthand and music.
    (r"\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\u3164", ""),
    (r"\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a", ""),
    # Variation selectors but the two of emoji, and tags: whole hidden letters are written in these.  The flags of
    # England, Scotland and Wales are lost to it.
    (r"\ufe00-\ufe0d\U000e0000-\U000e01ef", ""),
    # What turns the direction of writing.  Telephones wrap numbers in it, so it goes silently; without it a line of
    # two directions may read a little off, and that is the price.
    (r"\u061c\u200e\u200f\u202a-\u202d\u2066-\u2069", ""),
    # Blanks that are none to a program, so that a line could be filled up with them unseen: Braille, and music's.
    (r"\u2800\U0001d159", " "),
    # Line ends of other worlds: CR, vertical tab, form feed, NEL, line and paragraph separator.
    (r"\r\x0b\x0c\x85\u2028\u2029", "\n"),
    # C0, DEL, C1, half a surrogate pair: the letters of every terminal attack, or bytes that no terminal takes; and
    # right-to-left override, which has no honest use.
    (r"\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u202e\ud800-\udfff\ufffe\uffff", _SEEN),
)
_FORBIDDEN = re.compile("[" + "".join(characters for characters, _ in _RULES) + "]")
_SUBSTITUTES = tuple((re.compile(f"\r\n|[{chars}]" if put == "\n" else f"[{chars}]+"), put) for chars, put in _RULES)
# Marks are neither word characters nor blanks for `re`; what else is in such a run is sorted out by category.
_MAYBE_MARKS = re.compile(rf"[^\w\s\x00-\u02ff]{{{MARKS + 1},}}")
_EMOJI_JOINT = re.compile("[\ufe0e\ufe0f]|(?<=[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])\u200d")
_JOINERS = str.maketrans("", "", "\u200c\u200d\ufe0e\ufe0f")
_COSTUMES = ("FULLWIDTH", "MATHEMATICAL")  # Latin letters in other clothes
_ALIKE = {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"}  # alphabets that have letters of one shape
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def clean(text: str) -> str:
    """`text` without anything that acts on a terminal or hides in it; newlines and tabs stay, CR LF becomes LF.

    Several acting characters in a row become one U+FFFD; at most MARKS combining marks stay on a letter.  Cleaning
    twice is cleaning once.
    """
    if _FORBIDDEN.search(text):
        for characters, put in _SUBSTITUTES:
            text = characters.sub(put, text)
    return text if text.isascii() else _MAYBE_MARKS.sub(_fewer_marks, text)


def one_line(text: str, limit: int = 0) -> str:
    """`text` cleaned, in one line with single blanks, cut with … to `limit` terminal cells (0: not cut).

    Joined emoji are taken apart: terminals disagree on how wide a family is, and on nothing about its members.
    """
    text = " ".join(clean(text).split())
    if not text.isascii():
        text = _EMOJI_JOINT.sub("", text)
        # A mark without a letter would sit on the column before it.
        start = next((at for at, char in enumerate(text) if _width(char)), len(text))
        text = text[start:].strip()
    if not limit or cells(text) <= limit:
        return text
    room = limit - 1
    for end, char in enumerate(text):
        room -= _width(char)
        if room < 0:
            return text[:end].rstrip() + "…"
    return text


def cells(text: str) -> int:
    """How many columns of a terminal one line of clean `text` takes (UAX #11; marks and joiners take none)."""
    return len(text) if text.isascii() else sum(map(_width, text))


def mark_address(address: str) -> str:
    """`address` for display, with SUSPECT before it, where no column cuts it off, if it may be dressed up as another.

    That is: a host in punycode or beyond ASCII, or a local part that mixes alphabets or writes Latin in full width.
    An honest Russian or Greek host is marked too: its letters can all be look-alikes, and no table tells intentions.
    """
    local, _, host = address.rpartition("@")
    punycode = any(label.startswith("xn--") for label in host.lower().split("."))
    alphabets = _alphabets(local)
    dressed = punycode or not host.isascii() or len(alphabets) > 1 or not alphabets.isdisjoint(_COSTUMES)
    return (SUSPECT if dressed else "") + one_line(address)


def person(name: str, address: str, limit: int = 30, ours: Collection[str] = ()) -> str:
    """Who somebody is, in one line: his name; but the address first where the name may pass for somebody else's, or
    the address does.

    Args:
        ours: what whoever works here is called, in lower case.
    """
    shown, name = mark_address(address), one_line(name, limit)
    if not name or name.lower() == shown.lower():
        return shown
    if not (poses(name, ours) or shown.startswith(SUSPECT)):
        return name
    return f"{shown} ({name})" if shown else f"unclear: {name}"


def poses(name: str, ours: Collection[str] = ()) -> bool:
    """May a name that a stranger chose be read as another's: an address, a colleague's, letters of two alphabets?"""
    if any(sign in name for sign in "@＠﹫") or " ".join(name.lower().split()) in ours:
        return True
    alphabets = [_alphabets(word) for word in name.split()]
    return any(len(found & _ALIKE) > 1 or not found.isdisjoint(_COSTUMES) for found in alphabets)


def file_name(name: str) -> str:
    """A name under which an attachment can be saved into a folder: a last path component, never empty, never hidden.

    At most MAX_FILE_NAME bytes, and the extension survives the cut.
    """
    named = one_line(re.split(r"[/\\]", name.rstrip("/\\"))[-1]).replace(_SEEN, "_").translate(_JOINERS)
    named = named.lstrip(" .-").rstrip(" .") or _NO_NAME
    stem, dot, extension = named.rpartition(".")
    if not dot or len(extension.encode()) > MAX_EXTENSION:
        stem, dot, extension = named, "", ""
    room = MAX_FILE_NAME - len((dot + extension).encode())
    stem = stem.encode()[:room].decode("utf-8", "ignore")
    return (stem.rstrip(" .") or _NO_NAME) + dot + extension


def csv_cell(text: str) -> str:
    """`text` for a CSV file: a ' before what a spreadsheet would run as a formula.

    For words only: a number of ours, such as -5, goes into the file as it is.
    """
    return "'" + text if text.startswith(_FORMULA) else text


@lru_cache(4096)  # a text has few letters, many times
def _width(char: str) -> int:
    if char < "\u0300":
        return 1
    # Spacing marks (Mc) count as nothing too, because rich counts so and draws our tables.  The later letters of a
    # Hangul syllable join the first in most terminals and count here, or a line of them would have no width at all.
    if category(char) in ("Mn", "Mc", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1


def _fewer_marks(run: re.Match[str]) -> str:
    kept, marks = [], 0
    for char in run[0]:
        marks = marks + 1 if _width(char) == 0 else 0
        if marks <= MARKS:
            kept.append(char)
    return "".join(kept)


def _alphabets(text: str) -> set[str]:
    """The scripts of the letters in `text`, by the first word of their Unicode names."""
    if text.isascii():
        return set()
    return {name(char, "UNKNOWN").split()[0] for char in text if char.isalpha()}
