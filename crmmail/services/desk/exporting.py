"""Letters and records out of the house: `crmmail export`.

    mbox, Maildir    what came and what left, by record: the exact bytes where they are kept; a letter of ours as its
                     first recipient got it, made again.  What never left the house is not in it: notes, notices,
                     bounces; nor what an admin has deleted
    JSON             all there is to know of a record, a line each, as `show --json` has it

`crmmail import` reads an mbox or a Maildir of ours back: the letters find together again by what they answer.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from crmmail.core.letter import File, Letter
from crmmail.core.message import MADE, Address
from crmmail.core.query import Query
from crmmail.core.typed import IO, NamedTuple
from crmmail.errors import CrmmailError, NotFound, Refused
from crmmail.mail import folders, mbox
from crmmail.mail.compose import compose
from crmmail.services.desk import reading
from crmmail.services.sending import outgoing, outside
from crmmail.store.letters import inbox, mails, messages, quarantine
from crmmail.store.letters.messages import Message
from crmmail.store.lists import finding
from crmmail.store.work import records
from crmmail.workspace import Workspace

CHAIN = 20  # ids in the References of a letter that is made again
LETTERS = ("email_in", "email_out", "auto")  # kinds of message that came by mail or left by it


class Exported(NamedTuple):
    """A letter as it is written."""

    data: bytes
    sender: str  # its address, "" if unclear
    at: datetime
    flags: str = ""  # of a Maildir: S seen, R answered, F starred
    held: bool = False  # it waits in quarantine, and is no record's


class Written(NamedTuple):
    """What is in a file or a folder."""

    letters: int  # of records
    held: int  # from quarantine


# --- which records ------------------------------------------------------------------------------------------


def chosen(workspace: Workspace, query: Query, numbers: Sequence[int] = ()) -> list[int]:
    """The numbers of the records that are wanted: these; else those that fit the query, in their order.

    Raises:
        NotFound: one of them is not there.
    """
    for number in numbers:
        if not records.exists(number):
            raise NotFound(f"there is no record {number}")
    me = workspace.user().id if query.mine else None
    return list(numbers) or sorted(finding.numbers(None, query, user=me, now=workspace.now()))


def views(workspace: Workspace, numbers: Iterable[int]) -> Iterator[reading.View]:
    """All there is to know of each of them; they stay unread."""
    return (reading.show(workspace, number, peek=True) for number in numbers)


# --- which letters ------------------------------------------------------------------------------------------


def letters(
    workspace: Workspace, numbers: Iterable[int], troubles: list[str], step: Callable[[], None]
) -> Iterator[Exported]:
    """The letters of these records, one conversation after the other; of one that is in two records, one.

    Args:
        troubles: gets a sentence for each letter that cannot be written.
        step: called after each record.
    """
    me = _me(workspace)
    twice = mails.in_several_records()
    written: set[int] = set()
    for number in numbers:
        conversation = messages.of_thread(number)
        unread = set(inbox.messages_of(inbox.unread(me, thread=number))) if me is not None else set()
        answered = {one.answers for one in conversation}
        for at, one in enumerate(conversation):
            if one.kind not in LETTERS or one.internal or outside.is_deleted(one) or one.original in written:
                continue
            try:
                data = _bytes(workspace, one, conversation[:at])
            except CrmmailError as error:
                troubles.append(f"message {one.id} of #{number}: {error}")
                continue
            if data is None:
                continue
            if one.original in twice:
                written.add(one.original)
            flags = {
                "S": one.id not in unread,
                "R": one.id in answered,
                "F": me is not None and inbox.starred(me, one.id),
            }
            yield Exported(data, one.from_address, one.date, "".join(flag for flag, set_ in flags.items() if set_))
        step()


def waiting() -> int:
    """How many letters wait in quarantine."""
    return sum(quarantine.count_waiting().values())


def held(troubles: list[str]) -> Iterator[Exported]:
    """The letters that wait in quarantine."""
    for one in quarantine.listed(reversed(quarantine.held())):
        try:
            yield Exported(mails.original_bytes(one.original), one.from_address, one.received, held=True)
        except CrmmailError as error:
            troubles.append(f"letter {one.id} in quarantine: {error}")


def _me(workspace: Workspace) -> int | None:
    """Whose unread letters and stars the flags tell of; nobody's, where it is not known who asks."""
    try:
        return workspace.user().id
    except NotFound:
        return None


def _bytes(workspace: Workspace, this: Message, before: Sequence[Message]) -> bytes | None:
    """A letter as it came, or as it left; None of one of ours that nobody got, or will get."""
    if this.kind != "email_in" and this.deliveries:
        # A user's answer by mail is kept as he sent it to us, with the notification that he quoted; it left without.
        copies = [one for one in this.deliveries if one.purpose == "mail" and one.state != "cancelled"]
        return outgoing.composed(workspace, copies[0]).replace(b"\r\n", b"\n") if copies else None
    if this.original is not None:
        try:
            return mails.original_bytes(this.original)
        except NotFound:  # it was not to be kept
            pass
    return _made_again(this, before)


def _made_again(this: Message, before: Sequence[Message]) -> bytes:
    """A letter of which only the message is left."""
    chain = [one.message_id for one in before if one.message_id and not one.message_id.endswith(MADE)][-CHAIN:]
    sender = Address(this.from_name, this.from_address)
    letter = Letter(
        recipient=next((one for one in (*this.to, *this.cc) if "@" in one), this.from_address),
        return_path="",
        identifier=this.message_id or f"message-{this.id}{MADE}",
        date=this.date,
        sender=sender,
        to=tuple(_named(one) for one in this.to),
        cc=tuple(_named(one) for one in this.cc),
        reply_to=None,
        subject=this.subject,
        text=this.text,
        in_reply_to=chain[-1] if chain else "",
        references=tuple(chain),
        files=tuple(File(one.name, one.type, messages.attachment(one.id)[1]) for one in this.attachments),
        automatic=this.automatic,
    )
    return compose(letter).replace(b"\r\n", b"\n")


def _named(one: str) -> Address:
    return Address("", one) if "@" in one else Address(one, "")


# --- writing ------------------------------------------------------------------------------------------------


def write_mbox(path: str, found: Iterable[Exported], out: IO[bytes] | None = None) -> Written:
    """Writes an mbox; what is in it.

    Args:
        out: where to write it instead of into a file of that name.

    Raises:
        Refused: the file is there already, cannot be written, or no letter is in it.
    """
    if out is not None:
        return _write_mbox(out, found)
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except FileExistsError:
        raise Refused(f"{path} is there already: name another file") from None
    except OSError as error:
        raise Refused(f"cannot write {path}: {error.strerror}") from None
    try:
        with os.fdopen(file, "wb") as out:
            written = _some(_write_mbox(out, found))
            _on_the_disk(out)
        return written
    except BaseException as error:  # half a file would pass for a whole one
        os.unlink(path)
        if isinstance(error, OSError):
            raise Refused(f"cannot write {path}: {error.strerror}") from None
        raise


def _write_mbox(out: IO[bytes], found: Iterable[Exported]) -> Written:
    count = [0, 0]
    for one in found:
        out.write(mbox.as_mbox(one.data, one.sender, one.at))
        count[one.held] += 1
    return Written(*count)


def _on_the_disk(file: IO[bytes]) -> None:
    """What is said to be written is there after a power cut, too."""
    file.flush()
    os.fsync(file.fileno())


def _some(written: Written) -> Written:
    """A file of nothing would only stand in the way of the next try."""
    if not any(written):
        raise Refused("no letter is in what was asked for, so nothing was written")
    return written


def write_maildir(path: str, found: Iterable[Exported]) -> Written:
    """Writes a Maildir; what is in it.

    Raises:
        Refused: there is something of that name already, it cannot be written, or no letter is in it.
    """
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        raise Refused(f"{path} is there already: name another folder") from None
    except OSError as error:
        raise Refused(f"cannot make {path}: {error.strerror}") from None
    count = [0, 0]
    try:
        for name in ("cur", "new", "tmp"):
            os.mkdir(os.path.join(path, name), 0o700)
        for one in found:
            count[one.held] += 1
            name = folders.file_name(sum(count), one.at, one.flags)
            begun = os.path.join(path, "tmp", name.partition(":")[0])
            with open(begun, "wb") as out:
                out.write(one.data)
                _on_the_disk(out)
            os.utime(begun, (one.at.timestamp(), one.at.timestamp()))
            os.rename(begun, os.path.join(path, "cur", name))
        written = _some(Written(*count))
        _names_on_the_disk(os.path.join(path, "cur"))
        return written
    except BaseException as error:
        shutil.rmtree(path, ignore_errors=True)
        if isinstance(error, OSError):
            raise Refused(f"cannot write {path}: {error.strerror}") from None
        raise


def _names_on_the_disk(folder: str) -> None:
    """The names of its files, of which their own fsync knows nothing."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # there are file systems that know this of files only
            os.fsync(opened)
    finally:
        os.close(opened)
