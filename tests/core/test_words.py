"""Words as the index has them, and what is done to a text before the database parts it."""

from __future__ import annotations

import runpy
import sqlite3
import time
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmmail.core.words import fold, words
from crmmail.store.schema import FOLDER

CASES = [
    ("", []),
    ("Invoice 4711, please!", ["invoice", "4711", "please"]),
    ("a_b-c@d.example x²", ["a", "b", "c", "d", "example", "x²"]),
    ("ё Ё ещё Ёлка", ["е", "е", "еще", "елка"]),
    ("мой мои", ["мой", "мои"]),  # й is no и with a mark
    ("и\u0306 й", ["й", "й"]),  # in two characters as in one
    ("за\u0301мок", ["замок"]),  # a stress mark
    ("École déjà garçon œuvre Ÿ", ["ecole", "deja", "garcon", "oeuvre", "y"]),
    ("e\u0301cole", ["ecole"]),
    ("Straße STRASSE Möbel Łódź Øl đ", ["strasse", "strasse", "mobel", "lodz", "ol", "d"]),
    ("İstanbul ısı IŞIK", ["istanbul", "isi", "isik"]),
    ("Ώρα ΏΡΑ ΐ σας ΣΑΣ", ["ωρα", "ωρα", "ι", "σασ", "σασ"]),
    ("trường", ["truong"]),
    ("打印机坏了。", ["打", "印", "机", "坏", "了"]),
    ("プリンター", list("プリンター")),
    ("이 프린터가", ["이", "프린터가"]),
    ("हिन्दी में", ["हिन्दी", "में"]),
    ("prin\u00adter \u200bink", ["printer", "ink"]),
    ("👍 ok👍 «да» — …", ["ok", "да"]),
    ("✅Done 🚀Launch 🤖🧾bill 1500₽", ["done", "launch", "bill", "1500"]),
]


@pytest.mark.parametrize(("text", "found"), CASES)
def test_words(text: str, found: list[str]) -> None:
    assert words(text) == found


@pytest.mark.parametrize(("text", "found"), CASES)
def test_sqlite_parts_what_is_folded_into_the_same_words(text: str, found: list[str]) -> None:
    assert sqlites_words(text) == found


LETTERS = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=0x17F), max_size=30),
    st.text(st.characters(min_codepoint=0x400, max_codepoint=0x45F), max_size=30),
    st.text(st.sampled_from("αβγάέήίόύώϊϋΆΈΩςσ .打印机のプ한국e\u0301и\u0306’—"), max_size=30),
)


@settings(deadline=None)
@given(LETTERS)
def test_sqlite_and_we_have_the_same_words_of_any_text(text: str) -> None:
    assert sqlites_words(text) == words(text)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_folding_takes_any_text(text: str) -> None:
    assert words(fold(text)) == words(text)


def sqlites_words(text: str) -> list[str]:
    """What FTS5 makes of a text that was folded, with the tokenizer of our index."""
    connection = _index()
    connection.execute("DELETE FROM found")
    connection.execute("INSERT INTO found VALUES (?)", (fold(text).replace("\0", "\ufffd"),))
    return [word for (word,) in connection.execute("SELECT term FROM parted ORDER BY offset") if word]


@cache
def _index() -> sqlite3.Connection:
    tokenizer = runpy.run_path(f"{FOLDER}/0004_scale.py")["TOKENIZER"]
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute(f"CREATE VIRTUAL TABLE found USING fts5(words, tokenize='{tokenizer}')")
    connection.execute("CREATE VIRTUAL TABLE parted USING fts5vocab(found, instance)")
    return connection


@pytest.mark.parametrize(
    "marks", ["\u0327\u0301\u0323", "\u0323\u0301\xad", "\u0301\u200b\u0323", "\u0f73", "\u05b0\u05bc"]
)
def test_a_monster_of_marks_takes_no_time(marks: str) -> None:
    """`unicodedata.normalize` alone would take minutes for each of these."""
    began = time.monotonic()
    assert words(f"Before {'a' + marks * 80_000} behind")[0] == "before"
    assert words("Ещё " + "а" * 5000 + " й" + "\u0301" * 40 + " Ж")[-1] == "ж"
    assert time.monotonic() - began < 10


def test_letters_without_blanks_are_parted_whatever_stands_beside_them() -> None:
    assert words("0\ufa27") == ["0", "\ufa27"]
    assert words("0\ufa27\u0800") == ["0", "\ufa27", "\u0800"]
