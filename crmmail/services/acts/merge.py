"""Two records that are one: what belongs to the first becomes part of the second, and later letters follow it.

Letters, notes and calls go with all that hangs on them, and so do followers, contacts, activities and letters that wait
in quarantine.  What the program said stays, because it tells of the states of the record that it was said in.  What a
rule did for a date that the other record takes over comes along, so that nobody is reminded twice of one letter.

Fields that are empty in the other record are filled, costs and revenues are added up, and the more urgent priority
counts while the first is unfinished: statistics leave out what was merged, and must lose nothing by it.  The message in
the thread says what changed.
"""

from __future__ import annotations

from datetime import datetime

from crmmail.core import amount, record
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import Refused
from crmmail.services.automatic import rules
from crmmail.services.hearing.tell import system_message, tell
from crmmail.services.shared import fields
from crmmail.services.shared.possible import lives_on_as, living
from crmmail.services.shared.rehearsal import rehearsed
from crmmail.store.automatic import rules as rule_ledger
from crmmail.store.history import journal, undoable
from crmmail.store.history.undoable import Change
from crmmail.store.letters import messages
from crmmail.store.people import directory, followers, offices
from crmmail.store.people.followers import Follower
from crmmail.store.work import records
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace, os_login


class Merged(NamedTuple):
    sentence: str
    rules: list[str]  # what rules made of it, one line each


def merge(workspace: Workspace, number: int, into: int, *, dry_run: bool = False) -> Merged:
    """Makes a record part of another; the sentence that says so.  One act, which undo takes back whole.

    Raises:
        Refused: they are the same, of kinds that do not go together, or were merged already.
    """
    with rehearsed(workspace, dry_run):
        merged = _merge(workspace, number, into)
    return merged


def _merge(workspace: Workspace, number: int, into: int) -> Merged:
    me = workspace.user()
    _check_apart(number, into)
    this, to = living(number), records.record(into)
    _check(this, to)
    spoken, changes = _move_messages(this, to)
    changes += _move_followers(this, to) + _move_the_rest(this, to)
    done, details = fields.apply(workspace, to, _filled(workspace, this, to))
    changes += done
    changes += _move_contacts(this, records.record(into))
    taken = _dates(this, to)
    changes += undoable.update_record(into, to.kind, **taken)
    changes += _move_firings(this, to, taken.get("partner_wrote"))
    state = "converted" if (this.kind, to.kind) == ("lead", "case") else record.MERGED[this.kind]
    columns = {"state": state} if this.closed else {"state": state, **fields.closing(workspace, this.kind, state)}
    changes += undoable.update_record(number, this.kind, moved_to=into, **columns)
    sentence = f"#{number} {this.title}: merged into #{into} {to.title}"
    system_message(workspace, number, "note", f"merged into #{into} {to.title}", author=me.id)
    count = f"{spoken} message{'' if spoken == 1 else 's'}"
    words = f"#{number} {this.title} was merged into this: {count}"
    words += f"; {fields.sentence(details)}" if details else ""
    message = system_message(workspace, into, "note", words, author=me.id)
    told = tell(workspace, into, message, subtype="note", internal=True, author=me.id)
    records.touch(into, to.kind, workspace.now())
    said: list[str] = []
    changes += rules.react(
        workspace, into, before=to.state, changed=[one.field for one in details], skip=told, said=said
    )
    journal.write(me.id, os_login(), workspace.now(), "merge", sentence, changes, thread=number)
    return Merged(sentence, said)


def _check_apart(number: int, into: int) -> None:
    """Refuses what is one already."""
    if number == into:
        raise Refused(f"#{records.record(number).id} cannot be merged into itself")
    live = lives_on_as(number)
    if live == lives_on_as(into):
        raise Refused(f"#{number} and #{into} are one already: crmmail show {live}")


def _check(this: Record, to: Record) -> None:
    """Refuses what cannot be one."""
    if to.moved_to:
        live = lives_on_as(to.id)
        raise Refused(f"#{to.id} {to.title} lives on as #{live}: crmmail merge {this.id} --into {live}")
    if this.kind not in record.MERGED or to.kind not in record.MERGED:
        card = this if this.kind not in record.MERGED else to
        raise Refused(f"#{card.id} {card.title} is a {card.kind}: only {'s and '.join(record.MERGED)}s can be merged")
    if this.kind != to.kind and to.kind != "case":
        raise Refused(
            f"#{this.id} is a {this.kind} and #{to.id} a {to.kind}: only a lead can become part of a case "
            f"(crmmail merge {to.id} --into {this.id})"
        )


# --- what goes along ----------------------------------------------------------------------------------------


def _move_messages(this: Record, to: Record) -> tuple[int, list[Change]]:
    """Everything that somebody said, with who took part in it, who was told, and its mails."""
    spoken = messages.spoken(this.id)
    changes = []
    for table, keys in [("message", spoken), *messages.hanging(spoken)]:
        changes += undoable.update_all(table, keys, "thread", to.id)
    return len(spoken), changes


def _move_followers(this: Record, to: Record) -> list[Change]:
    """Each follows once; what he chose to hear of the other record counts."""
    there = {_who(one) for one in followers.followers(to.id)}
    changes = []
    for one in followers.followers(this.id):
        if _who(one) in there:
            changes += undoable.delete("follower", one.id)
        else:
            changes += undoable.update("follower", one.id, thread=to.id)
    return changes


def _who(one: Follower) -> tuple[int | None, int | None, str]:
    """A user, a contact, or a bare address."""
    return one.user, one.contact, "" if one.who else one.address


def _move_contacts(this: Record, to: Record) -> list[Change]:
    """Its contacts, and its partner where the other record has another one: both take part from now on."""
    mine = [one.id for one in (*this.contacts, *([this.partner] if this.partner else []))]
    there = {one.id for one in (*to.contacts, *([to.partner] if to.partner else []))}
    changes = []
    for contact in dict.fromkeys(mine):
        if contact not in there:
            changes += undoable.insert("record_contact", thread=to.id, contact=contact)
    for one in this.contacts:
        row = records.contact_row(this.id, one.id)
        changes += undoable.delete("record_contact", row) if row is not None else []
    return changes


def _move_the_rest(this: Record, to: Record) -> list[Change]:
    """What has to be done about it, and the letters in quarantine that may belong to it."""
    return [
        change
        for table, keys, column in records.hanging(this.id)
        for change in undoable.update_all(table, keys, column, to.id)
    ]


def _move_firings(this: Record, to: Record, partner_wrote: datetime | None) -> list[Change]:
    """What dated rules did for a date that the other record takes over, they have done for that record too.

    Args:
        partner_wrote: when somebody outside wrote last, to either of them.
    """
    taken = {partner_wrote, this.deadline if to.deadline is None else None} - {None}
    done = {(one.rule, one.base) for one in rule_ledger.firings(record=to.id) if not one.failed}
    changes = []
    for one in rule_ledger.firings(record=this.id):
        if one.base in taken and not one.failed and (one.rule, one.base) not in done:
            sentence = f"{one.sentence} (as #{this.id})"
            row = rule_ledger.put_firing(one.rule, to.id, one.at, sentence, base=one.base)
            changes.append(undoable.was_made("firing", row))
    return changes


# --- what is filled -----------------------------------------------------------------------------------------


def _filled(workspace: Workspace, this: Record, to: Record) -> dict[str, Any]:
    """The columns of the other record that change."""
    return {**_people(workspace, this, to), **_place(this, to), **_numbers(this, to)}


def _people(workspace: Workspace, this: Record, to: Record) -> dict[str, Any]:
    """Whom it is about, and who works on it, where that is empty.  An e-mail and a partner go together: a stranger's
    address stays with no contact that it does not belong to.  Work goes to nobody who has left the house."""
    found: dict[str, Any] = {}
    if not to.partner and this.partner:
        mine = directory.contact(this.partner.id).addresses
        if not to.email or to.email in mine:
            found["partner"] = this.partner.id
    if not to.email and this.email and (not to.partner or to.partner == this.partner):
        found["email"] = this.email
        if this.partner_name and not to.partner_name:
            found["partner_name"] = this.partner_name
    if this.responsible and not to.responsible:
        user = directory.user(this.responsible)
        found |= {"responsible": user.id, "assigned": workspace.now()} if user.active else {}
    return found


def _place(this: Record, to: Record) -> dict[str, Any]:
    """The section where there is none, and with the same section the category where there is none."""
    if not this.section or to.section not in ("", this.section):
        return {}
    section = offices.section(this.section).id
    found = {} if to.section else {"section": section}
    if this.category and not to.category:
        names = {one.name: one.id for one in offices.categories(section)}
        found["category"] = names[this.category]
    return found


def _numbers(this: Record, to: Record) -> dict[str, Any]:
    """What can be counted.  Two amounts are added up; of two probabilities the other record's stays."""
    found: dict[str, Any] = {}
    has = record.FIELDS[to.kind]
    for field in ("revenue", "cost"):
        mine, its = getattr(this, field), getattr(to, field)
        if mine is not None and field in has:
            found[field] = mine if its is None else amount.added(mine, its)
    if this.probability is not None and to.probability is None:
        found["probability"] = this.probability
    if not this.closed and this.priority is not None and to.priority is not None and this.priority < to.priority:
        found["priority"] = this.priority
    if to.deadline is None and this.deadline is not None and "deadline" in has:
        found["deadline"] = this.deadline
    return found


def _dates(this: Record, to: Record) -> dict[str, Any]:
    """The last letter from outside and the first answer of both: rules and statistics count from them."""
    mine, theirs = records.dates(this.id, this.kind), records.dates(to.id, to.kind)
    wrote = [one for one in (mine.partner_wrote, theirs.partner_wrote) if one]
    answered = [one for one in (mine.answered, theirs.answered) if one]
    return {
        **({"partner_wrote": max(wrote)} if wrote else {}),
        **({"answered": min(answered)} if answered else {}),
    }
