"""What is done by itself: rules, hooks, and whether anybody runs them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from crmmail.services.automatic import hooks, rule_admin
from crmmail.services.keeping import upkeep
from crmmail.services.keeping.checks.finding import RECENT, Finding, fail, local, ok, warn
from crmmail.services.keeping.setup import cron_line
from crmmail.store.automatic import rules
from crmmail.store.care import health
from crmmail.workspace import Workspace

LATE = timedelta(minutes=15)


def rules_can_act(workspace: Workspace) -> Iterator[Finding]:
    """Rules that could not do what they should, and what `rules lint` finds serious."""
    failed = rules.failures(workspace.now() - timedelta(days=RECENT))
    if failed:
        last = failed[0]
        more = f" ({len(failed)} times in {RECENT} days)" if len(failed) > 1 else ""
        sentence = f"rule {last.name} could not act on #{last.record}: {last.failed}{more}"
        yield warn("rules", sentence, f"crmmail rules explain {last.record}; crmmail rules lint")
    wrong = [one for one in rule_admin.lint(workspace) if one.serious]
    if wrong:
        yield warn("rules", f"{wrong[0].rule}: {wrong[0].sentence}", "crmmail rules lint tells of all")
    count = len(rule_admin.listing())
    if count and not (failed or wrong):
        yield ok("rules", f"{count} {'rule' if count == 1 else 'rules'}, and nothing is wrong with them")


def hooks_are_run(workspace: Workspace) -> Iterator[Finding]:
    """Programs that rules wanted to run, and that could not do their work or never began."""
    failed = hooks.failed_lately(workspace, RECENT)
    if failed:
        last = failed[-1]
        sentence = f"{last.program} for #{last.record}: {last.reason}"
        more = f" ({len(failed)} failed in {RECENT} days)" if len(failed) > 1 else ""
        yield warn("hooks", f"{sentence}{more}", f"mend {last.program}, then look at crmmail show {last.record} --full")
    since = hooks.waiting_since()
    if since is not None and workspace.now() - since > LATE:
        yield fail(
            "hooks",
            f"a hook has been due since {local(since)} and nobody runs it",
            f"put this line into cron: {cron_line(workspace.store.place)}",
        )


def cron_calls(workspace: Workspace) -> Iterator[Finding]:
    """Each `tick` leaves its time; a shop whose rules wait for a day, and which has none, has forgotten cron."""
    last = upkeep.last_tick(workspace.store.place)
    advice = f"put this line into cron: {cron_line(workspace.store.place)}"
    if last is not None and workspace.now() - last > LATE:
        yield warn("cron", f"`crmmail tick` last ran {local(last)}", advice)
    elif last is None and health.dated_rules():
        yield warn("cron", "rules wait for their day, and `crmmail tick`, which lets them act, has never run", advice)
