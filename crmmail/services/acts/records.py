"""Records by hand: new, set, assign, take, press a button.

Each act is one transaction: the change, its system message, who is told of it, and the journal entry that undoes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from crmmail.core import record, section
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import Refused
from crmmail.services.automatic import rules
from crmmail.services.hearing.tell import system_message, tell
from crmmail.services.shared import fields, leave, sla
from crmmail.services.shared.fields import Detail
from crmmail.services.shared.possible import can_escalate, living
from crmmail.store.history import journal, undoable
from crmmail.store.history.undoable import Change
from crmmail.store.people import directory, followers, offices
from crmmail.store.work import records
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace, os_login


class Done(NamedTuple):
    """What an act did, for the one line that says so."""

    record: int
    title: str
    details: list[Detail]
    note: str = ""  # what a person may want to know besides
    given: str = ""  # of a new record: what it got without being asked for, and why
    rules: Sequence[str] = ()  # what rules made of it, in the order in which they acted


# --- making -------------------------------------------------------------------------------------------------


def create(workspace: Workspace, kind: str, title: str, values: Mapping[str, str], emails: Sequence[str] = ()) -> Done:
    """A new record by hand (`crmmail new`, `contacts add`); the acting user follows it, and is its author.

    Args:
        values: field → text, as `set` takes them.
        emails: of a contact, its addresses.
    """
    me = workspace.user()
    given = ""
    notes: list[str] = []
    said: list[str] = []
    changes: list[Change] = []
    with workspace.store.transaction():
        wanted = {"title": title, **values}
        code = wanted.get("section", "")
        columns: dict[str, Any] = {}
        for field, value in wanted.items():
            columns |= fields.columns(workspace, kind, code, field, value)
        with undoable.made(changes):
            if kind == "contact":
                number, linked = add_contact(workspace, columns, emails, me.id, notes)
            else:
                note, linked = complete_partner(columns), []
                notes += [note] if note else []
                if columns.get("responsible") is not None:  # somebody chose him, so he gets it all the same
                    absent = leave.sentence(workspace, directory.user_by_id(columns["responsible"]))
                    notes += [absent] if absent else []
                number = make(workspace, kind, columns, author=me.id, notes=notes)
                given = _given(workspace, records.record(number), columns)
                created(workspace, number, author=me.id, author_follows=True, said=said)
        this = records.record(number)
        sentence = f"#{number} {this.title}"
        journal.write(me.id, os_login(), workspace.now(), "new", sentence, changes + linked, thread=number)
    return Done(number, this.title, [], "; ".join(notes), given, said)


def _given(workspace: Workspace, this: Record, wanted: Mapping[str, Any]) -> str:
    """What a new record got by its section's policy or by a promise, and how its deadline was understood."""
    found = []
    if this.responsible and wanted.get("responsible") is None:
        found.append(f"responsible {this.responsible} ({offices.section(this.section).assign})")
    if this.deadline:
        promise = "" if wanted.get("deadline") else f" ({sla.explain(workspace, this)})"
        found.append(f"deadline {fields.shown(this, 'deadline')}{promise}")
    return ", ".join(found)


def make(
    workspace: Workspace,
    kind: str,
    columns: dict[str, Any],
    *,
    author: int | None,
    address: str = "",
    notes: list[str] | None = None,
    promises: bool = True,
) -> int:
    """The record itself, in the state where its kind begins; a case or lead is given to whom its section says.

    Args:
        notes: gets what a person may want to know of how it came to be so.
        promises: False: it is years old perhaps, and nobody gets it, nor a deadline, because it is made now.
    """
    now = workspace.now()
    columns = dict(columns)
    contacts = columns.pop("contacts", [])
    title = columns.pop("title", "") or "(no subject)"
    states = record.KINDS[kind].states
    if states:
        columns.setdefault("state", states[0])
        if promises and columns.get("section") and columns.get("responsible") is None:
            chosen = responsible_by_policy(workspace, columns["section"], [] if notes is None else notes)
            if chosen is not None:
                columns |= {"responsible": chosen, "assigned": now}
    if kind == "case":
        complete_probability(columns)
    if promises and "deadline" in record.FIELDS[kind] and columns.get("deadline") is None:
        columns["deadline"] = sla.deadline(workspace, kind, columns, start=now)
    number = records.put_record(kind, title, now, author=author, address=address, **columns)
    for contact in contacts:
        undoable.insert("record_contact", thread=number, contact=contact)
    return number


def responsible_by_policy(workspace: Workspace, section_id: int, notes: list[str]) -> int | None:
    """Who gets a new record of a section (F136); nobody who is on leave (F231)."""
    this = next(one for one in offices.sections() if one.id == section_id)
    if this.assign == "none":
        return None
    if this.assign == "manager":
        manager = offices.manager(this.code)
        return stands_in(workspace, manager, notes) if manager else None
    from crmmail.store.work import workload  # which most sections have no use for

    return section.choose(this.assign, None, workload.candidates(section_id, workspace.now()))


def stands_in(workspace: Workspace, user: directory.User, notes: list[str]) -> int:
    """Who gets new work of somebody's: he himself, or his deputy; of a leave `notes` tells."""
    absent = leave.sentence(workspace, user)
    if absent:
        notes.append(absent)
    return leave.present(workspace, user).id


def created(
    workspace: Workspace,
    number: int,
    *,
    author: int | None,
    author_follows: bool = False,
    skip: Iterable[int] = (),
    tell_now: bool = True,
    said: list[str] | None = None,
) -> tuple[int, list[int]]:
    """What every new record gets besides itself: the system message "created", its followers, and somebody who looks.

    Returns the message, and the users who must be told though they follow nothing: with nobody responsible and no
    manager of a section, those are the admins (F166).

    Args:
        said: gets a line for each rule that acted on it.
    """
    now = workspace.now()
    this = records.record(number)
    message = system_message(workspace, number, "created", f"{this.kind} created: {this.title}", author=author)
    for one in followers.subscriptions(this.kind):
        wants = one.types is None or "created" in one.types
        if wants and one.section in ("", this.section):
            followers.put_follower(number, now, user=one.user)
    if author is not None and author_follows:
        followers.put_follower(number, now, user=author)
    addressed: list[int] = []
    if this.responsible:
        followers.put_follower(number, now, user=directory.user(this.responsible).id)
    elif this.kind != "contact":
        addressed = _whoever_looks(workspace, this)
    if tell_now:
        told = tell(
            workspace,
            number,
            message,
            subtype="created",
            internal=True,
            author=author,
            addressed=addressed,
            skip=list(skip),
        )
        rules.react(workspace, number, before=rules.CREATION, skip=told, said=said)
    return message, addressed


def _whoever_looks(workspace: Workspace, this: Record) -> list[int]:
    """Makes the section's manager a follower of a record that nobody is responsible for; else the admins are told.

    While he is on leave his deputy follows as well: a manager who comes back finds what came meanwhile.
    """
    manager = offices.manager(this.section)
    if manager:
        for one in dict.fromkeys((manager.id, leave.present(workspace, manager).id)):
            followers.put_follower(this.id, workspace.now(), user=one)
        return []
    if this.kind == "lead" and any(one.internal for one in followers.followers(this.id)):
        return []  # the lead team is auto-subscribed, which is how leads find their people
    return [one.id for one in directory.admins()]


def complete_partner(columns: dict[str, Any]) -> str:
    """Fills what follows from what was given: the e-mail from the partner, the partner from the e-mail (F178).

    Returns a hint where several contacts have the address.
    """
    if columns.get("partner") and not columns.get("email"):
        card = directory.contact(columns["partner"])
        columns["email"] = card.addresses[0] if card.addresses else None
    elif columns.get("email") and not columns.get("partner"):
        cards = directory.contacts_with(columns["email"])
        if len(cards) == 1:
            columns["partner"] = cards[0]
        elif cards:
            listed = ", ".join(f"#{card}" for card in cards)
            return f"{columns['email']} belongs to several contacts ({listed}): choose one with partner=N"
    return ""


def complete_probability(columns: dict[str, Any]) -> None:
    """A case that has no probability gets the usual one of its category (F202)."""
    if columns.get("category") is not None and columns.get("probability") is None:
        usual = offices.probability(columns["category"])
        if usual is not None:
            columns["probability"] = usual


def add_contact(
    workspace: Workspace, columns: dict[str, Any], emails: Sequence[str], author: int | None, notes: list[str]
) -> tuple[int, list[Change]]:
    """A contact, which follows its own card (F22); records that came from its addresses get it as partner.

    Returns its number, and the changes of those records; `notes` gets whose its addresses are besides.
    """
    now = workspace.now()
    number = make(workspace, "contact", columns, author=author)
    linked: list[Change] = []
    for email in dict.fromkeys(fields.address(one) for one in emails):
        others = [card for card in directory.contacts_with(email) if card != number]
        directory.add_contact_address(number, email)
        if others:
            notes.append(f"{email} also belongs to contact {', '.join(f'#{card}' for card in others)}")
        else:
            for one in records.link_partner(email, number):
                linked.append(Change(records.record(one).kind, one, "partner", None, number))
    followers.put_follower(number, now, contact=number)
    created(workspace, number, author=author, author_follows=True)
    return number, linked


# --- changing -----------------------------------------------------------------------------------------------


def set_fields(workspace: Workspace, number: int, assignments: Mapping[str, str], act: str = "set") -> Done:
    """Sets fields of a record: one system message, the followers of what changed are told."""
    me = workspace.user()
    with workspace.store.transaction():
        this = living(number)
        if act in ("take", "assign") and "responsible" not in record.FIELDS[this.kind]:
            raise Refused(f"#{number} is a {this.kind}, for which nobody is responsible")
        changes: dict[str, Any] = {}
        code = assignments.get("section", this.section)
        for field, value in assignments.items():
            changes |= fields.columns(workspace, this.kind, code, field, value, present=this.section)
        if "section" in changes and this.category and "category" not in changes and code != this.section:
            changes["category"] = None  # a category belongs to its section
        changes = what_follows(workspace, this, changes)
        done, details = fields.apply(workspace, this, changes)
        finished = finish(workspace, this, act, done, details, me.id)
        return finished._replace(note=_whose_work(workspace, this, act)) if act in ("take", "assign") else finished


def _whose_work(workspace: Workspace, before: Record, act: str) -> str:
    """What somebody who takes work or gives it away may not have seen: who had it, that it is finished, and that he
    who gets it is on leave."""
    said = []
    if act == "take" and before.responsible:
        said.append(f"{before.responsible} had it")
    if before.state in record.KINDS[before.kind].done:
        said.append(f"it is in state {before.state}")
    login = records.record(before.id).responsible
    away = leave.sentence(workspace, directory.user(login)) if act == "assign" and login else ""
    return "; ".join(filter(None, (f"#{before.id}: {' and '.join(said)}" if said else "", away)))


def what_follows(workspace: Workspace, this: Record, changes: dict[str, Any]) -> dict[str, Any]:
    """Changes of a record, and what changes with them: the e-mail with the partner, the odds with the category."""
    changes = dict(changes)
    if "email" not in changes and _other_partner(this, changes.get("partner")):
        changes["email"] = None
        complete_partner(changes)
    if this.kind == "case" and this.probability is None and "probability" not in changes:
        complete_probability(changes)
    return changes


def _other_partner(this: Record, partner: int | None) -> bool:
    """Does a record get another partner, whose e-mail takes the place of the old one's?

    An address that does not belong to the old partner was set by hand, and stays.
    """
    if partner is None or (this.partner and this.partner.id == partner):
        return False
    return not this.email or (this.partner is not None and this.email in directory.contact(this.partner.id).addresses)


def take(workspace: Workspace, number: int) -> Done:
    """Makes the acting user responsible."""
    return set_fields(workspace, number, {"responsible": workspace.user().login}, "take")


def press(workspace: Workspace, number: int, button: str, *, skip: Collection[int] = ()) -> Done:
    """Presses a button; opening what nobody is responsible for makes the actor responsible (F180).

    Args:
        skip: users who were told already of the letter that goes with it.
    """
    me = workspace.user()
    with workspace.store.transaction():
        this = living(number)
        try:
            also = ["escalate"] if can_escalate(this) else []
            changes: dict[str, Any] = {"state": record.press(this.kind, this.state, button, also=also)}
        except Refused as error:
            raise Refused(f"#{number} {this.title}: {error}") from None
        if button == "open" and not this.responsible:
            changes |= {"responsible": me.id, "assigned": workspace.now()}
        changes |= fields.closing(workspace, this.kind, changes["state"])
        done, details = fields.apply(workspace, this, changes)
        return finish(workspace, this, button, done, details, me.id, skip)


def finish(
    workspace: Workspace,
    this: Record,
    act: str,
    done: list[Change],
    details: list[Detail],
    me: int,
    skip: Collection[int] = (),
) -> Done:
    """The system message, the telling and the journal entry of an act on a record."""
    if not done:
        raise Refused(f"#{this.id} {this.title}: nothing to change, it is so already")
    subtype = next((kind for field, kind in fields.SUBTYPE_OF if any(one.field == field for one in details)), "state")
    message = system_message(
        workspace,
        this.id,
        subtype,
        fields.sentence(details),
        author=me,
        details=[one._asdict() for one in details],
    )
    told = {*skip, *tell(workspace, this.id, message, subtype=subtype, internal=True, author=me, skip=skip)}
    records.touch(this.id, this.kind, workspace.now())
    changed = [one.field for one in details]
    said: list[str] = []
    done = done + rules.react(workspace, this.id, before=this.state, changed=changed, skip=told, said=said)
    after = records.record(this.id)
    sentence = f"#{this.id} {after.title}: {fields.sentence(details)}"
    # Undo takes back the change, not the message: a thread is append-only, and undo writes its own.
    journal.write(me, os_login(), workspace.now(), act, sentence, done, thread=this.id)
    return Done(this.id, after.title, details, rules=said)
