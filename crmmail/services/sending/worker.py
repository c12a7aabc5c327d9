"""Who is sending: one pass of this process, named so that another can tell whether the process still lives."""

from __future__ import annotations

import os
import re
import secrets
import socket

# /proc/N/stat, counted behind the name: fields 3 and 22 of proc(5), its state and when it began.
STATE, BEGAN = 0, 19
ENDED = "ZX"  # a zombie: killed, and nobody has buried it yet


def name() -> str:
    """`house:process:began:pass`, another one for each pass: two threads of a process must not share their rows."""
    return f"{_house()}:{os.getpid()}:{_began(os.getpid())}:{secrets.token_hex(4)}"


def alive(worker: str) -> bool:
    """May that process still be sending?  Of another house nobody knows: its lease says."""
    house, number, began = [*worker.rsplit(":", 3), "", ""][:3]
    if house != _house():
        return True
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError, OverflowError):
        return True
    return _began(int(number)) == began  # else the number was given to another process since


def _house() -> str:
    """Where a process number means the same: the host, and in it the container (`host@1234`) where there are such."""
    try:
        space = re.sub(r"\D", "", os.readlink("/proc/self/ns/pid"))
    except OSError:
        space = ""
    return f"{socket.gethostname()}@{space}"


def _began(process: int) -> str:
    """When it began, in the kernel's ticks; "0" where the system does not tell; "" of one that has ended."""
    try:
        with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as file:
            facts = file.read().rpartition(")")[2].split()
        return "" if facts[STATE] in ENDED else facts[BEGAN]
    except (OSError, IndexError):
        return "0"
