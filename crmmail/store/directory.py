"""The shop's directory: settings, users, sections, categories, aliases, contacts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from peewee import JOIN, fn

from crmmail.core.section import Section
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


class Alias(NamedTuple):
    id: int
    address: str
    kind: str
    section: str
    user: str
    policy: str
    on_reply: str
    defaults: dict[str, str]
    keep_original: bool
    loop_limit: int | None
    active: bool


class Category(NamedTuple):
    id: int
    section: str
    name: str
    active: bool


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


def drop_user_address(address: str) -> None:
    t.UserAddress.delete().where(t.UserAddress.address == address).execute()


# --- who owns an address of ours ----------------------------------------------------------------------------


def owner(address: str) -> str:
    """Whose address that is, in words, "" if free: `alias 3 (leads)`, `user bob`."""
    alias = t.Alias.get_or_none(t.Alias.address == address)
    if alias:
        return f"the alias for {alias.kind}s" + (f" of section {alias.section.code}" if alias.section else "")
    row = t.UserAddress.get_or_none(t.UserAddress.address == address)
    return f"user {row.user.login}" if row else ""


def users_by_address(wanted: Iterable[str]) -> dict[str, int]:
    """Address → user, of active users."""
    rows = (
        t.UserAddress.select(t.UserAddress.address, t.UserAddress.user)
        .join(t.User)
        .where(t.UserAddress.address.in_(list(wanted)), t.User.active)
    )
    return {row.address: row.user_id for row in rows}


def alias_addresses() -> frozenset[str]:
    """Every address of ours to which nothing of ours may be sent."""
    return frozenset(row[0] for row in t.Alias.select(t.Alias.address).tuples())


# --- sections and categories --------------------------------------------------------------------------------


def sections() -> list[Section]:
    parent = t.Section.alias()
    rows = (
        t.Section.select(t.Section, parent.code.alias("parent_code"), t.User.login.alias("manager_login"))
        .join(parent, JOIN.LEFT_OUTER, on=(t.Section.parent == parent.id))
        .switch(t.Section)
        .join(t.User, JOIN.LEFT_OUTER, on=(t.Section.manager == t.User.id))
        .order_by(t.Section.code)
        .objects()
    )
    return [
        Section(
            row.id,
            row.code,
            row.name,
            row.parent_code or "",
            row.manager_login or "",
            row.address or "",
            row.on_user_reply,
            row.on_partner_reply,
            row.assign,
            row.active,
        )
        for row in rows
    ]


def section(code: str) -> Section:
    """The section with that code; a number is its id.

    Raises:
        NotFound: with the codes there are.
    """
    known = sections()
    for one in known:
        if one.code == code.lower() or (code.isascii() and code.isdigit() and one.id == int(code)):
            return one
    codes = ", ".join(one.code for one in known if one.active)
    raise NotFound(f"there is no section {code!r}; sections: {codes or 'none yet (crmmail sections add CODE)'}")


def manager(code: str) -> User | None:
    """Who manages a section; None where nobody does, or he has left."""
    login = section(code).manager if code else ""
    found = user(login) if login else None
    return found if found and found.active else None


def put_section(code: str, **columns: Any) -> int:
    """Makes or changes a section; ids, not codes, in `parent` and `manager`."""
    row = t.Section.get_or_none(t.Section.code == code)
    if row is None:
        return t.Section.create(code=code, **columns).id
    if columns:
        t.Section.update(**columns).where(t.Section.id == row.id).execute()
    return row.id


def categories(section_id: int | None = None) -> list[Category]:
    query = t.Category.select(t.Category, t.Section).join(t.Section)
    if section_id is not None:
        query = query.where(t.Category.section == section_id)
    rows = query.order_by(t.Section.code, t.Category.name)
    return [Category(row.id, row.section.code, row.name, row.active) for row in rows]


def put_category(section_id: int, name: str, *, active: bool = True) -> int:
    row = t.Category.get_or_none(t.Category.section == section_id, fn.LOWER(t.Category.name) == name.lower())
    if row is None:
        return t.Category.create(section=section_id, name=name, active=active).id
    t.Category.update(active=active).where(t.Category.id == row.id).execute()
    return row.id


# --- aliases ------------------------------------------------------------------------------------------------


def aliases() -> list[Alias]:
    rows = (
        t.Alias.select(t.Alias, t.Section, t.User)
        .join(t.Section, JOIN.LEFT_OUTER)
        .switch(t.Alias)
        .join(t.User, JOIN.LEFT_OUTER)
        .order_by(t.Alias.address)
    )
    return [
        Alias(
            row.id,
            row.address,
            row.kind,
            row.section.code if row.section_id else "",
            row.user.login if row.user_id else "",
            row.policy,
            row.on_reply,
            row.defaults or {},
            row.keep_original,
            row.loop_limit,
            row.active,
        )
        for row in rows
    ]


def alias(address: str) -> Alias:
    for one in aliases():
        if one.address == address.lower():
            return one
    raise NotFound(f"there is no alias {address}; `crmmail aliases` lists them")


def alias_by_id(number: int) -> Alias:
    return next(one for one in aliases() if one.id == number)


def put_alias(address: str, **columns: Any) -> int:
    """Makes or changes an alias; ids, not names, in `section` and `user`."""
    row = t.Alias.get_or_none(t.Alias.address == address)
    if row is None:
        return t.Alias.create(address=address, **columns).id
    t.Alias.update(**columns).where(t.Alias.id == row.id).execute()
    return row.id


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


def partner_category(path: str) -> int:
    """The id of a partner category, made on first use; case and blanks around the slashes do not matter."""
    parts = [part.strip() for part in path.split("/") if part.strip()]
    if not parts:
        raise Taken("a partner category needs a name, like 'Support contract / Gold'")
    key = " / ".join(part.lower() for part in parts)
    row = t.PartnerCategory.get_or_none(t.PartnerCategory.path == key)
    return row.id if row else t.PartnerCategory.create(path=key, name=" / ".join(parts)).id
