"""The tree of sections, and who gets a new case.

Quality and Sales stand at the top; Support 1 stands below Support 2, where its cases escalate to (oracle 4).
"""

from __future__ import annotations

import pytest

from crmmail.core.section import Candidate, ancestors, check_parent, choose, descendants
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
