"""`crmmail why` and `why-not`: no guessing."""

from __future__ import annotations

from collections.abc import Iterator

import click

from crmmail.cli.command import command
from crmmail.cli.line import Line, Span
from crmmail.cli.options import NUMBER, json_option
from crmmail.cli.session import Session, pass_session
from crmmail.core import when
from crmmail.services.desk import explain
from crmmail.store.letters.mails import Verdict


@command("why", examples=("crmmail why 45", "crmmail why --quarantine 3", "crmmail why 45 --json"))
@click.argument("message", type=NUMBER, required=False)
@click.option("--quarantine", type=NUMBER, metavar="LETTER", help="Why that letter is in quarantine.")
@json_option
@pass_session
def why_command(session: Session, message: int | None, quarantine: int | None) -> None:
    """Why a message went where it went.

    And who was told of it, and why.  It reads what was decided and written down; nothing is judged anew.
    """
    if (message is None) == (quarantine is None):
        raise click.UsageError("name a message, or --quarantine and a letter")
    found = explain.why(session.workspace, message=message, quarantine=quarantine)
    rows = [
        {
            "at": one.at,
            "outcome": one.outcome,
            "reason": one.reason,
            "sentence": one.sentence,
            "recipient": one.recipient or None,
            "record": one.thread,
            "message": one.message,
            "quarantine": one.quarantine,
            "created": one.created,
            "evidence": one.evidence,
        }
        for one in found
    ]
    told = explain.told(session.workspace, message) if message is not None else []
    rule = explain.by_rule(message) if message is not None else ""
    session.voice.document(
        {
            "message": message,
            "quarantine": quarantine,
            "decisions": rows,
            "told": [one._asdict() for one in told],
            "rule": rule or None,
        },
        lambda: lines(found, told, rule),
    )


def lines(found: list[Verdict], told: list[explain.Told], rule: str) -> Iterator[Line]:
    if rule:
        yield f"{rule}: crmmail rules explain tells more"
    for one in found:
        where = f" #{one.thread}" if one.thread else f" letter {one.quarantine}" if one.quarantine else ""
        code = Span(f" [{one.reason}]", "dim")
        yield (Span(f"{when.iso(one.at)}  ", "dim"), Span(f"{one.outcome}{where}", "title"), f": {one.sentence}", code)
        if one.recipient:
            yield Span(f"    by {one.recipient}", "dim")
        for piece in one.evidence:
            yield f"    {piece}"
    for hearer in told:
        yield (Span("told: ", "dim"), hearer.who, Span(f" ({hearer.why}) by {hearer.by}, {hearer.state}", "dim"))
    if not (found or told or rule):
        yield "It was written here, and nobody was told."


@command("why-not", examples=("crmmail why-not 45 --user bob",))
@click.argument("message", type=NUMBER)
@click.option("--user", required=True, metavar="LOGIN", help="Who was, or was not, told.")
@json_option
@pass_session
def why_not_command(session: Session, message: int, user: str) -> None:
    """Why a user was not told of a message.

    Three things must hold: the message is in the thread, he follows its kind, and he is not its author.
    """
    found = explain.why_not(session.workspace, message, user)
    session.voice.document(
        {"message": message, "user": user, "reasons": [one._asdict() for one in found]},
        lambda: (f"{'✓' if one.holds else '✗'} {one.sentence}" for one in found),
    )
