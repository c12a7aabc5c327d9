"""Who is sending: this process, named so that another can tell whether it still lives."""

from __future__ import annotations

import os
import socket

# /proc/N/stat, counted behind the name: fields 3 and 22 of proc(5), its state and when it began.
STATE, BEGAN = 0, 19
ENDED = "ZX"  # a zombie: killed, and nobody has buried it yet


def name() -> str:
    """`host:process:began`."""
    return f"{socket.gethostname()}:{os.getpid()}:{_began(os.getpid())}"


def alive(worker: str) -> bool:
    """May that process still be sending?  Of another host nobody knows: its lease says."""
    host, number, began = [*worker.rsplit(":", 2), "", ""][:3]
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError, OverflowError):
        return True
    return _began(int(number)) == began  # else the number was given to another process since


def _began(process: int) -> str:
    """When it began, in the kernel's ticks; "0" where the system does not tell; "" of one that has ended."""
    try:
        with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as file:
            facts = file.read().rpartition(")")[2].split()
        return "" if facts[STATE] in ENDED else facts[BEGAN]
    except (OSError, IndexError):
        return "0"
