"""What the program says of a record, in the language of the one who reads it."""

from __future__ import annotations

import pytest

from crmmail.core import record, wording

PENDING = {"field": "state", "old": "open", "new": "pending"}
GIVEN = {"field": "responsible", "old": "", "new": "draft"}  # a login that is a word of ours elsewhere
RENAMED = {"field": "title", "old": "open", "new": "high"}


@pytest.mark.parametrize(
    ("language", "sentence", "details", "words"),
    [
        ("en", "state: open → pending", [PENDING], "state: open → pending"),
        ("fr", "state: open → pending", [PENDING], "état : ouvert → en attente"),
        ("ru", "state: open → pending (by a letter)", [PENDING], "состояние: открыто → ожидает (по письму)"),
        (
            "fr",
            "escalated: responsible: none → draft, state: open → pending",
            [GIVEN, PENDING],
            "transmis à la section au-dessus : responsable : aucun → draft, état : ouvert → en attente",
        ),
        ("ru", "title: open → high", [RENAMED], "название: open → high"),
        ("fr", "case created: Printer created: now", [], "nouveau dossier : Printer created: now"),
        ("ru", "lead created: high", [], "новый лид: high"),
        ("de", "state: open → pending", [PENDING], "state: open → pending"),
        ("fr", "rule Gold: state pending", [PENDING], "rule Gold: state pending"),
        ("fr", "undone: #1 Printer, back to draft", [], "undone: #1 Printer, back to draft"),
        ("fr", "", [], ""),
    ],
)
def test_told(language: str, sentence: str, details: list[dict[str, str]], words: str) -> None:
    assert wording.told(language, sentence, details) == words


@pytest.mark.parametrize("language", wording.WORDS)
def test_a_language_has_all_the_words(language: str) -> None:
    known = wording.WORDS[language]
    states = {state for kind in record.KINDS.values() for state in kind.states}
    fields = {field for some in record.FIELDS.values() for field in some}
    made = {f"{kind} created: " for kind in record.KINDS}
    assert states | fields | made | set(record.PRIORITIES) | {"state", "none", ": "} <= set(known)
    assert set(known) == set(wording.WORDS["fr"])
