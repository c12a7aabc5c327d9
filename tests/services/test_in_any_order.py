"""What the state machine (`tests/test_machine.py`) found, as short stories: acts that did too much after others."""

from __future__ import annotations

from conversation import Talk

ANA, BEN = "ana@example.com", "ben@example.com"


def test_who_has_it_already_is_given_nothing(talk: Talk) -> None:
    """Hours later it is still no news: nothing is said in the thread, nobody is told, and there is nothing to undo."""
    talk.do("new case Printer --section support")
    talk.do("take 1", user="agent")
    talk.quiet()
    talk.wait(hours=1)
    for line, user in (("take 1", "agent"), ("assign 1 agent", "boss"), ("set 1 responsible=agent", "boss")):
        assert "nothing to change" in talk.refused(line, user=user)
    assert talk.system(1) == ["case created: Printer", "responsible: none → agent"]
    assert talk.heard("boss") == []


def test_undo_takes_no_follower_from_the_record_that_the_other_became_part_of(talk: Talk) -> None:
    talk.do("sections add head --manager boss")
    first, other = (talk.mail(ANA, subject=subject, text="It burns.").record for subject in ("One", "Two"))
    talk.do(f"move {first} --section head", user="agent")
    assert talk.followers(first) == ["agent", "boss"]
    talk.do(f"merge {first} --into {other}")
    assert talk.followers(other) == ["agent", "boss"]
    assert "was changed since" in talk.refused("undo", user="agent")
    assert talk.followers(other) == ["agent", "boss"]
    talk.do("undo")  # of the merge
    talk.do("undo", user="agent")
    assert talk.followers(first) == ["agent"]


def test_undo_takes_no_letter_from_the_record_that_the_other_became_part_of(talk: Talk) -> None:
    talk.mail(ANA, to="jobs@crm.test", subject="Jobs?", text="Do you hire?")
    case = talk.mail(ANA, subject="Printer", text="It burns.").record
    talk.do("quarantine create 1 --kind case --section support", user="agent")
    made = talk.newest("case")
    talk.do(f"merge {made} --into {case}")
    assert "was changed since by boss" in talk.refused("undo", user="agent")
    assert talk.words(case) == ["It burns.", "Do you hire?"]
    talk.do("undo")  # of the merge
    assert (talk.words(made), talk.words(case)) == (["Do you hire?"], ["It burns."])


def test_whose_record_was_merged_takes_part_in_what_it_became(talk: Talk) -> None:
    """Also where he answers a letter of the other record, and a chain of merges lies between."""
    letter = talk.mail(ANA, subject="Printer", text="It burns.")
    talk.do(f"new case Two --section support --email {BEN}")
    talk.do("new case Three --section support")
    assert talk.mail(BEN, answers=letter, text="Me too.").reason == "unconfirmed"
    talk.do("merge 2 --into 3")
    talk.do(f"merge 3 --into {letter.record}")
    # The e-mail of #2 went to #3 and stopped there, for #1 has one of its own.
    again = talk.mail(BEN, answers=letter, text="Now it is mine, too.")
    assert (again.fates, again.record) == ([("stored", "reference")], letter.record)
