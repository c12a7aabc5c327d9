"""`crmmail config`: the settings, and where each comes from."""

from __future__ import annotations

import click

from crmmail.cli.command import noun
from crmmail.cli.options import listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.services.keeping import upkeep

COLUMNS = (
    Column("key", "setting"),
    Column("value", "value", width=30),
    Column("origin", "from", width=20),
    Column("help", "", flex=True, style="dim"),
)


@noun("config", examples=("crmmail config", "crmmail config set mail.catchall catchall@crm.example"))
def config_command() -> None:
    """Settings, and where each comes from."""


@config_command.command("list", examples=("crmmail config list --json",))
@listing_options
@pass_session
def config_list(session: Session) -> None:
    """All settings in force.

    The command line wins over the environment (CRMMAIL_<TABLE>_<KEY>), that over the TOML file, that over the store.
    """
    session.voice.listing([one._asdict() for one in upkeep.settings(session.workspace)], COLUMNS)


@config_command.command("get", examples=("crmmail config get mail.domains",))
@click.argument("key")
@pass_session
def config_get(session: Session, key: str) -> None:
    """One setting."""
    for one in upkeep.settings(session.workspace):
        if one.key == key:
            session.voice.say(one.value, whole=True)
            return
    raise click.UsageError(f"there is no setting {key!r}")


@config_command.command("set", examples=("crmmail config set loop.new_records 50",))
@click.argument("key")
@click.argument("value")
@pass_session
def config_set(session: Session, key: str, value: str) -> None:
    """Write a setting into the store (admin)."""
    one = upkeep.put_setting(session.workspace, key, value)
    session.voice.say(f"{one.key} = {one.value}")
    if one.origin != "store":
        session.voice.warn(f"{one.origin} says {one.value}, and wins over the store")


@config_command.command("unset", examples=("crmmail config unset loop.new_records",))
@click.argument("key")
@pass_session
def config_unset(session: Session, key: str) -> None:
    """Take a setting out of the store (admin)."""
    one = upkeep.put_setting(session.workspace, key, None)
    session.voice.say(f"{one.key} = {one.value} ({one.origin})")
