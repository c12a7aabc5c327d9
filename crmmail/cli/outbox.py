"""`crmmail outbox`: mail that waits to leave, and what became of what left."""

from __future__ import annotations

import click

from crmmail.cli import shapes
from crmmail.cli.command import noun
from crmmail.cli.options import listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.services import letters

COLUMNS = (
    Column("id", "#"),
    Column("message", "message"),
    Column("record", "record", lambda row: f"#{row['record']}", justify="right"),
    Column("to", "to", width=34),
    Column("state", "state", style=lambda row: "failed" if row["state"] in ("failed", "bounced") else "waiting"),
    Column("attempts", "tries"),
    Column("reason", "reason", width=30),
    Column("subject", "subject", flex=True),
)


@noun("outbox", examples=("crmmail outbox", "crmmail outbox --json"))
def outbox_command() -> None:
    """Mail that waits to be sent, or failed."""


@outbox_command.command("list", examples=("crmmail outbox list --all",))
@click.option("--all", "everything", is_flag=True, help="Also what was sent.")
@listing_options
@pass_session
def outbox_list(session: Session, everything: bool) -> None:
    """One line a recipient."""
    found = [shapes.outgoing(one) for one in letters.outgoing(session.workspace, everything=everything)]
    keys = ("id", "message", "record", "to", "state", "attempts", "reason", "subject")
    session.voice.listing(found, COLUMNS, empty="Nothing waits to be sent.", keys=keys)
