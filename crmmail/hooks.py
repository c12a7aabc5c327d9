"""The shop's own programs, which rules may run: a file in one folder, JSON on its stdin, its first line kept.

    ok, words = run(folder, "tell-the-erp", {"event": "rule", …}, 30)

No shell, no arguments, an environment of three variables.  The program is a regular file, its owner is root or
whoever runs us, and nobody else may write to it: a folder that others write to would let them act as us.  It runs in
a process group of its own, which is ended when its time is over, with all that it has started.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import stat
import subprocess
import tempfile
import threading
from collections.abc import Mapping

from crmmail.core.text import one_line
from crmmail.core.typed import IO, Any

LONGEST = 65_536  # bytes of output that are looked at; the rest is read and forgotten
WORDS = 200  # cells of its first line that are kept
PATH = "/usr/local/bin:/usr/bin:/bin"
MOMENT = 2.0  # seconds for the last output, once the program has ended


def programs(folder: str) -> list[str]:
    """The programs that could be run, by name."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [name for name in names if not wrong(folder, name)]


def wrong(folder: str, program: str) -> str:
    """Why a program cannot be run, in words; "" where it can."""
    bare = program == os.path.basename(program) and program.isprintable() and not program.startswith((".", "-"))
    if not program or not bare:
        return f"{one_line(program)!r} is no bare file name"
    if not os.path.isabs(folder):  # it would be another one wherever cron happens to stand
        return f"{folder} is no absolute path: crmmail config set hooks.folder /…"
    path = os.path.join(folder, program)
    try:
        above, file = os.stat(folder), os.lstat(path)
    except OSError as error:
        return f"{path}: {error.strerror}"
    if not stat.S_ISREG(file.st_mode):
        return f"{path} is no regular file"
    for where, facts in ((folder, above), (path, file)):
        if facts.st_uid not in (0, os.geteuid()):
            return f"{where} belongs to somebody else: it must be yours or root's"
        if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return f"others may write to {where}: chmod go-w {shlex.quote(where)}"
    return "" if os.access(path, os.X_OK) else f"{path} cannot be executed: chmod +x {shlex.quote(path)}"


def run(folder: str, program: str, payload: Mapping[str, Any], timeout: float) -> tuple[bool, str]:
    """Runs a program: did it end with 0, and the first line that it printed, or what went wrong.

    Args:
        timeout: seconds after which it is ended.
    """
    reason = wrong(folder, program)
    if reason:
        return False, reason
    with tempfile.TemporaryFile() as question:  # a pipe would block where the program does not read it
        question.write(json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace"))
        question.seek(0)
        try:
            process = subprocess.Popen(
                [os.path.join(folder, program)],
                stdin=question,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={"PATH": PATH, "LANG": "C.UTF-8", "HOME": os.path.expanduser("~")},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return False, f"{program} cannot be run: {getattr(error, 'strerror', None) or error}"
    return _outcome(process, program, timeout)


def _outcome(process: subprocess.Popen[bytes], program: str, timeout: float) -> tuple[bool, str]:
    printed = bytearray()
    assert process.stdout
    reader = threading.Thread(target=_read, args=(process.stdout, printed), daemon=True)
    reader.start()
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        _end(process)
        reader.join(MOMENT)
        return False, f"{program} did not end within {timeout:g} s"
    reader.join(MOMENT)
    if reader.is_alive():  # what it has started still holds its output
        _end(process)
    lines = bytes(printed).decode("utf-8", "replace").split("\n")
    words = one_line(next((line for line in lines if line.strip()), ""), WORDS)
    if code:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
        return False, f"{program} {how}{f': {words}' if words else ''}"
    return True, words


def _read(stream: IO[bytes], printed: bytearray) -> None:
    """All that a program prints, so that it never waits for us; the beginning is kept."""
    with stream:
        while piece := os.read(stream.fileno(), LONGEST):
            printed += piece[: LONGEST - len(printed)]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a program and whatever it has started.  What another user has become of it nobody here can end."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(MOMENT)
