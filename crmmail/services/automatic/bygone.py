"""Dated rules and letters of years ago: a day that was over when a letter was brought in is passed over.

Else the first `rules run` would write to thousands about what is long past.  The ledger says so in the transaction
that files the letter, so that no rule ever sees the record without it.  What was due before the letter came stays due.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import datetime

from crmmail.core.rule import Rule, base_of, has_come
from crmmail.store.automatic import rules
from crmmail.store.engine.standing import standing
from crmmail.store.people import offices


def due(record: int | None, at: datetime) -> dict[int, datetime]:
    """The dated rules whose day has come for a record by then, and what it counts from; None: it is yet to be made."""
    book = _book() if record is not None else []
    if record is None or not book:
        return {}
    from crmmail.services.automatic import rule_work  # which most shops' imports have no use for
    from crmmail.store.work import due as days

    facts = days.facts(record)
    parents = {one.code: one.parent for one in offices.sections() if one.parent}
    found = {one.id: base for one in book if (base := base_of(one, facts)) and has_come(one, facts, parents, at)}
    settled = rule_work.settled(record, book, at) if found else set()
    return {rule: base for rule, base in found.items() if (rule, base) not in settled}


def pass_over(record: int, at: datetime, before: Container[int]) -> None:
    """A letter was filed in that record: what is due now, and was not `before`, is done with."""
    for rule, base in due(record, at).items():
        if rule not in before:
            rules.put_firing(rule, record, at, "its day was over when the letter was imported", base=base)


@standing
def _book() -> list[Rule]:
    """The dated rules, read once for all letters of a transaction."""
    kept = rules.rules(active=True, dated=True)
    if not kept:
        return []
    from crmmail.services.automatic import rule_work

    return rule_work.read(kept)
