"""`crmmail search`: what a person reads of it, what programs get, and what can be done with it."""

from __future__ import annotations

import json
import re

import pytest
from conversation import Talk

from crmmail.cli.voice import Voice
from crmmail.core.known import Envelope
from crmmail.services.hearing import tell
from crmmail.services.incoming.deliver import deliver_together
from crmmail.services.incoming.manner import HISTORY
from crmmail.services.incoming.prepare import prepare, reading


@pytest.fixture
def shop(talk: Talk) -> Talk:
    """Three records, each with a letter."""
    talk.mail(
        "Ann Müller <ann@customer.example>", subject="Rechnung", text="Hello,\n\ndie Straße ist falsch.\n-- \nAnn"
    )
    talk.wait(hours=1)
    talk.mail("bea@other.example", subject="Printer", text="It does not print, see the invoice.")
    talk.mail("cy@new.example", to="sales@crm.test", subject="An offer?", text="A printer, please.")
    return talk


def rows(talk: Talk, line: str) -> list[list[str]]:
    return [one.split("\t") for one in talk.do(line).splitlines()]


def test_a_line_a_message_newest_first(shop: Talk) -> None:
    assert [one[0] for one in rows(shop, "search printer")] == ["3", "2"]
    ((record, message, title, state, name, address, subject, snippet, when),) = rows(shop, "search strasse")
    assert (record, title, state) == ("1", "Rechnung", "draft")
    assert (name, address, subject) == ("Ann Müller", "ann@customer.example", "Rechnung")
    assert (snippet, when) == ("die Straße ist falsch.", "2026-11-24T10:00:00Z")
    assert shop.show(1)["messages"][-1]["id"] == int(message)


def test_what_stands_out(shop: Talk) -> None:
    (found,) = shop.cli("search strasse falsch --json").json
    assert [found["snippet"][begin:end] for begin, end in found["marks"]] == ["Straße", "falsch"]


def test_a_page_after_the_other(shop: Talk) -> None:
    first = shop.cli("search printer --limit 1 --json").json
    second = shop.cli(f"search printer --limit 1 --before {first[0]['message']} --json").json
    assert [one["record"] for one in first + second] == [3, 2]
    assert shop.do(f"search printer --before {second[0]['message']}") == ""


def test_the_line_that_did_it(shop: Talk) -> None:
    """Where neither subject nor text has the words, whoever took part has, or a file."""
    shop.mail("dora@new.example", to="sales+invoices@crm.test", subject="Order", text="Hello,\n\nsee there.")
    found = shop.cli("search invoices --json").json[0]
    assert found["snippet"] == "to: sales+invoices@crm.test"
    assert [found["snippet"][begin:end] for begin, end in found["marks"]] == ["invoices"]
    assert shop.cli("search from:dora --json").json[0]["snippet"] == "Hello,"


def test_a_message_that_is_not_there_is_an_error(shop: Talk) -> None:
    for line in ("search printer", "inbox", "inbox --starred", "list case"):
        assert "99999" in shop.refused(f"{line} --before 99999", code=1)


def test_old_mail_that_is_imported_later(shop: Talk) -> None:
    head = "From: a@b.example\nTo: sales@crm.test\nSubject: Printer\nDate: 1 Jan {} 10:00:00 +0000\n\nOld."
    with shop.open() as workspace:
        for year in (2019, 2018):
            letter = prepare(reading(workspace), head.format(year).encode(), Envelope())
            deliver_together(workspace, [letter], HISTORY)
    assert [one[-1][:4] for one in rows(shop, "search printer kind:lead")] == ["2026", "2019", "2018"]


def test_heads_fit_the_terminal(shop: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.mail("Maximilian Mustermann-Meier <max@new.example>", to="sales@crm.test", subject="zebra " * 20, text="?")
    monkeypatch.setattr(Voice, "terminal", True)
    shop.environ(NO_COLOR="1", COLUMNS="80")
    head, subject, *_ = shop.do("search zebra").splitlines()
    assert (len(head) <= 80, head.endswith("message 8"), "… · new" in head) == (True, True, True), head
    assert subject.startswith("     zebra")
    shop.environ(NO_COLOR="1", COLUMNS="60")
    assert re.fullmatch(r"     \S.* · message \d+", shop.do("search zebra").splitlines()[1])


def test_fifty_unless_somebody_says_otherwise(shop: Talk) -> None:
    with shop.open() as workspace, workspace.store.transaction():
        for _ in range(51):
            tell.system_message(workspace, 1, "note", "zebra", author=None)
    assert len(rows(shop, "search zebra")) == 50
    assert len(rows(shop, "search zebra --limit 99")) == 51


def test_what_was_found_can_be_worked_on(shop: Talk) -> None:
    numbers = shop.do("search invoice kind:case -o ids")
    assert numbers == "2"
    shop.do("close -", input=numbers)
    assert shop.state(2) == "done"
    messages = shop.do("search invoice -o ids --fields message")
    shop.do("star -", input=messages)
    assert [one["message"] for one in shop.cli("inbox --starred --json").json] == [int(messages)]


def test_nothing_found(shop: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shop.do("search zebra") == ""
    monkeypatch.setattr(Voice, "terminal", True)
    shop.environ(NO_COLOR="1", COLUMNS="100")
    assert shop.do("search zebra") == "Nothing found."
    shop.mail("eve@new.example", to="jobs@crm.test", subject="Zebra")
    assert shop.do("search zebra") == "Nothing found (1 in quarantine, where no search looks: crmmail quarantine)."


def test_on_a_terminal_the_words_are_bold(shop: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Voice, "terminal", True)
    shop.environ(COLUMNS="100", TERM="xterm")
    lines = shop.do("search strasse").splitlines()
    assert re.sub(r"\x1b\[\d*m", "", lines[0]) == "#1 Rechnung · draft   Ann Müller   1 h ago · message 2"
    assert lines[1] == "     die \x1b[1mStraße\x1b[0m ist falsch."
    plain = shop.do("search rechnung --color never").splitlines()
    assert plain[1:3] == ["     Rechnung", "     Hello,"]
    assert "the next: --before" not in shop.do("search printer")
    assert "the next: --before" in shop.do("search printer --limit 1")


def test_any_input_is_a_query(shop: Talk) -> None:
    for typed in ('"', "*", "a AND", "NOT", "NEAR(", "x:y", "--", "👍", "'", "a" * 9_000, "from:", "\\"):
        shop.do(["search", "--", typed])
    assert shop.refused(["search", "printer", "--before", "x"], code=2)


def test_each_value_is_there(shop: Talk) -> None:
    shop.do("note 1 -m zebra")
    (found,) = json.loads(shop.do("search zebra --json"))
    assert (found["message_kind"], found["internal"], found["author"]) == ("note", True, "boss")
    assert (found["subject"], found["kind"]) == ("", "case")
