"""Behaviour §1: 0 or 75, and nothing lost: bugs, killers, limits, wrong lines, broken stores."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conversation import RECEIVED, Talk

from crmmail.core import route as routing


class TestWhatCannotBeJudged:
    def test_a_bug_of_ours_keeps_the_letter_whole(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        raw = talk.raw("ana@example.com", subject="Hello", text="Gr\xfc\xdfe").replace(b"\n", b"\r\n")
        with monkeypatch.context() as patch:
            patch.setattr(routing, "decide", lambda *facts: 1 / 0)
            letter = talk.post(raw)
            assert letter.fates == [("quarantined", "crashed")]
            assert talk.post(raw).fates == [("duplicate", "crashed")]
        assert talk.cli(f"quarantine show {letter.quarantine} --raw").bytes == raw
        (held,) = talk.cli("quarantine --json").json
        assert "ZeroDivisionError" in held["sentence"]
        assert "1 letter that crmmail could not judge (crashed)" in talk.cli("doctor").out

    def test_a_bug_while_filing_leaves_nothing_half_done(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        def burn(*_: Any, **__: Any) -> None:
            raise RuntimeError("paper jam")

        with monkeypatch.context() as patch:
            patch.setattr("crmmail.store.letters.messages.put_attachments", burn)
            assert talk.mail("ana@example.com", subject="Hello").fates == [("quarantined", "crashed")]
        assert (talk.all("case"), talk.inbox("agent"), talk.outbox()) == ([], [], [])

    def test_a_bug_while_reading(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            patch.setattr("crmmail.services.incoming.prepare.parse", lambda raw: 1 / 0)
            assert talk.mail("ana@example.com", subject="Hello").fates == [("quarantined", "unreadable")]

    def killed(self, talk: Talk, raw: bytes) -> None:
        """A delivery that the letter kills, in a process of its own."""
        code = (
            "import os, sys; from crmmail import mda; from crmmail.core import route\n"
            "route.decide = lambda *facts: os.kill(os.getpid(), 9)\n"
            "mda.run([], sys.stdin.buffer.read())"
        )
        assert subprocess.run([sys.executable, "-c", code], input=raw).returncode == -9

    def test_a_letter_that_killed_three_deliveries_is_not_judged_again(self, talk: Talk) -> None:
        raw = talk.raw("ana@example.com", subject="Deadly")
        for number in range(3):
            self.killed(talk, RECEIVED * number + raw)  # each redelivery has a new Received line
        marks = Path(f"{talk.db}.attempts")
        for mark in marks.iterdir():
            os.utime(mark, (0, 0))
        assert "cut off" in talk.do("doctor")
        dry = talk.cli("deliver --dry-run --json", input=raw).json
        assert dry[0]["reason"] == "cut-off"
        letter = talk.post(RECEIVED + raw)
        assert letter.fates == [("quarantined", "cut-off")]
        assert talk.cli(f"quarantine show {letter.quarantine} --raw").bytes == RECEIVED + raw
        assert talk.post(RECEIVED * 2 + raw).outcome == "duplicate"
        assert "cut off" not in talk.cli("doctor").out

    def test_twice_is_not_enough(self, talk: Talk) -> None:
        raw = talk.raw("ana@example.com", subject="Nearly deadly")
        for _ in range(2):
            self.killed(talk, raw)
        assert talk.post(raw).outcome == "stored"
        assert list(Path(f"{talk.db}.attempts").iterdir()) == []

    @pytest.mark.parametrize(
        ("reason", "make"),
        [
            ("too-large", lambda raw: raw + b"x" * 2_000_000),
            ("header-too-large", lambda raw: b"X-Long: " + b"x" * 300_000 + b"\n" + raw),
            ("too-many-headers", lambda raw: b"X-Many: y\n" * 1_001 + raw),
        ],
    )
    def test_over_a_limit_it_waits_whole(self, talk: Talk, reason: str, make: Callable[[bytes], bytes]) -> None:
        talk.environ(CRMMAIL_DELIVERY_MAX_SIZE="1000000")
        raw = make(talk.raw("ana@example.com", subject="Big"))
        letter = talk.post(raw)
        assert letter.fates == [("quarantined", reason)]
        assert talk.cli(f"quarantine show {letter.quarantine} --raw").bytes == raw
        assert talk.post(raw).outcome == "duplicate"


class TestTryAgain:
    """75: the mail stays where it is; the world is as it was."""

    def test_nothing_on_stdin(self, talk: Talk) -> None:
        assert talk.mda(b"") == (75, ["crmmail-mda: nothing came on standard input; the mail stays where it is"])

    @pytest.mark.parametrize(
        ("flags", "words"),
        [
            (["--db", "/nowhere/crm.db"], "no store at /nowhere/crm.db"),
            (["--config", "/nowhere.toml"], "no configuration file /nowhere.toml"),
            (["--nonsense"], "option --nonsense not recognized"),
            (["support"], "unexpected word 'support'"),
        ],
    )
    def test_a_wrong_line(self, talk: Talk, flags: list[str], words: str) -> None:
        code, (line,) = talk.mda(talk.raw("ana@example.com"), *flags)
        assert (code, words in line) == (75, True)

    def test_a_broken_setting(self, talk: Talk) -> None:
        talk.environ(CRMMAIL_LOOP_MINUTES="soon")
        code, (line,) = talk.mda(talk.raw("ana@example.com"))
        assert (code, "CRMMAIL_LOOP_MINUTES" in line) == (75, True)

    def test_a_store_that_is_none(self, talk: Talk) -> None:
        talk.db.write_bytes(b"This is no database at all." * 100)
        assert talk.mda(talk.raw("ana@example.com"))[0] == 75

    def test_nobody_is_lost_when_the_log_cannot_be_written(self, talk: Talk) -> None:
        talk.environ(CRMMAIL_LOG_FILE="/proc/nowhere/log")
        assert talk.mail("ana@example.com", subject="Hello").outcome == "stored"
