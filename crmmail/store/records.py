"""Records: a thread, and its row in the table of its kind.

Reading goes through one query over all kinds (`_base`), so a listing never asks once a record.
"""

from __future__ import annotations

from collections import Counter
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
from crmmail.store.database import every, has
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

_partner = t.Thread.alias()
_responsible = t.User.alias()
PARTNER, RESPONSIBLE = _partner, _responsible  # for who selects other columns from what `fitting` joins
_author = t.User.alias()
_state = fn.COALESCE(t.Case.state, t.Lead.state)
_category = fn.COALESCE(t.Category.name, t.PartnerCategory.name)
_priority = fn.COALESCE(t.Case.priority, t.Lead.priority)
_partner_name = fn.COALESCE(t.Case.partner_name, t.Lead.partner_name)
# Of a contact: the first of its addresses.
_first = t.ContactAddress.select(fn.MIN(t.ContactAddress.id)).where(t.ContactAddress.contact == t.Thread.id)
_own = t.ContactAddress.select(t.ContactAddress.address).where(t.ContactAddress.id == _first)
_email = fn.COALESCE(t.Case.email, t.Lead.email, _own)


def _base(*extra: Any) -> Any:
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
            _state.alias("state"),
            t.Section.code.alias("section_code"),
            _category.alias("category_name"),
            _responsible.login.alias("responsible_login"),
            _author.login.alias("author_login"),
            _priority.alias("priority"),
            _partner.id.alias("partner_id"),
            _partner.title.alias("partner_title"),
            _partner_name.alias("partner_name"),
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
        .join(
            _responsible, JOIN.LEFT_OUTER, on=(_responsible.id == fn.COALESCE(t.Case.responsible, t.Lead.responsible))
        )
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


_ONE = ByNumber(lambda number: _base().where(t.Thread.id == number).objects())


def record(number: int) -> Record:
    """The record with that number.

    Raises:
        NotFound: there is none.
    """
    row = _ONE.first(number)
    if row is None:
        raise NotFound(f"there is no record {number}")
    found = _record(row)
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
    """Records, newest activity first; arguments as `fitting` has them."""
    rows = fitting(kind, query, user=user, now=now, sections=sections)
    return [_record(row) for row in rows.order_by(t.Thread.updated.desc(), t.Thread.id.desc()).limit(limit).objects()]


def fitting(
    kind: str | None,
    query: Query,
    *,
    user: int | None = None,
    now: datetime | None = None,
    sections: Sequence[str] | None = None,
) -> Any:
    """The records that fit, as a query over the tables that `_base` joins: `list` shows them, `stats` counts them.

    Args:
        kind: only this kind; None: all.
        user: whose are `mine`.
        now: against which `late` is measured.
        sections: only records of these sections (codes).
    """
    found = [t.Thread.kind == kind] if kind else []
    if sections is not None:
        found.append(t.Section.code.in_(list(sections)))
    found += conditions(query, user, now)
    for word in query.words:
        found.append(
            has(t.Thread.title, word)
            | has(_email, word)
            | has(_partner.title, word)
            | has(_partner_name, word)
            | has(t.Contact.company, word)
        )
    if query.sender:
        found.append(has(_email, query.sender) | has(_partner.title, query.sender) | has(_partner_name, query.sender))
    if query.after:
        found.append(t.Thread.updated >= query.after)
    if query.before:
        found.append(t.Thread.updated < query.before)
    if query.has_attachment:
        carrying = t.Attachment.select(t.Message.thread).join(t.Message)
        found.append(t.Thread.id.in_(carrying))
    return _base().where(every(found)) if found else _base()


def conditions(query: Query, user: int | None, now: datetime | None) -> list[Any]:
    """The parts of a query that are about the record; they expect the tables that `joined` joins."""
    found: list[Any] = []
    responsible = fn.COALESCE(t.Case.responsible, t.Lead.responsible)
    finished = [state for kind in KINDS.values() for state in kind.done]
    if query.kind:
        found.append(t.Thread.kind == query.kind.rstrip("s"))
    if query.states:
        found.append(_state.in_(query.states))
    if query.sections:
        found.append(t.Section.code.in_(query.sections))
    if query.responsible:
        found.append(fn.LOWER(_responsible.login) == query.responsible)
    if query.category:
        found.append(has(_category, query.category))
    if query.partner:
        found.append(_has_partner(query.partner))
    if query.priorities:
        found.append(_priority.between(*query.priorities))
    if query.mine:
        found.append(responsible == user)
    if query.unassigned:
        found.append(responsible.is_null() & _state.not_in(finished))
    if query.unfinished:
        found.append(_state.not_in(finished))
    if query.closed:
        found.append(_state.in_(finished))
    if query.late and now is not None:
        found.append((t.Case.deadline < now) & _state.not_in(finished))
    if query.today:
        begins, ends = query.today
        found.append((t.Case.deadline >= begins) & (t.Case.deadline < ends) & _state.not_in(finished))
    return found


def _has_partner(words: str) -> Any:
    """The contact with that number; or whose name, or what a letter gave as the customer's, has these words."""
    number = words.removeprefix("#")
    if number.isascii() and number.isdigit() and len(number) <= 18:
        return _partner.id == int(number)
    return has(_partner.title, words) | has(_partner_name, words)


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
    """The partner of a record, the records that a contact takes part in, and what was merged into it (F13)."""
    this = record(number)
    same_partner = this.partner.id if this.partner else number if this.kind == "contact" else -1
    named = t.RecordContact.select(t.RecordContact.thread).where(t.RecordContact.contact == number)
    rows = _base().where(
        (t.Thread.id != number)
        & (
            (_partner.id == same_partner)
            | (t.Thread.id == same_partner)
            | (t.Thread.moved_to == number)
            | t.Thread.id.in_(named)
        )
    )
    return [_record(row) for row in rows.order_by(t.Thread.id).objects()]


def counts(user: int, now: datetime, tonight: datetime) -> dict[str, int]:
    """How many records are mine and unfinished, unassigned, late, due before tonight: for the summary, one query."""
    finished = [state for kind in KINDS.values() for state in kind.done]
    responsible = fn.COALESCE(t.Case.responsible, t.Lead.responsible)
    row = (
        t.Thread.select(
            fn.SUM(Case(None, [(responsible == user, 1)], 0)).alias("mine"),
            fn.SUM(Case(None, [(responsible.is_null(), 1)], 0)).alias("unassigned"),
            fn.SUM(Case(None, [(t.Case.deadline < now, 1)], 0)).alias("late"),
            fn.SUM(Case(None, [((t.Case.deadline >= now) & (t.Case.deadline < tonight), 1)], 0)).alias("today"),
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


def candidates(section: int, now: datetime | None = None) -> list[Candidate]:
    """Everybody who could get a new record of a section, with how busy he is; who is on leave `now` could not."""
    loads: Counter[int] = Counter()
    last: dict[int, str] = {}
    for name in ("case", "lead"):
        table = t.RECORDS[name]
        given = table.responsible.is_null(False)
        busy = table.select(table.responsible, fn.COUNT(table.thread)).where(given)
        busy = busy.where(table.state.not_in(KINDS[name].done)).group_by(table.responsible)
        loads.update(dict(busy.tuples()))
        turns = table.select(table.responsible, fn.MAX(table.assigned)).where(given, table.section == section)
        for user, moment in turns.group_by(table.responsible).tuples():
            last[user] = max(last.get(user, ""), str(moment or ""))
    users: Iterable[Any] = t.User.select(t.User.id).where(t.User.active).order_by(t.User.id)
    if now is not None:
        users = users.where(t.User.away_until.is_null() | (t.User.away_until <= now))
    return [Candidate(row.id, loads[row.id], last.get(row.id, "")) for row in users]
