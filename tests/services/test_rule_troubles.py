"""Rules that fail, rules that nobody can read, clocks that were wrong: what goes wrong with one stops nothing else."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from conversation import START, Talk

from crmmail.services.automatic import hooks, rule_work, run_rules
from crmmail.services.sending import send

DEEP = "[" * 5000


def write(talk: Talk, words: str) -> None:
    """Somebody writes into the store by hand."""
    connection = sqlite3.connect(talk.db)
    with connection:
        connection.execute(words)
    connection.close()


def ran(talk: Talk, line: str = "rules run") -> list[str]:
    return [one for one in talk.do(line).split("\n") if one]


@pytest.fixture
def bob(talk: Talk) -> Talk:
    """A dated rule that gives cases to bob, who has left: it fails."""
    talk.do("users add bob --email bob@crm.test")
    talk.do("rules add 'To bob' --trigger created --delay 1d --set-responsible bob")
    talk.do("users remove bob")
    talk.do("new case Printer --section support")
    return talk


class TestAnotherMoment:
    def test_its_mail_is_due_now(self, talk: Talk) -> None:
        talk.do("new case Printer --section support --email ana@example.com")
        talk.do("rules add Remind --trigger created --delay 30d --remind partner")
        assert len(ran(talk, "rules run --at 2027-06-01")) == 1
        (mail,) = [one for one in talk.cli("outbox --json").json if one["to"] == "ana@example.com"]
        assert mail["due"] == "2026-11-24T10:00:00Z"
        (row,) = talk.cli("rules explain 1 --json").json["history"]
        assert row["at"] == "2026-11-24T10:00:00Z"

    def test_what_failed_then_is_tried_again_in_an_hour(self, bob: Talk) -> None:
        assert "To bob could not act on #1" in bob.cli("rules run --at 2027-06-01").err
        bob.do("users set bob --active")
        bob.wait(days=1)
        assert ran(bob) == ["#1 Printer: To bob: responsible bob"]

    def test_who_is_on_leave_then_is_stood_in_for(self, talk: Talk) -> None:
        talk.do("users away agent --until 2026-12-01 --deputy boss")
        talk.do("rules add Agent --trigger created --delay 30d --set-responsible agent")
        talk.do("new case Printer --section support --responsible boss")
        assert ran(talk, "rules run --at 2026-11-30 --dry-run") == []
        assert [line.split("   ")[0] for line in ran(talk, "rules run --at 2027-01-01 --dry-run")] == [
            "#1 Printer: Agent: responsible agent"
        ]

    @pytest.mark.parametrize("at", ["0001-01-02", "9999-12-30", "1969-12-31"])
    def test_it_is_from_1970_to_9000(self, bob: Talk, at: str) -> None:
        assert "write a date from 1970 to 9000" in bob.refused(f"rules run --at {at}", code=2)

    def test_long_delays_do_not_leave_the_calendar(self, talk: Talk) -> None:
        for delay in ("1200mo", "36000d", "-1200mo", "-36000d"):
            talk.do(f"rules add 'Delay {delay}' --trigger created --delay={delay} --watch 'w{delay}@firm.example'")
        talk.environ(CRMMAIL_NOW="8999-12-31T10:00:00Z")
        talk.do("new case Printer --section support")
        assert len(ran(talk, "rules run --at 1970-01-02 --dry-run")) == 0
        assert len(ran(talk, "rules run --at 9000-12-31 --dry-run")) == 2
        talk.environ(CRMMAIL_NOW="1970-01-01T10:00:00Z")
        talk.do("new case Printer --section support")
        assert len(ran(talk, "rules run --at 1970-01-02 --dry-run")) == 2
        assert len(ran(talk, "rules run --at 9000-12-31 --dry-run")) == 6


class TestTriedAgain:
    def test_each_hour_on_the_first_day_and_then_once_a_day(self, bob: Talk) -> None:
        bob.wait(days=1)
        said = []
        for _ in range(4 * 24 * 2):  # four days in half hours
            if bob.cli("tick").err:
                said.append((bob.clock - START).total_seconds() / 3600)
            bob.wait(minutes=30)
        assert said == [*range(24, 48), 71, 95, 119]

    def test_a_rule_that_was_changed_is_tried_at_once(self, bob: Talk) -> None:
        bob.wait(days=1)
        assert bob.cli("rules run").code == 1
        bob.wait(minutes=1)
        bob.do("rules edit 'To bob' --set-responsible agent")
        assert ran(bob) == ["#1 Printer: To bob: responsible agent"]

    def test_a_failure_in_the_future_is_an_old_one(self, bob: Talk) -> None:
        bob.wait(days=300)
        assert bob.cli("rules run").code == 1
        bob.wait(days=-298)  # the clock was wrong
        bob.do("users set bob --active")
        assert ran(bob) == ["#1 Printer: To bob: responsible bob"]

    def test_one_line_a_rule(self, bob: Talk) -> None:
        for number in range(7):
            bob.do(f"new case 'Case {number}' --section support")
        bob.wait(days=1)
        said = bob.cli("tick")
        assert (said.code, said.out) == (1, "")
        assert said.err == (
            "crmmail: rule To bob could not act on 8 records (#1, #2, #3, #4, #5 and 3 more): bob does not work here "
            "any more (crmmail users set bob --active); crmmail rules explain 1 tells more\n"
        )
        assert bob.cli("tick").err == ""


class TestAnAct:
    @pytest.fixture
    def bad(self, talk: Talk) -> Talk:
        talk.do("users add bob --email bob@crm.test")
        talk.do("rules add Bad --state-to open --set-responsible bob")
        talk.do("rules add Worse --state-from none --set-responsible bob")
        talk.do("users remove bob")
        return talk

    def test_says_what_rules_could_not_do(self, bad: Talk) -> None:
        for line, rule in (("new case Printer --section support", "Worse"), ("open 1", "Bad")):
            said = bad.cli(line)
            assert said.code == 0
            assert said.err == (
                f"crmmail: rule {rule} could not act on #1: bob does not work here any more (crmmail users set bob "
                "--active); crmmail rules explain 1 tells more\n"
            )

    def test_a_delivery_is_silent(self, bad: Talk, capfd: pytest.CaptureFixture[str]) -> None:
        assert bad.mail("ana@example.com", subject="Printer", text="It burns.").outcome == "stored"
        assert capfd.readouterr().err == ""
        assert "rule Worse could not act on #1" in bad.cli("doctor").out

    def test_many_that_fail_do_not_make_the_others_act_again(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each that fails is left out; what was done before it is not done anew."""
        talk.do("users add bob --email bob@crm.test")
        for number in range(6):
            talk.do(f"rules add 'Good {number}' --state-to open --watch w{number}@firm.example")
            talk.do(f"rules add 'Bad {number}' --state-to open --set-responsible bob --stop --section support")
            talk.do(f"rules edit 'Bad {number}' --no-stop")
        talk.do("users remove bob")
        talk.do("new case Printer --section support --responsible agent")
        asked = []
        act = rule_work._act
        monkeypatch.setattr(rule_work, "_act", lambda *given: (asked.append(given[2].rule.name), act(*given))[1])
        said = talk.cli("open 1")
        assert said.err.count("\n") == 6
        assert asked == [f"{word} {number}" for number in range(6) for word in ("Good", "Bad")]
        assert {f"w{number}@firm.example" for number in range(6)} <= set(talk.followers(1))

    def test_where_others_would_have_acted_otherwise_all_is_done_anew(self, talk: Talk) -> None:
        """A rule that had nothing to do and stopped the others, and that later fails, is as if it were not there."""
        talk.do("users add bob --email bob@crm.test")
        talk.do("sections add sales")
        talk.do("rules add Bad --section support --priority 1-2 --set-responsible bob --stop --sequence 1")
        talk.do("rules add Second --state-to open --set-priority low --sequence 2")
        talk.do("rules add Third --state-to open --watch third@firm.example --sequence 3")
        talk.do("users remove bob")
        talk.do("new case Printer --section support")
        said = talk.cli("open 1")
        assert (said.code, said.err) == (0, "")
        assert talk.field(1, "priority") == 4
        assert "third@firm.example" in talk.followers(1)


@pytest.mark.parametrize("spec", ["'5'", "'no json'", "'[1]'", "'null'", f"'{DEEP}'", """'{"delay": {"a": [1]}}'"""])
class TestUnreadable:
    """Somebody wrote into the store: the rule does nothing, and that is all."""

    @pytest.fixture
    def broken(self, talk: Talk, spec: str) -> Talk:
        talk.do("rules add Broken --state-from none --set-priority low")
        talk.do("rules add Dated --trigger created --delay 1d --set-priority low")
        talk.do("rules add Good --state-from none --set-priority high")
        write(talk, f"UPDATE crm_rule SET spec = {spec} WHERE name IN ('Broken', 'Dated')")
        return talk

    def test_the_others_act(self, broken: Talk, spec: str) -> None:
        letter = broken.mail("ana@example.com", subject="Printer", text="It burns.")
        assert (letter.outcome, broken.field(letter.record, "priority")) == ("stored", 2)
        broken.wait(days=2)
        assert broken.cli("tick")[:3] == (0, "", "")

    def test_it_is_said_and_can_be_mended(self, broken: Talk, spec: str) -> None:
        listed, dumped = broken.cli("rules list --json"), broken.cli("rules dump")
        assert [one["name"] for one in listed.json] == ["Good"]
        assert (dumped.code, "Good" in dumped.out) == (1, True)
        for said in (listed, dumped):
            assert [line.startswith("crmmail: rule '") for line in said.err.splitlines()] == [True, True]
        assert "Broken" in broken.cli("rules lint").out
        assert "Broken" in broken.cli("doctor").out
        assert broken.cli("rules show Broken").err.count("\n") == 1
        assert "set_priority" in broken.do("rules show Good")
        broken.do("rules remove Dated")
        if "delay" not in spec:
            broken.do("rules edit Broken --state-from none --set-priority low")
            assert broken.cli("rules list").err == ""


class TestTick:
    def test_its_steps_do_not_depend_on_each_other(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        did = []
        monkeypatch.setattr(run_rules, "waiting", lambda *_: 1 / 0)
        monkeypatch.setattr(send, "due", lambda *_: did.append("mail") or 1 // 0)
        monkeypatch.setattr(hooks, "run_due", lambda *_: did.append("hooks") or [])
        said = talk.cli("tick")
        assert (said.code, did) == (1, ["mail", "hooks"])
        assert said.err.count("crmmail itself: ZeroDivisionError") == 2


class TestNames:
    @pytest.mark.parametrize("name", ["#1", "##2", "1", "# 3"])
    def test_a_number_is_no_name(self, talk: Talk, name: str) -> None:
        assert "is no name for a rule" in talk.refused(["rules", "add", name, "--set-priority", "1"], code=2)

    @pytest.mark.sqlite("writes into the file")
    def test_an_exact_name_wins_over_a_number(self, talk: Talk) -> None:
        for name in ("First", "Second"):
            talk.do(f"rules add {name} --state-to open --set-priority 1")
        write(talk, "UPDATE crm_rule SET name = '#1' WHERE name = 'Second'")  # from before that was refused
        assert talk.cli("rules show '#1' --json").json["id"] == 2
        talk.do("rules remove '#1'")
        assert [one["name"] for one in talk.cli("rules list --json").json] == ["First"]
        assert talk.cli("rules show '#1' --json").json["name"] == "First"


def test_toml_that_is_nested_too_deep_is_one_line(talk: Talk, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    for words, said in ((f"a={DEEP}", "nested too deep"), (f"a={'9' * 5000}", "is no TOML")):
        file.write_text(words)
        assert said in talk.refused(["rules", "load", str(file)], code=2)
