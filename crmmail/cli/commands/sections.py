"""`crmmail sections`: departments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from crmmail.cli.command import noun
from crmmail.cli.options import listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.core import section
from crmmail.services import offices
from crmmail.store import offices as stored

COLUMNS = (
    Column("code", "section", lambda row: "  " * row["depth"] + row["code"]),
    Column("name", "name", flex=True),
    Column("parent", "below", piped=True),
    Column("manager", "manager"),
    Column("email", "address", width=34),
    Column("assign", "assign"),
    Column("on_user_reply", "on user reply"),
    Column("on_partner_reply", "on partner reply"),
    Column("active", "", lambda row: "" if row["active"] else "retired"),
)


def shape(depth: int, one: section.Section) -> dict[str, Any]:
    return {
        "id": one.id,
        "code": one.code,
        "name": one.name,
        "parent": one.parent or None,
        "manager": one.manager or None,
        "email": one.address or None,
        "on_user_reply": one.on_user_reply,
        "on_partner_reply": one.on_partner_reply,
        "assign": one.assign,
        "active": one.active,
        "depth": depth,
    }


@noun(
    "sections",
    examples=("crmmail sections", 'crmmail sections add support --name "Support" --email support@crm.example'),
)
def sections_command() -> None:
    """Sections: who works on what, and its address."""


@sections_command.command("list", examples=("crmmail sections list --json",))
@listing_options
@pass_session
def sections_list(session: Session) -> None:
    """All sections, each below its parent."""
    session.open()
    rows = [shape(depth, one) for depth, one in offices.tree()]
    session.voice.listing(rows, COLUMNS, empty="No sections yet: crmmail sections add CODE --name NAME")


@sections_command.command("show", examples=("crmmail sections show support",))
@click.argument("code")
@listing_options
@pass_session
def sections_show(session: Session, code: str) -> None:
    """One section."""
    session.open()
    session.voice.listing([shape(0, stored.section(code))], COLUMNS)


def policies(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that add and set share."""
    for decorate in (
        click.option("--name", metavar="NAME", help="What people call it."),
        click.option("--parent", metavar="CODE", help="The section above: cases escalate to it."),
        click.option("--manager", metavar="LOGIN", help="Who is asked when nobody is responsible."),
        click.option("--email", metavar="ADDRESS", help="Its address: makes the alias, and answers come back to it."),
        click.option("--on-user-reply", type=click.Choice(section.ON_USER_REPLY), help="A user answers by mail."),
        click.option("--on-partner-reply", type=click.Choice(section.ON_PARTNER_REPLY), help="The customer answers."),
        click.option("--assign", type=click.Choice(section.ASSIGN), help="Who gets new cases."),
    ):
        function = decorate(function)
    return function


@sections_command.command(
    "add",
    examples=(
        'crmmail sections add support --name "Support" --email support@crm.example --manager boss',
        "crmmail sections add level1 --parent level2 --create-parent",
    ),
)
@click.argument("code")
@click.option("--create-parent", is_flag=True, help="Make the parent where it is not there yet.")
@policies
@pass_session
def sections_add(session: Session, code: str, create_parent: bool, **wanted: str | None) -> None:
    """Add a section (admin)."""
    one = offices.add_section(session.workspace, code, create_parent=create_parent, **wanted)
    session.voice.say(f"section {one.code} {one.name}" + (f" <{one.address}>" if one.address else ""))


@sections_command.command("set", examples=("crmmail sections set support --manager agent --assign round-robin",))
@click.argument("code")
@policies
@pass_session
def sections_set(session: Session, code: str, **wanted: str | None) -> None:
    """Change a section (admin); its old address stays an alias."""
    one = offices.set_section(session.workspace, code, **wanted)
    session.voice.say(f"section {one.code} {one.name}" + (f" <{one.address}>" if one.address else ""))


@sections_command.command("remove", examples=("crmmail sections remove support",))
@click.argument("code")
@pass_session
def sections_remove(session: Session, code: str) -> None:
    """Retire a section and its aliases (admin); its records keep it."""
    one = offices.remove_section(session.workspace, code)
    session.voice.say(f"section {one.code} is retired")
