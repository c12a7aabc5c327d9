"""`crmmail export`: letters as an mbox or a Maildir, records as JSON."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import click

from crmmail.cli import shapes
from crmmail.cli.command import command
from crmmail.cli.session import Session, pass_session
from crmmail.core import query
from crmmail.core.query import Query
from crmmail.errors import Refused, UsageError
from crmmail.services.desk import exporting
from crmmail.services.desk.exporting import Exported
from crmmail.services.shared import fields

_NUMBERS = re.compile(r"#?[0-9]{1,18}", re.ASCII)


@command(
    "export",
    examples=(
        "crmmail export --mbox all.mbox",
        "crmmail export --maildir support section:support after:2026-01-01",
        "crmmail export --mbox - 101 102 | gzip > two.mbox.gz",
        "crmmail export --json kind:lead > leads.jsonl",
    ),
)
@click.argument("words", nargs=-1, metavar="[RECORD…|QUERY…]")
@click.option("--mbox", metavar="FILE", help="Their letters in one file; - is stdout.")
@click.option("--maildir", metavar="DIR", help="Their letters as a Maildir, which is made.")
@click.option("--json", "as_json", is_flag=True, help="All that `show --json` has of each, a line a record.")
@click.option("--quarantine", is_flag=True, help="With all records: what waits in quarantine, too.")
@pass_session
def export_command(
    session: Session, words: tuple[str, ...], mbox: str | None, maildir: str | None, as_json: bool, quarantine: bool
) -> int:
    """Write records out: mbox, Maildir, JSON.

    Named are records by their numbers, or by a query as `list` takes it; nothing named is all of them.
    Letters that came are written exactly as they came; ours as they left.  Notes are in the JSON only.
    `crmmail import` reads an mbox or a Maildir back.
    """
    if sum((mbox is not None, maildir is not None, as_json)) != 1:
        raise UsageError("say one of --mbox FILE, --maildir DIR and --json")
    if as_json and quarantine:
        raise UsageError("--quarantine is about letters: say --mbox FILE or --maildir DIR with it")
    if words and quarantine:
        raise UsageError("a letter in quarantine is no record's: say --quarantine without records or a query")
    if mbox == "-" and session.voice.terminal:
        raise UsageError("a mailbox is nothing for a terminal: name a file, or a program behind | that reads it")
    numbers = exporting.chosen(session.workspace, *_wanted(session, words))
    if as_json:
        session.voice.form = "jsonl"
        for view in exporting.views(session.workspace, numbers):
            session.voice.documents([shapes.shown(view)])
        return 0
    if words and not numbers:
        raise Refused("no record fits, so nothing was written")
    troubles: list[str] = []
    try:
        with session.voice.progress(len(numbers), "Exporting") as step:

            def found() -> Iterator[Exported]:
                yield from exporting.letters(session.workspace, numbers, troubles, step)
                if quarantine:
                    yield from exporting.held(troubles)

            if maildir is not None:
                written, where = exporting.write_maildir(maildir, found()), maildir
            else:
                out = sys.stdout.buffer if mbox == "-" else None
                written, where = exporting.write_mbox(str(mbox), found(), out), str(mbox)
    finally:
        for sentence in troubles:
            session.voice.warn(f"not written: {sentence}")
    if where != "-":
        besides = f", {written.held:,} from quarantine" if quarantine else ""
        session.voice.say(
            f"{where}: {_counted(written.letters, 'letter')} of {_counted(len(numbers), 'record')}{besides}"
        )
    waiting = 0 if words or quarantine else exporting.waiting()
    if waiting:
        session.voice.warn(f"{_counted(waiting, 'letter')} in quarantine: not in it; --quarantine takes them in")
    return int(bool(troubles))


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _wanted(session: Session, words: tuple[str, ...]) -> tuple[Query, list[int]]:
    """What the words say: numbers of records, or a query."""
    if words and all(_NUMBERS.fullmatch(one) for one in words):
        return Query(), list(dict.fromkeys(int(one.removeprefix("#")) for one in words))
    return query.parse(words, lambda said: fields.moment(session.workspace, said)), []
