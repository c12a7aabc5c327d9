"""What has to be known before a letter can be judged.

`ask` reads the letter for everything that must be looked up, `store.letters.threads.known` looks it up in one place
with a bounded number of indexed queries, and `Known` is the answer.  No judgement here: only facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from crmmail.core import address as addresses
from crmmail.core import token
from crmmail.core.message import Mail
from crmmail.core.pattern import pattern
from crmmail.core.typed import NamedTuple


class Envelope(NamedTuple):
    """What the transport told beside the letter."""

    recipients: tuple[str, ...] = ()  # --recipient, canonical; () when not told, or told no address
    section: str | None = None  # -s: id or code; None: not given
    mailbox: str = ""  # the mailbox it was fetched from, where the caller knows it
    null_sender: bool = False  # --sender was told and is empty: a bounce, or another mail that wants no answer
    reply_address: str = ""  # -e: the address under which a new record's conversation is held
    keep_original: bool = True  # False: the mailbox's owner wants letters that are filed kept only as messages
    size: int = 0  # bytes of the letter as it came
    came: datetime | None = None  # of a letter out of a file: when it came, as far as the file knows
    written_here: bool = False  # it lay among the letters that we wrote: of its From nobody need doubt that it is ours


class Settings(NamedTuple):
    """The settings that bear on routing."""

    secret: bytes
    domains: tuple[str, ...] = ()
    catchall: str = ""
    bounce: str = ""
    trusted_authserv_id: str = ""
    loop_new_records: int = 20
    loop_messages: int = 20
    loop_minutes: int = 120


class AliasFact(NamedTuple):
    id: int
    address: str
    kind: str
    section: str  # code, "" if none
    user: int | None  # whose personal alias it is
    policy: str
    on_reply: str
    loop_limit: int | None
    keep_original: bool = True


class Question(NamedTuple):
    """What has to be asked of the store before a letter can be judged."""

    message_id: str
    content_hash: str
    sender: str  # canonical, "" if unclear
    answered: tuple[str, ...]  # Message-IDs
    threads: tuple[int, ...]  # records named by tokens and by the subject
    addresses: tuple[str, ...]  # every address named, without plus-tags; the sender's also with his
    section: str | None
    since_minutes: int
    reported: tuple[str, ...] = ()  # of a bounce: our signed Message-IDs that it may speak of, or their local parts
    counts_records: bool = True  # how many records the sender made matters, whatever an alias says
    counts_messages: bool = True  # and how many messages he wrote


class Sent(NamedTuple):
    """A mail of ours that a bounce speaks of."""

    delivery: int
    thread: int
    address: str


class Place(NamedTuple):
    """Where a letter was filed, and the address of ours that brought it there ("" if none)."""

    thread: int
    message: int
    recipient: str


class Twin(NamedTuple):
    """An earlier mail with the same Message-ID."""

    original: int
    same_content: bool
    from_address: str
    size: int
    subject: str
    text: str | None  # of its message; None where it made none
    attachments: int  # of its message
    thread: int | None
    message: int | None
    quarantine: int | None
    reply: bool  # it joined a record that was there before, or was judged before its addresses counted
    covered: frozenset[str]  # the aliases that got their record, or their row in quarantine
    filed: tuple[Place, ...] = ()  # all the records it is in; a letter to two aliases is in two
    cut: str = ""  # half: its bytes are the beginning of the letter's; whole: the other way round; "": neither, unknown


class Known(NamedTuple):
    """All that the store knows of what bears on one letter."""

    twins: tuple[Twin, ...] = ()
    sent_before: bool = False  # its content is equal to what we sent
    parents: Mapping[str, int] = {}  # Message-ID → thread: ids it answers that are stored
    internal_parents: frozenset[str] = frozenset()  # those of them that never left the house
    threads: frozenset[int] = frozenset()  # records that exist, after redirects
    redirects: Mapping[int, int] = {}  # merged or converted → the thread that lives on
    takes_part: Mapping[int, str] = {}  # thread → as what the sender takes part in it
    aliases: Mapping[str, AliasFact] = {}
    users: Mapping[str, int] = {}  # address → user
    contacts: tuple[int, ...] = ()  # contacts that have the sender's address
    follows_kinds: frozenset[str] = frozenset()  # kinds of records that the sender follows
    sections: Mapping[str, str] = {}  # what -s may say (id or code) → code
    new_records: int = 0  # made by this sender in the last loop.minutes
    messages: Mapping[int, int] = {}  # thread → messages of this sender in the last loop.minutes
    sent: Mapping[str, Sent] = {}  # of a bounce: as `Question.reported` names it → the mail of ours


# --- reading the letter for what must be looked up -----------------------------------------------------------


def ask(mail: Mail, envelope: Envelope, settings: Settings) -> Question:
    """What `decide` will want to know."""
    marks = [mark.thread for mark, _ in tokens(mail, envelope, settings)]
    named = [*recipients(mail), mail.sender.address, *envelope.recipients, envelope.mailbox]
    return Question(
        message_id=mail.message_id,
        content_hash=mail.content_hash,
        sender=mail.sender.address,
        answered=tuple(answered_ids(mail)),
        threads=tuple(dict.fromkeys([*marks, *subject_tags(mail.subject)])),
        # The sender's also as it is: a user's own address may have a tag.
        addresses=tuple(dict.fromkeys(filter(None, [*map(addresses.without_tag, named), mail.sender.address]))),
        section=envelope.section,
        since_minutes=settings.loop_minutes,
        reported=reported(mail, envelope, settings),
        counts_records=settings.loop_new_records > 0,
        counts_messages=settings.loop_messages > 0,
    )


def tokens(mail: Mail, envelope: Envelope, settings: Settings) -> list[tuple[token.Token, str]]:
    """Our signed tokens in the letter, strongest first, each with where it was found: `address` (a Reply-To of ours),
    `path` (the return path of a mail of ours) or `id`."""
    found: list[tuple[token.Token, str]] = []
    for one in dict.fromkeys([*envelope.recipients, *recipients(mail)]):
        tag = addresses.tag_of(one)
        # An automatic answer goes to the return path, which carries the whole id (RFC 3834 §4).
        path = token.read_message_id(settings.secret, f"{tag}@")
        mark = path or token.read_tag(settings.secret, tag)
        if mark:
            found.append((mark, "path" if path else "address"))
    for identifier in answered_ids(mail):
        mark = token.read_message_id(settings.secret, identifier)
        if mark:
            found.append((mark, "id"))
    return found


def reported(mail: Mail, envelope: Envelope, settings: Settings) -> tuple[str, ...]:
    """Our signed ids that a bounce may speak of, the surest first: in the address it came back to, then in what it
    shows of the letter.  Of an address it is the local part of the id, with its @."""
    if mail.report is None:
        return ()
    tags = [f"{addresses.tag_of(one)}@" for one in (*envelope.recipients, *recipients(mail))]
    named = [one.lower() for one in (*tags, *mail.report.ids)]
    return tuple(dict.fromkeys(one for one in named if token.read_message_id(settings.secret, one)))


_BRACKETED = r"\[[ \t]{0,8}#?([0-9]{1,18})[ \t]{0,8}\]"
_TAG = pattern(_BRACKETED)
_INTERNAL_TAG = pattern(rf"{_BRACKETED}[ \t]{{0,8}}\((?i:note)\)")


def answered_ids(mail: Mail) -> list[str]:
    """The ids it answers: In-Reply-To, then References from the nearest."""
    return list(dict.fromkeys([*mail.in_reply_to, *reversed(mail.references)]))


def subject_tags(subject: str) -> list[int]:
    """The record numbers in a subject: `Re: [101] Problem with …` → [101] (F116)."""
    if "[" not in subject:
        return []
    return list(dict.fromkeys(int(number) for number in _TAG.findall(subject)))[:20]


def internal_tags(subject: str) -> frozenset[int]:
    """The numbers in it that an internal notice wrote: `Re: [101] (note) Problem with …` → {101}."""
    return frozenset(int(number) for number in _INTERNAL_TAG.findall(subject))


def recipients(mail: Mail) -> list[str]:
    """Every address that the letter names as a recipient, the topmost trace headers last."""
    named = [one.address for one in (*mail.to, *mail.cc) if one.address]
    for header in ("x-original-to", "delivered-to"):
        named += [addresses.canonical(value.strip().strip("<>")) for value in mail.headers.get(header, ())]
    return list(dict.fromkeys(one for one in named if one))
