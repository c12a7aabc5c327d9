"""What the mails of rules say: the values for their templates, the conversation so far, the record's files.

Nobody wrote such a mail with its reader before his eyes, and a record may hold letters to and from several people
outside who know nothing of each other.  So a mail to people outside quotes and attaches only what all of them have sent
or got (`known_to`); the exception is a copy, which passes the conversation on to whom the rule names.  A letter that an
admin has deleted is in none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from crmmail.core import quote, record, reply, text
from crmmail.core.letter import File
from crmmail.core.message import Address, Part
from crmmail.core.typed import Any, NamedTuple
from crmmail.render import DEFAULT_LANGUAGE, Rendered
from crmmail.services.sending import correspondent, outgoing, outside
from crmmail.store.letters import messages
from crmmail.store.letters.messages import Message
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace, local_zone

MOST_BYTES = 20_000_000  # of files in one mail; most mail servers take no more
MOST_LINES = 20  # of somebody's last words in a reminder
SPOKEN = ("email_in", "email_out", "note", "call")  # what people said
MOST_LETTERS = 100_000  # of a conversation that is passed on; the newest part stays

LEFT_OUT = {
    "en": "Not attached, for the mail would be too large: {names}",
    "fr": "Non joint, car le message serait trop grand : {names}",
    "ru": "Не вложено, иначе письмо было бы слишком большим: {names}",
}


class Documents(NamedTuple):
    """Files of a record, as a mail can carry them."""

    parts: tuple[Part, ...] = ()
    left_out: tuple[str, ...] = ()  # names of those for which there is no room
    letters: frozenset[int] = frozenset()  # the messages that all of these stood in


class Conversation(NamedTuple):
    """Letters that are passed on."""

    text: str
    letters: tuple[Message, ...]  # oldest first


def reminder(workspace: Workspace, this: Record, rule_name: str) -> dict[str, Any]:
    """What a reminder tells a user: all that the record's first screen has."""
    now = workspace.now()
    age = max(now - this.created, timedelta())
    partner = next(iter(correspondent.of_record(this)), Address("", ""))
    spoken = [one for one in messages.of_thread(this.id) if one.kind in SPOKEN and not one.superseded_by]
    last = spoken[-1] if spoken else None
    return {
        "record": {
            "id": this.id,
            "title": text.one_line(this.title),
            "state": this.state,
            "deadline": _moment(workspace, this.deadline),
            "partner": text.person(partner.name, partner.address) if partner.address else "",
        },
        "age": {"days": age.days, "hours": age.seconds // 3600},
        "late": this.deadline is not None and this.deadline < now and this.state not in record.KINDS[this.kind].done,
        "rule": text.one_line(rule_name),
        "last": {
            "who": text.person(last.author or last.from_name, last.from_address) if last else "",
            "date": _moment(workspace, last.date) if last else "",
            "text": _beginning(last.text) if last else "",
        },
    }


def partner_reminder(workspace: Workspace, this: Record, name: str, last: Message | None) -> dict[str, Any]:
    """What a reminder tells the customer: what it is about, and what we wrote to him last.

    Args:
        last: our letter that he got; None where there is none.
    """
    words = outside.read(workspace, last).text if last else ""
    return {
        "subject": reply.subject(this.title),
        "record": {"title": text.one_line(this.title), "created": _moment(workspace, this.created)[:10]},
        "partner": text.one_line(name),
        "last": {"date": _moment(workspace, last.date) if last else "", "text": _beginning(words)},
    }


def people_letters(number: int) -> list[Message]:
    """The letters of people, in and out, which leave the house or came from outside; oldest first."""
    return [
        one
        for one in messages.of_thread(number)
        if one.kind in ("email_in", "email_out")
        and not (one.internal or one.automatic or one.superseded_by or outside.is_deleted(one))
    ]


def known_to(number: int, addresses: Iterable[str]) -> list[Message]:
    """The letters of people that each of these addresses has sent or got; oldest first."""
    known = [messages.known_to(number, one) for one in addresses]
    common = set.intersection(*known) if known else set()
    return [one for one in people_letters(number) if one.id in common]


def last_of_ours(known: Sequence[Message]) -> Message | None:
    """Our newest letter among these."""
    return next((one for one in reversed(known) if one.kind == "email_out"), None)


def conversation(workspace: Workspace, number: int) -> Conversation:
    """The letters so far, each below its head in words; of a very long conversation the newest part.

    It is the whole conversation with everybody outside, and with a merged record's: only for whom a rule names.
    """
    room = MOST_LETTERS
    parts: list[str] = []
    passed: list[Message] = []
    for one in reversed(people_letters(number)):
        said = outside.read(workspace, one)
        who = f"{said.sender.name} <{said.sender.address}>" if said.sender.name else said.sender.address
        words = quote.visible(said.text).strip() or said.text
        part = reply.forwarded(words, who=who, moment=one.date, to=said.to, subject=said.subject)
        room -= len(part)
        if room < 0 and parts:
            parts.append("[…]")
            break
        passed.append(one)
        if room < 0:
            parts.append(f"{part[:MOST_LETTERS]}[…]")
            break
        parts.append(part)
    return Conversation("\n\n".join(reversed(parts)), tuple(reversed(passed)))


def _beginning(words: str) -> str:
    """What somebody wrote anew, its first lines, set in."""
    lines = text.clean(quote.visible(words)).strip().split("\n")
    kept = [f"  {line}".rstrip() for line in lines[:MOST_LINES]]
    return "\n".join([*kept, *(["  […]"] if len(lines) > MOST_LINES else [])]) if lines != [""] else ""


def _moment(workspace: Workspace, value: datetime | None) -> str:
    return f"{value.astimezone(local_zone(workspace.environ)):%Y-%m-%d %H:%M}" if value else ""


def documents_inside(workspace: Workspace, number: int) -> Documents:
    """All files of a record but those of notes, for a mail to users."""
    return documents(workspace, [one for one in messages.of_thread(number) if not (one.internal or one.superseded_by)])


def documents(workspace: Workspace, those: Sequence[Message]) -> Documents:
    """The files of these messages, each once, as far as there is room; the newest first.

    A mail of ours to a user, which a mail program attaches to his answer, is none of them: it tells of the house.
    """
    parts: list[Part] = []
    left_out: list[str] = []
    seen: set[str] = set()
    room = MOST_BYTES
    sources: set[int] = set()
    for one in (file for message in reversed(those) for file in message.attachments):
        if one.sha256 in seen:
            continue
        seen.add(one.sha256)
        if one.size > room:
            left_out.append(text.file_name(one.name))
            sources.add(one.message)
            continue
        data = messages.attachment(one.id)[1]
        if not outgoing.is_ours_inside(workspace, File(one.name, one.type, data)):
            parts.append(Part(len(parts), one.name, one.type, data, "", False))
            sources.add(one.message)
            room -= one.size
    return Documents(tuple(parts), tuple(left_out), frozenset(sources))


def count_files(those: Iterable[Message]) -> int:
    """How many different files stood in these messages."""
    return len({file.sha256 for one in those for file in one.attachments})


def with_left_out(words: Rendered, files: Documents, language: str) -> Rendered:
    """The mail, with a line that names the files for which there was no room."""
    if not files.left_out:
        return words
    line = LEFT_OUT.get(language, LEFT_OUT[DEFAULT_LANGUAGE]).format(names=", ".join(files.left_out))
    return words._replace(text=f"{words.text.rstrip()}\n\n{line}\n")
