"""What can be attached to a letter: a file from the disk, one that hangs on a message already, a whole letter."""

from __future__ import annotations

import mimetypes
import os

from crmmail.core import text
from crmmail.core.letter import File
from crmmail.errors import NotAllowed, Refused
from crmmail.store import mails, messages
from crmmail.workspace import Workspace


def from_disk(path: str) -> File:
    """A file to attach.

    Raises:
        Refused: it is not there, is no file, or cannot be read.
    """
    try:
        with open(os.path.expanduser(path), "rb") as file:
            data = file.read()
    except OSError as error:
        raise Refused(f"cannot attach {path}: {error.strerror}") from None
    name = os.path.basename(path)
    return File(name, mimetypes.guess_type(name)[0] or "application/octet-stream", data)


def from_message(workspace: Workspace, number: int, *, internal: bool) -> File:
    """A file that hangs on a message already, by its number in `crmmail attachment list`.

    Args:
        internal: it goes into a note; what hangs on a note may go nowhere else.
    """
    file, data = messages.attachment(number)
    if messages.message(file.message).internal and not internal:
        raise NotAllowed(f"file {number} belongs to a note: it stays inside")
    return File(file.name, file.type, data)


def whole_letter(workspace: Workspace, number: int, *, internal: bool) -> File:
    """A whole letter, exactly as it came, as a file."""
    message = messages.message(number)
    if message.internal and not internal:
        raise NotAllowed(f"message {number} is internal: it stays inside")
    data = mails.original_bytes(mails.original_of(number))
    name = text.file_name(f"{message.subject or 'message'}.eml")
    return File(name, "message/rfc822", data)
