"""Amounts as people type them: read where they mean one thing, refused where they mean two."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmail.core.amount import LARGEST, added, parse, readings, written

CENTS = st.integers(-(10**13), 10**13).map(lambda cents: cents / 100)


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("1000", 1000), ("0", 0), ("007", 7), (" 12 ", 12), ("-3", -3), ("+3", 3), ("− 3", -3), ("-0,00", 0),
        ("10,5", 10.5), ("10.5", 10.5), ("12,50", 12.5), ("1234.5678", 1234.5678), (".5", 0.5),
        ("0.125", 0.125), ("0,500", 0.5),  # no thousands begin with a nought
        ("1,234.50", 1234.5), ("1.234,50", 1234.5), ("2 000", 2000), ("2 000,5", 2000.5), ("1'234.50", 1234.5),
        ("1’234", 1234), ("1,234,567", 1234567), ("1.234.567", 1234567), ("1.234.567,8", 1234567.8),
        ("1 234 567.89", 1234567.89), ("1\u00a0000", 1000), ("1\u202f000,50", 1000.5), ("1,234.567", 1234.567),
        ("€ 100", 100), ("100€", 100), ("100 EUR", 100), ("eur 100", 100), ("USD1,234.50", 1234.5), ("-€5", -5),
        ("€ -5", -5), ("1 000 руб.", 1000), ("₽ 5", 5),
    ],
)  # fmt: skip
def test_an_amount(words: str, number: float) -> None:
    assert parse(words) == number


@pytest.mark.parametrize(
    ("words", "first", "second"),
    [
        ("1,000", "1000", "1.00"),
        ("1.000", "1000", "1.00"),
        ("12,500", "12500", "12.50"),
        ("1.234", "1234", "1.2340"),
        ("-1,000", "-1000", "-1.00"),
        ("€ 1,000", "1000", "1.00"),
        ("1234.567", "1234567", "1234.5670"),
    ],
)
def test_two_readings_are_refused_and_named(words: str, first: str, second: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse(words)
    assert str(refused.value) == f"'{words}' can be two amounts: write {first} or {second}"


@pytest.mark.parametrize(
    "words",
    [
        "", " ", "much", "€", "-", "--5", "- -5", "5.", "1..5", "20 00", "1 2", "1,00,000", "1,234 567", "12,3456,789",
        "1.234.567,890,1", "0,123,456", "1e5", "1_000", "inf", "nan", "٣", "5 %", "100 mio", "100 Eur", "USD 5 EUR",
        "5x", "€€5", "12.3456789", "1" * 61,
    ],
)  # fmt: skip
def test_no_amount(words: str) -> None:
    assert readings(words) == ()
    with pytest.raises(ValueError, match=r"is no amount that I can read: write 1234\.50\Z"):
        parse(words)


def test_what_no_store_can_keep_to_the_cent() -> None:
    assert parse("999999999999999") < LARGEST
    with pytest.raises(ValueError, match="too large an amount"):
        parse("1 000 000 000 000 000")


# --- whatever is typed --------------------------------------------------------------------------------------

PIECES = st.sampled_from([*"0123456789", *".,'’ -+€", "000", "123", "EUR", "$", "\u00a0"])


@given(st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=30))
def test_each_reading_means_itself_and_nothing_else(words: str) -> None:
    found = readings(words)
    assert len(found) <= 2
    for one in found:
        assert readings(one) == (one,)
    if len(found) == 2:
        assert Decimal(found[0]) == 1000 * Decimal(found[1])  # a thousand times: that is why it is not guessed


@given(
    CENTS, st.sampled_from([",.", ".,", " .", " ,", "'.", "’,", "\u202f,"]), st.sampled_from(["{}", "€ {}", "{} EUR"])
)
def test_grouped_as_any_country_does(number: float, marks: str, money: str) -> None:
    spelled = f"{number:,.2f}".translate({ord(","): marks[0], ord("."): marks[1]})
    assert parse(money.format(spelled)) == number


@given(CENTS)
def test_what_is_shown_is_read_as_itself(number: float) -> None:
    shown = written(number)
    assert "e" not in shown
    assert parse(shown) == number
    assert parse(f"{number:.2f}") == number


@given(st.integers(0, 10**12), st.sampled_from(".,"))
def test_a_group_of_three_alone_is_never_guessed(thousands: int, mark: str) -> None:
    words = f"{thousands + 1}{mark}000"
    assert readings(words) == (f"{thousands + 1}000", f"{thousands + 1}.00")


@given(CENTS, CENTS)
def test_a_sum_is_exact(one: float, other: float) -> None:
    assert Decimal(repr(added(one, other))) == Decimal(repr(one)) + Decimal(repr(other))
    assert added(0.1, 0.2) == 0.3


@pytest.mark.parametrize(
    ("number", "words"), [(30.0, "30"), (12.5, "12.5"), (1234567.0, "1234567"), (0.000001, "0.000001"), (100.0, "100")]
)
def test_written(number: float, words: str) -> None:
    assert written(number) == words
