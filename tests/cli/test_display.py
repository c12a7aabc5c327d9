"""Nothing in the store can act on a terminal, whatever command shows it, in whatever form (safety.md 6, 7, 19).

`hostile_shop` fills every text column with escapes, turned writing, markup and formulas.  Each command of the program
stands in LINES with command lines of its own, and runs on a terminal of 80 and of 120 columns in colour, piped, and in
each form that it has.  A new command without a line here fails.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from unicodedata import category
from zlib import crc32

import click
import pytest
from conversation import Talk
from hostile_shop import ACTING, LITERAL, OURS, HostileShop, Seen, text_columns
from mailsink import Sink
from rich.console import Console
from rich.table import Table
from rich.text import Text

import crmmail
from crmmail import mda
from crmmail.cli.main import program
from crmmail.core.text import cells

# What rich writes for the styles of `line.STYLES`: bold, dim, red, green, yellow, and back.
SGR = re.compile(r"\x1b\[(?:0|1|2|31|32|33)m")
BIDI = {chr(code) for code in (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}
HIDDEN = set("\u200b\ufeff\u00ad\u2060\u2800\u3164\U000e0041\ufe01\u2028\u2029")
FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]\d+)?")

# Commands without a line, and why.
ELSEWHERE = {
    "completion": "prints a script of click's, and nothing of the store; what it completes is below",
    "demo": "plays with a store of its own, of our words only",
    "init": "makes a store; what it repeats of its line is in WRONG",
    "serve": "stays, and says where it listens; what it repeats of its line is in WRONG",
}

# Command → its command lines, and the exit codes that they may have.  {eve} and the like are names in the store.
LINES: dict[str, tuple[str, ...] | dict[str, int | tuple[int, ...]]] = {
    "summary": ("",),
    "inbox list": ("inbox", "inbox --short", "inbox --all", "inbox --starred", "inbox --count", "inbox state:open x"),
    "inbox reply": ("inbox reply {item} -m Yes -n", "inbox reply {item} -m Yes"),
    "done": ("done {item}", "done --all"),
    "undo": {"undo": 0, "undo 5": 1, "undo --skip": (0, 1)},
    "show": ("show 1", "show 3 --peek", "show 3 --full", "show 3 --last 2", "show 4", "show 7", "show 8"),
    "search": ("search", "search http", "search from:eve x", "search xyzzy", "search --limit 1 --before 3"),
    "reply": {
        "reply 3 -m Yes -n": 0,
        "reply 3 -m Yes": 0,
        "reply 3 --resume -n": (0, 1),
        "reply 3 --all -m Yes -n": 0,
        "reply 3 -m Yes --to nobody": 2,
        "reply 3 -m Yes --attach-file 1 -n": 0,
        "reply 99 -m Yes": 1,
    },
    "note": ("note 3 -m Yes -n", "note 3 -m '@agent'"),
    "send": ("send 3 -m Yes --to new@n.example -s Hello -n", "send 4 -m Yes --to new@n.example"),
    "forward": {
        "forward {heard} --to new@n.example -n": 0,
        "forward {heard} --to new@n.example -m Look": 0,
        "forward 2 --to a@b.example": 1,
        "forward 99 --to a@b.example": 1,
    },
    "star": ("star 3",),
    "unstar": ("unstar 2",),
    "drafts list": ("drafts",),
    "drafts show": {"drafts show 1": (0, 1), "drafts show 2": (0, 1), "drafts show 9": 1},
    "drafts remove": {"drafts remove 1": (1, 2), "drafts remove 1 --yes": 0},
    "agenda": ("agenda", "agenda --all"),
    "activity list": ("activity", "activity --all", "activity --finished"),
    "activity add": ("activity add 3 Look --due tomorrow",),
    "activity done": ("activity done 1",),
    "activity remove": ("activity remove 1",),
    "new case": {
        "new case X --contact 1": 0,
        "new case X --section nowhere": 1,
        "new case X --category Fault --section support": 1,
    },
    "new lead": ("new lead X --contact 1",),
    "new contact": ("new contact X --email ann@customer.example",),
    "list": ("list case", "list lead", "list contact", "list case --section support --recursive", "list case x"),
    "view run": ("view my-open", "view late", "view unassigned"),
    "view list": ("view list",),
    "view save": ("view save again state:open",),
    "view remove": {"view remove {view}": (0, 1), "view remove nothing": 1},
    "set": {
        "set 3 priority=low": 0,
        "set 3 partner=2": 0,
        "set 3 title=X": 0,
        "set 3 section=nowhere": 1,
        "set 3 x=y": 2,
    },
    "assign": {"assign 3 agent": 0, "assign 3 nobody": 1},
    "take": ("take 3",),
    "actions": ("actions 3", "actions 8"),
    "escalate": {"escalate 4": 1, "escalate {evil}": 0, "escalate {evil} -n": 0},
    "move": {"move 4 --section support": 1, "move 7 --section support": 0, "move 7 --section support -n": 0},
    "merge": ("merge 4 --into 3", "merge 4 --into 3 -n"),
    "open": {"open 3": 0, "open 6": 0, "open 99": 1},
    "pending": ("pending 3",),
    "close": {"close 3": 0, "close 3 99": 1},
    "cancel": ("cancel 3",),
    "reset": {"reset 3": 1, "reset 6": 0},
    "qualify": ("qualify 5",),
    "lose": ("lose 5",),
    "follow": {"follow 3 --who agent": 1, "follow 3 --who {bob}": (0, 1), "follow --kind case --who agent": 0},
    "unfollow": {"unfollow 3 --who agent": 0, "unfollow 3": 0, "unfollow 99": 1},
    "followers": ("followers 3",),
    "following": ("following", "following --who agent"),
    "stats": (
        "stats",
        "stats --by section,user,category,partner",
        "stats --list",
        "stats messages --by user",
        "stats lead --by partner",
        "stats --by section --chart",
        "stats --by partner --chart --value count",
    ),
    "message list": ("message",),
    "message move": ("message move 2 4",),
    "message edit": ("message edit 3 -m x",),
    "message delete": ("message delete 2",),
    "attachment list": ("attachment list 3",),
    "attachment save": ("attachment save 1 -", "attachment save 1 saved/"),
    "sections list": ("sections", "sections --tree", "sections --counts"),
    "sections show": {"sections show support": 0, "sections show nowhere": 1},
    "sections add": {"sections add more --parent support --manager agent": 0, "sections add support": 1},
    "sections set": ("sections set support --name More", "sections set support --manager boss"),
    "sections remove": ("sections remove support",),
    "categories list": ("categories", "categories --section support"),
    "categories add": ("categories add More --section support",),
    "categories set": {
        "categories set {category} --section support --name More": (0, 1),
        "categories set x --section support --name y": 1,
    },
    "categories remove": {
        "categories remove {category} --section support": (0, 1),
        "categories remove x --section support": 1,
    },
    "rules list": ("rules", "rules --all"),
    "rules show": {"rules show 1": 0, "rules show {rule}": (0, 1), "rules show nothing": 1},
    "rules add": ("rules add More --state-to open --set-priority low",),
    "rules edit": ("rules edit 1 --set-priority low", "rules edit 1 --name More"),
    "rules remove": ("rules remove 1",),
    "rules run": ("rules run", "rules run -n"),
    "rules explain": ("rules explain 3", "rules explain 3 --all", "rules explain 6 --all"),
    "rules test": ("rules test 1", "rules test 2"),
    "rules lint": {"rules lint": 1},
    "rules dump": ("rules dump",),
    "rules load": {"rules load rules.toml": 0, "rules load rules.toml -n": 0, "rules load bad.toml": 2},
    "templates list": ("templates",),
    "templates show": {
        "templates show -- {template}": (0, 1),
        "templates show --record 3 -- {template}": (0, 1, 2),
        "templates show nothing": 1,
    },
    "templates add": {"templates add more -s S -m T": 0, "templates add more -s S -m '{{x}}'": 2},
    "templates set": {"templates set -s S -m T -- {template}": (0, 1)},
    "templates remove": {"templates remove -- {template}": (0, 1)},
    "users list": ("users",),
    "users show": {"users show {eve}": 0, "users show boss": 0, "users show nobody": 1},
    "users add": {"users add more --email more@crm.test": 0, "users add boss --email more@crm.test": 1},
    "users set": ("users set agent --notify none", "users set boss --name More"),
    "users remove": {"users remove {eve}": (0, 1), "users remove agent": (0, 1)},
    "users away": {"users away agent --until tomorrow --deputy boss": 0, "users away {eve} --until tomorrow": (0, 1)},
    "users back": {"users back {bob}": (0, 1)},
    "aliases list": ("aliases",),
    "aliases show": {"aliases show sales@crm.test": 0, "aliases show nobody@crm.test": 1},
    "aliases add": {
        "aliases add more@crm.test --kind case --section support": 0,
        "aliases add sales@crm.test --kind case": 1,
    },
    "aliases set": ("aliases set sales@crm.test --policy contacts", "aliases set sales@crm.test --default title=X"),
    "aliases remove": ("aliases remove sales@crm.test",),
    "contacts list": ("contacts", "contacts x"),
    "contacts show": ("contacts show 1",),
    "contacts add": ("contacts add More --email more@n.example --category x",),
    "contacts set": (
        "contacts set 1 --name More",
        "contacts set 1 --company More",
        "contacts set 1 --email more@n.example",
    ),
    "quarantine list": ("quarantine", "quarantine --all"),
    "quarantine show": ("quarantine show {letter}",),
    "quarantine route": ("quarantine route {letter} 3",),
    "quarantine create": ("quarantine create {letter} --kind lead",),
    "quarantine spam": ("quarantine spam {letter}",),
    "quarantine purge": {"quarantine purge {letter}": (1, 2), "quarantine purge {letter} --yes": 0},
    "unconfirmed list": ("unconfirmed", "unconfirmed --all"),
    "unconfirmed show": ("unconfirmed show {unconfirmed}",),
    "unconfirmed accept": ("unconfirmed accept {unconfirmed}",),
    "unconfirmed refuse": ("unconfirmed refuse {unconfirmed}",),
    "sla list": ("sla",),
    "sla add": ("sla add --within 2h --section support",),
    "sla remove": ("sla remove 1",),
    "config list": ("config",),
    "config get": ("config get mail.domains",),
    "config set": {"config set smtp.url smtp://h.example": 0, "config set dates.slash x": 1},
    "config unset": ("config unset mail.catchall",),
    "doctor": {"doctor": 1, "doctor --quiet": 1},
    "log list": ("log", "log 3", "log --file"),
    "log call": {"log call 3 --result missed --with 1": 0, "log call 3 --result missed --with 9": 1},
    "log event": ("log event 3 --what Visit --text There",),
    "deliver": {"deliver --explain": (0, 2), "deliver -n --explain": (0, 2), "deliver -v": (0, 2)},
    "import": {"import letter.eml": 0, "import letter.eml -n": 0, "import none.eml": 1},
    "export": {
        "export --mbox - 3": (1, 2),
        "export --mbox out.mbox": (1, 2),
        "export --maildir out": (1, 2),
        "export --json": 0,
    },
    "why": ("why 2", "why 9", "why --quarantine {letter}"),
    "why-not": ("why-not 2 --user boss", "why-not 2 --user {eve}"),
    "outbox list": ("outbox", "outbox --all"),
    "outbox show": {"outbox show {mail}": 0, "outbox show 1": 0, "outbox show {unmade} --raw": 1},
    "outbox send": {"outbox send": 1, "outbox send -n": (0, 1)},
    "outbox retry": ("outbox retry", "outbox retry {mail}"),
    "outbox cancel": ("outbox cancel {mail}",),
    "tick": {"tick": (0, 1)},
    "db status": ("db status",),
    "db migrate": ("db migrate",),
    "db reindex": ("db reindex",),
    "db check": ("db check",),
    "db backup": ("db backup backup.db",),
    "db copy": {"db copy sqlite:nowhere.db sqlite:copy.db": (1, 2), "db copy backup.db copy.db": (0, 1)},
}

NAMES = {
    "eve": "SELECT login FROM crm_user WHERE id = 3",
    "bob": "SELECT login FROM crm_user WHERE id = 4",
    "item": "SELECT max(id) FROM crm_notification WHERE user_id = 1 AND done IS NULL AND thread_id = 3",
    "evil": "SELECT max(thread_id) FROM crm_case WHERE section_id = 2",
    "heard": "SELECT max(id) FROM crm_message WHERE kind = 'email_in'",
    "view": "SELECT name FROM crm_view",
    "category": "SELECT name FROM crm_category WHERE id = 1",
    "rule": "SELECT name FROM crm_rule WHERE id = 1",
    "template": "SELECT name FROM crm_template WHERE id = 1",
    "letter": "SELECT max(id) FROM crm_quarantine WHERE reason = 'no-route'",
    "unconfirmed": "SELECT min(id) FROM crm_quarantine WHERE reason = 'unconfirmed'",
    "mail": "SELECT max(id) FROM crm_delivery WHERE state = 'queued'",
    "unmade": "SELECT max(id) FROM crm_delivery WHERE purpose = 'mail'",
}


def leaves(of: click.Command = program, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Each command that does something, with the words that call it."""
    if isinstance(of, click.Group):
        for name, below in of.commands.items():
            yield from leaves(below, f"{path} {name}".strip())
    else:
        yield path, of


LEAVES = dict(leaves())


def options(path: str) -> set[str]:
    with click.Context(LEAVES[path], info_name=path) as context:
        return {word for one in LEAVES[path].get_params(context) for word in one.opts}


class Form(NamedTuple):
    """How a command line is run."""

    flags: tuple[str, ...]
    columns: int = 0  # 0: piped


def forms(path: str) -> Iterator[Form]:
    """All forms that a command has; the narrow terminal first."""
    yield from (Form((), 80), Form((), 120), Form(()))
    has = options(path)
    if "--json" in has:
        yield Form(("--json",))
    if "--output" in has:
        yield from (Form(("-o", form)) for form in ("csv", "tsv", "jsonl", "ids", "table"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> HostileShop:
    return HostileShop(tmp_path_factory.mktemp("hostile"))


def test_every_command_has_its_lines() -> None:
    assert set(LEAVES) == set(LINES) | set(ELSEWHERE), "a command that no line here shows: add lines, or say why not"
    assert set(LINES).isdisjoint(ELSEWHERE)


def test_every_text_of_the_store_is_hostile(shop: HostileShop) -> None:
    """Also those of a column that is new; who knows better names it in OURS."""
    known = {f"{table.__name__}.{field.name}": (table, field) for table, field in text_columns()}
    assert set(known) >= OURS
    for name, (table, field) in known.items():
        if name in OURS or name == "Thread.address":
            continue
        found = f"SELECT count(*) FROM {table._meta.table_name} WHERE {field.column_name} LIKE '%<<[/]%'"  # type: ignore[attr-defined]
        assert int(shop.name(found)), f"no row of {name} is hostile: something must happen in hostile_shop"


# --- what must hold for whatever is shown -------------------------------------------------------------------


def check(said: Seen, form: Form) -> None:
    """No byte acts, no markup is lost, nothing is wider than the terminal, nothing broke."""
    for words in (said.out, said.err):
        plain = SGR.sub("", words) if form.columns else words
        assert acting(plain) == []
        assert "Traceback" not in plain and "in crmmail itself" not in plain
        assert broken(plain) == []
        assert [line for line in plain.split("\n") if form.columns and is_too_wide(line, form.columns)] == []
    if not form.columns:
        assert [line for line in said.err.splitlines() if not line.startswith("crmmail: ")] == []


def acting(words: str) -> list[str]:
    return sorted(
        {one for one in words if category(one) in ("Cc", "Cs") and one not in "\n\t"} | set(words) & (BIDI | HIDDEN)
    )


def is_too_wide(line: str, columns: int) -> bool:
    """One long word is left whole, so that an address can be copied; the terminal breaks it."""
    return cells(line.expandtabs(8)) > columns and longest(line) <= columns - 30


def longest(line: str) -> int:
    return max(map(cells, line.split()), default=0)


def broken(words: str) -> list[str]:
    """Places where the markup does not stand as it is written, though it was not cut."""
    found = []
    for begin in re.finditer(r"<<(?=\[/)", words):
        here = words[begin.start() : begin.start() + len(LITERAL)]
        same = next((at for at, (one, other) in enumerate(zip(here, LITERAL, strict=False)) if one != other), len(here))
        rest = here[same:].lstrip(" ")
        if rest and rest[0] not in "…\n":
            found.append(here)
    return found


def check_form(said: Seen, form: Form) -> None:
    """What programs read is whole."""
    if said.code or not form.flags:
        return
    if form.flags[-1] == "--json":
        json.loads(said.out, parse_constant=pytest.fail)
    elif form.flags[-1] == "jsonl":
        for line in said.out.splitlines():
            json.loads(line, parse_constant=pytest.fail)
    elif form.flags[-1] == "csv":
        rows = list(csv.reader(io.StringIO(said.out)))
        assert len({len(row) for row in rows}) == 1
        for cell in (cell for row in rows for cell in row):
            assert not FORMULA.match(cell) or NUMBER.fullmatch(cell), cell
    elif form.flags[-1] == "tsv":
        assert len({line.count("\t") for line in said.out.splitlines()}) <= 1


@pytest.mark.parametrize("path", LINES)
def test_nothing_acts(shop: HostileShop, thorough: bool, path: str) -> None:
    """In short: each line in one form, another one for each, and the first line on a narrow terminal too."""
    lines = LINES[path]
    codes = lines if isinstance(lines, dict) else dict.fromkeys(lines, 0)
    every = list(forms(path))
    for number, (line, code) in enumerate(codes.items()):
        for name in NAMES:
            if f"{{{name}}}" in line:
                line = line.replace(f"{{{name}}}", shlex.quote(shop.name(NAMES[name])))
        turn = every[1 + (crc32(path.encode()) + number) % (len(every) - 1)]
        for form in every if thorough else (turn,) if number else (every[0], turn):
            shop.put_files()
            words = shlex.split(line)
            at = words.index("--") if "--" in words else len(words)
            letter = (shop.folder / "letter.eml").read_bytes() if path == "deliver" else b""
            said = shop.run([*words[:at], *form.flags, *words[at:]], columns=form.columns, answer="n\n", input=letter)
            if said.code == 2 and ("-o ids is of records" in said.err or "--chart is for people" in said.err):
                continue  # statistics have fewer forms
            try:
                assert said.code in (code if isinstance(code, tuple) else (code,)), said.err[-300:]
                check(said, form)
                check_form(said, form)
            except AssertionError as error:
                raise AssertionError(f"{line} {form}: {error}") from None


# --- what somebody types ------------------------------------------------------------------------------------

TYPED = f"=1 {LITERAL} {ACTING}"


@pytest.mark.parametrize("path", [path for path in LEAVES if path != "demo"])
def test_an_error_repeats_words_harmlessly(shop: HostileShop, thorough: bool, path: str) -> None:
    """Whatever is typed as an argument, and as the value of an option."""
    with click.Context(LEAVES[path], info_name=path) as context:
        params = LEAVES[path].get_params(context)
    arguments = [TYPED for one in params if isinstance(one, click.Argument)]
    named = [
        one.opts[-1]
        for one in params
        if isinstance(one, click.Option) and not (one.is_flag or one.count) and one.name != "global_db"
    ]
    lines = [["--", *arguments]] if arguments else []
    lines += [[option, TYPED] for option in named] + [[f"--{TYPED}"]]
    for words in lines if thorough else lines[:1]:
        shop.put_files()
        for columns in (0, 80) if thorough else (0,):
            said = shop.run([*path.replace("summary", "").split(), *words], columns=columns, answer="n\n")
            assert said.code in (0, 1, 2, 75), said
            check(said, Form((), columns))


def test_a_crash_tells_its_story_harmlessly(shop: HostileShop, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object, **__: object) -> None:
        raise ValueError(TYPED)

    monkeypatch.setattr("crmmail.services.desk.reading.show", crash)
    for words in ("show 3", "show 3 -v"):
        said = shop.run(words, columns=80)
        assert said.code == 1 and "ValueError" in said.err and LITERAL in said.err
        assert acting(SGR.sub("", said.err)) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("words", ["crmmail show ", "crmmail view run ", "crmmail close 3 "])
def test_completed_words_run_nothing(shop: HostileShop, shell: str, words: str) -> None:
    """A shell puts them on its command line: each is one line, and needs no quotes."""
    fish = {"COMP_CWORD": words.split()[-1] if not words.endswith(" ") else ""}
    place = fish if shell == "fish" else {"COMP_CWORD": str(len(words.split()) - (not words.endswith(" ")))}
    said = shop.run("", columns=0, _CRMMAIL_COMPLETE=f"{shell}_complete", COMP_WORDS=words, **place)
    assert acting(said.out) == [] and said.err == ""
    lines = said.out.splitlines()
    found = lines[1::3] if shell == "zsh" else [line.partition(",")[2].partition("\t")[0] for line in lines]
    assert found and all(shlex.quote(one) == one for one in found)
    assert shell == "bash" or "list" in words or "run" in words or LITERAL.split("[")[0] in said.out


# --- what other programs see --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "reply 3",
        "reply 3 --all",
        "forward {heard} --to a@b.example --edit",
        "inbox reply {item}",
        "note 3",
        "rules edit 1",
    ],
)
def test_an_editor_gets_nothing_that_acts(shop: HostileShop, line: str) -> None:
    """The editor is a program that keeps what it is shown."""
    for name, query in NAMES.items():
        line = line.replace(f"{{{name}}}", shop.name(query))
    kept = shop.folder / "kept"
    kept.unlink(missing_ok=True)
    editor = shop.folder / "editor"
    editor.write_text(
        f"#!/bin/sh\nfor file; do :; done\ncp \"$file\" '{kept}'\nprintf '%s' \"$file\" > '{kept}.name'\n"
    )
    editor.chmod(0o755)
    said = shop.run(line, columns=80, VISUAL=str(editor))
    check(said, Form((), 80))
    assert acting(kept.read_text(encoding="utf-8")) == []
    assert re.fullmatch(r"[\w/.-]+", (shop.folder / "kept.name").read_text())


def test_the_gateway_says_nothing_that_acts(shop: HostileShop, capfd: pytest.CaptureFixture[str]) -> None:
    """`crmmail-mda -v`, a letter for each way that one can go."""
    raw = (shop.folder / "letter.eml").read_bytes()
    shop.copy.write_bytes(shop.store.read_bytes())
    for option in (f"-u{TYPED}", f"--recipient={TYPED}", f"-s{TYPED}", "--\x1b[2J\x9b2J\u202e\x07", "-v"):
        for letter in (raw, raw.replace(b"support@", b"jobs@"), raw.replace(b"support@", b"sales@"), b""):
            code, lines = mda.run(["-v", "--db", str(shop.copy), option], letter)
            assert code in (0, 75) and lines
            for line in lines:
                mda.say(line)
    out, err = capfd.readouterr()
    assert out == "" and acting(err) == []
    assert all(line.startswith("crmmail-mda: ") for line in err.splitlines())


def test_a_mail_server_s_words_are_words(talk: Talk, sink: Sink) -> None:
    """What a server says, in `reply`, in every listing of it, and in the note that the record gets."""
    words = f"550 5.1.1 {LITERAL} \x1b[2J\x1b]52;c;aGk=\x07\x9b2J\u202e\x08"
    sink.answer(recipient={"ann@customer.example": words})
    talk.do(f"config set smtp.url {sink.url}")
    talk.mail("Ann <ann@customer.example>", subject="Printer")
    said = talk.cli("reply 1 -m Yes", user="agent")
    heard = [
        said,
        *(talk.cli(line) for line in ("outbox --all", "outbox show 1", "show 1", "doctor", "outbox --all --json")),
    ]
    assert said.code == 1 and LITERAL in said.err
    for one in heard:
        assert acting(one.out + one.err) == []
    assert sum(LITERAL in one.out for one in heard[1:]) >= 3


# --- rich gets no markup ------------------------------------------------------------------------------------

PACKAGE = Path(crmmail.__file__).parent
# Where words leave the program, and why no other place may.
SPEAKERS = {
    ("cli/voice.py", "print"): "the voice",
    ("cli/voice.py", "sys.stdout.write"): "the voice",
    ("cli/voice.py", "sys.stdout.buffer.write"): "the voice: exact bytes, never to a terminal",
    ("cli/main.py", "print"): "what a crash tells, cleaned",
    ("cli/main.py", "click.echo"): "our version",
    ("cli/commands/completion.py", "click.echo"): "a script of click's",
    ("cli/commands/demo.py", "sys.stdout.write"): "what a command of ours has said",
    ("handover.py", "os.write"): "the gateway, which loads no voice: one printable line",
}
SPEECH = re.compile(
    r"print|input|click\.(echo|secho|style|prompt|confirm|pause|edit|getchar|launch|progressbar|echo_via_pager)"
    r"|sys\.(__)?std(out|err)(__)?(\.buffer)?\.(write|writelines)|os\.write|getpass\.\w+|rich\.\w+"
)


def calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node


def test_words_leave_through_the_voice() -> None:
    found = {
        (str(path.relative_to(PACKAGE)), ast.unparse(one.func))
        for path in PACKAGE.rglob("*.py")
        for one in calls(path)
        if SPEECH.fullmatch(ast.unparse(one.func)) and one.args  # an empty line says nothing
    }
    files = {("log.py", "os.write"), ("store/files/attempts.py", "os.write")}  # into files of theirs
    assert found - files == set(SPEAKERS), "say it with session.voice, which cleans"


def test_only_paint_knows_rich_and_never_its_markup() -> None:
    knows = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "rich":
                knows.setdefault(str(path.relative_to(PACKAGE)), set()).update(one.name for one in node.names)
            if isinstance(node, ast.Import):
                assert not [one.name for one in node.names if one.name.partition(".")[0] == "rich"], path
    assert knows == {"cli/paint.py": {"Console", "Table", "Text"}}
    consoles = [one for one in calls(PACKAGE / "cli" / "paint.py") if ast.unparse(one.func) == "Console"]
    assert consoles
    for one in consoles:
        said = {word.arg: ast.unparse(word.value) for word in one.keywords}
        assert {name: said.get(name) for name in ("markup", "emoji", "highlight")} == dict.fromkeys(
            ("markup", "emoji", "highlight"), "False"
        )
    source = (PACKAGE / "cli" / "paint.py").read_text(encoding="utf-8")
    assert not re.search(r"from_markup|from_ansi|render_markup|\.markup|title=|caption=|link", source)


def test_rich_is_given_texts_only(shop: HostileShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `str` would be read as markup by a table, a title or a console that somebody makes another way."""
    given: list[object] = []

    def watched(real: Callable[..., object]) -> Callable[..., object]:
        def call(self: object, *what: object, **more: object) -> object:
            given.extend(what)
            return real(self, *what, **more)

        return call

    for owner, name in ((Table, "add_row"), (Table, "add_column"), (Console, "print")):
        monkeypatch.setattr(owner, name, watched(getattr(owner, name)))
    for line in (
        "",
        "inbox",
        "show 3",
        "list case",
        "rules explain 3",
        "sections --tree",
        "stats --by section --chart",
        "log",
    ):
        shop.run(line, columns=80)
    assert {type(one) for one in given} == {Text, Table}
