"""`crmmail sla`: within how long new cases must be done."""

from __future__ import annotations

import click

from crmmail.cli import shapes
from crmmail.cli.command import noun
from crmmail.cli.options import NUMBER, listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.core.typed import Any
from crmmail.services.keeping import sla_admin
from crmmail.services.shared import sla
from crmmail.store.work.deadlines import Sla

COLUMNS = (
    Column("id", "#"),
    Column("partner_category", "partner category", flex=True),
    Column("section", "section"),
    Column("priority", "priority", lambda row: shapes.priority(row["priority"])),
    Column("within", "within", justify="right"),
    Column("working", "counted in", lambda row: "working hours" if row["working"] else "days and nights"),
)
KEYS = ("id", "section", "partner_category", "priority", "within", "working")


def shape(one: Sla) -> dict[str, Any]:
    return {
        "id": one.id,
        "section": one.section or None,
        "partner_category": one.partner_category or None,
        "priority": one.priority,
        "within": one.within,
        "working": one.working,
    }


@noun(
    "sla",
    examples=("crmmail sla", "crmmail sla add --within 8h --working --section support"),
)
def sla_command() -> None:
    """Deadlines of new cases, by contract, section and priority.

    The most particular row that fits a new case gives its deadline: first by its partner's category, then by its
    section, then by its priority.  A category or section counts for those below it too; the nearer one wins.
    """


@sla_command.command("list", examples=("crmmail sla list --json",))
@listing_options
@pass_session
def sla_list(session: Session) -> None:
    """All rows, the most particular first."""
    session.open()
    rows = [shape(one) for one in sla_admin.listing()]
    session.voice.listing(rows, COLUMNS, empty="No SLAs yet: crmmail sla add --within 8h --section CODE", keys=KEYS)


@sla_command.command(
    "add",
    examples=(
        "crmmail sla add --within 2d --section support",
        'crmmail sla add --within 8h --working --partner-category "Support contract / Gold"',
        "crmmail sla add --within 1h --priority highest",
    ),
)
@click.option("--within", required=True, metavar="DELAY", help="How long after its creation: 8h, 2d, 1mo.")
@click.option("--working", is_flag=True, help="Counted in working hours (crmmail config set work.hours …).")
@click.option("--section", metavar="CODE", default="", help="Cases of this section, and of those below it.")
@click.option("--partner-category", metavar="PATH", default="", help="Cases of such partners: 'Support contract'.")
@click.option("--priority", metavar="1..5", default="", help="Cases of this priority when they are made.")
@pass_session
def sla_add(session: Session, within: str, working: bool, section: str, partner_category: str, priority: str) -> None:
    """Promise that new cases are done in time (admin)."""
    one = sla_admin.add(
        session.workspace,
        within,
        working=working,
        section_code=section,
        partner_category=partner_category,
        priority=priority,
    )
    session.voice.say(f"SLA {one.id}: {sla.promise(one)} {sla.whom(one)}")


@sla_command.command("remove", examples=("crmmail sla remove 2",))
@click.argument("number", metavar="ID", type=NUMBER)
@pass_session
def sla_remove(session: Session, number: int) -> None:
    """Take a row away (admin); deadlines that it gave stay."""
    one = sla_admin.remove(session.workspace, number)
    session.voice.say(f"SLA {one.id} is gone: {sla.promise(one)} {sla.whom(one)}")
