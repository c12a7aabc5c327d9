"""The outbox: what waits to leave, and how it will read.  Sending takes it from here."""

from __future__ import annotations

from crmmail.core import quote, text
from crmmail.errors import NotFound
from crmmail.render import Rendered, render
from crmmail.store import directory, messages, records
from crmmail.store.messages import Delivery
from crmmail.workspace import Workspace


def listing(workspace: Workspace, *, everything: bool = False) -> list[Delivery]:
    """What waits, failed or came back; or all that ever was in it."""
    return messages.deliveries(states=None if everything else ("queued", "failed", "bounced"))


def preview(workspace: Workspace, number: int) -> tuple[Delivery, Rendered]:
    """One mail of the outbox, as it will read: a notification in its recipient's language (F46)."""
    copy = next((one for one in messages.deliveries(numbers=[number])), None)
    if copy is None:
        raise NotFound(f"there is no mail {number} in the outbox")
    message, record = messages.message(copy.message), records.record(copy.record)
    language = directory.user_by_id(copy.user).lang if copy.user is not None else "en"
    values = {
        "record": {"id": record.id, "title": record.title, "kind": record.kind, "state": record.state},
        "subject": text.one_line(message.subject or record.title),
        "sender": text.one_line(message.author or message.from_name or message.from_address or "crmmail"),
        "text": text.clean(quote.visible(message.text)).strip(),
        "customer": text.one_line(record.partner.name if record.partner else record.partner_name or record.email),
        "internal": message.internal,
    }
    return copy, render("notification", language, values)
