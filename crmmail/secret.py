"""The password of the mail server: from the environment, a command, or a file; never from an option, never stored."""

from __future__ import annotations

import os
import selectors
import shlex
import stat
import subprocess
import time
from collections.abc import Mapping

from crmmail.core.typed import IO
from crmmail.errors import ConfigBroken

VARIABLE = "CRMMAIL_SMTP_PASSWORD"
SECONDS = 30  # a command that asks a person, or a dead key server, must not hold the outbox
KEEPERS = ("pass", "gopass", "gpg", "gpg2", "secret-tool", "keyring", "op", "bw", "rbw", "cat")  # may be named
LONGEST = 65_536  # bytes that a command may print: `pass show` has notes below the password, `yes` has no end


def smtp_password(command: str, file: str, environ: Mapping[str, str]) -> str:
    """The password, without a line end; "" where none is set.

    Args:
        command, file: the settings `smtp.password_command` and `smtp.password_file`; "" where they are not set.

    Raises:
        ConfigBroken: the command failed or printed nothing, or the file cannot be read, or others may read it.
    """
    if environ.get(VARIABLE):
        return environ[VARIABLE]
    if command:
        return _printed(command)
    if file:
        return _read(os.path.expanduser(file))
    return ""


def _printed(command: str) -> str:
    """The first line that the command prints.  What it prints on stderr is not repeated: it may be a secret too."""
    end = time.monotonic() + SECONDS
    nothing = subprocess.DEVNULL
    try:
        process = subprocess.Popen(shlex.split(command), stdin=nothing, stdout=subprocess.PIPE, stderr=nothing)
    except (OSError, ValueError, IndexError) as error:
        # Without its words, but for a name that is no secret: somebody may have put the password there.
        why = error.strerror if isinstance(error, OSError) else error
        if isinstance(error, FileNotFoundError):
            name = os.path.basename(error.filename or "")
            why = f"`{name}` was not found" if name in KEEPERS else f"{why} (its first word is no program here)"
        raise ConfigBroken(f"smtp.password_command cannot be run: {why}") from None
    with process:
        assert process.stdout
        try:
            data = _all(process.stdout, end)
            code = process.wait(max(end - time.monotonic(), 0))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise ConfigBroken(f"smtp.password_command did not answer within {SECONDS} s") from None
        finally:
            process.kill()  # does nothing to one that has ended; else leaving would wait for it
    if code:
        raise ConfigBroken(f"smtp.password_command ended with {code}: try it in a terminal")
    return _first_line(data, "smtp.password_command printed nothing")


def _all(stream: IO[bytes], end: float) -> bytes:
    """What a command prints until its end.

    Raises:
        TimeoutError: it does not end in time (`time.monotonic`).
        ConfigBroken: it prints more than LONGEST.
    """
    data = b""
    with selectors.DefaultSelector() as ready:
        ready.register(stream, selectors.EVENT_READ)
        while len(data) <= LONGEST:
            if not ready.select(max(end - time.monotonic(), 0)):
                raise TimeoutError
            piece = os.read(stream.fileno(), LONGEST)
            if not piece:
                return data
            data += piece
    raise ConfigBroken(f"smtp.password_command prints more than {LONGEST} bytes: it is to print the password only")


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(10_000)
    except OSError as error:
        raise ConfigBroken(f"smtp.password_file {path}: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigBroken(f"smtp.password_file {path} can be read by others: chmod 600 {path}")
    return _first_line(data, f"smtp.password_file {path} is empty")


def _first_line(data: bytes, otherwise: str) -> str:
    line = data.decode("utf-8", "replace").split("\n", 1)[0].rstrip("\r")
    if not line:
        raise ConfigBroken(otherwise)
    return line
