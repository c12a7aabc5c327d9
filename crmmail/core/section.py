"""Sections: a tree of departments, each with a manager, an address and policies.

The tree is asked for one thing only, a parent of a code, so these functions take that as a mapping.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from crmmail.core.typed import NamedTuple
from crmmail.errors import Refused

ON_USER_REPLY = ("close", "pending", "keep")
ON_PARTNER_REPLY = ("open", "close", "keep")
ASSIGN = ("none", "manager", "round-robin", "least-busy")


class Section(NamedTuple):
    id: int
    code: str
    name: str
    parent: str  # a code, "" at the top
    manager: str  # a login, "" if none
    address: str  # reply address, "" if none
    on_user_reply: str
    on_partner_reply: str
    assign: str
    active: bool
    reopen_window: str = ""  # a delay: how long after closing an answer opens a case again; "" for ever
    reopen_cancelled: bool = False


class Counts(NamedTuple):
    """The unfinished cases of a section."""

    open: int = 0
    pending: int = 0
    unassigned: int = 0
    late: int = 0
    unfinished: int = 0  # drafts too

    def plus(self, other: Counts) -> Counts:
        return Counts(*(mine + more for mine, more in zip(self, other, strict=True)))


class Candidate(NamedTuple):
    """Somebody who could be made responsible for a new case of a section."""

    user: int
    open_cases: int  # and leads
    last_assigned: str  # ISO date of the case he got last in this section, "" if never


def ancestors(code: str, parents: Mapping[str, str]) -> list[str]:
    """The codes above `code`, nearest first."""
    found: list[str] = []
    above = parents.get(code, "")
    while above and above not in found and above != code:
        found.append(above)
        above = parents.get(above, "")
    return found


def check_parent(code: str, parent: str, parents: Mapping[str, str]) -> None:
    """Refuses a parent that stands below its own child: escalation would go round in circles."""
    if parent == code:
        raise Refused(f"{code} cannot be above itself")
    if code in ancestors(parent, parents):
        chain = " ▸ ".join([parent, *ancestors(parent, parents)])
        raise Refused(f"{parent} cannot be above {code}, because it stands below it ({chain})")


def descendants(code: str, parents: Mapping[str, str]) -> list[str]:
    """`code` and every code below it."""
    return [code, *(child for child in parents if code in ancestors(child, parents))]


def summed(counts: Mapping[str, Counts], parents: Mapping[str, str]) -> dict[str, Counts]:
    """The counts of each section with those of all below it."""
    found = {code: counts.get(code, Counts()) for code in parents}
    for code in parents:
        for above in ancestors(code, parents):
            if above in found:
                found[above] = found[above].plus(counts.get(code, Counts()))
    return found


def too_late(window: str, closed: datetime | None, now: datetime) -> str:
    """Why an answer comes too late to open a case again; "" where it comes in time."""
    if not window or closed is None:
        return ""
    from crmmail.core.delay import Delay, after, parse  # read only where a section has a window

    if now <= after(closed, parse(window)):
        return ""
    passed = now - closed
    days = f"{passed.days} day{'' if passed.days == 1 else 's'}"
    since = days if passed.days else str(Delay(seconds=int(passed.total_seconds())))
    return f"came {since} after closing: reopen_window is {window}"


def choose(policy: str, manager: int | None, candidates: Sequence[Candidate]) -> int | None:
    """Who becomes responsible for a new case: a user's id, or None for nobody (F136)."""
    if policy == "manager":
        return manager
    if policy == "round-robin" and candidates:
        return min(candidates, key=lambda one: (one.last_assigned, one.user)).user
    if policy == "least-busy" and candidates:
        return min(candidates, key=lambda one: (one.open_cases, one.last_assigned, one.user)).user
    return None
