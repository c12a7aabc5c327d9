"""`crmmail list`: records of a kind."""

from __future__ import annotations

import click

from crmmail.cli import shapes
from crmmail.cli.command import command
from crmmail.cli.line import ENVELOPE
from crmmail.cli.options import listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column, Row
from crmmail.core import query, record, text
from crmmail.services import fields, records

COLUMNS = (
    Column("id", "#"),
    Column("kind", "kind"),
    Column("envelope", "", lambda row: ENVELOPE if row["envelope"] else "", piped=False, style=lambda row: "failed"),
    Column("title", "title", flex=True),
    Column("state", "state", style=lambda row: _style(row)),
    Column("section", "section", width=14),
    Column("responsible", "who", width=12),
    Column("partner", "partner", lambda row: _customer(row), width=22),
    Column("email", "email"),
    Column("priority", "priority", lambda row: shapes.priority(row["priority"])),
    Column("created", "created"),
    Column("updated", "when", justify="right"),
)
ON_SCREEN = {
    "": ("id", "envelope", "title", "state", "section", "responsible", "partner", "updated"),
    "contact": ("id", "title", "company", "category", "email", "updated"),
}


def _style(row: Row) -> str:
    if row["state"] in ("done", "converted"):
        return "done"
    return "waiting" if row["state"] == "pending" else "dim" if row["state"] in ("cancel", "lost") else ""


def _customer(row: Row) -> str:
    """The contact, or whoever the letter said wrote it."""
    return row["partner"]["name"] if row["partner"] else text.person(row["partner_name"] or "", row["email"] or "")


@command(
    "list",
    examples=(
        "crmmail list case",
        "crmmail list case state:open mine --limit 20",
        "crmmail list lead unassigned -o ids | crmmail assign - bob",
    ),
)
@click.argument("kind", metavar="KIND")
@click.argument("words", nargs=-1, metavar="[QUERY]…")
@click.option("--section", metavar="CODE", help="Only of this section.")
@click.option("--recursive", is_flag=True, help="With the sections below it.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N, the newest.")
@listing_options
@pass_session
def list_command(
    session: Session, kind: str, words: tuple[str, ...], section: str | None, recursive: bool, limit: int | None
) -> None:
    """All records of a kind, closed ones too.

    KIND is case, lead or contact.  A query is words and from: state: section: responsible: after: before:
    has:attachment mine unassigned late.
    """
    name = record.kind(kind).name
    workspace = session.workspace
    wanted = query.parse(words, lambda said: fields.moment(workspace, said))
    found = records.listing(workspace, name, wanted, section_code=section, recursive=recursive, limit=limit)
    voice = session.voice
    columns: tuple[Column, ...] = COLUMNS
    if voice.terminal and voice.form in ("", "table"):
        known = {
            one.key: one for one in (*COLUMNS, Column("company", "company", width=24), Column("category", "category"))
        }
        columns = tuple(known[key] for key in ON_SCREEN.get(name, ON_SCREEN[""]))
    voice.listing(
        [shapes.listed(one) for one in found], columns, empty=f"No {record.KINDS[name].plural} fit.", keys=KEYS
    )


KEYS = (
    "id", "kind", "title", "state", "section", "responsible", "partner", "email", "priority", "created", "updated",
    "category", "deadline", "company", "partner_name", "envelope",
)  # fmt: skip
