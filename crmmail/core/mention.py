"""Who is mentioned in a note: `@bob, please look` (F360)."""

from __future__ import annotations

import re

_MENTION = re.compile(r"(?<![\w.@+-])@([a-z0-9][a-z0-9._-]{0,63})", re.IGNORECASE)


def logins(words: str) -> set[str]:
    """What stands behind an @ at the beginning of a word, lower case; addresses mention nobody."""
    return {name.lower().rstrip("._-") for name in _MENTION.findall(words)}
