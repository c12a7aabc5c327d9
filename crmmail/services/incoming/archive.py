"""Files of letters as an import sees them: where each lies, what its head says, and in which order they come in.

    scan      where each letter lies (mail.folders)
    look      at the head of each, in processes of their own: its date, what it answers
    in_order  by date, and an answer after what it answers, so that it finds its record

What comes in a stream, or is packed, lies in a file of ours meanwhile.
"""

from __future__ import annotations

import gzip
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from hashlib import blake2b
from tempfile import TemporaryDirectory

from crmmail.core.typed import IO, NamedTuple
from crmmail.errors import Refused
from crmmail.mail import folders
from crmmail.mail.folders import Folder, Gone, Place
from crmmail.mail.parse import peek
from crmmail.services.shared.workers import Died, Workers
from crmmail.spool import folder

HEADS = 500  # letters at whose heads a process looks at once
ANSWERS = 10  # of a letter's references, how many bear on the order
TOMORROW = timedelta(days=1)


class Seen(NamedTuple):
    """What was seen of a letter before it is read."""

    place: Place
    message_id: str
    at: float  # by which it is put in order, in seconds
    came: datetime | None  # as the file says
    own: int  # its Message-ID, as a number; 0: it has none
    answered: tuple[int, ...]
    received: bool


@contextmanager
def opened(paths: Sequence[str], stdin: IO[bytes]) -> Iterator[list[Folder]]:
    """What mail is in these files and folders; `-` is stdin.  What comes in a stream, or is packed, lies in a file of
    ours for as long as the block goes on: a letter is read where it lies, and not in the order of the stream.

    Raises:
        Refused: one of them is no mail; then nothing was brought in.
    """
    with ExitStack() as rooms:
        found: list[Folder] = []
        for path in paths:
            if path == "-" or folders.is_packed(path):
                name = "stdin" if path == "-" else os.path.basename(path).removesuffix(".gz")
                there = os.path.join(rooms.enter_context(room()), name)
                _lay_down(path, stdin, there)
                path = there
            found += folders.folders(path)
        yield found


def room() -> TemporaryDirectory[str]:
    """A folder for what is needed only while an import goes on."""
    return TemporaryDirectory(prefix="crmmail-import-", dir=folder())


def _lay_down(path: str, stdin: IO[bytes], there: str) -> None:
    try:
        with open(there, "wb") as out, stdin if path == "-" else gzip.open(path) as stream:
            shutil.copyfileobj(stream, out, folders.STEP)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Refused(f"{path} is damaged, so nothing of it was imported: gzip says: {error}") from None
    except OSError as error:
        raise Refused(f"cannot read {path} into {os.path.dirname(there)}: {error.strerror}") from None


def scan(found: Iterable[Folder]) -> list[Place]:
    """Where each letter lies."""
    return [place for folder in found for place in folders.places(folder)]


def look(places: Sequence[Place], now: datetime, step: Callable[[int], None]) -> list[Seen]:
    """The head of each letter.  What its mail program has removed, and what is gone meanwhile, is left out.

    Args:
        step: called with the number of letters of each piece of work that is done.
    """
    seen: list[Seen] = []
    latest = (now + TOMORROW).timestamp()
    pieces = [(places[start : start + HEADS], latest) for start in range(0, len(places), HEADS)]
    with Workers(_look) as workers:
        for (some, _), answer in workers.each(pieces):
            seen += [_unseen(place) for place in some] if isinstance(answer, Died) else answer
            step(len(some))
    return seen


def _look(task: tuple[Sequence[Place], float]) -> list[Seen]:
    found = []
    for place in task[0]:
        try:
            begin = folders.beginning(place)
        except (Gone, OSError):
            begin = b""
        head, came = peek(begin), folders.came(place, begin)
        if head.removed:
            continue
        said = head.date if head.date and 0 < head.date.timestamp() < task[1] else came
        answered = dict.fromkeys((*head.answered[:1], *head.answered[1 - ANSWERS :]))
        found.append(
            Seen(
                place,
                head.message_id,
                said.timestamp() if said else 0.0,
                came,
                _number(head.message_id),
                tuple(map(_number, answered)),
                head.received,
            )
        )
    return found


def _unseen(place: Place) -> Seen:
    """A letter of which nothing could be seen; it is judged all the same."""
    return Seen(place, "", 0.0, None, 0, (), True)


def _number(message_id: str) -> int:
    """A Message-ID as a number: of a million letters the ids themselves would not fit into memory so well."""
    return int.from_bytes(blake2b(message_id.encode(), digest_size=8).digest(), "big") if message_id else 0


def in_order(seen: Sequence[Seen]) -> list[Seen]:
    """By date; but an answer comes after what it answers, whatever the clocks said."""
    by_date = sorted(range(len(seen)), key=lambda one: (seen[one].at, one))
    where: dict[int, int] = {}
    for one in by_date:
        if seen[one].own:
            where.setdefault(seen[one].own, one)
    begun, placed = bytearray(len(seen)), bytearray(len(seen))
    ordered: list[Seen] = []
    for first in by_date:
        path = [first]
        while path:
            one = path[-1]
            if not begun[one]:
                begun[one] = 1
                parents = (where[number] for number in seen[one].answered if number in where)
                path += [parent for parent in parents if not begun[parent]]
                if path[-1] != one:
                    continue
            path.pop()
            if not placed[one]:
                placed[one] = 1
                ordered.append(seen[one])
    return ordered
