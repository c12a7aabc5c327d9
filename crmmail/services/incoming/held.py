"""Letters in quarantine: held by a delivery, listed, and decided by a person (route, create, spam, purge).

Nothing here is lost: a decision can be undone, and only `purge`, which asks, removes bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from crmmail.core import automatic, record
from crmmail.core import route as routing
from crmmail.core.evidence import reply_evidence
from crmmail.core.known import Envelope
from crmmail.core.message import MADE, Mail, Report
from crmmail.core.route import Route
from crmmail.core.sender import Sender, identify
from crmmail.core.typed import TYPE_CHECKING, NamedTuple
from crmmail.errors import CrmmailError, Refused
from crmmail.services.hearing.tell import in_charge
from crmmail.services.shared.possible import lives_on_as
from crmmail.services.shared.rights import need_admin
from crmmail.store.engine.blobs import Bytes
from crmmail.store.history import journal, undoable
from crmmail.store.letters import inbox, mails, messages, quarantine, threads
from crmmail.store.letters.quarantine import Quarantined
from crmmail.store.people import directory, offices
from crmmail.store.work import records
from crmmail.workspace import Workspace, os_login

if TYPE_CHECKING:
    from crmmail.services.incoming import filing


class Settled(NamedTuple):
    """What was decided about a letter."""

    quarantine: int
    record: int | None
    sentence: str


# --- holding ------------------------------------------------------------------------------------------------


def hold(workspace: Workspace, mail: Mail, route: Route, original: int, *, notifies: bool = True) -> int:
    """A row in quarantine, and an inbox item for whoever should look at it; its number."""
    now = workspace.now()
    number = quarantine.put(
        original,
        route.reason,
        route.sentence,
        now,
        mail=mail,
        recipient=route.recipient,
        candidate=route.candidate,
        internal=route.internal,
    )
    for user in _who_looks(workspace, mail, route) if notifies else ():
        inbox.put_notification(user, route.reason, now, quarantine=number, thread=route.candidate)
    return number


def _who_looks(workspace: Workspace, mail: Mail, route: Route) -> list[int]:
    """The users who get an inbox item: for most reasons nobody, the summary and `doctor` count what waits."""
    if route.reason == "user-address-new":
        return list(directory.users_by_address([route.recipient]).values())
    if route.reason == "unconfirmed" and route.candidate is not None:
        return in_charge(workspace, records.record(route.candidate))
    if route.reason == "loop":
        yesterday = workspace.now() - timedelta(days=1)
        if quarantine.last_loop_notice(mail.sender.address, yesterday):
            return []
        if route.candidate:
            return in_charge(workspace, records.record(route.candidate))
        return [one.id for one in directory.admins()]
    return []


def hold_unread(
    workspace: Workspace, data: Bytes, key: str, envelope: Envelope, reason: str, sentence: str
) -> tuple[int | None, bool]:
    """Keeps a letter that could not be judged; its number in quarantine, and whether it was there already.

    Args:
        data: its bytes, compressed; the envelope knows how many there were.
    """
    identifier = f"{key[:32]}{MADE}"
    recipient = next(iter(envelope.recipients), "")
    with workspace.store.transaction():
        before = quarantine.find(identifier, key)
        if before is not None:
            return before, True
        original = mails.find_original(identifier, key)
        if original is None:
            original = mails.put_original(identifier, key, "", workspace.now(), size=envelope.size, data=data)
        number = quarantine.put(
            original, reason, sentence, workspace.now(), mail=None, recipient=recipient, candidate=None
        )
        mails.put_decision(
            original,
            workspace.now(),
            outcome="quarantined",
            reason=reason,
            sentence=sentence,
            recipient=recipient or None,
            quarantine=number,
        )
    return number, False


# --- deciding -----------------------------------------------------------------------------------------------


def route_to(workspace: Workspace, number: int, target: int) -> Settled:
    """Puts a letter into a record that is there.

    Raises:
        Refused: it is an unconfirmed answer, of which somebody must say whose it is (`services.incoming.unconfirmed`).
    """
    if quarantine.quarantined(number).reason == "unconfirmed":
        raise Refused(
            f"letter {number} is an unconfirmed answer: crmmail unconfirmed accept {number} --record {target}"
        )
    live = lives_on_as(records.record(target).id)
    route = Route("stored", "by-hand", f"put into record {target} by hand", thread=live)
    return _settle(workspace, number, route, "routed")


def create_from(workspace: Workspace, number: int, kind: str, section: str | None) -> Settled:
    """Makes a new record of a letter."""
    code = offices.section(section).code if section else ""
    kind = record.kind(kind).name
    route = Route("stored", "by-hand", f"a new {kind} made by hand", kind=kind, section=code)
    return _settle(workspace, number, route, "created")


def _settle(workspace: Workspace, number: int, route: Route, state: str) -> Settled:
    with workspace.store.transaction():
        row = waiting(number)
        mail = read(row)
        sender, internal = _judged(workspace, row, mail)
        filed = file(workspace, row, mail, route._replace(internal=internal), sender, state)
        sentence = f"letter {number} is in #{filed.record} {records.record(filed.record).title}"
        write(workspace, "quarantine", sentence, filed.changes, filed.record)
    return Settled(number, filed.record, sentence)


def _judged(workspace: Workspace, row: Quarantined, mail: Mail) -> tuple[Sender, bool]:
    """As whose a letter is filed, and does it stay inside?

    A person vouches for its place, not for its sender: it is a stranger's, or a machine's.  What answers an internal
    notice or has a colleague's address stays inside, also where nobody judged it when it came (too large, cut off).
    """
    settings, envelope = workspace.settings(), Envelope(recipients=(row.recipient,) if row.recipient else ())
    known = threads.known(routing.ask(mail, envelope, settings), workspace.now())
    found = identify(mail, envelope, known, settings)
    evidence = reply_evidence(mail, envelope, found, known, settings, [])
    internal = row.internal or found.user is not None or any(one.internal for one in evidence)
    return Sender(found.address, None, False, "", machine(row, mail), found.refuted), internal


def file(workspace: Workspace, row: Quarantined, mail: Mail, route: Route, sender: Sender, state: str) -> filing.Filed:
    """Files a letter that waits, inside the transaction of whoever decided; its changes are all that undo needs.

    Args:
        state: what becomes of the row in quarantine: routed, created, accepted.
    """
    from crmmail.services.incoming import filing  # which a listing has no use for

    me, now = workspace.user(), workspace.now()
    route = route._replace(recipient=row.recipient)
    contested = messages.has_id(mail.message_id)
    changes: list[undoable.Change] = []
    before, acts = _dates(route.thread), journal.newest_number()
    with undoable.made(changes):
        filed = filing.file_letter(workspace, mail, route, sender, row.original, contested=contested)
        mails.put_decision(
            row.original,
            now,
            outcome="stored",
            reason=route.reason,
            sentence=f"{route.sentence}, by {me.login}",
            recipient=row.recipient or None,
            thread=filed.record,
            message=filed.message,
            created=filed.created,
            counted=False,
            sender=mail.sender.address,
            evidence=list(dict.fromkeys(filed.notes)),
        )
    changes += journal.taken_over(acts)  # what the letter ordered is part of this act
    changes += filed.changes
    for name, value in _dates(route.thread).items():
        if value != before[name]:
            moments = [undoable.moment(one) if one else None for one in (before[name], value)]
            changes.append(undoable.Change(filed.kind, filed.record, name, *moments))
    changes += undoable.update("quarantine", row.id, state=state, message=filed.message, decided=now, decided_by=me.id)
    changes += settle_items(row.id, now)
    return filed._replace(changes=changes)


def _dates(thread: int | None) -> dict[str, datetime | None]:
    """When somebody outside wrote last, and when we first answered; a letter that is taken back was neither."""
    if thread is None or records.record(thread).kind == "contact":
        return {}
    return records.dates(thread, records.record(thread).kind)._asdict()


def settle_items(number: int, now: datetime) -> list[undoable.Change]:
    """Takes the items about a letter out of all inboxes, now that somebody has decided."""
    return [
        change for item in inbox.about_quarantine(number) for change in undoable.update("notification", item, done=now)
    ]


def waiting(number: int) -> Quarantined:
    """A letter that nobody has decided about."""
    row = quarantine.quarantined(number)
    if row.state != "waiting":
        raise Refused(f"letter {number} is not waiting any more, it was {row.state} already")
    return row


def read(row: Quarantined) -> Mail:
    """The letter itself."""
    from crmmail.mail.parse import parse  # as above

    try:
        return parse(mails.original_bytes(row.original))
    except CrmmailError:
        raise
    except Exception as error:  # the bug that brought it here
        how = f"crmmail quarantine show {row.id} --raw"
        raise Refused(f"letter {row.id} cannot be read ({type(error).__name__}): {how} has its bytes") from error


def machine(row: Quarantined, mail: Mail) -> str:
    """Why it is machine mail, "" if it is not.  What the envelope told of that when it came stands in the decision."""
    said = [piece for one in mails.decisions(original=row.original) for piece in one.evidence]
    told = next((piece.removeprefix(automatic.MACHINE) for piece in said if piece.startswith(automatic.MACHINE)), "")
    return automatic.machine(mail) or told


def write(
    workspace: Workspace, act: str, sentence: str, changes: list[undoable.Change], thread: int | None = None
) -> None:
    """Notes the decision in the journal, so that undo brings the letter back."""
    journal.write(workspace.user().id, os_login(), workspace.now(), act, sentence, changes, thread=thread)


def put_away(workspace: Workspace, number: int, state: str, act: str) -> Settled:
    """Puts a letter away as spam, or as refused; it stays readable with `quarantine list --all`."""
    me, now = workspace.user(), workspace.now()
    with workspace.store.transaction():
        row = waiting(number)
        changes = undoable.update("quarantine", number, state=state, decided=now, decided_by=me.id)
        changes += settle_items(number, now)
        sentence = f"letter {number} is {state}"
        write(workspace, act, sentence, changes)
    return Settled(number, row.candidate, sentence)


def mark_spam(workspace: Workspace, number: int) -> Settled:
    """Puts a letter away; it stays readable with `quarantine --all`."""
    return put_away(workspace, number, "spam", "spam")


def purge(workspace: Workspace, numbers: list[int]) -> list[Settled]:
    """Removes letters for good; what undo cannot bring back, so the door asks first."""
    me = need_admin(workspace, "remove letters for good")
    with workspace.store.transaction():
        for number in numbers:
            quarantine.purge(number)
            settle_items(number, workspace.now())
            journal.write(me.id, os_login(), workspace.now(), "purge", f"letter {number} purged", undoable=False)
    return [Settled(number, None, f"letter {number} is gone for good") for number in numbers]


# --- reading ------------------------------------------------------------------------------------------------


def listing(
    workspace: Workspace,
    *,
    everything: bool = False,
    reasons: Sequence[str] = (),
    limit: int | None = None,
    before: int | None = None,
) -> Iterator[Quarantined]:
    """Letters in quarantine, newest first: those that wait, or all that ever were there; read as they are wanted.

    Args:
        reasons: only those that are there for one of these.
        before: only what is older than this letter.
    """
    return quarantine.listed(quarantine.held(everything=everything, reasons=reasons, limit=limit, before=before))


def reasons(workspace: Workspace, *, everything: bool = False) -> list[str]:
    """Why letters are in quarantine now, or ever were."""
    return quarantine.reasons(everything=everything)


def one(workspace: Workspace, number: int) -> Quarantined:
    return quarantine.quarantined(number)


def report(row: Quarantined) -> Report | None:
    """What a bounce that waits says of the mail that did not arrive; None where it says nothing, or is no bounce."""
    if row.reason != "bounce-unmatched":
        return None
    from crmmail.mail import bounce  # which other letters have no use for

    try:
        return bounce.read(read(row))
    except CrmmailError:  # its bytes are gone
        return None


def leads_to(number: int, reason: str) -> str:
    """The command with which somebody reads a letter that is held, and learns what he can do about it."""
    return f"crmmail {'unconfirmed' if reason == 'unconfirmed' else 'quarantine'} show {number}"


def raw(workspace: Workspace, number: int) -> bytes:
    """The letter exactly as it came."""
    return mails.original_bytes(quarantine.quarantined(number).original)
