"""A bounce comes home to the letter of ours that it speaks of: red envelope, and its author hears of it.

It is stored in the conversation as an internal message, so that nobody outside ever reads it and nothing is lost; it
reopens nothing and makes nothing.
"""

from __future__ import annotations

from crmmail.core.address import from_xtext
from crmmail.core.message import Mail
from crmmail.core.route import Route
from crmmail.core.sender import Sender
from crmmail.services.incoming import filing
from crmmail.services.sending import trouble
from crmmail.store.letters import outbox
from crmmail.store.work import records
from crmmail.workspace import Workspace


def take(workspace: Workspace, mail: Mail, route: Route, original: int, *, notifies: bool = True) -> filing.Filed:
    """Files a bounce, and marks the mail that it speaks of.

    Args:
        notifies: False: its author hears nothing of it.
    """
    assert route.thread is not None and route.delivery is not None
    sender = Sender(mail.sender.address, None, False, "", "bounce", False)
    message = filing.store_letter(workspace, route.thread, mail, route, sender, original)
    copy = next(iter(outbox.deliveries(numbers=[route.delivery])), None)
    if copy is not None and route.failure is not None and copy.state != "cancelled":  # somebody has put it away
        copy = copy._replace(record=route.thread)  # the record may live on as another one
        outbox.change(
            copy.id,
            state="bounced",
            reason=route.failure.words,
            failure=route.failure.kind,
            worker=None,
            lease=None,
        )
        if _speaks_of(mail, copy.to):
            trouble.mark_address(workspace, copy, route.failure)
        if notifies:
            trouble.raise_envelope(workspace, copy, "bounced")
    return filing.Filed(route.thread, records.kind(route.thread), message, False, [], [])


def _speaks_of(mail: Mail, address: str) -> bool:
    """Does the bounce say that this very address is dead, or name nobody?  Where it names others, somebody passes his
    mail on to them; and who holds the id of one mail must not give up the address of another."""
    named = mail.report.recipients if mail.report else ()
    return not named or any(address in (one, from_xtext(one)) for one in named)


def own_mail_back(workspace: Workspace, mail: Mail) -> list[str]:
    """A notification that comes back to us never reached its reader: his address has no mailbox of its own, and the
    catchall receives it.  He hears by inbox; what `why` should tell."""
    row = outbox.by_identifier([mail.message_id]).get(mail.message_id)
    copy = next(iter(outbox.deliveries(numbers=[row])), None) if row is not None else None
    if copy is None or copy.user is None or copy.state == "bounced":
        return []
    why = "it came back to us: the address has no mailbox of its own"
    outbox.change(copy.id, state="bounced", reason=why, failure="address", worker=None, lease=None)
    trouble.raise_envelope(workspace, copy, "bounced")
    return [f"the notification to {copy.to} came back: he hears by inbox"]
