"""Who hears of a message, and how (behaviour §3).

    followers of its subtype + people addressed − the author − machine senders − our own aliases

Users hear by inbox, by mail, both or none, as each has set; everybody else can only hear by mail, and only of what
is not internal: an internal message has no path to an address outside, because no branch below makes one.
Whoever already holds the letter (a real mailbox in its To or Cc) gets no copy by mail, but keeps his inbox item.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from crmmail.core.address import without_tag
from crmmail.core.typed import NamedTuple


class Follower(NamedTuple):
    """One follower of a thread: a user, a contact, or a bare address."""

    user: int | None
    contact: int | None
    address: str  # where mail to him goes; "" if none
    types: tuple[str, ...] | None  # None: the default
    notify: str = "none"  # users: inbox | email | both | none
    virtual: bool = False  # users: the address exists nowhere on a mail server


class Copy(NamedTuple):
    """A mail to one recipient."""

    address: str
    user: int | None
    contact: int | None


class Audience(NamedTuple):
    inbox: tuple[int, ...]  # users
    mail: tuple[Copy, ...]


OUTSIDE_DEFAULT = ("discussion",)


def follows(follower: Follower, subtype: str) -> bool:
    """Has he subscribed to this subtype?  Users to all by default, others to discussions."""
    if follower.types is not None:
        return subtype in follower.types
    return follower.user is not None or subtype in OUTSIDE_DEFAULT


def audience(
    followers: Sequence[Follower],
    *,
    subtype: str,
    internal: bool,
    author: int | None,
    author_address: str = "",
    addressed: Collection[int] = (),
    holders: Collection[str] = (),
    aliases: Collection[str] = (),
    closed: Collection[str] = (),
    silent: bool = False,
) -> Audience:
    """Who gets an inbox item and who a mail.

    Args:
        followers: of the thread, and users who are addressed, so that these hear as they have set.
        addressed: ids of users told explicitly, whatever they follow.
        holders: addresses that have the letter already (its From, To and Cc).
        aliases: our own addresses, to which nothing of ours is ever sent (loops).
        closed: addresses to which no mail goes: what went there came back, or it is not for them.
        silent: the message came from a machine: it is stored and shown, but no mail leaves because of it.
    """
    present = {one.user for one in followers}
    inbox: list[int] = [user for user in addressed if user != author and user not in present]
    copies: dict[str, Copy] = {}
    for one in followers:
        named = one.user is not None and one.user in addressed
        if not (named or follows(one, subtype)) or (one.user is not None and one.user == author):
            continue
        no_way = not one.address or without_tag(one.address) in aliases or one.address in closed
        # Who hears by mail only finds in his inbox what cannot be mailed to him: a machine's letter, because no mail
        # leaves because of one, and all where his address is an alias of ours or does not exist.
        by_inbox = one.notify in ("inbox", "both") or (one.notify == "email" and (silent or no_way))
        by_inbox = by_inbox or (named and one.notify == "none")  # he wants no news, but this is a word to him
        if one.user is not None and by_inbox and one.user not in inbox:
            inbox.append(one.user)
        wants_mail = one.notify in ("email", "both") if one.user is not None else not internal
        has_it = one.address in holders and not one.virtual
        if wants_mail and not (no_way or has_it or silent) and one.address != author_address:
            copies.setdefault(one.address, Copy(one.address, one.user, one.contact))
    return Audience(tuple(inbox), tuple(copies.values()))
