"""Rules as they are kept, and the ledger of what they did."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from crmmail.errors import NotFound
from crmmail.store import tables as t


class Kept(NamedTuple):
    """A rule as it is kept; `core.rulebook` makes a `core.rule.Rule` of it."""

    id: int
    name: str
    sequence: int
    active: bool
    dated: bool
    spec: dict[str, Any]
    changed: datetime
    broken: bool = False  # what is kept of it is no JSON table, so `spec` is empty


class Firing(NamedTuple):
    """A row of the ledger."""

    id: int
    rule: int
    name: str
    record: int
    base: datetime | None
    at: datetime
    sentence: str
    failed: str  # why it could not; "" if it could
    changed: datetime  # when its rule was changed last


# --- the rules ----------------------------------------------------------------------------------------------


def rules(*, active: bool | None = None, dated: bool | None = None) -> list[Kept]:
    """By sequence and number; None: whether or not."""
    query = t.Rule.select().order_by(t.Rule.sequence, t.Rule.id)
    if active is not None:
        query = query.where(t.Rule.active == active)
    if dated is not None:
        query = query.where(t.Rule.dated == dated)
    return [_kept(row) for row in query]


def rule(name: str) -> Kept:
    """The rule with that name (letter case does not matter), else with that number.

    Raises:
        NotFound: with the names there are.
    """
    known = rules()
    named = [one for one in known if one.name.lower() == " ".join(name.split()).lower()]
    for one in named or (one for one in known if name.removeprefix("#") == str(one.id)):
        return one
    names = ", ".join(repr(one.name) for one in known)
    raise NotFound(f"there is no rule {name!r}; rules: {names or 'none yet (crmmail rules add NAME …)'}")


def wrote(message: int) -> Kept | None:
    """The rule that wrote a message; None where none did."""
    row = t.Rule.select().join(t.Message, on=(t.Message.rule == t.Rule.id)).where(t.Message.id == message).first()
    return _kept(row) if row else None


def put_rule(number: int | None, **columns: Any) -> int:
    """Makes a rule (None), or changes one."""
    if number is None:
        return int(t.Rule.create(**columns).id)
    t.Rule.update(**columns).where(t.Rule.id == number).execute()
    return number


def acted(number: int) -> bool:
    """Did a rule ever do something, or try to?  Then it must stay, for the history names it."""
    return bool(t.Firing.select().where(t.Firing.rule == number).exists())


def _kept(row: Any) -> Kept:
    broken = not isinstance(row.spec, dict)
    spec = {} if broken else row.spec
    return Kept(row.id, row.name, row.sequence, row.active, row.dated, spec, row.changed, broken)


# --- the ledger ---------------------------------------------------------------------------------------------


def put_firing(
    rule: int, record: int, at: datetime, sentence: str, *, base: datetime | None = None, failed: str = ""
) -> int:
    """Notes that a rule acted on a record, or that it could not; a later try takes the place of a failed one."""
    if base is not None:
        same = (t.Firing.rule == rule) & (t.Firing.thread == record) & (t.Firing.base == base)
        t.Firing.delete().where(same & t.Firing.failed.is_null(False)).execute()
    row = t.Firing.create(rule=rule, thread=record, base=base, at=at, sentence=sentence, failed=failed or None)
    return int(row.id)


def firings(*, record: int | None = None, rule: int | None = None, limit: int | None = None) -> list[Firing]:
    """The newest first."""
    query = _firings().order_by(t.Firing.id.desc()).limit(limit)
    if record is not None:
        query = query.where(t.Firing.thread == record)
    if rule is not None:
        query = query.where(t.Firing.rule == rule)
    return [_firing(row) for row in query]


def failures(since: datetime) -> list[Firing]:
    """What rules could not do since then and have not done later, the newest first."""
    query = _firings().where(t.Firing.failed.is_null(False), t.Firing.at >= since)
    return [_firing(row) for row in query.order_by(t.Firing.id.desc())]


def _firings() -> Any:
    return t.Firing.select(t.Firing, t.Rule.id, t.Rule.name, t.Rule.changed).join(t.Rule)


def _firing(row: Any) -> Firing:
    return Firing(
        row.id,
        row.rule_id,
        row.rule.name,
        row.thread_id,
        row.base,
        row.at,
        row.sentence,
        row.failed or "",
        row.rule.changed,
    )
