"""The bytes of a mail on their way in: once in memory, or in a file where they are too many for it.

A mail that may be read at all is held in memory.  What is far beyond that would end us there, and then come again for
ever, so it goes into a file: in $TMPDIR, else in /var/tmp, because /tmp is memory on many machines.  The file has no
name; it is gone when we are, also when we are killed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from io import BytesIO

from crmmail.core.typed import IO

HELD = 64 << 20  # bytes held in memory at most; more than the largest mail that is read
STEP = 1 << 20  # bytes of a slice; a header that is read fits into the first one


class Spool:
    """Bytes that are written once, then read in slices or whole."""

    def __init__(self, raw: bytes = b"", *, held: int = HELD) -> None:
        self.size = len(raw)
        self.trouble = ""  # why not all of it could be kept
        self._held = held
        self._bytes: IO[bytes] = BytesIO(raw)  # shares the bytes with whoever made them
        self._bytes.seek(0, os.SEEK_END)

    @classmethod
    def in_file(cls, file: IO[bytes], size: int) -> Spool:
        """What another process has put into a file."""
        found = cls()
        found._bytes, found.size = file, size
        return found

    @property
    def descriptor(self) -> int | None:
        """Of the file it is in; None: it is in memory."""
        return None if isinstance(self._bytes, BytesIO) else self._bytes.fileno()

    def write(self, piece: bytes) -> None:
        """Adds bytes.  Never raises: a mail must be read to its end also where there is no room for it."""
        self.size += len(piece)
        if self.trouble:
            return
        try:
            if self.size > self._held and isinstance(self._bytes, BytesIO):
                self._bytes = _moved(self._bytes)
            _put(self._bytes, piece)
        except OSError as error:
            self.trouble = f"no room in {folder()} for a mail of this size ({error.strerror})"

    def slices(self) -> Iterator[bytes]:
        """All of it, a megabyte at a time."""
        if self.size <= STEP:
            yield self.whole()
            return
        self._bytes.seek(0)
        while piece := self._bytes.read(STEP):
            yield piece

    def beginning(self, size: int) -> bytes:
        """The first `size` bytes."""
        if self.size <= size:
            return self.whole()
        self._bytes.seek(0)
        return self._bytes.read(size)

    def whole(self) -> bytes:
        """All of it at once, without a copy where it is in memory."""
        if isinstance(self._bytes, BytesIO):
            return self._bytes.getvalue()
        self._bytes.seek(0)
        return self._bytes.read()

    def __reduce__(self) -> tuple[type[Spool], tuple[bytes]]:
        """For another process: all of it, in memory."""
        return Spool, (self.whole(),)

    def release(self) -> None:
        """Gives the room back; the bytes are gone, their number stays."""
        self._bytes.close()


def _moved(memory: BytesIO) -> IO[bytes]:
    import tempfile  # which an ordinary mail has no use for

    file = tempfile.TemporaryFile(dir=folder(), buffering=0)  # noqa: SIM115
    with memory:
        _put(file, memory.getvalue())  # shares the bytes
    return file


def _put(file: IO[bytes], piece: bytes) -> None:
    """Writes all of it.  A disk that fills up takes a part, says only how much that was, and refuses the rest."""
    done = 0
    while done < len(piece):
        took = file.write(memoryview(piece)[done:])
        if not took:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done += took


def folder() -> str:
    """Where what is too big for memory lies for a while."""
    return os.environ.get("TMPDIR") or next((one for one in ("/var/tmp", "/tmp") if os.path.isdir(one)), ".")
