"""Sections and categories: the tree of S2, how an answer opens a case again, and what waits where (F197–F202)."""

from __future__ import annotations

from typing import Any

import pytest
from conversation import Talk

from crmmail.store.people import offices

SECTIONS = (
    "sections add sales --name Sales --manager boss --email sales2@crm.test",
    "sections add level1 --name 'Support Level 1' --manager agent --email 1@crm.test --parent level2 --create-parent",
    "sections set level2 --name 'Support Level 2' --manager boss",
    "sections add quality --name Quality --manager boss --email complaints@crm.test --on-partner-reply close",
)
# S2's table "Categories assigned to the different sections".
CATEGORIES = {
    "sales": ["Installation Requests", "Interest in Training", "Potential Distributor"],
    "level1": ["Fault Fix", "Functional Problem"],
    "quality": ["Corrective Actions", "Preventative Actions"],
}


@pytest.fixture
def shop(talk: Talk) -> Talk:
    """S2's shop, defined from below."""
    for line in SECTIONS:
        talk.do(line)
    for section, names in CATEGORIES.items():
        for name in names:
            talk.do(["categories", "add", name, "--section", section])
    return talk


class TestS2:
    def test_four_sections_in_a_tree_defined_from_below(self, shop: Talk) -> None:
        """Oracle 4; F197, F198, F204."""
        tree = {one["code"]: (one["name"], one["parent"], one["depth"]) for one in shop.cli("sections --json").json}
        assert tree["sales"] == ("Sales", None, 0)
        assert tree["quality"] == ("Quality", None, 0)
        assert tree["level2"] == ("Support Level 2", None, 0)
        assert tree["level1"] == ("Support Level 1", "level2", 1)

    def test_seven_categories_in_three_sections(self, shop: Talk) -> None:
        """Oracle 5; F202."""
        found: dict[str, list[str]] = {}
        for one in shop.cli("categories --json").json:
            found.setdefault(one["section"], []).append(one["name"])
        assert found == CATEGORIES

    def test_a_category_is_known_in_its_section_only(self, shop: Talk) -> None:
        shop.do("new case Printer --section level1 --category 'fault fix'")
        assert shop.field(1, "category") == "Fault Fix"
        assert "section sales has no category 'Fault Fix'" in shop.refused(
            "new case X --section sales --category 'Fault Fix'"
        )

    def test_a_letter_to_a_sections_address_is_filed_in_it(self, shop: Talk) -> None:
        """F200."""
        for address, section in (("1@crm.test", "level1"), ("complaints@crm.test", "quality")):
            assert shop.field(shop.mail("ana@example.com", address, "Hello").record, "section") == section


class TestTheTree:
    def test_no_circles_however_long(self, talk: Talk) -> None:
        talk.do("sections add a --parent support")
        talk.do("sections add b --parent a")
        talk.do("sections add c --parent b")
        said = talk.refused("sections set support --parent c")
        assert said == "c cannot be above support, because it stands below it (c ▸ b ▸ a ▸ support)"
        assert "support cannot be above itself" in talk.refused("sections set support --parent support")
        parents = {one["code"]: one["parent"] for one in talk.cli("sections --json").json}
        assert parents == {"support": None, "a": "support", "b": "a", "c": "b"}

    def test_an_empty_parent_is_the_top(self, talk: Talk) -> None:
        talk.do("sections add a --parent support")
        talk.do(["sections", "set", "a", "--parent", ""])
        assert [one["parent"] for one in talk.cli("sections --json").json] == [None, None]
        talk.do("sections set support --parent a")  # the other way round now

    def test_set_makes_a_parent_too(self, talk: Talk) -> None:
        talk.refused("sections set support --parent head")
        talk.do("sections set support --parent head --create-parent")
        talk.do("sections set support --parent HEAD --create-parent")
        assert [(one["code"], one["parent"]) for one in talk.cli("sections --json").json] == [
            ("head", None),
            ("support", "head"),
        ]
        assert "is no section code" in talk.refused("sections set support --parent 12 --create-parent", code=2)

    def test_list_of_a_section_with_those_below(self, shop: Talk) -> None:
        """F201."""
        shop.do("new case A --section level1")
        shop.do("new case B --section level2")
        shop.do("new case C --section sales")
        assert shop.do("list case --section level2 -o ids") == "2"
        assert sorted(shop.do("list case --section level2 --recursive -o ids").split()) == ["1", "2"]
        assert shop.do("list case --section level1 --recursive -o ids") == "1"


class TestCounts:
    @pytest.fixture
    def counts(self, shop: Talk) -> Talk:
        for line in (
            "new case A --section level1 --responsible agent --deadline 2026-11-20",
            "new case B --section level1",
            "new case C --section level2 --responsible boss",
            "new case D --section level2",
            "new case E --section sales",
            "new lead F --section sales",
            "open 1",
            "pending 3",
            "close 4",
        ):
            shop.do(line)
        return shop

    def test_of_each_section_and_of_all_below(self, counts: Talk) -> None:
        found = {one["code"]: one["counts"] for one in counts.cli("sections list --counts --json").json}
        level1 = {"open": 1, "pending": 0, "unassigned": 1, "late": 1, "unfinished": 2}
        assert found["level1"] == {**level1, "with_below": level1}
        assert found["level2"] == {
            "open": 0, "pending": 1, "unassigned": 0, "late": 0, "unfinished": 1,
            "with_below": {"open": 1, "pending": 1, "unassigned": 1, "late": 1, "unfinished": 3},
        }  # fmt: skip
        assert found["sales"]["unfinished"] == 1  # leads are no cases
        assert found["quality"]["with_below"]["unfinished"] == 0

    def test_only_where_they_are_asked_for(self, counts: Talk) -> None:
        assert {one["counts"] for one in counts.cli("sections --json").json} == {None}

    def test_are_one_query(self, counts: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        with counts.open() as workspace:
            asked: list[str] = []
            real = workspace.store.connection.execute

            def execute(text: str, *given: Any) -> Any:
                asked.append(text)
                return real(text, *given)

            monkeypatch.setattr(workspace.store.connection, "execute", execute)
            found = offices.counts(workspace.now())
            assert len(asked) == 1
            assert found["level1"].unfinished == 2

    def test_as_columns_for_programs(self, counts: Talk) -> None:
        head, *rows = counts.do("sections list --counts --header").splitlines()
        level2 = dict(
            zip(head.split("\t"), next(row for row in rows if row.startswith("level2")).split("\t"), strict=True)
        )
        assert (level2["unfinished"], level2["unfinished_with_below"]) == ("1", "3")

    def test_a_tree_is_drawn(self, counts: Talk) -> None:
        counts.do("sections add eu --parent quality")
        counts.do("sections add us --parent quality")
        counts.do("sections add fr --parent eu")
        lines = counts.do("sections list --tree --counts -o table").splitlines()
        drawn = [line[:10].rstrip() for line in lines[1:]]
        assert drawn == ["level2", "└ level1", "quality", "├ eu", "│ └ fr", "└ us", "sales", "support"]
        assert "1 (3)" in lines[1]


class TestReopenWindow:
    """Behaviour §5: how long an answer opens a case again; nothing is lost when it comes later."""

    @pytest.fixture
    def case(self, talk: Talk) -> int:
        talk.do("sections set support --reopen-window 30d")
        letter = talk.mail("ana@example.com", subject="Printer", text="It burns.")
        talk.do("assign 1 boss", user="agent")
        talk.do("close 1")
        assert letter.record == 1
        return 1

    def test_in_time(self, talk: Talk, case: int) -> None:
        talk.wait(days=30)
        talk.mail("ana@example.com", answers=talk.sent[0], text="It burns again.")
        assert talk.state(case) == "open"

    def test_too_late_it_stays_done_and_lies_before_whoever_is_in_charge(self, talk: Talk, case: int) -> None:
        talk.do("users set boss --notify email")
        talk.quiet()
        talk.wait(days=40)
        answer = talk.mail("ana@example.com", answers=talk.sent[0], text="It burns again.")
        assert (answer.record, talk.state(case)) == (case, "done")
        assert talk.words(case) == ["It burns.", "It burns again."]
        assert talk.heard("boss") == [
            (case, "It burns again.")
        ]  # though he hears by mail: no list of open cases shows it
        assert "came 40 days after closing: reopen_window is 30d" in talk.why(answer)

    def test_who_follows_hears_it_as_ever(self, talk: Talk, case: int) -> None:
        talk.quiet()
        talk.wait(days=40)
        talk.mail("ana@example.com", answers=talk.sent[0], text="It burns again.")
        assert talk.heard("agent") == talk.heard("boss") == [(case, "It burns again.")]

    def test_an_empty_window_is_for_ever(self, talk: Talk, case: int) -> None:
        talk.do(["sections", "set", "support", "--reopen-window", ""])
        talk.wait(days=4000)
        talk.mail("ana@example.com", answers=talk.sent[0], text="It burns again.")
        assert talk.state(case) == "open"

    def test_a_machine_is_never_too_late(self, talk: Talk, case: int) -> None:
        talk.quiet()
        talk.wait(days=40)
        letter = talk.mail(
            "ana@example.com", answers=talk.sent[0], headers={"Auto-Submitted": "auto-replied"}, text="Away."
        )
        assert talk.state(case) == "done"
        assert "reopen_window" not in talk.why(letter)

    def test_cancelled_stays_cancelled_unless_the_section_says_otherwise(self, talk: Talk, case: int) -> None:
        talk.do("open 1")
        talk.do("cancel 1")
        talk.mail("ana@example.com", answers=talk.sent[0], text="Why?")
        assert talk.state(case) == "cancel"
        talk.do("sections set support --reopen-cancelled")
        talk.mail("ana@example.com", answers=talk.sent[0], text="Why on earth?")
        assert (talk.state(case), talk.field(case, "closed")) == ("open", None)
        talk.do("cancel 1")
        talk.wait(days=31)
        late = talk.mail("ana@example.com", answers=talk.sent[0], text="Hello?")
        assert talk.state(case) == "cancel"
        assert "reopen_window is 30d" in talk.why(late)
        talk.do("sections set support --no-reopen-cancelled")
        assert "reopen_window" not in talk.why(talk.mail("ana@example.com", answers=talk.sent[0], text="Well?"))

    @pytest.mark.parametrize(
        ("said", "kept"), [("1 month", "1mo"), ("2w", "14d"), ("0", "0m"), ("", None), (" ", None)]
    )
    def test_is_a_delay_in_words(self, talk: Talk, said: str, kept: str | None) -> None:
        talk.do(["sections", "set", "support", "--reopen-window", said])
        assert talk.cli("sections --json").json[0]["reopen_window"] == kept

    @pytest.mark.parametrize("said", ["soon", "-3d", "30"])
    def test_what_is_none(self, talk: Talk, said: str) -> None:
        talk.refused(["sections", "set", "support", f"--reopen-window={said}"], code=2)
        assert talk.cli("sections --json").json[0]["reopen_window"] is None


class TestProbability:
    """F202: a category says how probable its cases are where nobody says otherwise."""

    @pytest.fixture(autouse=True)
    def category(self, talk: Talk) -> None:
        talk.do("categories add Training --section support --probability 30")
        talk.do("categories add Fault --section support")

    def test_a_new_case_gets_it(self, talk: Talk) -> None:
        talk.do("new case A --section support --category Training")
        talk.do("new case B --section support --category Training --probability 80")
        talk.do("new case C --section support --category Fault")
        assert [talk.field(number, "probability") for number in (1, 2, 3)] == [30, 80, None]

    def test_a_letters_case_too(self, talk: Talk) -> None:
        talk.do("aliases set support@crm.test --default category=Training")
        assert talk.field(talk.mail("ana@example.com", subject="A course?").record, "probability") == 30

    def test_choosing_it_fills_what_is_empty_and_undo_takes_both_back(self, talk: Talk) -> None:
        talk.do("new case A --section support")
        assert "probability none → 30" in talk.do("set 1 category=training")
        talk.do("undo")
        assert (talk.field(1, "category"), talk.field(1, "probability")) == (None, None)

    def test_what_somebody_said_stays(self, talk: Talk) -> None:
        talk.do("new case A --section support --probability 80")
        talk.do("set 1 category=Training")
        assert talk.field(1, "probability") == 80
        talk.do("new case B --section support")
        talk.do("set 2 category=Training probability=")
        assert talk.field(2, "probability") is None

    def test_set_and_rename(self, talk: Talk) -> None:
        talk.do("new case A --section support --category Training")
        assert talk.do("categories set training --section support --name Courses --probability 40%") == (
            "category Courses of support, probability 40 %"
        )
        assert (talk.field(1, "category"), talk.field(1, "probability")) == ("Courses", 30)
        talk.do(["categories", "set", "Courses", "--section", "support", "--probability", ""])
        (courses,) = [one for one in talk.cli("categories --json").json if one["name"] == "Courses"]
        assert courses["probability"] is None

    def test_what_is_refused(self, talk: Talk) -> None:
        assert "has a category Fault already" in talk.refused("categories set Training --section support --name FAULT")
        assert "it has Fault, Training" in talk.refused("categories set X --section support --probability 1")
        assert "0 to 100" in talk.refused("categories add X --section support --probability 101", code=2)
        talk.refused("categories set Training --section support --probability 1", user="agent")
