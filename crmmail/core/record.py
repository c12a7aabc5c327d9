"""Records: which kinds there are, the states each knows, and which button leads from where to where.

Everything about a kind is data in this file: a new kind is a row in KINDS, its buttons in BUTTONS, its fields in
FIELDS, and a table of its own in the store (F11).  One number space for all of them: `#101` needs no kind.
"""

from __future__ import annotations

from collections.abc import Sequence

from crmmail.core.typed import NamedTuple
from crmmail.errors import Refused, UsageError


class Kind(NamedTuple):
    name: str
    plural: str
    states: tuple[str, ...]  # the first is where a record starts; () for kinds without states
    done: tuple[str, ...]  # states in which nobody has to do anything any more


class Button(NamedTuple):
    kind: str
    name: str
    sources: tuple[str, ...]
    target: str


KINDS = {
    kind.name: kind
    for kind in (
        Kind("contact", "contacts", (), ()),
        Kind("lead", "leads", ("new", "qualified", "converted", "lost"), ("converted", "lost")),
        Kind("case", "cases", ("draft", "open", "pending", "done", "cancel"), ("done", "cancel")),
    )
}

BUTTONS = (
    Button("case", "open", ("draft", "pending", "done", "cancel"), "open"),
    Button("case", "pending", ("draft", "open"), "pending"),
    Button("case", "close", ("draft", "open", "pending"), "done"),
    Button("case", "cancel", ("draft", "open", "pending"), "cancel"),
    Button("case", "reset", ("done", "cancel"), "draft"),
    Button("lead", "qualify", ("new",), "qualified"),
    Button("lead", "lose", ("new", "qualified"), "lost"),
    Button("lead", "reset", ("qualified", "lost"), "new"),
)

# In which states a record can go to the section above its own (F184); its state stays as it is.
ESCALATES = {"case": ("draft", "open", "pending")}

# What a record becomes that is merged into another one, by kind; a lead that becomes part of a case is converted.
MERGED = {"case": "cancel", "lead": "lost"}

# Which fields `set` takes, by kind; each change of one is a system message in the thread (F73).
FIELDS = {
    "case": (
        "title",
        "section",
        "category",
        "responsible",
        "priority",
        "partner",
        "contacts",
        "email",
        "deadline",
        "revenue",
        "cost",
        "probability",
    ),
    "lead": ("title", "section", "responsible", "priority", "partner", "contacts", "email", "revenue", "probability"),
    "contact": ("title", "company", "category", "lang"),
}

PRIORITIES = {"highest": 1, "high": 2, "normal": 3, "low": 4, "lowest": 5}


def kind(name: str) -> Kind:
    """The kind called `name`, in the singular or the plural."""
    for candidate in KINDS.values():
        if name in (candidate.name, candidate.plural):
            return candidate
    raise UsageError(f"there is no kind {name!r}: it is one of {', '.join(KINDS)}")


def buttons(kind_name: str, state: str) -> list[str]:
    """What can be pressed now, in the order of the table."""
    return [button.name for button in BUTTONS if button.kind == kind_name and state in button.sources]


def press(kind_name: str, state: str, button_name: str, *, also: Sequence[str] = ()) -> str:
    """The state that the button leads to.

    Args:
        also: what else is possible now, for the sentence that lists it.

    Raises:
        Refused: the button is not possible now; the sentence lists what is.
    """
    for button in BUTTONS:
        if button.kind == kind_name and button.name == button_name and state in button.sources:
            return button.target
    possible = [*buttons(kind_name, state), *also]
    if not KINDS[kind_name].states:
        raise Refused(f"a {kind_name} has no states, so there is nothing to {button_name}")
    raise Refused(
        f"{button_name} is not possible for a {kind_name} in state {state}; "
        + (f"possible now: {', '.join(possible)}" if possible else "no button is possible now")
    )


def target(kind_name: str, button_name: str) -> str:
    """Where a button leads, whether or not it can be pressed now; "" where the kind has none of that name."""
    return next((one.target for one in BUTTONS if (one.kind, one.name) == (kind_name, button_name)), "")


def after_mail(
    kind_name: str,
    state: str,
    *,
    writer: str,
    on_partner_reply: str,
    on_user_reply: str,
    reopen_cancelled: bool = False,
) -> str:
    """The state of a record after a letter to it (behaviour §5).

    Args:
        writer: `partner` (any external participant), `user` (a proven one) or `machine`.
        on_partner_reply: the section's policy: open, close or keep.
        on_user_reply: the section's policy: close, pending or keep.
        reopen_cancelled: the section's policy: what opens a finished case opens a cancelled one too.

    A cancelled case stays cancelled otherwise; drafts stay drafts for the partner; a user's answer leaves what is done
    done; machines change nothing.  `core.section.too_late` may say that even so nothing is opened again.
    """
    if kind_name != "case" or writer == "machine":
        return state
    if state == "cancel":
        reopens = writer == "partner" and on_partner_reply == "open" and reopen_cancelled
        return "open" if reopens else state
    if writer == "user":
        if state == "done":
            return state
        return {"close": "done", "pending": "pending", "keep": state}[on_user_reply]
    if on_partner_reply == "close":
        return "done"
    if on_partner_reply == "open" and state in ("pending", "done"):
        return "open"
    return state


def priority(words: str) -> int:
    """1 (highest) to 5 (lowest), from a digit or a word."""
    value = PRIORITIES.get(words.strip().lower())
    if value is None and words.strip() in ("1", "2", "3", "4", "5"):
        value = int(words)
    if value is None:
        raise UsageError(f"{words!r} is no priority: use 1 to 5 or {', '.join(PRIORITIES)}")
    return value


def priority_name(value: int) -> str:
    return next(name for name, number in PRIORITIES.items() if number == value)
