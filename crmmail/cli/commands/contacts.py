"""`crmmail contacts`: the people who write to us."""

from __future__ import annotations

from collections.abc import Mapping

import click

from crmmail.cli.command import noun
from crmmail.cli.commands.show import show_command
from crmmail.cli.options import NUMBER, RECORD, json_option, listing_options, paged
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.core.typed import Any
from crmmail.services.keeping import people
from crmmail.store.letters import outbox
from crmmail.store.people import directory

COLUMNS = (
    Column("id", "#"),
    Column("name", "name", flex=True),
    Column("company", "company", width=24),
    Column("category", "category", width=26),
    Column("lang", "lang"),
    Column("addresses", "addresses", lambda row: ", ".join(_marked(row)), flex=True),
)


@noun("contacts", examples=("crmmail contacts", 'crmmail contacts add "Ann" --email ann@customer.example'))
def contacts_command() -> None:
    """The people who write to us."""


@contacts_command.command("list", examples=("crmmail contacts list --json", "crmmail contacts list ann"))
@click.argument("words", nargs=-1, metavar="[WORD]…")
@paged("CONTACT")
@listing_options
@pass_session
def contacts_list(session: Session, words: tuple[str, ...], limit: int | None, before: int | None) -> None:
    """All contacts, or those in which all the words occur, by name."""
    voice = session.voice
    found = people.contacts(session.workspace, words, limit=limit or voice.screenful, before=before)
    bad = outbox.bad(address for one in found for address in one.addresses)
    rows = (
        {
            **one._asdict(),
            "company": one.company or None,
            "category": one.category or None,
            "lang": one.lang or None,
            "bad_addresses": [
                {"address": address, "reason": bad[address][1]} for address in one.addresses if address in bad
            ],
        }
        for one in found
    )
    voice.listing(rows, COLUMNS, empty="No contacts: crmmail contacts add NAME --email ADDRESS", keys=KEYS)
    if found:
        voice.further(len(found), limit, min(one.id for one in found), which="newest")


KEYS = ("id", "name", "company", "category", "lang", "addresses", "bad_addresses")


def _marked(row: Mapping[str, Any]) -> list[str]:
    """His addresses; behind those from which mail came back it says so."""
    bad = {one["address"] for one in row["bad_addresses"]}
    return [f"{one} (came back)" if one in bad else one for one in row["addresses"]]


@contacts_command.command("show", examples=("crmmail contacts show 12",))
@click.argument("contact", type=RECORD)
@json_option
@pass_session
@click.pass_context
def contacts_show(context: click.Context, session: Session, contact: int) -> None:
    """A contact, with its conversation."""
    session.open()
    directory.contact(contact)
    context.invoke(show_command, record=contact)


@contacts_command.command(
    "add",
    examples=(
        'crmmail contacts add "Ann" --email ann@customer.example --company "Customer Ltd"',
        "crmmail contacts add --from 45       # save the sender of a message",
    ),
)
@click.argument("name", required=False, default="")
@click.option("--email", "emails", multiple=True, metavar="ADDRESS", help="An address; say it again for more.")
@click.option("--company", default="", metavar="NAME", help="Where he works; colleagues may answer for him.")
@click.option("--category", default="", metavar="PATH", help="Like 'Support contract / Gold'; made on first use.")
@click.option("--lang", default="", metavar="CODE", help="The language we write to him in.")
@click.option("--from", "from_message", type=NUMBER, metavar="MSG", help="Save the sender of this message.")
@pass_session
def contacts_add(
    session: Session,
    name: str,
    emails: tuple[str, ...],
    company: str,
    category: str,
    lang: str,
    from_message: int | None,
) -> None:
    """Add a contact; prints its number.

    Records that came from its address get it as partner.
    """
    saved = people.add_contact(
        session.workspace, name, emails=emails, company=company, category=category, lang=lang, from_message=from_message
    )
    one = saved.contact
    session.voice.say(f"#{one.id} {one.name}" if session.voice.terminal else str(one.id))
    if saved.linked:
        session.voice.warn(f"now partner of {', '.join(f'#{number}' for number in saved.linked)}")
    if saved.note:
        session.voice.warn(saved.note)


@contacts_command.command(
    "set", examples=("crmmail contacts set 12 --email ann@home.example", "crmmail contacts set 12 --company ACME")
)
@click.argument("contact", type=RECORD)
@click.option("--name", metavar="NAME", help="What people call him.")
@click.option("--email", "emails", multiple=True, metavar="ADDRESS", help="One more address.")
@click.option("--without", multiple=True, metavar="ADDRESS", help="An address that is his no more.")
@click.option("--company", metavar="NAME", help="Where he works.")
@click.option("--category", metavar="PATH", help="Like 'Support contract / Gold'.")
@click.option("--lang", metavar="CODE", help="The language we write to him in.")
@pass_session
def contacts_set(
    session: Session,
    contact: int,
    name: str | None,
    emails: tuple[str, ...],
    without: tuple[str, ...],
    company: str | None,
    category: str | None,
    lang: str | None,
) -> None:
    """Change a contact."""
    one = people.set_contact(
        session.workspace,
        contact,
        name=name,
        emails=emails,
        without=without,
        company=company,
        category=category,
        lang=lang,
    )
    session.voice.say(f"#{one.id} {one.name} <{', '.join(one.addresses)}>")
