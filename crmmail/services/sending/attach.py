"""What can be attached to a letter: a file from the disk, one that hangs on a message already, a whole letter.

What came by mail may carry marks of ours, and mails of ours to users.  Neither goes outside (safety 1, 3): the marks
are taken out of its header, and where a user's notification is inside it is refused.
"""

from __future__ import annotations

import mimetypes
import os
import stat

from crmmail.core import reply, text
from crmmail.core.letter import File
from crmmail.errors import NotAllowed, Refused
from crmmail.mail import mask
from crmmail.services.sending import outgoing
from crmmail.store.letters import mails, messages
from crmmail.store.letters.messages import Message
from crmmail.workspace import Workspace


def from_disk(workspace: Workspace, path: str) -> File:
    """A file to attach.

    Raises:
        Refused: it is not there, is no file, cannot be read, or is larger than a whole mail may be.
    """
    most = workspace.config.delivery_max_size
    place = os.path.expanduser(path)
    try:
        if not os.path.isdir(place) and not stat.S_ISREG(os.stat(place).st_mode):  # a device or a pipe may never end
            raise Refused(f"cannot attach {path}: it is no file")
        with open(place, "rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise Refused(f"cannot attach {path}: {error.strerror}") from None
    if len(data) > most:
        raise Refused(f"cannot attach {path}: it is larger than the {most} bytes of delivery.max_size")
    name = os.path.basename(path)
    return File(name, mimetypes.guess_type(name)[0] or "application/octet-stream", data)


def from_message(workspace: Workspace, number: int, *, internal: bool) -> File:
    """A file that hangs on a message already, by its number in `crmmail attachment list`.

    Args:
        internal: it goes into a note; what hangs on a note may go nowhere else.
    """
    file, data = messages.attachment(number)
    found = File(file.name, file.type, data)
    if internal:
        return found
    if messages.message(file.message).internal:
        raise NotAllowed(f"file {number} belongs to a note: it stays inside")
    if outgoing.is_ours_inside(workspace, found):
        raise NotAllowed(f"file {number} ({file.name}) is a notification of ours, or has one inside: it stays inside")
    if outgoing.is_mail(file.type, file.name):
        _check_inside(workspace, data, f"file {number} ({file.name})")
        return found._replace(data=mask.masked(workspace.secret, data))
    return found


def of_message(workspace: Workspace, number: int) -> list[int]:
    """The files of a message that go along when it is passed on: all but our notifications, as it left itself."""
    files = (messages.attachment(one.id) for one in messages.message(number).attachments)
    return [one.id for one, data in files if not outgoing.is_ours_inside(workspace, File(one.name, one.type, data))]


def whole_letter(workspace: Workspace, number: int, *, internal: bool) -> File:
    """A whole letter as a file: exactly as it came for those inside, without our marks for those outside.  A
    colleague's goes as it left, and not as he wrote it to us."""
    message = messages.message(number)
    if message.internal and not internal:
        raise NotAllowed(f"message {number} is internal: it stays inside")
    if (message.author or message.kind == "email_out") and not (internal and message.original is not None):
        data = _as_it_left(workspace, message)
    else:
        data = mails.original_bytes(mails.original_of(number))
    if not internal:
        _check_inside(workspace, data, f"message {number}")
        data = mask.masked(workspace.secret, data)
    subject = reply.without_tag(message.subject, message.thread)
    name = text.file_name(f"{subject or 'message'}.eml")
    return File(name, "message/rfc822", data)


def _as_it_left(workspace: Workspace, message: Message) -> bytes:
    """A letter of ours as the first one outside got it."""
    left = [one for one in message.deliveries if one.purpose == "mail" and one.user is None and one.sent is not None]
    if not left:
        raise Refused(f"message {message.id} was never sent to anybody outside: only its words can be passed on")
    return outgoing.composed(workspace, left[0])


def _check_inside(workspace: Workspace, raw: bytes, what: str) -> None:
    """Marks in a mail that hangs on another one could be taken out by half only."""
    for inner in outgoing.inner_mails(raw):
        if mask.is_ours(inner) or mask.marks(workspace.secret, inner):
            raise NotAllowed(f"{what} has a mail of ours inside, which proves who somebody is: it stays inside")
