"""`crmmail new case|lead|contact`: a record by hand."""

from __future__ import annotations

from collections.abc import Callable

import click

from crmmail.cli.acts import said
from crmmail.cli.command import verb
from crmmail.cli.session import Session, pass_session
from crmmail.core.typed import Any
from crmmail.services.acts import records
from crmmail.services.acts.records import Done
from crmmail.services.keeping import people


@verb(
    "new",
    examples=('crmmail new case "Printer broken" --section support', 'crmmail new contact "Ann" --email ann@x.example'),
)
def new_command() -> None:
    """Make a record: case, lead or contact.

    You follow what you make.  It prints the new number.
    """


def about(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that cases and leads share."""
    for words in (
        ("--section", "CODE", "In this section."),
        ("--responsible", "LOGIN", "Who works on it; else the section's policy decides."),
        ("--email", "ADDRESS", "The customer's address."),
        ("--contacts", "N,N", "Who else takes part: numbers of contacts."),
        ("--priority", "1..5", "Or highest, high, normal, low, lowest."),
        ("--revenue", "AMOUNT", "Expected revenue."),
        ("--probability", "PERCENT", "Of that revenue."),
    ):
        function = click.option(words[0], metavar=words[1], help=words[2])(function)
    return click.option("--contact", "--partner", "partner", metavar="N", help="The customer: a contact's number.")(
        function
    )


def say_number(session: Session, done: Done) -> None:
    """A person reads who has it and until when, and what rules made of it; a program the number alone."""
    sentence = f"#{done.record} {done.title}" + (f": {done.given}" if done.given else "")
    for line in said(sentence, rules=done.rules) if session.voice.terminal else [str(done.record)]:
        session.voice.say(line)
    if done.note:
        session.voice.warn(done.note)


@new_command.command("case", examples=('crmmail new case "Printer broken" --section support --priority high',))
@click.argument("title")
@click.option("--category", metavar="NAME", help="A category of the section.")
@click.option("--deadline", metavar="DATE", help="Like `tomorrow 9:00` or +3d; 2026-12-24: all that day.")
@click.option("--cost", metavar="AMOUNT", help="Expected cost.")
@about
@pass_session
def new_case(session: Session, title: str, **values: str | None) -> None:
    """A new case."""
    given = {field: value for field, value in values.items() if value is not None}
    say_number(session, records.create(session.workspace, "case", title, given))


@new_command.command("lead", examples=('crmmail new lead "Wants an offer" --email ann@customer.example',))
@click.argument("title")
@about
@pass_session
def new_lead(session: Session, title: str, **values: str | None) -> None:
    """A new lead."""
    given = {field: value for field, value in values.items() if value is not None}
    say_number(session, records.create(session.workspace, "lead", title, given))


@new_command.command(
    "contact", examples=('crmmail new contact "Ann" --email ann@customer.example --company "Customer Ltd"',)
)
@click.argument("name")
@click.option("--email", "emails", multiple=True, metavar="ADDRESS", help="An address; say it again for more.")
@click.option("--company", default="", metavar="NAME", help="Where he works.")
@click.option("--category", default="", metavar="PATH", help="Like 'Support contract / Gold'.")
@click.option("--lang", default="", metavar="CODE", help="The language we write to him in.")
@pass_session
def new_contact(session: Session, name: str, emails: tuple[str, ...], company: str, category: str, lang: str) -> None:
    """A new contact."""
    saved = people.add_contact(session.workspace, name, emails=emails, company=company, category=category, lang=lang)
    say_number(session, Done(saved.contact.id, saved.contact.name, [], saved.note))
