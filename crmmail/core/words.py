"""Words as the index of messages knows them: what is the same word to a reader is one here.

The database parts a text into words, sets them small and takes the marks off Latin letters (SQLite: unicode61).
`fold` is what comes before, and each delivery pays for it: letters that readers do not tell apart become one (ё is е,
ß is ss, œ is oe), and what is written without blanks (Chinese, Japanese, Thai) is parted into its letters, so that
打印机 is found within a sentence.  й is another letter than и, and stays.

`words` does all of it by itself, for a query, for PostgreSQL, and to find in a text what the database has found.

Whoever changes what is done here has to make the index anew, in a migration.
"""

from __future__ import annotations

from bisect import bisect

from crmmail.core.pattern import pattern
from crmmail.core.typed import TYPE_CHECKING

if TYPE_CHECKING:
    import re

# In a text of 3,000 letters each of these takes a microsecond; `str.translate` takes two hundred together.
_LETTERS = (
    ("ё", "е"), ("Ё", "Е"), ("ß", "ss"), ("ẞ", "SS"), ("ø", "o"), ("Ø", "O"), ("ł", "l"), ("Ł", "L"), ("đ", "d"),
    ("Đ", "D"), ("æ", "ae"), ("Æ", "AE"), ("œ", "oe"), ("Œ", "OE"), ("ı", "i"), ("İ", "I"), ("ſ", "s"),
    ("Ǡ", "A"), ("ǡ", "a"),  # the two Latin letters that unicode61 leaves as they are
    ("\xad", ""), ("\u200b", ""), ("\u0301", ""), ("\u0300", ""), ("₽", " "), ("₺", " "), ("µ", "μ"),
)  # fmt: skip
_GREEK = tuple(zip("άέήίόύώϊϋΐΰΆΈΉΊΌΎΏΪΫς", "αεηιουωιυιυΑΕΗΙΟΥΩΙΥσ", strict=True))
MARKS = 30  # on one letter, as in the Stream-Safe Text Format (UAX 15), section 13; those beyond are nobody's writing
SHORT = 4096  # characters up to which no run can be long enough to matter
_PICTURES = "\U0001f000\U0001faff"  # SQLite knows few of them, and takes the others for letters
# Bytes of UTF-8 with which none of those begins; a look at bytes is thirty times quicker than one at letters.
_ELSEWHERE = bytes(byte for byte in range(256) if byte not in (0xE0, 0xEF, 0xF0) and not 0xE3 <= byte <= 0xE9)
# A set of so many letters takes `re` 10 ms to compile, a process's whole start; so the pattern finds what lies beyond,
# and what is written without blanks is picked out of that.
_BEYOND = pattern("[^\0-\u0dff]+")
_UNSPACED = "\u0e00\u0f00\u3040\u3100\u31f0\u3200\u3400\u4dc0\u4e00\ua000\uf900\ufb00"  # each from, and up to
_ASCII_WORD = pattern("[0-9a-z]+")
_MARKS = pattern("(?<=[a-z])[\u0300-\u0331]+")
# Whoever puts marks in order (`normalize`) takes the square of the time for a run of them: minutes for one monster.
_RUN = pattern(f"[^\\w\0-\xac\xae-\u02ff]{{{MARKS + 1},}}")
_LEFT = pattern("[\u0300-\u0331]+")  # marks that no letter has taken in


def fold(text: str) -> str:
    """`text` as it is given to the database."""
    if text.isascii():
        return text
    from unicodedata import normalize  # 0.1 x `python -c pass` that ASCII need not pay

    if len(text) > SHORT:
        text = _RUN.sub(_bearable, text)
    text = normalize("NFC", text)
    for letter, plain in _LETTERS:
        text = text.replace(letter, plain)
    data = text.encode("utf-8", "replace")
    if b"\xce" in data or b"\xcf" in data:
        for letter, plain in _GREEK:
            text = text.replace(letter, plain)
    if data.translate(None, _ELSEWHERE):
        text = _BEYOND.sub(_parted, text)
    return text


def _bearable(run: re.Match[str]) -> str:
    """What is no letter, without the marks that are too many."""
    from unicodedata import category

    return run[0][:MARKS] + "".join(one for one in run[0][MARKS:] if category(one)[0] != "M")


def _parted(run: re.Match[str]) -> str:
    """Each letter of a script without blanks as a word, and no pictures."""
    alone = (f" {one} " if bisect(_UNSPACED, one) % 2 else one for one in run[0])
    return "".join(" " if _PICTURES[0] <= one <= _PICTURES[1] else one for one in alone)


def words(text: str) -> list[str]:
    """The words of a text, as the index has them."""
    small = fold(text).lower()
    if small.isascii():
        return _ASCII_WORD.findall(small)
    from unicodedata import category, normalize

    small = normalize("NFC", _MARKS.sub("", normalize("NFD", _LEFT.sub("", small.replace("ς", "σ")))))
    return "".join(one if one.isalnum() or category(one) in ("Mn", "Mc", "Co") else " " for one in small).split()
