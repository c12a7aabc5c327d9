"""`crmmail doctor`: is all well?  Exit 1 where mail is lost or delayed now, or strangers can read it."""

from __future__ import annotations

import click

from crmmail.cli.command import command
from crmmail.cli.options import listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column, Row
from crmmail.services.keeping import doctor

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
    examples=(
        "crmmail doctor",
        "17 * * * * crmmail --db /srv/crm.db doctor --quiet",
        "crmmail doctor --strict --json",
    ),
)
@click.option("-q", "--quiet", is_flag=True, help="Only what is wrong now; nothing when all is well.")
@click.option("--strict", is_flag=True, help="Warnings count as what is wrong now.")
@listing_options
@pass_session
def doctor_command(session: Session, quiet: bool, strict: bool) -> int:
    """Look for trouble and say what to do.

    Deliveries that fail, the store, its permissions and its disk, addresses without a route, mailboxes used the wrong
    way, letters that wait.  Exit 0: all is well, or there are warnings only (!).  Exit 1: mail is lost or delayed now,
    or strangers can read it (✗); or, with --strict, there are warnings.  It answers also where the store cannot be
    opened.
    """
    found = doctor.examine(session.choice)
    wrong = [one for one in found if one.level == "fail" or (strict and one.level == "warn")]
    shown = wrong if quiet else found
    voice = session.voice
    if voice.form == "ids" and not voice.fields:
        voice.fields = ("check",)  # findings have no numbers
    if voice.terminal and voice.form in ("", "table") and not voice.fields:
        for one in shown:
            voice.say((f"{SIGNS[one.level]} ", f"{one.check}: {one.sentence}"))
            if one.advice:
                voice.say(f"    → {one.advice}")
    elif shown or not quiet or voice.form:
        voice.listing([one._asdict() for one in shown], COLUMNS, empty="All is well.")
    return int(bool(wrong))
