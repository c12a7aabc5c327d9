"""The process that has the store: the server hands it mails, many at a time, and hears what became of each.

A mail that hangs the judging, or eats the memory, ends this process and not the server: the connections of the mails
that it had in hand end, those mails come again, and the next process counts the one that did it (`files.attempts`
of the store).  The same goes for the process that reads (`reader`).  Where the server itself ends, what they have in
hand is still committed, and whoever offers it again offers a duplicate.

    question   a size: could a mail of that many bytes be taken?            what was read of mails: take them
    answer     why not, "" where it could                                   the verdicts, and whether mail is to leave

Before it commits, it asks (MORE) what was read meanwhile, and takes that in with the others.
"""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from crmmail import mda
from crmmail.errors import CrmmailError, StoreBroken
from crmmail.server.intake import Intake
from crmmail.server.process import Caller, Died, Process, answer
from crmmail.server.queue import Mail, Verdict
from crmmail.server.reader import Reader
from crmmail.services.incoming.prepare import Prepared
from crmmail.spool import Spool
from crmmail.workspace import Choice

MORE = None  # a question of its own


class InFile(NamedTuple):
    """A mail too big to be carried about: its file goes along."""

    size: int  # bytes
    trouble: str


class Batch(NamedTuple):
    """Mails on their way to the store."""

    options: list[mda.Options]
    read: bytes | None  # as the reader has packed it; None: it has read none of them
    unread: list[InFile | bytes | None]  # a mail each, which is to be read where the store is; None: it was read


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

    def trouble(self, size: int) -> str:
        """Why a mail of that many bytes (0: unknown) could not be taken now; "": it could."""
        for _ in range(2):  # if it died, that was over other mails
            try:
                return str(pickle.loads(self._process.ask(size)))
            except Died as died:
                found = str(died)
        self._note(found)
        return found

    def read(self, mails: Sequence[Mail], *, at_leisure: bool) -> Batch | CrmmailError:
        """What `take` wants of these mails; an error is everybody's.

        Args:
            at_leisure: the store has nothing to do, so it may as well read them itself: one way less.
        """
        options = [one.options for one in mails]
        if at_leisure:
            return Batch(options, None, [_in_file(one.letter) or one.letter.whole() for one in mails])
        unread: list[InFile | bytes | None] = [_in_file(one.letter) for one in mails]
        small = [(one.letter.whole(), one.options.envelope) for one in mails if one.letter.descriptor is None]
        try:
            return Batch(options, self._reader.read(small) if small or not mails else None, unread)
        except Died as died:
            return self._lost(died, len(mails))

    def take(
        self,
        batches: Sequence[tuple[Sequence[Mail], Batch | CrmmailError]],
        more: Callable[[], Sequence[tuple[Sequence[Mail], Batch | CrmmailError]]],
    ) -> list[Verdict]:
        """What became of each mail, in their order; whoever has outcomes is committed."""
        came = list(batches)

        def added() -> list[tuple[Sequence[Mail], Batch]]:
            others = more()
            came.extend(others)
            return _good(others)

        verdicts = iter(self._taken(_good(came), added))
        return [batch if isinstance(batch, CrmmailError) else next(verdicts) for mails, batch in came for _ in mails]

    def _taken(
        self,
        batches: list[tuple[Sequence[Mail], Batch]],
        more: Callable[[], list[tuple[Sequence[Mail], Batch]]],
    ) -> list[Verdict]:
        count, wanted = 0, batches
        try:
            while True:
                mails = [one for some, _ in wanted for one in some]
                count += len(mails)
                files = [one.letter.descriptor for one in mails if one.letter.descriptor is not None]
                answered = pickle.loads(self._process.ask([batch for _, batch in wanted], files))
                if answered is not MORE:
                    break
                wanted = more()
        except Died as died:
            return [self._lost(died, count)] * count
        verdicts: list[Verdict]
        verdicts, queued = answered
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


def _good(batches: Sequence[tuple[Sequence[Mail], Batch | CrmmailError]]) -> list[tuple[Sequence[Mail], Batch]]:
    return [(mails, batch) for mails, batch in batches if isinstance(batch, Batch)]


def _in_file(letter: Spool) -> InFile | None:
    return None if letter.descriptor is None else InFile(letter.size, letter.trouble)


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


def _act(keeper: Keeper, what: Any, caller: Caller) -> object:
    if isinstance(what, int):
        return keeper.intake.trouble(what)
    keeper.queued = False
    options: list[mda.Options] = []

    def read(batches: Sequence[Batch]) -> list[Prepared | CrmmailError]:
        options.extend(one for batch in batches for one in batch.options)
        return [one for batch in batches for one in _all_read(keeper.intake, batch, caller.files)]

    def more() -> list[Prepared | CrmmailError]:
        try:
            return read(caller.answers(MORE))
        except (EOFError, OSError):  # the server has ended: what is here is committed
            return []

    return keeper.intake.take(read(what), options, more), keeper.queued


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
