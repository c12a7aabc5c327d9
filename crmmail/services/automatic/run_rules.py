"""`rules run`, from cron: dated rules act on the records whose day has come, each record in its own transaction.

One query a rule finds the records, `core.plan` has the last word on each, and the ledger keeps a rule from acting twice
for one date.  What fails on one record is said, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from crmmail.core.rule import Rule, World
from crmmail.core.typed import NamedTuple
from crmmail.errors import CrmmailError
from crmmail.services.automatic import rule_work
from crmmail.services.hearing.tell import News, spread
from crmmail.services.shared.rehearsal import rehearsed
from crmmail.store.automatic import rules
from crmmail.store.history import journal
from crmmail.store.people import offices
from crmmail.store.work import due, records
from crmmail.workspace import Workspace, os_login


class Ran(NamedTuple):
    """What rules did to one record."""

    record: int
    title: str
    lines: list[str]  # `Copy to an expert after 2 days: watched by expert@…`
    troubles: list[tuple[str, str]]  # rules that could not do what they should ("": all of them), and why

    @property
    def failed(self) -> list[str]:
        """The troubles as lines: `Copy to an expert after 2 days: there is no user expert`."""
        return [f"{name}: {reason}" if name else reason for name, reason in self.troubles]


class Trouble(NamedTuple):
    """What one rule could not do, on however many records."""

    rule: str
    reason: str  # on the first of them
    records: list[int]


def waiting(workspace: Workspace, at: datetime | None = None) -> list[int]:
    """The records that some dated rule may have to act on: one query a rule.

    Args:
        at: as if it were that moment; None: now.
    """
    book = rule_work.read(rules.rules(active=True, dated=True))
    if not book:
        return []
    now = workspace.now()
    parents = {one.code: one.parent for one in offices.sections() if one.parent}
    found: set[int] = set()
    for one in book:
        found.update(due.due(one, at or now, parents, now=now))
    return sorted(found)


def run(
    workspace: Workspace,
    numbers: Sequence[int] | None = None,
    *,
    at: datetime | None = None,
    dry_run: bool = False,
    step: Callable[[], None] = lambda: None,
) -> list[Ran]:
    """Lets dated rules act; what they did, by record.

    Args:
        numbers: the records that are `waiting`; None: it asks itself.
        at: decide as if it were that moment; None: now.  What they do is done now, so that their mail leaves.
        dry_run: do it all, say what came of it, and take it back.
        step: called after each record.
    """
    numbers = waiting(workspace, at) if numbers is None else numbers
    if not numbers:
        return []
    book = rule_work.read(rules.rules(active=True))
    around = rule_work.world(workspace, at)
    done = []
    for number in numbers:
        ran = _run_one(workspace, number, book, around, dry_run, at)
        if ran.lines or ran.failed:
            done.append(ran)
        step()
    return done


def troubles(ran: Sequence[Ran]) -> list[Trouble]:
    """What could not be done, by rule: what is wrong with a rule mostly is so on every record."""
    found: dict[str, Trouble] = {}
    for one in ran:
        for name, reason in one.troubles:
            found.setdefault(name, Trouble(name, reason, [])).records.append(one.record)
    return list(found.values())


def rehearse(workspace: Workspace, number: int) -> Ran:
    """What dated rules would do to one record now."""
    book = rule_work.read(rules.rules(active=True))
    return _run_one(workspace, number, book, rule_work.world(workspace), True)


def _run_one(
    workspace: Workspace, number: int, book: Sequence[Rule], around: World, dry_run: bool, at: datetime | None = None
) -> Ran:
    this = records.record(number)
    lines: list[str] = []
    failed: list[tuple[str, str]] = []
    try:
        with rehearsed(workspace, dry_run):
            news: News = []
            done = rule_work.on_date(workspace, number, book, around, news, at)
            spread(workspace, number, news)
            lines = done.lines
            failed = [(rule.name, reason) for rule, reason in done.failed]
            failed += [(name, "not asked any more, rules set each other off too often") for name in done.plan.cut]
            for line in lines:
                sentence = f"#{number} {this.title}: rule {line}"
                journal.write(None, os_login(), workspace.now(), "rule", sentence, thread=number)
    except CrmmailError as error:
        if error.retry:
            raise
        lines, failed = [], [("", str(error))]
    return Ran(number, this.title, lines, failed)
