"""Amounts of money and percentages, as people type them and as we show them.

    1234.50   1234,50   € 100   100 EUR   1,234.50   1.234,50   2 000   1'234.50   1,234,567

One separator is a decimal one, unless exactly three digits follow: `1,000` is a thousand in one country and one in
another, so it is refused until somebody writes which.  Two kinds of separators, or one that repeats, say by themselves
which groups thousands.  A currency at either end is dropped: the program knows of one only.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

LARGEST = 1e15  # from here on cents no longer fit in what the store keeps
_LONG = 60  # characters of an amount that anybody types
_CURRENCIES = frozenset(
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF "
    "CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG "
    "HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA "
    "MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD "
    "RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX "
    "USD UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG РУБ".split()
)
_WHOLE = re.compile(
    r"(?P<sign>[-+]?) ?(?P<before>(?:[^\W\d_]{3}|[^\w\s.,'+-])?) ?(?P<sign_behind>[-+]?) ?"
    r"(?P<digits>[0-9.,' ]+?) ?(?P<behind>(?:[^\W\d_]{3}\.?|[^\w\s.,'+-])?)\Z"
)
_PLAIN = re.compile(r"([0-9]*)(?:[.,]([0-9]{1,6}))?\Z")
_GROUPED = re.compile(r"([1-9][0-9]{0,2}(?:([., '])[0-9]{3})(?:\2[0-9]{3})*)(?:(?!\2)[.,]([0-9]{1,6}))?\Z")


def parse(words: str) -> float:
    """The amount that `words` mean.

    Raises:
        ValueError: with the sentence for the user: no amount, or two.

    >>> parse("1.234,50 EUR")
    1234.5
    """
    found = readings(words)
    said = " ".join(words[:_LONG].split())
    if not found:
        raise ValueError(f"'{said}' is no amount that I can read: write 1234.50")
    if len(found) > 1:
        raise ValueError(f"'{said}' can be two amounts: write {' or '.join(found)}")
    number = float(found[0])
    if abs(number) >= LARGEST:
        raise ValueError(f"'{said}' is too large an amount")
    return number


def readings(words: str) -> tuple[str, ...]:
    """What an amount can mean, each in a spelling that means nothing else: one, for `1,000` two, for no amount none.

    >>> readings("1,234")
    ('1234', '1.2340')
    """
    if len(words) > _LONG:
        return ()
    whole = _WHOLE.match(" ".join(words.split()).replace("’", "'").replace("−", "-"))
    if not whole or not _is_one(whole["sign"], whole["sign_behind"]) or not _is_one(whole["before"], whole["behind"]):
        return ()
    if not all(map(_is_currency, (whole["before"], whole["behind"]))):
        return ()
    digits, found = whole["digits"], []
    if plain := _PLAIN.match(digits):
        units, rest = plain[1], plain[2] or ""
        if len(rest) == 3 and units.strip("0"):
            found = [(units + rest, ""), (units, rest)]
        elif units or rest:
            found = [(units, rest)]
    elif grouped := _GROUPED.match(digits):
        found = [(re.sub("[., ']", "", grouped[1]), grouped[3] or "")]
    sign = "-" if "-" in (whole["sign"], whole["sign_behind"]) and re.search("[1-9]", digits) else ""
    return tuple(sign + _spelled(*one) for one in found)


def _is_one(before: str, behind: str) -> bool:
    """Does it stand at one place at most?"""
    return not (before and behind)


def _is_currency(word: str) -> bool:
    """A sign of one, its code in capitals or in small letters, or nothing."""
    code = word.removesuffix(".")
    if len(code) < 2:
        return not code or unicodedata.category(code) == "Sc"
    return code.upper() in _CURRENCIES and code in (code.upper(), code.lower())


def _spelled(units: str, rest: str) -> str:
    """Plain digits, with a point where something is behind it; never three digits there, for that is the riddle."""
    units = units.lstrip("0") or "0"
    if not rest:
        return units
    rest = rest.rstrip("0").ljust(2, "0")
    return f"{units}.{rest}0" if len(rest) == 3 else f"{units}.{rest}"


# --- showing ------------------------------------------------------------------------------------------------


def written(number: float) -> str:
    """An amount with all its digits: `1234567.5`, never `1.23457e+06`."""
    digits = format(Decimal(repr(number)), "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def added(one: float, other: float) -> float:
    """The sum as on paper: 0.1 and 0.2 are 0.3."""
    return float(Decimal(repr(one)) + Decimal(repr(other)))
