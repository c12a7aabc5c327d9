"""Two records that are one: what belongs to the first becomes part of the second, and later letters follow it.

Letters, notes and calls go with all that hangs on them, and so do followers, contacts, activities and letters that wait
in quarantine.  What the program said stays, because it tells of the states of the record that it was said in.
"""

from __future__ import annotations

from typing import Any

from crmmail.core import record
from crmmail.errors import Refused
from crmmail.services import fields, rules
from crmmail.services.possible import lives_on_as, living
from crmmail.services.tell import system_message, tell
from crmmail.store import directory, followers, journal, messages, records
from crmmail.store.followers import Follower
from crmmail.store.journal import Change
from crmmail.store.records import Record
from crmmail.workspace import Workspace, os_login


class _Rehearsed(Exception):
    """Rolls a dry run back."""


def merge(workspace: Workspace, number: int, into: int, *, dry_run: bool = False) -> str:
    """Makes a record part of another; the sentence that says so.  One act, which undo takes back whole.

    Raises:
        Refused: they are the same, of kinds that do not go together, or were merged already.
    """
    sentence = ""
    try:
        with workspace.store.transaction():
            sentence = _merge(workspace, number, into)
            if dry_run:
                raise _Rehearsed
    except _Rehearsed:
        pass
    return sentence


def _merge(workspace: Workspace, number: int, into: int) -> str:
    me = workspace.user()
    this, to = living(number), records.record(into)
    _check(this, to)
    spoken, changes = _move_messages(this, to)
    changes += _move_followers(this, to) + _move_the_rest(this, to)
    filled = _filled(this, to)
    changes += fields.apply(workspace, to, filled)[0] if filled else []
    changes += _move_contacts(this, records.record(into))
    changes += journal.update_record(into, to.kind, **_dates(this, to))
    state = "converted" if (this.kind, to.kind) == ("lead", "case") else record.MERGED[this.kind]
    columns = {"state": state} if this.closed else {"state": state, **fields.closing(workspace, this.kind, state)}
    changes += journal.update_record(number, this.kind, moved_to=into, **columns)
    sentence = f"#{number} {this.title}: merged into #{into} {to.title}"
    system_message(workspace, number, "note", f"merged into #{into} {to.title}", author=me.id)
    count = f"{spoken} message{'' if spoken == 1 else 's'}"
    words = f"#{number} {this.title} was merged into this: {count}"
    message = system_message(workspace, into, "note", words, author=me.id)
    told = tell(workspace, into, message, subtype="note", internal=True, author=me.id)
    records.touch(into, to.kind, workspace.now())
    changes += rules.react(workspace, into, before=to.state, changed=list(filled), skip=told)
    journal.write(me.id, os_login(), workspace.now(), "merge", sentence, changes, thread=number)
    return sentence


def _check(this: Record, to: Record) -> None:
    """Refuses what cannot be one."""
    if this.id == to.id:
        raise Refused(f"#{this.id} cannot be merged into itself")
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
    spoken = [one.id for one in messages.of_thread(this.id) if one.kind != "system"]
    changes = []
    for message in spoken:
        changes += journal.update("message", message, thread=to.id)
        for table, key in messages.hanging(message):
            changes += journal.update(table, key, thread=to.id)
    return len(spoken), changes


def _move_followers(this: Record, to: Record) -> list[Change]:
    """Each follows once; what he chose to hear of the other record counts."""
    there = {_who(one) for one in followers.followers(to.id)}
    changes = []
    for one in followers.followers(this.id):
        if _who(one) in there:
            changes += journal.delete("follower", one.id)
        else:
            changes += journal.update("follower", one.id, thread=to.id)
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
            changes += journal.insert("record_contact", thread=to.id, contact=contact)
    for one in this.contacts:
        row = records.contact_row(this.id, one.id)
        changes += journal.delete("record_contact", row) if row is not None else []
    return changes


def _move_the_rest(this: Record, to: Record) -> list[Change]:
    """What has to be done about it, and the letters in quarantine that may belong to it."""
    return [
        change
        for table, key, column in records.hanging(this.id)
        for change in journal.update(table, key, **{column: to.id})
    ]


# --- what is filled -----------------------------------------------------------------------------------------


def _filled(this: Record, to: Record) -> dict[str, Any]:
    """The fields of the other record that are empty and get this one's.  An e-mail and a partner go together: a
    stranger's address stays with no contact that it does not belong to."""
    found: dict[str, Any] = {}
    if not to.partner and this.partner:
        mine = directory.contact(this.partner.id).addresses
        if not to.email or to.email in mine:
            found["partner"] = this.partner.id
    if not to.email and this.email and (not to.partner or to.partner == this.partner):
        found["email"] = this.email
        if this.partner_name and not to.partner_name:
            found["partner_name"] = this.partner_name
    if to.deadline is None and this.deadline is not None and "deadline" in record.FIELDS[to.kind]:
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
