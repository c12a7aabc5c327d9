"""Leave (F231): new work goes to the deputy, old work stays or is handed over, and nothing waits before nobody."""

from __future__ import annotations

from typing import Any

import pytest
from conversation import Talk

from crmmail.services.shared import leave
from crmmail.store.people import directory


@pytest.fixture(autouse=True)
def bob(talk: Talk) -> None:
    talk.do("users add bob --email bob@crm.test")
    talk.do("users add ann --email ann@crm.test")


def user(talk: Talk, login: str) -> dict[str, Any]:
    return next(one for one in talk.cli("users --json").json if one["login"] == login)


def stands_in(talk: Talk, login: str) -> str:
    with talk.open() as workspace:
        return leave.present(workspace, directory.user(login)).login


class TestWhoStandsIn:
    def test_he_himself_who_is_here(self, talk: Talk) -> None:
        assert stands_in(talk, "agent") == "agent"

    def test_his_deputy_until_the_time_is_over(self, talk: Talk) -> None:
        said = talk.do("users away agent --until 2026-12-01 --deputy bob")
        assert said == "agent is away until 2026-12-01 00:00 (deputy bob)   (back earlier: crmmail users back agent)"
        assert (user(talk, "agent")["away_until"], user(talk, "agent")["deputy"]) == ("2026-12-01T00:00:00Z", "bob")
        assert stands_in(talk, "agent") == "bob"
        talk.wait(days=6, hours=14)
        assert stands_in(talk, "agent") == "agent"
        assert (user(talk, "agent")["away_until"], user(talk, "agent")["deputy"]) == (None, "bob")

    def test_the_deputys_deputy(self, talk: Talk) -> None:
        talk.do("users away agent --until +9d --deputy bob")
        talk.do("users away bob --until +9d --deputy ann")
        assert stands_in(talk, "agent") == "ann"

    def test_he_himself_where_nobody_is_left(self, talk: Talk) -> None:
        talk.do("users away agent --until +9d --deputy bob")
        talk.do("users away bob --until +9d --deputy agent")  # a circle
        assert (stands_in(talk, "agent"), stands_in(talk, "bob")) == ("agent", "bob")
        talk.do(["users", "away", "bob", "--until", "+9d", "--deputy", ""])
        assert stands_in(talk, "agent") == "agent"
        talk.do("users back bob")
        assert stands_in(talk, "agent") == "bob"
        talk.do("users remove bob")
        assert stands_in(talk, "agent") == "agent"

    def test_all_who_are_away(self, talk: Talk) -> None:
        talk.do("users away agent --until +9d --deputy bob")
        talk.do("users away bob --until +9d --deputy ann")
        talk.do("users away boss --until +9d")
        talk.do("users remove agent")
        with talk.open("ann") as workspace:
            assert leave.away(workspace) == {"bob": "ann", "boss": ""}


class TestNewWork:
    """Goes to the deputy."""

    def test_of_a_manager(self, talk: Talk) -> None:
        talk.do("sections set support --assign manager")
        talk.do("users away agent --until +9d --deputy bob")
        letter = talk.mail("ana@example.com", subject="Printer", text="It burns.")
        assert talk.field(letter.record, "responsible") == "bob"
        assert talk.heard("bob") == [(1, "It burns.")]
        assert "agent is away until 2026-12-03 10:00 (deputy bob)" in talk.why(letter)

    @pytest.mark.parametrize("policy", ["round-robin", "least-busy"])
    def test_round_robin_and_least_busy_skip_who_is_away(self, talk: Talk, policy: str) -> None:
        talk.do(f"sections set support --assign {policy}")
        talk.do("users away agent --until +9d --deputy bob")
        got = set()
        for _ in range(3):
            talk.wait(minutes=1)
            got.add(talk.field(int(talk.do("new case X --section support")), "responsible"))
        assert got == {"ann", "bob", "boss"}

    def test_of_an_alias(self, talk: Talk) -> None:
        talk.do("aliases set sales@crm.test --default responsible=agent")
        talk.do("users away agent --until +9d --deputy bob")
        letter = talk.mail("ana@example.com", "sales@crm.test", "An offer?")
        assert talk.field(letter.record, "responsible") == "bob"
        assert "agent is away" in talk.why(letter)

    def test_nobodys_the_managers_deputy_follows_too(self, talk: Talk) -> None:
        talk.do("users away agent --until +9d --deputy bob")
        talk.mail("ana@example.com", subject="Printer", text="It burns.")
        assert talk.field(1, "responsible") is None
        assert sorted(talk.followers(1)) == ["agent", "bob"]
        assert talk.heard("bob") == [(1, "It burns.")]

    def test_given_to_him_by_name_is_his_with_a_warning(self, talk: Talk) -> None:
        talk.do("users away agent --until +9d --deputy bob")
        said = talk.cli("new case Printer --responsible agent")
        assert (said.code, said.line) == (0, "1")
        assert said.err == "crmmail: agent is away until 2026-12-03 10:00 (deputy bob)\n"
        assert talk.field(1, "responsible") == "agent"

    def test_what_nobody_would_see_lies_before_the_deputy(self, talk: Talk) -> None:
        letter = talk.mail("ana@example.com", subject="Printer", text="It burns.")
        talk.do("assign 1 agent")
        talk.do("unfollow 1 --who agent")
        talk.do("users away agent --until +9d --deputy bob")
        talk.quiet()
        talk.mail("ana@example.com", answers=letter, text="It burns again.")
        assert talk.heard("bob") == [(1, "It burns again.")]
        assert talk.inbox("agent") == []


class TestHandOver:
    @pytest.fixture(autouse=True)
    def work(self, talk: Talk) -> None:
        for line in ("new case A", "new case B", "new lead C", "new case D"):
            talk.do(f"{line} --responsible agent")
        talk.do("new case E --responsible boss")
        talk.do("close 2")

    def responsible(self, talk: Talk) -> list[str]:
        return [talk.field(number, "responsible") for number in range(1, 6)]

    def test_old_work_stays(self, talk: Talk) -> None:
        talk.do("users away agent --until +9d --deputy bob")
        assert self.responsible(talk) == ["agent", "agent", "agent", "agent", "boss"]

    def test_all_that_is_unfinished_each_its_own_act(self, talk: Talk) -> None:
        said = talk.do("users away agent --until +9d --deputy bob --hand-over")
        assert said.splitlines()[1:-1] == [
            f"#{number} {title}: responsible agent → bob   (undo: crmmail undo)"
            for number, title in ((1, "A"), (3, "C"), (4, "D"))
        ]
        assert said.splitlines()[-1] == "all 3 of them: crmmail undo 3"
        assert self.responsible(talk) == ["bob", "agent", "bob", "bob", "boss"]
        assert {record for record, _ in talk.heard("bob")} == {1, 3, 4}
        talk.do("undo 3")
        assert self.responsible(talk) == ["agent", "agent", "agent", "agent", "boss"]

    def test_needs_somebody_who_is_here(self, talk: Talk) -> None:
        assert "say --deputy LOGIN" in talk.refused("users away agent --until +9d --hand-over", code=2)
        assert user(talk, "agent")["away_until"] is None
        talk.do("users away bob --until +9d --deputy ann")
        talk.do("users away agent --until +9d --deputy bob --hand-over")
        assert self.responsible(talk)[0] == "ann"


class TestMayAndMustNot:
    def test_oneself_or_an_admin(self, talk: Talk) -> None:
        talk.do("users away agent --until +9d --deputy bob", user="agent")
        talk.do("users back agent", user="agent")
        assert "only an admin may send others on leave" in talk.refused("users away boss --until +9d", user="agent")
        talk.do("users away boss --until +9d", user="boss")
        assert "only an admin may call others back" in talk.refused("users back boss", user="agent")

    @pytest.mark.parametrize(
        ("line", "code", "words"),
        [
            ("users away agent --until yesterday", 2, "'yesterday' is over already (2026-11-23 00:00)"),
            ("users away agent --until someday", 2, "no date that I can read"),
            ("users away agent --until +9d --deputy agent", 1, "nobody stands in for himself"),
            ("users away agent --until +9d --deputy carol", 1, "there is no user 'carol'"),
            ("users away carol --until +9d", 1, "there is no user 'carol'"),
            ("users back agent", 1, "agent is not on leave"),
            ("users away agent", 2, "Missing option '--until'"),
        ],
    )
    def test_what_is_refused(self, talk: Talk, line: str, code: int, words: str) -> None:
        assert words in talk.refused(line, code=code)
        assert user(talk, "agent")["away_until"] is None

    def test_nobody_who_has_left_stands_in(self, talk: Talk) -> None:
        talk.do("users remove bob")
        assert "bob does not work here any more" in talk.refused("users away agent --until +9d --deputy bob")

    def test_doctor_says_whose_work_waits(self, talk: Talk) -> None:
        talk.do("users away agent --until +9d")
        assert "leave" not in talk.cli("doctor -o tsv").out  # he has nothing to do
        talk.do("new case A --responsible agent")
        line = next(one for one in talk.cli("doctor -o tsv").out.splitlines() if one.startswith("warn\tleave"))
        assert "agent is away until 2026-12-03 10:00 (no deputy), and 1 unfinished record waits" in line
        talk.do("users away agent --until +9d --deputy bob")
        assert "leave" not in talk.cli("doctor -o tsv").out
