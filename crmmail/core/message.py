"""What a mail is, once it has been read, and what a message in a thread is.

`Mail` is everything the rest of the house may know of an incoming letter.  `mail.parse` makes it from bytes;
nobody above `mail` sees MIME.  All text in it is decoded, free of NUL and lone surrogates, and header-born
values are one line each; they may still hold control characters that only `core.text.clean` removes.

The values of this house are NamedTuples: as frozen as a frozen dataclass and five times cheaper to define, which
a process that lives for one mail notices (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

# Kinds of message (F69): `email_in` came by mail, `email_out` leaves by mail, `note` stays inside, `system` is
# written by the program about a change, `call` tells of a telephone call, `auto` is mail a rule sends.
KINDS = ("email_in", "email_out", "note", "system", "call", "auto")


# How the Message-IDs end that we make for letters without one of their own; nobody outside knows them.
MADE = "@made.crmmail.invalid"


class Address(NamedTuple):
    """One mailbox of a header.  `address` is canonical (`core.address.canonical`) or "" where it is unclear."""

    name: str
    address: str


NOBODY = Address("", "")


class Part(NamedTuple):
    """One leaf of the MIME tree that is not the body: an attachment."""

    position: int  # running number of the leaf in the tree, from 0; the body leaves count too
    name: str  # one line, never empty ("part-3.bin" where the mail names nothing)
    type: str  # "image/png", lower case
    data: bytes  # decoded
    content_id: str  # without <>, "" if none
    inline: bool  # Content-Disposition: inline, or a cid: that the HTML may show


class Report(NamedTuple):
    """What a bounce says of the mail that it speaks of (RFC 3464, or a mailer's own words)."""

    action: str  # failed | delayed | delivered | relayed | expanded
    status: str  # "5.1.1" (RFC 3463); "" where it names none
    recipients: tuple[str, ...]  # canonical: whom it failed to reach, as far as it says
    words: str  # what the other server said, one line
    ids: tuple[str, ...]  # Message-IDs of the mail it speaks of, without <>, the surest first


class Mail(NamedTuple):
    """A letter, read."""

    message_id: str  # without <>; made from the content hash when the mail has none
    has_own_id: bool  # False: message_id was made by us
    content_hash: str  # hex SHA-256 of decoded parts, sender, subject, date; not of trace headers or recipients
    sender: Address  # From, when it is exactly one clear address; else address ""
    from_line: str  # the From header(s) as text, for display where the sender is unclear
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    subject: str
    date: datetime | None  # aware, UTC; None where the mail has no readable date
    in_reply_to: tuple[str, ...]  # ids without <>
    references: tuple[str, ...]  # ids without <>, at most 200, taken from both ends
    text: str  # the whole text: plain parts joined, or the HTML laid out
    html: str  # the HTML body, cleaned of what acts (scripts, styles, handlers); "" if none
    attachments: tuple[Part, ...]
    headers: Mapping[str, tuple[str, ...]]  # lower-case name → values, top first: only the names in HEADERS
    defects: tuple[str, ...]  # what was wrong with it, in short words, for `why`
    guessed_charset: bool  # some text had no usable label and its charset was guessed
    leaves: int  # leaf parts in the MIME tree; body leaves + len(attachments) == leaves
    report: Report | None = None  # of a bounce: what it says of the mail that did not arrive


# The headers that judging a mail needs beyond those with a field of their own.
HEADERS = frozenset(
    {
        "auto-submitted",
        "authentication-results",
        "content-type",
        "delivered-to",
        "list-id",
        "precedence",
        "received",
        "return-path",
        "x-auto-response-suppress",
        "x-autoreply",
        "x-autorespond",
        "x-crmmail-sent",
        "x-failed-recipients",
        "x-loop",
        "x-original-to",
    }
)
