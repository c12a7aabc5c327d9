"""`crmmail done`: dismiss without opening; never asks, always says how to undo (F38, F40)."""

from __future__ import annotations

import click

from crmmail.cli.acts import UNDO
from crmmail.cli.command import command
from crmmail.cli.line import Span
from crmmail.cli.options import NUMBER, ids_argument
from crmmail.cli.session import Session, pass_session
from crmmail.errors import UsageError
from crmmail.services.desk import inbox


@command(
    "done", examples=("crmmail done 12 13", "crmmail done --all", "crmmail inbox from:news -o ids | crmmail done -")
)
@ids_argument(metavar="ITEM…", kind=NUMBER, required=False)
@click.option("--all", "everything", is_flag=True, help="The whole inbox.")
@pass_session
def done_command(session: Session, ids: tuple[int, ...] | None, everything: bool) -> None:
    """Dismiss inbox items.

    The messages stay in their records; `crmmail undo` brings the items back.
    """
    if everything == (ids is not None):
        raise UsageError("name the items to dismiss, or say --all" + (", not both" if everything else ""))
    count = inbox.done(session.workspace, None if everything else ids)
    if count:
        session.voice.say((f"{count} item{'' if count == 1 else 's'} dismissed", Span(UNDO, "dim")))
    else:
        session.voice.say("nothing to dismiss")
