"""Addresses as identities: one spelling each, and what is not exactly one clear address is none."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmail.core.address import canonical, canonical_host, host_of, tag_of, without_tag


@pytest.mark.parametrize(
    ("written", "spelling"),
    [
        ("ann@customer.example", "ann@customer.example"),
        ("Ann@Customer.EXAMPLE", "ann@customer.example"),
        (" ann@customer.example\t", "ann@customer.example"),
        ("ann@customer.example.", "ann@customer.example"),
        ("a.n.n+x_y-z@customer.example", "a.n.n+x_y-z@customer.example"),
        ("o'neill/q=1@customer.example", "o'neill/q=1@customer.example"),
        ("root@localhost", "root@localhost"),
        ("ann@mail_1.customer.example", "ann@mail_1.customer.example"),
        ("--config=/tmp/evil@evil.example", "--config=/tmp/evil@evil.example"),
        # Quotes that need not be there.
        ('"ann"@customer.example', "ann@customer.example"),
        (r'"a\nn"@customer.example', "ann@customer.example"),
        # Letters beyond ASCII: lower case, the host as punycode, nothing folded.
        ("Анна@пример.example", "анна@xn--e1afmkfd.example"),
        ("АННА@ПРИМЕР.EXAMPLE", "анна@xn--e1afmkfd.example"),
        ("ann@xn--e1afmkfd.example", "ann@xn--e1afmkfd.example"),
        ("müller@bücher.example", "müller@xn--bcher-kva.example"),
        ("संपर्क@डाटामेल.भारत", "संपर्क@xn--c2bd4bq1db8d.xn--h2brj9c"),
        ("a" * 64 + "@x.example", "a" * 64 + "@x.example"),
    ],
)
def test_one_spelling(written: str, spelling: str) -> None:
    assert canonical(written) == spelling


@pytest.mark.parametrize(
    "written",
    [
        *("", "@", "ann", "ann@", "@customer.example", "ann customer.example"),
        *("a@b@customer.example", "ann@@customer.example"),
        *(".ann@customer.example", "ann.@customer.example", "a..n@customer.example"),
        *("ann@customer..example", "ann@.example", "ann@-x.example", "ann@x-.example"),
        *("ann @customer.example", "a nn@customer.example", "ann@customer.example\n", "ann\n@customer.example"),
        *("<ann@customer.example>", "Ann <ann@customer.example>", "ann@customer.example, bob@x.example"),
        # CVE-2023-27043: what `email.utils.parseaddr` took for boss@crm.example.
        "boss@crm.example)<evil@evil.example>",
        "boss@crm.example(<evil@evil.example>",
        "ann(comment)@customer.example",
        # Legal, but no mailbox of this world.
        *('"a b"@customer.example', '"a@b"@customer.example', '""@customer.example', r'"a\"b"@customer.example'),
        *("ann@[127.0.0.1]", "ann@[IPv6:::1]"),
        *("ann\x00@customer.example", "ann\x7f@customer.example", "ann@customer\x1b.example"),
        *("ann\ufe0f@customer.example", "ann@customer\u034f.example", "ann\U000e0061@customer.example"),
        *("ann\u200b@customer.example", "ann\u202e@customer.example", "ann@cus\u00adtomer.example"),
        *("ann＠customer.example", "ann@customer．example", "ann@customer。example"),
        "\ud800nn@customer.example",
        "=?utf-8?q?boss=40crm.example?=",
        "a" * 65 + "@x.example",
        "é" * 33 + "@x.example",
        "ann@" + "x" * 64 + ".example",
        "ann@" + "x." * 130 + "example",
        "a" * 10_000 + "@x.example",
    ],
)
def test_not_one_clear_address(written: str) -> None:
    assert canonical(written) == ""


@pytest.mark.parametrize(
    "look_alike",
    [
        *("ａｎｎ@customer.example", "ann@ｃustomer.example", "ann@customer.ｅxample"),  # full width
        *("аnn@customer.example", "ann@сustomer.example"),  # Cyrillic
        *("𝐚nn@customer.example", "ann@𝐜ustomer.example"),  # mathematical
        *("ªnn@customer.example", "ann@customer.eⅹample"),
    ],
)
def test_a_look_alike_is_somebody_else(look_alike: str) -> None:
    assert canonical(look_alike) != "ann@customer.example"


# Python's lower() makes an ASCII k of the Kelvin sign: the only such letter, and one is enough for a disguise.
FOLDING = [chr(code) for code in range(128, sys.maxunicode + 1) if chr(code).lower().isascii()]


@pytest.mark.parametrize("letter", FOLDING, ids=lambda letter: f"U+{ord(letter):04X}")
def test_no_letter_beyond_ascii_becomes_an_ascii_one(letter: str) -> None:
    assert canonical(f"{letter}ate@customer.example") == ""
    assert canonical_host(f"{letter}ustomer.example") == ""


@given(st.text(max_size=80))
def test_a_spelling_is_its_own_spelling(words: str) -> None:
    spelling = canonical(words)
    assert canonical(spelling) == spelling
    assert spelling == "" or (spelling.count("@") == 1 and host_of(spelling).isascii())


@given(st.from_regex(r"[A-Za-z0-9]{1,20}(\.[A-Za-z0-9]{1,20}){0,2}@[a-z]{1,20}\.example", fullmatch=True))
def test_an_ordinary_address_is_only_lowered(address: str) -> None:
    assert canonical(address) == address.lower()


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("CRM.example", "crm.example"),
        ("crm.example.", "crm.example"),
        ("intranet", "intranet"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
        ("crm example", ""),
        ("crm/example", ""),
        ("*.example", ""),
        ("", ""),
        (".", ""),
    ],
)
def test_hosts(written: str, host: str) -> None:
    assert canonical_host(written) == host


@pytest.mark.parametrize(
    ("address", "bare", "tag"),
    [
        ("sales@crm.example", "sales@crm.example", ""),
        ("sales+x@crm.example", "sales@crm.example", "x"),
        ("sales+101.u3.mac+y@crm.example", "sales@crm.example", "101.u3.mac+y"),
        ("sales+@crm.example", "sales@crm.example", ""),
        ("+x@crm.example", "+x@crm.example", "x"),
    ],
)
def test_tags(address: str, bare: str, tag: str) -> None:
    assert without_tag(address) == bare
    assert tag_of(address) == tag
