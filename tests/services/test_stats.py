"""F243–F254: what the numbers say of what happened in the shop, and what it costs to ask."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from conversation import START, Talk

from crmmail.core import stats as core
from crmmail.core.query import Query, parse
from crmmail.services.desk import stats
from crmmail.store import tables as t

MEASURES = ("average_delay_seconds", "revenue", "cost", "weighted_revenue", "average_first_answer_seconds")


def rows(talk: Talk, line: str = "", user: str = "boss") -> list[dict[str, Any]]:
    return list(talk.cli(f"stats {line} --json", user).json)


def counts(talk: Talk, line: str) -> dict[Any, int]:
    """The first key of the grouping → how many."""
    return {next(iter(row.values())): row["count"] for row in rows(talk, line)}


@pytest.fixture
def shop(talk: Talk) -> Talk:
    """Three cases and a lead: agent closed #1 after 2 d 2 h and #2 after 4 d 6 h; #3 is cancelled."""
    talk.mail("Ana <ana@example.com>", subject="Printer")
    talk.do("new case Scanner --section support --revenue 1000 --cost 10.5 --responsible agent --priority high")
    talk.do("set 2 probability=20")
    talk.do("new case Mouse --responsible boss")
    talk.do("new lead Offer --revenue 99.99 --probability 50")
    talk.wait(days=2, hours=2)
    talk.do("take 1", user="agent")
    talk.do("close 1", user="agent")
    talk.do("cancel 3")
    talk.wait(days=2, hours=4)
    talk.do("close 2", user="agent")
    return talk


def test_oracle_16(shop: Talk) -> None:
    (row,) = rows(shop, "--by section state:done")
    assert row == {
        "section": "support", "count": 2, "average_delay_seconds": (3 * 24 + 4) * 3600, "revenue": 1000.0,
        "cost": 10.5, "weighted_revenue": 200.0, "average_first_answer_seconds": None,
    }  # fmt: skip
    assert "3 d 4 h" in shop.do("stats --by section state:done -o table")


def test_of_nothing_said_by_month_user_section_and_state(shop: Talk) -> None:
    found = rows(shop)
    assert [list(row.values())[:5] for row in found] == [
        ["2026-11", "agent", "support", "done", 2],
        ["2026-11", "boss", None, "cancel", 1],
    ]
    assert [list(row) for row in found] == [["month", "user", "section", "state", "count", *MEASURES]] * 2


def test_leads_are_counted_by_themselves(shop: Talk) -> None:
    (row,) = rows(shop, "leads --by kind")
    assert (row["kind"], row["count"], row["weighted_revenue"]) == ("lead", 1, 50.0)


def test_any_combination_in_any_order(shop: Talk) -> None:
    assert counts(shop, "--by priority,day") == {2: 1, 3: 2}
    assert list(rows(shop, "--by state,year,section")[0])[:3] == ["state", "year", "section"]
    assert rows(shop, "--by all")[0]["count"] == 3


def test_the_cost_of_a_supplier_who_is_no_contact_yet(shop: Talk) -> None:
    """F253: he is known by his address until somebody saves him."""
    shop.mail("Ana <ana@example.com>", subject="Broken again")
    shop.do("set 1 cost=5")
    shop.do("set 5 cost=7.25")
    found = {row["partner"]["name"] if row["partner"] else None: row for row in rows(shop, "--by partner")}
    assert found["ana@example.com"]["partner"]["id"] is None
    assert (found["ana@example.com"]["count"], found["ana@example.com"]["cost"]) == (2, 12.25)
    card = int(shop.do("contacts add 'Ana Ltd' --email ana@example.com"))
    assert {"id": card, "name": "Ana Ltd"} in [row["partner"] for row in rows(shop, "--by partner")]
    assert "\nAna Ltd\t2\t" in "\n" + shop.do("stats --by partner")


def test_the_query_is_that_of_list(shop: Talk) -> None:
    assert counts(shop, "cases state:done --by state") == {"done": 2}
    assert counts(shop, "cases Printer --by state") == {"done": 1}
    assert counts(shop, "from:ana --by state") == {"done": 1}
    assert counts(shop, "mine --by user") == {"boss": 1}
    assert rows(shop, "cases nothing --by user") == []


def test_from_and_to_are_about_the_day_it_was_made(shop: Talk) -> None:
    shop.do("new case Late")
    assert counts(shop, "--by day") == {"2026-11-24": 3, "2026-11-28": 1}
    assert counts(shop, "--by day --from 2026-11-25") == {"2026-11-28": 1}
    assert counts(shop, "--by day --to 2026-11-24") == {"2026-11-24": 3}  # to the end of that day
    assert rows(shop, "--by day --to '2026-11-24 9:00'") == []
    assert counts(shop, "--by day --from 2026-11-24 --to 2026-11-28") == {"2026-11-24": 3, "2026-11-28": 1}


def test_days_are_those_of_the_people_here(talk: Talk) -> None:
    talk.wait(hours=13, minutes=30)  # 23:30 in UTC
    talk.do("new case Late")
    assert counts(talk, "--by day") == {"2026-11-24": 1}
    talk.environ(TZ="Europe/Berlin")
    assert counts(talk, "--by day") == {"2026-11-25": 1}
    assert counts(talk, "--by day --from 2026-11-25 --to 2026-11-25") == {"2026-11-25": 1}


def test_a_section_with_those_below_it(shop: Talk) -> None:
    shop.do("sections add level1 --name 'Level 1' --parent support")
    shop.do("new case Mouse --section level1")
    assert counts(shop, "--by section --section support") == {"support": 2}
    assert counts(shop, "--by section --section support --recursive") == {"level1": 1, "support": 2}


def test_what_was_merged_is_counted_once_and_a_lead_that_became_a_case_twice(shop: Talk) -> None:
    with shop.open():
        t.Thread.update(moved_to=2).where(t.Thread.id << [1, 4]).execute()
        t.Lead.update(state="converted", closed=START + timedelta(days=1)).execute()
    assert counts(shop, "--by state") == {"done": 1, "cancel": 1}
    assert rows(shop, "leads --by state")[0]["average_delay_seconds"] == 86_400


def test_the_first_answer(talk: Talk) -> None:
    talk.mail("ana@example.com", subject="Printer")
    talk.wait(minutes=90)
    talk.do("reply 1 -m 'Use water.' --no-quote", user="agent")
    talk.wait(days=1)
    talk.do("reply 1 -m 'Or sand.' --no-quote", user="agent")
    assert rows(talk, "--by section")[0]["average_first_answer_seconds"] == 5400


# --- messages ---------------------------------------------------------------------------------------------------------


def test_the_work_of_a_day(talk: Talk) -> None:
    """F254: who wrote how much, and what came from outside; machines do no work."""
    first = talk.mail("ana@example.com", subject="Printer")
    talk.mail("ana@example.com", answers=first, text="Away.", headers={"Auto-Submitted": "auto-replied"})
    talk.do("reply 1 -m 'Use water.' --no-quote", user="agent")
    talk.do("note 1 -m 'It burns.'", user="agent")
    talk.wait(days=1)
    talk.mail("bob@example.com", "sales@crm.test", subject="Offer")
    talk.do("note 1 -m 'Still.'")
    assert [list(row.values()) for row in rows(talk, "messages")] == [
        ["agent", "2026-11-24", 2, 0, 1, 1, 0],
        ["boss", "2026-11-25", 1, 0, 0, 1, 0],
        [None, "2026-11-24", 1, 1, 0, 0, 0],
        [None, "2026-11-25", 1, 1, 0, 0, 0],
    ]
    assert list(rows(talk, "messages")[0]) == ["user", "day", "count", "letters_in", "letters_out", "notes", "calls"]
    assert counts(talk, "messages --by section,month") == {"support": 4, None: 1}
    assert counts(talk, "messages --by user --section support --to 2026-11-24") == {"agent": 2, None: 1}
    assert counts(talk, "messages kind:lead --by user") == {None: 1}
    assert "outside" in talk.do("stats messages -o table")


def test_a_letter_in_two_copies_is_one(talk: Talk) -> None:
    talk.post(talk.raw("ana@example.com", subject="Printer", text="One two three four five", id="1@example.com"))
    with talk.open():
        t.Message.create(
            thread=1, kind="email_in", subtype="discussion", date=START, received=START, superseded_by=t.Message.get()
        )
    assert rows(talk, "messages --by all")[0]["count"] == 1


# --- drilling down, and monitoring ------------------------------------------------------------------------------------


def test_the_records_behind_the_rows(shop: Talk) -> None:
    """F252."""
    assert shop.do("stats state:done --list -o ids").split() == ["2", "1"]
    assert shop.cli("stats state:done --list --json").json == shop.cli("list case state:done --json").json
    assert shop.do("stats leads --list -o ids") == "4"
    assert shop.do("stats --from 2026-11-25 --list -o ids") == ""
    ids = shop.do("stats state:cancel --list -o ids")
    shop.do("assign - agent", input=ids)
    assert counts(shop, "--by user") == {"agent": 3}


def test_what_holds_is_silent(shop: Talk) -> None:
    said = shop.cli("stats --assert 'average_delay<=3d4h' --assert 'first_answer<1h' --by section")
    assert (said.code, said.out, said.err) == (0, "", "")


def test_what_does_not_hold_is_a_line_a_row_and_1(shop: Talk) -> None:
    """F243."""
    said = shop.cli("stats --by section --assert 'average_delay<3d' --assert 'count>2'")
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines() == [
        "crmmail: average_delay of support is 3 d 4 h: not < 3d",
        "crmmail: count of support is 2: not > 2",
        "crmmail: count of no section is 1: not > 2",
    ]


def test_without_groups_all_is_one_row(shop: Talk) -> None:
    assert shop.cli("stats --assert 'count=3' --assert 'revenue=1000'").code == 0
    assert shop.cli("stats --assert 'cost<5'").err == "crmmail: cost is 10.50: not < 5\n"
    assert shop.cli("stats cases nothing --assert 'count>0'").err == "crmmail: count is 0: not > 0\n"
    assert shop.cli("stats messages --assert 'letters_in<1'").code == 1


def test_a_time_that_reads_like_its_bound_is_said_to_the_second(shop: Talk) -> None:
    assert "average_delay is 3 d 4 h: not < 3d4h" in shop.cli("stats --assert 'average_delay<3d4h'").err
    shop.do("new case Quick")
    shop.do("close 5")
    assert "is 2 d 2 h 40 min: not <= 2d2h" in shop.cli("stats --assert 'average_delay<=2d2h'").err


# --- what it costs ----------------------------------------------------------------------------------------------------


@pytest.mark.sqlite("counts statements by its trace")
def test_one_select_whatever_the_number(talk: Talk) -> None:
    with talk.open() as workspace:
        with workspace.store.transaction():
            for number in range(300):
                thread = t.Thread.create(kind="case", title=f"Case {number}", created=START, updated=START)
                t.Case.create(thread=thread, state="open", revenue=0.1)
        asked: list[str] = []
        workspace.store.connection.driver.set_trace_callback(asked.append)
        found = stats.rows(workspace, stats.Asked("case", Query()), ("month", "user", "section", "partner"))
        assert len(asked) == 1
        stats.rows(workspace, stats.Asked("messages", parse(["state:open"], datetime.fromisoformat)), ("user", "day"))
        assert len(asked) == 2
        workspace.store.connection.driver.set_trace_callback(None)
    assert [(row.sums["count"].of, core.value(core.RECORDS[2], row.sums["revenue"])) for row in found] == [(300, 30)]
