"""`crmmail serve`: stays, so that a mail need not start a program of its own.

    crmmail-mda  →  STORE.serve  ─┐
    mail server  →  STORE.lmtp   ─┴→  queue  →  the process that has the store: many mails to a transaction
                                                  └→  `crmmail tick`: what was queued leaves, rules whose day has come

It ends on TERM and INT: nobody new is let in, whoever has handed a mail over hears its verdict, all others find their
connection ended and keep their mail.  Killed at any moment it loses nothing either, for what it has acknowledged is
committed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from crmmail import __version__, log
from crmmail.config import log_file
from crmmail.errors import CrmmailError, Refused
from crmmail.server import sockets
from crmmail.server.connection import Connection
from crmmail.server.intake import longest
from crmmail.server.lmtp import Lmtp
from crmmail.server.queue import STOPPING, Queue
from crmmail.server.resident import Resident, Settings, at_home, settings_of
from crmmail.server.sockets import BACKLOG
from crmmail.server.storekeeper import Storekeeper
from crmmail.server.systemd import Notices
from crmmail.server.systemd import sockets as given_by_systemd
from crmmail.server.ticker import Ticker
from crmmail.store.engine.database import NEWEST
from crmmail.store.files import beside, serving
from crmmail.store.files.serving import Address
from crmmail.workspace import Choice, Workspace

COMMITTED = "what was handed over is committed"
TOO_LONG = "the store took too long, so some mails had no answer, and come again"
SWEEP = 5.0  # seconds between two looks at who is silent
LAST_TICK = 3.0  # seconds that the last `crmmail tick` may take when we end
LAST_VERDICTS = 10.0  # seconds for the mails that were handed over; then their connections end
SLACK = 60.0  # seconds beyond those after which a process that stands still has ended itself
LAST_WORK = 10.0  # seconds for the threads to end, once they have no work


class Wish(NamedTuple):
    """What the command line says."""

    lmtp: str | None = None  # where mail servers connect; None: as `serve.lmtp` has it
    anywhere: bool = False  # other machines may, too
    ticks: bool = True


class Doors(NamedTuple):
    """The sockets that are open; None: not this one."""

    mda: socket.socket | None
    lmtp: socket.socket | None


def serve(choice: Choice, environ: Mapping[str, str], wish: Wish, say: Callable[[str], None]) -> None:
    """Serves one store until somebody ends it.

    Args:
        say: what the person who started it should know, a line at a time.

    Raises:
        Refused: somebody serves it already.
        CrmmailError: the store cannot be opened or written, there is no way to listen where it was told to, or a bug of
            ours ended it.
    """
    notices, inherited = Notices(own := dict(environ)), given_by_systemd(own)
    with Workspace(choice, own) as workspace:
        config, place = workspace.config, workspace.store.place
        journal = log_file(config, own)
        workspace.store.check_writable()
    lmtp = sockets.address(wish.lmtp or config.serve_lmtp, place, anywhere=wish.anywhere)
    held = serving.lock(place)
    if held is None:
        raise Refused(f"{place} is served already{_by_whom(place)}: end that one first")

    def note(line: str) -> None:
        log.write(journal, datetime.now(UTC), "serve", line)
        say(line)

    try:
        if not sockets.fits(beside.serve(place)):
            note(f"{beside.serve(place)} is too long for a socket: crmmail-mda delivers by itself")
        with listening(place, lmtp, inherited) as doors:
            serving.write(held, _who_we_are(doors))
            service = Service(choice, own, place, longest=longest(config), ticks=wish.ticks)
            asyncio.run(service.run(doors, notices, note))
    except CrmmailError as error:
        log.write(journal, datetime.now(UTC), "serve", str(error))
        raise
    finally:
        os.close(held)


def _by_whom(place: str) -> str:
    found = serving.read(place)
    return f" by process {found.process}" if found and found.process else ""


def _who_we_are(doors: Doors) -> serving.Server:
    mda, lmtp = (sockets.name(one) if one else "" for one in doors)
    return serving.Server(os.getpid(), __version__, NEWEST, datetime.now(UTC), lmtp, mda)


@contextmanager
def listening(place: str, lmtp: Address | None, inherited: Sequence[socket.socket]) -> Iterator[Doors]:
    """The sockets, while they are needed.  Those of systemd stay where they are at the end, and what comes meanwhile
    waits in them for the next server; our own go.  That for crmmail-mda has one name, which may be too long for one."""
    if inherited:
        mda = next((one for one in inherited if sockets.is_mda(one, place)), None)
        yield Doors(mda, next((one for one in inherited if one is not mda), None))
        return
    path = beside.serve(place)
    wanted = (Address(path) if sockets.fits(path) else None, lmtp)
    with ExitStack() as opened:
        yield Doors(*(opened.enter_context(sockets.opened(one, place)) if one else None for one in wanted))


class Service:
    """The event loop's side: who is connected, and how it ends.

    Args:
        longest: seconds that a batch or a question may take; 0: no limit.
    """

    def __init__(self, choice: Choice, environ: Mapping[str, str], place: str, *, longest: float, ticks: bool) -> None:
        self._choice, self._environ, self._place, self._ticks = choice, environ, place, ticks
        self._longest = longest
        self._connections: set[Connection] = set()
        self._broken: BaseException | None = None

    async def run(self, doors: Doors, notices: Notices, note: Callable[[str], None]) -> None:
        """Until TERM or INT.

        Raises:
            CrmmailError: a bug of ours has ended it.
        """
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def broken(error: BaseException) -> None:
            self._broken = error
            ended.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)

        ticker = Ticker(self._choice, self._environ)
        wake = partial(loop.call_soon_threadsafe, ticker.wake)
        queue = Queue(loop, Storekeeper(self._choice, self._environ, wake, note), broken=broken)
        queue.start()
        # So the process that has the store starts now, and not with the first mail.
        queue.reserve(0, lambda trouble: None if trouble else queue.release())
        open_doors = await self._open(loop, doors, queue)
        work = [asyncio.create_task(self._sweep(notices, queue))]
        work += [asyncio.create_task(ticker.run())] if self._ticks else []
        note(f"serving {self._place}: {_where(doors)}")
        notices.say("READY=1")

        await ended.wait()

        notices.say("STOPPING=1")
        for one in open_doors:
            one.close()
        for task in work:
            task.cancel()
        queue.refuse()
        in_time = await self._everybody_leaves(queue, LAST_VERDICTS)
        queue.stop(LAST_WORK if in_time else 0)
        await ticker.ended(LAST_TICK)
        if self._broken is not None:
            found = f"{type(self._broken).__name__}: {self._broken}"
            raise CrmmailError(f"stopped over a bug of crmmail's own ({found}): what was not answered comes again")
        note("stopped: " + (COMMITTED if in_time else TOO_LONG))

    async def _open(self, loop: asyncio.AbstractEventLoop, doors: Doors, queue: Queue) -> list[asyncio.Server]:
        def ours() -> Settings:
            return settings_of(self._choice, at_home(self._environ, os.getuid()))

        known = self._connections
        opened: list[tuple[socket.socket | None, Callable[[], Connection]]] = [
            (doors.mda, lambda: Resident(queue, known, loop, ours)),
            (doors.lmtp, lambda: Lmtp(queue, known, loop)),
        ]
        return [
            await loop.create_server(one, sock=listening, backlog=BACKLOG) for listening, one in opened if listening
        ]

    async def _sweep(self, notices: Notices, queue: Queue) -> None:
        """Whoever is silent for too long makes room.  systemd hears that we live, and takes us for dead where a process
        of ours stands still: it ends itself over a mail or a database that hangs, but not where it was stopped."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(SWEEP, notices.pulse or SWEEP))
            if queue.is_alive and not (self._longest and queue.silence > self._longest + SLACK):
                notices.say("WATCHDOG=1")
            for one in list(self._connections):
                if one.is_silent(loop.time()):
                    one.end("silent for too long")

    async def _everybody_leaves(self, queue: Queue, patience: float) -> bool:
        """Whoever has handed a mail over hears its verdict first, if it comes within that many seconds; False: it did
        not, and the connection ended without a word, so that the mail comes again."""
        until = asyncio.get_running_loop().time() + patience
        while self._connections or queue.waiting:
            in_time = queue.is_alive and asyncio.get_running_loop().time() < until
            for one in list(self._connections):
                if one.may_end:
                    one.end(STOPPING)
                elif not in_time:
                    one.close()
            if not in_time:
                return False
            await asyncio.sleep(0.01)
        return True


def _where(doors: Doors) -> str:
    mda = f"crmmail-mda on {sockets.name(doors.mda)}" if doors.mda else "nothing for crmmail-mda"
    return f"{mda}, " + (f"LMTP on {sockets.name(doors.lmtp)}" if doors.lmtp else "no LMTP")
