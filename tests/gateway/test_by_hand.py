"""What a person does with a held letter changes its place, and nothing else about it."""

from __future__ import annotations

import pytest
from conversation import Letter, Talk

EXPERT = "expert@outside.example"


def internal_answer(talk: Talk, case: Letter) -> Letter:
    """The agent answers an internal notice from an address that is not his; the expert outside follows the case."""
    talk.do("users set agent --notify both", user="boss")
    talk.do(f"follow {case.record} --who {EXPERT}")
    talk.do(f"close {case.record}")
    notice = talk.notice("agent", case.record or 0)
    return talk.mail("agent@home.example", answers=notice.id, text="What a pain he is.")


def test_an_answer_to_an_internal_notice_stays_inside_wherever_it_is_put(talk: Talk, case: Letter) -> None:
    letter = internal_answer(talk, case)
    assert letter.outcome == "unconfirmed"
    talk.do(f"quarantine route {letter.quarantine} {case.record}")
    assert talk.show(case.record)["messages"][-1]["internal"]
    assert EXPERT not in " ".join(talk.outbox())
    assert talk.state(case.record) == "done"


def test_a_machines_letter_is_a_machines_letter(talk: Talk, case: Letter) -> None:
    talk.do(f"follow {case.record} --who {EXPERT}")
    talk.do(f"close {case.record}")
    letter = talk.mail(
        "robot@elsewhere.example", answers=case, text="I am away.", headers={"Auto-Submitted": "auto-replied"}
    )
    talk.do(f"quarantine route {letter.quarantine} {case.record}")
    assert talk.show(case.record)["messages"][-1]["automatic"]
    assert talk.state(case.record) == "done"
    assert EXPERT not in " ".join(talk.outbox())


def test_a_copy_that_comes_again_does_not_stand_in_the_way_of_undo(talk: Talk) -> None:
    letter = talk.mail("ana@example.com", "jobs@crm.test", "Do you hire?")
    talk.do(f"quarantine create {letter.quarantine} --kind lead")
    again = talk.post(letter.raw)
    assert (again.outcome, again.record) == ("duplicate", talk.newest("lead"))
    talk.do("undo")
    assert talk.all("lead") == []
    assert talk.quarantine() == [("no-route", "Do you hire?")]


def test_a_contested_message_id_leads_nobody_astray(talk: Talk, case: Letter) -> None:
    other = talk.mail("yan@example.com", "jobs@crm.test", "Mine", text="Another letter.", id=case.id)
    talk.do(f"quarantine create {other.quarantine}")
    ids = [one["message_id"] for record in talk.all("case") for one in talk.show(record)["messages"]]
    assert ids.count(case.id) == 1


@pytest.mark.parametrize("why", ["loop", "too-large"])
def test_an_answer_to_a_notice_that_nobody_judged_stays_inside(talk: Talk, case: Letter, why: str) -> None:
    """Held for another reason than its sender's: who puts it into its record does not send it to the customer."""
    talk.do("users set agent --notify both", user="boss")
    talk.do(f"follow {case.record} --who {EXPERT}")
    talk.do(f"note {case.record} -m 'Look at that.'", user="boss")
    notice = talk.notice("agent", case.record or 0)
    talk.mail("agent@crm.test", answers=notice.id, subject="Re: [2] (note) It burns", text="I see.")
    before = len(talk.outbox())
    limit = {"loop": {"CRMMAIL_LOOP_MESSAGES": "1"}, "too-large": {"CRMMAIL_DELIVERY_MAX_SIZE": "100"}}
    talk.environ(**limit[why])
    letter = talk.mail("agent@crm.test", answers=notice.id, subject="Re: [2] (note) It burns", text="What a pain.")
    assert (letter.outcome, letter.reason) == ("quarantined", why)
    talk.do(f"quarantine route {letter.quarantine} {case.record}")
    assert talk.show(case.record)["messages"][-1]["internal"]
    assert EXPERT not in talk.outbox()[: len(talk.outbox()) - before]


def test_a_colleagues_letter_that_is_put_somewhere_stays_inside(talk: Talk, case: Letter) -> None:
    talk.do(f"follow {case.record} --who {EXPERT}")
    letter = talk.mail("agent@crm.test", "jobs@crm.test", "Between us", "What a pain.")
    assert letter.reason == "no-route"
    talk.do(f"quarantine route {letter.quarantine} {case.record}")
    assert talk.show(case.record)["messages"][-1]["internal"]
    assert EXPERT not in talk.outbox()
