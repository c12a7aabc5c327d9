"""By when records must be done: the table that new deadlines come from, and the deadlines that there are."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from peewee import JOIN

from crmmail.core.record import KINDS
from crmmail.errors import NotFound
from crmmail.store import tables as t


class Sla(NamedTuple):
    """Within how long a new case must be done, if it fits; "" and None fit every case."""

    id: int
    section: str  # a code; those below it fit too
    partner_category: str  # a path as it was written; those below it fit too
    priority: int | None
    within: str  # a delay
    working: bool  # counted in working time


class Deadline(NamedTuple):
    """A record that must be done, and by when."""

    record: int
    title: str
    user: str  # the responsible's login, "" if nobody
    when: datetime


# --- where deadlines come from ------------------------------------------------------------------------------


def slas() -> list[Sla]:
    """All rows, in the order in which they were made."""
    rows = (
        t.Sla.select(t.Sla, t.Section, t.PartnerCategory)
        .join(t.Section, JOIN.LEFT_OUTER)
        .switch(t.Sla)
        .join(t.PartnerCategory, JOIN.LEFT_OUTER)
        .order_by(t.Sla.id)
    )
    return [
        Sla(
            row.id,
            row.section.code if row.section_id else "",
            row.partner_category.name if row.partner_category_id else "",
            row.priority,
            row.within,
            row.working,
        )
        for row in rows
    ]


def sla(number: int) -> Sla:
    """The row with that number.

    Raises:
        NotFound: with the numbers there are.
    """
    known = slas()
    for one in known:
        if one.id == number:
            return one
    numbers = ", ".join(str(one.id) for one in known)
    raise NotFound(f"there is no SLA {number}; SLAs: {numbers or 'none yet (crmmail sla add --within 8h …)'}")


def put_sla(**columns: Any) -> int:
    """Makes a row; ids, not names, in `section` and `partner_category`."""
    return int(t.Sla.create(**columns).id)


def category_of(contact: int) -> str:
    """The partner category of a contact, "" if none."""
    row = t.Contact.select(t.Contact.category).where(t.Contact.thread == contact).first()
    return row.category.name if row and row.category_id else ""


# --- the deadlines there are --------------------------------------------------------------------------------


def deadlines(*, user: int | None = None, until: datetime | None = None) -> list[Deadline]:
    """Of unfinished cases, the next first.

    Args:
        user: only his; None: everybody's.
        until: only what is due before that moment.
    """
    query = (
        t.Case.select(t.Case.deadline, t.Thread.id, t.Thread.title, t.User.login)
        .join(t.Thread)
        .switch(t.Case)
        .join(t.User, JOIN.LEFT_OUTER, on=(t.Case.responsible == t.User.id))
        .where(
            t.Case.deadline.is_null(False), t.Case.state.not_in(KINDS["case"].done), t.Thread.moved_to.is_null()
        )
        .order_by(t.Case.deadline, t.Thread.id)
    )  # fmt: skip
    if user is not None:
        query = query.where(t.Case.responsible == user)
    if until is not None:
        query = query.where(t.Case.deadline < until)
    return [Deadline(row.id, row.title, row.login or "", row.deadline) for row in query.objects()]
