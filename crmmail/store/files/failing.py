"""The mark that deliveries fail: one small file that says since when, how often in a row, and why.

fetchmail keeps a mail for which we say 75, and tells nobody.  So every 75 is written down here, beside the store, or,
where that cannot be, in the state folder of whoever delivers; the next success removes the mark.  `crmmail doctor` and
the summary read it.  It is a block of SIZE bytes that is written over in place, so that it needs no room on a full disk
once it is there; where there is none even for that, an empty file tells by its age since when.  Trouble with the mark
changes no answer: then a failure is merely not told.
"""

from __future__ import annotations

import fcntl
import os
import time
from datetime import UTC, datetime

from crmmail.core.typed import NamedTuple
from crmmail.store.files import beside

SIZE = 4096  # bytes, a block of most disks
LONGEST = 400  # characters of a reason; of a store's path twice that
UNREADABLE = "unreadable"  # the kind of a mark that its reader may not open
TRIES, PAUSE = 50, 0.01  # how often, and after how many seconds, the lock of another delivery is asked for


class Mark(NamedTuple):
    """What is known of deliveries that fail."""

    since: datetime
    last: datetime
    count: int  # in a row; 0 where there was no room to count
    kind: str  # the error's class, such as StoreBusy; UNREADABLE; "" where that is unknown
    why: str
    place: str  # of the store they were for; "" where that could not be found out


def note(path: str, now: datetime, *, kind: str, why: str, place: str) -> bool:
    """Counts one more failure; was there a place and room to write it down?"""
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        beside.fit(file, place)
        _lock(file)
        place = _words(place, 2 * LONGEST)
        before = _understood(os.pread(file, SIZE, 0))
        if before is None or before.place != place:
            before = Mark(now, now, 0, kind, "", place)
        data = _packed(before._replace(last=now, count=before.count + 1, kind=kind, why=_words(why, LONGEST)))
        return os.pwrite(file, data, 0) == SIZE
    except OSError:
        return False
    finally:
        os.close(file)


def read(path: str) -> Mark | None:
    """The mark; None where nothing fails.  One that cannot be read through still says since when."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError:
        return _bare(path, UNREADABLE)
    try:
        return _understood(os.pread(file, SIZE, 0)) or _bare(path)
    except OSError:
        return _bare(path)
    finally:
        os.close(file)


def clear(path: str, place: str = "") -> None:
    """A delivery succeeded: the mark goes.  Where there is none, this costs one look.

    Args:
        place: only the mark of this store; "": whosever it is.
    """
    if not os.path.exists(path):
        return
    found = read(path) if place else None
    if found is None or found.place in ("", _words(place, 2 * LONGEST)):
        try:
            os.unlink(path)
        except OSError:
            pass


def _lock(file: int) -> None:
    """Waits a moment for another delivery that writes its failure; it does not go on for ever, a process can stand."""
    for _ in range(TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            time.sleep(PAUSE)


def _packed(mark: Mark) -> bytes:
    from json import dumps  # which a delivery that succeeds has no use for

    facts = {**mark._asdict(), "since": mark.since.isoformat(), "last": mark.last.isoformat()}
    data = dumps(facts, ensure_ascii=False).encode("utf-8", "replace")
    return data[: SIZE - 1].ljust(SIZE - 1) + b"\n"


def _understood(data: bytes) -> Mark | None:
    from json import loads

    try:
        facts = loads(data)
        return Mark(
            datetime.fromisoformat(facts["since"]).astimezone(UTC),
            datetime.fromisoformat(facts["last"]).astimezone(UTC),
            int(facts["count"]),
            _words(str(facts["kind"]), LONGEST),
            _words(str(facts["why"]), LONGEST),
            str(facts["place"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _bare(path: str, kind: str = "") -> Mark | None:
    """What a mark says that holds nothing: its age."""
    try:
        moment = datetime.fromtimestamp(os.lstat(path).st_mtime, UTC)
    except (OSError, ValueError, OverflowError):
        return None
    return Mark(moment, moment, 0, kind, "", "")


def _words(text: str, limit: int) -> str:
    return "".join(char if char.isprintable() else " " for char in text)[:limit]
