"""An answer as the mail programs of the world write it: what of a mail they quote, and how.

    body = written("gmail", "fr", "Débranchez-la !", quoting(mail))       # the text of the answer
    body = written("mutt", "en", "Pull the plug!", told, place="bottom")

Programs that mark a quote with > put the words above it, below it, or between its lines; Outlook copies the mail
without marks below a block of its headers, so there the words stand above.
"""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import parseaddr
from typing import NamedTuple


class Told(NamedTuple):
    """The mail that is answered."""

    name: str
    address: str
    to: str
    subject: str
    text: str


# The line above the quote, by program and language, for a mail of Tuesday, 24 November 2026, 10:00.
MARKING = {
    ("gmail", "en"): "On Tue, Nov 24, 2026 at 10:00\u202fAM {name} <{address}> wrote:\n",
    ("gmail", "fr"): "Le mar. 24 nov. 2026 à 10:00, {name} <{address}> a écrit :\n",
    ("gmail", "ru"): "вт, 24 нояб. 2026\u202fг. в 10:00, {name} <{address}>:\n",
    ("apple", "en"): "On 24 Nov 2026, at 10:00, {name} <{address}> wrote:\n>",
    ("apple", "fr"): "Le 24 nov. 2026 à 10:00, {name} <{address}> a écrit :\n>",
    ("apple", "ru"): "24 нояб. 2026 г., в 10:00, {name} <{address}> написал(а):\n>",
    ("thunderbird", "en"): "On 11/24/26 10:00, {name} wrote:",
    ("thunderbird", "fr"): "Le 24/11/2026 à 10:00, {name} a écrit :",
    ("thunderbird", "ru"): "24.11.2026 10:00, {name} пишет:",
    ("mutt", "en"): "On Tue, Nov 24, 2026 at 10:00:00AM +0000, {name} wrote:",
    ("mutt", "fr"): "Le Tue, Nov 24, 2026 à 10:00:00AM +0000, {name} a écrit :",
    ("mutt", "ru"): "В Tue, Nov 24, 2026 at 10:00:00AM +0000, {name} написал(а):",
}
# The block above what is copied.
_HEADS = {
    "en": "From: {name} <{address}>\nSent: Tuesday, November 24, 2026 10:00 AM\nTo: {to}\nSubject: {subject}\n",
    "fr": "De : {name} <{address}>\nEnvoyé : mardi 24 novembre 2026 10:00\nÀ : {to}\nObjet : {subject}\n",
    "ru": "От: {name} <{address}>\nОтправлено: вторник, 24 ноября 2026 г. 10:00\nКому: {to}\nТема: {subject}\n",
}
_OF_PHONE = {
    "en": "Get Outlook for iOS<https://aka.ms/o0ukef>",
    "fr": "Télécharger Outlook pour iOS<https://aka.ms/o0ukef>",
    "ru": "Скачать Outlook для iOS<https://aka.ms/o0ukef>",
}
COPYING = {
    **{("outlook", language): f"\n{head}" for language, head in _HEADS.items()},
    **{
        ("outlook phone", language): f"\n{_OF_PHONE[language]}\n{'_' * 32}\n{head}" for language, head in _HEADS.items()
    },
}
PROGRAMS = (*MARKING, *COPYING)


def quoting(mail: EmailMessage) -> Told:
    """A mail that somebody received."""
    part = mail.get_body(("plain",))
    assert part is not None
    name, address = parseaddr(mail["From"])
    text = str(part.get_content()).replace("\r\n", "\n").strip("\n")
    return Told(name, address, str(mail["To"]), str(mail["Subject"]), text)


def marked(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() if not line.startswith(">") else f">{line}" for line in text.split("\n"))


def written(program: str, language: str, words: str, told: Told, *, place: str = "top", after: str = "") -> str:
    """The text of an answer.

    Args:
        place: top, bottom or between; the last only for programs that mark: `words` stand behind the first line of
            the quote in which `after` stands.
    """
    named = told._asdict()
    if (program, language) in COPYING:
        assert place == "top", "nobody could find them there"
        return f"{words}\n{COPYING[program, language].format(**named)}\n{told.text}\n"
    attribution = MARKING[program, language].format(**named)
    lines = marked(told.text).split("\n")
    if place == "top":
        return "\n".join([words, "", attribution, *lines, ""])
    if place == "bottom":
        return "\n".join([attribution, *lines, "", words, ""])
    at = next(at for at, line in enumerate(lines) if after in line) + 1
    return "\n".join([attribution, *lines[:at], "", words, "", *lines[at:], ""])
