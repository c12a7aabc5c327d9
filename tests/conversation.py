"""A pytest plugin: the fixture `talk`, a small shop whose tests read as an exchange of mails.

    def test_answer_stays_with_its_lead(talk):
        first = talk.mail("ana@example.com", to="sales@crm.test", subject="An offer?")
        lead = talk.newest("lead")
        talk.mail("ana@example.com", answers=first, text="Thank you!")
        assert talk.words(lead) == ["An offer?", "Thank you!"]

The shop: domain crm.test; boss is admin, agent is manager of the section support, both read their inbox;
support@crm.test makes cases of that section, sales@crm.test makes leads.  Its clock stands at START until
`talk.wait(hours=3)` moves it.  Every mail goes through `crmmail.mda.run`, every command through the real program.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner
from pgstack import PostgresStack

from crmmail import mda
from crmmail.cli.main import program
from crmmail.services.incoming.judge import Outcome
from crmmail.store import tables
from crmmail.workspace import Workspace

RECEIVED = b"Received: from mx.example.com by crm.test; Tue, 24 Nov 2026 10:00:00 +0000\n"  # a redelivery has one more
OURS = "mx.crm.test"  # the host whose Authentication-Results a test may choose to trust
START = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
SHOP = (
    "init --domain crm.test --user boss:boss@crm.test",
    "users add agent --email agent@crm.test",
    "sections add support --name Support --manager agent --email support@crm.test",
    "aliases add sales@crm.test --kind lead",
)


class Letter(NamedTuple):
    """A mail that was delivered, and what became of it; the short names speak of the first outcome."""

    id: str  # its Message-ID, without <>
    subject: str
    raw: bytes
    outcomes: list[Outcome]

    @property
    def fates(self) -> list[tuple[str, str]]:
        return [(one.outcome, one.reason) for one in self.outcomes]

    @property
    def outcome(self) -> str:
        return self.outcomes[0].outcome

    @property
    def reason(self) -> str:
        return self.outcomes[0].reason

    @property
    def record(self) -> int | None:
        return self.outcomes[0].record

    @property
    def message(self) -> int | None:
        return self.outcomes[0].message

    @property
    def quarantine(self) -> int | None:
        return self.outcomes[0].quarantine

    @property
    def evidence(self) -> str:
        return "\n".join(self.outcomes[0].evidence)


class Notice(NamedTuple):
    """A notification that waits in the outbox for a user; to answer it is to be proven."""

    id: str  # its signed Message-ID
    to: str
    subject: str
    text: str


class Said(NamedTuple):
    """What a command line did."""

    code: int
    out: str
    err: str
    bytes: bytes

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def line(self) -> str:
        return self.out.rstrip("\n")


class Talk:
    """The shop.  `sent` are all letters so far."""

    def __init__(self, db: Path | str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.db: Any = db  # the path of a file, or the URL of a database
        self.home = home
        self.sent: list[Letter] = []
        self._monkeypatch = monkeypatch
        for name in [name for name in os.environ if name.startswith(("CRMMAIL_", "XDG_"))]:
            monkeypatch.delenv(name)
        monkeypatch.delenv("COLUMNS", raising=False)  # pytest-xdist sets it for its workers
        self.environ(HOME=str(home), CRMMAIL_DB=str(db), TZ="UTC")
        time.tzset()
        self.clock = START
        self.wait()
        # The deadline of a delivery is the same timer with which pytest-timeout watches over the test.
        monkeypatch.setattr(mda, "signal", SimpleNamespace(alarm=lambda seconds: 0))

    # --- the world ---------------------------------------------------------------------------------------------

    def environ(self, **more: str) -> None:
        for name, value in more.items():
            self._monkeypatch.setenv(name, value)

    def wait(self, **more: float) -> None:
        """Time passes: `talk.wait(days=2, minutes=1)`."""
        self.clock += timedelta(**more)
        self.environ(CRMMAIL_NOW=self.clock.isoformat())

    def open(self, user: str = "boss") -> Workspace:
        """The open house, for what no command tells: `with talk.open() as workspace: …`."""
        self.environ(CRMMAIL_USER=user)
        return Workspace()

    def count(self, table: type[tables.Table]) -> int:
        with self.open():
            return int(table.select().count())

    # --- mails ---------------------------------------------------------------------------------------------------

    def raw(
        self,
        sender: str,
        to: str = "support@crm.test",
        subject: str = "",
        text: str = "",
        *,
        cc: str = "",
        answers: Letter | Notice | str | None = None,
        id: str | None = None,
        headers: Mapping[str, str] | None = None,
        files: Sequence[tuple[str, bytes]] = (),
    ) -> bytes:
        """The bytes of a mail.  `id=""`: without a Message-ID; `answers`: what it replies to, or that one's id."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = sender, to, subject or _answer_to(answers)
        if cc:
            mail["Cc"] = cc
        mail["Date"] = format_datetime(self.clock)
        if id != "":
            mail["Message-ID"] = f"<{id or f'm{len(self.sent) + 1}@example.com'}>"
        if answers:
            mail["In-Reply-To"] = mail["References"] = f"<{answers if isinstance(answers, str) else answers.id}>"
        for name, value in (headers or {}).items():
            mail[name] = value
        mail.set_content(text + "\n" if text else "")
        for name, data in files:
            mail.add_attachment(data, "application", "octet-stream", filename=name)
        return mail.as_bytes()

    def mail(self, sender: str, to: str = "support@crm.test", *args: Any, flags: str = "", **more: Any) -> Letter:
        """Somebody writes; arguments as `raw` has them.  `flags="-s support"`: of the fetchmail line."""
        return self.post(self.raw(sender, to, *args, **more), *shlex.split(flags))

    def post(self, raw: bytes, *flags: str) -> Letter:
        """A mail as it is, through the door; it must be taken, in silence."""
        seen: list[list[Outcome]] = []
        real: Callable[..., list[Outcome]] = mda.deliver
        with self._monkeypatch.context() as patch:
            patch.setattr(mda, "deliver", lambda *args, **more: seen.append(real(*args, **more)) or seen[0])
            assert mda.run(list(flags), raw) == (0, [])
        fields = {name.lower(): value for name, value in _fields(raw)}
        letter = Letter(fields.get("message-id", "").strip("<>"), fields.get("subject", ""), raw, seen[0])
        self.sent.append(letter)
        return letter

    def mda(self, raw: bytes, *flags: str) -> tuple[int, list[str]]:
        """Exit code and lines on stderr."""
        return mda.run(list(flags), raw)

    def notice(self, user: str, record: int) -> Notice:
        """The newest notification mail that waits for a user (who must have notify=email or both)."""
        with self.open():
            rows = tables.Delivery.select().join(tables.User).where(tables.User.login == user)
            rows = rows.where(tables.Delivery.thread == record, tables.Delivery.state == "queued")
            row = rows.order_by(tables.Delivery.id.desc()).get()
        said = self.cli(f"outbox show {row.id} --json").json
        return Notice(row.identifier, said["to"], said["rendered_subject"], said["text"])

    # --- what came of it -----------------------------------------------------------------------------------------

    def cli(self, line: str | Sequence[str], user: str = "boss", input: str | bytes | None = None) -> Said:
        """A command line, as `user`."""
        words = shlex.split(line) if isinstance(line, str) else list(line)
        self.environ(CRMMAIL_USER=user)
        done = CliRunner().invoke(program, words, input=input)
        assert not done.exception or isinstance(done.exception, SystemExit), done.exception
        return Said(done.exit_code, done.stdout, done.stderr, done.stdout_bytes)

    def do(self, line: str | Sequence[str], user: str = "boss", input: str | bytes | None = None) -> str:
        """A command line that must work; its output."""
        said = self.cli(line, user, input)
        assert said.code == 0, (line, said.err)
        return said.line

    def refused(self, line: str | Sequence[str], user: str = "boss", code: int = 1) -> str:
        """A command line that must not work: one line of error, nothing else."""
        said = self.cli(line, user)
        assert (said.code, said.out, said.err.count("\n")) == (code, "", 1), said
        assert said.err.startswith("crmmail: ")
        return said.err.removeprefix("crmmail: ").rstrip("\n")

    def newest(self, kind: str) -> int:
        """The record of this kind that was made last."""
        return max(one["id"] for one in self.cli(f"list {kind} --json").json)

    def all(self, kind: str) -> list[int]:
        return sorted(one["id"] for one in self.cli(f"list {kind} --json").json)

    def show(self, record: int | None, user: str = "boss") -> dict[str, Any]:
        """A record with its conversation, unread as it was."""
        return dict(self.cli(f"show {record} --peek --json", user).json)

    def field(self, record: int | None, name: str) -> Any:
        return self.show(record)["record"][name]

    def state(self, record: int | None) -> str:
        return str(self.field(record, "state"))

    def words(self, record: int | None) -> list[str]:
        """What people said in it, in order: the text of each letter or note, its subject where it has no text."""
        spoken = [one for one in self.show(record)["messages"] if one["kind"] != "system"]
        return [one["text"].strip() or one["subject"] for one in spoken]

    def system(self, record: int | None) -> list[str]:
        """What the program said in it."""
        return [one["text"] for one in self.show(record)["messages"] if one["kind"] == "system"]

    def followers(self, record: int | None) -> list[str]:
        """Logins, numbers of contacts, addresses."""
        return [one["who"] or one["address"] for one in self.show(record)["followers"]]

    def inbox(self, user: str) -> list[dict[str, Any]]:
        """His unread items, newest first."""
        return list(self.cli("inbox --json", user).json)

    def quiet(self) -> None:
        """Everybody has read everything: the next item in an inbox is new."""
        for user in ("boss", "agent"):
            self.do("done --all", user)

    def heard(self, user: str) -> list[tuple[int | None, str]]:
        """His inbox in short, oldest first: (record, text or subject)."""
        return [(one["record"], one["text"].strip() or one["subject"]) for one in reversed(self.inbox(user))]

    def outbox(self) -> list[str]:
        """To whom mail waits."""
        return [one["to"] for one in self.cli("outbox --json").json]

    def quarantine(self) -> list[tuple[str, str]]:
        """(reason, subject) of what waits in quarantine, oldest first."""
        return [(one["reason"], one["subject"]) for one in reversed(self.cli("quarantine --json").json)]

    def why(self, letter: Letter) -> str:
        """All that `crmmail why` prints of it."""
        number = letter.outcomes[0]
        return self.do(f"why {number.message}" if number.message else f"why --quarantine {number.quarantine}")


def _answer_to(answers: Letter | Notice | str | None) -> str:
    return f"Re: {answers.subject}" if answers and not isinstance(answers, str) else ""


def _fields(raw: bytes) -> Iterator[tuple[str, str]]:
    """The header fields of a mail that we made; good enough for those."""
    head = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("utf-8", "replace").replace("\n ", " ")
    for line in head.split("\n"):
        name, _, value = line.partition(":")
        yield name, value.strip()


def founded(folder: Path, lines: Sequence[str] = SHOP, server: PostgresStack | None = None) -> Any:
    """The store of a shop that these command lines made: a file, or a database of the server."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        talk = Talk(server.database() if server else folder / "crmmail.db", folder, monkeypatch)
        for line in lines:
            talk.do(line)
    return talk.db


def opened(store: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, server: PostgresStack | None = None) -> Talk:
    """A copy of a shop, to talk to."""
    home = folder / "home"
    home.mkdir()
    if server:
        return Talk(server.database(like=store), home, monkeypatch)
    shutil.copy(store, home / "crmmail.db")
    return Talk(home / "crmmail.db", home, monkeypatch)


@pytest.fixture(scope="session")
def _shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's store, made once; each test has a copy."""
    return Path(founded(tmp_path_factory.mktemp("shop")))


@pytest.fixture(scope="session")
def _shop_on_postgres(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresStack) -> str:
    return str(founded(tmp_path_factory.mktemp("shop"), server=postgres))


@pytest.fixture
def talk(on: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Talk]:
    if on == "sqlite":
        yield opened(request.getfixturevalue("_shop"), tmp_path, monkeypatch)
        return
    server = request.getfixturevalue("postgres")
    shop = opened(request.getfixturevalue("_shop_on_postgres"), tmp_path, monkeypatch, server)
    yield shop
    server.drop(shop.db)
