"""Finding records: by a query, by an address, by what they are related to; and how many there are.

`records` reads one; here are the many.  A delivery needs none of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from peewee import JOIN, Case, fn

from crmmail.core.query import Query
from crmmail.core.record import KINDS
from crmmail.store import records as r
from crmmail.store import tables as t
from crmmail.store.database import every, has
from crmmail.store.records import Record, record


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
    return [r.of_row(row) for row in rows.order_by(t.Thread.updated.desc(), t.Thread.id.desc()).limit(limit).objects()]


def fitting(
    kind: str | None,
    query: Query,
    *,
    user: int | None = None,
    now: datetime | None = None,
    sections: Sequence[str] | None = None,
) -> Any:
    """The records that fit, as a query over the tables that `records.base` joins: `list` shows them, `stats` counts.

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
            | has(r.EMAIL, word)
            | has(r.PARTNER.title, word)
            | has(r.PARTNER_NAME, word)
            | has(t.Contact.company, word)
        )
    if query.sender:
        who = query.sender
        found.append(has(r.EMAIL, who) | has(r.PARTNER.title, who) | has(r.PARTNER_NAME, who))
    if query.after:
        found.append(t.Thread.updated >= query.after)
    if query.before:
        found.append(t.Thread.updated < query.before)
    if query.has_attachment:
        carrying = t.Attachment.select(t.Message.thread).join(t.Message)
        found.append(t.Thread.id.in_(carrying))
    return r.base().where(every(found)) if found else r.base()


def conditions(query: Query, user: int | None, now: datetime | None) -> list[Any]:
    """The parts of a query that are about the record; they expect the tables that `records.joined` joins."""
    found: list[Any] = []
    responsible = fn.COALESCE(t.Case.responsible, t.Lead.responsible)
    finished = [state for kind in KINDS.values() for state in kind.done]
    if query.kind:
        found.append(t.Thread.kind == query.kind.rstrip("s"))
    if query.states:
        found.append(r.STATE.in_(query.states))
    if query.sections:
        found.append(t.Section.code.in_(query.sections))
    if query.responsible:
        found.append(fn.LOWER(r.RESPONSIBLE.login) == query.responsible)
    if query.category:
        found.append(has(r.CATEGORY, query.category))
    if query.partner:
        found.append(_has_partner(query.partner))
    if query.priorities:
        found.append(r.PRIORITY.between(*query.priorities))
    if query.mine:
        found.append(responsible == user)
    if query.unassigned:
        found.append(responsible.is_null() & r.STATE.not_in(finished))
    if query.unfinished:
        found.append(r.STATE.not_in(finished))
    if query.closed:
        found.append(r.STATE.in_(finished))
    if query.late and now is not None:
        found.append((t.Case.deadline < now) & r.STATE.not_in(finished))
    if query.today:
        begins, ends = query.today
        found.append((t.Case.deadline >= begins) & (t.Case.deadline < ends) & r.STATE.not_in(finished))
    return found


def _has_partner(words: str) -> Any:
    """The contact with that number; or whose name, or what a letter gave as the customer's, has these words."""
    number = words.removeprefix("#")
    if number.isascii() and number.isdigit() and len(number) <= 18:
        return r.PARTNER.id == int(number)
    return has(r.PARTNER.title, words) | has(r.PARTNER_NAME, words)


def titles(prefix: str, limit: int = 50) -> list[tuple[int, str]]:
    """(number, title) of the records whose number begins so, newest first: for completion."""
    rows = t.Thread.select(t.Thread.id, t.Thread.title).order_by(t.Thread.updated.desc()).limit(limit)
    if prefix:
        rows = rows.where(t.Thread.id.cast("TEXT").startswith(prefix))
    return [(row.id, row.title) for row in rows]


def with_address(address: str) -> list[Record]:
    """Every record that has this address as its own or its partner's (F10)."""
    cards = t.ContactAddress.select(t.ContactAddress.contact).where(t.ContactAddress.address == address)
    rows = r.base().where((address == r.EMAIL) | t.Thread.id.in_(cards) | r.PARTNER.id.in_(cards))
    return [r.of_row(row) for row in rows.order_by(t.Thread.id).objects()]


def related(number: int) -> list[Record]:
    """The partner of a record, the records that a contact takes part in, and what was merged into it (F13)."""
    this = record(number)
    same_partner = this.partner.id if this.partner else number if this.kind == "contact" else -1
    named = t.RecordContact.select(t.RecordContact.thread).where(t.RecordContact.contact == number)
    rows = r.base().where(
        (t.Thread.id != number)
        & (
            (r.PARTNER.id == same_partner)
            | (t.Thread.id == same_partner)
            | (t.Thread.moved_to == number)
            | t.Thread.id.in_(named)
        )
    )
    return [r.of_row(row) for row in rows.order_by(t.Thread.id).objects()]


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
        .where(r.STATE.is_null(False), r.STATE.not_in(finished), t.Thread.moved_to.is_null())
        .dicts()
        .get()
    )
    return {key: int(value or 0) for key, value in row.items()}
