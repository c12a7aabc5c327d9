"""One connection to a server, of either kind: its place in the queue, how long it may be silent, and how it ends."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

from crmmail import mda
from crmmail.server.queue import Mail, Queue, Verdict
from crmmail.spool import Spool

MOST = 200  # connections to all doors together
HELD_BACK = 1 << 16  # bytes that a client may send ahead while it waits for us


class Connection(ABC, asyncio.Protocol):
    """What both protocols stand on; they say what to do with bytes, with the answer about a place, with the verdict."""

    patience = 300.0  # seconds without a byte, where it is the client's turn; RFC 5321 §4.5.3.2.7 wants five minutes

    def __init__(self, queue: Queue, others: set[Connection], loop: asyncio.AbstractEventLoop) -> None:
        self.queue, self.others, self.loop = queue, others, loop
        self.transport: asyncio.Transport | None = None  # None: not yet, or ended
        self.waiting = False  # for the queue: what comes meanwhile is not looked at
        self.buffer = b""  # what has come and was not looked at
        self._has_place = self._handed_over = self._goes_on = False
        self._said: list[bytes] = []
        self._heard = loop.time()

    # -- what a protocol says -----------------------------------------------------------------------------------------

    def greeted(self) -> None:
        """The connection stands; says nothing, where the client speaks first."""

    @abstractmethod
    def turned_away(self) -> None:
        """There are too many."""

    @abstractmethod
    def step(self) -> bool:
        """Takes what it can use off the front of `buffer`; False: more must come first."""

    @abstractmethod
    def reserved(self, trouble: str) -> None:
        """The answer to `reserve`: "" is yes."""

    @abstractmethod
    def judged(self, verdict: Verdict) -> None:
        """What became of the mail that was handed over."""

    def end(self, why: str) -> None:
        """Ends it, because it was silent for too long or we stop; never while a mail of its own is in the queue."""
        self.close()

    # -- what it may do -----------------------------------------------------------------------------------------------

    def say(self, words: bytes) -> None:
        """Goes out with what else is said in this turn: a client that sends many commands gets one packet."""
        self._said.append(words)

    def close(self) -> None:
        """Ends it, after what was said."""
        if self.transport is not None:
            self._speak()
            self.transport.close()
            self._gone()

    def reserve(self, size: int | None) -> None:
        """Asks for a place in the queue, as `Queue.reserve` has it."""
        self.waiting = True
        self.queue.reserve(size, self._reserved)

    def give_back(self) -> None:
        """The place, if there is one, is not needed after all."""
        if self._has_place and not self._handed_over:
            self._has_place = False
            self.queue.release()

    def hand_over(self, letter: Spool, options: mda.Options) -> None:
        """The mail is here whole."""
        self.waiting = self._handed_over = True
        self.queue.put(Mail(letter, options), self._judged)

    @property
    def may_end(self) -> bool:
        """Has it no mail in the queue, for which it must hear the verdict?"""
        return not self._handed_over

    def is_silent(self, now: float) -> bool:
        return not self.waiting and now - self._heard > self.patience

    # -- what happens to it -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.others.add(self)
        if len(self.others) > MOST:
            self.turned_away()
            self.close()
        else:
            self.greeted()
            self._speak()

    def data_received(self, data: bytes) -> None:
        self._heard = self.loop.time()
        self.buffer = self.buffer + data if self.buffer else data
        self._go_on()

    def eof_received(self) -> bool | None:
        return None  # the transport closes itself

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone()

    def pause_writing(self) -> None:
        """The client does not read what we say: then we do not read either."""
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.transport is not None:
            self.transport.resume_reading()

    def _go_on(self) -> None:
        """Takes what is there, as far as it goes; an answer that comes at once, inside a step, only lets it go on: a
        client that sends hundreds of commands ahead must not make us call ourselves hundreds deep."""
        if self._goes_on:
            return
        self._goes_on = True
        try:
            while self.buffer and not self.waiting and self.transport is not None and self.step():
                pass
        finally:
            self._goes_on = False
        self._speak()
        if self.waiting and len(self.buffer) > HELD_BACK and self.transport is not None:
            self.transport.pause_reading()

    def _speak(self) -> None:
        if self._said and self.transport is not None:
            self.transport.write(b"".join(self._said))
        self._said.clear()

    def _reserved(self, trouble: str) -> None:
        self._has_place = not trouble
        if self.transport is None:  # it has gone meanwhile
            self.give_back()
            return
        self._turn()
        self.reserved(trouble)
        self._go_on()

    def _judged(self, verdict: Verdict) -> None:
        self._has_place = self._handed_over = False
        if self.transport is None:
            return
        self._turn()
        self.judged(verdict)
        self._go_on()

    def _turn(self) -> None:
        """It is the client's turn again."""
        self.waiting = False
        self._heard = self.loop.time()
        if self.transport is not None:
            self.transport.resume_reading()

    def _gone(self) -> None:
        self.transport = None
        self.others.discard(self)
        self.give_back()
