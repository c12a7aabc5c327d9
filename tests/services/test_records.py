"""F1–F15, F73, F176–F181: records by hand, their fields, their buttons, and what their thread says of it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from conversation import Letter, Talk

from crmmail.services.desk import reading


class TestNew:
    def test_prints_its_number_and_is_followed_by_its_maker(self, talk: Talk) -> None:
        assert talk.do("new case Printer --section support --priority high", user="agent") == "1"
        made = talk.show(1)["record"]
        assert (made["title"], made["section"], made["priority"], made["state"]) == ("Printer", "support", 2, "draft")
        assert (made["author"], made["responsible"]) == ("agent", None)
        assert talk.followers(1) == ["agent"]
        assert talk.system(1) == ["case created: Printer"]

    def test_takes_all_its_fields(self, talk: Talk) -> None:
        talk.do("categories add 'Fault Fix' --section support")
        card = talk.do("contacts add Ana --email ana@example.com")
        number = talk.do(
            f"new case Printer --section support --contact {card} --responsible agent --category 'fault fix' "
            "--deadline 2026-12-24 --cost 10,5 --revenue 100 --probability 20%"
        )
        made = talk.show(int(number))["record"]
        wanted = {
            "category": "Fault Fix", "responsible": "agent", "email": "ana@example.com", "cost": 10.5, "revenue": 100.0,
            "probability": 20.0, "partner": {"id": int(card), "name": "Ana"},
        }  # fmt: skip
        assert {key: made[key] for key in wanted} == wanted
        assert made["deadline"] == "2026-12-24T23:59:00Z"

    def test_one_number_space_for_all_kinds(self, talk: Talk) -> None:
        numbers = [
            talk.do("new case A"),
            talk.do("new lead B"),
            talk.do("contacts add C --email c@example.com"),
            str(talk.mail("d@example.com", subject="D").record),
            talk.do("new contact E"),
        ]
        assert numbers == ["1", "2", "3", "4", "5"]

    def test_tells_the_responsible(self, talk: Talk) -> None:
        talk.do("new case Printer --responsible agent")
        assert talk.heard("agent") == [(1, "case created: Printer")]
        assert talk.inbox("boss") == []  # who made it himself

    @pytest.mark.parametrize(
        ("line", "code", "words"),
        [
            ("new case ''", 2, "a title cannot be empty"),
            ("new case A --section nowhere", 1, "there is no section 'nowhere'"),
            ("new case A --category X", 2, "the record has no section"),
            ("new case A --section support --category X", 1, "section support has no category 'X'"),
            ("new case A --responsible bob", 1, "there is no user 'bob'"),
            ("new case A --priority urgent", 2, "'urgent' is no priority"),
            ("new case A --contact 77", 1, "record 77 is no contact"),
            ("new case A --email nonsense", 2, "'nonsense' is no e-mail address"),
            ("new case A --deadline 03/04/2026", 2, "03/04/2026"),
            ("new lead A --probability 101", 2, "a percentage from 0 to 100"),
            ("new lead A --deadline tomorrow", 2, "No such option"),
            ("new case A --cost 1,000", 2, "cost: '1,000' can be two amounts: write 1000 or 1.00"),
            ("new lead A --revenue '100 mio'", 2, "revenue: '100 mio' is no amount that I can read"),
            ("new case A --cost 10%", 2, "cost: '10%' is no amount"),
            ("new ticket A", 2, "No such command 'ticket'"),
        ],
    )
    def test_what_is_refused_makes_nothing(self, talk: Talk, line: str, code: int, words: str) -> None:
        assert words in talk.refused(line, code=code)
        assert talk.all("case") == talk.all("lead") == []


class TestWhoTheCustomerIs:
    """F178, and behaviour §2: no contact is made by a mail."""

    def test_an_unknown_sender_stays_a_name_and_an_address(self, talk: Talk) -> None:
        made = talk.show(talk.mail("Ana Lima <ana@example.com>", subject="Printer").record)["record"]
        assert (made["partner"], made["partner_name"], made["email"]) == (None, "Ana Lima", "ana@example.com")
        assert talk.cli("contacts --json").json == []

    def test_the_one_contact_with_that_address(self, talk: Talk) -> None:
        talk.do("contacts add Ana --email ana@example.com --email ana@home.example")
        assert talk.field(talk.mail("ANA@home.example", subject="Printer").record, "partner") == {
            "id": 1,
            "name": "Ana",
        }
        assert talk.field(int(talk.do("new case X --email ana@home.example")), "partner") == {"id": 1, "name": "Ana"}

    def test_several_contacts_are_none_and_a_hint(self, talk: Talk) -> None:
        for name in ("Ana", "Ana's firm"):
            talk.do(["contacts", "add", name, "--email", "ana@example.com"])
        letter = talk.mail("ana@example.com", subject="Printer")
        assert talk.field(letter.record, "partner") is None
        assert "belongs to several contacts (#1, #2)" in talk.why(letter)
        assert "choose one with partner=N" in talk.cli("new case X --email ana@example.com").err

    def test_the_email_comes_with_the_partner(self, talk: Talk) -> None:
        talk.do("contacts add Ana --email ana@example.com")
        talk.do("new case Printer")
        talk.do("set 2 partner=1")
        assert talk.field(2, "email") == "ana@example.com"
        assert [one["id"] for one in talk.show(2)["record"]["related"]] == [1]
        assert [one["id"] for one in talk.show(1)["record"]["related"]] == [2]


class TestSet:
    @pytest.fixture(autouse=True)
    def case(self, talk: Talk) -> Letter:
        return talk.mail("ana@example.com", subject="Printer", text="It burns.")

    def test_several_fields_are_one_message(self, talk: Talk) -> None:
        said = talk.do("set 1 title=Scanner priority=high responsible=agent")
        assert said == (
            "#1 Scanner: title Printer → Scanner, responsible none → agent, priority normal → high"
            "   (undo: crmmail undo)"
        )
        (message,) = [one for one in talk.show(1)["messages"] if one["subtype"] != "created"][1:]
        assert (message["subtype"], message["author"], message["internal"]) == ("assigned", "boss", True)
        assert message["text"] == "title: Printer → Scanner, responsible: none → agent, priority: normal → high"

    def test_an_empty_value_clears(self, talk: Talk) -> None:
        talk.do("set 1 deadline=tomorrow responsible=agent")
        talk.do("set 1 deadline= responsible=")
        made = talk.show(1)["record"]
        assert (made["deadline"], made["responsible"]) == (None, None)

    def test_nothing_new_is_no_act(self, talk: Talk) -> None:
        assert "nothing to change" in talk.refused("set 1 priority=normal")
        assert len(talk.system(1)) == 1

    def test_all_or_nothing(self, talk: Talk) -> None:
        talk.refused("set 1 title=Scanner priority=urgent", code=2)
        assert talk.field(1, "title") == "Printer"

    def test_a_category_belongs_to_its_section(self, talk: Talk) -> None:
        talk.do("categories add Gold --section support")
        talk.do("sections add sales --name Sales")
        talk.do("set 1 category=Gold")
        talk.do("set 1 section=sales")
        assert (talk.field(1, "section"), talk.field(1, "category")) == ("sales", None)

    @pytest.mark.parametrize(
        ("line", "code", "words"),
        [
            ("set 1 colour=red", 2, "a case has no field 'colour'; it has title, section"),
            ("set 1 title", 2, "'title' is no field=value"),
            ("set 1 state=done", 2, "a case has no field 'state'"),
            ("set 9 title=X", 1, "there is no record 9"),
            ("set x title=X", 2, "is no number"),
        ],
    )
    def test_what_is_refused(self, talk: Talk, line: str, code: int, words: str) -> None:
        assert words in talk.refused(line, code=code)

    def test_the_deadline_is_echoed_as_it_was_understood(self, talk: Talk) -> None:
        assert "deadline none → 2026-11-25 09:00 UTC" in talk.do(["set", "1", "deadline=tomorrow 9:00"])
        assert "→ 2026-11-25 23:59 UTC" in talk.do("set 1 deadline=tomorrow")

    @pytest.mark.parametrize(
        ("value", "number", "words"),
        [("1,234,567.80", 1234567.8, "1234567.8"), ("2 000 EUR", 2000, "2000"), ("€ 1.234,50", 1234.5, "1234.5")],
    )
    def test_an_amount_is_echoed_as_it_was_understood(self, talk: Talk, value: str, number: float, words: str) -> None:
        assert f"revenue none → {words}   " in talk.do(["set", "1", f"revenue={value}"])
        assert talk.field(1, "revenue") == number
        assert f"revenue {words}" in talk.do("show 1 --peek")

    @pytest.mark.parametrize("value", ["1,000", "1.000"])
    def test_an_amount_that_can_be_two_is_not_guessed(self, talk: Talk, value: str) -> None:
        said = talk.refused(f"set 1 priority=high revenue={value}", code=2)
        assert said == f"revenue: '{value}' can be two amounts: write 1000 or 1.00"
        assert (talk.field(1, "revenue"), talk.field(1, "priority")) == (None, 3)


class TestWhoWorksOnIt:
    def test_assign_and_take(self, talk: Talk) -> None:
        case = talk.mail("ana@example.com", subject="Printer")
        talk.do("assign 1 boss", user="agent")
        assert talk.field(1, "responsible") == "boss"
        assert talk.heard("boss")[-1] == (1, "responsible: none → boss")
        talk.do("take 1", user="agent")
        assert talk.field(1, "responsible") == "agent"
        assert "boss" in talk.followers(1)  # he goes on following
        assert "it is so already" in talk.cli("take 1", user="agent").err
        assert talk.state(case.record) == "draft"

    def test_nobody_who_has_left(self, talk: Talk) -> None:
        talk.do("new case Printer")
        talk.do("users remove agent")
        assert "agent does not work here any more" in talk.cli("assign 1 agent").err


BUTTONS = {
    "draft": ["open", "pending", "close", "cancel"],
    "open": ["pending", "close", "cancel"],
    "pending": ["open", "close", "cancel"],
    "done": ["open", "reset"],
    "cancel": ["open", "reset"],
}
LEADS_TO = {"open": "open", "pending": "pending", "close": "done", "cancel": "cancel", "reset": "draft"}
WAY = {"draft": [], "open": ["open"], "pending": ["pending"], "done": ["close"], "cancel": ["cancel"]}


@pytest.mark.parametrize("state", list(BUTTONS))
def test_buttons_of_a_case(talk: Talk, state: str) -> None:
    """Behaviour §5; anything else is an error that lists what is possible now."""
    for button in LEADS_TO:
        number = talk.do("new case Printer")
        for step in WAY[state]:
            talk.do(f"{step} {number}")
        assert talk.field(int(number), "buttons") == BUTTONS[state]
        if button in BUTTONS[state]:
            talk.do(f"{button} {number}")
            assert talk.state(int(number)) == LEADS_TO[button]
        else:
            said = talk.cli(f"{button} {number}").err
            assert f"possible now: {', '.join(BUTTONS[state])}" in said
            assert talk.state(int(number)) == state


class TestStates:
    def test_opening_makes_the_actor_responsible_where_nobody_is(self, talk: Talk) -> None:
        talk.do("new case One")
        talk.do("new case Two --responsible boss")
        talk.do("open 1 2", user="agent")
        assert (talk.field(1, "responsible"), talk.field(2, "responsible")) == ("agent", "boss")

    def test_the_moment_of_closing(self, talk: Talk) -> None:
        talk.do("new case One")
        talk.do("close 1")
        assert talk.field(1, "closed") == "2026-11-24T10:00:00Z"
        talk.do("open 1")
        assert talk.field(1, "closed") is None

    def test_one_line_a_record_and_the_rest_goes_on(self, talk: Talk) -> None:
        talk.do("new case One")
        talk.do("new case Two")
        said = talk.cli("close 1 99 2")
        assert said.code == 1
        assert said.out.splitlines() == [
            "#1 One: draft → done   (undo: crmmail undo)",
            "#2 Two: draft → done   (undo: crmmail undo)",
            "all 2 of them: crmmail undo 2",
        ]
        assert said.err == "crmmail: there is no record 99\n"

    def test_leads_have_their_own_buttons(self, talk: Talk) -> None:
        talk.do("new lead Offer")
        assert talk.field(1, "buttons") == ["qualify", "lose"]
        talk.do("qualify 1")
        talk.do("lose 1")
        talk.do("reset 1")
        assert talk.state(1) == "new"
        assert "close is not possible for a lead in state new; possible now: qualify, lose" in talk.cli("close 1").err

    def test_contacts_have_none(self, talk: Talk) -> None:
        talk.do("contacts add Ana")
        assert "a contact has no states" in talk.cli("close 1").err

    def test_a_closed_case_is_listed_too(self, talk: Talk) -> None:
        for title in ("One", "Two", "Three"):
            talk.do(["new", "case", title])
        talk.wait(minutes=1)
        talk.do("close 2")
        assert talk.do("list case -o ids").split() == ["2", "3", "1"]  # newest activity first
        assert talk.do("list cases state:done -o ids") == "2"
        assert talk.do("list case --limit 1 -o ids") == "2"


# --- two at once ----------------------------------------------------------------------------------------------------


def started(talk: Talk, *words: str, input: bytes = b"") -> subprocess.Popen[bytes]:
    """Another process at work on the same store."""
    process = subprocess.Popen(
        [sys.executable, "-m", "crmmail", "--db", str(talk.db), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    process.stdin.write(input)
    process.stdin.close()
    return process


def test_users_who_set_different_fields_at_once_keep_both(talk: Talk) -> None:
    """F8: concurrent writers do not overwrite each other."""
    talk.do("new case Printer")
    ours = [started(talk, "--as", "boss", "set", "1", f"title=Title {number}") for number in range(4)]
    theirs = [started(talk, "--as", "agent", "set", "1", f"revenue={number}") for number in range(1, 5)]
    assert [process.wait() for process in (*ours, *theirs)] == [0] * 8
    made = talk.show(1)["record"]
    said = talk.system(1)[1:]
    assert made["title"] in {f"Title {number}" for number in range(4)}
    assert made["revenue"] in {1.0, 2.0, 3.0, 4.0}
    assert len(said) == 8
    # Each change began from what the one before it left: no writer worked on an old copy.
    for field in ("title", "revenue"):
        steps = [line.removeprefix(f"{field}: ").split(" → ") for line in said if line.startswith(field)]
        assert [one[0] for one in steps[1:]] == [one[1] for one in steps[:-1]]


def test_a_letter_that_comes_while_the_record_is_shown_stays_unread(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = talk.mail("ana@example.com", subject="Printer", text="One.")
    raw = talk.raw("ana@example.com", answers=first, text="Two.")
    real = reading.messages.of_thread

    def late(number: int) -> Any:
        monkeypatch.setattr(reading.messages, "of_thread", real)
        assert started(talk, "deliver", input=raw).wait() == 0
        return real(number)

    monkeypatch.setattr(reading.messages, "of_thread", late)
    talk.do("show 1", user="agent")
    assert talk.heard("agent") == [(1, "Two.")]
