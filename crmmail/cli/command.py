"""Commands and nouns: global options before and after the command, examples in every --help, a noun alone lists.

    @command("users", …)         a command of the top level; main.COMMANDS names its file
    @noun("users", …)            a noun: `crmmail users` is `crmmail users list`, `crmmail users --json` too
    @users_command.command("add", examples=(…))      a command of a noun
    @verb("new", …)              a group that has no listing: `crmmail new` alone is a usage error

The first line of a command's docstring, without its full stop, is its line in `crmmail --help`; main.COMMANDS has the
same words, so that `crmmail --help` reads no command's file.  A command that returns an `int` exits with it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

import click

from crmmail.cli.session import session_of
from crmmail.core.typed import Any


def _remember(context: click.Context, option: click.Parameter, value: Any) -> None:
    """Put a global option where the session keeps it.  Inner commands come later, so the last word wins."""
    if value is None or value is False:
        return
    session = session_of(context)
    if option.name == "global_color":
        session.voice.color = value
    else:
        setattr(session, option.name.removeprefix("global_"), value)


def _everywhere(name: str, *declared: str, **attributes: Any) -> click.Option:
    return click.Option([f"global_{name}", *declared], expose_value=False, callback=_remember, **attributes)


GLOBAL = (
    _everywhere("db", "--db", metavar="PATH|URL", help="The store: an SQLite file, or postgresql://…"),
    _everywhere("config", "--config", metavar="FILE", help="The configuration file."),
    _everywhere("user", "--as", metavar="USER", help="Who is acting."),
    _everywhere("color", "--color", type=click.Choice(("auto", "always", "never")), help="When to use colours."),
    _everywhere("verbose", "-v", "--verbose", is_flag=True, help="Say more; after a crash, the whole story."),
)


class _Helpful(click.Command):
    """What commands and groups have in common."""

    def __init__(self, name: str | None, *, examples: Sequence[str] = (), **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self.examples = tuple(examples)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        own = super().get_params(ctx)
        taken = {word for param in own for word in param.opts}
        return [*own, *(option for option in GLOBAL if taken.isdisjoint(option.opts))]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # the parser forgets to say whose --help helps
            raise

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first line of the docstring, whole: a listing of commands wraps it where it must."""
        return inspect.cleandoc(self.short_help or self.help or "").split("\n")[0].removesuffix(".")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, wanted in (("Options", False), ("Global options", True)):
            rows = [
                record
                for param in self.get_params(ctx)
                if (param in GLOBAL) is wanted
                and not isinstance(param, click.Argument)
                and (record := param.get_help_record(ctx))
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{example}\n")
        super().format_epilog(ctx, formatter)


class Command(_Helpful):
    """A command with examples (lines as they are typed) and the global options."""


class Group(_Helpful, click.Group):
    """A command with commands of its own, in the order in which they were written.

    `default` is the one that runs when none is named: options and words that name no command go to it.
    """

    command_class = Command
    group_class = type

    def __init__(self, name: str | None = None, *, default: str | None = None, **attributes: Any) -> None:
        metavar = "[COMMAND] [ARGS]..." if default else "COMMAND [ARGS]..."
        super().__init__(name, no_args_is_help=False, subcommand_metavar=metavar, **attributes)
        self.default = default

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        alone = f" (`{ctx.command_path}` alone does this)"
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, command.get_short_help_str() + (alone if name == self.default else ""))
                    for name, command in self.commands.items()
                    if not command.hidden
                ]
            )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        listing = self.commands.get(self.default or "") if self.default_takes_words() else None
        rows = [param.get_help_record(ctx) for param in listing.params] if listing else []
        if listing and any(rows):
            with formatter.section(f"Options of `{listing.name}`"):
                formatter.write_dl([row for row in rows if row])
        super().format_options(ctx, formatter)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        start = self._end_of_own_options(ctx, args)
        alone = start == len(args)
        # A shell that completes wants the names of the commands here, not what the default would say.
        if self.default and not ctx.resilient_parsing and self._means_default(args, start):
            args = [*args[:start], self.default, *args[start:]]
        rest = super().parse_args(ctx, args)
        if alone and not self.default and not ctx.resilient_parsing:
            raise click.UsageError(f"say what: {', '.join(self.list_commands(ctx))}", ctx)
        return rest

    def _means_default(self, args: list[str], start: int) -> bool:
        if start >= len(args):
            return start == len(args)  # beyond it, the last option lacks its value, and click will say so
        if args[start].startswith("-"):
            return True
        return args[start] not in self.commands and self.default_takes_words()

    def default_takes_words(self) -> bool:
        """Has the default command arguments?  Then an unknown word is one of them, not a command misspelt."""
        command = self.commands.get(self.default or "")
        return command is not None and any(isinstance(param, click.Argument) for param in command.params)

    def _end_of_own_options(self, ctx: click.Context, args: list[str]) -> int:
        """Where in `args` the group's own options end and a command's name stands, or what its default shall read."""
        flags = {
            word: isinstance(param, click.Option) and (param.is_flag or param.count)
            for param in self.get_params(ctx)
            for word in param.opts
        }
        at = 0
        while at < len(args):
            word, equals, _ = args[at].partition("=")
            if word not in flags:
                break
            at += 1 if flags[word] or equals else 2
        return at


def command(name: str, *, examples: Sequence[str], **attributes: Any) -> Callable[[Callable[..., Any]], Command]:
    """Decorator for a command of the top level."""
    return click.command(name, cls=Command, examples=examples, **attributes)


def noun(
    name: str, *, examples: Sequence[str], default: str = "list", **attributes: Any
) -> Callable[[Callable[..., Any]], Group]:
    """Decorator for a noun: its docstring is the help, its body stays empty, `default` runs when it stands alone."""
    return click.command(name, cls=Group, examples=examples, default=default, **attributes)


def verb(name: str, *, examples: Sequence[str], **attributes: Any) -> Callable[[Callable[..., Any]], Group]:
    """Decorator for a group without a listing, such as `new case|lead|contact`."""
    return click.command(name, cls=Group, examples=examples, **attributes)
