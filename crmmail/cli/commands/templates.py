"""`crmmail templates`: mails of the shop's own, with places like {record.title}."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import click

from crmmail.cli.acts import UNDO
from crmmail.cli.command import noun
from crmmail.cli.line import Body, Line, Span
from crmmail.cli.options import RECORD, json_option, listing_options
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.core.typed import Any
from crmmail.errors import Refused, UsageError
from crmmail.services.automatic import templates
from crmmail.store.automatic.templates import Template

COLUMNS = (
    Column("name", "template"),
    Column("lang", "language"),
    Column("subject", "subject", flex=True),
)
LANG = click.option("--lang", metavar="CODE", help="The language, like ru; whoever reads that gets it.")
SUBJECT = click.option("--subject", "-s", metavar="TEXT", help="The subject, in which places can stand too.")
TEXT = click.option("-m", "--text", metavar="TEXT", help="The text.")
FILE = click.option("-f", "--file", metavar="FILE", help="The text is in this file; - is stdin.")


def shape(one: Template) -> dict[str, Any]:
    return {"id": one.id, "name": one.name, "lang": one.lang, "subject": one.subject, "text": one.text}


@noun(
    "templates",
    examples=(
        "crmmail templates",
        'crmmail templates add thanks --subject "{record.title}" -m "Dear {partner.name}, it is done. Thank you!"',
        'crmmail rules add "Thank you" --state-to done --mail thanks',
    ),
)
def templates_command() -> None:
    """Mails of the shop's own, which rules send.

    A place in braces becomes what it names: {record.id} {record.title} {record.kind} {record.state} {record.section}
    {record.category} {record.priority} {record.responsible} {record.deadline} {record.created}, {partner.name}
    {partner.email} {partner.company}, {user.name} {user.email} of the responsible, {shop.address} {today} {now}.
    """


@templates_command.command("list", examples=("crmmail templates list --json",))
@listing_options
@pass_session
def templates_list(session: Session) -> None:
    """All templates, each language a row."""
    rows = [shape(one) for one in templates.listing(session.workspace)]
    session.voice.listing(
        rows, COLUMNS, empty="No templates yet: crmmail templates add NAME --subject S -m TEXT", keys=("id",)
    )


@templates_command.command(
    "show", examples=("crmmail templates show thanks", "crmmail templates show thanks --lang ru --record 101")
)
@click.argument("name")
@LANG
@click.option("--record", type=RECORD, metavar="N", help="As a mail about this record.")
@json_option
@pass_session
def templates_show(session: Session, name: str, lang: str | None, record: int | None) -> None:
    """One template, or the mail that it becomes."""
    workspace = session.workspace
    this = templates.find(name, lang or "")
    mail = templates.written(workspace, name, record, lang or "") if record is not None else None
    data = {
        **shape(this),
        "record": record,
        "rendered_subject": mail.subject if mail else None,
        "rendered_text": mail.text if mail else None,
    }
    subject, text = (mail.subject, mail.text) if mail else (this.subject, this.text)
    session.voice.document(data, lambda: _lines(this, subject, text))


def _lines(this: Template, subject: str, text: str) -> Iterator[Line]:
    yield (Span(this.name, "title"), Span(f"  {this.lang}", "dim"))
    yield f"Subject: {subject}"
    yield ""
    yield Body(text.rstrip("\n"))


@templates_command.command(
    "add",
    examples=(
        'crmmail templates add thanks --subject "{record.title}" -m "Dear {partner.name}, it is done. Thank you!"',
        'crmmail templates add thanks --lang ru --subject "{record.title}" -f thanks.ru.txt',
    ),
)
@click.argument("name")
@SUBJECT
@LANG
@TEXT
@FILE
@pass_session
def templates_add(
    session: Session, name: str, subject: str | None, lang: str | None, text: str | None, file: str | None
) -> None:
    """Add a template, or a language to one (admin).

    The text comes with -m, with -f, or on stdin.
    """
    words = _words(text, file)
    if subject is None or words is None:
        raise UsageError("a template needs a subject (--subject) and a text (-m, -f or stdin)")
    one = templates.add(session.workspace, name, subject, words, lang or templates.ENGLISH)
    session.voice.say((f"template {one.name} ({one.lang}) added", Span(UNDO, "dim")))


@templates_command.command("set", examples=('crmmail templates set thanks --subject "Done: {record.title}"',))
@click.argument("name")
@SUBJECT
@LANG
@TEXT
@FILE
@pass_session
def templates_set(
    session: Session, name: str, subject: str | None, lang: str | None, text: str | None, file: str | None
) -> None:
    """Change a template (admin)."""
    words = _words(text, file) if subject is None or text is not None or file is not None else None
    one = templates.change(session.workspace, name, lang, subject=subject, words=words)
    session.voice.say((f"template {one.name} ({one.lang}) changed", Span(UNDO, "dim")))


@templates_command.command(
    "remove", examples=("crmmail templates remove thanks", "crmmail templates remove thanks --lang ru")
)
@click.argument("name")
@LANG
@pass_session
def templates_remove(session: Session, name: str, lang: str | None) -> None:
    """Remove a template, or one language of it (admin)."""
    gone = templates.remove(session.workspace, name, lang)
    listed = ", ".join(one.lang for one in gone)
    session.voice.say((f"template {gone[0].name} ({listed}) is gone", Span(UNDO, "dim")))


def _words(text: str | None, file: str | None) -> str | None:
    """The words that the command line gives or names, else those on stdin; None: nobody says any."""
    if text is not None and file is not None:
        raise UsageError("the text comes with -m or with -f, not with both")
    if text is not None:
        return text
    if file is None and sys.stdin.isatty():
        return None
    try:
        if file in (None, "-"):
            data = sys.stdin.buffer.read()
        else:
            with open(os.path.expanduser(file or ""), "rb") as opened:
                data = opened.read()
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise Refused(f"cannot read the text in {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Refused(f"the text in {file or 'stdin'} is not in UTF-8: iconv can change that") from None
