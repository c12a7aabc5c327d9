"""The password of the mail server: from the environment, a command, or a file; never from an option, never stored."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from collections.abc import Mapping

from crmmail.errors import ConfigBroken

VARIABLE = "CRMMAIL_SMTP_PASSWORD"
SECONDS = 30  # a command that asks a person, or a dead key server, must not hold the outbox


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
    try:
        done = subprocess.run(shlex.split(command), stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
    except (OSError, ValueError) as error:
        # Without its words: somebody may have put the password there.
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigBroken(f"smtp.password_command cannot be run: {why}") from None
    except subprocess.TimeoutExpired:
        raise ConfigBroken(f"smtp.password_command did not answer within {SECONDS} s") from None
    if done.returncode:
        raise ConfigBroken(f"smtp.password_command ended with {done.returncode}: try it in a terminal")
    return _first_line(done.stdout, "smtp.password_command printed nothing")


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
