"""What happened beside the mail: a call, a visit (F16).  It stands in the conversation, and never leaves."""

from __future__ import annotations

from collections.abc import Sequence

from crmmail.core import delay, text
from crmmail.core.letter import File
from crmmail.core.message import Address, Part
from crmmail.core.typed import NamedTuple
from crmmail.errors import UsageError
from crmmail.services.hearing.tell import tell
from crmmail.services.shared.fields import Detail
from crmmail.services.shared.possible import living
from crmmail.store.history import journal, undoable
from crmmail.store.history.undoable import Change
from crmmail.store.letters import messages
from crmmail.store.people import directory, followers
from crmmail.store.work import records
from crmmail.workspace import Workspace, os_login

RESULTS = ("answered", "missed", "ongoing")


class Logged(NamedTuple):
    record: int
    message: int
    sentence: str  # `#101 Printer broken: call answered, 5m, with Ann`


def call(
    workspace: Workspace,
    number: int,
    *,
    result: str,
    words: str = "",
    files: Sequence[File] = (),
    duration: str = "",
    contact: int | None = None,
) -> Logged:
    """A call, with what was said, its recording, and how it ended.

    Args:
        result: one of RESULTS.
        duration: how long it took, as `core.delay` reads it; "" where that is not known.
        contact: with whom.
    """
    if result not in RESULTS:
        raise UsageError(f"{result!r} is no result of a call: it is {', '.join(RESULTS)}")
    took = str(_duration(duration)) if duration else ""
    card = _contact(contact) if contact is not None else None
    said = ", ".join(filter(None, (f"call {result}", took, f"with {card.name}" if card else "")))
    details = [Detail("result", "", result), *([Detail("duration", "", took)] if took else [])]
    people = [Address(card.name, next(iter(card.addresses), ""))] if card else []
    return _log(workspace, number, "call", said, words, files, details, people)


def event(workspace: Workspace, number: int, what: str, *, words: str = "", files: Sequence[File] = ()) -> Logged:
    """Anything else that happened, such as a visit."""
    subject = text.one_line(what)
    if not subject:
        raise UsageError('say what happened: --what "Visit"')
    return _log(workspace, number, "note", subject, words, files, [], [])


def _contact(number: int) -> directory.Contact:
    """With whom; a number that no record has is a slip of another sort than one that is no contact's."""
    records.record(number)
    return directory.contact(number)


def _duration(words: str) -> delay.Delay:
    found = delay.parse(words)
    if found.months or found.seconds <= 0:
        raise UsageError(f"{words!r} is no duration of a call: write 5m or 1h10m")
    return found


def _log(
    workspace: Workspace,
    number: int,
    kind: str,
    subject: str,
    words: str,
    files: Sequence[File],
    details: Sequence[Detail],
    people: Sequence[Address],
) -> Logged:
    """The message, its files, who is told of it, and the journal entry; undo takes it away again."""
    me, now = workspace.user(), workspace.now()
    changes: list[Change] = []
    with workspace.store.transaction():
        this = living(number)
        with undoable.made(changes):
            message = messages.put_message(
                number,
                kind=kind,
                subtype=kind,
                internal=True,
                author=me.id,
                from_name=me.name,
                from_address=me.email,
                subject=subject,
                text=text.clean(words).strip("\n").rstrip(),
                date=now,
                received=now,
                details=[one._asdict() for one in details] or None,
            )
            messages.put_addresses(message, number, "to", people)
            messages.put_attachments(
                message, [Part(at, one.name, one.type, one.data, "", False) for at, one in enumerate(files)]
            )
            followers.put_follower(number, now, user=me.id)
            tell(workspace, number, message, subtype=kind, internal=True, author=me.id)
        records.touch(number, this.kind, now)
        sentence = f"#{number} {this.title}: {subject}"
        act = "call" if kind == "call" else "event"
        journal.write(me.id, os_login(), now, act, sentence, changes, thread=number)
    return Logged(number, message, sentence)
