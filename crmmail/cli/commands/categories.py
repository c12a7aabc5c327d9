"""`crmmail categories`: what differs among the cases of a section."""

from __future__ import annotations

import click

from crmmail.cli.command import noun
from crmmail.cli.options import listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.services import offices
from crmmail.store import offices as stored

COLUMNS = (
    Column("id", "#"),
    Column("section", "section"),
    Column("name", "name", flex=True),
    Column("active", "", lambda row: "" if row["active"] else "retired"),
)
SECTION = click.option("--section", required=True, metavar="CODE", help="The section it belongs to.")


@noun("categories", examples=("crmmail categories", 'crmmail categories add "Fault Fix" --section support'))
def categories_command() -> None:
    """Categories of cases."""


@categories_command.command("list", examples=("crmmail categories list --section support",))
@click.option("--section", metavar="CODE", help="Only of this section.")
@listing_options
@pass_session
def categories_list(session: Session, section: str | None) -> None:
    """All categories, by section."""
    session.open()
    number = stored.section(section).id if section else None
    session.voice.listing(
        [one._asdict() for one in stored.categories(number)],
        COLUMNS,
        empty="No categories yet: crmmail categories add NAME --section CODE",
    )


@categories_command.command("add", examples=('crmmail categories add "Fault Fix" --section support',))
@click.argument("name")
@SECTION
@pass_session
def categories_add(session: Session, name: str, section: str) -> None:
    """Add a category to a section (admin)."""
    one = offices.put_category(session.workspace, name, section)
    session.voice.say(f"category {one.name} of {one.section}")


@categories_command.command("remove", examples=('crmmail categories remove "Fault Fix" --section support',))
@click.argument("name")
@SECTION
@pass_session
def categories_remove(session: Session, name: str, section: str) -> None:
    """Retire a category (admin); cases keep it."""
    one = offices.put_category(session.workspace, name, section, active=False)
    session.voice.say(f"category {one.name} of {one.section} is retired")
