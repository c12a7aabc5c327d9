"""Dated rules and letters of years ago: a day that was over when a letter was brought in is passed over.

Else the first `rules run` would write to thousands about what is long past.  The ledger says so in the transaction
that files the letter, so that no rule ever sees the record without it.  What was due before the letter came stays due.
"""

from __future__ import annotations

from datetime import datetime

from crmmail.core.rule import Rule, base_of
from crmmail.store.automatic import rules
from crmmail.store.people import offices


def due(record: int | None, at: datetime) -> dict[int, Rule]:
    """The dated rules, by number, whose day has come for a record by then; None: a record that is yet to be made."""
    kept = rules.rules(active=True, dated=True) if record is not None else []
    if not kept:
        return {}
    from crmmail.services.automatic import rule_work  # which most shops' imports have no use for
    from crmmail.store.work import due as days

    parents = {one.code: one.parent for one in offices.sections() if one.parent}
    return {rule.id: rule for rule in rule_work.read(kept) if days.due(rule, at, parents, now=at, only=record)}


def pass_over(record: int, at: datetime, before: dict[int, Rule]) -> None:
    """A letter was filed in that record: what is due now, and was not `before`, is done with."""
    over = [rule for number, rule in due(record, at).items() if number not in before]
    if not over:
        return
    from crmmail.store.work import due as days

    facts = days.facts(record)
    for rule in over:
        sentence = "its day was over when the letter was imported"
        rules.put_firing(rule.id, record, at, sentence, base=base_of(rule, facts))
