"""`crmmail escalate`: cases go to the section above their own (F184, F185, F205)."""

from __future__ import annotations

import click

from crmmail.cli.acts import REHEARSED, UNDO, changed, each
from crmmail.cli.command import command
from crmmail.cli.line import Line
from crmmail.cli.options import dry_run_option, ids_argument
from crmmail.cli.session import Session, pass_session
from crmmail.errors import NotFound, UsageError
from crmmail.services.acts import escalate
from crmmail.services.shared import possible


@command(
    "escalate",
    examples=(
        "crmmail escalate 101",
        'crmmail escalate 101 --note "Needs somebody who knows the driver."',
        "crmmail list case late -o ids | crmmail escalate -",
        "crmmail escalate --late          # for cron",
    ),
)
@ids_argument(metavar="RECORD…", required=False)
@click.option("--late", is_flag=True, help="All unfinished cases that are late, each once for its deadline.")
@click.option("--note", default="", metavar="TEXT", help="Say why; it stays inside.")
@click.option("--keep-watch/--no-keep-watch", "keep", default=True, help="Who had it goes on following it, or not.")
@dry_run_option
@pass_session
def escalate_command(
    session: Session, ids: tuple[int, ...] | None, late: bool, note: str, keep: bool, dry_run: bool
) -> int:
    """Pass cases to the section above.

    The manager of that section is responsible from then on; the state stays. At the top level nothing can be escalated.
    --late is for cron, and tells it of nothing but errors: -v says what was done.
    """
    if late is (ids is not None):
        raise UsageError("say which cases, or --late for all that are late")
    workspace = session.workspace
    if ids is not None:
        actor = workspace.user().id

        def go_up(number: int) -> list[Line]:
            done = escalate.escalate(workspace, number, keep=keep, actor=actor, note=note, dry_run=dry_run)
            return changed(done, REHEARSED if dry_run else UNDO)

        return each(session, ids, go_up)
    return _late(session, keep, note, dry_run)


def _late(session: Session, keep: bool, note: str, dry_run: bool) -> int:
    """Each late case that can go up.

    cron mails whatever it hears, so it hears of errors only; who sits at a terminal or asks (-v, a dry run) hears of
    the cases too.  Those at the top level are nothing to speak of without -v.
    """
    workspace = session.workspace
    actor = _actor(session)
    heard = session.verbose or session.voice.terminal or dry_run

    def go_up(number: int) -> list[Line]:
        try:
            done = escalate.escalate(workspace, number, keep=keep, actor=actor, note=note, late=True, dry_run=dry_run)
        except escalate.NotLate:  # another run of cron was quicker
            return []
        return changed(done, REHEARSED if dry_run else "" if actor is None else UNDO) if heard else []

    found = escalate.late(workspace)
    able = [one.id for one in found if possible.can_escalate(one)]
    for one in found:
        if session.verbose and one.id not in able:
            session.voice.warn(f"#{one.id} {one.title} is late, and there is no section above its own")
    return each(session, able, go_up)


def _actor(session: Session) -> int | None:
    """Who runs it; cron may be nobody whom we know, and then nobody can undo it."""
    try:
        return session.workspace.user().id
    except NotFound:
        if session.user or session.workspace.environ.get("CRMMAIL_USER"):
            raise
        return None
