"""What rules do to a record: S2's examples word for word, and what holds for any rules whatever."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from core.rules import AWAY, FACTS, MADE, PARENTS, WORLD, books, case, happenings, rules
from hypothesis import given
from hypothesis import strategies as st

from crmmail.core import category
from crmmail.core.delay import parse
from crmmail.core.plan import MAX_DEPTH, Firing, Plan, deeds, in_order, plan, plan_dated, sentence
from crmmail.core.rule import CREATION, Event, Facts, Rule, base_of, is_due, matches
from crmmail.core.rulebook import read

OPENED = Event("draft", "open")
LATER = MADE + timedelta(days=40)


def said(planned: Plan) -> list[str]:
    return [f"{one.rule.name}: {sentence(one)}" for one in planned.firings]


def book(*tables: dict[str, Any]) -> list[Rule]:
    """Rules named A, B, C …, numbered from 1."""
    return [read(chr(64 + number), table, number=number) for number, table in enumerate(tables, 1)]


def acted(planned: Plan) -> str:
    """The names of those that acted, in order."""
    return "".join(one.rule.name for one in planned.firings)


# --- S2's examples ------------------------------------------------------------------------------------------

EXPERT = read(
    "Copy to an expert after 2 days",
    {
        "state_from": "open",
        "state_to": "open",
        "responsible": "demo",
        "trigger": "created",
        "delay": "2d",
        "watch": "expert@mycompany.com",
        "remind": "responsible",
    },
    number=1,
)


@pytest.mark.parametrize(
    ("age", "lines"),
    [
        ("1d23h", []),
        ("1d23h59m", []),
        ("2d", ["Copy to an expert after 2 days: watched by expert@mycompany.com, responsible reminded"]),
        ("9d", ["Copy to an expert after 2 days: watched by expert@mycompany.com, responsible reminded"]),
    ],
)
def test_copy_to_an_expert_after_two_days(age: str, lines: list[str]) -> None:
    now = MADE + timedelta(seconds=parse(age).seconds)
    first = plan_dated([EXPERT], case(responsible="demo"), WORLD, now)
    assert said(first) == lines
    assert [one.base for one in first.firings] == [MADE] * len(lines)
    again = plan_dated([EXPERT], case(responsible="demo"), WORLD, LATER, {(EXPERT.id, MADE)})
    assert said(again) == []


@pytest.mark.parametrize("other", [{"state": "pending"}, {"state": "done"}, {"responsible": "ann"}])
def test_no_expert_for_other_cases(other: dict[str, Any]) -> None:
    facts = case(**{"responsible": "demo", **other})
    assert said(plan_dated([EXPERT], facts, WORLD, LATER)) == []


@pytest.mark.parametrize(
    ("path", "priority"),
    [("Support contract / Gold", 2), ("support contract", 2), ("Main client", 3), ("Gold", 3), ("", 3)],
)
def test_priority_to_those_with_a_contract(path: str, priority: int) -> None:
    gold = book(
        {"state_from": "draft", "state_to": "open", "partner_category": "Support contract", "set_priority": "high"}
    )
    facts = case(partner=12, partner_categories=category.chain(path))
    assert plan(gold, OPENED, facts, WORLD).facts.priority == priority
    assert plan(gold, Event("pending", "open"), facts, WORLD).facts.priority == 3


def test_priority_to_gold_partners_leaves_the_others_of_the_contract() -> None:
    gold = book({"state_to": "open", "partner_category": "Support contract / Gold", "set_priority": "high"})
    planned = {
        path: said(plan(gold, OPENED, case(partner_categories=category.chain(path)), WORLD))
        for path in ("support contract / gold", "support contract")
    }
    assert planned == {"support contract / gold": ["A: priority high"], "support contract": []}


def test_a_technical_fault_goes_to_support() -> None:
    fault = book({"category": "Technical fault", "set_section": "support1", "set_responsible": "manager"})
    planned = plan(fault, Event(CREATION, "draft"), case(section="sales", category="technical fault"), WORLD)
    assert said(planned) == ["A: section support1, responsible ann, category none"]
    assert said(plan(fault, Event(CREATION, "draft"), case(section="sales", category="Question"), WORLD)) == []


def test_a_main_client_is_most_urgent() -> None:
    main = book({"partner_category": "Main client", "set_priority": "highest"})
    facts = case(partner=12, partner_categories=category.chain("Main client / Europe"))
    assert said(plan(main, Event(CREATION, "draft"), facts, WORLD)) == ["A: priority highest"]
    chosen_later = Event("open", "open", frozenset({"partner"}))
    assert said(plan(main, chosen_later, facts, WORLD)) == ["A: priority highest"]


@pytest.mark.parametrize(
    ("world", "responsible", "lines"),
    [
        (AWAY, "ann", ["A: responsible bob"]),
        (AWAY, "demo", []),  # on leave without a deputy
        (AWAY, "bob", []),
        (WORLD, "ann", []),
    ],
)
def test_on_holiday_the_deputy_takes_over(world: Any, responsible: str, lines: list[str]) -> None:
    holiday = book({"away": True, "set_responsible": "deputy"})
    assert said(plan(holiday, Event(CREATION, "draft"), case(responsible=responsible), world)) == lines


def test_a_thank_you_mail_on_closing() -> None:
    thanks = book({"state_to": "done", "mail": "thank-you"})
    assert said(plan(thanks, Event("open", "done"), case(state="done"), WORLD)) == ["A: mail thank-you to partner"]
    assert said(plan(thanks, Event("open", "cancel"), case(state="cancel"), WORLD)) == []
    assert said(plan(thanks, Event("done", "done"), case(state="done"), WORLD)) == []


@pytest.mark.parametrize(
    ("state", "idle", "lines"),
    [
        ("pending", "3d", ["A: partner reminded"]),
        ("open", "3d", ["B: partner reminded"]),
        ("pending", "2d23h59m", []),
        ("draft", "3d", []),
        ("done", "3d", []),
    ],
)
def test_a_supplier_who_is_late_is_reminded(state: str, idle: str, lines: list[str]) -> None:
    late = {"section": "sales", "trigger": "action_last", "delay": "3d", "remind": "partner"}
    reminders = book({**late, "state_to": "pending"}, {**late, "state_to": "open"})
    facts = case(state=state, section="sales", acted=MADE)
    planned = plan_dated(reminders, facts, WORLD, MADE + timedelta(seconds=parse(idle).seconds))
    assert said(planned) == lines


def test_the_supplier_is_reminded_again_after_the_next_action() -> None:
    reminder = book({"state_to": "pending", "trigger": "action", "delay": "3d", "remind": "partner"})
    facts, ledger = case(state="pending", acted=MADE), {(1, MADE)}
    assert said(plan_dated(reminder, facts, WORLD, LATER, ledger)) == []
    facts = facts._replace(acted=MADE + timedelta(days=5))
    assert said(plan_dated(reminder, facts, WORLD, MADE + timedelta(days=7), ledger)) == []
    assert said(plan_dated(reminder, facts, WORLD, MADE + timedelta(days=8), ledger)) == ["A: partner reminded"]


def test_the_weekly_call() -> None:
    call = book({"trigger": "created", "delay": "1 week", "activity": "Call the client", "remind": "responsible"})
    week = MADE + timedelta(weeks=1)
    assert said(plan_dated(call, case(), WORLD, week - timedelta(seconds=1))) == []
    assert said(plan_dated(call, case(), WORLD, week)) == ["A: responsible reminded, activity: Call the client"]
    assert said(plan_dated(call, case(state="done"), WORLD, week)) == []


def test_four_reminders_before_the_deadline_are_four_firings() -> None:
    reminders = book(
        *(
            {"trigger": "deadline", "delay": delay, "remind": "responsible"}
            for delay in ("-3h", "-1.5h", "-30m", "-10m")
        )
    )
    facts = case(deadline=MADE + timedelta(hours=5))
    ledger: set[tuple[int, datetime]] = set()
    fired: list[tuple[int, str]] = []
    for minute in range(0, 400, 5):  # cron every five minutes
        planned = plan_dated(reminders, facts, WORLD, MADE + timedelta(minutes=minute), ledger)
        fired += [(300 - minute, one.rule.name) for one in planned.firings]
        ledger |= {(one.rule.id, one.base) for one in planned.firings if one.base}
    assert fired == [(180, "A"), (90, "B"), (30, "C"), (10, "D")]


# --- what one rule does -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "facts", "words"),
    [
        ({"set_state": "escalate"}, case(section="support1", responsible="bob"),
         "escalated, section support2, responsible demo"),
        ({"set_state": "escalate", "set_responsible": "nobody"}, case(section="support1", responsible="bob"),
         "escalated, section support2, responsible none"),
        ({"set_state": "escalate", "remind": "partner"}, case(section="sales"),
         "partner reminded, not escalated: its section is at the top level already"),
        ({"set_state": "escalate", "remind": "partner"}, case(section="support1", state="done"),
         "partner reminded, not escalated: its state is done"),
        ({"set_section": "printers", "set_state": "escalate"}, case(category="Ink", section="sales"),
         "escalated, section support1, responsible ann, category none"),
        ({"set_section": "support1", "set_responsible": "manager"}, case(section="sales"),
         "section support1, responsible ann"),
        ({"set_responsible": "manager", "remind": "partner"}, case(section="sales"),
         "partner reminded, nobody to assign it to (manager)"),
        ({"set_responsible": "least-busy"}, case(section="sales"), "responsible bob"),
        ({"set_responsible": "nobody"}, case(responsible="bob"), "responsible none"),
        ({"set_state": "pending", "hook": "call.sh", "copy": "a@b.example", "mail": "t", "mail_to": "watchers"}, case(),
         "state pending, copy to a@b.example, mail t to watchers, hook call.sh"),
    ],
)  # fmt: skip
def test_what_a_rule_does(table: dict[str, Any], facts: Facts, words: str) -> None:
    event = Event(CREATION, facts.state)
    assert said(plan(book(table), event, facts, WORLD)) == [f"A: {words}"]


@pytest.mark.parametrize("login", ["ann", "manager"])
def test_who_is_on_leave_gets_nothing_assigned(login: str) -> None:
    planned = plan(book({"set_responsible": login}), Event(CREATION, "draft"), case(section="support1"), AWAY)
    assert planned.facts.responsible == "bob"


def test_a_rule_with_nothing_to_do_does_not_act() -> None:
    assert plan(book({"set_priority": "normal"}), OPENED, case(), WORLD).firings == ()


# --- stop ---------------------------------------------------------------------------------------------------

CALM = {"state_to": "open", "set_priority": "low"}


@pytest.mark.parametrize("priority", [2, 3])
def test_stop_ends_the_asking_also_where_there_is_nothing_to_do(priority: int) -> None:
    stops = book({"state_to": "open", "set_priority": "high", "stop": True}, CALM)
    assert plan(stops, OPENED, case(priority=priority), WORLD).facts.priority == 2


def test_a_rule_may_do_nothing_but_stop() -> None:
    stops = book({"state_to": "open", "section": "sales", "stop": True}, CALM)
    assert acted(plan(stops, OPENED, case(section="sales"), WORLD)) == ""
    assert acted(plan(stops, OPENED, case(section="support1"), WORLD)) == "B"


def test_stop_keeps_later_rules_from_the_same_moment_in_every_run() -> None:
    at = {"trigger": "created", "delay": "2d", "remind": "responsible"}
    rulebook = book({**at, "stop": True}, at, {**at, "delay": "3d"}, {**at, "trigger": "action"})
    facts = case(acted=MADE)
    first = plan_dated(rulebook, facts, WORLD, LATER)
    assert acted(first) == "ACD"
    ledger = {(one.rule.id, one.base) for one in first.firings if one.base}
    assert acted(plan_dated(rulebook, facts, WORLD, LATER, ledger)) == ""


# --- cascades -----------------------------------------------------------------------------------------------


def test_a_cascade_that_is_too_deep_is_cut() -> None:
    # Each waits for what the one before it changed; the last is asked first, so that no event sets off two of them.
    steps = [(state, str(priority)) for priority in range(1, 6) for state in ("open", "pending")]
    steps += [("draft", str(priority)) for priority in range(5, 0, -1)]
    steps += [("done", str(priority)) for priority in range(1, 5)]
    chain = [
        read(
            f"{state} {priority}",
            {
                "state_to": state,
                "priority": priority,
                "set_state": to_state,
                "set_priority": to,
                "sequence": 99 - number,
            },
            number=number,
        )
        for number, ((state, priority), (to_state, to)) in enumerate(pairwise(steps))
    ]
    planned = plan(chain, OPENED, case(priority=1), WORLD)
    assert [one.depth for one in planned.firings] == list(range(MAX_DEPTH + 1))
    assert planned.cut == (chain[MAX_DEPTH + 1].name,)


def test_two_rules_that_set_each_other_off_act_once_each() -> None:
    ring = book({"section": "sales", "set_section": "support1"}, {"section": "support1", "set_section": "sales"})
    assert acted(plan(ring, Event(CREATION, "draft"), case(section="sales"), WORLD)) == "AB"


def test_dated_rules_set_off_those_on_events() -> None:
    both = book(
        {"trigger": "created", "delay": "1d", "set_state": "pending"}, {"state_to": "pending", "remind": "partner"}
    )
    planned = plan_dated(both, case(), WORLD, LATER)
    assert [(one.rule.name, one.base, one.depth) for one in planned.firings] == [("A", MADE, 0), ("B", None, 1)]


# --- whatever the rules are ---------------------------------------------------------------------------------

WORLDS = st.sampled_from((WORLD, AWAY))
MOMENTS = st.integers(-3, 45).map(lambda days: MADE + timedelta(days=days))


@given(books(dated=True), happenings(), WORLDS)
def test_a_cascade_ends(rulebook: list[Rule], happened: tuple[Event, Facts], world: Any) -> None:
    planned = plan(rulebook, *happened, world)
    numbers = [one.rule.id for one in planned.firings]
    assert len(numbers) == len(set(numbers))
    assert all(0 <= one.depth <= MAX_DEPTH for one in planned.firings)
    assert not any(one.rule.dated or one.empty for one in planned.firings)


@given(books(dated=True), happenings(), WORLDS, MOMENTS)
def test_the_record_afterwards_is_what_the_firings_make_of_it(
    rulebook: list[Rule], happened: tuple[Event, Facts], world: Any, now: datetime
) -> None:
    event, facts = happened
    for planned in (plan(rulebook, event, facts, world), plan_dated(rulebook, facts, world, now)):
        after = facts
        for one in planned.firings:
            assert all(getattr(after, field) != value for field, value in one.changes.items())
            after = after._replace(**one.changes)
        assert after == planned.facts


@given(st.data(), happenings(), WORLDS, MOMENTS)
def test_the_order_in_which_the_database_gives_them_does_not_matter(
    data: st.DataObject, happened: tuple[Event, Facts], world: Any, now: datetime
) -> None:
    event, facts = happened
    rulebook = data.draw(books(dated=True))
    shuffled = data.draw(st.permutations(rulebook))
    turned = world._replace(parents=dict(reversed(list(PARENTS.items()))))
    assert in_order(shuffled) == in_order(rulebook)
    assert plan(shuffled, event, facts, turned) == plan(rulebook, event, facts, world)
    assert plan_dated(shuffled, facts, turned, now) == plan_dated(rulebook, facts, world, now)


@given(books(dated=True), FACTS, WORLDS, st.lists(MOMENTS, min_size=2, max_size=5).map(sorted))
def test_no_rule_acts_twice_for_one_date(rulebook: list[Rule], facts: Facts, world: Any, runs: list[datetime]) -> None:
    ledger: list[tuple[int, datetime]] = []
    for now in runs:
        planned = plan_dated(rulebook, facts, world, now, ledger)
        facts = planned.facts
        ledger += [(one.rule.id, one.base) for one in planned.firings if one.base]
    assert len(ledger) == len(set(ledger))


@given(rules(dated=True, stop=False), FACTS, MOMENTS, st.integers(1, 3))
def test_a_new_date_arms_a_rule_again(one: Rule, facts: Facts, now: datetime, days: int) -> None:
    def fired(facts: Facts, ledger: set[tuple[int, datetime]]) -> bool:
        return any(firing.rule == one for firing in plan_dated([one], facts, WORLD, now, ledger).firings)

    base = base_of(one, facts)
    if base is None:
        assert not fired(facts, set())
        return
    ledger = {(one.id, base)}
    assert fired(facts, set()) is (is_due(one, facts, now) and matches(one, None, facts, WORLD))
    assert not fired(facts, ledger)
    field = {"created": "created", "action": "acted", "deadline": "deadline"}[one.trigger]
    moved = facts._replace(**{field: base - timedelta(days=days)})
    assert fired(moved, ledger) is (is_due(one, moved, now) and matches(one, None, moved, WORLD))


@given(books(dated=True), happenings(), WORLDS, MOMENTS)
def test_what_is_switched_off_never_acts(
    rulebook: list[Rule], happened: tuple[Event, Facts], world: Any, now: datetime
) -> None:
    event, facts = happened
    half = [one._replace(active=bool(one.id % 2)) for one in rulebook]
    rest = [one for one in half if one.active]
    assert plan(half, event, facts, world) == plan(rest, event, facts, world)
    assert plan_dated(half, facts, world, now) == plan_dated(rest, facts, world, now)


@given(books(), happenings(), WORLDS)
def test_nothing_acts_on_an_event_after_a_stop(rulebook: list[Rule], happened: tuple[Event, Facts], world: Any) -> None:
    event, facts = happened
    wall = Rule(1000, "wall", sequence=2, stop=True)  # without conditions: it hears of what people do
    planned = plan([*rulebook, wall], event, facts, world)
    if event.by_rule and event.before != CREATION:
        return
    at_once = [one.rule for one in planned.firings if one.depth == 0]
    assert all((one.sequence, one.id) < (2, 1000) for one in at_once)


@given(books(dated=True), happenings(), WORLDS)
def test_what_a_firing_does_is_said(rulebook: list[Rule], happened: tuple[Event, Facts], world: Any) -> None:
    for one in plan(rulebook, *happened, world).firings:
        words = sentence(one)
        assert all(field in words for field in one.changes)
        assert all(deed in words for deed in deeds(one.rule))
        assert one.escalated is words.startswith("escalated")


def test_a_firing_without_anything_to_do_says_so() -> None:
    assert sentence(Firing(Rule(1, "A", stop=True), {})) == "nothing to do"
