"""`crmmail import`: the mail of years, out of files."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import click

from crmmail.cli.command import command
from crmmail.cli.line import Line
from crmmail.cli.options import FILE, dry_run_option, json_option
from crmmail.cli.session import Session, pass_session
from crmmail.core import address
from crmmail.errors import CrmmailError, UsageError
from crmmail.services.incoming import archive, importing
from crmmail.services.incoming.importing import Tally, Wanted

SHOWN = 5  # letters that could not be read, of which each has a line


@command(
    "import",
    examples=(
        "crmmail import archive.mbox --section support",
        "crmmail import ~/Maildir --section support --dry-run",
        "crmmail import old/*.eml",
        "zcat 2019.mbox.gz | crmmail import -",
    ),
)
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=FILE)
@click.option("-s", "--section", metavar="CODE", help="Where a letter goes that no alias claims.")
@click.option("--mailbox", default="", metavar="ADDRESS", help="The mailbox that they were fetched from.")
@click.option("--sent", is_flag=True, help="They are our own letters, as a folder named Sent says by itself.")
@click.option("--notify", is_flag=True, help="People get inbox items of them, as of mail that comes.")
@dry_run_option
@json_option
@pass_session
def import_command(
    session: Session,
    files: tuple[str, ...],
    section: str | None,
    mailbox: str,
    sent: bool,
    notify: bool,
    dry_run: bool,
) -> int:
    """Bring in mail: mbox, Maildir, single letters.

    FILE is an mbox (also .gz), a Maildir with its subfolders, a letter, a folder of *.eml files, or - for stdin.
    Each letter is judged like one that comes, but nothing is sent, no rule acts, and what it makes has its date.
    What is here already is skipped, so an import that was stopped goes on when it is started again.
    """
    if mailbox and not address.canonical(mailbox):
        raise UsageError(f"{mailbox!r} is no address")
    if "-" in files and sys.stdin.isatty():
        raise UsageError("pipe an mbox or a letter in: crmmail import - < archive.mbox")
    wanted = Wanted(section, address.canonical(mailbox), sent, notify)
    tally, began = Tally(), time.monotonic()
    importing.check(session.workspace, wanted, dry_run=dry_run)
    with archive.opened(files, sys.stdin.buffer) as found:
        left_out = {one.path: len(archive.scan([one])) for one in found if one.unwanted}
        places = archive.scan(one for one in found if not one.unwanted)
        with _steps(session, len(places), "Looking") as step:
            letters = archive.in_order(archive.look(places, session.now(), step))
        tally.removed = len(places) - len(letters)
        try:
            with (
                importing.rehearsal(session.workspace) if dry_run else nullcontext(session.workspace) as workspace,
                _steps(session, len(letters), "Rehearsing" if dry_run else "Importing") as step,
            ):
                importing.bring(workspace, letters, wanted, tally, step)
        except (KeyboardInterrupt, CrmmailError):  # what was committed stays
            if not dry_run:
                session.voice.warn(f"stopped: {_summary(tally, began)}; the same command goes on from there")
            raise
    if session.voice.form or session.voice.fields:
        session.voice.document(_shape(tally, left_out, began, dry_run), lambda: ())
    else:
        session.voice.say(_summary(tally, began))
    for line in _remarks(tally, left_out, wanted):
        session.voice.warn(line)
    return int(bool(tally.failed))


@contextmanager
def _steps(session: Session, total: int, label: str) -> Iterator[Callable[[int], None]]:
    """The voice's progress, many steps at a time."""
    with session.voice.progress(total, label) as step:

        def steps(count: int) -> None:
            for _ in range(count):
                step()

        yield steps


def _summary(tally: Tally, began: float) -> str:
    """`20,000 mails: 19,990 stored in 7,012 records, 8 duplicates, 2 in quarantine; 18 s`"""
    count = tally.outcomes
    stored, records = count["stored"], len(tally.records)
    parts = [f"{stored:,} stored in {records:,} record{'' if records == 1 else 's'}" if stored else "0 stored"]
    parts += [f"{count['duplicate']:,} duplicate{'' if count['duplicate'] == 1 else 's'}"] if count["duplicate"] else []
    parts += [f"{count['ignored']:,} of our own coming back"] if count["ignored"] else []
    parts += [f"{tally.waiting:,} in quarantine"] if tally.waiting else []
    parts += [f"{len(tally.gone):,} not read"] if tally.gone else []
    parts += [f"{len(tally.failed):,} not taken"] if tally.failed else []
    letters = tally.letters + len(tally.gone) + len(tally.failed)
    seconds = time.monotonic() - began
    return f"{letters:,} mail{'' if letters == 1 else 's'}: {', '.join(parts)}; {seconds:.0f} s"


def _remarks(tally: Tally, left_out: Mapping[str, int], wanted: Wanted) -> Iterator[Line]:
    """What there is to do about what was not stored."""
    if tally.waiting:
        named = ", ".join(f"{count:,} {reason}" for reason, count in tally.reasons.most_common())
        yield f"in quarantine: {named} (crmmail quarantine)"
    if tally.reasons["no-route"] and not wanted.section:
        yield (
            "no-route: they name no address that makes records; `crmmail quarantine list no-route -o ids | "
            "crmmail quarantine create - --section CODE` makes a case of each, and import --section would have"
        )
    if left_out:
        named = ", ".join(f"{path} ({count:,})" for path, count in left_out.items())
        yield f"left out: {named}; a folder that is named itself is imported"
    if tally.removed:
        yield f"left out: {tally.removed:,} that the mail program had removed"
    for sentences in (tally.gone, tally.failed):
        yield from sentences[:SHOWN]
        if len(sentences) > SHOWN:
            yield f"… and {len(sentences) - SHOWN:,} more like these"
    if tally.gone or tally.failed:
        yield "run the same command again for what was not read or taken; what is here is skipped"


def _shape(tally: Tally, left_out: Mapping[str, int], began: float, dry_run: bool) -> dict[str, Any]:
    count = tally.outcomes
    return {
        "mails": tally.letters + len(tally.gone) + len(tally.failed),
        "stored": count["stored"],
        "records": len(tally.records),
        "created": tally.created,
        "duplicates": count["duplicate"],
        "ignored": count["ignored"],
        "quarantined": tally.waiting,
        "reasons": dict(tally.reasons.most_common()),
        "not_read": tally.gone,
        "not_taken": tally.failed,
        "removed": tally.removed,
        "left_out": [{"folder": path, "mails": count} for path, count in left_out.items()],
        "seconds": round(time.monotonic() - began, 1),
        "dry_run": dry_run,
    }
