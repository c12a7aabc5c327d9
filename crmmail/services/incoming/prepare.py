"""A mail is read and packed: the first half of its way, which needs no store, so another process may do it.

Reading never fails for what a mail says: what cannot be read is prepared all the same, with the reason, and goes to
quarantine whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from crmmail.core import automatic
from crmmail.core.known import Envelope
from crmmail.core.message import Mail, Report
from crmmail.core.typed import NamedTuple
from crmmail.errors import CrmmailError, EmptyMail, OutOfMemory, OverLimit, StoreBroken
from crmmail.mail.limits import check, check_size
from crmmail.mail.parse import body_digest_key, parse
from crmmail.spool import Spool
from crmmail.store.files import attempts
from crmmail.store.files.attempts import Attempts
from crmmail.store.letters import mails
from crmmail.workspace import Workspace

CUT_OFF = ("cut-off", "judging it was cut off three times")


class Reading(NamedTuple):
    """The settings that reading a letter needs."""

    max_size: int  # bytes
    bounce: str  # the bounce address


class Terms(NamedTuple):
    """What a process must be told that reads letters and has no store."""

    limits: Reading
    deadline: int  # seconds for a letter; 0: no limit
    place: str  # of the store, beside which attempts are counted


class Prepared(NamedTuple):
    """A letter that has been read and packed.  What is left to do needs the store; another process may do it."""

    envelope: Envelope
    key: str  # the same each time this mail is offered; "" where nobody has asked for it
    mail: Mail | None  # None: it could not be read
    reason: str  # why it could not, as a code and in words
    sentence: str
    packed: Spool  # its bytes as the store keeps them: a mail of 50 MB must not be here twice
    limits: Reading  # with which it was read


def reading(workspace: Workspace) -> Reading:
    """The settings in force."""
    return Reading(workspace.config.delivery_max_size, workspace.config.mail_bounce)


def terms(workspace: Workspace) -> Terms:
    """On which letters are to be read now."""
    return Terms(reading(workspace), workspace.config.delivery_deadline, workspace.store.place)


def prepare(limits: Reading, letter: bytes | Spool, envelope: Envelope, counter: Attempts | None = None) -> Prepared:
    """Reads a letter and packs it, without the store.

    Args:
        letter: as it came; a spool is released.
        counter: counts that the letter is being read; one that was cut off too often is not read any more.

    Raises:
        EmptyMail: no bytes.
        CrmmailError with `retry`: there is no room for it, on the disk or in memory.
    """
    came = letter if isinstance(letter, Spool) else Spool(letter)
    if not came.size:
        raise EmptyMail("nothing came on standard input")
    if came.trouble:
        raise StoreBroken(f"{came.trouble}: make some, or name another folder in $TMPDIR")
    envelope = envelope._replace(size=came.size)
    # Only who counts must know the letter before it is read, and that takes a third of the time of reading it.
    key = body_digest_key(came.slices()) if counter is not None else ""
    mail: Mail | None = None
    reason, sentence = CUT_OFF
    try:
        if counter is None or counter.count(key) < attempts.LIMIT:
            try:
                with attempts.counted(counter, key):
                    mail, reason, sentence = _read(limits, came, envelope), "", ""
            except OverLimit as error:
                reason, sentence = error.reason, str(error)
            except MemoryError:
                raise
            except Exception as error:
                reason, sentence = "unreadable", bug("reading", error)
        if mail is None and not key:
            key = body_digest_key(came.slices())
        return Prepared(envelope, key, mail, reason, sentence, _packed(came), limits)
    except MemoryError:
        raise no_memory(envelope) from None


def prepare_all(
    limits: Reading, letters: Sequence[tuple[Spool, Envelope]], counter: Attempts
) -> list[Prepared | CrmmailError]:
    """Each letter as it was read; an error where it must come again."""
    return [_prepared(limits, letter, envelope, counter) for letter, envelope in letters]


def _prepared(limits: Reading, letter: Spool, envelope: Envelope, counter: Attempts) -> Prepared | CrmmailError:
    try:
        return prepare(limits, letter, envelope, counter)
    except CrmmailError as error:
        return error
    except Exception as error:
        return StoreBroken(bug("reading", error))


def again_with(limits: Reading, one: Prepared, counter: Attempts) -> Prepared | CrmmailError:
    """The letter read once more, where a setting has changed since."""
    if one.limits == limits:
        return one
    letter = Spool()
    for piece in mails.unpacked_slices(one.packed.slices()):
        letter.write(piece)
    return _prepared(limits, letter, one.envelope, counter)


def _read(limits: Reading, came: Spool, envelope: Envelope) -> Mail:
    """The letter, if it is within the limits."""
    check_size(came.size, limits.max_size)
    raw = came.whole()
    check(raw)
    mail = parse(raw)
    if envelope.null_sender:
        mail = mail._replace(headers={**mail.headers, "return-path": ("<>",)})
    if automatic.bounce(mail, limits.bounce):
        from crmmail.mail import bounce  # which other letters have no use for

        # What says nothing at all may still name its mail by the address that it came to.
        mail = mail._replace(report=bounce.read(mail) or Report("failed", "", (), "", ()))
    return mail


def _packed(came: Spool) -> Spool:
    """Compresses the letter, before the store is locked, and lets go of its bytes."""
    packed = Spool()
    for piece in mails.compressed(came.slices(), came.size):
        packed.write(piece)
    if packed.trouble:
        raise StoreBroken(f"{packed.trouble}: make some, or name another folder in $TMPDIR")
    came.release()
    return packed


def no_memory(envelope: Envelope) -> OutOfMemory:
    """The error for a mail that is too big for this machine."""
    return OutOfMemory(f"there is not memory enough for this mail of {envelope.size} bytes")


def bug(doing: str, error: Exception) -> str:
    """What is said where a mail met a bug of ours."""
    return f"{doing} it failed in crmmail itself: {type(error).__name__}: {error}"
