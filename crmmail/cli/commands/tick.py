"""`crmmail tick`: the minute of cron."""

from __future__ import annotations

from crmmail.cli.command import command
from crmmail.cli.commands import outbox as mail
from crmmail.cli.commands import rules
from crmmail.cli.session import Session, pass_session
from crmmail.services import hooks, outbox


@command("tick", examples=("crmmail tick", "* * * * * crmmail --db /srv/crm.db tick"))
@pass_session
def tick_command(session: Session) -> int:
    """What cron calls each minute: rules, mail, hooks.

    Silent when all is well.  Of what fails for good, and of a mail server that begins to fail, it says a line, which
    cron mails to its owner; while the trouble lasts it says nothing more: `crmmail doctor` does.
    """
    workspace = session.workspace
    failed = rules.report(session, rules.act(session))
    results = mail.send_now(session)
    mail.report(session, outbox.news(workspace, results))
    given_up = [one for one in hooks.run_due(workspace) if one.over]
    for one in given_up:
        session.voice.warn(one.sentence)
    return int(bool(failed or given_up) or any(one.state == "failed" for one in results))
