"""The line that says why a message was found."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmmail.core.excerpt import WIDTH, Asked, Excerpt, asked_for, excerpt
from crmmail.core.query import Query
from crmmail.core.words import words

LETTER = """Dear Sirs,

the invoice 4711 is wrong.

> Here is the invoice.
It came twice.
"""


def marked(found: Excerpt) -> str:
    """The excerpt with [brackets] around what was asked for."""
    text = found.text
    for begin, end in reversed(found.marks):
        text = f"{text[:begin]}[{text[begin:end]}]{text[end:]}"
    return text


@pytest.mark.parametrize(
    ("text", "typed", "shown"),
    [
        (LETTER, ["invo"], "the [invoice] 4711 is wrong."),
        (LETTER, ["INVOICE", "wrong"], "the [invoice] 4711 is [wrong]."),
        (LETTER, ["invoice 4711"], "the [invoice 4711] is wrong."),
        (LETTER, ["here"], "> [Here] is the invoice."),  # nobody says so but in a quote
        (LETTER, ["printer"], "Dear Sirs,"),
        (LETTER, [], "Dear Sirs,"),
        (LETTER, ["is th"], "Dear Sirs,"),  # a phrase is found word for word
        ("> old words\nnew words", ["words"], "new [words]"),
        ("> only\n> quoted", ["missing"], "> only"),
        ("", ["word"], ""),
        ("Das Büro, die Straße", ["buro", "strass"], "Das [Büro], die [Straße]"),
        ("ЕЩЁ раз, ещё", ["еще"], "[ЕЩЁ] раз, [ещё]"),
        ("за\u0301мок", ["замок"], "[за\u0301мок]"),
        ("我的打印机坏了。", ["打印机"], "我的[打印机]坏了。"),
        ("an analyst", ["an"], "[an] analyst"),  # two letters are a whole word
        ("INV-2026-0001", ["inv-2026"], "[INV-2026]-0001"),
        ("x\ty   z", ["y"], "x [y] z"),
    ],
)
def test_excerpt(text: str, typed: list[str], shown: str) -> None:
    assert marked(excerpt(text, asked_for(Query(words=tuple(typed))))) == shown


def test_a_long_line_is_cut_around_the_first_place() -> None:
    found = excerpt("blah " * 60 + "the needle " + "blah " * 500, [Asked(("needle",))])
    assert "[needle]" in marked(found)
    assert found.text.startswith("…") and found.text.endswith("…")
    assert len(found.text) <= WIDTH + 2


def test_what_stands_far_behind_in_one_line_is_found() -> None:
    assert "[needle]" in marked(excerpt("blah " * 5_000 + "needle", [Asked(("needle",))]))


@settings(deadline=None)
@given(st.text(max_size=900), st.text(max_size=20))
def test_any_text_has_an_excerpt(text: str, typed: str) -> None:
    found = excerpt(text, asked_for(Query(words=(typed,))))
    assert "\n" not in found.text
    assert len(found.text) <= WIDTH + 2
    last = 0
    for begin, end in found.marks:
        assert last <= begin < end <= len(found.text)
        last = end


@settings(deadline=None)
@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=3, max_size=8), min_size=1, max_size=9))
def test_a_word_of_a_line_is_marked_in_it(line: list[str]) -> None:
    found = excerpt(" ".join(line), asked_for(Query(words=(line[-1],))))
    assert found.marks or not words(line[-1])
