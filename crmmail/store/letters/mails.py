"""Incoming mails as such: the original, and the decision about it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain

from crmmail.core.copies import BEFORE_ADDRESSES
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import NotFound
from crmmail.store.engine import blobs, sql
from crmmail.store.engine.blobs import Bytes
from crmmail.store.engine.values import moment, unjson

SMALL = 1 << 14  # bytes of a mail that a window of zlib's 14 bits holds whole
SLICE = 1 << 20  # bytes; a header that is read fits into the first one
SQUEEZED = 1 << 20  # bytes up to which a mail is compressed well rather than fast


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


def filed(message_ids: Sequence[str]) -> dict[str, list[int]]:
    """Message-ID → the mails that bear it and are kept; not those that wait for a route, which may have found one
    since."""
    text = f"""
        SELECT message_id, id FROM crm_original AS original
        WHERE message_id IN ({sql.marks(len(message_ids))}) AND data IS NOT NULL AND (
            EXISTS (SELECT 1 FROM crm_message WHERE crm_message.original_id = original.id)
            OR EXISTS (
                SELECT 1 FROM crm_quarantine held
                WHERE held.original_id = original.id AND held.reason IN ({sql.marks(len(BEFORE_ADDRESSES))})))"""
    found: dict[str, list[int]] = {}
    for message_id, number in sql.rows(text, *message_ids, *BEFORE_ADDRESSES) if message_ids else ():
        found.setdefault(message_id, []).append(int(number))
    return found


def in_several_records() -> set[int]:
    """The originals that are in more than one record."""
    text = """
        SELECT original_id FROM crm_message WHERE original_id IS NOT NULL
        GROUP BY original_id HAVING COUNT(*) > 1"""
    return {number for (number,) in sql.rows(text)}


def is_letter(number: int, letter: bytes) -> bool:
    """Is this mail, byte for byte, that letter?  One of another size is not even read."""
    data = sql.value("SELECT data FROM crm_original WHERE id = ? AND size = ?", number, len(letter))
    return data is not None and zlib.decompress(bytes(data)) == letter


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
