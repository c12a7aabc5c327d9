"""The addresses of a mail of ours: who writes it, where an answer comes back, where a bounce does (F86-F90).

An answer must come back to us and not to the writer's own mailbox: to the section's address, else the one under which
the conversation is held, else the catchall.  Where the mail host has plus-addresses, the address carries a token that
is signed for this very recipient; the Message-ID carries one in any case.
"""

from __future__ import annotations

from crmmail.core import address as addresses
from crmmail.core import token
from crmmail.core.message import Address
from crmmail.store.people import directory, offices
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace


def of_user(user: directory.User) -> Address:
    """Whom a user's letters are from: his name, and an address in a domain of ours where he has one."""
    address = user.email if user.email in user.virtual else next(iter(sorted(user.virtual)), user.email)
    return Address(user.name, address)


def of_house(workspace: Workspace, this: Record, name: str) -> Address:
    """Whom notifications of other people's words are from: their name, our address; theirs would be forged."""
    domain = next(iter(workspace.config.mail_domains), "crmmail.invalid")
    return Address(name, reply_address(workspace, this) or f"crmmail@{domain}")


def reply_address(workspace: Workspace, this: Record) -> str:
    """Where answers come back, without token; "" where nothing of ours receives mail (F89)."""
    return offices.address_of(this.section) or this.address or workspace.config.mail_catchall


def reply_to(workspace: Workspace, base: str, mark: token.Token) -> str:
    """The address that proves for whom a letter was made, where the host has plus-addresses; else the plain one."""
    return _with_tag(workspace, base, token.address_tag(workspace.secret, mark))


def return_path(workspace: Workspace, base: str, identifier: str) -> str:
    """Where a bounce of this very mail comes back, its id in the address where the host has plus-addresses (VERP)."""
    return _with_tag(workspace, workspace.config.mail_bounce or base, identifier.partition("@")[0])


def _with_tag(workspace: Workspace, base: str, tag: str) -> str:
    local, at, host = base.rpartition("@")
    tagged = f"{local}+{tag}"
    if not base or "+" in local or len(tagged) > addresses.MAX_LOCAL or not _has_plus(workspace, host):
        return base
    return f"{tagged}{at}{host}"


def _has_plus(workspace: Workspace, host: str) -> bool:
    """Does mail to support+x@ reach us?  A catchall of the same domain receives whatever is written to it."""
    wish, catchall = workspace.config.mail_plus_addresses, workspace.config.mail_catchall
    return wish == "yes" or (wish == "auto" and bool(catchall) and addresses.host_of(catchall) == host)


def opening_of(workspace: Workspace, number: int) -> str:
    """How a notification says to open its record."""
    return workspace.config.mail_open.replace("{record}", str(number))
