"""`crmmail actions`: what can be done about a record now (F401)."""

from __future__ import annotations

import click

from crmmail.cli.command import command
from crmmail.cli.options import RECORD, listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.services.desk import actions

COLUMNS = (
    Column("action", "action"),
    Column("command", "command", whole=True),
    Column("leads_to", "leads to"),
    Column("sentence", "what", flex=True, wraps=True, piped=False),
)
KEYS = ("action", "command", "leads_to", "sentence")


@command("actions", examples=("crmmail actions 101", "crmmail actions 101 --json"))
@click.argument("record", type=RECORD)
@listing_options
@pass_session
def actions_command(session: Session, record: int) -> None:
    """What can be done about a record now.

    Each with its command line; what its state does not allow is not listed.
    """
    rows = [
        {"action": one.name, "command": one.command, "leads_to": one.leads_to or None, "sentence": one.sentence}
        for one in actions.actions(session.workspace, record)
    ]
    voice = session.voice
    on_screen = voice.terminal and voice.form in ("", "table")  # where its command tells an action's name
    voice.listing(rows, COLUMNS[1:] if on_screen else COLUMNS, keys=KEYS)
