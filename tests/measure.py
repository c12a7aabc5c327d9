"""What one process takes: its processor time and the largest part of the memory that it held at once.

measured([MDA, "-v"], stdin=path, env=shop.env()).peak
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """What one process took, and how it ended."""

    status: int
    peak: float  # MiB
    processor: float  # seconds, user and system
    seconds: float
    said: str  # on standard error


def measured(command: Sequence[str], stdin: Path, env: Mapping[str, str]) -> Cost:
    """Runs a command to its end.

    A small process starts it, for the kernel counts what its parent held as the first moment of a child.
    """
    starter = [sys.executable, "-I", "-S", "-c", _START, str(stdin), *command]
    done = subprocess.run(starter, env=env, capture_output=True, text=True, timeout=600)
    status, peak, processor, seconds = json.loads(done.stdout.splitlines()[-1])
    return Cost(status, peak / (2**20 if sys.platform == "darwin" else 2**10), processor, seconds, done.stderr)


_START = """
import json, os, sys, time
null = (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)
start = time.perf_counter()
mail = (os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)
process = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ, file_actions=[mail, null])
_, status, usage = os.wait4(process, 0)
seconds = time.perf_counter() - start
print(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_maxrss, usage.ru_utime + usage.ru_stime, seconds]))
"""
