"""Who follows a thread, and who follows every new record of a kind."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from peewee import JOIN

from crmmail.core import audience
from crmmail.store import directory
from crmmail.store import tables as t


class Follower(NamedTuple):
    """As people see him."""

    id: int
    thread: int
    user: int | None
    contact: int | None
    who: str  # login, or the contact's number, "" for a bare address
    name: str
    address: str
    types: tuple[str, ...] | None
    internal: bool


class Subscription(NamedTuple):
    """Auto-subscription to new records of a kind."""

    id: int
    kind: str
    section: str
    user: int
    login: str
    types: tuple[str, ...] | None


def subtypes() -> list[str]:
    return [row.code for row in t.Subtype.select().order_by(t.Subtype.position)]


def followers(thread: int) -> list[Follower]:
    """Users first, then contacts and addresses."""
    rows = list(
        t.Follower.select(t.Follower, t.Thread.title.alias("contact_name"))
        .join(t.Thread, JOIN.LEFT_OUTER, on=(t.Thread.id == t.Follower.contact))
        .where(t.Follower.thread == thread)
        .order_by(t.Follower.id)
        .objects()
    )
    users = directory.users_by_id(row.user_id for row in rows if row.user_id is not None)
    outside = [row.contact_id for row in rows if row.contact_id is not None]
    cards = {one.id: one for one in directory.contacts(outside)} if outside else {}
    found = []
    for row in rows:
        types = tuple(row.types) if row.types is not None else None
        if row.user_id is not None:
            user = users[row.user_id]
            found.append(Follower(row.id, thread, user.id, None, user.login, user.name, user.email, types, True))
        elif row.contact_id is not None:
            card = cards[row.contact_id]
            address = card.addresses[0] if card.addresses else ""
            found.append(Follower(row.id, thread, None, card.id, str(card.id), card.name, address, types, False))
        else:
            found.append(Follower(row.id, thread, None, None, "", "", row.address or "", types, False))
    return sorted(found, key=lambda one: not one.internal)


def listeners(thread: int) -> list[audience.Follower]:
    """The followers as `core.audience` wants them; users who have left hear nothing."""
    users = {one.id: one for one in directory.users()}
    found = []
    for one in followers(thread):
        if one.user is None:
            found.append(audience.Follower(None, one.contact, one.address, one.types))
            continue
        if users[one.user].active:
            found.append(_listener(users[one.user], one.types))
    return found


def users_as_listeners(numbers: Collection[int]) -> list[audience.Follower]:
    """Users who need not follow anything, as `core.audience` wants them."""
    return [_listener(one, None) for one in directory.users_by_id(numbers).values() if one.active]


def _listener(user: directory.User, types: tuple[str, ...] | None) -> audience.Follower:
    return audience.Follower(user.id, None, user.email, types, user.notify, user.email in user.virtual)


def put_follower(
    thread: int,
    created: datetime,
    *,
    user: int | None = None,
    contact: int | None = None,
    address: str | None = None,
    types: Sequence[str] | None = None,
) -> int | None:
    """Adds a follower; the id of the new row, None where he follows already."""
    same = t.Follower.thread == thread
    same &= (t.Follower.user == user) if user is not None else t.Follower.user.is_null()
    same &= (t.Follower.contact == contact) if contact is not None else t.Follower.contact.is_null()
    same &= (t.Follower.address == address) if address is not None else t.Follower.address.is_null()
    if t.Follower.select().where(same).exists():
        return None
    listed = list(types) if types is not None else None
    row = t.Follower.create(thread=thread, user=user, contact=contact, address=address, types=listed, created=created)
    return int(row.id)


def following(user: int) -> list[tuple[int, tuple[str, ...] | None]]:
    """(thread, types) of all that a user follows."""
    rows = t.Follower.select().where(t.Follower.user == user).order_by(t.Follower.thread.desc())
    return [(row.thread_id, tuple(row.types) if row.types is not None else None) for row in rows]


# --- auto-subscription --------------------------------------------------------------------------------------


def subscriptions(kind: str | None = None) -> list[Subscription]:
    rows: Any = (
        t.AutoFollow.select(t.AutoFollow, t.User, t.Section)
        .join(t.User)
        .switch(t.AutoFollow)
        .join(t.Section, JOIN.LEFT_OUTER)
        .order_by(t.AutoFollow.id)
    )
    if kind:
        rows = rows.where(t.AutoFollow.kind == kind, t.User.active)
    return [
        Subscription(
            row.id,
            row.kind,
            row.section.code if row.section_id else "",
            row.user_id,
            row.user.login,
            tuple(row.types) if row.types is not None else None,
        )
        for row in rows
    ]


def put_subscription(kind: str, user: int, types: Sequence[str] | None, section: int | None = None) -> int:
    same = (t.AutoFollow.kind == kind) & (t.AutoFollow.user == user)
    same &= (t.AutoFollow.section == section) if section is not None else t.AutoFollow.section.is_null()
    listed = list(types) if types is not None else None
    row = t.AutoFollow.get_or_none(same)
    if row is None:
        return int(t.AutoFollow.create(kind=kind, user=user, types=listed, section=section).id)
    t.AutoFollow.update(types=listed).where(t.AutoFollow.id == row.id).execute()
    return int(row.id)


def drop_subscription(number: int) -> None:
    t.AutoFollow.delete().where(t.AutoFollow.id == number).execute()
