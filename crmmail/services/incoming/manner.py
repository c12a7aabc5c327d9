"""In what manner letters are taken in: as mail that comes now, or as the mail of years that somebody brings."""

from __future__ import annotations

from datetime import datetime

from crmmail.core.typed import NamedTuple


class Manner(NamedTuple):
    """What a letter sets going besides being filed."""

    sends: bool  # mail may leave because of it: notifications, copies, a user's answer to the customer
    rules: bool  # rules act on it, and what a section promises of new work holds: who gets it, and by when it is done
    counts_loops: bool  # it counts for the loop limits, and is held where it is over them
    notifies: bool  # people get inbox items
    dated_by_mail: bool  # what it makes is dated as the letter is, not by the clock
    brought: datetime | None = None  # when the mail of years was brought: dated rules pass over days before; None: now


MAIL = Manner(sends=True, rules=True, counts_loops=True, notifies=True, dated_by_mail=False)
# What `import` brings: nobody waits for an answer to it, and nobody may get one.
HISTORY = Manner(sends=False, rules=False, counts_loops=False, notifies=False, dated_by_mail=True)
