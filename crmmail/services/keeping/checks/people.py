"""Does every new record find somebody, and can everybody be reached?"""

from __future__ import annotations

from collections.abc import Iterator

from crmmail.services.automatic import rule_admin
from crmmail.services.keeping import people
from crmmail.services.keeping.checks.finding import Finding, fail, warn
from crmmail.services.shared import leave
from crmmail.store.people import directory, offices
from crmmail.workspace import Workspace


def new_cases_find_somebody(workspace: Workspace) -> Iterator[Finding]:
    """F166: somebody must be told of a new case, and he must have an address where he hears by mail."""
    by_rule = {one.section for one in rule_admin.listing() if one.set_responsible and one.state_from in ("", "none")}
    for one in offices.sections():
        found = by_rule & {"", one.code}
        if one.active and not (one.manager or found) and one.assign in ("none", "manager"):
            yield warn(
                "assignment",
                f"nobody is told of new cases of section {one.code} but the admins",
                f"crmmail sections set {one.code} --manager LOGIN, --assign round-robin, or a rule",
            )
    for user in directory.users():
        if user.active and not user.email:
            yield warn("users", f"{user.login} has no address", f"crmmail users set {user.login} --email ADDRESS")
    if not directory.admins():
        yield fail("users", "nobody is admin", "restore the store from a backup, or ask whoever made it")


def leave_has_deputies(workspace: Workspace) -> Iterator[Finding]:
    """F231: the work of who is on leave must lie before somebody."""
    for login, deputy in leave.away(workspace).items():
        this = directory.user(login)
        waiting = len(people.unfinished_of(this)) if not deputy else 0
        if waiting:
            what = "1 unfinished record waits" if waiting == 1 else f"{waiting} unfinished records wait"
            yield warn(
                "leave",
                f"{leave.sentence(workspace, this)}, and {what}",
                f"crmmail users away {login} --until DATE --deputy LOGIN --hand-over",
            )
