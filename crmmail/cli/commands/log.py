"""`crmmail log`: what was done, by whom, when (F15); and what happened beside the mail: calls, visits (F16)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import click

from crmmail import log
from crmmail.cli.acts import UNDO
from crmmail.cli.command import noun
from crmmail.cli.line import Span
from crmmail.cli.options import COUNT, NUMBER, RECORD, listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.config import log_file
from crmmail.core.letter import File
from crmmail.core.typed import Any
from crmmail.errors import UsageError
from crmmail.services.acts import calls
from crmmail.services.acts.calls import Logged
from crmmail.services.desk import explain
from crmmail.store.work import records

COLUMNS = (
    Column("at", "when", justify="right"),
    Column("login", "who", lambda row: row["login"] or "crmmail", width=14),
    Column("os_login", "as", width=10),
    Column("act", "act", drop=2),
    Column("sentence", "what", flex=True, wraps=True),
    Column("undone", "", lambda row: "undone" if row["undone"] else ""),
)
KEYS = ("id", "at", "login", "os_login", "act", "sentence", "record", "undone")


@noun("log", examples=("crmmail log 101", "crmmail log --limit 20", "crmmail log call 101 --result answered"))
def log_command() -> None:
    """What was done, by whom, when.

    A number alone is a record, whose journal it shows; `call` and `event` note what happened beside the mail.
    """


@log_command.command("list", examples=("crmmail log list 101", "crmmail log list --file"))
@click.argument("record", type=RECORD, required=False)
@click.option("--limit", type=COUNT, default=50, metavar="N", show_default=True, help="The newest N.")
@click.option("--before", type=NUMBER, metavar="ACT", help="Only what is older than this act (--json has its number).")
@click.option("--file", "from_file", is_flag=True, help="The log file of the deliveries instead.")
@listing_options
@pass_session
def log_list(session: Session, record: int | None, limit: int, before: int | None, from_file: bool) -> None:
    """What was done, by whom, when.

    The journal of one record, or of everything; with --file the last lines of the log that deliveries write.
    """
    workspace = session.workspace
    if from_file:
        path = log_file(workspace.config, workspace.environ)
        found = log.tail(path, limit)
        if session.voice.form or session.voice.fields:
            session.voice.listing([{"line": one} for one in found], [Column("line")], keys=("line",))
        else:
            session.voice.page(found or [f"{path} is empty"])
        return
    rows = (
        {
            "id": one.id,
            "at": one.at,
            "login": one.login or None,
            "os_login": one.os_login or None,
            "act": one.act,
            "sentence": one.sentence,
            "record": one.thread,
            "undone": one.undone,
        }
        for one in explain.history(workspace, record, limit, before)
    )
    about = f"#{record} {records.record(record).title}: " if record is not None else ""
    session.voice.listing(rows, _columns(about), empty="Nothing was done yet.", keys=KEYS)


def _columns(before: str) -> list[Column]:
    """Of one record without its number and title, which stand before everything that was done to it."""
    without = lambda row: row["sentence"].removeprefix(before)  # noqa: E731
    return [replace(one, show=without) if one.key == "sentence" else one for one in COLUMNS]


def said(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options for the words, and for the files that go with them."""
    for decorate in (
        click.option("--file", "files", multiple=True, metavar="FILE", help="A recording, a picture; several."),
        click.option("-f", "source", metavar="FILE", help="The words are in FILE; - is stdin."),
        click.option("-m", "--text", "words", multiple=True, metavar="TEXT", help="The words; again: a new paragraph."),
    ):
        function = decorate(function)
    return function


@log_command.command(
    "call",
    examples=(
        'crmmail log call 101 --result answered --duration 5m -m "She will send the serial number."',
        "crmmail log call 101 --result missed --with 12",
        "crmmail log call 101 --result answered --file call.mp3",
    ),
)
@click.argument("record", type=RECORD)
@click.option("--result", type=click.Choice(calls.RESULTS), required=True, help="How it ended.")
@click.option("--duration", default="", metavar="TIME", help="How long it took, like 5m or 1h10m.")
@click.option("--with", "contact", type=RECORD, metavar="CONTACT", help="With whom: a contact's number.")
@said
@pass_session
def log_call(
    session: Session,
    record: int,
    result: str,
    duration: str,
    contact: int | None,
    words: tuple[str, ...],
    source: str | None,
    files: tuple[str, ...],
) -> None:
    """Note a call.

    It stands in the conversation, its followers here hear of it, and it never leaves.
    """
    logged = calls.call(
        session.workspace,
        record,
        result=result,
        words=_words(words, source),
        files=_files(session, files),
        duration=duration,
        contact=contact,
    )
    _say(session, logged)


@log_command.command("event", examples=('crmmail log event 101 --what "Visit" -m "The new cable is laid."',))
@click.argument("record", type=RECORD)
@click.option("--what", required=True, metavar="TEXT", help="What happened.")
@said
@pass_session
def log_event(
    session: Session, record: int, what: str, words: tuple[str, ...], source: str | None, files: tuple[str, ...]
) -> None:
    """Note something that happened.

    Like a call it stands in the conversation, and never leaves.
    """
    logged = calls.event(session.workspace, record, what, words=_words(words, source), files=_files(session, files))
    _say(session, logged)


def _words(words: tuple[str, ...], source: str | None) -> str:
    """What was said; nothing need be."""
    if words and source is not None:
        raise UsageError("the words come with -m or with -f, not with both")
    from crmmail.cli import compose  # which the journal has no use for

    return compose.given(words, source) or ""


def _files(session: Session, paths: tuple[str, ...]) -> list[File]:
    from crmmail.services.sending import attach  # as above

    return [attach.from_disk(session.workspace, path) for path in paths]


def _say(session: Session, logged: Logged) -> None:
    session.voice.say((f"{logged.sentence} · message {logged.message}", Span(UNDO, "dim")))
