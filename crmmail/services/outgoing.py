"""The outbox: what waits to leave, and how it will read.  Sending takes it from here."""

from __future__ import annotations

from typing import Any

from crmmail.core import quote, text
from crmmail.core.known import subject_tags
from crmmail.errors import NotFound
from crmmail.render import DEFAULT_LANGUAGE, Rendered, render
from crmmail.store import directory, messages, records
from crmmail.store.messages import Delivery, Message
from crmmail.store.records import Record
from crmmail.workspace import Workspace


def listing(workspace: Workspace, *, everything: bool = False) -> list[Delivery]:
    """What waits, failed or came back; or all that ever was in it."""
    return messages.deliveries(states=None if everything else ("queued", "failed", "bounced"))


def preview(workspace: Workspace, number: int) -> tuple[Delivery, Rendered]:
    """One mail of the outbox, as it will read, in its recipient's language.

    Users read a notification, with state and command (F46).  Who is outside reads the words and nothing of the house.
    """
    copy = next(iter(messages.deliveries(numbers=[number])), None)
    if copy is None:
        raise NotFound(f"there is no mail {number} in the outbox")
    message, record = messages.message(copy.message), records.record(copy.record)
    subject = text.one_line(message.subject or record.title)
    values: dict[str, Any] = {
        "record": {"id": record.id, "title": text.one_line(record.title)},
        "tagged": subject if record.id in subject_tags(subject) else f"[{record.id}] {subject}",
        "sender": text.one_line(_sender(message)),
        "text": text.clean(quote.visible(message.text)).strip(),
    }
    if copy.user is None:
        language = directory.contact(copy.contact).lang if copy.contact is not None else ""
        return copy, render("copy", language or DEFAULT_LANGUAGE, values)
    values["record"] |= {"kind": record.kind, "state": record.state}
    values |= {"customer": text.one_line(_customer(record)), "internal": message.internal}
    return copy, render("notification", directory.user_by_id(copy.user).lang, values)


def _sender(message: Message) -> str:
    if message.author:
        return directory.user(message.author).name
    return message.from_name or message.from_address or "crmmail"


def _customer(record: Record) -> str:
    return record.partner.name if record.partner else record.partner_name or record.email
