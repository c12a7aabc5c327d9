"""Values as the store keeps them."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as some

from crmmail.store.engine import values

_PLAIN = some.none() | some.booleans() | some.integers() | some.text()


@given(
    some.lists(some.text())
    | some.recursive(_PLAIN, lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner))
)
def test_json_is_what_the_standard_library_writes(value: object) -> None:
    """But for NUL and half characters, which no database takes."""
    written = values.json(value)
    if "\0" not in str(value) and "\\x00" not in repr(value) and "\ufffd" not in written:
        assert written == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert "\\u0000" not in written and written.encode()
    again = values.unjson(written)
    assert values.json(again) == written


def test_short_ways_read_as_the_long_one() -> None:
    for text in ("[]", "{}", "[1]", "null", '"x"'):
        assert values.unjson(text) == json.loads(text)
    first = values.unjson("{}")
    first["a"] = 1
    assert values.unjson("{}") == {}  # nobody shares it
