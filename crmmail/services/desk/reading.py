"""Records as they are read: what `show` and `list` have to tell, and the shell's completions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from crmmail.core import record, section, text
from crmmail.core.query import Query
from crmmail.core.typed import NamedTuple
from crmmail.errors import CrmmailError
from crmmail.services.shared import sla
from crmmail.services.shared.possible import buttons
from crmmail.store.letters import inbox, messages, outbox, quarantine
from crmmail.store.lists import finding
from crmmail.store.people import directory, followers, offices
from crmmail.store.work import activities, records
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace


class View(NamedTuple):
    """All that `show` has to tell about a record."""

    record: Record
    followers: list[followers.Follower]
    messages: list[messages.Message]
    related: list[finding.Related]
    buttons: list[str]
    contact: directory.Contact | None
    unread: list[int]  # messages that the reader had not read
    held: dict[int, str]  # letters in quarantine that may belong to it, and why they are there
    activities: list[activities.Activity]  # what was done too
    promise: str  # the contract that its deadline comes from, "" if none
    note: str = ""
    bad: Mapping[str, str] = {}  # addresses of its people from which mail came back, and why


def show(workspace: Workspace, number: int, *, peek: bool = False) -> View:
    """A record with its conversation; marks the reader's items about it read, unless he peeks (F37)."""
    me = workspace.user()
    this = records.record(number)
    waiting = inbox.unread(me.id, thread=number)  # before the messages: what comes in between stays unread
    view = View(
        this,
        followers.followers(number),
        messages.of_thread(number),
        finding.related(number),
        buttons(this),
        directory.contact(number) if this.kind == "contact" else None,
        inbox.messages_of(waiting),
        quarantine.held_for(number),
        activities.activities(workspace.now(), record=number, done=True),
        sla.explain(workspace, this),
    )
    view = view._replace(bad=bad_addresses(view))
    if waiting and not peek:
        try:
            with workspace.store.transaction():
                inbox.set_done(waiting, workspace.now())
        except CrmmailError as error:  # a store that may only be read can still be read
            return view._replace(note=f"they stay unread: {error}")
    return view


def bad_addresses(view: View) -> dict[str, str]:
    """Of the addresses of a record, and of whoever follows it from outside, those that do not exist, and why."""
    people = {view.record.email, *(one.address for one in view.followers if not one.internal)}
    people |= set(view.contact.addresses) if view.contact else set()
    return {address: reason for address, (_, reason) in sorted(outbox.bad(people - {""}).items())}


def listing(
    workspace: Workspace,
    kind: str | None,
    query: Query,
    *,
    section_code: str | None = None,
    recursive: bool = False,
    limit: int | None = None,
    before: int | None = None,
) -> Iterator[Record]:
    """Records of a kind that fit a query, newest activity first, read as they are wanted.

    Args:
        limit: the newest so many.
        before: of those that come after this record.
    """
    codes = None
    if section_code:
        this = offices.section(section_code)
        parents = {one.code: one.parent for one in offices.sections()}
        codes = section.descendants(this.code, parents) if recursive else [this.code]
    me = workspace.user().id if query.mine else None
    now = workspace.now()
    return records.listed(finding.numbers(kind, query, user=me, now=now, sections=codes, limit=limit, before=before))


def is_late(this: Record, now: datetime) -> bool:
    """Has its deadline passed, and is it unfinished?"""
    return this.deadline is not None and this.deadline < now and this.state not in record.KINDS[this.kind].done


def completions(workspace: Workspace, prefix: str) -> list[tuple[str, str]]:
    """(number, title) of records whose number begins with `prefix`, for the shell."""
    return [(str(number), text.one_line(title)) for number, title in finding.titles(prefix.lstrip("#"))]
