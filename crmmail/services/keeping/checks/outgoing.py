"""Does mail leave, and does it arrive?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from crmmail.errors import ConfigBroken
from crmmail.mail import smtp_url
from crmmail.secret import smtp_password
from crmmail.services.keeping.checks.finding import RECENT, Finding, fail, local, many, warn
from crmmail.services.keeping.setup import cron_line
from crmmail.services.sending.outbox import advice as what_to_do
from crmmail.store.care import health
from crmmail.store.letters import outbox
from crmmail.store.people import offices
from crmmail.workspace import Workspace

NAMED = 3  # bad addresses
LATE = timedelta(minutes=15)


def mail_can_leave(workspace: Workspace) -> Iterator[Finding]:
    counts = outbox.counts()
    queued = counts.get("queued", 0)
    config = workspace.config
    if not config.smtp_url:
        sentence = "no way out is set: mail waits in the outbox" + (f" ({queued} now)" if queued else "")
        yield warn("outgoing", sentence, "crmmail config set smtp.url smtp://host:port")
    else:
        try:
            if smtp_url.read(config.smtp_url).user and not smtp_password(
                config.smtp_password_command, config.smtp_password_file, workspace.environ
            ):
                yield warn(
                    "outgoing",
                    "smtp.url names a user, and no password is set",
                    "crmmail config set smtp.password_command 'pass show crm-smtp'",
                )
        except ConfigBroken as error:
            yield fail("outgoing", str(error), "crmmail config")
        since = outbox.oldest_waiting()
        if since is not None and workspace.now() - since > LATE:
            yield fail(
                "outgoing",
                f"mail has been due since {local(since)} and nobody sends it",
                f"put this line into cron: {cron_line(workspace.store.place)}",
            )
        troubled = [one for one in outbox.deliveries(states=["queued"]) if one.attempts]
        if troubled:
            last = troubled[-1]
            sentence = f"{many(len(troubled), 'mail was', 'mails were')} tried in vain: {last.reason}"
            yield warn("outgoing", sentence, what_to_do(last) or "crmmail outbox")
    if not workspace.config.mail_catchall and not any(one.address and one.active for one in offices.sections()):
        yield warn(
            "outgoing",
            "no section has an address and there is no catchall: answers would go to users' own mailboxes (F89)",
            "crmmail sections set CODE --email ADDRESS",
        )
    broken = counts.get("failed", 0) + counts.get("bounced", 0)
    if broken:
        yield warn("outgoing", f"{many(broken, 'mail could', 'mails could')} not be delivered", "crmmail outbox")


def addresses_exist(workspace: Workspace) -> Iterator[Finding]:
    """What bounces have said lately; an address is forgiven by a letter that comes from it."""
    bad = health.bad_since(workspace.now() - timedelta(days=RECENT))
    if bad:
        named = ", ".join(bad[:NAMED]) + (" …" if len(bad) > NAMED else "")
        sentence = f"{many(len(bad), 'address does', 'addresses do')} not exist, say their mail servers: {named}"
        yield warn("outgoing", sentence, "crmmail outbox; mend the contacts that have them")
