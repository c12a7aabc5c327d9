"""The house stands as it is drawn: who may import whom, and what a delivery loads (docs/architecture.md)."""

from __future__ import annotations

import ast
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "crmmail"

# A room is a folder or a file at the top of crmmail/.  Each floor may import the floors below it, and its own room.
GROUND = {"errors"}
CORE = {"core"}
EDGES = {"config", "secret", "store", "mail", "log", "render", "hooks", "spool", "handover"}
STAIR = {"workspace"}
PATHS = {"services"}
DOORS = {"mda", "server", "cli", "tui"}
FLOORS = (GROUND, CORE, EDGES, STAIR, PATHS, DOORS)
# The rooms of services/, and the same among them.
STOREYS = ("shared", "hearing", "sending", "automatic", "acts", "incoming", "desk", "keeping")
# And those of store/; `tables`, `fields` and `models` are the ground, as `engine` is.
CELLARS = ("engine", "files", "people", "letters", "work", "automatic", "history", "lists", "schema", "care")
BESIDE_THE_ENGINE = {"tables", "fields", "models"}
# Of the doors only `cli` may open the others; `server` speaks the words of `mda`, whose work it does.
BESIDES = {"cli": {"mda", "server", "tui"}, "tui": {"server"}, "server": {"mda"}}
# The doors talk to the services; the room that reads and writes MIME, and the two that act, are none of their business.
CLOSED = {door: {"mail", "render", "hooks"} for door in DOORS}

# Who alone may know what comes from outside.
ONLY = {
    **{name: {"store"} for name in ("peewee", "playhouse", "psycopg", "sqlite3")},
    **{name: {"cli", "tui"} for name in ("click", "rich")},
    "textual": {"tui"},
    "jinja2": {"render"},
    **{name: {"mail"} for name in ("mailparser", "email", "nh3", "resiliparse", "chardet", "smtplib", "imaplib")},
    "aiosmtpd": {"server"},
    "markdown_it": {"mail"},
}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py"))
NAMES = [str(path.relative_to(PACKAGE)) for path in FILES]


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


@cache
def nodes(path: Path) -> list[ast.AST]:
    """All that a file is made of."""
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of every import in a file, wherever in it; `from crmmail import log` is crmmail.log."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, one.name) for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the whole name of what is imported"
            if node.module == "crmmail":
                yield from ((node.lineno, f"crmmail.{one.name}") for one in node.names)
            elif node.module:
                yield node.lineno, node.module


def allowed(room: str) -> set[str]:
    """The rooms that this one may import."""
    below: set[str] = set()
    for floor in FLOORS:
        if room in floor:
            return (below | {room} | BESIDES.get(room, set())) - CLOSED.get(room, set())
        below |= floor
    raise AssertionError(f"crmmail/{room} is in no room of the house: add it to FLOORS here and to the picture")


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_file_imports_only_what_lies_below(path: Path) -> None:
    room = room_of(path)
    for line, module in imports(path):
        first, _, rest = module.partition(".")
        target = rest.partition(".")[0]
        if first != "crmmail" or target == "__version__":
            continue
        assert target in allowed(room), (
            f"{path.relative_to(ROOT)}:{line}: {room} must not import {module}. Move what it needs to a floor below, "
            f"or hand it in as an argument ({room} may import: {', '.join(sorted(allowed(room) - {room}))})"
        )


@pytest.mark.parametrize(("house", "storeys"), [("services", STOREYS), ("store", CELLARS)])
def test_within_a_house_nothing_leads_up(house: str, storeys: tuple[str, ...]) -> None:
    for path in FILES:
        _, *rooms = path.relative_to(PACKAGE).parts
        if room_of(path) != house or rooms[0] == "migrations":
            continue
        own = storey(rooms[0].removesuffix(".py"))
        assert own in storeys, f"put {path.name} into one of {house}/: {', '.join(storeys)}"
        for line, module in imports(path):
            if module.startswith(f"crmmail.{house}."):
                target = storey(module.split(".")[2])
                assert storeys.index(target) <= storeys.index(own), (
                    f"{path.relative_to(ROOT)}:{line}: {rooms[0]} must not import {module}"
                )


def storey(room: str) -> str:
    return "engine" if room in BESIDE_THE_ENGINE else room


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_what_comes_from_outside_stays_in_its_room(path: Path) -> None:
    room = room_of(path)
    for line, module in imports(path):
        first = module.partition(".")[0]
        assert room in ONLY.get(first, {room}), (
            f"{path.relative_to(ROOT)}:{line}: only {' and '.join(sorted(ONLY[first]))} may know {first}. "
            f"Let that room do the work, and pass plain values"
        )


@pytest.mark.parametrize(
    "path", [path for path in FILES if room_of(path) in ("core", "errors")], ids=lambda path: path.name
)
def test_the_ground_floor_needs_the_standard_library_only(path: Path) -> None:
    for line, module in imports(path):
        first = module.partition(".")[0]
        assert first in sys.stdlib_module_names or first in ("crmmail", "__future__", "_sha2"), (  # _sha2: Python 3.12
            f"{path.relative_to(ROOT)}:{line}: core may import the standard library only, not {module}"
        )


CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.monotonic"}
WORLD = {"os.environ", "os.getenv", "open", "input", "print", "os.getcwd", "socket.socket", "random.random"}


@pytest.mark.parametrize("path", [path for path in FILES if room_of(path) == "core"], ids=lambda path: path.name)
def test_core_has_no_clock_and_asks_nobody(path: Path) -> None:
    for node in nodes(path):
        if isinstance(node, ast.Call | ast.Attribute):
            named = ast.unparse(node.func if isinstance(node, ast.Call) else node)
            assert named not in CLOCKS | WORLD, (
                f"{path.relative_to(ROOT)}:{node.lineno}: core takes everything as arguments; hand in what {named} says"
            )


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_only_services_open_a_transaction(path: Path) -> None:
    room = room_of(path)
    for node in nodes(path):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            what = node.func.attr
            opens = what == "transaction" and path != PACKAGE / "store/engine/database.py"  # Store.transaction itself
            assert not opens or room == "services", (
                f"{path.relative_to(ROOT)}:{node.lineno}: only services open a transaction: one around one path. "
                f"Move the act into services/"
            )
            assert what != "atomic" or room == "store", (
                f"{path.relative_to(ROOT)}:{node.lineno}: call store.transaction(), which speaks our errors"
            )


def test_the_house_has_no_other_rooms() -> None:
    there = {room_of(path) for path in FILES}
    assert there <= set().union(*FLOORS), "add the new room to FLOORS here, and to docs/architecture.md"
    assert {"errors", "core", "config", "store", "mail", "log", "workspace", "services", "mda", "cli"} <= there


# --- what a delivery loads ----------------------------------------------------------------------------------

DELIVER = """
import sys
mails = sys.stdin.buffer.read().split(b"\\f\\n")
before = set(sys.modules)
from crmmail import mda
answers = [mda.run(sys.argv[1:], mail) for mail in mails]
modules = sorted({name for name, module in sys.modules.items() if module} - before)  # None: hidden
import json
print(json.dumps({"answers": answers, "modules": modules}))
"""
HEAVY = (
    "click", "rich", "jinja2", "textual", "crmmail.cli", "crmmail.render", "psycopg", "smtplib", "imaplib",
    # What each mail would pay for: peewee more than for the rest together, typing and hashlib a third of Python each.
    "peewee", "crmmail.store.models", "typing", "hashlib", "hmac", "base64", "unicodedata", "getopt", "signal",
    "socket", "tomllib", "email", "crmmail.core.text",
    # Of ours, what a shop without rules, SLAs and orders has no use for.
    "crmmail.core.rule", "crmmail.core.rulebook", "crmmail.core.plan", "crmmail.core.delay", "crmmail.core.amount",
    "crmmail.core.worktime", "crmmail.core.orders", "crmmail.services.automatic.rule_work",
    "crmmail.services.automatic.automail", "crmmail.core.failure", "crmmail.core.retry",
)  # fmt: skip
MAIL = b"""\
From: Ann <ann@customer.example>
To: %b@crm.example
Subject: =?utf-8?q?The_printer_burns?=
Message-ID: <%d@customer.example>
In-Reply-To: <%d@customer.example>
Date: Tue, 24 Nov 2026 10:00:00 +0000

Help!
"""


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Mails through crmmail.mda in a fresh interpreter: its answers, and the modules that it loaded."""
    from crmmail.services.keeping.offices import put_alias
    from crmmail.services.keeping.setup import FirstUser, init
    from crmmail.workspace import Choice, Workspace

    folder = tmp_path_factory.mktemp("house")
    choice = Choice(db=str(folder / "crm.db"))
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("CRMMAIL_", "XDG_"))}
    environ |= {"HOME": str(folder), "PYTHONPATH": str(ROOT)}
    init(choice, domains=["crm.example"], users=[FirstUser("boss", "boss@crm.example")], environ=environ)
    with Workspace(choice, environ) as workspace:
        put_alias(workspace, "sales@crm.example", add=True, kind="lead")
    mails = (MAIL % (b"nobody", 1, 0), MAIL % (b"sales", 2, 0), MAIL % (b"sales", 3, 2))
    done = subprocess.run(
        [sys.executable, "-c", DELIVER, "--db", str(choice.db), "-v"],
        input=b"\f\n".join(mails),
        capture_output=True,
        env=environ,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_the_mails_were_judged(delivery: dict[str, list[str]]) -> None:
    """One into quarantine, one makes a record, one answers it."""
    words = [f"{status} {said[0]}" for status, said in delivery["answers"]]
    assert "0 crmmail-mda: quarantined" in words[0] and "[no-route]" in words[0]
    assert "0 crmmail-mda: stored #1 (new)" in words[1] and "[alias]" in words[1]
    assert "0 crmmail-mda: stored #1: " in words[2]


@pytest.mark.parametrize("module", HEAVY)
def test_a_delivery_loads_nothing_that_it_does_not_need(delivery: dict[str, list[str]], module: str) -> None:
    assert "crmmail.services.incoming.deliver" in delivery["modules"]
    assert module not in delivery["modules"], (
        f"a delivery loads {module}: every mail pays for it. Import it inside the function that needs it, "
        f"and see who imports it with: python -X importtime -c 'import crmmail.mda'"
    )


def test_a_mail_that_is_handed_over_loads_next_to_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a server, what Python does at its start is nearly all that a mail pays for."""
    (tmp_path / "crm.db").touch()
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # the path of a socket may not be long
        server.bind("crm.db.serve")
        server.listen()
        environ = {**os.environ, "CRMMAIL_DB": "crm.db", "PYTHONPATH": str(ROOT)}
        start = [sys.executable, "-X", "importtime"]
        bare = subprocess.run([*start, "-c", "pass"], env=environ, capture_output=True, text=True, timeout=60)
        script = Path(sys.executable).parent / "crmmail-mda"
        door = subprocess.Popen([*start, str(script)], env=environ, stdin=-1, stderr=-1, text=True)
        assert door.stdin and door.stderr
        door.stdin.write((MAIL % (b"sales", 1, 0)).decode())
        door.stdin.close()
        client, _ = server.accept()
        with client:
            client.sendall(b"0 0\n")
            said = door.stderr.read()
        assert door.wait(60) == 0
    loaded = [{line.rpartition("|")[2].strip() for line in text.splitlines()} for text in (bare.stderr, said)]
    assert loaded[1] - loaded[0] <= {"crmmail", "crmmail.handover", "_socket"}
    assert "crmmail.handover" in loaded[1]


def test_no_files_import_each_other_in_a_circle() -> None:
    """Also not lazily, inside a function: a circle that is broken by time is a circle."""
    known = {".".join(("crmmail", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in FILES}
    arrows: dict[str, set[str]] = {}
    for name, path in known.items():
        found = {one for _, one in imports(path)}
        for node in nodes(path):
            if isinstance(node, ast.ImportFrom) and node.module:
                found |= {f"{node.module}.{one.name}" for one in node.names}
        arrows[name] = found & set(known) - {name}
    while free := [name for name, below in arrows.items() if not below & set(arrows)]:
        for name in free:
            del arrows[name]
    assert not arrows, f"a circle, or what hangs on one: {sorted(arrows)}"
