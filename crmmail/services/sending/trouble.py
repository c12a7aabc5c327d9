"""The red envelope: a mail of ours did not arrive, and somebody must hear of it (F84).

Who is told: of a notification the user whom it was for, since he would hear nothing else; of a letter its author; where
nobody wrote it, or he has left, whoever is in charge of the record.  He finds the message in his inbox, once more if
he had dismissed it.
"""

from __future__ import annotations

import contextlib

from crmmail.core.typed import TYPE_CHECKING
from crmmail.services.hearing.tell import in_charge
from crmmail.store.letters import inbox, messages, outbox
from crmmail.store.letters.outbox import Delivery
from crmmail.store.people import directory
from crmmail.store.work import records
from crmmail.workspace import Workspace

if TYPE_CHECKING:
    from crmmail.core.failure import Failure

WHY = ("failed", "bounced", "waiting")  # why somebody is told of a message that is his own
DEAD = ("recipient", "address")  # kinds of failure that say of an address that it does not exist


def raise_envelope(workspace: Workspace, copy: Delivery, why: str) -> None:
    """Puts the message before whoever should know.  `why`: failed | bounced | waiting."""
    for user in _who(workspace, copy):
        inbox.raise_notification(user, why, workspace.now(), message=copy.message, thread=copy.record)


def tell_admins(workspace: Workspace, copy: Delivery) -> None:
    """The last resort, where the one whom it concerns cannot be told: whatever stands in the way of that stands in the
    way of no other mail."""
    with contextlib.suppress(Exception), workspace.store.transaction():
        for one in directory.admins():
            inbox.raise_notification(one.id, "failed", workspace.now(), message=copy.message, thread=copy.record)


def lower_envelope(workspace: Workspace, message: int) -> None:
    """Takes the items about a message out of the inboxes, once none of its mails is in trouble any more."""
    copies = outbox.deliveries(messages=[message])
    if not any(one.state in outbox.TROUBLE or (one.state == "queued" and one.attempts) for one in copies):
        inbox.settle_notifications(message, WHY, workspace.now())


def mark_address(workspace: Workspace, copy: Delivery, failure: Failure) -> None:
    """Remembers an address that does not exist, so that the next letter to it warns."""
    if failure.permanent and failure.kind in DEAD:
        outbox.mark_bad(copy.to, workspace.now(), failure.words, copy.id)


def _who(workspace: Workspace, copy: Delivery) -> list[int]:
    if copy.user is not None and copy.purpose == "notification" and directory.user_by_id(copy.user).active:
        return [copy.user]
    author = messages.message(copy.message).author
    if author and directory.user(author).active:
        return [directory.user(author).id]
    return in_charge(workspace, records.record(copy.record))
