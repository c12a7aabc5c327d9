"""Mail that lies in files: where each letter is, its bytes, and how a letter is written there.

    mbox       one file; before each letter stands a line "From ann@example.com Tue Nov 24 10:00:00 2026", and such a
               line of a letter itself has a ">" before it (mboxrd: one more than it had; Content-Length tells nothing)
    Maildir    a folder with cur/, new/ and tmp/, a file a letter; folders below it are Maildirs too (.Sent, Sent/)
    letter     a file, or a folder of *.eml files

Nothing is read whole: a scan remembers where each letter lies, and whoever wants one reads it from there.  The
standard library's `mailbox` takes nearly twice as long for the same, and leaves the ">" where it is.
"""

from __future__ import annotations

import base64
import errno
import os
import re
import socket
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from crmmail.core.typed import IO, NamedTuple
from crmmail.errors import Refused
from crmmail.mail.header import MAX_HEADER, split_at, with_newlines

STEP = 4 << 20  # bytes that are looked at at once
HEAD = 64 << 10  # bytes of a letter that tell what it answers
MAX_LINE = 1000  # bytes of a "From " line
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

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_MONTHS = rb"(?:%b)" % "|".join(MONTHS).encode()
_FROM = re.compile(rb"From [^\n]{0,500}?\b" + _MONTHS + rb"\b[^\n]{0,60}?\b[0-9]{1,2}:[0-9]{2}[^\n]{0,400}\n")
_ANY_FROM = re.compile(rb"From [^\n]{0,900}\n>?[!-9;-~]+[ \t]*:")  # where the file's first line has no date
_STAMP = re.compile(
    rb"\b(" + _MONTHS + rb") +([0-9]{1,2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})[^\n]*? ((?:19|20)[0-9]{2})\b"
)
_QUOTED = re.compile(rb"^>(>*From )", re.M)
_TO_QUOTE = re.compile(rb"^(>*From )", re.M)
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
        yield from _in_mbox(folder)
    elif folder.form == "letter":
        yield Place(folder.path, NAMED, os.path.getsize(folder.path), folder.sent)
    elif folder.form == "letters":
        yield from (place for one in _letters(folder.path) if (place := _met(one, folder.sent)))
    else:
        yield from _in_maildir(folder)


def _form(path: str) -> str:
    head = with_newlines(_beginning(path, MAX_HEADER)).lstrip(b"\r\n")
    if not head or _ANY_FROM.match(head) or _FROM.match(head):
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


def _in_mbox(folder: Folder) -> Iterator[Place]:
    """The file is looked through for its "From " lines, a piece at a time."""
    blank = True  # all of it, so far
    with open(folder.path, "rb") as file:
        held, base = b"\n", -1  # what is looked at, and where in the file it begins; as if behind a blank line
        start, line = -1, _ANY_FROM
        more = True
        while more:
            piece = file.read(STEP)
            held, more = held + piece, bool(piece)
            blank = blank and not piece.strip()
            at = held.find(b"\nFrom ")
            # A line at the very end waits for the next piece, in which it goes on.
            while 0 <= at < len(held) - 2 * MAX_LINE or (at >= 0 and not more):
                if start < 0 and _FROM.match(held, at + 1):
                    line = _FROM
                if _ends_a_blank_line(held, at) and line.match(held, at + 1):
                    if start >= 0:
                        yield Place(folder.path, start, base + at + 1 - start, folder.sent)
                    start = base + at + 1
                at = held.find(b"\nFrom ", at + 1)
            done = max((at if at >= 0 else len(held) - 2 * MAX_LINE) - 2, 0)
            held, base = held[done:], base + done
        if start >= 0:
            yield Place(folder.path, start, base + len(held) - start, folder.sent)
        elif not blank:
            file.seek(0)
            begin = file.read(HEAD)
            mend = ": its lines end in CR alone, which tr '\\r' '\\n' mends" if with_newlines(begin) != begin else ""
            raise Refused(f"no letter was found in {folder.path}{mend}")


def _ends_a_blank_line(held: bytes, at: int) -> bool:
    """Does the line end at `at` end an empty line?"""
    return at == 0 or held[at - 1] == 10 or (held[at - 1] == 13 and (at == 1 or held[at - 2] == 10))


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
        return _stamp(head.partition(b"\n")[0])
    try:
        named = re.match(r"([0-9]{9,10})\.", os.path.basename(place.path))
        return datetime.fromtimestamp(int(named[1]) if named else os.path.getmtime(place.path), UTC)
    except (OSError, ValueError, OverflowError):
        return None


def _stamp(line: bytes) -> datetime | None:
    """The date of a "From " line; its zone is whoever wrote it's, and mostly not told."""
    found = _STAMP.search(line)
    if not found:
        return None
    day, hour, minute, second = (int(found[one]) for one in (2, 3, 4, 5))
    try:
        return datetime(int(found[6]), MONTHS.index(found[1].decode()) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
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
        first = file.readline(MAX_LINE)
        if not first.startswith(b"From "):
            raise Gone(f"{place.path} was written anew while it was read")
        left, kept = place.size - len(first), b""
        while left > 0:
            piece = file.read(min(left, STEP))
            if not piece:
                raise Gone(f"{place.path} was cut while it was read")
            left -= len(piece)
            piece = kept + piece
            cut = _whole_lines(piece) if left else len(piece)
            kept = piece[cut:]
            yield _unquoted(piece[:cut] if left else _without_separator(piece))


def _whole_lines(piece: bytes) -> int:
    """Up to where a piece can be handed on: a line that goes on in the next one waits, and so do the last bytes, which
    may separate the letter from the next.  A line without an end is cut, but not before a quoted one could begin."""
    cut = piece.rfind(b"\n", 0, max(len(piece) - 4, 0)) + 1
    if not cut and len(piece) > STEP + MAX_LINE:
        cut = len(piece) - 4
        while cut and piece[cut : cut + 1] == b">":
            cut -= 1
    return cut


def _unquoted(piece: bytes) -> bytes:
    return _QUOTED.sub(rb"\1", piece) if b">From " in piece else piece


def _without_separator(piece: bytes) -> bytes:
    """Without the blank line that stands between two letters."""
    for ending, blank in ((b"\n\n", 1), (b"\n\r\n", 2)):
        if piece.endswith(ending):
            return piece[:-blank]
    return b"" if piece in (b"\n", b"\r\n") else piece


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


# --- writing ------------------------------------------------------------------------------------------------


def as_mbox(letter: bytes, sender: str, at: datetime) -> bytes:
    """A letter as it stands in an mbox, with the blank line behind it."""
    who = sender if sender.isascii() and sender and not re.search(r"\s", sender) else "MAILER-DAEMON"
    line = f"From {who} {time.asctime(at.astimezone(UTC).timetuple())}\n".encode("ascii")
    quoted = _TO_QUOTE.sub(rb">\1", letter) if b"From " in letter else letter
    return line + quoted + (b"\n" if quoted.endswith(b"\n") else b"\n\n")


def file_name(number: int, at: datetime, flags: str) -> str:
    """The name of a Maildir's file; flags in the order of the alphabet, as every reader expects them."""
    host = socket.gethostname().replace("/", "_").replace(":", "_") or "localhost"
    return f"{int(at.timestamp())}.M{number}P{os.getpid()}.{host}:2,{''.join(sorted(flags))}"
