"""The table of SLAs by hand: `crmmail sla`."""

from __future__ import annotations

from crmmail.core import category, record, text
from crmmail.core.delay import Delay, parse
from crmmail.core.typed import Any
from crmmail.errors import Taken, UsageError
from crmmail.services.shared.rights import need_admin
from crmmail.services.shared.sla import later, promise, whom
from crmmail.store.history import journal, undoable
from crmmail.store.people import directory, offices
from crmmail.store.work import deadlines
from crmmail.store.work.deadlines import Sla
from crmmail.workspace import Workspace, os_login


def add(
    workspace: Workspace,
    within: str,
    *,
    working: bool = False,
    section_code: str = "",
    partner_category: str = "",
    priority: str = "",
) -> Sla:
    """A new row; what is "" fits every case.

    Raises:
        UsageError: `within` is no time that can be promised.
        Taken: there is a row for the same cases already.
    """
    me = need_admin(workspace, "change SLAs")
    length = _length(workspace, within, working)
    with workspace.store.transaction():
        columns: dict[str, Any] = {"within": _spelled(length, working), "working": working}
        if section_code:
            columns["section"] = offices.section(section_code).id
        if partner_category:
            columns["partner_category"] = directory.partner_category(text.one_line(partner_category))
        if priority:
            columns["priority"] = record.priority(priority)
        known = deadlines.slas()
        made = deadlines.sla(deadlines.put_sla(**columns))
        for one in known:
            if _concerns(one) == _concerns(made):
                raise Taken(f"there is an SLA {one.id} {whom(one)} already (crmmail sla remove {one.id})")
        sentence = f"SLA {made.id}: {promise(made)} {whom(made)}"
        changes = [undoable.was_made("sla", made.id)]
        journal.write(me.id, os_login(), workspace.now(), "sla", sentence, changes)
    return made


def remove(workspace: Workspace, number: int) -> Sla:
    """Takes a row away; the deadlines that it gave stay."""
    me = need_admin(workspace, "change SLAs")
    with workspace.store.transaction():
        this = deadlines.sla(number)
        changes = undoable.delete("sla", number)
        sentence = f"SLA {number} removed: {promise(this)} {whom(this)}"
        journal.write(me.id, os_login(), workspace.now(), "sla", sentence, changes)
    return this


def listing() -> list[Sla]:
    """All rows, the most particular first."""
    return sorted(
        deadlines.slas(), key=lambda one: (not one.partner_category, not one.section, not one.priority, one.id)
    )


def _length(workspace: Workspace, within: str, working: bool) -> Delay:
    length = parse(within)
    if length <= Delay():
        raise UsageError(f"{within!r} leaves no time: write how long after its creation a case must be done, like 8h")
    if working:
        if length.months or "d" in within.lower() or "w" in within.lower():
            raise UsageError(f"{within!r} has no fixed number of working hours: write hours, like 16h")
        later(workspace, workspace.now(), length, working)  # raises where that takes more than ten years
    return length


def _spelled(length: Delay, working: bool) -> str:
    """Working hours are not made days of, since no day has 24 of them."""
    hours, minutes = divmod(length.seconds // 60, 60)
    if not working:
        return str(length)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "")


def _concerns(one: Sla) -> tuple[str, str, int | None]:
    return one.section, category.key(one.partner_category), one.priority
