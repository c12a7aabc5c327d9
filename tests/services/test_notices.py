"""What users read by mail of what the program said: in their language, as far as the words are the program's own."""

from __future__ import annotations

import pytest
from conversation import Talk


@pytest.mark.parametrize(
    ("language", "made", "opened"),
    [
        ("en", "case created: Printer", "state: draft → open, responsible: none → boss"),
        ("fr", "nouveau dossier : Printer", "état : brouillon → ouvert, responsable : aucun → boss"),
        ("ru", "новое обращение: Printer", "состояние: черновик → открыто, ответственный: нет → boss"),
    ],
)
def test_in_the_readers_language(talk: Talk, language: str, made: str, opened: str) -> None:
    talk.do(f"users set agent --notify email --lang {language}")
    talk.do("new case Printer --section support")
    assert made in talk.notice("agent", 1).text.splitlines()
    talk.do("open 1")
    assert opened in talk.notice("agent", 1).text.splitlines()
    # In the thread it stands as it is typed.
    assert talk.system(1) == ["case created: Printer", "state: draft → open, responsible: none → boss"]


def test_a_letter_that_closes_says_so(talk: Talk) -> None:
    talk.do("sections set support --on-partner-reply close")
    first = talk.mail("ana@example.com", subject="Bolts", text="They break.")
    talk.do("users set boss --notify email --lang fr")
    talk.do(f"follow {first.record} --who boss --types state")
    talk.mail("ana@example.com", answers=first, text="New ones came.")
    assert "état : brouillon → terminé (par un message)" in talk.notice("boss", first.record or 0).text


@pytest.mark.parametrize(
    ("language", "age", "words"),
    [
        ("en", {"days": 2}, "waits for you: draft, here for 2 d."),
        ("en", {"days": 2, "hours": 5}, "waits for you: draft, here for 2 d 5 h."),
        ("fr", {"days": 2}, "vous attend : draft, ici depuis 2 j."),
        ("ru", {"hours": 5}, "ждёт вас: draft, у нас уже 5 ч."),
        ("fr", {"minutes": 5}, "vous attend : draft, ici depuis 0 h."),
    ],
)
def test_a_reminder_says_how_long_without_noughts(talk: Talk, language: str, age: dict[str, int], words: str) -> None:
    talk.do(f"users set agent --lang {language}")
    talk.do("rules add Wait --trigger created --delay 5m --remind responsible")
    talk.do("new case Printer --section support --responsible agent")
    talk.wait(**age)
    talk.do("rules run")
    assert any(words in said for said in talk.words(1))
