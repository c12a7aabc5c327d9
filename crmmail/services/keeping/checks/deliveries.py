"""Do deliveries succeed?  Their marks say so, also where the store cannot be opened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from crmmail.services.keeping.checks.finding import Finding, Site, fail, many, warn
from crmmail.services.shared import failing
from crmmail.store.attempts import Attempts

LATELY = timedelta(minutes=10)

# The error's class → what to do.  The mails wait where they are in the meantime: fetchmail offers them again.
ADVICE = {
    "EmptyMail": "look at the mda line: is it handed the mail?  `crmmail log --file` has each time",
    "UsageError": "mend the mda line (`crmmail init` prints how it reads)",
    "ConfigBroken": "mend that setting; `crmmail config` shows all",
    "StoreMissing": "mend --db in the mda line, bring the store back, or make one: crmmail init",
    "StoreBehind": "crmmail db migrate",
    "StoreBusy": "look who holds the store: fuser {place}",
    "StoreBroken": "mend what it says, then: crmmail db check",
}


def deliveries_do_not_fail(site: Site) -> Iterator[Finding]:
    """Every 75 leaves a mark, and the next success takes it away."""
    found = failing.current(site.place, site.environ)
    if found is None:
        return
    path, mark = found
    advice = ADVICE.get(mark.kind, "crmmail log --file; mend it, or tell us").format(place=mark.place or site.place)
    said = failing.sentence(mark, site.now)
    if failing.is_old(mark, site.now):
        until = failing.clock_time(mark.last, site.now)
        sentence = f"deliveries failed until {until}, and none has come since: {mark.why}"
        yield warn("deliveries", sentence, f"{advice}; where it is mended: rm {path}")
    elif mark.kind == "EmptyMail" and mark.count < 3:
        yield warn("deliveries", said, advice)  # a fetchmail that was stopped; the mail comes again
    elif mark.count < 2:
        yield fail("deliveries", said, advice)
    else:
        last = failing.clock_time(mark.last, site.now)
        yield fail("deliveries", f"{said} ({mark.count} in a row, the last at {last})", advice)


def deliveries_survive(site: Site) -> Iterator[Finding]:
    """Deliveries that were killed leave a mark; an old one means that a mail comes again and again in vain."""
    if not site.place:
        return
    folder = Attempts(site.place)
    count = folder.unsettled((site.now - LATELY).timestamp())
    if count:
        who = many(count, "mail whose delivery was cut off has", "mails whose delivery was cut off have")
        yield warn("deliveries", f"{who} not come again", f"look at the mail server's log; {folder.folder} counts them")
