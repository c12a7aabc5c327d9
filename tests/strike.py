"""Faults by strace: one system call of a loaded program is killed, or refused by the disk.

    with Striker(shop) as striker:
        calls = striker.calls(raw)                            # [Call("pwrite64", 1), …] of one delivery, in order
        striker.deliver(raw, inject="pwrite64:error=EIO:when=3")    # 0, 75 or the signal that it died of, negative

The program is loaded once and forked for each try, and strace takes hold of the fork before it reads its mail: so the
calls of starting Python are not among those counted, and a try costs a tenth of a second.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from doors import Shop
from servers import absent

# What changes a file or a folder, or makes a change last; and of the openat only those that may make a file.
WRITING = ("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "unlink", "mkdir", "fchown", "openat")
CALLS = (*WRITING, "pread64", "fcntl")  # and what it reads of the store, and its locks

# As with an SQLite that may use it.
WAL = "from crmmail.store.engine import database\ndatabase.WAL_IS_SAFE = (3, 0, 0)\n"

_LOADED = """
import ctypes, os, sys
from crmmail import mda
from crmmail.cli.commands import deliver, outbox, rules, tick
from crmmail.cli.main import run
from crmmail.mail import bounce, markdown
{patch}
ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)  # PR_SET_PTRACER: anybody may trace us
jobs = open(os.dup(0))
for line in iter(jobs.readline, ""):
    door, mail, words, *arguments = line.rstrip("\\n").split("\\t")
    ready, go = os.pipe()
    opened, told = os.pipe()
    child = os.fork()
    if not child:
        for number, path, how in ((0, mail, os.O_RDONLY), (1, words, os.O_RDWR), (2, words, os.O_RDWR)):
            file = os.open(path, how | os.O_APPEND)
            os.dup2(file, number)
            os.close(file)
        os.close(go)
        os.write(told, b"!")  # what it opened so far is not counted
        os.close(told)
        os.read(ready, 1)
        try:
            if door == "mda":
                mda.main(arguments)
            status = run(arguments)
            sys.stderr.flush()
            os._exit(status)
        except BaseException as error:  # bin/crmmail-mda says "later" to whatever escapes
            os.write(2, ascii(error).encode())
            os._exit(75)
    os.close(ready)
    os.close(told)
    os.read(opened, 1)
    os.close(opened)
    print(child, flush=True)
    jobs.readline()
    os.write(go, b"!")
    os.close(go)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Call(NamedTuple):
    """The one of its kind that is to be struck."""

    name: str
    number: int  # 1 is the first of this name
    words: str  # what it did, as strace tells


def need_strace() -> None:
    """Skips without strace, or fails, as `servers.absent` has it."""
    if shutil.which("strace") is None:
        absent("needs: apt-get install strace")


class Striker:
    """The program of one shop, loaded.

    Args:
        patch: what is done to it first, as Python.
    """

    def __init__(self, shop: Shop, patch: str = "", **env: str) -> None:
        need_strace()
        self.shop = shop
        self.mail, self.words, self.trace = (shop.folder / name for name in ("struck.eml", "struck.out", "struck"))
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LOADED.format(patch=patch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=shop.env(**env),
            cwd=shop.folder,
            text=True,
        )

    def __enter__(self) -> Striker:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin and self.process.stdout
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    # -- one try ------------------------------------------------------------------------------------------------------

    def deliver(self, raw: bytes, *options: str, inject: str = "") -> int:
        """Offers one mail; the exit status, or the signal it died of as a negative number."""
        self.mail.write_bytes(raw)
        return self._try("mda", options, inject)

    def crmmail(self, *words: str, inject: str = "") -> int:
        """One command of the program."""
        self.mail.write_bytes(b"")
        return self._try("crmmail", words, inject)

    def said(self) -> str:
        """What the last try printed."""
        return self.words.read_text()

    def _try(self, door: str, arguments: Sequence[str], inject: str) -> int:
        self.words.write_text("")
        child = int(self._ask("\t".join([door, str(self.mail), str(self.words), *arguments])))
        tracer = self._hold(child, inject) if inject else None
        status = int(self._ask("go"))
        if tracer is not None:
            with tracer:
                tracer.wait(30)
        return status

    def _ask(self, line: str) -> str:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def _hold(self, child: int, inject: str) -> subprocess.Popen[bytes]:
        """strace has hold of the child when this returns."""
        if inject == "count":
            options = ["-e", f"trace={','.join(CALLS)}", "-s", "0", "-y"]
        else:
            options = ["-e", f"trace={inject.partition(':')[0]}", "-e", f"inject={inject}"]
        command = ["strace", "-p", str(child), "-o", str(self.trace), *options]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE)
        assert tracer.stderr
        said = tracer.stderr.readline()
        if b"attached" not in said:
            tracer.wait(30)
            self._ask("go")
            pytest.skip(f"strace may not trace here: {said.decode(errors='replace').strip()}")
        return tracer

    # -- its calls ----------------------------------------------------------------------------------------------------

    def calls(self, raw: bytes | None, *words: str) -> list[Call]:
        """The calls of one delivery (None: of one command) on files of the shop, in order.  It is not disturbed."""
        status = self.deliver(raw, *words, inject="count") if raw is not None else self.crmmail(*words, inject="count")
        assert status == 0, (status, self.said())
        counts: dict[str, int] = {}
        found = []
        for line in self.trace.read_text(errors="replace").splitlines():
            name = re.match(r"[a-z0-9_]+(?=\()", line)
            if name is None:
                continue
            counts[name[0]] = counts.get(name[0], 0) + 1
            if str(self.shop.folder) in line and (name[0] != "openat" or "O_CREAT" in line):
                found.append(Call(name[0], counts[name[0]], line))
        return found


class Snapshot:
    """The store's folder as it is now, to be put back as often as it is needed."""

    def __init__(self, shop: Shop) -> None:
        self.folder = shop.place.parent
        self.aside = shop.folder / "aside"
        shutil.rmtree(self.aside, ignore_errors=True)
        shutil.copytree(self.folder, self.aside)

    def put_back(self) -> None:
        shutil.rmtree(self.folder)
        shutil.copytree(self.aside, self.folder)


def rows(shop: Shop) -> dict[str, int]:
    """How many rows each table has, but for those that say that a letter came once more."""
    tables = [row[0] for row in shop.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    wanted = [name for name in tables if name not in ("crm_decision", "sqlite_sequence")]
    return dict(shop.rows(" UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in wanted)))
