"""`crmmail unconfirmed`: answers that are held before a record, until a person says whether they belong into it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import click

from crmmail.cli import preview, senders, shapes
from crmmail.cli.acts import REHEARSED, UNDO, each, said
from crmmail.cli.command import noun
from crmmail.cli.line import Body, Line, Span, size
from crmmail.cli.options import (
    NUMBER,
    RECORD,
    dry_run_option,
    ids_argument,
    json_option,
    listing_options,
    paged,
)
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column, Row
from crmmail.core import text
from crmmail.services.incoming import unconfirmed
from crmmail.services.incoming.unconfirmed import Waiting
from crmmail.services.sending import send
from crmmail.store.letters.quarantine import EXCERPT, Quarantined

COLUMNS = (
    Column("id", "letter"),
    Column("record", "record", lambda row: _record(row), flex=True),
    Column("from_name", "from", width=28),
    Column("from_address", "address", shown=False),
    Column("subject", "subject", flex=True),
    Column("received", "when", justify="right"),
    Column("why", "why", lambda row: _doubt(row), width=44, drop=2, wraps=True),
    Column("state", "state", drop=3),
)
KEYS = (
    "id", "reason", "from_address", "recipients", "subject", "received", "size", "state", "sentence", "from_name",
    "candidate", "message", "text", "record", "title", "kind", "why", "user",
)  # fmt: skip


@noun(
    "unconfirmed",
    examples=("crmmail unconfirmed", "crmmail unconfirmed show 3", "crmmail unconfirmed accept 3"),
)
def unconfirmed_command() -> None:
    """Answers whose senders nothing confirms: accept or refuse.

    Such a letter names one of our conversations, but nothing shows that its sender takes part in it: he may be the
    customer's colleague, or somebody who guessed.  It acts on nothing until you decide.
    """


@unconfirmed_command.command(
    "list",
    examples=("crmmail unconfirmed list --all", "crmmail unconfirmed list -o ids | crmmail unconfirmed refuse -"),
)
@click.option("--all", "everything", is_flag=True, help="Also what was decided already.")
@paged("LETTER")
@listing_options
@pass_session
def unconfirmed_list(session: Session, everything: bool, limit: int | None, before: int | None) -> None:
    """The letters that wait for a word, newest first."""
    voice = session.voice
    most = limit or voice.screenful
    coming = unconfirmed.listing(session.workspace, everything=everything, limit=most, before=before)
    found = [shapes.unconfirmed(one) for one in coming]
    columns = [replace(one, shown=everything) if one.key == "state" else one for one in COLUMNS]
    voice.listing(found, senders.columns(session, columns), empty="Nothing waits for a word.", keys=KEYS)
    if found:
        voice.further(len(found), limit, found[-1]["id"])


@unconfirmed_command.command("show", examples=("crmmail unconfirmed show 3",))
@click.argument("letter", type=NUMBER)
@json_option
@pass_session
def unconfirmed_show(session: Session, letter: int) -> None:
    """One letter: whom it is from, why that is not believed, and what can be done."""
    one = unconfirmed.one(session.workspace, letter)
    session.voice.document(shapes.unconfirmed(one), lambda: lines(session, one))


def fate(one: Quarantined) -> str:
    """`accepted by agent, as message 12`: what became of a letter, or that it waits."""
    who = f" by {one.decided_by}" if one.decided_by else ""
    return f"{one.state}{who}{f', as message {one.message}' if one.message else ''}"


def lines(session: Session, this: Waiting) -> Iterator[Line]:
    one, record = this.letter, this.record
    yield (Span(f"letter {one.id} ", "title"), Span(one.subject or "(no subject)", "title"))
    if record:
        yield f"perhaps an answer in #{record.id} {record.title} ({record.kind}{record.state and ', '}{record.state})"
    yield f"from {senders.in_full(session, one.from_name, one.from_address, whole=True) or 'nobody'}"
    yield f"to {', '.join(one.recipients) or 'nobody named'}   {size(one.size)}   {fate(one)}"
    yield (Span("not believed", "waiting"), f": {one.sentence}")
    yield ""
    yield Body(one.text.strip("\n") or "(no text)", "", "    ")
    if len(one.text) >= EXCERPT:
        yield Span(f"    … the whole: crmmail quarantine show {one.id} --raw", "dim")
    if one.state == "waiting":
        yield ""
        other = "" if record else " --record N"
        meaning = unconfirmed.meaning(session.workspace, this)
        yield (f"crmmail unconfirmed accept {one.id}{other}", Span(f"   {meaning}", "dim"))
        yield (f"crmmail unconfirmed refuse {one.id}", Span("   it stays out, and nobody is told", "dim"))


@unconfirmed_command.command(
    "accept",
    examples=(
        "crmmail unconfirmed accept 3",
        "crmmail unconfirmed accept 3 --record 101",
        "crmmail unconfirmed accept 3 --dry-run",
    ),
)
@ids_argument(metavar="LETTER…", kind=NUMBER)
@click.option("--record", type=RECORD, metavar="N", help="Into this record instead; its followers get a copy.")
@dry_run_option
@pass_session
def unconfirmed_accept(session: Session, ids: tuple[int, ...], record: int | None, dry_run: bool) -> int:
    """Let letters into their records: you vouch for who wrote them.

    They do all that an answer does, and their senders take part from then on.  A letter under your own address becomes
    your answer, and the customer gets it with the next mail that leaves; one under a colleague's address is kept as an
    internal note, for only he himself can say that it is his.
    """

    return each(session, ids, lambda number: accepted(session, number, record, dry_run=dry_run))


def accepted(session: Session, number: int, record: int | None, *, dry_run: bool = False) -> list[Line]:
    """Accepts a letter; the line that says so, what it ordered, and whom its mails reach."""
    workspace = session.workspace
    done = unconfirmed.accept(workspace, number, into=record, dry_run=dry_run)
    mails = preview.fates(done.record, done.outside, workspace.now(), send.way_out(workspace))
    return [*said(done.sentence, REHEARSED if dry_run else UNDO), *mails, *(f"  {one}" for one in done.orders)]


@unconfirmed_command.command(
    "refuse",
    examples=("crmmail unconfirmed refuse 3 4", "crmmail unconfirmed list -o ids | crmmail unconfirmed refuse -"),
)
@ids_argument(metavar="LETTER…", kind=NUMBER)
@pass_session
def unconfirmed_refuse(session: Session, ids: tuple[int, ...]) -> int:
    """Keep letters out of their records; `list --all` still has them."""
    return each(session, ids, lambda number: said(unconfirmed.refuse(session.workspace, number).sentence))


def _doubt(row: Row) -> str:
    """Why a letter is not believed, without what all of them have in common: what it answers, and who sent it."""
    return row["why"].rpartition(", but ")[2].removeprefix(f"{row['from_address']} ")


def _record(row: Row) -> str:
    return f"#{row['record']} {text.one_line(row['title'])}" if row["record"] else ""
