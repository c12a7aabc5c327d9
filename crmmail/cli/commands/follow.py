"""`crmmail follow`, `unfollow`, `followers`, `following`: who hears of what (F18–F32)."""

from __future__ import annotations

import click

from crmmail.cli import shapes
from crmmail.cli.acts import UNDO
from crmmail.cli.command import command
from crmmail.cli.line import Span
from crmmail.cli.options import RECORD, listing_options, paged
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.core import text
from crmmail.errors import UsageError
from crmmail.services.hearing import follow

WHO = click.option("--who", metavar="X", help="A login, a contact's number, or an address; else you.")
KIND = click.option("--kind", metavar="KIND", help="Every new record of this kind.")


@command(
    "follow",
    examples=(
        "crmmail follow 101",
        "crmmail follow 101 --who expert@mycompany.com",
        "crmmail follow 101 --types discussion,state",
        "crmmail follow --kind lead --types created --who agent",
    ),
)
@click.argument("record", type=RECORD, required=False)
@KIND
@WHO
@click.option("--types", metavar="A,B", help="Only messages of these types.")
@click.option("--section", metavar="CODE", help="With --kind: only of this section.")
@pass_session
def follow_command(
    session: Session, record: int | None, kind: str | None, who: str | None, types: str | None, section: str | None
) -> None:
    """Follow a record, or every new one of a kind.

    Users hear of everything unless --types says less, others of discussions only.  Notes never leave the house.
    """
    if (record is None) == (kind is None):
        raise UsageError("name a record to follow, or a --kind of which you follow every new one")
    if record is None:
        one = follow.subscribe(session.workspace, kind or "", who, types, section)
        session.voice.say(f"{one.login} follows every new {one.kind}" + (f" of {one.section}" if one.section else ""))
        return
    done = follow.follow(session.workspace, record, who, types)
    session.voice.say((done.sentence, Span(UNDO, "dim")))
    if done.note:
        session.voice.warn(done.note)


@command(
    "unfollow", examples=("crmmail unfollow 101", "crmmail unfollow 101 --who bob", "crmmail unfollow --kind lead")
)
@click.argument("record", type=RECORD, required=False)
@KIND
@WHO
@pass_session
def unfollow_command(session: Session, record: int | None, kind: str | None, who: str | None) -> None:
    """Stop following."""
    if (record is None) == (kind is None):
        raise UsageError("name a record, or a --kind")
    if record is None:
        session.voice.say(follow.unsubscribe(session.workspace, kind or "", who))
        return
    done = follow.unfollow(session.workspace, record, who)
    session.voice.say((done.sentence, Span(UNDO, "dim")))
    if done.note:
        session.voice.warn(done.note)


@command("followers", examples=("crmmail followers 101", "crmmail followers 101 --json"))
@click.argument("record", type=RECORD)
@listing_options
@pass_session
def followers_command(session: Session, record: int) -> None:
    """Who follows a record."""
    found = [shapes.follower(one) for one in follow.followers_of(session.workspace, record)]
    columns = (
        Column("who", "who", lambda row: row["who"] or "-"),
        Column("name", "name", flex=True),
        Column("address", "address", lambda row: text.mark_address(row["address"] or ""), width=40),
        Column("internal", "", lambda row: "" if row["internal"] else "outside"),
        Column("types", "types", lambda row: ", ".join(row["types"]) if row["types"] is not None else "default"),
    )
    session.voice.listing(
        found, columns, empty="Nobody follows it.", keys=("who", "address", "internal", "types", "name")
    )


@command("following", examples=("crmmail following", "crmmail following --who bob", "crmmail following -o ids"))
@WHO
@paged("RECORD")
@listing_options
@pass_session
def following_command(session: Session, who: str | None, limit: int | None, before: int | None) -> None:
    """What you follow.

    The newest record stands first.
    """
    voice = session.voice
    coming = follow.following(session.workspace, who, limit=limit or voice.screenful, before=before)
    rows = ({**shapes.listed(one), "types": list(types) if types is not None else None} for one, types in coming)
    found = list(rows) if voice.screenful else rows
    columns = (
        Column("id", "#"),
        Column("kind", "kind"),
        Column("title", "title", flex=True),
        Column("state", "state"),
        Column("types", "types", lambda row: ", ".join(row["types"]) if row["types"] is not None else "default"),
        Column("updated", "when", justify="right"),
    )
    voice.listing(found, columns, empty="You follow nothing.", keys=("id", "kind", "title"))
    if isinstance(found, list) and found:
        voice.further(len(found), limit, found[-1]["id"])
