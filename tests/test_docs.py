"""The documents cannot go stale: every command stands in the README, every feature names a test that exists."""

from __future__ import annotations

import ast
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
LINE = re.compile(r"\| (F\d{1,3}) \| (.+?) \| (.+?) \| `(tests/[\w/]+\.py)::(\w+)` \|")
ROWS = [LINE.fullmatch(line) for line in FEATURES.splitlines() if line.startswith("| F")]


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
    broken = [line for line in FEATURES.splitlines() if line.startswith("| F") and not LINE.fullmatch(line)]
    assert not broken


def test_every_feature_names_a_test_that_exists() -> None:
    missing = [f"{row[1]}: {row[4]}::{row[5]}" for row in ROWS if row and row[5] not in named_in(row[4])]
    assert not missing


def test_features_are_numbered_once_and_in_order() -> None:
    numbers = [int(row[1][1:]) for row in ROWS if row]
    assert numbers == sorted(set(numbers))


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
