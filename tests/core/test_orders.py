"""Set-commands are read from a user's own words and cut from his letter; what came of them is said in words."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmmail.core import orders, record
from crmmail.core.orders import MOST, SENTENCES, Result, read, repeated, squeezed

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


# --- whose words they are -----------------------------------------------------------------------------------

# What stands around and between the letters of a customer's order: quotes, lists, bold, wrapped lines; what nobody
# sees; what turns the direction of writing; accents.
SIGNS = [" ", "\n", "\r\n", "\t", "> ", "\n> ", "- ", "* ", "**", "_", "`", "«", "\u0301", "\u00a0", "\u00ad", "\u200b",
         "\u200d", "\u2060", "\ufeff", "\u200e", "\u202b", "\u2066", "\u3164", "\u115f", "\u0336"]  # fmt: skip
ORDERS = ["Set-State: cancel", "Set-User: bob@crm.test", "Set-User:", "Set-Cost: 12,50", "Set-Partner: Любовь"]


def _wide(letter: str) -> str:
    return chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter


@st.composite
def dressed(draw: st.DrawFn, order: str) -> str:
    """A letter with this order in it, however it is written."""
    signs = st.lists(st.sampled_from(SIGNS), max_size=3).map("".join)
    clothes = st.sampled_from([str, str.upper, str.lower, _wide])
    letters = "".join(draw(clothes)(letter) + draw(signs) for letter in order)
    return draw(st.text(max_size=20)) + draw(signs) + letters + draw(st.text(max_size=20))


@given(st.sampled_from(ORDERS).flatmap(lambda order: st.tuples(st.just(order), dressed(order))))
def test_no_dress_hides_an_order_of_others(drawn: tuple[str, str]) -> None:
    order, letter = drawn
    given = read(order).orders
    assert len(given) == 1
    assert repeated(given, ["Hello.", letter, "Bye."]) == {given[0].asks}


@given(st.lists(st.text("aeiou ть-:>\n\u200b12")))
def test_an_order_that_nobody_else_wrote_is_his(letters: list[str]) -> None:
    assert repeated(read("\n".join(ORDERS)).orders, letters) == set()


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("Set-State : CANCEL", "setstatecancel"),
        ("S\u00e9t-\u017ftate: \uff43ancel\u2122", "setstatecancel"),
        ("12,50 € «Любовь»", "1250любовь"),
        ("\ud800a", "a"),
        ("", ""),
    ],
)
def test_letters_and_digits_are_left(text: str, letters: str) -> None:
    assert squeezed(text) == letters


@given(st.text(), st.text())
def test_what_is_part_of_a_text_stays_part_of_it(one: str, other: str) -> None:
    assert squeezed(one + other) == squeezed(one) + squeezed(other)


def test_other_values_are_others_orders() -> None:
    given = read("Set-State: close\nSet-Priority: 2\nSet-State: cancel").orders
    assert repeated(given, ["Set-State: cancel", "Please set priority 1!"]) == {"setstatecancel"}


@pytest.mark.parametrize(
    "text",
    ["a\u0301\u0315" * 100_000, "e" + "\u0301\u0315" * 150_000, "\ufdfa" * 300_000, "Привет! " * 37_500,
     "set" * 100_000, "\u00adset-\u00ad" * 50_000],
    ids=["marks", "pile", "long", "cyrillic", "set", "hyphens"],
)  # fmt: skip
def test_hostile_letters_are_compared_in_no_time(text: str) -> None:
    given = read("\n".join(f"Set-Cost: {number}" for number in range(MOST))).orders
    begun = time.process_time()
    assert repeated(given, [text]) == set()
    assert time.process_time() - begun < 2


def test_a_record_too_long_to_compare_is_not_trusted() -> None:
    given = read("Set-State: cancel\nSet-Priority: 2").orders
    asked = {one.asks for one in given}
    begun = time.process_time()
    assert repeated(given, ("fine " * 60_000 for _ in range(60))) == set()
    assert repeated(given, ("fine " * 60_000 for _ in range(1_000_000))) == asked
    assert time.process_time() - begun < 3


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
    assert re.findall(r'if one\.outcome == "(\w+)"', template) == list(SENTENCES)
