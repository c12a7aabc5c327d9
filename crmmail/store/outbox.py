"""The outbox: one row is one mail to one recipient, from queued to sent, failed, bounced or cancelled.

A worker claims rows before it sends them, so that two never send one.  A claim holds while its process lives, at most
until its lease ends: a worker that was killed leaves its rows to the next one at once.  Leases go by the real clock,
whatever `$CRMMAIL_NOW` says, for they are about processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from peewee import fn

from crmmail.core.message import Address
from crmmail.store import tables as t


class Delivery(NamedTuple):
    id: int
    message: int
    record: int
    to: str
    state: str
    attempts: int
    reason: str
    subject: str
    identifier: str
    user: int | None
    contact: int | None
    purpose: str
    role: str
    why: str
    failure: str
    due: datetime
    created: datetime
    sent: datetime | None
    left: bool  # a copy of it went out whole: it was sent, or may have arrived


TROUBLE = ("failed", "bounced")  # states that nobody mends but a person


# --- writing ------------------------------------------------------------------------------------------------


def put_delivery(message: int, thread: int, **columns: Any) -> int:
    """One recipient of one outgoing mail, queued."""
    return t.Delivery.create(message=message, thread=thread, **columns).id


def change(number: int, **columns: Any) -> None:
    t.Delivery.update(**columns).where(t.Delivery.id == number).execute()


# --- claiming -----------------------------------------------------------------------------------------------


def claim(
    worker: str,
    due: datetime,
    now: datetime,
    lease: datetime,
    *,
    alive: Callable[[str], bool],
    numbers: Sequence[int] | None = None,
    limit: int,
) -> list[int]:
    """Takes queued rows that are due for this worker; their numbers, oldest first.  Inside a transaction.

    Args:
        due: rows that are due by then (the house's clock).
        now, lease: the real time, and until when the claim holds.
        alive: worker → may it still be sending?
        numbers: only these rows.
    """
    waiting = (t.Delivery.state == "queued") & _is_due(due)
    if numbers is not None:
        waiting &= t.Delivery.id.in_(list(numbers))
    workers = t.Delivery.select(t.Delivery.worker).where(waiting, t.Delivery.worker.is_null(False)).distinct()
    dead = [row.worker for row in workers if row.worker == worker or not alive(row.worker)]
    free = t.Delivery.worker.is_null() | (t.Delivery.lease < now) | t.Delivery.worker.in_(dead)
    rows = t.Delivery.select(t.Delivery.id).where(waiting, free).order_by(t.Delivery.due, t.Delivery.id).limit(limit)
    claimed = [row.id for row in rows]
    t.Delivery.update(worker=worker, lease=lease).where(t.Delivery.id.in_(claimed)).execute()
    return claimed


def _is_due(due: datetime) -> Any:
    """The condition that a row is due by then, or so late that only a wrong clock can have said so."""
    from crmmail.core import retry  # which a delivery has no use for

    return (t.Delivery.due <= due) | (t.Delivery.due > due + retry.FARTHEST)


def renew(number: int, worker: str, lease: datetime) -> bool:
    """Is the row still this worker's, and still to be sent?  Then it is for a while longer."""
    mine = (t.Delivery.id == number) & (t.Delivery.worker == worker) & (t.Delivery.state == "queued")
    return bool(t.Delivery.update(lease=lease).where(mine).execute())


def is_mine(number: int, worker: str) -> bool:
    """Is the row still this worker's, and still to be sent?  Somebody may have deleted its message since."""
    mine = (t.Delivery.id == number) & (t.Delivery.worker == worker) & (t.Delivery.state == "queued")
    return bool(t.Delivery.select(t.Delivery.id).where(mine).tuples().first())


def settle(number: int, worker: str, **columns: Any) -> bool:
    """What came of the row, and the claim ends; False where somebody else has it now."""
    mine = (t.Delivery.id == number) & (t.Delivery.worker == worker)
    return bool(t.Delivery.update(worker=None, lease=None, **columns).where(mine).execute())


def release(numbers: Iterable[int], worker: str) -> None:
    """Gives rows back that were claimed and not tried."""
    mine = t.Delivery.id.in_(list(numbers)) & (t.Delivery.worker == worker)
    t.Delivery.update(worker=None, lease=None).where(mine).execute()


def in_work(numbers: Sequence[int], now: datetime, alive: Callable[[str], bool]) -> list[int]:
    """Which of these rows somebody is sending at this moment."""
    rows = t.Delivery.select().where(t.Delivery.id.in_(list(numbers)), t.Delivery.worker.is_null(False))
    return [row.id for row in rows if row.lease and row.lease >= now and alive(row.worker)]


# --- reading ------------------------------------------------------------------------------------------------


def deliveries(
    *,
    messages: Sequence[int] | None = None,
    states: Sequence[str] | None = None,
    numbers: Sequence[int] | None = None,
    limit: int | None = None,
    newest: bool = False,
) -> list[Delivery]:
    """Outgoing mails, oldest first; with `newest` the limit keeps the newest."""
    query = (
        t.Delivery.select(*_COLUMNS)
        .join(t.Message)
        .join(t.Thread, on=(t.Delivery.thread == t.Thread.id))
        .order_by(t.Delivery.id.desc() if newest else t.Delivery.id)
    )
    if messages is not None:
        query = query.where(t.Delivery.message.in_(list(messages)))
    if numbers is not None:
        query = query.where(t.Delivery.id.in_(list(numbers)))
    if states is not None:
        query = query.where(t.Delivery.state.in_(list(states)))
    found = [Delivery(*row) for row in query.limit(limit).tuples()]
    return found[::-1] if newest else found


_COLUMNS = (  # in the order of Delivery; tuples, for an object a row takes five times as long
    t.Delivery.id,
    t.Delivery.message,
    t.Delivery.thread,
    t.Delivery.address,
    t.Delivery.state,
    t.Delivery.attempts,
    fn.COALESCE(t.Delivery.reason, ""),
    fn.COALESCE(fn.NULLIF(t.Message.subject, ""), t.Thread.title),
    t.Delivery.identifier,
    t.Delivery.user,
    t.Delivery.contact,
    t.Delivery.purpose,
    t.Delivery.role,
    t.Delivery.why,
    fn.COALESCE(t.Delivery.failure, ""),
    t.Delivery.due,
    t.Delivery.created,
    t.Delivery.sent,
    t.Delivery.content_hash.is_null(False),
)


def unread(number: int) -> Delivery:
    """A row of which nothing is known but its number."""
    never = datetime.fromtimestamp(0, UTC)
    return Delivery(
        number, 0, 0, "somebody", "queued", 0, "", "", "", None, None, "mail", "to", "", "", never, never, None, False
    )


def envelope(of: Any) -> Any:
    """SQL: the worst that became of the letters of a message or thread: bounced, failed, queued (tried in vain), or
    null.  Notifications to users count for nothing here: they are told in their inbox.

    Args:
        of: the condition that says whose deliveries, such as `Delivery.thread == Thread.id`.
    """
    tried = (t.Delivery.state == "queued") & (t.Delivery.attempts > 0)
    letters = (t.Delivery.purpose == "mail") | t.Delivery.user.is_null()
    worst = t.Delivery.select(fn.MIN(t.Delivery.state))  # which the alphabet happens to sort by weight
    return worst.where(of, letters, t.Delivery.state.in_(TROUBLE) | tried)


ENVELOPES = {"bounced": "bounced", "failed": "failed", "queued": "waiting"}  # state → as people and programs read it


def count_due(due: datetime, numbers: Sequence[int] | None = None) -> int:
    """How many rows wait to be sent now."""
    query = t.Delivery.select().where(t.Delivery.state == "queued", _is_due(due))
    return int((query.where(t.Delivery.id.in_(list(numbers))) if numbers is not None else query).count())


def has_left_since(moment: datetime) -> bool:
    """Has any mail left since then?"""
    return bool(t.Delivery.select(t.Delivery.id).where(t.Delivery.sent >= moment).tuples().first())


def counts() -> dict[str, int]:
    """State → how many outgoing mails."""
    rows = t.Delivery.select(t.Delivery.state, fn.COUNT(t.Delivery.id)).group_by(t.Delivery.state)
    return dict(rows.tuples())


def count_late(due: datetime) -> int:
    """How many mails wait that were tried in vain, or should have left by then."""
    late = (t.Delivery.attempts > 0) | (t.Delivery.due < due)
    return int(t.Delivery.select().where(t.Delivery.state == "queued", late).count())


def oldest_waiting() -> datetime | None:
    """Since when the oldest queued mail has been due."""
    value: datetime | None = t.Delivery.select(fn.MIN(t.Delivery.due)).where(t.Delivery.state == "queued").scalar()
    return value


def copies_since(thread: int, addresses: Iterable[str], since: datetime) -> dict[str, int]:
    """Address → how many copies of a record's letters were written to it, outside the house, since then."""
    row = t.Delivery
    mine = (row.thread == thread) & row.address.in_(list(addresses)) & row.user.is_null() & (row.created > since)
    counted = row.select(row.address, fn.COUNT(row.id)).where(mine, row.purpose == "notification")
    return dict(counted.group_by(row.address).tuples())


def answers_by_mail_since(thread: int, addresses: Iterable[str], since: datetime) -> dict[str, int]:
    """Address → how many answers that users gave by mail were written to it about a record since then."""
    row = t.Delivery
    mine = (row.thread == thread) & row.address.in_(list(addresses)) & (row.created > since) & (row.purpose == "mail")
    counted = row.select(row.address, fn.COUNT(row.id)).join(t.Message).where(mine, t.Message.original.is_null(False))
    return dict(counted.group_by(row.address).tuples())


def by_identifier(identifiers: Iterable[str]) -> dict[str, int]:
    """Message-ID → the row that it was made for."""
    wanted = [one.lower() for one in identifiers]
    rows = t.Delivery.select(t.Delivery.id, t.Delivery.identifier).where(t.Delivery.identifier.in_(wanted))
    return {row.identifier: row.id for row in rows}


def identifiers(thread: int, address: str) -> list[tuple[int, str]]:
    """(message, Message-ID) of the mails about a record that left, or will, to an address."""
    rows = t.Delivery.select(t.Delivery.message, t.Delivery.identifier).where(
        t.Delivery.thread == thread, t.Delivery.address == address, t.Delivery.state != "cancelled"
    )
    return [(row.message_id, row.identifier) for row in rows.order_by(t.Delivery.id)]


class Named(NamedTuple):
    """Whom a letter of ours names: those whom it was sent to, and nobody else."""

    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()


def named(messages: Iterable[int]) -> dict[int, Named]:
    """The To and Cc of letters of ours, with the names."""
    wanted = list(messages)
    people = t.MessageAddress.select().where(t.MessageAddress.message.in_(wanted))
    names = {(row.message_id, row.address): row.name for row in people}
    found: dict[int, dict[str, list[Address]]] = {number: {"to": [], "cc": []} for number in wanted}
    rows = t.Delivery.select(t.Delivery.message, t.Delivery.role, t.Delivery.address).where(
        t.Delivery.message.in_(wanted), t.Delivery.purpose == "mail", t.Delivery.role.in_(["to", "cc"])
    )
    for row in rows.order_by(t.Delivery.id):
        name = names.get((row.message_id, row.address), "")
        found[row.message_id][row.role].append(Address(name, row.address))
    return {number: Named(tuple(one["to"]), tuple(one["cc"])) for number, one in found.items()}


# --- addresses that bounced ---------------------------------------------------------------------------------


def mark_bad(address: str, since: datetime, reason: str, delivery: int) -> None:
    """Remembers that an address does not exist."""
    t.BadAddress.replace(address=address, since=since, reason=reason, delivery=delivery).execute()


def bad(addresses: Iterable[str] | None = None) -> dict[str, tuple[datetime, str]]:
    """Address → since when and why, of those of them (of all there are) that bounced."""
    rows = t.BadAddress.select()
    if addresses is not None:
        rows = rows.where(t.BadAddress.address.in_(list(addresses)))
    return {row.address: (row.since, row.reason) for row in rows}


def forgive(address: str) -> None:
    """The address is alive: somebody wrote from it, or a person believes so."""
    t.BadAddress.delete().where(t.BadAddress.address == address).execute()
