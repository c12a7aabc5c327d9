"""The mails that have come and are not committed yet: a bounded queue, and two threads that have them taken in.

A connection asks for a place before it says that it takes a mail, hands the mail over when it is here whole, and hears
the verdict when it is committed.  One thread has read what waits at that moment, a FEW at a time; the other has what
was read meanwhile taken in, as many as BATCH in one transaction, which waits before its end for those that are being
read: under load the disk is asked once for many mails, and a mail that comes alone waits for nobody.

No place is given where the store could not take the mail: it is missing, locked, full or behind.  The second
thread looks, because that may take as long as somebody else holds the lock; one that is younger than FRESH is believed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Protocol

from crmmail import mda
from crmmail.errors import CrmmailError
from crmmail.services.incoming.judge import Outcome
from crmmail.spool import Spool

PLACES = 100  # mails that may be under way
BATCH = 50  # mails in one transaction
FEW = 4  # mails that are read before they are handed on
GATHERING = 0.004  # seconds that a transaction waits for a mail that is being read
BATCH_BYTES = 16 << 20
FRESH = 1.0  # seconds
SMALL = 1_000_000  # bytes; for a mail that is said to be larger the disk is always looked at
FULL = "too many mails wait already: try again"
STOPPING = "crmmail serve is stopping: try again"

Verdict = list[Outcome] | CrmmailError  # what became of a mail, or why nothing did


class Mail(NamedTuple):
    """One mail that is here whole."""

    letter: Spool
    options: mda.Options  # as an mda line would say them


class Taking(Protocol):
    """What takes mails in; one thread calls `begin` and `read`, another one all else."""

    def trouble(self, sizes: Sequence[int]) -> list[str]:
        """Why mails of these sizes could not be taken now; "": it could."""

    def begin(self) -> None:
        """Makes ready for `read`."""

    def read(self, mails: Sequence[Mail], *, at_leisure: bool) -> Any:
        """What `take` wants of these; None: they are read where they are taken in.

        Args:
            at_leisure: nobody is being taken, so there is nothing to be won by reading.
        """

    def take(
        self, batches: Sequence[tuple[Sequence[Mail], Any]], more: Callable[[], Sequence[tuple[Sequence[Mail], Any]]]
    ) -> list[Verdict]:
        """What became of each mail of these batches and what was read of them; who has outcomes is committed.

        Args:
            more: asked before the commit, and again until it has none: further batches, for the same transaction.
        """

    def close(self) -> None:
        """Lets go of the store."""


class Loop(Protocol):
    """What of the event loop the queue needs."""

    def call_soon(self, callback: Callable[..., object], *args: object) -> object: ...

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: object) -> object: ...

    def time(self) -> float: ...


class _Question(NamedTuple):
    size: int
    answer: Callable[[str], None]


class _Work(NamedTuple):
    mail: Mail
    verdict: Callable[[Verdict], None]


class _Read(NamedTuple):
    """Some work that was read."""

    works: list[_Work]
    read: Any  # None: they will be where they are taken in


class Queue:
    """All but `_read`, `_take` and what they call runs in the event loop's thread.

    Args:
        broken: called when a thread has ended over a bug of ours: then nothing more is taken.
    """

    def __init__(
        self,
        loop: Loop,
        taking: Taking,
        *,
        places: int = PLACES,
        broken: Callable[[BaseException], object] = lambda error: None,
    ) -> None:
        self._loop, self._taking, self._broken = loop, taking, broken
        self._places = places
        self._taken = 0
        self._handed_over = 0  # mails without a verdict
        self._stopping = False
        self._well = 0.0  # until when the store is believed to be well
        self._jobs: SimpleQueue[_Work | None] = SimpleQueue()
        self._to_take: SimpleQueue[_Question | _Read | None] = SimpleQueue()
        self._idle = threading.Event()  # no mail is being taken
        self._idle.set()
        self._asked: dict[str, float] = {}  # since when a thread waits for an answer of its process
        self._threads = [
            threading.Thread(target=self._watched, args=(self._read,), name="reader", daemon=True),
            threading.Thread(target=self._watched, args=(self._take,), name="store", daemon=True),
        ]

    def start(self) -> None:
        for one in self._threads:
            one.start()

    # -- the doors ask ------------------------------------------------------------------------------------------------

    def reserve(self, size: int | None, answer: Callable[[str], None]) -> None:
        """Asks for a place: `answer("")`, at once or later, means that it is given; else the answer says why not.

        Args:
            size: bytes that the mail is said to have; 0: unknown; None: whether the store could take it is no matter.
        """
        if self._stopping or self._taken >= self._places:
            answer(STOPPING if self._stopping else FULL)
            return
        self._taken += 1
        if size is None or (self._loop.time() < self._well and size <= SMALL):
            answer("")
        else:
            self._to_take.put(_Question(size, lambda trouble: self._answered(trouble, answer)))

    def release(self) -> None:
        """A place that was given is not needed."""
        self._taken -= 1

    def put(self, mail: Mail, verdict: Callable[[Verdict], None]) -> None:
        """Hands a mail over that has a place.  The verdict comes when it is committed, or cannot be; with it the place
        is free again."""
        self._handed_over += 1
        self._jobs.put(_Work(mail, verdict))

    @property
    def waiting(self) -> int:
        """How many places are given."""
        return self._taken

    def refuse(self) -> None:
        """From now on nobody gets a place; who has one keeps it."""
        self._stopping = True

    @property
    def is_alive(self) -> bool:
        """Do both threads live?"""
        return all(one.is_alive() for one in self._threads)

    @property
    def silence(self) -> float:
        """For how many seconds an answer has been owed by who reads, or by who has the store; 0: none is."""
        return max((self._loop.time() - since for since in list(self._asked.values())), default=0.0)

    def stop(self, patience: float) -> bool:
        """Ends the threads, behind everything that was handed over; False where that took too long."""
        self._jobs.put(None)
        until = time.monotonic() + patience
        for one in self._threads:
            one.join(max(until - time.monotonic(), 0))
        return not any(one.is_alive() for one in self._threads)

    def _answered(self, trouble: str, answer: Callable[[str], None]) -> None:
        if trouble:
            self._taken -= 1
            self._well = 0.0
        else:
            self._well = self._loop.time() + FRESH
        answer(trouble)

    def _judged(self, done: Sequence[tuple[_Work, Verdict]]) -> None:
        """Back in the loop: each connection hears its verdict."""
        failed = any(isinstance(verdict, CrmmailError) for _, verdict in done)
        self._well = 0.0 if failed else self._loop.time() + FRESH
        self._handed_over -= len(done)
        self._taken -= len(done)
        for work, verdict in done:
            self._loop.call_soon(work.verdict, verdict)  # so that the trouble of one connection is not the others'

    # -- the threads --------------------------------------------------------------------------------------------------

    def _watched(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._say(self._broken, error)

    @contextmanager
    def _asking(self, whom: str) -> Iterator[None]:
        self._asked[whom] = self._loop.time()
        try:
            yield
        finally:
            del self._asked[whom]

    def _read(self) -> None:
        with self._asking("reader"):
            self._taking.begin()
        goes_on = True
        while goes_on:
            works, goes_on = _all_there(self._jobs, FEW)
            if works:
                at_leisure = len(works) == 1 and self._idle.is_set()
                self._idle.clear()
                with self._asking("reader"):
                    read = self._taking.read([one.mail for one in works], at_leisure=at_leisure)
                self._to_take.put(_Read(works, read))
        self._to_take.put(None)

    def _take(self) -> None:
        goes_on = True
        while goes_on:
            jobs, goes_on = _all_there(self._to_take)
            batches = [one for one in jobs if isinstance(one, _Read)]
            with self._asking("store"):
                if questions := [one for one in jobs if isinstance(one, _Question)]:
                    # One look for all of them: where the store is locked, each would wait as long as the look takes.
                    troubles = self._taking.trouble([one.size for one in questions])
                    for question, trouble in zip(questions, troubles, strict=True):
                        self._say(question.answer, trouble)
                if batches:
                    verdicts = self._taking.take([_named(one) for one in batches], partial(self._more, batches))
                    works = [one for batch in batches for one in batch.works]
                    self._say(self._judged, list(zip(works, verdicts, strict=True)))
            if self._to_take.empty():
                self._idle.set()
        self._taking.close()

    def _more(self, batches: list[_Read]) -> list[tuple[list[Mail], Any]]:
        """What has been read for the transaction of these batches, to which it is added; none where it may end."""
        there = [one for batch in batches for one in _letters(batch)]
        size = sum(one.size for one in there)
        if len(there) >= min(BATCH, self._handed_over) or size >= BATCH_BYTES:
            return []
        try:
            job = self._to_take.get(timeout=GATHERING)
        except Empty:
            return []
        # A question wants its answer; and a mail that is not read yet is not read while the store is locked.
        if not isinstance(job, _Read) or not _is_read(job):
            self._to_take.put(job)
            return []
        batches.append(job)
        return [_named(job)]

    def _say(self, callback: Callable[..., object], what: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, what)
        except RuntimeError:  # the loop has ended before us, and with it whoever would hear of this
            pass


def _named(batch: _Read) -> tuple[list[Mail], Any]:
    """A batch as who takes it in has it."""
    return [one.mail for one in batch.works], batch.read


def _all_there(queue: SimpleQueue[Any], most: int = BATCH) -> tuple[list[Any], bool]:
    """Waits for something to do and takes all there is, up to so many mails; False where nothing comes behind it."""
    found: list[Any] = []
    count = size = 0
    job = queue.get()
    while job is not None:
        found.append(job)
        letters = _letters(job)
        count += len(letters)
        size += sum(one.size for one in letters)
        if count >= most or size >= BATCH_BYTES:
            return found, True
        try:
            job = queue.get_nowait()
        except Empty:
            return found, True
    return found, False


def _is_read(batch: _Read) -> bool:
    """Are all of its mails read?  One too big to be carried about is read where it is taken in."""
    return batch.read is not None and all(one.descriptor is None for one in _letters(batch))


def _letters(job: _Question | _Work | _Read) -> list[Spool]:
    works = job.works if isinstance(job, _Read) else [job] if isinstance(job, _Work) else []
    return [one.mail.letter for one in works]
