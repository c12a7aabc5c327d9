"""Takes the queue's mails in: opens the store, keeps it open while it stays the same, and delivers many at once.

It is opened anew when it was replaced, migrated, or when a setting has changed, so that a server judges as a process
would that starts now.

A mail that hangs the judging ends the process (`storekeeper`), as it ends one that delivers one mail: `signal.alarm`
with its default action, which nothing can outlast.  The attempt that was cut off is counted for that one mail, which
the third time goes to quarantine unjudged.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence

from crmmail import mda
from crmmail.config import Config
from crmmail.core.known import Envelope
from crmmail.errors import CrmmailError, StoreBroken
from crmmail.server.queue import Verdict
from crmmail.services.incoming import together
from crmmail.services.incoming.prepare import Prepared, Terms, prepare_all, reading, terms
from crmmail.services.shared import failing
from crmmail.spool import Spool
from crmmail.store.files.attempts import Steady
from crmmail.workspace import Choice, Workspace

RESERVE = 16_000_000  # bytes that stay free on the disk, for the journal of a transaction


class Intake:
    """The store as the queue sees it.

    Args:
        queued: called when mail waits to be sent, or a program to be run, that did not before.
    """

    def __init__(self, choice: Choice, environ: Mapping[str, str], queued: Callable[[], object]) -> None:
        self._choice, self._environ = choice, environ
        self._queued = queued
        self._workspace: Workspace | None = None
        self._steady: Steady | None = None
        self._newest: object = None  # of what waits to leave
        self._has_looked = False  # just now, whether the store and the settings are still the same
        self._longest = 0  # seconds for all that is done with the store; 0: as many as it takes

    def trouble(self, sizes: Sequence[int]) -> list[str]:
        """Why mails of so many bytes each (0: unknown) could not be taken now; "": it could.

        The store is asked once for all of them: that may take as long as somebody else holds the lock.
        """
        try:
            workspace = self._open()
            together.can_take(workspace)
            return [self._room(workspace.store.place, size) for size in sizes]
        except Exception as error:
            return [str(self._failed(error))] * len(sizes)
        finally:
            signal.alarm(0)

    def _room(self, place: str, size: int) -> str:
        try:
            there_is_room(place, size)
        except Exception as error:
            return str(self._failed(error))
        return ""

    @property
    def terms(self) -> Terms | None:
        """On which mails may be read by others; None: the store is not open."""
        return terms(self._workspace) if self._workspace is not None else None

    def read(self, letters: Sequence[tuple[Spool, Envelope]]) -> list[Prepared | CrmmailError]:
        """Each mail as it was read; an error where it must come again.  It opens the store, so nobody may be in the
        midst of `take`, which follows at once and need not look again."""
        try:
            limits = reading(self._open())
            self._has_looked = True
            return prepare_all(limits, letters, self._counter())
        except Exception as error:
            return [self._failed(error)] * len(letters)
        finally:
            signal.alarm(0)

    def take(
        self,
        read: list[Prepared | CrmmailError],
        options: Sequence[mda.Options],
        more: Callable[[], Sequence[Prepared | CrmmailError]] = tuple,
    ) -> list[Verdict]:
        """What became of each mail; whoever has outcomes is committed.

        Args:
            more: asked before the commit for mails that were read meanwhile, which are added to `read`; who answers
                adds to `options`.
        """
        verdicts: list[Verdict]
        try:
            workspace = self._open()
            verdicts = list(together.take(workspace, read, self._counter(), more))
            signal.alarm(0)
            self._note(workspace, options, verdicts)
            if any(isinstance(one, CrmmailError) for one in verdicts):
                self.close()
        except Exception as error:
            signal.alarm(0)
            verdicts = [self._failed(error)] * len(read)
        return verdicts

    def close(self) -> None:
        """Closes the store; it is opened again when it is needed."""
        workspace, counter = self._workspace, self._steady
        self._workspace = self._steady = None
        if counter is not None:
            counter.close()
        if workspace is not None:
            workspace.close()

    def _open(self) -> Workspace:
        """The store and the settings as they are now.  Whoever calls it ends the alarm, which is for a database whose
        host has gone without a word."""
        signal.alarm(self._longest)
        looked, self._has_looked = self._has_looked, False
        if self._workspace is not None and not looked and not self._workspace.is_current():
            self.close()
        if self._workspace is None:
            self._workspace = Workspace(self._choice, self._environ)
            self._longest = longest(self._workspace.config)
            self._newest = together.newest_waiting()
        return self._workspace

    def _counter(self) -> Steady:
        """Counts attempts, each of which has the whole of `delivery.deadline`."""
        assert self._workspace is not None
        if self._steady is None:
            deadline = self._workspace.config.delivery_deadline
            self._steady = Steady(self._workspace.store.place, lambda: signal.alarm(deadline))
        return self._steady

    def _note(self, workspace: Workspace, options: Sequence[mda.Options], verdicts: Sequence[Verdict]) -> None:
        """What came of them, in the log, for `doctor`, and for whoever sends; nothing in here undoes a commit."""
        try:
            pairs = list(zip(options, verdicts, strict=True))
            taken = [(one, verdict) for one, verdict in pairs if not isinstance(verdict, CrmmailError)]
            if taken:
                mda.note(workspace, taken)
            for _, verdict in pairs:
                if isinstance(verdict, CrmmailError):
                    failing.note(self._choice, self._environ, verdict, mda.SERVE)
            newest = together.newest_waiting()
            if newest != self._newest:
                self._newest = newest
                self._queued()
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> CrmmailError:
        """Writes down that mail cannot be taken, as the MDA does; a store that gave trouble is opened anew."""
        found = error if isinstance(error, CrmmailError) else CrmmailError(_BUG.format(type(error).__name__, error))
        try:
            failing.note(self._choice, self._environ, error, mda.SERVE)
            self.close()
        except Exception:
            pass
        return found


_BUG = "something went wrong in crmmail itself: {}: {}"


def longest(config: Config) -> int:
    """Seconds that the store may be asked for something: those for its lock and those for judging; 0: no limit."""
    return config.delivery_busy_timeout + config.delivery_deadline if config.delivery_deadline else 0


def there_is_room(place: str, size: int) -> None:
    """Raises StoreBroken where a mail of that many bytes, and what its transaction needs, does not fit on the disk."""
    folder = os.path.dirname(place)
    if not os.path.isdir(folder):
        return  # the store is on another machine
    disk = os.statvfs(folder)
    if disk.f_bavail * disk.f_frsize < RESERVE + 2 * size:
        raise StoreBroken(f"no room left on the disk of {place}: make some and try again")
