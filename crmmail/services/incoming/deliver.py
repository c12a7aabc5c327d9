"""A mail comes in: the main path of the house, in the steps and the order of behaviour §1 and §2.

Every way out is a list of outcomes, which the door reports as 0, or an error, which is 75: it is ours once it is
committed as a message, a duplicate or a row in quarantine, and not before.  A bug of ours costs nobody a letter: what
cannot be judged is kept whole in quarantine.  Nothing is sent here; what is queued leaves with the outbox.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crmmail.core.known import Envelope
from crmmail.errors import CrmmailError, StoreBroken
from crmmail.services.incoming.judge import Outcome, judge_and_file, keep_unread
from crmmail.services.incoming.manner import MAIL, Manner
from crmmail.services.incoming.prepare import CUT_OFF, Prepared, bug, no_memory, prepare, reading
from crmmail.services.shared.again import again
from crmmail.spool import Spool
from crmmail.store.engine import sql
from crmmail.store.engine.standing import kept
from crmmail.store.files import attempts
from crmmail.store.files.attempts import Attempts
from crmmail.workspace import Workspace


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
            answers.append(StoreBroken(bug("keeping", error)))
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
                return keep_unread(workspace, one, one.reason, one.sentence)
            with attempts.counted(counter, one.key):
                return judge_and_file(workspace, one, one.mail, manner)
    except Exception:
        if not sql.in_transaction():  # the database ended it, and with it what the others had done
            raise
        return None


def _by_itself(
    workspace: Workspace, one: Prepared, manner: Manner, counter: Attempts | None, dry_run: bool = False
) -> list[Outcome]:
    """Judges and files a letter in a transaction of its own; where that cannot be done, keeps it whole."""
    mail = one.mail
    try:
        if mail is None:
            return keep_unread(workspace, one, one.reason, one.sentence, dry_run)

        def judged() -> list[Outcome]:
            with kept(), attempts.counted(counter, one.key):
                return judge_and_file(workspace, one, mail, manner)

        try:
            return again(workspace, judged, dry_run=dry_run)
        except MemoryError:
            raise
        except Exception as error:
            if isinstance(error, CrmmailError) and error.retry:
                raise
            return keep_unread(workspace, one, "crashed", bug("filing", error), dry_run)
    except MemoryError:
        raise no_memory(one.envelope) from None


def _settle(counter: Attempts, one: Prepared) -> None:
    """The letter is committed: its count ends, unless it is one that may not be judged again."""
    if one.reason == CUT_OFF[0]:
        counter.give_up(one.key)
    else:
        counter.forget(one.key)
