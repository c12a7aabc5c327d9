"""`crmmail drafts`: letters that I began and did not send; `--resume` of the verb goes on with one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click

from crmmail.cli.command import noun
from crmmail.cli.line import Body, Line, Span
from crmmail.cli.options import json_option, listing_options, yes_option
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column, Row
from crmmail.core import when
from crmmail.core.typed import Any
from crmmail.errors import Refused
from crmmail.services.acts import drafts
from crmmail.services.acts.drafts import Kept

FIRST = 200  # letters of the words that a listing has


def _words(row: Row) -> str:
    """The words of a draft, or why there are none: the path that the sentence begins with would fill the column."""
    return str(row["error"] or row["text"]).removeprefix(f"{row['path']}: ")


COLUMNS = (
    Column("id", "draft"),
    Column("record", "record", lambda row: f"#{row['record']}" if row["record"] else "", justify="right"),
    Column("verb", "verb"),
    Column("to", "to", width=26),
    Column("subject", "subject", width=30),
    Column("text", "words", _words, style=lambda row: "failed" if row["error"] else "", flex=True),
    Column("updated", "when", justify="right"),
    Column("path", "file"),
    Column("error", "error"),
)
ON_SCREEN = tuple(one for one in COLUMNS if one.key not in ("path", "error"))


@noun("drafts", examples=("crmmail drafts", "crmmail drafts --json", "crmmail drafts show 1"))
def drafts_command() -> None:
    """Letters that you began."""


@drafts_command.command("list", examples=("crmmail drafts list", "crmmail drafts list -o tsv --fields path"))
@listing_options
@pass_session
def drafts_list(session: Session) -> None:
    """Your drafts, newest first."""
    found = [listed(number, one) for number, one in enumerate(drafts.listing(session.workspace), 1)]
    voice = session.voice
    columns = ON_SCREEN if voice.terminal and voice.form in ("", "table") else COLUMNS
    keys = ("id", "record", "verb", "to", "subject", "text", "path", "updated", "error")
    voice.listing(found, columns, empty="No drafts.", keys=keys)


@drafts_command.command("show", examples=("crmmail drafts show 1", "crmmail drafts show 101-reply-20261124-100000.txt"))
@click.argument("draft", metavar="N|PATH")
@json_option
@pass_session
def drafts_show(session: Session, draft: str) -> None:
    """One draft: the place of its file, and its words."""
    one = drafts.find(session.workspace, draft)
    if one.error:
        raise Refused(f"{one.error}; mend it with your editor")
    session.voice.document(shown(session, one), lambda: lines(session, one))


@drafts_command.command("remove", examples=("crmmail drafts remove 1", "crmmail drafts remove 1 2 3 --yes"))
@click.argument("names", metavar="N|PATH…", nargs=-1, required=True)
@yes_option
@pass_session
def drafts_remove(session: Session, names: tuple[str, ...], yes: bool) -> int:
    """Remove drafts for good; undo cannot bring them back."""
    # All are looked up before the first goes, for then the numbers of the others change.
    paths = list(dict.fromkeys(drafts.find(session.workspace, name).path for name in names))
    what = ", ".join(os.path.basename(path) for path in paths)
    if not session.voice.confirm(f"Remove {what} for good?", yes):
        return 1
    for path in paths:
        drafts.remove(path, session.workspace.environ)
        session.voice.say(f"{path} removed")
    return 0


def listed(number: int | None, one: Kept) -> dict[str, Any]:
    """A row of `drafts`; `number` is its position."""
    return {
        "id": number,
        "record": one.draft.record,
        "verb": one.draft.verb or None,
        "to": list(one.draft.to),
        "subject": one.draft.subject,
        "text": one.draft.text[:FIRST],
        "path": one.path,
        "updated": one.updated,
        "error": one.error or None,
    }


def shown(session: Session, one: Kept) -> dict[str, Any]:
    """What `drafts show` prints: the row with its whole words, and the rest of the header."""
    paths = [other.path for other in drafts.listing(session.workspace)]
    return {
        **listed(paths.index(one.path) + 1 if one.path in paths else None, one),
        "text": one.draft.text,
        "message": one.draft.message,
        "cc": list(one.draft.cc),
        "bcc": list(one.draft.bcc),
        "attach": list(one.draft.attach),
        "then": one.draft.then or None,
    }


def lines(session: Session, one: Kept) -> Iterator[Line]:
    draft = one.draft
    record = f" · #{draft.record}" if draft.record else ""
    yield (Span(f"{draft.verb or 'draft'}{record}", "title"), Span(f"   {ago(session, one)}", "dim"))
    for name, words in (
        ("To", ", ".join(draft.to)),
        ("Cc", ", ".join(draft.cc)),
        ("Bcc", ", ".join(draft.bcc)),
        ("Subject", draft.subject),
        *(("Attach", path) for path in draft.attach),
        ("Then", draft.then),
        ("File", one.path),
    ):
        if words:
            yield f"{name}: {words}"
    yield ""
    yield Body(draft.text or "(no words yet)", "", "    ")


def ago(session: Session, one: Kept) -> str:
    return when.ago(one.updated, session.workspace.now().astimezone())
