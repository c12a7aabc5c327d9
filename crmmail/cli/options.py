"""What commands share: --json and its sisters, --yes, --dry-run, record numbers, ids from arguments or stdin.

@listing_options                 --json --fields a,b -o FORM --header    → they set session.voice, no arguments
@json_option                     --json --fields a,b                     → for shows, likewise
@yes_option                      --yes                                   → yes: bool
@dry_run_option                  -n/--dry-run                            → dry_run: bool
@paged("RECORD")                 --limit N --before RECORD                → limit, before: int | None
@ids_argument()                  ID… or -  (stdin)                       → ids: tuple[int, ...], no doubles
@ids_argument(required=False)                                            → None where nothing was given
@click.option("--limit", type=COUNT)       1 or more; as many as a listing can have
@click.argument("files", type=FILE)        the name of a file, also one that is no UTF-8
@click.argument("record", type=RECORD)     101 or '#101', completed with titles      NUMBER: the same for other ids
@click.argument("name", type=VIEW)         the name of a view, completed
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from crmmail.cli.forms import FORMS
from crmmail.cli.session import session_of
from crmmail.cli.voice import SCREENFUL
from crmmail.core.text import one_line

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])

# ASCII digits only, and no more than a database's integer holds.
_ID = re.compile(r"#?([0-9]{1,18})", re.ASCII)


class Number(click.ParamType):
    """A number that crmmail gave to something: 101 or #101.  `hint` is for who gives something else."""

    name = "number"

    def __init__(self, hint: str = "") -> None:
        self.hint = hint

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = _ID.fullmatch(value.strip())
        if found is None or int(found[1]) == 0:
            hint = f" ({self.hint})" if self.hint else ""
            self.fail(f"{value!r} is no number: it must be like 101{hint}", param, ctx)
        return int(found[1])


class RecordNumber(Number):
    """The number of a record.  The shell completes it, with titles."""

    name = "record"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        # A shell that completes must not meet an error: no store, an old one, a busy one.
        try:
            from click.shell_completion import CompletionItem

            from crmmail.services.desk import reading

            found = reading.completions(session_of(ctx).workspace, incomplete)
            return [CompletionItem(number, help=one_line(title)) for number, title in found]
        except Exception:
            return []


class Count(click.IntRange):
    """How many, at least so many.  More than MOST is MOST: who asks for so many means all, and no integer of a database
    is endless."""

    MOST = 1_000_000_000

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return min(super().convert(value, param, ctx), self.MOST)


class FileName(click.ParamType):
    """The name of a file, byte for byte as it was given; what is shown of it is cleaned."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return session_of(ctx).as_given(value) if ctx else str(value)


class ViewName(click.ParamType):
    """The name of a view, built in or saved.  The shell completes it, with its query."""

    name = "view"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            from shlex import quote

            from click.shell_completion import CompletionItem

            from crmmail.services.desk import views

            # A shell puts it on its command line as it is: what would need quotes there is not offered.
            known = [one for one in views.known(session_of(ctx).workspace) if quote(one.name) == one.name]
            found = [one for one in known if one.name.startswith(incomplete)]
            return [CompletionItem(one.name, help=one_line(one.query)) for one in found]
        except Exception:
            return []


NUMBER = Number()
COUNT = Count(1)
FILE = FileName()
RECORD = RecordNumber()
VIEW = ViewName()


def ids_argument(
    name: str = "ids", *, metavar: str = "ID…", kind: Number = RECORD, required: bool = True
) -> Callable[[F], F]:
    """Decorator: numbers as arguments, or from stdin in place of `-`, separated by blanks or line ends.

    Nothing on stdin is an empty tuple, so that a pipe that found nothing does nothing.
    """

    def collect(ctx: click.Context, param: click.Parameter, words: tuple[str, ...]) -> tuple[int, ...] | None:
        if ctx.resilient_parsing or not words:
            return None
        given = [one for word in words for one in (sys.stdin.read().split() if word == "-" else [word])]
        return tuple(dict.fromkeys(kind.convert(one, param, ctx) for one in given))

    return click.argument(
        name,
        metavar=metavar if required else f"[{metavar}]",
        nargs=-1,
        required=required,
        callback=collect,
        shell_complete=kind.shell_complete,
    )


def _set_voice(attribute: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def put(ctx: click.Context, param: click.Parameter, value: Any) -> None:
        if value:
            setattr(session_of(ctx).voice, attribute, value)

    return put


def _fields(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None:
        names = tuple(name for name in value.replace(",", " ").split())
        if not names:
            raise click.BadParameter("name at least one field, like --fields id,title", ctx, param)
        session_of(ctx).voice.fields = names


def json_option(function: F) -> F:
    """Decorator for shows: --json and --fields."""
    function = click.option(
        "--fields", metavar="A,B", expose_value=False, callback=_fields, help="Only these keys, in this order."
    )(function)
    return click.option(
        "--json", "as_json", is_flag=True, flag_value="json", default=None, type=str,
        expose_value=False, callback=_set_voice("form"), help="JSON.",
    )(function)  # fmt: skip


def listing_options(function: F) -> F:
    """Decorator for listings: --json, --fields, -o and --header."""
    function = click.option(
        "--header", is_flag=True, expose_value=False, callback=_set_voice("header"), help="Begin with a line of titles."
    )(function)
    function = click.option(
        "-o", "--output", type=click.Choice(FORMS), expose_value=False, callback=_set_voice("form"),
        help="The form; a table on a terminal, tsv elsewhere.",
    )(function)  # fmt: skip
    return json_option(function)


def paged(what: str) -> Callable[[F], F]:
    """Decorator for long listings: --limit and --before, a number of `what` the listing is about."""

    def decorate(function: F) -> F:
        function = click.option(
            "--before", type=NUMBER, metavar=what, help="Read on behind this one in the list: what is older."
        )(function)
        return click.option(
            "--limit", type=COUNT, metavar="N",
            help=f"At most N, the newest.  Without it a terminal shows {SCREENFUL}, a pipe all.",
        )(function)  # fmt: skip

    return decorate


def yes_option(function: F) -> F:
    """Decorator: --yes, for what undo cannot bring back."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(function)


def dry_run_option(function: F) -> F:
    """Decorator: -n/--dry-run."""
    return click.option("-n", "--dry-run", is_flag=True, help="Print the same lines, do nothing.")(function)
