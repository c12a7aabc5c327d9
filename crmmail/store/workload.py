"""Who could get new work, and how busy he is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from peewee import fn

from crmmail.core.record import KINDS
from crmmail.core.section import Candidate
from crmmail.store import tables as t


def candidates(section: int, now: datetime | None = None) -> list[Candidate]:
    """Everybody who could get a new record of a section, with how busy he is; who is on leave `now` could not."""
    loads: Counter[int] = Counter()
    last: dict[int, str] = {}
    for name in ("case", "lead"):
        table = t.RECORDS[name]
        given = table.responsible.is_null(False)
        busy = table.select(table.responsible, fn.COUNT(table.thread)).where(given)
        busy = busy.where(table.state.not_in(KINDS[name].done)).group_by(table.responsible)
        loads.update(dict(busy.tuples()))
        turns = table.select(table.responsible, fn.MAX(table.assigned)).where(given, table.section == section)
        for user, moment in turns.group_by(table.responsible).tuples():
            last[user] = max(last.get(user, ""), str(moment or ""))
    users: Iterable[Any] = t.User.select(t.User.id).where(t.User.active).order_by(t.User.id)
    if now is not None:
        users = users.where(t.User.away_until.is_null() | (t.User.away_until <= now))
    return [Candidate(row.id, loads[row.id], last.get(row.id, "")) for row in users]
