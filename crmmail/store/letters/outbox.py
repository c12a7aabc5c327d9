"""The outbox: one row is one mail to one recipient, from queued to sent, failed, bounced or cancelled.

A worker claims rows before it sends them, so that two never send one.  A claim holds while its process lives, at most
until its lease ends: a worker that was killed leaves its rows to the next one at once.  Leases go by the real clock,
whatever `$CRMMAIL_NOW` says, for they are about processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from crmmail.core.message import Address
from crmmail.core.typed import Any, NamedTuple
from crmmail.store import tables as t
from crmmail.store.engine import sql
from crmmail.store.engine.values import moment


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


_USUAL = {"state": "queued", "attempts": 0, "role": "copy", "why": ""}


def put_delivery(message: int, thread: int, **columns: Any) -> int:
    """One recipient of one outgoing mail, queued."""
    return sql.insert("crm_delivery", message_id=message, thread_id=thread, **_USUAL | sql.named(columns))


def change(number: int, **columns: Any) -> None:
    sql.change("crm_delivery", "id", number, **sql.named(columns))


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


def newest_waiting() -> tuple[int, int]:
    """The numbers of the newest outgoing mail and of the newest call of a hook: other ones than before mean that there
    is something to send or to run."""
    found = sql.row("SELECT (SELECT MAX(id) FROM crm_delivery), (SELECT MAX(id) FROM crm_hook_call)")
    return (found[0] or 0, found[1] or 0) if found else (0, 0)


_SELECT = """
    SELECT d.id, d.message_id, d.thread_id, d.address, d.state, d.attempts, COALESCE(d.reason, ''),
        COALESCE(NULLIF(m.subject, ''), h.title), d.identifier, d.user_id, d.contact_id, d.purpose, d.role, d.why,
        COALESCE(d.failure, ''), d.due, d.created, d.sent, d.content_hash IS NOT NULL
    FROM crm_delivery d JOIN crm_message m ON m.id = d.message_id JOIN crm_thread h ON h.id = d.thread_id
    WHERE"""


def _delivery(row: sql.Row) -> Delivery:
    *begin, due, created, sent, left = row
    return Delivery._make((*begin, moment(due), moment(created), moment(sent), bool(left)))


def deliveries(
    *, messages: Sequence[int] | None = None, states: Sequence[str] | None = None, numbers: Sequence[int] | None = None
) -> list[Delivery]:
    """Outgoing mails of these messages, in these states, with these numbers; oldest first."""
    found: list[Delivery] = []
    for key, wanted in (("message_id", messages), ("id", numbers)):
        for some in sql.parts(wanted or ()):
            found += map(_delivery, sql.rows(f"{_SELECT} d.{key} IN ({sql.marks(len(some))})", *some))
    if messages is None and numbers is None:
        found = list(listed(identified(states)))
    return sorted(one for one in found if states is None or one.state in states)


def identified(states: Sequence[str] | None, *, limit: int | None = None, before: int | None = None) -> list[int]:
    """The numbers of outgoing mails, oldest first.

    Args:
        states: in any of these; None: all there ever were.
        limit: the newest so many of them.
        before: of those that are older than this one.
    """
    conditions = [
        *([f"state IN ({sql.marks(len(states))})"] if states is not None else []),
        *(["id < ?"] if before is not None else []),
    ]
    asked = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    until = [before] if before is not None else []
    newest, most = ("ORDER BY id DESC LIMIT ?", [limit]) if limit is not None else ("", [])
    rows = sql.rows(f"SELECT id FROM crm_delivery {asked} {newest}", *(states or ()), *until, *most)
    return sorted(number for (number,) in rows)


def listed(numbers: Iterable[int]) -> Iterator[Delivery]:
    """Outgoing mails by their numbers, read a part at a time."""
    for some in sql.parts(numbers):
        found = {row[0]: _delivery(row) for row in sql.rows(f"{_SELECT} d.id IN ({sql.marks(len(some))})", *some)}
        yield from (found[one] for one in some if one in found)


def unread(number: int) -> Delivery:
    """A row of which nothing is known but its number."""
    never = datetime.fromtimestamp(0, UTC)
    return Delivery(
        number, 0, 0, "somebody", "queued", 0, "", "", "", None, None, "mail", "to", "", "", never, never, None, False
    )


def envelope(of: str) -> str:
    """SQL: the worst that became of the letters of a message or thread: bounced, failed, queued (tried in vain), or
    null.  Notifications to users count for nothing here: they are told in their inbox.

    Args:
        of: the condition that says whose deliveries, such as `d.thread_id = h.id`.
    """
    # The alphabet happens to sort the states by weight.
    return f"""
        SELECT MIN(d.state) FROM crm_delivery d
        WHERE {of} AND d.state IN ('bounced', 'failed', 'queued') AND (d.state <> 'queued' OR d.attempts > 0)
            AND (d.purpose = 'mail' OR d.user_id IS NULL)"""


ENVELOPES = {"bounced": "bounced", "failed": "failed", "queued": "waiting"}  # state → as people and programs read it


def count_due(due: datetime, numbers: Sequence[int] | None = None) -> int:
    """How many rows wait to be sent now."""
    query = t.Delivery.select().where(t.Delivery.state == "queued", _is_due(due))
    return int((query.where(t.Delivery.id.in_(list(numbers))) if numbers is not None else query).count())


def has_left_since(then: datetime) -> bool:
    """Has any mail left since then?"""
    return sql.row("SELECT 1 FROM crm_delivery WHERE sent >= ? LIMIT 1", then) is not None


def counts() -> dict[str, int]:
    """State → how many outgoing mails."""
    return dict(sql.rows("SELECT state, COUNT(*) FROM crm_delivery GROUP BY state"))


def count_trouble() -> int:
    """How many mails failed for good, or came back."""
    return int(sql.value("SELECT COUNT(*) FROM crm_delivery WHERE state IN ('failed', 'bounced')"))


def count_late(due: datetime) -> int:
    """How many mails wait that were tried in vain, or should have left by then."""
    late = "SELECT COUNT(*) FROM crm_delivery WHERE state = 'queued' AND (attempts > 0 OR due < ?)"
    return int(sql.value(late, due))


def oldest_waiting() -> datetime | None:
    """Since when the oldest queued mail has been due."""
    found: datetime | None = moment(sql.value("SELECT MIN(due) FROM crm_delivery WHERE state = 'queued'"))
    return found


def copies_since(thread: int, addresses: Iterable[str], since: datetime) -> dict[str, int]:
    """Address → how many copies of a record's letters were written to it, outside the house, since then."""
    wanted = list(addresses)
    rows = sql.rows(
        "SELECT address, COUNT(*) FROM crm_delivery WHERE thread_id = ? AND created > ? AND purpose = 'notification'"
        f" AND user_id IS NULL AND address IN ({sql.marks(len(wanted))}) GROUP BY address",
        thread,
        since,
        *wanted,
    )
    return dict(rows)


def answers_by_mail_since(thread: int, addresses: Iterable[str], since: datetime) -> dict[str, int]:
    """Address → how many answers that users gave by mail were written to it about a record since then."""
    wanted = list(addresses)
    rows = sql.rows(
        "SELECT d.address, COUNT(*) FROM crm_delivery d JOIN crm_message m ON m.id = d.message_id"
        " WHERE d.thread_id = ? AND d.created > ? AND d.purpose = 'mail' AND m.original_id IS NOT NULL"
        f" AND d.address IN ({sql.marks(len(wanted))}) GROUP BY d.address",
        thread,
        since,
        *wanted,
    )
    return dict(rows)


def by_identifier(identifiers: Iterable[str]) -> dict[str, int]:
    """Message-ID → the row that it was made for."""
    found: dict[str, int] = {}
    for some in sql.parts(one.lower() for one in identifiers):
        text = f"SELECT identifier, id FROM crm_delivery WHERE identifier IN ({sql.marks(len(some))})"
        found |= dict(sql.rows(text, *some))
    return found


def identifiers(thread: int, address: str) -> list[tuple[int, str]]:
    """(message, Message-ID) of the mails about a record that left, or will, to an address."""
    return sql.rows(
        "SELECT message_id, identifier FROM crm_delivery"
        " WHERE thread_id = ? AND address = ? AND state <> 'cancelled' ORDER BY id",
        thread,
        address,
    )


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
    sql.run(
        "INSERT INTO crm_bad_address (address, since, reason, delivery_id) VALUES (?, ?, ?, ?) ON CONFLICT (address)"
        " DO UPDATE SET since = excluded.since, reason = excluded.reason, delivery_id = excluded.delivery_id",
        address,
        since,
        reason,
        delivery,
    )


def bad(addresses: Iterable[str]) -> dict[str, tuple[datetime, str]]:
    """Address → since when and why, of those of them that bounced."""
    found: dict[str, tuple[datetime, str]] = {}
    for some in sql.parts(addresses):
        rows = sql.rows(
            f"SELECT address, since, reason FROM crm_bad_address WHERE address IN ({sql.marks(len(some))})", *some
        )
        found |= {address: (moment(since), reason) for address, since, reason in rows}
    return found


def forgive(address: str) -> None:
    """The address is alive: somebody wrote from it, or a person believes so."""
    sql.run("DELETE FROM crm_bad_address WHERE address = ?", address)
