"""`crmmail sections`: departments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import click

from crmmail.cli.acts import UNDO
from crmmail.cli.command import noun
from crmmail.cli.line import Line, Span
from crmmail.cli.options import listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column, Row
from crmmail.core import section
from crmmail.core.typed import Any
from crmmail.services.keeping import offices
from crmmail.store.people import offices as stored

COLUMNS = (
    Column("code", "section", lead=lambda row: "  " * row["depth"], whole=True),
    Column("name", "name", flex=True),
    Column("parent", "below", piped=True),
    Column("manager", "manager"),
    Column("email", "address", width=34),
    Column("assign", "assign"),
    Column("on_user_reply", "on user reply"),
    Column("on_partner_reply", "on partner reply"),
    Column("active", "", lambda row: "" if row["active"] else "retired"),
    Column("reopen_window", "reopens for"),
    Column("reopen_cancelled", "cancelled", lambda row: "yes" if row["reopen_cancelled"] else ""),
)
SELDOM = ("reopen_window", "reopen_cancelled")  # what only `show` has room for on a screen

# Settings in words, for `show`.
WHO_GETS = {
    "none": "nobody in particular (none)",
    "manager": "its manager (manager)",
    "round-robin": "everybody in turn (round-robin)",
    "least-busy": "who has the fewest (least-busy)",
}
AFTER_REPLY = {
    "open": "the case is open (open)",
    "pending": "the case is pending (pending)",
    "close": "the case is done (close)",
    "keep": "the case stays as it is (keep)",
}
LONGEST = len("when the customer answers")

COUNTS = section.Counts._fields
COUNTED = ("code", "name", "manager")  # the columns that leave room for counts on a screen


def counted(key: str) -> Column:
    """A count: the section's own cases, and in brackets with those of the sections below, where these have some."""

    def show(row: Row) -> str:
        own, whole = row[key], row[f"{key}_with_below"]
        return str(own) if own == whole else f"{own} ({whole})"

    def style(row: Row) -> str:
        return "overdue" if key == "late" and row[f"{key}_with_below"] else "" if row[f"{key}_with_below"] else "dim"

    return Column(key, key, show, style, justify="right", whole=True)


def branches(depths: Sequence[int]) -> list[str]:
    """What stands before each line of a tree, whose lines come in order: `├ `, `└ `, `│ └ `."""

    def goes_on(at: int, level: int) -> bool:
        following = next((depth for depth in depths[at + 1 :] if depth <= level), -1)
        return following == level

    return [
        "".join("│ " if goes_on(at, level) else "  " for level in range(1, depth))
        + ("" if not depth else "├ " if goes_on(at, depth) else "└ ")
        for at, depth in enumerate(depths)
    ]


def shape(depth: int, one: section.Section, load: offices.Load | None = None) -> dict[str, Any]:
    return {
        "id": one.id,
        "code": one.code,
        "name": one.name,
        "parent": one.parent or None,
        "manager": one.manager or None,
        "email": one.address or None,
        "on_user_reply": one.on_user_reply,
        "on_partner_reply": one.on_partner_reply,
        "assign": one.assign,
        "active": one.active,
        "depth": depth,
        "reopen_window": one.reopen_window or None,
        "reopen_cancelled": one.reopen_cancelled,
        "counts": {**load.own._asdict(), "with_below": load.below._asdict()} if load else None,
    }


@noun(
    "sections",
    examples=("crmmail sections", 'crmmail sections add support --name "Support" --email support@crm.example'),
)
def sections_command() -> None:
    """Sections: who works on what, and its address."""


@sections_command.command("list", examples=("crmmail sections list --tree --counts", "crmmail sections list --json"))
@click.option("--tree", is_flag=True, help="Draw the tree.")
@click.option("--counts", is_flag=True, help="With the cases that wait in each; in brackets: with the sections below.")
@listing_options
@pass_session
def sections_list(session: Session, tree: bool, counts: bool) -> None:
    """All sections, each below its parent."""
    session.open()
    found = offices.tree()
    loads = offices.loads(session.workspace) if counts else {}
    rows = [shape(depth, one, loads.get(one.code)) for depth, one in found]
    voice = session.voice
    on_screen = voice.terminal and voice.form in ("", "table")
    columns = tuple(one for one in COLUMNS if not on_screen or one.key not in SELDOM)
    if tree:
        drawn = {one.code: line for (_, one), line in zip(found, branches([depth for depth, _ in found]), strict=True)}
        columns = (Column("code", "section", lead=lambda row: drawn[row["code"]], whole=True), *columns[1:])
    if counts and voice.form not in ("json", "jsonl"):
        columns = (
            *(one for one in columns if not on_screen or one.key in COUNTED),
            *(counted(key) for key in COUNTS),
            *(Column(f"{key}_with_below") for key in COUNTS if not on_screen),
        )
        rows = [flat(row) for row in rows]
    voice.listing(rows, columns, empty="No sections yet: crmmail sections add CODE --name NAME")


def flat(row: Row) -> dict[str, Any]:
    """A section with its counts as columns of their own, as a table and tsv have them."""
    whole = {f"{key}_with_below": row["counts"]["with_below"][key] for key in COUNTS}
    return {**row, **{key: row["counts"][key] for key in COUNTS}, **whole}


@sections_command.command("show", examples=("crmmail sections show support",))
@click.argument("code")
@listing_options
@pass_session
def sections_show(session: Session, code: str) -> None:
    """One section."""
    session.open()
    voice, one = session.voice, stored.section(code)
    if voice.terminal and not (voice.form or voice.fields):
        voice.page(lines(one))
        return
    voice.listing([shape(0, one)], COLUMNS)


def lines(one: section.Section) -> Iterator[Line]:
    """All that is said of a section."""
    retired = "" if one.active else "   (retired)"
    yield (Span(f"{one.code}  {one.name}", "title"), f" <{one.address}>" if one.address else "", retired)
    for what, words in (
        ("below", one.parent or "nothing"),
        ("manager", one.manager or "nobody"),
        ("gets new cases", WHO_GETS[one.assign]),
        ("when we answer by mail", AFTER_REPLY[one.on_user_reply]),
        ("when the customer answers", AFTER_REPLY[one.on_partner_reply]),
        (
            "opens again",
            f"within {one.reopen_window} of closing" if one.reopen_window else "however long it was closed",
        ),
        ("opens when cancelled", "yes" if one.reopen_cancelled else "no"),
    ):
        yield (Span(f"{what:<{LONGEST}}  ", "dim"), words)


def policies(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that add and set share."""
    for decorate in (
        click.option("--name", metavar="NAME", help="What people call it."),
        click.option("--parent", metavar="CODE", help="The section above: cases escalate to it."),
        click.option("--manager", metavar="LOGIN", help="Who is asked when nobody is responsible."),
        click.option("--email", metavar="ADDRESS", help="Its address: makes the alias, and answers come back to it."),
        click.option("--on-user-reply", type=click.Choice(section.ON_USER_REPLY), help="A user answers by mail."),
        click.option("--on-partner-reply", type=click.Choice(section.ON_PARTNER_REPLY), help="The customer answers."),
        click.option(
            "--reopen-cancelled/--no-reopen-cancelled", default=None, help="An answer opens a cancelled case, too."
        ),
        click.option("--reopen-window", metavar="30d", help="How long after closing an answer opens a case; '': ever."),
        click.option("--create-parent", is_flag=True, help="Make the parent where it is not there yet."),
        click.option("--assign", type=click.Choice(section.ASSIGN), help="Who gets new cases."),
    ):
        function = decorate(function)
    return function


@sections_command.command(
    "add",
    examples=(
        'crmmail sections add support --name "Support" --email support@crm.example --manager boss',
        "crmmail sections add level1 --parent level2 --create-parent",
    ),
)
@click.argument("code")
@policies
@pass_session
def sections_add(session: Session, code: str, **wanted: Any) -> None:
    """Add a section (admin)."""
    one = offices.add_section(session.workspace, code, **wanted)
    session.voice.say(f"section {one.code} {one.name}" + (f" <{one.address}>" if one.address else ""))


@sections_command.command(
    "set",
    examples=(
        "crmmail sections set support --manager agent --assign round-robin",
        "crmmail sections set support --reopen-window 30d --reopen-cancelled",
        'crmmail sections set level1 --parent=""',
    ),
)
@click.argument("code")
@policies
@pass_session
def sections_set(session: Session, code: str, **wanted: Any) -> None:
    """Change a section (admin); its old address stays an alias."""
    session.open()
    before = stored.section(code)
    one = offices.set_section(session.workspace, code, **wanted)
    address = f" <{one.address}>" if one.address else ""
    changed = ", ".join(changes(before, one))
    words = f"section {one.code} {one.name}{address}: {changed or 'nothing changed'}"
    session.voice.say((words, Span(UNDO if changed else "", "dim")))


def changes(before: section.Section, after: section.Section) -> list[str]:
    """What differs: `manager none → boss`."""
    return [
        f"{'email' if key == 'address' else key.replace('_', ' ')} {_said(key, old)} → {_said(key, new)}"
        for key, old, new in zip(after._fields, before, after, strict=True)
        if old != new
    ]


def _said(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key == "reopen_window":
        return f"within {value}" if value else "for ever"
    return str(value or "none")


@sections_command.command("remove", examples=("crmmail sections remove support",))
@click.argument("code")
@pass_session
def sections_remove(session: Session, code: str) -> None:
    """Retire a section and its aliases (admin); its records keep it."""
    one = offices.remove_section(session.workspace, code)
    session.voice.say(f"section {one.code} is retired")
