"""F18–F32: who follows a record, who follows every new one, and why somebody was not told."""

from __future__ import annotations

import pytest
from conversation import Letter, Talk


@pytest.fixture
def case(talk: Talk) -> Letter:
    talk.do("users add bob --email bob@crm.test")
    return talk.mail("ana@example.com", subject="Printer", text="It burns.")


def more(talk: Talk, case: Letter, text: str = "More.") -> Letter:
    return talk.mail("ana@example.com", answers=case, text=text)


class TestByHand:
    def test_whoever_follows_hears(self, talk: Talk, case: Letter) -> None:
        assert talk.do("follow 1", user="bob") == "#1 Printer: followed by bob   (undo: crmmail undo)"
        more(talk, case)
        assert talk.heard("bob") == [(1, "More.")]
        talk.do("unfollow 1", user="bob")
        more(talk, case, "Even more.")
        assert talk.heard("bob") == [(1, "More.")]

    def test_a_user_hears_what_he_wants(self, talk: Talk, case: Letter) -> None:
        talk.do("follow 1 --types state", user="bob")
        more(talk, case)
        assert talk.inbox("bob") == []
        talk.do("close 1")
        assert talk.heard("bob") == [(1, "state: draft → done")]
        talk.do("follow 1 --types discussion,created", user="bob")
        talk.do("open 1")
        assert len(talk.inbox("bob")) == 1
        more(talk, case, "Again.")
        assert talk.heard("bob")[-1] == (1, "Again.")

    def test_nobody_is_told_of_his_own_acts(self, talk: Talk, case: Letter) -> None:
        talk.do("done --all", user="agent")
        talk.do("close 1", user="agent")
        assert talk.inbox("agent") == []

    def test_who_can_follow(self, talk: Talk, case: Letter) -> None:
        card = talk.do("contacts add Expert --email expert@firm.example")
        for who in ("bob", card, "cy@firm.example"):
            talk.do(f"follow 1 --who {who}")
        assert talk.followers(1) == ["agent", "bob", card, "cy@firm.example"]
        rows = talk.cli("followers 1 --json").json
        assert [row["internal"] for row in rows] == [True, True, False, False]
        assert [row["address"] for row in rows][2:] == ["expert@firm.example", "cy@firm.example"]

    def test_an_address_is_whose_it_is(self, talk: Talk, case: Letter) -> None:
        card = talk.do("contacts add Expert --email expert@firm.example")
        talk.do("follow 1 --who BOB@crm.test")
        talk.do("follow 1 --who Expert@Firm.example")
        assert talk.followers(1) == ["agent", "bob", card]

    def test_what_is_refused(self, talk: Talk, case: Letter) -> None:
        talk.do("follow 1", user="bob")
        assert "bob follows #1 already" in talk.refused("follow 1", user="bob")
        assert "mail would go in circles" in talk.refused("follow 1 --who sales@crm.test")
        assert "can follow discussions only" in talk.refused("follow 1 --who ana@example.com --types state")
        assert "there is no type 'gossip'" in talk.refused("follow 1 --types gossip", code=2)
        assert "there is no user 'nobody'" in talk.refused("follow 1 --who nobody")
        assert "there is no record 9" in talk.refused("follow 9")
        assert "does not follow" in talk.refused("unfollow 1 --who boss")

    def test_a_warning_that_it_is_outside(self, talk: Talk, case: Letter) -> None:
        said = talk.cli("follow 1 --who cy@firm.example")
        assert "notes never do" in said.err

    def test_what_somebody_follows(self, talk: Talk, case: Letter) -> None:
        second = talk.mail("ana@example.com", subject="Scanner")
        assert [row["id"] for row in talk.cli("following --json", user="agent").json] == [second.record, 1]
        assert talk.do("following --who agent -o ids", user="boss") == f"{second.record}\n1"
        assert talk.cli("following --json", user="bob").json == []


class TestFollowersOutside:
    def test_hear_discussions_only_and_by_mail(self, talk: Talk, case: Letter) -> None:
        talk.do("follow 1 --who cy@firm.example")
        more(talk, case)
        assert talk.outbox() == ["cy@firm.example"]
        talk.do("close 1")  # what the program says is for eyes inside
        talk.do("set 1 priority=high")
        assert talk.outbox() == ["cy@firm.example"]

    def test_who_has_the_letter_gets_no_copy(self, talk: Talk, case: Letter) -> None:
        talk.do("follow 1 --who cy@firm.example")
        talk.do("follow 1 --who ana@example.com")
        talk.mail("ana@example.com", answers=case, text="More.", cc="cy@firm.example")
        assert talk.outbox() == []


class TestHowAUserHears:
    @pytest.mark.parametrize(
        ("notify", "inbox", "mails"), [("inbox", 1, 0), ("email", 0, 1), ("both", 1, 1), ("none", 0, 0)]
    )
    def test_as_he_has_set(self, talk: Talk, case: Letter, notify: str, inbox: int, mails: int) -> None:
        talk.do(f"users set bob --notify {notify}")
        talk.do("follow 1", user="bob")
        more(talk, case)
        assert (len(talk.inbox("bob")), len(talk.outbox())) == (inbox, mails)

    def test_a_real_mailbox_in_cc_gets_no_copy_but_its_item(self, talk: Talk, case: Letter) -> None:
        talk.do("users add cy --email cy@elsewhere.example --notify both")
        talk.do("follow 1", user="cy")
        talk.mail("ana@example.com", answers=case, text="More.", cc="cy@elsewhere.example")
        assert (len(talk.inbox("cy")), talk.outbox()) == (1, [])

    def test_a_virtual_address_in_cc_has_nothing_yet(self, talk: Talk, case: Letter) -> None:
        talk.do("users set bob --notify both")
        talk.do("follow 1", user="bob")
        talk.mail("ana@example.com", answers=case, text="More.", cc="bob@crm.test")
        assert (len(talk.inbox("bob")), talk.outbox()) == (1, ["bob@crm.test"])

    def test_who_has_left_hears_nothing(self, talk: Talk, case: Letter) -> None:
        talk.do("users set bob --notify both")
        talk.do("follow 1", user="bob")
        talk.do("users remove bob")
        more(talk, case)
        assert talk.outbox() == []


class TestEveryNewRecordOfAKind:
    def test_makes_a_follower_with_his_defaults(self, talk: Talk, case: Letter) -> None:
        assert "bob follows every new lead" in talk.do("follow --kind lead --types created --who bob")
        lead = talk.mail("ana@example.com", "sales@crm.test", "Offer", "How much?")
        assert talk.heard("bob") == [(lead.record, "How much?")]
        talk.mail("ana@example.com", answers=lead, text="Well?")
        assert talk.heard("bob")[-1] == (lead.record, "Well?")
        assert talk.inbox("boss") == []  # the admins hear where nobody else does

    def test_of_one_section(self, talk: Talk, case: Letter) -> None:
        talk.do("sections add repairs --name Repairs --email repairs@crm.test")
        talk.do("follow --kind case --types created --who bob --section repairs")
        talk.mail("ana@example.com", subject="Not for him")
        other = talk.mail("ana@example.com", "repairs@crm.test", "For him")
        assert [record for record, _ in talk.heard("bob")] == [other.record]

    def test_of_records_made_by_hand_too(self, talk: Talk, case: Letter) -> None:
        talk.do("follow --kind lead --types created --who bob")
        lead = int(talk.do("new lead Offer", user="boss"))
        assert talk.heard("bob") == [(lead, "lead created: Offer")]

    def test_ends(self, talk: Talk, case: Letter) -> None:
        talk.do("follow --kind lead --types created --who bob")
        talk.do("unfollow --kind lead --who bob")
        talk.mail("ana@example.com", "sales@crm.test", "Offer")
        assert talk.inbox("bob") == []
        assert "has not subscribed" in talk.refused("unfollow --kind lead --who bob")

    def test_a_type_that_is_not_creation_subscribes_to_nothing(self, talk: Talk, case: Letter) -> None:
        talk.do("follow --kind lead --types state --who bob")
        lead = talk.mail("ana@example.com", "sales@crm.test", "Offer")
        assert talk.followers(lead.record) == []


class TestSomebodyLooks:
    """F166: a new case is never told to nobody."""

    def test_the_responsible_by_the_sections_policy(self, talk: Talk, case: Letter) -> None:
        talk.do("sections set support --assign round-robin")
        seen = []
        for number in range(4):
            letter = talk.mail("ana@example.com", subject=f"Letter {number}")
            talk.wait(minutes=1)
            seen.append(talk.field(letter.record, "responsible"))
            assert letter.record in [record for record, _ in talk.heard(seen[-1])]
        assert sorted(seen[:3]) == ["agent", "bob", "boss"]
        assert seen[3] == seen[0]

    def test_the_least_busy(self, talk: Talk, case: Letter) -> None:
        for user in ("boss", "agent"):
            talk.do(f"new case Work --responsible {user}")
        talk.do("sections set support --assign least-busy")
        assert talk.field(talk.mail("ana@example.com", subject="More").record, "responsible") == "bob"

    def test_the_manager_becomes_follower(self, talk: Talk, case: Letter) -> None:
        assert talk.followers(1) == ["agent"]
        assert talk.heard("agent") == [(1, "It burns.")]

    def test_else_the_admins_get_an_item(self, talk: Talk, case: Letter) -> None:
        talk.do("sections set support --manager ''")
        letter = talk.mail("ana@example.com", subject="Other", text="Words.")
        assert talk.followers(letter.record) == []
        assert talk.heard("boss") == [(letter.record, "Words.")]


class TestWhyNot:
    def why(self, talk: Talk, message: int | None, user: str) -> list[tuple[bool, str]]:
        found = talk.cli(f"why-not {message} --user {user} --json").json
        return [(one["holds"], one["sentence"]) for one in found["reasons"]]

    def test_he_does_not_follow(self, talk: Talk, case: Letter) -> None:
        assert self.why(talk, case.message, "bob")[1:] == [(False, "bob does not follow #1 now")]

    def test_he_follows_other_types(self, talk: Talk, case: Letter) -> None:
        talk.do("follow 1 --types state", user="bob")
        letter = more(talk, case)
        assert (False, "follows state; the message is of type discussion") in self.why(talk, letter.message, "bob")

    def test_he_wrote_it(self, talk: Talk, case: Letter) -> None:
        talk.do("close 1", user="agent")
        message = talk.show(1)["messages"][-1]["id"]
        assert (False, "agent wrote it, and nobody is told of his own words") in self.why(talk, message, "agent")

    def test_he_has_switched_it_off(self, talk: Talk, case: Letter) -> None:
        talk.do("users set bob --notify none")
        talk.do("follow 1", user="bob")
        letter = more(talk, case)
        assert "bob has notifications switched off (--notify none)" in [
            words for _, words in self.why(talk, letter.message, "bob")
        ]

    def test_he_was_told(self, talk: Talk, case: Letter) -> None:
        assert self.why(talk, case.message, "agent")[-1] == (
            True,
            "agent was told as follower; the item is unread in the inbox",
        )
        talk.do("done --all", user="agent")
        assert "dismissed from" in self.why(talk, case.message, "agent")[-1][1]

    def test_for_people(self, talk: Talk, case: Letter) -> None:
        assert talk.do(f"why-not {case.message} --user bob").splitlines() == [
            f"✓ message {case.message} is in the thread of #1",
            "✗ bob does not follow #1 now",
        ]
