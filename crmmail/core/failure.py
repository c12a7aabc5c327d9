"""Why a mail did not leave, as a plain value, and what to do about it in plain words (F84, F396-F398)."""

from __future__ import annotations

from typing import NamedTuple


class Failure(NamedTuple):
    """One try to hand a mail over that did not succeed, or a bounce."""

    kind: str  # of KINDS
    permanent: bool  # trying the very same again is no use (5.x.x); False: try again later (4.x.x)
    ours: bool  # the way out itself is shut (no connection, login, TLS): every other mail would meet the same
    words: str  # what the server or the system said, with its code, one line: "550 5.1.1 no such user"
