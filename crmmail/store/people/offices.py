"""The shop's departments and addresses: sections, categories, aliases, and who owns an address of ours."""

from __future__ import annotations

from datetime import datetime

from crmmail.core.record import KINDS
from crmmail.core.section import Counts, Section
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import NotFound
from crmmail.store.engine import sql
from crmmail.store.engine.standing import standing
from crmmail.store.engine.values import unjson
from crmmail.store.people import directory


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
    alias = sql.row(
        "SELECT a.kind, s.code FROM crm_alias a LEFT JOIN crm_section s ON s.id = a.section_id WHERE a.address = ?",
        address,
    )
    if alias:
        kind, section = alias
        return f"the alias for {kind}s" + (f" of section {section}" if section else "")
    login = sql.value(
        "SELECT u.login FROM crm_user_address a JOIN crm_user u ON u.id = a.user_id WHERE a.address = ?", address
    )
    return f"user {login}" if login else ""


@standing
def alias_addresses() -> frozenset[str]:
    """Every address of ours to which nothing of ours may be sent."""
    return frozenset(address for (address,) in sql.rows("SELECT address FROM crm_alias"))


# --- sections and categories --------------------------------------------------------------------------------


def our_names() -> frozenset[str]:
    """What whoever works here is called, and our sections, in lower case: a stranger may not pass for them."""
    people = [name for one in directory.users() if one.active for name in (one.login, one.name)]
    houses = [name for one in sections() for name in (one.code, one.name)]
    return frozenset(" ".join(name.lower().split()) for name in (*people, *houses))


@standing
def sections() -> list[Section]:
    rows = sql.rows("""
        SELECT s.id, s.code, s.name, p.code, u.login, s.address, s.on_user_reply, s.on_partner_reply, s.assign,
            s.active, s.reopen_window, s.reopen_cancelled
        FROM crm_section s LEFT JOIN crm_section p ON p.id = s.parent_id LEFT JOIN crm_user u ON u.id = s.manager_id
        ORDER BY s.code""")
    return [
        Section(
            number, code, name, parent or "", manager or "", address or "", user, partner, assign, bool(active), window,
            bool(cancelled),
        )
        for number, code, name, parent, manager, address, user, partner, assign, active, window, cancelled in rows
    ]  # fmt: skip


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
    return next((one.address for one in sections() if one.code == code), "") if code else ""


def manager(code: str) -> directory.User | None:
    """Who manages a section; None where nobody does, or he has left."""
    login = section(code).manager if code else ""
    found = directory.user(login) if login else None
    return found if found and found.active else None


def counts(now: datetime) -> dict[str, Counts]:
    """The unfinished cases of each section that has some, by code; one query."""
    finished = KINDS["case"].done
    rows = sql.rows(
        f"""
        SELECT s.code, SUM(CASE WHEN c.state = 'open' THEN 1 ELSE 0 END),
            SUM(CASE WHEN c.state = 'pending' THEN 1 ELSE 0 END),
            SUM(CASE WHEN c.responsible_id IS NULL THEN 1 ELSE 0 END),
            SUM(CASE WHEN c.deadline < ? THEN 1 ELSE 0 END), COUNT(*)
        FROM crm_section s JOIN crm_case c ON c.section_id = s.id JOIN crm_thread h ON h.id = c.thread_id
        WHERE c.state NOT IN ({sql.marks(len(finished))}) AND h.moved_to_id IS NULL GROUP BY s.code""",
        now,
        *finished,
    )
    return {code: Counts(*numbers) for code, *numbers in rows}


def put_section(code: str, **columns: Any) -> int:
    """Makes or changes a section; ids, not codes, in `parent` and `manager`."""
    number = sql.value("SELECT id FROM crm_section WHERE code = ?", code)
    if number is None:
        policies = {"on_user_reply": "close", "on_partner_reply": "open", "assign": "none", "active": True}
        return sql.insert("crm_section", code=code, **policies | sql.named(columns))
    if columns:
        sql.change("crm_section", "id", number, **sql.named(columns))
    return int(number)


def categories(section_id: int | None = None) -> list[Category]:
    """Those of a section, or all."""
    rows = sql.rows(
        "SELECT g.id, s.code, g.name, g.active, g.probability, s.id FROM crm_category g"
        " JOIN crm_section s ON s.id = g.section_id ORDER BY s.code, g.name"
    )
    return [
        Category(number, code, name, bool(active), probability)
        for number, code, name, active, probability, section in rows
        if section_id in (None, section)
    ]


def probability(category: int) -> float | None:
    """The usual probability of a case of that category."""
    found: float | None = sql.value("SELECT probability FROM crm_category WHERE id = ?", category)
    return found


def put_category(section_id: int, name: str, *, active: bool = True, **columns: Any) -> int:
    number = sql.value("SELECT id FROM crm_category WHERE section_id = ? AND LOWER(name) = ?", section_id, name.lower())
    if number is None:
        return sql.insert("crm_category", section_id=section_id, name=name, active=active, **columns)
    sql.change("crm_category", "id", number, active=active, **columns)
    return int(number)


# --- aliases ------------------------------------------------------------------------------------------------


@standing
def aliases() -> list[Alias]:
    rows = sql.rows("""
        SELECT a.id, a.address, a.kind, s.code, u.login, a.policy, a.on_reply, a.defaults, a.keep_original,
            a.loop_limit, a.active
        FROM crm_alias a LEFT JOIN crm_section s ON s.id = a.section_id LEFT JOIN crm_user u ON u.id = a.user_id
        ORDER BY a.address""")
    return [
        Alias(
            number,
            address,
            kind,
            section or "",
            user or "",
            policy,
            on_reply,
            unjson(defaults) or {},
            bool(keep),
            limit,
            bool(active),
        )
        for number, address, kind, section, user, policy, on_reply, defaults, keep, limit, active in rows
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
    number = sql.value("SELECT id FROM crm_alias WHERE address = ?", address)
    if number is None:
        usual = {"policy": "everyone", "on_reply": "thread", "defaults": {}, "keep_original": True, "active": True}
        return sql.insert("crm_alias", address=address, **usual | sql.named(columns))
    sql.change("crm_alias", "id", number, **sql.named(columns))
    return int(number)
