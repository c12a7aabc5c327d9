"""The editor is a real program on a real terminal: what it is called with, and what becomes of how it ends."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crmmail.cli import editor
from crmmail.errors import UsageError

ROOT = Path(__file__).parents[2]
EDIT = """
import os, sys
from crmmail.cli import editor
from crmmail.errors import CrmmailError
try:
    editor.edit(sys.argv[1], os.environ)
except CrmmailError as error:
    sys.stderr.write(str(error))
    sys.exit(error.exit_code)
"""


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    path = tmp_path / "-draft of mine.txt"
    path.write_text("the draft\n")
    return path


@pytest.fixture
def terminal() -> Iterator[int]:
    ours, theirs = pty.openpty()
    yield theirs
    os.close(theirs)
    os.close(ours)


def script(folder: Path, words: str, name: str = "ed") -> Path:
    """An editor of ours."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{words}\n")
    path.chmod(0o700)
    return path


def start(draft: Path, terminal: int, **environ: str) -> subprocess.Popen[str]:
    own = {name: value for name, value in os.environ.items() if name not in ("VISUAL", "EDITOR")}
    return subprocess.Popen(
        [sys.executable, "-c", EDIT, draft.name],
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE,
        text=True,
        cwd=draft.parent,
        env={**own, "PYTHONPATH": str(ROOT), **environ},
        start_new_session=True,
    )


def edit(draft: Path, terminal: int, **environ: str) -> tuple[int, str]:
    """Exit code, and what was complained of."""
    process = start(draft, terminal, **environ)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def test_it_edits_the_file_in_place(draft: Path, terminal: int, tmp_path: Path) -> None:
    ours = script(tmp_path, 'test -t 0 && test -t 1 && printf "%s|" "$@" >args && echo more >>"$2"')
    assert edit(draft, terminal, EDITOR=f"'{ours}' --wait") == (0, "")
    assert draft.read_text() == "the draft\nmore\n"
    assert (tmp_path / "args").read_text() == f"--wait|{draft}|"  # whole, and never an option


@pytest.mark.parametrize(
    ("name", "link", "line"),
    [
        ("vi", "", "+5"),
        ("nano", "", "+5"),
        ("micro", "", "+5"),
        ("sensible-editor", "", "+5"),
        ("vim.basic", "editor", "+5"),
        ("emacs-nox", "emacs", "+5"),
        ("busybox", "vi", "+5"),
        ("ed", "", ""),
        ("mcedit", "editor", ""),
        ("subl", "", ""),
    ],
)
def test_it_begins_where_the_words_do(
    draft: Path, terminal: int, tmp_path: Path, name: str, link: str, line: str
) -> None:
    draft.write_text("Record: 1\nVerb: reply\nTo:\n\n\n")
    ours = script(tmp_path, f'printf "%s|" "$@" >{tmp_path}/args', name)
    if link:
        (tmp_path / link).symlink_to(ours)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "EDITOR": f"{link or name} -x"}
    assert edit(draft, terminal, **environ) == (0, "")
    assert (tmp_path / "args").read_text() == f"-x|{f'{line}|' if line else ''}{draft}|"


def test_no_shell_reads_the_variable(draft: Path, terminal: int, tmp_path: Path) -> None:
    ours = script(tmp_path, 'printf "%s|" "$@" >args')
    edit(draft, terminal, EDITOR=f"{ours} $HOME;touch `x` '; touch y' >z")
    assert (tmp_path / "args").read_text() == f"$HOME;touch|`x`|; touch y|>z|{draft}|"
    assert not (tmp_path / "y").exists()


def test_one_that_ends_badly_leaves_the_words(draft: Path, terminal: int, tmp_path: Path) -> None:
    failing = script(tmp_path, 'echo more >>"$1"; exit 3')
    assert edit(draft, terminal, VISUAL=str(failing)) == (
        1, f"the editor {failing} ended with 3",
    )  # fmt: skip
    killed = script(tmp_path, "kill -9 $$", "killed")
    assert edit(draft, terminal, VISUAL=str(killed))[1] == f"the editor {killed} was stopped by signal 9"
    assert draft.read_text() == "the draft\nmore\n"


def test_one_that_cannot_be_started(draft: Path, terminal: int, tmp_path: Path) -> None:
    code, said = edit(draft, terminal, EDITOR="no-such-editor -w")
    assert (code, said) == (
        1,
        "the editor no-such-editor cannot be started (No such file or directory): set $EDITOR",
    )
    (tmp_path / "plain").write_text("no program")
    assert "cannot be started (Permission denied)" in edit(draft, terminal, EDITOR=str(tmp_path / "plain"))[1]
    assert edit(draft, terminal, EDITOR="ed '") == (
        1, "$EDITOR is \"ed '\": a quote in it is not closed",
    )  # fmt: skip


def test_none_on_the_machine(draft: Path, terminal: int, tmp_path: Path) -> None:
    assert edit(draft, terminal, PATH=str(tmp_path)) == (1, "there is no editor on this machine: set $EDITOR")


def test_an_interrupt_is_the_editors(draft: Path, terminal: int, tmp_path: Path) -> None:
    ours = script(
        tmp_path, 'trap "echo interrupted >>\\"$1\\"" INT; touch ready; while ! test -e go; do sleep 0.1; done'
    )
    process = start(draft, terminal, EDITOR=str(ours))
    deadline = time.monotonic() + 30
    while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as the terminal does at ^C: to us and to the editor
    time.sleep(0.3)
    assert process.poll() is None
    (tmp_path / "go").touch()
    assert process.communicate(timeout=60) == (None, "")
    assert process.returncode == 0
    assert draft.read_text() == "the draft\ninterrupted\n"


def test_a_terminal_that_dies_loses_nothing(draft: Path, terminal: int, tmp_path: Path) -> None:
    ours = script(tmp_path, 'echo saved >>"$1"; touch ready; sleep 60')
    process = start(draft, terminal, EDITOR=str(ours))
    deadline = time.monotonic() + 30
    while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGHUP)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == -signal.SIGHUP
    assert draft.read_text() == "the draft\nsaved\n"


def test_nobody_at_a_terminal(draft: Path) -> None:
    with pytest.raises(UsageError, match=r"^an editor needs a terminal: .* -m"):
        editor.edit(str(draft), {"EDITOR": "true"})


def test_which_editor(tmp_path: Path) -> None:
    for name in ("nano", "vi"):
        script(tmp_path, "", name)
    path = str(tmp_path)
    assert editor.command({"PATH": path}) == ["vi"]
    assert editor.command({"PATH": path, "EDITOR": "ed -s"}) == ["ed", "-s"]
    assert editor.command({"PATH": path, "EDITOR": "ed", "VISUAL": "code --wait"}) == ["code", "--wait"]
    assert editor.command({"PATH": path, "EDITOR": " ", "VISUAL": ""}) == ["vi"]
    script(tmp_path, "", "sensible-editor")
    assert editor.command({"PATH": path}) == ["sensible-editor"]
    assert editor.command({"PATH": str(tmp_path / "none")}) == []
    with pytest.raises(ValueError, match=r"\$VISUAL is"):
        editor.command({"VISUAL": '"'})
