"""The rules themselves: add, change, remove; a TOML file that a shop keeps in git; and what is wrong with them."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping

from crmmail.core import rulebook, rulelint, text
from crmmail.core.rule import ASSIGN, NOBODY, Rule
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import CrmmailError, NotFound, Taken, UsageError
from crmmail.services.automatic import hooks, rule_work, templates
from crmmail.services.shared import fields
from crmmail.services.shared.rehearsal import rehearsed
from crmmail.services.shared.rights import need_admin
from crmmail.store.automatic import rules
from crmmail.store.history import journal, undoable
from crmmail.store.history.undoable import Change
from crmmail.store.people import directory, offices
from crmmail.workspace import Workspace, os_login


class Loaded(NamedTuple):
    """What a file changed, by names."""

    added: list[str]
    changed: list[str]
    same: list[str]
    retired: list[str]  # not in the file, and switched off


def listing(*, everything: bool = False) -> list[Rule]:
    """The rules in the order in which they are asked; `everything`: also those that are switched off."""
    return rule_work.read(rules.rules(active=None if everything else True))


def off() -> int:
    """How many rules are switched off."""
    return len(rules.rules(active=False))


def rule(name: str) -> Rule:
    """The rule with that name or number."""
    return rule_work.understood(rules.rule(name))


def unreadable(*, everything: bool = False) -> list[rulelint.Finding]:
    """The rules that cannot be understood as they are kept, and why; they do nothing."""
    found = []
    for one in rules.rules(active=None if everything else True):
        try:
            rule_work.understood(one)
        except UsageError as error:
            found.append(rulelint.Finding(one.name, str(error), True))
    return found


def add(workspace: Workspace, name: str, table: Mapping[str, Any]) -> Rule:
    """A new rule; `table` has the keys of the TOML file.

    Raises:
        Taken: there is a rule of that name.
        UsageError, NotFound: something in it cannot be, or names what is not there.
    """
    need_admin(workspace, "add rules")
    name = name_of(name)
    with workspace.store.transaction():
        there = next((one for one in rules.rules() if one.name.lower() == name.lower()), None)
        if there:
            how = f"(crmmail rules edit {there.name!r} …)"
            if not there.active:
                how = f"and it is off (crmmail rules edit {there.name!r} --on)"
            raise Taken(f"there is a rule {there.name!r} already {how}")
        changes = _write(workspace, None, rulebook.read(name, table))
        _note(workspace, f"rule {name} added", changes)
    return rule(name)


def edit(workspace: Workspace, name: str, table: Mapping[str, Any], *, rename: str = "", whole: bool = False) -> Rule:
    """Changes a rule.

    Args:
        table: the keys that change; an empty value takes a key out.
        whole: the table is the whole rule, not what changes.
    """
    need_admin(workspace, "change rules")
    with workspace.store.transaction():
        kept = rules.rule(name)
        there = {} if whole else {**kept.spec, "sequence": kept.sequence, "active": kept.active}
        wanted = {key: value for key, value in {**there, **table}.items() if value not in ("", [], ())}
        new = name_of(rename) if rename else kept.name
        if any(one.name.lower() == new.lower() and one.id != kept.id for one in rules.rules()):
            raise Taken(f"there is a rule {new!r} already")
        changes = _write(workspace, kept.id, rulebook.read(new, wanted, number=kept.id))
        _note(workspace, f"rule {new} changed", changes)
    return rule(new)


def remove(workspace: Workspace, name: str) -> tuple[str, bool]:
    """Takes a rule away; (name, is it gone?): one that acted already is only switched off, for the history names it."""
    need_admin(workspace, "remove rules")
    with workspace.store.transaction():
        kept = rules.rule(name)
        acted = rules.acted(kept.id)
        changes = _switch_off(workspace, kept.id) if acted else undoable.delete("rule", kept.id)
        _note(workspace, f"rule {kept.name} {'switched off' if acted else 'removed'}", changes)
    return kept.name, not acted


def load(workspace: Workspace, words: str, where: str, *, replace: bool = False, dry_run: bool = False) -> Loaded:
    """Takes rules from a TOML file (`[[rule]]` tables, each with a name), all or none.

    Args:
        words: what stands in the file.
        where: its name, for the sentences.
        replace: rules that are not in the file are switched off.
        dry_run: say what would change, and change nothing.
    """
    need_admin(workspace, "load rules")
    wanted = _tables(words, where)
    done = Loaded([], [], [], [])
    changes: list[Change] = []
    with rehearsed(workspace, dry_run):
        known = {one.name.lower(): one for one in rules.rules()}
        for name, table in wanted.items():
            kept = known.pop(name.lower(), None)
            this = checked(rulebook.read(name, table, number=kept.id if kept else 0))
            if kept and rule_work.read([kept]) == [this]:
                done.same.append(name)
                continue
            changes += _write(workspace, kept.id if kept else None, this)
            (done.changed if kept else done.added).append(name)
        for kept in known.values() if replace else ():
            if kept.active:
                changes += _switch_off(workspace, kept.id)
                done.retired.append(kept.name)
        if changes:
            sentence = f"rules loaded from {where}: {len(done.added)} added, {len(done.changed)} changed"
            _note(workspace, sentence, changes)
    return done


def dump(*, everything: bool = True) -> str:
    """The rules as a TOML file that `load` takes."""
    return _toml({"rule": [{"name": one.name, **rulebook.table(one)} for one in listing(everything=everything)]})


def dump_one(this: Rule) -> str:
    """One rule as TOML, without its name: what an editor shows."""
    return _toml(rulebook.table(this))


def _toml(table: Mapping[str, Any]) -> str:
    """As TOML that can be read in a terminal and says the same: what acts or is not seen stands in it by its number."""
    import tomli_w

    words = tomli_w.dumps(table).encode("utf-8", "replace").decode()
    seen = {one for one in set(words) if one == "\n" or (one.isprintable() and text.clean(one) == one)}
    return "".join(one if one in seen else f"\\U{ord(one):08X}" for one in words)


def lint(workspace: Workspace) -> list[rulelint.Finding]:
    """What is wrong with the rules: see `core.rulelint.lint`; and those that cannot be read at all."""
    return unreadable() + rulelint.lint(listing(), _known(workspace))


def _known(workspace: Workspace) -> rulelint.Known:
    """What rules may name."""
    users = [one for one in directory.users() if one.active]
    sections = offices.sections()
    categories: dict[str, list[str]] = {}
    for one in offices.categories():
        if one.active:
            categories.setdefault(one.section, []).append(one.name)
    return rulelint.Known(
        sections=frozenset(one.code for one in sections if one.active),
        parents={one.code: one.parent for one in sections if one.parent},
        categories=categories,
        logins=frozenset(one.login for one in users),
        addressless=frozenset(one.login for one in users if not one.email),
        partner_categories=frozenset(directory.partner_categories()),
        partners=frozenset(directory.contact_numbers()),
        templates=templates.unknown_places(workspace),
        hooks=frozenset(hooks.programs(workspace)),
    )


def name_of(words: str) -> str:
    """A rule's name: one line that is no number, with or without #."""
    name = text.one_line(words).strip()
    if not name or name.lstrip("#").strip().isdigit() or len(name) > 200:
        raise UsageError(f"{words!r} is no name for a rule: a line of words, up to 200 letters")
    return name


def _tables(words: str, where: str) -> dict[str, dict[str, Any]]:
    """The rules of a file by name."""
    try:
        read = tomllib.loads(words)
    except RecursionError:
        raise UsageError(f"{where} is no TOML that can be read: its brackets are nested too deep") from None
    except ValueError as error:
        raise UsageError(f"{where} is no TOML: {error}") from None
    unknown = set(read) - {"rule"}
    found = read.get("rule", [])
    if unknown or not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise UsageError(f"{where} has {', '.join(sorted(unknown)) or 'no list of rules'}; it may have [[rule]] only")
    tables: dict[str, dict[str, Any]] = {}
    for one in found:
        name = name_of(str(one.pop("name", "")))
        if name.lower() in (other.lower() for other in tables):
            raise UsageError(f"{where} has two rules {name!r}")
        tables[name] = one
    return tables


def _write(workspace: Workspace, number: int | None, this: Rule) -> list[Change]:
    this = checked(this)
    columns: dict[str, Any] = {
        "name": this.name,
        "sequence": this.sequence,
        "active": this.active,
        "dated": this.dated,
        "spec": rulebook.spec(this),
        "changed": workspace.now(),
    }
    if number is None:
        return [undoable.was_made("rule", rules.put_rule(None, **columns))]
    return undoable.update("rule", number, **columns)


def _switch_off(workspace: Workspace, number: int) -> list[Change]:
    return undoable.update("rule", number, active=False, changed=workspace.now())


def checked(this: Rule) -> Rule:
    """A rule with every name spelt as it is kept; `lint` looks closer.

    Raises:
        NotFound: a section, category, user or contact is not there.
        Refused: somebody shall follow who may not.
    """
    try:
        if this.partner is not None:
            directory.contact(this.partner)
        if this.mail:
            templates.find(this.mail)
        return this._replace(
            section=offices.section(this.section).code if this.section else "",
            set_section=fields.section_in_use(this.set_section).code if this.set_section else "",
            category=_category(this),
            responsible=_login(this.responsible, (NOBODY,)),
            set_responsible=_login(this.set_responsible, ASSIGN),
            watch=tuple(one if "@" in one or one.lstrip("#").isdigit() else _login(one) for one in this.watch),
        )
    except CrmmailError as error:
        raise type(error)(f"rule {this.name!r}: {error}") from None


def _login(words: str, others: Collection[str] = ()) -> str:
    return directory.user(words).login if words and words not in others else words


def _category(this: Rule) -> str:
    """A category's name as it is kept, of any section: the same word may stand in several."""
    known = [one.name for one in offices.categories() if one.active]
    found = [one for one in known if one.lower() == this.category.lower()]
    if this.category and not found:
        names = ", ".join(sorted(set(known)))
        raise NotFound(f"there is no category {this.category!r}; there are {names or 'none (crmmail categories add)'}")
    return found[0] if found else ""


def _note(workspace: Workspace, sentence: str, changes: list[Change]) -> None:
    journal.write(workspace.user().id, os_login(), workspace.now(), "rules", sentence, changes)
