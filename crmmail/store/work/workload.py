"""Who could get new work, and how busy he is."""

from __future__ import annotations

from datetime import datetime

from crmmail.core.record import KINDS
from crmmail.core.section import Candidate
from crmmail.store.engine import sql
from crmmail.store.engine.values import moment


def candidates(section: int, now: datetime | None = None) -> list[Candidate]:
    """Everybody who could get a new record of a section, with how busy he is; who is on leave `now` could not."""
    present = "u.active" if now is None else "u.active AND (u.away_until IS NULL OR u.away_until <= ?)"
    users = sql.rows(f"SELECT u.id FROM crm_user u WHERE {present} ORDER BY u.id", *([] if now is None else [now]))
    return [Candidate(user, _load(user), _last_turn(user, section)) for (user,) in users]


def _load(user: int) -> int:
    """How many unfinished records somebody has."""
    found = 0
    for name in ("case", "lead"):
        states = [state for state in KINDS[name].states if state not in KINDS[name].done]
        busy = f"SELECT COUNT(*) FROM crm_{name} WHERE responsible_id = ? AND state IN ({sql.marks(len(states))})"
        found += int(sql.value(busy, user, *states))
    return found


def _last_turn(user: int, section: int) -> str:
    """When somebody was last given a record of a section; "" never."""
    given = "SELECT MAX(assigned) FROM crm_{} WHERE section_id = ? AND responsible_id = ?"
    return max(str(moment(sql.value(given.format(name), section, user)) or "") for name in ("case", "lead"))
