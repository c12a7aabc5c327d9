"""What may be shown: tables of cases, and what must hold for any text at all."""

from __future__ import annotations

import time
from unicodedata import category

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from quick import QUICK

from crmmail.core import text as shown

# Any code point, half surrogate pairs included, with the dangerous ones drawn often.
HOSTILE = st.text(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from(
            "\x00\x1b\x07\r\n\t\x7f\x85\x9b\u200b\u200d\u200e\u202e\u2028\u2066\ud800\udc00\u0301\u0e47\ufeffa é/\\.-"
        ),
    )
)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("a\r\nb\rc\x0bd\x0ce\x85f\u2028g\u2029h", "a\nb\nc\nd\ne\nf\ng\nh"),
        ("\x1b[31mred\x1b[0m", "�[31mred�[0m"),
        ("\x1b]8;;http://evil\x07here\x9c", "�]8;;http://evil�here�"),
        ("\x9b2Jgone", "�2Jgone"),
        ("nul\x00\x00\x00s", "nul�s"),
        ("half \ud800 pair \udfff", "half � pair �"),
        ("gpj.\u202eexe", "gpj.�exe"),
        ("call \u202a+7 812\u202c or \u2066+49\u2069", "call +7 812 or +49"),
        ("so\u00adft, ze\u200bro, \ufeffbom, j\u2060oin, pad\u034f \u3164", "soft, zero, bom, join, pad "),
        ("tags\U000e0041\U000e0042, ideograph 葛\U000e0100", "tags, ideograph 葛"),
        ("blank\u2800\u2800\u2800line\U0001d159", "blank line "),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क्\u200dष", "क्\u200dष"),
        ("👨\u200d👩\u200d👧 ✈\ufe0f", "👨\u200d👩\u200d👧 ✈\ufe0f"),
        ("Việt Việ\u0302\u0323t שָׁלוֹם ἄ", "Việt Việ\u0302\u0323t שָׁלוֹם ἄ"),
        ("Z" + "\u0301" * 500 + "!", "Z" + "\u0301" * 4 + "!"),
        ("ก" + "\u0e47" * 500, "ก" + "\u0e47" * 4),
        ("a" + "\u200d\u0301" * 500, "a" + "\u200d\u0301" * 2),
        ("。。。。。。。。", "。。。。。。。。"),
        ("", ""),
    ],
)
def test_clean(text: str, seen: str) -> None:
    assert shown.clean(text) == seen


def test_no_control_or_format_character_is_forgotten() -> None:
    """Every code point of Unicode: what is left of the invisible ones are those that a script is spelled with."""
    left = {
        chr(code)
        for code in range(0x110000)
        if category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp") and chr(code) in shown.clean(chr(code))
    }
    arabic_and_other_visible_signs = {char for char in left if category(char) == "Cf" and char not in "\u200c\u200d"}
    assert left - arabic_and_other_visible_signs == {"\n", "\t", "\u200c", "\u200d"}
    assert all(
        "\u0600" <= char <= "\u08e2" or "\U000110bd" <= char <= "\U0001345f" for char in arabic_and_other_visible_signs
    )


@given(HOSTILE)
@example("\r\u200b\n")
@example("\x1b\u200b\x1b")
@example("a" + "\u0301" * 3 + "\u200e" + "\u0301" * 3)
def test_clean_leaves_nothing_that_acts(text: str) -> None:
    cleaned = shown.clean(text)
    assert not [char for char in cleaned if category(char) in ("Cc", "Cs", "Zl", "Zp") and char not in "\n\t"]
    assert not set(cleaned) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\ufeff")
    assert shown.clean(cleaned) == cleaned
    cleaned.encode()


@given(st.text())
def test_clean_keeps_letters_and_digits(text: str) -> None:
    letters = [
        char for char in text if char.isalnum() and not "\u115f" <= char <= "\u1160" and char not in "\u3164\uffa0"
    ]
    assert [char for char in shown.clean(text) if char.isalnum()] == letters


@pytest.mark.parametrize(
    ("text", "limit", "seen"),
    [
        (" a \r\n\tb\u3000c\u00a0d ", 0, "a b c d"),
        ("An offer", 8, "An offer"),
        ("An offer?", 8, "An offe…"),
        ("An offer?", 4, "An…"),
        ("An offer?", 1, "…"),
        ("日本語のメール", 7, "日本語…"),
        ("日本語のメール", 8, "日本語…"),
        ("日本語", 6, "日本語"),
        ("👨\u200d👩\u200d👧 ✈\ufe0f", 0, "👨👩👧 ✈"),
        ("\u0301\u0301mark first", 0, "mark first"),
        ("e\u0301e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301…"),
        ("", 5, ""),
    ],
)
def test_one_line(text: str, limit: int, seen: str) -> None:
    assert shown.one_line(text, limit) == seen


@given(HOSTILE, st.integers(1, 20))
def test_one_line_fits_its_column(text: str, limit: int) -> None:
    line = shown.one_line(text, limit)
    assert "\n" not in line and "\t" not in line
    assert shown.cells(line) <= limit
    assert len(line) <= limit * (shown.MARKS + 1)


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("", 0),
        ("abc", 3),
        ("é", 1),
        ("e\u0301", 1),
        ("日本", 4),
        ("ａ", 2),
        ("👍", 2),
        ("a\u200db", 2),
        ("…", 1),
        ("ñ✓", 2),
    ],
)
def test_cells(text: str, width: int) -> None:
    assert shown.cells(text) == width


@pytest.mark.parametrize(
    ("address", "marked"),
    [
        ("ann@customer.example", False),
        ("rené@customer.example", False),
        ("иван@customer.example", False),
        ("ann_1+x@customer.example", False),
        ("аnn@customer.example", True),  # the first letter is Cyrillic
        ("αnn@customer.example", True),
        ("ａｎｎ@customer.example", True),
        ("ann@xn--ustomer-v7h.example", True),
        ("ann@mail.XN--USTOMER-V7H.example", True),
        ("ann@сustomer.example", True),
        ("", False),
    ],
)
def test_mark_address(address: str, marked: bool) -> None:
    assert shown.mark_address(address) == (shown.SUSPECT if marked else "") + address


ANN, EVE = "ann@customer.example", "eve@evil.example"


@pytest.mark.parametrize(
    ("name", "address", "said"),
    [
        ("Ann Miller", ANN, "Ann Miller"),
        ("", ANN, ANN),
        (ANN, ANN, ANN),
        ("Ann@Customer.example", ANN, ANN),
        ("Ann", "", "Ann"),
        ("", "", ""),
        ("Анна Ивановна", "anna@customer.example", "Анна Ивановна"),
        ("山田たろう", "taro@customer.example", "山田たろう"),
        ("Ann (Анна)", ANN, "Ann (Анна)"),  # a word is of one alphabet
        # Names that pass for somebody else: the address stands first, where no column cuts it off.
        (ANN, EVE, f"{EVE} ({ANN})"),
        ("Ann＠customer.example", EVE, f"{EVE} (Ann＠customer.example)"),
        (f"Ann <{ANN}>", EVE, f"{EVE} (Ann <{ANN}>)"),
        ("The Boss", EVE, f"{EVE} (The Boss)"),
        ("the  BOSS", EVE, f"{EVE} (the BOSS)"),
        ("The\u200b Boss", EVE, f"{EVE} (The Boss)"),
        ("The Bosses", EVE, "The Bosses"),
        ("Аnn", EVE, f"{EVE} (Аnn)"),  # the first letter is Cyrillic
        ("Ａnn", EVE, f"{EVE} (Ａnn)"),
        # An address that passes for another's.
        ("Ann", "ann@xn--ustomer-v7h.example", f"{shown.SUSPECT}ann@xn--ustomer-v7h.example (Ann)"),
        ("Ann", "аnn@customer.example", f"{shown.SUSPECT}аnn@customer.example (Ann)"),
        # Nobody clear.
        (f"{ANN}, {EVE}", "", f"unclear: {ANN}, {EVE}"),
        ("The Boss", "", "unclear: The Boss"),
    ],
)
def test_person(name: str, address: str, said: str) -> None:
    assert shown.person(name, address, limit=60, ours={"the boss"}) == said


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("invoice.pdf", "invoice.pdf"),
        ("Счёт №5.pdf", "Счёт №5.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\a b.doc", "a b.doc"),
        ("folder/", "folder"),
        ("..", "attachment"),
        (".", "attachment"),
        ("", "attachment"),
        ("///", "attachment"),
        ("-rf", "rf"),
        ("--", "attachment"),
        (".bashrc", "bashrc"),
        (".. -x", "x"),
        ("photo\u202egpj.exe", "photo_gpj.exe"),
        ("a\x00b\x1b[2J\n.txt", "a_b_[2J.txt"),
        ("in\u200bvoice.p\u200ddf", "invoice.pdf"),
        ("half\ud800.txt", "half_.txt"),
        ("x" * 300 + ".tar", "x" * 116 + ".tar"),
        ("ж" * 300 + ".docx", "ж" * 57 + ".docx"),
        ("x." + "y" * 300, "x." + "y" * 118),
        ("dots...", "dots"),
    ],
)
def test_file_name(name: str, safe: str) -> None:
    assert shown.file_name(name) == safe


@given(HOSTILE)
def test_file_name_is_always_safe(name: str) -> None:
    safe = shown.file_name(name)
    assert safe and safe not in (".", "..") and safe[0] not in ".- " and "/" not in safe and "\\" not in safe
    assert len(safe.encode()) <= shown.MAX_FILE_NAME
    assert not [char for char in safe if category(char) in ("Cc", "Cs", "Zl", "Zp")]
    assert shown.file_name(safe) == safe


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", "＝1"])
def test_csv_cell_disarms_formulas(text: str) -> None:
    assert shown.csv_cell(text) == "'" + text


@pytest.mark.parametrize("text", ["", "plain", "a=b", "5", " =1"])
def test_csv_cell_leaves_words_alone(text: str) -> None:
    assert shown.csv_cell(text) == text


@pytest.mark.parametrize("unit", ["a", "\x1b", "\r", "\u0301", "👨\u200d", "\u202e\u0301", "é\u0301", "\u200b"])
def test_a_megabyte_is_quick(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    start = time.process_time()
    shown.one_line(text, 80)
    assert time.process_time() - start < QUICK
