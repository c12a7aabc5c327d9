"""F41 and behaviour §4: undo takes back one's own last acts, all or none, and overwrites nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conversation import Letter, Talk
from mailsink import Sink

from crmmail.store import tables


@pytest.fixture
def case(talk: Talk) -> Letter:
    talk.do("users add bob --email bob@crm.test")
    talk.do("sections add sales --name Sales")
    return talk.mail("ana@example.com", subject="Printer", text="It burns.")


def facts(talk: Talk) -> Any:
    shown = talk.show(1)
    record = {key: value for key, value in shown["record"].items() if key != "updated"}
    return record, shown["followers"]


@pytest.mark.parametrize(
    "line",
    [
        "open 1",
        "close 1",
        "take 1",
        "assign 1 bob",
        "set 1 title=Scanner priority=high deadline=tomorrow revenue=100",
        "set 1 section=sales",
        "follow 1 --who bob",
        "follow 1 --who agent --types state",
        "follow 1 --who ana@example.com",
        "unfollow 1 --who agent",
    ],
)
def test_what_can_be_undone(talk: Talk, case: Letter, line: str) -> None:
    before = facts(talk)
    talk.do(line)
    assert facts(talk) != before
    talk.do("undo")
    assert facts(talk) == before


def test_a_change_that_is_taken_back_stays_in_the_thread(talk: Talk, case: Letter) -> None:
    talk.do("close 1", user="agent")
    talk.do("undo", user="agent")
    assert talk.system(1)[-2:] == ["state: draft → done", "undone: #1 Printer, back to draft"]


def test_what_one_command_did_to_many_is_taken_back_at_once(talk: Talk) -> None:
    for number in range(3):
        talk.do(["new", "case", f"Printer {number}"])
    said = talk.cli("close 99 1 2 3")
    assert said.out.splitlines()[-1] == "all 3 of them: crmmail undo 3"
    assert len(talk.do("undo 3").splitlines()) == 3
    assert {talk.field(row, "state") for row in (1, 2, 3)} == {"draft"}
    assert "of them" not in talk.do("close 1")
    assert talk.refused("undo 344").startswith("cannot undo (new #3 Printer 2)")  # no number is too large


def test_it_is_ones_own_last_act(talk: Talk, case: Letter) -> None:
    talk.do("set 1 priority=high", user="agent")
    talk.do("set 1 title=Scanner", user="bob")
    assert talk.do("undo", user="agent") == "undone: #1 Printer: priority: normal → high"
    assert (talk.field(1, "title"), talk.field(1, "priority")) == ("Scanner", 3)
    assert "there is nothing to undo" in talk.refused("undo", user="agent")


def test_several_last_first(talk: Talk, case: Letter) -> None:
    before = facts(talk)
    for line in ("take 1", "open 1", "set 1 priority=high", "close 1"):
        talk.do(line, user="bob")
    assert talk.do("undo 4", user="bob").count("undone: ") == 4
    assert facts(talk) == before


def test_what_somebody_changed_since_is_not_overwritten(talk: Talk, case: Letter) -> None:
    talk.do("set 1 priority=high", user="agent")
    talk.do("set 1 priority=low", user="bob")
    refusal = talk.refused("undo", user="agent")
    assert refusal.startswith(
        "cannot undo (#1 Printer: priority: normal → high): the priority was changed since by bob"
    )
    assert talk.field(1, "priority") == 4


def test_what_cannot_be_undone_does_not_bar_the_way_for_ever(talk: Talk, case: Letter) -> None:
    talk.do("set 1 title=Scanner", user="agent")
    talk.do("set 1 priority=high", user="agent")
    talk.do("set 1 priority=low", user="bob")
    talk.refused("undo", user="agent")
    assert talk.do("undo --skip", user="agent") == "undone: #1 Scanner: title: Printer → Scanner"
    assert (talk.field(1, "title"), talk.field(1, "priority")) == ("Printer", 4)
    assert "there is nothing to undo" in talk.refused("undo", user="agent")


def test_all_or_none(talk: Talk, case: Letter) -> None:
    talk.do("set 1 priority=high", user="agent")
    talk.do("set 1 title=Scanner", user="agent")
    talk.do("set 1 priority=low", user="bob")
    talk.refused("undo 2", user="agent")
    assert talk.field(1, "title") == "Scanner"


def test_another_field_of_the_same_record_is_no_hindrance(talk: Talk, case: Letter) -> None:
    talk.do("set 1 priority=high", user="agent")
    talk.do("set 1 title=Scanner", user="bob")
    talk.do("undo", user="agent")
    assert (talk.field(1, "priority"), talk.field(1, "title")) == (3, "Scanner")


def test_a_letter_that_reopened_it_stands_in_the_way(talk: Talk, case: Letter) -> None:
    talk.do("close 1", user="agent")
    talk.mail("ana@example.com", answers=case, text="Still.")
    assert "the state was changed since" in talk.refused("undo", user="agent")
    assert talk.state(1) == "open"


class TestLetters:
    """A letter stands in the way of what was done before it, and is never jumped over."""

    @pytest.fixture
    def closed(self, talk: Talk, case: Letter) -> int:
        """The agent closed #1, and somebody else writes about another matter: #2."""
        talk.do("close 1", user="agent")
        other = talk.mail("eve@example.com", subject="Scanner").record
        assert other == 2
        return other

    @pytest.mark.parametrize(
        ("line", "what"),
        [
            ("reply 2 -m Hello", "a letter to eve@example.com (#2)"),
            ("reply 2 -m Hello --cc cy@x.example,di@x.example", "a letter to eve@example.com and 2 more (#2)"),
            ("send 2 -m Hello", "a letter to eve@example.com (#2)"),
            ("forward 5 --to cy@x.example", "a letter to cy@x.example (#2)"),
            ("note 2 -m Hello", "a note (#2)"),
        ],
    )
    def test_are_not_jumped_over(self, talk: Talk, closed: int, sink: Sink, line: str, what: str) -> None:
        talk.environ(CRMMAIL_SMTP_URL=sink.url)
        talk.do(line, user="agent")
        before = talk.words(2)
        assert talk.refused("undo", user="agent") == (
            f"your last act was {what}, which cannot be taken back; "
            "`crmmail undo --skip` goes on with: #1 Printer: state: draft → done"
        )
        assert talk.state(1) == "done"
        assert talk.do("undo --skip", user="agent") == "undone: #1 Printer, back to draft"
        assert (talk.state(1), talk.words(2)) == ("draft", before)
        assert "there is nothing to undo" in talk.refused("undo", user="agent")

    def test_that_wait_can_be_stopped(self, talk: Talk, closed: int) -> None:
        talk.do("reply 2 -m Hello --cc cy@x.example", user="agent")
        said = talk.refused("undo", user="agent")
        assert said == (
            "your last act was a letter to eve@example.com and 1 more (#2); it has not left yet: "
            "`crmmail outbox cancel 1 2` stops it"
        )
        talk.do("outbox cancel 1 2", user="agent")
        assert talk.outbox() == []

    def test_with_nothing_before_them(self, talk: Talk, case: Letter) -> None:
        talk.do("note 1 -m Hello", user="agent")
        assert talk.refused("undo", user="agent") == (
            "your last act was a note (#1), which cannot be taken back; there is nothing before it"
        )
        assert "there is nothing to undo" in talk.refused("undo --skip", user="agent")

    def test_what_came_after_them_is_taken_back_at_once(self, talk: Talk, closed: int) -> None:
        talk.do("note 2 -m Hello --then close", user="agent")
        assert talk.refused("undo 2", user="agent") == (
            "before your last act you wrote a note (#2), which cannot be taken back; `crmmail undo 1` stops before it"
        )
        assert talk.do("undo", user="agent") == "undone: #2 Scanner, back to draft"
        assert "your last act was a note (#2)" in talk.refused("undo", user="agent")
        assert talk.do("undo --skip", user="agent") == "undone: #1 Printer, back to draft"

    def test_are_left_once_and_for_all(self, talk: Talk, closed: int) -> None:
        talk.do("note 2 -m One", user="agent")
        talk.do("note 2 -m Two", user="agent")
        talk.do("undo --skip", user="agent")
        talk.do("set 1 title=Scanner", user="agent")
        assert talk.do("undo", user="agent") == "undone: #1 Scanner: title: Printer → Scanner"
        assert "there is nothing to undo" in talk.refused("undo", user="agent")
        assert "left as it is: #2 Scanner: noted" in talk.do("log")

    def test_of_others_are_no_hindrance(self, talk: Talk, closed: int) -> None:
        talk.do("note 1 -m Hello", user="bob")
        assert talk.do("undo", user="agent") == "undone: #1 Printer, back to draft"


class TestDecisionsAboutQuarantine:
    @pytest.fixture
    def held(self, talk: Talk, case: Letter) -> Letter:
        return talk.mail("eve@evil.example", answers=case, text="Me too.", files=[("a.txt", b"A")])

    def world(self, talk: Talk) -> dict[str, list[Any]]:
        with talk.open():
            return {
                table.__name__: list(table.select().tuples())
                for table in tables.TABLES
                if table not in (tables.Journal, tables.Blob, tables.Thread)  # a thread's last activity moves on
            }

    @pytest.mark.parametrize(
        "line", ["quarantine route 1 1", "quarantine create 1 --kind lead", "quarantine create 1", "quarantine spam 1"]
    )
    def test_come_back_whole(self, talk: Talk, held: Letter, line: str) -> None:
        before = self.world(talk)
        assert (1, "Me too.") in talk.heard("agent")
        talk.do(line)
        assert talk.quarantine() == []
        assert self.world(talk) != before
        talk.do("undo")
        assert self.world(talk) == before
        assert (1, "Me too.") in talk.heard("agent")
        talk.do(line)  # and can be made again
        assert talk.quarantine() == []

    def test_and_what_the_letter_had_reopened(self, talk: Talk, held: Letter) -> None:
        talk.do("close 1", user="agent")
        talk.do("quarantine route 1 1")
        assert talk.state(1) == "open"
        talk.do("undo")
        assert (talk.state(1), talk.words(1)) == ("done", ["It burns."])

    def test_a_number_that_was_seen_is_not_given_again(self, talk: Talk, held: Letter) -> None:
        talk.do("quarantine create 1 --kind lead")
        assert talk.newest("lead") == 2
        talk.do("undo")
        assert "there is no record 2" in talk.refused("show 2")
        talk.do("quarantine create 1 --kind lead")
        assert talk.newest("lead") == 3

    def test_not_once_newer_things_hang_on_it(self, talk: Talk, held: Letter) -> None:
        talk.do("quarantine create 1 --kind lead", user="agent")
        talk.mail("eve@evil.example", answers=held, text="More.")
        assert "cannot undo" in talk.refused("undo", user="agent")
        assert talk.words(2) == ["Me too.", "More."]

    def test_purge_cannot_be_undone_so_it_asks(self, talk: Talk, held: Letter) -> None:
        assert "Remove 1 letter for good? Nobody is here to answer: say --yes" in talk.refused(
            "quarantine purge 1", code=2
        )
        assert "only an admin" in talk.refused("quarantine purge 1 --yes", user="agent")
        assert talk.do("quarantine purge 1 --yes") == "letter 1 is gone for good"
        assert talk.refused("undo") == (
            "your last act was: letter 1 purged, which cannot be taken back; there is nothing before it"
        )
        talk.refused("quarantine show 1 --raw")

    def test_decided_twice_is_refused(self, talk: Talk, held: Letter) -> None:
        talk.do("quarantine spam 1")
        said = talk.cli("quarantine spam 1")
        assert (said.code, said.out) == (1, "")
        assert "it was spam already" in said.err
        assert "it was spam already" in talk.refused("quarantine route 1 1")
        assert [one["state"] for one in talk.cli("quarantine list --all --json").json] == ["spam"]


class TestHousekeeping:
    """What an admin does to the shop comes back, or stands in the way of what he did before it."""

    LISTS = ("rules dump", "sla --json", "sections --json", "categories --json", "users --json", "aliases --json")

    @pytest.fixture
    def shop(self, talk: Talk, case: Letter) -> Talk:
        talk.do("sections set sales --parent support")
        talk.do("categories add Printers --section support --probability 30")
        talk.do("rules add Hot --state-to open --set-priority high")
        talk.do("sla add --within 8h --section support")
        talk.do("close 1")
        return talk

    @pytest.mark.parametrize(
        "line",
        [
            "rules add Cold --state-to pending --set-priority low",
            "rules edit Hot --name Hotter --set-priority highest --off",
            "rules edit Hot --trigger created --delay 2d",
            "rules remove Hot",
            "rules load {rules} --replace",
            "sla add --within 2h --priority high",
            "sla remove 1",
            "sections set sales --name Selling --assign round-robin --parent ''",
            "sections set support --reopen-window 14d --manager bob",
            "sections remove support",
            "categories add Scanners --section support",
            "categories set Printers --section support --name Machines --probability 40",
            "categories remove Printers --section support",
            "users away agent --until +7d --deputy bob",
        ],
    )
    def test_comes_back_and_no_more_than_that(self, shop: Talk, tmp_path: Path, line: str) -> None:
        (tmp_path / "rules.toml").write_text('[[rule]]\nname = "Other"\nstate_to = "open"\nset_priority = "low"\n')
        before = [shop.do(one) for one in self.LISTS]
        shop.do(line.format(rules=tmp_path / "rules.toml"))
        assert [shop.do(one) for one in self.LISTS] != before
        shop.do("undo")
        assert [shop.do(one) for one in self.LISTS] == before
        assert shop.state(1) == "done"

    def test_a_rule_that_acted_stays(self, shop: Talk) -> None:
        shop.do("open 1", user="agent")
        assert "switched off: the history names it" in shop.do("rules remove Hot")
        shop.do("undo")
        assert "Hot" in shop.do("rules")
        shop.do("rules add Cold --state-to pending --set-priority low")
        shop.do("pending 1", user="agent")
        assert "rule 2 cannot go again: something newer hangs on it" in shop.refused("undo")
        assert "Cold" in shop.do("rules")

    def test_a_name_that_was_given_again_is_not_taken_away(self, shop: Talk) -> None:
        shop.do("users set agent --admin")
        shop.do("rules remove Hot")
        shop.do("rules add Hot --state-to open --set-priority low", user="agent")
        assert "something newer is in its place" in shop.refused("undo")
        assert shop.do("rules --json").count('"name": "Hot"') == 1

    def test_what_another_admin_changed_since_stays(self, shop: Talk) -> None:
        shop.do("users set agent --admin")
        shop.wait(minutes=1)
        shop.do("rules edit Hot --set-priority low", user="agent")
        shop.wait(minutes=1)
        shop.do("rules edit Hot --off")
        assert "the rule was changed since by boss" in shop.refused("undo", user="agent")

    def test_sections_do_not_go_round_in_circles(self, shop: Talk) -> None:
        shop.do("users set agent --admin")
        shop.do("sections set sales --parent ''", user="agent")
        shop.do("sections set support --parent sales")
        assert "support cannot be above sales" in shop.refused("undo", user="agent")

    def test_who_is_no_admin_any_more_undoes_no_admins_act(self, shop: Talk) -> None:
        shop.do("users set agent --admin")
        shop.do("rules remove Hot", user="agent")
        shop.do("users set agent --no-admin")
        assert "only an admin may take this back" in shop.refused("undo", user="agent")
        assert "Hot" not in shop.do("rules")

    def test_a_new_address_of_a_section_is_retired_and_stays_ours(self, shop: Talk) -> None:
        shop.do("sections set support --email help@crm.test")
        shop.do("undo")
        emails = {one["code"]: one["email"] for one in shop.cli("sections --json").json}
        assert emails["support"] == "support@crm.test"
        assert [one["active"] for one in shop.cli("aliases --json").json if one["address"] == "help@crm.test"] == [
            False
        ]

    @pytest.mark.parametrize(
        ("line", "what"),
        [
            ("users add cy --email cy@crm.test", "user cy added"),
            ("sections add hq", "section hq added"),
            ("aliases add x@crm.test --kind lead", "alias x@crm.test added"),
            ("config set loop.messages 9", "loop.messages = 9"),
            ("follow --kind case", "boss follows every new case"),
        ],
    )
    def test_what_cannot_come_back_stands_in_the_way(self, shop: Talk, line: str, what: str) -> None:
        shop.do(line)
        assert shop.refused("undo") == (
            f"your last act was: {what}, which cannot be taken back; "
            "`crmmail undo --skip` goes on with: #1 Printer: state: draft → done"
        )
        assert shop.state(1) == "done"
        shop.do("set 1 priority=high")
        assert shop.refused("undo 2") == (
            f"before your last act there was: {what}, which cannot be taken back; `crmmail undo 1` stops before it"
        )
        assert shop.field(1, "priority") == 2
        shop.do("undo")
        assert shop.do("undo --skip") == "undone: #1 Printer, back to draft"

    def test_what_changed_nothing_is_in_nobodys_way(self, shop: Talk) -> None:
        shop.do("follow 1 --who agent --types state")
        shop.do("follow 1 --who agent --types state")
        shop.do("sections set sales --name Sales")
        assert "followed by agent" in shop.do("undo")


class TestNewRecords:
    @pytest.mark.parametrize("line", ["new case Scanner --section support", "new lead Offer --email eve@x.example"])
    def test_go_again(self, talk: Talk, case: Letter, line: str) -> None:
        talk.do("rules add Hot --state-from none --section support --set-priority high --watch bob --activity 'Call'")
        before = talk.do("list case --json"), talk.do("list lead --json")
        talk.do("close 1")
        number = int(talk.do(line))
        assert talk.do("undo").startswith(f"undone: new #{number} ")
        assert "there is no record" in talk.refused(f"show {number}")
        assert talk.state(1) == "done"
        talk.do("undo")
        assert (talk.do("list case --json"), talk.do("list lead --json")) == before
        assert int(talk.do(line)) == number + 1  # a number that was seen is not given again

    def test_a_contact_lets_go_of_what_it_was_made_partner_of(self, talk: Talk, case: Letter) -> None:
        talk.do("new contact Ana --email ana@example.com")
        assert talk.field(1, "partner") == {"id": 2, "name": "Ana"}
        talk.do("undo")
        assert talk.field(1, "partner") is None
        assert "there is no" in talk.refused("show 2")

    def test_not_once_newer_things_hang_on_them(self, talk: Talk, case: Letter) -> None:
        talk.do("new case Scanner --section support")
        talk.do("note 2 -m Hello", user="bob")
        said = talk.refused("undo")
        assert said.startswith("cannot undo (new #2 Scanner): ")
        assert "something newer hangs on it" in said
        assert talk.words(2) == ["Hello"]


def test_undo_wants_a_sensible_number(talk: Talk) -> None:
    talk.refused("undo 0", code=2)
    talk.refused("undo all", code=2)


class TestWhatOthersDidSince:
    def test_an_activity_that_somebody_has_done(self, talk: Talk) -> None:
        talk.do("new case Printer --section support")
        talk.do("activity add 1 'Call her' --due tomorrow --for agent")
        talk.do("activity done 1", user="agent")
        assert "activity 1 was changed since by agent" in talk.refused("undo")
        assert talk.do("activity list --json") == "[]"
        talk.do("undo", user="agent")
        talk.do("undo")
        assert talk.cli("activity list --all --json").json == []

    def test_a_follower_whom_somebody_brought_back(self, talk: Talk) -> None:
        talk.do("new case Printer --section support")
        talk.do("follow 1 --who expert@firm.example")
        talk.do("unfollow 1 --who expert@firm.example")
        talk.do("follow 1 --who expert@firm.example", user="agent")
        said = talk.refused("undo")
        assert "is there again already" in said or "something newer is in its place" in said
        assert "database" not in said

    def test_a_record_made_from_quarantine_on_which_a_rule_acted(self, talk: Talk) -> None:
        talk.do("rules add First --state-from none --set-priority 1")
        letter = talk.mail("ana@example.com", "nowhere@crm.test", subject="Printer")
        talk.do(f"quarantine create {letter.quarantine} --kind case --section support")
        assert talk.field(talk.newest("case"), "priority") == 1
        talk.do("undo")
        assert (talk.all("case"), talk.quarantine()) == ([], [("no-route", "Printer")])
