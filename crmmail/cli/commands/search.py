"""`crmmail search`: messages by their words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from crmmail.cli import senders, shapes
from crmmail.cli.command import command
from crmmail.cli.line import Line, Span
from crmmail.cli.options import COUNT, NUMBER, listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.core import query, text, when
from crmmail.core.excerpt import Excerpt
from crmmail.services.desk import search
from crmmail.services.desk.search import Found
from crmmail.services.shared import fields

LIMIT = 50
TITLE, SHORT = 50, 20  # cells of a record's title: no more, and as many in any case

COLUMNS = (
    Column("record", "record", lambda row: f"#{row['record']}", justify="right"),
    Column("message", "message", justify="right"),
    Column("title", "title", flex=True),
    Column("state", "state", drop=0),
    Column("from_name", "from", width=22),
    Column("from_address", "address", piped=True, width=24),
    Column("subject", "subject"),
    Column("snippet", "words", flex=True),
    Column("date", "when", justify="right"),
)
ON_SCREEN = tuple(one for one in COLUMNS if one.key in ("record", "message", "from_name", "snippet", "date"))
KEYS = (
    "message", "record", "kind", "title", "state", "subject", "from_name", "from_address", "date", "snippet", "marks",
    "author", "message_kind", "internal",
)  # fmt: skip


@command(
    "search",
    examples=(
        "crmmail search invoice from:ann kind:case state:open after:2026-01-01",
        "crmmail search '\"does not print\"' has:attachment",
        "crmmail search printer --limit 10 --before 812",
        "crmmail search printer state:open -o ids | crmmail close -",
        "crmmail search printer -o ids --fields message | crmmail star -",
    ),
)
@click.argument("words", nargs=-1, metavar="[QUERY]…")
@click.option("--limit", type=COUNT, default=LIMIT, show_default=True, metavar="N", help="At most N.")
@click.option("--before", type=NUMBER, metavar="MESSAGE", help="Go on after this message, the last that was shown.")
@listing_options
@pass_session
def search_command(session: Session, words: tuple[str, ...], limit: int, before: int | None) -> None:
    """Find messages by their words, newest first.

    All words must be in one message: its subject, its text with what it quotes, the people, the names of attachments.
    A word of three letters or more finds what begins so; a phrase stands in quotes.  Accents and letter case do not
    matter.  from: kind: state: section: category: partner: priority: responsible: after: before: has:attachment mine
    unassigned unfinished closed late today.  Letters in quarantine are not searched.
    """
    workspace, voice = session.workspace, session.voice
    wanted = query.parse(words, lambda said: fields.moment(workspace, said))
    found = search.find(workspace, wanted, limit=limit, before=before)
    if voice.terminal and not (voice.form or voice.fields):
        voice.page(_story(session, found, limit) if found else [Span(_nothing(), "dim")])
        return
    columns = ON_SCREEN if voice.terminal and voice.form in ("", "table") else COLUMNS
    rows = [shapes.found(one) for one in found]
    voice.listing(rows, senders.columns(session, columns), empty=_nothing(), keys=KEYS)


def _nothing() -> str:
    held = search.held()
    hint = f" ({held} in quarantine, where no search looks: crmmail quarantine)" if held else ""
    return f"Nothing found{hint}."


def _story(session: Session, found: Sequence[Found], limit: int) -> Iterator[Line]:
    """Each message with its record, and the line in which the words stand."""
    now = session.workspace.now().astimezone()
    for one in found:
        hit = one.hit
        who = hit.author or senders.person(session, hit.from_name, hit.from_address) or "nobody"
        state = f" · {hit.state}" if hit.state else ""
        came = f"{when.ago(hit.received, now)} · message {hit.message}"
        left = session.voice.width - text.cells(f"#{hit.record} {state}   {who}   {came}")
        title = text.one_line(hit.title, min(max(left, SHORT), TITLE))
        head = (Span(f"#{hit.record} {title}", "title"), Span(state, "dim"), f"   {who}")
        if text.cells(title) <= left:
            yield (*head, "   ", Span(came, "dim"))
        else:
            yield head
            yield ("     ", Span(came, "dim"))
        if one.subject.text and (one.subject.marks or not one.snippet.text):
            yield ("     ", *_marked(one.subject))
        if one.snippet.text:
            yield ("     ", *_marked(one.snippet))
        yield ""
    more = f" · the next: --before {found[-1].hit.message}" if len(found) == limit else ""
    yield Span(f"crmmail show N{more}", "dim")


def _marked(words: Excerpt) -> Iterator[Span]:
    """What was asked for stands out."""
    at = 0
    for begin, end in words.marks:
        yield Span(words.text[at:begin])
        yield Span(words.text[begin:end], "found")
        at = end
    yield Span(words.text[at:])
