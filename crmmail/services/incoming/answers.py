"""A user's answer by mail: to a notification that was made for him, so it is his answer to the customer (behaviour §3).

A leading line `#note` keeps it inside, and so does what it answers when that never left the house.  It leaves with the
outbox, like every letter of ours; what a machine of his answers (a vacation notice) goes to nobody.  Lines such as
`Set-State: close` are for the program and leave with no letter (`services.incoming.orders`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from crmmail.core.known import answered_ids
from crmmail.core.message import Address, Mail
from crmmail.core.route import Route
from crmmail.core.sender import Sender
from crmmail.core.typed import TYPE_CHECKING, NamedTuple
from crmmail.services.hearing.tell import own_addresses
from crmmail.services.sending import correspondent, envelope
from crmmail.services.sending.enqueue import put_letter
from crmmail.store.letters import inbox, messages, outbox, threads
from crmmail.store.letters.messages import Message
from crmmail.store.people import directory
from crmmail.store.work import records
from crmmail.workspace import Workspace

if TYPE_CHECKING:
    from crmmail.core.reply import Addressee
    from crmmail.services.incoming.orders import Ordered


class Spoken(NamedTuple):
    """What a letter is: as what it is stored, and how it goes on."""

    kind: str  # email_in | email_out | note
    mail: Mail
    route: Route
    addressed: tuple[int, ...] = ()  # users whom a note mentions
    ordered: Ordered | None = None  # what he asks of the program


class PassedOn(NamedTuple):
    """What became of a user's answer."""

    to: set[str]  # addresses that will get it
    empty: bool = False  # he wrote nothing


def read(workspace: Workspace, mail: Mail, route: Route, sender: Sender) -> Spoken:
    """What kind of message a letter is: from a user an answer or a note, from everybody else a letter.

    A user whom nothing proves may still keep his words inside, and so may whoever answers a mail that was made for a
    user, from an address that we do not know: that takes no power; nor does it where somebody else accepts his letter
    (`services.incoming.unconfirmed`).  A colleague who is the customer of a record writes as the customer.
    """
    letter = Spoken("email_in", mail, route)
    thread = route.thread
    ordered = _orders(workspace, mail, thread, sender)
    if thread is None and ordered is not None:
        return letter._replace(mail=ordered.mail, ordered=ordered)
    if thread is None or sender.machine or (sender.user is None and not _from_a_users_other_address(mail)):
        return letter
    from crmmail.core import answer  # the tables of quotes, which only users' answers need

    other = route.supersedes or route.superseded_by
    copy = messages.message(other) if other else None
    if copy is not None:  # one letter in two copies, whole and cut short, is one thing: inside where either is
        if copy.kind == "email_in":
            return letter
        route = route._replace(internal=copy.internal)
    opening = envelope.opening_of(workspace, thread)
    if ordered is not None:
        mail = ordered.mail
    noted = answer.note(mail.text, thread, opening)
    if noted is None and not sender.proven and not (route.internal and sender.user is not None):
        return letter
    if noted is not None or route.internal:
        words = mail.text if noted is None else noted
        mentioned = _mentioned(answer.words_by_mail(words, thread, opening))
        return Spoken("note", mail._replace(text=words), route._replace(internal=True), mentioned, ordered)
    if sender.address in {one.address for one in correspondent.of_record(records.record(thread))}:
        return letter
    return Spoken("email_out", mail, route, ordered=ordered)


def _orders(workspace: Workspace, mail: Mail, thread: int | None, sender: Sender) -> Ordered | None:
    """What a proven user asks of the program in his letter; nobody else's lines are orders, nor are a machine's."""
    if not sender.proven or sender.user is None or sender.machine or "set-" not in mail.text.lower():
        return None
    from crmmail.services.incoming import orders  # which few letters need

    return orders.read(mail, thread, "" if thread is None else envelope.opening_of(workspace, thread))


def _mentioned(words: str) -> tuple[int, ...]:
    from crmmail.core import mention

    named = mention.logins(words)
    return tuple(one.id for one in directory.users() if one.active and one.login.lower() in named) if named else ()


class Answered(NamedTuple):
    """Whom a user's answer goes to."""

    asked: Message | None  # the letter that it answers
    people: tuple[Addressee, ...]
    customer: list[Address]  # them, and who has it already


def goes_to(workspace: Workspace, number: int, mail: Mail, holders: set[str]) -> Answered:
    """Whom a user's answer by mail goes to: who wrote the letter that it names, or that he was told of."""
    from crmmail.core import reply

    asked, customer = correspondent.of_notification(records.record(number), _told_of(number, mail))
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
    return Answered(asked, people, customer)


def holding(mail: Mail) -> set[str]:
    """The real mailboxes that have this letter already."""
    return {one.address for one in (mail.sender, *mail.to, *mail.cc) if one.address}


def foretold(workspace: Workspace, number: int, mail: Mail, route: Route, sender: Sender) -> str:
    """What a user's own letter becomes in a record, whom it reaches, and what it orders; nothing is done."""
    from crmmail.core import answer

    spoken = read(workspace, mail, route, sender)
    ordered = spoken.ordered
    orders = ", ".join(one.line for one in ordered.orders) if ordered else ""
    if ordered and ordered.bare:
        return f"what it orders is done ({orders}), and nobody else gets it"
    if spoken.kind == "note":
        what = "it is an internal note of yours"
    elif spoken.kind == "email_in":
        what = "it is kept as the letter of a machine of yours, and goes to nobody"
    elif not (
        answer.words_by_mail(spoken.mail.text, number, envelope.opening_of(workspace, number)) or mail.attachments
    ):
        what = "it is your answer, but without words of its own, so nobody gets it"
    else:
        what = f"it is your answer, and {_gets_it(goes_to(workspace, number, mail, holding(mail)), mail)}"
    return f"{what}; what it orders is done: {orders}" if orders else what


def _gets_it(found: Answered, mail: Mail) -> str:
    people, had = [one.address for one in found.people], holding(mail)
    if people:
        return f"{' and '.join(people)} {'get' if len(people) > 1 else 'gets'} it"
    already = [one.address for one in found.customer if one.address in had]
    return f"{' and '.join(already)} had it from you" if already else "nobody outside gets it: the record names none"


def pass_on(
    workspace: Workspace,
    number: int,
    message: int,
    mail: Mail,
    sender: Sender,
    holders: set[str],
    notes: list[str],
    *,
    bare: bool = False,
) -> PassedOn:
    """Sends a user's answer to the customer.

    Where nobody outside is left to send it to, or he wrote no words, he hears of that in his inbox: he believes that
    the customer reads it.

    Args:
        holders: addresses that stood in his letter and have it already.
        notes: gets what `why` should tell.
        bare: it holds orders to the program and nothing else, and he knows that nobody reads those.
    """
    from crmmail.core import answer

    letter = messages.message(message)
    _take_back_the_half(message)
    if bare:
        notes.append("not sent on: it holds orders and nothing else")
        return PassedOn(set(), empty=True)
    asked, people, customer = goes_to(workspace, number, mail, holders)
    empty = not (
        answer.words_by_mail(letter.text, number, envelope.opening_of(workspace, number)) or letter.attachments
    )
    if empty:
        notes.append("not sent on: it has no words of its own")
    elif people and (often := _too_often(workspace, number, people)):
        notes.append(f"not sent on: {often} got as many answers by mail in a short time as only machines give")
    elif people:
        notes.append(f"goes on to {', '.join(one.address for one in people)}")
        messages.change_message(message, answers=asked.id if asked else None)
        put_letter(workspace, number, message, people)
        return PassedOn({one.address for one in people})
    elif any(one.address in holders for one in customer):
        notes.append("not sent on: who asked has it already")
        return PassedOn(set())  # he wrote to the customer himself
    else:
        notes.append("not sent on: the record names nobody outside")
    if sender.user is not None:
        inbox.raise_notification(sender.user, "not sent", workspace.now(), message=message, thread=number)
    return PassedOn(set(), empty)


def _too_often(workspace: Workspace, number: int, people: Sequence[Addressee]) -> str:
    """The address of these that users have answered by mail, this answer with it, as often as vacation responders do
    among themselves; ""."""
    limit = workspace.config.loop_mails
    since = workspace.now() - timedelta(minutes=workspace.config.loop_minutes)
    counted = outbox.answers_by_mail_since(number, [one.address for one in people], since) if limit else {}
    return next((one for one, count in counted.items() if count >= limit), "")


def _take_back_the_half(message: int) -> None:
    """Of an answer that the line had cut short, what has not left yet need not: the whole of it is here."""
    for copy in outbox.deliveries(messages=messages.superseded(message), states=["queued"]):
        if copy.purpose == "mail" or copy.user is None:
            outbox.change(copy.id, state="cancelled", reason="the line had cut it short, and the whole came")


def _from_a_users_other_address(mail: Mail) -> bool:
    """It speaks of `#note`, and answers a mail that was made for a user."""
    if "#note" not in mail.text.lower():
        return False
    rows = list(outbox.by_identifier(answered_ids(mail)).values())
    return any(copy.user is not None for copy in outbox.deliveries(numbers=rows))


def _told_of(number: int, mail: Mail) -> Message | None:
    """The message that he was told of, by the mail of ours that he answers; or the customer's letter that he answers
    itself, of which he has a copy."""
    ids = answered_ids(mail)
    ours, theirs = outbox.by_identifier(ids), messages.letters_named(number, ids)
    for one in ids:
        if one.lower() in ours:
            return next(
                (messages.message(copy.message) for copy in outbox.deliveries(numbers=[ours[one.lower()]])), None
            )
        if one in theirs:
            return messages.message(theirs[one])
    return None
