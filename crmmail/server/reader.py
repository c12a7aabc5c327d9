"""The process that reads mails: MIME, charsets, the words of an answer; a third of the work, and it needs no lock.

While it reads the next mails, the process that has the store files the last ones (`storekeeper`): each has a core of
its own.  What it has read goes on packed as it is; the server does not look at it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from crmmail.core.known import Envelope
from crmmail.errors import CrmmailError
from crmmail.server.intake import Intake
from crmmail.server.process import Caller, Process, answer
from crmmail.services.incoming.prepare import Prepared
from crmmail.spool import Spool
from crmmail.workspace import Choice


class Reader:
    """The server's end."""

    def __init__(self, choice: Choice, environ: Mapping[str, str]) -> None:
        self._process = Process("crmmail.server.reader", "reads mails", choice, environ)

    def read(self, letters: Sequence[tuple[bytes, Envelope]]) -> bytes:
        """What `Intake.read` says of these, as the process has packed it.

        Raises:
            Died: the process did.
        """
        return self._process.ask(letters)

    def close(self) -> None:
        self._process.close()


def _read(intake: Intake, letters: Sequence[tuple[bytes, Envelope]], _: Caller) -> list[Prepared | CrmmailError]:
    return intake.read([(Spool(raw), envelope) for raw, envelope in letters])


if __name__ == "__main__":
    answer(lambda choice: Intake(choice, os.environ, lambda: None), _read)
