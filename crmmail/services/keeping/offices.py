"""The shop's addresses and departments: `sections`, `categories`, `aliases`."""

from __future__ import annotations

from collections.abc import Mapping

from crmmail.core import address as addresses
from crmmail.core import delay, record, section, text
from crmmail.core.section import Section
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import CrmmailError, NotFound, Refused, Taken, UsageError
from crmmail.services.keeping.people import check_free
from crmmail.services.shared import fields
from crmmail.services.shared.rights import need_admin
from crmmail.store.history import journal, undoable
from crmmail.store.history.undoable import Change
from crmmail.store.people import offices
from crmmail.workspace import Workspace, os_login

POLICIES = ("everyone", "contacts", "followers")
ON_REPLY = ("thread", "new")


# --- sections -----------------------------------------------------------------------------------------------


def add_section(workspace: Workspace, code: str, *, create_parent: bool = False, **wanted: Any) -> Section:
    """A new section.  Its e-mail makes the alias that files letters in it, and is its reply address (F200).

    Args:
        create_parent: make a parent that is not there yet (F198: the order of definition is free).
        wanted: name, parent, manager, email, on_user_reply, on_partner_reply, assign, reopen_window (a delay in words,
            "" for ever), reopen_cancelled; None: not said.
    """
    need_admin(workspace, "add sections")
    code = code_of(code)
    with workspace.store.transaction():
        if any(one.code == code for one in offices.sections()):
            raise Taken(f"there is a section {code} already (crmmail sections set {code} …)")
        parent = wanted.get("parent")
        if parent and create_parent:
            _make_parent(parent, code)
        if parent and parent.lower() != code:
            offices.section(parent)
        offices.put_section(code, name=text.one_line(wanted.get("name") or "") or code)
        _change_section(workspace, code, {**wanted, "name": None})
        _note(workspace, "sections", f"section {code} added")
    return offices.section(code)


def set_section(workspace: Workspace, code: str, *, create_parent: bool = False, **wanted: Any) -> Section:
    """Changes what is said of a section; an old e-mail stays an alias of it.  Arguments as `add_section` has them."""
    need_admin(workspace, "change sections")
    with workspace.store.transaction():
        this = offices.section(code)
        if wanted.get("parent") and create_parent:
            _make_parent(wanted["parent"], this.code)
        changes = _change_section(workspace, this.code, wanted)
        _note(workspace, "sections", f"section {this.code} changed", changes)
    return offices.section(this.code)


def _make_parent(words: str, code: str) -> None:
    """A section to stand above another, where it is not there yet."""
    parent = code_of(words)
    if parent != code and not any(one.code == parent for one in offices.sections()):
        offices.put_section(parent, name=text.one_line(words))


def code_of(words: str) -> str:
    """What a section is called by, from what somebody typed."""
    code = text.one_line(words).lower()
    if not code or " " in code or code.isdigit():
        raise UsageError(f"{code!r} is no section code: one word that is not a number")
    return code


def remove_section(workspace: Workspace, code: str) -> Section:
    """Deactivates a section and its aliases; its records keep it."""
    need_admin(workspace, "remove sections")
    with workspace.store.transaction():
        this = offices.section(code)
        changes = undoable.update("section", this.id, active=False)
        for one in offices.aliases():
            if one.section == this.code:
                changes += undoable.update("alias", one.id, active=False)
        _note(workspace, "sections", f"section {this.code} removed", changes)
    return offices.section(this.code)


def _change_section(workspace: Workspace, code: str, wanted: Mapping[str, Any]) -> list[Change]:
    columns: dict[str, Any] = {}
    for plain in ("on_user_reply", "on_partner_reply", "assign", "active", "reopen_cancelled"):
        if wanted.get(plain) is not None:
            columns[plain] = wanted[plain]
    if wanted.get("reopen_window") is not None:
        columns["reopen_window"] = _window(wanted["reopen_window"])
    if wanted.get("name"):
        columns["name"] = text.one_line(wanted["name"])
    if wanted.get("manager") is not None:
        columns["manager"] = fields.active_user(wanted["manager"]).id if wanted["manager"] else None
    if wanted.get("parent") is not None:
        columns["parent"] = None
        if wanted["parent"]:
            above = offices.section(wanted["parent"])
            section.check_parent(code, above.code, {one.code: one.parent for one in offices.sections()})
            columns["parent"] = above.id
    if wanted.get("email"):
        columns["address"] = own_address(workspace, wanted["email"])
    number = offices.section(code).id
    changes = undoable.update("section", number, **columns)
    if wanted.get("email"):
        there = next((one for one in offices.aliases() if one.address == columns["address"]), None)
        if there is None or there.section != code:
            check_free(columns["address"])
        if there:
            return changes + undoable.update("alias", there.id, section=number, active=True)
        # Undo retires the alias and leaves it ours: somebody may have written to it meanwhile.
        made = offices.put_alias(columns["address"], kind="case", section=number, active=True)
        changes.append(Change("alias", made, "active", False, True))
    return changes


def _window(words: str) -> str:
    """A reopen window as the store keeps it; "" is for ever."""
    if not words.strip():
        return ""
    window = delay.parse(words)
    if window.months < 0 or window.seconds < 0:
        raise UsageError(f"a reopen window lies after the closing: {words!r} is before it")
    return str(window)


def tree() -> list[tuple[int, Section]]:
    """(depth, section), parents before their children."""
    known = offices.sections()
    parents = {one.code: one.parent for one in known}
    chains = {one.code: [*reversed(section.ancestors(one.code, parents)), one.code] for one in known}
    return [(len(chains[one.code]) - 1, one) for one in sorted(known, key=lambda one: chains[one.code])]


class Load(NamedTuple):
    """The unfinished cases of a section: its own, and with those of the sections below it."""

    own: section.Counts
    below: section.Counts


def loads(workspace: Workspace) -> dict[str, Load]:
    """How many cases wait in each section (F201)."""
    counts = offices.counts(workspace.now())
    whole = section.summed(counts, {one.code: one.parent for one in offices.sections()})
    return {code: Load(counts.get(code, section.Counts()), whole[code]) for code in whole}


# --- categories ---------------------------------------------------------------------------------------------


def put_category(
    workspace: Workspace, name: str, section_code: str, *, active: bool = True, probability: str | None = None
) -> offices.Category:
    """Adds a category to a section, or (not active) retires it.

    Args:
        probability: what its cases get that have none of their own, in percent; "" for none, None: not said.
    """
    need_admin(workspace, "change categories")
    name = text.one_line(name)
    if not name:
        raise UsageError("a category needs a name")
    with workspace.store.transaction():
        this = offices.section(section_code)
        if not active:
            _category(this, name)
        there = next((one for one in offices.categories(this.id) if one.name.lower() == name.lower()), None)
        columns: dict[str, Any] = {"active": active, **_probability(probability)}
        if there:
            number, changes = there.id, undoable.update("category", there.id, **columns)
        else:
            number = offices.put_category(this.id, name, **columns)
            changes = [undoable.was_made("category", number)]
        _note(workspace, "categories", f"category {name} of {this.code} {'added' if active else 'removed'}", changes)
    return next(one for one in offices.categories(this.id) if one.id == number)


def set_category(
    workspace: Workspace, name: str, section_code: str, *, probability: str | None = None, new_name: str | None = None
) -> offices.Category:
    """Changes the probability or the name of a category; the cases that have it keep theirs."""
    need_admin(workspace, "change categories")
    with workspace.store.transaction():
        this = offices.section(section_code)
        found = _category(this, name)
        columns: dict[str, Any] = dict(_probability(probability))
        wanted = text.one_line(new_name or "")
        if wanted:
            other = next((one for one in offices.categories(this.id) if one.name.lower() == wanted.lower()), None)
            if other and other.id != found.id:
                raise Taken(f"section {this.code} has a category {other.name} already")
            columns["name"] = wanted
        changes = undoable.update("category", found.id, **columns)
        _note(workspace, "categories", f"category {found.name} of {this.code} changed", changes)
    return next(one for one in offices.categories(this.id) if one.id == found.id)


def _category(this: Section, name: str) -> offices.Category:
    known = offices.categories(this.id)
    for one in known:
        if one.name.lower() == text.one_line(name).lower():
            return one
    names = ", ".join(one.name for one in known) or "none yet (crmmail categories add NAME --section CODE)"
    raise NotFound(f"section {this.code} has no category {name!r}; it has {names}")


def _probability(words: str | None) -> dict[str, float | None]:
    return {} if words is None else {"probability": fields.amount("probability", words) if words.strip() else None}


# --- aliases ------------------------------------------------------------------------------------------------


def own_address(workspace: Workspace, words: str) -> str:
    """An address in one of our domains; others can be no aliases, because their mail does not come here."""
    found = fields.address(words)
    domains = workspace.config.mail_domains
    if addresses.host_of(found) not in domains:
        raise Refused(
            f"{found} lies in none of our domains ({', '.join(domains) or 'none set'}): "
            f'`crmmail config set mail.domains "{" ".join([*domains, addresses.host_of(found)])}"` adds it'
        )
    if "+" in found.partition("@")[0]:
        raise Refused(f"{found} has a plus-tag, which is cut before an alias is looked up")
    return found


def put_alias(workspace: Workspace, address: str, *, add: bool, **wanted: Any) -> offices.Alias:
    """Adds or changes an alias.

    Args:
        wanted: kind, section (code), user (login: his personal alias), policy, on_reply, defaults (field → text),
            keep_original, loop_limit, active; None: not said.
    """
    need_admin(workspace, "change aliases")
    found = own_address(workspace, address)
    with workspace.store.transaction():
        columns = {key: value for key, value in wanted.items() if value is not None and key not in ("section", "user")}
        if add:
            columns["kind"] = record.kind(columns.get("kind") or "case").name
            _check_free_for(found, wanted.get("user"))
        else:
            offices.alias(found)
            if "kind" in columns:
                columns["kind"] = record.kind(columns["kind"]).name
        if wanted.get("section"):
            columns["section"] = offices.section(wanted["section"]).id
        if wanted.get("user"):
            columns["user"] = fields.active_user(wanted["user"]).id
        kind = columns.get("kind") or offices.alias(found).kind
        code = wanted.get("section") or ("" if add else offices.alias(found).section)
        for field, value in (columns.get("defaults") or {}).items():
            try:
                fields.columns(workspace, kind, code, field, value)
            except CrmmailError as error:
                raise UsageError(f"default {field}={value} does not fit: {error}") from None
        offices.put_alias(found, **columns)
        _note(workspace, "aliases", f"alias {found} {'added' if add else 'changed'}")
    return offices.alias(found)


def _check_free_for(address: str, user: str | None) -> None:
    """An alias may lie over a user's address only where it is that user's own."""
    owner = offices.owner(address)
    if owner and owner != f"user {user}":
        hint = f" (--user {owner[5:]} makes it his personal alias)" if owner.startswith("user ") else ""
        raise Taken(f"{address} is taken: it belongs to {owner}{hint}")


def remove_alias(workspace: Workspace, address: str) -> offices.Alias:
    """Deactivates an alias; letters to it go to quarantine from now on."""
    return put_alias(workspace, address, add=False, active=False)


def _note(workspace: Workspace, act: str, sentence: str, changes: list[Change] | None = None) -> None:
    """`changes`: None for what undo cannot take back."""
    undoable = changes is not None
    journal.write(workspace.user().id, os_login(), workspace.now(), act, sentence, changes or [], undoable=undoable)
