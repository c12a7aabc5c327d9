"""Undo: the acting user's last acts, last first, put back as they were.

What somebody changed since is not overwritten: undo then refuses in one line.  What left by mail, and what `purge`
removed, cannot be brought back and is never offered.
"""

from __future__ import annotations

from crmmail.errors import Changed, Refused
from crmmail.services.tell import system_message, tell
from crmmail.store import journal, records
from crmmail.store.journal import Entry
from crmmail.workspace import Workspace


def undo(workspace: Workspace, count: int = 1, *, skip: bool = False) -> list[Entry]:
    """Takes back the last `count` acts of the acting user, all or none; the acts, last first.

    Args:
        skip: leave the very last act as it is, for good, and begin with the one before it.

    Raises:
        Refused: there is nothing to undo, or somebody changed the same thing since.
    """
    me = workspace.user()
    with workspace.store.transaction():
        if skip:
            for entry in journal.last(me.id, 1):
                journal.give_up(entry.id)
        entries = journal.last(me.id, count)
        if not entries:
            raise Refused("there is nothing to undo")
        for entry in entries:
            try:
                journal.revert(entry.changes)
            except Changed as error:
                why = _by_whom(entry, str(error))
                hint = "crmmail undo --skip leaves it and goes on with the act before"
                raise Refused(f"cannot undo ({entry.sentence}): {why}; {hint}") from None
            journal.mark_undone(entry.id, workspace.now())
            if entry.thread is not None and _shows_in_thread(entry) and records.exists(entry.thread):
                message = system_message(workspace, entry.thread, "state", f"undone: {entry.sentence}", author=me.id)
                tell(workspace, entry.thread, message, subtype="state", internal=True, author=me.id)
    return entries


def _shows_in_thread(entry: Entry) -> bool:
    """Acts on the record itself wrote a system message, so taking them back writes one too."""
    return any(
        change.table in ("case", "lead", "contact", "thread") and change.field != "*" for change in entry.changes
    )


def _by_whom(entry: Entry, words: str) -> str:
    for change in entry.changes:
        login = journal.who_changed(change, entry.id)
        if login:
            return f"{words} by {login}"
    return words
