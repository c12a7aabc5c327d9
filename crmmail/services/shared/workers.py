"""Work that other processes do, its answers in the order in which it was given out.

The standard library's pools lose all that is under way when one process dies, and leave the others behind for ever when
we are killed.  Here each process answers in its own turn, so it is known which piece of work killed it; and each ends
when its pipe does, which is when we end, however that is.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, Pipe
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Generic, NoReturn, TypeVar

Task = TypeVar("Task")
Answer = TypeVar("Answer")

AHEAD = 3  # pieces of work that a process has before it, so that it never waits for us
MOST = 8  # processes; what they do is written down by one, which is busy long before


class Died(Exception):
    """The process that did this piece of work is dead."""


class Workers(Generic[Task, Answer]):
    """Processes that do `work`.  Use it as a context manager, so that they end.

    They are copies of this process as it is when they are made; of an open store they must not take notice.
    """

    def __init__(self, work: Callable[[Task], Answer], count: int = 0) -> None:
        self._work = work
        self._ours: list[Connection] = []
        self._pids: list[int] = []
        for _ in range(min(count or processors(), MOST)):
            self._start(len(self._ours))

    def __enter__(self) -> Workers[Task, Answer]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for ours in self._ours:
            ours.close()
        for pid in self._pids:
            if error is not None:
                _kill(pid)
            _wait(pid)

    def each(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Answer | Died]]:
        """Every piece of work with its answer; of one that killed its process, Died."""
        waiting: list[deque[Task]] = [deque() for _ in self._ours]
        left = iter(tasks)
        given = answered = 0
        more = True
        while more or given > answered:
            while more and given - answered < AHEAD * len(self._ours):
                try:
                    task = next(left)
                except StopIteration:
                    more = False
                    break
                which = given % len(self._ours)
                waiting[which].append(task)
                self._give(which, task)
                given += 1
            if given > answered:
                which = answered % len(self._ours)
                answer = self._answer(which)
                task = waiting[which].popleft()
                answered += 1
                if isinstance(answer, Died):
                    self._start(which)
                    for one in waiting[which]:
                        self._give(which, one)
                yield task, answer

    def alone(self, task: Task) -> Answer | Died:
        """One piece of work, in a process that has nothing else to do."""
        with Workers(self._work, 1) as worker:
            return next(worker.each([task]))[1]

    def _give(self, which: int, task: Task) -> None:
        try:
            self._ours[which].send(task)
        except OSError:  # it is dead; `_answer` finds out
            pass

    def _answer(self, which: int) -> Answer | Died:
        try:
            answer: Answer | Exception = self._ours[which].recv()
        except (EOFError, OSError):
            _wait(self._pids[which])
            return Died()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _start(self, which: int) -> None:
        ours, theirs = Pipe()
        pid = os.fork()
        if not pid:
            for one in (*self._ours, ours):  # or it would keep its brothers alive
                one.close()
            self._serve(theirs)
        theirs.close()
        if which < len(self._ours):
            self._ours[which].close()
            self._ours[which], self._pids[which] = ours, pid
        else:
            self._ours.append(ours)
            self._pids.append(pid)

    def _serve(self, theirs: Connection) -> NoReturn:
        """In the other process: works until nobody wants anything any more."""
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # ^C is for us, who shall end in good order
            tasks: SimpleQueue[Task] = SimpleQueue()
            threading.Thread(target=_take_in, args=(theirs, tasks), daemon=True).start()
            while True:
                task = tasks.get()
                try:
                    answer: Any = self._work(task)
                except Exception as error:
                    answer = error
                theirs.send(answer)
        except BaseException:
            os._exit(1)


def _take_in(theirs: Connection, tasks: SimpleQueue[Any]) -> None:
    """In a thread of the other process: takes each task as soon as it comes, and ends the process when the pipe ends.

    Where it took one only when the last is answered, both could wait for ever: we with a task that the pipe has no room
    for, it with an answer that the pipe has no room for either.
    """
    try:
        while True:
            tasks.put(theirs.recv())
    except BaseException:
        os._exit(1)


def processors() -> int:
    """How many this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _wait(pid: int) -> None:
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:  # it was waited for when it died
        pass
