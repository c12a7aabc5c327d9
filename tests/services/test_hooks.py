"""Hooks: programs of the shop's that rules call; run after the commit, in their bounds, and tried again."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from conversation import Talk

from crmmail import hooks as shop_hooks
from crmmail.services.automatic import hooks
from crmmail.store import tables
from crmmail.store.automatic import rules


@pytest.fixture
def folder(talk: Talk) -> Path:
    talk.mail("Ana <ana@example.com>", subject="Printer broken", text="It smokes.")
    place = talk.home / ".config" / "crmmail" / "hooks"
    place.mkdir(parents=True, mode=0o755)
    return place


def program(folder: Path, name: str, script: str, mode: int = 0o755) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(mode)
    return path


def queue(talk: Talk, name: str) -> int:
    with talk.open() as workspace, workspace.store.transaction():
        rule = rules.put_rule(None, name=f"Tell {name}", spec={}, changed=workspace.now())
        return hooks.queue(workspace, 1, rule, name, f"rule Tell {name}: hook {name}")


def call(talk: Talk, number: int) -> tables.HookCall:
    with talk.open():
        return tables.HookCall.get_by_id(number)


class TestRun:
    def test_gets_json_and_a_small_world(self, folder: Path) -> None:
        program(folder, "hook", "cat > seen.json; env | sort > env.txt; pwd; echo second")
        ok, words = shop_hooks.run(str(folder), "hook", {"event": "rule", "what": "ключ"}, 10)
        assert (ok, words) == (True, str(folder))
        assert json.loads((folder / "seen.json").read_text()) == {"event": "rule", "what": "ключ"}
        names = {line.partition("=")[0] for line in (folder / "env.txt").read_text().splitlines()}
        assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "LANG", "HOME"}

    @pytest.mark.parametrize(
        ("script", "words"),
        [
            ("echo no such order; exit 3", "hook ended with 3: no such order"),
            ("echo 'a\033[31mb' >&2; exit 1", "hook ended with 1: a�[31mb"),
            ("kill -TERM $$", "hook was ended by signal 15"),
            ("exit 7", "hook ended with 7"),
        ],
    )
    def test_says_what_went_wrong(self, folder: Path, script: str, words: str) -> None:
        program(folder, "hook", script)
        assert shop_hooks.run(str(folder), "hook", {}, 10) == (False, words)

    def test_is_ended_after_its_time_with_all_that_it_started(self, folder: Path) -> None:
        program(folder, "hook", "sleep 60 & echo $! > child; sleep 60")
        begun = time.monotonic()
        assert shop_hooks.run(str(folder), "hook", {}, 0.5) == (False, "hook did not end within 0.5 s")
        assert time.monotonic() - begun < 10
        child = (folder / "child").read_text().strip()
        state = subprocess.run(["ps", "-o", "stat=", "-p", child], capture_output=True, text=True).stdout.strip()
        assert state in ("", "Z")

    def test_output_without_end_is_not_kept(self, folder: Path) -> None:
        program(folder, "hook", "echo first; head -c 3000000 /dev/zero; exit 0")
        assert shop_hooks.run(str(folder), "hook", {}, 20) == (True, "first")

    def test_a_program_that_reads_nothing_is_fine(self, folder: Path) -> None:
        program(folder, "hook", "exit 0")
        assert shop_hooks.run(str(folder), "hook", {"text": "x" * 1_000_000}, 10) == (True, "")

    @pytest.mark.parametrize(
        "name",
        ["../hook", "/bin/true", ".hidden", "", "..", "a/b", "a\0b", "-rf", "a\nb", "a\x1b[2J", "a\u202e", "a\ud800"],
    )
    def test_only_bare_names(self, folder: Path, name: str) -> None:
        ok, words = shop_hooks.run(str(folder), name, {}, 10)
        assert not ok and "is no bare file name" in words and words.isprintable()
        if "/" not in name and "\0" not in name and name.strip("."):
            path = os.fsencode(folder) + b"/" + name.encode("utf-8", "surrogatepass")
            with open(path, "w") as file:
                file.write("#!/bin/sh\n")
            os.chmod(path, 0o755)
            assert shop_hooks.programs(str(folder)) == []

    def test_a_name_needs_no_shell(self, folder: Path) -> None:
        for name in ("two words", "$(touch owned)", "; touch owned", "a'b\"c", "*", "naïve"):
            program(folder, name, 'echo "$0|$#"')
            assert shop_hooks.run(str(folder), name, {}, 10) == (True, f"{folder}/{name}|0")
        assert not (folder / "owned").exists()

    def test_the_folder_is_the_same_wherever_one_stands(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        program(folder, "hook", "exit 0")
        monkeypatch.chdir(folder.parent)
        assert shop_hooks.run("hooks", "hook", {}, 10)[1].startswith("hooks is no absolute path")

    def test_inherits_no_file_of_ours(self, folder: Path, tmp_path: Path) -> None:
        program(folder, "hook", "ls /proc/self/fd | tr '\\n' ' '")
        with open(tmp_path / "ours", "w") as ours:
            os.set_inheritable(ours.fileno(), True)
            ok, words = shop_hooks.run(str(folder), "hook", {}, 10)
        assert ok and words.split()[:3] == ["0", "1", "2"] and len(words.split()) == 4  # the last is of ls itself

    def test_leaves_no_file_open(self, folder: Path) -> None:
        program(folder, "hook", "echo said; exit 1")
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            shop_hooks.run(str(folder), "hook", {}, 10)
        assert len(os.listdir("/proc/self/fd")) <= before

    def test_what_cannot_be_ended_is_not_waited_for(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A program that became another user's (sudo) does not hear us."""

        def refused(group: int, number: int) -> None:
            raise PermissionError

        program(folder, "hook", "echo $$ > pid; exec sleep 60")
        monkeypatch.setattr(os, "killpg", refused)
        monkeypatch.setattr(shop_hooks, "MOMENT", 0.2)
        begun = time.monotonic()
        assert shop_hooks.run(str(folder), "hook", {}, 1) == (False, "hook did not end within 1 s")
        assert time.monotonic() - begun < 30
        os.kill(int((folder / "pid").read_text()), 9)

    def test_words_that_are_no_text_are_json(self, folder: Path) -> None:
        program(folder, "hook", "cat > seen.json")
        assert shop_hooks.run(str(folder), "hook", {"title": "half \ud800 \x1b[2J \n"}, 10) == (True, "")
        assert json.loads((folder / "seen.json").read_text()) == {"title": "half ? \x1b[2J \n"}

    def test_what_is_not_run(self, folder: Path) -> None:
        program(folder, "plain", "exit 0", 0o644)
        program(folder, "open", "exit 0", 0o777)
        (folder / "linked").symlink_to("/bin/true")
        (folder / "inner").mkdir()
        for name, why in {
            "plain": "cannot be executed", "open": "others may write to", "linked": "no regular file",
            "inner": "no regular file", "nothing": "No such file",
        }.items():  # fmt: skip
            ok, words = shop_hooks.run(str(folder), name, {}, 10)
            assert not ok and why in words, name
        assert shop_hooks.programs(str(folder)) == []
        program(folder, "good", "exit 0")
        assert shop_hooks.programs(str(folder)) == ["good"]
        os.chmod(folder, 0o777)
        assert shop_hooks.programs(str(folder)) == []
        assert shop_hooks.programs(str(folder / "none")) == []


class TestQueue:
    def test_runs_with_the_next_tick_and_once(self, talk: Talk, folder: Path) -> None:
        program(folder, "erp", "cat >> seen; echo; echo done")
        number = queue(talk, "erp")
        assert call(talk, number).state == "queued"
        assert not (folder / "seen").exists()
        for _ in range(2):
            talk.do("tick")
        said = json.loads((folder / "seen").read_text())
        assert (said["event"], said["rule"], said["what"]) == ("rule", "Tell erp", "rule Tell erp: hook erp")
        record = talk.show(1)["record"]
        assert said["record"] == {key: record[key] for key in said["record"]}
        assert said["record"]["title"] == "Printer broken" and said["record"]["created"] == "2026-11-24T10:00:00Z"
        assert set(record) - set(said["record"]) == {
            "author", "company", "lang", "addresses", "bad_addresses", "address", "contacts", "buttons", "envelope",
            "held", "moved_to", "related",
        }  # fmt: skip
        assert call(talk, number).state == "done"

    def test_a_rule_may_come_before_its_program(self, talk: Talk, folder: Path, tmp_path: Path) -> None:
        said = talk.cli("rules add Tell --state-to open --hook erp")
        assert (said.code, said.out.startswith("rule 1 Tell: ")) == (0, True)
        missing = f"its hook cannot run yet: {folder}/erp: No such file or directory\n"
        assert said.err == f"crmmail: rule Tell is kept, but {missing}"
        assert talk.cli("rules edit Tell --set-priority high").err.endswith(missing)
        (tmp_path / "rules.toml").write_text('[[rule]]\nname = "New"\nhook = "erp"\n')
        assert talk.cli(f"rules load {tmp_path}/rules.toml --dry-run").err == ""
        assert talk.cli(f"rules load {tmp_path}/rules.toml").err == f"crmmail: rule New is kept, but {missing}"
        program(folder, "erp", "exit 0")
        assert talk.cli("rules edit Tell --set-priority low").err == ""

    def test_the_folder_is_a_setting(self, talk: Talk, folder: Path) -> None:
        other = talk.home / "programs"
        other.mkdir(mode=0o755)
        program(other, "erp", "touch ran")
        talk.do(f"config set hooks.folder {other}")
        queue(talk, "erp")
        talk.do("tick")
        assert (other / "ran").exists()
        with talk.open() as workspace:
            assert hooks.programs(workspace) == ["erp"]

    def test_is_tried_again_and_given_up(self, talk: Talk, folder: Path) -> None:
        program(folder, "erp", "echo x >> tries; echo busy; exit 1")
        number = queue(talk, "erp")
        for tries in range(1, hooks.TRIES):
            assert talk.do("tick") == ""  # cron hears nothing while there is hope
            assert (call(talk, number).state, call(talk, number).attempts) == ("queued", tries)
            talk.do("tick")  # not due
            assert call(talk, number).attempts == tries
            talk.wait(hours=4)
        said = talk.cli("tick")
        assert (said.code, said.err) == (1, "crmmail: hook erp for #1: erp ended with 1: busy (given up)\n")
        assert (call(talk, number).state, call(talk, number).reason) == ("failed", "erp ended with 1: busy")
        assert (folder / "tries").read_text().count("x") == hooks.TRIES
        assert talk.system(1)[-1] == "hook erp failed 4 times: erp ended with 1: busy"
        assert talk.cli("tick").code == 0

    def test_a_success_after_a_failure(self, talk: Talk, folder: Path) -> None:
        program(folder, "erp", "exit 1")
        number = queue(talk, "erp")
        talk.do("tick")
        program(folder, "erp", "exit 0")
        talk.wait(hours=1)
        talk.do("tick")
        assert call(talk, number).state == "done"

    def test_a_call_whose_worker_was_killed_is_taken_again(self, talk: Talk, folder: Path) -> None:
        program(folder, "erp", "exit 0")
        number = queue(talk, "erp")
        with talk.open() as workspace:
            assert hooks._claim(workspace, 30) is not None
            assert hooks._claim(workspace, 30) is None  # nobody else runs it meanwhile
        talk.wait(minutes=2)
        talk.do("tick")
        assert (call(talk, number).state, call(talk, number).attempts) == ("done", 2)

    def test_no_transaction_is_open_while_it_runs(self, talk: Talk, folder: Path) -> None:
        program(folder, "erp", "exit 0")
        queue(talk, "erp")
        seen = []

        def look(*_: object) -> tuple[bool, str]:
            seen.append(tables.database.in_transaction())
            return True, ""

        with talk.open() as workspace, pytest.MonkeyPatch.context() as patch:
            patch.setattr(shop_hooks, "run", look)
            assert hooks.run_due(workspace) == []
        assert seen == [False]

    def test_doctor_says_so(self, talk: Talk, folder: Path) -> None:
        number = queue(talk, "erp")
        talk.wait(hours=1)
        said = talk.cli("doctor")
        assert "a hook has been due since 2026-11-24 10:00 and nobody runs it" in said.out
        for _ in range(hooks.TRIES):
            talk.cli("tick")
            talk.wait(hours=4)
        assert call(talk, number).state == "failed"
        said = talk.cli("doctor")
        assert "No such file or directory" in said.out and "hooks" in said.out
        talk.wait(days=8)
        assert "hooks" not in talk.cli("doctor").out
