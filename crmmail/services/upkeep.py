"""The store itself: migrations, checks, backups, settings."""

from __future__ import annotations

from typing import NamedTuple

from crmmail import config as configuration
from crmmail.config import HELP, KEYS
from crmmail.errors import NotFound
from crmmail.mail import smtp
from crmmail.services.rights import need_admin
from crmmail.store import directory, journal, schema
from crmmail.workspace import Workspace, os_login


def status(workspace: Workspace) -> list[schema.Step]:
    return schema.status(workspace.store)


def migrate(workspace: Workspace) -> list[str]:
    """Applies what is pending; the names of what was applied."""
    return schema.migrate(workspace.store)


def check(workspace: Workspace) -> list[str]:
    """What is damaged, a line each; [] when the store is sound."""
    return schema.check(workspace.store)


def backup(workspace: Workspace, target: str) -> int:
    """A whole copy while others work; its size in bytes."""
    return schema.backup(workspace.store, target)


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
            smtp.server(value)  # it knows more of what can be wrong, and says so
    with workspace.store.transaction():
        if value is None:
            directory.drop_setting(key)
        else:
            directory.put_setting(key, value)
        journal.write(me.id, os_login(), workspace.now(), "config", f"{key} = {value}", undoable=False)
    return next(one for one in settings(workspace) if one.key == key)


def _words(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)
