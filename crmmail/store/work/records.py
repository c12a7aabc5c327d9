"""Records: a thread, and its row in the table of its kind, one read or written at a time (`finding` has the many).

Reading goes through one query over all kinds, so a listing never asks once a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from crmmail.core.record import KINDS, PRIORITIES
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import NotFound
from crmmail.store.engine import sql
from crmmail.store.engine.values import moment
from crmmail.store.letters import outbox


class Partner(NamedTuple):
    id: int
    name: str


class Record(NamedTuple):
    id: int
    kind: str
    title: str
    state: str  # "" for kinds without states
    section: str  # code, "" if none
    category: str
    responsible: str  # login, "" if nobody
    priority: int | None
    partner: Partner | None
    partner_name: str  # as a letter gave it, where no contact is known
    email: str
    deadline: datetime | None
    revenue: float | None
    cost: float | None
    probability: float | None
    company: str
    lang: str
    address: str  # the address of ours that the conversation is held under
    moved_to: int | None
    author: str
    created: datetime
    updated: datetime
    closed: datetime | None
    envelope: str  # of its letters that did not arrive the worst: bounced | failed | waiting; "" if none
    contacts: tuple[Partner, ...] = ()  # beside its partner; only `record` tells them, listings do not


# --- reading ------------------------------------------------------------------------------------------------

# One row a record, with what every kind has to tell about it; each table is found by its key.  An e-mail of a contact's
# is the first of its addresses.
_SELECT = f"""
    SELECT h.id, h.kind, h.title, COALESCE(c.state, l.state), s.code, COALESCE(g.name, pg.name), u.login,
        COALESCE(c.priority, l.priority), p.id, p.title, COALESCE(c.partner_name, l.partner_name),
        COALESCE(c.email, l.email, (SELECT a.address FROM crm_contact_address a
            WHERE a.id = (SELECT MIN(f.id) FROM crm_contact_address f WHERE f.contact_id = h.id))),
        c.deadline, COALESCE(c.revenue, l.revenue), c.cost, COALESCE(c.probability, l.probability), k.company, k.lang,
        h.address, h.moved_to_id, w.login, h.created, h.updated, COALESCE(c.closed, l.closed),
        ({outbox.envelope("d.thread_id = h.id")}), EXISTS (SELECT 1 FROM crm_record_contact r WHERE r.thread_id = h.id)
    FROM crm_thread h
    LEFT JOIN crm_case c ON c.thread_id = h.id
    LEFT JOIN crm_lead l ON l.thread_id = h.id
    LEFT JOIN crm_contact k ON k.thread_id = h.id
    LEFT JOIN crm_section s ON s.id = COALESCE(c.section_id, l.section_id)
    LEFT JOIN crm_category g ON g.id = c.category_id
    LEFT JOIN crm_partner_category pg ON pg.id = k.category_id
    LEFT JOIN crm_user u ON u.id = COALESCE(c.responsible_id, l.responsible_id)
    LEFT JOIN crm_thread p ON p.id = COALESCE(c.partner_id, l.partner_id)
    LEFT JOIN crm_user w ON w.id = h.author_id
    WHERE h.id"""


def _record(row: sql.Row) -> Record:
    (
        number, kind, title, state, section, category, responsible, priority, partner, name, partner_name, email,
        deadline, revenue, cost, probability, company, lang, address, moved_to, author, created, updated, closed,
        envelope, _,
    ) = row  # fmt: skip
    return Record(
        number,
        kind,
        title,
        state or "",
        section or "",
        category or "",
        responsible or "",
        priority,
        Partner(partner, name) if partner is not None else None,
        partner_name or "",
        email or "",
        moment(deadline),
        revenue,
        cost,
        probability,
        company or "",
        lang or "",
        address or "",
        moved_to,
        author or "",
        moment(created),
        moment(updated),
        moment(closed),
        outbox.ENVELOPES.get(envelope or "", ""),
    )


def record(number: int) -> Record:
    """The record with that number.

    Raises:
        NotFound: there is none.
    """
    row = sql.row(f"{_SELECT} = ?", number)
    if row is None:
        raise NotFound(f"there is no record {number}")
    found = _record(row)
    return found._replace(contacts=contacts_of(number)) if row[-1] else found


def several(numbers: Iterable[int]) -> dict[int, Record]:
    """Records by their numbers."""
    return {one.id: one for one in listed(numbers)}


def listed(numbers: Iterable[int]) -> Iterator[Record]:
    """Records by their numbers, in that order, read a part at a time: no statement lasts, and no list grows, while
    somebody reads what is printed."""
    for some in sql.parts(numbers):
        found = {row[0]: row for row in sql.rows(f"{_SELECT} IN ({sql.marks(len(some))})", *some)}
        yield from (_record(found[one]) for one in some if one in found)


def contacts_of(number: int) -> tuple[Partner, ...]:
    """The further contacts of a case or lead (F193), in the order in which they were named."""
    rows = sql.rows(
        "SELECT r.contact_id, h.title FROM crm_record_contact r JOIN crm_thread h ON h.id = r.contact_id"
        " WHERE r.thread_id = ? ORDER BY r.id",
        number,
    )
    return tuple(Partner(*row) for row in rows)


class Dates(NamedTuple):
    """When people did what about a record, as `touch` keeps it."""

    partner_wrote: datetime | None
    answered: datetime | None


def dates(number: int, kind: str) -> Dates:
    """Of a case or lead."""
    row = sql.row(f"SELECT partner_wrote, answered FROM crm_{kind} WHERE thread_id = ?", number)
    assert row is not None
    return Dates(*map(moment, row))


def hanging(number: int) -> list[tuple[str, list[int], str]]:
    """(table, keys, column) of the rows that name a record and hang on none of its messages: what is to be done about
    it, the letters in quarantine that may belong to it, and the inbox items about these."""
    about = (
        ("activity", "thread", "thread_id = ?"),
        ("quarantine", "candidate", "candidate_id = ?"),
        ("notification", "thread", "thread_id = ? AND message_id IS NULL"),
    )
    return [
        (table, [key for (key,) in sql.rows(f"SELECT id FROM crm_{table} WHERE {is_it}", number)], column)
        for table, column, is_it in about
    ]


def contact_row(number: int, contact: int) -> int | None:
    """The row that makes somebody a further contact of a record."""
    row = sql.row("SELECT id FROM crm_record_contact WHERE thread_id = ? AND contact_id = ?", number, contact)
    return int(row[0]) if row else None


def updated(number: int) -> datetime:
    """When something happened in a record last."""
    found: datetime = moment(sql.value("SELECT updated FROM crm_thread WHERE id = ?", number))
    return found


def kind(number: int) -> str:
    """What kind of record it is.

    Raises:
        NotFound: there is none.
    """
    found = sql.value("SELECT kind FROM crm_thread WHERE id = ?", number)
    if found is None:
        raise NotFound(f"there is no record {number}")
    return str(found)


def exists(number: int) -> bool:
    return sql.row("SELECT 1 FROM crm_thread WHERE id = ?", number) is not None


# --- writing ------------------------------------------------------------------------------------------------


def put_record(kind: str, title: str, created: datetime, *, author: int | None, address: str, **columns: Any) -> int:
    """Makes a record; its number.  Columns are those of the kind's table, ids where it has foreign keys."""
    number = sql.insert(
        "crm_thread",
        kind=kind,
        title=title,
        created=created,
        updated=created,
        author_id=author,
        address=address or None,
    )
    usual = {"priority": PRIORITIES["normal"]} if KINDS[kind].states else {}
    sql.put(f"crm_{kind}", thread_id=number, **usual | sql.named(columns))
    return number


def change(number: int, kind: str, **columns: Any) -> None:
    """Changes columns of a record; `title`, `address`, `updated` and `moved_to` are the thread's own."""
    own = {key: columns.pop(key) for key in ("title", "address", "updated", "moved_to") if key in columns}
    if own:
        sql.change("crm_thread", "id", number, **sql.named(own))
    if columns:
        sql.change(f"crm_{kind}", "thread_id", number, **sql.named(columns))


def touch(number: int, kind: str, at: datetime, *, partner: bool = False, answered: bool = False) -> None:
    """A person did something about a record: rules and statistics count from that.  Contacts have no such dates.

    Args:
        partner: it was a letter from outside.
        answered: it was a user's letter to somebody outside; the first one counts.
    """
    if not KINDS[kind].states:
        return
    columns = ["acted = ?", *(["partner_wrote = ?"] if partner else [])]
    columns += ["answered = COALESCE(answered, ?)"] if answered else []
    sql.run(f"UPDATE crm_{kind} SET {', '.join(columns)} WHERE thread_id = ?", *[at] * len(columns), number)


def link_partner(address: str, contact: int) -> list[int]:
    """Makes `contact` the partner of the records that came from its address and have none; their numbers."""
    linked: list[int] = []
    for table in ("crm_case", "crm_lead"):
        theirs = "email = ? AND partner_id IS NULL"
        linked += [number for (number,) in sql.rows(f"SELECT thread_id FROM {table} WHERE {theirs}", address)]
        sql.run(f"UPDATE {table} SET partner_id = ? WHERE {theirs}", contact, address)
    return sorted(linked)
