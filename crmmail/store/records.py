"""Records: a thread, and its row in the table of its kind, one read or written at a time (`finding` has the many).

Reading goes through one query over all kinds (`base`), so a listing never asks once a record.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from peewee import JOIN, fn

from crmmail.errors import NotFound
from crmmail.store import outbox
from crmmail.store import tables as t
from crmmail.store.prepared import ByNumber


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

PARTNER = t.Thread.alias()
RESPONSIBLE = t.User.alias()
_author = t.User.alias()
STATE = fn.COALESCE(t.Case.state, t.Lead.state)
CATEGORY = fn.COALESCE(t.Category.name, t.PartnerCategory.name)
PRIORITY = fn.COALESCE(t.Case.priority, t.Lead.priority)
PARTNER_NAME = fn.COALESCE(t.Case.partner_name, t.Lead.partner_name)
# Of a contact: the first of its addresses.
_first = t.ContactAddress.select(fn.MIN(t.ContactAddress.id)).where(t.ContactAddress.contact == t.Thread.id)
_own = t.ContactAddress.select(t.ContactAddress.address).where(t.ContactAddress.id == _first)
EMAIL = fn.COALESCE(t.Case.email, t.Lead.email, _own)


def base(*extra: Any) -> Any:
    """One row a record, with what every kind has to tell about it."""
    return joined(
        t.Thread.select(
            t.Thread.id,
            t.Thread.kind,
            t.Thread.title,
            t.Thread.address,
            t.Thread.moved_to,
            t.Thread.created,
            t.Thread.updated,
            STATE.alias("state"),
            t.Section.code.alias("section_code"),
            CATEGORY.alias("category_name"),
            RESPONSIBLE.login.alias("responsible_login"),
            _author.login.alias("author_login"),
            PRIORITY.alias("priority"),
            PARTNER.id.alias("partner_id"),
            PARTNER.title.alias("partner_title"),
            PARTNER_NAME.alias("partner_name"),
            EMAIL.alias("email"),
            t.Case.deadline,
            fn.COALESCE(t.Case.revenue, t.Lead.revenue).alias("revenue"),
            t.Case.cost,
            fn.COALESCE(t.Case.probability, t.Lead.probability).alias("probability"),
            t.Case.closed.alias("case_closed"),
            t.Lead.closed.alias("lead_closed"),
            t.Contact.company,
            t.Contact.lang,
            outbox.envelope(t.Delivery.thread == t.Thread.id).alias("envelope"),
            *extra,
        )
    ).join(_author, JOIN.LEFT_OUTER, on=(_author.id == t.Thread.author))


def joined(rows: Any) -> Any:
    """Rows that have a thread, with the tables that tell of its record; `conditions` are about those."""
    return (
        rows.join(t.Case, JOIN.LEFT_OUTER, on=(t.Case.thread == t.Thread.id))
        .join(t.Lead, JOIN.LEFT_OUTER, on=(t.Lead.thread == t.Thread.id))
        .join(t.Contact, JOIN.LEFT_OUTER, on=(t.Contact.thread == t.Thread.id))
        .join(t.Section, JOIN.LEFT_OUTER, on=(t.Section.id == fn.COALESCE(t.Case.section, t.Lead.section)))
        .join(t.Category, JOIN.LEFT_OUTER, on=(t.Category.id == t.Case.category))
        .join(t.PartnerCategory, JOIN.LEFT_OUTER, on=(t.PartnerCategory.id == t.Contact.category))
        .join(RESPONSIBLE, JOIN.LEFT_OUTER, on=(RESPONSIBLE.id == fn.COALESCE(t.Case.responsible, t.Lead.responsible)))
        .join(PARTNER, JOIN.LEFT_OUTER, on=(PARTNER.id == fn.COALESCE(t.Case.partner, t.Lead.partner)))
    )


def of_row(row: Any) -> Record:
    return Record(
        row.id,
        row.kind,
        row.title,
        row.state or "",
        row.section_code or "",
        row.category_name or "",
        row.responsible_login or "",
        row.priority,
        Partner(row.partner_id, row.partner_title) if row.partner_id is not None else None,
        row.partner_name or "",
        row.email or "",
        row.deadline,
        row.revenue,
        row.cost,
        row.probability,
        row.company or "",
        row.lang or "",
        row.address or "",
        row.moved_to_id,
        row.author_login or "",
        row.created,
        row.updated,
        row.case_closed or row.lead_closed,
        outbox.ENVELOPES.get(row.envelope or "", ""),
    )


_ONE = ByNumber(lambda number: base().where(t.Thread.id == number).objects())


def record(number: int) -> Record:
    """The record with that number.

    Raises:
        NotFound: there is none.
    """
    row = _ONE.first(number)
    if row is None:
        raise NotFound(f"there is no record {number}")
    found = of_row(row)
    return found._replace(contacts=contacts_of(number)) if found.state else found


def contacts_of(number: int) -> tuple[Partner, ...]:
    """The further contacts of a case or lead (F193), in the order in which they were named."""
    rows = (
        t.RecordContact.select(t.RecordContact.contact, t.Thread.title)
        .join(t.Thread, on=(t.Thread.id == t.RecordContact.contact))
        .where(t.RecordContact.thread == number)
        .order_by(t.RecordContact.id)
        .tuples()
    )
    return tuple(Partner(*row) for row in rows)


class Dates(NamedTuple):
    """When people did what about a record, as `touch` keeps it."""

    partner_wrote: datetime | None
    answered: datetime | None


def dates(number: int, kind: str) -> Dates:
    """Of a case or lead."""
    row = t.RECORDS[kind].get(thread=number)
    return Dates(row.partner_wrote, row.answered)


def hanging(number: int) -> list[tuple[str, list[int], str]]:
    """(table, keys, column) of the rows that name a record and hang on none of its messages: what is to be done about
    it, the letters in quarantine that may belong to it, and the inbox items about these."""
    activities = t.Activity.select(t.Activity.id).where(t.Activity.thread == number)
    held = t.Quarantine.select(t.Quarantine.id).where(t.Quarantine.candidate == number)
    items = t.Notification.select(t.Notification.id).where(
        t.Notification.thread == number, t.Notification.message.is_null()
    )
    return [
        ("activity", [row.id for row in activities], "thread"),
        ("quarantine", [row.id for row in held], "candidate"),
        ("notification", [row.id for row in items], "thread"),
    ]


def contact_row(number: int, contact: int) -> int | None:
    """The row that makes somebody a further contact of a record."""
    row = t.RecordContact.get_or_none(t.RecordContact.thread == number, t.RecordContact.contact == contact)
    return row.id if row else None


def several(numbers: Iterable[int]) -> dict[int, Record]:
    """Records by their numbers."""
    return {row.id: of_row(row) for row in base().where(t.Thread.id.in_(list(numbers))).objects()}


def exists(number: int) -> bool:
    return bool(t.Thread.select().where(t.Thread.id == number).exists())


# --- writing ------------------------------------------------------------------------------------------------


def put_record(kind: str, title: str, created: datetime, *, author: int | None, address: str, **columns: Any) -> int:
    """Makes a record; its number.  Columns are those of the kind's table, ids where it has foreign keys."""
    thread = t.Thread.create(
        kind=kind, title=title, created=created, updated=created, author=author, address=address or None
    )
    table = t.RECORDS[kind]
    table.create(thread=thread.id, **columns)
    return int(thread.id)


def change(number: int, kind: str, **columns: Any) -> None:
    """Changes columns of a record; `title`, `address`, `updated` and `moved_to` are the thread's own."""
    own = {key: columns.pop(key) for key in ("title", "address", "updated", "moved_to") if key in columns}
    if own:
        t.Thread.update(**own).where(t.Thread.id == number).execute()
    if columns:
        table = t.RECORDS[kind]
        table.update(**columns).where(table.thread == number).execute()


def touch(number: int, kind: str, at: datetime, *, partner: bool = False, answered: bool = False) -> None:
    """A person did something about a record: rules and statistics count from that.  Contacts have no such dates.

    Args:
        partner: it was a letter from outside.
        answered: it was a user's letter to somebody outside; the first one counts.
    """
    table = t.RECORDS[kind]
    if "acted" not in table._meta.fields:
        return
    columns = {"acted": at, **({"partner_wrote": at} if partner else {})}
    if answered:
        columns["answered"] = fn.COALESCE(table.answered, t.Thread.created.db_value(at))
    table.update(**columns).where(table.thread == number).execute()


def link_partner(address: str, contact: int) -> list[int]:
    """Makes `contact` the partner of the records that came from its address and have none; their numbers."""
    linked: list[int] = []
    for table in (t.Case, t.Lead):
        rows = table.select(table.thread).where(table.email == address, table.partner.is_null())
        numbers = [row.thread_id for row in rows]
        if numbers:
            table.update(partner=contact).where(table.thread.in_(numbers)).execute()
            linked += numbers
    return sorted(linked)
