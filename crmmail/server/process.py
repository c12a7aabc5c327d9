"""A process of the server's own, which is asked and answers: started when it is needed, and anew where it has died.

The two ends talk over a pair of sockets, in pickles, which nobody else can write; a second pair carries open files.
The process hears neither ^C nor TERM: it ends when the server hangs up, and first does what it was asked for.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from crmmail.workspace import Choice

PATIENCE = 10  # seconds for it to end, once it has nothing to do


class Died(Exception):
    """The process has ended; str() is how."""


class Process:
    """The server's end; one thread asks.

    Args:
        module: what the process runs, which calls `answer`.
        name: what it is called in the log.
    """

    def __init__(self, module: str, name: str, choice: Choice, environ: Mapping[str, str]) -> None:
        self._module, self._name = module, name
        self._choice, self._environ = choice, dict(environ)
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection
        self._files: socket.socket

    def ask(self, what: object, files: Sequence[int] = ()) -> bytes:
        """The answer, as `answer` has packed it.

        Args:
            files: descriptors that go along.

        Raises:
            Died: there will be none.
        """
        try:
            if self._process is None:
                self._start()
            self._line.send(what)
            for file in files:
                socket.send_fds(self._files, [b"."], [file])
            return self._line.recv_bytes()
        except (EOFError, OSError) as error:
            raise Died(self._how_it_ended(error)) from None

    def close(self) -> None:
        """Lets it end."""
        if self._process is not None:
            self._hang_up()
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                pass  # it does what it has, and sees then that nobody waits for it
            self._process = None

    def _start(self) -> None:
        """A session of its own: ^C is for the server."""
        with ExitStack() as opened:
            ours, theirs = map(opened.enter_context, socket.socketpair())
            our_files, their_files = map(opened.enter_context, socket.socketpair())
            numbers = theirs.fileno(), their_files.fileno()
            self._process = subprocess.Popen(
                # -P: not the crmmail of the folder that we happen to be in.
                [sys.executable, "-P", "-m", self._module, *map(str, numbers)],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                pass_fds=numbers,
                start_new_session=True,
            )
            self._line, self._files = Connection(ours.detach()), socket.socket(fileno=our_files.detach())
        self._line.send(self._choice)

    def _how_it_ended(self, error: Exception) -> str:
        process, self._process = self._process, None
        if process is None:  # no memory, no descriptor left, or Python is just being replaced: it is tried again
            return f"the process that {self._name} cannot be started: {error}"
        self._hang_up()
        try:
            status = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        how = f"signal {-status} ended it" if status < 0 else f"it ended with {status}"
        return f"the process that {self._name} is gone ({how})"

    def _hang_up(self) -> None:
        self._line.close()
        self._files.close()


class Caller(NamedTuple):
    """The server, as the process has it while it works on an answer."""

    line: Connection
    files: socket.socket

    def answers(self, what: object) -> Any:
        """Says something before the answer, and hears what the server says to that."""
        self.line.send(what)
        return self.line.recv()


def answer(begin: Callable[[Choice], Any], act: Callable[[Any, Any, Caller], object]) -> None:
    """The process's end, until the server hangs up.

    Args:
        begin: makes what `act` works with, and what is closed at the end, of the command line's choice.
        act: it, the question and who asks → the answer.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # The end of a mail that hangs, whatever our caller made of it.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    line = Connection(int(sys.argv[1]))
    caller = Caller(line, socket.socket(fileno=int(sys.argv[2])))
    tool = begin(line.recv())
    try:
        while True:
            line.send(act(tool, line.recv(), caller))
    except (EOFError, OSError):
        tool.close()
