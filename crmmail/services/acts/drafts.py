"""Drafts: letters that somebody began, each a file of his own (F99).

They lie in `$XDG_STATE_HOME/crmmail/drafts`, not in the store: an editor needs a file, and a file is there when the
terminal has died.  The folder is its owner's alone (0700, its files 0600).

    101-reply-20261124-100000.boss-3f9a1c.txt        record, verb, moment; the writer and a mark of the store

So a machine with several stores mixes nothing up, and a person who writes need not see what he knows.  Where writer or
store are not the usual ones of his (`--as`, `--db`), the file also names them in its first lines, which count.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count

from crmmail import config
from crmmail.core import draft as drafts
from crmmail.core.draft import Draft
from crmmail.core.typed import NamedTuple
from crmmail.errors import NotFound, Refused
from crmmail.store.engine import place as places
from crmmail.workspace import Workspace

_POSITION = re.compile(r"#?([0-9]{1,9})", re.ASCII)
_OWNER = re.compile(r".*\.([a-z0-9_-]{1,32})-([0-9a-f]{6})\.txt", re.ASCII)  # of a file's name: login, mark of a store


class Kept(NamedTuple):
    """A draft and its file.  `error` says what is wrong with a file that cannot be read; its draft is empty then, but
    for whose it is."""

    path: str
    draft: Draft
    updated: datetime
    error: str = ""


def folder(environ: Mapping[str, str]) -> str:
    """Where drafts lie."""
    return os.path.join(config.xdg(environ, "XDG_STATE_HOME", ".local/state"), "crmmail", "drafts")


def put(workspace: Workspace, draft: Draft) -> str:
    """Writes a draft of the acting user's into a new file; its path.

    Raises:
        Refused: the folder or the file cannot be written.
    """
    place = folder(workspace.environ)
    draft, owner = _signed(workspace, draft)
    stem = "-".join(str(part) for part in (draft.record, draft.verb) if part) or "draft"
    stem = os.path.join(place, f"{stem}-{workspace.now().astimezone():%Y%m%d-%H%M%S}")
    try:
        os.makedirs(place, 0o700, exist_ok=True)
        if stat.S_IMODE(os.stat(place).st_mode) != 0o700:
            os.chmod(place, 0o700)
        path, handle = _new(stem, f"{owner}.txt")
    except OSError as error:
        raise Refused(f"cannot write a draft into {place}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(drafts.write(draft).encode("utf-8", "replace"))
            out.flush()
            os.fsync(handle)
        moment = workspace.now().timestamp()
        os.utime(path, (moment, moment))  # $CRMMAIL_NOW is the time here too
    except OSError as error:
        os.unlink(path)
        raise Refused(f"cannot write {path}: {error.strerror}") from None
    return path


def load(path: str) -> Draft:
    """The draft in a file; who wrote it, where only its name says that.

    Raises:
        NotFound: there is no such file.
        Refused: it cannot be read, or says something that is no draft; the sentence names the line.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would never end
            raise NotFound(f"{path} is no file, so no draft: `crmmail drafts` lists yours")
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise NotFound(f"there is no draft {path}: `crmmail drafts` lists yours") from None
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror}") from None
    try:
        draft = drafts.read(data.decode())
        owner = _OWNER.fullmatch(os.path.basename(path))
        return draft if draft.user or not owner else draft._replace(user=owner[1])
    except UnicodeDecodeError:
        raise Refused(f"{path}: it is not in UTF-8: save it so with your editor") from None
    except Refused as error:
        raise Refused(f"{path}: {error}") from None


def listing(workspace: Workspace) -> list[Kept]:
    """The acting user's drafts for this store, newest first.

    A file that cannot be read is among them, for nobody can say whose it is, and so is one without an owner.
    """
    login = workspace.user().login
    return [
        one
        for path in _newest_first(folder(workspace.environ))
        if (one := _kept(path)) and one.draft.user in ("", login) and is_of_store(workspace, one)
    ]


def is_of_store(workspace: Workspace, one: Kept) -> bool:
    """Does a draft belong to the open store, perhaps by another name?  One that names none belongs to all."""
    if one.draft.store:
        return places.real(one.draft.store) == places.real(workspace.store.place)
    owner = _OWNER.fullmatch(os.path.basename(one.path))
    return owner is None or owner[2] == _mark(workspace.store.place)


def is_ours(path: str, environ: Mapping[str, str]) -> bool:
    """Does it lie in the drafts' own folder?  Then it goes when its letter is sent."""
    place = os.path.realpath(folder(environ))
    return os.path.realpath(os.path.dirname(os.path.abspath(path))) == place and _is_draft(os.path.basename(path))


def newest(workspace: Workspace, verb: str, record: int | None) -> Kept:
    """The acting user's newest draft of this verb for this record; one without a record is for none.

    Raises:
        NotFound: there is none.
    """
    for one in listing(workspace):
        if not one.error and (one.draft.verb, one.draft.record) == (verb, record):
            return one
    what = f"{verb} to #{record}" if record else verb
    raise NotFound(f"there is no draft of a {what}: `crmmail drafts` lists yours")


def find(workspace: Workspace, words: str) -> Kept:
    """The draft that is meant by a position in the listing (from 1), a file name, or a path.

    Raises:
        NotFound: there is no such draft.
    """
    mine = listing(workspace)
    position = _POSITION.fullmatch(words)
    if position:
        if 1 <= int(position[1]) <= len(mine):
            return mine[int(position[1]) - 1]
        raise NotFound(f"there is no draft {words}: you have {len(mine)} (`crmmail drafts` lists them)")
    inside = os.path.join(folder(workspace.environ), words)
    named = inside if os.sep not in words and os.path.lexists(inside) else os.path.abspath(os.path.expanduser(words))
    found = _kept(named)
    if found is None:
        raise NotFound(f"there is no draft {words}: `crmmail drafts` lists yours")
    return found


def remove(path: str, environ: Mapping[str, str] | None = None) -> None:
    """Removes a draft.  Only what lies in the drafts' own folder: a name that leads out of it, by `..` or a link, is
    refused, and of a link in it the link goes, not what it means.

    Raises:
        NotFound, Refused.
    """
    environ, path = os.environ if environ is None else environ, os.path.abspath(path)
    if not is_ours(path, environ):
        raise Refused(f"{path} is no draft in {os.path.realpath(folder(environ))}: remove it yourself")
    try:
        os.unlink(path)
    except FileNotFoundError:
        raise NotFound(f"there is no draft {path}: `crmmail drafts` lists yours") from None
    except OSError as error:
        raise Refused(f"cannot remove {path}: {error.strerror}") from None


def _signed(workspace: Workspace, draft: Draft) -> tuple[Draft, str]:
    """The draft as it is written down, and what its file's name says of its owner."""
    place, login = workspace.store.place, workspace.user().login
    owner = f".{login}-{_mark(place)}"
    if not _OWNER.fullmatch(f"{owner}.txt"):
        return draft._replace(store=place, user=login), ""
    choice = workspace.choice
    return draft._replace(store=place if choice.db or choice.config else "", user=login if choice.user else ""), owner


def _mark(place: str) -> str:
    """What tells a store from the others of this machine."""
    return sha256(places.real(place).encode("utf-8", "replace")).hexdigest()[:6]


def _new(stem: str, ending: str) -> tuple[str, int]:
    """A file that was not there before, and its descriptor: `…-100000<ending>`, else `…-100000-2<ending>`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    for number in count(1):
        path = f"{stem}{ending}" if number == 1 else f"{stem}-{number}{ending}"
        try:
            return path, os.open(path, flags, 0o600)
        except FileExistsError:
            continue
    raise AssertionError("there is always a next number")


def _newest_first(place: str) -> list[str]:
    """The regular files in the folder that have a draft's name: what an editor leaves beside them has not."""
    found = []
    try:
        with os.scandir(place) as entries:
            for one in entries:
                if _is_draft(one.name) and one.is_file(follow_symlinks=False):
                    seen = one.stat(follow_symlinks=False)
                    # Two drafts of one second, as $CRMMAIL_NOW makes them, stand in the order in which they were made.
                    found.append((seen.st_mtime_ns, seen.st_ctime_ns, one.path))
    except FileNotFoundError:  # no folder yet, or a draft was sent while we looked
        pass
    return [path for _, _, path in sorted(found, reverse=True)]


def _kept(path: str) -> Kept | None:
    """What is in a file; None where there is none any more."""
    try:
        updated = datetime.fromtimestamp(os.stat(path).st_mtime, UTC)
        return Kept(path, load(path), updated)
    except (NotFound, OSError):
        return None
    except Refused as error:
        owner = _OWNER.fullmatch(os.path.basename(path))
        return Kept(path, Draft(user=owner[1] if owner else ""), updated, str(error))


def _is_draft(name: str) -> bool:
    return name.endswith(".txt") and not name.startswith((".", "#"))
