"""Sections: a tree of departments, each with a manager, an address and policies.

The tree is asked for one thing only, a parent of a code, so these functions take that as a mapping.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

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


class Candidate(NamedTuple):
    """Somebody who could be made responsible for a new case of a section."""

    user: int
    open_cases: int
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


def choose(policy: str, manager: int | None, candidates: Sequence[Candidate]) -> int | None:
    """Who becomes responsible for a new case: a user's id, or None for nobody (F136)."""
    if policy == "manager":
        return manager
    if policy == "round-robin" and candidates:
        return min(candidates, key=lambda one: (one.last_assigned, one.user)).user
    if policy == "least-busy" and candidates:
        return min(candidates, key=lambda one: (one.open_cases, one.last_assigned, one.user)).user
    return None
