"""Answers whose senders nothing confirms: held before a record until a person says what they are (behaviour §2).

    accept    the person vouches for the sender, and the letter does all that an answer does
    refuse    it stays out of the record, and readable in quarantine

A letter with a colleague's address is his proven answer only where he says so himself, for the terminal knows who he
is; whoever else accepts it makes it an internal note, and nothing leaves.  What answers an internal notice stays
inside.
"""

from __future__ import annotations

from collections.abc import Iterable

from crmmail.core.message import Mail
from crmmail.core.route import Route
from crmmail.core.sender import Sender, authentication
from crmmail.core.typed import NamedTuple
from crmmail.errors import Refused
from crmmail.services.incoming import answers, held
from crmmail.services.incoming.orders import ORDER
from crmmail.services.sending import correspondent
from crmmail.services.shared.possible import lives_on_as
from crmmail.services.shared.rehearsal import rehearsed
from crmmail.store.history.undoable import Change
from crmmail.store.letters import outbox, threads
from crmmail.store.letters.outbox import Delivery
from crmmail.store.letters.quarantine import Quarantined
from crmmail.store.people import directory
from crmmail.store.work import records
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace

REASON = "unconfirmed"
STATES = ("accepted", "refused")


class Waiting(NamedTuple):
    """A letter that may belong to a record."""

    letter: Quarantined
    record: Record | None  # as which the record that it answers lives now
    user: str  # login of the colleague whose address it bears, "" if it is nobody's here


class Accepted(NamedTuple):
    """What came of a letter that was accepted."""

    quarantine: int
    record: Record
    message: int
    sentence: str
    outside: list[Delivery]  # the mails to people outside that it set going
    orders: list[str]  # what it asked of the program, and what came of that


# --- reading ------------------------------------------------------------------------------------------------


def listing(
    workspace: Workspace, *, everything: bool = False, limit: int | None = None, before: int | None = None
) -> list[Waiting]:
    """The unconfirmed letters, newest first: those that wait, or all that ever did.

    Args:
        limit: the newest so many.
        before: only what is older than this letter.
    """
    return _waiting(held.listing(workspace, everything=everything, reasons=[REASON], limit=limit, before=before))


def one(workspace: Workspace, number: int) -> Waiting:
    """An unconfirmed letter, decided or not.

    Raises:
        Refused: it is in quarantine for another reason.
    """
    row = held.one(workspace, number)
    if row.reason != REASON:
        raise Refused(f"letter {number} is no unconfirmed answer ({row.reason}): crmmail quarantine show {number}")
    return _waiting([row])[0]


def _waiting(letters: Iterable[Quarantined]) -> list[Waiting]:
    rows = list(letters)
    live, redirects = threads.live_threads({one.candidate for one in rows if one.candidate is not None})
    found = records.several(live)
    users = directory.users_by_address({one.from_address for one in rows})
    logins = directory.users_by_id(users.values())
    answer = []
    for row in rows:
        record = found.get(redirects.get(row.candidate, row.candidate)) if row.candidate is not None else None
        user = users.get(row.from_address)
        answer.append(Waiting(row, record, logins[user].login if user is not None else ""))
    return answer


def meaning(workspace: Workspace, this: Waiting) -> str:
    """What accepting a letter makes of it, for the one who may do so."""
    if this.letter.internal and not this.user:
        return "it is kept inside the record, for it answers an internal notice"
    if not this.letter.from_address:
        return "it is a letter of an unclear sender, and nobody takes part by it"
    if not this.user or (this.record and _is_customer(this.record, this.letter.from_address)):
        return f"it is a letter of {this.letter.from_address}, who takes part from then on"
    if this.user != workspace.user().login:
        note = f"it is kept as an internal note of {this.user}'s"
        if this.letter.internal:
            return note
        himself = f"crmmail --as {this.user} unconfirmed accept {this.letter.id}"
        return f"{note}; only {this.user} himself, instead of you, can make it his answer: {himself}"
    if this.letter.internal:
        return "it is an internal note of yours"
    if this.record is None:
        return "it is your answer in that record"
    mail = held.read(this.letter)
    route, sender, _ = _taken_for(workspace, this, this.record, mail)
    return answers.foretold(workspace, this.record.id, mail, route, sender)


# --- deciding -----------------------------------------------------------------------------------------------


def accept(workspace: Workspace, number: int, *, into: int | None = None, dry_run: bool = False) -> Accepted:
    """Takes a letter for what it says it is, and puts it into the record that it answers.

    Args:
        into: another record instead.
        dry_run: do it all, say what came of it, and take it back.

    Raises:
        Refused: nobody waits for a word about it, or the record is gone.
    """
    with rehearsed(workspace, dry_run):
        waiting = one(workspace, number)
        row = held.waiting(number)
        record = _where(waiting, into)
        mail = held.read(row)
        route, sender, what = _taken_for(workspace, waiting, record, mail)
        filed = held.file(workspace, row, mail, route, sender, STATES[0])
        sentence = f"letter {number} accepted into #{record.id} {record.title}, {what}"
        held.write(workspace, "accept", sentence, filed.changes, record.id)
        ordered = [note.removeprefix(ORDER) for note in filed.notes if note.startswith(ORDER)]
        answer = Accepted(
            number, records.record(filed.record), filed.message, sentence, _outside(filed.changes), ordered
        )
    return answer


def refuse(workspace: Workspace, number: int) -> held.Settled:
    """Leaves a letter out of the record that it answers; it stays readable with `quarantine list --all`."""
    one(workspace, number)
    return held.put_away(workspace, number, STATES[1], "refuse")


def _where(waiting: Waiting, into: int | None) -> Record:
    if into is not None:
        return records.record(lives_on_as(records.record(into).id))
    if waiting.record is None:
        number = waiting.letter.id
        raise Refused(
            f"the record that letter {number} answers is gone: crmmail unconfirmed accept {number} --record N"
        )
    return waiting.record


def _taken_for(workspace: Workspace, this: Waiting, record: Record, mail: Mail) -> tuple[Route, Sender, str]:
    """As what a letter is filed: where, by whom, and that in words."""
    me, row = workspace.user(), this.letter
    who, colleague = row.from_address or "an unclear sender", this.user
    if colleague and _is_customer(record, row.from_address):
        colleague = ""
    user = directory.user(colleague).id if colleague else None
    internal = row.internal or (user is not None and user != me.id)
    if user == me.id:
        what = "as a note of yours" if internal else "as your own answer"
    elif user is not None:
        what = f"as an internal note of {colleague}'s"
    elif internal:
        what = "inside, for it answers an internal notice"
    else:
        what = f"as a letter of {who}"
    refuted = "dmarc=fail" in authentication(mail, workspace.settings())
    if refuted:
        what += f", though our own host says that it is not from {who}"
    route = Route("stored", STATES[0], f"accepted {what}", thread=record.id, internal=internal)
    how = "says himself that it is his" if user == me.id else ""
    return route, Sender(row.from_address, user, user == me.id, how, held.machine(row, mail), refuted), what


def _is_customer(record: Record, address: str) -> bool:
    """Is a colleague the one whom the record is about?  Then he writes as the customer."""
    return address in {one.address for one in correspondent.of_record(record)}


def _outside(changes: Iterable[Change]) -> list[Delivery]:
    """The mails to people outside among what was made."""
    made = [change.key for change in changes if change.table == "delivery" and change.field == "*"]
    return [copy for copy in outbox.deliveries(numbers=made) if copy.user is None] if made else []
