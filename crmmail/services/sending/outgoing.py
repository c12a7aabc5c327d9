"""From a row of the outbox to the mail that its recipient will read.

Rendering waits for the sending pass, so a broken template never stops a delivery of a letter that came in.  A letter of
ours leaves as it was written; what others said reaches a user as a notification, and a follower outside as a copy that
tells nothing of the house.  An internal message becomes a mail for users only, whatever the row says (safety.md 3).
"""

from __future__ import annotations

from collections.abc import Sequence

from crmmail.core import answer, orders, quote, reply, text, token, wording
from crmmail.core.letter import File, Letter
from crmmail.core.message import MADE, Address
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import CrmmailError, Refused
from crmmail.mail import mask
from crmmail.mail.compose import Unbuildable, compose, marked, needs_utf8
from crmmail.mail.parse import parse
from crmmail.render import DEFAULT_LANGUAGE, Rendered, render
from crmmail.services.sending import correspondent, envelope
from crmmail.store.engine.database import speaking_plainly
from crmmail.store.letters import messages, outbox, threads
from crmmail.store.letters.messages import Message
from crmmail.store.letters.outbox import Delivery
from crmmail.store.people import directory, offices
from crmmail.store.work import records
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace

__all__ = [
    "Facts", "Unbuildable", "build", "check_reader", "composed", "gather", "is_ours_inside", "letter", "needs_utf8",
    "own_words",
]  # fmt: skip

MAX_INNER = 50  # mails inside a mail; each is read
LETTERS = ("email_out", "auto")  # kinds of message that leave as letters of ours
HEARD_OUTSIDE = ("email_in", *LETTERS)  # kinds of which a follower outside gets a copy


class Facts(NamedTuple):
    """What rows are made of, read at once for many of them."""

    messages: dict[int, Message]
    records: dict[int, Record]
    users: dict[int, directory.User]
    named: dict[int, outbox.Named]
    our_names: frozenset[str]  # what whoever works here is called


def gather(copies: Sequence[Delivery]) -> Facts:
    """The messages and records of these rows, and everybody who works or worked here."""
    return Facts(
        messages.several({one.message for one in copies}),
        records.several({one.record for one in copies}),
        {one.id: one for one in directory.users()},
        outbox.named({one.message for one in copies}),
        offices.our_names(),
    )


def build(workspace: Workspace, copy: Delivery, facts: Facts | None = None) -> tuple[Letter, bytes, str]:
    """The mail of a row: as a value, as bytes signed as ours, and the hash by which we know it when it comes back.

    Raises:
        Refused, NotFound, Unbuildable: it cannot be made; the sentence says why.
        StoreBusy, StoreBroken: the store could not be read, which is no fault of the mail's.
    """
    try:
        with speaking_plainly(workspace.store.place):
            this = letter(workspace, copy, facts or gather([copy]))
        data = compose(this)
        digest = parse(data).content_hash
        return this, marked(data, token.sent_mark(workspace.secret, this.identifier, digest)), digest
    except CrmmailError:
        raise
    except Exception as error:  # a slip of ours must not hold the other mails up
        raise Unbuildable(f"crmmail cannot make it: {type(error).__name__}: {error}") from error


def composed(workspace: Workspace, copy: Delivery) -> bytes:
    """The mail of a row as a file, without what makes it ours: no mark, no address that answers come back to."""
    return compose(letter(workspace, copy, gather([copy]))._replace(reply_to=None))


def letter(workspace: Workspace, copy: Delivery, facts: Facts) -> Letter:
    """What the recipient of a row will read."""
    message, record = facts.messages[copy.message], facts.records[copy.record]
    mark = token.read_message_id(workspace.secret, copy.identifier)
    _check_path(message, copy, mark)
    mail = copy.purpose == "mail"
    base = envelope.reply_address(workspace, record)
    sender = _sender(workspace, message, record, facts)
    if mail:
        words, named = own_words(workspace, message), _named(message, copy, facts)
    else:
        words, named = _rendered(workspace, copy, message, record, facts), outbox.Named((Address("", copy.to),))
    chain = _chain(message, copy)
    return Letter(
        recipient=copy.to,
        return_path=envelope.return_path(workspace, base or sender.address, copy.identifier),
        identifier=copy.identifier,
        date=message.date if mail else copy.created,
        sender=sender,
        to=named.to,
        cc=named.cc,
        reply_to=Address("", envelope.reply_to(workspace, base, mark)) if base and mark else None,
        subject=text.one_line(words.subject),
        text=words.text,
        markdown=mail and message.format == "markdown",
        in_reply_to=_answered(message, chain),
        references=chain,
        files=_files(workspace, message) if _carries_files(message, copy) else (),
        automatic=not mail or message.automatic,
    )


def check_reader(workspace: Workspace, copy: Delivery, facts: Facts) -> None:
    """Refuses what is for a user and would not reach him, or not him alone, as things are at this moment.

    Raises:
        Refused: he is not in the house, or the address is that of a customer of this very record.
    """
    if copy.user is None:
        return
    user = facts.users.get(copy.user)
    if user is None or not user.active:
        raise Refused(f"{copy.to} was a user's, who is not here any more")
    if facts.messages[copy.message].internal:
        with speaking_plainly(workspace.store.place):
            outside = threads.outsiders(copy.record)
        if copy.to in outside:
            raise Refused(f"message {copy.message} is internal, and {copy.to} is the customer of #{copy.record}")


def _check_path(message: Message, copy: Delivery, mark: token.Token | None) -> None:
    """Refuses a row for which no path leads out, whoever put it there (safety.md 3).

    What is internal leaves as a notification to a user, and under an id whose answer stays inside; nothing but letters
    is read outside; and an id that proves who a user is goes to that user.
    """
    if copy.user is None and (message.internal or message.kind not in HEARD_OUTSIDE):
        raise Refused(f"message {message.id} is internal, and {copy.to} is no user: it must not leave")
    if copy.purpose == "mail" and (message.internal or message.kind not in LETTERS):
        raise Refused(f"message {message.id} is internal, or no letter of ours: it must not leave as one")
    if mark is None:
        return
    if message.internal and not mark.internal:
        raise Refused(f"message {message.id} is internal, and an answer to this mail would not be: it must not leave")
    if mark.who.startswith("u") and mark.who != f"u{copy.user}":
        raise Refused(f"the id of this mail was made for another user: {copy.to} could answer in his name")


# --- the words ----------------------------------------------------------------------------------------------


def own_words(workspace: Workspace, message: Message) -> Rendered:
    """A letter of ours as it was written.  Of a user's answer by mail only what he wrote himself leaves: what he
    quotes is our notification, which tells of the house."""
    if message.original is None:
        return Rendered(message.subject, message.text)
    words = answer.words_by_mail(message.text, message.thread, envelope.opening_of(workspace, message.thread))
    return Rendered(reply.without_tag(message.subject, message.thread), words)


def _rendered(workspace: Workspace, copy: Delivery, message: Message, record: Record, facts: Facts) -> Rendered:
    """What somebody said, in the language of the one who is told."""
    subject = text.one_line(message.subject or record.title)
    values: dict[str, Any] = {
        "record": {"id": record.id, "title": text.one_line(record.title)},
        "tagged": reply.tagged(subject, record.id, internal=message.internal and copy.user is not None),
        "sender": text.one_line(_name(message, facts)),
        "text": text.clean(_heard_words(workspace, message)).strip(),
    }
    if copy.user is None:
        language = directory.contact(copy.contact).lang if copy.contact is not None else ""
        return render("copy", language or DEFAULT_LANGUAGE, values)
    values["record"] |= {"kind": record.kind, "state": record.state}
    values |= {
        "to": text.one_line(_recipients(message, facts)),
        "customer": text.one_line(_customer(record, message)),
        "internal": message.internal,
        "news": message.kind == "system" or (message.kind == "auto" and message.internal),
        "open": envelope.opening_of(workspace, record.id),
        "files": [
            {"id": one.id, "name": text.one_line(one.name), "size": one.size}
            for one in message.attachments
            if not _carries_files(message, copy)
        ],
    }
    language = facts.users[copy.user].lang
    if message.kind == "system":
        values["text"] = text.clean(wording.told(language, message.text, message.details)).strip()
    if message.kind == "auto" and copy.why == orders.TEMPLATE:
        return render(orders.TEMPLATE, language, values | {"orders": orders.told(message.details)})
    return render("notification", language, values)


def _recipients(message: Message, facts: Facts) -> str:
    """Whom a letter of ours went to: a colleague must see whether that was the customer.  "" of other messages."""
    named = facts.named[message.id]
    people = (*named.to, *named.cc) if message.kind in ("email_out", "auto") else ()
    return ", ".join(one.name or one.address for one in people)


def _named(message: Message, copy: Delivery, facts: Facts) -> outbox.Named:
    """Whom a letter names.  What a rule writes to several people names to each nobody but himself."""
    named = facts.named[message.id]
    if message.kind != "auto":
        return named
    return outbox.Named(tuple(one for one in named.to if one.address == copy.to) or (Address("", copy.to),))


def _sender(workspace: Workspace, message: Message, record: Record, facts: Facts) -> Address:
    """A user under his own address; everybody else by name under ours, for theirs would be a forgery."""
    author = _author(message, facts)
    if author and message.kind != "system":
        return envelope.of_user(author)
    return envelope.of_house(workspace, record, _name(message, facts))


def _author(message: Message, facts: Facts) -> directory.User | None:
    return next((one for one in facts.users.values() if message.author and one.login == message.author), None)


def _name(message: Message, facts: Facts) -> str:
    """Who wrote a message; a stranger passes for nobody here by the name that he chose."""
    author = _author(message, facts)
    if author:
        return author.name
    if message.original is None:
        return message.from_name or message.from_address or "crmmail"
    return text.person(message.from_name, message.from_address, 0, facts.our_names) or "crmmail"


def _heard_words(workspace: Workspace, message: Message) -> str:
    """What somebody said anew; of a user's answer by mail nothing but his words, as the customer reads it."""
    if message.kind == "auto":
        return message.text  # no quote of anybody's is in it, whatever its lines look like
    by_mail = message.kind == "email_out" and message.original is not None
    return own_words(workspace, message).text if by_mail else quote.visible(message.text)


def _customer(record: Record, message: Message) -> str:
    """Whom the answer to a notification of this message goes to; "" where that is nobody."""
    _, people = correspondent.of_notification(record, message)
    return next((one.name or one.address for one in people), "")


def _carries_files(message: Message, copy: Delivery) -> bool:
    """Does the mail have the message's files with it?  A user's notification only names them, but for what a rule
    writes to him."""
    return copy.user is None or copy.purpose == "mail" or message.kind == "auto"


def _files(workspace: Workspace, message: Message) -> tuple[File, ...]:
    """Its files; not the mails of ours to a user that a mail program attaches to his answer instead of quoting them."""
    files = (File(one.name, one.type, messages.attachment(one.id)[1]) for one in message.attachments)
    return tuple(one for one in files if message.original is None or not is_ours_inside(workspace, one))


def is_ours_inside(workspace: Workspace, file: File) -> bool:
    """A mail that answers or is a notification of ours to a user, or has one inside."""
    if not is_mail(file.type, file.name):
        return False
    mails = [file.data, *inner_mails(file.data)]
    return any(mark.who.startswith("u") for raw in mails for mark in mask.marks(workspace.secret, raw))


def is_mail(kind: str, name: str) -> bool:
    return kind == "message/rfc822" or name.lower().endswith(".eml")


def inner_mails(raw: bytes) -> list[bytes]:
    """The mails that are attached to a mail, and to those.

    Raises:
        Refused: there are more of them than anybody reads.
    """
    found: list[bytes] = []
    waiting = [raw]
    while waiting:
        inside = [part.data for part in parse(waiting.pop()).attachments if is_mail(part.type, part.name)]
        found += inside
        waiting += inside
        if len(found) > MAX_INNER:
            raise Refused(f"more than {MAX_INNER} mails are attached to one another")
    return found


# --- the conversation it stands in --------------------------------------------------------------------------


def _chain(message: Message, copy: Delivery) -> tuple[str, ...]:
    """The letters of the conversation before this one, as this recipient knows them: those that came from outside by
    their own ids, ours by the ids under which they went to him.  A mail of a rule names none that he has not sent or
    got, for no person has looked at who knows what."""
    sent = dict(outbox.identifiers(copy.record, copy.to))
    before = messages.letters_before(message.thread, message.id)
    if message.kind == "auto":
        known = messages.known_to(message.thread, copy.to)
        before = [one for one in before if one.id in known]
    ids = []
    for one in before:
        if one.id in sent:
            ids.append(sent[one.id])
        elif one.message_id and not one.message_id.endswith(MADE):
            ids.append(one.message_id)
    return reply.references(ids)


def _answered(message: Message, chain: tuple[str, ...]) -> str:
    """The id of the letter that it answers, where the recipient knows it; else the nearest one that he does."""
    if message.answers is not None:
        asked = messages.message(message.answers).message_id
        if asked in chain:
            return asked
    return chain[-1] if chain else ""
