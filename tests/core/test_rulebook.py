"""How rules are written: read, refused, written again, said in English, and held against the shop and each other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from core.rules import FACTS, MADE, PARENTS, SECTIONS, WORLD, happenings, rules
from hypothesis import assume, event, given
from hypothesis import strategies as st

from crmmail.core.delay import Delay
from crmmail.core.plan import Firing, plan, plan_dated
from crmmail.core.rule import ESCALATE, NOBODY, Event, Facts, Rule
from crmmail.core.rulebook import KEYS, read, sentence, spec, table
from crmmail.core.rulelint import Known, _cuts, _sets_off, lint
from crmmail.errors import UsageError

LATER = MADE.replace(month=12, day=31)
LOUD = {"set_priority": "high"}  # something to do


def one(**keys: Any) -> Rule:
    """A rule that does something, if nothing else is said."""
    return read("Gold", {**LOUD, **keys})


# --- reading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "fields"),
    [
        ("sequence", 5, {"sequence": 5}),
        ("sequence", " 5", {"sequence": 5}),
        ("active", False, {"active": False}),
        ("kind", "Lead", {"kind": "lead"}),
        ("state_from", "none", {"state_from": "none"}),
        ("state_from", "any", {"state_from": ""}),
        ("state_from", "/", {"state_from": ""}),
        ("state_from", "", {"state_from": ""}),
        ("state_to", "Escalate", {"state_to": "escalate"}),
        ("state-to", "open", {"state_to": "open"}),
        ("section", "Support1", {"section": "support1"}),
        ("subsections", True, {"subsections": True}),
        ("category", " Fault  Fix ", {"category": "Fault Fix"}),
        ("responsible", "Bob", {"responsible": "bob"}),
        ("responsible", "nobody", {"responsible": "nobody"}),
        ("responsible", None, {}),
        ("away", True, {"away": True}),
        ("priority", "2", {"priority_min": 2, "priority_max": 2}),
        ("priority", 2, {"priority_min": 2, "priority_max": 2}),
        ("priority", "high", {"priority_min": 2, "priority_max": 2}),
        ("priority", "1-2", {"priority_min": 1, "priority_max": 2}),
        ("priority", "high - highest", {"priority_min": 1, "priority_max": 2}),
        ("partner", 12, {"partner": 12}),
        ("partner", "#12", {"partner": 12}),
        ("partner_category", "Support contract/GOLD", {"partner_category": "support contract / gold"}),
        ("contains", "out of ink", {"contains": ("out of ink",)}),
        ("lacks", ["a", "b", "a"], {"lacks": ("a", "b")}),
        ("first_mail", True, {"first_mail": True}),
        ("trigger", "create", {"trigger": "created"}),
        ("trigger", "creation", {"trigger": "created"}),
        ("trigger", "action_last", {"trigger": "action"}),
        ("trigger", "last-action", {"trigger": "action"}),
        ("trigger", "partner_mail", {"trigger": "partner-mail"}),
        ("trigger", "deadline", {"trigger": "deadline"}),
        ("set_priority", 1, {"set_priority": 1}),
        ("set_section", "SALES", {"set_section": "sales"}),
        ("set_responsible", "least-busy", {"set_responsible": "least-busy"}),
        ("watch", "Expert@MyCompany.com", {"watch": ("expert@mycompany.com",)}),
        ("watch", [12, "#13", "Bob", "#12"], {"watch": ("12", "13", "bob")}),
        ("set_state", "pending", {"set_state": "pending"}),
        ("remind", "Responsible", {"remind": ("responsible",)}),
        ("copy", ["a@b.example", "A@b.example"], {"copy": ("a@b.example",)}),
        ("activity", "Call the client", {"activity": "Call the client"}),
        ("hook", "notify.sh", {"hook": "notify.sh"}),
        ("stop", True, {"stop": True}),
    ],
)  # fmt: skip
def test_a_key(key: str, value: object, fields: dict[str, Any]) -> None:
    assert one(**{key: value}) == Rule(0, "Gold", **{"set_priority": 2, **fields})


def test_keys_that_go_together() -> None:
    assert read("  Call \n them ", {
        "trigger": "deadline", "delay": "-1.5h", "mail": "late", "mail_to": ["watchers", "Boss@b.example"],
        "documents": True, "activity": "Call", "activity_due": "1d",
    }, number=7) == Rule(
        7, "Call them", trigger="deadline", delay=Delay(0, -5400), mail="late", mail_to=("watchers", "boss@b.example"),
        documents=True, activity="Call", activity_due=Delay(0, 86400),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"colour": "red"}, r"there is no key 'colour'; possible: sequence, active, kind, .*, hook, stop$"),
        ({"name": "Gold"}, "there is no key 'name'"),
        ({"sequence": -1}, "sequence: -1 is no whole number from 0 to 999999999"),
        ({"sequence": True}, "sequence: True is no whole number"),
        ({"sequence": "9" * 5000}, "sequence: .* is no whole number"),
        ({"partner": 1.5}, "partner: 1.5 is no whole number"),
        ({"partner": "Ann"}, "partner: 'Ann' is no whole number"),
        ({"active": "yes"}, "active: 'yes' is neither true nor false"),
        ({"kind": "contact"}, "kind: 'contact' is no kind that rules are for: it is one of case, lead$"),
        ({"state_from": "opened"}, "state_from: 'opened' is no state of a case: it is one of draft, .*, none, any$"),
        ({"state_to": "none"}, "state_to: 'none' is no state of a case: it is one of draft, .*, escalate, any$"),
        ({"state_to": 3}, "state_to: 3 is no text"),
        ({"kind": "lead", "state_to": "open"}, "state_to: 'open' is no state of a lead: it is one of new, .*, any$"),
        ({"kind": "lead", "set_state": "escalate"}, "set_state: 'escalate' is no state of a lead"),
        ({"set_state": "any"}, "set_state: 'any' is no state of a case: it is one of .*, cancel, escalate$"),
        ({"kind": "lead", "category": "Ink"}, "category: a lead has none"),
        ({"kind": "lead", "trigger": "deadline"}, "trigger: a lead has no deadline"),
        ({"section": ["a"]}, r"section: \['a'\] is no text"),
        ({"priority": "2-"}, "priority: '' is no priority: use 1 to 5 or highest"),
        ({"priority": "0-2"}, "priority: '0' is no priority"),
        ({"set_priority": "urgent"}, "set_priority: 'urgent' is no priority: use 1 to 5 or highest"),
        ({"contains": [True]}, r"contains: \[True\] is neither a text nor a list of texts"),
        ({"lacks": ["a", " "]}, "lacks: .* is neither a text nor a list of texts"),
        ({"trigger": "closing"}, "trigger: 'closing' is no trigger: it is one of created, .*, partner-mail$"),
        ({"trigger": "created", "delay": "soon"}, "delay: 'soon' is no delay: write 30m"),
        ({"delay": "2d"}, "delay: needs a trigger to count from: created, action, deadline, partner-mail$"),
        ({"trigger": "created", "state_from": "none"}, "state_from: can never hold with a trigger"),
        ({"trigger": "created", "state_to": "escalate"}, "state_to: can never hold with a trigger"),
        ({"trigger": "created", "first_mail": True}, "first_mail: can never hold with a trigger"),
        ({"set_priority": ""}, "it does nothing; it needs at least one of set_priority, .*, stop$"),
        ({"watch": "ann@@b"}, "watch: 'ann@@b' is no e-mail address"),
        ({"copy": "bob"}, "copy: 'bob' is no e-mail address"),
        ({"remind": "manager"}, "remind: 'manager' is none of responsible, partner$"),
        ({"documents": True}, "documents: go with a reminder, copy or mail"),
        ({"mail_to": "partner"}, "mail_to: needs mail, the name of a template"),
        ({"mail": "x", "mail_to": "bob"}, "mail_to: 'bob' is none of responsible, .* and no e-mail"),
        ({"activity_due": "1d"}, "activity_due: needs activity"),
        ({"hook": "../x"}, "hook: '../x' is no bare file name"),
        ({"hook": ".x"}, "hook: '.x' is no bare file name"),
    ],
)  # fmt: skip
def test_what_no_rule_can_be(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=f"^rule 'Gold': {said}"):
        one(**keys)


def test_a_rule_has_a_name() -> None:
    with pytest.raises(UsageError, match="a rule has no name"):
        read(" ", LOUD)


# --- writing ------------------------------------------------------------------------------------------------


def test_only_what_is_not_so_by_itself_is_written() -> None:
    rule = read("Copy", {
        "stop": True, "copy": "Expert@b.example", "delay": "48h", "trigger": "create", "priority": "highest-2",
        "state_from": "any", "active": False, "sequence": 10, "mail": "t", "mail_to": "partner",
    })  # fmt: skip
    written = {
        "priority": "1-2", "trigger": "created", "delay": "2d", "copy": ["expert@b.example"], "mail": "t", "stop": True,
    }  # fmt: skip
    assert list(spec(rule).items()) == list(written.items())
    assert list(table(rule).items()) == [("active", False), *written.items()]


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "sequence": st.integers(0, 99),
    "kind": st.sampled_from(("case", "lead", "Case")),
    "state_from": st.sampled_from(("none", "open", "new", "any", "Draft")),
    "state_to": st.sampled_from(("escalate", "done", "lost", "/")),
    "category": st.text(max_size=5),
    "priority": st.sampled_from(("2", 3, "high-highest", "1-5")),
    "partner": st.integers(1, 99) | st.just("#7"),
    "partner_category": st.text("Aß /İ", max_size=8),
    "contains": st.text(max_size=4) | st.lists(st.text(min_size=1, max_size=3), max_size=3),
    "lacks": st.text(max_size=4),
    "trigger": st.sampled_from(("created", "action_last", "partner_mail")),
    "delay": st.sampled_from(("0", "2d", "-90m", "1.5h", "1mo2d")),
    "set_priority": st.sampled_from((1, "low")),
    "watch": st.lists(st.sampled_from(("Bob", "#12", 13, "Ann@B.example")), max_size=3),
    "set_state": st.sampled_from(("open", "escalate", "qualified")),
    "remind": st.lists(st.sampled_from(("responsible", "PARTNER")), max_size=3),
    "copy": st.sampled_from(("a@b.example", ["A@b.example", "c@d.example"])),
    "mail": st.text(max_size=5),
    "mail_to": st.lists(st.sampled_from(("watchers", "partner", "x@y.example")), max_size=3),
    "activity": st.text(max_size=5),
    "activity_due": st.sampled_from(("1d", "0")),
    **{key: st.text(max_size=4) for key in ("section", "responsible", "set_section", "set_responsible", "hook")},
    **{key: st.booleans() for key in ("active", "subsections", "away", "first_mail", "documents", "stop")},
}


@given(st.lists(st.sampled_from(list(VALUES)), max_size=8).flatmap(
    lambda keys: st.fixed_dictionaries({key: VALUES[key] for key in keys})
))  # fmt: skip
def test_what_is_written_is_read_as_the_same_rule(keys: dict[str, Any]) -> None:
    assert set(VALUES) == set(KEYS)
    try:
        rule = read("Gold", keys, number=7)
    except UsageError as error:
        event("refused")
        assert str(error).startswith("rule 'Gold': ")
        return
    event("read")
    assert read("Gold", table(rule), number=7) == rule
    stored = json.loads(json.dumps(spec(rule)))
    assert read("Gold", stored, number=7)._replace(sequence=rule.sequence, active=rule.active) == rule
    assert table(read("Gold", table(rule))) == table(rule)
    assert sentence(rule).startswith(("when a ", "at ", rule.trigger and str(rule.delay).lstrip("-")))


# --- in words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"state_from": "draft", "state_to": "open", "section": "support",
             "partner_category": "Support contract / Gold"},
            "when a case goes from draft to open in support, partner category support contract / gold: priority high",
        ),
        ({"kind": "lead", "state_from": "none"}, "when a lead is made: priority high"),
        ({"state_from": "none", "state_to": "open"}, "when a case is made in state open: priority high"),
        ({"state_to": "done", "mail": "thanks", "set_priority": ""},
         "when a case goes to done: mail thanks to partner"),
        ({"state_from": "done"}, "when a case goes from done to another state: priority high"),
        ({"state_to": "escalate", "state_from": "open"}, "when a case is escalated in state open: priority high"),
        ({"contains": ["ink", "out"], "lacks": "toner"},
         "when a case gets a letter, with 'ink', with 'out', without 'toner': priority high"),
        ({"first_mail": True, "section": "sales", "subsections": True},
         "when a case gets its first letter in sales or below: priority high"),
        ({"first_mail": True, "state_to": "open"}, "when a case goes to open, its first letter: priority high"),
        ({"category": "Ink", "responsible": "bob", "away": True, "priority": "1-2", "partner": 12},
         "when a case is made or changed, category Ink, responsible bob, its responsible away, "
         "priority highest to high, partner #12: priority high"),
        ({"trigger": "created", "delay": "2d", "state_from": "open", "state_to": "open", "set_priority": "",
          "watch": "expert@b.example", "remind": "responsible", "documents": True},
         "2d after a case is made, while open: watched by expert@b.example, responsible reminded, with its documents"),
        ({"trigger": "deadline", "delay": "-90m", "set_state": "escalate"},
         "1h30m before the deadline of a case: priority high, escalated"),
        ({"trigger": "deadline", "set_state": "pending", "stop": True},
         "at the deadline of a case: priority high, state pending, no rule after it"),
        ({"trigger": "created"}, "when a case is made: priority high"),
        ({"trigger": "action", "delay": "1mo", "activity": "Call", "activity_due": "1d", "set_section": "sales",
          "set_responsible": "manager", "set_priority": ""},
         "1mo after the last action on a case: section sales, responsible manager, activity: Call, due 1d later"),
        ({"trigger": "partner-mail", "delay": "1h", "hook": "x.sh", "copy": "a@b.example", "set_priority": 3},
         "1h after the last letter from the partner of a case: priority normal, copy to a@b.example, hook x.sh"),
    ],
)  # fmt: skip
def test_a_rule_in_english(keys: dict[str, Any], words: str) -> None:
    assert sentence(one(**keys)) == words


# --- what is wrong with them --------------------------------------------------------------------------------

SHOP = Known(
    sections=frozenset(SECTIONS),
    categories={"support1": ["Fault Fix", "Question"], "printers": ["Ink"]},
    logins=frozenset({"ann", "bob", "temp"}),
    addressless=frozenset({"temp"}),
    partners=frozenset({12}),
    partner_categories=frozenset({"Support contract / Gold"}),
    templates={"thanks": (), "broken": ("record.colour", "now.moon")},
    hooks=frozenset({"notify.sh"}),
    parents=PARENTS,
)


def found(*tables: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """What lint finds in rules A, B, C …, in the order A, B, C …"""
    some = [read(chr(64 + number), {**LOUD, **each}, number=number) for number, each in enumerate(tables, 1)]
    return [tuple(finding) for finding in lint(some, SHOP)]


@pytest.mark.parametrize(
    "keys",
    [
        {"section": "support1", "category": "fault fix", "set_section": "sales", "partner": 12, "hook": "notify.sh"},
        {"section": "support2", "subsections": True, "category": "Ink", "responsible": "nobody", "mail": "thanks"},
        {
            "category": "Question",
            "responsible": "ann",
            "set_responsible": "manager",
            "watch": ["bob", 12, "x@y.example"],
        },
        {"partner_category": "Support contract", "set_responsible": "nobody"},
        {"section": "support2", "state_to": "escalate"},
        {"section": "support2", "subsections": True, "set_state": "escalate"},
        {"section": "sales", "set_section": "support1", "set_state": "escalate"},
        {"responsible": "temp", "remind": "partner"},
        {"trigger": "created", "delay": "2d", "state_from": "open", "state_to": "open"},
        {"state_from": "open", "state_to": "open", "contains": "ink", "lacks": "inkjet"},
    ],
)
def test_nothing_is_wrong(keys: dict[str, Any]) -> None:
    assert found(keys) == []


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"section": "nowhere"}, "there is no active section 'nowhere'"),
        ({"set_section": "nowhere"}, "there is no active section 'nowhere'"),
        ({"category": "Paper"}, "no section has a category 'Paper'"),
        ({"responsible": "eve"}, "there is no active user 'eve'"),
        ({"set_responsible": "eve"}, "there is no active user 'eve'"),
        ({"watch": ["bob", "eve"]}, "there is no active user 'eve'"),
        ({"partner": 13}, "there is no contact #13"),
        ({"watch": 13}, "there is no contact #13"),
        ({"partner_category": "Silver"}, "there is no partner category 'silver'"),
        ({"mail": "hello"}, "there is no template 'hello'"),
        ({"hook": "gone.sh"}, "there is no program 'gone.sh' in the hooks folder"),
        ({"mail": "broken"}, "template 'broken' uses unknown fields: record.colour, now.moon"),
        ({"watch": "temp"}, "temp is to be told by mail and has no address"),
        ({"responsible": "temp", "remind": "responsible"}, "temp is to be told by mail and has no address"),
        ({"set_responsible": "temp", "mail": "thanks", "mail_to": "responsible"},
         "temp is to be told by mail and has no address"),
        ({"responsible": "nobody", "away": True}, "nobody is never away"),
        ({"contains": "inkjet", "lacks": "INK"}, "no letter both has and lacks 'INK'"),
        ({"trigger": "created", "state_from": "draft", "state_to": "open"},
         "no record is draft and open at once, and a rule with a trigger compares both with one state"),
        ({"state_from": "open", "state_to": "open"},
         "nothing goes from open to open: only a rule with a trigger looks at what stays as it is"),
        ({"state_from": "none", "state_to": "escalate"}, "no record is escalated while it is made"),
        ({"first_mail": True, "state_to": "escalate"}, "no letter escalates a record"),
        ({"section": "support1", "category": "Ink"}, "support1 has no category 'Ink'; it has Fault Fix, Question"),
        ({"section": "sales", "category": "Ink"}, "sales has no category 'Ink'; it has none"),
        ({"section": "sales", "state_to": "escalate"}, "nothing is escalated to sales: no section is below it"),
        ({"section": "support2", "set_state": "escalate"},
         "nothing can be escalated from support2: no section is above it"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_rule(keys: dict[str, Any], words: str) -> None:
    assert found(keys) == [("A", words, True)]
    assert found({**keys, "active": False}) == [("A", words, False)]


def test_priorities_the_wrong_way_round() -> None:
    wrong = one()._replace(priority_min=4, priority_max=2)  # `read` turns them round
    assert lint([wrong], SHOP) == [("Gold", "no priority is from 4 to 2", True)]


def test_two_rules_with_one_name() -> None:
    some = [read("Gold", LOUD, number=1), read("gold", LOUD, number=2)]
    assert lint(some, SHOP) == [("gold", "there is another rule named 'gold'", True)]


# --- cut off ------------------------------------------------------------------------------------------------

STOP = {"stop": True}


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"state_to": "open"}, {"state_to": "open", "state_from": "draft"}),
        ({"section": "support2", "subsections": True}, {"section": "printers"}),
        ({"priority": "1-3"}, {"priority": "2"}),
        ({"contains": "ink"}, {"contains": ["inkjet", "out"]}),
        ({"lacks": "inkjet"}, {"lacks": "ink"}),
        ({"partner_category": "Support contract"}, {"partner_category": "Support contract / Gold"}),
        ({"trigger": "created", "delay": "2d"}, {"trigger": "created", "delay": "48h", "section": "sales"}),
    ],
)
def test_a_rule_that_is_never_reached(first: dict[str, Any], then: dict[str, Any]) -> None:
    words = "it never acts: 'A' stops before it wherever it could"
    assert found({**first, **STOP}, then) == [("B", words, True)]
    assert found(first, then) == []
    assert found(then, {**first, **STOP}) == []
    assert found({**first, **STOP, "active": False}, then) == []


@pytest.mark.parametrize(
    ("first", "then"),
    [
        # Asked about more: also when the priority changes, or by what rules do.
        ({"state_to": "open"}, {"state_to": "open", "priority": "1"}),
        ({}, {"state_to": "open"}),
        ({"section": "support2"}, {"section": "printers"}),
        ({"priority": "2"}, {"priority": "1-3"}),
        ({"kind": "lead", "section": "sales"}, {"section": "sales"}),
        ({"trigger": "created"}, {"trigger": "created", "delay": "1d"}),
        # Without a state it looks at unfinished cases only.
        ({"trigger": "created"}, {"trigger": "created", "state_to": "done"}),
    ],
)
def test_a_rule_that_can_be_reached(first: dict[str, Any], then: dict[str, Any]) -> None:
    assert found({**first, **STOP}, then) == []


@given(rules(stop=True), rules(), happenings())
def test_who_is_cut_off_never_acts(first: Rule, then: Rule, happened: tuple[Event, Facts]) -> None:
    then = then._replace(id=2, sequence=4)
    for wall in (
        first._replace(sequence=1),
        then._replace(id=1, stop=True),
        then._replace(id=1, stop=True, state_to=""),
    ):
        if _cuts(wall, then, PARENTS):
            event("cut off")
            assert not any(one.rule == then for one in plan([wall, then], *happened, WORLD).firings)


@given(rules(dated=True, stop=True), rules(dated=True), FACTS)
def test_who_is_cut_off_from_a_moment_never_acts(first: Rule, then: Rule, facts: Facts) -> None:
    then = then._replace(id=2, sequence=4)
    for wall in (first._replace(sequence=1, trigger=then.trigger, delay=then.delay), then._replace(id=1, stop=True)):
        if _cuts(wall, then, PARENTS):
            event("cut off")
            assert not any(one.rule == then for one in plan_dated([wall, then], facts, WORLD, LATER).firings)


# --- rings --------------------------------------------------------------------------------------------------


def rings(*tables: dict[str, Any]) -> list[str]:
    return [words.split(": ")[1].split(";")[0] for _, words, serious in found(*tables) if not serious]


@pytest.mark.parametrize(
    ("tables", "ring"),
    [
        (({"state_to": "open", "set_state": "pending"}, {"state_to": "pending", "set_state": "open"}), ["A -> B -> A"]),
        (({"section": "sales", "set_section": "support1"}, {"section": "support1", "set_section": "sales"}),
         ["A -> B -> A"]),
        (({"state_to": "open", "set_state": "pending"}, {"state_to": "pending", "set_state": "draft"},
          {"state_to": "draft", "set_state": "open"}), ["A -> B -> C -> A"]),
        (({"section": "support1", "set_state": "escalate"}, {"state_to": "escalate", "set_section": "support1"}),
         ["A -> B -> A"]),
        (({"responsible": "ann", "set_responsible": "bob"}, {"responsible": "bob", "set_responsible": "least-busy"}),
         ["A -> B -> A"]),
        # One way only: the priority is changed for good.
        (({"state_to": "open", "set_priority": 1}, {"priority": "1", "set_priority": "", "set_state": "pending"}), []),
        (({"priority": 2, "set_priority": 1}, {"priority": 1, "set_priority": 2, "section": "sales"}), ["A -> B -> A"]),
        (({"priority": 2, "set_priority": 1, "section": "support1"},
          {"priority": 1, "set_priority": 2, "section": "sales"}), []),
        # What leaves its section has no category any more.
        (({"section": "sales", "category": "Ink", "set_section": "printers"},
          {"section": "printers", "category": "Ink", "set_section": "sales"}), []),
        (({"state_to": "open", "set_state": "pending"}, {"state_to": "pending", "set_state": "open", "kind": "case",
          "active": False}), []),
        (({"trigger": "created", "state_to": "open", "set_state": "pending"},
          {"state_to": "pending", "set_state": "open"}), []),
        (({"responsible": "ann", "set_responsible": "round-robin"},), []),
    ],
)  # fmt: skip
def test_rules_that_set_each_other_off(tables: tuple[dict[str, Any], ...], ring: list[str]) -> None:
    assert rings(*tables) == ring


def test_a_ring_is_worth_a_look_but_not_serious() -> None:
    words = "rules set each other off: A -> B -> A; each acts once a cascade"
    ring = found({"state_to": "open", "set_state": "pending"}, {"state_to": "pending", "set_state": "open"})
    assert ring == [("A", words, False)]


@given(st.data(), st.sampled_from((0, 0, 1)), st.booleans(), FACTS)
def test_what_one_rule_sets_off_is_known_beforehand(data: st.DataObject, most: int, dated: bool, facts: Facts) -> None:
    def acts(*book: Rule) -> list[Firing]:
        happened = Event("draft", facts.state, frozenset({"section"}))
        planned = plan_dated(book, facts, WORLD, LATER) if dated else plan(book, happened, facts, WORLD)
        return [*planned.firings]

    first = data.draw(rules(most=most, dated=dated))._replace(id=1, sequence=1, stop=False)
    alone = acts(first)
    assume(alone and alone[0].changes)
    changes = alone[0].changes
    waits = {
        "state": {"state_to": changes.get("state")},
        "section": {"section": changes.get("section")},
        "responsible": {"responsible": changes.get("responsible") or NOBODY},
        "priority": {"priority_max": max(2, changes.get("priority", 5))},
        "category": {"state_to": ESCALATE},
    }
    waiting = waits[data.draw(st.sampled_from(sorted(changes)))]
    then = data.draw(rules(most=1))._replace(id=2, sequence=2, **waiting)
    if any(firing.rule == then and firing.depth for firing in acts(first, then)):
        event("set off")
        assert _sets_off(first, then, PARENTS)
