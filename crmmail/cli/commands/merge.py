"""`crmmail merge`: two records that are one."""

from __future__ import annotations

import click

from crmmail.cli.acts import REHEARSED, UNDO, each, said
from crmmail.cli.command import command
from crmmail.cli.line import Line
from crmmail.cli.options import RECORD, dry_run_option, ids_argument
from crmmail.cli.session import Session, pass_session
from crmmail.services.acts import merge


@command("merge", examples=("crmmail merge 101 --into 99", "crmmail merge 101 102 --into 99 --dry-run"))
@ids_argument(metavar="RECORD…")
@click.option("--into", type=RECORD, required=True, metavar="RECORD", help="The one that they become part of.")
@dry_run_option
@pass_session
def merge_command(session: Session, ids: tuple[int, ...], into: int, dry_run: bool) -> int:
    """Make records part of another one.

    Letters, notes, followers, contacts and activities go along, and later answers to the old number follow. What the
    program said of the old record stays there.
    """

    def join(number: int) -> list[Line]:
        merged = merge.merge(session.workspace, number, into, dry_run=dry_run)
        return said(merged.sentence, REHEARSED if dry_run else UNDO, merged.rules)

    return each(session, ids, join)
