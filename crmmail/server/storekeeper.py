"""The process that has the store: the server hands it mails, many at a time, and hears what became of each.

A mail that hangs the judging, or eats the memory, ends this process and not the server: the connections of the mails
that it had in hand end, those mails come again, and the next process counts the one that did it (`files.attempts`
of the store).  The same goes for the process that reads (`reader`).  Where the server itself ends, what they have in
hand is still committed, and whoever offers it again offers a duplicate.

    question   sizes: could mails of so many bytes be taken?                what was read of mails: take them
    answer     of each why not, "" where it could                           the verdicts, and whether mail is to leave

With both answers comes on what terms others may read mails.  Before it commits, it asks (MORE) what was read meanwhile,
and takes that in with the others.
"""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from crmmail import mda
from crmmail.errors import CrmmailError, StoreBroken
from crmmail.server.intake import Intake
from crmmail.server.process import Caller, Died, Process, answer
from crmmail.server.queue import Mail, Verdict
from crmmail.server.reader import Reader
from crmmail.services.incoming.prepare import Prepared, Terms
from crmmail.spool import Spool
from crmmail.workspace import Choice

MORE = None  # what the process asks; the next Question is the answer

# What was read of some mails: those in memory, as the reader has packed them; None: none; an error is everybody's.
Found = bytes | CrmmailError | None


class InFile(NamedTuple):
    """A mail too big to be carried about: its file goes along."""

    size: int  # bytes
    trouble: str


class Batch(NamedTuple):
    """Mails on their way to the store."""

    options: list[mda.Options]
    read: bytes | None  # as `Found` has it
    unread: list[InFile | bytes | None]  # a mail each, which is to be read where the store is; None: it was read


class Question(NamedTuple):
    """One or the other."""

    sizes: Sequence[int] = ()  # bytes; could a mail of each be taken?
    batches: Sequence[Batch] = ()  # to be taken


class Storekeeper:
    """The server's end.  One thread reads, another one does all else.

    Args:
        queued: called when mail waits to be sent, or a program to be run, that did not before.
        note: for the log.
    """

    def __init__(
        self, choice: Choice, environ: Mapping[str, str], queued: Callable[[], object], note: Callable[[str], object]
    ) -> None:
        self._process = Process("crmmail.server.storekeeper", "has the store", choice, environ)
        self._reader = Reader(choice, environ)
        self._queued, self._note = queued, note
        self._terms: Terms | None = None  # on which mails are read; None: the store is not known to be well

    def trouble(self, sizes: Sequence[int]) -> list[str]:
        """Why mails of so many bytes each (0: unknown) could not be taken now; "": it could."""
        found: list[str]
        for _ in range(2):  # if it died, that was over other mails
            try:
                found, self._terms = pickle.loads(self._process.ask(Question(sizes=sizes)))
                return found
            except Died as died:
                why = str(died)
        self._note(why)
        return [why] * len(sizes)

    def begin(self) -> None:
        """Starts the process that reads, which takes a moment."""
        try:
            self._reader.begin()
        except Died as died:
            self._note(str(died))

    def read(self, mails: Sequence[Mail], *, at_leisure: bool) -> Found:
        """What `take` wants of these mails.

        Args:
            at_leisure: the store has nothing to do, so it may as well read them itself: one way less.
        """
        terms = self._terms
        if at_leisure or terms is None:
            return None
        small = [(one.letter.whole(), one.options.envelope) for one in mails if one.letter.descriptor is None]
        try:
            return self._reader.read(terms, small) if small else None
        except Died as died:
            return self._lost(died, len(mails))

    def take(
        self,
        batches: Sequence[tuple[Sequence[Mail], Found]],
        more: Callable[[], Sequence[tuple[Sequence[Mail], Found]]],
    ) -> list[Verdict]:
        """What became of each mail, in their order; whoever has outcomes is committed."""
        came = list(batches)

        def added() -> list[tuple[Sequence[Mail], bytes | None]]:
            others = more()
            came.extend(others)
            return _good(others)

        good = _good(came)
        verdicts = iter(self._taken(good, added) if good else [])
        return [found if isinstance(found, CrmmailError) else next(verdicts) for mails, found in came for _ in mails]

    def _taken(
        self,
        batches: list[tuple[Sequence[Mail], bytes | None]],
        more: Callable[[], list[tuple[Sequence[Mail], bytes | None]]],
    ) -> list[Verdict]:
        count, wanted = 0, batches
        try:
            while True:
                mails = [one for some, _ in wanted for one in some]
                count += len(mails)
                files = [one.letter.descriptor for one in mails if one.letter.descriptor is not None]
                question = Question(batches=[_batch(some, read) for some, read in wanted])
                answered = pickle.loads(self._process.ask(question, files))
                if answered is not MORE:
                    break
                wanted = more()
        except Died as died:
            return [self._lost(died, count)] * count
        verdicts: list[Verdict]
        verdicts, queued, self._terms = answered
        if queued:
            self._queued()
        return verdicts

    def _lost(self, died: Died, count: int) -> StoreBroken:
        self._note(f"{died} over {count} mails, which come again")
        return StoreBroken(str(died))

    def close(self) -> None:
        """Lets both end."""
        self._reader.close()
        self._process.close()


def _good(batches: Sequence[tuple[Sequence[Mail], Found]]) -> list[tuple[Sequence[Mail], bytes | None]]:
    return [(mails, found) for mails, found in batches if not isinstance(found, CrmmailError)]


def _batch(mails: Sequence[Mail], read: bytes | None) -> Batch:
    return Batch([one.options for one in mails], read, [_unread(one.letter, read) for one in mails])


def _unread(letter: Spool, read: bytes | None) -> InFile | bytes | None:
    if letter.descriptor is not None:
        return InFile(letter.size, letter.trouble)
    return letter.whole() if read is None else None


# --- in the process -------------------------------------------------------------------------------------------------


class Keeper:
    """The store, and whether the last mails made something that is to leave."""

    def __init__(self, choice: Choice) -> None:
        self.intake = Intake(choice, os.environ, self._note)
        self.queued = False

    def _note(self) -> None:
        self.queued = True

    def close(self) -> None:
        self.intake.close()


def _act(keeper: Keeper, question: Question, caller: Caller) -> object:
    if question.sizes:
        return keeper.intake.trouble(question.sizes), keeper.intake.terms
    keeper.queued = False
    options: list[mda.Options] = []

    def read(batches: Sequence[Batch]) -> list[Prepared | CrmmailError]:
        options.extend(one for batch in batches for one in batch.options)
        return [one for batch in batches for one in _all_read(keeper.intake, batch, caller.files)]

    def more() -> list[Prepared | CrmmailError]:
        try:
            return read(caller.answers(MORE).batches)
        except (EOFError, OSError):  # the server has ended: what is here is committed
            return []

    return keeper.intake.take(read(question.batches), options, more), keeper.queued, keeper.intake.terms


def _all_read(intake: Intake, batch: Batch, files: socket.socket) -> list[Prepared | CrmmailError]:
    found = iter(pickle.loads(batch.read) if batch.read else [])
    return [
        next(found) if one is None else intake.read([(_letter(one, files), options.envelope)])[0]
        for one, options in zip(batch.unread, batch.options, strict=True)
    ]


def _letter(one: InFile | bytes, files: socket.socket) -> Spool:
    if isinstance(one, bytes):
        return Spool(one)
    _, (number,), _, _ = socket.recv_fds(files, 1, 1)
    letter = Spool.in_file(os.fdopen(number, "r+b", buffering=0), one.size)
    letter.trouble = one.trouble
    return letter


if __name__ == "__main__":
    answer(Keeper, _act)
