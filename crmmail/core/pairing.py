"""Mailbox and addressee: S0's five right and three wrong pairs (F139–F144).

A catchall receives mail for any address of the domain; a functional mailbox (crm@, info@) receives its own.  Letters
still find their record in the wrong pairs where that is possible, but replies and first letters get lost one day, so
`doctor` names them.
"""

from __future__ import annotations

from collections.abc import Collection

from crmmail.core.typed import NamedTuple


class Verdict(NamedTuple):
    right: bool
    code: str
    sentence: str


def judge(mailbox: str, addressee: str, *, catchall: str, aliases: Collection[str], users: Collection[str]) -> Verdict:
    """Is it right that a letter to `addressee` came through `mailbox`?

    Args:
        aliases: our functional addresses.
        users: our users' (virtual) addresses.
    """
    if mailbox == catchall and addressee == catchall:
        sentence = f"{catchall} is the catchall and was written to itself: give what people write to an alias"
        return Verdict(False, "catchall-addressed", sentence)
    if mailbox == catchall:
        if addressee in aliases:
            return Verdict(True, "catchall-alias", f"{addressee} comes through the catchall")
        if addressee in users:
            return Verdict(True, "catchall-user", f"{addressee} is a user's virtual address behind the catchall")
        return Verdict(True, "catchall-unknown", f"{addressee} came through the catchall and is nobody's address yet")
    if mailbox == addressee:
        return Verdict(True, "own-box", f"{addressee} has a mailbox of its own")
    whose = "a user's address" if addressee in users else "another address"
    sentence = f"the mailbox {mailbox} received a letter to {addressee}, {whose}: use a catchall for that"
    return Verdict(False, "box-used-as-catchall", sentence)
