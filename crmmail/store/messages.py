"""Messages of a thread, and what hangs on them: who took part, attachments; their outgoing mails are in `outbox`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from crmmail.core.message import Address, Part
from crmmail.errors import NotFound
from crmmail.store import blobs, outbox
from crmmail.store import tables as t
from crmmail.store.database import among
from crmmail.store.outbox import Delivery


class Attachment(NamedTuple):
    id: int
    message: int
    name: str
    type: str
    size: int
    sha256: str


class Message(NamedTuple):
    id: int
    thread: int
    kind: str
    subtype: str
    internal: bool
    automatic: bool
    author: str  # login, "" if none
    from_name: str
    from_address: str
    to: list[str]
    cc: list[str]
    subject: str
    text: str
    html: str
    date: datetime
    received: datetime
    message_id: str
    superseded_by: int | None
    original: int | None
    answers: int | None
    format: str
    attachments: list[Attachment]
    deliveries: list[Delivery]
    details: list[dict[str, str]]  # what it says of fields: [{"field", "old", "new"}, …]


# --- writing ------------------------------------------------------------------------------------------------


def put_message(thread: int, **columns: Any) -> int:
    """Adds a message; the record counts as updated."""
    message = blobs.create(t.Message, "text", thread=thread, **columns)
    t.Thread.update(updated=message.received).where(t.Thread.id == thread).execute()
    return message.id


def put_addresses(message: int, thread: int, role: str, addresses: Iterable[Address]) -> None:
    rows = [
        {"message": message, "thread": thread, "role": role, "name": one.name, "address": one.address}
        for one in addresses
    ]
    if rows:
        t.MessageAddress.insert_many(rows).execute()


def put_attachments(message: int, parts: Iterable[Part]) -> None:
    """Stores attachments, the bytes of each once whatever number of mails carry them."""
    for part in parts:
        digest = hashlib.sha256(part.data).hexdigest()
        if not t.Blob.select().where(t.Blob.sha256 == digest).exists():
            blobs.insert(t.Blob, blobs.of(part.data), sha256=digest, size=len(part.data))
        t.Attachment.create(
            message=message,
            position=part.position,
            name=part.name,
            type=part.type,
            content_id=part.content_id,
            inline=part.inline,
            size=len(part.data),
            blob=digest,
        )


def change_message(message: int, **columns: Any) -> None:
    t.Message.update(**columns).where(t.Message.id == message).execute()


def hanging(messages: Sequence[int]) -> list[tuple[str, list[int]]]:
    """(table, keys) of the rows that name a message's thread beside it, and must move with it."""
    tables = {"message_address": t.MessageAddress, "notification": t.Notification, "delivery": t.Delivery}
    return [
        (name, [key for (key,) in table.select(table.id).where(among(table.message, messages)).tuples()])
        for name, table in tables.items()
    ]


# --- reading ------------------------------------------------------------------------------------------------


def message(number: int) -> Message:
    found = _messages(t.Message.select().where(t.Message.id == number))
    if not found:
        raise NotFound(f"there is no message {number}")
    return found[0]


def several(numbers: Iterable[int]) -> dict[int, Message]:
    """Messages by their numbers, without their outgoing mails: a letter to a thousand people has a thousand."""
    query = t.Message.select().where(t.Message.id.in_(list(numbers)))
    return {one.id: one for one in _messages(query, deliveries=False)}


def has_id(message_id: str) -> bool:
    """Is a message with this Message-ID here already?"""
    return bool(t.Message.select().where(t.Message.message_id == message_id).exists())


def of_thread(thread: int) -> list[Message]:
    """The conversation, oldest first."""
    return _messages(t.Message.select().where(t.Message.thread == thread).order_by(t.Message.id))


def spoken(thread: int) -> list[int]:
    """The messages of a thread that somebody said, not the program."""
    rows = t.Message.select(t.Message.id).where(t.Message.thread == thread, t.Message.kind != "system")
    return [row.id for row in rows.order_by(t.Message.id)]


def letters_since(thread: int, moment: datetime) -> int:
    """How many letters came to a thread after this moment."""
    letters = t.Message.select().where(t.Message.thread == thread, t.Message.kind == "email_in")
    return int(letters.where(t.Message.received > moment).count())


def from_outside(thread: int, *, but: int) -> Iterator[str]:
    """What others than users said in a thread and a notification may show, the newest first: letters with their
    senders and subjects, the program's sentences (which name titles and people), names, addresses, file names.

    Args:
        but: a message that is not asked.
    """
    message = t.Message
    here = (message.thread == thread) & (message.id != but)
    theirs = message.kind.in_(["email_in", "system"]) | (message.original.is_null(False) & message.author.is_null())
    said = message.select(message.from_name, message.from_address, message.subject, message.text).where(here & theirs)
    for row in said.order_by(message.id.desc()).tuples().iterator():
        yield "\n".join(row)
    people = t.MessageAddress.select(t.MessageAddress.name, t.MessageAddress.address)
    for named in (people, t.Attachment.select(t.Attachment.name)):
        for row in named.join(message).where(here).distinct().tuples().iterator():
            yield "\n".join(row)


def superseded(message: int) -> list[int]:
    """The copies that a message is the whole of."""
    return [row.id for row in t.Message.select(t.Message.id).where(t.Message.superseded_by == message)]


def last_letter(thread: int) -> Message | None:
    """The last letter of a thread from outside, a person's before a machine's; without its outgoing mails."""
    letters = t.Message.select().where(
        t.Message.thread == thread, t.Message.kind == "email_in", ~t.Message.internal, t.Message.author.is_null()
    )
    found = _messages(letters.order_by(t.Message.automatic, t.Message.id.desc()).limit(1), deliveries=False)
    return found[0] if found else None


def letters_named(thread: int, identifiers: Iterable[str]) -> dict[str, int]:
    """Message-ID → message, of the letters of a thread from outside that these name."""
    rows = t.Message.select(t.Message.message_id, t.Message.id).where(
        t.Message.thread == thread,
        t.Message.message_id.in_(list(identifiers)),
        t.Message.kind == "email_in",
        ~t.Message.internal,
        t.Message.author.is_null(),
    )
    return {row.message_id: row.id for row in rows}


def details_of(threads: Iterable[int]) -> list[tuple[int, datetime, list[dict[str, str]]]]:
    """(thread, when, [{"field", "old", "new"}, …]): what the program said was changed in these, oldest first."""
    rows = t.Message.select(t.Message.thread, t.Message.received, t.Message.details).where(
        t.Message.thread.in_(list(threads)), t.Message.kind == "system", t.Message.details.is_null(False)
    )
    return [(row.thread_id, row.received, row.details) for row in rows.order_by(t.Message.id)]


def known_to(thread: int, address: str) -> set[int]:
    """The messages of a thread that an address has sent or got: it stood in the head of the mail that came, or a mail
    of ours left, or will, to it."""
    stood = (t.Message.kind == "email_in") | t.Message.original.is_null(False)
    rows = (
        t.MessageAddress.select(t.MessageAddress.message)
        .join(t.Message)
        .where(t.MessageAddress.thread == thread, t.MessageAddress.address == address, stood)
    )
    return {row.message_id for row in rows} | {number for number, _ in outbox.identifiers(thread, address)}


class LetterId(NamedTuple):
    """A letter of a conversation, by its own id."""

    id: int
    message_id: str  # of a letter that came from outside; "" else


def letters_before(thread: int, message: int) -> list[LetterId]:
    """The letters of a thread before a message, oldest first, without what is internal or from a machine."""
    rows = (
        t.Message.select(t.Message.id, t.Message.kind, t.Message.message_id, t.Message.original)
        .where(t.Message.thread == thread, t.Message.id < message, ~t.Message.internal, ~t.Message.automatic)
        .order_by(t.Message.id)
    )
    return [LetterId(row.id, (row.message_id or "") if row.kind == "email_in" else "") for row in rows]


def newest(limit: int, *, author: int | None = None) -> list[Message]:
    """The newest messages of all records, newest first: the last resort of F76."""
    query = t.Message.select().order_by(t.Message.id.desc()).limit(limit)
    return _messages(query.where(t.Message.author == author) if author is not None else query)


def _messages(query: Any, *, deliveries: bool = True) -> list[Message]:
    rows = list(query)
    numbers = [row.id for row in rows]
    named: dict[int, dict[str, list[str]]] = {number: {"to": [], "cc": [], "bcc": [], "from": []} for number in numbers}
    address = t.MessageAddress
    for one in address.select().where(address.message.in_(numbers)).order_by(address.id):
        named[one.message_id][one.role].append(one.address or one.name)
    files: dict[int, list[Attachment]] = {number: [] for number in numbers}
    for one in attachments(numbers):
        files[one.message].append(one)
    sent: dict[int, list[Delivery]] = {number: [] for number in numbers}
    for delivery in outbox.deliveries(messages=numbers) if deliveries else ():
        sent[delivery.message].append(delivery)
    authors = {row.author_id for row in rows if row.author_id is not None}
    logins = {row.id: row.login for row in t.User.select().where(t.User.id.in_(list(authors)))} if authors else {}
    return [
        Message(
            row.id,
            row.thread_id,
            row.kind,
            row.subtype_id,
            row.internal,
            row.automatic,
            logins.get(row.author_id, ""),
            row.from_name,
            row.from_address,
            named[row.id]["to"],
            named[row.id]["cc"],
            row.subject,
            row.text,
            row.html,
            row.date,
            row.received,
            row.message_id or "",
            row.superseded_by_id,
            row.original_id,
            row.answers_id,
            row.format,
            files[row.id],
            sent[row.id],
            row.details or [],
        )
        for row in rows
    ]


def attachments(messages: Sequence[int]) -> list[Attachment]:
    rows = t.Attachment.select().where(t.Attachment.message.in_(list(messages))).order_by(t.Attachment.id)
    return [Attachment(one.id, one.message_id, one.name, one.type, one.size, one.sha256) for one in rows]


def attachment(number: int) -> tuple[Attachment, bytes]:
    """An attachment and its exact bytes."""
    row = (
        t.Attachment.select(t.Attachment, t.Blob)
        .join(t.Blob, on=(t.Attachment.blob == t.Blob.sha256))
        .where(t.Attachment.id == number)
        .first()
    )
    if row is None:
        raise NotFound(f"there is no attachment {number}")
    return Attachment(row.id, row.message_id, row.name, row.type, row.size, row.sha256), bytes(row.blob.data)
