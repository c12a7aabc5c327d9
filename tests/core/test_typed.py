"""Our NamedTuple does what that of `typing` does."""

from __future__ import annotations

import copy
import json
import pickle
import typing
from collections.abc import Callable

import pytest

from crmmail.core import typed


class Ours(typed.NamedTuple):
    """Of a record."""

    number: int
    title: str
    state: str = "open"
    tags: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"[{self.number}] {self.title}"

    def closed(self) -> Ours:
        return self._replace(state="done")


class Theirs(typing.NamedTuple):
    """Of a record."""

    number: int
    title: str
    state: str = "open"
    tags: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"[{self.number}] {self.title}"

    def closed(self) -> Theirs:
        return self._replace(state="done")


class Empty(typed.NamedTuple):
    pass


class Young(typed.NamedTuple):
    """Never made but in the test that asks for it."""

    one: int
    two: int = 2


DEEDS: dict[str, Callable[[typing.Any], object]] = {
    "made by place": lambda kind: kind(1, "Printer"),
    "made by name": lambda kind: kind(title="Printer", number=1, tags=("a",)),
    "made by both": lambda kind: kind(1, title="Printer", state="done"),
    "made of a list": lambda kind: kind._make([1, "Printer", "open", ()]),
    "read by name": lambda kind: (kind(1, "x").number, kind(1, "x").title, kind(1, "x").state, kind(1, "x").tags),
    "read by place": lambda kind: (kind(1, "x")[0], kind(1, "x")[-1], len(kind(1, "x"))),
    "taken apart": lambda kind: [*kind(1, "x")],
    "compared": lambda kind: (
        kind(1, "x") == kind(1, "x"),
        kind(1, "x") == (1, "x", "open", ()),
        kind(1, "x") < kind(2, ""),
    ),
    "hashed": lambda kind: hash(kind(1, "x")),
    "changed": lambda kind: kind(1, "x")._replace(title="y", number=3),
    "a method": lambda kind: kind(1, "x").closed(),
    "a property": lambda kind: kind(1, "x").label,
    "a dictionary": lambda kind: kind(1, "x")._asdict(),
    "its fields": lambda kind: (kind._fields, kind._field_defaults, kind.__match_args__, kind.__doc__),
    "shown": lambda kind: repr(kind(1, "x")).partition("(")[2],
    "copied": lambda kind: copy.deepcopy(kind(1, "x", tags=("a",))),
    "as JSON": lambda kind: json.dumps(kind(1, "x")),
    "pickled": lambda kind: pickle.loads(pickle.dumps(kind(1, "x"))),
    "matched": lambda kind: _matched(kind, kind(1, "x")),
    "no slots but its own": lambda kind: hasattr(kind(1, "x"), "__dict__"),
}
REFUSED: dict[str, Callable[[typing.Any], object]] = {
    "too few": lambda kind: kind(1),
    "too many": lambda kind: kind(1, "x", "open", (), 5),
    "twice": lambda kind: kind(1, "x", number=2),
    "unknown name": lambda kind: kind(1, "x", nobody=2),
    "change of an unknown name": lambda kind: kind(1, "x")._replace(nobody=2),
    "made of too little": lambda kind: kind._make([1]),
    "written": lambda kind: setattr(kind(1, "x"), "number", 2),
    "written anew": lambda kind: setattr(kind(1, "x"), "nobody", 2),
}


def _matched(kind: typing.Any, value: object) -> object:
    match value:
        case kind(number, title):
            return number, title
    return None


@pytest.mark.parametrize("deed", DEEDS)
def test_as_that_of_typing(deed: str) -> None:
    assert DEEDS[deed](Ours) == DEEDS[deed](Theirs)


@pytest.mark.parametrize("deed", REFUSED)
def test_refused_as_by_that_of_typing(deed: str) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError)) as theirs:
        REFUSED[deed](Theirs)
    with pytest.raises(theirs.type):
        REFUSED[deed](Ours)


def test_constructor_is_compiled_when_the_first_value_is_made() -> None:
    assert "__new__" not in vars(Young)
    assert Young(one=1) == (1, 2)
    assert Young.__new__.__code__.co_varnames == ("_cls", "one", "two")
    assert Young(3, 4) == (3, 4)
    assert pickle.loads(pickle.dumps(Young(5))) == (5, 2)
    assert Empty() == () and repr(Empty()) == "Empty()"


def test_class_below_a_value() -> None:
    class Below(Ours):
        def loud(self) -> str:
            return self.title.upper()

    assert Below(1, "x").loud() == "X"
    assert isinstance(Below(1, "x")._replace(title="y"), Below)
    assert Ours(1, "x") == Below(1, "x")
