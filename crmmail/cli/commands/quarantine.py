"""`crmmail quarantine`: letters that found no record.  Nothing is lost here; only `purge` removes, and asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import click

from crmmail.cli import senders, shapes
from crmmail.cli.acts import each, said
from crmmail.cli.command import noun
from crmmail.cli.line import Body, Line, Span, size
from crmmail.cli.options import NUMBER, RECORD, ids_argument, json_option, listing_options, paged, yes_option
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column, Row
from crmmail.core import text
from crmmail.services.incoming import held
from crmmail.store.letters.quarantine import Quarantined

COLUMNS = (
    Column("id", "letter"),
    Column("reason", "reason", style="waiting", whole=True),
    Column("from_address", "from", lambda row: text.mark_address(row["from_address"]) or _unclear(row), width=28),
    Column("recipients", "to", lambda row: ", ".join(row["recipients"]), width=26),
    Column("subject", "subject", flex=True),
    Column("received", "when", justify="right"),
    Column("size", "size", lambda row: size(row["size"]), justify="right"),
    Column("state", "state"),
)
SHOWN = 5  # recipients of a report; the rest is in the letter
KEYS = ("id", "reason", "from_address", "recipients", "subject", "received", "size", "state")


@noun("quarantine", examples=("crmmail quarantine", "crmmail quarantine show 3", "crmmail quarantine route 3 101"))
def quarantine_command() -> None:
    """Mails that could not be filed."""


@quarantine_command.command(
    "list", examples=("crmmail quarantine list no-route", "crmmail quarantine list --all --json")
)
@click.argument("reasons", nargs=-1, metavar="[REASON]…")
@click.option("--all", "everything", is_flag=True, help="Also what was decided already.")
@paged("LETTER")
@listing_options
@pass_session
def quarantine_list(
    session: Session, reasons: tuple[str, ...], everything: bool, limit: int | None, before: int | None
) -> None:
    """The letters that wait, newest first."""
    voice = session.voice
    coming = held.listing(
        session.workspace, everything=everything, reasons=reasons, limit=limit or voice.screenful, before=before
    )
    columns = [replace(one, shown=everything) if one.key == "state" else one for one in COLUMNS]
    if not voice.screenful:
        return voice.listing(map(shapes.quarantined, coming), columns, keys=KEYS)
    found = [shapes.quarantined(one) for one in coming]
    there = ", ".join(held.reasons(session.workspace, everything=everything)) if not found else ""
    empty = f"No letter is here for that; the reasons now: {there}" if there else "Quarantine is empty."
    voice.listing(found, columns, empty=empty, keys=KEYS)
    if found:
        voice.further(len(found), limit, found[-1]["id"])


@quarantine_command.command(
    "show", examples=("crmmail quarantine show 3", "crmmail quarantine show 3 --raw > letter.eml")
)
@click.argument("letter", type=NUMBER)
@click.option("--raw", is_flag=True, help="The exact bytes.")
@json_option
@pass_session
def quarantine_show(session: Session, letter: int, raw: bool) -> None:
    """One letter: why it is here, and its words."""
    if raw:
        session.voice.raw(held.raw(session.workspace, letter))
        return
    one = held.one(session.workspace, letter)
    session.voice.document(shapes.quarantined(one), lambda: lines(session, one))


def _unclear(row: Row) -> str:
    """Whoever a letter without one clear address says that it is from."""
    return f"unclear: {row['from_name']}" if row["from_name"] else ""


def lines(session: Session, one: Quarantined) -> Iterator[Line]:
    from crmmail.cli.commands.unconfirmed import fate  # which a listing has no use for
    from crmmail.services.incoming.unconfirmed import REASON

    yield (Span(f"letter {one.id} ", "title"), Span(one.subject or "(no subject)", "title"))
    yield (Span(one.reason, "waiting"), f": {one.sentence}")
    yield f"from {senders.in_full(session, one.from_name, one.from_address, whole=True) or 'nobody'}"
    yield f"to {', '.join(one.recipients) or 'nobody named'}   {size(one.size)}   {fate(one)}"
    report = held.report(one)
    if report:
        said = f": {report.words}" if report.words else ""
        status = f", {report.status}" if report.status else ""
        verb = "" if report.action == "failed" else "is "
        whom = ", ".join(map(text.mark_address, report.recipients[:SHOWN])) or "nobody named"
        yield f"the mail to {whom} {verb}{report.action}{status}{said}"
    if one.state == "waiting" and one.reason == REASON:
        yield f"perhaps an answer: crmmail unconfirmed show {one.id}, crmmail unconfirmed accept {one.id}"
    elif one.state == "waiting" and one.candidate:
        yield f"perhaps belongs to #{one.candidate}: crmmail quarantine route {one.id} {one.candidate}"
    yield ""
    yield Body(one.text or "(crmmail quarantine show --raw has the whole letter)", "", "    ")


@quarantine_command.command("route", examples=("crmmail quarantine route 3 101",))
@click.argument("letter", type=NUMBER)
@click.argument("record", type=RECORD)
@pass_session
def quarantine_route(session: Session, letter: int, record: int) -> None:
    """Put a letter into a record that is there.

    An unconfirmed answer is filed as `crmmail unconfirmed accept --record` files it.
    """
    from crmmail.cli.commands.unconfirmed import accepted  # as above
    from crmmail.services.incoming.unconfirmed import REASON

    if held.one(session.workspace, letter).reason == REASON:
        told = accepted(session, letter, record)
    else:
        told = said(held.route_to(session.workspace, letter, record).sentence)
    for line in told:
        session.voice.say(line)


@quarantine_command.command("create", examples=("crmmail quarantine create 3 --kind case --section support",))
@ids_argument(metavar="LETTER…", kind=NUMBER)
@click.option("--kind", default="case", metavar="KIND", show_default=True, help="What to make: case, lead or contact.")
@click.option("--section", metavar="CODE", help="In this section.")
@pass_session
def quarantine_create(session: Session, ids: tuple[int, ...], kind: str, section: str | None) -> int:
    """Make a new record of a letter."""
    return each(session, ids, lambda number: said(held.create_from(session.workspace, number, kind, section).sentence))


@quarantine_command.command("spam", examples=("crmmail quarantine spam 3 4",))
@ids_argument(metavar="LETTER…", kind=NUMBER)
@pass_session
def quarantine_spam(session: Session, ids: tuple[int, ...]) -> int:
    """Put letters away; `list --all` still has them."""
    return each(session, ids, lambda number: said(held.mark_spam(session.workspace, number).sentence))


@quarantine_command.command(
    "purge",
    examples=(
        "crmmail quarantine purge 3 --yes",
        "crmmail quarantine list spam --all -o ids | crmmail quarantine purge - --yes",
    ),
)
@ids_argument(metavar="LETTER…", kind=NUMBER)
@yes_option
@pass_session
def quarantine_purge(session: Session, ids: tuple[int, ...], yes: bool) -> int:
    """Remove letters for good (admin); undo cannot bring them back."""
    what = "1 letter" if len(ids) == 1 else f"{len(ids)} letters"
    if not ids or not session.voice.confirm(f"Remove {what} for good?", yes):
        return 0 if not ids else 1
    for one in held.purge(session.workspace, list(ids)):
        session.voice.say(one.sentence)
    return 0
