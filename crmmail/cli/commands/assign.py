"""`crmmail assign` and `take`: who is responsible."""

from __future__ import annotations

import click

from crmmail.cli.acts import changed, each
from crmmail.cli.command import command
from crmmail.cli.line import Line
from crmmail.cli.options import ids_argument
from crmmail.cli.session import Session, pass_session
from crmmail.services.acts import records
from crmmail.services.acts.records import Done


@command("assign", examples=("crmmail assign 101 bob", "crmmail list case unassigned -o ids | crmmail assign - bob"))
@ids_argument(metavar="RECORD…")
@click.argument("login")
@pass_session
def assign_command(session: Session, ids: tuple[int, ...], login: str) -> int:
    """Make a user responsible.

    He follows the record from then on, and finds it in his inbox.
    """
    wanted = {"responsible": login}

    def assign(number: int) -> list[Line]:
        return given(session, records.set_fields(session.workspace, number, wanted, "assign"))

    return each(session, ids, assign)


@command("take", examples=("crmmail take 101",))
@ids_argument(metavar="RECORD…")
@pass_session
def take_command(session: Session, ids: tuple[int, ...]) -> int:
    """Make yourself responsible."""
    return each(session, ids, lambda number: given(session, records.take(session.workspace, number)))


def given(session: Session, done: Done) -> list[Line]:
    """What was done; what somebody may not have seen stands on stderr."""
    if done.note:
        session.voice.warn(done.note)
    return changed(done)
