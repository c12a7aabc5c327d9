"""Counts, in small files beside the store, how often judging one mail was cut off.

A mail that kills the process (a bug in a decoder, out of memory, the deadline) would come again at every poll for
ever and block what is behind it.  Before judging, one byte is added to a file named by the mail; afterwards the file
goes.  What is found with three bytes has killed three deliveries.  Trouble with these files changes nothing: then a
mail is merely not counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

LIMIT = 3


class Attempts:
    """The folder of one store."""

    def __init__(self, place: str) -> None:
        self.folder = place + ".attempts"

    def count(self, key: str) -> int:
        """How many deliveries this mail has killed."""
        try:
            return os.path.getsize(os.path.join(self.folder, key))
        except OSError:
            return 0

    @contextmanager
    def judging(self, key: str) -> Iterator[None]:
        """Counts one attempt while the block runs; an exception is an end like any other, only a kill leaves it."""
        path = os.path.join(self.folder, key)
        try:
            os.makedirs(self.folder, 0o770, exist_ok=True)
            with open(path, "ab") as file:
                file.write(b".")
        except OSError:
            pass
        before = max(self.count(key) - 1, 0)
        try:
            yield
        finally:
            try:
                if before:
                    os.truncate(path, before)
                else:
                    os.unlink(path)
            except OSError:
                pass

    def forget(self, key: str) -> None:
        """The mail is safe: its count is of no more use."""
        try:
            os.unlink(os.path.join(self.folder, key))
        except OSError:
            pass
