"""No NUL and no half character gets into a text of the store, whatever door it comes through; moments become UTC.

PostgreSQL refuses both, and SQLite's own tools stumble over them.  The doors clean what they are given; behind all of
them stand the columns' own types, and the first tests hold that there is no column without.
"""

from __future__ import annotations

import subprocess
from contextlib import closing
from pathlib import Path

import corpora
import peewee
import pytest
from conversation import Talk
from doors import CRMMAIL, open_shop

from crmmail.store import fields, tables
from crmmail.store.care import soundness
from crmmail.store.engine import database
from crmmail.store.engine.values import plain
from crmmail.store.fields import JSONText, Text, Word

BAD = ["a\0b", "\0", "\ud800", "a\udcffb\udbff", "é\udfff", "\0" * 5, "x" * 1_100_000 + "\udc80"]
COLUMNS = [one for model in tables.TABLES for one in model._meta.sorted_fields]


def unclean(talk: Talk) -> list[str]:
    """What the store holds that is no clean text."""
    with closing(database.open(str(talk.db))) as store:
        return [one.sentence for one in soundness.damages(store) if one.check in ("text", "moments")]


@pytest.mark.parametrize("column", COLUMNS, ids=str)
def test_every_column_is_of_a_kind_that_keeps_it_clean(column: peewee.Field) -> None:
    if isinstance(column, peewee.CharField | peewee.TextField):
        assert isinstance(column, Text | Word), f"{column} takes any bytes: let it be a Text or a word()"
    assert not isinstance(column, peewee.DateTimeField | peewee.DateField | peewee.TimestampField), (
        f"{column} knows no time zone: let it be a UTCField"
    )


@pytest.mark.parametrize("text", BAD, ids=lambda text: ascii(text[:9]))
def test_a_column_stores_what_every_database_takes(text: str) -> None:
    for value in (Text().db_value(text), Word().db_value(text), plain(text)):
        assert "\0" not in value
        assert value.encode()
        assert len(value) == len(text)
    for stored in (JSONText().db_value([text]), JSONText().db_value({text: {"deep": [text]}})):
        assert stored is not None and stored.encode()
        read = str(JSONText().python_value(stored))
        assert "\\x00" not in read and "\\ud" not in read


@pytest.mark.parametrize(
    "text",
    ["", "plain", "Принтер", "\x01\x7f\t\n", "é" * 1_100_000, "\\u0000", "𝄞" * 9],
    ids=lambda text: ascii(text[:9]),
)
def test_what_is_text_stays_as_it_is(text: str) -> None:
    assert plain(text) is text
    assert JSONText().python_value(JSONText().db_value([text])) == [text]


def test_mails(talk: Talk) -> None:
    """Every field that a stranger can fill."""
    nasty = b"a\0b\xed\xa0\x80\xff =?utf-8?q?=00=ED=A0=80?= =?utf-16?q?=D8=00?="
    raw = (
        b'From: "' + nasty + b'" <ana@example.com>\nTo: "' + nasty + b'" <support@crm.test>\nSubject: ' + nasty
        + b"\nMessage-ID: <1" + nasty + b"@example.com>\nX-Mailer: " + nasty + b"\nMIME-Version: 1.0\n"
        b'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain; charset=utf-8\n\n' + nasty
        + b"\n--b\nContent-Type: text/html\n\n<p>" + nasty + b"&#0;&#xD800;</p>\n--b\n"
        b"Content-Type: application/x" + nasty + b"; name*=utf-8''%00%ED%A0%80\nContent-ID: <" + nasty
        + b">\nContent-Disposition: attachment; filename=\"" + nasty + b'"\n\nx\n--b--\n'
    )  # fmt: skip
    for number, to in enumerate((b"support@crm.test", b"jobs@crm.test")):
        talk.mda(raw.replace(b"support@crm.test", to).replace(b"<1", b"<%d" % number))
    talk.mda(raw, "-u\udcff", "-s\udcff\0", "--mailbox=\udcff@crm.test", "-e\udcff@x.example")
    for path in (*corpora.OURS, *corpora.theirs("hostile/*")):
        if path.suffix not in (".tsv", ".md"):
            talk.mda(path.read_bytes())
    assert talk.count(tables.Original) >= 2
    assert unclean(talk) == []


def test_words_of_users(talk: Talk) -> None:
    talk.mail("Ann <ann@customer.example>", subject="Printer broken", text="It burns.")
    bad = "x\0y\ud800z"
    for line in (
        ["note", "1", "-m", bad], ["reply", "1", "-m", bad, "--subject", bad], ["set", "1", f"title={bad}"],
        ["new", "case", bad, "--section", "support"], ["contacts", "add", bad, "--email", "z@x.example"],
        ["activity", "add", "1", bad, "--due", "+1d"], ["view", "save", bad, bad], ["config", "set", "mail.open", bad],
        ["templates", "add", "hello", "--subject", bad, "-m", bad], ["sections", "add", "s", "--name", bad],
        ["users", "add", "u", "--email", "u@crm.test", "--name", bad], ["contacts", "set", "2", "--company", bad],
        ["categories", "add", bad, "--section", "support"],
        ["log", "call", "1", "--result", "answered", "-m", bad], ["rules", "add", bad, "--set-priority", "high"],
    ):  # fmt: skip
        talk.cli(line)  # whether it is taken or refused, in one line
    talk.cli("note 1", input=b"from stdin: \0 \xed\xa0\x80 \xff\n")
    talk.cli("reply 1", input=b"from stdin: \0 \xed\xa0\x80 \xff\n")
    rules = talk.home / "rules.toml"
    rules.write_text('[[rule]]\nname = "Loaded\\u0000"\nset_priority = "high"\n')
    talk.cli(f"rules load {rules}")
    assert {len(talk.all("case")), talk.count(tables.Message) > 5} == {2, True}
    assert unclean(talk) == []


def test_bytes_on_a_command_line(tmp_path: Path) -> None:
    """The real program, its arguments as the system hands them on: bytes that are no UTF-8 come as half characters."""
    shop = open_shop(tmp_path)
    for words in ((b"new", b"case", b"Caf\xe9 \xff"), (b"note", b"1", b"-m", b"\xed\xa0\x80"), (b"config", b"set",
                  b"mail.open", b"\xff {record}")):  # fmt: skip
        done = subprocess.run([CRMMAIL.encode(), *words], env=shop.env(), capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
    assert shop.check() == "the store is sound"


def test_the_editor(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A draft that an editor left with bytes in it that are no text."""
    talk.mail("Ann <ann@customer.example>", subject="Printer broken", text="It burns.")
    file = talk.home / "words.txt"
    file.write_bytes(b"Dear Ann, \0 \xff \xed\xa0\x80\n")
    talk.cli(f"reply 1 -f {file}")
    talk.cli(f"note 1 -f {file}")
    assert unclean(talk) == []


def test_a_hook_s_words(talk: Talk) -> None:
    from crmmail.services.automatic import hooks
    from crmmail.store.automatic import rules

    talk.mail("Ann <ann@customer.example>", subject="Printer broken", text="It burns.")
    folder = talk.home / ".config/crmmail/hooks"
    folder.mkdir(parents=True)
    for name, code in (("well", 0), ("badly", 1)):
        (folder / name).write_text(f"#!/bin/sh\nprintf 'a\\000b\\377\\355\\240\\200'\nexit {code}\n")
        (folder / name).chmod(0o755)
        with talk.open() as workspace, workspace.store.transaction():
            rule = rules.put_rule(None, name=f"Tell {name}", spec={}, changed=workspace.now())
            hooks.queue(workspace, 1, rule, name, "x\0y")
    for _ in range(6):
        talk.cli("tick")
        talk.wait(days=1)
    with talk.open():
        assert {row.state for row in tables.HookCall.select()} == {"done", "failed"}
    assert unclean(talk) == []


def test_without_the_columns_guard_these_tests_would_see_it(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "plain", lambda text: text)
    with talk.open() as workspace, workspace.store.transaction():
        tables.User.update(name="a\0b").where(tables.User.id == 1).execute()
    assert unclean(talk) == ["row 1 of crm_user has no clean text in name: NUL, or bytes that are no UTF-8"]
