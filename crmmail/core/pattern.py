"""Regular expressions that are compiled when they are first used.

To compile one takes as long as to load a file of ours.  A delivery loads a good many that few mails need, and all of
them together cost 0.25 x `python -c pass`.  A pattern that every mail needs is compiled by `re` as everywhere.
"""

from __future__ import annotations

import re

from crmmail.core.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import AnyStr


def pattern(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Like `re.compile`, later."""
    return _Later(text, flags)  # type: ignore[return-value]


class _Later:
    def __init__(self, text: Any, flags: int) -> None:
        self._wanted = (text, flags)

    def __getattr__(self, name: str) -> Any:
        """Each method of the compiled pattern becomes our own when it is first asked for."""
        compiled = re.compile(*self._wanted)
        for one in ("search", "match", "fullmatch", "findall", "finditer", "sub", "subn", "split", "pattern"):
            setattr(self, one, getattr(compiled, one))
        return getattr(compiled, name)
