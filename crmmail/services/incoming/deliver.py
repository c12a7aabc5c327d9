"""A mail comes in: the main path of the house, in the steps and the order of behaviour §1 and §2.

Every way out is a list of outcomes, which the door reports as 0, or an error, which is 75: it is ours once it is
committed as a message, a duplicate or a row in quarantine, and not before.  A bug of ours costs nobody a letter: what
cannot be judged is kept whole in quarantine.  Nothing is sent here; what is queued leaves with the outbox.
"""

from __future__ import annotations

from typing import NamedTuple

from crmmail.core import automatic
from crmmail.core import route as routing
from crmmail.core.evidence import Evidence
from crmmail.core.known import Envelope, Known
from crmmail.core.message import Mail, Report
from crmmail.core.route import Decision, Route
from crmmail.errors import CrmmailError, EmptyMail, OutOfMemory, OverLimit, StoreBroken
from crmmail.mail import limits
from crmmail.mail.parse import body_digest_key, is_beginning, parse, reach
from crmmail.services.incoming import bounces, filing
from crmmail.services.incoming.held import MACHINE, hold, hold_unread
from crmmail.services.shared.rehearsal import rehearsed
from crmmail.spool import Spool
from crmmail.store import attempts, mails, threads
from crmmail.store.blobs import Bytes
from crmmail.workspace import Workspace

COMPARED = 1 << 20  # bytes of the shorter of two letters, up to which they are compared byte by byte


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


def deliver(workspace: Workspace, letter: bytes | Spool, envelope: Envelope, *, dry_run: bool = False) -> list[Outcome]:
    """Takes a letter in; the first outcome is that of the first alias in To.

    Args:
        letter: as it came; a spool is released as soon as what is stored was made of it.
        dry_run: judge and file it, say what came of it, and leave no trace.

    Raises:
        EmptyMail: no bytes; nothing is kept.
        CrmmailError with `retry`: the store could not take it; nothing is kept, the letter must come again.
    """
    came = letter if isinstance(letter, Spool) else Spool(letter)
    if not came.size:
        raise EmptyMail("nothing came on standard input")
    if came.trouble:
        raise StoreBroken(f"{came.trouble}: make some, or name another folder in $TMPDIR")
    key = body_digest_key(came.slices())
    counter = attempts.Attempts(workspace.store.place)
    try:
        outcomes = _take(workspace, came, envelope._replace(size=came.size), counter, key, dry_run)
    except MemoryError:
        raise OutOfMemory(f"there is not memory enough for this mail of {came.size} bytes") from None
    if not dry_run:
        settle = counter.give_up if outcomes[0].reason == "cut-off" else counter.forget
        settle(key)
    return outcomes


class _Kept(NamedTuple):
    """What is left of a letter's bytes once it has been read: a mail of 50 MB must not be here twice."""

    size: int  # of the letter, in bytes
    packed: Spool  # as the store keeps it
    beginning: bytes


def _take(
    workspace: Workspace, came: Spool, envelope: Envelope, counter: attempts.Attempts, key: str, dry_run: bool
) -> list[Outcome]:
    """read → pack → judge and file; and where one of them cannot be done, keep it whole."""
    mail, unread = None, ("cut-off", "judging it was cut off three times")
    if counter.count(key) < attempts.LIMIT:
        try:
            with counter.judging(key):
                mail = _read(workspace, came, envelope)
        except OverLimit as error:
            unread = (error.reason, str(error))
        except MemoryError:
            raise
        except Exception as error:
            unread = ("unreadable", _bug("reading", error))
    kept = _pack(came)
    if mail is None:
        return _keep_unread(workspace, kept, key, envelope, *unread, dry_run)
    try:
        return _judge_and_file(workspace, kept, mail, envelope, counter, key, dry_run)
    except CrmmailError as error:
        if error.retry:
            raise
        return _keep_unread(workspace, kept, key, envelope, "crashed", _bug("filing", error), dry_run)
    except MemoryError:
        raise
    except Exception as error:
        return _keep_unread(workspace, kept, key, envelope, "crashed", _bug("filing", error), dry_run)


def _read(workspace: Workspace, came: Spool, envelope: Envelope) -> Mail:
    """The letter, if it is within the limits."""
    limits.check_size(came.size, workspace.config.delivery_max_size)
    raw = came.whole()
    limits.check(raw)
    mail = parse(raw)
    if envelope.null_sender:
        mail = mail._replace(headers={**mail.headers, "return-path": ("<>",)})
    if automatic.bounce(mail, workspace.config.mail_bounce):
        from crmmail.mail import bounce  # which other letters have no use for

        # What says nothing at all may still name its mail by the address that it came to.
        mail = mail._replace(report=bounce.read(mail) or Report("failed", "", (), "", ()))
    return mail


def _pack(came: Spool) -> _Kept:
    """Compresses the letter, before the store is locked, and lets go of its bytes."""
    packed = Spool()
    for piece in mails.compressed(came.slices(), came.size):
        packed.write(piece)
    if packed.trouble:
        raise StoreBroken(f"{packed.trouble}: make some, or name another folder in $TMPDIR")
    kept = _Kept(came.size, packed, came.beginning(reach(COMPARED)))
    came.release()
    return kept


def _judge_and_file(
    workspace: Workspace,
    kept: _Kept,
    mail: Mail,
    envelope: Envelope,
    counter: attempts.Attempts,
    key: str,
    dry_run: bool,
) -> list[Outcome]:
    """begin → known → decide → do → commit."""
    settings = workspace.settings()
    outcomes: list[Outcome] = []
    with rehearsed(workspace, dry_run), counter.judging(key):
        known = _compared(threads.known(routing.ask(mail, envelope, settings), workspace.now()), mail, kept)
        decision = routing.decide(mail, envelope, known, settings)
        original = _keep_original(workspace, kept, mail, envelope, known, decision)
        for route in decision.routes:
            outcomes.append(_do(workspace, mail, route, decision, original))
    return outcomes


def _compared(known: Known, mail: Mail, kept: _Kept) -> Known:
    """What is known, with what the bytes tell of letters of the same sender and Message-ID: was one of them cut short?

    Of two long ones the words tell as much: the line broke somewhere in their files.
    """
    others = [one for one in known.twins if not one.same_content and one.from_address == mail.sender.address]
    if not others:
        return known
    found = {}
    for twin in others:
        there = mails.beginning(twin.original, reach(COMPARED)) if min(twin.size, kept.size) <= COMPARED else b""
        if not there:
            continue
        if is_beginning(there, kept.beginning):
            found[twin.original] = twin._replace(cut="half")
        elif kept.size <= COMPARED and is_beginning(kept.beginning, there):
            found[twin.original] = twin._replace(cut="whole")
    return known._replace(twins=tuple(found.get(one.original, one) for one in known.twins))


def _keep_original(
    workspace: Workspace, kept: _Kept, mail: Mail, envelope: Envelope, known: Known, decision: Decision
) -> int:
    """The letter's own row; its bytes too, unless every alias it came by says not to keep them."""
    careless = {address for address, alias in known.aliases.items() if not alias.keep_original}
    ignored = all(route.outcome == "ignored" for route in decision.routes)
    unwanted = all(
        route.outcome == "stored" and (route.recipient in careless or not envelope.keep_original)
        for route in decision.routes
    )
    return mails.put_original(
        mail.message_id,
        mail.content_hash,
        mail.sender.address,
        workspace.now(),
        size=kept.size,
        data=None if unwanted or ignored else Bytes(kept.packed.size, kept.packed.slices()),
        mailbox=routing.mailbox(mail, envelope),
    )


def _do(workspace: Workspace, mail: Mail, route: Route, decision: Decision, original: int) -> Outcome:
    """One route: into a record, into quarantine, or nothing but a note that it was here."""
    said = [*(_say(one) for one in decision.evidence), *decision.notes]
    record, kind, message, quarantine, new = route.thread, None, route.message, route.quarantine, False
    if route.outcome == "stored":
        if route.delivery is not None:
            filed = bounces.take(workspace, mail, route, original)
        else:
            filed = filing.file_letter(
                workspace, mail, route, decision.sender, original, contested=decision.identifier_contested
            )
        record, kind, message, new = filed.record.id, filed.record.kind, filed.message, filed.created
        said += filed.notes
    elif route.outcome in ("quarantined", "unconfirmed"):
        quarantine = hold(workspace, mail, route, original)
    elif route.reason == "own":
        said += bounces.own_mail_back(workspace, mail)
    elif record is not None:
        kind = filing.kind_of(record)
    if decision.sender.machine:
        said.append(f"{MACHINE}{decision.sender.machine}")
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
        counted=route.delivery is None,  # a bounce is no letter of its sender's
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
    workspace: Workspace, kept: _Kept, key: str, envelope: Envelope, reason: str, sentence: str, dry_run: bool
) -> list[Outcome]:
    """A letter that could not be judged goes to quarantine whole."""
    data = Bytes(kept.packed.size, kept.packed.slices())
    number, again = (None, False) if dry_run else hold_unread(workspace, data, key, envelope, reason, sentence)
    outcome = "duplicate" if again else "quarantined"
    return [Outcome(outcome, reason, None, None, False, None, number, None, [], sentence)]
