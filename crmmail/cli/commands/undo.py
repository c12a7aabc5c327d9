"""`crmmail undo`: my last acts, last first."""

from __future__ import annotations

import click

from crmmail.cli.command import command
from crmmail.cli.session import Session, pass_session
from crmmail.services.acts import undo

MOST = 100_000  # acts; what one command did to many ids is taken back at once


@command("undo", examples=("crmmail undo", "crmmail undo 3", "crmmail undo --skip"))
@click.argument("count", type=click.IntRange(1, MOST), default=1, metavar="[N]")
@click.option("--skip", is_flag=True, help="Leave the last act as it is; begin with the one before.")
@pass_session
def undo_command(session: Session, count: int, skip: bool) -> None:
    """Take back your last acts.

    Dismissals, stars, states, fields, followers, new records, quarantine decisions, rules, SLAs and changes of sections
    come back; letters, notes, users, aliases and settings do not.
    It refuses, and changes nothing, where your last act is one of these, or somebody changed the same thing since.
    """
    for entry in undo.undo(session.workspace, count, skip=skip):
        session.voice.say(f"undone: {undo.undone(entry)}")
