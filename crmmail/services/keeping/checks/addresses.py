"""Addresses of ours: do they match, are they used as they should be, and does nothing of ours write to them?"""

from __future__ import annotations

from collections.abc import Iterator

from crmmail.core import address as addresses
from crmmail.core import pairing
from crmmail.services.keeping.checks.finding import MOST, Finding, fail, many, ok, warn
from crmmail.store.care import health
from crmmail.store.letters import mails
from crmmail.store.people import directory, offices
from crmmail.workspace import Workspace


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
        yield ok("aliases", many(len(known), "address makes records", "addresses make records"))


def nothing_of_ours_writes_to_us(workspace: Workspace) -> Iterator[Finding]:
    """What makes records may not be told of records, or one letter makes the next.  Such mail is never sent; but
    whoever wrote the address down expects that it is."""
    for address, record in health.following_aliases()[:MOST]:
        sentence = f"{address}, which makes records, follows #{record}"
        yield warn("loops", sentence, f"crmmail unfollow {record} --who {address}")
    for address, contact in health.contacts_with_aliases()[:MOST]:
        sentence = f"{address}, which makes records, is an address of contact {contact}"
        yield warn("loops", sentence, f"crmmail contacts set {contact} --without {address}")
    for login, address in health.users_with_aliases()[:MOST]:
        sentence = f"{login} has the address {address}, which makes records: what he is told would be a new one"
        yield fail("loops", sentence, f"crmmail aliases remove {address}")


def answers_are_known(workspace: Workspace) -> Iterator[Finding]:
    """How we know our users and our letters; every way is right, but people should know which is theirs."""
    config = workspace.config
    if not config.mail_trusted_authserv_id:
        yield ok("identity", "users are known by answering notifications only (mail.trusted_authserv_id is not set)")
    if config.mail_plus_addresses == "no" or (config.mail_plus_addresses == "auto" and not config.mail_catchall):
        yield ok("identity", "our addresses carry no token: answers are known by References (mail.plus_addresses)")


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
