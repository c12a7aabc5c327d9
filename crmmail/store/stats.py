"""What statistics count: one SELECT of the columns that they need, whatever the number of records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from peewee import JOIN, fn

from crmmail.core.query import Query
from crmmail.core.stats import Case, Letter, Partner
from crmmail.store import finding, records
from crmmail.store import tables as t

_target = t.Thread.alias()
# A letter of a rule's or a program's is nobody's work, and a message of the system is no letter.
_WORK = ("email_in", "email_out", "note", "call")


def cases(
    kind: str,
    query: Query,
    *,
    begin: datetime | None,
    end: datetime | None,
    user: int | None,
    now: datetime,
    sections: Sequence[str] | None,
) -> list[Case]:
    """Records of a kind that were made from `begin` to before `end`; the others as `finding.fitting` has them.

    What was merged into another of its kind is left out, for it is counted there.  A lead that became a case is counted
    as a lead.
    """
    rows = finding.fitting(kind, query, user=user, now=now, sections=sections)
    rows = rows.join(_target, JOIN.LEFT_OUTER, on=(_target.id == t.Thread.moved_to))
    rows = rows.where(_target.id.is_null() | (_target.kind != t.Thread.kind))
    if begin:
        rows = rows.where(t.Thread.created >= begin)
    if end:
        rows = rows.where(t.Thread.created < end)
    rows = rows.select(
        t.Thread.id,
        t.Thread.created,
        fn.COALESCE(t.Case.state, t.Lead.state),
        t.Section.code,
        t.Category.name,
        records.RESPONSIBLE.login,
        fn.COALESCE(t.Case.priority, t.Lead.priority),
        records.PARTNER.id,
        records.PARTNER.title,
        fn.COALESCE(t.Case.email, t.Lead.email),
        fn.COALESCE(t.Case.partner_name, t.Lead.partner_name),
        fn.COALESCE(t.Case.closed, t.Lead.closed),
        fn.COALESCE(t.Case.answered, t.Lead.answered),
        fn.COALESCE(t.Case.revenue, t.Lead.revenue),
        t.Case.cost,
        fn.COALESCE(t.Case.probability, t.Lead.probability),
    )
    return [_case(kind, *row) for row in rows.tuples()]


def _case(
    kind: str,
    number: int,
    created: datetime,
    state: str,
    section: str | None,
    category: str | None,
    user: str | None,
    priority: int | None,
    contact: int | None,
    title: str | None,
    email: str | None,
    name: str | None,
    *rest: Any,
) -> Case:
    # A supplier has costs before anybody has saved him as a contact, so his address stands for him; else his name.
    known_as = title if contact is not None else email or name
    partner = Partner(contact, known_as or "") if contact is not None or known_as else None
    return Case(number, kind, state, section or "", category or "", user or "", priority, partner, created, *rest)


def letters(
    query: Query,
    *,
    begin: datetime | None,
    end: datetime | None,
    user: int | None,
    now: datetime,
    sections: Sequence[str] | None,
) -> list[Letter]:
    """Messages that people wrote from `begin` to before `end`, of the records that fit; both copies of one letter count
    once."""
    section = fn.COALESCE(t.Case.section, t.Lead.section)
    rows = (
        t.Message.select(t.Message.id, t.Message.kind, t.User.login, t.Section.code, t.Message.received)
        .join(t.User, JOIN.LEFT_OUTER, on=(t.User.id == t.Message.author))
        .join(t.Case, JOIN.LEFT_OUTER, on=(t.Case.thread == t.Message.thread))
        .join(t.Lead, JOIN.LEFT_OUTER, on=(t.Lead.thread == t.Message.thread))
        .join(t.Section, JOIN.LEFT_OUTER, on=(t.Section.id == section))
        .where(t.Message.kind.in_(_WORK), ~t.Message.automatic, t.Message.superseded_by.is_null())
    )
    if begin:
        rows = rows.where(t.Message.received >= begin)
    if end:
        rows = rows.where(t.Message.received < end)
    if query != Query() or sections is not None:
        fitting = finding.fitting(None, query, user=user, now=now, sections=sections)
        rows = rows.where(t.Message.thread.in_(fitting.select(t.Thread.id)))
    return [
        Letter(number, kind, login or "", code or "", received) for number, kind, login, code, received in rows.tuples()
    ]
