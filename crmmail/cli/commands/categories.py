"""`crmmail categories`: what differs among the cases of a section."""

from __future__ import annotations

import click

from crmmail.cli.command import noun
from crmmail.cli.options import listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.services.keeping import offices
from crmmail.store.people import offices as stored

COLUMNS = (
    Column("id", "#"),
    Column("section", "section"),
    Column("name", "name", flex=True),
    Column("active", "", lambda row: "" if row["active"] else "retired"),
    Column("probability", "probability", lambda row: "" if row["probability"] is None else f"{row['probability']:g} %"),
)
SECTION = click.option("--section", required=True, metavar="CODE", help="The section it belongs to.")


PROBABILITY = click.option(
    "--probability", metavar="PERCENT", help="What its cases get that have none of their own; '' for none."
)


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


@categories_command.command(
    "add",
    examples=(
        'crmmail categories add "Fault Fix" --section support',
        'crmmail categories add "Interest in Training" --section sales --probability 30',
    ),
)
@click.argument("name")
@SECTION
@PROBABILITY
@pass_session
def categories_add(session: Session, name: str, section: str, probability: str | None) -> None:
    """Add a category to a section (admin)."""
    said(session, offices.put_category(session.workspace, name, section, probability=probability))


@categories_command.command(
    "set",
    examples=(
        'crmmail categories set "Fault Fix" --section support --name "Faults"',
        "crmmail categories set Training --section sales --probability 40",
    ),
)
@click.argument("name")
@SECTION
@PROBABILITY
@click.option("--name", "new_name", metavar="NEW", help="What it is called from now on.")
@pass_session
def categories_set(session: Session, name: str, section: str, probability: str | None, new_name: str | None) -> None:
    """Change a category (admin); its cases go with its name, and keep their probability."""
    said(session, offices.set_category(session.workspace, name, section, probability=probability, new_name=new_name))


def said(session: Session, one: stored.Category) -> None:
    usual = f", probability {one.probability:g} %" if one.probability is not None else ""
    session.voice.say(f"category {one.name} of {one.section}{usual}")


@categories_command.command("remove", examples=('crmmail categories remove "Fault Fix" --section support',))
@click.argument("name")
@SECTION
@pass_session
def categories_remove(session: Session, name: str, section: str) -> None:
    """Retire a category (admin); cases keep it."""
    one = offices.put_category(session.workspace, name, section, active=False)
    session.voice.say(f"category {one.name} of {one.section} is retired")
