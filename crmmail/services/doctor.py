"""`crmmail doctor`: looks for what could be wrong, and says what to do.

Each check is a function that yields findings; the table CHECKS is the list of them.  `fail` is what loses or delays
mail now (exit 1, so that monitoring sees it), `warn` what will one day, `ok` what was looked at and is well.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NamedTuple

from crmmail.config import log_file
from crmmail.core import address as addresses
from crmmail.core import pairing
from crmmail.errors import ConfigBroken
from crmmail.mail import smtp
from crmmail.secret import smtp_password
from crmmail.services import hooks, leave, people, rule_admin
from crmmail.services.outbox import advice as what_to_do
from crmmail.services.setup import cron_line
from crmmail.store import database, directory, mails, offices, outbox, rules, schema
from crmmail.store.attempts import Attempts
from crmmail.workspace import Workspace

RECENT = 7  # days for which we speak of a hook that failed


class Finding(NamedTuple):
    level: str  # ok | warn | fail
    check: str
    sentence: str
    advice: str


def examine(workspace: Workspace) -> list[Finding]:
    """All findings, in the order of the table.  A store that is behind its schema is examined no further."""
    found = list(schema_is_known(workspace))
    if any(one.level == "fail" for one in found):
        return found
    for check in CHECKS:
        found += check(workspace)
    return found


def ok(check: str, sentence: str) -> Finding:
    return Finding("ok", check, sentence, "")


def warn(check: str, sentence: str, advice: str) -> Finding:
    return Finding("warn", check, sentence, advice)


def fail(check: str, sentence: str, advice: str) -> Finding:
    return Finding("fail", check, sentence, advice)


# --- the store ----------------------------------------------------------------------------------------------


def schema_is_known(workspace: Workspace) -> Iterator[Finding]:
    pending = [one.name for one in schema.status(workspace.store) if not one.applied]
    if pending:
        yield fail("schema", f"pending: {', '.join(pending)}; every delivery says 75", "crmmail db migrate")
    else:
        yield ok("schema", f"up to date ({database.NEWEST})")


def store_is_private(workspace: Workspace) -> Iterator[Finding]:
    place = workspace.store.place
    mode = stat.S_IMODE(os.stat(place).st_mode)
    folder = os.path.dirname(place) or "."
    if mode & 0o007:
        yield fail("permissions", f"{place} is open to every local user ({mode:04o})", f"chmod o= {place}")
    if not os.access(place, os.W_OK):
        yield fail("permissions", f"{place} cannot be written by you", "run as its owner, or `crmmail init --group`")
    elif not os.access(folder, os.W_OK):
        yield fail("permissions", f"{folder} cannot be written by you; the journal lies there", f"chmod u+w {folder}")
    elif not mode & 0o007:
        yield ok("permissions", f"{place} is {mode:04o}")


def journal_mode_is_safe(workspace: Workspace) -> Iterator[Finding]:
    mode = workspace.store.journal_mode()
    if mode == "wal" and sqlite3.sqlite_version_info < database.WAL_IS_SAFE:
        wanted = ".".join(map(str, database.WAL_IS_SAFE))
        sentence = f"WAL with SQLite {sqlite3.sqlite_version}: two processes can corrupt it (safe from {wanted})"
        yield fail("journal", sentence, "open it once with crmmail and nobody else, which sets TRUNCATE")
    else:
        yield ok("journal", f"journal mode {mode}, SQLite {sqlite3.sqlite_version}")


def log_can_be_written(workspace: Workspace) -> Iterator[Finding]:
    path = log_file(workspace.config, workspace.environ)
    there = path if os.path.exists(path) else os.path.dirname(path)
    while there and not os.path.exists(there):
        there = os.path.dirname(there)
    if not os.access(there, os.W_OK):
        yield warn("log", f"{path} cannot be written", f"chmod u+w {there}, or `crmmail config set log.file PATH`")


# --- people and addresses -----------------------------------------------------------------------------------


def domains_are_set(workspace: Workspace) -> Iterator[Finding]:
    domains = workspace.config.mail_domains
    if not domains:
        yield fail("domains", "no mail domain of ours is set, so no alias matches", "crmmail config set mail.domains …")
        return
    yield ok("domains", f"our domains: {', '.join(domains)}")
    for one in offices.aliases():
        if one.active and addresses.host_of(one.address) not in domains:
            advice = f'crmmail config set mail.domains "{" ".join([*domains, addresses.host_of(one.address)])}"'
            yield fail("domains", f"alias {one.address} lies in no domain of ours, so it never matches", advice)


def aliases_make_records(workspace: Workspace) -> Iterator[Finding]:
    known = [one for one in offices.aliases() if one.active]
    if not known:
        yield warn(
            "aliases",
            "no address makes records: every first letter goes to quarantine",
            "crmmail sections add support --name Support --email support@DOMAIN, or crmmail aliases add",
        )
    catchall = workspace.config.mail_catchall.lower()
    for one in known:
        if one.address == catchall:
            yield warn(
                "aliases",
                f"the catchall {catchall} is an alias, too: it should receive mail, not be written to",
                f"crmmail aliases remove {catchall}",
            )
    if known:
        yield ok("aliases", f"{len(known)} addresses make records")


def new_cases_find_somebody(workspace: Workspace) -> Iterator[Finding]:
    """F166: somebody must be told of a new case, and he must have an address where he hears by mail."""
    by_rule = {one.section for one in rule_admin.listing() if one.set_responsible and one.state_from in ("", "none")}
    for one in offices.sections():
        found = by_rule & {"", one.code}
        if one.active and not (one.manager or found) and one.assign in ("none", "manager"):
            yield warn(
                "assignment",
                f"nobody is told of new cases of section {one.code} but the admins",
                f"crmmail sections set {one.code} --manager LOGIN, --assign round-robin, or a rule",
            )
    for user in directory.users():
        if user.active and not user.email:
            yield warn("users", f"{user.login} has no address", f"crmmail users set {user.login} --email ADDRESS")
    if not directory.admins():
        yield fail("users", "nobody is admin", "restore the store from a backup, or ask whoever made it")


def leave_has_deputies(workspace: Workspace) -> Iterator[Finding]:
    """F231: the work of who is on leave must lie before somebody."""
    for login, deputy in leave.away(workspace).items():
        this = directory.user(login)
        waiting = len(people.unfinished_of(this)) if not deputy else 0
        if waiting:
            what = "1 unfinished record waits" if waiting == 1 else f"{waiting} unfinished records wait"
            yield warn(
                "leave",
                f"{leave.sentence(workspace, this)}, and {what}",
                f"crmmail users away {login} --until DATE --deputy LOGIN --hand-over",
            )


def mailboxes_fit(workspace: Workspace) -> Iterator[Finding]:
    """S0's right and wrong pairs, of what has come in (F139–F144)."""
    aliases = frozenset(one.address for one in offices.aliases())
    users = frozenset(address for one in directory.users() for address in one.addresses)
    catchall = workspace.config.mail_catchall.lower()
    for mailbox, addressee in sorted(mails.mailboxes()):
        verdict = pairing.judge(mailbox, addressee, catchall=catchall, aliases=aliases, users=users)
        if verdict.right:
            yield ok("mailboxes", f"{mailbox} ← {addressee}: {verdict.sentence}")
        else:
            advice = "see docs/path-of-a-mail.md, mailboxes and addresses"
            yield warn("mailboxes", f"{verdict.code}: {verdict.sentence}", advice)
    if not catchall:
        yield ok("mailboxes", "no catchall is set (crmmail config set mail.catchall ADDRESS, where there is one)")


# --- what waits ---------------------------------------------------------------------------------------------


def nothing_waits_unseen(workspace: Workspace) -> Iterator[Finding]:
    waiting = mails.waiting_by_recipient()
    for reason, address, count in waiting:
        letters = f"{count} letter{'' if count == 1 else 's'}"
        if reason == "no-route":
            remedy = f"crmmail aliases add {address} --kind lead, then crmmail quarantine"
            yield warn("quarantine", f"{letters} to {address}, which makes no records", remedy)
        elif reason in ("crashed", "unreadable", "cut-off"):
            remedy = "crmmail quarantine show N --raw, and tell us"
            yield fail("quarantine", f"{letters} that crmmail could not judge ({reason})", remedy)
        else:
            yield warn("quarantine", f"{letters} to {address}: {reason}", f"crmmail quarantine list {reason}")
    if not waiting:
        yield ok("quarantine", "no letter waits")


def mail_can_leave(workspace: Workspace) -> Iterator[Finding]:
    counts = outbox.counts()
    queued = counts.get("queued", 0)
    config = workspace.config
    if not config.smtp_url:
        sentence = "no way out is set: mail waits in the outbox" + (f" ({queued} now)" if queued else "")
        yield warn("outgoing", sentence, "crmmail config set smtp.url smtp://host:port")
    else:
        try:
            if smtp.server(config.smtp_url).user and not smtp_password(
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
        if since is not None and workspace.now() - since > timedelta(minutes=15):
            yield fail(
                "outgoing",
                f"mail has been due since {since.astimezone():%Y-%m-%d %H:%M} and nobody sends it",
                f"put this line into cron: {cron_line(workspace.store.place)}",
            )
        troubled = [one for one in outbox.deliveries(states=["queued"]) if one.attempts]
        if troubled:
            last = troubled[-1]
            sentence = f"{_mails(len(troubled), 'was', 'were')} tried in vain: {last.reason}"
            yield warn("outgoing", sentence, what_to_do(last) or "crmmail outbox")
    if not workspace.config.mail_catchall and not any(one.address and one.active for one in offices.sections()):
        yield warn(
            "outgoing",
            "no section has an address and there is no catchall: answers would go to users' own mailboxes (F89)",
            "crmmail sections set CODE --email ADDRESS",
        )
    broken = counts.get("failed", 0) + counts.get("bounced", 0)
    if broken:
        yield warn("outgoing", f"{_mails(broken, 'could', 'could')} not be delivered", "crmmail outbox")


def _mails(count: int, one: str, more: str) -> str:
    return f"1 mail {one}" if count == 1 else f"{count} mails {more}"


def deliveries_survive(workspace: Workspace) -> Iterator[Finding]:
    """Deliveries that were killed leave a mark; an old one means that a mail comes again and again in vain."""
    folder = Attempts(workspace.store.place)
    count = folder.unsettled((workspace.now() - timedelta(minutes=10)).timestamp())
    if count:
        yield warn(
            "deliveries",
            f"{count} mails whose delivery was cut off have not come again",
            f"look at the mail server's log; {folder.folder} counts them",
        )


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
    if since is not None and workspace.now() - since > timedelta(minutes=15):
        yield fail(
            "hooks",
            f"a hook has been due since {since.astimezone():%Y-%m-%d %H:%M} and nobody runs it",
            f"put this line into cron: {cron_line(workspace.store.place)}",
        )


CHECKS: tuple[Callable[[Workspace], Iterator[Finding]], ...] = (
    store_is_private,
    journal_mode_is_safe,
    log_can_be_written,
    domains_are_set,
    aliases_make_records,
    new_cases_find_somebody,
    leave_has_deputies,
    mailboxes_fit,
    nothing_waits_unseen,
    mail_can_leave,
    deliveries_survive,
    rules_can_act,
    hooks_are_run,
)
