"""`crmmail deliver < mail`: the MDA with a voice, for first runs, scripts and questions."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from crmmail import mda
from crmmail.cli import shapes
from crmmail.cli.command import command
from crmmail.cli.line import Line, Span
from crmmail.cli.options import dry_run_option, json_option
from crmmail.cli.session import Session, pass_session
from crmmail.cli.streams import forget
from crmmail.errors import CrmmailError, UsageError
from crmmail.services.incoming import deliver
from crmmail.services.incoming.judge import Outcome
from crmmail.spool import Spool


@command(
    "deliver",
    examples=(
        "crmmail deliver < letter.eml",
        "crmmail deliver --dry-run --explain < letter.eml",
        "crmmail deliver --json --section support < letter.eml",
    ),
)
@click.option("--recipient", default="", metavar="ADDRESS", help="For whom it came, where the mail server knows.")
@click.option("--sender", metavar="ADDRESS", help="The envelope's sender; empty for bounces. Who wrote it, From says.")
@click.option("-s", "--section", metavar="CODE", help="Where a letter goes that no alias claims.")
@click.option("--mailbox", default="", metavar="ADDRESS", help="The mailbox it was fetched from.")
@click.option("--no-keep-original", is_flag=True, help="Do not keep the letter as it came, where it is filed.")
@click.option("--explain", is_flag=True, help="Say what was done with it, and why.")
@dry_run_option
@json_option
@pass_session
def deliver_command(
    session: Session,
    recipient: str,
    sender: str | None,
    section: str | None,
    mailbox: str,
    no_keep_original: bool,
    explain: bool,
    dry_run: bool,
) -> int:
    """Take a mail from stdin.

    Exit 0: it is in the store or in quarantine.  Exit 75: it is not, offer it again.  Mail servers call crmmail-mda,
    which does the same, faster and in silence.
    """
    if sys.stdin.isatty():
        raise UsageError("pipe a letter in: crmmail deliver < letter.eml")
    letter = Spool()
    while piece := sys.stdin.buffer.read(1 << 20):
        letter.write(piece)
    envelope = mda.envelope(
        recipients=mda.parted(recipient),
        sender=sender,
        section=section,
        mailbox=mailbox,
        keep_original=not no_keep_original,
    )
    try:
        outcomes = deliver.deliver(session.workspace, letter, envelope, dry_run=dry_run)
    except CrmmailError as error:
        session.voice.warn(mda.complaint(str(error)).removeprefix("crmmail-mda: "))
        return mda.LATER
    try:
        if session.voice.form:
            session.voice.documents([shapes.outcome(one) for one in outcomes])
        elif explain or dry_run or session.verbose or session.voice.terminal:
            session.voice.page(lines(outcomes, explain or session.verbose))
        sys.stdout.flush()
    except OSError:  # nobody reads it: the letter is ours all the same
        forget(sys.stdout)
    return mda.OK


def lines(outcomes: list[Outcome], evidence: bool) -> Iterator[Line]:
    for one in outcomes:
        where = f" in #{one.record}" if one.record else f" as letter {one.quarantine}" if one.quarantine else ""
        style = {"stored": "done", "duplicate": "dim", "ignored": "dim"}.get(one.outcome, "waiting")
        yield (Span(one.outcome, style), f"{where}: {one.sentence} ", Span(f"[{one.reason}]", "dim"))
        if evidence:
            for piece in one.evidence:
                yield Span(f"    {piece}", "dim")
