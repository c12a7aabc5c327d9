"""What only an admin may do."""

from __future__ import annotations

from crmmail.errors import NotAllowed
from crmmail.store.people import directory
from crmmail.workspace import Workspace


def need_admin(workspace: Workspace, what: str) -> directory.User:
    """The acting user, who must be an admin."""
    me = workspace.user()
    if not me.admin:
        admins = ", ".join(one.login for one in directory.admins()) or "nobody"
        raise NotAllowed(f"only an admin may {what} (admins: {admins})")
    return me
