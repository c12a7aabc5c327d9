"""A user's answer by mail: to a notification that was made for him, so it is his answer to the customer (behaviour §3).

A leading line `#note` keeps it inside, and so does what it answers when that never left the house.  It leaves with the
outbox, like every letter of ours; what a machine of his answers (a vacation notice) goes to nobody.
"""

from __future__ import annotations

from typing import NamedTuple

from crmmail.core.message import Mail
from crmmail.core.route import Route
from crmmail.core.sender import Sender
from crmmail.services import correspondent
from crmmail.services.enqueue import put_letter
from crmmail.services.tell import own_addresses
from crmmail.store import directory, inbox, records, threads
from crmmail.workspace import Workspace


class Spoken(NamedTuple):
    """What a letter is: as what it is stored, and how it goes on."""

    kind: str  # email_in | email_out | note
    mail: Mail
    route: Route


def read(workspace: Workspace, mail: Mail, route: Route, sender: Sender) -> Spoken:
    """What kind of message a letter is: from a user an answer or a note, from everybody else a letter."""
    theirs = not sender.proven or route.thread is None or bool(sender.machine)
    if theirs or route.supersedes or route.superseded_by:
        return Spoken("email_in", mail, route)
    from crmmail.core import reply  # the tables of quotes, which only users' answers need

    if reply.is_note(mail.text):
        words = mail.text.lstrip().partition("\n")[2].lstrip("\n")
        return Spoken("note", mail._replace(text=words), route._replace(internal=True))
    if route.internal:
        return Spoken("note", mail, route)
    return Spoken("email_out", mail, route)


def pass_on(
    workspace: Workspace, number: int, message: int, sender: Sender, holders: set[str], notes: list[str]
) -> set[str]:
    """Sends a user's answer to the customer; the addresses that will get it.

    Where nobody outside is left to send it to, or he wrote no words, he hears of that in his inbox: he believes that
    the customer reads it.

    Args:
        holders: addresses that stood in his letter and have it already.
        notes: gets what `why` should tell.
    """
    from crmmail.core import reply
    from crmmail.store import messages

    this, letter = records.record(number), messages.message(message)
    opening = workspace.config.mail_open.replace("{record}", str(number))
    asked = correspondent.last_letter(this)
    customer = (correspondent.of_letter(asked)[0] if asked else []) or correspondent.of_record(this)
    people = reply.addressees(
        customer=[one for one in customer if one.address not in holders],
        others=(),
        to=(),
        cc=(),
        bcc=(),
        everybody=False,
        ours=own_addresses(workspace),
        users=directory.users_by_address(one.address for one in customer),
        known=threads.participants(number),
    )
    if not (reply.words_by_mail(letter.text, opening) or letter.attachments):
        notes.append("not sent on: it has no words of its own")
    elif people:
        notes.append(f"goes on to {', '.join(one.address for one in people)}")
        messages.change_message(message, answers=asked.id if asked else None)
        put_letter(workspace, number, message, people)
        return {one.address for one in people}
    elif any(one.address in holders for one in customer):
        return set()  # he wrote to the customer himself
    else:
        notes.append("not sent on: the record names nobody outside")
    if sender.user is not None:
        inbox.raise_notification(sender.user, "not sent", workspace.now(), message=message, thread=number)
    return set()
