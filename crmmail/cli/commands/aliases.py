"""`crmmail aliases`: addresses of ours that make records."""

from __future__ import annotations

from collections.abc import Callable

import click

from crmmail.cli.command import noun
from crmmail.cli.options import Count, listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.core.typed import Any
from crmmail.services.keeping import offices
from crmmail.services.shared import fields
from crmmail.store.people import offices as stored

COLUMNS = (
    Column("address", "address", flex=True),
    Column("kind", "makes"),
    Column("section", "section"),
    Column("user", "of"),
    Column("policy", "lets in"),
    Column("on_reply", "on reply"),
    Column("defaults", "defaults", lambda row: " ".join(f"{key}={value}" for key, value in row["defaults"].items())),
    Column("keep_original", "", lambda row: "" if row["keep_original"] else "originals not kept"),
    Column("active", "", lambda row: "" if row["active"] else "retired"),
)


@noun("aliases", examples=("crmmail aliases", "crmmail aliases add sales@crm.example --kind lead"))
def aliases_command() -> None:
    """Addresses that make records."""


def shape(one: stored.Alias) -> dict[str, Any]:
    return {**one._asdict(), "section": one.section or None, "user": one.user or None}


@aliases_command.command("list", examples=("crmmail aliases list --json",))
@listing_options
@pass_session
def aliases_list(session: Session) -> None:
    """All aliases."""
    session.open()
    rows = [shape(one) for one in stored.aliases()]
    session.voice.listing(rows, COLUMNS, empty="No aliases yet: crmmail aliases add ADDRESS --kind case")


@aliases_command.command("show", examples=("crmmail aliases show sales@crm.example",))
@click.argument("address")
@listing_options
@pass_session
def aliases_show(session: Session, address: str) -> None:
    """One alias."""
    session.open()
    session.voice.listing([shape(stored.alias(address))], COLUMNS)


def facts(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that add and set share."""
    for decorate in (
        click.option("--section", metavar="CODE", help="The section of its records."),
        click.option("--user", metavar="LOGIN", help="Make it the personal alias of a user."),
        click.option("--policy", type=click.Choice(offices.POLICIES), help="Whose letters it takes."),
        click.option("--on-reply", type=click.Choice(offices.ON_REPLY), help="What an answer does that comes to it."),
        click.option("--default", "defaults", multiple=True, metavar="FIELD=VALUE", help="A field of its records."),
        click.option("--keep-original/--no-keep-original", default=None, help="Keep letters as they came."),
        click.option("--loop-limit", type=Count(0), metavar="N", help="New records a sender may make, 0: any."),
    ):
        function = decorate(function)
    return function


@aliases_command.command(
    "add",
    examples=(
        "crmmail aliases add sales@crm.example --kind lead",
        "crmmail aliases add vip@crm.example --kind case --section support --policy contacts --default priority=high",
    ),
)
@click.argument("address")
@click.option("--kind", required=True, metavar="KIND", help="What a letter makes: case, lead or contact.")
@facts
@pass_session
def aliases_add(session: Session, address: str, defaults: tuple[str, ...], **wanted: Any) -> None:
    """Add an alias (admin)."""
    one = offices.put_alias(session.workspace, address, add=True, defaults=fields.split(defaults) or None, **wanted)
    session.voice.say(f"{one.address} makes {one.kind}s" + (f" of {one.section}" if one.section else ""))


@aliases_command.command("set", examples=("crmmail aliases set sales@crm.example --policy contacts",))
@click.argument("address")
@click.option("--kind", metavar="KIND", help="What a letter makes: case, lead or contact.")
@click.option("--active/--inactive", "active", default=None, help="Makes records, or sends letters to quarantine.")
@facts
@pass_session
def aliases_set(session: Session, address: str, defaults: tuple[str, ...], **wanted: Any) -> None:
    """Change an alias (admin)."""
    one = offices.put_alias(session.workspace, address, add=False, defaults=fields.split(defaults) or None, **wanted)
    session.voice.say(f"{one.address} makes {one.kind}s{'' if one.active else ' (retired)'}")


@aliases_command.command("remove", examples=("crmmail aliases remove sales@crm.example",))
@click.argument("address")
@pass_session
def aliases_remove(session: Session, address: str) -> None:
    """Retire an alias (admin); letters to it go to quarantine from now on."""
    one = offices.remove_alias(session.workspace, address)
    session.voice.say(f"{one.address} is retired (crmmail aliases set {one.address} --active takes it back)")
