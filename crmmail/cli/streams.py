"""The three standard streams: UTF-8 whatever $LANG says, and no trouble from one that nobody reads."""

from __future__ import annotations

import os
import sys
from typing import TextIO

USUAL = 80, 24  # cells and lines of a terminal that does not say


def speak_utf8() -> None:
    """UTF-8 whatever $LANG says, for mails are; and a stream that is closed swallows what is written."""
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding=None if name == "stdin" else "utf-8", errors="replace")


def width(stream: TextIO) -> int:
    """How many cells a line has on the terminal that `stream` is; 0 where it is none, and lines have no end."""
    return (size(stream)[0] or USUAL[0]) if stream.isatty() else 0


def size(stream: TextIO) -> tuple[int, int]:
    """Cells of a line, and lines: `$COLUMNS` and `$LINES`, else of the terminal that `stream` is; 0 where nobody says.

    `shutil` could tell, but it reads four ways to compress files with it.
    """
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        columns, lines = 0, 0
    return _named("COLUMNS") or columns, _named("LINES") or lines


def _named(variable: str) -> int:
    said = os.environ.get(variable, "")
    return int(said) if said.isascii() and said.isdigit() else 0


def forget(stream: TextIO) -> None:
    """Nobody reads it: what is still in its buffer must not raise once more when the interpreter ends."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):  # a test's stream has no number
        pass
