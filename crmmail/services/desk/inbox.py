"""The inbox: what is new for me, dismissed with `done`, set aside with a star.  Listing changes nothing (F36)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from crmmail.core.query import Query
from crmmail.core.typed import NamedTuple
from crmmail.services.desk.agenda import end_of_day
from crmmail.services.shared import failing
from crmmail.store.history import journal, undoable
from crmmail.store.letters import inbox, messages, outbox, quarantine
from crmmail.store.lists import finding
from crmmail.store.lists import items as stored
from crmmail.store.lists.items import Item
from crmmail.store.work import activities
from crmmail.workspace import Workspace, os_login

LATE = timedelta(minutes=5)  # mail that leaves with the next tick is no news


LENGTH = 500  # characters of a text that a headline may show


class Summary(NamedTuple):
    """Where the day starts."""

    login: str
    unread: int
    starred: int
    mine: int
    unassigned: int
    late: int
    today: int  # due today, and not late yet
    activities: int  # mine: overdue, or due today
    quarantine: int
    unconfirmed: int
    waiting_mail: int
    failed_mail: int
    failing: str  # that deliveries fail, since when and why; "" where they do not
    newest: list[Item]


def numbers(
    workspace: Workspace,
    query: Query,
    *,
    starred: bool = False,
    everything: bool = False,
    limit: int | None = None,
    before: int | None = None,
) -> list[int]:
    """The numbers of the acting user's items, newest first; of his stars those of the messages.

    Args:
        starred: his stars instead.
        everything: also what he has dismissed.
        before: only what is older than this one.
    """
    return stored.numbers(
        workspace.user().id,
        query,
        unread_only=not everything,
        starred_only=starred,
        now=workspace.now(),
        limit=limit,
        before=before,
    )


def listed(
    workspace: Workspace, numbers: Iterable[int], *, starred: bool = False, length: int | None = None
) -> Iterator[Item]:
    """The items themselves, read as they are wanted, with so many characters of each text."""
    return stored.listed(workspace.user().id, numbers, starred_only=starred, length=length)


def items(
    workspace: Workspace, query: Query, *, starred: bool = False, everything: bool = False, limit: int | None = None
) -> list[Item]:
    """All of these, whole."""
    found = numbers(workspace, query, starred=starred, everything=everything, limit=limit)
    return list(listed(workspace, found, starred=starred))


def item(workspace: Workspace, number: int) -> Item:
    """One item of the acting user's, dismissed or not."""
    me = workspace.user().id
    inbox.check_own(me, [number])
    return next(stored.listed(me, [number]))


def done(workspace: Workspace, numbers: Sequence[int] | None) -> int:
    """Takes items (None: all) out of the inbox; how many were in it.  `undo` brings them back (F41)."""
    me = workspace.user()
    with workspace.store.transaction():
        unread = inbox.unread(me.id)
        if numbers is None:
            gone = unread
        else:
            inbox.check_own(me.id, numbers)
            gone = [one for one in unread if one in set(numbers)]
        if not gone:
            return 0
        now = workspace.now()
        inbox.set_done(gone, now)
        changes = [undoable.Change("notification", one, "done", None, undoable.moment(now)) for one in gone]
        sentence = f"{len(gone)} item{'' if len(gone) == 1 else 's'} dismissed"
        journal.write(me.id, os_login(), now, "done", sentence, changes)
    return len(gone)


def star(workspace: Workspace, numbers: Sequence[int], *, on: bool) -> list[messages.Message]:
    """Stars messages, or takes the stars away; doing it twice is doing it once."""
    me = workspace.user()
    with workspace.store.transaction():
        found = [messages.message(number) for number in numbers]
        changes: list[undoable.Change] = []
        for one in found:
            if on:
                changes += undoable.insert("star", user=me.id, message=one.id, created=workspace.now())
            else:
                changes += undoable.delete("star", [me.id, one.id])
        if changes:
            word = "starred" if on else "unstarred"
            sentence = f"{word} message {', '.join(str(one.id) for one in found)}"
            journal.write(me.id, os_login(), workspace.now(), "star" if on else "unstar", sentence, changes)
    return found


def summary(workspace: Workspace, limit: int = 5) -> Summary:
    """Counts and the newest items: a handful of indexed queries, because it is where the day starts (F34)."""
    me = workspace.user()
    unread, starred = stored.counts(me.id)
    tonight = end_of_day(workspace)
    open_records = finding.counts(me.id, workspace.now(), tonight)
    held = quarantine.count_waiting()
    return Summary(
        me.login,
        unread,
        starred,
        open_records["mine"],
        open_records["unassigned"],
        open_records["late"],
        open_records["today"],
        activities.count(me.id, tonight),
        sum(count for reason, count in held.items() if reason != "unconfirmed"),
        held.get("unconfirmed", 0),
        outbox.count_late(workspace.now() - LATE),
        outbox.count_trouble(),
        failing.news(workspace),
        list(stored.listed(me.id, stored.numbers(me.id, limit=limit), length=LENGTH)),
    )
