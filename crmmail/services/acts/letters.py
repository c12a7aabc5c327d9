"""Single messages: the admin's move, edit and delete, always journalled (F75), and attachments."""

from __future__ import annotations

import os

from crmmail.core import text
from crmmail.core.typed import NamedTuple
from crmmail.errors import Refused
from crmmail.services.hearing.tell import system_message
from crmmail.services.shared.rights import need_admin
from crmmail.store.history import journal, undoable
from crmmail.store.letters import mails, messages
from crmmail.store.work import records
from crmmail.workspace import Workspace, os_login


class Moved(NamedTuple):
    message: int
    record: int
    sentence: str


def newest(
    workspace: Workspace, limit: int, *, mine: bool = False, before: int | None = None
) -> list[messages.Message]:
    """The newest messages of all records, or of those that the acting user wrote; older than the message `before`."""
    return messages.newest(limit, author=workspace.user().id if mine else None, before=before)


def move(workspace: Workspace, message: int, target: int) -> Moved:
    """Moves a message, with who took part in it and who was told, to another record; undo moves it back."""
    me = need_admin(workspace, "move messages")
    with workspace.store.transaction():
        this, to = messages.message(message), records.record(target)
        if this.thread == target:
            raise Refused(f"message {message} is in #{target} already")
        changes = undoable.update("message", message, thread=target)
        for table, keys in messages.hanging([message]):
            changes += undoable.update_all(table, keys, "thread", target)
        sentence = f"message {message} moved from #{this.thread} to #{target} {to.title}"
        for thread in (this.thread, target):
            system_message(workspace, thread, "note", f"{sentence} by {me.login}", author=me.id)
        journal.write(me.id, os_login(), workspace.now(), "move-message", sentence, changes, thread=target)
    return Moved(message, target, sentence)


def edit(workspace: Workspace, message: int, words: str) -> Moved:
    """Replaces a message's text; the journal keeps the old one."""
    me = need_admin(workspace, "edit messages")
    with workspace.store.transaction():
        this = messages.message(message)
        changes = undoable.update("message", message, text=words, html="")
        if not changes:
            raise Refused(f"message {message} says that already")
        sentence = f"message {message} of #{this.thread} edited"
        journal.write(me.id, os_login(), workspace.now(), "edit-message", sentence, changes, thread=this.thread)
    return Moved(message, this.thread, sentence)


def delete(workspace: Workspace, message: int) -> Moved:
    """Takes a message's words and files out of sight; its place in the thread says who did it, and undo restores it."""
    from crmmail.services.sending import outside  # which reads letters; a listing has no use for it

    me = need_admin(workspace, "delete messages")
    with workspace.store.transaction():
        this = messages.message(message)
        changes = undoable.update("message", message, subject="", text=outside.DELETED.format(login=me.login), html="")
        for one in this.attachments:
            changes += undoable.delete("attachment", one.id)
        for copy in this.deliveries:
            if copy.state == "queued":
                changes += undoable.update("delivery", copy.id, state="cancelled")
        sentence = f"message {message} of #{this.thread} deleted"
        journal.write(me.id, os_login(), workspace.now(), "delete-message", sentence, changes, thread=this.thread)
    return Moved(message, this.thread, sentence)


def raw(workspace: Workspace, message: int) -> bytes:
    """The letter exactly as it came."""
    return mails.original_bytes(mails.original_of(message))


def attachments(workspace: Workspace, number: int) -> list[messages.Attachment]:
    """The attachments of a record's conversation."""
    records.record(number)
    return [file for one in messages.of_thread(number) for file in one.attachments]


def save_attachment(workspace: Workspace, number: int, target: str | None) -> tuple[str, int]:
    """Writes an attachment's exact bytes; (path, size).  The mail's own name is a label: only its basename counts,
    and a file that is there, or a link, is never written through.

    Args:
        target: a file, a folder, or None for the current one.
    """
    file, data = messages.attachment(number)
    path = target or "."
    if os.path.isdir(path):
        path = os.path.join(path, text.file_name(file.name))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        handle = os.open(path, flags, 0o600)
    except FileExistsError:
        raise Refused(f"{path} is there already: name another file") from None
    except OSError as error:
        raise Refused(f"cannot write {path}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
    except OSError as error:  # half a file would pass for a whole one
        os.unlink(path)
        raise Refused(f"cannot write {path}: {error.strerror}") from None
    return path, len(data)


def attachment_bytes(workspace: Workspace, number: int) -> bytes:
    """The exact bytes of an attachment."""
    return messages.attachment(number)[1]
