"""What a person types to find things: any input is a valid query."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmail.core.query import Query, join, parse
from crmmail.errors import UsageError


def understand(words: str) -> datetime:
    """ISO dates, today and tomorrow; the errors are those of a date that is none, and of one that may be two."""
    if "/" in words:
        raise UsageError(f"{words} could be two days")
    words = {"today": "2026-01-01", "tomorrow": "2026-01-02"}.get(words, words)
    return datetime.fromisoformat(words).replace(tzinfo=UTC)


JANUARY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("", Query()),
        ("   ", Query()),
        ("printer", Query(words=("printer",))),
        ("Printer burns", Query(words=("Printer", "burns"))),
        ("from:ann", Query(sender="ann")),
        ("from:Ann@Customer.example", Query(sender="ann@customer.example")),
        ("kind:case state:open section:Support", Query(kind="case", states=("open",), sections=("support",))),
        ("responsible:bob", Query(responsible="bob")),
        ("after:2026-01-01", Query(after=JANUARY)),
        ("before:2026-01-01", Query(before=JANUARY)),
        ("has:attachment", Query(has_attachment=True)),
        ("mine unassigned late", Query(mine=True, unassigned=True, late=True)),
        ("printer from:ann late ink", Query(words=("printer", "ink"), sender="ann", late=True)),
        ("from:ann from:bob", Query(sender="bob")),  # the last one said
        ("state:open,Pending", Query(states=("open", "pending"))),
        ("section:support,,sales,", Query(sections=("support", "sales"))),
        ('category:"Fault Fix" ink', Query(words=("ink",), category="fault fix")),
        ("category:gold partner:12", Query(category="gold", partner="12")),
        ('partner:"Ann of ACME"', Query(partner="ann of acme")),
        ("priority:high", Query(priorities=(2, 2))),
        ("priority:1-2", Query(priorities=(1, 2))),
        ("priority:low-high", Query(priorities=(2, 4))),
        ("unfinished closed", Query(unfinished=True, closed=True)),
        ("today", Query(today=(JANUARY, JANUARY.replace(day=2)))),
        ('"paper jam" today', Query(words=("paper jam",), today=(JANUARY, JANUARY.replace(day=2)))),
        # The shell took the quotes of category:"Fault Fix"; what else is said in the argument is a query.
        ("category:Fault Fix", Query(category="fault fix")),
        ("category:fault mine fix", Query(words=("fix",), category="fault", mine=True)),
        ("partner:ann state:open", Query(partner="ann", states=("open",))),
        # What does not fit is a word like any other: it finds less, it does not fail.
        ("after:soon", Query(words=("after:soon",))),
        ("after:1/2/2026", Query(words=("after:1/2/2026",))),
        ("after: before:", Query(words=("after:", "before:"))),
        ("from:", Query(words=("from:",))),
        ("has:tail", Query(words=("has:tail",))),
        ("colour:red", Query(words=("colour:red",))),
        ("Mine FROM:ann", Query(words=("Mine", "FROM:ann"))),
        (":x", Query(words=(":x",))),
        ("\udcff from:\udcfe", Query(words=("\ufffd",), sender="\ufffd")),  # bytes that are no UTF-8
        ("http://x.example/", Query(words=("http://x.example/",))),
        ("from:a:b", Query(sender="a:b")),
        ("priority:urgent priority: priority:1-9", Query(words=("priority:urgent", "priority:", "priority:1-9"))),
        ("state:, section:,,", Query(words=("state:,", "section:,,"))),
        ('it says "no', Query(words=("it", "says", '"no'))),
        ('12" screen "a"b', Query(words=('12"', "screen", '"a"b'))),
        ('category:"" "" "', Query(category='""', words=('""', '"'))),
    ],
    ids=lambda value: ascii(value or "empty").strip("'") if isinstance(value, str) else "",
)
def test_parse(typed: str, query: Query) -> None:
    assert parse([typed], understand) == query


def test_arguments_are_one_text() -> None:
    assert parse(["printer burns", "from:ann"], understand) == parse(["printer", "burns from:ann"], understand)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["mine", "printer"], "mine printer"),
        (["category:Fault Fix", "mine"], 'category:"Fault Fix" mine'),
        (["partner: ann b "], 'partner:"ann b"'),
        (["category:fault late"], "category:fault late"),
        (["printer burns"], "printer burns"),
        (['category:"Fault Fix"'], 'category:"Fault Fix"'),
    ],
)
def test_a_query_as_a_text_means_the_same(arguments: list[str], text: str) -> None:
    assert join(arguments) == text
    assert parse([text], understand) == parse(arguments, understand)


KEYS = ("from", "after", "before", "has", "kind", "state", "section", "category", "partner", "priority", "responsible")
FLAGS = ("mine", "unassigned", "unfinished", "closed", "late", "today")
words = st.lists(
    st.one_of(
        st.text(),
        st.text(alphabet='a":, '),
        st.sampled_from([f"{key}:" for key in KEYS]),
        st.sampled_from(FLAGS),
        st.builds("{}:{}".format, st.sampled_from(KEYS), st.text()),
    )
)


@given(words)
def test_any_input_is_a_query_and_loses_no_word(typed: list[str]) -> None:
    query = parse(typed, understand)
    assert isinstance(query, Query)
    pieces = join(typed).replace('"', " ").split()
    kept = " ".join(query.words).replace('"', " ").split()
    # What is left as words was typed, in that order; what is not left has a key, is the value of one, or is a flag.
    rest = iter(pieces)
    assert all(word in rest for word in kept)
    if ":" not in "".join(typed):
        assert [piece for piece in pieces if piece not in FLAGS] == [word for word in kept if word not in FLAGS]


def test_the_last_words_of_a_long_text_are_one_phrase() -> None:
    text = [f"word{number}" for number in range(60)]
    assert parse(text, understand).words == (*text[:49], " ".join(text[49:]))
    assert parse(text[:50], understand).words == tuple(text[:50])
    assert len(parse(["state:" + ",".join(text)], understand).states) == 50
