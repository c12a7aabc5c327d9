"""F193, F401 and who works on it: several contacts of a case, what can be done now, taking and giving away."""

from __future__ import annotations

from typing import Any

import pytest
from conversation import Talk


@pytest.fixture
def shop(talk: Talk) -> Talk:
    """Contacts 1 Ana, 2 Bea, 3 Cy; case 4 is Ana's."""
    for name in ("Ana", "Bea", "Cy"):
        talk.do(f"contacts add {name} --email {name.lower()}@example.com")
    talk.mail("ana@example.com", subject="Printer", text="It burns.")
    return talk


def contacts(talk: Talk, number: int = 4) -> list[int]:
    return [one["id"] for one in talk.field(number, "contacts")]


class TestSeveralContacts:
    def test_are_set_and_replaced(self, shop: Talk) -> None:
        assert shop.do("set 4 contacts=2,3") == "#4 Printer: contacts none → Bea (#2), Cy (#3)   (undo: crmmail undo)"
        assert shop.field(4, "contacts") == [{"id": 2, "name": "Bea"}, {"id": 3, "name": "Cy"}]
        shop.do("set 4 'contacts=#3 #1'")
        assert contacts(shop) == [3, 1]
        assert "with Cy (#3), Ana (#1)" in shop.do("show 4 --peek").splitlines()
        assert [one["id"] for one in shop.show(3)["record"]["related"]] == [4]
        shop.do("set 4 contacts=")
        assert contacts(shop) == []
        shop.do("undo 2")
        assert contacts(shop) == [2, 3]

    def test_a_new_record_has_them(self, shop: Talk) -> None:
        number = int(shop.do("new case Scanner --contact 1 --contacts 2,3"))
        assert contacts(shop, number) == [2, 3]
        assert contacts(shop, int(shop.do("new lead Offer --contacts 3"))) == [3]

    def test_nothing_new_is_no_act(self, shop: Talk) -> None:
        shop.do("set 4 contacts=2,3")
        assert "nothing to change" in shop.refused("set 4 contacts=3,2")

    def test_what_is_refused(self, shop: Talk) -> None:
        assert "record 4 is no contact" in shop.refused("set 4 contacts=2,4")
        assert "'Bea' is not a contact's number" in shop.refused("set 4 contacts=Bea", code=2)
        assert "a contact has no field 'contacts'" in shop.refused("set 1 contacts=2", code=2)
        assert contacts(shop) == []

    def test_take_part_by_mail(self, shop: Talk) -> None:
        first = shop.sent[-1]
        assert shop.mail("bea@example.com", answers=first, text="Me too.").outcome == "unconfirmed"
        shop.do("set 4 contacts=2")
        letter = shop.mail("bea@example.com", answers=first, text="Now?", id="now@example.com")
        assert (letter.outcome, letter.record) == ("stored", 4)
        assert shop.words(4) == ["It burns.", "Now?"]
        assert shop.mail("bea@example.com", subject="Re: [4] Printer", text="And so.").record == 4
        assert shop.mail("cy@example.com", subject="Re: [4] Printer", text="And I?").record != 4

    def test_are_no_strangers_when_they_are_written_to(self, shop: Talk) -> None:
        def new(address: str) -> bool:
            plan = shop.cli(f"reply 4 -m Hello --cc {address} -n --json", user="agent").json
            return bool(next(one["new"] for one in plan["recipients"] if one["address"] == address))

        assert new("bea@example.com")
        shop.do("set 4 contacts=2")
        assert not new("bea@example.com")

    def test_a_change_of_something_else_does_not_speak_of_them(self, shop: Talk) -> None:
        shop.do("set 4 contacts=2")
        assert shop.do("set 4 priority=high").startswith("#4 Printer: priority normal → high   (")
        assert shop.do("close 4").startswith("#4 Printer: draft → done   (")


class TestTheEmailGoesWithThePartner:
    def test_of_the_old_one_it_is_replaced(self, shop: Talk) -> None:
        said = shop.do("set 4 partner=2")
        assert "partner Ana (#1) → Bea (#2), email ana@example.com → bea@example.com" in said
        shop.do("undo")
        assert shop.field(4, "email") == "ana@example.com"

    def test_set_by_hand_it_stays(self, shop: Talk) -> None:
        shop.do("set 4 email=office@firm.example")
        shop.do("set 4 partner=2")
        assert (shop.field(4, "partner")["id"], shop.field(4, "email")) == (2, "office@firm.example")

    def test_said_in_the_same_breath_it_counts(self, shop: Talk) -> None:
        shop.do("set 4 partner=2 email=ana@example.com")
        assert (shop.field(4, "partner")["id"], shop.field(4, "email")) == (2, "ana@example.com")

    def test_of_a_partner_without_one_it_is_gone(self, shop: Talk) -> None:
        shop.do("contacts add Dan")
        shop.do("set 4 partner=5")
        assert shop.field(4, "email") is None

    def test_without_a_partner_it_stays(self, shop: Talk) -> None:
        shop.do("set 4 partner=")
        assert (shop.field(4, "partner"), shop.field(4, "email")) == (None, "ana@example.com")


class TestWhoWorksOnIt:
    def test_taking_says_who_had_it_and_that_it_is_finished(self, shop: Talk) -> None:
        shop.do("assign 4 agent")
        shop.do("close 4")
        said = shop.cli("take 4")
        assert (said.code, said.err) == (0, "crmmail: #4: agent had it and it is in state done\n")
        assert said.out == "#4 Printer: responsible agent → boss   (undo: crmmail undo)\n"

    def test_taking_what_nobody_has_says_nothing_more(self, shop: Talk) -> None:
        assert shop.cli("take 4").err == ""

    def test_giving_it_to_somebody_who_is_away_warns(self, shop: Talk) -> None:
        assert shop.cli("assign 4 agent").err == ""
        shop.do("set 4 responsible=")
        shop.do("users away agent --until 2026-12-24 --deputy boss")
        said = shop.cli("assign 4 agent")
        assert (said.code, shop.field(4, "responsible")) == (0, "agent")
        assert said.err.startswith("crmmail: agent is away until 2026-12-24")
        assert "boss" in said.err


# --- what can be done now ---------------------------------------------------------------------------------------


def possible(talk: Talk, number: int) -> dict[str, Any]:
    return {one["action"]: one for one in talk.cli(f"actions {number} --json").json}


class TestActions:
    def test_of_a_new_case(self, shop: Talk) -> None:
        found = possible(shop, 4)
        assert list(found) == [
            "reply", "note", "log", "open", "pending", "close", "cancel", "take", "assign", "set", "merge"
        ]  # fmt: skip
        assert found["close"] == {
            "action": "close",
            "command": "crmmail close 4",
            "leads_to": "done",
            "sentence": "the work is done",
        }
        assert found["reply"]["leads_to"] is None
        assert found["take"]["leads_to"] == "boss"

    def test_what_its_sections_allow(self, shop: Talk) -> None:
        shop.do("sections add level2 --manager boss")
        shop.do("sections set support --parent level2")
        found = possible(shop, 4)
        assert found["escalate"]["command"] == "crmmail escalate 4"
        assert found["escalate"]["leads_to"] == "level2"
        assert "boss is responsible" in found["escalate"]["sentence"]
        assert found["move"]["sentence"] == "to another section: level2"
        shop.do("close 4")
        found = possible(shop, 4)
        assert "escalate" not in found
        assert {"open", "reset"} < set(found)
        assert {"close", "pending", "cancel"}.isdisjoint(found)

    @pytest.mark.parametrize(
        ("name", "field"),
        [
            ("open", "state"),
            ("pending", "state"),
            ("close", "state"),
            ("cancel", "state"),
            ("take", "responsible"),
            ("escalate", "section"),
        ],
    )
    def test_each_that_needs_no_more_words_leads_where_it_says(self, shop: Talk, name: str, field: str) -> None:
        shop.do("sections add level2")
        shop.do("sections set support --parent level2")
        action = possible(shop, 4)[name]
        before = shop.field(4, field)
        assert before != action["leads_to"]
        shop.do(action["command"].removeprefix("crmmail "))
        assert shop.field(4, field) == action["leads_to"]
        shop.do("undo")
        assert shop.field(4, field) == before

    def test_so_does_an_answer(self, shop: Talk) -> None:
        shop.do([*possible(shop, 4)["reply"]["command"].split()[1:], "-m", "It works."])
        assert shop.words(4)[-1].startswith("It works.\n")
        assert shop.outbox() == ["ana@example.com"]

    def test_whom_nobody_wrote_is_written_to(self, shop: Talk) -> None:
        number = int(shop.do("new case Scanner --contact 2"))
        assert "reply" not in possible(shop, number)
        assert possible(shop, number)["send"]["command"] == f"crmmail send {number}"
        nobody = int(shop.do("new case Nothing"))
        assert {"reply", "send"}.isdisjoint(possible(shop, nobody))

    def test_of_a_lead_and_of_a_contact(self, shop: Talk) -> None:
        lead = int(shop.do("new lead Offer"))
        assert {"qualify", "lose"} < set(possible(shop, lead))
        assert possible(shop, lead)["qualify"]["leads_to"] == "qualified"
        assert set(possible(shop, 1)) == {"send", "note", "log", "set"}

    def test_of_what_was_merged(self, shop: Talk) -> None:
        shop.do("new case Scanner")
        shop.do("merge 5 --into 4")
        assert [one["command"] for one in shop.cli("actions 5 --json").json] == ["crmmail show 4"]

    def test_in_lines(self, shop: Talk) -> None:
        lines = shop.do("actions 4").splitlines()
        assert "close\tcrmmail close 4\tdone" in lines
        assert "there is no record 9" in shop.refused("actions 9")
