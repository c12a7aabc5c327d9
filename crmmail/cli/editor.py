"""The person's editor: `$VISUAL`, else `$EDITOR`, else what the machine has.

It is started without a shell, on a file that holds the draft already: whatever becomes of the editor or the terminal,
the words are where they were last saved.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping

from crmmail.errors import CrmmailError, UsageError

USUAL = ("sensible-editor", "editor", "vi", "nano")


def edit(path: str, environ: Mapping[str, str]) -> None:
    """Let the person edit `path`; returns when his editor has ended well.

    Raises:
        UsageError: nobody sits at a terminal.
        CrmmailError: there is no editor, it cannot be started, or it ended badly.  Each sentence says where the
            words are.
    """
    kept = f"your words are in {path}"
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(f"an editor needs a terminal: say the words with -m, or pipe them in; {kept}")
    try:
        words = command(environ)
    except ValueError as error:
        raise CrmmailError(f"{error}; {kept}") from None
    if not words:
        raise CrmmailError(f"there is no editor on this machine: set $EDITOR; {kept}")
    sys.stdout.flush()
    try:
        editor = subprocess.Popen([*words, os.path.abspath(path)], env=dict(environ))
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise CrmmailError(f"the editor {words[0]} cannot be started ({why}): set $EDITOR; {kept}") from None
    status = _wait(editor)
    if status:
        ended = f"ended with {status}" if status > 0 else f"was stopped by signal {-status}"
        raise CrmmailError(f"the editor {words[0]} {ended}; {kept}")


def command(environ: Mapping[str, str]) -> list[str]:
    """The editor's words; none: there is no editor.

    Raises:
        ValueError: a variable that is no command line.
    """
    for name in ("VISUAL", "EDITOR"):
        try:
            words = shlex.split(environ.get(name, ""))
        except ValueError:
            raise ValueError(f"${name} is {environ[name]!r}: a quote in it is not closed") from None
        if words:
            return words
    return next(([name] for name in USUAL if shutil.which(name, path=environ.get("PATH"))), [])


def _wait(editor: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return editor.wait()
        except KeyboardInterrupt:  # ^C reaches us too, and is the editor's
            continue
