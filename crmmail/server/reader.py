"""The process that reads mails: MIME, charsets, the words of an answer; a third of the work, and it needs no lock.

While it reads the next mails, the process that has the store files the last ones (`storekeeper`): each has a core of
its own.  It opens no store: on what terms it reads comes with each question, as the other process knew them last.  What
it has read goes on packed as it is; the server does not look at it.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from crmmail.core.known import Envelope
from crmmail.errors import CrmmailError
from crmmail.server.process import Caller, Process, answer
from crmmail.services.incoming.prepare import Prepared, Terms, prepare_all
from crmmail.spool import Spool
from crmmail.store.files.attempts import Steady
from crmmail.workspace import Choice


class Question(NamedTuple):
    """Mails to be read."""

    terms: Terms
    letters: Sequence[tuple[bytes, Envelope]]


class Reader:
    """The server's end."""

    def __init__(self, choice: Choice, environ: Mapping[str, str]) -> None:
        self._process = Process("crmmail.server.reader", "reads mails", choice, environ)

    def begin(self) -> None:
        """Starts the process, which takes a moment.

        Raises:
            Died: it could not be started.
        """
        self._process.ask(None)

    def read(self, terms: Terms, letters: Sequence[tuple[bytes, Envelope]]) -> bytes:
        """What `prepare_all` says of these, as the process has packed it.

        Raises:
            Died: the process did.
        """
        return self._process.ask(Question(terms, letters))

    def close(self) -> None:
        self._process.close()


# --- in the process -------------------------------------------------------------------------------------------------


class Desk:
    """Where mails are read, each of which counts as an attempt meanwhile and has the whole of the deadline."""

    def __init__(self) -> None:
        self._terms: Terms | None = None
        self._counter: Steady | None = None

    def read(self, question: Question) -> list[Prepared | CrmmailError]:
        """Each mail as it was read; an error where it must come again."""
        counter = self._counting(question.terms)
        try:
            return prepare_all(
                question.terms.limits, [(Spool(raw), envelope) for raw, envelope in question.letters], counter
            )
        finally:
            signal.alarm(0)

    def close(self) -> None:
        if self._counter is not None:
            self._counter.close()
            self._counter = None

    def _counting(self, terms: Terms) -> Steady:
        if self._counter is None or terms != self._terms:
            self.close()
            self._terms = terms
            self._counter = Steady(terms.place, lambda: signal.alarm(terms.deadline))
        return self._counter


def _act(desk: Desk, question: Question | None, _: Caller) -> list[Prepared | CrmmailError]:
    return desk.read(question) if question is not None else []


if __name__ == "__main__":
    answer(lambda _: Desk(), _act)
