"""What a person does with a held letter changes its place, and nothing else about it."""

from __future__ import annotations

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
