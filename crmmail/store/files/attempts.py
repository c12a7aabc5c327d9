"""Counts, in small files beside the store, how often judging one mail was cut off.

A mail that kills the process (a bug in a decoder, out of memory, the deadline) would come again at every poll for
ever and block what is behind it.  Each attempt at judging is a file named by the mail, locked while it lasts and
removed at its end.  A file that nobody has locked belonged to a process that was killed, for the kernel lets go of a
dead one's locks; three of them are three killed deliveries.  Deliveries of the same mail at the same moment are alive,
and so are not counted.  Trouble with these files changes nothing: then a mail is merely not counted.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from crmmail.store.files import beside

LIMIT = 3
LONGEST_KEY = 128  # characters
GIVEN_UP = "given-up"
STEADY = "steady"  # the name before the dot of the file of a process that stays
BEGINS = "begins"  # and until it is locked


class Attempts:
    """The folder of one store."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.folder = beside.attempts(place)

    def count(self, key: str) -> int:
        """How many deliveries this mail has killed."""
        return sum(map(_is_dead, self._files(key)))

    @contextmanager
    def judging(self, key: str) -> Iterator[None]:
        """Counts one attempt while the block runs.  An exception is an end like any other; what stays counted is a
        kill, and memory that is not enough, which kills the next time."""
        path = os.path.join(self.folder, f"{key}.{os.urandom(6).hex()}")
        file = -1
        try:
            file = self._made(path)
            beside.fit(file, self.place)  # another user of the group must see whether it is locked
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(file, b".")  # an empty file counts for nothing: its maker may be about to lock it
        except OSError:
            pass
        killed = False
        try:
            yield
        except MemoryError:
            killed = True
            raise
        finally:
            if file >= 0:
                if not killed:
                    _remove(path)
                os.close(file)

    def _made(self, path: str) -> int:
        """A new file, and the folder around it where there is none yet."""
        try:
            return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileNotFoundError:
            self._make_folder()
            return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)

    def _make_folder(self) -> None:
        """Whoever may use the store may count: 0700, or 2770 where a group shares it, whatever the umask."""
        try:
            os.mkdir(self.folder, 0o700)
        except FileExistsError:
            return
        if os.path.exists(self.place) and os.stat(self.place).st_mode & stat.S_IWGRP:
            os.chmod(self.folder, 0o2770)

    def unsettled(self, before: float) -> int:
        """How many mails were cut off, last before that moment (seconds since 1970), and were not given up yet."""
        marks: dict[str, dict[str, float]] = {}
        try:
            for entry in os.scandir(self.folder):
                key, _, mark = entry.name.partition(".")
                if key in (STEADY, BEGINS):
                    continue
                marks.setdefault(key, {})[mark] = entry.stat().st_mtime
        except OSError:
            pass
        return sum(GIVEN_UP not in found and max(found.values()) < before for found in marks.values())

    def give_up(self, key: str) -> None:
        """The mail is in quarantine, unjudged; it keeps its count, or it would kill us again if it came again."""
        try:
            file = os.open(os.path.join(self.folder, f"{key}.{GIVEN_UP}"), os.O_CREAT | os.O_WRONLY, 0o600)
            try:
                beside.fit(file, self.place)
                os.write(file, b".")
            finally:
                os.close(file)
        except OSError:
            pass

    def forget(self, key: str) -> None:
        """The mail is safe: its count is of no more use."""
        for path in self._files(key):
            _remove(path)

    def _files(self, key: str) -> list[str]:
        try:
            return [os.path.join(self.folder, name) for name in os.listdir(self.folder) if name.startswith(key)]
        except OSError:
            return []


class Steady(Attempts):
    """Counts for a process that stays, for which a file a mail would take too long: one file, locked while the process
    lives, in which stands which mail it has in hand.  Whoever comes after a dead one counts that mail.

    Args:
        beat: called whenever a mail is taken in hand.
    """

    def __init__(self, place: str, beat: Callable[[], object]) -> None:
        super().__init__(place)
        self._beat = beat
        self._file = self._opened()

    @contextmanager
    def judging(self, key: str) -> Iterator[None]:
        self._beat()
        self._in_hand(key)
        try:
            yield
        except MemoryError:
            self._add(key)
            raise
        finally:
            self._in_hand("")

    def close(self) -> None:
        """Ends it; nothing is in hand."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._bury()

    def _opened(self) -> int:
        try:
            self._make_folder()
            self._bury()
            path = self._path(BEGINS)
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except OSError:
            return -1
        try:
            beside.fit(file, self.place)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass
        try:  # it has its name once it is locked: another process that begins would take it for a dead one's
            os.rename(path, self._path())
        except OSError:
            pass
        return file

    def _bury(self) -> None:
        """Counts what the dead had in hand, and removes their files."""
        for path in self._files(f"{STEADY}."):
            if _is_dead(path, empty=True):
                try:
                    with open(path, encoding="ascii", errors="replace") as file:
                        key = file.read().strip()
                    if key:
                        self._add(key)
                    os.unlink(path)
                except OSError:
                    pass

    def _in_hand(self, key: str) -> None:
        if self._file >= 0:
            try:
                os.pwrite(self._file, key.ljust(LONGEST_KEY).encode(), 0)
            except OSError:
                pass

    def _path(self, key: str = STEADY) -> str:
        return os.path.join(self.folder, f"{key}.{os.urandom(6).hex()}")

    def _add(self, key: str) -> None:
        """One more dead attempt at this mail."""
        try:
            file = os.open(self._path(key), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            try:
                beside.fit(file, self.place)
                os.write(file, b".")
            finally:
                os.close(file)
        except OSError:
            pass


def _is_dead(path: str, *, empty: bool = False) -> bool:
    """Was this attempt cut off?  One that is alive holds its lock; one that has just ended is gone.

    Args:
        empty: an empty file is one, too.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return (empty or os.fstat(file).st_size > 0) and os.fstat(file).st_nlink > 0
    except OSError:
        return False
    finally:
        os.close(file)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def counted(counter: Attempts | None, key: str) -> AbstractContextManager[None]:
    """Counts the block as an attempt, where somebody counts."""
    return nullcontext() if counter is None else counter.judging(key)
