"""`crmmail` alone: a screenful, and instant, for it is where the day starts."""

from __future__ import annotations

from collections.abc import Iterator

from crmmail.cli.command import command
from crmmail.cli.commands.inbox import headline
from crmmail.cli.line import STARRED, UNREAD, Line, Span
from crmmail.cli.options import json_option
from crmmail.cli.session import Session, pass_session
from crmmail.services.desk import inbox


@command("summary", examples=("crmmail", "crmmail --json"), hidden=True)
@json_option
@pass_session
def summary_command(session: Session) -> None:
    """A screenful: unread, starred, due and late."""
    found = inbox.summary(session.workspace)
    counts = {key: value for key, value in found._asdict().items() if key != "newest"}
    counts["failing"] = found.failing or None
    session.voice.document(counts, lambda: lines(session, found))


def lines(session: Session, found: inbox.Summary) -> Iterator[Line]:
    if found.failing:
        yield (Span(f"! {found.failing}", "failed"), Span("   crmmail doctor", "dim"))
    yield (
        Span(f"{UNREAD} {found.unread} unread", "unread" if found.unread else "dim"),
        "   ",
        Span(f"{STARRED} {found.starred} starred", "starred" if found.starred else "dim"),
        f"   {found.mine} mine   {found.unassigned} unassigned   ",
        Span(f"{found.late} late", "overdue" if found.late else "dim"),
        "   ",
        Span(f"{found.today} due today", "waiting" if found.today else "dim"),
    )
    if found.activities:
        yield (Span(f"! {found.activities} to do until tonight", "waiting"), Span("   crmmail agenda", "dim"))
    if found.newest:
        yield ""
        for one in found.newest:
            yield headline(session, one)
        if found.unread > len(found.newest):
            yield Span(f"  … and {found.unread - len(found.newest)} more: crmmail inbox", "dim")
    elif not found.unread:
        yield "Inbox is empty. Well done!"
    others = found.quarantine
    everything = others + found.unconfirmed if others else 0  # as `crmmail quarantine` lists them
    with_them = f", {found.unconfirmed} of them unconfirmed" if found.unconfirmed else ""
    for count, words, what in (
        (found.unconfirmed, ("unconfirmed answer", "unconfirmed answers"), "crmmail unconfirmed"),
        (everything, ("letter in quarantine", f"letters in quarantine{with_them}"), "crmmail quarantine"),
        (found.failed_mail, ("mail could not be delivered", "mails could not be delivered"), "crmmail outbox"),
        (found.waiting_mail, ("mail waits to be sent", "mails wait to be sent"), "crmmail outbox"),
    ):
        if count:
            yield (Span(f"! {count} {words[count != 1]}", "waiting"), Span(f"   {what}", "dim"))
