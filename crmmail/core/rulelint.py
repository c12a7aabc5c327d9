"""What is wrong with rules: names that are not there, mail that cannot be written, rules that never act, rings.

Nothing is looked up: `Known` says what there is in the shop, and `lint` holds the rules against it and each other.  The
last two are judged without a record, so they ask what *could* be: what is not known of a record may fit.  Who is on
leave is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from crmmail.core import category, section
from crmmail.core.record import KINDS
from crmmail.core.rule import ASSIGN, CREATION, ESCALATE, NOBODY, Event, Rule, concerns, fields_of
from crmmail.core.typed import NamedTuple


class Known(NamedTuple):
    """What there is in the shop that rules may name."""

    sections: Collection[str] = frozenset()  # codes of the active ones
    categories: Mapping[str, Collection[str]] = {}  # names, by section
    logins: Collection[str] = frozenset()  # of the active users
    addressless: Collection[str] = frozenset()  # logins of users without an e-mail address
    partners: Collection[int] = frozenset()  # contacts' numbers
    partner_categories: Collection[str] = frozenset()  # paths
    templates: Mapping[str, Sequence[str]] = {}  # name → the unknown fields that it uses
    hooks: Collection[str] = frozenset()  # programs in the hooks folder
    parents: Mapping[str, str] = {}  # of sections, by code


class Finding(NamedTuple):
    rule: str  # its name
    sentence: str
    serious: bool  # it fails or never acts; else it is only worth a look


def lint(rules: Iterable[Rule], known: Known) -> list[Finding]:
    """What is wrong with rules, by rule in the order in which they are asked; of one that is switched off not serious.

    Two rules with one name, names that are not there, mail that cannot be written, rules that can never act, and rules
    that set each other off.
    """
    active: list[Rule] = []
    names: set[str] = set()
    found: list[Finding] = []
    for one in sorted(rules, key=lambda one: (one.sequence, one.id, one.name)):
        said = [f"there is another rule named {one.name!r}"] if one.name.lower() in names else []
        said += [*_missing(one, known), *_unmailable(one, known), *_impossible(one, known)]
        if one.active:
            before = next((other.name for other in active if _cuts(other, one, known.parents)), None)
            said += [f"it never acts: {before!r} stops before it wherever it could"] if before else []
            active.append(one)
        names.add(one.name.lower())
        found += [Finding(one.name, words, one.active) for words in said]
    for ring in _rings(active, known.parents):
        chain = " -> ".join([*ring, ring[0]])
        found.append(Finding(ring[0], f"rules set each other off: {chain}; each acts once a cascade", False))
    return found


def _missing(rule: Rule, known: Known) -> Iterator[str]:
    """Names of what is not there."""
    for code in dict.fromkeys((rule.section, rule.set_section)):
        if code and code not in known.sections:
            yield f"there is no active section {code!r}"
    names = {name.lower() for some in known.categories.values() for name in some}
    if rule.category and rule.category.lower() not in names:
        yield f"no section has a category {rule.category!r}"
    logins = [rule.responsible, *(one for one in rule.watch if _is_login(one))]
    logins += [rule.set_responsible] if rule.set_responsible not in ASSIGN else []
    for login in dict.fromkeys(logins):
        if login not in ("", NOBODY) and login not in known.logins:
            yield f"there is no active user {login!r}"
    contacts = [rule.partner] if rule.partner is not None else []
    contacts += [int(one) for one in rule.watch if "@" not in one and not _is_login(one)]
    for number in dict.fromkeys(contacts):
        if number not in known.partners:
            yield f"there is no contact #{number}"
    paths = {path for one in known.partner_categories for path in category.chain(one)}
    if rule.partner_category and rule.partner_category not in paths:
        yield f"there is no partner category {rule.partner_category!r}"
    if rule.mail and rule.mail not in known.templates:
        yield f"there is no template {rule.mail!r}"
    if rule.hook and rule.hook not in known.hooks:
        yield f"there is no program {rule.hook!r} in the hooks folder"


def _is_login(watcher: str) -> bool:
    return "@" not in watcher and not (watcher.isascii() and watcher.isdigit())


def _unmailable(rule: Rule, known: Known) -> Iterator[str]:
    """Mail that could not be written, or to nobody."""
    if unknown := known.templates.get(rule.mail, ()):
        yield f"template {rule.mail!r} uses unknown fields: {', '.join(unknown)}"
    told = [one for one in rule.watch if _is_login(one)]
    if "responsible" in rule.remind or (rule.mail and "responsible" in rule.mail_to):
        told.append(rule.set_responsible or rule.responsible)
    for login in dict.fromkeys(told):
        if login in known.addressless:
            yield f"{login} is to be told by mail and has no address"


def _impossible(rule: Rule, known: Known) -> Iterator[str]:
    """Conditions that never hold together."""
    if rule.priority_min > rule.priority_max:
        yield f"no priority is from {rule.priority_min} to {rule.priority_max}"
    if rule.responsible == NOBODY and rule.away:
        yield "nobody is never away"
    for one in _clashes(rule.contains, rule.lacks):
        yield f"no letter both has and lacks {one!r}"
    yield from _impossible_states(rule)
    yield from _impossible_places(rule, known)


def _impossible_states(rule: Rule) -> Iterator[str]:
    before, present = rule.state_from, rule.state_to
    if rule.dated and before and present and before != present:
        yield f"no record is {before} and {present} at once, and a rule with a trigger compares both with one state"
    elif not rule.dated and before and before == present and not _asked(rule) - {"creation", "state"}:
        yield f"nothing goes from {before} to {present}: only a rule with a trigger looks at what stays as it is"
    if present == ESCALATE and before == CREATION:
        yield "no record is escalated while it is made"
    if present == ESCALATE and rule.first_mail:
        yield "no letter escalates a record"


def _impossible_places(rule: Rule, known: Known) -> Iterator[str]:
    if not rule.section:
        return
    here = section.descendants(rule.section, {**known.parents, rule.section: known.parents.get(rule.section, "")})
    here = here if rule.subsections else [rule.section]
    there = {name.lower(): name for code in here for name in known.categories.get(code, ())}
    if rule.category and rule.category.lower() not in there:
        names = ", ".join(sorted(there.values())) or "none"
        yield f"{rule.section} has no category {rule.category!r}; it has {names}"
    if rule.state_to == ESCALATE and not set(here) & set(known.parents.values()):
        yield f"nothing is escalated to {rule.section}: no section is below it"
    if rule.set_state == ESCALATE and not rule.set_section and not any(known.parents.get(code) for code in here):
        yield f"nothing can be escalated from {rule.section}: no section is above it"


def _clashes(contains: Iterable[str], lacks: Iterable[str]) -> list[str]:
    """The words that a text with all of `contains` has and must not have."""
    there = [one.casefold() for one in contains]
    return [one for one in lacks if any(one.casefold() in word for word in there)]


# --- rules that are cut off ---------------------------------------------------------------------------------


def _cuts(first: Rule, then: Rule, parents: Mapping[str, str]) -> bool:
    """Does a rule stop before another one wherever that could act?"""
    if not first.stop or first.kind != then.kind or (first.trigger, first.delay) != (then.trigger, then.delay):
        return False
    done = set(KINDS[first.kind].done)
    finished = {then.state_from, then.state_to} & done and not {first.state_from, first.state_to} & done
    if first.dated and finished:  # without naming a state, a dated rule looks at unfinished records only
        return False
    return (first.dated or _asked(then) <= _asked(first)) and _is_weaker(first, then, parents)


def _asked(rule: Rule) -> frozenset[str]:
    """What an undated rule is asked about: the same as `concerns` says, in names."""
    found = set(fields_of(rule))
    if rule.state_from or rule.state_to:
        found.add("state")
    if rule.contains or rule.lacks or rule.first_mail:
        found.add("letter")
    return frozenset(found | {"creation"}) if found else frozenset({"creation", "anything"})


def _is_weaker(weak: Rule, strong: Rule, parents: Mapping[str, str]) -> bool:
    """Do the conditions of one hold wherever those of the other do?"""
    same = (
        weak.state_from in ("", strong.state_from)
        and weak.state_to in ("", strong.state_to)
        and weak.category.lower() in ("", strong.category.lower())
        and weak.responsible in ("", strong.responsible)
        and weak.partner in (None, strong.partner)
        and (not weak.partner_category or weak.partner_category in category.chain(strong.partner_category))
        and (strong.away or not weak.away)
        and (strong.first_mail or not weak.first_mail)
    )
    if weak.subsections:
        place = weak.section in ("", strong.section, *section.ancestors(strong.section, parents))
    else:
        place = not weak.section or (weak.section == strong.section and not strong.subsections)
    urgency = weak.priority_min <= strong.priority_min and strong.priority_max <= weak.priority_max
    there = [one.casefold() for one in strong.contains]
    absent = [one.casefold() for one in strong.lacks]
    words = all(any(one.casefold() in word for word in there) for one in weak.contains) and all(
        any(word in one.casefold() for word in absent) for one in weak.lacks
    )
    return same and place and urgency and words


# --- rules that set each other off --------------------------------------------------------------------------


def _rings(rules: Sequence[Rule], parents: Mapping[str, str]) -> list[list[str]]:
    """The shortest ring through each rule, by names, and each ring once; a rule that sets itself off makes none."""
    places = range(len(rules))
    follows = [
        [then for then in places if then != one and _sets_off(rules[one], rules[then], parents)] for one in places
    ]
    found: dict[frozenset[int], list[str]] = {}
    for start in places:
        ways = [[start]]
        reached: set[int] = set()
        while ways:
            way = ways.pop(0)
            if start in follows[way[-1]]:
                found.setdefault(frozenset(way), [rules[one].name for one in way])
                break
            ways += [[*way, then] for then in follows[way[-1]] if then not in reached]
            reached.update(follows[way[-1]])
    return list(found.values())


def _sets_off(first: Rule, then: Rule, parents: Mapping[str, str]) -> bool:
    """Can what one rule changes be what another is asked about, and fit it?  What is not known of a record may fit."""
    if first.kind != then.kind or then.first_mail:  # rules write no letters from outside
        return False
    event = _event(first)
    if (not event.changed and event.before == event.after) or not concerns(then, event):
        return False
    return (
        _state_fits(then, event)
        and _section_fits(then, _section_after(first), parents)
        and _category_fits(first, then, event)
        and _responsible_fits(then, _responsible_after(first))
        and _priority_fits(first, then)
        and (None in (first.partner, then.partner) or first.partner == then.partner)
        and _partner_category_fits(first.partner_category, then.partner_category)
        and not _clashes((*first.contains, *then.contains), (*first.lacks, *then.lacks))
    )


def _event(first: Rule) -> Event:
    """What other rules are asked about after one acted, if it changes all that it can; "": a state not known."""
    present = first.state_to if first.state_to != ESCALATE else ""
    if first.dated:  # both are compared with the present state
        present = present or first.state_from
    escalated = first.set_state == ESCALATE
    after = first.set_state if first.set_state and not escalated else present
    changed = set()
    if first.set_priority and (first.priority_min, first.priority_max) != (first.set_priority, first.set_priority):
        changed.add("priority")
    if escalated or (first.set_section and (first.subsections or first.set_section != first.section)):
        changed |= {"section", "category"}
    if escalated or (first.set_responsible and first.set_responsible != first.responsible):
        changed.add("responsible")
    return Event(present, after, frozenset(changed), escalated=escalated, by_rule=True)


def _state_fits(then: Rule, event: Event) -> bool:
    if then.state_to == ESCALATE and not event.escalated:
        return False
    if then.state_to not in ("", ESCALATE) and event.after and then.state_to != event.after:
        return False
    if not then.state_from:
        return True
    if then.state_from == CREATION or (event.before and then.state_from != event.before):
        return False
    if event.before == event.after:  # the state stays, whatever it is
        return then.state_to in ("", ESCALATE, then.state_from)
    # Where it was not known: the state came to be so, or it was so and something else changed.
    return then.state_from != event.after or event.escalated or bool(fields_of(then) & event.changed)


def _section_after(first: Rule) -> str:
    """The section of a record after a rule acted, "" where that is not known."""
    if first.set_state == ESCALATE:
        return ""  # one above, or the same where nothing is above
    return first.set_section or ("" if first.subsections else first.section)


def _section_fits(then: Rule, code: str, parents: Mapping[str, str]) -> bool:
    if not then.section or not code or code == then.section:
        return True
    return then.subsections and then.section in section.ancestors(code, parents)


def _category_fits(first: Rule, then: Rule, event: Event) -> bool:
    """A category stays in its section: a record that certainly left it has none."""
    left = first.set_section and first.section and not first.subsections and first.set_section != first.section
    if left and first.set_state != ESCALATE:
        return not then.category
    if "section" in event.changed or not first.category:
        return True
    return then.category.lower() in ("", first.category.lower())


def _responsible_after(first: Rule) -> str:
    """Who is responsible after a rule acted, "" where that is not known: a policy may find anybody or nobody."""
    if first.set_responsible:
        return first.set_responsible if first.set_responsible not in ASSIGN or first.set_responsible == NOBODY else ""
    return first.responsible if first.set_state != ESCALATE else ""


def _responsible_fits(then: Rule, login: str) -> bool:
    if then.away and login == NOBODY:
        return False
    return not login or then.responsible in ("", login)


def _priority_fits(first: Rule, then: Rule) -> bool:
    if first.set_priority:
        return then.priority_min <= first.set_priority <= then.priority_max
    return first.priority_min <= then.priority_max and then.priority_min <= first.priority_max


def _partner_category_fits(one: str, other: str) -> bool:
    """A partner has one path: two categories fit it if one is above the other, or they are the same."""
    return not one or not other or one in category.chain(other) or other in category.chain(one)
