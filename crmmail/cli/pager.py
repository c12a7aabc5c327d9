"""Long text, a screen at a time: `$CRMMAIL_PAGER`, else `$PAGER`, else less.

The pager is started without a shell.  `less` gets FRX (quit when it fits, colours, leave the screen alone) unless
`$LESS` says otherwise.  An empty `$PAGER`, or `cat`, means no pager.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping


def command(environ: Mapping[str, str]) -> list[str]:
    """The pager's words; none: do without."""
    named = next((environ[name] for name in ("CRMMAIL_PAGER", "PAGER") if name in environ), "less")
    try:
        found = shlex.split(named)
    except ValueError:  # an open quote
        return []
    return [] if found == ["cat"] else found


def page(text: str, environ: Mapping[str, str]) -> bool:
    """Show `text`; False when there is no pager to show it in, and nothing was shown."""
    words = command(environ)
    if not words:
        return False
    import subprocess  # which a text that fits on the screen has no use for

    environment = {"LESS": "FRX", "LESSCHARSET": "utf-8", **environ}
    try:
        pager = subprocess.Popen(words, stdin=subprocess.PIPE, env=environment)
    except OSError:
        return False
    assert pager.stdin is not None
    try:
        with pager.stdin as pipe:
            pipe.write(text.encode())
    except BrokenPipeError:  # the reader has seen enough
        pass
    while True:
        try:
            pager.wait()
        except KeyboardInterrupt:  # it is the pager's, which stops a search with it
            continue
        return True
