"""The documents cannot go stale: every command stands in the README, every feature names a test that exists."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest
from settings_page import page

from crmmail.cli.main import COMMANDS, HIDDEN
from crmmail.config import HELP, KEYS, Config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
FEATURES = (ROOT / "docs" / "features.md").read_text()
SAFETY = (ROOT / "docs" / "safety.md").read_text()
LINE = re.compile(r"\| ([FN]\d{1,3}) \| (.+?) \| (.+?) \| `(tests/[\w/]+\.py)::(\w+)` \|")
ROWS = [LINE.fullmatch(line) for line in FEATURES.splitlines() if line.startswith(("| F", "| N"))]


@pytest.mark.parametrize("name", [row.name for row in COMMANDS.values() if row.theme != HIDDEN])
def test_every_command_stands_in_the_readme(name: str) -> None:
    assert re.search(rf"`[^`\n]*\b{re.escape(name)}\b[^`\n]*`", README), f"README.md does not mention `{name}`"


def test_every_setting_has_its_help() -> None:
    assert set(HELP) == set(Config._fields) == set(KEYS.values())


def test_the_page_of_settings_is_what_the_program_knows() -> None:
    said = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert said == page(), "run: python tests/settings_page.py > docs/settings.md"


def test_every_feature_line_is_whole() -> None:
    assert len(ROWS) > 100
    broken = [line for line in FEATURES.splitlines() if line.startswith(("| F", "| N")) and not LINE.fullmatch(line)]
    assert not broken


def test_every_feature_names_a_test_that_exists() -> None:
    missing = [f"{row[1]}: {row[4]}::{row[5]}" for row in ROWS if row and row[5] not in named_in(row[4])]
    assert not missing


def test_features_are_numbered_once_and_in_order() -> None:
    for letter in "FN":
        numbers = [int(row[1][1:]) for row in ROWS if row and row[1].startswith(letter)]
        assert numbers and numbers == sorted(set(numbers))


def test_features_name_commands_that_exist() -> None:
    unknown = [
        f"{row[1]}: {words}"
        for row in ROWS
        if row
        for words in re.findall(r"`crmmail ([\w-]+)", row[3])
        if words not in COMMANDS
    ]
    assert not unknown


def test_every_threat_has_its_row_and_tests_that_exist() -> None:
    rows = [line.split(" | ") for line in SAFETY.splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(row[0].removeprefix("| ")) for row in rows] == list(range(1, 21))
    for number, _, promise, tests in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", tests)
        missing = [f"{path}::{name}" for path, name in named if name not in named_in(path)]
        assert promise and named and not missing, (number, missing)


# --- where things are ---------------------------------------------------------------------------------------

PACKAGE = ROOT / "crmmail"
ROOMS = ("services", "store", "core", "mail")
PLACE = re.compile(rf"`((?:{'|'.join(ROOMS)})[./][\w./]+)(?:\(\))?`")
PAGES = ("docs/architecture.md", "docs/path-of-a-mail.md")
SOURCES = [*PAGES, *(str(path.relative_to(ROOT)) for path in sorted(PACKAGE.rglob("*.py")))]


def is_there(place: str) -> bool:
    """Is a room, a file, or what stands in a file (`core.record.KINDS`) where it is said to be?"""
    at = PACKAGE
    parts = place.removesuffix(".py").replace("/", ".").strip(".").split(".")
    for number, part in enumerate(parts):
        if (at / part).is_dir():
            at = at / part
            continue
        file = at / f"{part}.py"
        return file.exists() and all(re.search(rf"\b{one}\b", file.read_text()) for one in parts[number + 1 :])
    return True


def told(source: str) -> list[str]:
    """The texts of a page, or the docstrings of a file."""
    words = (ROOT / source).read_text()
    if not source.endswith(".py"):
        return [words]
    nodes = ast.walk(ast.parse(words))
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef
    return [ast.get_docstring(node, clean=False) or "" for node in nodes if isinstance(node, kinds)]


def test_what_is_said_to_be_somewhere_is_there() -> None:
    said = [(source, place) for source in SOURCES for words in told(source) for place in PLACE.findall(words)]
    assert {source for source, _ in said} > set(PAGES)
    assert not [one for one in said if one[1] not in KEYS and not is_there(one[1])]


def test_file_names_of_the_pages_are_whole() -> None:
    named = [(page, name) for page in PAGES for name in re.findall(r"`([\w./-]+\.py)`", (ROOT / page).read_text())]
    assert named
    assert not [one for one in named if not (PACKAGE / one[1]).exists() and not (ROOT / one[1]).exists()]


@pytest.mark.parametrize("hall", ["", "services/", "store/"])
def test_every_file_of_a_room_stands_in_its_row(hall: str) -> None:
    head = f"| room of `{hall}` |" if hall else "| room |"
    _, _, table = (ROOT / PAGES[0]).read_text().partition(head)
    rows = dict(re.findall(r"^\| `(\w+)/` (\|.*)", table.partition("\n\n")[0], re.M))
    rooms = [PACKAGE / name for name in ROOMS[1:]] if not hall else sorted((PACKAGE / hall).glob("[a-z]*/"))
    for room in rooms:
        missing = {path.stem for path in room.glob("[a-z]*.py")} - set(re.findall(r"`(\w+)`", rows.get(room.name, "")))
        assert not missing, (room, missing)


@functools.cache
def named_in(path: str) -> set[str]:
    """The names of its test functions, and of the classes that hold some."""
    file = ROOT / path
    if not file.exists():
        return set()
    return {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name.startswith(("test_", "Test"))
    }
