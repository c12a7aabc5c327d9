"""What rules did to a record, would do to it, and why not: `rules explain`, `rules test`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from crmmail.core import record, rulebook
from crmmail.core.plan import Firing, plan, plan_dated, sentence
from crmmail.core.query import Query
from crmmail.core.rule import ESCALATE, Check, Event, Facts, Rule, World, base_of, checks, due_at, matches
from crmmail.core.typed import NamedTuple
from crmmail.services.automatic import rule_work, run_rules
from crmmail.services.automatic.run_rules import Ran
from crmmail.store.automatic import rules
from crmmail.store.lists import finding
from crmmail.store.work import records
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace


class Explained(NamedTuple):
    """One rule and one record."""

    rule: Rule
    sentence: str  # the rule in words
    checks: list[Check]  # its conditions; of a rule on events without those about the states
    base: datetime | None  # the date it counts from
    due: datetime | None  # when it acts, if its conditions hold then
    fired: rules.Firing | None  # what it did, or could not do, for this base date
    acts: bool  # it would act at the next `rules run`
    set_off_by: list[str]  # buttons that can be pressed now and would make it act


class Story(NamedTuple):
    """A record and its rules."""

    record: Record
    rules: list[Explained]
    history: list[rules.Firing]  # what rules did to it, oldest first
    now: Ran  # what `rules run` would do to it now


class Tested(NamedTuple):
    """What a rule would do to a record whose conditions hold."""

    record: Record
    due: datetime | None
    fired: bool
    does: str


def explain(workspace: Workspace, number: int) -> Story:
    """Every active rule of the record's kind, and what came or would come of it; nothing is changed."""
    this = records.record(number)
    book = rule_work.read(rules.rules(active=True))
    facts, around = rule_work.facts_of(number, book), rule_work.world(workspace)
    ledger = rules.firings(record=number)
    now = run_rules.rehearse(workspace, number)
    told = [_explained(workspace, one, book, facts, around, ledger) for one in book if one.kind == this.kind]
    return Story(this, told, ledger[::-1], now)


def _explained(
    workspace: Workspace,
    this: Rule,
    book: Sequence[Rule],
    facts: Facts,
    around: World,
    ledger: Sequence[rules.Firing],
) -> Explained:
    base = base_of(this, facts)
    row = next((one for one in ledger if one.rule == this.id and one.base == base), None)
    found = checks(this, None, facts, around)
    acts = False
    if this.dated:
        fired = rule_work.settled(facts.id, book, workspace.now())
        ahead = plan_dated(book, facts, around, workspace.now(), fired)
        acts = any(one.rule.id == this.id for one in ahead.firings)
    else:
        found = [one for one in found if one.name not in ("state from", "state to", "first mail")]
    return Explained(
        this,
        rulebook.sentence(this),
        found,
        base,
        due_at(this, facts),
        row,
        acts,
        [] if this.dated else _set_off_by(this, book, facts, around),
    )


def _set_off_by(this: Rule, book: Sequence[Rule], facts: Facts, around: World) -> list[str]:
    """The buttons that would make an undated rule act."""
    found = []
    for name, event, after in _possible(facts, around):
        ahead = plan(book, event, after, around)
        if any(one.rule.id == this.id for one in ahead.firings):
            found.append(name)
    return found


def _possible(facts: Facts, around: World) -> list[tuple[str, Event, Facts]]:
    """What can be pressed now: its name, the event, and the record after it."""
    found = []
    for name in record.buttons(facts.kind, facts.state):
        state = record.target(facts.kind, name)
        if state:
            found.append((name, Event(facts.state, state), facts._replace(state=state)))
    above = around.parents.get(facts.section)
    if above and facts.kind == "case" and facts.state not in record.KINDS["case"].done:
        event = Event(facts.state, facts.state, frozenset({"section", "responsible"}), escalated=True)
        found.append((ESCALATE, event, facts._replace(section=above, responsible=around.managers.get(above, ""))))
    return found


def test(workspace: Workspace, this: Rule, query: Query, *, limit: int | None = None) -> list[Tested]:
    """The records for which a rule's conditions hold now, and what it would do to each; nothing is changed."""
    around = rule_work.world(workspace)
    user = workspace.user().id if query.mine else None
    found = []
    for one in records.listed(finding.numbers(this.kind, query, user=user, now=workspace.now())):
        facts = rule_work.facts_of(one.id, [this])
        if not matches(this._replace(state_from="") if this.state_from == "none" else this, None, facts, around):
            continue
        base = base_of(this, facts)
        acted = ((row.rule, row.base) for row in rules.firings(record=one.id, rule=this.id) if not row.failed)
        fired = base is not None and (this.id, base) in acted
        found.append(Tested(one, due_at(this, facts), fired, _does(this, facts, around)))
        if limit and len(found) == limit:
            break
    return found


def _does(this: Rule, facts: Facts, around: World) -> str:
    """What it alone would do."""
    alone = this._replace(active=True, trigger="", state_from="", state_to="", first_mail=False)
    ahead = plan([alone], Event("none", facts.state), facts, around)
    first: Firing | None = next(iter(ahead.firings), None)
    return sentence(first) if first else "nothing to change"
