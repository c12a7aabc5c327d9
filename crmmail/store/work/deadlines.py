"""By when records must be done: the table that new deadlines come from, and the deadlines that there are."""

from __future__ import annotations

from datetime import datetime

from crmmail.core.record import KINDS
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import NotFound
from crmmail.store import tables as t
from crmmail.store.engine import sql
from crmmail.store.engine.standing import standing
from crmmail.store.engine.values import moment


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


@standing
def slas() -> list[Sla]:
    """All rows, in the order in which they were made."""
    rows = sql.rows(
        "SELECT x.id, s.code, g.name, x.priority, x.within, x.working FROM crm_sla x"
        " LEFT JOIN crm_section s ON s.id = x.section_id"
        " LEFT JOIN crm_partner_category g ON g.id = x.partner_category_id ORDER BY x.id"
    )
    return [
        Sla(number, code or "", name or "", priority, within, bool(working))
        for number, code, name, priority, within, working in rows
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
    name = sql.value(
        "SELECT g.name FROM crm_contact k JOIN crm_partner_category g ON g.id = k.category_id WHERE k.thread_id = ?",
        contact,
    )
    return name or ""


# --- the deadlines there are --------------------------------------------------------------------------------


def deadlines(*, user: int | None = None, until: datetime | None = None) -> list[Deadline]:
    """Of unfinished cases, the next first.

    Args:
        user: only his; None: everybody's.
        until: only what is due before that moment.
    """
    states = [state for state in KINDS["case"].states if state not in KINDS["case"].done]
    wanted = [("r.responsible_id = ?", user), ("r.deadline < ?", until)]
    asked = [(condition, value) for condition, value in wanted if value is not None]
    rows = sql.rows(
        f"""SELECT h.id, h.title, u.login, r.deadline
        FROM crm_case r CROSS JOIN crm_thread h LEFT JOIN crm_user u ON u.id = r.responsible_id
        WHERE h.id = r.thread_id AND r.state IN ({sql.marks(len(states))}) AND r.deadline IS NOT NULL
            AND h.moved_to_id IS NULL {"".join(f" AND {condition}" for condition, _ in asked)}
        ORDER BY r.deadline, h.id""",
        *states,
        *(value for _, value in asked),
    )
    return [Deadline(number, title, login or "", moment(due)) for number, title, login, due in rows]
