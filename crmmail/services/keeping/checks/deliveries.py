"""Do deliveries succeed?  Their marks say so, also where the store cannot be opened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from crmmail.services.keeping.checks.files import way_in
from crmmail.services.keeping.checks.finding import Finding, Site, fail, many, warn
from crmmail.services.shared import failing
from crmmail.store.engine.database import RESTORE
from crmmail.store.files.attempts import Attempts
from crmmail.store.files.failing import UNREADABLE

LATELY = timedelta(minutes=10)

# The error's class → what to do.  The mails wait where they are in the meantime: fetchmail offers them again.
ADVICE = {
    "EmptyMail": "look at the mda line: is it handed the mail?  `crmmail log --file` has each time",
    "UsageError": "mend the mda line (`crmmail init` prints how it reads)",
    "ConfigBroken": "mend that setting; `crmmail config` shows all",
    "StoreMissing": "mend --db in the mda line, bring the store back, or make one: crmmail init",
    "StoreBehind": "crmmail db migrate",
    "StoreBusy": "look who holds the store: fuser {place}",
    "StoreDamaged": f"crmmail db check; {RESTORE}",
    "StoreBroken": "mend what it says, then: crmmail db check",
}

SEEN = ("StoreMissing", "StoreBehind")  # of these an open store shows that they are over


def deliveries_do_not_fail(site: Site) -> Iterator[Finding]:
    """Every 75 leaves a mark, and the next success takes it away.

    Until then it stays a failure, for a mail that does not come may be one that is kept from us; but where the store
    was not there, or behind, and is open before us now, it is a warning.
    """
    found = failing.current(site.place, site.environ)
    if found is None:
        return
    path, mark = found
    advice = ADVICE.get(mark.kind, "crmmail log --file; mend it, or tell us").format(place=mark.place or site.place)
    if mark.kind == UNREADABLE:
        advice = way_in(path)
    said, last = failing.sentence(mark, site.now), failing.clock_time(mark.last, site.now)
    if failing.is_old(mark, site.now):
        sentence = f"deliveries failed until {last}, and none has come since" + (f": {mark.why}" if mark.why else "")
        yield warn("deliveries", sentence, f"{advice}; where it is mended: rm {path}")
    elif site.opened and mark.kind in SEEN and mark.place == site.place:
        sentence = f"deliveries failed until {last}, and none has come since the store was mended: {mark.why}"
        yield warn("deliveries", sentence, "nothing, where mail comes: the next delivery that succeeds clears this")
    elif mark.kind == "EmptyMail" and mark.count < 3:
        yield warn("deliveries", said, advice)  # a fetchmail that was stopped; the mail comes again
    else:
        times = f" ({mark.count} in a row, the last at {last})" if mark.count > 1 else ""
        cleared = f"; the next delivery that succeeds clears this (since {last} none has come)"
        yield fail("deliveries", f"{said}{times}", advice + cleared)


def deliveries_survive(site: Site) -> Iterator[Finding]:
    """Deliveries that were killed leave a mark; an old one means that a mail comes again and again in vain."""
    if not site.place:
        return
    folder = Attempts(site.place)
    count = folder.unsettled((site.now - LATELY).timestamp())
    if count:
        who = many(count, "mail whose delivery was cut off has", "mails whose delivery was cut off have")
        yield warn("deliveries", f"{who} not come again", f"look at the mail server's log; {folder.folder} counts them")
