"""The outbox as people see it: what waits, what failed and why, how a mail will read; try again, or do not send."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from crmmail.core.letter import Letter
from crmmail.core.typed import TYPE_CHECKING, NamedTuple
from crmmail.errors import NotFound, Refused
from crmmail.services.sending import trouble
from crmmail.services.sending.advice import advice
from crmmail.store.history import journal, undoable
from crmmail.store.letters import outbox
from crmmail.store.letters.outbox import Delivery
from crmmail.store.people import directory
from crmmail.workspace import Workspace, os_login

if TYPE_CHECKING:
    from crmmail.services.sending.claims import Result

__all__ = ["Delivery", "Preview", "advice", "cancel", "delivery", "listing", "news", "preview", "raw", "retry"]


SAID = "tick.said"  # in the store: the kinds of failure that cron's owner has heard of


class Preview(NamedTuple):
    """One row, and the mail that it will be, or was; None with the reason where it cannot be made."""

    delivery: Delivery
    letter: Letter | None
    data: bytes
    broken: str


def listing(
    workspace: Workspace, *, everything: bool = False, limit: int | None = None, before: int | None = None
) -> Iterator[Delivery]:
    """What waits, failed or came back; or all that ever was in it.  Oldest first, read as they are wanted.

    Args:
        limit: the newest so many.
        before: of those that are older than this mail.
    """
    states = None if everything else ("queued", *outbox.TROUBLE)
    return outbox.listed(outbox.identified(states, limit=limit, before=before))


def news(workspace: Workspace, results: Sequence[Result]) -> list[Result]:
    """What cron's owner has to hear of a pass: what failed for good, and a door that is shut since the last pass.

    Which doors he has heard of is remembered in the store until mail leaves again, whoever met them first.
    """
    shut = {one.failure.kind for one in results if one.failure is not None and one.failure.ours}
    said = set(directory.settings().get(SAID, "").split())
    known = shut | (set() if any(one.state == "sent" for one in results) else said)
    if known != said:
        with workspace.store.transaction():
            directory.put_setting(SAID, " ".join(sorted(known)))
    new = shut - said
    first = {kind: next(one for one in results if one.failure and one.failure.kind == kind) for kind in sorted(new)}
    return [one for one in results if one.state == "failed" or one in first.values()]


def delivery(number: int) -> Delivery:
    """One row of the outbox."""
    found = outbox.deliveries(numbers=[number])
    if not found:
        raise NotFound(f"there is no mail {number} in the outbox: `crmmail outbox --all` lists them")
    return found[0]


def preview(workspace: Workspace, number: int) -> Preview:
    """One mail of the outbox, as it will read, in its recipient's language."""
    from crmmail.services.sending import outgoing  # which makes mails; a listing has no use for it

    copy = delivery(number)
    try:
        letter, data, _ = outgoing.build(workspace, copy)
        return Preview(copy, letter, data, "")
    except (Refused, NotFound, outgoing.Unbuildable) as error:
        return Preview(copy, None, b"", str(error))


def retry(workspace: Workspace, numbers: Sequence[int] | None) -> list[Delivery]:
    """Makes failed and waiting mails due now, under their old Message-IDs; all of them where none is named.

    Each has all its tries again: what is old would be given up at the first greylisting.
    What bounced is tried again only where it is named: it arrived once, and was sent back.
    """
    wanted = [delivery(one) for one in numbers] if numbers is not None else list(listing(workspace))
    changed = []
    with workspace.store.transaction():
        for copy in wanted:
            if copy.state not in ("queued", *outbox.TROUBLE):
                raise Refused(f"mail {copy.id} to {copy.to} was {copy.state} already")
            if numbers is None and copy.state == "bounced":
                continue
            outbox.change(copy.id, state="queued", due=workspace.now(), attempts=0)
            if copy.state in outbox.TROUBLE:
                outbox.forgive(copy.to)  # whoever tries again believes in the address
            changed.append(copy)
    return changed


def cancel(workspace: Workspace, numbers: Sequence[int]) -> list[Delivery]:
    """Does not send what has not left, and puts away what failed or came back; undo puts it back."""
    from crmmail.services.sending import worker  # as above

    me = workspace.user()
    with workspace.store.transaction():
        copies = [delivery(one) for one in numbers]
        busy = outbox.in_work(numbers, datetime.now(UTC), worker.alive)
        for copy in copies:
            if copy.state not in ("queued", *outbox.TROUBLE):
                raise Refused(f"mail {copy.id} to {copy.to} was {copy.state} already")
            if copy.id in busy:
                raise Refused(f"mail {copy.id} to {copy.to} is being sent at this moment")
        for copy in copies:
            changes = undoable.update("delivery", copy.id, state="cancelled")
            sentence = f"mail {copy.id} to {copy.to} will not be sent"
            journal.write(me.id, os_login(), workspace.now(), "cancel-mail", sentence, changes, thread=copy.record)
            trouble.lower_envelope(workspace, copy.message)
    return copies


def raw(workspace: Workspace, number: int) -> bytes:
    """The mail exactly as it leaves."""
    found = preview(workspace, number)
    if found.letter is None:
        raise Refused(f"mail {number} cannot be made: {found.broken}")
    return found.data
