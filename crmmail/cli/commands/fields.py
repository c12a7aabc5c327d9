"""`crmmail set`: fields of a record."""

from __future__ import annotations

import click

from crmmail.cli.acts import changed, each
from crmmail.cli.command import command
from crmmail.cli.options import RECORD
from crmmail.cli.session import Session, pass_session
from crmmail.services.acts import records
from crmmail.services.shared import fields


@command(
    "set",
    examples=(
        "crmmail set 101 priority=high deadline='tomorrow 9:00'",
        "crmmail set 101 partner=12 contacts=14,15 section=support",
        "crmmail set 101 responsible=          # clears it",
    ),
)
@click.argument("record", type=RECORD)
@click.argument("assignments", nargs=-1, required=True, metavar="FIELD=VALUE…")
@pass_session
def set_command(session: Session, record: int, assignments: tuple[str, ...]) -> int:
    """Change fields of a record.

    Fields of a case: title section category responsible priority partner contacts email deadline revenue cost
    probability. Several contacts are contacts=12,14, and take the place of those that were there.
    A deadline that is a day without a time is the end of that day; 1,000 is refused, for it can be 1000 or 1.
    The change stands in the thread, and followers hear of it.
    """
    wanted = fields.split(assignments)
    return each(session, [record], lambda number: changed(records.set_fields(session.workspace, number, wanted)))
