"""`crmmail outbox`: mail that waits to leave, and what became of what left."""

from __future__ import annotations

import click

from crmmail.cli import shapes
from crmmail.cli.command import noun
from crmmail.cli.line import Body, Span
from crmmail.cli.options import NUMBER, json_option, listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.services import outgoing

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
    found = [shapes.outgoing(one) for one in outgoing.listing(session.workspace, everything=everything)]
    keys = ("id", "message", "record", "to", "state", "attempts", "reason", "subject")
    session.voice.listing(found, COLUMNS, empty="Nothing waits to be sent.", keys=keys)


@outbox_command.command("show", examples=("crmmail outbox show 3",))
@click.argument("mail", type=NUMBER)
@json_option
@pass_session
def outbox_show(session: Session, mail: int) -> None:
    """One mail, as it will read."""
    copy, rendered = outgoing.preview(session.workspace, mail)
    session.voice.document(
        {**shapes.outgoing(copy), "text": rendered.text, "rendered_subject": rendered.subject},
        lambda: (f"To: {copy.to}", Span(f"Subject: {rendered.subject}", "title"), "", Body(rendered.text)),
    )
