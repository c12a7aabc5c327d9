"""Messages of a thread, and what hangs on them: who took part, attachments; their outgoing mails are in `outbox`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from crmmail.core.digest import sha256
from crmmail.core.message import Address, Part
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import NotFound
from crmmail.store.engine import blobs, sql
from crmmail.store.engine.values import moment, unjson
from crmmail.store.letters import index, outbox
from crmmail.store.letters.outbox import Delivery


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


_USUAL = {
    "internal": False,
    "automatic": False,
    "from_name": "",
    "from_address": "",
    "subject": "",
    "text": "",
    "html": "",
    "format": "plain",
}


def put_message(thread: int, *, received: datetime, **columns: Any) -> int:
    """Adds a message; the record counts as updated."""
    columns = {"thread_id": thread, "received": received} | _USUAL | sql.named(columns)
    message = blobs.insert_text("crm_message", "text", **columns)
    index.added(message)
    sql.run("UPDATE crm_thread SET updated = ? WHERE id = ? AND updated < ?", received, thread, received)
    return message


def put_addresses(message: int, thread: int, role: str, addresses: Iterable[Address]) -> None:
    """Who takes part in a message as `role`: from, to, cc, bcc."""
    put_people(message, thread, {role: addresses})


def put_people(message: int, thread: int, people: Mapping[str, Iterable[Address]]) -> None:
    """Who takes part in a message, by role."""
    text = sql.inserting("crm_message_address", ("message_id", "thread_id", "role", "name", "address"))
    rows = [(message, thread, role, one.name, one.address) for role, some in people.items() for one in some]
    if rows:
        sql.run_many(text, rows)


def put_attachments(message: int, parts: Iterable[Part]) -> None:
    """Stores attachments, the bytes of each once whatever number of mails carry them."""
    for part in parts:
        digest = sha256(part.data).hexdigest()
        if sql.row("SELECT 1 FROM crm_blob WHERE sha256 = ?", digest) is None:
            blobs.insert("crm_blob", blobs.of(part.data), sha256=digest, size=len(part.data))
        sql.insert(
            "crm_attachment",
            message_id=message,
            position=part.position,
            name=part.name,
            type=part.type,
            content_id=part.content_id,
            inline=part.inline,
            size=len(part.data),
            sha256=digest,
        )


def change_message(message: int, **columns: Any) -> None:
    with index.changing([message] if index.FIELDS & columns.keys() else []):
        sql.change("crm_message", "id", message, **sql.named(columns))


def hanging(messages: Sequence[int]) -> list[tuple[str, list[int]]]:
    """(table, keys) of the rows that name a message's thread beside it, and must move with it."""
    found = []
    for table in ("message_address", "notification", "delivery"):
        keys: list[int] = []
        for some in sql.parts(messages):
            hangs = f"SELECT id FROM crm_{table} WHERE message_id IN ({sql.marks(len(some))})"
            keys += [key for (key,) in sql.rows(hangs, *some)]
        found.append((table, keys))
    return found


# --- reading ------------------------------------------------------------------------------------------------

_SELECT = """
    SELECT m.id, m.thread_id, m.kind, m.subtype, m.internal, m.automatic, w.login, m.from_name, m.from_address,
        m.subject,
        m.text, m.html, m.date, m.received, m.message_id, m.superseded_by_id, m.original_id, m.answers_id, m.format,
        m.details
    FROM crm_message m LEFT JOIN crm_user w ON w.id = m.author_id"""
# Of the letters of a thread those that came from outside.
_FROM_OUTSIDE = "thread_id = ? AND kind = 'email_in' AND NOT internal AND author_id IS NULL"


def message(number: int) -> Message:
    found = _messages(sql.rows(f"{_SELECT} WHERE m.id = ?", number))
    if not found:
        raise NotFound(f"there is no message {number}")
    return found[0]


def several(numbers: Iterable[int]) -> dict[int, Message]:
    """Messages by their numbers, without their outgoing mails: a letter to a thousand people has a thousand."""
    found: dict[int, Message] = {}
    for some in sql.parts(numbers):
        rows = sql.rows(f"{_SELECT} WHERE m.id IN ({sql.marks(len(some))})", *some)
        found |= {one.id: one for one in _messages(rows, deliveries=False)}
    return found


def has_id(message_id: str) -> bool:
    """Is a message with this Message-ID here already?"""
    return sql.row("SELECT 1 FROM crm_message WHERE message_id = ? LIMIT 1", message_id) is not None


def of_thread(thread: int) -> list[Message]:
    """The conversation, oldest first."""
    return _messages(sql.rows(f"{_SELECT} WHERE m.thread_id = ? ORDER BY m.id", thread))


def spoken(thread: int) -> list[int]:
    """The messages of a thread that somebody said, not the program."""
    rows = sql.rows("SELECT id FROM crm_message WHERE thread_id = ? AND kind <> 'system' ORDER BY id", thread)
    return [number for (number,) in rows]


def letters_since(thread: int, since: datetime) -> int:
    """How many letters came to a thread after this moment."""
    came = "SELECT COUNT(*) FROM crm_message WHERE thread_id = ? AND kind = 'email_in' AND received > ?"
    return int(sql.value(came, thread, since))


def from_outside(thread: int, *, but: int) -> Iterator[str]:
    """What others than users said in a thread and a notification may show, the newest first: letters with their
    senders and subjects, the program's sentences (which name titles and people), names, addresses, file names.

    Args:
        but: a message that is not asked.
    """
    here = "m.thread_id = ? AND m.id <> ?"
    theirs = "(m.kind IN ('email_in', 'system') OR (m.original_id IS NOT NULL AND m.author_id IS NULL))"
    said = f"SELECT m.id FROM crm_message m WHERE {here} AND {theirs} ORDER BY m.id DESC"
    for (number,) in sql.rows(said, thread, but):
        yield "\n".join(
            sql.row("SELECT from_name, from_address, subject, text FROM crm_message WHERE id = ?", number) or ()
        )
    people = "SELECT DISTINCT a.name, a.address FROM crm_message m JOIN crm_message_address a ON a.message_id = m.id"
    files = "SELECT DISTINCT a.name FROM crm_message m JOIN crm_attachment a ON a.message_id = m.id"
    for named in (people, files):
        for row in sql.rows(f"{named} WHERE {here}", thread, but):
            yield "\n".join(row)


def superseded(message: int) -> list[int]:
    """The copies that a message is the whole of."""
    return [number for (number,) in sql.rows("SELECT id FROM crm_message WHERE superseded_by_id = ?", message)]


def last_letter(thread: int) -> Message | None:
    """The last letter of a thread from outside, a person's before a machine's; without its outgoing mails."""
    newest = f"SELECT id FROM crm_message WHERE {_FROM_OUTSIDE} ORDER BY automatic, id DESC LIMIT 1"
    number = sql.value(newest, thread)
    return several([number])[number] if number is not None else None


def letters_named(thread: int, identifiers: Iterable[str]) -> dict[str, int]:
    """Message-ID → message, of the letters of a thread from outside that these name."""
    found: dict[str, int] = {}
    for some in sql.parts(identifiers):
        named = (
            f"SELECT message_id, id FROM crm_message WHERE message_id IN ({sql.marks(len(some))}) AND {_FROM_OUTSIDE}"
        )
        found |= dict(sql.rows(named, *some, thread))
    return found


def details_of(threads: Iterable[int]) -> list[tuple[int, datetime, list[dict[str, str]]]]:
    """(thread, when, [{"field", "old", "new"}, …]): what the program said was changed in these, oldest first."""
    found: list[sql.Row] = []
    for some in sql.parts(threads):
        found += sql.rows(
            "SELECT id, thread_id, received, details FROM crm_message"
            f" WHERE thread_id IN ({sql.marks(len(some))}) AND kind = 'system' AND details IS NOT NULL",
            *some,
        )
    return [(thread, moment(received), unjson(said)) for _, thread, received, said in sorted(found)]


def known_to(thread: int, address: str) -> set[int]:
    """The messages of a thread that an address has sent or got: it stood in the head of the mail that came, or a mail
    of ours left, or will, to it."""
    rows = sql.rows(
        "SELECT a.message_id FROM crm_message_address a JOIN crm_message m ON m.id = a.message_id"
        " WHERE a.thread_id = ? AND a.address = ? AND (m.kind = 'email_in' OR m.original_id IS NOT NULL)",
        thread,
        address,
    )
    return {number for (number,) in rows} | {number for number, _ in outbox.identifiers(thread, address)}


class LetterId(NamedTuple):
    """A letter of a conversation, by its own id."""

    id: int
    message_id: str  # of a letter that came from outside; "" else


def letters_before(thread: int, message: int) -> list[LetterId]:
    """The letters of a thread before a message, oldest first, without what is internal or from a machine."""
    rows = sql.rows(
        "SELECT id, kind, message_id FROM crm_message"
        " WHERE thread_id = ? AND id < ? AND NOT internal AND NOT automatic ORDER BY id",
        thread,
        message,
    )
    return [LetterId(number, (own or "") if kind == "email_in" else "") for number, kind, own in rows]


def newest(limit: int, *, author: int | None = None, before: int | None = None) -> list[Message]:
    """The newest messages of all records, newest first: the last resort of F76.  `before`: of those that are older."""
    wanted = [("m.author_id = ?", author), ("m.id < ?", before)]
    asked = [(condition, one) for condition, one in wanted if one is not None]
    held = f"WHERE {' AND '.join(condition for condition, _ in asked)}" if asked else ""
    rows = sql.rows(f"{_SELECT} {held} ORDER BY m.id DESC LIMIT ?", *(one for _, one in asked), limit)
    return _messages(rows)


def _messages(rows: Sequence[sql.Row], *, deliveries: bool = True) -> list[Message]:
    numbers = [row[0] for row in rows]
    named: dict[int, dict[str, list[str]]] = {number: {"to": [], "cc": [], "bcc": [], "from": []} for number in numbers}
    for some in sql.parts(numbers):
        people = "SELECT id, message_id, role, address, name FROM crm_message_address WHERE message_id IN"
        for _, message, role, address, name in sorted(sql.rows(f"{people} ({sql.marks(len(some))})", *some)):
            named[message][role].append(address or name)
    files: dict[int, list[Attachment]] = {number: [] for number in numbers}
    for one in attachments(numbers):
        files[one.message].append(one)
    sent: dict[int, list[Delivery]] = {number: [] for number in numbers}
    for delivery in outbox.deliveries(messages=numbers) if deliveries else ():
        sent[delivery.message].append(delivery)
    return [_message(row, named[row[0]], files[row[0]], sent[row[0]]) for row in rows]


def _message(row: sql.Row, named: dict[str, list[str]], files: list[Attachment], sent: list[Delivery]) -> Message:
    (
        number, thread, kind, subtype, internal, automatic, author, from_name, from_address, subject, text, html, date,
        received, message_id, superseded_by, original, answers, format, details,
    ) = row  # fmt: skip
    return Message(
        number,
        thread,
        kind,
        subtype,
        bool(internal),
        bool(automatic),
        author or "",
        from_name,
        from_address,
        named["to"],
        named["cc"],
        subject,
        text,
        html,
        moment(date),
        moment(received),
        message_id or "",
        superseded_by,
        original,
        answers,
        format,
        files,
        sent,
        unjson(details) or [],
    )


def attachments(messages: Sequence[int]) -> list[Attachment]:
    """What is attached to these, in the order in which it came."""
    found: list[Attachment] = []
    for some in sql.parts(messages):
        files = "SELECT id, message_id, name, type, size, sha256 FROM crm_attachment WHERE message_id IN"
        found += [Attachment(*row) for row in sql.rows(f"{files} ({sql.marks(len(some))})", *some)]
    return sorted(found)


def attachment(number: int) -> tuple[Attachment, bytes]:
    """An attachment and its exact bytes."""
    row = sql.row(
        "SELECT a.id, a.message_id, a.name, a.type, a.size, a.sha256, b.data"
        " FROM crm_attachment a JOIN crm_blob b ON b.sha256 = a.sha256 WHERE a.id = ?",
        number,
    )
    if row is None:
        raise NotFound(f"there is no attachment {number}")
    return Attachment(*row[:-1]), bytes(row[-1])
