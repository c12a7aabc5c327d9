"""From a row of the outbox to the mail that its recipient will read.

Rendering waits for the sending pass, so a broken template never stops a delivery of a letter that came in.  A letter of
ours leaves as it was written; what others said reaches a user as a notification, and a follower outside as a copy that
tells nothing of the house.  An internal message becomes a mail for users only, whatever the row says (safety.md 3).
"""

from __future__ import annotations

from typing import Any

from crmmail.core import quote, reply, text, token
from crmmail.core.letter import File, Letter
from crmmail.core.message import Address
from crmmail.errors import NotFound, Refused
from crmmail.mail.compose import Unbuildable, compose, needs_utf8
from crmmail.mail.parse import parse
from crmmail.render import DEFAULT_LANGUAGE, Rendered, render
from crmmail.services import envelope
from crmmail.store import directory, messages, outbox, records
from crmmail.store.messages import Message
from crmmail.store.outbox import Delivery
from crmmail.store.records import Record
from crmmail.workspace import Workspace

__all__ = ["Unbuildable", "build", "delivery", "letter", "needs_utf8"]


def delivery(number: int) -> Delivery:
    """One row of the outbox."""
    found = outbox.deliveries(numbers=[number])
    if not found:
        raise NotFound(f"there is no mail {number} in the outbox: `crmmail outbox --all` lists them")
    return found[0]


def build(workspace: Workspace, copy: Delivery) -> tuple[Letter, bytes, str]:
    """The mail of a row: as a value, as bytes signed as ours, and the hash by which we know it when it comes back.

    Raises:
        Refused, NotFound, Unbuildable: it cannot be made; the sentence says why.
    """
    this = letter(workspace, copy)
    digest = parse(compose(this)).content_hash
    return this, compose(this, mark=token.sent_mark(workspace.secret, this.identifier, digest)), digest


def letter(workspace: Workspace, copy: Delivery) -> Letter:
    """What the recipient of a row will read."""
    message, record = messages.message(copy.message), records.record(copy.record)
    if message.internal and copy.user is None:
        raise Refused(f"message {message.id} is internal, and {copy.to} is no user: it must not leave")
    mail = copy.purpose == "mail"
    base = envelope.reply_address(workspace, record)
    mark = token.read_message_id(workspace.secret, copy.identifier)
    sender = _sender(workspace, message, record)
    if mail:
        words, named = Rendered(message.subject, _own_words(workspace, message)), outbox.named(message.id)
    else:
        words, named = _rendered(workspace, copy, message, record), {"to": (Address("", copy.to),), "cc": ()}
    chain = _chain(message, copy)
    return Letter(
        recipient=copy.to,
        return_path=envelope.return_path(workspace, base or sender.address, copy.identifier),
        identifier=copy.identifier,
        date=message.date if mail else copy.created,
        sender=sender,
        to=named["to"],
        cc=named["cc"],
        reply_to=Address("", envelope.reply_to(workspace, base, mark)) if base and mark else None,
        subject=text.one_line(words.subject),
        text=words.text,
        markdown=mail and message.format == "markdown",
        in_reply_to=_answered(message, chain),
        references=chain,
        files=_files(message) if copy.user is None or mail else (),
        automatic=not mail,
    )


# --- the words ----------------------------------------------------------------------------------------------


def _own_words(workspace: Workspace, message: Message) -> str:
    """A letter of ours as it was written.  Of a user's answer by mail only what he wrote himself leaves: what he
    quotes is our notification, which tells of the house."""
    if message.original is None:
        return message.text
    return reply.words_by_mail(message.text, _opening(workspace, message.thread))


def _opening(workspace: Workspace, record: int) -> str:
    """How a notification says to open its record."""
    return workspace.config.mail_open.replace("{record}", str(record))


def _rendered(workspace: Workspace, copy: Delivery, message: Message, record: Record) -> Rendered:
    """What somebody said, in the language of the one who is told."""
    subject = text.one_line(message.subject or record.title)
    values: dict[str, Any] = {
        "record": {"id": record.id, "title": text.one_line(record.title)},
        "tagged": reply.tagged(subject, record.id),
        "sender": text.one_line(_name(message)),
        "text": text.clean(quote.visible(message.text)).strip(),
    }
    if copy.user is None:
        language = directory.contact(copy.contact).lang if copy.contact is not None else ""
        return render("copy", language or DEFAULT_LANGUAGE, values)
    values["record"] |= {"kind": record.kind, "state": record.state}
    values |= {
        "customer": text.one_line(_customer(record)),
        "internal": message.internal,
        "open": _opening(workspace, record.id),
        "files": [{"id": one.id, "name": text.one_line(one.name), "size": one.size} for one in message.attachments],
    }
    return render("notification", directory.user_by_id(copy.user).lang, values)


def _sender(workspace: Workspace, message: Message, record: Record) -> Address:
    """A user under his own address; everybody else by name under ours, for theirs would be a forgery."""
    if message.author and message.kind != "system":
        return envelope.of_user(directory.user(message.author))
    return envelope.of_house(workspace, record, _name(message))


def _name(message: Message) -> str:
    if message.author:
        return directory.user(message.author).name
    return message.from_name or message.from_address or "crmmail"


def _customer(record: Record) -> str:
    return record.partner.name if record.partner else record.partner_name or record.email


def _files(message: Message) -> tuple[File, ...]:
    return tuple(File(one.name, one.type, messages.attachment(one.id)[1]) for one in message.attachments)


# --- the conversation it stands in --------------------------------------------------------------------------


def _chain(message: Message, copy: Delivery) -> tuple[str, ...]:
    """The letters of the conversation before this one, as this recipient knows them: those that came from outside by
    their own ids, ours by the ids under which they went to him."""
    sent = dict(outbox.identifiers(copy.record, copy.to))
    ids = []
    for one in messages.letters_before(message.thread, message.id):
        if one.id in sent:
            ids.append(sent[one.id])
        elif one.message_id and not one.message_id.endswith("@made.crmmail.invalid"):
            ids.append(one.message_id)
    return reply.references(ids)


def _answered(message: Message, chain: tuple[str, ...]) -> str:
    """The id of the letter that it answers, where the recipient knows it; else the nearest one that he does."""
    if message.answers is not None:
        asked = messages.message(message.answers).message_id
        if asked in chain:
            return asked
    return chain[-1] if chain else ""
