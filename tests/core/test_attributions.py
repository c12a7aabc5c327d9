"""Quotes of every program and language that we promise, and letters that only look as if they quoted."""

from __future__ import annotations

import textwrap

import pytest
from attributions import BLOCKS, LINES, SHORT
from lookalikes import LETTERS

from crmmail.core.quote import fold, own_words, visible

PROMISED = set("ru fr de es it pt nl pl sv da no fi cs hu tr ja zh ko en".split())
PROGRAMS = {
    "Gmail",
    "Outlook",
    "Outlook web",
    "Outlook mobile",
    "Apple Mail",
    "Thunderbird",
    "Yandex",
    "mail.ru",
    "Yahoo",
}


def named(rows: list[tuple[str, str, str]]) -> list[object]:
    return [pytest.param(told, id=f"{program}-{language}") for program, language, told in rows]


def test_every_language_and_program_is_there() -> None:
    assert {language for program, language, _ in LINES if program in ("Gmail", "Apple Mail")} >= PROMISED
    assert {language for program, language, _ in BLOCKS if program == "Outlook"} >= PROMISED
    assert {program for program, _, _ in [*LINES, *BLOCKS]} >= PROGRAMS | {"GMX", "ProtonMail"}


@pytest.mark.parametrize("told", named([*LINES, *BLOCKS]))
def test_an_answer_above_a_quote_without_marks(told: str) -> None:
    folded = fold(f"Yes.\n\n{told}\n\nWhen?\n\nAnn\n")
    assert (folded.visible, folded.signature) == ("Yes.", "")
    assert folded.quoted.splitlines()[-1] == "Ann"
    assert visible(f"Yes.\n{told}\nWhen?\n") == "Yes."


@pytest.mark.parametrize("told", named([*LINES, *SHORT]))
def test_an_answer_above_below_and_between_marked_quotes(told: str) -> None:
    assert visible(f"Yes.\n\n{told}\n\n> When?\n> Ann\n") == "Yes."
    assert visible(f"{told}\n> When?\n> Ann\n\nTomorrow.\n") == "Tomorrow."
    between = f"Hello,\n\n{told}\n> When?\nTomorrow.\n> Where?\nHere."
    assert visible(f"{between}\n> Ann\n") == between


@pytest.mark.parametrize("told", named(LINES))
@pytest.mark.parametrize("width", [50, 60, 72])
def test_the_writers_program_may_have_wrapped_it(told: str, width: int) -> None:
    wrapped = textwrap.fill(told, width, break_long_words=False, break_on_hyphens=False)
    assert visible(f"Yes.\n\n{wrapped}\n\n> When?\n") == "Yes."
    assert visible(f"Yes.\n\n{wrapped}\n\nWhen?\n") == "Yes."


@pytest.mark.parametrize("told", named([*LINES, *BLOCKS]))
def test_a_users_answer_takes_no_quote_along(told: str) -> None:
    assert "When?" not in own_words(f"Yes.\n\n{told}\n\nWhen?\n")
    assert "When?" not in own_words(f"{told}\n\nWhen?\n")


@pytest.mark.parametrize("letter", LETTERS.values(), ids=LETTERS.keys())
def test_what_only_looks_like_a_quote_or_a_signature_stays(letter: str) -> None:
    assert visible(letter) == letter
