"""What rules do to a record: the firings, in the order in which they are to be done (behaviour §6).

    plan(rules, event, facts, world)              something happened to a record
    plan_dated(rules, facts, world, now, fired)   its day has come: `rules run`, from cron

Nothing is looked up here and nothing is done: `services.automatic.rule_work` brings the facts and carries the plan
out, and a dry run carries it out and takes it back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from crmmail.core.delay import Delay
from crmmail.core.record import ESCALATES, priority_name
from crmmail.core.rule import (
    ASSIGN,
    ESCALATE,
    NOBODY,
    Event,
    Facts,
    Rule,
    World,
    base_of,
    concerns,
    is_due,
    matches,
)  # fmt: skip
from crmmail.core.typed import Any, NamedTuple

MAX_DEPTH = 15  # rules that set off rules that set off rules …


class Firing(NamedTuple):
    """A rule acts on a record."""

    rule: Rule
    changes: dict[str, Any]  # field → its new value, as `Facts` has it; "escalated" is not among them
    escalated: bool = False
    base: datetime | None = None  # of a dated rule: what it acts once for
    depth: int = 0  # 0: because of the event itself; n: because of what a rule of depth n - 1 changed
    notes: tuple[str, ...] = ()  # actions that had nothing to act on

    @property
    def empty(self) -> bool:
        """Nothing would come of it."""
        one = self.rule
        return not (self.changes or one.watch or one.remind or one.copy or one.mail or one.activity or one.hook)


class Plan(NamedTuple):
    firings: tuple[Firing, ...]
    facts: Facts  # the record afterwards
    cut: tuple[str, ...] = ()  # names of rules that were not asked any more, because the cascade was too deep


# --- planning -----------------------------------------------------------------------------------------------


def plan(rules: Iterable[Rule], event: Event, facts: Facts, world: World) -> Plan:
    """What undated rules do about an event, and about what they change themselves.

    Args:
        facts: the record as it is after the event.
    """
    firings: list[Firing] = []
    cut: list[str] = []
    facts = _cascade(in_order(rules), [(event, 0)], facts, world, firings, set(), cut)
    return Plan(tuple(firings), facts, tuple(cut))


def plan_dated(
    rules: Iterable[Rule],
    facts: Facts,
    world: World,
    now: datetime,
    fired: Collection[tuple[int, datetime]] = (),
) -> Plan:
    """What dated rules do to a record now, and what undated ones make of that.

    Their events are moments: a trigger and a delay.  `stop` keeps the rules after it from that moment for good, not
    only in this run, or they would act in the next.

    Args:
        fired: (rule, base date) for which a rule acted already; it acts again only for another date.
    """
    ordered = in_order(rules)
    firings: list[Firing] = []
    seen: set[int] = set()
    cut: list[str] = []
    stopped: set[tuple[str, Delay]] = set()
    for one in ordered:
        moment = (one.trigger, one.delay)
        base = base_of(one, facts)
        if base is None or moment in stopped or not is_due(one, facts, now):
            continue
        if (one.id, base) in fired:
            if one.stop:
                stopped.add(moment)
            continue
        if not matches(one, None, facts, world):
            continue
        before = facts
        firing, facts = _fire(one, facts, world, base, 0)
        seen.add(one.id)
        firings.append(firing)
        events = [(follows, 1)] if (follows := _event_of(firing, before, facts)) else []
        facts = _cascade(ordered, events, facts, world, firings, seen, cut)
        if one.stop:
            stopped.add(moment)
    return Plan(tuple(firings), facts, tuple(cut))


def in_order(rules: Iterable[Rule]) -> list[Rule]:
    """The active ones, by sequence and number, whatever order the database gave them in."""
    return sorted((one for one in rules if one.active), key=lambda one: (one.sequence, one.id))


def _cascade(
    rules: Sequence[Rule],
    events: list[tuple[Event, int]],
    facts: Facts,
    world: World,
    firings: list[Firing],
    seen: set[int],
    cut: list[str],
) -> Facts:
    """Asks the rules about each event, and then about what they changed; each rule acts once at most.

    A rule with `stop` ends the asking wherever its conditions hold, also where it has nothing left to do: whether
    others are asked must not hang on what a field was before.  What is done is added to `firings`, who did it to
    `seen`, who was asked no more to `cut`; the record afterwards is returned.
    """
    while events:
        event, depth = events.pop(0)
        for one in rules:
            if not concerns(one, event) or not matches(one, event, facts, world):
                continue
            before = facts
            firing, later = _fire(one, facts, world, None, depth)
            if one.id not in seen and not firing.empty and depth > MAX_DEPTH:
                cut += [one.name] if one.name not in cut else []
            elif one.id not in seen and not firing.empty:
                facts = later
                seen.add(one.id)
                firings.append(firing)
                if follows := _event_of(firing, before, facts):
                    events.append((follows, depth + 1))
            if one.stop:
                break
    return facts


def _event_of(firing: Firing, before: Facts, facts: Facts) -> Event | None:
    """What other rules are asked about, because of what one did; None where it changed nothing."""
    if not firing.changes:
        return None
    changed = frozenset(firing.changes) - {"state"}
    return Event(before.state, facts.state, changed, escalated=firing.escalated, by_rule=True)


# --- what ---------------------------------------------------------------------------------------------------


def _fire(rule: Rule, facts: Facts, world: World, base: datetime | None, depth: int) -> tuple[Firing, Facts]:
    """A rule's changes of a record, in the fixed order, and the record with them."""
    wanted: dict[str, Any] = {}
    notes: list[str] = []
    escalated = False
    if rule.set_priority is not None:
        wanted["priority"] = rule.set_priority
    if rule.set_section:
        wanted["section"] = rule.set_section
    if rule.set_state == ESCALATE:
        above = world.parents.get(wanted.get("section", facts.section), "")
        if facts.state not in ESCALATES.get(facts.kind, ()):
            notes.append(f"not escalated: its state is {facts.state}")
        elif above:
            escalated = True
            wanted |= {"section": above, "responsible": world.managers.get(above, "")}
        else:
            notes.append("not escalated: its section is at the top level already")
    if rule.set_responsible:
        login = _somebody(rule.set_responsible, wanted.get("section", facts.section), facts, world)
        if login is None:
            notes.append(f"nobody to assign it to ({rule.set_responsible})")
        else:
            wanted["responsible"] = login
    if rule.set_state and rule.set_state != ESCALATE:
        wanted["state"] = rule.set_state
    changes = {field: value for field, value in wanted.items() if getattr(facts, field) != value}
    if "section" in changes and facts.category:
        changes["category"] = ""  # a category belongs to its section
    escalated = escalated and "section" in changes
    return Firing(rule, changes, escalated, base, depth, tuple(notes)), facts._replace(**changes)


def _somebody(wanted: str, section: str, facts: Facts, world: World) -> str | None:
    """Whom a rule assigns a record to: a login, "" for nobody, None where there is no such person."""
    if wanted == NOBODY:
        return ""
    if wanted == "deputy":
        return world.away.get(facts.responsible) or None
    if wanted == "manager":
        login = world.managers.get(section, "")
    elif wanted in ASSIGN:
        login = world.choose(wanted, section)
    else:
        login = wanted
    return (world.away.get(login) or login) if login else None


def sentence(firing: Firing) -> str:
    """What a firing does, in words: `priority high, watched by expert@…, responsible reminded`."""
    words = [f"{field} {_shown(field, value)}" for field, value in firing.changes.items()]
    if firing.escalated:
        words.insert(0, "escalated")
    return ", ".join([*words, *deeds(firing.rule), *firing.notes]) or "nothing to do"


def deeds(rule: Rule) -> list[str]:
    """What a rule does beside changing the record, in words and in order."""
    words = [f"watched by {', '.join(rule.watch)}"] if rule.watch else []
    words += [f"{who} reminded" for who in rule.remind]
    if rule.copy:
        words.append(f"copy to {', '.join(rule.copy)}")
    if rule.mail:
        words.append(f"mail {rule.mail} to {', '.join(rule.mail_to)}")
    if rule.activity:
        words.append(f"activity: {rule.activity}")
    if rule.hook:
        words.append(f"hook {rule.hook}")
    return words


def _shown(field: str, value: Any) -> str:
    return priority_name(value) if field == "priority" else str(value) or "none"
