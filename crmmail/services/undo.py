"""Undo: the acting user's last acts, last first, put back as they were.

What somebody changed since is not overwritten: undo then refuses in one line.  What left by mail, and what `purge`
removed, cannot be brought back.  A letter or a note stands in the way of what was done before it, so that nobody who
wants his letter back takes back something else instead; `skip` leaves it and goes on.
"""

from __future__ import annotations

from crmmail.errors import Changed, Refused
from crmmail.services.tell import system_message, tell
from crmmail.store import journal, messages, records
from crmmail.store.journal import Entry
from crmmail.store.messages import Message
from crmmail.workspace import Workspace, os_login

LETTERS = ("reply", "send", "forward", "note")  # acts that nobody takes back
LEFT = "skip"  # the act of leaving a letter as it is


def undo(workspace: Workspace, count: int = 1, *, skip: bool = False) -> list[Entry]:
    """Takes back the last `count` acts of the acting user, all or none; the acts, last first.

    Args:
        skip: leave the very last act as it is, for good, and begin with the one before it.

    Raises:
        Refused: there is nothing to undo, a letter stands in the way, or somebody changed the same thing since.
    """
    me = workspace.user()
    with workspace.store.transaction():
        if skip:
            _leave_last(workspace)
        entries = journal.last(me.id, count)
        letter = _letter(me.id)
        if letter and (not entries or letter.id > entries[-1].id):
            raise Refused(_in_the_way(workspace, letter, entries))
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
            for thread in _threads(entry):
                message = system_message(workspace, thread, "state", f"undone: {undone(entry)}", author=me.id)
                tell(workspace, thread, message, subtype="state", internal=True, author=me.id)
    return entries


def undone(entry: Entry) -> str:
    """An act that was taken back, in words: `#2 Printer, back to draft`.

    A state is named as it is now, for "draft → done" would read as if it had just been closed.
    """
    states = [change for change in entry.changes if change.field == "state"]
    if len(states) == 1:
        what, found, more = entry.sentence.rpartition(f": state: {states[0].before} → {states[0].after}")
        if found:
            return f"{what}, back to {states[0].before}{more}"
    return entry.sentence


# --- letters in the way -------------------------------------------------------------------------------------


def _letter(user: int) -> Entry | None:
    """Somebody's last letter or note, unless he left it already."""
    found = journal.last_of(user, (*LETTERS, LEFT))
    return found if found and found.act != LEFT else None


def _leave_last(workspace: Workspace) -> None:
    """The last act, or the letter that came after it, is not spoken of again."""
    me = workspace.user()
    letter, entry = _letter(me.id), next(iter(journal.last(me.id, 1)), None)
    if letter and (entry is None or letter.id > entry.id):
        sentence = f"left as it is: {letter.sentence}"
        journal.write(me.id, os_login(), workspace.now(), LEFT, sentence, thread=letter.thread, undoable=False)
    elif entry:
        journal.give_up(entry.id)


def _in_the_way(workspace: Workspace, letter: Entry, entries: list[Entry]) -> str:
    """What the letter is, and what can be done instead."""
    written = _message(workspace, letter)
    to = [*written.to, *written.cc] if written else []
    others = f" and {len(to) - 1} more" if len(to) > 1 else ""
    what = "a note" if letter.act == "note" else f"a letter to {to[0]}{others}" if to else "a letter"
    last = sum(entry.id > letter.id for entry in entries)  # acts after the letter
    which = f"before your last {'act' if last == 1 else f'{last} acts'}" if last else "your last act"
    this = f"{which} {'you wrote' if last else 'was'} {what} (#{letter.thread})"
    if last:
        return f"{this}, which cannot be taken back; `crmmail undo {last}` stops before it"
    queued = [str(copy.id) for copy in written.deliveries if copy.state == "queued"] if written else []
    if queued and letter.act != "note":
        return f"{this}; it has not left yet: `crmmail outbox cancel {' '.join(queued)}` stops it"
    before = f"`crmmail undo --skip` goes on with: {entries[0].sentence}" if entries else "there is nothing before it"
    return f"{this}, which cannot be taken back; {before}"


def _message(workspace: Workspace, letter: Entry) -> Message | None:
    """What was written; None where it was moved or deleted since."""
    login, kind = workspace.user().login, "note" if letter.act == "note" else "email_out"
    found = messages.of_thread(letter.thread) if letter.thread is not None else []
    mine = [one for one in found if (one.author, one.kind, one.received) == (login, kind, letter.at)]
    return mine[-1] if mine else None


# --- taking back --------------------------------------------------------------------------------------------


def _threads(entry: Entry) -> list[int]:
    """The records that are told of it: of a merge both."""
    if entry.thread is None or not _shows_in_thread(entry):
        return []
    merged = [change.after for change in entry.changes if (change.table, change.field) == ("thread", "moved_to")]
    return [thread for thread in (entry.thread, *merged) if records.exists(thread)]


def _shows_in_thread(entry: Entry) -> bool:
    """Acts on the record itself, and on what is to do about it, wrote a system message, so taking them back writes one
    too."""
    return any(
        change.table == "activity" or (change.table in ("case", "lead", "contact", "thread") and change.field != "*")
        for change in entry.changes
    )


def _by_whom(entry: Entry, words: str) -> str:
    for change in entry.changes:
        login = journal.who_changed(change, entry.id)
        if login:
            return f"{words} by {login}"
    return words
