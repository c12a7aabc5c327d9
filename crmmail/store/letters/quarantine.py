"""Quarantine: the letters that wait for a person, and what was decided about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from crmmail.core.message import Mail
from crmmail.core.typed import NamedTuple
from crmmail.errors import NotFound
from crmmail.store.engine import sql
from crmmail.store.engine.values import moment, unjson

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


def put(
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


def find(message_id: str, content_hash: str) -> int | None:
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


def purge(number: int) -> None:
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
