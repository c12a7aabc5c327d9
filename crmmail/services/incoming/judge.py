"""A letter that was read is judged and filed, inside a transaction: known → decide → do (behaviour §2)."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import datetime

from crmmail.core import automatic
from crmmail.core import route as routing
from crmmail.core.evidence import Evidence
from crmmail.core.known import Known
from crmmail.core.message import Mail
from crmmail.core.route import Decision, Route
from crmmail.core.typed import NamedTuple
from crmmail.mail.parse import body_digest_key, is_beginning, reach
from crmmail.services.incoming import filing
from crmmail.services.incoming.manner import Manner
from crmmail.services.incoming.prepare import Prepared
from crmmail.store.engine import sql
from crmmail.store.engine.blobs import Bytes
from crmmail.store.letters import mails, threads
from crmmail.store.work import records
from crmmail.workspace import Workspace

LARGE = 1 << 16  # bytes; what is smaller is indexed with others at the end, fifty of them in seconds
COMPARED = 1 << 20  # bytes of the shorter of two letters, up to which they are compared byte by byte
YEAR_OF_MAIL = 1970  # no letter is older; a date before says that a clock was not set


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


def judge_and_file(workspace: Workspace, one: Prepared, mail: Mail, manner: Manner) -> list[Outcome]:
    """known → decide → do, inside a transaction."""
    at = _dated(workspace, one, mail) if manner.dated_by_mail else workspace.now()
    # A large one is indexed while it is in hand, so that it is accused if that takes too long.
    with workspace.at(at), sql.at_once() if one.envelope.size > LARGE else nullcontext():  # one act, one moment
        settings = workspace.settings()
        question = routing.ask(mail, one.envelope, settings)
        known = _compared(threads.known(question, at, counting=manner.counts_loops), mail, one)
        decision = routing.decide(mail, one.envelope, known, settings)
        original = _keep_original(workspace, one, mail, known, decision)
        return [_do(workspace, mail, route, decision, original, manner) for route in decision.routes]


def _dated(workspace: Workspace, one: Prepared, mail: Mail) -> datetime:
    """When a letter out of a file came: as it says itself, else as the file says, and never later than now."""
    now = workspace.now()
    said = mail.date if mail.date and mail.date.year > YEAR_OF_MAIL else one.envelope.came
    return min(said or now, now)


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
        record, kind, message, new = filed.record, filed.kind, filed.message, filed.created
        said += filed.notes
        if manner.brought is not None:
            bygone.pass_over(filed.record, manner.brought, due)
    elif route.outcome in ("quarantined", "unconfirmed"):
        from crmmail.services.incoming.held import hold

        quarantine = hold(workspace, mail, route, original, notifies=manner.notifies)
    elif route.reason == "own" and manner.sends:  # out of a file it is a copy that somebody kept
        from crmmail.services.incoming import bounces

        said += bounces.own_mail_back(workspace, mail)
    elif record is not None:
        kind = records.kind(record)
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


def keep_unread(
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
