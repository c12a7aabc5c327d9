"""Hooks: a rule may run a program of the shop's (behaviour §6).  Queued in the rule's transaction, run after it.

Nothing outside happens while a transaction is open, and a delivery waits for nobody's program: `tick` runs what is
due.  A program that fails is tried again some minutes later, a few times; then a note in the record's conversation
says so, and `doctor` does.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from crmmail import hooks as shop
from crmmail.config import hooks_folder
from crmmail.core import retry, text
from crmmail.core.typed import Any, NamedTuple
from crmmail.services.hearing.tell import system_message
from crmmail.store.automatic import hooks
from crmmail.store.automatic.hooks import Call
from crmmail.store.work import records
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace

TRIES = 4
MARGIN = timedelta(minutes=1)  # besides its time: how long a call stays ours that nobody settles


class Failure(NamedTuple):
    """A program that could not do its work."""

    record: int
    program: str
    reason: str
    over: bool  # it is not tried again

    @property
    def sentence(self) -> str:
        what = "given up" if self.over else "tried again later"
        return f"hook {self.program} for #{self.record}: {self.reason} ({what})"


def programs(workspace: Workspace) -> list[str]:
    """The programs that a rule can name."""
    return shop.programs(_folder(workspace))


def wrong(workspace: Workspace, program: str) -> str:
    """Why a program could not be run now, in words; "" where it could."""
    return shop.wrong(_folder(workspace), program)


def queue(workspace: Workspace, number: int, rule_id: int | None, program: str, sentence: str) -> int:
    """Wants a program to be run, inside a rule's transaction; it gets the record as it is now.

    Args:
        sentence: what the rule did, as the record's conversation has it: `rule NAME: …`.
    """
    from crmmail.store.automatic import rules

    named = next((one.name for one in rules.rules() if one.id == rule_id), "")
    payload = {"event": "rule", "rule": named or None, "record": _plain(records.record(number)), "what": sentence}
    return hooks.put_call(number, rule_id, program, payload, workspace.now())


def run_due(workspace: Workspace) -> list[Failure]:
    """Runs the programs that are due, one after the other, no transaction open; those that failed.

    Each is claimed first, so that two passes at once never run one call twice.
    """
    timeout = max(1, workspace.config.hooks_timeout)
    failed: list[Failure] = []
    while call := _claim(workspace, timeout):
        if call.attempts > TRIES:  # whoever ran it last was stopped with it
            ok, words = False, "it never came back"
        else:
            ok, words = shop.run(_folder(workspace), call.program, call.payload, timeout)
        failure = _settle(workspace, call, ok, words)
        failed += [failure] if failure else []
    return failed


def failed_lately(workspace: Workspace, days: int) -> list[Call]:
    """What was given up in the last days."""
    return hooks.failed_since(workspace.now() - timedelta(days=days))


def waiting_since() -> datetime | None:
    """Since when the oldest queued program has been due."""
    return hooks.oldest_waiting()


def _claim(workspace: Workspace, timeout: int) -> Call | None:
    now = workspace.now()
    with workspace.store.transaction():
        return hooks.claim(now, now + timedelta(seconds=timeout) + MARGIN)


def _settle(workspace: Workspace, call: Call, ok: bool, words: str) -> Failure | None:
    """Writes down what came of a try, and when the next is due; of the last one a note in the conversation."""
    now, over = workspace.now(), call.attempts >= TRIES
    with workspace.store.transaction():
        if ok:
            hooks.settle(call.id, call.attempts, state="done", due=now, reason=words or None)
            return None
        if not over:
            due = now + retry.delay(call.attempts, ours=False)
            hooks.settle(call.id, call.attempts, due=due, reason=words)
        elif hooks.settle(call.id, call.attempts, state="failed", due=now, reason=words):
            said = f"hook {text.one_line(call.program)} failed {call.attempts} times: {words}"
            system_message(workspace, call.record, "note", said, author=None)
    return Failure(call.record, call.program, words, over)


def _folder(workspace: Workspace) -> str:
    return hooks_folder(workspace.config, workspace.environ)


def _plain(this: Record) -> dict[str, Any]:
    """A record for a program: its own fields, each as `show --json` has it.

    Who made it, its company and contacts, its buttons and what became of it are not in it: `crmmail show` tells them.
    """

    def moment(value: datetime | None) -> str | None:
        return value.strftime("%Y-%m-%dT%H:%M:%SZ") if value else None

    return {
        "id": this.id,
        "kind": this.kind,
        "title": text.clean(this.title),
        "state": this.state or None,
        "section": this.section or None,
        "category": this.category or None,
        "responsible": this.responsible or None,
        "priority": this.priority,
        "partner": {"id": this.partner.id, "name": text.clean(this.partner.name)} if this.partner else None,
        "email": this.email or None,
        "partner_name": text.clean(this.partner_name) or None,
        "deadline": moment(this.deadline),
        "revenue": this.revenue,
        "cost": this.cost,
        "probability": this.probability,
        "created": moment(this.created),
        "updated": moment(this.updated),
        "closed": moment(this.closed),
    }
