"""What the command line asks of a letter: the options that `reply`, `send`, `forward` and `note` share, and the order
that is made of them.

    @words_options       -m -f --resume
    @people_options      --to --cc --bcc  -s  --plain
    @file_options        --attach --attach-file --attach-message
    @then_option         --then
    @sending_options     --dry-run --yes --json
    @reply_options       all of these, --all and --no-quote: what an answer takes
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import click

from crmmail.cli.options import NUMBER, Number, dry_run_option, json_option, yes_option
from crmmail.core.draft import Draft

F = TypeVar("F", bound=Callable[..., Any])

MESSAGE = Number("the words go with -m")  # in many programs they go with --message
THEN = ("close", "pending")  # buttons that may be pressed after a letter
FILE, LETTER = "file:", "message:"  # how a draft names what is attached from the store; anything else is a path


class Order(NamedTuple):
    """A letter that somebody wants to be written."""

    draft: Draft  # as far as the command line says it
    words: tuple[str, ...] = ()  # of -m, a paragraph each
    file: str | None = None  # of -f
    resume: str | None = None  # the draft to go on with; "" is the newest
    edit: bool = False  # the editor even where words are given, or none are needed
    along: str = ""  # of a letter that is passed on: files | letter, its whole self in place of its words
    everybody: bool = False
    quote: bool = True
    plain: bool = False
    dry_run: bool = False
    yes: bool = False
    path: str = ""  # the file that has the words already

    @property
    def again(self) -> str:
        """The command line that goes on with the draft."""
        draft = self.draft
        about = draft.message if draft.verb == "forward" and draft.record else draft.record
        # A draft that is about nothing we know is gone on with only where it is named.
        which = [] if draft.record or not self.path else [shlex.quote(os.path.basename(self.path))]
        flags = [
            word
            for word, is_set in (("--all", self.everybody), ("--no-quote", not self.quote), ("--plain", self.plain))
            if is_set
        ]
        return " ".join(["crmmail", draft.verb, str(about or "NUMBER"), "--resume", *which, *flags])


def order(
    verb: str,
    record: int | None,
    *,
    message: int | None = None,
    to: Sequence[str] = (),
    cc: Sequence[str] = (),
    bcc: Sequence[str] = (),
    subject: str | None = None,
    attach: Sequence[str] = (),
    attach_file: Sequence[int] = (),
    attach_message: Sequence[int] = (),
    then: str | None = None,
    **flags: Any,
) -> Order:
    """The order that a command's options make; `flags` are fields of `Order`."""
    attached = (
        *(os.path.abspath(os.path.expanduser(path)) for path in attach),
        *(f"{FILE}{number}" for number in attach_file),
        *(f"{LETTER}{number}" for number in attach_message),
    )
    draft = Draft(record, verb, message, tuple(to), tuple(cc), tuple(bcc), subject, attached, then or "")
    return Order(draft, **flags)


def at_terminal() -> bool:
    """Is a person there for whom an editor can be opened?"""
    return sys.stdin.isatty() and sys.stdout.isatty()


# --- options ------------------------------------------------------------------------------------------------


def _all(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


words_options = _all(
    click.option("-m", "--text", "words", multiple=True, metavar="TEXT", help="The words; again: a new paragraph."),
    click.option("-f", "--file", metavar="FILE", help="The words are in FILE; - is stdin."),
    click.option(
        "--resume", is_flag=False, flag_value="", metavar="[N|PATH]", help="Go on with a draft, else the newest."
    ),
)
people_options = _all(
    click.option("--to", multiple=True, metavar="ADDRESS", help="To whom; several, or a,b."),
    click.option("--cc", multiple=True, metavar="ADDRESS", help="Who gets a copy, and everybody sees it."),
    click.option("--bcc", multiple=True, metavar="ADDRESS", help="Who gets a copy that nobody sees."),
    click.option("-s", "--subject", metavar="TEXT", help="The subject."),
    click.option("--plain", is_flag=True, help="Text alone, without HTML."),
)
file_options = _all(
    click.option("--attach", multiple=True, metavar="FILE", help="A file to attach."),
    click.option("--attach-file", type=NUMBER, multiple=True, metavar="N", help="File N of `attachment list`."),
    click.option("--attach-message", type=NUMBER, multiple=True, metavar="N", help="The whole letter N, as .eml."),
)
then_option = click.option("--then", type=click.Choice(THEN), help="And close the record, or set it pending.")
sending_options = _all(dry_run_option, yes_option, json_option)
reply_options = _all(
    words_options,
    click.option("-a", "--all", "everybody", is_flag=True, help="Keep in who stood in To and Cc."),
    people_options,
    file_options,
    click.option("--no-quote", "quote", is_flag=True, flag_value=False, default=True, help="Only your words."),
    then_option,
    sending_options,
)


def listed(lines: Sequence[str]) -> tuple[str, ...]:
    """`agent,boss` → its parts."""
    return tuple(part for line in lines for part in re.split(r"[,\s]+", line) if part)
