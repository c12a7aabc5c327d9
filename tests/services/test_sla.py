"""F241: a new case gets its deadline from its partner's contract, its section, its priority; and what is late is seen.

The clock stands at Tuesday 24 November 2026, 10:00, in a shop that works from nine to five.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from conversation import Talk

from crmmail.cli.voice import Voice
from crmmail.core import category
from crmmail.services.shared.sla import Facts, choose
from crmmail.store import tables
from crmmail.store.work.deadlines import Sla

GOLD = "Support contract / Gold"


@pytest.fixture
def shop(talk: Talk) -> Talk:
    """Support has level1 below it; Ann has the gold contract, Bea the silver one, Cy none; records 1, 2 and 3."""
    talk.do("sections add level1 --name 'Level 1' --parent support")
    talk.do("sections add sales --name Sales")
    talk.do(["contacts", "add", "Ann", "--email", "ann@gold.example", "--category", GOLD])
    talk.do(["contacts", "add", "Bea", "--email", "bea@silver.example", "--category", "support contract/Silver"])
    talk.do("contacts add Cy --email cy@new.example")
    return talk


def deadline(talk: Talk, options: str = "") -> str | None:
    """Of a new case made with these options."""
    return talk.field(int(talk.do(f"new case Printer {options}")), "deadline")


# --- which row counts ---------------------------------------------------------------------------------------

ROWS = {
    "all": Sla(1, "", "", None, "7d", False),
    "section": Sla(2, "support", "", None, "6d", False),
    "below": Sla(3, "level1", "", None, "5d", False),
    "contract": Sla(4, "", "Support Contract", None, "4d", False),
    "gold": Sla(5, "", "support contract/gold", None, "3d", False),
    "contract there": Sla(6, "support", "Support contract", None, "2d", False),
    "highest": Sla(7, "", "", 1, "1d", False),
    "section highest": Sla(8, "support", "", 1, "1h", False),
}


@pytest.mark.parametrize(
    ("rows", "sections", "partner", "priority", "wanted"),
    [
        ("all", [], "", 3, "all"),
        ("section, gold, highest", [], "", 3, None),
        ("all, section", ["support"], "", 3, "section"),
        ("section", ["level1", "support"], "", 3, "section"),
        ("below", ["support"], "", 3, None),
        ("section, below", ["level1", "support"], "", 3, "below"),
        ("contract, gold", [], "Support contract / Gold / Berlin", 3, "gold"),
        ("contract, gold", [], "Support contract / Silver", 3, "contract"),
        ("contract, gold", [], "Supply", 3, None),
        ("section, contract", ["support"], GOLD, 3, "contract"),
        ("contract there, contract", ["level1", "support"], GOLD, 3, "contract there"),
        ("contract there, gold", ["support"], GOLD, 3, "gold"),
        ("all, highest", [], "", 1, "highest"),
        ("all, highest", [], "", 2, "all"),
        ("section, highest", ["support"], "", 1, "section"),
        ("section, section highest", ["support"], "", 1, "section highest"),
        ("below, section highest", ["level1", "support"], "", 1, "below"),
    ],
)
def test_contract_before_section_before_priority_and_the_nearer_wins(
    rows: str, sections: list[str], partner: str, priority: int, wanted: str | None
) -> None:
    known = [ROWS[name] for name in rows.split(", ")]
    facts = Facts(sections, category.chain(partner), priority)
    found = ROWS[wanted] if wanted else None
    assert choose(known, facts) == choose(known[::-1], facts) == found


# --- a new case ---------------------------------------------------------------------------------------------


class TestNewCase:
    def test_without_a_row_there_is_no_deadline(self, shop: Talk) -> None:
        assert deadline(shop, "--section support") is None

    def test_in_days_and_nights(self, shop: Talk) -> None:
        shop.do("sla add --within 2d --section support")
        assert deadline(shop, "--section support") == "2026-11-26T10:00:00Z"
        assert deadline(shop, "--section level1") == "2026-11-26T10:00:00Z"
        assert deadline(shop, "--section sales") is None

    def test_in_months(self, shop: Talk) -> None:
        shop.do("sla add --within 1mo")
        assert deadline(shop) == "2026-12-24T10:00:00Z"

    def test_in_working_hours_that_the_shop_has_set(self, shop: Talk) -> None:
        shop.do("sla add --within 8h --working")
        assert deadline(shop) == "2026-11-25T10:00:00Z"
        shop.do("config set work.holidays '2026-11-25 2026-11-26'")
        assert deadline(shop) == "2026-11-27T10:00:00Z"
        shop.do("config set work.hours 'mon-thu 9:00-12:00, fri 14:00-20:00'")
        assert deadline(shop) == "2026-11-27T20:00:00Z"

    def test_in_the_working_hours_of_the_place_where_the_shop_is(self, shop: Talk) -> None:
        shop.do("sla add --within 8h --working")
        shop.environ(TZ="America/New_York")  # five in the morning there
        assert deadline(shop) == "2026-11-24T22:00:00Z"

    def test_the_partner_s_contract(self, shop: Talk) -> None:
        shop.do("sla add --within 4d --section support")
        shop.do("sla add --within 2d --partner-category 'support contract'")
        shop.do(f"sla add --within 1d --partner-category '{GOLD}'")
        assert deadline(shop, "--section support --contact 1") == "2026-11-25T10:00:00Z"
        assert deadline(shop, "--section support --contact 2") == "2026-11-26T10:00:00Z"
        assert deadline(shop, "--section support --contact 3") == "2026-11-28T10:00:00Z"

    def test_what_is_typed_wins(self, shop: Talk) -> None:
        shop.do("sla add --within 2d")
        assert deadline(shop, "--deadline 2026-12-24T12:00") == "2026-12-24T12:00:00Z"

    def test_leads_and_contacts_have_none(self, shop: Talk) -> None:
        shop.do("sla add --within 2d")
        for number in (shop.do("new lead Offer"), shop.do("contacts add Dan")):
            assert shop.field(int(number), "deadline") is None

    def test_by_mail_from_a_partner_under_contract(self, shop: Talk) -> None:
        """The partner is known by his address before the deadline is."""
        shop.do(f"sla add --within 8h --working --section support --partner-category '{GOLD}'")
        case = shop.mail("Ann <ann@gold.example>", subject="Printer broken", text="It burns.").record
        assert shop.field(case, "deadline") == "2026-11-25T10:00:00Z"
        assert shop.field(shop.mail("bea@silver.example", subject="Mine too").record, "deadline") is None

    def test_by_mail_through_an_alias_that_sets_one(self, shop: Talk) -> None:
        shop.do("sla add --within 2d")
        shop.do("aliases add hot@crm.test --kind case --section support --default deadline=+1h")
        assert shop.field(shop.mail("x@y.example", "hot@crm.test", "Now").record, "deadline") == "2026-11-24T11:00:00Z"

    def test_working_hours_that_have_no_room_any_more_stop_no_letter(self, shop: Talk) -> None:
        shop.do("sla add --within 1000h --working")
        shop.do("config set work.hours 'mon 9:00-9:01'")
        letter = shop.mail("x@y.example", subject="Printer")
        assert (letter.outcome, shop.field(letter.record, "deadline")) == ("stored", None)


# --- a case that changes ------------------------------------------------------------------------------------


class TestChanges:
    def test_a_deadline_that_is_there_stays(self, shop: Talk) -> None:
        shop.do("sla add --within 4d")
        shop.do(f"sla add --within 1d --partner-category '{GOLD}'")
        shop.do("new case Printer")
        shop.do("set 4 partner=1 priority=high")
        assert shop.field(4, "deadline") == "2026-11-28T10:00:00Z"

    def test_a_case_without_one_gets_it_with_its_partner_counted_from_its_creation(self, shop: Talk) -> None:
        shop.do(f"sla add --within 1d --partner-category '{GOLD}'")
        shop.do("new case Printer")
        shop.wait(hours=5)
        assert "deadline none → 2026-11-25 10:00 UTC" in shop.do("set 4 partner=1")
        shop.do("undo")
        assert shop.field(4, "deadline") is None

    @pytest.mark.parametrize("change", ["section=level1", "priority=highest"])
    def test_or_with_its_section_or_priority(self, shop: Talk, change: str) -> None:
        shop.do("sla add --within 1d --section support")
        shop.do("sla add --within 1d --priority 1")
        shop.do("new case Printer")
        shop.do("set 4 cost=3")
        assert shop.field(4, "deadline") is None
        shop.do(f"set 4 {change}")
        assert shop.field(4, "deadline") == "2026-11-25T10:00:00Z"

    def test_or_when_a_rule_or_a_move_changes_them(self, shop: Talk) -> None:
        """Whoever changes a record goes the same way."""
        shop.do("sla add --within 1d --priority highest")
        shop.do("sla add --within 2d --section sales")
        shop.do("rules add Fire --contains burn --set-priority highest")
        case = shop.mail("x@y.example", subject="It burns").record
        assert shop.field(case, "deadline") == "2026-11-25T10:00:00Z"
        case = shop.mail("z@y.example", subject="An offer").record
        shop.do(f"move {case} --section sales")
        assert shop.field(case, "deadline") == "2026-11-26T10:00:00Z"

    def test_what_is_done_gets_none(self, shop: Talk) -> None:
        shop.do("new case Printer")
        shop.do("close 4")
        shop.do("sla add --within 1d")
        shop.do("set 4 priority=high")
        assert shop.field(4, "deadline") is None

    def test_nor_does_who_takes_it_away(self, shop: Talk) -> None:
        shop.do("sla add --within 1d")
        shop.do("new case Printer")
        shop.do("set 4 deadline= priority=high")
        assert shop.field(4, "deadline") is None


# --- why ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            "--within 8h --working --section support --partner-category '{}'",
            "8 working hours, because of {} in support",
        ),
        ("--within 90m --working --partner-category '{}'", "1 working hour 30 minutes, because of {}"),
        ("--within 2d --section support", "2 days, because it is in support"),
        ("--within 1mo --section support --priority 3", "1 month, because it is in support at priority normal"),
        ("--within 1d12h --priority 3", "1 day 12 hours, because it has priority normal"),
        ("--within 1h", "1 hour, as for every case"),
    ],
)
def test_show_says_why(shop: Talk, row: str, words: str) -> None:
    shop.do(f"sla add {row.format(GOLD)}")
    shop.do("new case Printer --section support --contact 1")
    assert words.format(GOLD) in shop.do("show 4")


def test_a_deadline_that_somebody_set_has_no_such_reason(shop: Talk) -> None:
    shop.do("sla add --within 1h")
    shop.do("new case Printer")
    shop.do("set 4 deadline=2026-11-24T11:01")
    assert "deadline 2026-11-24 11:01\n" in shop.do("show 4")


# --- the table ----------------------------------------------------------------------------------------------


class TestTable:
    def test_add_list_remove(self, shop: Talk) -> None:
        assert shop.do("sla add --within 48h") == "SLA 1: 2 days for every case"
        said = shop.do(f"sla add --within 30h --working --section Support --partner-category '{GOLD}' --priority high")
        assert said == f"SLA 2: 30 working hours for {GOLD} in support at priority high"
        first = {"id": 2, "section": "support", "partner_category": GOLD, "priority": 2, "within": "30h"}
        last = {"id": 1, "section": None, "partner_category": None, "priority": None, "within": "2d"}
        assert shop.cli("sla --json").json == [{**first, "working": True}, {**last, "working": False}]
        assert shop.do("sla remove 1") == "SLA 1 is gone: 2 days for every case"
        assert [one["id"] for one in shop.cli("sla list --json").json] == [2]

    def test_a_deadline_outlives_its_row(self, shop: Talk) -> None:
        shop.do("sla add --within 1h")
        shop.do("new case Printer")
        shop.do("sla remove 1")
        assert shop.field(4, "deadline") == "2026-11-24T11:00:00Z"

    @pytest.mark.parametrize(
        ("line", "code", "words"),
        [
            ("sla add", 2, "Missing option '--within'"),
            ("sla add --within soon", 2, "'soon' is no delay"),
            ("sla add --within 0", 2, "'0' leaves no time"),
            ("sla add --within=-1d", 2, "'-1d' leaves no time"),
            ("sla add --within 1mo --working", 2, "has no fixed number of working hours: write hours, like 16h"),
            ("sla add --within 2d --working", 2, "has no fixed number of working hours"),
            ("sla add --within '1 week' --working", 2, "has no fixed number of working hours"),
            ("sla add --within 90000h --working", 2, "do not fit into the next ten years"),
            ("sla add --within 1h --section nowhere", 1, "there is no section 'nowhere'"),
            ("sla add --within 1h --priority urgent", 2, "'urgent' is no priority"),
            ("sla add --within 2h --partner-category 'SUPPORT contract/gold'", 1, "there is an SLA 1 for"),
            ("sla remove 7", 1, "there is no SLA 7; SLAs: 1"),
        ],
    )
    def test_what_is_refused_makes_nothing(self, shop: Talk, line: str, code: int, words: str) -> None:
        shop.do(f"sla add --within 1h --partner-category '{GOLD}'")
        assert words in shop.refused(line, code=code)
        assert shop.count(tables.Sla) == 1

    def test_is_an_admin_s(self, shop: Talk) -> None:
        shop.do("sla add --within 1h")
        for line in ("sla add --within 2h --priority 1", "sla remove 1"):
            assert "only an admin may change SLAs" in shop.refused(line, user="agent")
        assert shop.do("sla -o ids", user="agent") == "1"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("work.hours", "mon-fry 9-17", "work.hours: 'mon-fry 9-17' are no working hours: 'fry' is no day"),
        ("work.hours", "", "work.hours: '' are no working hours"),
        ("work.holidays", "christmas", "work.holidays: 'christmas' is no holiday"),
    ],
)
def test_hours_that_cannot_be_understood_are_refused(talk: Talk, key: str, value: str, words: str) -> None:
    assert words in talk.refused(["config", "set", key, value])


# --- late ---------------------------------------------------------------------------------------------------


class TestLate:
    @pytest.fixture(autouse=True)
    def cases(self, talk: Talk) -> None:
        talk.do("sla add --within 1h")
        talk.do("new case Mine --responsible boss")
        talk.do("new case Nobodys")
        talk.do("new case Done --responsible boss")
        talk.do("close 3")

    def test_a_case_is_late_when_its_deadline_has_passed(self, talk: Talk) -> None:
        talk.wait(hours=1)
        assert talk.do("list case --late -o ids") == ""
        talk.wait(seconds=1)
        assert talk.do("list case --late -o ids") == talk.do("list case late -o ids") == "2\n1"
        assert talk.do("list case --late --mine -o ids") == "1"
        assert talk.do("list case --late --unassigned -o ids") == "2"
        rows = {one["id"]: one["late"] for one in talk.cli("list case --json").json}
        assert rows == {1: True, 2: True, 3: False}

    def test_a_table_marks_it_and_has_the_column_where_it_is_needed(
        self, talk: Talk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Voice, "terminal", True)
        talk.environ(COLUMNS="120")
        talk.wait(hours=1, minutes=30)
        lines = talk.do("list case --color never").splitlines()
        assert "deadline" in lines[0]
        assert [line.count("!  2026-11-24 11:00") for line in lines[1:]] == [0, 1, 1]
        assert "\x1b[31m2026-11-24 11:00" in talk.do("list case --color always")
        for number in (1, 2, 3):
            talk.do(f"set {number} deadline=")
        assert "deadline" not in talk.do("list case --color never")

    def test_the_summary_counts_what_is_due(self, talk: Talk) -> None:
        counts = talk.cli("--json").json
        assert (counts["late"], counts["today"]) == (0, 2)
        talk.wait(hours=2)
        counts = talk.cli("--json").json
        assert (counts["late"], counts["today"]) == (2, 0)
        assert "2 late   0 due today" in talk.do("")


# --- what a delivery pays -----------------------------------------------------------------------------------

COUNTED = """
import sys
from crmmail import mda
assert mda.run(["--db", sys.argv[1]], sys.stdin.buffer.read())[0] == 0
print(*sorted(name for name in sys.modules if name in ("zoneinfo", "crmmail.core.worktime", "crmmail.core.when")))
"""


@pytest.mark.parametrize(
    ("row", "loaded"),
    [("", ""), ("sla add --within 1d", ""), ("sla add --within 1h --working", "crmmail.core.worktime zoneinfo")],
)
@pytest.mark.sqlite("counts statements by its trace")
def test_a_delivery_reads_of_working_hours_only_where_they_count(talk: Talk, row: str, loaded: str) -> None:
    if row:
        talk.do(row)
    raw = talk.raw("x@y.example", subject="Printer")
    done = subprocess.run(
        [sys.executable, "-c", COUNTED, str(talk.db)], input=raw, capture_output=True, check=True, timeout=60
    )
    assert done.stdout.decode().strip() == loaded
    assert (talk.field(talk.newest("case"), "deadline") is not None) == bool(row)
