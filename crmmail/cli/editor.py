"""The person's editor: `$VISUAL`, else `$EDITOR`, else what the machine has.

It is started without a shell, on a file that holds the draft already: whatever becomes of the editor or the terminal,
the words are where they were last saved.  An editor that is known to take `+N` begins where the words do, below the
header.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping

from crmmail.core.draft import first_line
from crmmail.errors import CrmmailError, UsageError

USUAL = ("sensible-editor", "editor", "vi", "nano")
TAKE_A_LINE = {"vi", "vim", "nvim", "gvim", "nano", "emacs", "emacsclient", "micro", "joe", "sensible-editor"}


def edit(path: str, environ: Mapping[str, str]) -> None:
    """Let the person edit `path`; returns when his editor has ended well.

    Raises:
        UsageError: nobody sits at a terminal.
        CrmmailError: there is no editor, it cannot be started, or it ended badly.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("an editor needs a terminal: say the words with -m, or pipe them in")
    try:
        words = command(environ)
    except ValueError as error:
        raise CrmmailError(str(error)) from None
    if not words:
        raise CrmmailError("there is no editor on this machine: set $EDITOR")
    sys.stdout.flush()
    try:
        words += [*_at_words(words[0], path, environ), os.path.abspath(path)]
        editor = subprocess.Popen(words, env=dict(environ))
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise CrmmailError(f"the editor {words[0]} cannot be started ({why}): set $EDITOR") from None
    status = _wait(editor)
    if status:
        ended = f"ended with {status}" if status > 0 else f"was stopped by signal {-status}"
        raise CrmmailError(f"the editor {words[0]} {ended}")


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


def _at_words(editor: str, path: str, environ: Mapping[str, str]) -> list[str]:
    """`+12`: the line on which the words begin, for an editor that takes one by that name, or by the one it links to
    (`editor` is vim.basic, `emacs` is emacs-nox)."""
    found = os.path.realpath(shutil.which(editor, path=environ.get("PATH")) or editor)
    real = re.split("[.-]", os.path.basename(found))[0]
    if TAKE_A_LINE.isdisjoint((os.path.basename(editor), real)):
        return []
    with open(path, encoding="utf-8", errors="replace") as file:
        return [f"+{first_line(file.read())}"]


def _wait(editor: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return editor.wait()
        except KeyboardInterrupt:  # ^C reaches us too, and is the editor's
            continue
