"""`crmmail rules`: what is done by itself, when, and why not."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click

from crmmail.cli import editor, rule_run, rule_story
from crmmail.cli.acts import REHEARSED, UNDO
from crmmail.cli.command import noun
from crmmail.cli.line import Line, Span
from crmmail.cli.options import COUNT, RECORD, dry_run_option, json_option, listing_options
from crmmail.cli.rule_options import rule_options, table_of
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column, Row
from crmmail.core import query, rulebook
from crmmail.core.rule import Rule
from crmmail.core.typed import Any
from crmmail.errors import UsageError
from crmmail.services.automatic import hooks, rule_admin, rule_report
from crmmail.services.shared import fields

COLUMNS = (
    Column("id", "#"),
    Column("sequence", "order"),
    Column("name", "rule", width=30, wraps=True, drop=0),
    Column("active", "", lambda row: "" if row["active"] else "off", style=lambda row: "waiting"),
    Column("sentence", "what it does", lambda row: row["sentence"], flex=True, wraps=True),
)


def shape(one: Rule) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "sequence": one.sequence,
        "active": one.active,
        "dated": one.dated,
        "sentence": rulebook.sentence(one),
        "rule": rulebook.spec(one),
    }


@noun(
    "rules",
    examples=(
        "crmmail rules",
        'crmmail rules add "Gold first" --state-to open --partner-category "Support contract / Gold" '
        "--set-priority high",
        "crmmail rules explain 101",
    ),
)
def rules_command() -> None:
    """Rules: what is done by itself."""


@rules_command.command("list", examples=("crmmail rules list --all", "crmmail rules list --json"))
@click.option("--all", "everything", is_flag=True, help="Also those that are switched off.")
@listing_options
@pass_session
def rules_list(session: Session, everything: bool) -> None:
    """The rules, in the order in which they are asked."""
    session.open()
    rows = [shape(one) for one in rule_admin.listing(everything=everything)]
    off = 0 if everything else rule_admin.off()
    session.voice.listing(
        rows,
        COLUMNS,
        empty="No rule is on." if off else "No rules yet: crmmail rules add NAME, with a condition and an action",
        keys=("id", "name", "sequence", "active", "dated", "sentence", "rule"),
    )
    if off and session.voice.terminal and session.voice.form in ("", "table"):
        session.voice.say(Span(f"{off} {'is' if off == 1 else 'are'} off: crmmail rules list --all", "dim"))
    _warn_of_unreadable(session, everything)


def _warn_of_unreadable(session: Session, everything: bool = True) -> int:
    """The rules that are left out because nobody can read them; how many."""
    found = rule_admin.unreadable(everything=everything)
    for one in found:
        session.voice.warn(one.sentence)
    return len(found)


@rules_command.command("show", examples=("crmmail rules show 'Gold first'",))
@click.argument("name")
@json_option
@pass_session
def rules_show(session: Session, name: str) -> None:
    """One rule, as it stands in a TOML file."""
    session.open()
    one = rule_admin.rule(name)
    session.voice.document(shape(one), lambda: _shown(one))


def _shown(one: Rule) -> Iterator[Line]:
    yield Span(f"{one.name}" + ("" if one.active else " (off)"), "title")
    yield rulebook.sentence(one)
    yield ""
    yield from rule_admin.dump_one(one).rstrip("\n").split("\n")


@rules_command.command(
    "add",
    examples=(
        'crmmail rules add "Copy to an expert after 2 days" --state-from open --state-to open --responsible demo '
        "--trigger created --delay 2d --watch expert@mycompany.com --remind responsible",
        'crmmail rules add "Priority to Gold Partners" --state-to open --partner-category "Support contract / Gold" '
        "--set-priority high",
    ),
)
@click.argument("name")
@rule_options
@pass_session
def rules_add(session: Session, name: str, **options: Any) -> None:
    """Add a rule (admin).

    All its conditions must hold; without one it is asked whatever happens.  With --trigger it acts at a date, once for
    each date, from `crmmail tick` or `crmmail rules run`; without, when something happens that it speaks of.
    """
    one = rule_admin.add(session.workspace, name, table_of(options))
    session.voice.say((f"rule {one.id} {one.name}: {rulebook.sentence(one)}", Span(UNDO, "dim")))
    _warn_of_hook(session, one)
    if one.dated:
        ran = rule_run.act(session, dry_run=True)
        due = sum(any(line.startswith(f"{one.name}: ") for line in done.lines) for done in ran)
        if due:
            session.voice.say(Span(f"{due} due already: crmmail rules run --dry-run", "waiting"))


@rules_command.command(
    "edit",
    examples=(
        "crmmail rules edit 'Gold first' --set-priority highest",
        "crmmail rules edit 3 --off",
        "crmmail rules edit 3 --section ''        # takes the condition out",
        "crmmail rules edit 3                     # in your editor",
    ),
)
@click.argument("name")
@click.option("--name", "rename", default="", metavar="NAME", help="A new name.")
@rule_options
@pass_session
def rules_edit(session: Session, name: str, rename: str, **options: Any) -> None:
    """Change a rule (admin): by options, or all of it in your editor."""
    table = table_of(options)
    if table or rename:
        one = rule_admin.edit(session.workspace, name, table, rename=rename)
    else:
        one = _edited(session, name)
    off = "" if one.active else " (off)"
    session.voice.say((f"rule {one.id} {one.name}: {rulebook.sentence(one)}{off}", Span(UNDO, "dim")))
    _warn_of_hook(session, one)


def _warn_of_hook(session: Session, one: Rule) -> None:
    """The program may come later than its rule, so the rule is taken; that it is not there yet is said."""
    reason = hooks.wrong(session.workspace, one.hook) if one.hook else ""
    if reason:
        session.voice.warn(f"rule {one.name} is kept, but its hook cannot run yet: {reason}")


def _edited(session: Session, name: str) -> Rule:
    """A rule that went through the person's editor as TOML."""
    import tempfile
    import tomllib

    workspace = session.workspace
    one = rule_admin.rule(name)
    before = rule_admin.dump_one(one)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rule.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(before)
        editor.edit(path, workspace.environ)
        with open(path, encoding="utf-8", errors="replace") as file:
            words = file.read()
    if words == before:
        raise UsageError(f"rule {one.name} is as it was: nothing was changed in the editor")
    try:
        table = tomllib.loads(words)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"that is no TOML: {error}; the rule is as it was") from None
    return rule_admin.edit(workspace, one.name, table, whole=True)


@rules_command.command("remove", examples=("crmmail rules remove 'Gold first'",))
@click.argument("name")
@pass_session
def rules_remove(session: Session, name: str) -> None:
    """Remove a rule (admin); one that acted already is switched off, for the history names it."""
    removed, gone = rule_admin.remove(session.workspace, name)
    what = "removed" if gone else "switched off: the history names it"
    session.voice.say((f"rule {removed} is {what}", Span(UNDO, "dim")))


@rules_command.command(
    "run",
    examples=("crmmail rules run", "crmmail rules run --dry-run", "crmmail rules run --at 2026-11-24T10:00:00Z -n"),
)
@click.option("--at", metavar="DATE", help="Decide as if it were that moment.")
@dry_run_option
@listing_options
@pass_session
def rules_run(session: Session, at: str | None, dry_run: bool) -> int:
    """Let the rules with a trigger date act (cron: `crmmail tick` does it).

    A rule acts once for a record and a date.  Silent where nothing is due; what fails on one record is said, and the
    others go on.
    """
    workspace = session.workspace
    ran = rule_run.act(session, at=fields.moment(workspace, at) if at is not None else None, dry_run=dry_run)
    voice = session.voice
    if voice.form:
        rows = [
            {"record": one.record, "title": one.title, "done": one.lines, "failed": one.failed, "dry_run": dry_run}
            for one in ran
        ]
        columns = (Column("record", "#"), Column("title", "title"), Column("done", "what", flex=True))
        voice.listing(rows, columns, keys=("record", "title", "done", "failed", "dry_run"))
    else:
        for one in ran:
            for line in one.lines:
                voice.say((f"#{one.record} {one.title}: {line}", Span(REHEARSED if dry_run else "", "dim")))
        if not ran and voice.terminal:
            voice.say(Span("Nothing is due.", "dim"))
    return rule_run.report(session, ran)


@rules_command.command("explain", examples=("crmmail rules explain 101", "crmmail rules explain 101 --json"))
@click.argument("record", type=RECORD)
@click.option("--all", "everything", is_flag=True, help="Also the rules that it is nothing to.")
@json_option
@pass_session
def rules_explain(session: Session, record: int, everything: bool) -> None:
    """What rules did to a record, what they would do, and why not.

    It goes the way that `rules run` goes, and takes everything back.
    """
    story = rule_report.explain(session.workspace, record)
    session.voice.document(
        rule_story.shape(story), lambda: rule_story.lines(story, everything, session.now().astimezone())
    )


@rules_command.command(
    "test",
    examples=("crmmail rules test 'Gold first'", "crmmail rules test 3 section:support --limit 10"),
)
@click.argument("name")
@click.argument("words", nargs=-1, metavar="[QUERY]…")
@click.option("--limit", type=COUNT, metavar="N", help="At most N records.")
@listing_options
@pass_session
def rules_test(session: Session, name: str, words: tuple[str, ...], limit: int | None) -> None:
    """For which records a rule's conditions hold now, and what it would do to each."""
    workspace = session.workspace
    one = rule_admin.rule(name)
    wanted = query.parse(words, lambda said: fields.moment(workspace, said))
    rows: list[Row] = [
        {
            "id": found.record.id,
            "title": found.record.title,
            "state": found.record.state,
            "section": found.record.section or None,
            "due": found.due,
            "fired": found.fired,
            "does": found.does,
        }
        for found in rule_report.test(workspace, one, wanted, limit=limit)
    ]
    columns = (
        Column("id", "#"),
        Column("title", "title", flex=True),
        Column("state", "state"),
        Column("due", "due", exact=True, drop=0),
        Column("fired", "", lambda row: "acted" if row["fired"] else ""),
        Column("does", "would do", flex=True, wraps=True),
    )
    on_screen = session.voice.terminal and session.voice.form in ("", "table")
    session.voice.listing(
        rows,
        [column for column in columns if column.key != "due" or one.dated or not on_screen],
        empty=f"The conditions of {one.name} hold for no record now.",
        keys=("id", "title", "state", "section", "due", "fired", "does"),
    )


@rules_command.command("lint", examples=("crmmail rules lint",))
@listing_options
@pass_session
def rules_lint(session: Session) -> int:
    """What is wrong with the rules: circles, rules that never act, names that are not there.

    Exit 1 where something marked ! is.
    """
    found = rule_admin.lint(session.workspace)
    rows = [{"rule": one.rule, "serious": one.serious, "sentence": one.sentence} for one in found]
    columns = (
        Column("serious", "", lambda row: "!" if row["serious"] else "?", style=lambda row: "failed"),
        Column("rule", "rule", width=30, wraps=True, drop=0),
        Column("sentence", "what", flex=True, wraps=True),
    )
    session.voice.listing(rows, columns, empty="Nothing is wrong with the rules.", keys=("rule", "serious", "sentence"))
    return int(any(one.serious for one in found))


@rules_command.command("dump", examples=("crmmail rules dump > rules.toml",))
@pass_session
def rules_dump(session: Session) -> int:
    """All rules as a TOML file, to be kept in git.

    Exit 1 where one cannot be read and is not in it.
    """
    session.open()
    session.voice.raw(rule_admin.dump().encode())
    return int(bool(_warn_of_unreadable(session)))


@rules_command.command(
    "load", examples=("crmmail rules load rules.toml", "crmmail rules load rules.toml --replace --dry-run")
)
@click.argument("file", type=click.File("rb"))
@click.option("--replace", is_flag=True, help="Switch off the rules that are not in the file.")
@dry_run_option
@pass_session
def rules_load(session: Session, file: Any, replace: bool, dry_run: bool) -> None:
    """Take rules from a TOML file, all or none (admin); a rule of the same name is changed."""
    words = file.read().decode("utf-8", "replace")
    done = rule_admin.load(session.workspace, words, file.name, replace=replace, dry_run=dry_run)
    for what, names in (("added", done.added), ("changed", done.changed), ("switched off", done.retired)):
        for name in names:
            session.voice.say((f"rule {name}: {what}", Span(REHEARSED if dry_run else "", "dim")))
    for name in [] if dry_run else [*done.added, *done.changed]:
        _warn_of_hook(session, rule_admin.rule(name))
    if not (done.added or done.changed or done.retired):
        session.voice.say(Span("The rules are so already.", "dim"))
