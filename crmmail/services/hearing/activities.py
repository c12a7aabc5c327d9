"""Activities: what somebody has to do about a record by a moment; by hand, or because a rule says so (behaviour §6).

An activity is announced in the record's thread, and whoever has to do it is told.  `agenda` lists it beside deadlines.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from crmmail.core import text
from crmmail.errors import Refused, UsageError
from crmmail.services.hearing.tell import News, system_message, tell
from crmmail.services.shared import fields
from crmmail.services.shared.possible import living
from crmmail.store.history import journal, undoable
from crmmail.store.people import directory
from crmmail.store.work import activities, records
from crmmail.store.work.activities import Activity
from crmmail.workspace import Workspace, os_login

LONGEST = 200  # cells of a summary


def add(
    workspace: Workspace,
    number: int,
    summary: str,
    due: datetime,
    user: int | None,
    author: int | None,
    *,
    skip: Collection[int] = (),
    news: News | None = None,
) -> int:
    """A new activity, inside the transaction of the act that it belongs to; its number.

    Args:
        user: who has to do it; None: nobody in particular.
        author: who wants it; None: a rule does.
        skip: users who were told of the act already.
        news: gets the message that people shall be told of later; None: they are told now.
    """
    made = activities.put_activity(number, user, summary, due, workspace.now())
    who = f" ({directory.user_by_id(user).login})" if user is not None else ""
    words = f"to do until {_day(due)}{who}: {summary}"
    message = system_message(workspace, number, "note", words, author=author)
    if news is not None:
        news.append((message, "note"))
    else:
        addressed = [user] if user is not None else []
        tell(
            workspace, number, message, subtype="note", internal=True, author=author, addressed=addressed, skip=skip
        )  # fmt: skip
    return made


def create(workspace: Workspace, number: int, summary: str, due: str, login: str = "") -> Activity:
    """A new activity by hand.

    Args:
        due: a date in words; a day without a time is all of that day.
        login: who has to do it; "": the acting user.
    """
    me = workspace.user()
    words = text.one_line(summary, LONGEST)
    if not words:
        raise UsageError("say what is to do, in a few words")
    with workspace.store.transaction():
        this = living(number)
        user = fields.active_user(login) if login else me
        made = add(workspace, number, words, fields.moment(workspace, due, end_of_day=True), user.id, me.id)
        records.touch(number, this.kind, workspace.now())
        found = activities.activity(made, workspace.now())
        sentence = f"#{number} {this.title}: to do until {_day(found.due)} ({found.user}): {words}"
        changes = [undoable.was_made("activity", made, done=None)]
        journal.write(me.id, os_login(), workspace.now(), "activity", sentence, changes, thread=number)
    return found


def done(workspace: Workspace, number: int) -> Activity:
    """It is done, whoever did it.

    Raises:
        Refused: it was done before.
    """
    with workspace.store.transaction():
        this = activities.activity(number, workspace.now())
        if this.done:
            raise Refused(f"activity {number} ({this.summary}) was done {_day(this.done)} already")
        changes = undoable.update("activity", number, done=workspace.now())
        return _finish(workspace, this, "done", changes)


def remove(workspace: Workspace, number: int) -> Activity:
    """Nobody has to do it any more."""
    with workspace.store.transaction():
        this = activities.activity(number, workspace.now())
        changes = undoable.delete("activity", number)
        return _finish(workspace, this, "no longer to do", changes)


def listing(workspace: Workspace, *, everybody: bool = False, finished: bool = False) -> list[Activity]:
    """What the acting user has to do, or everybody, the next first; what was done too where it is wanted."""
    user = None if everybody else workspace.user().id
    return activities.activities(workspace.now(), user=user, done=finished)


def _finish(workspace: Workspace, this: Activity, what: str, changes: list[undoable.Change]) -> Activity:
    """The system message, the telling and the journal entry of an act on an activity."""
    me = workspace.user()
    message = system_message(workspace, this.record, "note", f"{what}: {this.summary}", author=me.id)
    tell(workspace, this.record, message, subtype="note", internal=True, author=me.id)
    records.touch(this.record, records.record(this.record).kind, workspace.now())
    sentence = f"#{this.record} {this.title}: {what}: {this.summary}"
    journal.write(me.id, os_login(), workspace.now(), "activity", sentence, changes, thread=this.record)
    return this


def _day(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
