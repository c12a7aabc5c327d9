"""The three standard streams: UTF-8 whatever $LANG says, and no trouble from one that nobody reads."""

from __future__ import annotations

import os
import sys
from typing import TextIO

_USUAL = 80  # cells of a terminal that does not say


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
    if not stream.isatty():
        return 0
    named = os.environ.get("COLUMNS", "")
    if named.isascii() and named.isdigit() and int(named):
        return int(named)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL
    except (OSError, ValueError):
        return _USUAL


def forget(stream: TextIO) -> None:
    """Nobody reads it: what is still in its buffer must not raise once more when the interpreter ends."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):  # a test's stream has no number
        pass
