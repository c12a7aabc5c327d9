"""A case goes to another section: up to the one above its own, or across to any (F184, F185, F189, F205).

Escalated, it gets the manager of the section above as its responsible, keeps its state and loses its category, which
belongs to the section that it leaves; whoever had it goes on hearing of it.  Moved, it keeps its responsible.  Number,
conversation and followers stay in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from crmmail.core import record, section, text
from crmmail.core.query import Query
from crmmail.core.typed import Any
from crmmail.errors import Refused
from crmmail.services.acts.records import Done
from crmmail.services.automatic import rules
from crmmail.services.hearing.tell import in_charge, system_message, tell
from crmmail.services.shared import fields, leave
from crmmail.services.shared.fields import Detail
from crmmail.services.shared.possible import buttons, living
from crmmail.services.shared.rehearsal import rehearsed
from crmmail.store.history import journal, undoable
from crmmail.store.history.undoable import Change
from crmmail.store.letters import messages
from crmmail.store.lists import finding
from crmmail.store.people import directory, followers, offices
from crmmail.store.work import records
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace, os_login


class AtTheTop(Refused):
    """There is no section above the case's."""


class NotLate(Refused):
    """Somebody saw to a late case while we waited for our turn."""


# --- up -----------------------------------------------------------------------------------------------------


def escalate(
    workspace: Workspace,
    number: int,
    *,
    keep: bool = True,
    actor: int | None,
    note: str = "",
    late: bool = False,
    dry_run: bool = False,
) -> Done:
    """Passes a case to the section above its own, as one act.

    Args:
        keep: whoever was responsible goes on following it.
        actor: who does it, and can undo it; None: the program itself.
        note: words that go into its conversation with it, internal.
        late: it is done because the deadline has passed: nobody is its author, so everybody hears of it, who ran the
            command too.
        dry_run: say what would be done, and take it back.

    Raises:
        Refused: its state or its kind does not allow it; the sentence lists what is possible.
        AtTheTop: there is no section above its own.
        NotLate: it was one of `late`, and is none any more.
    """
    author = None if late else actor
    said: list[str] = []
    with rehearsed(workspace, dry_run):
        if late and not _still_late(workspace, [records.record(number)]):
            raise NotLate(f"#{number}: somebody saw to it meanwhile")
        this = living(number)
        changes, details = apply(workspace, this, keep)
        words = f"escalated: {fields.sentence(details)}"
        told = _announce(workspace, this, words, details, author)
        if note:
            told |= _put_note(workspace, number, note, actor, told)
        if author is not None:
            records.touch(number, this.kind, workspace.now())
        changed = [one.field for one in details]
        changes = changes + rules.react(
            workspace, number, before=this.state, changed=changed, escalated=True, skip=told, said=said
        )
        sentence = f"#{number} {this.title}: {words}"
        journal.write(actor, os_login(), workspace.now(), "escalate", sentence, changes, thread=number)
    return Done(number, this.title, details, rules=said)


def apply(workspace: Workspace, this: Record, keep: bool) -> tuple[list[Change], list[Detail]]:
    """Changes the case itself, inside somebody's transaction; says nothing and tells nobody."""
    columns = _columns(workspace, this)
    changes, details = fields.apply(workspace, this, columns)
    former = directory.user(this.responsible) if this.responsible else None
    if former is None or records.record(this.id).responsible == former.login:
        return changes, details
    if keep:
        row = followers.put_follower(this.id, workspace.now(), user=former.id)
        return changes + ([undoable.was_made("follower", row)] if row else []), details
    rows = [one.id for one in followers.followers(this.id) if one.user == former.id]
    return changes + [change for row in rows for change in undoable.delete("follower", row)], details


def _columns(workspace: Workspace, this: Record) -> dict[str, Any]:
    """What the section above means for a case."""
    sentence = f"#{this.id} {this.title}"
    if this.kind not in record.ESCALATES:
        raise Refused(f"{sentence}: a {this.kind} cannot be escalated, only {', '.join(record.ESCALATES)}s can")
    if this.state not in record.ESCALATES[this.kind]:
        raise Refused(
            f"{sentence}: escalate is not possible for a {this.kind} in state {this.state}; "
            f"possible now: {', '.join(buttons(this))}"
        )
    if not this.section:
        raise Refused(f"{sentence}: it has no section, so there is none above it (crmmail move {this.id} --section S)")
    here = offices.section(this.section)
    if not here.parent:
        raise AtTheTop(
            f"{sentence}: {here.code} is at the top level already: nothing above it to escalate to "
            f"(crmmail sections set {here.code} --parent CODE)"
        )
    above = offices.section(here.parent)
    if not above.active:
        raise AtTheTop(
            f"{sentence}: {above.code}, which stands above {here.code}, is retired "
            f"(crmmail sections set {here.code} --parent CODE)"
        )
    manager = offices.manager(above.code)
    responsible = leave.present(workspace, manager) if manager else None
    columns: dict[str, Any] = {"section": above.id}
    if this.category:
        columns["category"] = None
    if (responsible.login if responsible else "") != this.responsible:
        columns["responsible"] = responsible.id if responsible else None
        columns["assigned"] = workspace.now() if responsible else None
    return columns


def _put_note(workspace: Workspace, number: int, words: str, author: int | None, told: set[int]) -> set[int]:
    """The words that go with it; who was told of the escalation need not be told of them too."""
    now = workspace.now()
    user = directory.user_by_id(author) if author is not None else None
    note = messages.put_message(
        number,
        kind="note",
        subtype="note",
        internal=True,
        author=author,
        from_name=user.name if user else "crmmail",
        from_address=user.email if user else "",
        text=text.clean(words),
        date=now,
        received=now,
    )
    return tell(workspace, number, note, subtype="note", internal=True, author=author, skip=told)


# --- what is late -------------------------------------------------------------------------------------------


def late(workspace: Workspace) -> list[Record]:
    """The unfinished cases whose deadline has passed, and which have not gone up since: for cron (F184).

    A case goes up once for a deadline, whoever sent it: had it to go again at every run of cron, it would be at the top
    in no time.  Another deadline counts anew.  Two runs at once both find a case, so `escalate` looks again.
    """
    found = records.listed(finding.numbers("case", Query(late=True), now=workspace.now()))
    return sorted(_still_late(workspace, found), key=lambda one: one.id)


def _still_late(workspace: Workspace, cases: Iterable[Record]) -> list[Record]:
    """Those of some cases that are unfinished and late, and have not gone up for this deadline."""
    now = workspace.now()
    found = [
        one
        for one in cases
        if one.state in record.ESCALATES["case"] and not one.moved_to and one.deadline and one.deadline < now
    ]
    parents = {one.code: one.parent for one in offices.sections()}
    gone_up: dict[int, datetime] = {}
    for thread, at, details in messages.details_of([one.id for one in found]):
        if any(one["field"] == "section" and one["new"] in section.ancestors(one["old"], parents) for one in details):
            gone_up[thread] = at
    return [one for one in found if not (one.id in gone_up and one.deadline and gone_up[one.id] >= one.deadline)]


# --- across -------------------------------------------------------------------------------------------------


def move(workspace: Workspace, number: int, code: str, *, dry_run: bool = False) -> Done:
    """Passes a record to another section; a category of the same name there is kept.

    Raises:
        Refused: it is there already, the section is retired, or a record of its kind has none.
    """
    me = workspace.user()
    said: list[str] = []
    with rehearsed(workspace, dry_run):
        this, to = living(number), offices.section(code)
        if "section" not in record.FIELDS[this.kind]:
            raise Refused(f"#{number} {this.title}: a {this.kind} is in no section")
        if not to.active:
            raise Refused(f"section {to.code} is retired: `crmmail sections` lists those in use")
        if to.code == this.section:
            raise Refused(f"#{number} {this.title}: it is in {to.code} already")
        columns: dict[str, Any] = {"section": to.id}
        if this.category:
            columns["category"] = _same_category(to.id, this.category)
        changes, details = fields.apply(workspace, this, columns)
        manager = offices.manager(to.code)
        if manager and not this.responsible:
            row = followers.put_follower(number, workspace.now(), user=leave.present(workspace, manager).id)
            changes += [undoable.was_made("follower", row)] if row else []
        told = _announce(workspace, this, f"moved: {fields.sentence(details)}", details, me.id)
        records.touch(number, this.kind, workspace.now())
        changed = [one.field for one in details]
        changes = changes + rules.react(workspace, number, before=this.state, changed=changed, skip=told, said=said)
        sentence = f"#{number} {this.title}: {fields.sentence(details)}"
        journal.write(me.id, os_login(), workspace.now(), "move", sentence, changes, thread=number)
    return Done(number, this.title, details, rules=said)


def _same_category(section_id: int, name: str) -> int | None:
    """The category of that name in another section; None where it has none."""
    known = offices.categories(section_id)
    return next((one.id for one in known if one.active and one.name.lower() == name.lower()), None)


# --- both ---------------------------------------------------------------------------------------------------


def _announce(
    workspace: Workspace, before: Record, words: str, details: Sequence[Detail], author: int | None
) -> set[int]:
    """The line in the thread; told are the followers, and whoever has to look at the case from now on."""
    after = records.record(before.id)
    message = system_message(
        workspace, after.id, "section", words, author=author, details=[one._asdict() for one in details]
    )
    manager = offices.manager(after.section)
    here = [leave.present(workspace, manager).id] if manager else []
    return tell(
        workspace,
        after.id,
        message,
        subtype="section",
        internal=True,
        author=author,
        addressed=[*in_charge(workspace, after), *here],
    )
