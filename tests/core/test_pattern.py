"""A pattern that is compiled later is a pattern."""

from __future__ import annotations

import re

import pytest

from crmmail.core.pattern import pattern


def test_compiled_when_it_is_first_used() -> None:
    broken = pattern("(")
    with pytest.raises(re.error):
        broken.search("x")
    asked: list[tuple[object, ...]] = []
    real = re.compile
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(re, "compile", lambda *words: asked.append(words) or real(*words))
        later = pattern(rb"a(b)", re.I)
        assert asked == []
        assert later.findall(b"abAB") == [b"b", b"B"]
        assert later.sub(b"-", b"xaby") == b"x-y"
        assert asked == [(rb"a(b)", re.I)]


@pytest.mark.parametrize("method", ["search", "match", "fullmatch", "findall", "split"])
def test_says_what_the_compiled_one_says(method: str) -> None:
    for text in ("", "12", "a12b", "12 and 34"):
        ours, theirs = (getattr(made(r"[0-9]+"), method)(text) for made in (pattern, re.compile))
        assert repr(ours) == repr(theirs)
    assert (pattern("x", re.I).pattern, pattern("x", re.I).flags) == ("x", re.compile("x", re.I).flags)
    assert not hasattr(pattern("x"), "nothing")
