"""Two records that are one: everything goes along, later letters follow, and undo brings all of it back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from conversation import Letter, Talk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peewee import SqliteDatabase

from crmmail.store import tables

MONEY = ("revenue", "cost", "weighted_revenue")
ANA, BEA = "Ana <ana@example.com>", "bea@example.com"


@pytest.fixture
def pair(talk: Talk) -> tuple[Letter, Letter]:
    """Case 1 is Bea's, case 2 is Ana's and has something of everything; agent manages both."""
    talk.do("users add bob --email bob@crm.test --notify email")
    bea = talk.mail(BEA, subject="Printer", text="It burns.")
    ana = talk.mail(ANA, subject="Burning", text="Help!", files=[("a.txt", b"A")], cc="jo@example.com")
    talk.do("note 2 -m 'She is on the phone.' --to bob", user="agent")
    talk.do("follow 2 --who expert@firm.example")
    talk.do("follow 2 --who bob --types discussion")
    talk.do("set 2 responsible=agent deadline=+2d", user="agent")
    talk.do("activity add 2 'Call the supplier' --due +1d")
    return bea, ana


def ran(talk: Talk) -> list[str]:
    """What dated rules do now, a line each."""
    return talk.do("rules run -v").splitlines()


def facts(talk: Talk, number: int) -> Any:
    """All that `show` tells, but for what the program said, and when."""
    shown = talk.show(number)
    del shown["record"]["updated"]
    shown["messages"] = [one for one in shown["messages"] if one["kind"] != "system"]
    for one in shown["messages"]:
        del one["unread"]
    return shown


class TestMerge:
    def test_everything_goes_along(self, talk: Talk, pair: tuple[Letter, Letter]) -> None:
        assert talk.do("merge 2 --into 1") == "#2 Burning: merged into #1 Printer   (undo: crmmail undo)"
        made = talk.show(1)
        assert talk.words(1) == ["It burns.", "Help!", "She is on the phone."]
        assert made["messages"][2]["attachments"][0]["name"] == "a.txt"
        assert set(talk.followers(1)) == {"agent", "bob", "expert@firm.example"}
        assert [one["summary"] for one in made["activities"]] == ["Call the supplier"]
        assert made["record"]["deadline"] is not None  # it had none
        assert made["record"]["email"] == BEA  # it had one
        assert talk.system(1)[-1].startswith("#2 Burning was merged into this: 2 messages")

    def test_the_old_one_says_where_it_went(self, talk: Talk, pair: tuple[Letter, Letter]) -> None:
        talk.do("merge 2 --into 1")
        left = talk.show(2)
        record = left["record"]
        assert (record["moved_to"], record["state"], record["buttons"]) == (1, "cancel", [])
        assert record["closed"] == "2026-11-24T10:00:00Z"
        assert (talk.words(2), left["followers"], left["activities"]) == ([], [], [])
        assert "merged into #1: later letters go there" in talk.do("show 2 --peek").splitlines()
        assert talk.system(2)[-1] == "merged into #1 Printer"
        assert [one["id"] for one in talk.show(1)["record"]["related"]] == [2]

    def test_its_people_are_told_of_what_they_had_in_their_inbox(self, talk: Talk, pair: tuple[Letter, Letter]) -> None:
        talk.do("merge 2 --into 1")
        about = {one["record"] for one in talk.inbox("agent") if one["text"].startswith("Help!")}
        assert about == {1}
        talk.do("show 1", user="agent")
        assert not [one for one in talk.inbox("agent") if one["record"] == 1]

    def test_undo_brings_all_of_it_back(self, talk: Talk, pair: tuple[Letter, Letter]) -> None:
        before = facts(talk, 1), facts(talk, 2)
        boxes = {user: [one["id"] for one in talk.inbox(user)] for user in ("boss", "agent")}
        talk.do("merge 2 --into 1")
        assert (facts(talk, 1), facts(talk, 2)) != before
        talk.do("undo")
        assert (facts(talk, 1), facts(talk, 2)) == before
        for user, items in boxes.items():
            assert {one["id"] for one in talk.inbox(user)} >= set(items)
        for number in (1, 2):
            assert talk.system(number)[-1] == "undone: #2 Burning: merged into #1 Printer"
        assert talk.mail(ANA, answers=pair[1], text="And now?").record == 2

    def test_undo_after_an_answer_leaves_the_answer(self, talk: Talk, pair: tuple[Letter, Letter]) -> None:
        talk.do("merge 2 --into 1")
        talk.wait(hours=1)
        assert talk.mail(ANA, answers=pair[1], text="Still.").record == 1
        talk.do("undo")
        assert talk.words(2) == ["Help!", "She is on the phone."]
        assert talk.words(1) == ["It burns.", "Still."]

    def test_undo_says_which_letters_it_leaves(self, talk: Talk, pair: tuple[Letter, Letter]) -> None:
        talk.do("merge 2 --into 1")
        talk.wait(hours=1)
        stays = talk.mail(ANA, answers=pair[1], text="Still.").message
        said = (
            "undone: #2 Burning: merged into #1 Printer; 1 letter that came since stays in #1 "
            "(crmmail message move brings one over)"
        )
        assert talk.do("undo") == said
        assert talk.system(1)[-1] == talk.system(2)[-1] == said
        talk.do(f"message move {stays} 2")
        assert talk.words(2)[-1] == "Still."
        talk.do("merge 2 --into 1")
        talk.wait(hours=1)
        for words in ("More.", "Even more."):
            talk.mail(ANA, answers=pair[1], text=words)
        assert "; 2 letters that came since stay in #1 (" in talk.do("undo")

    def test_a_long_record_asks_the_store_no_more_often(
        self, talk: Talk, pair: tuple[Letter, Letter], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who holds the lock for long makes deliveries fail."""

        def asked(line: str) -> int:
            seen: list[str] = []
            real = SqliteDatabase.execute_sql
            with monkeypatch.context() as patch:
                patch.setattr(SqliteDatabase, "execute_sql", lambda *args: seen.append(args[1]) or real(*args))
                talk.do(line)
            return len(seen)

        merged, undone = asked("merge 2 --into 1"), asked("undo")
        for number in range(15):
            talk.mail(ANA, answers=pair[1], text=f"More, {number}.")
        assert asked("merge 2 --into 1") < merged + 15
        assert len(talk.words(1)) == 18
        assert asked("undo") < undone + 15
        assert len(talk.words(2)) == 17

    def test_a_dry_run_does_nothing(self, talk: Talk, pair: tuple[Letter, Letter]) -> None:
        before = talk.show(1), talk.show(2)
        assert talk.do("merge 2 --into 1 -n").startswith("#2 Burning: merged into #1 Printer")
        assert (talk.show(1), talk.show(2)) == before

    def test_what_is_empty_is_filled(self, talk: Talk) -> None:
        card = talk.do("contacts add Ana --email ana@example.com")
        talk.do("new case Blank")
        talk.do(f"new case Full --contact {card} --deadline +1d")
        talk.do("merge 3 --into 2")
        made = talk.show(2)["record"]
        assert (made["partner"]["name"], made["email"]) == ("Ana", "ana@example.com")
        assert made["deadline"] is not None
        talk.do("undo")
        made = talk.show(2)["record"]
        assert (made["partner"], made["email"], made["deadline"]) == (None, None, None)

    def test_another_partner_becomes_a_further_contact(self, talk: Talk) -> None:
        ana, bea, cy = (talk.do(f"contacts add {name} --email {name}@example.com") for name in ("ana", "bea", "cy"))
        talk.do(f"new case One --contact {ana} --contacts {cy}")
        talk.do(f"new case Two --contact {bea} --contacts {cy}")
        before = facts(talk, 4), facts(talk, 5)
        talk.do("merge 5 --into 4")
        assert talk.field(4, "partner")["name"] == "ana"
        assert [one["name"] for one in talk.field(4, "contacts")] == ["cy", "bea"]
        talk.do("undo")
        assert (facts(talk, 4), facts(talk, 5)) == before

    def test_a_letter_that_waits_in_quarantine_may_belong_to_the_new_one(
        self, talk: Talk, pair: tuple[Letter, Letter]
    ) -> None:
        held = talk.mail("eve@evil.example", answers=pair[1], text="Me too.")
        talk.do("merge 2 --into 1")
        assert talk.field(1, "held") == [held.quarantine]
        talk.do(f"quarantine route {held.quarantine} 2")
        assert talk.words(1)[-1] == "Me too."


class TestNumbers:
    """What was merged is counted no more, so what it had must be counted with the other one."""

    def totals(self, talk: Talk, kind: str = "cases") -> tuple[Any, Any, Any]:
        rows = talk.cli(f"stats {kind} --by month --json").json
        revenue, cost, weighted = (sum(row[key] or 0 for row in rows) for key in MONEY)
        return revenue, cost, weighted

    @pytest.fixture
    def rich(self, talk: Talk) -> dict[str, Any]:
        """Case 1 has everything that counts; it is not merged yet."""
        talk.do("categories add Fault --section support")
        talk.do("new case Rich --section support --responsible agent --priority high")
        talk.do("set 1 category=Fault revenue=1000.10 cost=40.5 probability=50")
        return facts(talk, 1)["record"]  # type: ignore[no-any-return]

    def test_what_is_empty_gets_them(self, talk: Talk, rich: dict[str, Any]) -> None:
        talk.do("new case Bare")
        before, bare = self.totals(talk), facts(talk, 2)
        talk.do("merge 1 --into 2")
        made = talk.show(2)["record"]
        kept = ("section", "category", "responsible", "priority", "revenue", "cost", "probability")
        assert {key: made[key] for key in kept} == {key: rich[key] for key in kept}
        assert self.totals(talk) == before == (1000.1, 40.5, 500.05)
        assert talk.system(2)[-1] == (
            "#1 Rich was merged into this: 0 messages; section: none → support, category: none → Fault, "
            "responsible: none → agent, priority: normal → high, revenue: none → 1000.1, cost: none → 40.5, "
            "probability: none → 50"
        )
        talk.do("undo")
        assert (facts(talk, 1)["record"], facts(talk, 2)) == (rich, bare)

    def test_amounts_are_added_up(self, talk: Talk, rich: dict[str, Any]) -> None:
        talk.do("sections add sales --name Sales")
        talk.do("new case Other --section sales --responsible boss --priority highest")
        talk.do("set 2 revenue=0.2 cost=1 probability=10")
        before, other = self.totals(talk), facts(talk, 2)
        talk.do("merge 1 --into 2")
        made = talk.show(2)["record"]
        assert (made["revenue"], made["cost"]) == (1000.3, 41.5)
        assert self.totals(talk)[:2] == before[:2]
        unchanged = ("section", "category", "responsible", "priority", "probability")
        assert {key: made[key] for key in unchanged} == {key: other["record"][key] for key in unchanged}
        assert talk.system(2)[-1].endswith("0 messages; revenue: 0.2 → 1000.3, cost: 1 → 41.5")
        talk.do("undo")
        assert (facts(talk, 1)["record"], facts(talk, 2)) == (rich, other)
        assert self.totals(talk) == before

    def test_a_category_stays_in_its_section(self, talk: Talk, rich: dict[str, Any]) -> None:
        talk.do("new case Here --section support")
        talk.do("sections add sales --name Sales")
        talk.do("new case There --section sales")
        talk.do("merge 1 --into 3")
        assert (talk.field(3, "section"), talk.field(3, "category")) == ("sales", None)
        talk.do("undo")
        talk.do("merge 1 --into 2")
        assert talk.field(2, "category") == "Fault"

    def test_what_is_done_is_not_urgent_and_who_left_gets_no_work(self, talk: Talk, rich: dict[str, Any]) -> None:
        talk.do("users add bob --email bob@crm.test")
        talk.do("set 1 responsible=bob")
        talk.do("close 1")
        talk.do("users set bob --inactive")
        talk.do("new case Bare")
        talk.do("merge 1 --into 2")
        assert (talk.field(2, "priority"), talk.field(2, "responsible")) == (3, None)

    def test_of_a_lead_are_the_case_s_too(self, talk: Talk) -> None:
        """A lead that became a case is counted as a lead, and as what it became."""
        talk.do("new lead Offer --revenue 300 --probability 20")
        talk.do("new case Order --revenue 100 --cost 7")
        talk.do("merge 1 --into 2")
        assert self.totals(talk, "leads") == (300, 0, 60)
        assert self.totals(talk) == (400, 7, 80)

    def test_whoever_becomes_responsible_hears_of_it(self, talk: Talk, rich: dict[str, Any]) -> None:
        talk.do("unfollow 1", user="agent")
        talk.do("new case Bare")
        talk.quiet()
        talk.do("merge 1 --into 2")
        assert "agent" in talk.followers(2)
        assert [record for record, _ in talk.heard("agent")] == [2]


class TestLaterLetters:
    def answered(self, talk: Talk, how: str, letter: Letter) -> int | None:
        """Ana answers what was case 2, by the evidence that `how` names."""
        if how == "token":
            talk.do("config set mail.catchall catchall@crm.test")
            talk.do("reply 2 -m Yes?", user="agent")
            row = next(one for one in talk.cli("outbox --json").json if one["to"] == "ana@example.com")
            raw = talk.cli(f"outbox show {row['id']} --raw").out
            (to,) = re.findall(r"^Reply-To: <?([^>\s]+\+[^>\s]+)>?$", raw, re.MULTILINE)
            talk.do("merge 2 --into 1")
            return talk.mail("ana@home.example", to=to, subject="Re", text="More.").record
        talk.do("merge 2 --into 1")
        if how == "reference":
            return talk.mail(ANA, answers=letter, text="More.").record
        return talk.mail(ANA, subject="Re: [2] Burning", text="More.").record

    @pytest.mark.parametrize("how", ["token", "reference", "tag"])
    def test_follow(self, talk: Talk, pair: tuple[Letter, Letter], how: str) -> None:
        assert self.answered(talk, how, pair[1]) == 1
        assert talk.words(1)[-1] == "More."
        assert talk.words(2) == []

    def test_follow_a_chain(self, talk: Talk, pair: tuple[Letter, Letter]) -> None:
        talk.do("new case Last")
        talk.do("merge 2 --into 1")
        talk.do("merge 1 --into 3")
        assert talk.mail(ANA, answers=pair[1], text="More.").record == 3
        assert talk.mail(BEA, subject="Re: [1] Printer", text="More of mine.").record == 3
        assert "lives on as #3: crmmail show 3" in talk.refused("set 2 title=x")
        (action,) = talk.cli("actions 2 --json").json
        assert (action["command"], action["sentence"]) == ("crmmail show 3", "it was merged into #3: work there")
        assert "merged into #3: later letters go there" in talk.do("show 2 --peek").splitlines()

    def test_of_the_customer_who_never_wrote(self, talk: Talk) -> None:
        """Who is the e-mail of the old record only, takes part in the new one too."""
        talk.do("new case One --email bea@example.com")
        talk.do("new case Two --email ana@example.com")
        talk.do("merge 2 --into 1")
        assert talk.mail(ANA, subject="Re: [2] Two", text="More.").record == 1
        assert talk.mail("eve@evil.example", subject="Re: [2] Two", text="Me.").record not in (1, 2)

    def test_of_a_user_by_mail(self, talk: Talk, pair: tuple[Letter, Letter]) -> None:
        notice = talk.notice("bob", 2)
        talk.do("merge 2 --into 1")
        letter = talk.mail("bob@crm.test", answers=notice, text="I know her.")
        assert letter.record == 1


class TestRefused:
    @pytest.mark.parametrize(
        "line",
        [
            "reply 2 -m x", "note 2 -m x", "send 2 -m x", "set 2 title=X", "close 2", "open 2", "take 2",
            "assign 2 agent", "escalate 2", "move 2 --section support", "merge 2 --into 3", "log event 2 --what x",
            "follow 2", "follow 2 --who bob --types note", "unfollow 2 --who bob",
        ],
    )  # fmt: skip
    def test_nothing_is_done_to_what_was_merged(self, talk: Talk, pair: tuple[Letter, Letter], line: str) -> None:
        talk.do("new case Other")
        talk.do("merge 2 --into 1")
        before = talk.show(2)
        assert "#2 Burning lives on as #1: crmmail show 1" in talk.cli(line).err
        assert talk.cli(line).code == 1
        assert talk.show(2) == before

    def test_what_does_not_go_together(self, talk: Talk, pair: tuple[Letter, Letter]) -> None:
        talk.do("new lead Offer")
        talk.do("contacts add Ana")
        assert "cannot be merged into itself" in talk.refused("merge 1 --into 1")
        assert "there is no record 9" in talk.refused("merge 1 --into 9")
        assert "there is no record 9" in talk.refused("merge 9 --into 1")
        said = talk.refused("merge 1 --into 3")
        assert "only a lead can become part of a case (crmmail merge 3 --into 1)" in said
        assert "#4 Ana is a contact: only cases and leads can be merged" in talk.refused("merge 4 --into 1")
        assert "only cases and leads" in talk.refused("merge 1 --into 4")

    def test_there_are_no_circles(self, talk: Talk, pair: tuple[Letter, Letter]) -> None:
        talk.do("merge 2 --into 1")
        assert talk.refused("merge 1 --into 2") == "#1 and #2 are one already: crmmail show 1"
        assert talk.refused("merge 2 --into 1") == "#2 and #1 are one already: crmmail show 1"
        talk.do("new case Other")
        assert "crmmail merge 3 --into 1" in talk.refused("merge 3 --into 2")

    def test_what_was_merged_on_cannot_be_taken_back_before(self, talk: Talk, pair: tuple[Letter, Letter]) -> None:
        talk.do("new case Last")
        talk.do("merge 2 --into 1", user="agent")
        talk.do("merge 1 --into 3", user="bob")
        assert "was changed since by bob" in talk.refused("undo", user="agent")
        talk.do("undo", user="bob")
        talk.do("undo", user="agent")
        assert talk.words(2) == ["Help!", "She is on the phone."]


class TestRules:
    """What a dated rule did for a date that goes along is not done again."""

    @pytest.fixture
    def reminded(self, talk: Talk) -> Letter:
        """Bea wrote case 1, and later Ana case 2; both heard that we have not forgotten them."""
        talk.do("rules add Nag --trigger partner-mail --delay 3d --remind partner")
        talk.mail(BEA, subject="Printer", text="It burns.")
        talk.wait(hours=1)
        letter = talk.mail(ANA, subject="Burning", text="Help!")
        talk.wait(days=4)
        assert ran(talk) == ["#1 Printer: Nag: partner reminded", "#2 Burning: Nag: partner reminded"]
        return letter

    def test_nobody_is_reminded_twice_of_one_letter(self, talk: Talk, reminded: Letter) -> None:
        talk.do("merge 2 --into 1")
        assert ran(talk) == []
        talk.mail(ANA, answers=reminded, text="Hello?")
        talk.wait(days=4)
        assert ran(talk) == ["#1 Printer: Nag: partner reminded"]

    def test_merged_again_neither(self, talk: Talk, reminded: Letter) -> None:
        talk.do("new case Last")
        talk.do("merge 2 --into 1")
        talk.do("merge 1 --into 3")
        assert ran(talk) == []

    def test_of_an_older_letter_nothing_goes_along(self, talk: Talk, reminded: Letter) -> None:
        """The other record keeps its own date, and what was done for it."""
        before = talk.count(tables.Firing)
        talk.do("merge 1 --into 2")
        assert (talk.count(tables.Firing), ran(talk)) == (before, [])

    def test_undo_takes_it_back(self, talk: Talk, reminded: Letter) -> None:
        before = talk.count(tables.Firing)
        talk.do("merge 2 --into 1")
        assert talk.count(tables.Firing) == before + 1
        talk.do("undo")
        assert (talk.count(tables.Firing), ran(talk)) == (before, [])

    def test_a_deadline_that_goes_along_was_spoken_of(self, talk: Talk) -> None:
        talk.do("rules add Due --trigger deadline --delay=-1d --watch expert@firm.example")
        talk.do("new case One")
        talk.do("new case Two --deadline +12h")
        assert len(ran(talk)) == 1
        talk.do("merge 2 --into 1")
        assert talk.field(1, "deadline") is not None
        assert ran(talk) == []


class TestLeads:
    def test_become_part_of_a_case(self, talk: Talk, pair: tuple[Letter, Letter]) -> None:
        lead = talk.mail("cy@example.com", "sales@crm.test", "An offer?", "How much?")
        talk.do(f"merge {lead.record} --into 1")
        assert talk.state(lead.record) == "converted"
        assert talk.words(1)[-1] == "How much?"
        assert talk.mail("cy@example.com", answers=lead, text="And?").record == 1

    def test_that_came_twice(self, talk: Talk) -> None:
        talk.do("new lead One")
        talk.do("new lead Two")
        talk.do("merge 2 --into 1")
        assert talk.state(2) == "lost"
        talk.do("undo")
        assert talk.state(2) == "new"


def test_several_at_once(talk: Talk) -> None:
    for title in ("One", "Two", "Three"):
        talk.do(["new", "case", title])
    said = talk.cli("merge 2 9 3 --into 1")
    assert (said.code, said.out.splitlines()[2:]) == (1, ["all 2 of them: crmmail undo 2"])
    assert said.err == "crmmail: there is no record 9\n"
    talk.do("undo")
    assert (talk.state(2), talk.state(3)) == ("cancel", "draft")


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=4))
def test_whatever_is_merged_leads_somewhere_and_undo_brings_it_back(talk: Talk, merges: list[tuple[int, int]]) -> None:
    """No order of merges makes a circle, and undo takes each of them back."""
    if not talk.all("case"):
        for number in range(1, 4):
            talk.mail(f"u{number}@example.com", subject=f"Case {number}", text=f"Words {number}", id=f"{number}@x.test")
            talk.do(f"set {number} revenue={number}.1 cost={number * 10}")
    before = [facts(talk, number) for number in range(1, 4)]
    done = sum(talk.cli(f"merge {number} --into {into}").code == 0 for number, into in merges)
    ends = {number: talk.field(number, "moved_to") for number in range(1, 4)}
    for number in ends:
        at, steps = number, 0
        while ends[at] is not None:
            at, steps = ends[at], steps + 1
            assert steps <= 4
        assert f"Words {number}" in talk.words(at)
    counted = talk.cli("stats cases --by month --json").json
    assert [(row["revenue"], row["cost"]) for row in counted] == [(6.3, 60.0)]
    if done:
        talk.do(f"undo {done}")
    assert [facts(talk, number) for number in range(1, 4)] == before
