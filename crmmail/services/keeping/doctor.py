"""`crmmail doctor`: looks for what could be wrong, and says what to do.

Each check is a function that yields findings; the tables below are the list of them, and `services/keeping/checks/` has
them by subject.  `fail` is what loses or delays mail now (exit 1, so that monitoring sees it), `warn` what will one
day, `ok` what was looked at and is well.  Where the store does not open, that is the first finding, and the checks of
AROUND, which need none, still say what they see.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from crmmail import config as configuration
from crmmail.errors import (
    ConfigBroken,
    CrmmailError,
    DriverMissing,
    StoreBehind,
    StoreBroken,
    StoreBusy,
    StoreDamaged,
    StoreMissing,
)
from crmmail.services.keeping.checks import (
    addresses,
    byitself,
    deliveries,
    disk,
    files,
    outgoing,
    people,
    serving,
    store,
    waiting,
)
from crmmail.services.keeping.checks.finding import Finding, Site, fail
from crmmail.services.shared import failing
from crmmail.store.engine import database
from crmmail.store.engine import place as places
from crmmail.workspace import Choice, Workspace

__all__ = ["Finding", "examine"]

PATIENCE = 5  # seconds to wait for a store that somebody holds: monitoring wants an answer

# Where the store lies, or should.
AROUND: tuple[Callable[[Site], Iterator[Finding]], ...] = (
    deliveries.deliveries_do_not_fail,
    deliveries.deliveries_survive,
    serving.server_is_well,
    files.store_is_private,
    files.companions_fit,
    files.copies_are_private,
    files.nothing_waits_to_be_rolled_back,
    files.log_is_well,
    files.secrets_are_kept,
    disk.there_is_room,
    disk.disk_is_here,
)

# The store itself, and what is in it.
INSIDE: tuple[Callable[[Workspace], Iterator[Finding]], ...] = (
    store.journal_is_safe,
    store.secret_is_there,
    store.clock_is_right,
    store.copies_are_fresh,
    store.words_are_found,
    addresses.domains_are_set,
    addresses.aliases_make_records,
    addresses.nothing_of_ours_writes_to_us,
    addresses.answers_are_known,
    people.new_cases_find_somebody,
    people.leave_has_deputies,
    addresses.mailboxes_fit,
    waiting.nothing_waits_unseen,
    waiting.quarantine_does_not_grow,
    waiting.strangers_are_heard,
    outgoing.mail_can_leave,
    outgoing.addresses_exist,
    byitself.rules_can_act,
    byitself.hooks_are_run,
    byitself.cron_calls,
)

ADVICE: dict[type[CrmmailError], str] = {
    ConfigBroken: "mend that setting",
    StoreMissing: "crmmail init, or bring the store back from a backup",
    StoreBehind: "crmmail db migrate",
    StoreBusy: "look who holds it (fuser {place}); deliveries wait for it, too",
    StoreDamaged: f"crmmail db check tells more; {database.RESTORE}",
    StoreBroken: "mend what it says, then: crmmail db check",
}

ADVICE_ON_A_SERVER: dict[type[CrmmailError], str] = {
    DriverMissing: "pip install 'crmmail[postgres]' where crmmail is installed",
    StoreMissing: "createdb, then crmmail init; or bring the store back from a backup",
    StoreBusy: "look who holds it (pg_stat_activity); deliveries wait for it, too",
    StoreBroken: "look whether the server runs, and who may use the database",
}

T = TypeVar("T", Site, Workspace)


def examine(choice: Choice, environ: Mapping[str, str] | None = None) -> list[Finding]:
    """All findings, in the order of the tables.  Whatever is wrong with the store or the settings is one of them."""
    environ = os.environ if environ is None else environ
    site = _site(choice, environ)
    try:
        with Workspace(choice, environ, check=False, patience=PATIENCE) as workspace:
            site = site._replace(config=workspace.config, now=workspace.now())
            first = list(_tried(store.schema_is_known, workspace, site.place))
            site = site._replace(opened=not any(one.level == "fail" for one in first))
            inside = INSIDE if site.opened else ()
            found = [*first, *_all(AROUND, site, site.place), *_all(inside, workspace, site.place)]
    except CrmmailError as error:
        found = [_failed("store", error, site.place), *_all(AROUND, site, site.place)]
    return found


def _site(choice: Choice, environ: Mapping[str, str]) -> Site:
    try:
        file = configuration.find_file(choice.config, environ) or ""
    except ConfigBroken:
        file = ""
    place, config = failing.place_of(choice, environ), failing.settings(choice, environ)
    return Site(place, file, config, environ, failing.moment(environ))


def _all(checks: tuple[Callable[[T], Iterator[Finding]], ...], of: T, place: str) -> list[Finding]:
    """What they find; the same trouble of a store that breaks while we look is said once, and ends the looking."""
    found: list[Finding] = []
    for check in checks:
        for one in _tried(check, of, place):
            if one.check == "store" and one.level == "fail":
                return [*found, one]
            found.append(one)
    return found


def _tried(check: Callable[[T], Iterator[Finding]], of: T, place: str) -> Iterator[Finding]:
    """What a check finds; what goes wrong in it is a finding too, for the others must be heard."""
    try:
        with database.speaking_plainly(place):
            yield from check(of)
    except (StoreBusy, StoreBroken) as error:
        yield _failed("store", error, place)
    except OSError as error:
        sentence = f"could not be looked at: {error.strerror or error} ({error.filename})"
        yield fail(check.__name__.replace("_", " "), sentence, "run as the owner of the store")
    except Exception as error:
        sentence = f"could not be looked at: {type(error).__name__}: {error}"
        yield fail(check.__name__.replace("_", " "), sentence, "crmmail db check, and tell us")


def _failed(check: str, error: CrmmailError, place: str) -> Finding:
    advice = next((words for kind, words in ADVICE.items() if isinstance(error, kind)), "see what it says")
    advice = advice.format(place=place)
    if places.is_url(place):
        advice = ADVICE_ON_A_SERVER.get(type(error), advice)
    sentence = str(error).removesuffix(database.LOOK_CLOSER)
    if database.RESTORE in sentence:
        sentence, advice = sentence.removesuffix(f"; {database.RESTORE}"), database.RESTORE
    elif type(error) is StoreBroken and os.path.exists(place) and not os.access(place, os.R_OK | os.W_OK):
        advice = files.way_in(place)
    return fail("settings" if isinstance(error, ConfigBroken) else check, sentence, advice)
