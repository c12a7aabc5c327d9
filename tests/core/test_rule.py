"""Rules: which events concern one, whether its conditions hold, and when a dated one is due.

The case is open in support1 (below support2), category Fault Fix, bob's, high; its partner, contact #12, has a gold
support contract.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from core.rules import AWAY, FACTS, FIELDS, MADE, SECTIONS, WORLD, case, happenings, rules
from hypothesis import given
from hypothesis import strategies as st

from crmmail.core import category
from crmmail.core.delay import parse
from crmmail.core.record import KINDS
from crmmail.core.rule import (
    CREATION,
    Event,
    Facts,
    Letter,
    Rule,
    base_of,
    checks,
    concerns,
    due_at,
    fields_of,
    has_come,
    is_due,
    matches,
)  # fmt: skip

OPENED = Event("draft", "open")
MADE_OPEN = Event(CREATION, "open")
LETTER = Letter("Printer broken", "It is URGENT", False)
CASE = case(
    section="support1",
    category="Fault Fix",
    responsible="bob",
    priority=2,
    partner=12,
    partner_categories=category.chain("Support contract / Gold"),
    words="The ink is out",
)


def rule(**fields: Any) -> Rule:
    return Rule(1, "a rule", **fields)


# --- which events -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "event", "asked"),
    [
        ({}, MADE_OPEN, True),
        ({"section": "sales"}, MADE_OPEN, True),
        ({"state_to": "open"}, OPENED, True),
        ({"state_from": "draft"}, OPENED, True),
        ({"section": "sales"}, OPENED, False),
        ({}, OPENED, True),
        ({}, OPENED._replace(by_rule=True), False),
        ({"state_to": "open"}, OPENED._replace(by_rule=True), True),
        ({"state_to": "open"}, Event("open", "open"), False),
        ({"section": "sales"}, Event("open", "open", frozenset({"section"})), True),
        ({"section": "sales"}, Event("open", "open", frozenset({"priority"})), False),
        ({"priority_max": 2}, Event("open", "open", frozenset({"priority"})), True),
        ({"away": True}, Event("open", "open", frozenset({"responsible"})), True),
        ({"partner_category": "gold"}, Event("open", "open", frozenset({"partner"})), True),
        ({"contains": ("ink",)}, Event("open", "open", letter=LETTER), True),
        ({"first_mail": True}, Event("open", "open", letter=LETTER), True),
        ({"state_to": "open"}, Event("open", "open", letter=LETTER), False),
        ({"contains": ("ink",)}, Event("open", "open", frozenset({"section"})), False),
        ({"state_to": "escalate"}, Event("open", "open", escalated=True), True),
        ({"state_from": "open"}, Event("open", "open", escalated=True), True),
        # An escalated case was open before: who thanks for the opening does not thank again.
        ({"state_to": "open"}, Event("open", "open", escalated=True), False),
        ({"trigger": "created"}, MADE_OPEN, False),
    ],
)
def test_which_events_concern_a_rule(fields: dict[str, Any], event: Event, asked: bool) -> None:
    assert concerns(rule(**fields), event) is asked


# --- whether ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "event", "holds"),
    [
        ({}, OPENED, True),
        ({"kind": "lead"}, OPENED, False),
        ({"state_from": "draft", "state_to": "open"}, OPENED, True),
        ({"state_from": "pending", "state_to": "open"}, OPENED, False),
        ({"state_from": "none"}, MADE_OPEN, True),
        ({"state_from": "none"}, OPENED, False),
        ({"state_to": "escalate"}, OPENED, False),
        ({"state_to": "escalate"}, Event("open", "open", escalated=True), True),
        ({"section": "support1"}, OPENED, True),
        ({"section": "support2"}, OPENED, False),
        ({"section": "support2", "subsections": True}, OPENED, True),
        ({"section": "printers", "subsections": True}, OPENED, False),
        ({"category": "fault fix"}, OPENED, True),
        ({"category": "Question"}, OPENED, False),
        ({"responsible": "Bob"}, OPENED, True),
        ({"responsible": "nobody"}, OPENED, False),
        ({"priority_max": 2}, OPENED, True),
        ({"priority_max": 1}, OPENED, False),
        ({"priority_min": 3}, OPENED, False),
        ({"partner": 12}, OPENED, True),
        ({"partner": 13}, OPENED, False),
        ({"partner_category": "support contract"}, OPENED, True),
        ({"partner_category": "support contract / gold"}, OPENED, True),
        ({"partner_category": "gold"}, OPENED, False),
        ({"contains": ("PRINTER", "ink")}, OPENED, True),
        ({"contains": ("urgent",)}, OPENED, False),
        ({"contains": ("urgent",)}, Event("open", "open", letter=LETTER), True),
        ({"contains": ("ink",)}, Event("open", "open", letter=LETTER), False),
        ({"lacks": ("urgent",)}, Event("open", "open", letter=LETTER), False),
        ({"lacks": ("urgent",)}, OPENED, True),
        ({"first_mail": True}, Event("open", "open", letter=LETTER), False),
        ({"first_mail": True}, Event("open", "open", letter=LETTER._replace(first=True)), True),
        ({"first_mail": True}, MADE_OPEN, False),
    ],
)
def test_a_condition(fields: dict[str, Any], event: Event, holds: bool) -> None:
    assert matches(rule(**fields), event, CASE, WORLD) is holds


@pytest.mark.parametrize(("login", "holds"), [("ann", True), ("bob", False), ("", False)])
def test_a_responsible_on_leave(login: str, holds: bool) -> None:
    assert matches(rule(away=True), OPENED, CASE._replace(responsible=login), AWAY) is holds
    assert not matches(rule(away=True), OPENED, CASE._replace(responsible=login), WORLD)


def test_nobody_responsible() -> None:
    assert matches(rule(responsible="nobody"), OPENED, CASE._replace(responsible=""), WORLD)


def test_each_condition_says_what_it_found() -> None:
    gold = rule(state_to="open", section="support2", subsections=True, priority_max=1, partner_category="main client")
    assert [tuple(one) for one in checks(gold, OPENED, CASE, WORLD)] == [
        ("state to", "open", "open", True),
        ("section", "support2 and below", "support1", True),
        ("priority", "1 to 1", "2 (high)", False),
        ("partner category", "main client", "support contract / gold", False),
    ]


# What a rule is without one of its conditions.
WITHOUT = (
    {"state_from": ""}, {"state_to": ""}, {"section": ""}, {"category": ""}, {"responsible": ""}, {"away": False},
    {"priority_min": 1}, {"priority_max": 5}, {"partner": None}, {"partner_category": ""}, {"contains": ()},
    {"lacks": ()}, {"first_mail": False},
)  # fmt: skip


@given(rules(), happenings(), st.sampled_from((WORLD, AWAY)), st.sampled_from(WITHOUT))
def test_a_rule_with_one_condition_less_matches_too(
    one: Rule, happened: tuple[Event, Facts], world: Any, without: dict[str, Any]
) -> None:
    event, facts = happened
    if matches(one, event, facts, world):
        assert matches(one._replace(**without), event, facts, world)


@given(rules(), happenings(), st.sampled_from((WORLD, AWAY)))
def test_all_conditions_hold_or_the_rule_does_not(one: Rule, happened: tuple[Event, Facts], world: Any) -> None:
    event, facts = happened
    alone = [one._replace(**{**{k: v for other in WITHOUT for k, v in other.items()}, **kept}) for kept in _kept(one)]
    assert matches(one, event, facts, world) == all(matches(each, event, facts, world) for each in alone)


def _kept(one: Rule) -> list[dict[str, Any]]:
    """Each condition of a rule apart; `subsections` goes with the section."""
    return [{**{key: getattr(one, key) for key in fields}, "subsections": one.subsections} for fields in WITHOUT]


@given(happenings())
def test_a_rule_without_conditions_matches_everything(happened: tuple[Event, Facts]) -> None:
    event, facts = happened
    assert matches(rule(), event, facts, WORLD)


@given(rules(), happenings(), st.sampled_from(SECTIONS), st.integers(1, 5))
def test_only_the_fields_of_a_rule_change_its_mind(
    one: Rule, happened: tuple[Event, Facts], section: str, priority: int
) -> None:
    event, facts = happened
    other = facts._replace(
        **{k: v for k, v in (("section", section), ("priority", priority)) if k not in fields_of(one)}
    )
    assert matches(one, event, facts, WORLD) == matches(one, event, other, WORLD)
    assert fields_of(one) <= set(FIELDS)


# --- when ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trigger", "delay", "due"),
    [
        ("created", "0", MADE),
        ("created", "2d", MADE + timedelta(days=2)),
        ("created", "1mo", MADE.replace(month=12)),
        ("deadline", "-3h", MADE + timedelta(days=9, hours=-3)),
        ("action", "3d", MADE + timedelta(days=4)),
        ("partner-mail", "1d", None),
        ("", "0", None),
    ],
)
def test_when_a_rule_is_due(trigger: str, delay: str, due: datetime | None) -> None:
    one = rule(trigger=trigger, delay=parse(delay))
    facts = case(acted=MADE + timedelta(days=1), deadline=MADE + timedelta(days=9))
    assert due_at(one, facts) == due
    for late in (timedelta(), timedelta(seconds=-1)):
        assert is_due(one, facts, (due or MADE) + late) is (due is not None and not late)


@pytest.mark.parametrize(
    ("fields", "state", "holds"),
    [
        ({"state_from": "open", "state_to": "open"}, "open", True),
        ({"state_from": "draft", "state_to": "open"}, "open", False),
        ({}, "pending", True),
        ({}, "done", False),
        ({}, "cancel", False),
        ({"state_to": "done"}, "done", True),
        ({"state_to": "open"}, "done", False),
    ],
)
def test_a_dated_rule_looks_at_the_present_state_and_leaves_what_is_done(
    fields: dict[str, Any], state: str, holds: bool
) -> None:
    assert matches(rule(trigger="created", **fields), None, case(state=state), WORLD) is holds


@given(rules(dated=True), FACTS)
def test_a_dated_rule_without_conditions_matches_what_is_not_done(one: Rule, facts: Facts) -> None:
    bare = rule(trigger=one.trigger, delay=one.delay)
    assert matches(bare, None, facts, WORLD) is (facts.state not in KINDS["case"].done)
    assert (base_of(bare, facts) is None) is (due_at(bare, facts) is None)


@pytest.mark.parametrize(
    ("fields", "come"),
    [
        ({}, True),
        ({"delay": parse("1mo")}, False),
        ({"state_from": "draft"}, False),
        ({"section": "support2", "subsections": True}, True),
        ({"section": "support2"}, False),
        ({"contains": ("nobody wrote that",), "lacks": ("ink",), "away": True}, True),
        ({"kind": "lead"}, False),
    ],
)
def test_the_day_of_a_rule_has_come_whatever_letters_say_and_whoever_is_away(
    fields: dict[str, Any], come: bool
) -> None:
    dated = rule(**{"trigger": "created", "delay": parse("2d"), **fields})
    assert has_come(dated, CASE, WORLD.parents, MADE + timedelta(days=20)) is come
