"""Every command: it loads, its help is the table's, its examples can be typed, and no mail runs the terminal."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import partial
from itertools import takewhile
from pathlib import Path

import click
import pytest
from conversation import Talk

from crmmail.cli.command import GLOBAL
from crmmail.cli.main import COMMANDS, LazyCommands, program


def commands(of: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """A command and all below it, with the words that call it."""
    yield path, of
    if isinstance(of, click.Group):
        for name, below in of.commands.items():
            yield from commands(below, f"{path} {name}".strip())


EVERY = dict(commands(program, ""))


@pytest.mark.parametrize("name", COMMANDS)
def test_its_first_line_is_the_tables(name: str) -> None:
    assert LazyCommands()[name].get_short_help_str() == COMMANDS[name].help


@pytest.mark.parametrize("path", EVERY)
def test_it_has_help_with_an_example(talk: Talk, path: str) -> None:
    assert getattr(EVERY[path], "examples", ()), path
    said = talk.do(f"{path} --help")
    assert said.startswith(f"Usage: crmmail {path}".rstrip())
    assert re.search(r"Examples:\n  .*crmmail ?", said)
    assert "Global options:" in said


def note(called: list[str], path: str, /, **_: object) -> None:
    called.append(path)


@pytest.mark.parametrize("path", EVERY)
def test_its_examples_can_be_typed(talk: Talk, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line is taken word for word, and calls this command in one of them; nothing is run."""
    called: list[str] = []
    monkeypatch.chdir(talk.home)
    (talk.home / "rules.toml").touch()
    for name, one in EVERY.items():
        if not isinstance(one, click.Group):
            monkeypatch.setattr(one, "callback", partial(note, called, name))
    for line in EVERY[path].examples:  # type: ignore[attr-defined]
        parts = [shlex.split(part, comments=True) for part in re.split(r" \|\|? | && ", line)]
        for words in parts:
            if words[:1] == ["crmmail"]:
                said = talk.cli(list(takewhile(lambda word: word not in ("<", ">"), words[1:])), input="1\n")
                assert said.code == 0, (line, said.err)
    assert any(name == path or name.startswith(f"{path} ") or not path for name in called)


@pytest.mark.parametrize("path", [path for path, one in EVERY.items() if not isinstance(one, click.Group)])
def test_global_options_stand_behind_it_too(path: str) -> None:
    with click.Context(EVERY[path], info_name=path) as context:
        options = {word for one in EVERY[path].get_params(context) for word in one.opts}
    for option in GLOBAL:
        assert options & set(option.opts), (path, option.opts)


@pytest.mark.parametrize("path", EVERY)
def test_an_unknown_option_is_one_line_and_2(talk: Talk, path: str) -> None:
    assert "No such option '--nonsense'" in talk.refused(f"{path} --nonsense", code=2)


@pytest.mark.parametrize(
    "line",
    [
        "show 99", "set 99 title=x", "assign 99 boss", "take 99", "open 99", "pending 99", "close 99", "cancel 99",
        "reset 99", "qualify 99", "lose 99", "follow 99", "unfollow 99", "followers 99", "star 99", "unstar 99",
        "done 99", "why 99", "why --quarantine 99", "why-not 99 --user boss", "attachment list 99",
        "attachment save 99", "message move 99 1", "message edit 99 -m x", "message delete 99", "quarantine show 99",
        "quarantine create 99", "quarantine spam 99", "quarantine purge 99 --yes",
        "contacts show 99", "contacts set 99 --name x", "users show nobody", "sections show nowhere",
        "aliases show nobody@crm.test", "outbox show 99", "log 99", "users remove nobody", "sections remove nowhere",
        "aliases remove nobody@crm.test", "following --who nobody", "list case --section nowhere",
    ],
)  # fmt: skip
def test_what_is_not_there_is_one_line_and_1(talk: Talk, line: str) -> None:
    said = talk.refused(line)
    assert "99" in said or "nobody" in said or "nowhere" in said


def test_without_a_store(talk: Talk, tmp_path: Path) -> None:
    talk.environ(CRMMAIL_DB=str(tmp_path / "none.db"))
    for line in ("", "inbox", "show 1", "list case", "users", "new case X", "config"):
        assert "no store at" in talk.refused(line)
    said = talk.cli("doctor")  # it says what is wrong, that among it
    assert (said.code, said.err, "no store at" in said.out) == (1, "", True)
    assert not (tmp_path / "none.db").exists()


# --- setting up, word for word (terminal.md) --------------------------------------------------------------------------

SETTING_UP = """
crmmail init --domain crm.example --user boss:boss@crm.example --name "The Boss"
crmmail users add agent --email agent@crm.example --name N --address virtual@crm.example --login OSNAME --notify both --lang ru
crmmail users add demo --email demo@crm.example --notify none
crmmail sections add support --name "Support" --parent head --create-parent --manager agent --email support@crm.example --on-user-reply close --on-partner-reply open --assign none
crmmail sections add repairs --on-user-reply pending --on-partner-reply close --assign manager
crmmail sections add claims --on-user-reply keep --on-partner-reply keep --assign round-robin
crmmail sections add rest --assign least-busy
crmmail categories add "Fault Fix" --section support
crmmail aliases add sales@crm.example --kind lead --section support --policy everyone --default priority=high --keep-original
crmmail aliases add vip@crm.example --kind case --policy contacts
crmmail aliases add internal@crm.example --kind case --policy followers --loop-limit 100
crmmail contacts add "Ann" --email ann@customer.example --email ann@home.example --company NAME --category "Support contract / Gold" --lang fr
crmmail new case "Printer broken" --section support --contact 1 --email ann@customer.example --responsible agent --priority 5 --category "Fault Fix" --deadline +3d
crmmail new case "Printer broken" --section support --priority high
crmmail follow --kind lead --types created --who agent
crmmail list case --limit 1
crmmail set 2 title=T section=support category="Fault Fix" responsible=boss priority=1 partner=1 email=a@b.example deadline=tomorrow revenue=1 cost=2 probability=50
crmmail users set agent --notify inbox
crmmail users remove demo
crmmail doctor
""".strip().splitlines()  # noqa: E501


def test_setting_up_word_for_word(talk: Talk, tmp_path: Path) -> None:
    store = tmp_path / "new" / "crm.db"
    talk.environ(CRMMAIL_DB=str(store))
    for line in SETTING_UP:
        said = talk.cli(shlex.split(line)[1:], user="boss")
        assert (said.code, said.err) == (0, ""), line
    assert store.stat().st_mode & 0o777 == 0o600
    assert talk.field(3, "priority") == 2
    assert [one["login"] for one in talk.cli("users --json").json if one["admin"]] == ["boss"]


def test_init_prints_the_two_lines_and_makes_nothing_twice(talk: Talk, tmp_path: Path) -> None:
    store = tmp_path / "new.db"
    said = talk.do(f"init --db {store} --domain crm.example --user boss:boss@crm.example")
    assert f"--db {store} " in said
    assert 'mda "/' in said
    assert "--sender=%F --recipient=%T" in said
    assert "\n    * * * * * /" in said and said.count(" tick\n") == 1
    assert "is in use already" in talk.refused(f"init --db {store} --domain crm.example --user boss:boss@crm.example")


# --- what a mail says never runs the terminal -------------------------------------------------------------------------

HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u2066[/][bold red]:smile: [link=http://evil.example]x[/link]\x9b31m\x7f\x00"
)


@pytest.fixture
def owned(talk: Talk) -> Talk:
    """A shop in which everything that a mail or a person can say is hostile."""
    talk.do(["sections", "add", "evil", "--name", HOSTILE, "--email", "evil@crm.test", "--manager", "agent"])
    talk.do(["categories", "add", HOSTILE, "--section", "evil"])
    talk.do(["users", "add", "eve", "--email", "eve@crm.test", "--name", HOSTILE, "--notify", "both"])
    raw = (
        "From: =?utf-8?q?NAME?= <eve@evil.example>\nTo: =?utf-8?q?NAME?= <evil@crm.test>\nCc: jobs@crm.test\n"
        "Subject: =?utf-8?q?NAME?=\nMessage-ID: <hostile@evil.example>\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="b"\n\n'
        "--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nNAME\n"
        "--b\nContent-Type: text/html; charset=utf-8\n\n<p>[bold]</p>\n"
        "--b\nContent-Type: application/octet-stream\n"
        "Content-Disposition: attachment; filename*=utf-8''FILE\n\nx\n--b--\n"
    )
    quoted = "".join(f"={byte:02X}" for byte in HOSTILE.encode())
    raw = raw.replace("NAME", quoted).replace("FILE", quoted.replace("=", "%"))
    letter = talk.post(raw.encode())
    talk.do(["contacts", "add", "--from", str(letter.message), "--company", HOSTILE, "--category", HOSTILE])
    talk.do(f"follow {letter.record} --who eve")
    talk.mail("bea@example.com", answers=letter, text=HOSTILE.replace("\x00", ""))
    talk.post(raw.replace("<evil@crm.test>", "<nobody@crm.test>").replace("<hostile@", "<other@").encode())
    talk.do(["set", str(letter.record), f"title={HOSTILE}!"])
    talk.do(f"star {letter.message}", user="agent")
    return talk


SHOWN = (
    "", "inbox", "inbox --short", "inbox --all", "inbox --starred", "show 1", "show 1 --full", "show 2", "list case",
    "list contact", "contacts", "followers 1", "following", "quarantine", "quarantine show 1", "quarantine show 2",
    "outbox", "outbox show 1", "message", "attachment list 1", "log", "log 1", "users", "users show eve", "sections",
    "sections show evil", "categories", "why 2", "why --quarantine 1", "why-not 2 --user eve", "doctor", "aliases",
)  # fmt: skip
BAD = [
    chr(code) for code in (*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
]


def test_no_command_passes_controls_on_in_any_form(owned: Talk) -> None:
    for line in SHOWN:
        for form in ("", "--json", "-o table", "-o tsv --header", "-o csv", "-o jsonl", "--color always"):
            said = owned.cli(f"{line} {form}", user="agent")
            if said.code == 2 and "No such option" in said.err:
                continue  # a show has fewer forms than a listing
            assert said.code == 0, (line, form, said.err)
            found = [char for char in BAD if char in said.out + said.err]
            if form == "--color always":
                found = [char for char in found if char != "\x1b"]
                assert "\x1b]" not in said.out
                assert "\x1b[2J" not in said.out
            assert found == [], (line, form)
            assert "\ufffd" in said.out or "owned" not in said.out, (line, form)


@pytest.mark.parametrize("line", ["close 1", "take 1", "set 1 priority=low", "follow 1 --who boss", "quarantine spam 2",
                                  "message delete 2", "attachment save 1 -", "deliver --explain -n"])  # fmt: skip
def test_nor_does_what_says_what_it_did(owned: Talk, line: str, tmp_path: Path) -> None:
    said = owned.cli(line, input=owned.sent[0].raw.replace(b"<hostile@", b"<third@"))
    assert said.code == 0, said.err
    assert [char for char in BAD if char in said.out + said.err] == []


def test_markup_is_shown_as_it_is_written(owned: Talk) -> None:
    said = owned.do("show 1 --full")
    assert "[/][bold red]:smile: [link=http://evil.example]x[/link]" in said


def test_csv_runs_no_formula(talk: Talk) -> None:
    talk.mail("ana@example.com", subject='=cmd|"/c calc"!A1')
    assert """'=cmd|""" in talk.do("list case -o csv")
    assert "'=" not in talk.do("list case -o tsv")
