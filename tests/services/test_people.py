"""Users, contacts, sections, aliases: who may change them, and which address belongs to whom."""

from __future__ import annotations

import pytest
from conversation import Talk


class TestContacts:
    def test_from_a_letter_links_its_senders_records(self, talk: Talk) -> None:
        first = talk.mail("Ana Lima <ana@example.com>", subject="Printer")
        second = talk.mail("ana@example.com", "sales@crm.test", "Offer")
        other = talk.mail("bea@example.com", subject="Scanner")
        said = talk.cli(f"contacts add --from {first.message}")
        assert (said.code, said.line) == (0, "4")
        assert said.err == "crmmail: now partner of #1, #2\n"
        assert talk.show(4)["record"]["title"] == "Ana Lima"
        assert talk.show(4)["record"]["addresses"] == ["ana@example.com"]
        for letter in (first, second):
            assert talk.field(letter.record, "partner") == {"id": 4, "name": "Ana Lima"}
        assert talk.field(other.record, "partner") is None

    def test_follow_their_own_card(self, talk: Talk) -> None:
        talk.do("contacts add Ana --email ana@example.com")
        assert talk.followers(1) == ["boss", "1"]

    def test_of_an_unclear_sender_there_are_none(self, talk: Talk) -> None:
        letter = talk.post(b"From: a@x.example, b@x.example\nTo: support@crm.test\nSubject: Two\n\nWe.\n")
        assert "is unclear" in talk.refused(f"contacts add --from {letter.message}")
        talk.refused("contacts add", code=2)

    def test_one_address_may_be_several_cards(self, talk: Talk) -> None:
        talk.do("contacts add Ana --email ana@example.com")
        said = talk.cli("contacts add 'Ana at work' --email ANA@example.com")
        assert (said.code, said.line) == (0, "2")
        assert "also belongs to contact #1" in said.err

    def test_change(self, talk: Talk) -> None:
        talk.do("contacts add Ana --email ana@example.com")
        talk.do("contacts set 1 --email ana@home.example --company ACME --category 'Support contract/gold' --lang FR")
        (card,) = talk.cli("contacts --json").json
        assert card == {
            "id": 1, "name": "Ana", "company": "ACME", "category": "Support contract / gold", "lang": "fr",
            "addresses": ["ana@example.com", "ana@home.example"], "bad_addresses": [],
        }  # fmt: skip
        talk.do("contacts set 1 --without ana@example.com")
        assert talk.field(1, "addresses") == ["ana@home.example"]
        talk.do("undo")
        assert sorted(talk.field(1, "addresses")) == ["ana@example.com", "ana@home.example"]

    def test_a_category_is_a_path_made_on_first_use_whatever_its_case(self, talk: Talk) -> None:
        talk.do("contacts add Ana --category 'Support contract / Gold'")
        talk.do("contacts add Bea --category 'SUPPORT CONTRACT/gold'")
        assert {one["category"] for one in talk.cli("contacts --json").json} == {"Support contract / Gold"}


class TestUsers:
    def test_only_an_admin_adds_them(self, talk: Talk) -> None:
        assert "only an admin may add users (admins: boss)" in talk.refused(
            "users add bob --email bob@crm.test", user="agent"
        )

    def test_one_may_change_how_one_hears(self, talk: Talk) -> None:
        talk.do("users set agent --notify both --lang ru", user="agent")
        talk.refused("users set boss --notify none", user="agent")
        talk.refused("users set agent --admin", user="agent")
        talk.refused("users set agent --email other@crm.test", user="agent")

    def test_there_is_always_an_admin(self, talk: Talk) -> None:
        assert "boss is the only admin" in talk.refused("users remove boss")
        assert "boss is the only admin" in talk.refused("users set boss --no-admin")

    def test_an_address_has_one_owner(self, talk: Talk) -> None:
        assert "it belongs to user agent" in talk.refused("users add bob --email agent@crm.test")
        assert "it belongs to the alias for leads" in talk.refused("users add bob --email sales@crm.test")
        assert [one["login"] for one in talk.cli("users --json").json] == ["agent", "boss"]

    def test_in_an_own_domain_it_is_virtual(self, talk: Talk) -> None:
        talk.do("users add bob --email bob@home.example --address bob@crm.test --address b@home.example")
        bob = next(one for one in talk.cli("users --json").json if one["login"] == "bob")
        assert (bob["email"], bob["virtual"]) == ("bob@home.example", ["bob@crm.test"])
        assert bob["addresses"] == ["bob@home.example", "b@home.example", "bob@crm.test"]

    def test_an_old_address_stays_his(self, talk: Talk) -> None:
        talk.do("users set agent --email anna@crm.test")
        letter = talk.mail("ana@example.com", "agent@crm.test", "For you")
        assert letter.reason == "user-address-new"
        assert len(talk.inbox("agent")) == 1

    @pytest.mark.parametrize("login", ["12", "a b", "a@b", ""])
    def test_a_login_is_a_word(self, talk: Talk, login: str) -> None:
        talk.refused(["users", "add", login, "--email", "bob@crm.test"], code=2)

    def test_who_am_i(self, talk: Talk) -> None:
        talk.do("new case X")
        talk.do("take 1 --as agent")  # an option wins over the environment
        assert talk.field(1, "responsible") == "agent"
        assert "there is no user 'nobody'" in talk.refused("inbox --as nobody")


class TestSections:
    def test_an_address_is_an_alias_and_stays_one(self, talk: Talk) -> None:
        talk.do("sections set support --email help@crm.test")
        for to in ("help@crm.test", "support@crm.test"):
            assert talk.field(talk.mail("ana@example.com", to, to).record, "section") == "support"

    def test_a_taken_address_is_refused_by_its_owners_name(self, talk: Talk) -> None:
        assert "it belongs to the alias for leads" in talk.refused("sections add x --email sales@crm.test")
        assert [one["code"] for one in talk.cli("sections --json").json] == ["support"]

    def test_a_parent_can_be_made_with_its_child(self, talk: Talk) -> None:
        talk.refused("sections add level1 --parent level2")
        talk.do("sections add level1 --name 'Level 1' --parent level2 --create-parent")
        parents = {one["code"]: one["parent"] for one in talk.cli("sections --json").json}
        assert (parents["level1"], parents["level2"]) == ("level2", None)

    def test_no_circles(self, talk: Talk) -> None:
        talk.do("sections add below --parent support")
        assert "cannot be above" in talk.refused("sections set support --parent below")

    def test_of_a_section_that_is_gone_nothing_comes(self, talk: Talk) -> None:
        talk.do("sections remove support")
        assert talk.mail("ana@example.com", subject="Hello").reason == "no-route"
        assert talk.mail("ana@example.com", "x@other.example", "Hi", flags="-ssupport").reason == "no-section"


def test_settings_are_the_admins(talk: Talk) -> None:
    talk.refused("config set loop.minutes 5", user="agent")
    talk.refused("config set loop.minutes soon")
    assert "there is no setting" in talk.refused("config set loop.hours 1")
    assert talk.do("config set loop.minutes 5") == "loop.minutes = 5"
    talk.environ(CRMMAIL_LOOP_MINUTES="7")
    assert talk.do("config get loop.minutes") == "7"
    assert "wins over the store" in talk.cli("config set loop.minutes 6").err
