"""Deliveries that fail: the door writes each 75 down here, `doctor` and the summary tell of it.

Beside the store where there is one, so that everybody who uses it sees the mark; else in the state folder of whoever
delivers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from crmmail import config as configuration
from crmmail import log
from crmmail.config import Config
from crmmail.errors import ConfigBroken, CrmmailError
from crmmail.store.engine import place as places
from crmmail.store.files import beside, failing
from crmmail.store.files.failing import Mark
from crmmail.workspace import Choice, Workspace, clock

DAY = timedelta(days=1)


def note(choice: Choice, environ: Mapping[str, str], error: Exception, door: str = "mda") -> None:
    """One delivery ended in 75: why, for `doctor` and for the log.  The store may be anything, or not be there.

    Args:
        door: who writes that into the log.
    """
    place, now = place_of(choice, environ), moment(environ)
    kind = type(error).__name__ if isinstance(error, CrmmailError) else "bug"
    why = str(error) if isinstance(error, CrmmailError) else f"{type(error).__name__}: {error}"
    there = [beside.failing(place)] if place and (places.is_url(place) or os.path.exists(place)) else []
    for path in (*there, in_state(environ)):
        if failing.note(path, now, kind=kind, why=why, place=place):
            break
    log.write(configuration.log_file(settings(choice, environ), environ), now, door, f"later: {why}")


def over(workspace: Workspace) -> None:
    """A delivery succeeded, so they do not fail any more."""
    place = workspace.store.place
    failing.clear(beside.failing(place))  # whatever way its store was named by, or where it lay before
    failing.clear(in_state(workspace.environ), place)


def current(place: str, environ: Mapping[str, str]) -> tuple[str, Mark] | None:
    """The mark that deliveries into this store fail, or into one that nobody can find, and its path; None: all is well.

    Args:
        place: the store's path; "" where it is not known.
    """
    for path in ([beside.failing(place)] if place else []) + [in_state(environ)]:
        mark = failing.read(path)
        if mark is not None:
            return path, mark
    return None


def sentence(mark: Mark, now: datetime) -> str:
    """`deliveries fail since 10:02: no room left on the disk …`"""
    unread = "what says why cannot be read by you"
    nothing = unread if mark.kind == failing.UNREADABLE else "there was no room to write down why"
    why = f": {mark.why}" if mark.why else f", and {nothing}"
    return f"deliveries fail since {clock_time(mark.since, now)}{why}"


def is_old(mark: Mark, now: datetime) -> bool:
    """Was the last failure so long ago that nobody offers us mail any more?"""
    return now - mark.last > DAY


def clock_time(moment: datetime, now: datetime) -> str:
    """10:02, with the day where that is not today."""
    here, today = moment.astimezone(), now.astimezone()
    return f"{here:%H:%M}" if here.date() == today.date() else f"{here:%Y-%m-%d %H:%M}"


def news(workspace: Workspace) -> str:
    """That deliveries fail, in a line for the summary; "" where they do not."""
    now, found = workspace.now(), current(workspace.store.place, workspace.environ)
    return "" if found is None or is_old(found[1], now) else sentence(found[1], now)


def in_state(environ: Mapping[str, str]) -> str:
    """Where the mark lies when it cannot lie beside the store."""
    return os.path.join(configuration.xdg(environ, "XDG_STATE_HOME", ".local/state"), "crmmail", "failing")


def place_of(choice: Choice, environ: Mapping[str, str]) -> str:
    """The path of the store that was meant; "" where the settings that name it cannot be read."""
    try:
        named = configuration.database(choice.db, choice.config, environ)
    except ConfigBroken:
        return ""
    return places.of(named)


def settings(choice: Choice, environ: Mapping[str, str]) -> Config:
    """The settings without those of the store; the defaults where they cannot be read."""
    try:
        return configuration.load(choice.config, environ)
    except ConfigBroken:
        return Config()


def moment(environ: Mapping[str, str]) -> datetime:
    """This moment, also where the clock's setting is wrong."""
    try:
        return clock(environ) or datetime.now(UTC)
    except ConfigBroken:
        return datetime.now(UTC)
