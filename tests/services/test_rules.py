"""F207–F243: rules at work on events and on dates, their ledger, and what is said of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conversation import START, Talk

from crmmail.cli import editor
from crmmail.cli.voice import Voice
from crmmail.services.automatic import run_rules
from crmmail.services.hearing import follow
from crmmail.store import tables
from crmmail.store.engine.database import Store


def ran(talk: Talk, line: str = "rules run") -> list[str]:
    """What `rules run` prints."""
    return [one for one in talk.do(line).split("\n") if one]


class TestOnEvents:
    def test_a_new_case_by_mail_is_assigned_and_its_responsible_gets_the_letter(self, talk: Talk) -> None:
        """F166, F187: whom a rule makes responsible hears of the letter itself, once."""
        talk.do("rules add 'New ones to boss' --state-from none --section support --set-responsible boss")
        case = talk.mail("ana@example.com", subject="Printer", text="It burns.").record
        assert talk.field(case, "responsible") == "boss"
        assert talk.heard("boss") == [(case, "It burns.")]
        assert "rule New ones to boss: responsible boss" in talk.system(case)

    def test_a_rule_about_a_state_acts_when_it_is_reached(self, talk: Talk) -> None:
        talk.do("rules add Urgent --state-from draft --state-to open --set-priority high")
        talk.do("new case Printer --section support")
        assert talk.field(1, "priority") == 3
        talk.do("open 1")
        assert talk.field(1, "priority") == 2
        talk.do("set 1 priority=low")
        talk.do("pending 1")
        talk.do("open 1")
        assert talk.field(1, "priority") == 4  # from pending to open is another way

    def test_a_rule_about_a_field_acts_when_that_changes(self, talk: Talk) -> None:
        """F234: a technical fault goes to support."""
        talk.do("sections add sales")
        for section in ("sales", "support"):
            talk.do(f"categories add 'Technical fault' --section {section}")
        talk.do("rules add 'Faults to support' --category 'technical fault' --section sales --set-section support")
        talk.do("new case Printer --section sales")
        assert talk.field(1, "section") == "sales"
        talk.do("set 1 category='Technical fault'")
        assert talk.field(1, "section") == "support"
        talk.do("set 1 section=sales")
        assert talk.field(1, "section") == "sales"  # somebody wanted it so, and it has no category any more

    def test_a_rule_about_words_reads_the_letter(self, talk: Talk) -> None:
        talk.do("rules add Fire --contains burn --lacks 'no longer' --set-priority highest")
        first = talk.mail("ana@example.com", subject="Printer", text="It smokes.")
        assert talk.field(first.record, "priority") == 3
        talk.mail("ana@example.com", answers=first, text="It no longer burns.")
        assert talk.field(first.record, "priority") == 3
        talk.mail("ana@example.com", answers=first, text="Now it BURNS.")
        assert talk.field(first.record, "priority") == 1

    def test_the_first_mail_is_the_first_from_outside(self, talk: Talk) -> None:
        talk.do("rules add First --first-mail --set-priority high")
        talk.do("new case Printer --section support --email ana@example.com")
        assert talk.field(1, "priority") == 3
        talk.mail("ana@example.com", subject="[1] Printer", text="It burns.")
        assert talk.field(1, "priority") == 2
        talk.do("set 1 priority=normal")
        talk.mail("ana@example.com", subject="[1] Printer", text="It burns still.")
        assert talk.field(1, "priority") == 3

    def test_what_a_machine_answers_is_nothing_to_rules(self, talk: Talk) -> None:
        talk.do("rules add Any --contains away --set-priority highest")
        first = talk.mail("ana@example.com", subject="Printer", text="It burns.")
        talk.mail("ana@example.com", answers=first, text="I am away", headers={"Auto-Submitted": "auto-replied"})
        assert talk.field(first.record, "priority") == 3

    def test_all_conditions_must_hold(self, talk: Talk) -> None:
        """F220."""
        card = talk.do("contacts add Ana --email ana@example.com --category 'Support contract/Gold'")
        talk.do(
            "rules add Both --state-to open --partner-category 'support contract' --priority 1-3 --responsible agent "
            "--set-priority highest"
        )
        talk.do(f"new case A --section support --contact {card}")
        talk.do(f"new case B --section support --contact {card} --responsible agent")
        talk.do(f"new case C --section support --contact {card} --responsible agent --priority low")
        talk.do("new case D --section support --responsible agent")
        cases = talk.all("case")
        for case in cases:
            talk.do(f"open {case}")
        assert [talk.field(case, "priority") for case in cases] == [3, 1, 4, 3]

    def test_they_run_in_order_and_stop_ends(self, talk: Talk) -> None:
        talk.do("rules add Third --state-from none --set-priority 4 --sequence 30")
        talk.do("rules add First --state-from none --section support --set-priority 1 --stop --sequence 5")
        talk.do("rules add Second --state-from none --section support --set-responsible boss --sequence 20")
        inside, outside = talk.do("new case A --section support"), talk.do("new case B")
        assert (talk.field(int(inside), "priority"), talk.field(int(inside), "responsible")) == (1, None)
        assert talk.field(int(outside), "priority") == 4

    def test_a_rules_change_sets_off_others_each_once(self, talk: Talk) -> None:
        talk.do("sections add a")
        talk.do("sections add b")
        talk.do("rules add There --section a --set-section b")
        talk.do("rules add Back --section b --set-section a")
        talk.do("new case Ping --section a")
        assert talk.field(1, "section") == "a"
        assert talk.system(1)[1:] == ["rule There: section b", "rule Back: section a"]

    def test_undo_takes_back_what_rules_made_of_the_act(self, talk: Talk) -> None:
        talk.do("rules add Gold --state-to open --set-priority high --watch expert@firm.example")
        talk.do("new case Printer --section support")
        talk.do("open 1", user="agent")
        assert (talk.state(1), talk.field(1, "priority")) == ("open", 2)
        assert "expert@firm.example" in talk.followers(1)
        talk.do("undo", user="agent")
        assert (talk.state(1), talk.field(1, "priority")) == ("draft", 3)
        assert "expert@firm.example" not in talk.followers(1)

    def test_a_rule_that_fails_stops_neither_the_act_nor_the_others(self, talk: Talk) -> None:
        talk.do("users add bob --email bob@crm.test")
        talk.do("rules add Bad --state-from none --set-responsible bob --set-priority 1 --sequence 1")
        talk.do("rules add Good --state-from none --watch expert@firm.example")
        talk.do("users remove bob")
        case = talk.mail("ana@example.com", subject="Printer", text="It burns.").record
        assert (talk.field(case, "priority"), talk.field(case, "responsible")) == (3, None)
        assert "expert@firm.example" in talk.followers(case)
        (failed,) = [one for one in talk.cli(f"rules explain {case} --json").json["history"] if one["failed"]]
        assert (failed["rule"], "bob" in failed["failed"]) == ("Bad", True)

    def test_a_bug_in_a_rule_loses_no_letter(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        talk.do("rules add Bad --state-from none --watch expert@firm.example")
        monkeypatch.setattr(follow, "who", lambda *_: 1 / 0)
        letter = talk.mail("ana@example.com", subject="Printer", text="It burns.")
        assert letter.outcome == "stored"
        (failed,) = talk.cli(f"rules explain {letter.record} --json").json["history"]
        assert "ZeroDivisionError" in failed["failed"]

    def test_leads_have_rules_too(self, talk: Talk) -> None:
        """F242."""
        talk.do("rules add 'Round robin' --kind lead --state-from none --set-responsible round-robin")
        talk.do("sections add sales")
        given = [
            talk.field(int(talk.do(f"new lead {name} --section sales")), "responsible") for name in ("A", "B", "C")
        ]
        assert None not in given

    def test_a_delivery_without_rules_reads_nothing_of_them(self, talk: Talk) -> None:
        talk.do("rules add Gold --trigger created --delay 2d --set-priority high")
        code = (
            "import sys; from crmmail import mda; assert mda.run([], sys.stdin.buffer.read()) == (0, [])\n"
            "ours = ['crmmail.core.rule', 'crmmail.core.plan', 'crmmail.services.automatic.rule_work']\n"
            "assert not set(ours) & set(sys.modules)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], input=talk.raw("ana@example.com", subject="A"), capture_output=True
        )
        assert (done.returncode, done.stderr) == (0, b"")


class TestOnDates:
    def test_6_copy_to_an_expert_after_two_days(self, talk: Talk) -> None:
        """Oracle 6, F235: the manual's own example, which could never fire in OpenERP."""
        talk.do("users add demo --email demo@mycompany.com --notify both")
        talk.do(
            'rules add "Copy to an expert after 2 days" --state-from open --state-to open --responsible demo '
            "--trigger created --delay 2d --watch expert@mycompany.com --remind responsible"
        )
        first = talk.mail("ana@example.com", subject="Printer", text="It burns.")
        case = first.record or 0
        talk.do(f"open {case}", user="demo")
        talk.do("done --all", user="demo")
        talk.wait(days=1, hours=23)
        assert ran(talk) == []
        talk.wait(hours=1)
        (line,) = ran(talk)
        assert line.startswith(f"#{case} Printer: Copy to an expert after 2 days: watched by expert@mycompany.com")
        assert "expert@mycompany.com" in talk.followers(case)
        assert [one["record"] for one in talk.inbox("demo")] == [case]
        assert "demo@mycompany.com" in talk.outbox()
        assert ran(talk) == []  # not again
        talk.wait(days=5)
        assert ran(talk) == []
        before = talk.outbox().count("expert@mycompany.com")
        talk.mail("ana@example.com", answers=first, text="It still burns.")
        assert talk.outbox().count("expert@mycompany.com") == before + 1

    def test_7_priority_to_gold_partners(self, talk: Talk) -> None:
        """Oracle 7, F236."""
        gold = talk.do('contacts add Ana --email ana@example.com --category "Support Contract / Gold"')
        normal = talk.do('contacts add Bob --email bob@example.com --category "Support Contract / Normal"')
        talk.do(
            'rules add "Priority to Gold Partners" --state-to open --partner-category "Support contract / Gold" '
            "--set-priority high"
        )
        talk.do("rules run")
        for card in (gold, normal):
            talk.do(f"new case Printer --section support --contact {card}")
        first, second = talk.all("case")
        assert [talk.field(case, "priority") for case in (first, second)] == [3, 3]
        talk.do(f"open {first} {second}")
        assert [talk.field(case, "priority") for case in (first, second)] == [2, 3]

    def test_17_four_reminders_are_four_firings(self, talk: Talk) -> None:
        """Oracle 17."""
        for delay in ("3h", "90m", "30m", "10m"):
            talk.do(f"rules add 'Remind {delay} before' --trigger deadline --delay=-{delay} --remind responsible")
        talk.do("new case Offer --section support --responsible agent --deadline '2026-11-24 18:00'")
        fired = []
        for _ in range(10 * 60 // 10):
            talk.wait(minutes=10)
            fired += [(talk.clock.strftime("%H:%M"), line.split(": ")[1]) for line in ran(talk)]
        assert fired == [
            ("15:00", "Remind 3h before"),
            ("16:30", "Remind 90m before"),
            ("17:30", "Remind 30m before"),
            ("17:50", "Remind 10m before"),
        ]

    def test_a_new_base_date_arms_it_again(self, talk: Talk) -> None:
        """F232, F237: the supplier is reminded when he is late, and again when he is late again."""
        talk.do("rules add Supplier --trigger action --delay 3d --state-from pending --remind partner")
        first = talk.mail("ana@example.com", subject="Bolts", text="They break.")
        talk.do(f"pending {first.record}")
        talk.wait(days=3)
        assert len(ran(talk)) == 1
        talk.wait(days=30)
        assert ran(talk) == []  # what rules do themselves is no action
        talk.do(f"note {first.record} -m 'Called them.'")
        talk.wait(days=2)
        assert ran(talk) == []
        talk.wait(days=1)
        assert len(ran(talk)) == 1
        assert talk.outbox().count("ana@example.com") == 2

    def test_what_is_done_is_left_alone_unless_the_rule_names_it(self, talk: Talk) -> None:
        talk.do("rules add Old --trigger created --delay 1d --set-priority high")
        talk.do("rules add Thanks --trigger created --delay 1d --state-to done --watch expert@firm.example")
        talk.do("new case A --section support")
        talk.do("close 1")
        talk.wait(days=2)
        assert [line.split(": ")[1] for line in ran(talk)] == ["Thanks"]

    def test_partner_mail_and_months(self, talk: Talk) -> None:
        talk.do("rules add Silent --trigger partner-mail --delay 1mo --set-priority low")
        talk.do("new case A --section support")
        case = talk.mail("ana@example.com", subject="B", text="Hello.").record
        talk.wait(days=29)
        assert ran(talk) == []
        talk.wait(days=1)
        assert [line.split(" ")[0] for line in ran(talk)] == [f"#{case}"]

    def test_at_another_moment_and_without_doing_it(self, talk: Talk) -> None:
        talk.do("rules add Later --trigger created --delay 2d --set-priority high --watch expert@firm.example")
        talk.do("new case A --section support")
        later = "2026-11-26T10:00:00Z"
        assert ran(talk, "rules run --dry-run") == []
        said = ran(talk, f"rules run --at {later} --dry-run")
        line = "#1 A: Later: priority high, watched by expert@firm.example"
        assert said == [f"{line}   (a dry run: nothing was changed)"]
        assert (talk.field(1, "priority"), talk.followers(1)) == (3, ["boss", "agent"])
        assert ran(talk, f"rules run --at {later}") == [line]
        assert talk.field(1, "priority") == 2
        assert ran(talk, f"rules run --at {later}") == []

    def test_one_case_that_fails_does_not_stop_the_others(self, talk: Talk) -> None:
        talk.do("users add bob --email bob@crm.test")
        talk.do("sections add sales")
        talk.do("rules add 'To bob' --trigger created --delay 1d --section sales --set-responsible bob")
        talk.do("rules add Old --trigger created --delay 1d --set-priority low")
        talk.do("users remove bob")
        for section in ("sales", "support"):
            talk.do(f"new case {section} --section {section}")
        talk.wait(days=1)
        said = talk.cli("rules run")
        assert said.code == 1
        assert said.out.splitlines() == ["#1 sales: Old: priority low", "#2 support: Old: priority low"]
        assert said.err.startswith("crmmail: rule To bob could not act on #1: bob does not work here any more")
        assert talk.cli("rules run").err == ""  # it is not said every minute
        talk.do("users set bob --active")
        talk.wait(hours=2)
        assert ran(talk) == ["#1 sales: To bob: responsible bob"]

    def test_tick_runs_them_in_silence(self, talk: Talk) -> None:
        """F240."""
        talk.do("rules add Old --trigger created --delay 1d --set-priority low")
        talk.do("new case A --section support")
        talk.wait(days=1)
        assert (talk.cli("tick").out, talk.field(1, "priority")) == ("", 4)

    def test_a_dated_rule_sets_off_others(self, talk: Talk) -> None:
        talk.do("sections add level2")
        talk.do("sections set support --parent level2")
        talk.do("rules add Late --trigger deadline --delay 1h --set-state escalate")
        talk.do("rules add Told --state-to escalate --watch expert@firm.example")
        talk.do("new case A --section support --deadline '2026-11-24 12:00' --responsible agent")
        talk.wait(hours=3)
        assert len(ran(talk)) == 2
        assert (talk.field(1, "section"), talk.field(1, "responsible")) == ("level2", None)
        assert {"agent", "expert@firm.example"} <= set(talk.followers(1))

    @pytest.mark.sqlite("counts statements by its trace")
    def test_queries_grow_with_what_is_due_only(self, talk: Talk) -> None:
        for number in range(5):
            talk.do(f"rules add 'Rule {number}' --trigger created --delay 2d --priority 1 --set-priority 2")
        few = self._queries(talk)
        for number in range(30):
            talk.do(f"new case 'Case {number}' --section support")
        talk.wait(days=3)
        assert self._queries(talk) == few

    def _queries(self, talk: Talk) -> int:
        with talk.open() as workspace:
            seen: list[str] = []
            store: Store = workspace.store
            store.database.connection().set_trace_callback(seen.append)
            assert run_rules.run(workspace) == []
            return len(seen)


class TestWhatTheListSays:
    """Rows of docs/features.md, each with its own words."""

    def test_a_rule_has_a_name_of_its_own_and_a_number(self, talk: Talk) -> None:
        """F207."""
        talk.do("rules add 'Gold first' --state-to open --set-priority high")
        talk.do("rules add Silver --state-to open --set-priority low")
        for line in ("rules add 'GOLD FIRST' --set-priority 1", "rules edit Silver --name 'gold First'"):
            said = talk.refused(line, code=1)
            assert "there is a rule 'gold first' already" in said.lower()
        assert [one["name"] for one in talk.cli("rules list --json").json] == ["Gold first", "Silver"]
        by_name, by_number = (talk.cli(f"rules show {one} --json").json for one in ("'gold first'", "1"))
        assert (by_name["id"], by_name["name"]) == (1, "Gold first") and by_name == by_number
        talk.do("rules edit 'Gold first' --name 'GOLD first'")  # its own name in other letters is free

    def test_from_nothing_is_only_creation(self, talk: Talk) -> None:
        """F208."""
        talk.do("rules add Made --state-from none --set-priority high")
        talk.do("new case Printer --section support")
        assert talk.field(1, "priority") == 2
        talk.do("set 1 priority=normal")
        for button in ("open", "close", "reset"):
            talk.do(f"{button} 1")
        talk.mail("ana@example.com", subject="[1] Printer", text="It burns.")
        assert (talk.state(1), talk.field(1, "priority")) == ("draft", 3)

    def test_from_a_state_is_whatever_it_leaves_it_for(self, talk: Talk) -> None:
        """F208."""
        talk.do("rules add Left --state-from draft --set-priority high")
        for number, button in enumerate(("open", "cancel"), start=1):
            talk.do("new case Printer --section support")
            assert talk.field(number, "priority") == 3
            talk.do(f"{button} {number}")
            assert talk.field(number, "priority") == 2
        talk.do("set 1 priority=normal")
        talk.do("close 1")
        assert talk.field(1, "priority") == 3

    def test_a_section_is_meant_alone_or_with_those_below(self, talk: Talk) -> None:
        """F210."""
        talk.do("sections add level1 --parent support")
        talk.do("sections add trainees --parent level1")
        talk.do("sections add sales")
        talk.do("rules add Alone --state-from none --section support --watch alone@firm.example")
        talk.do("rules add Below --state-from none --section support --subsections --set-priority high")
        for code in ("support", "level1", "trainees", "sales"):
            talk.do(f"new case Printer --section {code}")
        assert [talk.field(case, "priority") for case in talk.all("case")] == [2, 2, 2, 3]
        assert [case for case in talk.all("case") if "alone@firm.example" in talk.followers(case)] == [1]

    def test_a_rule_sets_the_state_when_its_day_has_come(self, talk: Talk) -> None:
        """F221."""
        talk.do("rules add Stale --trigger created --delay 30d --set-state cancel")
        talk.do("new case Old --section support")
        talk.wait(days=1)
        talk.do("new case Young --section support")
        talk.wait(days=28, hours=23)
        assert ran(talk) == []
        talk.wait(hours=1)
        assert ran(talk) == ["#1 Old: Stale: state cancel"]
        assert [talk.state(case) for case in (1, 2)] == ["cancel", "draft"]
        assert talk.show(1)["record"]["closed"] == "2026-12-24T10:00:00Z"
        assert talk.system(1)[-1] == "rule Stale: state cancel"

    def test_a_rule_sets_the_state_at_an_event(self, talk: Talk) -> None:
        """F221."""
        talk.do("rules add Reopen --responsible boss --set-state open")
        talk.do("new case Printer --section support")
        assert talk.state(1) == "draft"
        talk.do("assign 1 boss")
        assert talk.state(1) == "open"

    def test_leads_go_round(self, talk: Talk) -> None:
        """F242: each user in turn."""
        talk.do("users add bob --email bob@crm.test")
        talk.do("sections add sales")
        talk.do("rules add Turn --kind lead --state-from none --set-responsible round-robin")
        given = []
        for title in "ABCDEF":
            given.append(talk.field(int(talk.do(f"new lead {title} --section sales")), "responsible"))
            talk.wait(minutes=1)
        assert sorted(given[:3]) == ["agent", "bob", "boss"]
        assert given[3:] == given[:3]
        assert talk.field(int(talk.do("new case A --section sales")), "responsible") is None  # it is about leads

    def test_leads_go_to_who_has_least_to_do(self, talk: Talk) -> None:
        """F242."""
        talk.do("users add bob --email bob@crm.test")
        talk.do("sections add sales")
        for user in ("boss", "boss", "agent", "bob", "bob"):
            talk.do(f"new lead Work --section sales --responsible {user}")
        talk.do("rules add Least --kind lead --state-from none --set-responsible least-busy")
        first = int(talk.do("new lead A --section sales"))
        assert talk.field(first, "responsible") == "agent"
        talk.do("lose 1 2")  # boss has nothing to do any more
        assert talk.field(int(talk.do("new lead B --section sales")), "responsible") == "boss"

    def test_leads_have_watchers(self, talk: Talk) -> None:
        """F242: whom a rule lets watch a new lead hears of it."""
        talk.do("users add bob --email bob@crm.test")
        talk.do("rules add Watch --kind lead --state-from none --watch bob --watch expert@firm.example")
        lead = talk.mail("ana@example.com", "sales@crm.test", "Offer", "How much?").record
        assert {"bob", "expert@firm.example"} <= set(talk.followers(lead))
        assert [record for record, _ in talk.heard("bob")] == [lead]
        case = talk.mail("ana@example.com", subject="Printer", text="It burns.").record
        assert "bob" not in talk.followers(case)


class TestTheBook:
    def test_dump_and_load_give_the_same_rules(self, talk: Talk, tmp_path: Path) -> None:
        talk.do("rules add A --state-to open --set-priority high --sequence 5")
        talk.do("rules add B --trigger deadline --delay=-1d --remind responsible --remind partner --documents --off")
        before = talk.cli("rules list --all --json").json
        file = tmp_path / "rules.toml"
        file.write_text(talk.do("rules dump") + "\n")
        assert talk.do(f"rules load {file}") == "The rules are so already."
        for name in "AB":
            talk.do(f"rules remove {name}")
        said = talk.do(f"rules load {file} --dry-run")
        assert talk.cli("rules list --all --json").json == []
        assert said.splitlines() == [f"rule {name}: added   (a dry run: nothing was changed)" for name in "AB"]
        assert talk.do(f"rules load {file}") == "rule A: added\nrule B: added"
        after = talk.cli("rules list --all --json").json
        assert [{**one, "id": 0} for one in after] == [{**one, "id": 0} for one in before]

    def test_load_takes_all_or_none(self, talk: Talk, tmp_path: Path) -> None:
        file = tmp_path / "rules.toml"
        file.write_text('[[rule]]\nname = "A"\nset_priority = "high"\n\n[[rule]]\nname = "B"\nset_colour = "red"\n')
        said = talk.refused(f"rules load {file}", code=2)
        assert "'B'" in said and "set_colour" in said
        assert talk.cli("rules list --json").json == []

    def test_replace_switches_off_what_is_not_in_the_file(self, talk: Talk, tmp_path: Path) -> None:
        talk.do("rules add Old --set-priority high")
        file = tmp_path / "rules.toml"
        file.write_text('[[rule]]\nname = "New"\nset_priority = "high"\n')
        assert talk.do(f"rules load {file} --replace") == "rule New: added\nrule Old: switched off"
        assert [one["name"] for one in talk.cli("rules list --json").json] == ["New"]

    def test_edit_changes_what_was_said(self, talk: Talk) -> None:
        talk.do("rules add A --state-to open --section support --set-priority high")
        talk.do("rules edit a --set-priority low --section '' --name B")
        (one,) = talk.cli("rules list --json").json
        assert (one["name"], one["rule"]) == ("B", {"state_to": "open", "set_priority": 4})

    def test_edit_in_the_editor(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        talk.do("rules add A --state-to open --set-priority high")

        def change(path: str, environ: Any) -> None:
            words = Path(path).read_text()
            Path(path).write_text(words.replace('state_to = "open"', 'state_to = "pending"'))

        monkeypatch.setattr(editor, "edit", change)
        assert "pending" in talk.do("rules edit A")
        assert talk.refused("rules edit A", code=2).startswith("rule A is as it was")

    def test_remove_keeps_what_acted(self, talk: Talk) -> None:
        talk.do("rules add A --state-from none --set-priority high")
        talk.do("rules add B --state-from none --set-priority high --section support --off")
        talk.do("new case X")
        assert "switched off" in talk.do("rules remove A")
        assert "removed" in talk.do("rules remove B")
        assert [one["name"] for one in talk.cli("rules list --all --json").json] == ["A"]

    @pytest.mark.parametrize(
        ("line", "code", "words"),
        [
            ("rules add A", 2, "does nothing"),
            ("rules add A --state-to opne --set-priority 1", 2, "opne"),
            ("rules add A --set-priority 9", 2, "9"),
            ("rules add A --section nowhere --set-priority 1", 1, "no section 'nowhere'"),
            ("rules add A --responsible nobody2 --set-priority 1", 1, "no user 'nobody2'"),
            ("rules add A --delay 2d --set-priority 1", 2, "trigger"),
            ("rules add A --trigger created --delay soon --set-priority 1", 2, "soon"),
            ("rules add A --mail nothing --state-to done", 1, "nothing"),
            ("rules add 7 --set-priority 1", 2, "no name"),
        ],
    )
    def test_what_cannot_be_is_one_line(self, talk: Talk, line: str, code: int, words: str) -> None:
        assert words in talk.refused(line, code=code)
        assert talk.count(tables.Rule) == 0

    def test_only_an_admin_may(self, talk: Talk) -> None:
        assert "only an admin" in talk.refused("rules add A --set-priority 1", user="agent")


class TestExplain:
    def test_it_says_what_holds_and_what_does_not(self, talk: Talk) -> None:
        talk.do("rules add Expert --state-from open --trigger created --delay 2d --responsible agent --set-priority 1")
        talk.do("rules add Thanks --state-to done --set-priority 5")
        talk.do("new case Printer --section support")
        talk.do("open 1")
        told = talk.cli("rules explain 1 --json").json
        expert, thanks = told["rules"]
        assert [(one["name"], one["holds"]) for one in expert["conditions"]] == [
            ("state from", True),
            ("responsible", False),
        ]
        assert (expert["holds"], expert["acts"], expert["due"][:10]) == (False, False, "2026-11-26")
        assert thanks["set_off_by"] == ["close"]
        words = talk.do("rules explain 1")
        assert "✗ responsible agent (it is boss)" in words
        assert "acts when you press: close" in words

    def test_it_says_who_is_not_on_leave(self, talk: Talk) -> None:
        talk.do("rules add Holiday --away --set-responsible deputy")
        talk.do("new case Printer --section support")
        assert "✗ responsible away yes (nobody is responsible)" in talk.do("rules explain 1")
        talk.do("take 1")
        assert "✗ responsible away yes (boss is not on leave)" in talk.do("rules explain 1")

    def test_it_changes_nothing(self, talk: Talk) -> None:
        talk.do("rules add Expert --trigger created --delay 2d --set-priority 1 --watch expert@firm.example")
        talk.do("new case Printer --section support")
        talk.wait(days=2)
        before = talk.show(1)
        told = talk.cli("rules explain 1 --json").json
        assert told["now"]["done"] == ["Expert: priority highest, watched by expert@firm.example"]
        assert told["rules"][0]["acts"] is True
        assert talk.show(1) == before
        assert talk.count(tables.Firing) == 0

    def test_test_lists_whom_it_fits(self, talk: Talk) -> None:
        talk.do("rules add Old --trigger created --delay 2d --section support --set-priority low")
        talk.do("new case A --section support")
        talk.do("new case B")
        (row,) = talk.cli("rules test Old --json").json
        assert (row["id"], row["does"], row["fired"], row["due"][:10]) == (1, "priority low", False, "2026-11-26")
        assert START.date().isoformat() == "2026-11-24"


class TestLint:
    def test_it_finds_what_is_wrong_and_exits_1(self, talk: Talk) -> None:
        talk.do("sections add a")
        talk.do("sections add b")
        talk.do("rules add There --section a --set-section b")
        talk.do("rules add Back --section b --set-section a")
        said = talk.cli("rules lint --json")
        assert any("There" in one["sentence"] and "Back" in one["sentence"] for one in json.loads(said.out))

    def test_it_is_quiet_where_all_is_well(self, talk: Talk) -> None:
        talk.do("rules add A --state-to open --section support --set-priority high")
        said = talk.cli("rules lint")
        assert (said.code, said.out) == (0, "")


class TestWhoSaysWhat:
    def test_why_names_the_rule_that_wrote_a_message(self, talk: Talk) -> None:
        talk.do("rules add Old --trigger created --delay 1d --remind responsible")
        talk.do("new case A --section support --responsible agent")
        talk.wait(days=1)
        talk.do("tick")
        (reminder,) = [one for one in talk.show(1)["messages"] if one["kind"] == "auto"]
        assert talk.do(f"why {reminder['id']}").startswith(
            "rule Old wrote it, for the created date 2026-11-24 10:00 UTC"
        )

    def test_doctor_names_a_rule_that_cannot_act(self, talk: Talk) -> None:
        talk.do("users add bob --email bob@crm.test")
        talk.do("rules add 'To bob' --state-from none --set-responsible bob")
        assert not [one for one in talk.cli("doctor --json").json if (one["check"], one["level"]) == ("rules", "warn")]
        talk.do("users remove bob")
        talk.do("new case A --section support")
        said = [one["sentence"] for one in talk.cli("doctor --json").json if one["check"] == "rules"]
        assert said[0].startswith("rule To bob could not act on #1: bob does not work here any more")

    def test_a_rule_that_assigns_new_cases_is_enough_for_doctor(self, talk: Talk) -> None:
        """F166."""
        talk.do("sections add sales")

        def warned() -> bool:
            return any("section sales" in one["sentence"] for one in talk.cli("doctor --json").json)

        assert warned()
        talk.do("rules add 'New ones' --state-from none --section sales --set-responsible agent")
        assert not warned()

    def test_of_one_rule_a_user_hears_once(self, talk: Talk) -> None:
        talk.do("rules add Both --trigger created --delay 1d --remind responsible --remind partner --set-priority low")
        case = talk.mail("ana@example.com", subject="Printer", text="It burns.").record
        talk.do(f"assign {case} agent")
        talk.quiet()
        talk.wait(days=1)
        talk.do("tick")
        assert [one["record"] for one in talk.inbox("agent")] == [case, case]  # the reminder, and what the partner gets

    def test_undo_calls_a_mail_off_that_has_not_left(self, talk: Talk) -> None:
        talk.do("templates add thanks --subject 'Thank you' -m 'It is done.'")
        talk.do("rules add Thanks --state-to done --mail thanks")
        for subject in ("Printer", "Plotter"):
            talk.mail(f"ana@{subject}.example", subject=subject)
        first, second = talk.all("case")
        talk.do(f"close {first}")
        talk.do("undo")
        assert (talk.state(first), talk.outbox()) == ("draft", [])
        talk.do(f"close {second}")
        with talk.open() as workspace, workspace.store.transaction():
            tables.Delivery.update(state="sent").where(tables.Delivery.state == "queued").execute()
        talk.do("undo")  # what left by mail does not come back, but the case does
        assert talk.state(second) == "draft"


class TestWhatAnActSays:
    """The line of an act is not how it ended where a rule followed, so each rule has a line of its own."""

    @pytest.fixture
    def shop(self, talk: Talk) -> Talk:
        talk.do("users add bob --email bob@crm.test")
        talk.do("sections add help2 --manager boss")
        talk.do("sections set support --parent help2 --assign manager")
        talk.do("rules add Hot --set-priority high --sequence 1")
        talk.do("rules add Holiday --away --set-responsible deputy --sequence 2")
        return talk

    @pytest.mark.parametrize(
        ("line", "rules"),
        [
            ("set 1 title=Scanner", ["Hot: priority high"]),
            ("open 1", ["Hot: priority high"]),
            ("assign 1 agent", ["Hot: priority high", "Holiday: responsible bob"]),
            ("assign 1 boss", ["Hot: priority high"]),
            ("take 1", ["Hot: priority high"]),
            ("move 1 --section help2", ["Hot: priority high"]),
            ("move 1 --section help2 --dry-run", ["Hot: priority high"]),
            ("escalate 1", ["Hot: priority high"]),
            ("merge 2 --into 1", ["Hot: priority high"]),
            ("note 1 -m Hello --then close", ["Hot: priority high"]),
        ],
    )
    def test_a_line_for_each_rule_in_the_order_in_which_they_acted(
        self, shop: Talk, line: str, rules: list[str]
    ) -> None:
        shop.do("rules edit Hot --off")
        shop.do("new case Printer --section support --responsible bob")
        shop.do("new case Scanner --section support --responsible bob --email eve@x.example")
        shop.do("users away agent --until +7d --deputy bob")
        shop.do("rules edit Hot --on")
        said = shop.do(line).split("\n")
        assert [one for one in said if one.startswith("  rule ")] == [f"  rule {one}" for one in rules]
        assert not said[0].startswith("  rule ")

    def test_no_rule_no_line(self, talk: Talk) -> None:
        talk.do("new case Printer --section support")
        assert talk.do("open 1").count("\n") == 0

    def test_a_person_hears_who_got_a_new_case_and_until_when(
        self, shop: Talk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop.do("sla add --within 8h --section support")
        shop.do("users away agent --until +7d --deputy bob")
        shop.do("rules edit Holiday --away --set-responsible boss --no-away --responsible bob --state-from none")
        assert shop.do("new case Printer --section support") == "1"
        monkeypatch.setattr(Voice, "terminal", True)
        monkeypatch.setattr(Voice, "_colored", lambda self: False)
        shop.environ(COLUMNS="200")
        assert shop.cli("new case Printer --section support").out.split("\n")[:-1] == [
            "#2 Printer: responsible bob (manager), deadline 2026-11-24 18:00 UTC (8 hours, because it is in support)"
            "   (undo: crmmail undo)",
            "  rule Hot: priority high",
            "  rule Holiday: responsible boss",
        ]
        said = shop.cli("new case Printer --responsible bob --deadline 2026-12-01").out
        assert said.startswith("#3 Printer: deadline 2026-12-01 23:59 UTC   (undo: crmmail undo)\n")  # as understood


class TestSwitchedOff:
    def test_the_list_says_that_there_are_more(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        talk.do("rules add Hot --state-to open --set-priority high")
        talk.do("rules add Cold --state-to pending --set-priority low --off")
        monkeypatch.setattr(Voice, "terminal", True)
        monkeypatch.setattr(Voice, "_colored", lambda self: False)
        assert talk.do("rules").endswith("1 is off: crmmail rules list --all")
        talk.do("rules edit Hot --off")
        assert talk.do("rules").split("\n") == ["No rule is on.", "2 are off: crmmail rules list --all"]
        assert "off:" not in talk.do("rules list --all")
        assert json.loads(talk.do("rules list --json")) == []

    def test_its_name_is_taken_and_the_way_back_is_said(self, talk: Talk) -> None:
        talk.do("rules add Hot --state-to open --set-priority high")
        talk.do("new case Printer --section support")
        talk.do("open 1")
        assert "switched off: the history names it" in talk.do("rules remove Hot")
        assert talk.refused("rules add hot --state-to open --set-priority low") == (
            "there is a rule 'Hot' already and it is off (crmmail rules edit 'Hot' --on)"
        )
        talk.do("rules edit Hot --on")
        assert "Hot" in talk.do("rules")
