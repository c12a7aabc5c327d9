"""The shop's own mail templates (F319-F323): written by an admin, filled in when a rule mails one.

A template is there in one or several languages; who reads it decides which one is taken.  Its places, like
{record.title}, are looked at when it is written, so that a slip is found then and not in the night.
"""

from __future__ import annotations

import re
from datetime import datetime

from crmmail.core import record, text
from crmmail.core.typed import TYPE_CHECKING, Any
from crmmail.errors import NotFound, Refused, Taken, UsageError
from crmmail.services.sending import correspondent, envelope
from crmmail.services.shared.rights import need_admin
from crmmail.store.automatic import rules, templates
from crmmail.store.automatic.templates import Template
from crmmail.store.history import journal, undoable
from crmmail.store.people import directory, offices
from crmmail.store.work import records
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace, local_zone, os_login

if TYPE_CHECKING:
    from crmmail.render import Rendered  # jinja2 comes with it, which is needed only where one is read or filled in

ENGLISH = "en"
_NAME = re.compile(r"\w[\w.-]{0,63}")
_LANG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})?")

# What a template can speak of; `values` fills each of them.
PLACES = (
    "record.id", "record.title", "record.kind", "record.state", "record.section", "record.category", "record.priority",
    "record.responsible", "record.deadline", "record.created", "partner.name", "partner.email", "partner.company",
    "user.name", "user.email", "shop.address", "today", "now",
)  # fmt: skip


# --- keeping them -------------------------------------------------------------------------------------------


def listing(workspace: Workspace) -> list[Template]:
    """All, each language a row."""
    return templates.templates()


def add(workspace: Workspace, name: str, subject: str, words: str, lang: str = ENGLISH) -> Template:
    """A new template, or one more language of one.

    Raises:
        Taken: it is there in that language.
        UsageError: its name or language is none, or a place in it is not known.
    """
    need_admin(workspace, "add templates")
    name, lang = _name(name), _lang(lang)
    columns = _checked(subject, words)
    if any(one.lang == lang for one in templates.templates(name)):
        raise Taken(f"there is a template {name} in {lang} already (crmmail templates set {name} --lang {lang} …)")
    with workspace.store.transaction():
        _note(
            workspace, f"template {name} ({lang}) added", undoable.insert("template", name=name, lang=lang, **columns)
        )
    return find(name, lang)


def change(
    workspace: Workspace, name: str, lang: str | None = None, *, subject: str | None = None, words: str | None = None
) -> Template:
    """Changes subject or text of a template; None: not said.  `lang` may be left away where it has one language."""
    need_admin(workspace, "change templates")
    this = _one(name, lang)
    columns = _checked(this.subject if subject is None else subject, this.text if words is None else words)
    with workspace.store.transaction():
        changes = undoable.update("template", this.id, **columns)
        if not changes:
            raise Refused(f"template {this.name} ({this.lang}): nothing to change, it is so already")
        _note(workspace, f"template {this.name} ({this.lang}) changed", changes)
    return find(this.name, this.lang)


def remove(workspace: Workspace, name: str, lang: str | None = None) -> list[Template]:
    """Removes a template, or one language of it; not the last of one that a rule mails."""
    need_admin(workspace, "remove templates")
    known = _languages(name)
    gone = known if lang is None else [_one(name, lang)]
    users = [one.name for one in rules.rules() if str(one.spec.get("mail", "")).lower() == gone[0].name]
    if users and len(gone) == len(known):
        raise Refused(f"rule {users[0]!r} mails {gone[0].name}: change or remove the rule first (crmmail rules)")
    with workspace.store.transaction():
        changes = [change for one in gone for change in undoable.delete("template", one.id)]
        listed = ", ".join(one.lang for one in gone)
        _note(workspace, f"template {gone[0].name} ({listed}) removed", changes)
    return gone


def find(name: str, lang: str = "") -> Template:
    """A template in a language, else in English, else in whatever it is there in.

    Raises:
        NotFound: with the names there are.
    """
    known = {one.lang: one for one in _languages(name)}
    return known.get(lang.lower()) or known.get(ENGLISH) or next(iter(known.values()))


def unknown_places(workspace: Workspace) -> dict[str, tuple[str, ...]]:
    """Template → what stands in it that nothing can fill; what an older crmmail, or a hand in the store, left there."""
    known = templates.templates()
    if not known:
        return {}
    from crmmail import render

    found: dict[str, set[str]] = {}
    for one in known:
        try:
            wrong = render.places(one.subject, one.text) - set(PLACES)
        except UsageError as error:
            wrong = {str(error)}
        found.setdefault(one.name, set()).update(wrong)
    return {name: tuple(sorted(wrong)) for name, wrong in found.items()}


def _languages(name: str) -> list[Template]:
    found = templates.templates(name.strip().lower())
    if not found:
        names = ", ".join(dict.fromkeys(one.name for one in templates.templates()))
        raise NotFound(f"there is no template {name!r}; templates: {names or 'none yet (crmmail templates add)'}")
    return found


def _one(name: str, lang: str | None) -> Template:
    """The template in exactly that language."""
    known = _languages(name)
    if lang is None and len(known) == 1:
        return known[0]
    for one in known:
        if lang is not None and one.lang == lang.lower():
            return one
    there = ", ".join(one.lang for one in known)
    if lang is None:
        raise UsageError(f"template {known[0].name} is there in {there}: say which with --lang")
    raise NotFound(f"there is no template {known[0].name} in {lang}; it is there in {there}")


def _name(words: str) -> str:
    name = words.strip().lower()
    if not _NAME.fullmatch(name):
        raise UsageError(f"{words!r} is no name for a template: letters, digits, - and _, without blanks")
    return name


def _lang(words: str) -> str:
    lang = words.strip().lower()
    if not _LANG.fullmatch(lang):
        raise UsageError(f"{words!r} is no language: write it like en, ru or pt-br")
    return lang


def _checked(subject: str, words: str) -> dict[str, Any]:
    """Subject and text as they are kept."""
    from crmmail import render

    subject, words = text.one_line(subject), text.clean(words).strip("\n")
    if not subject or not words.strip():
        raise UsageError("a template needs a subject (--subject) and a text (-m, -f or stdin)")
    render.check(render.places(subject, words), list(PLACES))
    return {"subject": subject, "text": f"{words}\n"}


def _note(workspace: Workspace, sentence: str, changes: list[undoable.Change]) -> None:
    journal.write(workspace.user().id, os_login(), workspace.now(), "templates", sentence, changes)


# --- filling them in ----------------------------------------------------------------------------------------


def written(workspace: Workspace, name: str, number: int, lang: str = "") -> Rendered:
    """A template as a mail about a record.

    Args:
        lang: the reader's language.

    Raises:
        NotFound, UsageError, Refused: it cannot be filled in; the sentence says why.
    """
    from crmmail import render

    this = find(name, lang)
    return render.render_words(this.subject, this.text, values(workspace, records.record(number)))


def values(workspace: Workspace, this: Record) -> dict[str, Any]:
    """What the places of a template become: clean texts of one line, "" for what is not known.  `user` is the
    responsible."""
    zone = local_zone(workspace.environ)

    def moment(value: datetime | None) -> str:
        return f"{value.astimezone(zone):%Y-%m-%d %H:%M}" if value else ""

    user = directory.user(this.responsible) if this.responsible else None
    partner = next(iter(correspondent.of_record(this)), None)
    card = directory.contact(this.partner.id) if this.partner else None
    found: dict[str, Any] = {
        "record": {
            "id": str(this.id),
            "title": this.title,
            "kind": this.kind,
            "state": this.state,
            "section": offices.section(this.section).name if this.section else "",
            "category": this.category,
            "priority": record.priority_name(this.priority) if this.priority else "",
            "responsible": user.name if user else "",
            "deadline": moment(this.deadline),
            "created": moment(this.created),
        },
        "partner": {
            "name": partner.name if partner else (card.name if card else this.partner_name),
            "email": partner.address if partner else "",
            "company": card.company if card else "",
        },
        "user": {"name": user.name if user else "", "email": envelope.of_user(user).address if user else ""},
        "shop": {"address": envelope.reply_address(workspace, this)},
        "today": f"{workspace.now().astimezone(zone):%Y-%m-%d}",
        "now": moment(workspace.now()),
    }
    return _lines(found)


def _lines(found: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _lines(value) if isinstance(value, dict) else text.one_line(str(value)) for name, value in found.items()
    }
