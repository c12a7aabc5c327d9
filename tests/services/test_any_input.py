"""What nobody means to type: queries of any length, dates at the ends of the calendar, sections that are retired."""

from __future__ import annotations

import sqlite3
import time

import pytest
from conversation import Talk

WORDS = [f"word{number}" for number in range(2000)]


class TestQueries:
    @pytest.mark.parametrize("line", ["list case", "inbox", "stats cases", "stats messages", "contacts", "view all"])
    @pytest.mark.parametrize(
        "words",
        [
            WORDS[:100],
            WORDS,
            ["x" * 100_000],
            ["state:" + ",".join(WORDS * 10)],
            ["section:" + ",".join(WORDS * 10)],
            ["from:" + "x" * 60_000],
            ['category:"' + " " * 20_000],
        ],
        ids=["hundred", "thousands", "long", "states", "sections", "from", "blanks"],
    )
    def test_any_input_is_one(self, talk: Talk, line: str, words: list[str]) -> None:
        said = talk.cli([*line.split(), *words, "--json"])
        assert (said.code, said.err) == (0, "")

    def test_a_long_title_finds_itself(self, talk: Talk) -> None:
        title = " ".join(WORDS[:70])
        talk.do(["new", "case", title, "--section", "support"])
        talk.do("new case Printer --section support")
        assert [one["id"] for one in talk.cli(["list", "case", *title.split(), "--json"]).json] == [1]
        talk.do(["view", "save", "long", *title.split()])
        assert [one["id"] for one in talk.cli("view long --json").json] == [1]
        assert talk.cli(["list", "case", *title.split(), "more", "--json"]).json == []


@pytest.mark.sqlite("writes into the file")
class TestDates:
    LINES = (
        "set 1 deadline={}",
        "new case Printer --section support --deadline {}",
        "activity add 1 Call --due {}",
        "stats --from {}",
        "stats --to {}",
    )

    @pytest.mark.parametrize("line", LINES)
    @pytest.mark.parametrize("date", ["0001-01-01", "9999-12-31"])
    def test_they_are_from_1970_to_9000(self, talk: Talk, line: str, date: str) -> None:
        talk.do("new case Printer --section support")
        assert "write a date from 1970 to 9000" in talk.refused(line.format(date), code=2)
        for good in ("1970-01-02", "9000-12-31"):
            assert talk.cli(line.format(good)).code == 0

    @pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
    @pytest.mark.parametrize("date", ["0001-01-01 00:00:00.000000", "9999-12-31 23:59:59.999999"])
    def test_what_is_there_already_can_be_read(self, talk: Talk, zone: str, date: str) -> None:
        talk.do("rules add Before --trigger deadline --delay=-1h --state-from open --watch expert@firm.example")
        talk.do("new case Printer --section support --deadline tomorrow --responsible boss")
        talk.do("activity add 1 Call --due tomorrow")
        connection = sqlite3.connect(talk.db)
        with connection:
            connection.execute("UPDATE crm_case SET deadline = ?", [date])
            connection.execute("UPDATE crm_activity SET due = ?", [date])
        connection.close()
        talk.environ(TZ=zone)
        time.tzset()
        try:
            for line in ("show 1", "list case", "rules explain 1", "tick", "activity", "agenda", "stats", "summary"):
                said = talk.cli(line)
                assert (said.code, said.err) == (0, ""), line
            talk.do("open 1")
            for line in ("rules run", "rules run", "rules explain 1"):
                said = talk.cli(line)
                assert (said.code, said.err) == (0, ""), line
            assert len(talk.cli("rules explain 1 --json").json["history"]) == int(date < "1970")
        finally:
            talk.environ(TZ="UTC")
            time.tzset()


class TestRetiredSections:
    @pytest.fixture
    def shop(self, talk: Talk) -> Talk:
        talk.do("sections add old")
        talk.do("new case Printer --section old")
        talk.do("rules add Old --state-to open --set-section old")
        talk.do("sections remove old")
        return talk

    def test_nothing_new_comes_in(self, shop: Talk) -> None:
        shop.do("new case Scanner --section support")
        for line in ("move 2 --section old", "set 2 section=old", "new case Paper --section old"):
            assert shop.refused(line) == "section old is retired: `crmmail sections` lists those in use"
        assert "section old is retired" in shop.cli("open 2").err
        assert (shop.field(2, "state"), shop.field(2, "section")) == ("open", "support")

    def test_what_is_in_it_may_stay(self, shop: Talk) -> None:
        shop.do("set 1 section=old priority=high")
        assert (shop.field(1, "section"), shop.field(1, "priority")) == ("old", 2)
        assert shop.cli("open 1").err == ""
