"""From the bytes of a mail to `core.message.Mail`: what the rest of the house may know of a letter.

The steps: the header's fields, the parts (`structure`), which parts are the letter's words and which are
attachments (`body`), who wrote it and to whom (`people`), what it answers, and a hash that is the same for the same
letter however it came.  Every leaf of the tree is either words or an attachment, and they are counted.

A bad mail is read as far as it goes; what was wrong is noted in `defects`.  The only error is OverLimit, for a mail
that has more parts or deeper ones than any letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import chain

from crmmail.core.digest import sha256
from crmmail.core.message import HEADERS, MADE, Mail
from crmmail.core.pattern import pattern
from crmmail.core.typed import NamedTuple
from crmmail.mail import people
from crmmail.mail.body import Piece, divided, update, words
from crmmail.mail.charset import decode_words, one_line
from crmmail.mail.header import MAX_HEADER, fields, placed_fields, split_at, split_header, unfolded, with_newlines
from crmmail.mail.structure import tree

MAX_REFERENCES = 200
MAX_IN_REPLY_TO = 20
MAX_VALUES = 200  # kept of one header name
VALUE_LIMIT = 4000  # letters kept of one header's value
VERDICT_LIMIT = 256 * 1024  # of an Authentication-Results all: a sender's many signatures must not push its end out

_ID = re.compile(rb"<([!-;=?-~]{1,255})>")
_BARE_ID = pattern(rb"(?<![!-~])([!-;=?-~]{1,200}@[!-;=?-~]{1,200})(?![!-~])")
_BLANK = pattern(rb"\n\r?\n")
_FOLDED = pattern(rb".*(?:\n[ \t].*)*")
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_PLAIN_DATE = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?([0-9]{1,2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    r" (19[0-9]{2}|20[0-9]{2}) ([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?"
    r" (?:([+-])([0-9]{2})([0-5][0-9])|GMT)(?: \([A-Za-z ]{1,40}\))?\Z"
)
# What differs between two offers of the same mail: the way it came, and what a mailbox noted on it.
_TRACE = re.compile(
    rb"(?:received|delivered-to|x-original-to|envelope-to|return-path|status|x-status|x-keywords|x-uid|x-mozilla-[a-z0-9]+"
    rb"|x-fetchmail-[a-z-]+)\Z"
)


def parse(raw: bytes) -> Mail:
    """The letter in `raw`.  Raises OverLimit, nothing else."""
    raw = with_newlines(raw)
    taken_apart = tree(raw)
    named: dict[str, list[bytes]] = {}
    for field in taken_apart.fields:
        named.setdefault(field.name, []).append(field.raw)

    pieces, defects = divided(raw, taken_apart)
    defects = taken_apart.defects + defects
    text, html = words(pieces)
    sender, from_line, doubts = people.sender(named.get("from", []))
    subject = decode_words(_first(named, "subject"))
    content_hash = _content_hash(sender.address or from_line, subject, _first(named, "date"), pieces)
    own_id = _own_id(_first(named, "message-id"))

    return Mail(
        message_id=own_id or f"{content_hash[:32]}{MADE}",
        has_own_id=bool(own_id),
        content_hash=content_hash,
        sender=sender,
        from_line=from_line,
        to=people.mailboxes(named.get("to", [])),
        cc=people.mailboxes(named.get("cc", [])),
        reply_to=people.mailboxes(named.get("reply-to", [])),
        subject=subject,
        date=_date(_first(named, "date")),
        in_reply_to=_both_ends(_ids(named.get("in-reply-to", [])), MAX_IN_REPLY_TO),
        references=_both_ends(_ids(named.get("references", [])), MAX_REFERENCES),
        text=text,
        html=html,
        attachments=tuple(piece.as_part(html) for piece in pieces if not piece.is_body),
        # Undecoded: encoded words have no meaning in these, and decoding would let a return path write a semicolon
        # into what our own mail host says about it.
        headers={
            name: tuple(_kept(name, value) for value in named[name][:MAX_VALUES]) for name in named if name in HEADERS
        },
        defects=tuple(dict.fromkeys(doubts + defects)),
        guessed_charset=any(piece.guessed for piece in pieces),
        leaves=len(pieces),
    )


class Head(NamedTuple):
    """What the header tells of a letter, for whoever has many of them and must put them in order."""

    message_id: str  # without <>; "" where it has none
    date: datetime | None  # aware, UTC
    answered: tuple[str, ...]  # ids in In-Reply-To and References, without <>
    received: bool  # some host took it in; what lies where it was written has no Received line
    removed: bool  # the mail program that kept it has removed it, and it is only still in the file


def peek(raw: bytes) -> Head:
    """The head of the letter that begins with these bytes, read as quickly as the order of many needs it: a header that
    is broken may tell less here than it tells `parse`."""
    raw = with_newlines(raw)
    blank = _BLANK.search(raw)
    block = b"\n" + raw[: blank.start() if blank else len(raw)]
    names = block.lower()

    def value(name: bytes) -> bytes:
        at = names.find(b"\n%b:" % name)
        found = _FOLDED.match(block, at + len(name) + 2) if at >= 0 else None
        return unfolded(found[0]) if found else b""

    flags = re.fullmatch(rb"[0-9a-fA-F]{4}", value(b"x-mozilla-status"))
    return Head(
        _own_id(value(b"message-id")),
        _date(value(b"date")),
        tuple(_both_ends(_ids([value(b"in-reply-to"), value(b"references")]), MAX_REFERENCES)),
        received=b"\nreceived:" in names,
        # Thunderbird's flag "expunged"; or the message in which an old mail server keeps its notes about the file.
        removed=bool(flags and int(flags[0], 16) & 8) or b"\nx-imap:" in names,
    )


def body_digest_key(slices: Iterable[bytes]) -> str:
    """Hex SHA-256 that is the same each time this mail is offered, found without understanding the mail.

    A mail that killed us while it was judged must be known again by the next process, so this reads no more than
    the header's lines and leaves out those that the way leaves on it.

    Args:
        slices: the mail, in pieces; the first one is as long as a header may be.
    """
    pieces = iter(slices)
    first = with_newlines(next(pieces, b""))
    lies = split_at(first)
    digest = sha256()
    read, rest = 0, lies.body
    for field, begin in placed_fields(first, lies.start, lies.end):
        if _TRACE.match(field.name.encode("ascii")):
            continue
        read += len(field.name) + len(field.raw) + 2
        if read > MAX_HEADER:  # nobody reads so much as a header; it may even go on in the next slice
            rest = begin
            break
        digest.update(field.name.encode("ascii") + b":" + field.raw.replace(b"\r", b"") + b"\n")
    digest.update(b"\n")
    update(digest, chain([first[rest:]], pieces))
    return digest.hexdigest()


def is_beginning(half: bytes, whole: bytes) -> bool:
    """Is `half` what a broken line left of `whole`, whichever way each came?

    Bytes are compared, because of a letter cut in the middle the words may read otherwise: half a Cyrillic letter makes
    the charset a guess, half a tag is text, and of base64 without its header line nothing can be read at all.
    """
    if not re.search(rb"\n\r?\n", half):  # it broke in the header, perhaps within a name
        half = half[: half.rfind(b"\n") + 1]
    begin = _untraced(half).rstrip(b"\n")
    return bool(begin) and _untraced(whole[: reach(len(half))]).startswith(begin)


def reach(half: int) -> int:
    """How many bytes of a whole letter `is_beginning` looks at for a half of so many: each line end may be two bytes
    there and one here, and the way may have put a header's worth of lines on top."""
    return 2 * half + MAX_HEADER


def _untraced(raw: bytes) -> bytes:
    """A mail without what the way left on it, line ends made alike."""
    block, rest = split_header(raw)
    kept = [field for field in fields(block) if not _TRACE.match(field.name.encode("ascii"))]
    lines = [field.name.encode("ascii") + b":" + field.raw for field in kept]
    return b"\n".join([*lines, b"", rest]).replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _kept(name: str, value: bytes) -> str:
    """A header's value on one line, for judging the letter."""
    limit = VERDICT_LIMIT if name == "authentication-results" else VALUE_LIMIT
    return one_line(unfolded(value)[:limit].decode("latin-1"))


def _first(named: dict[str, list[bytes]], name: str) -> bytes:
    return unfolded(named[name][0]) if name in named else b""


def _own_id(raw: bytes) -> str:
    """The mail's Message-ID if it is one: printable, no spaces, no longer than a store's column."""
    found = _ID.search(raw) or re.fullmatch(rb"([!-;=?-~]{1,255})", raw)
    return found[1].decode("ascii") if found else ""


def _ids(values: Iterable[bytes]) -> list[str]:
    """The message ids of In-Reply-To or References; where none has its <>, what looks like one."""
    text = unfolded(b" ".join(values))
    found = _ID.findall(text) or _BARE_ID.findall(text)
    return list(dict.fromkeys(one.decode("ascii") for one in found))


def _both_ends(ids: list[str], most: int) -> tuple[str, ...]:
    """The first half and the last half of `most`: the thread's beginning and what is answered."""
    return tuple(ids if len(ids) <= most else ids[: most // 2] + ids[-(most // 2) :])


def _date(raw: bytes) -> datetime | None:
    """The Date in UTC, None where it makes no sense.

    A date as RFC 5322 writes it is read here, other forms of its grammar by mail-parser, and the rest ("Nov 2
    10:00:00 2026") is guessed by the standard library, whose guess counts only for years in which there was mail.
    """
    text = raw[:200].decode("latin-1")
    if not text:
        return None
    try:
        if plain := _PLAIN_DATE.match(text):
            day, month, year, hour, minute, second, sign, ahead, past = plain.groups("0")
            zone = timedelta(hours=int(ahead), minutes=int(past)) * (-1 if sign == "-" else 1)
            clock = datetime(int(year), _MONTHS.index(month) // 3 + 1, int(day), int(hour), int(minute), int(second))
            return (clock - zone).replace(tzinfo=UTC)
        value: datetime | None = people.borrowed("dates").parse_mail_date(text).value
        if value is None:
            from email.utils import parsedate_to_datetime

            value = parsedate_to_datetime(text)
            value = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
            value = value if 1970 <= value.year <= 2200 else None
    except Exception:  # libraries raise many things on nonsense, OverflowError among them
        return None
    return value


def _content_hash(sender: str, subject: str, date: bytes, pieces: list[Piece]) -> str:
    """The same for the LF and the CRLF form of a mail, whoever it was for and whichever way it came."""
    digest = sha256()
    for value in (sender, subject, b" ".join(date.split()).decode("latin-1")):
        digest.update(value.encode("utf-8", "replace") + b"\0")
    for piece in pieces:
        digest.update(f"{piece.type}\0{piece.name}\0".encode("utf-8", "replace") + piece.digest)
    return digest.hexdigest()
