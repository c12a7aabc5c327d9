"""Incoming mails as such: the original, the decision about it, and quarantine."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from peewee import JOIN

from crmmail.core.message import Mail
from crmmail.errors import NotFound
from crmmail.store import blobs
from crmmail.store import tables as t
from crmmail.store.blobs import Bytes

SQUEEZED = 1 << 20  # bytes up to which a mail is compressed well rather than fast
EXCERPT = 2_000  # characters of a quarantined letter's text that the list shows; the whole is in the original


class Quarantined(NamedTuple):
    id: int
    reason: str
    sentence: str
    from_name: str
    from_address: str
    recipient: str
    recipients: list[str]
    subject: str
    text: str
    received: datetime
    size: int
    state: str
    candidate: int | None
    message: int | None
    original: int
    internal: bool
    decided_by: str = ""  # the login of whoever did


class Verdict(NamedTuple):
    """A stored decision."""

    at: datetime
    outcome: str
    reason: str
    sentence: str
    recipient: str
    thread: int | None
    message: int | None
    quarantine: int | None
    created: bool
    evidence: list[str]


# --- originals ----------------------------------------------------------------------------------------------


def compressed(slices: Iterable[bytes], size: int) -> Iterator[bytes]:
    """A mail of `size` bytes as the store keeps it, piece by piece."""
    pieces = iter(slices)
    first = next(pieces, b"")
    packer = _packer(first, size)
    for piece in chain([first], pieces):
        yield packer.compress(piece)
    yield packer.flush()


def _packer(first: bytes, size: int) -> zlib._Compress:
    """A big mail is mostly a file that was compressed before: then only its base64 gives something, in a third of the
    time.  The first slice tells."""
    if size <= SQUEEZED:
        return zlib.compressobj(6)
    if len(zlib.compress(first, 1)) < 0.7 * len(first):
        return zlib.compressobj(1)
    return zlib.compressobj(1, strategy=zlib.Z_HUFFMAN_ONLY)


def put_original(
    message_id: str,
    content_hash: str,
    from_address: str,
    received: datetime,
    *,
    size: int,
    data: Bytes | None,
    mailbox: str = "",
) -> int:
    """Stores the mail as it came; the number of the one that is there already for an equal one, whose bytes may be gone
    on purpose and stay so.

    Args:
        size: how many bytes came.
        data: the same, `compressed`; None where they are not to be kept.
    """
    there = t.Original.get_or_none(t.Original.message_id == message_id, t.Original.content_hash == content_hash)
    if there:
        return there.id
    return blobs.insert(
        t.Original,
        data,
        message_id=message_id,
        content_hash=content_hash,
        from_address=from_address,
        mailbox=mailbox or None,
        received=received,
        size=size,
    )


def original_bytes(number: int) -> bytes:
    """The exact bytes of a mail.

    Raises:
        NotFound: the alias it came by does not keep originals, or it was purged.
    """
    row = t.Original.get_or_none(t.Original.id == number)
    if row is None or row.data is None:
        purged = t.Quarantine.select().where(t.Quarantine.original == number, t.Quarantine.state == "purged").exists()
        why = "was purged" if purged else "was not kept (see `crmmail aliases`)"
        raise NotFound(f"the original of this mail {why}")
    return zlib.decompress(bytes(row.data))


def beginning(number: int, size: int) -> bytes:
    """The first `size` bytes of a mail; none where they are not kept."""
    row = t.Original.get_or_none(t.Original.id == number)
    if row is None or row.data is None:
        return b""
    return zlib.decompressobj().decompress(bytes(row.data), size)


def original_of(message: int) -> int:
    row = t.Message.get_or_none(t.Message.id == message)
    if row is None:
        raise NotFound(f"there is no message {message}")
    if row.original_id is None:
        raise NotFound(f"message {message} did not come by mail")
    return row.original_id


# --- decisions ----------------------------------------------------------------------------------------------


def put_decision(original: int, at: datetime, **columns: Any) -> int:
    return t.Decision.create(original=original, at=at, **columns).id


def decisions(*, original: int) -> list[Verdict]:
    """What was decided about a mail, oldest first."""
    rows = t.Decision.select().where(t.Decision.original == original).order_by(t.Decision.id)
    return [
        Verdict(
            row.at,
            row.outcome,
            row.reason,
            row.sentence,
            row.recipient or "",
            row.thread_id,
            row.message_id,
            row.quarantine_id,
            row.created,
            row.evidence or [],
        )
        for row in rows
    ]


def mailboxes() -> list[tuple[str, str]]:
    """(mailbox, address of ours that the letter was for), of what has come in: what `doctor` judges by S0's pairs."""
    rows = (
        t.Decision.select(t.Original.mailbox, t.Decision.recipient)
        .join(t.Original)
        .where(t.Original.mailbox.is_null(False), t.Decision.recipient.is_null(False))
        .distinct()
    )
    return [(mailbox, recipient) for mailbox, recipient in rows.tuples()]


# --- quarantine ---------------------------------------------------------------------------------------------


def put_quarantine(
    original: int,
    reason: str,
    sentence: str,
    received: datetime,
    *,
    mail: Mail | None,
    recipient: str,
    candidate: int | None,
    internal: bool = False,
) -> int:
    """A row for a letter that waits; `mail` None: it could not be read at all."""
    named = [one.address for one in (*mail.to, *mail.cc) if one.address] if mail else []
    return t.Quarantine.create(
        original=original,
        reason=reason,
        sentence=sentence,
        recipient=recipient or None,
        recipients=named or ([recipient] if recipient else []),
        from_name=(mail.sender.name or mail.from_line) if mail else "",
        from_address=mail.sender.address if mail else "",
        subject=mail.subject if mail else "",
        text=mail.text[:EXCERPT] if mail else "",
        candidate=candidate,
        internal=internal,
        received=received,
    ).id


def quarantine(*, states: Sequence[str] = ("waiting",), numbers: Iterable[int] | None = None) -> list[Quarantined]:
    """Letters in quarantine, newest first."""
    query = (
        t.Quarantine.select(t.Quarantine, t.Original.size.alias("mail_size"), t.User.login.alias("decider"))
        .join(t.Original, JOIN.LEFT_OUTER)
        .join_from(t.Quarantine, t.User, JOIN.LEFT_OUTER)
        .order_by(t.Quarantine.id.desc())
    )
    if numbers is not None:
        query = query.where(t.Quarantine.id.in_(list(numbers)))
    elif states:
        query = query.where(t.Quarantine.state.in_(list(states)))
    return [
        Quarantined(
            row.id,
            row.reason,
            row.sentence,
            row.from_name,
            row.from_address,
            row.recipient or "",
            row.recipients or [],
            row.subject,
            row.text,
            row.received,
            row.mail_size or 0,
            row.state,
            row.candidate_id,
            row.message_id,
            row.original_id,
            row.internal,
            row.decider or "",
        )
        for row in query.objects()
    ]


def held_for(thread: int) -> dict[int, str]:
    """The letters that wait and may belong to a record, each with the reason."""
    rows = t.Quarantine.select(t.Quarantine.id, t.Quarantine.reason).where(
        t.Quarantine.candidate == thread, t.Quarantine.state == "waiting"
    )
    return dict(rows.order_by(t.Quarantine.id).tuples())


def find_quarantined(message_id: str, content_hash: str) -> int | None:
    """The row of an equal letter that is in quarantine already."""
    row = (
        t.Quarantine.select(t.Quarantine.id)
        .join(t.Original)
        .where(t.Original.message_id == message_id, t.Original.content_hash == content_hash)
        .first()
    )
    return int(row.id) if row else None


def quarantined(number: int) -> Quarantined:
    found = quarantine(numbers=[number])
    if not found:
        raise NotFound(f"there is no letter {number} in quarantine")
    return found[0]


def purge_quarantine(number: int) -> None:
    """Removes the letter's bytes and text for good; what was decided about it stays to be read."""
    row = quarantined(number)
    t.Quarantine.update(state="purged", text="").where(t.Quarantine.id == number).execute()
    others = t.Message.select().where(t.Message.original == row.original).exists() or (
        t.Quarantine.select().where(t.Quarantine.original == row.original, t.Quarantine.state != "purged").exists()
    )
    if not others:
        t.Original.update(data=None).where(t.Original.id == row.original).execute()


def waiting_by_recipient() -> list[tuple[str, str, int]]:
    """(reason, address, how many), of what waits; the address is "" where a letter names nobody (F113, F133)."""
    counts: dict[tuple[str, str], int] = {}
    rows = t.Quarantine.select(t.Quarantine.reason, t.Quarantine.recipient, t.Quarantine.recipients).where(
        t.Quarantine.state == "waiting"
    )
    for row in rows:
        address = _addressed(row)
        counts[row.reason, address] = counts.get((row.reason, address), 0) + 1
    return sorted((reason, address, count) for (reason, address), count in counts.items())


def _addressed(row: t.Quarantine) -> str:
    """The address that a letter came for; "" where it names nobody."""
    return str(row.recipient or (row.recipients[0] if row.recipients else ""))


def waiting_for(address: str) -> list[int]:
    """The letters to that address that wait because it made no records, the oldest first."""
    rows = t.Quarantine.select(t.Quarantine.id, t.Quarantine.recipient, t.Quarantine.recipients).where(
        t.Quarantine.state == "waiting", t.Quarantine.reason == "no-route"
    )
    return [row.id for row in rows.order_by(t.Quarantine.id) if _addressed(row) == address]


def last_loop_notice(sender: str, since: datetime) -> bool:
    """Was anybody told of this sender's loop since then?"""
    rows = (
        t.Notification.select()
        .join(t.Quarantine)
        .where(t.Quarantine.reason == "loop", t.Quarantine.from_address == sender, t.Notification.created > since)
    )
    return bool(rows.exists())
