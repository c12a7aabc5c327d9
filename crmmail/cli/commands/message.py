"""`crmmail message`: single messages.  Users append only; the admin's changes are journalled (F74, F75)."""

from __future__ import annotations

import sys

import click

from crmmail.cli import senders, shapes
from crmmail.cli.acts import UNDO
from crmmail.cli.command import noun
from crmmail.cli.line import Span
from crmmail.cli.options import COUNT, NUMBER, RECORD, listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.errors import UsageError
from crmmail.services.acts import letters

COLUMNS = (
    Column("id", "message"),
    Column("record", "record", lambda row: f"#{row['record']}", justify="right"),
    Column("kind", "kind"),
    Column("from_name", "from", width=22),
    Column("subject", "subject", lambda row: row["subject"] or row["visible"], flex=True),
    Column("received", "when", justify="right"),
)


@noun("message", examples=("crmmail message --limit 10", "crmmail message move 45 101", "crmmail message delete 45"))
def message_command() -> None:
    """Single messages: list, move, edit, delete.

    Users only append to a conversation; an admin may change it, always journalled and undoable.
    """


@message_command.command("list", examples=("crmmail message list --limit 20", "crmmail message list --mine"))
@click.option("--mine", is_flag=True, help="Only what you wrote.")
@click.option("--limit", type=COUNT, default=50, metavar="N", show_default=True, help="The newest N.")
@click.option("--before", type=NUMBER, metavar="MSG", help="Only what is older than this message.")
@listing_options
@pass_session
def message_list(session: Session, mine: bool, limit: int, before: int | None) -> None:
    """The newest messages of all records.

    The last resort: a topic is best read in its record (crmmail show N).
    """
    found = [shapes.message(one) for one in letters.newest(session.workspace, limit, mine=mine, before=before)]
    session.voice.listing(
        found, senders.columns(session, COLUMNS), empty="No messages yet.", keys=("id", "kind", "subtype")
    )


@message_command.command("move", examples=("crmmail message move 45 101",))
@click.argument("message", type=NUMBER)
@click.argument("record", type=RECORD)
@pass_session
def message_move(session: Session, message: int, record: int) -> None:
    """Move a message to another record (admin)."""
    session.voice.say((letters.move(session.workspace, message, record).sentence, Span(UNDO, "dim")))


@message_command.command(
    "edit", examples=('crmmail message edit 45 -m "(the card number was here)"', "crmmail message edit 45 < text")
)
@click.argument("message", type=NUMBER)
@click.option("-m", "--text", "words", metavar="TEXT", help="The new text; else it is read from stdin.")
@pass_session
def message_edit(session: Session, message: int, words: str | None) -> None:
    """Replace the text of a message (admin)."""
    if words is None:
        if sys.stdin.isatty():
            raise UsageError("say the new text with -m, or pipe it in")
        words = sys.stdin.read()
    session.voice.say((letters.edit(session.workspace, message, words).sentence, Span(UNDO, "dim")))


@message_command.command("delete", examples=("crmmail message delete 45",))
@click.argument("message", type=NUMBER)
@pass_session
def message_delete(session: Session, message: int) -> None:
    """Take a message's words and files away (admin)."""
    session.voice.say((letters.delete(session.workspace, message).sentence, Span(UNDO, "dim")))
