"""The door `crmmail`: one table of commands, each read from its file when it is called, and what their errors become.

    crmmail: <what, why, what to do>        one line on stderr, never a traceback (but with -v, for our own faults
                                            and the database's)

Exit: 0 done, 1 failed, 2 usage, 130 interrupted (^C), 141 nobody reads what we print (`crmmail list case | head`), as a
shell reports it of any program; a command may return another number, as `deliver` does with 75.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, MutableMapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

import click
from click.exceptions import Abort, Exit

from crmmail import __version__
from crmmail.cli.command import Group
from crmmail.cli.session import Session
from crmmail.cli.streams import forget, speak_utf8
from crmmail.cli.voice import complain
from crmmail.core.text import clean
from crmmail.errors import CrmmailError, StoreBroken

FAILED, USAGE, INTERRUPTED, NO_READER = 1, 2, 130, 141
COMPLETE = "_CRMMAIL_COMPLETE"  # the variable with which a shell asks for completions

DAILY, RECORDS, HOUSE, PLUMBING, HIDDEN = "Daily work", "Records", "Keeping house", "Plumbing", ""


class Entry(NamedTuple):
    """A row of the table: `crmmail.cli.commands.<module>` has the command as `<name>_command`."""

    name: str
    theme: str
    module: str
    help: str  # the first line of the command's docstring, without its full stop; a test compares

    @property
    def attribute(self) -> str:
        return self.name.replace("-", "_") + "_command"


_ROWS = (
    Entry("summary", HIDDEN, "summary", "A screenful: unread, starred, due and late"),
    Entry("inbox", DAILY, "inbox", "What waits for you: unread messages, newest first"),
    Entry("done", DAILY, "done", "Dismiss inbox items"),
    Entry("undo", DAILY, "undo", "Take back your last acts"),
    Entry("show", DAILY, "show", "One record with its conversation"),
    Entry("search", DAILY, "search", "Find messages by their words, newest first"),
    Entry("reply", DAILY, "post", "Answer the customer"),
    Entry("note", DAILY, "post", "Write a note that stays inside"),
    Entry("send", DAILY, "post", "Write a new letter about a record"),
    Entry("forward", DAILY, "post", "Pass a letter on to somebody"),
    Entry("star", DAILY, "star", "Keep a message in sight"),
    Entry("unstar", DAILY, "star", "Take the star off a message"),
    Entry("drafts", DAILY, "drafts", "Letters that you began"),
    Entry("agenda", DAILY, "agenda", "Deadlines and activities, by day"),
    Entry("activity", DAILY, "activity", "What is to do about records: add, done, remove"),
    Entry("new", RECORDS, "new", "Make a record: case, lead or contact"),
    Entry("list", RECORDS, "records", "All records of a kind, closed ones too"),
    Entry("view", RECORDS, "view", "Lists with a name: my-open, late, unassigned, your own"),
    Entry("set", RECORDS, "fields", "Change fields of a record"),
    Entry("assign", RECORDS, "assign", "Make a user responsible"),
    Entry("take", RECORDS, "assign", "Make yourself responsible"),
    Entry("actions", RECORDS, "actions", "What can be done about a record now"),
    Entry("escalate", RECORDS, "escalate", "Pass cases to the section above"),
    Entry("move", RECORDS, "move", "Pass records to another section"),
    Entry("merge", RECORDS, "merge", "Make records part of another one"),
    Entry("open", RECORDS, "buttons", "Open records: work on them begins"),
    Entry("pending", RECORDS, "buttons", "Set records pending: we wait for somebody"),
    Entry("close", RECORDS, "buttons", "Close records: the work is done"),
    Entry("cancel", RECORDS, "buttons", "Cancel records: nothing will be done"),
    Entry("reset", RECORDS, "buttons", "Set records back to draft"),
    Entry("qualify", RECORDS, "buttons", "Qualify leads: they are worth pursuing"),
    Entry("lose", RECORDS, "buttons", "Mark leads as lost"),
    Entry("follow", RECORDS, "follow", "Follow a record, or every new one of a kind"),
    Entry("unfollow", RECORDS, "follow", "Stop following"),
    Entry("followers", RECORDS, "follow", "Who follows a record"),
    Entry("following", RECORDS, "follow", "What you follow"),
    Entry("stats", RECORDS, "stats", "Statistics of cases, leads or messages"),
    Entry("message", RECORDS, "message", "Single messages: list, move, edit, delete"),
    Entry("attachment", RECORDS, "attachment", "Files that came with mails: list, save"),
    Entry("sections", HOUSE, "sections", "Sections: who works on what, and its address"),
    Entry("categories", HOUSE, "categories", "Categories of cases"),
    Entry("rules", HOUSE, "rules", "Rules: what is done by itself"),
    Entry("templates", HOUSE, "templates", "Mails of the shop's own, which rules send"),
    Entry("users", HOUSE, "users", "The people who work here"),
    Entry("aliases", HOUSE, "aliases", "Addresses that make records"),
    Entry("contacts", HOUSE, "contacts", "The people who write to us"),
    Entry("quarantine", HOUSE, "quarantine", "Mails that could not be filed"),
    Entry("unconfirmed", HOUSE, "unconfirmed", "Answers whose senders nothing confirms: accept or refuse"),
    Entry("sla", HOUSE, "sla", "Deadlines of new cases, by contract, section and priority"),
    Entry("config", HOUSE, "config", "Settings, and where each comes from"),
    Entry("doctor", HOUSE, "doctor", "Look for trouble and say what to do"),
    Entry("log", HOUSE, "log", "What was done, by whom, when"),
    Entry("deliver", PLUMBING, "deliver", "Take a mail from stdin"),
    Entry("serve", PLUMBING, "serve", "Stay and take mail: for crmmail-mda, and by LMTP"),
    Entry("why", PLUMBING, "why", "Why a message went where it went"),
    Entry("why-not", PLUMBING, "why", "Why a user was not told of a message"),
    Entry("outbox", PLUMBING, "outbox", "Mail that waits to be sent, or failed"),
    Entry("tick", PLUMBING, "tick", "What cron calls each minute: rules, mail, hooks"),
    Entry("init", PLUMBING, "init", "Make a store"),
    Entry("db", PLUMBING, "db", "The store: status, migrate, backup, check, copy, reindex"),
    Entry("import", PLUMBING, "import_", "Bring in mail: mbox, Maildir, single letters"),
    Entry("export", PLUMBING, "export", "Write records out: mbox, Maildir, JSON"),
    Entry("completion", PLUMBING, "completion", "The completion script for your shell"),
    Entry("demo", PLUMBING, "demo", "A store to play with"),
)

COMMANDS: dict[str, Entry] = {row.name: row for row in _ROWS}


class LazyCommands(MutableMapping[str, click.Command]):
    """The table as click wants it: names at once, a command when it is asked for."""

    def __init__(self) -> None:
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            entry = COMMANDS[name]
            self._loaded[name] = getattr(import_module(f"crmmail.cli.commands.{entry.module}"), entry.attribute)
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._loaded or name in COMMANDS

    def __iter__(self) -> Iterator[str]:
        return iter([*COMMANDS, *(name for name in self._loaded if name not in COMMANDS)])

    def __len__(self) -> int:
        return len(list(iter(self)))


class Program(Group):
    """`crmmail` itself: `summary` when it stands alone, the table in its help, every error in one line."""

    def default_takes_words(self) -> bool:
        return False  # `crmmail bogus` is a slip, and the summary need not be read to know it

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        widest = max(map(len, COMMANDS))
        for theme in (DAILY, RECORDS, HOUSE, PLUMBING):
            with formatter.section(theme):
                rows = [row for row in COMMANDS.values() if row.theme == theme]
                formatter.write_dl([(row.name.ljust(widest), row.help) for row in rows])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        rows = [row for row in COMMANDS.values() if row.theme != HIDDEN and row.name.startswith(incomplete)]
        return [
            *(CompletionItem(row.name, help=row.help) for row in rows),
            *click.Command.shell_complete(self, ctx, incomplete),
        ]

    def main(self, args: Sequence[str] | None = None, *_: Any, **__: Any) -> NoReturn:
        sys.exit(run(sys.argv[1:] if args is None else list(args)))


def _version(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"crmmail {__version__}")
        ctx.exit()


program = Program(
    "crmmail",
    default="summary",
    help="A mail-driven CRM for the terminal. Alone it shows what needs you today.",
    examples=("crmmail", "crmmail inbox --short", "crmmail show 101", "crmmail list case state:open -o ids"),
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[
        click.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
        )
    ],
)
program.commands = LazyCommands()


def main() -> NoReturn:
    """The console script."""
    program.main()


def run(arguments: list[str]) -> int:
    """One command line; the number to exit with."""
    speak_utf8()
    session = Session()
    arguments = session.understand(arguments)
    try:
        if os.environ.get(COMPLETE):
            from click.shell_completion import shell_complete

            return shell_complete(program, {}, "crmmail", COMPLETE, os.environ[COMPLETE])
        code = _call(arguments, session)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        forget(sys.stdout)
        return NO_READER
    except (KeyboardInterrupt, Abort):
        if sys.stderr.isatty():
            print(file=sys.stderr)  # behind the terminal's ^C
        return INTERRUPTED
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "crmmail"
        sentence = error.format_message()
        return _complain(f"{sentence}{'' if sentence.endswith(('.', '?', ')')) else '.'} See: {path} --help", USAGE)
    except click.ClickException as error:
        return _complain(error.format_message(), error.exit_code)
    except CrmmailError as error:
        story = session.verbose and isinstance(error, StoreBroken) and error.__cause__ is not None
        return _complain(str(error), error.exit_code, story, more=getattr(error, "__notes__", ()))
    except OSError as error:
        return _complain(_of_the_system(error), FAILED, session.verbose)
    except Exception as error:
        sentence = f"something went wrong in crmmail itself: {type(error).__name__}: {error}"
        return _complain(
            sentence + ("" if session.verbose else "; run again with -v for the whole story"), FAILED, session.verbose
        )


def _call(arguments: list[str], session: Session) -> int:
    try:
        with program.make_context("crmmail", arguments, obj=session) as context:
            context.call_on_close(session.close)
            try:
                answer = program.invoke(context)
            except Exception as error:
                if (plain := session.in_our_words(error)) is not error:
                    raise plain from error
                raise
    except Exit as wanted:
        return wanted.exit_code
    return answer if type(answer) is int else 0


def _complain(sentence: str, code: int, whole_story: bool = False, more: Sequence[str] = ()) -> int:
    """Say it in one line, and what else there is to know in a line each.  A stderr that is closed or full changes no
    exit code."""
    try:
        sys.stdout.flush()  # what was done stands above what failed
    except OSError:
        forget(sys.stdout)
    try:
        if whole_story:
            from traceback import format_exc

            print(clean(format_exc()), file=sys.stderr)
        for line in (sentence, *more):
            complain(line)
    except OSError:
        forget(sys.stderr)
    return code


def _of_the_system(error: OSError) -> str:
    """The operating system's refusal: what, and of which file."""
    words = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {words}" if error.filename else words
