"""Records as rules see them, and those whose day has come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from peewee import fn

from crmmail.core import category, section
from crmmail.core.delay import Delay, after
from crmmail.core.record import KINDS
from crmmail.core.rule import NOBODY, Facts, Rule
from crmmail.store import records, rules
from crmmail.store import tables as t


def facts(number: int) -> Facts:
    """A record as `core.rule` sees it, but for the words of its last letter."""
    this = records.record(number)
    table = t.RECORDS[this.kind]
    dates = table.get_or_none(table.thread == number)
    path = (
        t.PartnerCategory.select(t.PartnerCategory.path)
        .join(t.Contact, on=(t.Contact.category == t.PartnerCategory.id))
        .where(t.Contact.thread == (this.partner.id if this.partner else -1))
        .first()
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
        partner_categories=category.chain(path.path) if path else (),
        created=this.created,
        acted=getattr(dates, "acted", None),
        deadline=this.deadline,
        partner_wrote=getattr(dates, "partner_wrote", None),
    )


def due(rule: Rule, now: datetime, parents: Mapping[str, str], *, failed_since: datetime) -> list[int]:
    """The records that a dated rule may have to act on, in one query: `core.plan` has the last word on each.

    Args:
        parents: of sections, by code.
        failed_since: where it failed since then it is not tried.
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
    latest = after(now, Delay(-rule.delay.months, -rule.delay.seconds))
    if rule.delay.months:
        latest += timedelta(days=3)  # months have no fixed length
    acted = t.Firing.select(t.Firing.id).where(
        t.Firing.rule == rule.id, t.Firing.thread == table.thread, t.Firing.base == base, rules.settled(failed_since)
    )
    query = table.select(table.thread).join(t.Thread).where(base <= latest, t.Thread.moved_to.is_null())
    for condition in _conditions(rule, table, parents):
        query = query.where(condition)
    return [row.thread_id for row in query.where(~fn.EXISTS(acted)).order_by(table.thread)]


def _conditions(rule: Rule, table: Any, parents: Mapping[str, str]) -> list[Any]:
    """Those conditions of a rule that the database can test with its indexes."""
    done = KINDS[rule.kind].done
    found = [table.state == state for state in (rule.state_from, rule.state_to) if state]
    if not {rule.state_from, rule.state_to} & set(done):
        found.append(table.state.not_in(done))
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
        named = fn.LOWER(t.User.login) == rule.responsible.lower()
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
