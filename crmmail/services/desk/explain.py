"""`why` a mail went where it went, and `why-not`: the three conditions for being told of a message (F24)."""

from __future__ import annotations

from collections.abc import Iterator

from crmmail.core import audience
from crmmail.core.typed import NamedTuple
from crmmail.store.automatic import rules
from crmmail.store.history import journal
from crmmail.store.letters import inbox, mails, messages
from crmmail.store.letters.mails import Verdict
from crmmail.store.letters.quarantine import quarantined
from crmmail.store.people import directory, followers
from crmmail.store.work import records
from crmmail.workspace import Workspace


class Reason(NamedTuple):
    """One condition for being told of a message, and whether it holds."""

    holds: bool
    sentence: str


def why(workspace: Workspace, *, message: int | None = None, quarantine: int | None = None) -> list[Verdict]:
    """The stored decisions about the letter behind a message, or a row in quarantine; no second run."""
    if quarantine is not None:
        return mails.decisions(original=quarantined(quarantine).original)
    this = messages.message(message or 0)
    return mails.decisions(original=this.original) if this.original is not None else []


def by_rule(message: int) -> str:
    """Which rule wrote a message, and what it acted on, in a sentence; "" where none did."""
    found = rules.wrote(message)
    if found is None:
        return ""
    this = messages.message(message)
    acted = next((one for one in rules.firings(record=this.thread, rule=found.id) if one.at <= this.received), None)
    base = f", for the {found.spec.get('trigger')} date {acted.base:%Y-%m-%d %H:%M} UTC" if acted and acted.base else ""
    return f"rule {found.name} wrote it{base}"


class Told(NamedTuple):
    """Somebody who was told of a message."""

    who: str  # a login, or an address
    why: str  # customer | explicit | participant | follower | addressed | in charge …
    by: str  # inbox | mail
    state: str  # of an inbox item unread | dismissed; of a mail as the outbox has it


def told(workspace: Workspace, message: int) -> list[Told]:
    """Everybody who was told of a message, and why."""
    items = inbox.told(message)
    users = directory.users_by_id(user for user, _, _ in items)
    inside = [Told(users[user].login, why, "inbox", "unread" if new else "dismissed") for user, why, new in items]
    return [*inside, *(Told(one.to, one.why, "mail", one.state) for one in messages.message(message).deliveries)]


def why_not(workspace: Workspace, message: int, login: str) -> list[Reason]:
    """Why this user was told of a message, or was not: each condition with what is true of it."""
    this = messages.message(message)
    user = directory.user(login)
    reasons = [Reason(True, f"message {message} is in the thread of #{this.thread}")]
    mine = next((one for one in followers.followers(this.thread) if one.user == user.id), None)
    told = next(((why, unread) for number, why, unread in inbox.told(message) if number == user.id), None)
    mailed = [one for one in this.deliveries if one.to in user.addresses]
    if told:
        state = "unread in" if told[1] else "dismissed from"
        reasons.append(Reason(True, f"{user.login} was told as {told[0]}; the item is {state} the inbox"))
    for one in mailed:
        reasons.append(Reason(True, f"a copy by mail to {one.to} is {one.state}"))
    if told or mailed:
        return reasons
    reasons.append(
        Reason(mine is not None, f"{user.login} {'follows' if mine else 'does not follow'} #{this.thread} now")
    )
    if mine is not None:
        listener = audience.Follower(user.id, None, user.email, mine.types)
        wants = audience.follows(listener, this.subtype)
        types = ", ".join(mine.types) if mine.types is not None else "all types"
        reasons.append(Reason(wants, f"follows {types}; the message is of type {this.subtype}"))
    if this.author == user.login:
        reasons.append(Reason(False, f"{user.login} wrote it, and nobody is told of his own words"))
    if user.notify == "none":
        reasons.append(Reason(False, f"{user.login} has notifications switched off (--notify none)"))
    if user.notify == "email" and this.automatic:
        reasons.append(Reason(False, "a machine wrote it, and no mail leaves because of a machine"))
    if all(one.holds for one in reasons):
        reasons.append(Reason(False, f"{user.login} began to follow later, or was told of the same letter once"))
    return reasons


def history(workspace: Workspace, record: int | None, limit: int, before: int | None = None) -> Iterator[journal.Line]:
    """The newest acts on a record, or of everybody, oldest first, read as they are wanted.  A record's first is how it
    came to be (F15).

    Args:
        before: of those that are older than this act.
    """
    if record is None:
        return journal.listed(journal.numbers(limit, before=before))
    this = records.record(record)
    acts = list(journal.listed(journal.numbers(limit, thread=record, before=before)))
    if len(acts) < limit and not any(one.act == "new" for one in acts):  # nobody made it: a letter did
        acts.insert(0, journal.Line(0, "", "", this.created, "new", f"#{this.id} {this.title}", record, None))
    return iter(acts)
