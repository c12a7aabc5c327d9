"""What can be done about a record now: nothing where it lives on in another one."""

from __future__ import annotations

from crmmail.core import record
from crmmail.errors import Refused
from crmmail.store.people import offices
from crmmail.store.work import records
from crmmail.store.work.records import Record


def living(number: int) -> Record:
    """A record that somebody wants to change.

    Raises:
        Refused: it was merged into another one, and only that can be changed.
    """
    this = records.record(number)
    if this.moved_to:
        live = lives_on_as(number)
        raise Refused(f"#{number} {this.title} lives on as #{live}: crmmail show {live}")
    return this


def lives_on_as(number: int) -> int:
    """Where a record ended that was merged, and perhaps merged again; else itself."""
    from crmmail.store.letters import threads  # which most listings have no use for

    return threads.live_threads([number])[1].get(number, number)


def buttons(this: Record) -> list[str]:
    """What can be done about a record now; nothing where it lives on in another one."""
    if this.moved_to:
        return []
    return [*record.buttons(this.kind, this.state), *(["escalate"] if can_escalate(this) else [])]


def can_escalate(this: Record) -> bool:
    """Is it in a state to be escalated, and is there a section in use above its own?"""
    if this.state not in record.ESCALATES.get(this.kind, ()) or not this.section:
        return False
    above = offices.section(this.section).parent
    return bool(above) and offices.section(above).active
