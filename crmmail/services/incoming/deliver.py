"""A mail comes in: the main path of the house, in the steps and the order of behaviour §1 and §2.

Every way out is a list of outcomes, which the door reports as 0, or an error, which is 75: it is ours once it is
committed as a message, a duplicate or a row in quarantine, and not before.  A bug of ours costs nobody a letter: what
cannot be judged is kept whole in quarantine.  Nothing is sent here; what is queued leaves with the outbox.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

from crmmail.core import automatic
from crmmail.core import route as routing
from crmmail.core.evidence import Evidence
from crmmail.core.known import Envelope, Known
from crmmail.core.message import Mail, Report
from crmmail.core.route import Decision, Route
from crmmail.core.typed import NamedTuple
from crmmail.errors import CrmmailError, EmptyMail, OutOfMemory, OverLimit, StoreBroken
from crmmail.mail.limits import check, check_size
from crmmail.mail.parse import body_digest_key, is_beginning, parse, reach
from crmmail.services.incoming import filing
from crmmail.services.incoming.manner import MAIL, Manner
from crmmail.services.shared.again import again
from crmmail.spool import Spool
from crmmail.store.engine import sql
from crmmail.store.engine.blobs import Bytes
from crmmail.store.engine.standing import kept
from crmmail.store.files import attempts
from crmmail.store.files.attempts import Attempts
from crmmail.store.letters import mails, threads
from crmmail.workspace import Workspace

LARGE = 1 << 16  # bytes; what is smaller is indexed with others at the end, fifty of them in seconds
COMPARED = 1 << 20  # bytes of the shorter of two letters, up to which they are compared byte by byte
YEAR_OF_MAIL = 1970  # no letter is older; a date before says that a clock was not set
CUT_OFF = ("cut-off", "judging it was cut off three times")


class Outcome(NamedTuple):
    """One fate of the letter, as `deliver --json` prints it."""

    outcome: str  # stored | duplicate | quarantined | ignored | unconfirmed
    reason: str
    record: int | None
    kind: str | None
    created: bool
    message: int | None
    quarantine: int | None
    candidate: int | None
    evidence: list[str]
    sentence: str


class Reading(NamedTuple):
    """The settings that reading a letter needs."""

    max_size: int  # bytes
    bounce: str  # the bounce address


class Prepared(NamedTuple):
    """A letter that has been read and packed.  What is left to do needs the store; another process may do it."""

    envelope: Envelope
    key: str  # the same each time this mail is offered; "" where nobody has asked for it
    mail: Mail | None  # None: it could not be read
    reason: str  # why it could not, as a code and in words
    sentence: str
    packed: Spool  # its bytes as the store keeps them: a mail of 50 MB must not be here twice


def reading(workspace: Workspace) -> Reading:
    """The settings in force."""
    return Reading(workspace.config.delivery_max_size, workspace.config.mail_bounce)


# --- the doors' three calls -----------------------------------------------------------------------------------------


def deliver(workspace: Workspace, letter: bytes | Spool, envelope: Envelope, *, dry_run: bool = False) -> list[Outcome]:
    """Takes a letter in; the first outcome is that of the first alias in To.

    Args:
        letter: as it came; a spool is released as soon as what is stored was made of it.
        dry_run: judge and file it, say what came of it, and leave no trace.

    Raises:
        EmptyMail: no bytes; nothing is kept.
        CrmmailError with `retry`: the store could not take it; nothing is kept, the letter must come again.
    """
    counter = Attempts(workspace.store.place)
    one = prepare(reading(workspace), letter, envelope, counter)
    outcomes = _by_itself(workspace, one, MAIL, counter, dry_run)
    if not dry_run:
        _settle(counter, one)
    return outcomes


def prepare(limits: Reading, letter: bytes | Spool, envelope: Envelope, counter: Attempts | None = None) -> Prepared:
    """Reads a letter and packs it, without the store.

    Args:
        letter: as it came; a spool is released.
        counter: counts that the letter is being read; one that was cut off too often is not read any more.

    Raises:
        EmptyMail: no bytes.
        CrmmailError with `retry`: there is no room for it, on the disk or in memory.
    """
    came = letter if isinstance(letter, Spool) else Spool(letter)
    if not came.size:
        raise EmptyMail("nothing came on standard input")
    if came.trouble:
        raise StoreBroken(f"{came.trouble}: make some, or name another folder in $TMPDIR")
    envelope = envelope._replace(size=came.size)
    # Only who counts must know the letter before it is read, and that takes a third of the time of reading it.
    key = body_digest_key(came.slices()) if counter is not None else ""
    mail: Mail | None = None
    reason, sentence = CUT_OFF
    try:
        if counter is None or counter.count(key) < attempts.LIMIT:
            try:
                with _counted(counter, key):
                    mail, reason, sentence = _read(limits, came, envelope), "", ""
            except OverLimit as error:
                reason, sentence = error.reason, str(error)
            except MemoryError:
                raise
            except Exception as error:
                reason, sentence = "unreadable", _bug("reading", error)
        if mail is None and not key:
            key = body_digest_key(came.slices())
        return Prepared(envelope, key, mail, reason, sentence, _packed(came))
    except MemoryError:
        raise _no_memory(envelope) from None


def deliver_together(
    workspace: Workspace,
    letters: Sequence[Prepared],
    manner: Manner = MAIL,
    counter: Attempts | None = None,
    more: Callable[[], Sequence[Prepared]] = tuple,
) -> list[list[Outcome] | CrmmailError]:
    """Takes letters in, in this order and in one transaction: the disk is asked once for all of them.

    Each is a part of it that may fail by itself; then it is delivered once more, alone, and the others stand.

    Args:
        manner: what the letters set going.
        counter: counts which letter is being judged, for whoever may be killed over one.
        more: asked before the commit, and again until it has none: letters that have come meanwhile.

    Returns, once they are committed, what became of each, those of `more` behind the others; an error where nothing
    did: that letter must come again.  Trouble of the store with the whole transaction is everybody's.
    """
    found: list[list[Outcome] | None]
    many = list(letters)
    try:
        sql.expect_parts()
        found = again(workspace, lambda: _as_parts(workspace, many, manner, counter, more))
    except Exception as error:
        if isinstance(error, CrmmailError) and error.retry:
            return [error] * len(many)
        found = [None] * len(many)  # a bug of ours, and who knows in whose work: each by itself
    answers: list[list[Outcome] | CrmmailError] = []
    for one, outcomes in zip(many, found, strict=True):
        try:
            answers.append(_by_itself(workspace, one, manner, counter) if outcomes is None else outcomes)
            if counter is not None:
                _settle(counter, one)
        except CrmmailError as error:
            answers.append(error)
        except Exception as error:
            answers.append(StoreBroken(_bug("keeping", error)))
    return answers


def _as_parts(
    workspace: Workspace,
    many: list[Prepared],
    manner: Manner,
    counter: Attempts | None,
    more: Callable[[], Sequence[Prepared]],
) -> list[list[Outcome] | None]:
    """What became of these, and of what `more` adds to them."""
    with kept():
        found = [_as_part(workspace, one, manner, counter) for one in many]
        while came := more():
            many += came
            found += [_as_part(workspace, one, manner, counter) for one in came]
        return found


def _as_part(workspace: Workspace, one: Prepared, manner: Manner, counter: Attempts | None) -> list[Outcome] | None:
    """What became of a letter inside the transaction of many; None where it could not be done."""
    try:
        with sql.savepoint():
            if one.mail is None:
                return _keep_unread(workspace, one, one.reason, one.sentence)
            with _counted(counter, one.key):
                return _judge_and_file(workspace, one, one.mail, manner)
    except Exception:
        if not sql.in_transaction():  # the database ended it, and with it what the others had done
            raise
        return None


def _by_itself(
    workspace: Workspace, one: Prepared, manner: Manner, counter: Attempts | None, dry_run: bool = False
) -> list[Outcome]:
    """Judges and files a letter in a transaction of its own; where that cannot be done, keeps it whole."""
    try:
        if one.mail is None:
            return _keep_unread(workspace, one, one.reason, one.sentence, dry_run)
        try:
            return again(workspace, lambda: _judged_and_filed(workspace, one, manner, counter), dry_run=dry_run)
        except MemoryError:
            raise
        except Exception as error:
            if isinstance(error, CrmmailError) and error.retry:
                raise
            return _keep_unread(workspace, one, "crashed", _bug("filing", error), dry_run)
    except MemoryError:
        raise _no_memory(one.envelope) from None


def _judged_and_filed(workspace: Workspace, one: Prepared, manner: Manner, counter: Attempts | None) -> list[Outcome]:
    assert one.mail is not None
    with kept(), _counted(counter, one.key):
        return _judge_and_file(workspace, one, one.mail, manner)


def _counted(counter: Attempts | None, key: str) -> AbstractContextManager[None]:
    """Counts the block as an attempt, where somebody counts."""
    return nullcontext() if counter is None else counter.judging(key)


def _settle(counter: Attempts, one: Prepared) -> None:
    """The letter is committed: its count ends, unless it is one that may not be judged again."""
    if one.reason == CUT_OFF[0]:
        counter.give_up(one.key)
    else:
        counter.forget(one.key)


def _no_memory(envelope: Envelope) -> OutOfMemory:
    return OutOfMemory(f"there is not memory enough for this mail of {envelope.size} bytes")


# --- reading --------------------------------------------------------------------------------------------------------


def _read(limits: Reading, came: Spool, envelope: Envelope) -> Mail:
    """The letter, if it is within the limits."""
    check_size(came.size, limits.max_size)
    raw = came.whole()
    check(raw)
    mail = parse(raw)
    if envelope.null_sender:
        mail = mail._replace(headers={**mail.headers, "return-path": ("<>",)})
    if automatic.bounce(mail, limits.bounce):
        from crmmail.mail import bounce  # which other letters have no use for

        # What says nothing at all may still name its mail by the address that it came to.
        mail = mail._replace(report=bounce.read(mail) or Report("failed", "", (), "", ()))
    return mail


def _packed(came: Spool) -> Spool:
    """Compresses the letter, before the store is locked, and lets go of its bytes."""
    packed = Spool()
    for piece in mails.compressed(came.slices(), came.size):
        packed.write(piece)
    if packed.trouble:
        raise StoreBroken(f"{packed.trouble}: make some, or name another folder in $TMPDIR")
    came.release()
    return packed


# --- judging and filing ---------------------------------------------------------------------------------------------


def _judge_and_file(workspace: Workspace, one: Prepared, mail: Mail, manner: Manner) -> list[Outcome]:
    """known → decide → do, inside a transaction."""
    at = _dated(workspace, one, mail) if manner.dated_by_mail else workspace.now()
    # A large one is indexed while it is in hand, so that it is accused if that takes too long.
    with workspace.at(at), sql.at_once() if one.envelope.size > LARGE else nullcontext():  # one act, one moment
        return _judge_and_file_now(workspace, one, mail, manner)


def _dated(workspace: Workspace, one: Prepared, mail: Mail) -> datetime:
    """When a letter out of a file came: as it says itself, else as the file says, and never later than now."""
    now = workspace.now()
    said = mail.date if mail.date and mail.date.year > YEAR_OF_MAIL else one.envelope.came
    return min(said or now, now)


def _judge_and_file_now(workspace: Workspace, one: Prepared, mail: Mail, manner: Manner) -> list[Outcome]:
    settings = workspace.settings()
    question = routing.ask(mail, one.envelope, settings)
    known = _compared(threads.known(question, workspace.now(), counting=manner.counts_loops), mail, one)
    decision = routing.decide(mail, one.envelope, known, settings)
    original = _keep_original(workspace, one, mail, known, decision)
    return [_do(workspace, mail, route, decision, original, manner) for route in decision.routes]


def _compared(known: Known, mail: Mail, came: Prepared) -> Known:
    """What is known, with what the bytes tell of letters of the same sender and Message-ID: was one of them cut short?

    Of two long ones the words tell as much: the line broke somewhere in their files.
    """
    others = [one for one in known.twins if not one.same_content and one.from_address == mail.sender.address]
    if not others:
        return known
    size, begin = came.envelope.size, mails.unpacked(came.packed.slices(), reach(COMPARED))
    found = {}
    for twin in others:
        there = mails.beginning(twin.original, reach(COMPARED)) if min(twin.size, size) <= COMPARED else b""
        if not there:
            continue
        if is_beginning(there, begin):
            found[twin.original] = twin._replace(cut="half")
        elif size <= COMPARED and is_beginning(begin, there):
            found[twin.original] = twin._replace(cut="whole")
    return known._replace(twins=tuple(found.get(one.original, one) for one in known.twins))


def _keep_original(workspace: Workspace, came: Prepared, mail: Mail, known: Known, decision: Decision) -> int:
    """The letter's own row; its bytes too, unless every alias it came by says not to keep them."""
    careless = {address for address, alias in known.aliases.items() if not alias.keep_original}
    ignored = all(route.outcome == "ignored" for route in decision.routes)
    unwanted = all(
        route.outcome == "stored" and (route.recipient in careless or not came.envelope.keep_original)
        for route in decision.routes
    )
    again = next((one.original for one in known.twins if one.same_content), None)
    if again is not None:  # its bytes may be gone on purpose, and stay so
        return again
    return mails.put_original(
        mail.message_id,
        mail.content_hash,
        mail.sender.address,
        workspace.now(),
        size=came.envelope.size,
        data=None if unwanted or ignored else Bytes(came.packed.size, came.packed.slices()),
        mailbox=routing.mailbox(mail, came.envelope),
    )


def _do(workspace: Workspace, mail: Mail, route: Route, decision: Decision, original: int, manner: Manner) -> Outcome:
    """One route: into a record, into quarantine, or nothing but a note that it was here."""
    said = [*(_say(one) for one in decision.evidence), *decision.notes]
    record, kind, message, quarantine, new = route.thread, None, route.message, route.quarantine, False
    if route.outcome == "stored":
        if manner.brought is not None:
            from crmmail.services.automatic import bygone  # which mail that comes has no use for

            due = bygone.due(record, manner.brought)
        if route.delivery is not None:
            from crmmail.services.incoming import bounces  # which other letters have no use for

            filed = bounces.take(workspace, mail, route, original, notifies=manner.notifies)
        else:
            filed = filing.file_letter(
                workspace,
                mail,
                route,
                decision.sender,
                original,
                contested=decision.identifier_contested,
                manner=manner,
            )
        record, kind, message, new = filed.record.id, filed.record.kind, filed.message, filed.created
        said += filed.notes
        if manner.brought is not None:
            bygone.pass_over(filed.record.id, manner.brought, due)
    elif route.outcome in ("quarantined", "unconfirmed"):
        from crmmail.services.incoming.held import hold

        quarantine = hold(workspace, mail, route, original, notifies=manner.notifies)
    elif route.reason == "own" and manner.sends:  # out of a file it is a copy that somebody kept
        from crmmail.services.incoming import bounces

        said += bounces.own_mail_back(workspace, mail)
    elif record is not None:
        kind = filing.kind_of(record)
    if decision.sender.machine:
        said.append(f"{automatic.MACHINE}{decision.sender.machine}")
    if decision.sender.proven:
        said.append(f"user proven: {decision.sender.how}")
    if mail.guessed_charset:
        said.append("its character set was guessed")
    said += [f"defect: {defect}" for defect in mail.defects[:10]]
    said = list(dict.fromkeys(said))
    # A copy that comes again hangs on nothing but its original: it must not stand in the way of an undo.
    again = route.outcome == "duplicate"
    where = {} if again else {"thread": record, "message": message, "quarantine": quarantine}
    mails.put_decision(
        original,
        workspace.now(),
        outcome=route.outcome,
        reason=route.reason,
        sentence=route.sentence,
        recipient=route.recipient or None,
        created=new,
        sender=decision.sender.address,
        evidence=said,
        counted=manner.counts_loops and route.delivery is None,  # a bounce is no letter of its sender's
        **where,
    )
    return Outcome(
        route.outcome,
        route.reason,
        record,
        kind,
        new,
        message,
        quarantine,
        route.candidate,
        said,
        route.sentence,
    )


def _say(one: Evidence) -> str:
    """A piece of evidence in words."""
    return f"{one.kind}: {one.detail} → record {one.thread}" + ("" if one.counts else " (not believed)")


def _bug(doing: str, error: Exception) -> str:
    return f"{doing} it failed in crmmail itself: {type(error).__name__}: {error}"


def _keep_unread(
    workspace: Workspace, came: Prepared, reason: str, sentence: str, dry_run: bool = False
) -> list[Outcome]:
    """A letter that could not be judged goes to quarantine whole."""
    number, again = None, False
    if not dry_run:
        from crmmail.services.incoming.held import hold_unread

        key = came.key or body_digest_key(mails.unpacked_slices(came.packed.slices()))
        data = Bytes(came.packed.size, came.packed.slices())
        number, again = hold_unread(workspace, data, key, came.envelope, reason, sentence)
    outcome = "duplicate" if again else "quarantined"
    return [Outcome(outcome, reason, None, None, False, None, number, None, [], sentence)]
