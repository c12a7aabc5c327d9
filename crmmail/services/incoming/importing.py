"""The mail of years, out of files: `crmmail import`.

    archive  where each letter lies, what its head says, and which comes first
    skip     what is here already, byte for byte, without judging it again
    prepare  the others, in processes of their own
    deliver  many in a transaction, in this process, by the same path as every other letter

Nothing leaves because of it, no rule acts, and nobody is told unless it is asked for (`manner.HISTORY`).  It can be
stopped at any moment and started again: what was committed is skipped then.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from crmmail.core.known import Envelope
from crmmail.core.typed import NamedTuple
from crmmail.errors import CrmmailError, Refused
from crmmail.mail import folders
from crmmail.mail.folders import Gone, Place
from crmmail.services.incoming import archive
from crmmail.services.incoming.archive import Seen
from crmmail.services.incoming.deliver import deliver_together
from crmmail.services.incoming.judge import Outcome
from crmmail.services.incoming.manner import HISTORY
from crmmail.services.incoming.prepare import CUT_OFF, Prepared, Reading, prepare, reading
from crmmail.services.shared.workers import Died, Workers
from crmmail.spool import Spool
from crmmail.store.engine import sql
from crmmail.store.history import journal
from crmmail.store.letters import mails, outbox
from crmmail.store.people import offices
from crmmail.workspace import Choice, Workspace, os_login

CHUNK = 50  # letters that a process is given at once
CHUNK_BYTES = 4 << 20
BATCH = 200  # letters to a transaction; with these a delivery beside it waits for less than half a second
BATCH_BYTES = 16 << 20  # of these as they came: a letter that was read is in memory as it is, whatever it packs to
PAUSE = 0.01  # seconds between two transactions: who waits for the lock looks whether it is free, and is not told
LIMIT = 120  # seconds to read one letter in; then its process is killed


class Wanted(NamedTuple):
    """How letters shall be brought in."""

    section: str | None = None  # whose cases those become that no alias claims
    mailbox: str = ""  # the one that they were fetched from
    sent: bool = False  # all of them are our own
    notify: bool = False  # people get inbox items


class Tally:
    """What became of the letters so far."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()  # stored, duplicate, quarantined, ignored, unconfirmed
        self.reasons: Counter[str] = Counter()  # why letters are in quarantine
        self.records: set[int] = set()  # that letters were stored in
        self.created = 0  # records that are new
        self.gone: list[str] = []  # sentences about letters that were not there any more
        self.failed: list[str] = []  # what kept letters out; they come again with the next import
        self.removed = 0  # whose mail program had removed them

    @property
    def letters(self) -> int:
        """How many were looked at."""
        return sum(self.outcomes.values())

    @property
    def waiting(self) -> int:
        """How many are in quarantine because of it."""
        return self.outcomes["quarantined"] + self.outcomes["unconfirmed"]

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """A letter counts once, however many records it is in."""
        self.outcomes[_main(outcomes)] += 1
        for one in outcomes:
            if one.outcome == "stored" and one.record is not None:
                self.records.add(one.record)
                self.created += one.created
            elif one.outcome in ("quarantined", "unconfirmed"):
                self.reasons[one.reason] += 1


def _main(outcomes: Sequence[Outcome]) -> str:
    said = [one.outcome for one in outcomes]
    return "stored" if "stored" in said else said[0]


# --- bring in -----------------------------------------------------------------------------------------------


@contextmanager
def rehearsal(workspace: Workspace) -> Iterator[Workspace]:
    """A workspace in which an import can be tried, with nothing left of it.

    The store has one writer, whom a long rehearsal would keep everybody waiting for; so it is held in a copy.
    """
    from crmmail.store import schema  # which reads what makes and changes tables

    with archive.room() as room:
        copy = os.path.join(room, "crmmail.db")
        schema.backup(workspace.store, copy)
        try:
            with Workspace(Choice(copy, workspace.choice.config), workspace.environ) as tried:
                yield tried
        finally:
            sql.use(workspace.store.connection)


def check(workspace: Workspace, wanted: Wanted, *, dry_run: bool = False) -> None:
    """Before anything is looked at.

    Raises:
        NotFound: there is no such section.
        Refused: a rehearsal on PostgreSQL, of whose stores nobody makes a copy in passing.
    """
    if wanted.section is not None:
        offices.section(wanted.section)
    if dry_run and sql.postgres():
        raise Refused(
            "on PostgreSQL a rehearsal would keep every delivery waiting: copy the store with "
            "`crmmail db copy postgresql:… sqlite:try.db` and rehearse there, with --db try.db"
        )


def bring(
    workspace: Workspace, letters: Sequence[Seen], wanted: Wanted, tally: Tally, step: Callable[[int], None]
) -> None:
    """Takes letters in, in this order; `tally` knows at each moment what is committed.

    Args:
        step: called with how many letters are done.

    Raises:
        CrmmailError: the store takes no more; what was committed stays.
    """
    manner = HISTORY._replace(notifies=wanted.notify, brought=workspace.now())
    batch: list[Prepared] = []
    size = 0

    def write() -> None:
        nonlocal batch, size
        if not batch:
            return
        answers = deliver_together(workspace, batch, manner)
        count, batch, size = len(batch), [], 0
        _note(answers, tally)
        step(count)

    try:
        with Workers(_prepare) as workers:
            tasks = _chunks(workspace, letters, wanted, reading(workspace), tally, step)
            for task, answer in workers.each(tasks):
                for one in _answers(workers, task, answer):
                    if isinstance(one, Prepared):
                        batch.append(one)
                        size += one.envelope.size
                    else:
                        _note_failed(one, tally)
                        step(1)
                    if len(batch) >= BATCH or size > BATCH_BYTES:
                        write()
                        time.sleep(PAUSE)
            write()
    except (KeyboardInterrupt, CrmmailError):
        with suppress(CrmmailError):  # the store may not even take this; why it stopped is what must be said
            _write_down(workspace, tally)
        raise
    _write_down(workspace, tally)


class Task(NamedTuple):
    """Letters that a process shall read."""

    limits: Reading
    letters: Sequence[tuple[Place, Envelope]]


def _chunks(
    workspace: Workspace,
    letters: Sequence[Seen],
    wanted: Wanted,
    limits: Reading,
    tally: Tally,
    step: Callable[[int], None],
) -> Iterator[Task]:
    """What is not here yet, in pieces."""
    some: list[tuple[Place, Envelope]] = []
    size = 0
    for start in range(0, len(letters), CHUNK):
        piece = letters[start : start + CHUNK]
        here = _here(piece, wanted)
        tally.outcomes["duplicate"] += len(here)
        if here:
            step(len(here))
        for at, one in enumerate(piece):
            if at in here:
                continue
            if some and (len(some) >= CHUNK or size + one.place.size > CHUNK_BYTES):
                yield Task(limits, some)
                some, size = [], 0
            some.append((one.place, _envelope(one, wanted)))
            size += one.place.size
    if some:
        yield Task(limits, some)


def _here(letters: Sequence[Seen], wanted: Wanted) -> set[int]:
    """Which of these are in the store already: byte for byte, or as a letter that was written in it."""
    ids = [one.message_id for one in letters if one.message_id]
    known, ours = mails.filed(ids), outbox.by_identifier(ids)
    found = set()
    for at, one in enumerate(letters):
        if one.message_id.lower() in ours and _is_ours(one, wanted):
            found.add(at)
        if at in found or one.message_id not in known:
            continue
        try:
            letter = folders.read(one.place)
        except (Gone, OSError):
            continue
        if any(mails.is_letter(number, letter) for number in known[one.message_id]):
            found.add(at)
    return found


def _envelope(one: Seen, wanted: Wanted) -> Envelope:
    """What is known beside the letter."""
    return Envelope(
        section=wanted.section,
        mailbox=wanted.mailbox,
        came=one.came,
        written_here=_is_ours(one, wanted),
    )


def _is_ours(one: Seen, wanted: Wanted) -> bool:
    """Does it lie among our own letters?  No host has taken in what lies where it was written."""
    return wanted.sent or one.place.sent or not one.received


def _prepare(task: Task) -> list[Prepared | str]:
    """In another process: the letters, read and packed; or why one could not be.

    A letter that takes longer than LIMIT kills the process, as it would kill a delivery; then each letter of its task
    is read alone, and the one that kills again is kept unread.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    found: list[Prepared | str] = []
    for place, envelope in task.letters:
        if not place.size:
            found.append(f"{place.path} is empty")
            continue
        signal.alarm(LIMIT)
        try:
            found.append(prepare(task.limits, _letter(place), envelope))
        except (Gone, CrmmailError) as error:
            found.append(f"{place.path}: {error}" if isinstance(error, CrmmailError) else str(error))
        except OSError as error:
            found.append(f"cannot read {place.path}: {error.strerror}")
        finally:
            signal.alarm(0)
    return found


def _letter(place: Place) -> Spool:
    came = Spool()
    for piece in folders.pieces(place):
        came.write(piece)
    return came


def _answers(
    workers: Workers[Task, list[Prepared | str]], task: Task, answer: list[Prepared | str] | Died
) -> Iterator[Prepared | str]:
    """What became of a task: where its process died, each letter is read alone, and what kills again is kept unread."""
    if not isinstance(answer, Died):
        yield from answer
        return
    for place, envelope in task.letters:
        alone = workers.alone(task._replace(letters=[(place, envelope)]))
        if isinstance(alone, Died):
            # Too big to be read: so it is only packed.
            unread = prepare(task.limits._replace(max_size=0), _letter(place), envelope)
            yield unread._replace(reason=CUT_OFF[0], sentence="reading it killed the process that did")
        else:
            yield from alone


def _note(answers: Sequence[list[Outcome] | CrmmailError], tally: Tally) -> None:
    """Counts what a batch became."""
    for answer in answers:
        if isinstance(answer, CrmmailError):
            if answer.retry and all(isinstance(one, CrmmailError) for one in answers):
                raise answer
            tally.failed.append(str(answer))
            continue
        tally.add(answer)


def _note_failed(sentence: str, tally: Tally) -> None:
    tally.gone.append(sentence)


def _write_down(workspace: Workspace, tally: Tally) -> None:
    """A line in the journal: undo cannot take back thousands of letters, but whoever asks shall find when they came."""
    if not (tally.outcomes["stored"] or tally.waiting):
        return
    sentence = f"mail imported: {tally.letters} read, {tally.outcomes['stored']} stored, {tally.created} new records"
    with workspace.store.transaction():
        journal.write(None, os_login(), workspace.now(), "import", sentence, [], undoable=False)
