"""The options of a rule, as `rules add` and `rules edit` take them, and the table that they make."""

from __future__ import annotations

from collections.abc import Callable

import click

from crmmail.core.rule import REMIND, TRIGGERS
from crmmail.core.typed import Any

# The conditions and actions, as options; in a TOML file they are the same with underscores.
CONDITIONS = (
    ("--state-from", "STATE", "It goes from this state; `none`: it is made.  Of a rule with a trigger: it is in it."),
    ("--state-to", "STATE", "It goes to this state; `escalate`: it is escalated."),
    ("--section", "CODE", "It is in this section."),
    ("--category", "NAME", "It has this category."),
    ("--responsible", "LOGIN", "He works on it; `nobody`: nobody does."),
    ("--priority", "1-2", "Its priority is this, or in this range."),
    ("--partner", "N", "It is about this contact."),
    ("--partner-category", "PATH", "The contact is in this category, or one below it."),
)
ACTIONS = (
    ("--set-priority", "1..5", "Give it this priority."),
    ("--set-section", "CODE", "Move it there."),
    ("--set-responsible", "LOGIN", "Assign it; also manager, round-robin, least-busy, deputy, nobody."),
    ("--set-state", "STATE", "Set it to this state; `escalate` escalates it."),
    ("--mail", "TEMPLATE", "Send this mail (crmmail templates)."),
    ("--activity", "WORDS", "Give the responsible something to do."),
    ("--activity-due", "DELAY", "Until then, from now."),
    ("--hook", "PROGRAM", "Run this program of the hooks folder."),
)
SEVERAL = (
    ("--contains", "WORDS", "Subject or text has these words."),
    ("--lacks", "WORDS", "Neither subject nor text has these words."),
    ("--watch", "WHO", "Let him follow: a login, a contact's number, an address."),
    ("--copy", "ADDRESS", "Send the conversation so far there, once."),
    ("--mail-to", "WHO", "The mail goes to partner (default), responsible, watchers, an address."),
)
FLAGS = (
    ("--subsections", "The sections below count, too."),
    ("--away", "Who works on it is on leave."),
    ("--first-mail", "It is the first letter from outside."),
    ("--documents", "Reminders, copies and mails carry the record's files."),
    ("--stop", "No rule after it is asked about the same event."),
)


def rule_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What `add` and `edit` take; what was not said is None, or ()."""
    options = [
        *(click.option(name, metavar=metavar, help=words) for name, metavar, words in (*CONDITIONS, *ACTIONS)),
        *(click.option(name, metavar=metavar, multiple=True, help=words) for name, metavar, words in SEVERAL),
        *(click.option(f"{name}/--no-{name[2:]}", default=None, help=words) for name, words in FLAGS),
        click.option("--trigger", metavar="DATE", help=f"Act at a date, from cron: {', '.join(TRIGGERS)}."),
        click.option("--delay", metavar="DELAY", help="That long after it: 30m, 3h, 2d, 1w, 1mo; -1d is before."),
        click.option("--remind", multiple=True, type=click.Choice(REMIND), help="Remind him by inbox or mail."),
        click.option("--kind", type=click.Choice(("case", "lead")), help="What it is about; case by default."),
        click.option("--sequence", type=int, metavar="N", help="Rules are asked in this order; 10 by default."),
        click.option("--on/--off", "active", default=None, help="Switch it on or off."),
    ]
    for decorate in reversed(options):
        function = decorate(function)
    return function


def table_of(options: dict[str, Any]) -> dict[str, Any]:
    """The options as a rule's table; what was not said is not in it."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in options.items()
        if value is not None and value != ()
    }
