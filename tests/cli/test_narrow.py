"""What people read on a terminal of 80 columns: whole where half would say something else, and in lines of its own."""

from __future__ import annotations

import pytest
from conversation import Talk

from crmmail.cli.voice import Voice
from crmmail.core.text import cells

TITLE = "The printer in the hall does not print any more"


@pytest.fixture
def narrow(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> Talk:
    """A case with a deadline, read a day later."""
    talk.do("sections add sales-international --name 'International sales'")
    talk.do("contacts add 'Annabella of the Customer' --email ann@customer.example")
    talk.do(["new", "case", TITLE, "--section", "sales-international", "--responsible", "agent", "--contact", "1"])
    talk.do("set 2 deadline=2026-11-24T12:30")
    talk.wait(days=1)
    talk.environ(COLUMNS="80", NO_COLOR="1")
    monkeypatch.setattr(Voice, "terminal", True)
    return talk


def test_a_list_has_a_title_and_whole_dates(narrow: Talk) -> None:
    for line in ("list case", "stats --list"):
        lines = narrow.do(line).splitlines()
        assert lines[0].split() == ["#", "title", "state", "section", "who", "partner", "deadline"]
        assert "The printer in the…" in lines[1] and "!  2026-11-24 12:30" in lines[1]
        assert lines[2] == "No room for when: a wider terminal, -o csv or --json has it"
        assert max(map(cells, lines)) <= 80
    narrow.environ(COLUMNS="160")
    wide = narrow.do("list case").splitlines()
    assert len(wide) == 2 and TITLE in wide[1] and wide[1].endswith("yesterday 10:00")


def test_without_a_deadline_the_date_of_the_last_act_stays(narrow: Talk) -> None:
    narrow.do("set 2 deadline=")
    narrow.wait(days=1)
    lines = narrow.do("list case").splitlines()
    assert lines[0].split()[-1] == "when"
    assert lines[1].endswith("yesterday 10:00")
    assert cells(lines[1]) <= 80


def test_what_was_asked_for_by_name_is_never_left_out(narrow: Talk) -> None:
    lines = narrow.do("list case --fields id,title,state,section,responsible,partner,deadline,updated").splitlines()
    assert lines[0].split()[-1] == "when"
    assert len(lines) == 2


def test_an_action_is_told_to_its_end(narrow: Talk) -> None:
    said = " ".join(narrow.do("actions 2").split())
    assert "keep a call; a visit: crmmail" in said and "log event 2 --what Visit" in said
    assert "change a field: title, section," in said and said.count("…") == 0
    assert max(map(cells, narrow.do("actions 2").splitlines())) <= 80
    narrow.do("log event 2 --what Visit")  # as it says


def test_the_journal_of_a_record_does_not_say_its_title_again(narrow: Talk) -> None:
    narrow.do("open 2")
    lines = narrow.do("log 2").splitlines()
    assert lines[1].endswith(f"#2 {TITLE}") or TITLE.split()[-1] in lines[2]  # how it came to be
    assert lines[-1].endswith("state: draft → open")
    assert "…" not in narrow.do("log 2")
    assert f"#2 {TITLE}: state: draft → open" in " ".join(narrow.do("log").split())
    assert narrow.cli("log 2 --json").json[-1]["sentence"] == f"#2 {TITLE}: state: draft → open"


class TestRules:
    def test_what_a_rule_does_is_told_to_its_end(self, narrow: Talk) -> None:
        narrow.do("rules add 'Everything that is late goes to the manager' --trigger deadline --set-priority high")
        (sentence,) = [one["sentence"] for one in narrow.cli("rules --json").json]
        lines = narrow.do("rules").splitlines()
        assert max(map(cells, lines)) <= 80
        assert "…" not in "".join(lines)
        assert " ".join(line[42:].strip() for line in lines[1:]).strip() == sentence

    def test_a_day_that_is_due_cannot_be_taken_for_another(self, narrow: Talk) -> None:
        narrow.do("rules add Late --trigger deadline --delay 1h --set-priority high")
        assert "deadline 1h: due 2026-11-24 13:30; acts at the next run" in narrow.do("rules explain 2")
        narrow.do("rules run")
        assert "due 2026-11-24 13:30; acted 2026-11-25 10:00" in narrow.do("rules explain 2 --all")
        assert "2026-11-24 13:30" in narrow.do("rules test Late")
        narrow.do(["activity", "add", "2", "Call", "--due", "2026-11-23 9:00"])
        assert "!  1  2026-11-23 09:00" in narrow.do("activity --all")

    def test_a_rule_without_a_date_has_no_column_for_it(self, narrow: Talk) -> None:
        narrow.do("rules add Opened --state-to open --set-priority high")
        narrow.do("open 2")
        assert narrow.do("rules test Opened").splitlines()[0].split() == ["#", "title", "state", "would", "do"]
        assert narrow.cli("rules test Opened --json").json[0]["due"] is None


class TestSections:
    def test_one_section_is_shown_in_lines(self, narrow: Talk) -> None:
        narrow.do("sections set support --reopen-window 30d --reopen-cancelled --parent sales-international")
        assert narrow.do("sections show support").splitlines() == [
            "support  Support <support@crm.test>",
            "below                      sales-international",
            "manager                    agent",
            "gets new cases             nobody in particular (none)",
            "when we answer by mail     the case is done (close)",
            "when the customer answers  the case is open (open)",
            "opens again                within 30d of closing",
            "opens when cancelled       yes",
        ]
        (row,) = narrow.cli("sections show support --json").json
        assert row["reopen_window"] == "30d"

    @pytest.mark.parametrize(
        ("options", "changes"),
        [
            ("--manager ''", "manager agent → none"),
            ("--assign manager --reopen-window 30d", "assign none → manager, reopen window for ever → within 30d"),
            ("--reopen-cancelled", "reopen cancelled no → yes"),
            ("--email help@crm.test", "email support@crm.test → help@crm.test"),
            ("--name Support", "nothing changed"),
        ],
    )
    def test_what_was_changed_is_said(self, talk: Talk, options: str, changes: str) -> None:
        address = "help" if "help@" in options else "support"
        said = talk.do(f"sections set support {options}")
        undo = "" if changes == "nothing changed" else "   (undo: crmmail undo)"
        assert said == f"section support Support <{address}@crm.test>: {changes}{undo}"
        if undo:
            before = talk.cli("sections show support --json").json
            talk.do("undo")
            assert talk.cli("sections show support --json").json != before
