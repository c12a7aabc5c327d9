"""The directory: settings, users, contacts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from peewee import JOIN, fn

from crmmail.errors import NotFound, Taken
from crmmail.store import tables as t


class User(NamedTuple):
    id: int
    login: str
    name: str
    email: str  # where notifications go
    addresses: tuple[str, ...]  # all of his, the main one first
    virtual: frozenset[str]  # those that exist nowhere on a mail server
    os_login: str
    admin: bool
    notify: str
    lang: str
    active: bool
    away_until: datetime | None = None  # on leave, where that is still to come
    deputy: str = ""  # a login


class Contact(NamedTuple):
    id: int
    name: str
    company: str
    category: str
    lang: str
    addresses: tuple[str, ...]


# --- settings -----------------------------------------------------------------------------------------------


def settings() -> dict[str, str]:
    """All that the store holds, key → text, the secret among it."""
    return {row.key: row.value for row in t.Setting.select()}


def put_setting(key: str, value: str) -> None:
    t.Setting.replace(key=key, value=value).execute()


def drop_setting(key: str) -> None:
    t.Setting.delete().where(t.Setting.key == key).execute()


# --- users --------------------------------------------------------------------------------------------------


def users() -> list[User]:
    """Everybody, by login."""
    return _users(t.User.select().order_by(t.User.login))


def user(login: str) -> User:
    """The user with that login (case does not matter).

    Raises:
        NotFound: nobody has it; the sentence lists who there is.
    """
    found = _users(t.User.select().where(fn.LOWER(t.User.login) == login.lower()))
    if not found:
        known = ", ".join(one.login for one in users() if one.active)
        raise NotFound(f"there is no user {login!r}; users: {known or 'none yet'}")
    return found[0]


def user_by_id(number: int) -> User:
    found = _users(t.User.select().where(t.User.id == number))
    if not found:
        raise NotFound(f"there is no user number {number}")
    return found[0]


def users_by_id(numbers: Iterable[int]) -> dict[int, User]:
    wanted = list(numbers)
    return {one.id: one for one in _users(t.User.select().where(t.User.id.in_(wanted)))} if wanted else {}


def admins() -> list[User]:
    return _users(t.User.select().where(t.User.admin, t.User.active).order_by(t.User.id))


def _users(query: Any) -> list[User]:
    rows = list(query)
    addresses: dict[int, list[t.UserAddress]] = {row.id: [] for row in rows}
    deputies = {row.deputy_id for row in rows if row.deputy_id is not None}
    logins: dict[int, str] = {}
    if deputies:
        logins = dict(t.User.select(t.User.id, t.User.login).where(t.User.id.in_(deputies)).tuples())
    found = t.UserAddress.select().where(t.UserAddress.user.in_(list(addresses)))
    for address in found.order_by(t.UserAddress.main.desc(), t.UserAddress.address):
        addresses[address.user_id].append(address)
    return [
        User(
            row.id,
            row.login,
            row.name,
            next((one.address for one in addresses[row.id] if one.main), ""),
            tuple(one.address for one in addresses[row.id]),
            frozenset(one.address for one in addresses[row.id] if one.virtual),
            row.os_login or "",
            row.admin,
            row.notify,
            row.lang,
            row.active,
            row.away_until,
            logins.get(row.deputy_id, ""),
        )
        for row in rows
    ]


def add_user(
    login: str, *, name: str, admin: bool, notify: str, lang: str, os_login: str | None, created: datetime
) -> int:
    return t.User.create(
        login=login, name=name, admin=admin, notify=notify, lang=lang, os_login=os_login, created=created
    ).id


def change_user(number: int, **columns: Any) -> None:
    t.User.update(**columns).where(t.User.id == number).execute()


def put_user_address(number: int, address: str, *, main: bool, virtual: bool) -> None:
    """Adds an address to a user, or changes what it is; a new main address takes that place from the old one."""
    if main:
        t.UserAddress.update(main=False).where(t.UserAddress.user == number).execute()
    t.UserAddress.replace(address=address, user=number, main=main, virtual=virtual).execute()


def users_by_address(wanted: Iterable[str]) -> dict[str, int]:
    """Address → user, of active users."""
    rows = (
        t.UserAddress.select(t.UserAddress.address, t.UserAddress.user)
        .join(t.User)
        .where(t.UserAddress.address.in_(list(wanted)), t.User.active)
    )
    return {row.address: row.user_id for row in rows}


# --- contacts -----------------------------------------------------------------------------------------------


def contacts(numbers: Iterable[int] | None = None) -> list[Contact]:
    """The contacts with these numbers, or all, by name."""
    query = (
        t.Contact.select(t.Contact, t.Thread, t.PartnerCategory)
        .join(t.Thread)
        .switch(t.Contact)
        .join(t.PartnerCategory, JOIN.LEFT_OUTER)
        .order_by(fn.LOWER(t.Thread.title), t.Thread.id)
    )
    if numbers is not None:
        query = query.where(t.Contact.thread.in_(list(numbers)))
    rows = list(query)
    found: dict[int, list[str]] = {row.thread_id: [] for row in rows}
    addresses = t.ContactAddress.select().order_by(t.ContactAddress.id)
    if numbers is not None:
        addresses = addresses.where(t.ContactAddress.contact.in_(list(found)))
    for one in addresses:
        found[one.contact_id].append(one.address)
    return [
        Contact(
            row.thread_id,
            row.thread.title,
            row.company or "",
            row.category.name if row.category_id else "",
            row.lang or "",
            tuple(found[row.thread_id]),
        )
        for row in rows
    ]


def contact(number: int) -> Contact:
    found = contacts([number])
    if not found:
        raise NotFound(f"record {number} is no contact")
    return found[0]


def contacts_with(address: str) -> list[int]:
    """The contacts that have this address: any number of them (F10)."""
    rows = t.ContactAddress.select(t.ContactAddress.contact).where(t.ContactAddress.address == address).distinct()
    return [row.contact_id for row in rows.order_by(t.ContactAddress.contact)]


def add_contact_address(number: int, address: str) -> None:
    t.ContactAddress.insert(contact=number, address=address).on_conflict_ignore().execute()


def contact_address(number: int, address: str) -> int:
    """The row of a contact's address."""
    row = t.ContactAddress.get_or_none(t.ContactAddress.contact == number, t.ContactAddress.address == address)
    if row is None:
        raise NotFound(f"contact {number} has no address {address}")
    return row.id


def partner_categories() -> list[str]:
    """The paths of all partner categories, in lower case."""
    return [row.path for row in t.PartnerCategory.select().order_by(t.PartnerCategory.path)]


def partner_category(path: str) -> int:
    """The id of a partner category, made on first use; case and blanks around the slashes do not matter."""
    parts = [part.strip() for part in path.split("/") if part.strip()]
    if not parts:
        raise Taken("a partner category needs a name, like 'Support contract / Gold'")
    key = " / ".join(part.lower() for part in parts)
    row = t.PartnerCategory.get_or_none(t.PartnerCategory.path == key)
    return row.id if row else t.PartnerCategory.create(path=key, name=" / ".join(parts)).id
