"""Who is on leave, and who stands in for him: new work goes to the deputy, old work stays where it is (F231).

`users away` and `users back` say it (`services.keeping.people`); here it is asked.  A leave ends by itself when its
time is up.
"""

from __future__ import annotations

from datetime import datetime

from crmmail.store.people import directory
from crmmail.workspace import Workspace


def is_away(workspace: Workspace, user: directory.User, at: datetime | None = None) -> bool:
    """Now, or at another moment."""
    return user.away_until is not None and user.away_until > (at or workspace.now())


def present(workspace: Workspace, user: directory.User, at: datetime | None = None) -> directory.User:
    """Who does his work now: himself, or on leave his deputy, whose own deputy where he is on leave too.

    Where no deputy is left who is here, it is himself again: his work must lie before somebody.
    """
    seen = {user.id}
    one = user
    while is_away(workspace, one, at) and one.deputy:
        one = directory.user(one.deputy)
        if one.id in seen or not one.active:
            return user
        seen.add(one.id)
    return user if is_away(workspace, one, at) else one


def away(workspace: Workspace, at: datetime | None = None) -> dict[str, str]:
    """Logins of everybody who is on leave → who stands in for him, "" if nobody."""
    absent = [one for one in directory.users() if one.active and is_away(workspace, one, at)]
    deputies = {one.login: present(workspace, one, at).login for one in absent}
    return {login: deputy if deputy != login else "" for login, deputy in deputies.items()}


def sentence(workspace: Workspace, user: directory.User) -> str:
    """That somebody is on leave, for `why` and for whoever gives him work; "" where he is here."""
    if not is_away(workspace, user) or user.away_until is None:
        return ""
    deputy = present(workspace, user)
    who = f"deputy {deputy.login}" if deputy.id != user.id else "no deputy"
    return f"{user.login} is away until {user.away_until.astimezone():%Y-%m-%d %H:%M} ({who})"
