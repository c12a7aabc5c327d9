"""What `crmmail tick` does, without cron: due mail, timed rules, hooks.

It is a process of its own: a mail server that does not answer holds up no mail that comes, and a process has one store.
There is never more than one.  It starts soon after something was queued, and each minute.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping

from crmmail.workspace import Choice

MINUTE = 60.0  # seconds between two at most
PAUSE = 2.0  # seconds between two at least: under load mail leaves in bundles
LOOK = 0.05  # seconds after which we look again whether it has ended


class Ticker:
    """Starts one `crmmail tick` after the other."""

    def __init__(self, choice: Choice, environ: Mapping[str, str]) -> None:
        # -P: not the crmmail of the folder that we happen to be in.
        self._command = [sys.executable, "-P", "-m", "crmmail", "tick"]
        # Not as options: the store's name may have a password in it, and command lines are everybody's to read.
        named = {"CRMMAIL_DB": choice.db, "CRMMAIL_CONFIG": choice.config}
        self._environ = dict(environ) | {name: value for name, value in named.items() if value}
        self._child: subprocess.Popen[bytes] | None = None
        self._wanted = asyncio.Event()
        self._wanted.set()  # what has waited since before we began

    def wake(self) -> None:
        """Something was queued."""
        self._wanted.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await asyncio.wait_for(self._wanted.wait(), MINUTE)
            except TimeoutError:
                pass
            self._wanted.clear()
            self._start()
            while not self._has_ended():
                await asyncio.sleep(LOOK)
            await asyncio.sleep(PAUSE)

    async def ended(self, patience: float) -> None:
        """Waits for the last one to end.  One that takes longer goes on without us: whoever it writes to shall not get
        the same mail twice."""
        while not self._has_ended() and patience > 0:
            await asyncio.sleep(LOOK)
            patience -= LOOK

    def _start(self) -> None:
        """What it has to say to cron's owner, it says on our standard error.  A session of its own: ^C is for us."""
        try:
            self._child = subprocess.Popen(
                self._command,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,
                start_new_session=True,
            )
        except OSError:
            self._child = None  # no memory, no process left: it is tried again in a minute, and `doctor` tells

    def _has_ended(self) -> bool:
        return self._child is None or self._child.poll() is not None
