"""Who may read and write the files of the house: the store, what lies beside it, the log, the settings, the secrets."""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from collections.abc import Iterator

from crmmail.config import log_file
from crmmail.services.keeping.checks.finding import Finding, Site, fail, ok, warn
from crmmail.store.engine import place as places
from crmmail.store.files import beside

OTHERS, GROUP = 0o007, 0o070
SQLITE = b"SQLite format 3\0"
LOOKED_AT = 200  # files of the store's folder that are opened to see whether they are copies of a store
PRINTERS = ("echo", "printf")  # as a password_command: the password itself stands behind them


def store_is_private(site: Site) -> Iterator[Finding]:
    """Whoever can open the store can be any of its users, so it is 0600, or 0660 in a folder 2770 of a group."""
    if not site.place or not os.path.isfile(site.place):
        return
    place, folder = site.place, os.path.dirname(site.place) or "."
    mode, around = _mode(place), _mode(folder)
    found = []
    if mode & OTHERS:
        sentence = f"{place} is open to every local user ({mode:04o})"
        found.append(fail("permissions", sentence, f"chmod o= {place}"))
    if around & 0o002:
        sentence = f"every local user can put files beside {place}, a journal that SQLite would believe among them"
        found.append(fail("permissions", sentence, f"chmod o-w {folder}, or move the store into a folder of its own"))
    if not os.access(place, os.R_OK | os.W_OK):
        what = "written" if os.access(place, os.R_OK) else "read"
        found.append(fail("permissions", f"{place} cannot be {what} by you", way_in(place)))
    elif not os.access(folder, os.W_OK):
        sentence = f"{folder} cannot be written by you; the journal lies there"
        found.append(fail("permissions", sentence, way_in(folder)))
    if mode & stat.S_IWGRP and not around & stat.S_IWGRP:
        sentence = f"its group may write {place}, and not the folder, where the journal lies"
        found.append(fail("permissions", sentence, f"chmod 2770 {folder}"))
    elif mode & stat.S_IWGRP and not around & stat.S_ISGID:
        sentence = f"what one of the group makes in {folder} belongs to his own group"
        found.append(warn("permissions", sentence, f"chmod g+s {folder}"))
    yield from found or [ok("permissions", f"{place} is {mode:04o}")]


def way_in(path: str) -> str:
    """What to do about a file or folder that is there, and that the system does not let you use."""
    facts = os.stat(path)
    if facts.st_uid != os.getuid():
        return f"run as {_login(facts.st_uid)}"
    if facts.st_mode & 0o600 == 0o600:
        return f"look how the disk of {path} is mounted"
    return f"chmod u+rw {path}"


def companions_fit(site: Site) -> Iterator[Finding]:
    """What lies beside the store is as open as the store, and belongs to whom the store does."""
    if not site.place or not os.path.isfile(site.place):
        return
    store = os.stat(site.place)
    shared = bool(store.st_mode & stat.S_IWGRP)
    names = [site.place + end for end in ("-journal", "-wal", "-shm")]
    for path in (*names, *beside.every(site.place)):
        try:
            facts = os.stat(path)
        except OSError:
            continue
        folder = stat.S_ISDIR(facts.st_mode)
        wanted = (0o2770 if shared else 0o700) if folder else 0o660 if shared else 0o600
        mode = stat.S_IMODE(facts.st_mode)
        if mode & (OTHERS | GROUP) & ~wanted:
            yield warn("permissions", f"{path} is more open than the store ({mode:04o})", f"chmod {wanted:o} {path}")
        elif shared and GROUP & wanted & ~mode & 0o060:
            sentence = f"others of the group cannot use {path} ({mode:04o})"
            yield fail("permissions", sentence, f"chmod {wanted:o} {path}")
        if facts.st_uid != store.st_uid and not shared:
            sentence = (
                f"{_login(facts.st_uid)} works with the store of {_login(store.st_uid)}, as {path} shows: "
                "one of the two cannot open it"
            )
            yield fail("permissions", sentence, "let one user deliver and run cron, or share it: crmmail init --group")


def copies_are_private(site: Site) -> Iterator[Finding]:
    """A copy of the store holds the same letters, and the same secret."""
    folder = os.path.dirname(site.place)
    if places.is_url(site.place) or not os.path.isdir(folder) or not os.access(folder, os.R_OK):
        return
    for entry in sorted(os.scandir(folder), key=lambda one: one.name)[:LOOKED_AT]:
        if entry.path == site.place or not entry.is_file(follow_symlinks=False):
            continue
        mode = stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode)
        if mode & OTHERS and _is_store(entry.path):
            sentence = f"{entry.path} is a copy of a store, and open to every local user ({mode:04o})"
            yield fail("permissions", sentence, f"chmod 600 {entry.path}")


def nothing_waits_to_be_rolled_back(site: Site) -> Iterator[Finding]:
    """A delivery that was killed while it wrote leaves a journal.  Whoever can write the store and opens it puts it in
    order, without a question; a user who can only read cannot even do that."""
    if not site.place or not os.path.isfile(site.place):
        return
    writable = os.access(site.place, os.W_OK) and os.access(os.path.dirname(site.place) or ".", os.W_OK)
    for end in ("-journal", "-wal"):
        path = site.place + end
        if not writable and _has_begun(path):
            owner = _login(os.stat(site.place).st_uid)
            sentence = f"{path} is left of a write that was cut off, and you may not put it in order"
            yield fail("journal", sentence, f"as {owner}: crmmail --db {site.place} db check (and never remove it)")


def _has_begun(path: str) -> bool:
    """Does something stand in this journal?  Zeros at its head say that all is done."""
    try:
        with open(path, "rb") as file:
            return file.read(1) not in (b"", b"\0")
    except FileNotFoundError:
        return False
    except OSError:
        return os.path.getsize(path) > 0


def log_is_well(site: Site) -> Iterator[Finding]:
    path = log_file(site.config, site.environ)
    there = path if os.path.exists(path) else os.path.dirname(path)
    while there and not os.path.exists(there):
        there = os.path.dirname(there)
    there = there or "."
    if not os.access(there, os.W_OK):
        yield warn("log", f"{path} cannot be written", f"chmod u+w {there}, or `crmmail config set log.file PATH`")
    elif os.path.isfile(path) and _mode(path) & OTHERS:
        sentence = f"{path} tells every local user who writes to us ({_mode(path):04o})"
        yield warn("log", sentence, f"chmod o= {path}")


def secrets_are_kept(site: Site) -> Iterator[Finding]:
    """The mail server's password, and the settings that say how it is found."""
    path = site.settings_file
    if path and os.path.isfile(path):
        mode = _mode(path)
        if mode & 0o002:
            sentence = f"every local user can write {path}, and so run programs as you (smtp.password_command)"
            yield fail("secrets", sentence, f"chmod o-w {path}")
        if mode & (OTHERS | GROUP) & 0o044 and _has_password(site.config.smtp_url):
            sentence = f"the password in smtp.url can be read by others in {path} ({mode:04o})"
            yield fail("secrets", sentence, "change the password, and keep the new one as `crmmail config` says")
    kept = os.path.expanduser(site.config.smtp_password_file)
    if kept and os.path.isdir(os.path.dirname(kept)) and _mode(os.path.dirname(kept)) & 0o002:
        folder = os.path.dirname(kept)
        sentence = f"every local user can put another file in the place of {kept}"
        yield fail("secrets", sentence, f"chmod o-w {folder}")
    if _is_printer(site.config.smtp_password_command):
        sentence = "smtp.password_command has the password in it, where all that reads the settings sees it"
        yield warn("secrets", sentence, "put it into a file of mode 0600: crmmail config set smtp.password_file FILE")
    if _was_said(log_file(site.config, site.environ) + ".once", "(-p)"):
        sentence = "a password stood on the mda line (-p), visible to every local user; this store needs none"
        once = log_file(site.config, site.environ) + ".once"
        yield warn("secrets", sentence, f"take it away, change it where it counts, then: rm {once}")


def _mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def _login(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _is_store(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(SQLITE)) == SQLITE
    except OSError:
        return False


def _has_password(url: str) -> bool:
    return ":" in url.partition("://")[2].partition("/")[0].rpartition("@")[0]


def _is_printer(command: str) -> bool:
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    return len(words) > 1 and os.path.basename(words[0]) in PRINTERS


def _was_said(path: str, words: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return words in file.read(100_000)
    except OSError:
        return False
