"""LMTP for tests: a connection without a socket, and a running `crmmail serve` with a client that reads every reply.

client = Client(Desk())
client.says("LHLO me")                    # the replies, as lines
with Served(shop) as server, server.connect() as line:
    line.offer(letter("Printer broken"))  # what it says behind the dot, [] where it hangs up
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from doors import CRMMAIL, Shop

from crmmail.server.lmtp import Lmtp
from crmmail.server.queue import Mail, Verdict
from crmmail.services.incoming.judge import Outcome

PATIENCE = 20  # seconds for a server to start, to answer, or to end

KEPT: Verdict = [Outcome("stored", "new", 101, "case", True, 1, None, None, [], "a new case")]


class Desk:
    """Stands in for the queue: answers at once, or, with `slow`, when it is told to."""

    def __init__(self, trouble: str = "", verdict: Verdict = KEPT, *, slow: bool = False) -> None:
        self.trouble, self.verdict, self.slow = trouble, verdict, slow
        self.asked: list[int | None] = []  # the sizes for which a place was wanted
        self.mails: list[Mail] = []
        self.places = 0
        self._later: list[Callable[[], None]] = []

    def reserve(self, size: int | None, answer: Callable[[str], None]) -> None:
        self.asked.append(size)
        self._do(lambda: self._answer(answer))

    def _answer(self, answer: Callable[[str], None]) -> None:
        self.places += not self.trouble
        answer(self.trouble)

    def release(self) -> None:
        self.places -= 1

    def put(self, mail: Mail, verdict: Callable[[Verdict], None]) -> None:
        self.mails.append(mail)
        self._do(lambda: self._judge(verdict))

    def _judge(self, verdict: Callable[[Verdict], None]) -> None:
        self.places -= 1
        verdict(self.verdict)

    def _do(self, act: Callable[[], None]) -> None:
        if self.slow:
            self._later.append(act)
        else:
            act()

    def catch_up(self) -> None:
        """Answers what it was asked so far."""
        acts, self._later = self._later, []
        for act in acts:
            act()


class Loop:
    """A clock that stands."""

    now = 0.0

    def time(self) -> float:
        return self.now


class Wire(asyncio.Transport):
    """The server's end of a connection, as the event loop gives it."""

    def __init__(self) -> None:
        super().__init__()
        self.out = b""
        self.open = self.reads = True

    def write(self, data: bytes) -> None:
        assert self.open, "it writes to a connection that it has ended"
        self.out += data

    def close(self) -> None:
        self.open = False

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default


class Client:
    """One connection to the LMTP door, without a socket."""

    def __init__(self, desk: Desk, protocol: type[Any] = Lmtp, *more: object) -> None:
        self.desk, self.wire, self.loop = desk, Wire(), Loop()
        self.others: set[Any] = set()
        self.door = protocol(desk, self.others, self.loop, *more)
        self.door.connection_made(self.wire)

    def sends(self, data: bytes) -> bytes:
        """Whatever comes back."""
        before = len(self.wire.out)
        if self.wire.open:
            self.door.data_received(data)
        return self.wire.out[before:]

    def says(self, *lines: str) -> list[str]:
        """These commands, in one packet; the replies."""
        return self.sends("".join(f"{line}\r\n" for line in lines).encode()).decode().split("\r\n")[:-1]


# --- a real one -----------------------------------------------------------------------------------------------------


class Line:
    """A client's connection, which reads every reply before it goes on."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(str(path))
        self._file = self._socket.makefile("rb")
        self.reply()
        self.say("LHLO client.example")

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def reply(self) -> str:
        """The last line of one reply; "" where the server has hung up."""
        with contextlib.suppress(ConnectionError):
            while line := self._file.readline():
                if line[3:4] != b"-":
                    return line.decode().rstrip()
        return ""

    def say(self, words: str) -> str:
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(words.encode() + b"\r\n")
        return self.reply()

    def offer(self, mail: bytes, *recipients: str, sender: str = "ann@customer.example") -> list[str]:
        """What is said behind the dot, a line a recipient; [] where the server hung up; else the first refusal."""
        to = recipients or ("support@crm.test",)
        for words in (f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{one}>" for one in to), "DATA"):
            said = self.say(words)
            if said[:1] not in ("2", "3"):
                return [said] if said else []
        text = mail.replace(b"\r\n.", b"\r\n..")
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(text + (b"" if text.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        return [said for said in (self.reply() for _ in to) if said]


class Served:
    """`crmmail serve` on a shop's store, from its start to its end."""

    def __init__(
        self,
        shop: Shop,
        *options: str,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] = (CRMMAIL,),
        patch: str = "",
        ticks: bool = False,
        **more: Any,
    ) -> None:
        """
        Args:
            patch: what is done to the program first, in each of its processes.
        """
        self.shop = shop
        self.path = Path(f"{shop.place}.lmtp")
        words = [*command, "serve", *options, *([] if ticks else ["--no-tick"])]
        self._start = {"args": words, "env": shop.env(**(env or {})), "cwd": shop.folder, **more}
        if patch:
            (shop.folder / "patch").mkdir(exist_ok=True)
            (shop.folder / "patch" / "sitecustomize.py").write_text(patch)
            self._start["env"]["PYTHONPATH"] = str(shop.folder / "patch")
        self.process: subprocess.Popen[str]

    def __enter__(self) -> Served:
        self.process = subprocess.Popen(
            **self._start, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr
        self.said = self.process.stderr.readline()  # it says where it listens once it does
        assert ": serving " in self.said, self.said + self.process.stderr.read()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()

    def connect(self) -> Line:
        return Line(self.path)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends it; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    @property
    def storekeeper(self) -> int:
        """The process that has the store."""
        return self._child("crmmail.server.storekeeper")

    @property
    def reader(self) -> int:
        """The process that reads mails."""
        return self._child("crmmail.server.reader")

    def _child(self, module: str) -> int:
        def found() -> list[int]:
            return [one for one in self._children() if module in Path(f"/proc/{one}/cmdline").read_text().split("\0")]

        wait_for(found, f"a process that runs {module}")
        return found()[0]

    def _children(self) -> list[int]:
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(one) for path in threads for one in path.read_text().split()]


# No mail can be committed: the disk is full at the very end.
FULL = """
import sqlite3
from crmmail.store.engine import sql
real = sql.Connection.commit
def commit(self):
    if self.execute("SELECT COUNT(*) FROM crm_original").fetchone()[0]:
        raise sqlite3.OperationalError("database or disk is full")
    real(self)
sql.Connection.commit = commit
"""


def wait_for(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE} s in vain: {what}"
        time.sleep(0.01)
