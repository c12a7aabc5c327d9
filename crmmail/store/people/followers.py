"""Who follows a thread, and who follows every new record of a kind."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from crmmail.core import audience
from crmmail.core.typed import NamedTuple
from crmmail.store.engine import sql
from crmmail.store.engine.standing import standing
from crmmail.store.engine.values import unjson
from crmmail.store.people import directory


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
    return [code for (code,) in sql.rows("SELECT code FROM crm_subtype ORDER BY position")]


def followers(thread: int) -> list[Follower]:
    """Users first, then contacts and addresses."""
    rows = sql.rows(
        "SELECT id, user_id, contact_id, address, types FROM crm_follower WHERE thread_id = ? ORDER BY id", thread
    )
    users = directory.users_by_id(user for _, user, *_ in rows if user is not None)
    outside = [contact for _, _, contact, *_ in rows if contact is not None]
    cards = {one.id: one for one in directory.contacts(outside)}
    found = []
    for number, user, contact, address, types in rows:
        if user is not None:
            this = users[user]
            who = Follower(number, thread, user, None, this.login, this.name, this.email, _types(types), True)
        elif contact is not None:
            card = cards[contact]
            first = card.addresses[0] if card.addresses else ""
            who = Follower(number, thread, None, contact, str(contact), card.name, first, _types(types), False)
        else:
            who = Follower(number, thread, None, None, "", "", address or "", _types(types), False)
        found.append(who)
    return sorted(found, key=lambda one: not one.internal)


def _types(kept: str | None) -> tuple[str, ...] | None:
    return tuple(unjson(kept)) if kept is not None else None


def listeners(thread: int) -> list[audience.Follower]:
    """The followers as `core.audience` wants them; users who have left hear nothing."""
    rows = followers(thread)
    users = directory.users_by_id(one.user for one in rows if one.user is not None)
    return [
        audience.Follower(None, one.contact, one.address, one.types)
        if one.user is None
        else _listener(users[one.user], one.types)
        for one in rows
        if one.user is None or users[one.user].active
    ]


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
    same = {"user_id": user, "contact_id": contact, "address": address}
    held = " AND ".join(f"{name} IS NULL" if one is None else f"{name} = ?" for name, one in same.items())
    given = [one for one in same.values() if one is not None]
    if sql.row(f"SELECT 1 FROM crm_follower WHERE thread_id = ? AND {held}", thread, *given) is not None:
        return None
    listed = list(types) if types is not None else None
    return sql.insert("crm_follower", thread_id=thread, **same, types=listed, created=created)


def following(
    user: int, *, limit: int | None = None, before: int | None = None
) -> list[tuple[int, tuple[str, ...] | None]]:
    """(thread, types) of what a user follows, the newest record first.

    Args:
        limit: the newest so many.
        before: of those that are older than this record.
    """
    older, until = (" AND thread_id < ?", [before]) if before is not None else ("", [])
    cut, most = sql.cut(limit)
    mine = f"SELECT thread_id, types FROM crm_follower WHERE user_id = ?{older} ORDER BY thread_id DESC {cut}"
    return [(thread, _types(types)) for thread, types in sql.rows(mine, user, *until, *most)]


# --- auto-subscription --------------------------------------------------------------------------------------


@standing
def subscriptions(kind: str | None = None) -> list[Subscription]:
    """Of a kind those of users who are here; or all."""
    rows = sql.rows(
        "SELECT a.id, a.kind, s.code, a.user_id, u.login, a.types, u.active"
        " FROM crm_auto_follow a JOIN crm_user u ON u.id = a.user_id LEFT JOIN crm_section s ON s.id = a.section_id"
        " ORDER BY a.id"
    )
    return [
        Subscription(number, of, section or "", user, login, _types(types))
        for number, of, section, user, login, types, active in rows
        if not kind or (of == kind and active)
    ]


def put_subscription(kind: str, user: int, types: Sequence[str] | None, section: int | None = None) -> int:
    listed = list(types) if types is not None else None
    there = sql.rows("SELECT id, section_id FROM crm_auto_follow WHERE kind = ? AND user_id = ?", kind, user)
    number = next((number for number, where in there if where == section), None)
    if number is None:
        return sql.insert("crm_auto_follow", kind=kind, user_id=user, types=listed, section_id=section)
    sql.change("crm_auto_follow", "id", number, types=listed)
    return int(number)


def drop_subscription(number: int) -> None:
    sql.run("DELETE FROM crm_auto_follow WHERE id = ?", number)
