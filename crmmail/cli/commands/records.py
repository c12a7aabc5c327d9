"""`crmmail list`: records of a kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import click

from crmmail.cli import senders, shapes
from crmmail.cli.command import command
from crmmail.cli.line import ENVELOPE
from crmmail.cli.options import VIEW, listing_options, paged
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column, Row
from crmmail.core import query, record, text
from crmmail.errors import UsageError
from crmmail.services.desk import reading
from crmmail.services.shared import fields
from crmmail.store.work.records import Record

COLUMNS = (
    Column("id", "#"),
    Column("kind", "kind"),
    Column("envelope", "", lambda row: ENVELOPE if row["envelope"] else "", piped=False, style=lambda row: "failed"),
    Column("title", "title", flex=True),
    Column("state", "state", style=lambda row: _style(row), drop=0),
    Column("section", "section", width=20, drop=2),
    Column("responsible", "who", width=12),
    Column("partner", "partner", width=22),
    Column("email", "email", lambda row: text.mark_address(row["email"] or "")),
    Column("priority", "priority", lambda row: shapes.priority(row["priority"])),
    Column("created", "created"),
    Column("updated", "when", justify="right", drop=3),
)
# Beside the title where some record has a deadline; what is late has a mark and is red.
DEADLINE = (
    Column("late", "", lambda row: "!" if row["late"] else "", style="overdue"),
    Column("deadline", "deadline", style=lambda row: "overdue" if row["late"] else "", exact=True, drop=0),
)
ON_SCREEN = {
    "": ("id", "envelope", "title", "state", "section", "responsible", "partner", "updated"),
    "contact": ("id", "title", "company", "category", "email", "updated"),
}


def _style(row: Row) -> str:
    if row["state"] in ("done", "converted"):
        return "done"
    return "waiting" if row["state"] == "pending" else "dim" if row["state"] in ("cancel", "lost") else ""


def _customer(session: Session, row: Row) -> str:
    """The contact, or whoever the letter said wrote it."""
    if row["partner"]:
        return str(row["partner"]["name"])
    return senders.person(session, row["partner_name"] or "", row["email"] or "")


@command(
    "list",
    examples=(
        "crmmail list case",
        "crmmail list case state:open mine --limit 20",
        "crmmail list lead unassigned -o ids | crmmail assign - bob",
        "crmmail list case --section support --recursive unfinished priority:high",
        "crmmail list case --view my-late",
    ),
)
@click.argument("kind", metavar="KIND")
@click.argument("words", nargs=-1, metavar="[QUERY]…")
@click.option("--section", metavar="CODE", help="Only of this section.")
@click.option("--recursive", is_flag=True, help="With the sections below it.")
@click.option("--mine", is_flag=True, help="Only what you are responsible for; as the word `mine`.")
@click.option("--unassigned", is_flag=True, help="Only what nobody is responsible for; as the word `unassigned`.")
@click.option("--late", is_flag=True, help="Only unfinished ones behind their deadline; as the word `late`.")
@paged("RECORD")
@click.option("--view", "view_name", metavar="NAME", type=VIEW, help="Of those that this view shows.")
@listing_options
@pass_session
def list_command(
    session: Session,
    kind: str,
    words: tuple[str, ...],
    section: str | None,
    recursive: bool,
    mine: bool,
    unassigned: bool,
    late: bool,
    limit: int | None,
    before: int | None,
    view_name: str | None,
) -> None:
    """All records of a kind, closed ones too.

    KIND is case, lead or contact.  A query is words and from: state:open,pending section: category: partner:
    priority:1-2 responsible: after: before: has:attachment mine unassigned unfinished closed late today.
    A phrase, or a value with blanks, stands in quotes.
    """
    name = record.kind(kind).name
    workspace = session.workspace
    if view_name:
        words = (_query_of(session, view_name, name), *words)
    for flag, given in (("mine", mine), ("unassigned", unassigned), ("late", late)):
        words = (*words, flag) if given else words
    wanted = query.parse(words, lambda said: fields.moment(workspace, said))
    most = limit or session.voice.screenful
    found = reading.listing(
        workspace, name, wanted, section_code=section, recursive=recursive, limit=most, before=before
    )
    print_records(session, name, found, limit)


def _query_of(session: Session, view_name: str, kind: str) -> str:
    from crmmail.services.desk import views  # which most listings have no use for

    view = views.find(session.workspace, view_name)
    if view.kind != kind:
        raise UsageError(f"view {view.name} shows {record.KINDS[view.kind].plural}: crmmail list {view.kind} --view …")
    return view.query


def print_records(session: Session, name: str, coming: Iterable[Record], limit: int | None = None) -> None:
    """Records of a kind, as `list` prints them and `stats --list` too.  `limit`: how many somebody asked for."""
    voice = session.voice
    columns: tuple[Column, ...] = COLUMNS
    found = coming
    if voice.screenful:
        found = list(coming)
        known = {
            one.key: one for one in (*COLUMNS, Column("company", "company", width=24), Column("category", "category"))
        }
        columns = tuple(known[key] for key in ON_SCREEN.get(name, ON_SCREEN[""]))
        if any(one.deadline for one in found):
            columns = (*columns[:-1], *DEADLINE, columns[-1])
    shown = [replace(one, show=lambda row: _customer(session, row)) if one.key == "partner" else one for one in columns]
    now = session.workspace.now()
    voice.listing(
        ({**shapes.listed(one), "late": reading.is_late(one, now)} for one in found),
        shown,
        empty=f"No {record.KINDS[name].plural} fit.",
        keys=KEYS,
    )
    if isinstance(found, list) and found:
        voice.further(len(found), limit, found[-1].id)


KEYS = (
    "id", "kind", "title", "state", "section", "responsible", "partner", "email", "priority", "created", "updated",
    "category", "deadline", "company", "partner_name", "envelope", "late",
)  # fmt: skip
