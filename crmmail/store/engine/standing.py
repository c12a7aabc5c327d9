"""What stands still while letters are filed: users, sections, addresses of ours, subscriptions, rules, promises.

A letter asks for them again and again and changes none of them.  So for the length of a transaction that files letters
(`kept`) each of these questions is asked once; what such a transaction writes must be no answer to one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps

from crmmail.core.typed import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    Ask = TypeVar("Ask", bound=Callable[..., Any])

_answers: dict[Any, Any] | None = None  # None: nothing is kept


@contextmanager
def kept() -> Iterator[None]:
    """Keeps the answers until the end of the block, which is inside one transaction."""
    global _answers
    before = _answers
    _answers = {} if before is None else before
    try:
        yield
    finally:
        _answers = before


def standing(ask: Ask) -> Ask:
    """A question whose answer no letter changes.  Nobody changes what it returns, either."""

    @wraps(ask)
    def answer(*given: Any, **named: Any) -> Any:
        if _answers is None:
            return ask(*given, **named)
        question = (ask, given, tuple(named.items()))
        if question not in _answers:
            _answers[question] = ask(*given, **named)
        return _answers[question]

    return answer  # type: ignore[return-value]
