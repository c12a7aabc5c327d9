"""`crmmail doctor`: is all well?  Exit 1 where mail is lost or delayed now."""

from __future__ import annotations

import click

from crmmail.cli.command import command
from crmmail.cli.options import listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column, Row
from crmmail.services import doctor

SIGNS = {"ok": "✓", "warn": "!", "fail": "✗"}

COLUMNS = (
    Column("level", "", lambda row: SIGNS[row["level"]], style=lambda row: _style(row)),
    Column("check", "check"),
    Column("sentence", "what", flex=True),
    Column("advice", "what to do", flex=True),
)


def _style(row: Row) -> str:
    return {"ok": "done", "warn": "waiting", "fail": "failed"}[row["level"]]


@command(
    "doctor",
    examples=("crmmail doctor", "crmmail doctor --quiet || mail -s 'crmmail needs you' root", "crmmail doctor --json"),
)
@click.option("-q", "--quiet", is_flag=True, help="Only what is wrong now; nothing when all is well.")
@listing_options
@pass_session
def doctor_command(session: Session, quiet: bool) -> int:
    """Look for trouble and say what to do.

    The store, its permissions, addresses without a route, mailboxes used the wrong way, letters that wait.
    """
    found = doctor.examine(session.open(check=False))
    shown = [one for one in found if one.level == "fail"] if quiet else found
    voice = session.voice
    if voice.terminal and voice.form in ("", "table") and not voice.fields:
        for one in shown:
            voice.say((f"{SIGNS[one.level]} ", f"{one.check}: {one.sentence}"))
            if one.advice:
                voice.say(f"    → {one.advice}")
    elif shown or not quiet:
        voice.listing([one._asdict() for one in shown], COLUMNS, empty="All is well.")
    return int(any(one.level == "fail" for one in found))
