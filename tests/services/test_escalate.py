"""F184, F185, F189, F205, behaviour §5: a case goes to the section above its own, or across to another one."""

from __future__ import annotations

import pwd
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from conversation import Talk

from crmmail.cli.voice import Voice
from crmmail.errors import Refused
from crmmail.services.acts import escalate
from crmmail.services.acts.records import Done
from crmmail.workspace import Workspace


@pytest.fixture
def case(talk: Talk) -> int:
    """A case of level1, which stands below level2, which bob manages; agent works on it."""
    talk.do("users add bob --email bob@crm.test")
    talk.do("users add carol --email carol@crm.test")
    talk.do("sections add level2 --manager bob")
    talk.do("sections add level1 --parent level2 --manager agent --email level1@crm.test")
    talk.do("sections add sales")
    talk.do("categories add Printer --section level1")
    letter = talk.mail("ana@example.com", "level1@crm.test", "Printer", "It burns.")
    talk.do("set 1 category=Printer responsible=agent deadline=+2d", user="agent")
    assert letter.record == 1
    return 1


def facts(talk: Talk, number: int = 1) -> Any:
    shown = talk.show(number)
    return {key: one for key, one in shown["record"].items() if key != "updated"}, shown["followers"]


def where(talk: Talk, number: int = 1) -> tuple[Any, ...]:
    made = talk.show(number)["record"]
    return made["section"], made["responsible"], made["state"], made["category"]


class TestEscalate:
    def test_to_the_section_above_and_its_manager(self, talk: Talk, case: int) -> None:
        """Oracle 4: from level 1 to level 2."""
        talk.do("open 1", user="agent")
        talk.quiet()
        said = talk.do("escalate 1", user="agent")
        assert said == (
            "#1 Printer: section level1 → level2, category Printer → none, responsible agent → bob"
            "   (undo: crmmail undo)"
        )
        assert where(talk) == ("level2", "bob", "open", None)
        assert talk.followers(1) == ["agent", "bob"]
        last = talk.show(1)["messages"][-1]
        assert (last["kind"], last["subtype"], last["author"], last["internal"]) == ("system", "section", "agent", True)
        words = "escalated: section: level1 → level2, category: Printer → none, responsible: agent → bob"
        assert last["text"] == words
        assert talk.heard("bob") == [(1, words)]
        assert talk.inbox("agent") == []  # who did it

    def test_who_had_it_follows_even_if_he_did_not(self, talk: Talk, case: int) -> None:
        talk.do("unfollow 1", user="agent")
        talk.do("escalate 1")
        assert talk.followers(1) == ["bob", "agent"]
        talk.do("undo")
        assert talk.followers(1) == []

    def test_who_had_it_can_be_let_go(self, talk: Talk, case: int) -> None:
        before = facts(talk)
        talk.do("escalate 1 --no-keep-watch")
        assert talk.followers(1) == ["bob"]
        talk.do("undo")
        assert facts(talk) == before

    def test_it_brings_its_people_back(self, talk: Talk, case: int) -> None:
        before = facts(talk)
        talk.do("escalate 1", user="agent")
        assert facts(talk) != before
        assert talk.do("undo", user="agent").startswith("undone: #1 Printer: escalated: section: level1 → level2")
        assert facts(talk) == before

    def test_the_deputy_of_whoever_is_on_leave(self, talk: Talk, case: int) -> None:
        talk.do("users away bob --until 2026-12-24 --deputy carol")
        talk.do("escalate 1")
        assert where(talk) == ("level2", "carol", "draft", None)
        assert [record for record, _ in talk.heard("carol")] == [1]

    def test_nobody_manages_the_section_above(self, talk: Talk, case: int) -> None:
        talk.do("sections set level2 --manager ''")
        talk.quiet()
        talk.do("escalate 1", user="agent")
        assert where(talk) == ("level2", None, "draft", None)
        assert len(talk.heard("boss")) == 1  # the admins look after what nobody owns

    def test_at_the_top_nothing_changes(self, talk: Talk, case: int) -> None:
        """Oracle 4: escalate in Sales is an error."""
        talk.do("new case Offer --section sales")
        before = talk.show(2)
        assert talk.cli("escalate 2").err == (
            "crmmail: #2 Offer: sales is at the top level already: nothing above it to escalate to "
            "(crmmail sections set sales --parent CODE)\n"
        )
        assert talk.refused("escalate 2")
        assert talk.show(2) == before

    @pytest.mark.parametrize("button", ["close", "cancel"])
    def test_only_what_is_unfinished(self, talk: Talk, case: int, button: str) -> None:
        talk.do(f"{button} 1")
        state = talk.state(1)
        assert f"escalate is not possible for a case in state {state}; possible now: open, reset" in talk.refused(
            "escalate 1"
        )
        assert where(talk)[0] == "level1"

    def test_what_has_no_section_and_what_is_no_case(self, talk: Talk) -> None:
        talk.do("new case Printer")
        talk.do("new lead Offer")
        assert "it has no section" in talk.refused("escalate 1")
        assert "a lead cannot be escalated, only cases can" in talk.refused("escalate 2")
        assert "there is no record 9" in talk.refused("escalate 9")
        assert "say which cases, or --late" in talk.refused("escalate", code=2)
        assert "say which cases, or --late" in talk.refused("escalate 1 --late", code=2)

    def test_many_from_a_pipe_each_for_itself(self, talk: Talk, case: int) -> None:
        talk.do("new case Offer --section sales")
        talk.do("new case Scanner --section level1")
        said = talk.cli("escalate -", input="1\n2\n9\n3\n")
        assert said.code == 1
        assert [line.split(":")[0] for line in said.out.splitlines()] == ["#1 Printer", "#3 Scanner", "all 2 of them"]
        assert [line.split(":")[1] for line in said.err.splitlines()] == [" #2 Offer", " there is no record 9"]
        assert talk.cli("escalate -", input="").out == ""

    def test_a_note_goes_with_it_and_stays_inside(self, talk: Talk, case: int) -> None:
        talk.quiet()
        talk.do(["escalate", "1", "--note", "Needs the driver's maker."], user="agent")
        assert talk.words(1)[-1] == "Needs the driver's maker."
        note = [one for one in talk.show(1)["messages"] if one["kind"] == "note"][-1]
        assert (note["internal"], note["author"], note["deliveries"]) == (True, "agent", [])
        assert len(talk.heard("bob")) == 1  # of one act one item

    def test_a_dry_run_says_it_and_does_nothing(self, talk: Talk, case: int) -> None:
        before, items = talk.show(1), talk.inbox("bob")
        said = talk.do("escalate 1 --note Why -n")
        assert talk.show(1) == before
        assert talk.inbox("bob") == items
        line = said.partition("   (")[0]
        assert talk.do("escalate 1").partition("   (")[0] == line
        assert said.endswith("(a dry run: nothing was changed)")

    def test_it_is_a_button_where_it_is_possible(self, talk: Talk, case: int) -> None:
        assert talk.field(1, "buttons") == ["open", "pending", "close", "cancel", "escalate"]
        assert "possible now: open, pending, close, cancel, escalate" in talk.cli("reset 1").err
        talk.do("escalate 1")
        assert "escalate" not in talk.field(1, "buttons")  # it is at the top now

    def test_an_act_of_a_rule_on_it_is_undone_with_it(self, talk: Talk, case: int) -> None:
        talk.do(["rules", "add", "Up is urgent", "--state-to", "escalate", "--set-priority", "high"])
        talk.do("escalate 1")
        assert talk.field(1, "priority") == 2
        talk.do("undo")
        assert (talk.field(1, "priority"), talk.field(1, "section")) == (3, "level1")


class TestLate:
    """`escalate --late`, for cron."""

    def test_nothing_is_late_and_nothing_is_said(self, talk: Talk, case: int) -> None:
        assert talk.cli("escalate --late") == (0, "", "", b"")
        talk.wait(days=3)
        talk.do("close 1")
        assert talk.cli("escalate --late") == (0, "", "", b"")

    def test_each_once_for_its_deadline(self, talk: Talk, case: int) -> None:
        talk.do("sections add level3 --manager carol")
        talk.do("sections set level2 --parent level3")
        talk.wait(days=3)
        assert "section level1 → level2" in talk.do("escalate --late -v")
        talk.wait(minutes=1)
        assert talk.cli("escalate --late") == (0, "", "", b"")
        assert where(talk)[0] == "level2"
        talk.do("set 1 deadline=+1d")
        talk.wait(days=2)
        assert "section level2 → level3" in talk.do("escalate --late -v")
        assert talk.cli("escalate --late") == (0, "", "", b"")

    def test_cron_hears_of_errors_only(self, talk: Talk, case: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """What cron hears it mails to its owner, each time."""
        talk.do("new case Offer --section level1 --deadline +1d")
        talk.wait(days=3)
        assert "(a dry run: nothing was changed)" in talk.do("escalate --late -n")
        real = escalate.escalate

        def fails_once(workspace: Workspace, number: int, **more: Any) -> Done:
            if number == 2:
                raise Refused("#2 Offer: it cannot be")
            return real(workspace, number, **more)

        with monkeypatch.context() as patch:
            patch.setattr(escalate, "escalate", fails_once)
            said = talk.cli("escalate --late")
        assert (said.code, said.out, said.err) == (1, "", "crmmail: #2 Offer: it cannot be\n")
        assert where(talk)[0] == "level2"
        monkeypatch.setattr(Voice, "terminal", True)
        assert "level1 → level2" in talk.do("escalate --late")  # #2, and somebody sits there

    def test_who_ran_it_hears_of_it_too(self, talk: Talk, case: int) -> None:
        talk.wait(days=3)
        talk.do("escalate --late", user="bob")
        assert [record for record, _ in talk.heard("bob")] == [1]
        talk.do("undo", user="bob")
        assert where(talk)[:2] == ("level1", "agent")
        # Somebody thought better of it: cron does not argue.
        assert talk.cli("escalate --late") == (0, "", "", b"")

    def test_a_case_that_went_up_by_hand_since_is_left_alone(self, talk: Talk, case: int) -> None:
        talk.do("sections add level3 --manager carol")
        talk.do("sections set level2 --parent level3")
        talk.do("set 1 section=sales")
        talk.do("set 1 section=level1")
        talk.wait(days=3)
        talk.do("escalate 1", user="agent")
        assert talk.cli("escalate --late") == (0, "", "", b"")

    def test_so_is_one_that_a_rule_sent_up(self, talk: Talk, case: int) -> None:
        talk.do("sections add level3 --manager carol")
        talk.do("sections set level2 --parent level3")
        talk.do(["rules", "add", "Up", "--state-to", "pending", "--set-state", "escalate"])
        talk.wait(days=3)
        talk.do("pending 1", user="agent")
        assert where(talk)[0] == "level2"
        assert talk.cli("escalate --late") == (0, "", "", b"")

    def test_one_that_went_up_before_its_deadline_goes_up_again(self, talk: Talk, case: int) -> None:
        talk.do("sections add level3 --manager carol")
        talk.do("sections set level2 --parent level3")
        talk.do("escalate 1", user="agent")
        talk.wait(days=3)
        assert "section level2 → level3" in talk.do("escalate --late -v")

    def test_at_the_top_it_is_quiet_unless_somebody_asks(self, talk: Talk, case: int) -> None:
        talk.do("new case Offer --section sales --deadline +1d")
        talk.do("close 1")
        talk.wait(days=2)
        assert talk.cli("escalate --late") == (0, "", "", b"")
        said = talk.cli("escalate --late -v")
        assert (said.code, said.out) == (0, "")
        assert said.err == "crmmail: #2 Offer is late, and there is no section above its own\n"

    def test_who_finds_it_seen_to_says_nothing(self, talk: Talk, case: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of two runs at once the second chose its cases before the first was done."""
        talk.do("sections add level3 --manager carol")
        talk.do("sections set level2 --parent level3")
        for title in ("Closed", "Merged"):
            talk.do(f"new case {title} --section level1 --deadline +1d")
        talk.wait(days=3)
        with talk.open() as workspace:
            chosen = escalate.late(workspace)
        assert [one.id for one in chosen] == [1, 2, 3]
        talk.do("escalate --late")
        talk.do("close 2")
        talk.do("merge 3 --into 1")
        before = [talk.show(number) for number in (1, 2, 3)]
        monkeypatch.setattr(escalate, "late", lambda workspace: chosen)
        assert talk.cli("escalate --late") == (0, "", "", b"")
        assert [talk.show(number) for number in (1, 2, 3)] == before

    def test_two_at_once_send_each_up_once(self, talk: Talk, case: int) -> None:
        talk.do("sections add level3 --manager carol")
        talk.do("sections set level2 --parent level3")
        for number in range(2, 9):
            talk.do(f"new case C{number} --section level1 --deadline +1d")
        talk.wait(days=3)
        line = [sys.executable, "-m", "crmmail", "--db", str(talk.db), "escalate", "--late"]
        runs = [subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
        assert [(*run.communicate(), run.returncode) for run in runs] == [(b"", b"", 0)] * 4
        assert {talk.field(number, "section") for number in range(1, 9)} == {"level2"}
        ups = [one["act"] for number in range(1, 9) for one in talk.cli(f"log {number} --json").json]
        assert ups.count("escalate") == 8

    def test_cron_may_be_nobody_whom_we_know(self, talk: Talk, case: int, monkeypatch: pytest.MonkeyPatch) -> None:
        talk.wait(days=3)
        monkeypatch.setattr(pwd, "getpwuid", lambda number: SimpleNamespace(pw_name="cron"))
        said = talk.do("escalate --late -v", user="")
        assert said == "#1 Printer: section level1 → level2, category Printer → none, responsible agent → bob"
        assert [one["login"] for one in talk.cli("log 1 --json").json][-1] is None


class TestMove:
    def test_number_conversation_followers_and_responsible_stay(self, talk: Talk, case: int) -> None:
        said = talk.do("move 1 --section sales", user="agent")
        assert said == "#1 Printer: section level1 → sales, category Printer → none   (undo: crmmail undo)"
        assert where(talk) == ("sales", "agent", "draft", None)
        assert (talk.words(1), talk.followers(1)) == (["It burns."], ["agent"])
        assert talk.show(1)["messages"][-1]["subtype"] == "section"

    def test_a_category_of_the_same_name_stays(self, talk: Talk, case: int) -> None:
        talk.do("categories add PRINTER --section sales")
        assert talk.do("move 1 --section sales").startswith(
            "#1 Printer: section level1 → sales, category Printer → PRINTER   ("
        )
        talk.do("undo")
        assert where(talk)[::3] == ("level1", "Printer")

    def test_it_is_undone_whole(self, talk: Talk, case: int) -> None:
        talk.do("set 1 responsible=")
        before = facts(talk)
        talk.do("move 1 --section level2")
        assert "bob" in talk.followers(1)  # somebody must look at it
        assert talk.heard("bob")[-1][0] == 1
        talk.do("undo")
        assert facts(talk) == before

    def test_what_is_refused(self, talk: Talk, case: int) -> None:
        talk.do("contacts add Ana")
        talk.do("sections add old")
        talk.do("sections remove old")
        assert "it is in level1 already" in talk.refused("move 1 --section level1")
        assert "there is no section 'nowhere'" in talk.refused("move 1 --section nowhere")
        assert "section old is retired" in talk.refused("move 1 --section old")
        assert "a contact is in no section" in talk.refused("move 2 --section sales")
        assert "Missing option '--section'" in talk.refused("move 1", code=2)

    def test_a_dry_run_changes_nothing(self, talk: Talk, case: int) -> None:
        before = talk.show(1)
        assert "section level1 → sales" in talk.do("move 1 --section sales -n")
        assert talk.show(1) == before

    def test_leads_move_too(self, talk: Talk, case: int) -> None:
        number = talk.mail("bea@example.com", "sales@crm.test", "An offer?").record
        assert "section none → sales" in talk.do(f"move {number} --section sales")


def test_not_into_a_section_that_is_retired(talk: Talk) -> None:
    talk.do("sections set support --parent level2 --create-parent")
    talk.do("new case Printer --section support")
    talk.do("sections remove level2")
    assert "level2, which stands above support, is retired" in talk.refused("escalate 1")
    assert "escalate" not in [one["action"] for one in talk.cli("actions 1 --json").json]
    assert "section level2 is retired" in talk.refused("rules add Up --set-section level2")
