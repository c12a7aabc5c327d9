"""`crmmail activity`: what somebody has to do about a record."""

from __future__ import annotations

import click

from crmmail.cli import shapes
from crmmail.cli.acts import UNDO, each, said
from crmmail.cli.command import noun
from crmmail.cli.line import Line, Span
from crmmail.cli.options import NUMBER, RECORD, ids_argument, listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.services.hearing import activities
from crmmail.store.work.activities import Activity

COLUMNS = (
    Column("overdue", "", lambda row: "!" if row["overdue"] else "", style="overdue", piped=False),
    Column("id", "#"),
    Column("due", "due", style=lambda row: "overdue" if row["overdue"] else "", exact=True, drop=0),
    Column("summary", "to do", flex=True),
    Column("record", "record", lambda row: f"#{row['record']}", justify="right"),
    Column("title", "title", flex=True),
    Column("user", "who"),
    Column("done", "done"),
)
KEYS = ("id", "record", "title", "summary", "due", "user", "done", "overdue")


@noun(
    "activity",
    examples=("crmmail activity", 'crmmail activity add 101 "Call the supplier" --due "friday 9:00"'),
)
def activity_command() -> None:
    """What is to do about records: add, done, remove."""


@activity_command.command("list", examples=("crmmail activity list --all", "crmmail activity -o ids"))
@click.option("--mine", is_flag=True, help="What you have to do; it is so without an option.")
@click.option("--all", "everybody", is_flag=True, help="What everybody has to do.")
@click.option("--finished", is_flag=True, help="What was done too.")
@listing_options
@pass_session
def activity_list(session: Session, mine: bool, everybody: bool, finished: bool) -> None:
    """What is to do, the next first."""
    if mine and everybody:
        raise click.UsageError("say --mine or --all, not both")
    found = activities.listing(session.workspace, everybody=everybody, finished=finished)
    rows = [{**shapes.activity(one), "record": one.record, "title": one.title} for one in found]
    rows = [{key: row[key] for key in KEYS} for row in rows]
    session.voice.listing(rows, COLUMNS, empty="Nothing to do. Well done!", keys=KEYS)


@activity_command.command(
    "add",
    examples=(
        'crmmail activity add 101 "Call the supplier" --due tomorrow',
        'crmmail activity add 101 "Send the papers" --due +3d --for agent',
    ),
)
@click.argument("record", type=RECORD)
@click.argument("summary")
@click.option("--due", required=True, metavar="DATE", help="By when: tomorrow 9:00, +3d; friday: all that day.")
@click.option("--for", "login", metavar="LOGIN", default="", help="Who has to do it; without it, you.")
@pass_session
def activity_add(session: Session, record: int, summary: str, due: str, login: str) -> None:
    """Plan what somebody has to do about a record."""
    one = activities.create(session.workspace, record, summary, due, login)
    words = f"activity {one.id}: {one.user} until {one.due.astimezone():%Y-%m-%d %H:%M}: {one.summary}"
    session.voice.say((f"#{one.record} {one.title}: {words}", Span(UNDO, "dim")))


@activity_command.command(
    "done", examples=("crmmail activity done 7 8", "crmmail agenda -o ids | crmmail activity done -")
)
@ids_argument(metavar="ID…", kind=NUMBER)
@pass_session
def activity_done(session: Session, ids: tuple[int, ...]) -> int:
    """Tick activities off."""
    return each(session, ids, lambda number: _said("done", activities.done(session.workspace, number)))


@activity_command.command("remove", examples=("crmmail activity remove 7",))
@ids_argument(metavar="ID…", kind=NUMBER)
@pass_session
def activity_remove(session: Session, ids: tuple[int, ...]) -> int:
    """Drop activities: nobody has to do them any more."""
    return each(session, ids, lambda number: _said("removed", activities.remove(session.workspace, number)))


def _said(what: str, one: Activity) -> list[Line]:
    return said(f"#{one.record} {one.title}: {what}: {one.summary}")
