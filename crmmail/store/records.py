"""Records: a thread, and its row in the table of its kind.

Reading goes through one query over all kinds (`_base`), so a listing never asks once a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from peewee import JOIN, Case, fn

from crmmail.core.query import Query
from crmmail.core.record import KINDS
from crmmail.core.section import Candidate
from crmmail.errors import NotFound
from crmmail.store import outbox
from crmmail.store import tables as t
from crmmail.store.database import has


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


# --- reading ------------------------------------------------------------------------------------------------

_partner = t.Thread.alias()
_responsible = t.User.alias()
_author = t.User.alias()
_state = fn.COALESCE(t.Case.state, t.Lead.state)
# Of a contact: the first of its addresses.
_first = t.ContactAddress.select(fn.MIN(t.ContactAddress.id)).where(t.ContactAddress.contact == t.Thread.id)
_own = t.ContactAddress.select(t.ContactAddress.address).where(t.ContactAddress.id == _first)
_email = fn.COALESCE(t.Case.email, t.Lead.email, _own)


def _base(*extra: Any) -> Any:
    """One row a record, with what every kind has to tell about it."""
    return (
        t.Thread.select(
            t.Thread.id,
            t.Thread.kind,
            t.Thread.title,
            t.Thread.address,
            t.Thread.moved_to,
            t.Thread.created,
            t.Thread.updated,
            _state.alias("state"),
            t.Section.code.alias("section_code"),
            fn.COALESCE(t.Category.name, t.PartnerCategory.name).alias("category_name"),
            _responsible.login.alias("responsible_login"),
            _author.login.alias("author_login"),
            fn.COALESCE(t.Case.priority, t.Lead.priority).alias("priority"),
            _partner.id.alias("partner_id"),
            _partner.title.alias("partner_title"),
            fn.COALESCE(t.Case.partner_name, t.Lead.partner_name).alias("partner_name"),
            _email.alias("email"),
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
        .join(t.Case, JOIN.LEFT_OUTER, on=(t.Case.thread == t.Thread.id))
        .join(t.Lead, JOIN.LEFT_OUTER, on=(t.Lead.thread == t.Thread.id))
        .join(t.Contact, JOIN.LEFT_OUTER, on=(t.Contact.thread == t.Thread.id))
        .join(t.Section, JOIN.LEFT_OUTER, on=(t.Section.id == fn.COALESCE(t.Case.section, t.Lead.section)))
        .join(t.Category, JOIN.LEFT_OUTER, on=(t.Category.id == t.Case.category))
        .join(t.PartnerCategory, JOIN.LEFT_OUTER, on=(t.PartnerCategory.id == t.Contact.category))
        .join(
            _responsible, JOIN.LEFT_OUTER, on=(_responsible.id == fn.COALESCE(t.Case.responsible, t.Lead.responsible))
        )
        .join(_author, JOIN.LEFT_OUTER, on=(_author.id == t.Thread.author))
        .join(_partner, JOIN.LEFT_OUTER, on=(_partner.id == fn.COALESCE(t.Case.partner, t.Lead.partner)))
    )


def _record(row: Any) -> Record:
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


def record(number: int) -> Record:
    """The record with that number.

    Raises:
        NotFound: there is none.
    """
    row = _base().where(t.Thread.id == number).objects().first()
    if row is None:
        raise NotFound(f"there is no record {number}")
    return _record(row)


def several(numbers: Iterable[int]) -> dict[int, Record]:
    """Records by their numbers."""
    return {row.id: _record(row) for row in _base().where(t.Thread.id.in_(list(numbers))).objects()}


def records(
    kind: str | None = None,
    query: Query = Query(),  # noqa: B008 (a NamedTuple cannot change)
    *,
    user: int | None = None,
    now: datetime | None = None,
    sections: Sequence[str] | None = None,
    limit: int | None = None,
) -> list[Record]:
    """Records, newest activity first.

    Args:
        kind: only this kind; None: all.
        user: whose are `mine`.
        now: against which `late` is measured.
        sections: only records of these sections (codes).
    """
    rows = _base()
    if kind:
        rows = rows.where(t.Thread.kind == kind)
    if sections is not None:
        rows = rows.where(t.Section.code.in_(list(sections)))
    for condition in conditions(query, user, now):
        rows = rows.where(condition)
    for word in query.words:
        rows = rows.where(
            has(t.Thread.title, word)
            | has(_email, word)
            | has(_partner.title, word)
            | has(fn.COALESCE(t.Case.partner_name, t.Lead.partner_name), word)
            | has(t.Contact.company, word)
        )
    if query.sender:
        rows = rows.where(
            has(_email, query.sender)
            | has(_partner.title, query.sender)
            | has(fn.COALESCE(t.Case.partner_name, t.Lead.partner_name), query.sender)
        )
    if query.after:
        rows = rows.where(t.Thread.updated >= query.after)
    if query.before:
        rows = rows.where(t.Thread.updated < query.before)
    if query.has_attachment:
        carrying = t.Attachment.select(t.Message.thread).join(t.Message)
        rows = rows.where(t.Thread.id.in_(carrying))
    return [_record(row) for row in rows.order_by(t.Thread.updated.desc(), t.Thread.id.desc()).limit(limit).objects()]


def conditions(query: Query, user: int | None, now: datetime | None) -> list[Any]:
    """The parts of a query that are about the record; they expect the tables that `_base` joins."""
    found: list[Any] = []
    responsible = fn.COALESCE(t.Case.responsible, t.Lead.responsible)
    finished = [state for kind in KINDS.values() for state in kind.done]
    if query.kind:
        found.append(t.Thread.kind == query.kind.rstrip("s"))
    if query.state:
        found.append(_state == query.state)
    if query.section:
        found.append(t.Section.code == query.section)
    if query.responsible:
        found.append(fn.LOWER(_responsible.login) == query.responsible)
    if query.mine:
        found.append(responsible == user)
    if query.unassigned:
        found.append(responsible.is_null() & _state.is_null(False) & _state.not_in(finished))
    if query.late and now is not None:
        found.append((t.Case.deadline < now) & _state.not_in(finished))
    return found


def exists(number: int) -> bool:
    return bool(t.Thread.select().where(t.Thread.id == number).exists())


def titles(prefix: str, limit: int = 50) -> list[tuple[int, str]]:
    """(number, title) of the records whose number begins so, newest first: for completion."""
    rows = t.Thread.select(t.Thread.id, t.Thread.title).order_by(t.Thread.updated.desc()).limit(limit)
    if prefix:
        rows = rows.where(t.Thread.id.cast("TEXT").startswith(prefix))
    return [(row.id, row.title) for row in rows]


def with_address(address: str) -> list[Record]:
    """Every record that has this address as its own or its partner's (F10)."""
    cards = t.ContactAddress.select(t.ContactAddress.contact).where(t.ContactAddress.address == address)
    rows = _base().where((_email == address) | t.Thread.id.in_(cards) | _partner.id.in_(cards))
    return [_record(row) for row in rows.order_by(t.Thread.id).objects()]


def related(number: int) -> list[Record]:
    """The partner of a record, the records of a contact, and what was merged into it (F13)."""
    this = record(number)
    same_partner = this.partner.id if this.partner else number if this.kind == "contact" else -1
    rows = _base().where(
        (t.Thread.id != number)
        & ((_partner.id == same_partner) | (t.Thread.id == same_partner) | (t.Thread.moved_to == number))
    )
    return [_record(row) for row in rows.order_by(t.Thread.id).objects()]


def counts(user: int, now: datetime) -> dict[str, int]:
    """How many records are mine and unfinished, unassigned, due today or late: for the summary, one query."""
    finished = [state for kind in KINDS.values() for state in kind.done]
    responsible = fn.COALESCE(t.Case.responsible, t.Lead.responsible)
    row = (
        t.Thread.select(
            fn.SUM(Case(None, [(responsible == user, 1)], 0)).alias("mine"),
            fn.SUM(Case(None, [(responsible.is_null(), 1)], 0)).alias("unassigned"),
            fn.SUM(Case(None, [(t.Case.deadline < now, 1)], 0)).alias("late"),
        )
        .join(t.Case, JOIN.LEFT_OUTER, on=(t.Case.thread == t.Thread.id))
        .join(t.Lead, JOIN.LEFT_OUTER, on=(t.Lead.thread == t.Thread.id))
        .where(_state.is_null(False), _state.not_in(finished), t.Thread.moved_to.is_null())
        .dicts()
        .get()
    )
    return {key: int(value or 0) for key, value in row.items()}


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
    """A person did something about a record, which is what rules and statistics count from; contacts have no such dates.

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


def candidates(section: int) -> list[Candidate]:
    """Everybody who could get a new case of a section, with how busy he is."""
    finished = KINDS["case"].done
    loads: dict[int, int] = dict(
        t.Case.select(t.Case.responsible, fn.COUNT(t.Case.thread))
        .where(t.Case.responsible.is_null(False), t.Case.state.not_in(finished))
        .group_by(t.Case.responsible)
        .tuples()
    )
    last: dict[int, Any] = dict(
        t.Case.select(t.Case.responsible, fn.MAX(t.Case.assigned))
        .where(t.Case.responsible.is_null(False), t.Case.section == section)
        .group_by(t.Case.responsible)
        .tuples()
    )
    users: Iterable[Any] = t.User.select(t.User.id).where(t.User.active).order_by(t.User.id)
    return [Candidate(row.id, loads.get(row.id, 0), str(last.get(row.id) or "")) for row in users]
