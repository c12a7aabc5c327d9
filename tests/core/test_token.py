"""Our marks on mail: read back as they were made, and worth nothing once a letter of them is changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmail.core.token import (
    Token,
    address_tag,
    message_id,
    read_message_id,
    read_tag,
    same,
    sent_mark,
    sign,
)

SECRET, OTHER = b"one secret", b"another secret"
TOKENS = {
    "user": Token(101, "u3"),
    "contact": Token(101, "c12"),
    "bare-address": Token(101, "x"),
    "internal": Token(101, "u3", internal=True),
    "largest": Token(10**18 - 1, f"u{10**18 - 1}"),
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_round_trip(token: Token) -> None:
    assert read_tag(SECRET, address_tag(SECRET, token)) == token
    assert read_message_id(SECRET, message_id(SECRET, token, "k7h2", "crm.example")) == token


@given(
    st.builds(
        Token,
        st.integers(0, 10**18 - 1),
        st.one_of(st.just("x"), st.integers(0, 10**18 - 1).map("u{}".format), st.integers(0, 99).map("c{}".format)),
        st.booleans(),
    ),
    st.from_regex(r"[a-z0-9]{1,32}", fullmatch=True),
)
def test_every_token_comes_back(token: Token, nonce: str) -> None:
    assert read_tag(SECRET, address_tag(SECRET, token)) == token
    assert read_message_id(SECRET, message_id(SECRET, token, nonce, "crm.example")) == token


def test_hosts_may_change_the_case_and_the_domain_is_not_signed() -> None:
    assert read_tag(SECRET, address_tag(SECRET, Token(101, "u3")).upper()) == Token(101, "u3")
    identifier = message_id(SECRET, Token(101, "u3"), "k7h2", "crm.example")
    assert read_message_id(SECRET, identifier.upper()) == Token(101, "u3")
    assert read_message_id(SECRET, identifier.replace("crm.example", "new-name.example")) == Token(101, "u3")


def _changes(text: str) -> dict[str, str]:
    """The token 101.u3 and what a forger can make of it."""
    mac = text.partition("@")[0].rpartition(".")[2]
    wrong = ("b" if mac[0] == "a" else "a") + mac[1:]
    return {
        "other-number": text.replace("101.", "102.", 1),
        "number-with-a-zero": "0" + text,
        "other-user": text.replace(".u3", ".u4", 1),
        "user-as-contact": text.replace(".u3", ".c3", 1),
        "user-as-address": text.replace(".u3", ".x", 1),
        "made-internal": text.replace(".u3", ".u3n", 1),
        "mac-changed": text.replace(mac, wrong),
        "mac-shorter": text.replace(mac, mac[:-1]),
        "mac-longer": text.replace(mac, mac + "a"),
        "mac-away": text.replace("." + mac, ""),
        "letter-before": "x" + text,
        "blank-before": " " + text,
        "digits-of-another-script": text.replace("101.", "١٠١.", 1),
        "full-width-digits": text.replace("101.", "１０１.", 1),
        "nineteen-digits": text.replace("101.", "1" * 19 + ".", 1),
        "a-thousand-digits": text.replace("101.", "1" * 1000 + ".", 1),
        "empty": "",
    }


TAG = address_tag(SECRET, Token(101, "u3"))
IDENTIFIER = message_id(SECRET, Token(101, "u3"), "k7h2", "crm.example")


@pytest.mark.parametrize("tag", _changes(TAG).values(), ids=_changes(TAG))
def test_a_changed_tag_is_none_of_ours(tag: str) -> None:
    assert read_tag(SECRET, TAG) is not None
    assert read_tag(SECRET, tag) is None


@pytest.mark.parametrize(
    "identifier",
    [*_changes(IDENTIFIER).values(), IDENTIFIER.replace("k7h2", "k7h3"), IDENTIFIER.replace("@", ""), TAG + "@x"],
    ids=[*_changes(IDENTIFIER), "other-nonce", "no-host", "a-tag-in-its-place"],
)
def test_a_changed_message_id_is_none_of_ours(identifier: str) -> None:
    assert read_message_id(SECRET, IDENTIFIER) is not None
    assert read_message_id(SECRET, identifier) is None


def test_an_internal_mark_cannot_be_taken_away() -> None:
    inside = address_tag(SECRET, Token(101, "u3", internal=True))
    assert read_tag(SECRET, inside.replace("u3n", "u3")) is None


def test_another_store_does_not_believe_it() -> None:
    assert read_tag(OTHER, TAG) is None
    assert read_message_id(OTHER, IDENTIFIER) is None


def test_a_tag_is_no_message_id_and_none_can_be_made_of_the_other() -> None:
    body, _, mac = TAG.rpartition(".")
    assert read_message_id(SECRET, f"{body}.k7h2.{mac}@crm.example") is None
    assert read_tag(SECRET, IDENTIFIER.partition("@")[0]) is None


@pytest.mark.parametrize(
    ("identifier", "content_hash"),
    [("2@crm.example", "c0ffee"), ("1@crm.example", "decaf"), ("1@crm.examplec", "0ffee")],
)
def test_the_sent_mark_is_for_one_message_id_and_one_content(identifier: str, content_hash: str) -> None:
    assert sent_mark(SECRET, identifier, content_hash) != sent_mark(SECRET, "1@crm.example", "c0ffee")


def test_a_mac_is_short_lower_case_and_safe_in_a_local_part() -> None:
    mac = sign(SECRET, "id", "101.u3.k7h2")
    assert len(mac) == 16
    assert mac.isalnum() and mac == mac.lower()


@pytest.mark.parametrize("other", ["", "abd", "abcd", "ÄBC", "\ud800"])
def test_same(other: str) -> None:
    assert same("abc", "abc")
    assert not same("abc", other)
