"""What a checkout must hold: the licence, one version, the files people look for, an example that fetchmail reads."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from mailstack import APT_LINE
from servers import absent

import crmmail

ROOT = Path(__file__).resolve().parents[1]


def test_licence_is_mit() -> None:
    words = (ROOT / "LICENSE").read_text()
    assert words.startswith("MIT License\n")
    assert "The crmmail authors" in words
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"] == "MIT"


def test_one_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", crmmail.__version__)
    try:
        installed = metadata.version("crmmail")
    except metadata.PackageNotFoundError:
        pytest.skip("crmmail is not installed here; bin/test installs it")
    assert installed == crmmail.__version__


@pytest.mark.parametrize(
    "name",
    [
        *("README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "setup.cfg", "requirements.lock"),
        *("fetchmailrc.example", "bin/crmmail-mda", "bin/demo", "bin/test", ".ci/run", "docs", "templates", "tests"),
    ],
)
def test_is_there(name: str) -> None:
    assert (ROOT / name).exists()


@pytest.mark.parametrize("name", ["bin/crmmail-mda", "bin/demo", "bin/test", ".ci/run"])
def test_can_be_run(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)


@pytest.mark.parametrize("name", ["bin/_venv", "bin/demo", "bin/test"])
def test_shell_is_portable_enough_for_sh(name: str) -> None:
    assert subprocess.run(["sh", "-n", ROOT / name]).returncode == 0


def test_package_files_hold_a_docstring_and_nothing_else() -> None:
    for path in (ROOT / "crmmail").rglob("__init__.py"):
        body = ast.parse(path.read_text()).body
        code = [node for node in body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
        if path.parent == ROOT / "crmmail":
            assert [ast.unparse(node) for node in code] == [f"__version__ = {crmmail.__version__!r}"]
        else:
            assert code == [], path


def test_changelog_has_a_place_for_what_comes() -> None:
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text()


def test_lock_names_every_dependency_and_no_place_of_one_machine() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pinned = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["test"]
    assert {re.split(r"[^A-Za-z0-9-]", line)[0].lower() for line in wanted} <= pinned
    assert not re.search(r"index-url|find-links|trusted-host|://|^\s*#\s.*\s/|@ file", lock, re.MULTILINE)
    for block in re.split(r"\n(?=[a-z])", lock):
        assert block.startswith("#") or "--hash=sha256:" in block


def _dump(fetchmailrc: str, folder: Path) -> str:
    """What fetchmail understood, as it prints it."""
    if shutil.which("fetchmail") is None:
        absent(f"needs: {APT_LINE}")
    path = folder / "fetchmailrc"
    path.touch(0o600)
    path.write_text(fetchmailrc)
    done = subprocess.run(
        ["fetchmail", "-f", str(path), "--configdump"],
        env={**os.environ, "HOME": str(folder), "FETCHMAILHOME": str(folder), "LC_ALL": "C"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_fetchmail_reads_the_example(tmp_path: Path) -> None:
    dump = _dump((ROOT / "fetchmailrc.example").read_text(), tmp_path)
    # The dump is Python: a few constants, then one dictionary.
    dictionary = next(
        ast.unparse(node.value)
        for node in ast.parse(dump).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "fetchmailrc"
    )
    configuration = ast.literal_eval(dictionary.replace("TRUE", "True").replace("FALSE", "False"))
    modern, openerp = configuration["servers"]
    assert configuration["bouncemail"] is False
    assert (modern["protocol"], openerp["protocol"]) == ("IMAP", "POP3")
    assert [user["mda"] for server in (modern, openerp) for user in server["users"]] == [
        "/usr/local/bin/crmmail-mda --sender=%F --recipient=%T",
        "/path/to/crmmail-mda -u3 -padmin -ssupport -esupport@mycompany.com",
    ]
    assert modern["users"][0]["rewrite"] is False
    assert modern["users"][0]["localnames"] == ["support@mycompany.com"]


def test_wheel_holds_program_script_and_templates(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    build = "from hatchling.build import build_wheel; import sys; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
        scripts = [name for name in names if name.endswith(".data/scripts/crmmail-mda")]
        # pip puts the interpreter of the installation in place of this line.
        assert wheel.read(scripts[0]).startswith(b"#!python\n")
        entries = next(name for name in names if name.endswith("entry_points.txt"))
        assert b"crmmail = crmmail.cli.main:main" in wheel.read(entries)
    package = {str(path.relative_to(ROOT)) for path in (ROOT / "crmmail").rglob("*.py")}
    templates = {f"crmmail/{path.relative_to(ROOT)}" for path in (ROOT / "templates").rglob("*") if path.is_file()}
    assert package | templates <= names
