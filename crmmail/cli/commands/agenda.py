"""`crmmail agenda`: deadlines and activities, by day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import groupby

import click

from crmmail.cli.command import command
from crmmail.cli.line import Line, Span
from crmmail.cli.options import listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.core import query
from crmmail.services import agenda, fields
from crmmail.services.agenda import Entry

COLUMNS = (
    Column("when", "when", style=lambda row: "overdue" if row["overdue"] else ""),
    Column("what", "what"),
    Column("id", "#"),
    Column("record", "record"),
    Column("title", "title", flex=True),
    Column("user", "who"),
    Column("summary", "to do", flex=True),
    Column("overdue", "", lambda row: "overdue" if row["overdue"] else "", style="overdue"),
)
OVERDUE = "Overdue"
NEAR = {0: "Today", 1: "Tomorrow"}
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@command(
    "agenda",
    examples=(
        "crmmail agenda",
        "crmmail agenda --all --days 7 section:support",
        "crmmail agenda -o ids | crmmail activity done -",
    ),
)
@click.argument("words", nargs=-1, metavar="[QUERY]…")
@click.option("--mine", is_flag=True, help="What you have to do; it is so without an option.")
@click.option("--all", "everybody", is_flag=True, help="Everybody's, and what nobody is responsible for.")
@click.option("--user", "login", metavar="LOGIN", help="Somebody else's.")
@click.option(
    "--days", type=click.IntRange(1, 3660), metavar="N", help="Only N days, today the first, and what is overdue."
)
@listing_options
@pass_session
def agenda_command(
    session: Session, words: tuple[str, ...], mine: bool, everybody: bool, login: str | None, days: int | None
) -> None:
    """Deadlines and activities, by day.

    Deadlines are those of unfinished cases; what is overdue stands first.  A query says about which records, in the
    words that `crmmail list` knows.
    """
    if mine + everybody + (login is not None) > 1:
        raise click.UsageError("say --mine, --all or --user LOGIN, one of them")
    workspace = session.workspace
    wanted = query.parse(words, lambda said: fields.moment(workspace, said))
    found = agenda.agenda(workspace, wanted, login=login or "", everybody=everybody, days=days)
    voice = session.voice
    if voice.terminal and not (voice.form or voice.fields):
        voice.page(lines(session, found))
        return
    rows = [{**one._asdict(), "user": one.user or None, "summary": one.summary or None} for one in found]
    voice.listing(rows, COLUMNS, empty="Nothing is due.", keys=Entry._fields)


def lines(session: Session, found: list[Entry]) -> Iterator[Line]:
    """The days, each with what must be done then."""
    if not found:
        yield Span("Nothing is due.", "dim")
    today = session.now().astimezone().date()
    for at, (heading, entries) in enumerate(groupby(found, lambda one: _heading(one, today))):
        if at:
            yield ""
        yield Span(heading, "overdue" if heading == OVERDUE else "title")
        for one in entries:
            yield _line(one)


def _heading(one: Entry, today: date) -> str:
    """What it stands under: `Overdue`, `Today`, `Tomorrow`, `Fri 2026-11-27`."""
    if one.overdue:
        return OVERDUE
    day = one.when.astimezone().date()
    return NEAR.get((day - today).days) or f"{WEEKDAYS[day.weekday()]} {day}"


def _line(one: Entry) -> Line:
    """`! 2026-11-23 09:00  #101 Printer broken   activity 7: Call the supplier   agent`; below a day only the time."""
    moment = one.when.astimezone()
    before = f"! {moment:%Y-%m-%d %H:%M}" if one.overdue else f"  {moment:%H:%M}"
    what = f"activity {one.id}: {one.summary}" if one.what == "activity" else "deadline"
    return (
        Span(f"{before}  ", "overdue" if one.overdue else ""),
        Span(f"#{one.record} {one.title}", "title"),
        f"   {what}",
        Span(f"   {one.user or 'nobody'}", "dim"),
    )
