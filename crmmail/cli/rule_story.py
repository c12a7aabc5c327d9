"""What `rules explain` prints: each rule with its conditions, and what it did or would do to a record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from crmmail.cli.line import Line, Span
from crmmail.core.rule import AWAY, NOBODY, Check
from crmmail.core.typed import Any
from crmmail.core.when import ago, minute
from crmmail.services.automatic.rule_report import Explained, Story


def shape(story: Story) -> dict[str, Any]:
    return {
        "record": story.record.id,
        "title": story.record.title,
        "state": story.record.state or None,
        "rules": [
            {
                "id": one.rule.id,
                "name": one.rule.name,
                "dated": one.rule.dated,
                "sentence": one.sentence,
                "holds": all(check.holds for check in one.checks),
                "conditions": [check._asdict() for check in one.checks],
                "base": one.base if one.rule.dated else None,
                "due": one.due,
                "fired": one.fired.at if one.fired and not one.fired.failed else None,
                "failed": (one.fired.failed or None) if one.fired else None,
                "acts": one.acts,
                "set_off_by": one.set_off_by,
            }
            for one in story.rules
        ],
        "now": {"done": story.now.lines, "failed": story.now.failed},
        "history": [
            {
                "at": one.at,
                "rule": one.name,
                "base": one.base,
                "did": one.sentence,
                "failed": one.failed or None,
            }
            for one in story.history
        ],
    }


def lines(story: Story, everything: bool, now: datetime) -> Iterator[Line]:
    one = story.record
    yield Span(f"#{one.id} {one.title} ({one.state})", "title")
    hidden = 0
    for told in story.rules:
        near = told.acts or told.set_off_by or told.fired or sum(not check.holds for check in told.checks) <= 1
        if not (everything or near):
            hidden += 1
            continue
        yield ""
        yield (Span(told.rule.name, "title"), Span(f"   {told.sentence}", "dim"))
        for check in told.checks:
            yield _check(check)
        yield from _when(told, now)
    if not story.rules:
        yield "There are no rules about it: crmmail rules add"
    if hidden:
        yield ""
        yield Span(f"{hidden} more of which several conditions do not hold: --all shows them", "dim")
    if story.history:
        yield ""
        yield Span("What rules did", "title")
        for row in story.history:
            failed = f": could not, {row.failed}" if row.failed else ""
            yield (Span(f"  {ago(row.at, now)}  ", "dim"), f"{row.name}: {row.sentence}{failed}")


def _check(check: Check) -> Line:
    mark = Span("  ✓ ", "done") if check.holds else Span("  ✗ ", "failed")
    found = "" if check.holds else _found(check)
    return (mark, f"{check.name} {check.wanted}" + (f" ({found})" if found else ""))


def _found(check: Check) -> str:
    """What is there instead, in words; "" where there is nothing to tell."""
    if check.name == AWAY:
        return "nobody is responsible" if check.found == NOBODY else f"{check.found} is not on leave"
    return f"it is {check.found}" if check.found else ""


def _when(told: Explained, now: datetime) -> Iterator[Line]:
    rule = told.rule
    if not rule.dated:
        if told.set_off_by:
            yield f"  → acts when you press: {', '.join(told.set_off_by)}"
        elif all(check.holds for check in told.checks):
            yield Span("  → not set off by anything that can be pressed now", "dim")
        return
    if told.due is None:
        yield Span(f"  → no date to count from: it has no {rule.trigger}", "dim")
        return
    delay = "" if str(rule.delay) == "0m" else f" {rule.delay}"
    due = f"  → {rule.trigger}{delay}: due {minute(told.due, now)}"
    if told.fired and told.fired.failed:
        yield Span(f"{due}; it failed: {told.fired.failed}", "failed")
    elif told.fired:
        yield Span(f"{due}; acted {minute(told.fired.at, now)}", "done")
    elif told.acts:
        yield Span(f"{due}; acts at the next run", "waiting")
    else:
        yield f"{due}; {'its conditions do not hold' if told.due <= now else 'not yet'}"
