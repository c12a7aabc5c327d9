"""The house stands as it is drawn: who may import whom, and what a delivery loads (docs/architecture.md)."""

from __future__ import annotations

import ast
import json
import os
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
EDGES = {"config", "secret", "store", "mail", "log", "render", "hooks", "spool"}
STAIR = {"workspace"}
PATHS = {"services"}
DOORS = {"mda", "server", "cli", "tui"}
FLOORS = (GROUND, CORE, EDGES, STAIR, PATHS, DOORS)
# The rooms of services/, and the same among them.
STOREYS = ("shared", "hearing", "sending", "automatic", "acts", "incoming", "desk", "keeping")
BESIDES = {"cli": {"mda", "server", "tui"}, "tui": {"server"}}  # of the doors only `cli` may open the others
# The doors talk to the services; the room that reads and writes MIME, and the two that act, are none of their business.
CLOSED = {door: {"mail", "render", "hooks"} for door in DOORS}

# Who alone may know what comes from outside.
ONLY = {
    **{name: {"store"} for name in ("peewee", "playhouse", "psycopg")},
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


def test_of_the_paths_none_leads_up() -> None:
    for path in FILES:
        _, *rooms = path.relative_to(PACKAGE).parts
        if room_of(path) != "services":
            continue
        assert rooms[0] in STOREYS, f"put {path.name} into one of services/: {', '.join(STOREYS)}"
        for line, module in imports(path):
            if module.startswith("crmmail.services."):
                target = module.split(".")[2]
                assert STOREYS.index(target) <= STOREYS.index(rooms[0]), (
                    f"{path.relative_to(ROOT)}:{line}: {rooms[0]} must not import {module}"
                )


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
        assert first in sys.stdlib_module_names or first in ("crmmail", "__future__"), (
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
            assert what != "transaction" or room == "services", (
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
import json, sys
from crmmail import mda
status, said = mda.run(sys.argv[1:], sys.stdin.buffer.read())
print(json.dumps({"status": status, "said": said, "modules": sorted(sys.modules)}))
"""
HEAVY = (
    "click", "rich", "jinja2", "textual", "crmmail.cli", "crmmail.render", "psycopg", "smtplib", "imaplib",
    # Of ours, what a shop without rules, SLAs and orders has no use for.
    "crmmail.core.rule", "crmmail.core.rulebook", "crmmail.core.plan", "crmmail.core.delay", "crmmail.core.amount",
    "crmmail.core.worktime", "crmmail.core.orders", "crmmail.services.automatic.rule_work",
    "crmmail.services.automatic.automail", "crmmail.core.failure", "crmmail.core.retry",
)  # fmt: skip
MAIL = b"""\
From: Ann <ann@customer.example>
To: support@crm.example
Subject: =?utf-8?q?The_printer_burns?=
Message-ID: <1@customer.example>
Date: Tue, 24 Nov 2026 10:00:00 +0000

Help!
"""


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """One mail through crmmail.mda in a fresh interpreter: its answer, and the modules that it loaded."""
    from crmmail.services.keeping.setup import FirstUser, init
    from crmmail.workspace import Choice

    folder = tmp_path_factory.mktemp("house")
    place = str(folder / "crm.db")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("CRMMAIL_", "XDG_"))}
    environ |= {"HOME": str(folder), "PYTHONPATH": str(ROOT)}
    init(Choice(db=place), domains=["crm.example"], users=[FirstUser("boss", "boss@crm.example")], environ=environ)
    done = subprocess.run(
        [sys.executable, "-c", DELIVER, "--db", place, "--recipient=support@crm.example", "-v"],
        input=MAIL,
        capture_output=True,
        env=environ,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_the_mail_was_judged(delivery: dict[str, object]) -> None:
    assert delivery["status"] == 0
    assert "quarantined" in str(delivery["said"]) and "[no-route]" in str(delivery["said"])


@pytest.mark.parametrize("module", HEAVY)
def test_a_delivery_loads_nothing_that_it_does_not_need(delivery: dict[str, object], module: str) -> None:
    assert "crmmail.services.incoming.deliver" in delivery["modules"]  # type: ignore[operator]
    assert module not in delivery["modules"], (  # type: ignore[operator]
        f"a delivery loads {module}: every mail pays for it. Import it inside the function that needs it, "
        f"and see who imports it with: python -X importtime -c 'import crmmail.mda'"
    )


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
