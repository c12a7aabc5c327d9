"""`crmmail view`: lists with a name."""

from __future__ import annotations

import click

from crmmail.cli.acts import UNDO
from crmmail.cli.command import noun
from crmmail.cli.commands.records import print_records
from crmmail.cli.line import Span
from crmmail.cli.options import VIEW, listing_options, paged
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.core.typed import Any
from crmmail.services.desk import views

COLUMNS = (
    Column("name", "view"),
    Column("kind", "of", lambda row: f"{row['kind']}s"),
    Column("query", "query", lambda row: row["query"] or "(all of them)", flex=True),
    Column("shared", "", lambda row: "" if row["built_in"] else "shared" if row["shared"] else "yours"),
    Column("built_in", "", lambda row: "built in" if row["built_in"] else ""),
)
ON_SCREEN = tuple(one for one in COLUMNS if one.key != "built_in")


def shape(one: views.View) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind,
        "query": one.query,
        "shared": one.shared,
        "built_in": one.built_in,
    }


@noun(
    "view",
    default="run",
    examples=(
        "crmmail view",
        "crmmail view my-late",
        "crmmail view unassigned --section support -o ids | crmmail assign - bob",
        "crmmail view save gold 'category:\"Gold\"' unfinished",
    ),
)
def view_command() -> None:
    """Lists with a name: my-open, late, unassigned, your own.

    Each is a query of `list`; more words find less of it.
    """


@view_command.command("run", examples=("crmmail view run my-open printer", "crmmail view late --section support"))
@click.argument("name", required=False, type=VIEW)
@click.argument("words", nargs=-1, metavar="[QUERY]…")
@click.option("--section", metavar="CODE", help="Only of this section.")
@click.option("--recursive", is_flag=True, help="With the sections below it.")
@paged("RECORD")
@listing_options
@pass_session
def view_run(
    session: Session,
    name: str | None,
    words: tuple[str, ...],
    section: str | None,
    recursive: bool,
    limit: int | None,
    before: int | None,
) -> None:
    """The records of a view; without a name, the views."""
    if name is None:
        return _list(session)
    view = views.find(session.workspace, name)
    most = limit or session.voice.screenful
    found = views.listing(
        session.workspace, view, words, section=section, recursive=recursive, limit=most, before=before
    )
    print_records(session, view.kind, found, limit)


@view_command.command("list", examples=("crmmail view list --json",))
@listing_options
@pass_session
def view_list(session: Session) -> None:
    """All views: built in, yours, everybody's."""
    _list(session)


def _list(session: Session) -> None:
    voice = session.voice
    on_screen = voice.terminal and voice.form in ("", "table")
    voice.listing([shape(one) for one in views.known(session.workspace)], ON_SCREEN if on_screen else COLUMNS)


@view_command.command(
    "save",
    examples=(
        "crmmail view save printers printer unfinished",
        "crmmail view save hot priority:high unfinished --shared",
        "crmmail view save offers --kind lead state:new",
    ),
)
@click.argument("name")
@click.argument("words", nargs=-1, metavar="[QUERY]…")
@click.option("--kind", default="case", metavar="KIND", help="What it lists: case, lead or contact.")
@click.option("--shared", is_flag=True, help="For everybody (admin).")
@pass_session
def view_save(session: Session, name: str, words: tuple[str, ...], kind: str, shared: bool) -> None:
    """Keep a query under a name; one of that name is replaced."""
    one = views.save(session.workspace, name, words, kind=kind, shared=shared)
    who = " for everybody" if one.shared else ""
    session.voice.say((f"view {one.name}{who}: {one.kind} {one.query}".rstrip(), Span(UNDO, "dim")))


@view_command.command("remove", examples=("crmmail view remove printers",))
@click.argument("name", type=VIEW)
@pass_session
def view_remove(session: Session, name: str) -> None:
    """Forget a view of yours, or of everybody's (admin)."""
    one = views.remove(session.workspace, name)
    session.voice.say((f"view {one.name} is forgotten", Span(UNDO, "dim")))
