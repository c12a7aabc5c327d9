"""`crmmail inbox`: what waits for me, with its words, so that most of it needs no opening (F35)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import click

from crmmail.cli import order, senders, shapes
from crmmail.cli.command import noun
from crmmail.cli.line import ENVELOPE, STARRED, UNREAD, Body, Line, Span, paragraphs
from crmmail.cli.options import NUMBER, listing_options, paged
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column, Row
from crmmail.core import query, text, when
from crmmail.core.typed import Any
from crmmail.errors import Refused
from crmmail.services.desk import inbox
from crmmail.store.lists.items import Item

LOOK = 20_000  # characters of a letter that are looked through for its new words
LENGTH = 1_000  # characters of a letter that may stand for its subject
WORDS = 5  # lines of a letter that the inbox shows
TITLE = 40  # cells of a record's title that the inbox shows in any case

COLUMNS = (
    Column("mark", "", lambda row: _mark(row), piped=False),
    Column("id", "item"),
    Column("record", "record", lambda row: f"#{row['record']}" if row["record"] else "", justify="right"),
    Column("message", "message", lambda row: row["message"] or f"letter {row['quarantine']}", justify="right"),
    Column("from_name", "from", width=22),
    Column("from_address", "address", piped=True, width=24),
    Column("subject", "subject", lambda row: row["subject"] or row["title"] or row["text"], flex=True),
    Column("date", "when", justify="right"),
    Column("unread", "unread"),
    Column("starred", "starred"),
    Column("quarantine", "letter"),
)
ON_SCREEN = tuple(one for one in COLUMNS if one.key not in ("from_address", "unread", "starred", "quarantine"))


@noun(
    "inbox",
    examples=(
        "crmmail inbox",
        "crmmail inbox --short from:ann",
        "crmmail inbox --starred",
        "crmmail inbox --json --fields id,subject",
        "crmmail inbox from:ann -o ids --fields message | crmmail star -",
        'crmmail inbox reply 12 -m "It works again."',
    ),
)
def inbox_command() -> None:
    """What waits for you: unread messages, newest first.

    Listing changes nothing: `show` marks read, `done` dismisses, `undo` brings back.
    A query is words and from: kind: state: section: category: partner: priority: responsible: after: before:
    has:attachment mine unassigned unfinished closed late today.
    """


@inbox_command.command("list", examples=("crmmail inbox list reply", "crmmail inbox list --all --limit 20"))
@click.argument("words", nargs=-1, metavar="[QUERY]…")
@click.option("--starred", is_flag=True, help="Your stars instead, dismissed or not.")
@click.option("--all", "everything", is_flag=True, help="Also what you have dismissed.")
@click.option("--short", is_flag=True, help="One line each.")
@click.option("--count", is_flag=True, help="Only how many.")
@paged("ITEM")
@listing_options
@pass_session
def inbox_list(
    session: Session,
    words: tuple[str, ...],
    starred: bool,
    everything: bool,
    short: bool,
    count: bool,
    limit: int | None,
    before: int | None,
) -> None:
    """What waits for you; `list` can be left out, unless the query begins with a word that is a command.

    Listing changes nothing: `show` marks read, `done` dismisses, `undo` brings back.
    A query is words and from: kind: state: section: category: partner: priority: responsible: after: before:
    has:attachment mine unassigned unfinished closed late today.
    """
    workspace = session.workspace
    wanted = query.parse(words, lambda said: _moment(session, said))
    voice = session.voice
    most = limit if count else limit or voice.screenful
    numbers = inbox.numbers(workspace, wanted, starred=starred, everything=everything, limit=most, before=before)
    if count:
        voice.say(str(len(numbers)))
        return
    empty = "No stars." if starred else "Inbox is empty. Well done!" if not words else "Nothing in your inbox fits."
    whole = voice.form in ("json", "jsonl") or "text" in voice.fields
    if voice.terminal and not (short or voice.form or voice.fields):
        coming = inbox.listed(workspace, numbers, starred=starred, length=LOOK)
        voice.page(cards(session, coming) if numbers else [empty])
        return voice.further(len(numbers), limit, numbers[-1] if numbers else 0)
    columns = ON_SCREEN if voice.terminal and voice.form in ("", "table") else COLUMNS
    keys = tuple(shapes.item(EMPTY))
    columns = tuple(senders.columns(session, columns))
    found = inbox.listed(workspace, numbers, starred=starred, length=None if whole else LENGTH)
    voice.listing(map(shapes.item, found), columns, empty=empty, keys=keys, row_style=_style)
    voice.further(len(numbers), limit, numbers[-1] if numbers else 0)


@inbox_command.command(
    "reply", examples=('crmmail inbox reply 12 -m "It works again."', "crmmail inbox reply 12 --then close")
)
@click.argument("item", type=NUMBER)
@order.reply_options
@pass_session
def inbox_reply(session: Session, item: int, **options: Any) -> int:
    """Answer the letter that an item is about; as `crmmail reply` on its record."""
    from crmmail.cli.commands.post import run  # a listing has no use for it

    found = inbox.item(session.workspace, item)
    if found.quarantine is not None:  # answering the record it may belong to answers somebody else
        from crmmail.services.incoming import held  # as above

        raise Refused(
            f"item {item} is about letter {found.quarantine} in quarantine: give it a record first "
            f"({held.leads_to(found.quarantine, found.reason)})"
        )
    assert found.record is not None
    # A note or a change of state is no letter: then the last one that came is answered.
    is_letter = found.message_kind == "email_in" and not found.internal
    return run(session, order.order("reply", found.record, message=found.message if is_letter else None, **options))


def _moment(session: Session, said: str) -> datetime:
    from crmmail.services.shared import fields  # most queries name no date

    return fields.moment(session.workspace, said)


EMPTY = Item(
    None, None, "", "", "", None, None, "", "", "", False, False, "", "", "", "", "", None, False, False, "", ""  # type: ignore[arg-type]
)  # fmt: skip


def _mark(row: Row) -> str:
    if row["envelope"]:
        return ENVELOPE
    return UNREAD if row["unread"] else STARRED if row["starred"] else ""


def _style(row: Row) -> str:
    return "unread" if row["unread"] else "read"


NOT_ARRIVED = {"bounced": "came back", "failed": "not delivered", "waiting": "not delivered yet"}


def cards(session: Session, items: Iterable[Item]) -> Iterator[Line]:
    """Each item with its first words."""
    from crmmail.core import quote  # which a listing in lines has no use for

    for one in items:
        yield headline(session, one)
        words = quote.visible(one.text).strip() or one.subject
        lines = [line for line in text.clean(words).split("\n") if line.strip()]
        yield Body("\n".join(lines[:WORDS]), "", "     ")
        if len(lines) > WORDS:
            where = "" if one.quarantine else f": crmmail show {one.record}"
            more = "many" if len(one.text) == LOOK else str(len(lines) - WORDS)
            yield Span(f"     … {more} more lines{where}", "dim")
        if one.quarantine:
            from crmmail.services.incoming import held  # which could file them, too

            yield Span(f"     held: {held.leads_to(one.quarantine, one.reason)}", "waiting")
        yield ""
    yield Span("crmmail show N · done ITEM · star MESSAGE · undo", "dim")


def headline(session: Session, one: Item) -> Line:
    """`● 12  #101 Printer broken · open   Ann <ann@…>   3 min ago`, and what the verbs need to know it by.

    A title takes what the line has left, TITLE cells at least.
    """
    mark = UNREAD if one.unread else " "
    star = f" {STARRED}" if one.starred else ""
    number = f"{one.id}" if one.id is not None else "-"
    state = f" · {one.state}" if one.state else ""
    kind = f" · {one.subtype}" if one.subtype not in ("", "discussion") else ""
    kind += " · machine" if one.automatic else ""
    held = f" · held: {one.reason}" if one.quarantine else ""
    name = f"message {one.message}" if one.message else f"letter {one.quarantine}"
    style = "unread" if one.unread else "read"
    before = Span(f"{mark} {number:<4} ", style)
    behind = (
        Span(f"{star}", "starred"),
        Span(f"{state}{kind}{held}", "waiting" if held else "dim"),
        Span(f" · {ENVELOPE} {NOT_ARRIVED[one.envelope]}" if one.envelope else "", "failed"),
        f"   {who(session, one)}   ",
        Span(f"{when.ago(one.date, session.workspace.now().astimezone())} · {name}", "dim"),
    )
    if not one.record:
        return (before, Span("in quarantine", style), *behind)
    (rest,) = paragraphs([(before, f"#{one.record} ", *behind)])
    title = text.one_line(one.title, max(TITLE, session.voice.width - text.cells(rest.words)))
    return (before, Span(f"#{one.record} {title}", style), *behind)


def who(session: Session, one: Item) -> str:
    """Who wrote it, as a reader wants to know him."""
    return one.author or senders.person(session, one.from_name, one.from_address) or "nobody"
