"""The stair between the services and the edges: opens settings and store, holds them, closes them.

A path asks a `Workspace` for what it needs: `config`, `store`, `now()`, `user()`.  `$CRMMAIL_NOW` (ISO 8601) stands in
for the clock everywhere, for tests and simulation.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from types import TracebackType

from crmmail import config as configuration
from crmmail.config import Config
from crmmail.core.known import Settings
from crmmail.core.typed import NamedTuple
from crmmail.errors import ConfigBroken, NotFound, StoreBroken
from crmmail.store.engine import database
from crmmail.store.people import directory


class Choice(NamedTuple):
    """What the command line, or the mail server's configuration, chose."""

    db: str | None = None
    config: str | None = None
    user: str | None = None  # --as


class Workspace:
    """An open house.  Use it as a context manager, so that the store is closed."""

    def __init__(
        self,
        choice: Choice | None = None,
        environ: Mapping[str, str] | None = None,
        *,
        check: bool = True,
        patience: int | None = None,
    ) -> None:
        """Opens it.

        Args:
            check: refuse a store whose schema is not the one this program knows.
            patience: seconds to wait for somebody else's lock, where that is not `delivery.busy_timeout`.
        """
        choice = choice or Choice()
        self.environ = os.environ if environ is None else environ
        self.choice = choice
        self.fixed_now = clock(self.environ)
        self.troubles: list[str] = []  # what went wrong beside an act that was done; `cli` says it, a delivery does not
        first = configuration.load(choice.config, self.environ)
        place = configuration.database(choice.db, choice.config, self.environ)
        wait = first.delivery_busy_timeout if patience is None else patience
        self.store = database.open(place, busy_timeout=wait, check=check)
        # A store that is behind may have no settings yet; whoever opens it unchecked wants to mend that.
        stored = self._settings_of_the_store(check)
        self.config: Config = configuration.load(choice.config, self.environ, stored)
        self.store.wait(self.config.delivery_busy_timeout if patience is None else patience)
        self._stored = stored
        self._files = self._look_at_files()
        self._user: directory.User | None = None

    def _settings_of_the_store(self, check: bool) -> dict[str, str]:
        """What it holds; none where it is opened unchecked and cannot tell."""
        try:
            with database.speaking_plainly(self.store.place):
                return directory.settings() if check or database.is_made(self.store) else {}
        except StoreBroken:
            if check:
                raise
            return {}

    def __enter__(self) -> Workspace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.store.close()

    def is_current(self) -> bool:
        """Are this still the store and the settings that were opened?  Whoever keeps them open asks before he works.

        Raises:
            StoreMissing, StoreBehind, StoreBroken: the store cannot be used any more.
        """
        if self._files != self._look_at_files():
            return False
        with database.speaking_plainly(self.store.place):
            database.check_schema(self.store.place)
            return directory.settings() == self._stored

    def _look_at_files(self) -> list[tuple[int, ...]]:
        """What tells the store's file and the configuration's from others of the same name."""
        found: list[tuple[int, ...]] = []
        for path in (self.store.place, configuration.find_file(self.choice.config, self.environ)):
            try:
                facts = os.stat(path) if path else None
            except OSError:
                facts = None
            changes = path != self.store.place  # the store changes with each mail
            found.append((facts.st_dev, facts.st_ino, facts.st_mtime_ns * changes) if facts else ())
        return found

    def now(self) -> datetime:
        """This moment, aware, UTC."""
        return self.fixed_now or datetime.now(UTC)

    @contextmanager
    def at(self, moment: datetime | None) -> Iterator[None]:
        """As if it were that moment: what is done in the block is dated so.  None: the clock goes on."""
        before = self.fixed_now
        self.fixed_now = moment or before
        try:
            yield
        finally:
            self.fixed_now = before

    @property
    def secret(self) -> bytes:
        """What our tokens are signed with.  It lies in the store, so a copy of the store keeps answering mail."""
        value = self._stored.get("secret", "")
        if not value:
            raise StoreBroken(f"{self.store.place} has lost its token secret: restore it from a backup")
        try:
            return bytes.fromhex(value)
        except ValueError:
            raise StoreBroken(f"the token secret of {self.store.place} is damaged: restore it from a backup") from None

    def settings(self) -> Settings:
        """What routing needs to know of the settings."""
        config = self.config
        return Settings(
            secret=self.secret,
            domains=config.mail_domains,
            catchall=config.mail_catchall,
            bounce=config.mail_bounce,
            trusted_authserv_id=config.mail_trusted_authserv_id,
            loop_new_records=config.loop_new_records,
            loop_messages=config.loop_messages,
            loop_minutes=config.loop_minutes,
        )

    def user(self) -> directory.User:
        """Who is acting: --as, `$CRMMAIL_USER`, the user whose login is the OS login, or the only user.

        Raises:
            NotFound: none of these says it; the sentence lists the users there are.
        """
        if self._user is None:
            self._user = self._who()
        return self._user

    def knows_user(self, words: str) -> bool:
        """Is there a user with this login, or this number?"""
        return any(words in (one.login, str(one.id)) for one in directory.users())

    def _who(self) -> directory.User:
        named = self.choice.user or self.environ.get("CRMMAIL_USER")
        if named:
            user = directory.user(named)
            if not user.active:
                raise NotFound(f"{user.login} does not work here any more (an admin can take him back: users set)")
            return user
        active = [one for one in directory.users() if one.active]
        login = os_login(self.environ)
        for one in active:
            if login and login in (one.os_login, one.login):
                return one
        if len(active) == 1:
            return active[0]
        logins = ", ".join(one.login for one in active) or "nobody yet"
        raise NotFound(f"who are you? Say --as LOGIN or set $CRMMAIL_USER (users: {logins})")


def clock(environ: Mapping[str, str]) -> datetime | None:
    """The moment that `$CRMMAIL_NOW` names; None: use the real clock."""
    words = environ.get("CRMMAIL_NOW", "")
    if not words:
        return None
    try:
        moment = datetime.fromisoformat(words)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        if 1970 <= moment.year <= 9000:  # near the ends of the calendar no time can be added or taken away
            return moment
    except (ValueError, OverflowError):
        pass
    raise ConfigBroken(f"$CRMMAIL_NOW is {words!r}: it must be ISO 8601, like 2026-11-24T10:00:00Z")


def local_zone(environ: Mapping[str, str]) -> tzinfo | None:
    """The time zone people here live in, summer time and all: `$TZ`, else the system's; None where that is unknown.

    `datetime.astimezone()` knows the offset of one moment only, so "tomorrow 9:00" would be wrong across a change.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # a delivery has no use for it

    name = environ.get("TZ", "").lstrip(":") or os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def os_login(environ: Mapping[str, str] | None = None) -> str:
    """The login of the process's owner, as the operating system knows it; "" where it does not."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""
