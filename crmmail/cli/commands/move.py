"""`crmmail move`: cases and leads go to another section (F189)."""

from __future__ import annotations

import click

from crmmail.cli.acts import REHEARSED, UNDO, changed, each
from crmmail.cli.command import command
from crmmail.cli.line import Line
from crmmail.cli.options import dry_run_option, ids_argument
from crmmail.cli.session import Session, pass_session
from crmmail.services.acts import escalate


@command(
    "move",
    examples=(
        "crmmail move 101 --section quality",
        "crmmail list case section:support unassigned -o ids | crmmail move - --section sales",
    ),
)
@ids_argument(metavar="RECORD…")
@click.option("--section", required=True, metavar="CODE", help="Where it goes.")
@dry_run_option
@pass_session
def move_command(session: Session, ids: tuple[int, ...], section: str, dry_run: bool) -> int:
    """Pass records to another section.

    Number, conversation, followers and responsible stay; a category stays where the new section has one of that name.
    """

    def go(number: int) -> list[Line]:
        done = escalate.move(session.workspace, number, section, dry_run=dry_run)
        return changed(done, REHEARSED if dry_run else UNDO)

    return each(session, ids, go)
