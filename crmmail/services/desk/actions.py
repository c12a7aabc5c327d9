"""What can be done about a record now, each with its command line: the program leads its user (F401)."""

from __future__ import annotations

from crmmail.core import record
from crmmail.core.typed import NamedTuple
from crmmail.services.sending import correspondent
from crmmail.services.shared.possible import buttons, lives_on_as
from crmmail.store.people import offices
from crmmail.store.work import records
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace


class Action(NamedTuple):
    name: str
    command: str
    leads_to: str  # a state, a section or a user; "" where nothing of these changes
    sentence: str


# What a button does, in words; which there are, and when, is `core.record`'s to say.
_BUTTONS = {
    "open": "work on it begins",
    "pending": "we wait for somebody",
    "close": "the work is done",
    "cancel": "nothing will be done",
    "reset": "it goes back to where it began",
    "qualify": "it is worth pursuing",
    "lose": "nothing will come of it",
}


def actions(workspace: Workspace, number: int) -> list[Action]:
    """In the order in which a day's work needs them; of a record that was merged only where it went."""
    this = records.record(number)
    if this.moved_to:
        live = lives_on_as(number)
        return [Action("show", f"crmmail show {live}", "", f"it was merged into #{live}: work there")]
    found = [*_words(this), *(_button(this, name) for name in buttons(this) if name != "escalate")]
    if "responsible" in record.FIELDS[this.kind]:
        found += _people(this, workspace.user().login)
    if "section" in record.FIELDS[this.kind]:
        found += _sections(this)
    known = ", ".join(record.FIELDS[this.kind])
    found.append(Action("set", f"crmmail set {number} FIELD=VALUE", "", f"change a field: {known}"))
    if this.kind in record.MERGED:
        found.append(Action("merge", f"crmmail merge {number} --into RECORD", "", "it becomes part of another one"))
    return found


def _words(this: Record) -> list[Action]:
    found = []
    letter = correspondent.last_letter(this)
    if letter is not None or correspondent.of_record(this):
        sentence = "answer the last letter" if letter else "write to whom it is about"
        verb = "reply" if letter else "send"
        found.append(Action(verb, f"crmmail {verb} {this.id}", "", sentence))
    found.append(Action("note", f"crmmail note {this.id}", "", "say something that stays inside"))
    visit = f"crmmail log event {this.id} --what Visit"
    found.append(Action("log", f"crmmail log call {this.id} --result answered", "", f"keep a call; a visit: {visit}"))
    return found


def _button(this: Record, name: str) -> Action:
    return Action(name, f"crmmail {name} {this.id}", record.target(this.kind, name), _BUTTONS[name])


def _people(this: Record, me: str) -> list[Action]:
    found = []
    if this.responsible != me:
        had = f"; {this.responsible} has it now" if this.responsible else ""
        found.append(Action("take", f"crmmail take {this.id}", me, f"you are responsible from then on{had}"))
    found.append(Action("assign", f"crmmail assign {this.id} LOGIN", "", "somebody else is responsible"))
    return found


def _sections(this: Record) -> list[Action]:
    found = []
    if "escalate" in buttons(this):
        above = offices.section(this.section).parent
        manager = offices.manager(above)
        who = f", and {manager.login} is responsible" if manager else ""
        found.append(Action("escalate", f"crmmail escalate {this.id}", above, f"it goes to {above}{who}"))
    elsewhere = [one.code for one in offices.sections() if one.active and one.code != this.section]
    if elsewhere:
        sentence = f"to another section: {', '.join(elsewhere)}"
        found.append(Action("move", f"crmmail move {this.id} --section CODE", "", sentence))
    return found
