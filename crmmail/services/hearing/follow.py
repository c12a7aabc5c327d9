"""Following: who hears of a record, of which kinds of message, and of every new record of a kind."""

from __future__ import annotations

from collections.abc import Iterator

from crmmail.core import address as addresses
from crmmail.core import record
from crmmail.core.typed import NamedTuple
from crmmail.errors import NotFound, Refused, UsageError
from crmmail.services.hearing.tell import own_addresses
from crmmail.services.shared import fields
from crmmail.services.shared.possible import living
from crmmail.store.history import journal, undoable
from crmmail.store.letters import messages
from crmmail.store.people import directory, followers, offices
from crmmail.store.work import records
from crmmail.workspace import Workspace, os_login


class Followed(NamedTuple):
    record: int
    title: str
    sentence: str
    note: str = ""


class Who(NamedTuple):
    """A follower as a person names him."""

    user: int | None
    contact: int | None
    address: str | None
    shown: str


def who(workspace: Workspace, words: str) -> Who:
    """A login, a contact's number, or an address; an alias of ours may not follow, mail would go in circles."""
    if "@" in words:
        found = fields.address(words)
        if addresses.without_tag(found) in own_addresses(workspace):
            raise Refused(f"{found} is an address of ours: if it followed, mail would go in circles")
        users = directory.users_by_address([found])
        if users:
            this = directory.user_by_id(users[found])
            return Who(this.id, None, None, this.login)
        cards = directory.contacts_with(found)
        if len(cards) == 1:
            return Who(None, cards[0], None, f"{directory.contact(cards[0]).name} <{found}>")
        return Who(None, None, found, found)
    digits = words.lstrip("#")
    if digits.isascii() and digits.isdigit() and len(digits) <= 18:
        card = directory.contact(int(digits))
        return Who(None, card.id, None, card.name)
    this = fields.active_user(words)
    return Who(this.id, None, None, this.login)


def types_of(words: str | None) -> list[str] | None:
    """`discussion,created` → a list of subtypes; None stays None (all, or discussions for followers outside)."""
    if words is None:
        return None
    known = followers.subtypes()
    wanted = [one.strip().lower() for one in words.split(",") if one.strip()]
    unknown = [one for one in wanted if one not in known]
    if unknown or not wanted:
        raise UsageError(f"there is no type {', '.join(unknown) or words!r}; types: {', '.join(known)}")
    return wanted


def follow(workspace: Workspace, number: int, someone: str | None, types: str | None) -> Followed:
    """Makes somebody (oneself by default) follow a record, or changes what he follows of it."""
    me = workspace.user()
    chosen = types_of(types)
    with workspace.store.transaction():
        this = living(number)
        them = who(workspace, someone) if someone else Who(me.id, None, None, me.login)
        if them.user is None and any(one != "discussion" for one in chosen or ()):
            raise Refused(f"{them.shown} is outside and can follow discussions only")
        there = next((one for one in followers.followers(number) if _is(one, them)), None)
        if there is not None and chosen is None:
            raise Refused(f"{them.shown} follows #{number} already")
        if there is not None:
            done = undoable.update("follower", there.id, types=chosen)
        else:
            made = followers.put_follower(
                number, workspace.now(), user=them.user, contact=them.contact, address=them.address, types=chosen
            )
            done = [undoable.was_made("follower", made)] if made else []
        sentence = f"#{number} {this.title}: followed by {them.shown}" + (f" ({types})" if types else "")
        journal.write(me.id, os_login(), workspace.now(), "follow", sentence, done, thread=number)
    outside = f"{them.shown} is outside: the words of answers go there, notes never do" if them.user is None else ""
    return Followed(number, this.title, sentence, outside)


def unfollow(workspace: Workspace, number: int, someone: str | None) -> Followed:
    """Takes a follower away; warns who leaves while his own letter waits for an answer (F26)."""
    me = workspace.user()
    with workspace.store.transaction():
        this = living(number)
        them = who(workspace, someone) if someone else Who(me.id, None, None, me.login)
        row = next((one for one in followers.followers(number) if _is(one, them)), None)
        if row is None:
            raise NotFound(f"{them.shown} does not follow #{number}")
        done = undoable.delete("follower", row.id)
        sentence = f"#{number} {this.title}: no longer followed by {them.shown}"
        journal.write(me.id, os_login(), workspace.now(), "unfollow", sentence, done, thread=number)
        talk = [one for one in messages.of_thread(number) if one.subtype == "discussion"]
    waiting = bool(talk) and them.user is not None and talk[-1].author == directory.user_by_id(them.user).login
    note = "the last letter is yours: its answer will not reach your inbox" if waiting else ""
    return Followed(number, this.title, sentence, note)


def _is(one: followers.Follower, them: Who) -> bool:
    if them.user is not None or them.contact is not None:
        return (one.user, one.contact) == (them.user, them.contact)
    return one.user is None and one.contact is None and one.address == them.address


def followers_of(workspace: Workspace, number: int) -> list[followers.Follower]:
    records.record(number)
    return followers.followers(number)


def following(
    workspace: Workspace, someone: str | None = None, *, limit: int | None = None, before: int | None = None
) -> Iterator[tuple[records.Record, tuple[str, ...] | None]]:
    """The records that somebody (oneself by default) follows, the newest first (F32), read as they are wanted.

    Args:
        limit: the newest so many.
        before: of those that are older than this record.
    """
    user = directory.user(someone) if someone else workspace.user()
    types = dict(followers.following(user.id, limit=limit, before=before))
    return ((one, types[one.id]) for one in records.listed(types))


# --- auto-subscription --------------------------------------------------------------------------------------


def subscribe(
    workspace: Workspace, kind: str, someone: str | None, types: str | None, section: str | None
) -> followers.Subscription:
    """Makes somebody follow every new record of a kind, with his defaults (F25)."""
    me = workspace.user()
    chosen = types_of(types)
    name = record.kind(kind).name
    user = fields.active_user(someone) if someone else me
    with workspace.store.transaction():
        number = followers.put_subscription(name, user.id, chosen, offices.section(section).id if section else None)
        sentence = f"{user.login} follows every new {name}" + (f" of {section}" if section else "")
        journal.write(me.id, os_login(), workspace.now(), "follow", sentence, undoable=False)
    return next(one for one in followers.subscriptions() if one.id == number)


def unsubscribe(workspace: Workspace, kind: str, someone: str | None) -> str:
    """Ends the auto-subscription of somebody; what he follows already he goes on following."""
    me = workspace.user()
    name = record.kind(kind).name
    user = directory.user(someone) if someone else me
    with workspace.store.transaction():
        mine = [one for one in followers.subscriptions() if one.kind == name and one.user == user.id]
        if not mine:
            raise NotFound(f"{user.login} has not subscribed to new {name}s")
        for one in mine:
            followers.drop_subscription(one.id)
        sentence = f"{user.login} no longer follows new {name}s"
        journal.write(me.id, os_login(), workspace.now(), "unfollow", sentence, undoable=False)
    return sentence
