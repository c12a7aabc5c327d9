"""Letters that came and wait for a person: quarantine, and answers whose senders nothing confirms."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from crmmail.services.keeping.checks.finding import MOST, RECENT, Finding, fail, local, many, ok, warn
from crmmail.store.care import health
from crmmail.store.letters import quarantine
from crmmail.store.people import offices
from crmmail.store.people.offices import Alias
from crmmail.workspace import Workspace

DAY = timedelta(days=1)
LONG = timedelta(days=14)  # a letter that waits so long is forgotten
BURST, TIMES = 20, 3  # letters of one day, and how many times those of a usual one, that are a flood


def nothing_waits_unseen(workspace: Workspace) -> Iterator[Finding]:
    """By reason and address: the report that F113 and F133 ask for."""
    waiting = quarantine.waiting_by_recipient()
    ours = {one.address: one for one in offices.aliases() if one.active}
    rows = sorted((row for row in waiting if row[0] != "unconfirmed"), key=lambda row: -row[2])
    for reason, address, count in rows[:MOST]:
        letters = many(count, "letter", "letters")
        if reason == "no-route" and not address:
            remedy = "give --recipient=%T or -s SECTION in the mda line; crmmail quarantine"
            yield warn("quarantine", many(count, "letter names nobody", "letters name nobody") + " it came for", remedy)
        elif reason == "no-route" and address in ours:
            yield warn("quarantine", f"{letters} to {address} came before it made records", _filing(ours[address]))
        elif reason == "no-route":
            remedy = f"crmmail aliases add {address} --kind lead, then crmmail quarantine"
            yield warn("quarantine", f"{letters} to {address}, which makes no records", remedy)
        elif reason in ("crashed", "unreadable", "cut-off"):
            remedy = "crmmail quarantine show N --raw, and tell us"
            yield fail("quarantine", f"{letters} that crmmail could not judge ({reason})", remedy)
        else:
            yield warn(
                "quarantine", f"{letters} to {address or 'nobody named'}: {reason}", f"crmmail quarantine list {reason}"
            )
    if len(rows) > MOST:
        left = sum(count for _, _, count in rows[MOST:])
        yield warn("quarantine", f"{many(left, 'letter', 'letters')} more, to other addresses", "crmmail quarantine")
    if not waiting:
        yield ok("quarantine", "no letter waits")


def _filing(alias: Alias) -> str:
    """The command that makes of the letters to an address what they would be if they came now."""
    numbers = " ".join(map(str, quarantine.waiting_for(alias.address)[:MOST]))
    where = f" --section {alias.section}" if alias.section else ""
    return f"crmmail quarantine create {numbers}{f' --kind {alias.kind}' if alias.kind else ''}{where}"


def quarantine_does_not_grow(workspace: Workspace) -> Iterator[Finding]:
    """A flood is an alias that was forgotten, a loop, or a sender gone mad; what waits for weeks is forgotten."""
    now = workspace.now()
    found = health.quarantine_growth(now - DAY, now - DAY * (RECENT + 1))
    usual = found.before / RECENT
    if found.lately >= BURST and found.lately > TIMES * usual:
        sentence = f"{found.lately} letters came into it in the last 24 hours, {usual:.1f} a day in the week before"
        yield warn("quarantine", sentence, "crmmail quarantine; an alias that is missing, a loop?")
    if found.oldest is not None and now - found.oldest > LONG:
        sentence = f"the oldest letter has been waiting since {local(found.oldest)}"
        yield warn("quarantine", sentence, "crmmail quarantine: route, create, spam, purge")


def strangers_are_heard(workspace: Workspace) -> Iterator[Finding]:
    """Answers that nobody believes yet may be a customer's who writes from another address, or a user's of ours."""
    count = sum(number for reason, _, number in quarantine.waiting_by_recipient() if reason == "unconfirmed")
    since = health.waiting_since("unconfirmed")
    if count and since is not None:
        what = many(count, "answer whose sender nothing confirms waits", "answers whose senders nothing confirms wait")
        sentence = f"{what} since {local(since)}"
        yield warn("unconfirmed", sentence, "crmmail unconfirmed: accept, refuse")
