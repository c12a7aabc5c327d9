"""Records as rules see them, and those whose day has come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from crmmail.core import category, section
from crmmail.core.delay import Delay, after
from crmmail.core.record import KINDS
from crmmail.core.rule import DAILY, HOURLY, NOBODY, Facts, Rule
from crmmail.core.typed import Any
from crmmail.store import tables as t
from crmmail.store.engine import sql
from crmmail.store.engine.values import moment
from crmmail.store.work import records

_THREE_DAYS = 3 * 86_400  # seconds


def facts(number: int) -> Facts:
    """A record as `core.rule` sees it, but for the words of its last letter."""
    this = records.record(number)
    acted, partner_wrote = None, None
    if this.state:
        acted, partner_wrote = sql.row(
            f"SELECT acted, partner_wrote FROM crm_{this.kind} WHERE thread_id = ?", number
        ) or (None, None)
    path = sql.value(
        "SELECT g.path FROM crm_contact k JOIN crm_partner_category g ON g.id = k.category_id WHERE k.thread_id = ?",
        this.partner.id if this.partner else -1,
    )
    return Facts(
        id=this.id,
        kind=this.kind,
        title=this.title,
        state=this.state,
        section=this.section,
        category=this.category,
        responsible=this.responsible,
        priority=this.priority or 3,
        partner=this.partner.id if this.partner else None,
        partner_categories=category.chain(path) if path else (),
        created=this.created,
        acted=moment(acted),
        deadline=this.deadline,
        partner_wrote=moment(partner_wrote),
    )


def due(rule: Rule, at: datetime, parents: Mapping[str, str], *, now: datetime) -> list[int]:
    """The records that a dated rule may have to act on, in one query: `core.plan` has the last word on each.

    Args:
        at: by when they must be due.
        parents: of sections, by code.
        now: where it failed lately it is not tried.
    """
    table = t.RECORDS[rule.kind]
    base = {
        "created": t.Thread.created,
        "action": table.acted,
        "deadline": getattr(table, "deadline", None),
        "partner-mail": table.partner_wrote,
    }[rule.trigger]
    if base is None:
        return []
    before = Delay(-rule.delay.months, -rule.delay.seconds)
    latest = after(at, before)
    if rule.delay.months:
        latest = after(latest, Delay(seconds=_THREE_DAYS))  # months have no fixed length
    acted = t.Firing.select(t.Firing.id).where(
        t.Firing.rule == rule.id,
        t.Firing.thread == table.thread,
        t.Firing.base == base,
        _settled(now, base <= after(now - DAILY, before)),
    )
    query = table.select(table.thread).join(t.Thread).where(base <= latest, t.Thread.moved_to.is_null())
    for condition in _conditions(rule, table, parents):
        query = query.where(condition)
    return [row.thread_id for row in query.where(~t.fn.EXISTS(acted)).order_by(table.thread)]


def _settled(now: datetime, long_due: Any) -> Any:
    """The rows that stand in the way of another try: what was done, and what failed lately, as `core.rule.rests` says.

    Args:
        long_due: the condition that the rule has been due for longer than DAILY.
    """
    lately = (t.Firing.at > now - HOURLY) | (long_due & (t.Firing.at > now - DAILY))
    changed = t.Rule.select(t.Rule.changed).where(t.Rule.id == t.Firing.rule)
    return t.Firing.failed.is_null() | (lately & (t.Firing.at <= now) & (t.Firing.at >= changed))


def _conditions(rule: Rule, table: Any, parents: Mapping[str, str]) -> list[Any]:
    """Those conditions of a rule that the database can test with its indexes."""
    kind = KINDS[rule.kind]
    found = [table.state == state for state in (rule.state_from, rule.state_to) if state]
    if not {rule.state_from, rule.state_to} & set(kind.done):
        found.append(table.state.in_([state for state in kind.states if state not in kind.done]))
    if rule.section:
        codes = section.descendants(rule.section, {**parents, rule.section: parents.get(rule.section, "")})
        wanted = codes if rule.subsections else [rule.section]
        found.append(table.section.in_(t.Section.select(t.Section.id).where(t.Section.code.in_(wanted))))
    if rule.category and hasattr(table, "category"):
        named = [row.id for row in t.Category.select() if row.name.lower() == rule.category.lower()]
        found.append(table.category.in_(named))
    if rule.responsible == NOBODY:
        found.append(table.responsible.is_null())
    elif rule.responsible:
        named = t.fn.LOWER(t.User.login) == rule.responsible.lower()
        found.append(table.responsible.in_(t.User.select(t.User.id).where(named)))
    if (rule.priority_min, rule.priority_max) != (1, 5):
        found.append(table.priority.between(rule.priority_min, rule.priority_max))
    if rule.partner is not None:
        found.append(table.partner == rule.partner)
    if rule.partner_category:
        path = t.PartnerCategory.path
        below = (path == rule.partner_category) | path.startswith(rule.partner_category + category.SEPARATOR)
        cards = t.Contact.select(t.Contact.thread).join(t.PartnerCategory).where(below)
        found.append(table.partner.in_(cards))
    return found
