"""A shop, and its door as fetchmail sees it: a process, one mail on its standard input, an exit status.

    shop = open_shop(tmp_path)
    shop.mda(letter("Printer broken", to="support@crm.test"))          # a CompletedProcess
    shop.json("list", "case")                                          # the real program, in another process

Domains crm.test and mycompany.com; boss is admin and manager of the section support; support@crm.test makes cases of
that section, sales@crm.test makes leads.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[1]
MDA = str(BIN / "crmmail-mda")
CRMMAIL = str(BIN / "crmmail")
OK, LATER = 0, 75  # what the door answers

_SHOP = (
    ("init", "--domain", "crm.test", "--domain", "mycompany.com", "--user", "boss:boss@crm.test"),
    ("sections", "add", "support", "--name", "Support", "--email", "support@crm.test", "--manager", "boss"),
    ("aliases", "add", "sales@crm.test", "--kind", "lead"),
)


class Shop:
    """One store in a folder of its own, and the environment of everybody who works on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.place = folder / "store" / "crmmail.db"
        self.log = folder / "log"

    def env(self, **more: str) -> dict[str, str]:
        """Ours, without what the caller has set for crmmail."""
        own = {key: value for key, value in os.environ.items() if not key.startswith(("CRMMAIL_", "XDG_"))}
        return {**own, "HOME": str(self.home), "CRMMAIL_USER": "boss", **self.settings(**more)}

    def settings(self, **more: str) -> dict[str, str]:
        """What of it somebody must be told who has an environment of his own, fetchmail for one.

        Byte code goes into a folder of the session's: without any, a process takes twice its time.
        """
        cache = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(_session() / "pyc")}
        return {"CRMMAIL_DB": str(self.place), "CRMMAIL_LOG_FILE": str(self.log), **cache, **more}

    # -- the door -----------------------------------------------------------------------------------------------------

    def mda(
        self,
        raw: bytes,
        *options: str | bytes,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] = (MDA,),
        prepare: Callable[[], object] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Offers one mail.

        Args:
            env: variables to set beside the shop's.
            command: another door than the installed script.
            prepare: called in the child before the door opens.
        """
        return subprocess.run(
            [*command, *options],
            input=raw,
            env=self.env(**(env or {})),
            capture_output=True,
            timeout=150,  # by then its own deadline has struck
            cwd=self.folder,
            preexec_fn=prepare,
        )

    def start(
        self, *options: str, command: Sequence[str] = (MDA,), env: Mapping[str, str] | None = None, **more: Any
    ) -> subprocess.Popen[bytes]:
        """Starts the door without offering anything yet."""
        return subprocess.Popen(
            [*command, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.env(**(env or {})),
            cwd=self.folder,
            **more,
        )

    # -- what is in it ------------------------------------------------------------------------------------------------

    def crmmail(self, *words: str) -> str:
        """Runs the program as boss; what it printed."""
        done = subprocess.run([CRMMAIL, *words], env=self.env(), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"crmmail {' '.join(words)}: {done.stderr}"
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.crmmail(*words, "--json"))

    def titles(self, kind: str) -> list[str]:
        """The records of a kind, oldest first."""
        return [one["title"] for one in sorted(self.json("list", kind), key=lambda one: one["id"])]

    def words(self, record: int) -> list[str]:
        """The mails of a record, oldest first, by their text."""
        messages = self.json("show", str(record), "--peek")["messages"]
        return [one["text"].strip() for one in messages if one["kind"] == "email_in"]

    def held(self) -> list[str]:
        """The reasons of what waits in quarantine, oldest first."""
        return [row[0] for row in self.rows("SELECT reason FROM crm_quarantine WHERE state = 'waiting' ORDER BY id")]

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Straight from the store, where a process a question would take too long.

        rw: after a kill the next who opens the store rolls back what was half done.
        """
        with contextlib.closing(sqlite3.connect(f"file:{self.place}?mode=rw", uri=True, timeout=30)) as store:
            return store.execute(query, values).fetchall()

    def mails(self) -> list[str]:
        """The subjects of all mails that are messages, in the order in which they were filed."""
        return [row[0] for row in self.rows("SELECT subject FROM crm_message WHERE kind = 'email_in' ORDER BY id")]

    def check(self) -> str:
        """What `crmmail db check` says of the store."""
        return self.crmmail("db", "check").strip()

    # -- trouble ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Another process holds the store's lock."""
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLD, str(self.place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert holder.stdin and holder.stdout
        assert holder.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            holder.stdin.close()
            holder.wait()
            holder.stdout.close()


SOUND = "the store is sound"

_HOLD = """
import sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@functools.cache
def _session() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="crmmail-shop-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def _made() -> Path:
    """The shop's store, made once by the real program; each test works on a copy."""
    shop = Shop(_session())
    shop.home.mkdir()
    for words in _SHOP:
        shop.crmmail(*words)
    return shop.place


def open_shop(folder: Path) -> Shop:
    shop = Shop(folder)
    shop.home.mkdir()
    shop.place.parent.mkdir()
    shutil.copy(_made(), shop.place)
    return shop


def answers_later(done: subprocess.CompletedProcess[bytes]) -> str:
    """75 and one printable line, which is returned."""
    assert (done.returncode, done.stdout) == (LATER, b""), done
    words = done.stderr.decode()
    assert re.fullmatch(r"crmmail-mda: [^\n]+; the mail stays where it is\n", words), words
    assert words[:-1].isprintable()
    assert "Traceback" not in words
    return words


def with_python(code: str) -> tuple[str, ...]:
    """The door with something done to it first."""
    return (sys.executable, "-c", f"{code}\nimport sys\nfrom crmmail import mda\nmda.main(sys.argv[1:])\n")


def letter(
    subject: str,
    text: str = "Hello.\n",
    *,
    to: str = "support@crm.test",
    sender: str = "Ann <ann@customer.example>",
    identifier: str = "",
    answers: str = "",
    attachment: bytes = b"",
) -> bytes:
    """A mail as a server stores it, with CRLF; its Message-ID is made from the subject where none is given."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"] = "Tue, 24 Nov 2026 10:00:00 +0000"
    mail["Message-ID"] = identifier or f"<{subject.encode().hex()}@customer.example>"
    if answers:
        mail["In-Reply-To"] = answers
    mail.set_content(text)
    if attachment:
        mail.add_attachment(attachment, maintype="application", subtype="octet-stream", filename="plan.bin")
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
