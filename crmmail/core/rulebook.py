"""How a rule is written down: the same keys in the TOML file that a shop keeps, on the command line and in the store.

    [[rule]]
    name = "Priority to Gold Partners"
    state_to = "open"
    partner_category = "Support contract / Gold"
    set_priority = "high"

`read` makes a `core.rule.Rule` of such a table and refuses what could never do anything; `spec` and `table` write it
again; `sentence` says it in English; `lint` (`core.rulelint`) holds the rules against each other and against the shop.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping

from crmmail.core import address, category, delay, record
from crmmail.core.delay import Delay
from crmmail.core.plan import deeds
from crmmail.core.record import ESCALATES, FIELDS, KINDS, priority_name
from crmmail.core.rule import CREATION, ESCALATE, REMIND, TRIGGERS, Rule
from crmmail.core.typed import Any
from crmmail.errors import UsageError

RULED = ("case", "lead")  # the kinds that rules are for
ANY = ("any", "/")  # as OpenERP writes it; so is nothing
MAIL_TO = ("responsible", "partner", "watchers")  # beside addresses
MOST = 999_999_999
_DIGITS = re.compile(r"[0-9]{1,9}")

_TRIGGERS = {
    **{name: name for name in TRIGGERS},
    "create": "created",
    "creation": "created",
    "action_last": "action",
    "last-action": "action",
    "partner_mail": "partner-mail",
}
# A rule without one of these does nothing.  `stop` is one: it keeps the rules after it from some records.
_ACTIONS = (
    "set_priority", "set_section", "set_responsible", "watch", "set_state",
    "remind", "copy", "mail", "activity", "hook", "stop",
)  # fmt: skip


# --- reading a value ----------------------------------------------------------------------------------------


def _whole(value: Any, kind: str) -> int:
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        return int(value)
    if type(value) is not int or not 0 <= value <= MOST:  # a bool is an int too
        raise UsageError(f"{value!r} is no whole number from 0 to {MOST}")
    return value


def _record_number(value: Any, kind: str) -> int:
    return _whole(value.strip().removeprefix("#") if isinstance(value, str) else value, kind)


def _flag(value: Any, kind: str) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{value!r} is neither true nor false")
    return value


def _text(value: Any, kind: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{value!r} is no text")
    return " ".join(value.split())


def _code(value: Any, kind: str) -> str:
    """Sections and users are in lower case, as the store has them."""
    return _text(value, kind).lower()


def _texts(value: Any, kind: str) -> tuple[str, ...]:
    """One text or a list of them; a number stands for itself (a contact's), each only once."""
    found = value if isinstance(value, list | tuple) else [value]
    for one in found:
        if isinstance(one, bool) or not isinstance(one, str | int) or not str(one).strip():
            raise UsageError(f"{value!r} is neither a text nor a list of texts")
    return tuple(dict.fromkeys(str(one) for one in found))


def _address(words: str) -> str:
    found = address.canonical(words.strip())
    if not found:
        raise UsageError(f"{words!r} is no e-mail address")
    return found


def _addresses(value: Any, kind: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_address(one) for one in _texts(value, kind)))


def _watchers(value: Any, kind: str) -> tuple[str, ...]:
    found = [one.strip().removeprefix("#") for one in _texts(value, kind)]
    return tuple(dict.fromkeys(_address(one) if "@" in one else one.lower() for one in found))


def _mail_to(value: Any, kind: str) -> tuple[str, ...]:
    found = []
    for one in _texts(value, kind):
        if "@" not in one and one.strip().lower() not in MAIL_TO:
            raise UsageError(f"{one!r} is none of {', '.join(MAIL_TO)} and no e-mail address")
        found.append(_address(one) if "@" in one else one.strip().lower())
    return tuple(dict.fromkeys(found))


def _remind(value: Any, kind: str) -> tuple[str, ...]:
    found = [one.strip().lower() for one in _texts(value, kind)]
    for one in found:
        if one not in REMIND:
            raise UsageError(f"{one!r} is none of {', '.join(REMIND)}")
    return tuple(dict.fromkeys(found))


def _one_of(names: Mapping[str, str], what: str) -> Callable[[Any, str], str]:
    def read_one(value: Any, kind: str) -> str:
        found = names.get(_code(value, kind))
        if found is None:
            raise UsageError(f"{value!r} is no {what}: it is one of {', '.join(dict.fromkeys(names.values()))}")
        return found

    return read_one


def _state(*also: str) -> Callable[[Any, str], str]:
    """A state of the rule's kind, or one of `also`; in a condition also any."""

    def read_one(value: Any, kind: str) -> str:
        state = _code(value, kind)
        if state in ANY and "any" in also:
            return ""
        beside = [one for one in also if one != ESCALATE or kind in ESCALATES]  # leads stay where they are
        possible = [*KINDS[kind].states, *beside]
        if state not in possible:
            raise UsageError(f"{value!r} is no state of a {kind}: it is one of {', '.join(possible)}")
        return state

    return read_one


def _category(value: Any, kind: str) -> str:
    return category.key(_text(value, kind))


def _priority(value: Any, kind: str) -> int:
    return record.priority(str(value))


def _priorities(value: Any, kind: str) -> tuple[int, int]:
    """`2`, `high`, `1-2`, `high-highest`: the highest and the lowest."""
    first, dash, last = str(value).partition("-")
    one, other = record.priority(first), record.priority(last if dash else first)
    return min(one, other), max(one, other)


def _delay(value: Any, kind: str) -> Delay:
    return delay.parse(str(value) if type(value) is int else _text(value, kind))


def _hook(value: Any, kind: str) -> str:
    name = _text(value, kind)
    if "/" in name or "\\" in name or name.startswith((".", "-")) or not name.isprintable():
        raise UsageError(f"{value!r} is no bare file name: a hook is a program in the hooks folder")
    return name


# Each key and how its value is read, in the order in which a rule is written.
KEYS: Mapping[str, Callable[[Any, str], Any]] = {
    "sequence": _whole,
    "active": _flag,
    "kind": _one_of({name: name for name in RULED}, "kind that rules are for"),
    "state_from": _state(CREATION, "any"),
    "state_to": _state(ESCALATE, "any"),
    "section": _code,
    "subsections": _flag,
    "category": _text,
    "responsible": _code,
    "away": _flag,
    "priority": _priorities,
    "partner": _record_number,
    "partner_category": _category,
    "contains": _texts,
    "lacks": _texts,
    "first_mail": _flag,
    "trigger": _one_of(_TRIGGERS, "trigger"),
    "delay": _delay,
    "set_priority": _priority,
    "set_section": _code,
    "set_responsible": _code,
    "watch": _watchers,
    "set_state": _state(ESCALATE),
    "remind": _remind,
    "documents": _flag,
    "copy": _addresses,
    "mail": _text,
    "mail_to": _mail_to,
    "activity": _text,
    "activity_due": _delay,
    "hook": _hook,
    "stop": _flag,
}


# --- reading and writing a rule -----------------------------------------------------------------------------


def read(name: str, table: Mapping[str, Any], *, number: int = 0) -> Rule:
    """The rule that a table of KEYS describes; `-` and `_` in keys are one, and an empty value is none.

    Raises:
        UsageError: with the rule, the key, and what is possible.
    """
    name = " ".join(name.split())
    if not name:
        raise UsageError("a rule has no name: give it one")
    given = {key.replace("-", "_"): value for key, value in table.items() if not _is_empty(value)}
    for key in given:
        if key not in KEYS:
            raise UsageError(f"rule {name!r}: there is no key {key!r}; possible: {', '.join(KEYS)}")
    values: dict[str, Any] = {}
    for key, read_one in KEYS.items():  # `kind` comes before the states, which hang on it
        if key in given:
            try:
                values[key] = read_one(given[key], values.get("kind", "case"))
            except UsageError as error:
                raise UsageError(f"rule {name!r}: {key}: {error}") from None
    if "priority" in values:
        values["priority_min"], values["priority_max"] = values.pop("priority")
    rule = Rule(number, name, **values)
    for trouble in _nonsense(rule, given):
        raise UsageError(f"rule {name!r}: {trouble}")
    return rule


def _is_empty(value: Any) -> bool:
    return value is None or value == [] or value == () or (isinstance(value, str) and not value.strip())


def _nonsense(rule: Rule, given: Collection[str]) -> Iterator[str]:
    """What can never hold or never do anything, whatever the shop has."""
    if not any(getattr(rule, action) for action in _ACTIONS):
        yield f"it does nothing; it needs at least one of {', '.join(_ACTIONS)}"
    if rule.delay != Delay() and not rule.trigger:
        yield f"delay: needs a trigger to count from: {', '.join(TRIGGERS)}"
    if rule.trigger:
        for key, said in (
            ("state_from", rule.state_from == CREATION),
            ("state_to", rule.state_to == ESCALATE),
            ("first_mail", rule.first_mail),
        ):
            if said:
                yield f"{key}: can never hold with a trigger, which looks at a record as it is when its time has come"
    if rule.category and "category" not in FIELDS[rule.kind]:
        yield f"category: a {rule.kind} has none"
    if rule.trigger == "deadline" and "deadline" not in FIELDS[rule.kind]:
        yield f"trigger: a {rule.kind} has no deadline"
    if rule.documents and not (rule.remind or rule.copy or rule.mail):
        yield "documents: go with a reminder, copy or mail: it needs remind, copy or mail"
    if "mail_to" in given and not rule.mail:
        yield "mail_to: needs mail, the name of a template"
    if "activity_due" in given and not rule.activity:
        yield "activity_due: needs activity, what there is to do"


def spec(rule: Rule) -> dict[str, Any]:
    """A rule as `read` takes it, without name, number, sequence and active; only what is not as it is by itself."""
    return {key: value for key, value in table(rule).items() if key not in ("sequence", "active")}


def table(rule: Rule) -> dict[str, Any]:
    """A rule for a TOML file: `spec`, and before it sequence and active."""
    by_itself = _written(Rule(0, ""))
    return {key: value for key, value in _written(rule).items() if value != by_itself[key]}


def _written(rule: Rule) -> dict[str, Any]:
    """Every key with its value in plain data."""
    fields = rule._asdict()
    least, most = rule.priority_min, rule.priority_max
    fields["priority"] = str(least) if least == most else f"{least}-{most}"
    return {key: _plain(fields[key]) for key in KEYS}


def _plain(value: Any) -> Any:
    if isinstance(value, Delay):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


# --- in words -----------------------------------------------------------------------------------------------


def sentence(rule: Rule) -> str:
    """A rule in English: `when a case goes from draft to open in support, category Fault Fix: priority high`."""
    return f"{', '.join([_when(rule) + _where(rule), *_conditions(rule)])}: {', '.join(_does(rule))}"


def _when(rule: Rule) -> str:
    kind, source, goal = rule.kind, rule.state_from, rule.state_to
    if rule.dated:
        what = {
            "created": f"a {kind} is made",
            "action": f"the last action on a {kind}",
            "deadline": f"the deadline of a {kind}",
            "partner-mail": f"the last letter from the partner of a {kind}",
        }[rule.trigger]
        before = rule.delay < Delay()
        length = str(rule.delay).lstrip("-")
        when = f"{length} {'before' if before else 'after'} {what}"
        if rule.delay == Delay():
            when = f"{'when' if rule.trigger == 'created' else 'at'} {what}"
        states = " and ".join(dict.fromkeys(one for one in (source, goal) if one))
        return f"{when}, while {states}" if states else when
    if source == CREATION:
        return f"when a {kind} is made" + (f" in state {goal}" if goal else "")
    if goal == ESCALATE:
        return f"when a {kind} is escalated" + (f" in state {source}" if source else "")
    if source or goal:
        return f"when a {kind} goes" + (f" from {source}" if source else "") + (f" to {goal or 'another state'}")
    if rule.first_mail:
        return f"when a {kind} gets its first letter"
    if rule.contains or rule.lacks:
        return f"when a {kind} gets a letter"
    return f"when a {kind} is made or changed"


def _where(rule: Rule) -> str:
    if not rule.section:
        return ""
    return f" in {rule.section}" + (" or below" if rule.subsections else "")


def _conditions(rule: Rule) -> list[str]:
    said = [f"category {rule.category}"] if rule.category else []
    if rule.responsible:
        said.append(f"responsible {rule.responsible}")
    if rule.away:
        said.append("its responsible away")
    if (rule.priority_min, rule.priority_max) != (1, 5):
        names = (priority_name(rule.priority_min), priority_name(rule.priority_max))
        said.append("priority " + " to ".join(dict.fromkeys(names)))
    if rule.partner is not None:
        said.append(f"partner #{rule.partner}")
    if rule.partner_category:
        said.append(f"partner category {rule.partner_category}")
    said += [f"with {one!r}" for one in rule.contains] + [f"without {one!r}" for one in rule.lacks]
    if rule.first_mail and (rule.state_from or rule.state_to):
        said.append("its first letter")
    return said


def _does(rule: Rule) -> list[str]:
    said = [f"priority {priority_name(rule.set_priority)}"] if rule.set_priority is not None else []
    if rule.set_section:
        said.append(f"section {rule.set_section}")
    if rule.set_responsible:
        said.append(f"responsible {rule.set_responsible}")
    if rule.set_state:
        said.append("escalated" if rule.set_state == ESCALATE else f"state {rule.set_state}")
    said += deeds(rule)
    if rule.documents:
        said.append("with its documents")
    if rule.activity and rule.activity_due != Delay():
        said.append(f"due {rule.activity_due} later")
    if rule.stop:
        said.append("no rule after it")
    return said
