"""Rules: what a rule is, which event concerns it, and whether its conditions hold (behaviour §6).

Which rule is asked about an event: one is asked when something that it speaks of happens.  A creation is news to all; a
new state to those that name a state; a letter to those that name words or the first mail; a changed field to those with
a condition on it.  A rule without any condition is asked whatever a person does, but not about what other rules did.
`core.plan` puts them to work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from crmmail.core import section as sections
from crmmail.core.delay import Delay, after
from crmmail.core.record import KINDS, priority_name
from crmmail.core.typed import NamedTuple

CREATION = "none"  # the state before the first
ESCALATE = "escalate"
NOBODY = "nobody"
AWAY = "responsible away"  # the condition whose finding is a person

TRIGGERS = ("created", "action", "deadline", "partner-mail")
REMIND = ("responsible", "partner")
HOURLY, DAILY = timedelta(hours=1), timedelta(days=1)  # how long a rule that failed is left alone
ASSIGN = ("manager", "round-robin", "least-busy", "deputy", NOBODY)  # beside logins


class Rule(NamedTuple):
    """Its name, its conditions (all must hold; empty is any), its actions (done in this order)."""

    id: int
    name: str
    sequence: int = 10
    active: bool = True
    kind: str = "case"
    # conditions
    state_from: str = ""  # `none`: creation
    state_to: str = ""  # also `escalate`
    section: str = ""  # a code
    subsections: bool = False  # with those below it
    category: str = ""
    responsible: str = ""  # a login, or `nobody`
    away: bool = False  # the responsible is on leave
    priority_min: int = 1
    priority_max: int = 5
    partner: int | None = None
    partner_category: str = ""  # a path; those below it count
    contains: tuple[str, ...] = ()  # each, in subject or text
    lacks: tuple[str, ...] = ()  # none of them
    first_mail: bool = False
    # when: without a trigger on events, with one at this date and delay
    trigger: str = ""
    delay: Delay = Delay()
    # actions
    set_priority: int | None = None
    set_section: str = ""
    set_responsible: str = ""  # a login, or one of ASSIGN
    watch: tuple[str, ...] = ()  # logins, contacts' numbers, addresses: they follow the record from then on
    set_state: str = ""  # also `escalate`
    remind: tuple[str, ...] = ()
    documents: bool = False  # reminders, copies and mails carry the record's files
    copy: tuple[str, ...] = ()  # addresses that get the conversation so far, once
    mail: str = ""  # a template's name
    mail_to: tuple[str, ...] = ("partner",)  # responsible, partner, watchers, addresses
    activity: str = ""  # what the responsible has to do
    activity_due: Delay = Delay()
    hook: str = ""  # a program in the hooks folder
    stop: bool = False  # where its conditions hold, no rule after it is asked about the same event

    @property
    def dated(self) -> bool:
        return bool(self.trigger)


class Letter(NamedTuple):
    """A letter from outside, as rules read it."""

    subject: str
    text: str
    first: bool  # the first of its record


class Event(NamedTuple):
    """Something happened to a record."""

    before: str  # its state; CREATION
    after: str
    changed: frozenset[str] = frozenset()  # fields
    letter: Letter | None = None
    escalated: bool = False
    by_rule: bool = False


class Facts(NamedTuple):
    """A record as rules see it."""

    id: int
    kind: str
    title: str
    state: str
    section: str = ""
    category: str = ""
    responsible: str = ""
    priority: int = 3
    partner: int | None = None
    partner_categories: tuple[str, ...] = ()  # the partner's path and those above it, in lower case
    words: str = ""  # subject and text of the last letter from outside
    created: datetime | None = None
    acted: datetime | None = None
    deadline: datetime | None = None
    partner_wrote: datetime | None = None


class World(NamedTuple):
    """What else rules must know."""

    parents: Mapping[str, str] = {}  # of sections, by code
    managers: Mapping[str, str] = {}  # logins, by section
    away: Mapping[str, str] = {}  # who is on leave → his deputy, "" if none
    choose: Callable[[str, str], str] = lambda policy, section: ""  # round-robin and least-busy: a login


class Check(NamedTuple):
    """One condition of a rule, and whether it holds."""

    name: str
    wanted: str
    found: str
    holds: bool


# --- when ---------------------------------------------------------------------------------------------------


def concerns(rule: Rule, event: Event) -> bool:
    """Is an undated rule asked about this event at all?"""
    if rule.dated:
        return False
    if event.before == CREATION:
        return True
    if event.before != event.after and (rule.state_from or rule.state_to):
        return True
    if event.escalated and (rule.state_to == ESCALATE or (rule.state_from and not rule.state_to)):
        return True
    if event.letter is not None and (rule.contains or rule.lacks or rule.first_mail):
        return True
    named = fields_of(rule)
    if named or rule.state_from or rule.state_to or rule.contains or rule.lacks or rule.first_mail:
        return bool(named & event.changed)
    return not event.by_rule


def fields_of(rule: Rule) -> frozenset[str]:
    """The fields of a record that its conditions are about."""
    return frozenset(
        field
        for field, named in (
            ("section", rule.section),
            ("category", rule.category),
            ("responsible", rule.responsible or rule.away),
            ("priority", (rule.priority_min, rule.priority_max) != (1, 5)),
            ("partner", rule.partner is not None or rule.partner_category),
        )
        if named
    )


def base_of(rule: Rule, facts: Facts) -> datetime | None:
    """The date that a dated rule counts from; None where the record has none, or the rule is undated."""
    return {
        "created": facts.created,
        "action": facts.acted,
        "deadline": facts.deadline,
        "partner-mail": facts.partner_wrote,
    }.get(rule.trigger)


def due_at(rule: Rule, facts: Facts) -> datetime | None:
    """When a dated rule acts on a record, if its conditions hold then."""
    base = base_of(rule, facts)
    return after(base, rule.delay) if base is not None else None


def is_due(rule: Rule, facts: Facts, now: datetime) -> bool:
    moment = due_at(rule, facts)
    return moment is not None and moment <= now


def rests(rule: Rule, base: datetime, failed: datetime, now: datetime) -> bool:
    """Is a dated rule left alone that failed on a record at `failed`?  For HOURLY, and where it has been due for longer
    than DAILY, for that long: nobody needs to hear of it each hour.  A try in the future is the mistake of a clock.
    """
    pause = DAILY if after(base, rule.delay) <= now - DAILY else HOURLY
    return now - pause < failed <= now


# --- whether ------------------------------------------------------------------------------------------------


def matches(rule: Rule, event: Event | None, facts: Facts, world: World) -> bool:
    """Do all conditions hold?  Without an event, of a dated rule, both states are compared with the present one."""
    return rule.kind == facts.kind and all(one.holds for one in checks(rule, event, facts, world))


def has_come(rule: Rule, facts: Facts, parents: Mapping[str, str], now: datetime) -> bool:
    """Has the day of a dated rule come for a record like this?  Words of letters and leaves, which are others tomorrow,
    are not asked."""
    lasting = rule._replace(contains=(), lacks=(), away=False)
    return is_due(rule, facts, now) and matches(lasting, None, facts, World(parents))


def checks(rule: Rule, event: Event | None, facts: Facts, world: World) -> list[Check]:
    """The conditions that a rule has, each with what was found."""
    found: list[Check] = []

    def check(name: str, wanted: str, there: str, holds: bool) -> None:
        found.append(Check(name, wanted, there, holds))

    before = event.before if event else facts.state
    present = event.after if event else facts.state
    if rule.state_from:
        check("state from", rule.state_from, before, rule.state_from == before)
    if rule.state_to:
        there = ESCALATE if event and event.escalated else present
        holds = rule.state_to == present or (rule.state_to == ESCALATE and there == ESCALATE)
        check("state to", rule.state_to, there, holds)
    if rule.dated:  # nobody is reminded of what is done, unless the rule is about just that
        done = KINDS[facts.kind].done
        if facts.state in done and not {rule.state_from, rule.state_to} & set(done):
            check("unfinished", "yes", facts.state, False)
    if rule.section:
        own = facts.section == rule.section
        below = rule.subsections and rule.section in sections.ancestors(facts.section, world.parents)
        wanted = f"{rule.section} and below" if rule.subsections else rule.section
        check("section", wanted, facts.section, own or below)
    if rule.category:
        check("category", rule.category, facts.category, rule.category.lower() == facts.category.lower())
    if rule.responsible:
        wanted = "" if rule.responsible == NOBODY else rule.responsible
        check("responsible", rule.responsible, facts.responsible or NOBODY, wanted.lower() == facts.responsible.lower())
    if rule.away:
        check(AWAY, "yes", facts.responsible or NOBODY, facts.responsible in world.away)
    if (rule.priority_min, rule.priority_max) != (1, 5):
        wanted = f"{rule.priority_min} to {rule.priority_max}"
        holds = rule.priority_min <= facts.priority <= rule.priority_max
        check("priority", wanted, f"{facts.priority} ({priority_name(facts.priority)})", holds)
    if rule.partner is not None:
        there = f"#{facts.partner}" if facts.partner else ""
        check("partner", f"#{rule.partner}", there, rule.partner == facts.partner)
    if rule.partner_category:
        there = facts.partner_categories[0] if facts.partner_categories else ""
        check("partner category", rule.partner_category, there, rule.partner_category in facts.partner_categories)
    words = _words(event, facts)
    for one in rule.contains:
        check("contains", one, "", one.casefold() in words)
    for one in rule.lacks:
        check("lacks", one, "", one.casefold() not in words)
    if rule.first_mail:
        first = event is not None and event.letter is not None and event.letter.first
        check("first mail", "yes", "yes" if first else "no", first)
    return found


def _words(event: Event | None, facts: Facts) -> str:
    """What `contains` is looked for in: the letter that just came, else the title and the last letter."""
    if event is not None and event.letter is not None:
        return f"{event.letter.subject}\n{event.letter.text}".casefold()
    return f"{facts.title}\n{facts.words}".casefold()
