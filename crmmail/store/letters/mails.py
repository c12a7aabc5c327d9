"""Incoming mails as such: the original, the decision about it, and quarantine."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain

from crmmail.core.copies import BEFORE_ADDRESSES
from crmmail.core.message import Mail
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import NotFound
from crmmail.store.engine import blobs, sql
from crmmail.store.engine.blobs import Bytes
from crmmail.store.engine.values import moment, unjson

SMALL = 1 << 14  # bytes of a mail that a window of zlib's 14 bits holds whole
SLICE = 1 << 20  # bytes; a header that is read fits into the first one
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


def unpacked(slices: Iterable[bytes], size: int) -> bytes:
    """The first `size` bytes of a mail that is `compressed`."""
    unpacker = zlib.decompressobj()
    begin = b""
    for piece in slices:
        begin += unpacker.decompress(piece, size - len(begin))
        if len(begin) >= size:
            break
    return begin


def unpacked_slices(slices: Iterable[bytes]) -> Iterator[bytes]:
    """A mail that is `compressed`, in pieces of SLICE bytes at most."""
    unpacker = zlib.decompressobj()
    for piece in slices:
        left = piece
        while left:
            yield unpacker.decompress(left, SLICE)
            left = unpacker.unconsumed_tail
    yield unpacker.flush()


def _packer(first: bytes, size: int) -> zlib._Compress:
    """A big mail is mostly a file that was compressed before: then only its base64 gives something, in a third of the
    time.  The first slice tells."""
    if size <= SMALL:
        # As small in half the time: its tables need not be asked from the kernel for each mail.
        return zlib.compressobj(6, zlib.DEFLATED, 14, 7)
    if size <= SQUEEZED:
        return zlib.compressobj(6)
    if len(zlib.compress(first, 1)) < 0.7 * len(first):
        return zlib.compressobj(1)
    return zlib.compressobj(1, strategy=zlib.Z_HUFFMAN_ONLY)


def find_original(message_id: str, content_hash: str) -> int | None:
    """An equal mail that is here already."""
    row = sql.row("SELECT id FROM crm_original WHERE message_id = ? AND content_hash = ?", message_id, content_hash)
    return int(row[0]) if row else None


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
    """Stores a mail as it came, of which no equal one is here; its number.

    Args:
        size: how many bytes came.
        data: the same, `compressed`; None where they are not to be kept.
    """
    return blobs.insert(
        "crm_original",
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
    data = sql.value("SELECT data FROM crm_original WHERE id = ?", number)
    if data is None:
        purged = sql.row("SELECT 1 FROM crm_quarantine WHERE original_id = ? AND state = 'purged' LIMIT 1", number)
        why = "was purged" if purged else "was not kept (see `crmmail aliases`)"
        raise NotFound(f"the original of this mail {why}")
    return zlib.decompress(bytes(data))


def filed(message_ids: Sequence[str]) -> dict[str, list[bytes]]:
    """Message-ID → the letters that bear it and are kept, each `compressed`; not of those that wait for a route, which
    may have found one since."""
    text = f"""
        SELECT message_id, data FROM crm_original AS original
        WHERE message_id IN ({sql.marks(len(message_ids))}) AND data IS NOT NULL AND (
            EXISTS (SELECT 1 FROM crm_message WHERE crm_message.original_id = original.id)
            OR EXISTS (
                SELECT 1 FROM crm_quarantine held
                WHERE held.original_id = original.id AND held.reason IN ({sql.marks(len(BEFORE_ADDRESSES))})))"""
    found: dict[str, list[bytes]] = {}
    for message_id, data in sql.rows(text, *message_ids, *BEFORE_ADDRESSES) if message_ids else ():
        found.setdefault(message_id, []).append(bytes(data))
    return found


def in_several_records() -> set[int]:
    """The originals that are in more than one record."""
    text = """
        SELECT original_id FROM crm_message WHERE original_id IS NOT NULL
        GROUP BY original_id HAVING COUNT(*) > 1"""
    return {number for (number,) in sql.rows(text)}


def is_letter(data: bytes, letter: bytes) -> bool:
    """Are these `compressed` bytes that letter?"""
    packer = zlib.decompressobj()
    return packer.decompress(data, len(letter) + 1) == letter and not packer.unconsumed_tail


def beginning(number: int, size: int) -> bytes:
    """The first `size` bytes of a mail; none where they are not kept."""
    data = sql.value("SELECT data FROM crm_original WHERE id = ?", number)
    return b"" if data is None else unpacked([bytes(data)], size)


def original_of(message: int) -> int:
    row = sql.row("SELECT original_id FROM crm_message WHERE id = ?", message)
    if row is None:
        raise NotFound(f"there is no message {message}")
    if row[0] is None:
        raise NotFound(f"message {message} did not come by mail")
    return int(row[0])


# --- decisions ----------------------------------------------------------------------------------------------


_USUAL = {"created": False, "counted": True, "sender": "", "evidence": []}


def put_decision(original: int, at: datetime, **columns: Any) -> int:
    return sql.insert("crm_decision", original_id=original, at=at, **_USUAL | sql.named(columns))


def decisions(*, original: int) -> list[Verdict]:
    """What was decided about a mail, oldest first."""
    rows = sql.rows(
        "SELECT at, outcome, reason, sentence, recipient, thread_id, message_id, quarantine_id, created, evidence"
        " FROM crm_decision WHERE original_id = ? ORDER BY id",
        original,
    )
    return [
        Verdict(
            moment(at), outcome, reason, sentence, recipient or "", thread, message, quarantine, bool(created),
            unjson(evidence) or [],
        )
        for at, outcome, reason, sentence, recipient, thread, message, quarantine, created, evidence in rows
    ]  # fmt: skip


def mailboxes() -> list[tuple[str, str]]:
    """(mailbox, address of ours that the letter was for), of what has come in: what `doctor` judges by S0's pairs."""
    return sql.rows(
        "SELECT DISTINCT o.mailbox, d.recipient FROM crm_decision d JOIN crm_original o ON o.id = d.original_id"
        " WHERE o.mailbox IS NOT NULL AND d.recipient IS NOT NULL"
    )


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
    return sql.insert(
        "crm_quarantine",
        original_id=original,
        reason=reason,
        sentence=sentence,
        recipient=recipient or None,
        recipients=named or ([recipient] if recipient else []),
        from_name=(mail.sender.name or mail.from_line) if mail else "",
        from_address=mail.sender.address if mail else "",
        subject=mail.subject if mail else "",
        text=mail.text[:EXCERPT] if mail else "",
        candidate_id=candidate,
        internal=internal,
        state="waiting",
        received=received,
    )


_HELD = """
    SELECT q.id, q.reason, q.sentence, q.from_name, q.from_address, q.recipient, q.recipients, q.subject, q.text,
        q.received, o.size, q.state, q.candidate_id, q.message_id, q.original_id, q.internal, u.login
    FROM crm_quarantine q LEFT JOIN crm_original o ON o.id = q.original_id
    LEFT JOIN crm_user u ON u.id = q.decided_by_id"""


def held(
    *,
    everything: bool = False,
    reasons: Sequence[str] = (),
    limit: int | None = None,
    before: int | None = None,
) -> list[int]:
    """The numbers of the letters in quarantine, newest first.

    Args:
        everything: what was decided, too.
        reasons: only those that are there for one of these.
        limit: the newest so many.
        before: of those that are older than this one.
    """
    conditions = [
        *(["id < ?"] if before is not None else []),
        *([] if everything else ["state = 'waiting'"]),
        *([f"reason IN ({sql.marks(len(reasons))})"] if reasons else []),
    ]
    asked = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    cut, most = sql.cut(limit)
    until = [before] if before is not None else []
    found = sql.rows(f"SELECT id FROM crm_quarantine {asked} ORDER BY id DESC {cut}", *until, *reasons, *most)
    return [number for (number,) in found]


def reasons(*, everything: bool = False) -> list[str]:
    """Why letters are in quarantine; `everything`: or were."""
    asked = "" if everything else "WHERE state = 'waiting'"
    return [one for (one,) in sql.rows(f"SELECT DISTINCT reason FROM crm_quarantine {asked} ORDER BY reason")]


def listed(numbers: Iterable[int]) -> Iterator[Quarantined]:
    """Letters in quarantine by their numbers, in that order, read a part at a time."""
    for some in sql.parts(numbers):
        found = {row[0]: row for row in sql.rows(f"{_HELD} WHERE q.id IN ({sql.marks(len(some))})", *some)}
        yield from (_quarantined(found[one]) for one in some if one in found)


def _quarantined(row: sql.Row) -> Quarantined:
    (
        number, reason, sentence, from_name, from_address, recipient, recipients, subject, text, received, size, state,
        candidate, message, original, internal, decided_by,
    ) = row  # fmt: skip
    return Quarantined(
        number,
        reason,
        sentence,
        from_name,
        from_address,
        recipient or "",
        unjson(recipients) or [],
        subject,
        text,
        moment(received),
        size or 0,
        state,
        candidate,
        message,
        original,
        bool(internal),
        decided_by or "",
    )


def held_for(thread: int) -> dict[int, str]:
    """The letters that wait and may belong to a record, each with the reason."""
    return dict(
        sql.rows(
            "SELECT id, reason FROM crm_quarantine WHERE candidate_id = ? AND state = 'waiting' ORDER BY id", thread
        )
    )


def find_quarantined(message_id: str, content_hash: str) -> int | None:
    """The row of an equal letter that is in quarantine already."""
    row = sql.row(
        "SELECT q.id FROM crm_quarantine q JOIN crm_original o ON o.id = q.original_id"
        " WHERE o.message_id = ? AND o.content_hash = ? LIMIT 1",
        message_id,
        content_hash,
    )
    return int(row[0]) if row else None


def quarantined(number: int) -> Quarantined:
    found = list(listed([number]))
    if not found:
        raise NotFound(f"there is no letter {number} in quarantine")
    return found[0]


def purge_quarantine(number: int) -> None:
    """Removes the letter's bytes and text for good; what was decided about it stays to be read."""
    original = quarantined(number).original
    sql.change("crm_quarantine", "id", number, state="purged", text="")
    in_use = (
        "SELECT 1 FROM crm_message WHERE original_id = ? LIMIT 1",
        "SELECT 1 FROM crm_quarantine WHERE original_id = ? AND state <> 'purged' LIMIT 1",
    )
    if not any(sql.row(text, original) for text in in_use):
        sql.change("crm_original", "id", original, data=None)


def waiting_by_recipient() -> list[tuple[str, str, int]]:
    """(reason, address, how many), of what waits; the address is "" where a letter names nobody (F113, F133)."""
    counts: dict[tuple[str, str], int] = {}
    waiting = "SELECT reason, recipient, recipients FROM crm_quarantine WHERE state = 'waiting'"
    for reason, *addresses in sql.rows(waiting):
        address = _addressed(*addresses)
        counts[reason, address] = counts.get((reason, address), 0) + 1
    return sorted((reason, address, count) for (reason, address), count in counts.items())


def count_waiting() -> dict[str, int]:
    """Reason → how many letters wait for it."""
    return dict(sql.rows("SELECT reason, COUNT(*) FROM crm_quarantine WHERE state = 'waiting' GROUP BY reason"))


def _addressed(recipient: str | None, recipients: str | None) -> str:
    """The address that a letter came for; "" where it names nobody."""
    return recipient or next(iter(unjson(recipients) or ()), "")


def waiting_for(address: str) -> list[int]:
    """The letters to that address that wait because it made no records, the oldest first."""
    rows = sql.rows(
        "SELECT id, recipient, recipients FROM crm_quarantine"
        " WHERE state = 'waiting' AND reason = 'no-route' ORDER BY id"
    )
    return [number for number, *addresses in rows if _addressed(*addresses) == address]


def last_loop_notice(sender: str, since: datetime) -> bool:
    """Was anybody told of this sender's loop since then?"""
    told = (
        "SELECT 1 FROM crm_quarantine q JOIN crm_notification n ON n.quarantine_id = q.id"
        " WHERE q.reason = 'loop' AND q.from_address = ? AND n.created > ? LIMIT 1"
    )
    return sql.row(told, sender, since) is not None
