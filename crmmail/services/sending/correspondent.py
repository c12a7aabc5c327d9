"""Whom an answer about a record goes to: who wrote the letter that is answered, else whom the record is about."""

from __future__ import annotations

from crmmail.core.message import Address
from crmmail.store.letters import messages
from crmmail.store.letters.messages import Message
from crmmail.store.people import directory
from crmmail.store.work.records import Record


def last_letter(this: Record) -> Message | None:
    """The last letter from outside, a person's before a machine's; None where nobody wrote."""
    return messages.last_letter(this.id)


def _from_outside(message: Message) -> bool:
    """A letter; what a colleague's vacation responder wrote is none."""
    return message.kind == "email_in" and not message.internal and not message.author


def of_notification(this: Record, told: Message | None) -> tuple[Message | None, list[Address]]:
    """The letter that an answer to a notification answers, and whom it goes to.

    Who is told of Ann's letter answers Ann, though Bob wrote after her; who is told of anything else answers the last
    letter from outside.

    Args:
        told: what the notification told of; None where that is not known.
    """
    asked = told if told and told.thread == this.id and _from_outside(told) else last_letter(this)
    return asked, (of_letter(asked)[0] if asked else []) or of_record(this)


def of_letter(message: Message) -> tuple[list[Address], list[Address]]:
    """Who wrote a letter, and who else stood in it; of a letter of ours, whom it was for."""
    others = [Address("", one) for one in (*message.to, *message.cc) if "@" in one]
    if message.kind == "email_out":
        return others[: len(message.to)], others[len(message.to) :]
    sender = [Address(message.from_name, message.from_address)] if message.from_address else []
    return sender, others


def of_record(this: Record) -> list[Address]:
    """Whom a record is about."""
    if this.kind == "contact":
        card = directory.contact(this.id)
        return [Address(card.name, card.addresses[0])] if card.addresses else []
    name = this.partner.name if this.partner else this.partner_name
    return [Address(name, this.email)] if this.email else []
