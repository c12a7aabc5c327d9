"""What statistics count: one SELECT of the columns that they need, whatever the number of records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from crmmail.core.query import Query
from crmmail.core.record import KINDS
from crmmail.core.stats import Case, Letter, Partner
from crmmail.core.typed import Any
from crmmail.store.engine import sql
from crmmail.store.engine.values import moment
from crmmail.store.lists import finding
from crmmail.store.lists.finding import Condition

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
    more = [
        Condition("(h.moved_to_id IS NULL OR (SELECT x.kind FROM crm_thread x WHERE x.id = h.moved_to_id) <> h.kind)")
    ]
    more += [Condition("h.created >= ?", (begin,))] if begin else []
    more += [Condition("h.created < ?", (end,))] if end else []
    fits = finding.fitting(kind, query, user=user, now=now, sections=sections, more=more)
    only_cases = "r.cost" if kind == "case" else "NULL"
    category = "(SELECT x.name FROM crm_category x WHERE x.id = r.category_id)" if kind == "case" else "NULL"
    rows = sql.rows(
        f"""SELECT h.id, h.created, r.state, (SELECT x.code FROM crm_section x WHERE x.id = r.section_id), {category},
            (SELECT x.login FROM crm_user x WHERE x.id = r.responsible_id), r.priority, p.id, p.title, r.email,
            r.partner_name, r.closed, r.answered, r.revenue, {only_cases}, r.probability
        {fits.text}""",
        *fits.values,
    )
    return [_case(kind, *row) for row in rows]


def _case(
    kind: str,
    number: int,
    created: Any,
    state: str,
    section: str | None,
    category: str | None,
    user: str | None,
    priority: int | None,
    contact: int | None,
    title: str | None,
    email: str | None,
    name: str | None,
    closed: Any,
    answered: Any,
    *rest: Any,
) -> Case:
    # A supplier has costs before anybody has saved him as a contact, so his address stands for him; else his name.
    known_as = title if contact is not None else email or name
    partner = Partner(contact, known_as or "") if contact is not None or known_as else None
    moments = (moment(created), moment(closed), moment(answered))
    return Case(number, kind, state, section or "", category or "", user or "", priority, partner, *moments, *rest)


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
    found = [
        Condition(f"m.kind IN ({', '.join(repr(one) for one in _WORK)})"),
        Condition("NOT m.automatic AND m.superseded_by_id IS NULL"),
        *([Condition("m.received >= ?", (begin,))] if begin else []),
        *([Condition("m.received < ?", (end,))] if end else []),
    ]
    if query != Query() or sections is not None:
        of_kinds = [finding.fitting(kind, query, user=user, now=now, sections=sections) for kind in KINDS]
        values = tuple(value for one in of_kinds for value in one.values)
        union = " UNION ALL ".join(f"SELECT h.id {one.text}" for one in of_kinds)
        found.append(Condition(f"m.thread_id IN ({union})", values))
    held = finding.every(found)
    rows = sql.rows(
        f"""SELECT m.id, m.kind, u.login, s.code, m.received FROM crm_message m
        LEFT JOIN crm_user u ON u.id = m.author_id
        LEFT JOIN crm_case c ON c.thread_id = m.thread_id
        LEFT JOIN crm_lead l ON l.thread_id = m.thread_id
        LEFT JOIN crm_section s ON s.id = COALESCE(c.section_id, l.section_id)
        WHERE {held.text}""",
        *held.values,
    )
    return [Letter(number, kind, login or "", code or "", moment(at)) for number, kind, login, code, at in rows]
