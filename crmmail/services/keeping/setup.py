"""`crmmail init`: makes a working store without asking a question, and says what to put into cron and fetchmailrc."""

from __future__ import annotations

import grp
import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence

from crmmail import config as configuration
from crmmail.core import address as addresses
from crmmail.core.typed import NamedTuple
from crmmail.errors import NotAllowed, Refused, UsageError
from crmmail.services.keeping import people, upkeep
from crmmail.services.shared import fields
from crmmail.store.engine import database
from crmmail.store.engine import place as places
from crmmail.store.files import beside
from crmmail.store.people import directory
from crmmail.workspace import Choice, Workspace, os_login


class FirstUser(NamedTuple):
    login: str
    email: str


class Made(NamedTuple):
    """What `init` made, and the lines a postmaster needs next."""

    place: str
    user: str
    cron: str
    fetchmail: str


def first_user(words: str) -> FirstUser:
    """`boss:boss@crm.example` → a login and an address."""
    login, colon, email = words.partition(":")
    if not colon or not login.strip():
        raise UsageError(f"{words!r} is no LOGIN:ADDRESS, like boss:boss@crm.example")
    return FirstUser(login.strip().lower(), fields.address(email))


def init(
    choice: Choice,
    *,
    domains: Sequence[str],
    users: Sequence[FirstUser],
    name: str = "",
    catchall: str = "",
    group: str = "",
    environ: Mapping[str, str] | None = None,
) -> Made:
    """Makes the store, the settings and the first user, who is admin.

    Args:
        group: let this group share the store: file 0660 in a folder 2770; else the file is 0600.

    Raises:
        Refused: the store is there already, with users in it.
    """
    environ = os.environ if environ is None else environ
    named = configuration.database(choice.db, choice.config, environ)
    place = places.of(named)
    hosts = [_domain(one) for one in domains] or [addresses.host_of(users[0].email)]
    if places.is_url(place):
        if group:
            raise UsageError("--group shares a file: on PostgreSQL, GRANT says who may use the store")
    elif not os.path.isdir(os.path.dirname(place)):
        os.makedirs(os.path.dirname(place), 0o700)
    store = database.open(named, create=True, check=False)
    try:
        upkeep.update(store)
        with store.transaction():
            if directory.users():
                raise Refused(f"{place} is in use already ({len(directory.users())} users): name another with --db")
            directory.put_setting("secret", os.urandom(32).hex())
            directory.put_setting("mail.domains", " ".join(dict.fromkeys(hosts)))
            if catchall:
                directory.put_setting("mail.catchall", fields.address(catchall))
    finally:
        store.close()
    with Workspace(choice, environ) as workspace:
        for number, one in enumerate(users):
            people.add_user(
                workspace,
                one.login,
                email=one.email,
                name=name if number == 0 else "",
                admin=number == 0,
                login_of_os=os_login() if number == 0 and len(users) == 1 else None,
                first=True,
            )
    if group:
        share(place, group)
    return Made(place, users[0].login, cron_line(place), fetchmail_line(place))


def share(place: str, group: str) -> None:
    """Lets a group use the store: fetchmail's user delivers, another one's cron and terminal work on it."""
    try:
        number = grp.getgrnam(group).gr_gid
    except KeyError:
        raise UsageError(f"there is no group {group!r} on this machine") from None
    folder = os.path.dirname(place)
    try:
        os.chown(folder, -1, number)
        os.chmod(folder, 0o2770)
        # SQLite gives a journal the mode of its store when it makes one, and this one stays.
        for path in (place, beside.migrate(place), *filter(os.path.exists, [f"{place}-journal"])):
            os.chown(path, -1, number)
            os.chmod(path, 0o660)
    except PermissionError as error:
        raise NotAllowed(f"cannot give {error.filename} to group {group}: run init as its owner or as root") from None


def cron_line(place: str) -> str:
    """The one line for cron: it sends what is due, and speaks only when something goes wrong."""
    return f"* * * * * {program('crmmail')} --db {shlex.quote(place)} tick"


def fetchmail_line(place: str) -> str:
    """The mda line of fetchmailrc."""
    return f'mda "{program("crmmail-mda")} --db {shlex.quote(place)} --sender=%F --recipient=%T"'


def program(name: str) -> str:
    """The absolute path of one of our programs: beside this Python, in the checkout's bin, or on the PATH."""
    beside = os.path.join(os.path.dirname(sys.executable), name)
    if os.path.exists(beside):
        return beside
    return shutil.which(name) or name


def _domain(words: str) -> str:
    found = addresses.canonical_host(words.strip().lstrip("@"))
    if not found:
        raise UsageError(f"{words!r} is no mail domain")
    return found
