"""What is to do about records, and the agenda of it (F17, F241).  The clock stands at Tuesday 24 November
2026, 10:00."""

from __future__ import annotations

import time
from typing import Any

import pytest
from conversation import Talk

from crmmail.cli.voice import Voice
from crmmail.services.hearing import activities
from crmmail.store import tables


@pytest.fixture
def case(talk: Talk) -> int:
    """A case of the agent's that boss made; everybody has read of it."""
    number = int(talk.do("new case Printer --section support --responsible agent"))
    talk.quiet()
    return number


def todo(talk: Talk, record: int, *options: str) -> list[dict[str, Any]]:
    return list(talk.cli(f"show {record} --peek --json {' '.join(options)}").json["activities"])


# --- activities ---------------------------------------------------------------------------------------------


class TestActivity:
    def test_is_kept_announced_and_told_to_whom_it_concerns(self, talk: Talk, case: int) -> None:
        said = talk.do(["activity", "add", "1", "Call the supplier", "--due", "tomorrow 9:00", "--for", "agent"])
        assert said == (
            "#1 Printer: activity 1: agent until 2026-11-25 09:00: Call the supplier   (undo: crmmail undo)"
        )
        assert todo(talk, case) == [
            {
                "id": 1,
                "summary": "Call the supplier",
                "due": "2026-11-25T09:00:00Z",
                "user": "agent",
                "done": None,
                "overdue": False,
            }
        ]
        assert talk.heard("agent") == [(1, "to do until 2026-11-25 09:00 (agent): Call the supplier")]
        assert talk.heard("boss") == []
        assert "activity 1 until 2026-11-25 09:00: Call the supplier (agent)" in talk.do("show 1 --peek")

    def test_is_told_to_somebody_who_does_not_follow(self, talk: Talk, case: int) -> None:
        talk.do("users add bob --email bob@crm.test")
        talk.do("activity add 1 'Buy ink' --due +1d --for bob")
        assert talk.heard("bob") == [(1, "to do until 2026-11-25 10:00 (bob): Buy ink")]

    def test_is_mine_where_nobody_is_named(self, talk: Talk, case: int) -> None:
        talk.do("activity add 1 'Buy ink' --due +1d")
        assert todo(talk, case)[0]["user"] == "boss"

    def test_stays_inside(self, talk: Talk) -> None:
        case = talk.mail("ana@example.com", subject="Printer").record
        talk.do(f"follow {case} --who expert@firm.example")
        talk.do(f"activity add {case} 'Buy ink' --due +1d")
        assert talk.outbox() == []
        assert talk.show(case)["messages"][-1]["internal"]

    def test_a_day_is_all_of_that_day(self, talk: Talk, case: int) -> None:
        """What is due today is not overdue as it is made."""
        said = talk.do("activity add 1 'Buy ink' --due today")
        assert "until 2026-11-24 23:59: Buy ink" in said
        talk.wait(hours=13, minutes=58)
        assert not todo(talk, case)[0]["overdue"]
        talk.wait(minutes=2)
        assert todo(talk, case)[0]["overdue"]

    def test_the_day_is_the_one_on_the_wall(self, talk: Talk, case: int) -> None:
        talk.environ(TZ="America/New_York")
        time.tzset()
        try:
            talk.do("activity add 1 'Buy ink' --due friday")
            assert todo(talk, case)[0]["due"] == "2026-11-28T04:59:00Z"
        finally:
            talk.environ(TZ="UTC")
            time.tzset()

    def test_done_and_undo(self, talk: Talk, case: int) -> None:
        talk.do("activity add 1 'Buy ink' --due +1d --for agent")
        talk.do("activity add 1 'Send ink' --due +2d --for agent")
        talk.wait(hours=3)
        said = talk.do("activity done -", user="agent", input="1 2\n")
        assert said == (
            "#1 Printer: done: Buy ink   (undo: crmmail undo)\n#1 Printer: done: Send ink   (undo: crmmail undo)\n"
            "all 2 of them: crmmail undo 2"
        )
        assert todo(talk, case) == []
        assert [one["done"] for one in todo(talk, case, "--full")] == ["2026-11-24T13:00:00Z"] * 2
        assert "done activity 1" in talk.do("show 1 --peek --full")
        assert talk.system(case)[-2:] == ["done: Buy ink", "done: Send ink"]
        assert "was done 2026-11-24 13:00 already" in talk.cli("activity done 1").err
        assert talk.do("undo", user="agent") == "undone: #1 Printer: done: Send ink"
        assert [one["id"] for one in todo(talk, case)] == [2]
        assert talk.system(case)[-1] == "undone: #1 Printer: done: Send ink"

    def test_what_was_added_goes_with_undo_and_what_was_removed_comes_back(self, talk: Talk, case: int) -> None:
        talk.do("activity add 1 'Buy ink' --due +1d --for agent")
        before = todo(talk, case)
        talk.do("activity remove 1")
        assert todo(talk, case) == []
        talk.do("undo")
        assert todo(talk, case) == before
        talk.do("undo 1")
        assert (todo(talk, case), talk.count(tables.Activity)) == ([], 0)

    def test_it_counts_as_work_on_the_case(self, talk: Talk, case: int) -> None:
        for line in ("activity add 1 'Buy ink' --due +1d", "activity done 1"):
            talk.wait(hours=1)
            talk.do(line)
            with talk.open():
                assert tables.Case.get().acted == talk.clock

    def test_listing(self, talk: Talk, case: int) -> None:
        talk.do("activity add 1 Later --due +2d")
        talk.do("activity add 1 Sooner --due +1d")
        talk.do("activity add 1 His --due +3d --for agent")
        talk.do("activity done 2")
        assert talk.do("activity -o ids") == talk.do("activity list --mine -o ids") == "1"
        assert talk.do("activity list --all -o ids") == "1\n3"
        assert talk.do("activity list --finished -o ids") == "2\n1"
        (row,) = talk.cli("activity --json", user="agent").json
        assert row == {
            "id": 3, "record": 1, "title": "Printer", "summary": "His", "due": "2026-11-27T10:00:00Z", "user": "agent",
            "done": None, "overdue": False,
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("line", "code", "words"),
        [
            ("activity add 9 X --due +1d", 1, "there is no record 9"),
            ("activity add 1 X --due someday", 2, "no date that I can read"),
            ("activity add 1 X --due +1d --for bob", 1, "there is no user 'bob'"),
            ("activity add 1 '' --due +1d", 2, "say what is to do"),
            ("activity add 1 X", 2, "Missing option '--due'"),
            ("activity list --mine --all", 2, "say --mine or --all, not both"),
            ("activity done 9", 1, "there is no activity 9"),
            ("activity remove 9", 1, "there is no activity 9"),
        ],
    )
    def test_what_is_refused_makes_nothing(self, talk: Talk, case: int, line: str, code: int, words: str) -> None:
        assert words in talk.refused(line, code=code)
        assert talk.count(tables.Activity) == 0
        assert len(talk.system(case)) == 1

    def test_inside_another_act_nobody_is_told_twice(self, talk: Talk, case: int) -> None:
        """As rules make them: the messages are told by the act, once it is over."""
        news: list[tuple[int, str]] = []
        with talk.open() as workspace, workspace.store.transaction():
            due = workspace.now()
            made = activities.add(workspace, case, "Call", due, 2, None, news=news)
            activities.add(workspace, case, "Write", due, None, None, skip=[1, 2])
        assert [one["summary"] for one in todo(talk, case)] == ["Call", "Write"]
        assert [kind for _, kind in news] == ["note"]
        assert (talk.heard("agent"), talk.heard("boss"), made) == ([], [], 1)
        assert todo(talk, case)[1]["user"] is None


# --- the agenda ---------------------------------------------------------------------------------------------


@pytest.fixture
def busy(talk: Talk) -> Talk:
    """Cases 1 (agent's, late), 2 (boss's, tonight), 3 (nobody's, in a week), 4 (done); activities of both users."""
    talk.do("new case Late --section support --responsible agent --deadline 2026-11-24T09:59")
    talk.do("new case Tonight --responsible boss --deadline 2026-11-24T23:59")
    talk.do("new case Week --deadline 2026-12-01T12:00")
    talk.do("new case Over --responsible boss --deadline 2026-11-24T09:00")
    talk.do("close 4")
    talk.do("activity add 2 Call --due '2026-11-25 00:00'")
    talk.do("activity add 1 Write --due '2026-11-24 12:00' --for agent")
    talk.do("activity add 1 Gone --due '2026-11-24 12:00'")
    talk.do("activity done 3")
    return talk


def agenda(talk: Talk, options: str = "", user: str = "boss") -> list[tuple[str, int]]:
    return [(one["what"], one["record"]) for one in talk.cli(f"agenda --json {options}", user).json]


class TestAgenda:
    def test_is_in_the_order_of_time(self, busy: Talk) -> None:
        rows = busy.cli("agenda --all --json").json
        late, write, tonight, call, week = rows
        assert late == {
            "when": "2026-11-24T09:59:00Z", "what": "deadline", "id": None, "record": 1, "title": "Late",
            "user": "agent", "summary": None, "overdue": True,
        }  # fmt: skip
        assert call == {
            "when": "2026-11-25T00:00:00Z", "what": "activity", "id": 1, "record": 2, "title": "Tonight",
            "user": "boss", "summary": "Call", "overdue": False,
        }  # fmt: skip
        assert [one["record"] for one in (write, tonight, week)] == [1, 2, 3]
        assert week["user"] is None

    @pytest.mark.parametrize(
        ("options", "user", "found"),
        [
            ("", "boss", [("deadline", 2), ("activity", 2)]),
            ("--mine", "agent", [("deadline", 1), ("activity", 1)]),
            ("--user agent", "boss", [("deadline", 1), ("activity", 1)]),
            ("--all --days 1", "boss", [("deadline", 1), ("activity", 1), ("deadline", 2)]),
            ("--all --days 2", "boss", [("deadline", 1), ("activity", 1), ("deadline", 2), ("activity", 2)]),
            ("--all section:support", "boss", [("deadline", 1), ("activity", 1)]),
            ("--all unassigned", "boss", [("deadline", 3)]),
            ("--all tonight", "boss", [("deadline", 2), ("activity", 2)]),
            ("--all nothing", "boss", []),
        ],
    )
    def test_whose_and_how_far(self, busy: Talk, options: str, user: str, found: list[tuple[str, int]]) -> None:
        assert agenda(busy, options, user) == found

    def test_a_day_ends_at_midnight_on_the_wall(self, busy: Talk) -> None:
        busy.environ(TZ="America/New_York")  # where 23:59 in Greenwich is still the afternoon, and so is midnight
        time.tzset()
        try:
            assert agenda(busy, "--days 1") == [("deadline", 2), ("activity", 2)]
        finally:
            busy.environ(TZ="UTC")
            time.tzset()

    def test_a_case_for_tomorrow_is_late_the_day_after(self, talk: Talk) -> None:
        talk.do("sections add level2 --name 'Level 2'")
        talk.do("sections set support --parent level2")
        talk.do("new case Printer --section support --responsible boss --deadline tomorrow")
        assert talk.cli("agenda --json --days 2").json[0]["when"] == "2026-11-25T23:59:00Z"
        talk.wait(days=1, hours=13)
        assert talk.cli("list case late --json").json == []
        talk.do("escalate --late")
        assert talk.field(1, "section") == "support"
        talk.wait(hours=1)
        assert [one["id"] for one in talk.cli("list case late --json").json] == [1]
        talk.do("escalate --late")
        assert talk.field(1, "section") == "level2"

    def test_its_ids_are_activities_that_can_be_done(self, busy: Talk) -> None:
        assert busy.do("agenda --all -o ids") == "2\n1"
        busy.do("activity done -", input=busy.do("agenda --all -o ids"))
        assert agenda(busy, "--all") == [("deadline", 1), ("deadline", 2), ("deadline", 3)]

    def test_only_one_of_whose(self, busy: Talk) -> None:
        assert "one of them" in busy.refused("agenda --all --user agent", code=2)
        assert "there is no user 'bob'" in busy.refused("agenda --user bob")

    def test_on_a_terminal_it_is_grouped_by_day(self, busy: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Voice, "terminal", True)
        assert busy.do("agenda --all --color never").splitlines() == [
            "Overdue",
            "! 2026-11-24 09:59  #1  Late     deadline           agent",
            "",
            "Today",
            "  12:00             #1  Late     activity 2: Write  agent",
            "  23:59             #2  Tonight  deadline           boss",
            "",
            "Tomorrow",
            "  00:00             #2  Tonight  activity 1: Call   boss",
            "",
            "Tue 2026-12-01",
            "  12:00             #3  Week     deadline           nobody",
        ]
        assert "\x1b[31m! 2026-11-24 09:59" in busy.do("agenda --all --color always")
        assert busy.do("agenda --all nothing --color never") == "Nothing is due."

    def test_what_is_to_do_is_never_cut(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        case = talk.mail("ana@example.com", subject="The printer in the hall does not print any more").record
        talk.do(["activity", "add", str(case), "Call the supplier and ask for the price", "--due", "+1d"])
        talk.environ(COLUMNS="80")
        monkeypatch.setattr(Voice, "terminal", True)
        assert talk.do("agenda --color never").splitlines()[1:] == [
            "  10:00  #1  The printer in the hall does…  activity 1: Call the supplier   boss",
            "                                            and ask for the price",
        ]

    def test_the_summary_counts_what_i_have_to_do(self, busy: Talk) -> None:
        assert busy.cli("--json", "agent").json["activities"] == 1
        assert "! 1 to do until tonight   crmmail agenda" in busy.do("", user="agent")
        assert busy.cli("--json", "boss").json["activities"] == 0  # tomorrow begins at midnight

    def test_a_title_from_a_mail_cannot_run_the_terminal(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        case = talk.mail("ana@example.com", subject="=?utf-8?q?=1B]0;x=07_[/b]?=").record
        talk.do(f"set {case} deadline=+1d")
        monkeypatch.setattr(Voice, "terminal", True)
        said = talk.do("agenda --all --color never")
        assert "[/b]" in said and "\x1b" not in said and "\x07" not in said
