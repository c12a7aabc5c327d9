"""What a person types to find things: any input is a valid query."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmail.core.query import Query, parse
from crmmail.errors import UsageError


def understand(words: str) -> datetime:
    """Only ISO dates; the errors are those of a date that is none, and of one that may be two."""
    if "/" in words:
        raise UsageError(f"{words} could be two days")
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
        ("kind:case state:open section:Support", Query(kind="case", state="open", section="support")),
        ("responsible:bob", Query(responsible="bob")),
        ("after:2026-01-01", Query(after=JANUARY)),
        ("before:2026-01-01", Query(before=JANUARY)),
        ("has:attachment", Query(has_attachment=True)),
        ("mine unassigned late", Query(mine=True, unassigned=True, late=True)),
        ("printer from:ann late ink", Query(words=("printer", "ink"), sender="ann", late=True)),
        ("from:ann from:bob", Query(sender="bob")),  # the last one said
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
    ],
    ids=lambda value: ascii(value or "empty").strip("'") if isinstance(value, str) else "",
)
def test_parse(typed: str, query: Query) -> None:
    assert parse([typed], understand) == query


def test_arguments_are_one_text() -> None:
    assert parse(["printer burns", "from:ann"], understand) == parse(["printer", "burns from:ann"], understand)


words = st.lists(
    st.one_of(
        st.text(),
        st.sampled_from(["from:", "after:", "before:", "has:", "kind:", "mine", "late"]),
        st.builds("{}:{}".format, st.sampled_from(["from", "after", "before", "has", "state"]), st.text()),
    )
)


@given(words)
def test_any_input_is_a_query_and_loses_no_word(typed: list[str]) -> None:
    query = parse(typed, understand)
    assert isinstance(query, Query)
    pieces = " ".join(typed).split()
    # What is left as words was typed, in that order; what is not left has a key or is a flag.
    assert [piece for piece in pieces if piece in query.words] == list(query.words)
    for piece in pieces:
        assert piece in query.words or ":" in piece or piece in ("mine", "unassigned", "late")
