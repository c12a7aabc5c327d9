"""What a delivery says of itself: dry run, explain, why."""

from __future__ import annotations

from typing import Any

import pytest
from conversation import Letter, Talk

from crmmail.core import route as routing
from crmmail.store import tables


class TestRehearsal:
    @pytest.mark.parametrize(("to", "outcome"), [("support@crm.test", "stored"), ("jobs@crm.test", "quarantined")])
    def test_leaves_no_trace(self, talk: Talk, to: str, outcome: str) -> None:
        letter = talk.raw("ana@example.com", to, "Hello", "Words.", files=[("a.txt", b"A")])
        before = self.everything(talk)
        said = talk.cli("deliver --dry-run --json", input=letter)
        assert said.json[0]["outcome"] == outcome
        assert self.everything(talk) == before
        assert talk.cli("deliver --json", input=letter).json[0]["outcome"] == outcome

    def test_explains(self, talk: Talk) -> None:
        talk.mail("ana@example.com", subject="Printer")
        said = talk.cli(
            "deliver -n --explain",
            input=talk.raw("eve@evil.example", subject="Re: [1]", headers={"Precedence": "bulk"}),
        )
        assert said.code == 0
        assert said.out.splitlines() == [
            "stored in #2: a new case: written to support@crm.test [alias]",
            "    [1] in the subject is no evidence: the sender takes no part in record 1",
            "    machine mail: bulk",
        ]

    def everything(self, talk: Talk) -> dict[str, list[Any]]:
        with talk.open():
            return {table.__name__: list(table.select().tuples()) for table in tables.TABLES}


def test_deliver_takes_the_same_way_and_speaks(talk: Talk) -> None:
    raw = talk.raw("ana@example.com", "jobs@crm.test", "Hello")
    assert talk.cli("deliver", input=raw) == (0, "", "", b"")
    again = "duplicate as letter 1: the same letter is here already [duplicate]"
    assert talk.cli("deliver -v", input=raw).line == again
    empty = talk.cli("deliver", input=b"")
    assert (empty.code, empty.err) == (75, "crmmail: nothing came on standard input; the mail stays where it is\n")


def test_why_prints_what_was_stored_without_judging_anew(
    talk: Talk, case: Letter, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = talk.mail("ana@example.com", answers=case, subject="Re: [9] [1]", text="More.")
    monkeypatch.setattr(routing, "decide", lambda *facts: 1 / 0)
    assert talk.why(letter).splitlines() == [
        "2026-11-24T10:00:00Z  stored #1: an answer: it answers <m1@example.com>, and the sender takes part"
        " [reference]",
        "    reference: it answers <m1@example.com> → record 1",
        "    subject: [1] in the subject → record 1",
        "told: agent (follower) by inbox, unread",
    ]
    (decision,) = talk.cli(f"why {letter.message} --json").json["decisions"]
    assert (decision["outcome"], decision["reason"], decision["record"]) == ("stored", "reference", case.record)
