"""`crmmail outbox`: mail that waits to leave, and what became of what left."""

from __future__ import annotations

from collections.abc import Sequence

import click

from crmmail.cli import shapes
from crmmail.cli.acts import UNDO
from crmmail.cli.command import noun
from crmmail.cli.line import Body, Line, Span
from crmmail.cli.options import NUMBER, dry_run_option, ids_argument, json_option, listing_options, paged
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column, Row
from crmmail.core import when
from crmmail.core.typed import TYPE_CHECKING
from crmmail.errors import Refused
from crmmail.services.sending import outbox
from crmmail.services.sending.outbox import Delivery, Preview

if TYPE_CHECKING:
    from crmmail.services.sending.claims import Result

NO_WAY_OUT = "no mail server is set, so mail waits: crmmail config set smtp.url smtp://host:port"

COLUMNS = (
    Column("id", "#"),
    Column("message", "message"),
    Column("record", "record", lambda row: f"#{row['record']}", justify="right"),
    Column("to", "to", width=34),
    Column("state", "state", style=lambda row: "failed" if row["state"] in ("failed", "bounced") else "waiting"),
    Column("attempts", "tries"),
    Column("reason", "reason", width=30),
    Column("subject", "subject", flex=True),
)
# On a screen there is no room for all; of a mail in trouble the reason is what matters.
ON_SCREEN = (
    Column("id", "mail"),
    Column("record", "record", lambda row: f"#{row['record']}", justify="right"),
    Column("to", "to", width=26),
    COLUMNS[4],
    Column("attempts", "tries"),
    Column("due", "next", lambda row: row["due"] if row["attempts"] else None),
    Column("subject", "reason or subject", lambda row: _why(row), flex=True),
)
KEYS = ("id", "message", "record", "to", "state", "attempts", "reason", "subject", "purpose", "due", "sent", "advice")


def _why(row: Row) -> str:
    """The server's words, without the address that stands beside them already; else the subject."""
    return (row["reason"] or row["subject"]).replace(f"<{row['to']}>: ", "")


@noun("outbox", examples=("crmmail outbox", "crmmail outbox show 3", "crmmail outbox retry"))
def outbox_command() -> None:
    """Mail that waits to be sent, or failed."""


@outbox_command.command("list", examples=("crmmail outbox list --all",))
@click.option("--all", "everything", is_flag=True, help="Also what was sent.")
@paged("MAIL")
@listing_options
@pass_session
def outbox_list(session: Session, everything: bool, limit: int | None, before: int | None) -> None:
    """One line a recipient, the newest last."""
    voice = session.voice
    coming = outbox.listing(session.workspace, everything=everything, limit=limit or voice.screenful, before=before)
    if not voice.screenful:
        return voice.listing(map(shapes.outgoing, coming), COLUMNS, keys=KEYS)
    found = [shapes.outgoing(one) for one in coming]
    voice.listing(found, ON_SCREEN, empty="Nothing waits to be sent.", keys=KEYS)
    if found:
        voice.further(len(found), limit, found[0]["id"])
        voice.say(Span("crmmail outbox show N · retry N · cancel N · send", "dim"))


@outbox_command.command("show", examples=("crmmail outbox show 3", "crmmail outbox show 3 --raw"))
@click.argument("mail", type=NUMBER)
@click.option("--raw", is_flag=True, help="The mail exactly as it leaves.")
@json_option
@pass_session
def outbox_show(session: Session, mail: int, raw: bool) -> None:
    """One mail, as it will read."""
    if raw:
        return session.voice.raw(outbox.raw(session.workspace, mail))
    found = outbox.preview(session.workspace, mail)
    session.voice.document(
        {
            **shapes.outgoing(found.delivery),
            "rendered_subject": found.letter.subject if found.letter else None,
            "text": found.letter.text if found.letter else None,
            "broken": found.broken or None,
        },
        lambda: _lines(found, session),
    )


def _lines(found: Preview, session: Session) -> list[Line]:
    copy, letter = found.delivery, found.letter
    lines: list[Line] = [_state(copy, session)]
    if copy.reason:
        lines.append(Span(f"  {copy.reason}", "failed"))
    said = outbox.advice(copy)
    if said:
        lines.append(f"  {said}")
    if letter is None:
        return [*lines, Span(f"It cannot be made: {found.broken}", "failed")]
    for title, people in (("From", (letter.sender,)), ("To", letter.to), ("Cc", letter.cc)):
        shown = ", ".join(f"{one.name} <{one.address}>" if one.name else one.address for one in people)
        lines += [f"{title}: {shown}"] if shown else []
    lines += [f"Reply-To: {letter.reply_to.address}"] if letter.reply_to else []
    lines += [Span(f"Subject: {letter.subject}", "title"), "", Body(letter.text)]
    return [*lines, *(Span(f"[{one.name} ({one.type})]", "dim") for one in letter.files)]


def _state(copy: Delivery, session: Session) -> Line:
    style = "failed" if copy.state in ("failed", "bounced") else "waiting" if copy.state == "queued" else "done"
    tries = f", {copy.attempts} {'try' if copy.attempts == 1 else 'tries'}" if copy.attempts else ""
    now = session.now()
    due = f", next {when.ago(copy.due, now.astimezone())}" if copy.state == "queued" and copy.attempts else ""
    return (f"mail {copy.id} to {copy.to}: ", Span(f"{copy.state}{tries}{due}", style))


@outbox_command.command("send", examples=("crmmail outbox send", "crmmail outbox send --dry-run"))
@dry_run_option
@pass_session
def outbox_send(session: Session, dry_run: bool) -> int:
    """Send what is due now."""
    workspace = session.workspace
    if dry_run:
        now = workspace.now()
        for copy in outbox.listing(workspace):
            if copy.state == "queued" and copy.due <= now:
                session.voice.say(f"would send mail {copy.id} to {copy.to}: {copy.subject}")
        return 0
    from crmmail.services.sending import send  # which a listing has no use for

    if not send.way_out(workspace):
        raise Refused(NO_WAY_OUT)
    results = send_now(session)
    sent = sum(one.state == "sent" for one in results)
    if sent or not results:
        session.voice.say(f"{sent} sent" if results else "nothing is due")
    report(session, results)
    return int(any(one.state == "failed" for one in results))


def send_now(session: Session, numbers: Sequence[int] | None = None) -> list[Result]:
    """One pass, with a bar where it takes long."""
    from crmmail.services.sending import send  # as above

    workspace = session.workspace
    with session.voice.progress(send.due(workspace, numbers), "Sending") as step:
        return send.send(workspace, numbers=numbers, step=step)


def report(session: Session, results: Sequence[Result]) -> None:
    """What did not leave, a line each on stderr; of a shut door one line says it all."""
    for one in results:
        if one.failure is None:
            continue
        what = "not sent" if one.state == "failed" else "still waits"
        words = f"mail {one.delivery.id} to {one.delivery.to} {what}: {one.failure.words}. {one.advice}"
        session.voice.warn(words)


@outbox_command.command("retry", examples=("crmmail outbox retry", "crmmail outbox retry 3 4"))
@ids_argument("mails", metavar="MAIL…", kind=NUMBER, required=False)
@pass_session
def outbox_retry(session: Session, mails: tuple[int, ...] | None) -> None:
    """Make failed and waiting mails due now.

    `crmmail outbox send`, or the next `crmmail tick`, sends them, under the Message-IDs that they had.
    """
    changed = outbox.retry(session.workspace, mails)
    for copy in changed:
        session.voice.say((f"mail {copy.id} to {copy.to}: due now", Span("   (crmmail outbox send)", "dim")))
    if not changed:
        session.voice.say(Span("Nothing waits to be sent.", "dim"))


@outbox_command.command("cancel", examples=("crmmail outbox cancel 3",))
@ids_argument("mails", metavar="MAIL…", kind=NUMBER)
@pass_session
def outbox_cancel(session: Session, mails: tuple[int, ...]) -> None:
    """Do not send what has not left; put away what failed or came back."""
    for copy in outbox.cancel(session.workspace, mails):
        session.voice.say((f"mail {copy.id} to {copy.to}: will not be sent", Span(UNDO, "dim")))
