"""The shop's departments and addresses: sections, categories, aliases, and who owns an address of ours."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from peewee import JOIN, Case, fn

from crmmail.core.record import KINDS
from crmmail.core.section import Counts, Section
from crmmail.errors import NotFound
from crmmail.store import directory
from crmmail.store import tables as t


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
    probability: float | None = None  # percent: what a case gets that has none of its own


# --- addresses of ours --------------------------------------------------------------------------------------


def owner(address: str) -> str:
    """Whose address that is, in words, "" if free: `alias 3 (leads)`, `user bob`."""
    alias = t.Alias.get_or_none(t.Alias.address == address)
    if alias:
        return f"the alias for {alias.kind}s" + (f" of section {alias.section.code}" if alias.section else "")
    row = t.UserAddress.get_or_none(t.UserAddress.address == address)
    return f"user {row.user.login}" if row else ""


def alias_addresses() -> frozenset[str]:
    """Every address of ours to which nothing of ours may be sent."""
    return frozenset(row[0] for row in t.Alias.select(t.Alias.address).tuples())


# --- sections and categories --------------------------------------------------------------------------------


def our_names() -> frozenset[str]:
    """What whoever works here is called, and our sections, in lower case: a stranger may not pass for them."""
    people = [name for one in directory.users() if one.active for name in (one.login, one.name)]
    houses = [name for one in sections() for name in (one.code, one.name)]
    return frozenset(" ".join(name.lower().split()) for name in (*people, *houses))


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
            row.reopen_window,
            row.reopen_cancelled,
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


def address_of(code: str) -> str:
    """Where answers about a section's records come back; "" where it has no address, or there is no section."""
    row = t.Section.select(t.Section.address).where(t.Section.code == code).first() if code else None
    return (row.address or "") if row else ""


def manager(code: str) -> directory.User | None:
    """Who manages a section; None where nobody does, or he has left."""
    login = section(code).manager if code else ""
    found = directory.user(login) if login else None
    return found if found and found.active else None


def counts(now: datetime) -> dict[str, Counts]:
    """The unfinished cases of each section that has some, by code; one query."""
    one = t.Case

    def how_many(condition: Any, name: str) -> Any:
        return fn.SUM(Case(None, [(condition, 1)], 0)).alias(name)

    rows = (
        t.Section.select(
            t.Section.code,
            how_many(one.state == "open", "open"),
            how_many(one.state == "pending", "pending"),
            how_many(one.responsible.is_null(), "unassigned"),
            how_many(one.deadline < now, "late"),
            fn.COUNT(one.thread).alias("unfinished"),
        )
        .join(one, on=(one.section == t.Section.id))
        .join(t.Thread, on=(t.Thread.id == one.thread))
        .where(one.state.not_in(KINDS["case"].done), t.Thread.moved_to.is_null())
        .group_by(t.Section.code)
        .tuples()
    )
    return {code: Counts(*numbers) for code, *numbers in rows}


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
    return [Category(row.id, row.section.code, row.name, row.active, row.probability) for row in rows]


def probability(category: int) -> float | None:
    """The usual probability of a case of that category."""
    row = t.Category.get_or_none(t.Category.id == category)
    return row.probability if row else None


def put_category(section_id: int, name: str, *, active: bool = True, **columns: Any) -> int:
    row = t.Category.get_or_none(t.Category.section == section_id, fn.LOWER(t.Category.name) == name.lower())
    if row is None:
        return t.Category.create(section=section_id, name=name, active=active, **columns).id
    t.Category.update(active=active, **columns).where(t.Category.id == row.id).execute()
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
