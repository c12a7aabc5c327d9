"""The mail of years, out of files: `crmmail import`.

    scan     where each letter lies (mail.folders)
    look     at the head of each: its date, what it answers
    order    by date, and an answer after what it answers, so that it finds its record
    skip     what is here already, byte for byte, without judging it again
    prepare  the others, in processes of their own
    deliver  many in a transaction, in this process, by the same path as every other letter

Nothing leaves because of it, no rule acts, and nobody is told unless it is asked for (`manner.HISTORY`).  It can be
stopped at any moment and started again: what was committed is skipped then.
"""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from hashlib import blake2b
from tempfile import TemporaryDirectory

from crmmail.core.known import Envelope
from crmmail.core.rule import base_of
from crmmail.core.typed import IO, NamedTuple
from crmmail.errors import CrmmailError, Refused
from crmmail.mail import folders
from crmmail.mail.folders import Folder, Gone, Place
from crmmail.mail.parse import peek
from crmmail.services.incoming.deliver import CUT_OFF, Outcome, Prepared, Reading, deliver_together, prepare, reading
from crmmail.services.incoming.manner import HISTORY
from crmmail.services.shared.rehearsal import rehearsed
from crmmail.services.shared.workers import Died, Workers
from crmmail.spool import Spool, folder
from crmmail.store import due, journal, mails, offices, outbox, rules, schema, sql
from crmmail.workspace import Choice, Workspace, os_login

CHUNK = 50  # letters that a process is given at once
CHUNK_BYTES = 4 << 20
BATCH = 200  # letters to a transaction; with these a delivery beside it waits for less than half a second
BATCH_BYTES = 16 << 20
PAUSE = 0.01  # seconds between two transactions: who waits for the lock looks whether it is free, and is not told
ANSWERS = 10  # of a letter's references, how many bear on the order
LIMIT = 120  # seconds to read one letter in; then its process is killed
TOMORROW = timedelta(days=1)


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


class Seen(NamedTuple):
    """What was seen of a letter before it is read."""

    place: Place
    message_id: str
    at: float  # by which it is put in order, in seconds
    came: datetime | None  # as the file says
    own: int  # its Message-ID, as a number; 0: it has none
    answered: tuple[int, ...]
    received: bool


# --- scan, look, order --------------------------------------------------------------------------------------


@contextmanager
def opened(paths: Sequence[str], stdin: IO[bytes]) -> Iterator[list[Folder]]:
    """What mail is in these files and folders; `-` is stdin.  What comes in a stream, or is packed, lies in a file of
    ours for as long as the block goes on: a letter is read where it lies, and not in the order of the stream.

    Raises:
        Refused: one of them is no mail; then nothing was brought in.
    """
    with ExitStack() as rooms:
        found: list[Folder] = []
        for path in paths:
            if path == "-" or folders.is_packed(path):
                name = "stdin" if path == "-" else os.path.basename(path).removesuffix(".gz")
                there = os.path.join(rooms.enter_context(_room()), name)
                _lay_down(path, stdin, there)
                path = there
            found += folders.folders(path)
        yield found


def _room() -> TemporaryDirectory[str]:
    """A folder for what is needed only while an import goes on."""
    return TemporaryDirectory(prefix="crmmail-import-", dir=folder())


def _lay_down(path: str, stdin: IO[bytes], there: str) -> None:
    try:
        with open(there, "wb") as out, stdin if path == "-" else gzip.open(path) as stream:
            shutil.copyfileobj(stream, out, folders.STEP)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Refused(f"{path} is damaged, so nothing of it was imported: gzip says: {error}") from None
    except OSError as error:
        raise Refused(f"cannot read {path} into {os.path.dirname(there)}: {error.strerror}") from None


def scan(found: Iterable[Folder]) -> list[Place]:
    """Where each letter lies."""
    return [place for folder in found for place in folders.places(folder)]


def look(places: Sequence[Place], now: datetime, step: Callable[[int], None]) -> list[Seen]:
    """The head of each letter.  What its mail program has removed, and what is gone meanwhile, is left out.

    Args:
        step: called with the number of letters of each piece of work that is done.
    """
    seen: list[Seen] = []
    latest = (now + TOMORROW).timestamp()
    pieces = [(places[start : start + 10 * CHUNK], latest) for start in range(0, len(places), 10 * CHUNK)]
    with Workers(_look) as workers:
        for (some, _), answer in workers.each(pieces):
            seen += [_unseen(place) for place in some] if isinstance(answer, Died) else answer
            step(len(some))
    return seen


def _look(task: tuple[Sequence[Place], float]) -> list[Seen]:
    found = []
    for place in task[0]:
        try:
            begin = folders.beginning(place)
        except (Gone, OSError):
            begin = b""
        head, came = peek(begin), folders.came(place, begin)
        if head.removed:
            continue
        said = head.date if head.date and 0 < head.date.timestamp() < task[1] else came
        answered = dict.fromkeys((*head.answered[:1], *head.answered[1 - ANSWERS :]))
        found.append(
            Seen(
                place,
                head.message_id,
                said.timestamp() if said else 0.0,
                came,
                _number(head.message_id),
                tuple(map(_number, answered)),
                head.received,
            )
        )
    return found


def _unseen(place: Place) -> Seen:
    """A letter of which nothing could be seen; it is judged all the same."""
    return Seen(place, "", 0.0, None, 0, (), True)


def _number(message_id: str) -> int:
    """A Message-ID as a number: of a million letters the ids themselves would not fit into memory so well."""
    return int.from_bytes(blake2b(message_id.encode(), digest_size=8).digest(), "big") if message_id else 0


def in_order(seen: Sequence[Seen]) -> list[Seen]:
    """By date; but an answer comes after what it answers, whatever the clocks said."""
    by_date = sorted(range(len(seen)), key=lambda one: (seen[one].at, one))
    where: dict[int, int] = {}
    for one in by_date:
        if seen[one].own:
            where.setdefault(seen[one].own, one)
    begun, placed = bytearray(len(seen)), bytearray(len(seen))
    ordered: list[Seen] = []
    for first in by_date:
        path = [first]
        while path:
            one = path[-1]
            if not begun[one]:
                begun[one] = 1
                parents = (where[number] for number in seen[one].answered if number in where)
                path += [parent for parent in parents if not begun[parent]]
                if path[-1] != one:
                    continue
            path.pop()
            if not placed[one]:
                placed[one] = 1
                ordered.append(seen[one])
    return ordered


# --- bring in -----------------------------------------------------------------------------------------------


@contextmanager
def rehearsal(workspace: Workspace) -> Iterator[Workspace]:
    """A workspace in which an import can be tried, with nothing left of it.

    SQLite has one writer, whom a long rehearsal would keep everybody waiting for; so it is held in a copy.  PostgreSQL
    has many, and takes back what it did.
    """
    if sql.postgres():
        with rehearsed(workspace, True):
            yield workspace
        return
    with _room() as room:
        copy = os.path.join(room, "crmmail.db")
        schema.backup(workspace.store, copy)
        try:
            with Workspace(Choice(copy, workspace.choice.config), workspace.environ) as tried:
                yield tried
        finally:
            sql.use(workspace.store.connection)


def check(workspace: Workspace, wanted: Wanted) -> None:
    """Raises NotFound where there is no such section."""
    if wanted.section is not None:
        offices.section(wanted.section)


def bring(
    workspace: Workspace, letters: Sequence[Seen], wanted: Wanted, tally: Tally, step: Callable[[int], None]
) -> None:
    """Takes letters in, in this order; `tally` knows at each moment what is committed.

    Args:
        step: called with how many letters are done.

    Raises:
        CrmmailError: the store takes no more; what was committed stays.
    """
    manner = HISTORY._replace(notifies=wanted.notify)
    batch: list[Prepared] = []
    size = 0

    def write() -> None:
        nonlocal batch, size
        if not batch:
            return
        answers = deliver_together(workspace, batch, manner)
        count, batch, size = len(batch), [], 0
        _note(workspace, answers, tally)
        step(count)

    try:
        with Workers(_prepare) as workers:
            tasks = _chunks(workspace, letters, wanted, reading(workspace), tally, step)
            for task, answer in workers.each(tasks):
                for one in _answers(workers, task, answer):
                    if isinstance(one, Prepared):
                        batch.append(one)
                        size += one.packed.size
                    else:
                        _note_failed(one, tally)
                        step(1)
                    if len(batch) >= BATCH or size > BATCH_BYTES:
                        write()
                        time.sleep(PAUSE)
            write()
    except KeyboardInterrupt:
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
        if any(mails.is_letter(data, letter) for data in known[one.message_id]):
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


def _note(workspace: Workspace, answers: Sequence[list[Outcome] | CrmmailError], tally: Tally) -> None:
    """Counts what a batch became; the records that it made begin after what rules would have done by then."""
    made = []
    for answer in answers:
        if isinstance(answer, CrmmailError):
            if answer.retry and all(isinstance(one, CrmmailError) for one in answers):
                raise answer
            tally.failed.append(str(answer))
            continue
        tally.add(answer)
        made += [one.record for one in answer if one.created and one.record is not None]
    _past(workspace, made)


def _note_failed(sentence: str, tally: Tally) -> None:
    tally.gone.append(sentence)


def _past(workspace: Workspace, records: Sequence[int]) -> None:
    """Dated rules do not act on these for a day that was over before they were brought in: that would be mail about
    what is long past.  Days that are still to come count as for every record."""
    dated = rules.rules(active=True, dated=True) if records else []
    if not dated:
        return
    from crmmail.services.automatic import rule_work  # which most shops' imports have no use for

    now = workspace.now()
    parents = {one.code: one.parent for one in offices.sections() if one.parent}
    new = set(records)
    with workspace.store.transaction():
        for rule in rule_work.read(dated):
            for number in new & set(due.due(rule, now, parents, now=now)):
                base = base_of(rule, due.facts(number))
                rules.put_firing(rule.id, number, now, "its day was over when the record was imported", base=base)


def _write_down(workspace: Workspace, tally: Tally) -> None:
    """A line in the journal: undo cannot take back thousands of letters, but whoever asks shall find when they came."""
    if not (tally.outcomes["stored"] or tally.waiting):
        return
    sentence = f"mail imported: {tally.letters} read, {tally.outcomes['stored']} stored, {tally.created} new records"
    with workspace.store.transaction():
        journal.write(None, os_login(), workspace.now(), "import", sentence, [], undoable=False)
