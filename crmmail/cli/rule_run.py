"""Rules act at the command line: for `rules run`, for `tick`, and to see what a new one would do."""

from __future__ import annotations

from datetime import datetime

from crmmail.cli.session import Session
from crmmail.services.automatic import run_rules
from crmmail.services.automatic.run_rules import Ran, Trouble

SHOWN = 5  # records that a line names


def act(session: Session, *, at: datetime | None = None, dry_run: bool = False) -> list[Ran]:
    """Lets the rules act whose dates have come; with a bar where it takes long."""
    workspace = session.workspace
    waiting = run_rules.waiting(workspace, at)
    with session.voice.progress(len(waiting), "Rules") as step:
        return run_rules.run(workspace, waiting, at=at, dry_run=dry_run, step=step)


def report(session: Session, ran: list[Ran]) -> int:
    """What rules could not do, a line a rule on stderr; the exit code."""
    troubles = run_rules.troubles(ran)
    for one in troubles:
        session.voice.warn(_could_not(one))
    return int(bool(troubles))


def _could_not(trouble: Trouble) -> str:
    """`rule To bob could not act on 5 records (#1, #2, #3 and 2 more): bob does not work here any more; …`."""
    first, *others = trouble.records
    where = f"#{first}"
    if others:
        more = f" and {len(others) - SHOWN + 1} more" if len(others) >= SHOWN else ""
        named = ", ".join(f"#{number}" for number in trouble.records[:SHOWN])
        where = f"{len(trouble.records)} records ({named}{more})"
    who = f"rule {trouble.rule}" if trouble.rule else "rules"
    return f"{who} could not act on {where}: {trouble.reason}; crmmail rules explain {first} tells more"
