"""`crmmail attachment`: files that came with mails.  Nothing is opened, unpacked or run."""

from __future__ import annotations

import click

from crmmail.cli.command import noun
from crmmail.cli.line import size
from crmmail.cli.options import NUMBER, RECORD, listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.services.acts import letters

COLUMNS = (
    Column("id", "file"),
    Column("message", "message"),
    Column("name", "name", flex=True),
    Column("type", "type", width=30),
    Column("size", "size", lambda row: size(row["size"]), justify="right"),
)


@noun("attachment", examples=("crmmail attachment list 101", "crmmail attachment save 3 ./invoice.pdf"))
def attachment_command() -> None:
    """Files that came with mails: list, save."""


@attachment_command.command("list", examples=("crmmail attachment list 101 --json",))
@click.argument("record", type=RECORD)
@listing_options
@pass_session
def attachment_list(session: Session, record: int) -> None:
    """The files of a record's conversation."""
    found = [
        {
            "id": one.id,
            "message": one.message,
            "name": one.name,
            "type": one.type,
            "size": one.size,
            "sha256": one.sha256,
        }
        for one in letters.attachments(session.workspace, record)
    ]
    session.voice.listing(found, COLUMNS, empty="No files.", keys=("id", "message", "name", "type", "size", "sha256"))


@attachment_command.command(
    "save",
    examples=(
        "crmmail attachment save 3 invoice.pdf",
        "crmmail attachment save 3 downloads/",
        "crmmail attachment save 3 - | less",
    ),
)
@click.argument("file", type=NUMBER)
@click.argument("target", required=False, metavar="[FILE|FOLDER|-]")
@pass_session
def attachment_save(session: Session, file: int, target: str | None) -> None:
    """Write a file's exact bytes.

    Without a name it goes into this folder under the name that the mail gave it, made harmless.  A file that is there
    is never overwritten.
    """
    if target == "-":
        session.voice.raw(letters.attachment_bytes(session.workspace, file))
        return
    path, count = letters.save_attachment(session.workspace, file, target)
    session.voice.say(f"{path} ({size(count)})")
