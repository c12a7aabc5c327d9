"""`crmmail agenda`: deadlines and activities, by day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import groupby

import click

from crmmail.cli.columns import GAP, fit
from crmmail.cli.command import command
from crmmail.cli.line import Line, Span, breaks
from crmmail.cli.options import listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.core import query, text
from crmmail.services.desk import agenda
from crmmail.services.desk.agenda import Entry
from crmmail.services.shared import fields

COLUMNS = (
    Column("when", "when", style=lambda row: "overdue" if row["overdue"] else "", exact=True),
    Column("what", "what"),
    Column("id", "#"),
    Column("record", "record"),
    Column("title", "title", flex=True),
    Column("user", "who"),
    Column("summary", "to do", flex=True),
    Column("overdue", "", lambda row: "overdue" if row["overdue"] else "", style="overdue"),
)
# What stands below a day.
LAID_OUT = (
    Column("when", whole=True),
    Column("record", whole=True),
    Column("title", flex=True),
    Column("what", flex=True),
    Column("user", width=12),
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
    cells = [_cells(one) for one in found]
    widths = fit(LAID_OUT, cells, session.voice.width).widths
    laid_out = zip(found, cells, strict=True)
    for at, (heading, entries) in enumerate(groupby(laid_out, lambda pair: _heading(pair[0], today))):
        if at:
            yield ""
        yield Span(heading, "overdue" if heading == OVERDUE else "title")
        for one, line in entries:
            yield from _lines(one, line, widths)


def _heading(one: Entry, today: date) -> str:
    """What it stands under: `Overdue`, `Today`, `Tomorrow`, `Fri 2026-11-27`."""
    if one.overdue:
        return OVERDUE
    day = one.when.astimezone().date()
    return NEAR.get((day - today).days) or f"{WEEKDAYS[day.weekday()]} {day}"


def _cells(one: Entry) -> list[str]:
    """When, which record, what: below a day only the time.  What is overdue has a mark before it."""
    moment = one.when.astimezone()
    return [
        f"! {moment:%Y-%m-%d %H:%M}" if one.overdue else f"  {moment:%H:%M}",
        f"#{one.record}",
        text.one_line(one.title),
        text.one_line(f"activity {one.id}: {one.summary}") if one.what == "activity" else "deadline",
        one.user or "nobody",
    ]


def _lines(one: Entry, cells: list[str], widths: list[int]) -> Iterator[Line]:
    """`! 2026-11-23 09:00  #101  Printer broken  activity 7: Call the supplier  agent`, below each other.

    A long title is cut; what is to do is not, it goes on in lines below.
    """
    when, number, title, what, user = cells
    cuts = breaks(what, widths[3], widths[3])
    first, *further = [what[start:end] for start, end in zip([0, *cuts], [*cuts, len(what)], strict=True)]
    before = [_padded(word, width) for word, width in zip((when, number, title, first), widths, strict=False)]
    gap = " " * GAP
    yield (
        Span(before[0], "overdue" if one.overdue else ""),
        Span(gap + gap.join(before[1:3]), "title"),
        gap + before[3],
        Span(gap + text.one_line(user, widths[4]), "dim"),
    )
    for words in further:
        yield " " * (sum(widths[:3]) + 3 * GAP) + text.one_line(words, widths[3])


def _padded(words: str, width: int) -> str:
    cut = words if text.cells(words) <= width else text.one_line(words, width)
    return cut + " " * (width - text.cells(cut))
