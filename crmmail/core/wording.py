"""What the program says of a record, in the reader's language, for the mails that tell him of it.

In the thread it stands in English, as the terminal has it and as it is typed.  A notification is read by one person, so
the words that the program has of its own are put into his language when it is rendered: states, fields, priorities,
what was made.  What people wrote, and the names that a shop gave to sections and rules, stay as they are; so does a
sentence that this file does not know.  The foot of a notification stays in English too: by it we know our own words
again when an answer quotes them (`core.answer`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# Language → English → its own.  `: ` is what stands behind a field's name.
WORDS: Mapping[str, Mapping[str, str]] = {
    "fr": {
        "case created: ": "nouveau dossier : ",
        "lead created: ": "nouvelle piste : ",
        "contact created: ": "nouveau contact : ",
        "escalated: ": "transmis à la section au-dessus : ",
        " (by a letter)": " (par un message)",
        "draft": "brouillon", "open": "ouvert", "pending": "en attente", "done": "terminé", "cancel": "annulé",
        "new": "nouvelle", "qualified": "qualifiée", "converted": "convertie", "lost": "perdue",
        "state": "état", "title": "titre", "section": "section", "category": "catégorie",
        "responsible": "responsable", "priority": "priorité", "partner": "client", "contacts": "autres contacts",
        "email": "adresse", "deadline": "échéance", "revenue": "recette", "cost": "coût", "probability": "probabilité",
        "company": "société", "lang": "langue",
        "highest": "très haute", "high": "haute", "normal": "normale", "low": "basse", "lowest": "très basse",
        "none": "aucun", ": ": " : ",
    },
    "ru": {
        "case created: ": "новое обращение: ",
        "lead created: ": "новый лид: ",
        "contact created: ": "новый контакт: ",
        "escalated: ": "передано в вышестоящий отдел: ",
        " (by a letter)": " (по письму)",
        "draft": "черновик", "open": "открыто", "pending": "ожидает", "done": "выполнено", "cancel": "отменено",
        "new": "новый", "qualified": "квалифицирован", "converted": "преобразован", "lost": "потерян",
        "state": "состояние", "title": "название", "section": "отдел", "category": "категория",
        "responsible": "ответственный", "priority": "приоритет", "partner": "клиент", "contacts": "другие контакты",
        "email": "адрес", "deadline": "срок", "revenue": "доход", "cost": "затраты", "probability": "вероятность",
        "company": "компания", "lang": "язык",
        "highest": "наивысший", "high": "высокий", "normal": "обычный", "low": "низкий", "lowest": "самый низкий",
        "none": "нет", ": ": ": ",
    },
}  # fmt: skip
_SPOKEN = ("state", "priority")  # fields whose values are words of the program's own


def word(language: str, english: str) -> str:
    """A state, field or priority in a language; itself where that has no word for it."""
    return WORDS.get(language, {}).get(english, english)


def told(language: str, sentence: str, details: Iterable[Mapping[str, str]]) -> str:
    """What the program said, in a language.

    Args:
        sentence: as it stands in the thread: `case created: Printer`, `state: draft → open (by a letter)`.
        details: what changed, each with `field`, `old` and `new`.
    """
    changes = list(details)
    english = ", ".join(_change("", one) for one in changes)
    if english and english in sentence:
        before, _, after = sentence.partition(english)
        return word(language, before) + ", ".join(_change(language, one) for one in changes) + word(language, after)
    begin, found, title = sentence.partition(" created: ")
    return word(language, begin + found) + title


def _change(language: str, one: Mapping[str, str]) -> str:
    """`state: draft → open`."""
    known = language if one["field"] in _SPOKEN else ""
    old, new = (word(known, one[side]) if one[side] else word(language, "none") for side in ("old", "new"))
    return f"{word(language, one['field'])}{word(language, ': ')}{old} → {new}"
