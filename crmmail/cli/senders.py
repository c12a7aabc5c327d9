"""How senders are shown, so that nobody passes for one of ours by the name that he chose.

A letter may say that it is from "The Boss".  Where its sender is no user, and is called like one, like a section, or
like an address, his own address stands before that name (`core.text.person`).  Programs read both as they came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crmmail.cli.columns import Column, Row
from crmmail.cli.session import Session
from crmmail.core import text

NAME = 30  # cells of a name
UNCLEAR = 500  # cells of a From line that names no one sender


def columns(session: Session, known: Sequence[Column]) -> list[Column]:
    """The columns of a listing; in that of the name a person reads whom it is from."""
    return [replace(one, show=lambda row: who(session, row)) if one.key == "from_name" else one for one in known]


def who(session: Session, row: Row) -> str:
    """A user's login, or whoever the letter says wrote it."""
    return row.get("author") or person(session, row["from_name"], row["from_address"])


def person(session: Session, name: str, address: str) -> str:
    """Somebody who is no user, as a reader wants to know him."""
    return text.person(name, address, ours=session.our_names)


def in_full(session: Session, name: str, address: str, *, whole: bool = False) -> str:
    """Name and address; what is no clear sender says so.

    Args:
        whole: of a sender who is not clear all that he wrote there, for it is why.
    """
    shown = text.one_line(name, 40)
    if shown and address:
        return f"{shown} <{text.mark_address(address)}>"
    return text.person(name, address, UNCLEAR if whole else NAME, ours=session.our_names)
