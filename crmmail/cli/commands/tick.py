"""`crmmail tick`: the minute of cron."""

from __future__ import annotations

from collections.abc import Callable

from crmmail.cli import rule_run
from crmmail.cli.command import command
from crmmail.cli.commands import outbox as mail
from crmmail.cli.session import Session, pass_session
from crmmail.errors import CrmmailError
from crmmail.services.automatic import hooks
from crmmail.services.keeping import upkeep
from crmmail.services.sending import outbox


@command("tick", examples=("crmmail tick", "* * * * * crmmail --db /srv/crm.db tick"))
@pass_session
def tick_command(session: Session) -> int:
    """What cron calls each minute: rules, mail, hooks.

    Silent when all is well.  Of what fails for good, and of a mail server that begins to fail, it says a line, which
    cron mails to its owner; while the trouble lasts it says nothing more: `crmmail doctor` does.  The three do not
    depend on each other: what goes wrong with one is said, and the others are done.
    """
    upkeep.ticked(session.open())
    return max(_tried(session, step) for step in (_rules, _mail, _hooks))


def _tried(session: Session, step: Callable[[Session], int]) -> int:
    """One step; what is wrong with it must not keep the others from their work."""
    try:
        return step(session)
    except CrmmailError as error:
        session.voice.warn(str(error))
    except Exception as error:
        session.voice.warn(f"something went wrong in crmmail itself: {type(error).__name__}: {error}")
    return 1


def _rules(session: Session) -> int:
    return rule_run.report(session, rule_run.act(session))


def _mail(session: Session) -> int:
    results = mail.send_now(session)
    mail.report(session, outbox.news(session.workspace, results))
    return int(any(one.state == "failed" for one in results))


def _hooks(session: Session) -> int:
    given_up = [one for one in hooks.run_due(session.workspace) if one.over]
    for one in given_up:
        session.voice.warn(one.sentence)
    return int(bool(given_up))
