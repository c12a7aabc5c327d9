"""Mail that lies in files: where each letter is, and its bytes.

    mbox       one file (mail.mbox)
    Maildir    a folder with cur/, new/ and tmp/, a file a letter; folders below it are Maildirs too (.Sent, Sent/)
    letter     a file, or a folder of *.eml files

Nothing is read whole: a scan remembers where each letter lies, and whoever wants one reads it from there.
"""

from __future__ import annotations

import base64
import errno
import os
import re
import socket
import stat
from collections.abc import Iterator
from datetime import UTC, datetime

from crmmail.core.typed import IO, NamedTuple
from crmmail.errors import Refused
from crmmail.mail import mbox
from crmmail.mail.header import MAX_HEADER, split_at, with_newlines

STEP = 4 << 20  # bytes that are read at once
HEAD = 64 << 10  # bytes of a letter that tell what it answers
PACKED = b"\x1f\x8b"  # how a file begins that gzip has compressed
NAMED, MET = -1, -2  # a letter is a whole file: one that was named itself, one that was met in a folder

# What mail programs call the folders of letters that we wrote; and of those that nobody wants.
SENT = frozenset(
    "sent,sent items,sent mail,sent messages,sent-mail,sentmail,отправленные,envoyés,messages envoyés,éléments envoyés,"
    "gesendet,gesendete objekte,gesendete elemente".split(",")
)
UNWANTED = frozenset(
    "trash,deleted items,deleted messages,junk,junk e-mail,junk email,spam,bulk mail,drafts,draft,templates,outbox,"
    "корзина,удаленные,спам,черновики,corbeille,éléments supprimés,indésirables,courrier indésirable,pourriel,"
    "brouillons,papierkorb,gelöschte elemente,entwürfe".split(",")
)

_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")


class Folder(NamedTuple):
    """A file or a folder with letters in it."""

    path: str
    form: str  # mbox | maildir | letters | letter
    name: str  # as its owner calls it; "" of what was named itself
    sent: bool  # by its name the letters in it are our own
    unwanted: bool  # by its name nobody wants the letters in it


class Place(NamedTuple):
    """Where one letter lies."""

    path: str
    start: int  # of its "From " line; NAMED, MET: it is the whole file
    size: int  # bytes, as it lies there; of what turns out to be no letter at least 1
    sent: bool


class Gone(Exception):
    """The letter is not where it was: somebody has moved it, or written the file anew."""


class NoLetter(Gone):
    """What lies there is no letter, and never was."""


# --- what is there ------------------------------------------------------------------------------------------


def folders(path: str) -> list[Folder]:
    """What mail is in a file or folder; of a folder also in those below it.

    Raises:
        Refused: it is no mail; the sentence says why.
    """
    own = _is(os.path.basename(os.path.abspath(path)), SENT)
    if not os.path.isdir(path):
        return [Folder(path, _form(path), "", own, False)]
    found = _maildirs(path, "", own)
    if found:
        return found
    if not _letters(path):
        raise Refused(f"{path} is no mail: it has neither cur/ and new/ in it, as a Maildir has, nor *.eml files")
    return [Folder(path, "letters", "", own, False)]


def _letters(path: str) -> list[os.DirEntry[str]]:
    with os.scandir(path) as entries:
        return sorted((one for one in entries if one.name.lower().endswith(".eml")), key=lambda one: one.name)


def is_packed(path: str) -> bool:
    """Has gzip compressed this file?"""
    if os.path.isdir(path):
        return False
    return _beginning(path, 2) == PACKED


def places(folder: Folder) -> Iterator[Place]:
    """Where each letter of a folder lies.  What a mail program has marked as removed or as a draft is left out.

    What lies among them and is no letter is told of, too: whoever reads it hears what it is (`NoLetter`, OSError).

    Raises:
        Refused: it is an mbox in which no letter was found.
    """
    if folder.form == "mbox":
        yield from (Place(folder.path, start, size, folder.sent) for start, size in mbox.letters(folder.path))
    elif folder.form == "letter":
        yield Place(folder.path, NAMED, os.path.getsize(folder.path), folder.sent)
    elif folder.form == "letters":
        yield from (place for one in _letters(folder.path) if (place := _met(one, folder.sent)))
    else:
        yield from _in_maildir(folder)


def _form(path: str) -> str:
    head = with_newlines(_beginning(path, MAX_HEADER)).lstrip(b"\r\n")
    if not head or mbox.begins(head):
        return "mbox"
    if not _has_header(head):
        raise Refused(f'{path} is no mail: it begins neither with a "From " line nor with a header')
    return "letter"


def _has_header(beginning: bytes) -> bool:
    at = split_at(with_newlines(beginning).lstrip(b"\r\n"))
    return at.end > at.start


def _beginning(path: str, size: int) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror}") from None


def _maildirs(path: str, name: str, sent: bool) -> list[Folder]:
    """A Maildir, and those below it, by name.  A link may lead back here, or to what its owner may not read."""
    try:
        with os.scandir(path) as entries:
            rooms = sorted(one.name for one in entries if one.is_dir(follow_symlinks=False))
    except OSError as error:
        if not name:
            raise Refused(f"cannot read {path}: {error.strerror}") from None
        rooms = ["cur", "new"]  # reading these says what is wrong
    found = []
    if {"cur", "new"} <= set(rooms):
        found.append(Folder(path, "maildir", name, sent or _is(name, SENT), _is(name, UNWANTED)))
    for one in rooms:
        if one not in ("cur", "new", "tmp"):
            found += _maildirs(os.path.join(path, one), f"{name}/{one}" if name else one, sent)
    return found


def _is(name: str, names: frozenset[str]) -> bool:
    """Is a folder one of these?  `.INBOX.Sent Items` and `Mail/Sent Items` are `sent items`."""
    said = shown(name).lower()
    last = re.split(r"[./]", said.removesuffix(".mbox").removesuffix(".gz").rstrip("./"))[-1]
    return last in names


def shown(name: str) -> str:
    """A folder's name as people read it: IMAP servers write other letters than ASCII in base64 (RFC 3501 §5.1.3)."""

    def words(match: re.Match[str]) -> str:
        if not match[1]:
            return "&"
        try:
            return base64.b64decode(match[1].replace(",", "/") + "===").decode("utf-16-be")
        except ValueError:
            return match[0]

    return _SHIFTED.sub(words, name)


def _in_maildir(folder: Folder) -> Iterator[Place]:
    for below in ("cur", "new"):
        there = os.path.join(folder.path, below)
        try:
            with os.scandir(there) as entries:
                found = sorted(entries, key=lambda entry: entry.name)  # the names begin with the time
        except OSError:
            yield Place(there, MET, 1, folder.sent)
            continue
        for one in found:
            if one.name.startswith(".") or {"T", "D"} & set(_flags(one.name)):
                continue
            if place := _met(one, folder.sent):
                yield place


def _met(one: os.DirEntry[str], sent: bool) -> Place | None:
    """Where a letter lies that was met in a folder; None: it was read, moved or removed at this moment."""
    try:
        kind = one.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError:
        return Place(one.path, MET, 1, sent)
    return Place(one.path, MET, kind.st_size if stat.S_ISREG(kind.st_mode) else max(kind.st_size, 1), sent)


def _flags(name: str) -> str:
    """`1700000000.M1P2.host:2,FS` → `FS`; where a file system takes no colon, it is another mark."""
    before, comma, flags = name.rpartition("2,")
    return flags if comma and before[-1:] in (":", ";", "!") else ""


# --- one letter ---------------------------------------------------------------------------------------------


def beginning(place: Place) -> bytes:
    """The letter's first bytes, as many as tell who wrote it and what it answers; its "From " line among them.

    Raises:
        Gone: it is not there any more.
    """
    with _opened(place) as file:
        return file.read(min(place.size, HEAD))


def came(place: Place, head: bytes) -> datetime | None:
    """When it came, as far as the file knows: its "From " line, the name of a Maildir's file, the time of another."""
    if place.start >= 0:
        return mbox.date(head.partition(b"\n")[0])
    try:
        named = re.match(r"([0-9]{9,10})\.", os.path.basename(place.path))
        return datetime.fromtimestamp(int(named[1]) if named else os.path.getmtime(place.path), UTC)
    except (OSError, ValueError, OverflowError):
        return None


def read(place: Place) -> bytes:
    """The letter, as it was before it was put there.

    Raises:
        Gone: it is not there any more.
    """
    return b"".join(pieces(place))


def pieces(place: Place) -> Iterator[bytes]:
    """The same in pieces, for a letter that memory has no room for."""
    with _opened(place) as file:
        if place.start < 0:
            if place.start == MET:
                piece = file.read(MAX_HEADER)
                if not _has_header(piece):
                    raise NoLetter(f"{place.path} is no mail: it begins with no header")
                yield piece
            while piece := file.read(STEP):
                yield piece
            return
        try:
            yield from mbox.letter(file, place.size)
        except EOFError as error:
            raise Gone(f"{place.path} {error}") from None


def _opened(place: Place) -> IO[bytes]:
    """The file in which a letter lies, where the letter begins.

    Raises:
        NoLetter: it was met in a folder, and is a link, a pipe or the like.  Where others may write into the folder,
            a link would have us print what they cannot read, and a pipe would have us wait for ever.
    """
    how = os.O_NOFOLLOW | os.O_NONBLOCK if place.start == MET else 0

    def opener(path: str, flags: int) -> int:
        return os.open(path, flags | how)

    try:
        file = open(place.path, "rb", opener=opener)  # noqa: SIM115
    except FileNotFoundError:
        path = _moved(place.path)
        if not path:
            raise Gone(f"{place.path} is not there any more") from None
        file = open(path, "rb", opener=opener)  # noqa: SIM115
    except OSError as error:
        if how and error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise NoLetter(f"{place.path} is no plain file") from None
        raise
    if how and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NoLetter(f"{place.path} is no plain file")
    file.seek(max(place.start, 0))
    return file


def _moved(path: str) -> str:
    """Where a Maildir's file is now: who reads a letter moves it from new/ to cur/, and flags are part of its name."""
    folder, name = os.path.split(path)
    own = re.split(r"[:;!]2,", name)[0]
    for below in ("cur", "new") if os.path.basename(folder) in ("cur", "new") else ():
        there = os.path.join(os.path.dirname(folder), below)
        try:
            for one in os.listdir(there):
                if re.split(r"[:;!]2,", one)[0] == own:
                    return os.path.join(there, one)
        except OSError:
            pass
    return ""


def file_name(number: int, at: datetime, flags: str) -> str:
    """The name of a Maildir's file; flags in the order of the alphabet, as every reader expects them."""
    host = socket.gethostname().replace("/", "_").replace(":", "_") or "localhost"
    return f"{int(at.timestamp())}.M{number}P{os.getpid()}.{host}:2,{''.join(sorted(flags))}"
