"""F33–F63: the inbox, what clears it, what brings it back, and stars."""

from __future__ import annotations

import pytest
from conversation import Letter, Talk

from crmmail.store import tables


@pytest.fixture
def letters(talk: Talk) -> list[Letter]:
    """Three cases; agent, who is the section's manager, is told of each."""
    return [talk.mail("ana@example.com", subject=f"Letter {number}", text=f"Words {number}.") for number in (1, 2, 3)]


def items(talk: Talk, user: str = "agent") -> list[int]:
    return [item["id"] for item in talk.inbox(user)]


def marked(talk: Talk, user: str) -> list[str]:
    with talk.open():
        rows = tables.Notification.select().join(tables.User).where(tables.User.login == user)
        return [str(row.done) for row in rows.order_by(tables.Notification.id)]


@pytest.mark.parametrize(
    "line", ["inbox", "inbox --short", "inbox --json", "inbox --all", "inbox --count", "", "show 1 --peek"]
)
def test_listing_changes_nothing(talk: Talk, letters: list[Letter], line: str) -> None:
    talk.do(line, user="agent")
    assert marked(talk, "agent") == ["None"] * 3


def test_show_marks_the_items_of_that_record_only(talk: Talk, letters: list[Letter]) -> None:
    talk.mail("ana@example.com", answers=letters[0], text="More.")
    assert len(items(talk)) == 4
    shown = talk.cli("show 1 --json", user="agent").json
    assert [one["unread"] for one in shown["messages"] if one["kind"] == "email_in"] == [True, True]
    assert [record for record, _ in talk.heard("agent")] == [letters[1].record, letters[2].record]
    assert len(talk.cli("inbox --all --json", user="agent").json) == 4  # dismissed, not gone (F39)
    assert talk.words(1) == ["Words 1.", "More."]


def test_show_marks_the_readers_items_only(talk: Talk, letters: list[Letter]) -> None:
    talk.do("follow 1", user="boss")
    talk.mail("ana@example.com", answers=letters[0], text="More.")
    talk.do("show 1", user="boss")
    assert talk.inbox("boss") == []
    assert len(items(talk)) == 4


def test_done_and_undo(talk: Talk, letters: list[Letter]) -> None:
    third, second, first = items(talk)
    assert talk.do(f"done {first} {second}", user="agent") == "2 items dismissed   (undo: crmmail undo)"
    assert items(talk) == [third]
    assert talk.do(f"done {first}", user="agent") == "nothing to dismiss"
    assert talk.do("undo", user="agent") == "undone: 2 items dismissed"
    assert items(talk) == [third, second, first]


def test_done_all_asks_nothing_and_says_how_to_undo(talk: Talk, letters: list[Letter]) -> None:
    assert talk.do("done --all", user="agent") == "3 items dismissed   (undo: crmmail undo)"
    assert talk.cli("inbox", user="agent").out == ""
    assert talk.do("inbox --count", user="agent") == "0"


def test_done_of_somebody_elses_item_is_refused(talk: Talk, letters: list[Letter]) -> None:
    assert "no inbox item 1 of yours" in talk.refused("done 1", user="boss")
    talk.refused("done 1 999", user="agent")
    assert len(items(talk)) == 3


def test_done_wants_items_or_all(talk: Talk) -> None:
    talk.refused("done", user="agent", code=2)
    talk.refused("done 1 --all", user="agent", code=2)


def test_ids_come_through_a_pipe(talk: Talk, letters: list[Letter]) -> None:
    found = talk.do("inbox 'Words 2' -o ids", user="agent")
    assert talk.do("done -", user="agent", input=found).startswith("1 item dismissed")
    assert [one["subject"] for one in talk.inbox("agent")] == ["Letter 3", "Letter 1"]


def test_reading_is_no_act_that_undo_takes_back(talk: Talk, letters: list[Letter]) -> None:
    talk.do("done 3", user="agent")
    talk.do("show 1", user="agent")
    talk.do("undo", user="agent")
    assert items(talk) == [3, 2]


def test_an_item_tells_what_a_reader_needs(talk: Talk) -> None:
    letter = talk.mail("Ana <ana@example.com>", subject="Printer", text="It burns.")
    (item,) = talk.inbox("agent")
    assert (item["record"], item["kind"], item["title"]) == (letter.record, "case", "Printer")
    assert (item["from_name"], item["from_address"], item["text"]) == ("Ana", "ana@example.com", "It burns.")
    assert "It burns." in talk.do(["show", "1", "--peek"], user="agent")


@pytest.mark.parametrize(
    ("query", "subjects"),
    [
        ("from:bea", ["Other"]),
        ("kind:lead", ["Offer"]),
        ("section:support burns", ["Printer"]),
        ("has:attachment", ["Other"]),
        ("state:draft", ["Other", "Printer"]),
        ("after:2026-11-25", ["Offer"]),
        ("before:2026-11-25", ["Other", "Printer"]),
        ("responsible:agent", ["Printer"]),
        ("mine", ["Printer"]),
        ("unassigned", ["Offer", "Other"]),
        ('"what: [ever', []),  # any input is a valid query
    ],
)
def test_queries(talk: Talk, query: str, subjects: list[str]) -> None:
    talk.do("follow --kind lead --types created --who agent")
    talk.mail("ana@example.com", subject="Printer", text="It burns.")
    talk.do("assign 1 agent", user="agent")
    talk.mail("bea@example.com", subject="Other", text="See file.", files=[("a.txt", b"A")])
    talk.wait(days=2)
    talk.mail("ana@example.com", "sales@crm.test", "Offer")
    found = talk.cli(["inbox", "--json", *query.split()], user="agent").json
    assert [one["subject"] for one in found] == subjects


def test_an_empty_inbox_is_well_done(talk: Talk) -> None:
    assert "Inbox is empty. Well done!" in talk.do("")


def test_the_summary_counts(talk: Talk, letters: list[Letter]) -> None:
    talk.do("take 1", user="agent")
    talk.do(["set", "1", "deadline=2026-11-23"], user="agent")
    talk.do("star 2", user="agent")
    talk.mail("ana@example.com", "jobs@crm.test", "Lost")
    talk.mail("eve@evil.example", answers=letters[0], text="Me too.")
    counts = talk.cli("--json", user="agent").json
    assert counts == {
        "login": "agent", "unread": 4, "starred": 1, "mine": 1, "unassigned": 2, "late": 1, "today": 0,
        "activities": 0, "quarantine": 1, "unconfirmed": 1, "waiting_mail": 0, "failed_mail": 0, "failing": None,
    }  # fmt: skip
    text = talk.do("", user="agent")
    assert "4 unread" in text
    assert "1 unconfirmed answer   crmmail unconfirmed" in text


class TestStars:
    def test_stay_until_their_owner_takes_them(self, talk: Talk, letters: list[Letter]) -> None:
        message = letters[0].message
        talk.do(f"star {message}", user="agent")
        for line in ("show 1", "done --all", "close 1", "assign 1 boss"):
            talk.do(line, user="agent")
        (item,) = talk.cli("inbox --starred --json", user="agent").json
        assert (item["message"], item["starred"], item["unread"]) == (message, True, False)
        talk.do(f"unstar {message}", user="agent")
        assert talk.cli("inbox --starred --json", user="agent").json == []

    def test_twice_is_once_and_undo_takes_back(self, talk: Talk, letters: list[Letter]) -> None:
        for _ in range(2):
            talk.do(f"star {letters[0].message}", user="agent")
        assert talk.cli("--json", user="agent").json["starred"] == 1
        talk.do("undo", user="agent")
        assert talk.cli("--json", user="agent").json["starred"] == 0

    def test_need_no_item_in_the_inbox(self, talk: Talk, letters: list[Letter]) -> None:
        talk.do(f"star {letters[0].message}", user="boss")  # who was never told of it
        (item,) = talk.cli("inbox --starred --json", user="boss").json
        assert (item["id"], item["message"], item["record"]) == (None, letters[0].message, letters[0].record)

    def test_survive_that_the_message_moves(self, talk: Talk, letters: list[Letter]) -> None:
        talk.do(f"star {letters[0].message}", user="agent")
        talk.do(f"message move {letters[0].message} 2")
        (item,) = talk.cli("inbox --starred --json", user="agent").json
        assert item["record"] == 2

    def test_of_what_is_not_there(self, talk: Talk) -> None:
        assert "there is no message 99" in talk.refused("star 99", user="agent")
