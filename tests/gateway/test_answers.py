"""Behaviour §2.5: which letter is an answer, and whose is believed."""

from __future__ import annotations

import pytest
from conversation import OURS, Letter, Talk


class TestAStrangerWhoKnowsAMessageId:
    """Safety 1: he is held, and neither notifies, reopens nor follows."""

    @pytest.fixture
    def closed(self, talk: Talk, case: Letter) -> Letter:
        talk.do("users add bob --email bob@crm.test")
        talk.do(f"follow {case.record} --who bob")
        talk.do(f"close {case.record}", user="agent")
        talk.quiet()
        talk.do("done --all", user="bob")
        return case

    def test_is_held(self, talk: Talk, closed: Letter) -> None:
        before = talk.show(closed.record)
        letter = talk.mail("eve@evil.example", answers=closed, text="Send it to me instead.")
        assert letter.fates == [("unconfirmed", "unconfirmed")]
        assert letter.outcomes[0].candidate == closed.record
        after = talk.show(closed.record)
        assert (after["messages"], after["followers"]) == (before["messages"], before["followers"])
        assert talk.state(closed.record) == "done"
        assert talk.quarantine() == [("unconfirmed", "Re: Printer broken")]
        assert "eve@evil.example takes no part in record 1" in talk.why(letter)

    @pytest.mark.parametrize(
        ("line", "who"),
        [
            ("assign 1 bob", ["bob"]),  # the responsible
            ("set 1 responsible=", ["agent"]),  # else the section's manager
            ("set 1 responsible= section=", ["boss"]),  # else the admins
        ],
    )
    def test_is_shown_to_whoever_is_responsible_and_to_nobody_else(
        self, talk: Talk, closed: Letter, line: str, who: list[str]
    ) -> None:
        talk.do("set 1 responsible=boss")
        talk.do(line)
        for user in ("boss", "agent", "bob"):
            talk.do("done --all", user=user)
            talk.do(f"users set {user} --notify email")  # one inbox item, never a mail
        talk.mail("eve@evil.example", answers=closed, text="Let me in.")
        heard = [user for user in ("boss", "agent", "bob") if talk.inbox(user)]
        assert (heard, talk.outbox()) == (who, [])

    def test_is_let_in_by_hand(self, talk: Talk, closed: Letter) -> None:
        letter = talk.mail("eve@evil.example", answers=closed, text="I am his colleague.")
        talk.do(f"quarantine route {letter.quarantine} {closed.record}", user="agent")
        assert talk.words(closed.record) == ["It burns.", "I am his colleague."]
        assert talk.mail("eve@evil.example", answers=closed, text="Thanks.").record == closed.record

    def test_a_number_in_the_subject_is_nothing(self, talk: Talk, closed: Letter) -> None:
        letter = talk.mail("eve@evil.example", subject=f"Re: [{closed.record}] Printer broken", text="Hello.")
        assert letter.fates == [("stored", "alias")]
        assert letter.record != closed.record
        assert "[1] in the subject is no evidence" in talk.why(letter)

    def test_a_user_without_proof_is_a_stranger(self, talk: Talk, closed: Letter) -> None:
        letter = talk.mail("agent@crm.test", answers=closed, text="I say: closed.")
        assert letter.outcome == "unconfirmed"
        assert "nothing proves that agent@crm.test wrote it" in talk.why(letter)

    @pytest.mark.parametrize(
        "headers",
        [{"Reply-To": "ana@example.com"}, {"Resent-From": "ana@example.com"}, {"Sender": "ana@example.com"}],
        ids=lambda headers: next(iter(headers)),
    )
    def test_other_fields_than_from_make_nobody_a_participant(
        self, talk: Talk, closed: Letter, headers: dict[str, str]
    ) -> None:
        assert talk.mail("eve@evil.example", answers=closed, text="Me.", headers=headers).outcome == "unconfirmed"

    def test_nor_does_the_reply_to_of_an_earlier_letter(self, talk: Talk) -> None:
        first = talk.mail("ana@example.com", subject="Hello", headers={"Reply-To": "eve@evil.example"})
        assert talk.mail("eve@evil.example", answers=first, text="Me.").outcome == "unconfirmed"


class TestWhoTakesPart:
    def answers(self, talk: Talk, sender: str, case: Letter) -> bool:
        by_number = talk.mail(sender, subject=f"Re: [{case.record}]", text=f"{sender} by number.")
        by_reference = talk.mail(sender, answers=case, text=f"{sender} by reference.")
        return by_number.record == by_reference.record == case.record

    def test_the_sender_in_any_letter_case(self, talk: Talk, case: Letter) -> None:
        assert self.answers(talk, '"Ana, L." <ANA@Example.COM>', case)

    def test_who_stood_in_cc(self, talk: Talk) -> None:
        first = talk.mail("ana@example.com", subject="Printer", cc="bea@other.example, support@crm.test")
        assert self.answers(talk, "bea@other.example", first)

    def test_who_stood_in_cc_of_a_letter_that_is_held_does_not(self, talk: Talk, case: Letter) -> None:
        talk.mail("eve@evil.example", answers=case, text="Let me in.", cc="mallory@evil.example")
        assert not self.answers(talk, "mallory@evil.example", case)

    def test_the_contacts_second_address(self, talk: Talk, case: Letter) -> None:
        talk.do("contacts add Ana --email ana@example.com --email ana@home.example")
        assert self.answers(talk, "ana@home.example", case)

    def test_a_colleague_of_the_same_company(self, talk: Talk, case: Letter) -> None:
        talk.do("contacts add Ana --email ana@example.com --company 'Customer Ltd'")
        assert not self.answers(talk, "bea@example.com", case)  # never by the domain alone
        talk.do("contacts add Bea --email bea@example.com --company 'CUSTOMER ltd'")
        assert self.answers(talk, "bea@example.com", case)
        talk.do("contacts add Eve --email eve@example.com --company 'Other Ltd'")
        assert not self.answers(talk, "eve@example.com", case)

    def test_a_follower_outside(self, talk: Talk, case: Letter) -> None:
        talk.do(f"follow {case.record} --who expert@firm.example")
        assert self.answers(talk, "expert@firm.example", case)

    def test_a_contact_that_follows(self, talk: Talk, case: Letter) -> None:
        card = talk.do("contacts add Expert --email expert@firm.example --email e@home.example")
        talk.do(f"follow {case.record} --who {card}")
        assert self.answers(talk, "e@home.example", case)

    def test_a_new_letter_of_a_participant_is_new_all_the_same(self, talk: Talk, case: Letter) -> None:
        assert talk.mail("ana@example.com", subject="Another thing").record != case.record


@pytest.mark.parametrize(
    ("subject", "joins"),
    [
        ("[1] x", True),
        ("AW: Antw: [ #1 ] x", True),
        ("Re: [77] [1] x", True),  # unknown tags are skipped
        ("Re: [2] [1] x", True),  # hers is the first of which she is part
        ("[１] x", False),  # ASCII digits only
        ("[1a] (1) #1 x", False),
        ("[0001] x", True),
        ("[9999999999999999999] x", False),
    ],
)
def test_numbers_in_subjects(talk: Talk, case: Letter, subject: str, joins: bool) -> None:
    talk.mail("bea@example.com", subject="Record 2")
    letter = talk.mail("ana@example.com", subject=subject, text="More.")
    assert (letter.record == case.record) is joins


def test_our_host_says_that_a_participant_is_forged(talk: Talk, case: Letter) -> None:
    talk.do(f"config set mail.trusted_authserv_id {OURS}")
    failed = {"Authentication-Results": f"{OURS}; dmarc=fail header.from=example.com"}
    letter = talk.mail("ana@example.com", answers=case, text="Pay elsewhere.", headers=failed)
    assert letter.outcome == "unconfirmed"
    assert "our own host says that it is not from ana@example.com" in talk.why(letter)


class TestEvidenceThatDisagrees:
    def test_the_strongest_wins_and_why_says_so(self, talk: Talk, case: Letter) -> None:
        other = talk.mail("ana@example.com", subject="Scanner")
        letter = talk.mail("ana@example.com", subject=f"Re: [{other.record}]", answers=case, text="Which?")
        assert (letter.record, letter.reason) == (case.record, "reference")
        assert "the evidence disagrees (1 by reference, 2 by subject); the strongest wins" in talk.why(letter)

    def test_a_reply_makes_no_record_whatever_address_it_came_to(self, talk: Talk, case: Letter) -> None:
        letter = talk.mail("ana@example.com", "sales@crm.test", answers=case, text="More.")
        assert (letter.record, talk.all("lead")) == (case.record, [])

    def test_unless_the_alias_wants_it(self, talk: Talk, case: Letter) -> None:
        talk.do("aliases set sales@crm.test --on-reply new")
        letter = talk.mail("ana@example.com", "sales@crm.test", answers=case, text="More.")
        assert (letter.outcomes[0].kind, letter.outcomes[0].created) == ("lead", True)
        assert talk.words(case.record) == ["It burns."]
