"""Partner categories: `Support contract / Gold` stands under `Support contract`, however it is written."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmail.core.category import SEPARATOR, chain, key, parts


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("Support contract / Gold", ["Support contract", "Gold"]),
        (" Support  contract/Gold ", ["Support contract", "Gold"]),
        ("/Main client//", ["Main client"]),
        (" / ", []),
        ("", []),
    ],
)
def test_parts(path: str, words: list[str]) -> None:
    assert parts(path) == words


@pytest.mark.parametrize("path", ["Support contract / Gold", "SUPPORT CONTRACT/gold", " support\tcontract /  Gold/"])
def test_spellings_are_one_key(path: str) -> None:
    assert key(path) == "support contract / gold"


@pytest.mark.parametrize(
    ("path", "above"),
    [
        ("A / B / C", ("a / b / c", "a / b", "a")),
        ("Main client", ("main client",)),
        ("", ()),
        ("//", ()),
    ],
)
def test_the_chain_is_the_path_and_those_above_it(path: str, above: tuple[str, ...]) -> None:
    assert chain(path) == above


@given(st.text())
def test_a_key_is_its_own_key_and_heads_its_chain(path: str) -> None:
    assert key(key(path)) == key(path)
    assert chain(path)[:1] == ((key(path),) if key(path) else ())
    assert len(chain(path)) == len(parts(path))
    assert all(lower.startswith(upper + SEPARATOR) for lower, upper in pairwise(chain(path)))
