"""Writes down what a person says about a record: an answer, a new letter, a letter passed on, a note (F82).

Message, recipients and outbox rows in one transaction; `services.sending.send` sends.
"""

from __future__ import annotations

from collections.abc import Sequence

from crmmail.core import record
from crmmail.core.message import Part
from crmmail.core.typed import NamedTuple
from crmmail.services.acts.records import Done, press
from crmmail.services.hearing.tell import tell
from crmmail.services.sending.enqueue import put_letter
from crmmail.services.sending.preview import Plan
from crmmail.services.shared.fields import Detail
from crmmail.store.history import journal
from crmmail.store.letters import messages, outbox
from crmmail.store.people import followers
from crmmail.store.work import records
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace, os_login


class Posted(NamedTuple):
    record: Record
    message: int
    deliveries: list[int]  # rows of the outbox to send now
    details: list[Detail]  # what `then` changed
    rules: Sequence[str] = ()  # and what rules made of it


def post(workspace: Workspace, this: Plan) -> Posted:
    """Writes it down, in one transaction: the message, who took part, the files, a row of the outbox for each who
    gets it by mail, the inbox items."""
    me, now = workspace.user(), workspace.now()
    with workspace.store.transaction():
        message = messages.put_message(
            this.record.id,
            kind="note" if this.internal else "email_out",
            subtype="note" if this.internal else "discussion",
            internal=this.internal,
            author=me.id,
            from_name=this.sender.name,
            from_address=this.sender.address,
            subject=this.subject,
            text=this.text,
            format=this.format,
            answers=this.answers.id if this.answers else None,
            date=now,
            received=now,
        )
        messages.put_attachments(
            message,
            [Part(at, one.name, one.type, one.data, "", False) for at, one in enumerate(this.files)],
        )
        put_letter(workspace, this.record.id, message, this.addressees)
        followers.put_follower(this.record.id, now, user=me.id)
        told = tell(
            workspace,
            this.record.id,
            message,
            subtype="note" if this.internal else "discussion",
            internal=this.internal,
            author=me.id,
            addressed=this.addressed,
            holders={one.address for one in this.addressees},
            outside=this.verb != "forward",
        )
        outside = any(one.user is None for one in this.addressees)
        records.touch(this.record.id, this.record.kind, now, answered=outside and not this.internal)
        journal.write(me.id, os_login(), now, this.verb, _sentence(this), thread=this.record.id, undoable=False)
        then = Done(this.record.id, this.record.title, [])
        if this.then and this.record.state != record.target(this.record.kind, this.then):
            then = press(workspace, this.record.id, this.then, skip=told)
        rows = [one.id for one in outbox.deliveries(messages=[message])]
    return Posted(records.record(this.record.id), message, rows, then.details, then.rules)


def _sentence(this: Plan) -> str:
    people = ", ".join(one.address for one in this.addressees)
    verb = {"reply": "answered", "send": "wrote to", "forward": "passed on to", "note": "noted"}[this.verb]
    return f"#{this.record.id} {this.record.title}: {verb}{f' {people}' if people else ''}"
