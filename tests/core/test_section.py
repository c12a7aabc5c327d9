"""The tree of sections, and who gets a new case.

Quality and Sales stand at the top; Support 1 stands below Support 2, where its cases escalate to (oracle 4).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmail.core.section import Candidate, Counts, ancestors, check_parent, choose, descendants, summed, too_late
from crmmail.errors import Refused

TREE = {"quality": "", "sales": "", "support2": "", "support1": "support2", "printers": "support1", "ink": "printers"}


@pytest.mark.parametrize(
    ("code", "above"),
    [
        ("sales", []),
        ("support1", ["support2"]),
        ("ink", ["printers", "support1", "support2"]),
        ("unknown", []),
    ],
)
def test_ancestors(code: str, above: list[str]) -> None:
    assert ancestors(code, TREE) == above


@pytest.mark.parametrize(
    ("parents", "above"),
    [
        ({"a": "a"}, []),
        ({"a": "b", "b": "a"}, ["b"]),
        ({"a": "b", "b": "c", "c": "b"}, ["b", "c"]),
        ({"a": "gone"}, ["gone"]),
    ],
    ids=["itself", "two", "a-ring-above", "a-parent-that-is-not-there"],
)
def test_a_ring_in_the_tree_ends(parents: dict[str, str], above: list[str]) -> None:
    assert ancestors("a", parents) == above


@pytest.mark.parametrize(
    ("code", "below"),
    [
        ("support2", ["support2", "support1", "printers", "ink"]),
        ("ink", ["ink"]),
        ("sales", ["sales"]),
    ],
)
def test_descendants(code: str, below: list[str]) -> None:
    assert descendants(code, TREE) == below


@pytest.mark.parametrize(("code", "parent"), [("ink", "sales"), ("support2", "quality"), ("new", "ink")])
def test_a_parent_that_may_be(code: str, parent: str) -> None:
    check_parent(code, parent, TREE)
    assert code not in ancestors(parent, TREE)


@pytest.mark.parametrize(
    ("code", "parent", "chain"),
    [
        ("support2", "support1", "(support1 ▸ support2)"),
        ("support2", "ink", "(ink ▸ printers ▸ support1 ▸ support2)"),
    ],
)
def test_a_parent_below_its_own_child_is_refused_with_the_chain(code: str, parent: str, chain: str) -> None:
    with pytest.raises(Refused) as caught:
        check_parent(code, parent, TREE)
    assert chain in str(caught.value)
    assert str(caught.value).startswith(f"{parent} cannot be above {code}")


def test_a_section_is_not_its_own_parent() -> None:
    with pytest.raises(Refused, match="sales cannot be above itself"):
        check_parent("sales", "sales", TREE)


ANN, BOB, CEM = Candidate(1, 2, "2026-11-20"), Candidate(2, 0, "2026-11-24"), Candidate(3, 2, "")


@pytest.mark.parametrize(
    ("policy", "candidates", "chosen"),
    [
        ("none", (ANN, BOB, CEM), None),
        ("manager", (ANN, BOB, CEM), 9),
        ("round-robin", (ANN, BOB), 1),  # who got one longest ago
        ("round-robin", (ANN, BOB, CEM), 3),  # never got one
        ("round-robin", (CEM, Candidate(4, 0, "")), 3),  # a tie goes to the elder
        ("least-busy", (ANN, BOB, CEM), 2),
        ("least-busy", (ANN, CEM), 3),  # as busy: who got one longest ago
        ("round-robin", (), None),
        ("least-busy", (), None),
    ],
)
def test_who_becomes_responsible(policy: str, candidates: tuple[Candidate, ...], chosen: int | None) -> None:
    assert choose(policy, 9, candidates) == chosen


def test_a_section_without_a_manager_leaves_it_to_nobody() -> None:
    assert choose("manager", None, (ANN,)) is None


# --- counts, and the window in which an answer opens a case again --------------------------------------------


def test_the_counts_of_a_section_and_all_below_it() -> None:
    own = {"ink": Counts(open=1, unfinished=2), "support1": Counts(late=1, unfinished=1), "sales": Counts(pending=3)}
    whole = summed(own, TREE)
    assert whole["ink"] == own["ink"]
    assert whole["support2"] == whole["support1"] == Counts(open=1, late=1, unfinished=3)
    assert whole["quality"] == Counts()
    assert whole["sales"] == own["sales"]


@given(
    parents=st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["", *"abcdefg"])),
    numbers=st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 9)),
)
def test_sums_end_and_count_every_case_once_for_each_section_above_it(
    parents: dict[str, str], numbers: dict[str, int]
) -> None:
    """Also in a tree that is none: a parent that is not there, a ring."""
    own = {code: Counts(open=number) for code, number in numbers.items() if code in parents}
    for code, whole in summed(own, parents).items():
        assert whole.open == sum(own[below].open for below in descendants(code, parents) if below in own)


NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "closed", "sentence"),
    [
        ("30d", timedelta(days=40), "came 40 days after closing: reopen_window is 30d"),
        ("1d", timedelta(days=1, hours=1), "came 1 day after closing: reopen_window is 1d"),
        ("1h", timedelta(hours=2, minutes=5), "came 2h5m after closing: reopen_window is 1h"),
        ("0m", timedelta(seconds=90), "came 1m after closing: reopen_window is 0m"),
        ("1mo", timedelta(days=32), "came 32 days after closing: reopen_window is 1mo"),
        ("30d", timedelta(days=30), ""),  # to the second
        ("1mo", timedelta(days=31), ""),
        ("", timedelta(days=4000), ""),  # for ever
        ("0m", timedelta(0), ""),
    ],
)
def test_an_answer_that_comes_too_late(window: str, closed: timedelta, sentence: str) -> None:
    assert too_late(window, NOW - closed, NOW) == sentence


def test_what_was_never_closed_is_never_late() -> None:
    assert too_late("30d", None, NOW) == ""
