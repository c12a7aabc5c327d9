"""Undo: the acting user's last acts, last first, put back as they were.

What somebody changed since is not overwritten: undo then refuses in one line.  What left by mail, and what `purge`
removed, cannot be brought back.  An act that nobody can take back (a letter, a note, a new user) stands in the way of
what was done before it, so that nobody who wants that back takes back something else instead; `skip` leaves it and goes
on.
"""

from __future__ import annotations

from crmmail.core import section
from crmmail.errors import Changed, Refused
from crmmail.services.hearing.tell import system_message, tell
from crmmail.services.shared.rights import need_admin
from crmmail.store.history import journal, undoable
from crmmail.store.history.journal import Entry
from crmmail.store.letters import messages
from crmmail.store.letters.messages import Message
from crmmail.store.people import offices
from crmmail.store.work import records
from crmmail.workspace import Workspace, os_login

LETTERS = ("reply", "send", "forward", "note")
LEFT = "skip"  # the act of leaving one that nobody can take back as it is
ADMINS = ("rule", "sla", "section", "category", "alias")  # tables that only an admin changes, also by undo


def undo(workspace: Workspace, count: int = 1, *, skip: bool = False) -> list[Entry]:
    """Takes back the last `count` acts of the acting user, all or none; the acts, last first.

    Args:
        skip: leave the very last act as it is, for good, and begin with the one before it.

    Raises:
        Refused: there is nothing to undo, what nobody can take back stands in the way, or somebody changed the same
            thing since.
        NotAllowed: it was an admin's act, and he is none any more.
    """
    me = workspace.user()
    with workspace.store.transaction():
        if skip:
            _leave_last(workspace)
        entries = journal.last(me.id, count)
        final = _final(me.id)
        if final and (not entries or final.id > entries[-1].id):
            raise Refused(_in_the_way(workspace, final, entries))
        if not entries:
            raise Refused("there is nothing to undo")
        for entry in entries:
            if any(change.table in ADMINS for change in entry.changes):
                need_admin(workspace, f"take this back ({entry.sentence})")
            try:
                undoable.revert(entry.changes)
                _check_sections(entry)
            except Changed as error:
                why = _by_whom(entry, str(error))
                hint = "crmmail undo --skip leaves it and goes on with the act before"
                raise Refused(f"cannot undo ({_named(entry)}): {why}; {hint}") from None
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
    return _named(entry) + _left_behind(entry)


def _named(entry: Entry) -> str:
    """An act in words; the journal calls a new record by its name alone."""
    return f"new {entry.sentence}" if entry.act == "new" else entry.sentence


def _left_behind(entry: Entry) -> str:
    """The letters that came after a merge: they stay where they came, whichever of the two records they were for."""
    if entry.act != "merge":
        return ""
    (into,) = _merged_into(entry)
    count = messages.letters_since(into, entry.at)
    if not count:
        return ""
    letters = "1 letter that came since stays" if count == 1 else f"{count} letters that came since stay"
    return f"; {letters} in #{into} (crmmail message move brings one over)"


def _merged_into(entry: Entry) -> list[int]:
    """Of a merge the record that the other one became part of."""
    return [change.after for change in entry.changes if (change.table, change.field) == ("thread", "moved_to")]


# --- what stands in the way ---------------------------------------------------------------------------------


def _final(user: int) -> Entry | None:
    """Somebody's last act that nobody can take back, unless he left it already."""
    found = journal.last_final(user)
    return found if found and found.act != LEFT else None


def _leave_last(workspace: Workspace) -> None:
    """The last act, whether it can be taken back or not, is not spoken of again."""
    me = workspace.user()
    final, entry = _final(me.id), next(iter(journal.last(me.id, 1)), None)
    if final and (entry is None or final.id > entry.id):
        sentence = f"left as it is: {final.sentence}"
        journal.write(me.id, os_login(), workspace.now(), LEFT, sentence, thread=final.thread, undoable=False)
    elif entry:
        journal.give_up(entry.id)


def _in_the_way(workspace: Workspace, final: Entry, entries: list[Entry]) -> str:
    """What it is that cannot be taken back, and what can be done instead."""
    written = _message(workspace, final) if final.act in LETTERS else None
    last = sum(entry.id > final.id for entry in entries)  # acts after it
    which = f"before your last {'act' if last == 1 else f'{last} acts'}" if last else "your last act"
    if final.act in LETTERS:
        this = f"{which} {'you wrote' if last else 'was'} {_letter(final, written)} (#{final.thread})"
    else:
        this = f"{which} {'there was' if last else 'was'}: {_named(final)}"
    if last:
        return f"{this}, which cannot be taken back; `crmmail undo {last}` stops before it"
    queued = [str(copy.id) for copy in written.deliveries if copy.state == "queued"] if written else []
    if queued and final.act != "note":
        return f"{this}; it has not left yet: `crmmail outbox cancel {' '.join(queued)}` stops it"
    before = f"`crmmail undo --skip` goes on with: {_named(entries[0])}" if entries else "there is nothing before it"
    return f"{this}, which cannot be taken back; {before}"


def _letter(final: Entry, written: Message | None) -> str:
    """`a note`, `a letter to ana@example.com and 1 more`."""
    to = [*written.to, *written.cc] if written else []
    others = f" and {len(to) - 1} more" if len(to) > 1 else ""
    return "a note" if final.act == "note" else f"a letter to {to[0]}{others}" if to else "a letter"


def _message(workspace: Workspace, letter: Entry) -> Message | None:
    """What was written; None where it was moved or deleted since."""
    login, kind = workspace.user().login, "note" if letter.act == "note" else "email_out"
    found = messages.of_thread(letter.thread) if letter.thread is not None else []
    mine = [one for one in found if (one.author, one.kind, one.received) == (login, kind, letter.at)]
    return mine[-1] if mine else None


# --- taking back --------------------------------------------------------------------------------------------


def _check_sections(entry: Entry) -> None:
    """A section that goes back below another one must not stand above it by now."""
    parents = {one.code: one.parent for one in offices.sections()}
    for change in entry.changes:
        if (change.table, change.field) == ("section", "parent") and change.before is not None:
            code = offices.section(str(change.key)).code
            try:
                section.check_parent(code, parents[code], parents)
            except Refused as error:
                raise Changed(str(error)) from None


def _threads(entry: Entry) -> list[int]:
    """The records that are told of it: of a merge both."""
    if entry.thread is None or not _shows_in_thread(entry):
        return []
    return [thread for thread in (entry.thread, *_merged_into(entry)) if records.exists(thread)]


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
