"""Rules as they are kept, and the ledger of what they did."""

from __future__ import annotations

from datetime import datetime

from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import NotFound
from crmmail.store.engine import sql
from crmmail.store.engine.standing import standing
from crmmail.store.engine.values import moment, unjson


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


_KEPT = "SELECT r.id, r.name, r.sequence, r.active, r.dated, r.spec, r.changed FROM crm_rule r"


@standing
def rules(*, active: bool | None = None, dated: bool | None = None) -> list[Kept]:
    """By sequence and number; None: whether or not."""
    found = [_kept(row) for row in sql.rows(f"{_KEPT} ORDER BY r.sequence, r.id")]
    return [one for one in found if active in (None, one.active) and dated in (None, one.dated)]


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
    row = sql.row(f"{_KEPT} JOIN crm_message m ON m.rule_id = r.id WHERE m.id = ?", message)
    return _kept(row) if row else None


def put_rule(number: int | None, **columns: Any) -> int:
    """Makes a rule (None), or changes one."""
    if number is None:
        usual = {"sequence": 10, "active": True, "dated": False, "spec": {}}
        return sql.insert("crm_rule", **usual | columns)
    sql.change("crm_rule", "id", number, **columns)
    return number


def acted(number: int) -> bool:
    """Did a rule ever do something, or try to?  Then it must stay, for the history names it."""
    return sql.row("SELECT 1 FROM crm_firing WHERE rule_id = ? LIMIT 1", number) is not None


def _kept(row: sql.Row) -> Kept:
    number, name, sequence, active, dated, kept, changed = row
    spec = unjson(kept)
    broken = not isinstance(spec, dict)
    return Kept(number, name, sequence, bool(active), bool(dated), {} if broken else spec, moment(changed), broken)


# --- the ledger ---------------------------------------------------------------------------------------------


def put_firing(
    rule: int, record: int, at: datetime, sentence: str, *, base: datetime | None = None, failed: str = ""
) -> int:
    """Notes that a rule acted on a record, or that it could not; a later try takes the place of a failed one."""
    if base is not None:
        sql.run(
            "DELETE FROM crm_firing WHERE rule_id = ? AND thread_id = ? AND base = ? AND failed IS NOT NULL",
            rule,
            record,
            base,
        )
    return sql.insert(
        "crm_firing", rule_id=rule, thread_id=record, base=base, at=at, sentence=sentence, failed=failed or None
    )


_FIRINGS = """
    SELECT f.id, f.rule_id, r.name, f.thread_id, f.base, f.at, f.sentence, f.failed, r.changed
    FROM crm_firing f JOIN crm_rule r ON r.id = f.rule_id"""


def firings(*, record: int | None = None, rule: int | None = None, limit: int | None = None) -> list[Firing]:
    """The newest first."""
    asked = {"f.thread_id = ?": record, "f.rule_id = ?": rule}
    held = [condition for condition, one in asked.items() if one is not None]
    where = f"WHERE {' AND '.join(held)}" if held else ""
    cut, most = sql.cut(limit)
    given = [one for one in asked.values() if one is not None]
    rows = sql.rows(f"{_FIRINGS} {where} ORDER BY f.id DESC {cut}", *given, *most)
    return [_firing(row) for row in rows]


def failures(since: datetime) -> list[Firing]:
    """What rules could not do since then and have not done later, the newest first."""
    rows = sql.rows(f"{_FIRINGS} WHERE f.failed IS NOT NULL AND f.at >= ? ORDER BY f.id DESC", since)
    return [_firing(row) for row in rows]


def _firing(row: sql.Row) -> Firing:
    number, rule, name, record, base, at, sentence, failed, changed = row
    return Firing(number, rule, name, record, moment(base), moment(at), sentence, failed or "", moment(changed))
