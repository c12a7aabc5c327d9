"""Programs that rules want to run: queued with the rule's transaction, claimed and run after it."""

from __future__ import annotations

from datetime import datetime

from peewee import fn

from crmmail.core import retry
from crmmail.core.typed import Any, NamedTuple
from crmmail.store import tables as t


class Call(NamedTuple):
    id: int
    record: int
    program: str
    payload: dict[str, Any]
    attempts: int
    due: datetime
    reason: str  # what the last try said


def put_call(record: int, rule: int | None, program: str, payload: dict[str, Any], now: datetime) -> int:
    """A program to run, due at once."""
    row = t.HookCall.create(thread=record, rule=rule, program=program, payload=payload, due=now, created=now)
    return int(row.id)


def claim(now: datetime, until: datetime) -> Call | None:
    """Takes the oldest queued call that is due, so that nobody else runs it before `until`; inside a transaction.

    The try counts from here: a program that kills its caller must not be run for ever.
    """
    # One that is due so late was put off by a clock that went wrong.
    due = (t.HookCall.due <= now) | (t.HookCall.due > now + retry.FARTHEST)
    queued = (t.HookCall.state == "queued") & due
    row = t.HookCall.select().where(queued).order_by(t.HookCall.due, t.HookCall.id).first()
    if row is None:
        return None
    t.HookCall.update(due=until, attempts=row.attempts + 1).where(t.HookCall.id == row.id).execute()
    return Call(row.id, row.thread_id, row.program, row.payload, row.attempts + 1, until, row.reason or "")


def settle(number: int, attempts: int, **columns: Any) -> bool:
    """What came of a try; False where the claim had run out and somebody else has tried since."""
    mine = (t.HookCall.id == number) & (t.HookCall.attempts == attempts) & (t.HookCall.state == "queued")
    return bool(t.HookCall.update(**columns).where(mine).execute())


def failed_since(moment: datetime) -> list[Call]:
    """What was given up since then, the oldest first."""
    rows = t.HookCall.select().where(t.HookCall.state == "failed", t.HookCall.due >= moment).order_by(t.HookCall.id)
    return [
        Call(row.id, row.thread_id, row.program, row.payload, row.attempts, row.due, row.reason or "") for row in rows
    ]


def oldest_waiting() -> datetime | None:
    """Since when the oldest queued call has been due."""
    value: datetime | None = t.HookCall.select(fn.MIN(t.HookCall.due)).where(t.HookCall.state == "queued").scalar()
    return value
