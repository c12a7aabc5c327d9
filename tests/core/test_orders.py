"""Set-commands are read from a user's own words and cut from his letter; what came of them is said in words."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmail.core import orders, record
from crmmail.core.orders import MOST, SENTENCES, Result, read

TEMPLATES = Path(__file__).parents[2] / "templates"


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("Set-State: close", "state", "close"),
        ("set-priority:2", "priority", "2"),
        ("SET-USER : bob", "user", "bob"),
        ("  Set-Cost:\t12.50  ", "cost", "12.50"),
        ("\u00a0Set-Cost\u00a0:\u00a05\u00a0", "cost", "5"),  # of an HTML mail
        ("\ufeffSet-State: open", "state", "open"),
        ("Set-State: open\r", "state", "open"),
        ("Set-User:", "user", ""),
        ("Set-Partner: ana@example.com<mailto:ana@example.com>", "partner", "ana@example.com"),
        ("Set-Partner: ana@example.com <mailto:ana@example.com>", "partner", "ana@example.com"),
        ("Set-Sttae: close", "sttae", "close"),
        ("Set-Cookie: x=1; y", "cookie", "x=1; y"),
        ("Set-State: a: b", "state", "a: b"),
    ],
)
def test_a_line_is_an_order(line: str, name: str, value: str) -> None:
    found = read(f"Hello,\n{line}\nBye.")
    assert [(one.name, one.value) for one in found.orders] == [(name, value)]
    assert found.rest == "Hello,\nBye."


@pytest.mark.parametrize(
    "line",
    ["> Set-State: close", "Please Set-State: close", "Set State: close", "Set-State close", "Set-: x", "Set-a b: x",
     "* Set-State: close → obeyed", "Reset-State: x", ""],
)  # fmt: skip
def test_a_line_is_words(line: str) -> None:
    text = f"Hello,\n{line}\nBye."
    assert read(text) == ((), text, 0)


def test_only_what_stands_in_his_own_words_counts() -> None:
    text = "Set-Priority: 2\nFine.\n\nOn Monday Ana wrote:\nSet-State: done\nset-user: eve"
    found = read(text, "Set-Priority: 2\nFine.")
    assert [one.line for one in found.orders] == ["Set-Priority: 2"]
    assert found.rest == "Fine.\n\nOn Monday Ana wrote:\nSet-State: done\nset-user: eve"


def test_no_more_than_fifty_count_and_none_is_left() -> None:
    found = read("\n".join(f"Set-Cost: {number}" for number in range(MOST + 7)) + "\nBye.")
    assert (len(found.orders), found.beyond, found.rest) == (MOST, 7, "Bye.")
    assert found.orders[0].value == "0"


@given(st.lists(st.sampled_from(["Set-State: x", " set-Cost :3", "Hello", "", "> Set-User: y", "Set-", "Set-Ä:"])))
def test_nothing_is_left_and_nothing_else_is_lost(lines: list[str]) -> None:
    found = read("\n".join(lines))
    assert read(found.rest).orders == ()
    words = [line for line in lines if not line.strip().lower().startswith(("set-state", "set-cost", "set-ä"))]
    assert [line for line in found.rest.split("\n") if line] == [line for line in words if line]
    assert len(found.orders) + found.beyond == len(lines) - len(words)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    found = read(text)
    assert found.orders or found.rest == text
    assert all("\n" not in one.line + one.value for one in found.orders)


@pytest.mark.parametrize(
    "text",
    [
        " " * 300_000,
        "Set-" + "a" * 300_000,
        "Set-a" + " " * 300_000,
        "Set-a:" + " " * 300_000 + "x",
        "Set-a:" + "<mailto:" * 40_000,
        "Set-a:1\n" * 37_500,
        "\n".join(f"set-a{number}: {number}" for number in range(15_000)),
        "set-\n" * 60_000,
    ],
    ids=["blanks", "name", "gap", "value", "links", "same", "other", "none"],
)
def test_hostile_letters_take_no_time(text: str) -> None:
    begun = time.process_time()
    found = read(text, text)
    assert time.process_time() - begun < 2
    assert len(found.orders) <= MOST
    assert all(len(one.value) <= 200 and len(one.line) <= 200 for one in found.orders)


# --- states -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "word", "state"),
    [
        ("case", "close", "done"),
        ("case", "Done", "done"),
        ("case", "open", "open"),
        ("case", "pending", "pending"),
        ("case", "CANCEL", "cancel"),
        ("case", "reset", "draft"),
        ("case", "draft", "draft"),
        ("case", "opne", ""),
        ("case", "", ""),
        ("case", "escalate", ""),
        ("lead", "qualify", "qualified"),
        ("lead", "lose", "lost"),
        ("lead", "new", "new"),
        ("lead", "converted", ""),  # that takes more than a word
        ("contact", "open", ""),
    ],
)
def test_a_state_has_its_name_and_its_button(kind: str, word: str, state: str) -> None:
    assert orders.state(kind, word) == state


def test_every_state_of_a_case_can_be_named() -> None:
    assert orders.states("case") == ["open", "pending", "done", "cancel", "draft"]
    assert set(orders.states("case")) == set(record.KINDS["case"].states)


# --- what came of it ----------------------------------------------------------------------------------------


def test_a_result_is_a_sentence() -> None:
    wrong = Result("Set-State: {opne}", "state", "{opne}", "open, done")
    assert str(wrong) == "Set-State: {opne} → there is no state '{opne}': open, done"
    assert str(Result("Set-Priority: 2", "done")) == "Set-Priority: 2 → obeyed"
    assert [Result("x", one).wrong for one in ("done", "same", "again", "quoted")] == [False, False, False, True]


@pytest.mark.parametrize("outcome", SENTENCES)
def test_the_store_gives_back_what_it_was_given(outcome: str) -> None:
    result = Result("Set-Cost: x", outcome, "x", "y")
    assert orders.results([dict(result._asdict())]) == [result]


@pytest.mark.parametrize("language", ["fr", "ru"])
def test_every_sentence_is_there_in_other_languages(language: str) -> None:
    template = (TEMPLATES / language / "orders.txt").read_text(encoding="utf-8")
    assert re.findall(r'^  "(\w+)": ', template, re.MULTILINE) == list(SENTENCES)
