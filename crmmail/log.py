"""The log: one line an event, appended to one file.  Trouble with it never changes an exit code.

A mail's words never get in whole: every value is one line, cut, and cleaned, because people read logs in terminals.
"""

from __future__ import annotations

import os
from datetime import datetime

LONGEST_WORDS = 1000  # characters
LONGEST = 4200  # bytes of a line: these of at most four bytes, and what stands before them
# NONBLOCK: a pipe that nobody reads must not hold a delivery up for ever; it changes nothing for a file.
HOW = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK


def write(path: str, now: datetime, door: str, *lines: str) -> None:
    """Appends `<time> <door>[pid] <line>` for each; whatever goes wrong is ignored."""
    try:
        try:
            file = os.open(path, HOW, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
            file = os.open(path, HOW, 0o600)
        try:
            head = f"{now.isoformat(timespec='seconds')} {door}[{os.getpid()}]"
            text = "".join(f"{head} {_words(line)}\n" for line in lines)
            os.write(file, text.encode("utf-8", "replace"))
        finally:
            os.close(file)
    except OSError:
        pass


def once(path: str, now: datetime, door: str, line: str) -> None:
    """Like `write`, but says the same only once, ever: what was said stands in a file beside the log."""
    line = _words(line)
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        with open(path + ".once", "a+", encoding="utf-8", errors="replace", opener=_private) as file:
            file.seek(0)
            if line in file.read().splitlines():
                return
            file.write(line + "\n")
    except OSError:
        return
    write(path, now, door, line)


def _words(line: str) -> str:
    if not (line.isascii() and line.isprintable()):
        from crmmail.core.text import one_line  # 0.5 x `python -c pass`; most lines of a delivery need no cleaning

        line = one_line(line)
    return " ".join(line.split())[:LONGEST_WORDS]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def tail(path: str, lines: int) -> list[str]:
    """The last lines, oldest first; [] where there is no log."""
    try:
        with open(path, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(file.tell() - LONGEST * lines, 0))
            return file.read().decode("utf-8", "replace").splitlines()[-lines:]
    except OSError:
        return []
