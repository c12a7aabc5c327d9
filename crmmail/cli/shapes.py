"""The JSON that other programs stand on: which keys, in which order, from the values that services give.

More keys may be added, none goes or changes its meaning; golden tests hold these shapes.  Empty is null, never missing;
lists are always lists.
"""

from __future__ import annotations

from crmmail.core import record
from crmmail.core.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:  # each command reads what its own values come from, and no other
    from crmmail.services.acts.post import Posted
    from crmmail.services.desk.reading import View
    from crmmail.services.desk.search import Found
    from crmmail.services.incoming.judge import Outcome
    from crmmail.services.incoming.unconfirmed import Waiting
    from crmmail.services.sending.preview import Plan
    from crmmail.store.letters.messages import Message
    from crmmail.store.letters.outbox import Delivery
    from crmmail.store.letters.quarantine import Quarantined
    from crmmail.store.lists.items import Item
    from crmmail.store.people.followers import Follower
    from crmmail.store.work.activities import Activity
    from crmmail.store.work.records import Record

Shape = dict[str, Any]


def outcome(one: Outcome) -> Shape:
    return {
        "outcome": one.outcome,
        "reason": one.reason,
        "record": one.record,
        "kind": one.kind,
        "created": one.created,
        "message": one.message,
        "quarantine": one.quarantine,
        "candidate": one.candidate,
        "evidence": one.evidence,
        "sentence": one.sentence,
    }


def item(one: Item) -> Shape:
    return {
        "id": one.id,
        "record": one.record,
        "kind": one.kind or None,
        "title": one.title or None,
        "message": one.message,
        "from_name": one.from_name,
        "from_address": one.from_address,
        "subject": one.subject,
        "text": one.text,
        "date": one.date,
        "unread": one.unread,
        "starred": one.starred,
        "state": one.state or None,
        "subtype": one.subtype or None,
        "internal": one.internal,
        "automatic": one.automatic,
        "author": one.author or None,
        "quarantine": one.quarantine,
        "reason": one.reason or None,
        "why": one.why or None,
        "envelope": one.envelope or None,
    }


def found(one: Found) -> Shape:
    """A row of `search`."""
    hit = one.hit
    return {
        "message": hit.message,
        "record": hit.record,
        "kind": hit.kind,
        "title": hit.title,
        "state": hit.state or None,
        "subject": hit.subject,
        "from_name": hit.from_name,
        "from_address": hit.from_address,
        "date": hit.received,
        "snippet": one.snippet.text,
        "marks": one.snippet.marks,
        "author": hit.author or None,
        "message_kind": hit.message_kind,
        "internal": hit.internal,
    }


def partner(one: Record) -> Shape | None:
    return {"id": one.partner.id, "name": one.partner.name} if one.partner else None


def listed(one: Record) -> Shape:
    """A row of `list`."""
    return {
        "id": one.id,
        "kind": one.kind,
        "title": one.title,
        "state": one.state or None,
        "section": one.section or None,
        "responsible": one.responsible or None,
        "partner": partner(one),
        "email": one.email or None,
        "priority": one.priority,
        "created": one.created,
        "updated": one.updated,
        "category": one.category or None,
        "deadline": one.deadline,
        "company": one.company or None,
        "partner_name": one.partner_name or None,
        "envelope": one.envelope or None,
    }


def shown(view: View) -> Shape:
    """What `show` prints."""
    one = view.record
    return {
        "record": {
            "id": one.id,
            "kind": one.kind,
            "title": one.title,
            "state": one.state or None,
            "section": one.section or None,
            "category": one.category or None,
            "responsible": one.responsible or None,
            "priority": one.priority,
            "partner": partner(one),
            "email": one.email or None,
            "partner_name": one.partner_name or None,
            "deadline": one.deadline,
            "revenue": one.revenue,
            "cost": one.cost,
            "probability": one.probability,
            "company": one.company or None,
            "lang": one.lang or None,
            "addresses": list(view.contact.addresses) if view.contact else [],
            "address": one.address or None,
            "moved_to": one.moved_to,
            "author": one.author or None,
            "created": one.created,
            "updated": one.updated,
            "closed": one.closed,
            "envelope": one.envelope or None,
            "buttons": view.buttons,
            "held": list(view.held),
            "related": [{"id": other.id, "kind": other.kind, "title": other.title} for other in view.related],
            "contacts": [{"id": other.id, "name": other.name} for other in one.contacts],
            "bad_addresses": [{"address": address, "reason": reason} for address, reason in view.bad.items()],
        },
        "followers": [follower(other) for other in view.followers],
        "messages": [message(other, view.unread) for other in view.messages],
        "activities": [activity(other) for other in view.activities],
    }


def activity(one: Activity) -> Shape:
    return {
        "id": one.id,
        "summary": one.summary,
        "due": one.due,
        "user": one.user or None,
        "done": one.done,
        "overdue": one.overdue,
    }


def follower(one: Follower) -> Shape:
    return {
        "who": one.who or None,
        "address": one.address or None,
        "internal": one.internal,
        "types": list(one.types) if one.types is not None else None,
        "name": one.name or None,
    }


def message(one: Message, unread: list[int] | None = None) -> Shape:
    from crmmail.core import quote  # which listings have no use for

    return {
        "id": one.id,
        "kind": one.kind,
        "subtype": one.subtype,
        "internal": one.internal,
        "automatic": one.automatic,
        "author": one.author or None,
        "from_name": one.from_name,
        "from_address": one.from_address,
        "to": one.to,
        "cc": one.cc,
        "subject": one.subject,
        "text": one.text,
        "visible": quote.visible(one.text),
        "html": one.html,
        "date": one.date,
        "message_id": one.message_id or None,
        "attachments": [
            {"id": file.id, "name": file.name, "type": file.type, "size": file.size} for file in one.attachments
        ],
        "deliveries": [
            {
                "to": copy.to,
                "state": copy.state,
                "reason": copy.reason or None,
                "id": copy.id,
                "why": copy.why or None,
                "attempts": copy.attempts,
            }
            for copy in one.deliveries
        ],
        "record": one.thread,
        "received": one.received,
        "superseded_by": one.superseded_by,
        "unread": one.id in (unread or []),
        "call": call(one),
    }


def call(one: Message) -> Shape | None:
    """How a call ended, and how long it took, where that is known."""
    said = {detail["field"]: detail["new"] for detail in one.details} if one.kind == "call" else {}
    return {"result": said.get("result"), "duration": said.get("duration")} if said else None


def outgoing(one: Delivery) -> Shape:
    from crmmail.services.sending.advice import advice  # which reads all kinds of failure

    return {
        "id": one.id,
        "message": one.message,
        "record": one.record,
        "to": one.to,
        "state": one.state,
        "attempts": one.attempts,
        "reason": one.reason or None,
        "subject": one.subject,
        "purpose": one.purpose,
        "due": one.due if one.state == "queued" else None,
        "sent": one.sent,
        "advice": advice(one) or None,
    }


def planned(one: Plan, reply_to: str) -> Shape:
    """What a dry run of `reply`, `send`, `forward` or `note` prints."""
    named = {role: [other.address for other in one.addressees if other.role == role] for role in ("to", "cc", "bcc")}
    return {
        "record": one.record.id,
        "verb": one.verb,
        "from": one.sender.address or None,
        **named,
        "reply_to": reply_to or None,
        "subject": one.subject,
        "text": one.text,
        "recipients": [
            {
                "address": other.address,
                "name": other.name or None,
                "role": other.role,
                "why": other.why,
                "internal": other.user is not None,
                "new": other.new,
            }
            for other in one.addressees
        ],
        "hearers": [
            {"who": other.who, "why": other.why, "by": other.by, "internal": other.internal} for other in one.hearers
        ],
        "attachments": [{"name": file.name, "type": file.type, "size": len(file.data)} for file in one.files],
        "warnings": list(one.warnings),
        "message": one.answers.id if one.answers else None,
        "then": one.then or None,
    }


def posted(one: Posted, copies: list[Delivery], warnings: list[str]) -> Shape:
    """What became of it: `state` is the record's, those of `deliveries` each recipient's."""
    return {
        "record": one.record.id,
        "message": one.message,
        "deliveries": [
            {"id": copy.id, "to": copy.to, "state": copy.state, "reason": copy.reason or None} for copy in copies
        ],
        "state": one.record.state or None,
        "warnings": warnings,
    }


def quarantined(one: Quarantined) -> Shape:
    return {
        "id": one.id,
        "reason": one.reason,
        "from_address": one.from_address,
        "recipients": one.recipients,
        "subject": one.subject,
        "received": one.received,
        "size": one.size,
        "state": one.state,
        "sentence": one.sentence,
        "from_name": one.from_name,
        "candidate": one.candidate,
        "message": one.message,
        "text": one.text,
    }


def unconfirmed(one: Waiting) -> Shape:
    """A letter in quarantine, and the record that it may belong to, as which that lives now."""
    return {
        **quarantined(one.letter),
        "record": one.record.id if one.record else None,
        "title": one.record.title if one.record else None,
        "kind": one.record.kind if one.record else None,
        "why": one.letter.sentence,
        "user": one.user or None,
    }


def priority(value: int | None) -> str:
    return record.priority_name(value) if value is not None else ""
