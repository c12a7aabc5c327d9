"""The store itself: migrations, checks, backups, settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime

from crmmail import config as configuration
from crmmail.config import HELP, KEYS
from crmmail.core.typed import NamedTuple
from crmmail.errors import CrmmailError, NotFound, StoreBehind, StoreMissing
from crmmail.mail import smtp_url
from crmmail.services.shared.rights import need_admin
from crmmail.store import schema
from crmmail.store.care import soundness
from crmmail.store.care.soundness import Damage
from crmmail.store.engine import database
from crmmail.store.engine.database import NOTHING_IN, RESTORE, Store, is_made
from crmmail.store.files import beside
from crmmail.store.history import journal
from crmmail.store.letters import index
from crmmail.store.people import directory
from crmmail.workspace import Workspace, os_login

BACKUP = "backup.last"  # a row of the settings that is no setting
NOTING = 2  # seconds to wait for the lock, for that


def status(workspace: Workspace) -> list[schema.Step]:
    return schema.status(workspace.store)


def migrate(workspace: Workspace, step: Callable[[], None] = lambda: None) -> list[str]:
    """Applies what is pending; the names of what was applied.  `step` is called after each of `messages` at most.

    Raises:
        StoreMissing: there is nothing in the store.  Tables would hide that it was cut off; only `init` makes them.
    """
    if not is_made(workspace.store):
        raise StoreMissing(f"{workspace.store.place}: {NOTHING_IN}")
    return update(workspace.store, step)


def update(store: Store, step: Callable[[], None] = lambda: None) -> list[str]:
    """The same for a store that may be new."""
    done = schema.migrate(store)
    fill(store, step)
    return done


def fill(store: Store, step: Callable[[], None] = lambda: None) -> int:
    """Puts messages into the index of words that are not in it, the oldest first; how many.  `step` is called after
    each.

    Each part is a short transaction, so that others work meanwhile; begun again, it goes on.
    """
    done, last = 0, 0
    with database.speaking_plainly(store.place):
        while some := index.lost(index.PART, after=last):
            with store.transaction():
                index.put(some)
            done, last = done + len(some), some[-1]
            for _ in some:
                step()
    return done


def reindex(workspace: Workspace, step: Callable[[], None] = lambda: None) -> int:
    """Makes the index of words anew; how many messages are in it.  `step` is called after each of `messages`."""
    with workspace.store.transaction():
        index.clear()
    return fill(workspace.store, step)


def messages(workspace: Workspace) -> int:
    """How many messages there are; none before there are tables."""
    return index.messages() if is_made(workspace.store) else 0


def damages(workspace: Workspace, step: Callable[[], None] = lambda: None) -> list[Damage]:
    """What is damaged; `step` is called `steps` times."""
    return list(soundness.damages(workspace.store, step))


def remedy(found: list[Damage]) -> str:
    """What to do about damage; "" where there is none, or where each says so itself."""
    worse = [one for one in found if one.check != "index" and "restore " not in one.sentence]
    return f"what to do: {RESTORE}" if worse else ""


def steps(workspace: Workspace) -> int:
    """Of how many steps a check consists."""
    return soundness.pieces(workspace.store)


def backup(workspace: Workspace, target: str) -> int:
    """A whole copy while others work; its size in bytes.  The store remembers when, for `doctor`.

    Raises:
        StoreBehind: there is nothing in the store: a backup of a file that was cut off would replace a good one.
    """
    if not is_made(workspace.store):
        raise StoreBehind(f"{workspace.store.place} has no crmmail tables, so there is nothing to back up")
    size = schema.backup(workspace.store, target)
    try:
        workspace.store.wait(NOTING)
        with workspace.store.transaction():
            directory.put_setting(BACKUP, workspace.now().isoformat())
    except CrmmailError:
        pass  # a store that nobody can write to now may be copied all the same
    return size


def last_backup() -> datetime | None:
    """When `crmmail db backup` last wrote a copy; None where it never did."""
    try:
        return datetime.fromisoformat(directory.settings().get(BACKUP, ""))
    except ValueError:
        return None


def ticked(workspace: Workspace) -> None:
    """`crmmail tick` runs: the time of an empty file beside the store says when, at the price of no transaction."""
    path, now = beside.tick(workspace.store.place), workspace.now().timestamp()
    try:
        file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            beside.fit(file, workspace.store.place)
            os.utime(file, (now, now))
        finally:
            os.close(file)
    except OSError:
        pass


def last_tick(place: str) -> datetime | None:
    """When `crmmail tick` last ran on the store at `place`; None where it never did."""
    try:
        return datetime.fromtimestamp(os.stat(beside.tick(place)).st_mtime, UTC)
    except (OSError, ValueError, OverflowError):
        return None


class Value(NamedTuple):
    """One setting, as it is in force."""

    key: str
    value: str
    origin: str
    default: str
    help: str


def settings(workspace: Workspace) -> list[Value]:
    """All settings, and where each value comes from."""
    stored = directory.settings()
    values, origin = configuration.load_with_origin(workspace.choice.config, workspace.environ, stored)
    defaults = configuration.Config()
    return [
        Value(key, _words(getattr(values, field)), origin[field], _words(getattr(defaults, field)), HELP[field])
        for key, field in KEYS.items()
    ]


def put_setting(workspace: Workspace, key: str, value: str | None) -> Value:
    """Writes a setting into the store, or (None) takes it out again."""
    me = need_admin(workspace, "change settings")
    if key not in KEYS:
        raise NotFound(f"there is no setting {key!r}; there are {', '.join(KEYS)}")
    if value is not None:
        configuration.understand(KEYS[key], value, key)
        if key == "smtp.url" and value:
            smtp_url.read(value)  # it knows more of what can be wrong, and says so
    with workspace.store.transaction():
        if value is None:
            directory.drop_setting(key)
        else:
            directory.put_setting(key, value)
        journal.write(me.id, os_login(), workspace.now(), "config", f"{key} = {value}", undoable=False)
    return next(one for one in settings(workspace) if one.key == key)


def _words(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)
