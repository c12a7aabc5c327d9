"""A small shop for the tests of rules: its sections, its people, and any rules, records and events in it.

Names are few on purpose, so that rules and records often meet.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from crmmail.core import category
from crmmail.core.delay import Delay
from crmmail.core.record import KINDS
from crmmail.core.rule import CREATION, ESCALATE, NOBODY, Event, Facts, Letter, Rule, World

PARENTS = {"support1": "support2", "printers": "support1"}
SECTIONS = ("support2", "support1", "printers", "sales")
CATEGORIES = ("Fault Fix", "Question")
LOGINS = ("ann", "bob", "demo")
PATHS = ("support contract", "support contract / gold", "main client")
MADE = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
STATES = KINDS["case"].states
WORLD = World(PARENTS, {"support2": "demo", "support1": "ann"}, {}, lambda policy, section: "bob")
AWAY = WORLD._replace(away={"ann": "bob", "demo": ""})


def case(**facts: Any) -> Facts:
    """An open case, made on Monday 2 November 2026 at 9:00."""
    return Facts(101, "case", "Printer broken", facts.pop("state", "open"), **{"created": MADE, **facts})


def _pairs(**values: tuple[Any, ...]) -> list[tuple[str, Any]]:
    return [(field, value) for field, some in values.items() for value in some]


# What a rule may have of its own; a few of these make one.
CONDITIONS = _pairs(
    state_from=STATES,
    state_to=STATES,
    section=SECTIONS,
    subsections=(True,),
    category=CATEGORIES,
    responsible=(*LOGINS, NOBODY),
    away=(True,),
    priority_min=(2,),
    priority_max=(2, 3),
    partner=(12,),
    partner_category=PATHS,
    contains=(("printer",), ("ink", "urgent")),
    lacks=(("urgent",),),
)
OF_EVENTS = _pairs(state_from=(CREATION,), state_to=(ESCALATE,), first_mail=(True,))
ACTIONS = _pairs(
    set_priority=(1, 2, 4),
    set_section=SECTIONS,
    set_responsible=(*LOGINS, NOBODY, "manager", "least-busy", "deputy"),
    set_state=(*STATES, ESCALATE),
    remind=(("responsible",),),
    stop=(True,),
    sequence=(1, 2, 3),
)
MOMENTS = [
    {"trigger": trigger, "delay": Delay(months, seconds)}
    for trigger in ("created", "action", "deadline")
    for months, seconds in ((0, 0), (0, 3600), (0, -3600), (0, 2 * 86400), (1, 0))
]


def rules(*, dated: bool = False, stop: bool | None = None, most: int = 3) -> st.SearchStrategy[Rule]:
    """Any rule on events, or a dated one; with so many conditions at most."""
    conditions = CONDITIONS if dated else CONDITIONS + OF_EVENTS
    made = st.builds(
        lambda some, deeds, moment: Rule(1, "a rule", **{**dict(some), **dict(deeds), **moment}),
        st.lists(st.sampled_from(conditions), max_size=most),
        st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=3),
        st.sampled_from(MOMENTS) if dated else st.just({}),
    )
    return made if stop is None else made.map(lambda rule: rule._replace(stop=stop))


def books(*, dated: bool = False, most: int = 5) -> st.SearchStrategy[list[Rule]]:
    """Some rules, each with a number and a name of its own."""
    one = st.booleans().flatmap(lambda also: rules(dated=also)) if dated else rules()
    return st.lists(one, max_size=most).map(
        lambda found: [rule._replace(id=number, name=f"rule {number}") for number, rule in enumerate(found, 1)]
    )


DATES = st.sampled_from((None, *(MADE + timedelta(hours=hours) for hours in (-24, 0, 1, 49, 170))))
FACTS = st.builds(
    Facts,
    id=st.just(101),
    kind=st.just("case"),
    title=st.sampled_from(("Printer broken", "Ink")),
    state=st.sampled_from(STATES),
    section=st.sampled_from(("", *SECTIONS)),
    category=st.sampled_from(("", *CATEGORIES)),
    responsible=st.sampled_from(("", *LOGINS)),
    priority=st.integers(1, 5),
    partner=st.sampled_from((None, 12, 13)),
    partner_categories=st.sampled_from(("", *PATHS)).map(category.chain),
    words=st.sampled_from(("", "It is urgent: no ink")),
    created=DATES,
    acted=DATES,
    deadline=DATES,
)
LETTERS = st.none() | st.builds(
    Letter, st.sampled_from(("Printer", "Hello")), st.sampled_from(("", "urgent", "ink, urgent")), st.booleans()
)
FIELDS = ("section", "category", "responsible", "priority", "partner")


@st.composite
def happenings(draw: st.DrawFn) -> tuple[Event, Facts]:
    """Something that happened to a record, and the record after it."""
    facts = draw(FACTS)
    before = draw(st.sampled_from((CREATION, *STATES, facts.state)))
    changed = draw(st.frozensets(st.sampled_from(FIELDS)))
    return Event(before, facts.state, changed, draw(LETTERS), draw(st.booleans()), draw(st.booleans())), facts
