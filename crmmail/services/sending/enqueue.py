"""A letter of ours goes into the outbox: one row for each who gets it as a letter.

Everybody gets a mail of his own, with an id and a Reply-To made for him; what he reads in To and Cc is what was asked
for, and nobody who was not (F90).
"""

from __future__ import annotations

from collections.abc import Sequence

from crmmail.core import token
from crmmail.core.message import Address
from crmmail.core.typed import TYPE_CHECKING
from crmmail.services.hearing.tell import identifier
from crmmail.store.letters import messages, outbox
from crmmail.store.people import directory
from crmmail.workspace import Workspace

if TYPE_CHECKING:
    from crmmail.core.reply import Addressee  # which only users' answers need


def put_letter(workspace: Workspace, record: int, message: int, people: Sequence[Addressee]) -> list[int]:
    """Writes down whom a letter is for: as people who take part, and as rows of the outbox; the rows' numbers."""
    for role in ("to", "cc", "bcc"):
        messages.put_addresses(
            message, record, role, [Address(one.name, one.address) for one in people if one.role == role]
        )
    marks = [identifier(workspace, token.Token(record, _for_whom(one))) for one in people]
    if marks and not messages.message(message).message_id:  # what came by mail has its own
        messages.change_message(message, message_id=marks[0])
    return [_put_row(workspace, record, message, one, mark) for one, mark in zip(people, marks, strict=True)]


def _for_whom(one: Addressee) -> str:
    """Whose answer the token proves.  A colleague who is the customer here answers as the customer."""
    if one.user is not None:
        return f"u{one.user}" if one.why != "customer" else "x"
    contact = _contact(one)
    return "x" if contact is None else f"c{contact}"


def _contact(one: Addressee) -> int | None:
    """The one contact with that address."""
    cards = directory.contacts_with(one.address) if one.user is None else []
    return cards[0] if len(cards) == 1 else None


def _put_row(workspace: Workspace, record: int, message: int, one: Addressee, mark: str) -> int:
    now = workspace.now()
    return outbox.put_delivery(
        message,
        record,
        user=one.user,
        contact=_contact(one),
        address=one.address,
        purpose="mail",
        role=one.role,
        why=one.why,
        identifier=mark,
        due=now,
        created=now,
    )
