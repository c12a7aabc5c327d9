"""A shop in whose store every text that anybody fills is hostile, and a way to see what a command shows of it.

    shop = HostileShop(folder)            # made once, with something of everything in it
    said = shop.run("show 2", columns=80) # on a terminal of 80 columns, in colour
    said = shop.run("list case -o csv")   # piped

The values are written straight into the tables, so no filter at any door helps: whatever keeps a terminal safe must
stand between the store and the screen.  A new text column is filled by itself; one that holds only words of the
program's own (a state, a kind) is named in OURS.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conversation import SHOP, Talk
from peewee import BlobField, CharField, ForeignKeyField, TextField

from crmmail.cli import main
from crmmail.store.fields import JSONText
from crmmail.store.tables import TABLES, Table

# Without a blank, so that nothing breaks it but a cut; in lower case, for names are kept so.
LITERAL = "<<[/][red]x[/red][link=http://evil.example]y[/link]:smile:{record.title}{{7*7}}%s$(id)`id`>>"
ACTING = (
    "\x1b]8;;http://evil.example\x07link\x1b]8;;\x07 \x1b]52;c;aGk=\x07 \x1b]0;owned\x1b\\ \x1b[2J\x1b[1;1H\x1b[31mred "
    "\x9b2J\x9d52;c;aGk=\x9c \x1bPq\x1b\\\x90q\x9c a\x07\x08\x08\rb\x7f \u202egpj.exe\u202c \u2066x\u2069 \u061c\u200f "
    "z" + "\u0301" * 50 + " n\x85l\u2028p\u2029v\x0bf\x0c \u200b\ufeff\u00ad\u2060 "
    "\U000e0041\ufe01 \u2800\u3164 tab\tnew\nline"
)
LEADS = (
    "", "=cmd|' /c calc'!a0", "+1", "-1", "@sum(a1)", "\t=1", "\r=1", "\n=1", '"=1', "'=1", "＝1", "\u0301\u0302",
    "\u200b=1", "漢字" * 60, "w" * 300, "x;=1", 'x",=1', "--yes", "#1", "~", "\x1b[31m=1",
)  # fmt: skip

# Words of the program's own, which nobody else can fill.
OURS = {
    "Setting.key", "Setting.value", "User.notify", "User.lang", "Section.on_user_reply", "Section.on_partner_reply",
    "Section.assign", "Section.reopen_window", "Alias.kind", "Alias.policy", "Alias.on_reply", "Thread.kind",
    "Contact.lang", "Case.state", "Lead.state", "Subtype.code", "Follower.types", "AutoFollow.kind", "AutoFollow.types",
    "Original.content_hash", "Message.kind", "Message.format", "MessageAddress.role", "Blob.sha256",
    "Quarantine.reason", "Quarantine.state", "Decision.outcome", "Decision.reason", "Notification.why",
    "Delivery.purpose", "Delivery.role", "Delivery.why", "Delivery.state", "Delivery.content_hash", "Delivery.failure",
    "Sla.within", "View.kind", "Rule.spec", "Template.lang", "HookCall.state",
}  # fmt: skip
KEEP = {"boss", "agent", "support", "boss@crm.test", "agent@crm.test", "support@crm.test", "sales@crm.test"}

_LINES = (
    *SHOP,
    "config set mail.catchall catchall@crm.test",
    "users add eve --email eve@crm.test --name Eve --notify both --address eve2@crm.test",
    "users add bob --email bob@crm.test --notify email",
    "sections add evil --name Evil --email evil@crm.test --parent support --manager eve",
    "categories add Fault --section support",
    "categories add Evil --section evil",
    "contacts add Ann --email ann@customer.example --email ann@home.example --company Customer --category 'Sup / Gold'",
    "contacts add Bea --email bea@customer.example --company Customer",
)

_ACTS = """
boss: set 3 category=Fault priority=high deadline=+3d
boss: follow 3 --who eve
boss: follow 3 --who expert@x.example
boss: star 2
boss: note 3 -m 'A note, @bob.'
boss: reply 3 -m 'Here it is.' --to cy@x.example
boss: log call 3 --result answered -m Called
boss: activity add 3 'Call Ann' --due +1d
boss: activity add 3 'Was done' --due 2026-11-20
boss: activity done 2
boss: view save mine-too state:open --kind case
boss: follow --kind lead --who eve
boss: templates add thanks --subject '{record.title}' -m 'Dear {partner.name}'
boss: templates add other --subject S -m T
boss: sla add --within 8h --partner-category 'Sup / Gold'
boss: rules add Opened --state-to open --set-priority high --watch w@x.example --activity Look
boss: rules add Late --trigger deadline --delay 1d --remind responsible
boss: rules add Told --state-to open --section evil --mail thanks --mail-to partner
boss: new case Second --section evil --email di@y.example
boss: new lead Lead --email di@y.example
boss: escalate 4
boss: open 4
boss: new case Third --section support --contact 1
boss: open 6
boss: close 6
boss: users away bob --until +9d --deputy eve
boss: new case Fourth --section evil
boss: new case Fifth
boss: merge 8 --into 6
boss: new case Sixth --section evil --responsible boss
agent: done --all
boss: set 3 deadline=2026-11-20
"""


class Seen(NamedTuple):
    code: int
    out: str
    err: str


class _Stream(io.TextIOWrapper):
    """One of the standard streams; a terminal where `terminal` is true."""

    terminal = False

    def isatty(self) -> bool:
        return self.terminal

    def text(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()


def _stream(terminal: bool, data: bytes = b"") -> _Stream:
    made = _Stream(io.BytesIO(data), encoding="utf-8", errors="strict", newline="")
    made.terminal = terminal
    return made


def text_columns() -> Iterator[tuple[type[Table], Any]]:
    """Each column of the store that holds text and refers to no other."""
    for table in TABLES:
        for field in table._meta.sorted_fields:  # type: ignore[attr-defined]
            if isinstance(field, CharField | TextField) and not isinstance(field, ForeignKeyField | BlobField):
                yield table, field


class HostileShop:
    """The shop; each command line runs on a copy of its store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "made.db"
        self.copy = folder / "crmmail.db"
        self._numbers = count(1)
        with pytest.MonkeyPatch.context() as monkeypatch:
            talk = Talk(self.store, folder, monkeypatch)
            self._live(talk)
            self.environ = {name: os.environ[name] for name in ("TZ", "CRMMAIL_NOW")}
        with closing(sqlite3.connect(self.store)) as store:
            store.execute("PRAGMA foreign_keys = OFF")
            for table, field in text_columns():
                if f"{table.__name__}.{field.name}" not in OURS:
                    self._fill(store, table, field)
            self._spoil_rules(store)
            store.commit()
        self.put_files()

    # --- how it is made -------------------------------------------------------------------------------------

    def _live(self, talk: Talk) -> None:
        """Something of everything happens, in ordinary words."""
        for line in _LINES:
            talk.do(line)
        files = [("photo.jpg", b"JPEG"), ("plan.pdf", b"PDF")]
        ann = "Ann <ann@customer.example>"
        first = talk.mail(ann, subject="Printer", text="It burns.", cc="Cy <cy@x.example>", files=files)
        assert first.record == 3
        for line in _ACTS.strip().split("\n"):
            user, _, words = line.partition(": ")
            talk.do(words, user)
        talk.mail("ann@customer.example", answers=first, text="> It burns.\nYes.\n-- \nAnn")
        talk.mail("mallory@evil.example", answers=first, text="Me.")
        talk.mail(ann, answers=first, text="From elsewhere.", headers={"Reply-To": "z@z.example"})
        talk.mail("Dee <dee@y.example>", "jobs@crm.test", "Jobs?", "Do you hire?", files=files)
        talk.mail("Dee <dee@y.example>", "sales@crm.test", "Offer?", "How much?")
        talk.do("set 6 priority=low")  # can be undone
        with talk.open() as workspace, workspace.store.transaction():
            from crmmail.services.automatic import hooks
            from crmmail.store import tables
            from crmmail.store.automatic import rules

            rule = rules.rules()[0].id
            hooks.queue(workspace, 3, rule, "erp", "rule Opened: hook erp")
            failed = hooks.queue(workspace, 3, rule, "erp", "rule Opened: hook erp")
            tables.HookCall.update(state="failed", reason="x").where(tables.HookCall.id == failed).execute()
            for number, state in ((1, "failed"), (2, "bounced"), (3, "queued")):
                change = tables.Delivery.update(state=state, failure="address", attempts=2, reason="550 no")
                change.where(tables.Delivery.id == number).execute()
            tables.BadAddress.insert(
                address="ann@customer.example", since=workspace.now(), reason="550", delivery=1
            ).execute()
            tables.Firing.insert(
                rule=rule, thread=3, base=workspace.now(), at=workspace.now(), sentence="did", failed="could not"
            ).on_conflict_ignore().execute()

    def value(self) -> str:
        """A text that tries everything, unlike all others."""
        number = next(self._numbers)
        return f"{LEADS[number % len(LEADS)]} {LITERAL} {ACTING} {number}"

    def _fill(self, store: sqlite3.Connection, table: type[Table], field: Any) -> None:
        name, column = table._meta.table_name, field.column_name  # type: ignore[attr-defined]
        key = field.unique or field.primary_key or column in ("name", "code", "path", "address")
        for rowid, old in store.execute(f'SELECT rowid, "{column}" FROM "{name}"').fetchall():
            if isinstance(field, JSONText):
                new = json.dumps(self._spoiled(json.loads(old or "null"), name))
            elif old in KEEP or (old is None and table.__name__ != "Contact" and key):
                continue
            else:
                new = " ".join(self.value().lower().split(" ")).strip(" ") if key else self.value()
            store.execute(f'UPDATE "{name}" SET "{column}" = ? WHERE rowid = ?', (new, rowid))

    def _spoiled(self, value: Any, table: str) -> Any:
        """All texts in a JSON value, but for names of tables and columns; with half a surrogate pair, as it can be."""
        if isinstance(value, str):
            return "\ud800" + self.value()
        if table == "crm_alias":
            return {"title": self.value()}
        if isinstance(value, list) and table == "crm_journal":
            return [[*change[:3], *(self._spoiled(one, "") for one in change[3:])] for change in value]
        if isinstance(value, list):
            return [self._spoiled(one, table) for one in value] or ["\udfff" + self.value()]
        if isinstance(value, dict):
            return {key: self._spoiled(one, table) for key, one in value.items() if key != "field"} | (
                {"field": "title"} if "field" in value else {}
            )
        return value

    def _spoil_rules(self, store: sqlite3.Connection) -> None:
        """What people may write into a rule freely; the rest of it is read when the rule is."""
        for number, spec in store.execute("SELECT id, spec FROM crm_rule").fetchall():
            free = {"contains": [self.value()], "lacks": [self.value()], "activity": self.value()}
            kept = dict(list(free.items())[:number])
            store.execute("UPDATE crm_rule SET spec = ? WHERE id = ?", (json.dumps(json.loads(spec) | kept), number))

    def put_files(self) -> None:
        """Drafts, a log, rule files and a letter, by a hostile hand; and nothing where something will be written."""
        drafts = self.folder / ".local" / "state" / "crmmail" / "drafts"
        shutil.rmtree(drafts, ignore_errors=True)
        drafts.mkdir(parents=True)
        head = "Record: 3\nVerb: reply\nTo: ann@customer.example\nSubject: "
        plain = f"=1 {LITERAL} {ACTING} of a file".replace("\r", " ").replace("\n", " ")
        (drafts / "3-reply-20261124-100000.txt").write_text(f"{head}{plain}\n\n{plain}\n", errors="replace")
        (drafts / "bad\x1b[2J\u202e-20261124-100000.txt").write_text(f"Record: {plain}\n\n{plain}\n", errors="replace")
        (self.folder / ".local" / "state" / "crmmail" / "log").write_bytes(f"{plain}\n".encode())
        for name, words in (("rules.toml", LITERAL), ("bad.toml", plain)):
            rule = f'[[rule]]\nname = {_toml(words)}\nstate_to = "open"\nset_priority = "high"\n'
            (self.folder / name).write_text(rule)
        shutil.rmtree(self.folder / "saved", ignore_errors=True)
        (self.folder / "saved").mkdir()
        (self.folder / "backup.db").unlink(missing_ok=True)
        (self.folder / "letter.eml").write_bytes(
            b"From: =?utf-8?q?" + _quoted(plain) + b"?= <fay@evil.example>\nTo: support@crm.test\nSubject: =?utf-8?q?"
            + _quoted(plain) + b"?=\nMessage-ID: <fay@evil.example>\nContent-Type: text/plain; charset=utf-8\n\n"
            + plain.encode() + b"\n"
        )  # fmt: skip

    # --- what is looked at ----------------------------------------------------------------------------------

    def name(self, query: str) -> str:
        """One value of the store."""
        with closing(sqlite3.connect(self.store)) as store:
            return str(store.execute(query).fetchone()[0])

    def run(
        self, line: str | Sequence[str], *, columns: int = 0, answer: str = "", input: bytes = b"", **environ: str
    ) -> Seen:
        """What a command line says.

        Args:
            columns: on a terminal of so many, in colour; 0: piped.
            answer: what the person types on that terminal.
        """
        words = shlex.split(line) if isinstance(line, str) else list(line)
        shutil.copy(self.store, self.copy)
        terminal = bool(columns)
        out, err = _stream(terminal), _stream(terminal)
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith(("CRMMAIL_", "XDG_", "COLUMNS", "LINES"))]:
                patch.delenv(name)
            more = {"VISUAL": "true"}
            if terminal:
                more |= {"COLUMNS": str(columns), "LINES": "100000", "TERM": "xterm", "CRMMAIL_PAGER": "cat"}
            settings = {"HOME": str(self.folder), "CRMMAIL_DB": str(self.copy), "CRMMAIL_USER": "boss"}
            for name, value in {**self.environ, **settings, **more, **environ}.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.setattr(sys, "stdin", _stream(terminal, input or answer.encode()))
            code = main.run([*(("--color", "always") if terminal else ()), *words])
            return Seen(code, out.text(), err.text())


def _quoted(words: str) -> bytes:
    return "".join(f"={byte:02X}" for byte in words.encode("utf-8", "replace")).encode()


def _toml(words: str) -> str:
    """A TOML string."""
    return '"' + "".join(one if one.isalnum() and one.isascii() else f"\\U{ord(one):08X}" for one in words) + '"'
