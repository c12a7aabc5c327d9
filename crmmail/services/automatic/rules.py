"""Rules at work: an act asks them what comes of it, inside the act's own transaction.

    react(workspace, 101, before="draft", changed=["state"])

This file is all that an act without rules reads of them: one indexed query, and nothing more is imported where no
active rule on events is there (a delivery must stay lean).
"""

from __future__ import annotations

from collections.abc import Collection

from crmmail.services.hearing.tell import News, spread
from crmmail.store.automatic import rules
from crmmail.store.history.undoable import Change
from crmmail.workspace import Workspace

CREATION = "none"  # core.rule's name for the state before the first


def react(
    workspace: Workspace,
    number: int,
    *,
    before: str,
    changed: Collection[str] = (),
    letter: tuple[str, str] | None = None,
    escalated: bool = False,
    skip: Collection[int] = (),
    news: News | None = None,
    said: list[str] | None = None,
) -> list[Change]:
    """What the rules on events do about something that happened to a record; the changes, for the act's undo.

    A rule that cannot do what it should is left out, noted in the ledger and among the workspace's troubles, and stops
    neither the act nor other rules.

    Args:
        before: the state it was in; CREATION.
        changed: its fields that changed.
        letter: subject and text of the letter from outside that came.
        skip: users who were told of this act already.
        news: gets what people shall be told of later (`spread`); None: they are told now.
        said: gets a line for each rule that acted, in the order in which they did: `Holiday: responsible bob`.
    """
    kept = rules.rules(active=True, dated=False)
    if not kept:
        return []
    from crmmail.services.automatic import rule_work  # which needs what most acts do not

    written: News = []
    done = rule_work.on_event(workspace, number, kept, before, changed, letter, escalated, written)
    if said is not None:
        said += done.lines
    workspace.troubles += [
        f"rule {rule.name} could not act on #{number}: {reason}; crmmail rules explain {number} tells more"
        for rule, reason in done.failed
    ]
    if news is None:
        spread(workspace, number, written, skip=skip)
    else:
        news += written
    return done.changes
