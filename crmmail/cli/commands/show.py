"""`crmmail show`: a record with its whole conversation; marks it read (F14, F37)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import click

from crmmail.cli import senders, shapes
from crmmail.cli.command import command
from crmmail.cli.line import ENVELOPE, UNREAD, Body, Line, Span, size
from crmmail.cli.options import COUNT, NUMBER, RECORD, json_option
from crmmail.cli.session import Session, pass_session
from crmmail.core import amount, quote, text, token, when
from crmmail.errors import NotFound
from crmmail.services.desk import reading
from crmmail.services.shared import possible
from crmmail.store.letters.messages import Message

RELATED = 20  # records that a person is pointed to


@command(
    "show", examples=("crmmail show 101", "crmmail show 101 --last 3 --full", "crmmail show 101 --raw > letter.eml")
)
@click.argument("record", type=RECORD)
@click.option("--peek", is_flag=True, help="Leave the messages unread.")
@click.option("--full", is_flag=True, help="Quotes, signatures and system messages too.")
@click.option("--last", type=COUNT, metavar="N", help="Only the last N messages.")
@click.option("--raw", is_flag=True, help="The newest letter exactly as it came.")
@click.option("--message", type=NUMBER, metavar="MSG", help="With --raw: that letter instead.")
@json_option
@pass_session
def show_command(
    session: Session, record: int, peek: bool, full: bool, last: int | None, raw: bool, message: int | None
) -> None:
    """One record with its conversation.

    It marks your messages of this record read, unless you --peek; `crmmail inbox --all` still has them.
    """
    view = reading.show(session.workspace, record, peek=peek or raw)
    if raw:
        from crmmail.services.acts import letters  # which changes them, too

        session.voice.raw(letters.raw(session.workspace, message or newest_letter(view)))
        return
    if last:
        view = view._replace(messages=view.messages[-last:])
    if not full:
        view = view._replace(activities=[one for one in view.activities if not one.done])
    voice = session.voice
    data = shapes.shown(view) if voice.form or voice.fields else {}  # it folds the quotes of each message
    voice.document(data, lambda: lines(session, view, full))
    if view.note:
        session.voice.warn(view.note)


def newest_letter(view: reading.View) -> int:
    found = [one.id for one in view.messages if one.original is not None]
    if not found:
        raise NotFound(f"no letter came to #{view.record.id}, so there is nothing raw to show")
    return found[-1]


def lines(session: Session, view: reading.View, full: bool) -> Iterator[Line]:
    """The record, then its conversation."""
    one = view.record
    now = session.workspace.now().astimezone()
    yield (Span(f"#{one.id} ", "title"), Span(one.title, "title"))
    style = "done" if one.state in ("done", "converted") else "waiting" if one.state == "pending" else ""
    facts = [
        one.section and f"section {one.section}",
        one.category,
        f"responsible {one.responsible}" if one.responsible else one.state and "unassigned",
        one.priority and one.priority != 3 and f"priority {shapes.priority(one.priority)}",
        one.company,
        one.revenue is not None and f"revenue {amount.written(one.revenue)}",
        one.cost is not None and f"cost {amount.written(one.cost)}",
        one.probability is not None and f"{amount.written(one.probability)} %",
    ]
    yield (one.kind, " · " if one.state else "", Span(one.state, style), *(f" · {fact}" for fact in facts if fact))
    if one.deadline:
        late = reading.is_late(one, session.workspace.now())
        words = f"deadline {one.deadline.astimezone():%Y-%m-%d %H:%M}{' (late)' if late else ''}"
        yield (Span(words, "overdue" if late else ""), f"   {view.promise}" if view.promise else "")
    for task in view.activities:
        mark = "overdue " if task.overdue else "done " if task.done else ""
        words = f"{mark}activity {task.id} until {task.due.astimezone():%Y-%m-%d %H:%M}: {task.summary}"
        who = f" ({task.user})" if task.user else ""
        yield Span(words + who, "overdue" if task.overdue else "done" if task.done else "")
    customer = f"{one.partner.name} (#{one.partner.id})" if one.partner else one.partner_name
    addresses = ", ".join(map(text.mark_address, view.contact.addresses if view.contact else [one.email]))
    if customer or addresses:
        yield f"{customer} <{addresses}>" if customer and addresses else customer or addresses
    if one.contacts:
        yield "with " + ", ".join(f"{other.name} (#{other.id})" for other in one.contacts)
    if one.moved_to:
        yield Span(f"merged into #{possible.lives_on_as(one.id)}: later letters go there", "waiting")
    if view.followers:
        inside = [other.who for other in view.followers if other.internal]
        outside = [other.name or text.mark_address(other.address) for other in view.followers if not other.internal]
        yield Span(
            "followed by " + ", ".join([*inside, *(f"{other} (outside)" for other in outside)]),
            "dim",
        )
    for address, reason in view.bad.items():
        yield Span(f"! mail to {text.mark_address(address)} came back: {text.one_line(reason)}", "waiting")
    if view.related:
        shown = ", ".join(f"#{other.id} {other.kind} {other.title}" for other in view.related[:RELATED])
        more = f" and {len(view.related) - RELATED} more" if len(view.related) > RELATED else ""
        yield Span(f"see also {shown}{more}", "dim")
    for letter, reason in view.held.items():
        from crmmail.services.incoming import held  # which could file them, too

        yield Span(f"! letter {letter} may belong here: {held.leads_to(letter, reason)}", "waiting")
    if view.buttons:
        yield Span(f"possible now: {', '.join(view.buttons)}", "dim")
    hidden = 0
    for other in view.messages:
        if other.kind == "system" and not full and other.id not in view.unread and other.subtype == "note":
            hidden += 1
            continue
        yield ""
        yield from conversation(session, other, view, full, now)
    if hidden:
        yield Span(f"({hidden} system messages: --full)", "dim")


def conversation(session: Session, one: Message, view: reading.View, full: bool, now: datetime) -> Iterator[Line]:
    """One message: who, when, and the words."""
    unread = one.id in view.unread
    moment = f"{one.date.astimezone():%Y-%m-%d %H:%M}"
    ago = when.ago(one.received, now)
    if abs(one.received - one.date) < timedelta(hours=1):  # else the letter's clock and ours tell different stories
        moment = f"{moment} ({ago})"
    mark = Span(f"{UNREAD} " if unread else "  ", "unread")
    if one.kind == "system":
        yield (mark, Span(f"{one.author or 'crmmail'}: {one.text}   {ago} · {one.id}", "unread" if unread else "dim"))
        return
    sender = one.author or senders.in_full(session, one.from_name, one.from_address) or "nobody"
    signs = [
        *(["call" if one.kind == "call" else "note"] if one.internal else []),
        *(["machine"] if one.automatic else []),
        *([f"superseded by {one.superseded_by}"] if one.superseded_by else []),
    ]
    named = dict.fromkeys(token.without_mark(address) for address in (*one.to, *one.cc))
    marked = [text.mark_address(one) if "@" in one else one for one in named]  # who has no address stands by his name
    to = f" → {', '.join(marked)}" if named and one.kind != "call" else ""  # with whom a call was, its subject says
    yield (
        mark,
        Span(sender, "unread" if unread else "title"),
        Span(f"{to}   {moment} · message {one.id}{''.join(f' · {sign}' for sign in signs)}", "dim"),
    )
    if one.subject and one.subject != view.record.title:
        yield f"  {one.subject}"
    if one.superseded_by and not full:
        return
    folded = quote.fold(one.text)
    words = one.text if full else folded.visible
    if words.strip():
        yield Body(words.strip("\n"), "", "    ")
    elif not (one.attachments or (one.internal and one.subject)):
        yield Span("    (no text)", "dim")
    cut = len(one.text.strip().splitlines()) - len(folded.visible.strip().splitlines())
    if cut > 0 and not full:
        yield Span(f"    [{cut} line{'' if cut == 1 else 's'} folded: --full]", "dim")
    for file in one.attachments:
        yield Span(f"    [{file.id}] {text.one_line(file.name)} ({file.type}, {size(file.size)})", "dim")
    yield from envelopes(one, full)


def envelopes(one: Message, full: bool) -> Iterator[Line]:
    """What became of its mails: what did not arrive always, with what to do; of notifications only with --full."""
    for copy in one.deliveries:
        if copy.state in ("failed", "bounced") or (copy.state == "queued" and copy.attempts):
            state = "not delivered yet" if copy.state == "queued" else copy.state
            yield Span(f"    {ENVELOPE} {copy.to}: {state}: {copy.reason}", "failed")
            from crmmail.services.sending.advice import advice  # which reads all kinds of failure

            said = advice(copy)
            if said:
                yield f"       {said}"
        elif copy.state == "queued" and (full or copy.purpose == "mail"):
            yield Span(f"    ✉ {copy.to}: queued", "waiting")
        elif full or (copy.purpose == "mail" and copy.state != "sent"):
            yield Span(f"    ✉ {copy.to}: {copy.state}{f' ({copy.why})' if full and copy.why else ''}", "dim")
