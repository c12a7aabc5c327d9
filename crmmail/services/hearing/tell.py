"""Tells people of a message: who is decided by `core.audience`, here it is written down.

An inbox item for each user who hears by inbox, a queued delivery for each who hears by mail; mail leaves later, from
the outbox, never from inside the transaction.  Of one act a user gets one item a record: who is told of the letter is
not told once more that the letter reopened the case.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta

from crmmail.core import audience, token
from crmmail.core.typed import Any
from crmmail.services.shared.leave import present
from crmmail.store.letters import inbox, messages, outbox, threads
from crmmail.store.people import directory, followers, offices
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace

# Messages that rules wrote, and their subtypes: nobody was told of them yet; "" is a mail, of which people were.
News = list[tuple[int, str]]


def who_hears(
    workspace: Workspace,
    thread: int,
    *,
    subtype: str,
    internal: bool,
    author: int | None = None,
    author_address: str = "",
    addressed: Iterable[int] = (),
    holders: Collection[str] = (),
    silent: bool = False,
    skip: Collection[int] = (),
    outside: bool = True,
    only: bool = False,
    listeners: Sequence[audience.Follower] | None = None,
) -> audience.Audience:
    """Whom a message about a record concerns, and how he hears of it; nothing is written.

    Args:
        addressed: users told whatever they follow (the admins of a case that nobody owns).
        holders: addresses that have the letter already.
        silent: a machine wrote it: no mail leaves because of it.
        skip: users who were told of this act already.
        outside: False: followers outside get no copy (a letter passed on to somebody else).
        only: nobody hears but who is addressed, whoever follows (a reminder).
        listeners: the record's followers, where they are known.
    """
    wanted = [user for user in addressed if user not in skip]
    present = followers.listeners(thread) if listeners is None else listeners
    asked = [one for one in present if not only or one.user in wanted]
    asked += followers.users_as_listeners(set(wanted) - {one.user for one in asked})
    asked = [one for one in asked if one.user not in skip and (outside or one.user is not None)]
    return audience.audience(
        asked,
        subtype=subtype,
        internal=internal,
        author=author,
        author_address=author_address,
        addressed=wanted,
        holders=holders,
        aliases=own_addresses(workspace),
        closed=() if silent else _closed(workspace, thread, asked, internal),
        silent=silent,
    )


def _closed(
    workspace: Workspace, thread: int, listeners: Sequence[audience.Follower], internal: bool
) -> Collection[str]:
    """The addresses of these to which no mail goes.

    They do not exist, as a bounce has said; or what is internal is not for them, customers of this very record who
    work here; or they have had so many copies in a short time that they must be answering each.
    """
    inside = {one.address for one in listeners if one.user is not None and one.notify in ("email", "both")}
    outside = set() if internal else {one.address for one in listeners if one.user is None and one.address}
    if not (inside or outside):
        return ()
    found = set(outbox.bad(inside | outside))
    if internal:
        found |= inside & threads.outsiders(thread)
    limit = workspace.config.loop_mails
    if outside and limit:
        since = workspace.now() - timedelta(minutes=workspace.config.loop_minutes)
        found |= {one for one, count in outbox.copies_since(thread, outside, since).items() if count >= limit}
    return found


def tell(
    workspace: Workspace, thread: int, message: int, *, internal: bool, mails: bool = True, **who: Any
) -> set[int]:
    """Notifies whom it concerns; the users who were told, by either way.  Arguments as `who_hears` has them.

    Args:
        mails: False: no mail leaves because of it; who hears by mail gets an inbox item instead.
    """
    now = workspace.now()
    listeners = followers.listeners(thread)
    heard = who_hears(workspace, thread, internal=internal, listeners=listeners, **who)
    if not mails:
        told = [copy.user for copy in heard.mail if copy.user is not None]
        heard = heard._replace(inbox=tuple(dict.fromkeys((*heard.inbox, *told))), mail=())
    if not (heard.inbox or heard.mail):
        return set()
    following = {one.user for one in listeners}
    for user in heard.inbox:
        why = "follower" if user in following else "addressed"
        inbox.put_notification(user, why, now, message=message, thread=thread)
    for copy in heard.mail:
        who_is = f"u{copy.user}" if copy.user is not None else f"c{copy.contact}" if copy.contact is not None else "x"
        outbox.put_delivery(
            message,
            thread,
            user=copy.user,
            contact=copy.contact,
            address=copy.address,
            purpose="notification",
            why="follower" if copy.user in following else "addressed",
            identifier=identifier(workspace, token.Token(thread, who_is, internal)),
            due=now,
            created=now,
        )
    return {*heard.inbox, *(copy.user for copy in heard.mail if copy.user is not None)}


def spread(workspace: Workspace, number: int, news: News, *, skip: Collection[int] = ()) -> None:
    """Tells people of what rules wrote; each at most once, and not who heard of a rule's mail already."""
    told = set(skip).union(*(_heard(message) for message, subtype in news if not subtype))
    for message, subtype in news:
        if subtype:
            told |= tell(workspace, number, message, subtype=subtype, internal=True, author=None, skip=told)


def _heard(message: int) -> set[int]:
    """The users who were told of a message, by either way."""
    mailed = {one.user for one in outbox.deliveries(messages=[message]) if one.user is not None}
    return mailed | {user for user, _, _ in inbox.told(message)}


def in_charge(workspace: Workspace, this: Record) -> list[int]:
    """The responsible of a record, else its section's manager, else the admins.

    Who has left is passed over; instead of somebody on leave it is his deputy.
    """
    responsible = directory.user(this.responsible) if this.responsible else None
    if responsible and responsible.active:
        return [present(workspace, responsible).id]
    manager = offices.manager(this.section)
    return [present(workspace, manager).id] if manager else [one.id for one in directory.admins()]


def own_addresses(workspace: Workspace) -> frozenset[str]:
    """The addresses whose mail comes back to us: aliases, the catchall, the bounce address."""
    config = workspace.config
    return offices.alias_addresses() | {one for one in (config.mail_catchall, config.mail_bounce) if one}


def identifier(workspace: Workspace, mark: token.Token) -> str:
    """A new signed Message-ID for one recipient of a mail about a record."""
    domain = next(iter(workspace.config.mail_domains), "crmmail.invalid")
    return token.message_id(workspace.secret, mark, os.urandom(8).hex(), domain)


def system_message(
    workspace: Workspace,
    thread: int,
    subtype: str,
    text: str,
    *,
    author: int | None,
    details: list[dict[str, str]] | None = None,
) -> int:
    """Writes what the program has to say about a record into its thread; never for eyes outside."""
    now = workspace.now()
    return messages.put_message(
        thread,
        kind="system",
        subtype=subtype,
        internal=True,
        author=author,
        from_name="crmmail",
        text=text,
        date=now,
        received=now,
        details=details,
    )
