"""Behaviour §2 and §5: what proves a user, and what an answer does to a case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conversation import OURS, Letter, Talk


class TestAProvenUser:
    @pytest.fixture(autouse=True)
    def trusted(self, talk: Talk) -> None:
        talk.do(f"config set mail.trusted_authserv_id {OURS}")

    def closes(self, talk: Talk, case: Letter, *results: str) -> bool:
        raw = talk.raw("agent@crm.test", answers=case, text="Done.")
        head = "".join(f"Authentication-Results: {one}\n" for one in results).encode()
        talk.post(head + raw)
        return talk.state(case.record) == "done"

    @pytest.mark.parametrize(
        "result",
        [
            "dmarc=pass header.from=crm.test",
            "dkim=pass header.d=crm.test",
            "dkim=pass header.i=@crm.test; dmarc=none",
            "auth=pass smtp.auth=agent@crm.test",
        ],
    )
    def test_by_our_own_hosts_word(self, talk: Talk, case: Letter, result: str) -> None:
        assert self.closes(talk, case, f"{OURS}; spf=pass; {result}")

    @pytest.mark.parametrize(
        "results",
        [
            ["mx.evil.example; dmarc=pass"],
            ["mx.evil.example; dmarc=none", f"{OURS}; dmarc=pass"],  # only the topmost is ours
            [f"{OURS}; dmarc=fail"],
            [f"{OURS}; dkim=pass header.d=evil.example"],  # not aligned
            [f"{OURS}; auth=pass smtp.auth=bob@crm.test"],
            [f"{OURS}; spf=pass smtp.mailfrom=agent@crm.test"],
            [f"{OURS} (dmarc=pass); spf=none"],
        ],
    )
    def test_by_nothing_else(self, talk: Talk, case: Letter, results: list[str]) -> None:
        assert not self.closes(talk, case, *results)
        assert talk.sent[-1].outcome == "unconfirmed"

    def test_by_his_notification_not_by_another_users(self, talk: Talk, case: Letter) -> None:
        talk.do("users set agent --notify both")
        talk.do("users add bob --email bob@crm.test")
        talk.mail("ana@example.com", answers=case, text="Well?")
        notice = talk.notice("agent", case.record or 0)
        by_bob = talk.mail("bob@crm.test", answers=notice, text="I am Bob.")
        assert by_bob.record == case.record  # whoever has the token may answer, as himself only
        assert "user proven" not in by_bob.evidence
        assert talk.state(case.record) == "draft"
        by_agent = talk.mail("agent@crm.test", answers=notice, text="I am agent.")
        assert "user proven: answers a notification that was made for this user" in by_agent.evidence
        assert talk.state(case.record) == "done"

    def test_writes_as_himself_and_follows(self, talk: Talk, case: Letter) -> None:
        talk.do(f"unfollow {case.record}", user="agent")
        talk.quiet()
        self.closes(talk, case, f"{OURS}; dmarc=pass")
        assert talk.show(case.record)["messages"][2]["author"] == "agent"
        assert talk.followers(case.record) == ["agent"]
        assert talk.inbox("agent") == []  # nobody is told of his own words

    def test_starts_a_case_for_the_customer_he_names_first(self, talk: Talk) -> None:
        letter = talk.mail(
            "agent@crm.test",
            "support@crm.test, boss@crm.test, Bea <bea@other.example>",
            "Call back",
            headers={"Authentication-Results": f"{OURS}; dmarc=pass"},
        )
        made = talk.show(letter.record)["record"]
        assert (made["email"], made["partner_name"], made["author"]) == ("bea@other.example", "Bea", "agent")

    def test_a_forged_user_may_write_a_new_letter_and_is_nobody(self, talk: Talk) -> None:
        letter = talk.mail("agent@crm.test", subject="From outside")
        assert talk.field(letter.record, "author") is None


@pytest.mark.parametrize(
    ("policy", "states"),
    [
        ("open", {"draft": "draft", "open": "open", "pending": "open", "done": "open", "cancel": "cancel"}),
        ("close", {"draft": "done", "open": "done", "pending": "done", "done": "done", "cancel": "cancel"}),
        ("keep", {"draft": "draft", "open": "open", "pending": "pending", "done": "done", "cancel": "cancel"}),
    ],
)
def test_a_partners_answer(talk: Talk, case: Letter, policy: str, states: dict[str, str]) -> None:
    talk.do(f"sections set support --on-partner-reply {policy}")
    assert after(talk, case, states, lambda: talk.mail("ana@example.com", answers=case, text=talk.clock.isoformat()))


@pytest.mark.parametrize(
    ("policy", "states"),
    [
        ("close", {"draft": "done", "open": "done", "pending": "done", "done": "done", "cancel": "cancel"}),
        ("pending", {"draft": "pending", "open": "pending", "pending": "pending", "cancel": "cancel"}),
        ("keep", {"draft": "draft", "open": "open", "pending": "pending", "done": "done", "cancel": "cancel"}),
    ],
)
def test_a_users_answer(talk: Talk, case: Letter, policy: str, states: dict[str, str]) -> None:
    talk.do(f"sections set support --on-user-reply {policy}")
    talk.do(f"config set mail.trusted_authserv_id {OURS}")
    head = {"Authentication-Results": f"{OURS}; dmarc=pass"}
    assert after(
        talk,
        case,
        states,
        lambda: talk.mail("agent@crm.test", answers=case, text=talk.clock.isoformat(), headers=head),
    )


BUTTONS = {"draft": "reset", "open": "open", "pending": "pending", "done": "close", "cancel": "cancel"}


def after(talk: Talk, case: Letter, states: dict[str, str], answer: Callable[[], Any]) -> bool:
    """Does an answer in each state lead where the table says?"""
    found = {}
    for state in states:
        if talk.state(case.record) != state:
            talk.cli(f"open {case.record}")
            if state == "draft":
                talk.cli(f"close {case.record}")
            talk.cli(f"{BUTTONS[state]} {case.record}")
        assert talk.state(case.record) == state
        talk.wait(minutes=1)
        answer()
        found[state] = talk.state(case.record)
    assert found == states
    return True


def test_nobody_answers_for_a_user_who_has_left(talk: Talk, case: Letter) -> None:
    talk.do(f"assign {case.record} agent")
    talk.quiet()
    talk.do("users remove agent")
    letter = talk.mail("eve@evil.example", answers=case, text="Hello?")
    assert letter.outcome == "unconfirmed"
    assert talk.heard("boss") == [(case.record, "Hello?")]
    new = talk.mail("bea@example.com", subject="Who is there?")
    assert talk.heard("boss")[-1] == (new.record, "Who is there?")
