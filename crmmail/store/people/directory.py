"""The directory: settings, users, contacts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import NotFound, Taken
from crmmail.store.engine import sql
from crmmail.store.engine.standing import standing
from crmmail.store.engine.values import moment


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
    return dict(sql.rows("SELECT key, value FROM crm_setting"))


def put_setting(key: str, value: str) -> None:
    sql.run(
        "INSERT INTO crm_setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        key,
        value,
    )


def drop_setting(key: str) -> None:
    sql.run("DELETE FROM crm_setting WHERE key = ?", key)


# --- users --------------------------------------------------------------------------------------------------


_USERS = """
    SELECT u.id, u.login, u.name, u.os_login, u.admin, u.notify, u.lang, u.active, u.away_until, d.login
    FROM crm_user u LEFT JOIN crm_user d ON d.id = u.deputy_id"""


@standing
def users() -> list[User]:
    """Everybody, by login."""
    return _users(sql.rows(f"{_USERS} ORDER BY u.login"))


@standing
def user(login: str) -> User:
    """The user with that login (case does not matter).

    Raises:
        NotFound: nobody has it; the sentence lists who there is.
    """
    found = _users(sql.rows(f"{_USERS} WHERE LOWER(u.login) = ?", login.lower()))
    if not found:
        known = ", ".join(one.login for one in users() if one.active)
        raise NotFound(f"there is no user {login!r}; users: {known or 'none yet'}")
    return found[0]


@standing
def user_by_id(number: int) -> User:
    found = _users(sql.rows(f"{_USERS} WHERE u.id = ?", number))
    if not found:
        raise NotFound(f"there is no user number {number}")
    return found[0]


def users_by_id(numbers: Iterable[int]) -> dict[int, User]:
    return dict(_users_by_id(tuple(numbers)))


@standing
def _users_by_id(numbers: tuple[int, ...]) -> dict[int, User]:
    found: list[User] = []
    for some in sql.parts(numbers):
        found += _users(sql.rows(f"{_USERS} WHERE u.id IN ({sql.marks(len(some))})", *some))
    return {one.id: one for one in found}


@standing
def admins() -> list[User]:
    return _users(sql.rows(f"{_USERS} WHERE u.admin AND u.active ORDER BY u.id"))


def _users(rows: list[sql.Row]) -> list[User]:
    mine: dict[int, list[tuple[str, bool, bool]]] = {row[0]: [] for row in rows}
    for some in sql.parts(mine):
        named = (
            f"SELECT user_id, address, main, virtual FROM crm_user_address WHERE user_id IN ({sql.marks(len(some))})"
        )
        for number, *address in sql.rows(f"{named} ORDER BY main DESC, address", *some):
            mine[number].append(tuple(address))
    return [
        User(
            number,
            login,
            name,
            next((address for address, main, _ in mine[number] if main), ""),
            tuple(address for address, _, _ in mine[number]),
            frozenset(address for address, _, virtual in mine[number] if virtual),
            os_login or "",
            bool(admin),
            notify,
            lang,
            bool(active),
            moment(away_until),
            deputy or "",
        )
        for number, login, name, os_login, admin, notify, lang, active, away_until, deputy in rows
    ]


def add_user(
    login: str, *, name: str, admin: bool, notify: str, lang: str, os_login: str | None, created: datetime
) -> int:
    return sql.insert(
        "crm_user",
        login=login,
        name=name,
        admin=admin,
        notify=notify,
        lang=lang,
        os_login=os_login,
        active=True,
        created=created,
    )


def change_user(number: int, **columns: Any) -> None:
    sql.change("crm_user", "id", number, **sql.named(columns))


def put_user_address(number: int, address: str, *, main: bool, virtual: bool) -> None:
    """Adds an address to a user, or changes what it is; a new main address takes that place from the old one."""
    if main:
        sql.change("crm_user_address", "user_id", number, main=False)
    sql.run(
        "INSERT INTO crm_user_address (address, user_id, main, virtual) VALUES (?, ?, ?, ?) ON CONFLICT (address)"
        " DO UPDATE SET user_id = excluded.user_id, main = excluded.main, virtual = excluded.virtual",
        address,
        number,
        main,
        virtual,
    )


def users_by_address(wanted: Iterable[str]) -> dict[str, int]:
    """Address → user, of active users."""
    found: dict[str, int] = {}
    for some in sql.parts(wanted):
        found |= dict(
            sql.rows(
                "SELECT a.address, a.user_id FROM crm_user_address a JOIN crm_user u ON u.id = a.user_id"
                f" WHERE a.address IN ({sql.marks(len(some))}) AND u.active",
                *some,
            )
        )
    return found


# --- contacts -----------------------------------------------------------------------------------------------


def contact_numbers(*, limit: int | None = None, before: int | None = None) -> list[int]:
    """The numbers of the contacts, newest first.

    Args:
        limit: the newest so many.
        before: of those that are older than this one.
    """
    older, until = ("WHERE thread_id < ?", [before]) if before is not None else ("", [])
    cut, most = sql.cut(limit)
    newest = f"SELECT thread_id FROM crm_contact {older} ORDER BY thread_id DESC {cut}"
    return [number for (number,) in sql.rows(newest, *until, *most)]


def contacts(numbers: Iterable[int]) -> Iterator[Contact]:
    """Contacts by their numbers, in that order, read a part at a time."""
    select = """
        SELECT c.thread_id, h.title, c.company, g.name, c.lang
        FROM crm_contact c JOIN crm_thread h ON h.id = c.thread_id
        LEFT JOIN crm_partner_category g ON g.id = c.category_id WHERE c.thread_id"""
    named = "SELECT id, contact_id, address FROM crm_contact_address WHERE contact_id"
    for some in sql.parts(numbers):
        among = f"IN ({sql.marks(len(some))})"
        addresses: dict[int, list[str]] = {number: [] for number in some}
        for _, number, address in sorted(sql.rows(f"{named} {among}", *some)):
            addresses[number].append(address)
        rows = {row[0]: row for row in sql.rows(f"{select} {among}", *some)}
        for number, name, company, category, lang in (rows[one] for one in some if one in rows):
            yield Contact(number, name, company or "", category or "", lang or "", tuple(addresses[number]))


def contact(number: int) -> Contact:
    found = next(contacts([number]), None)
    if found is None:
        raise NotFound(f"record {number} is no contact")
    return found


def contacts_with(address: str) -> list[int]:
    """The contacts that have this address: any number of them (F10)."""
    rows = sql.rows(
        "SELECT DISTINCT contact_id FROM crm_contact_address WHERE address = ? ORDER BY contact_id", address
    )
    return [number for (number,) in rows]


def add_contact_address(number: int, address: str) -> None:
    sql.put("crm_contact_address", contact_id=number, address=address)


def contact_address(number: int, address: str) -> int:
    """The row of a contact's address."""
    row = sql.row("SELECT id FROM crm_contact_address WHERE contact_id = ? AND address = ?", number, address)
    if row is None:
        raise NotFound(f"contact {number} has no address {address}")
    return int(row[0])


def partner_categories() -> list[str]:
    """The paths of all partner categories, in lower case."""
    return [path for (path,) in sql.rows("SELECT path FROM crm_partner_category ORDER BY path")]


def partner_category(path: str) -> int:
    """The id of a partner category, made on first use; case and blanks around the slashes do not matter."""
    parts = [part.strip() for part in path.split("/") if part.strip()]
    if not parts:
        raise Taken("a partner category needs a name, like 'Support contract / Gold'")
    key = " / ".join(part.lower() for part in parts)
    row = sql.row("SELECT id FROM crm_partner_category WHERE path = ?", key)
    return int(row[0]) if row else sql.insert("crm_partner_category", path=key, name=" / ".join(parts))
