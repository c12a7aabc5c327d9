"""The door: exit codes, one line of error, global options on both sides, a noun alone; with commands made for this."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from crmmail.cli.command import Command, command, noun, verb
from crmmail.cli.main import COMMANDS, HIDDEN, LazyCommands, program
from crmmail.cli.options import RECORD, dry_run_option, ids_argument, json_option, listing_options, yes_option
from crmmail.cli.session import Session, pass_session
from crmmail.cli.voice import Column
from crmmail.errors import ConfigBroken, NotFound

ROOT = Path(__file__).resolve().parents[2]


# --- commands for the tests -----------------------------------------------------------------------------------


@noun("things", examples=("crmmail things",))
def things_command() -> None:
    """Things."""


@things_command.command("list", examples=("crmmail things --json",))
@listing_options
@pass_session
def things_list(session: Session) -> None:
    """All things."""
    rows = [{"id": number, "who": f"{session.db} {session.config} {session.user}"} for number in (1, 2)]
    session.voice.listing(rows, [Column("id"), Column("who")])


@things_command.command("add", examples=("crmmail things add x",))
@click.argument("name")
@yes_option
@dry_run_option
@pass_session
def things_add(session: Session, name: str, yes: bool, dry_run: bool) -> None:
    """Add a thing."""
    session.voice.say(f"{name} {yes} {dry_run} {session.db} {session.user} {session.verbose} {session.voice.color}")


@command("hundred", examples=("crmmail hundred 1 2",))
@ids_argument()
@pass_session
def hundred_command(session: Session, ids: tuple[int, ...]) -> None:
    """Say ids."""
    session.voice.say(str(ids))


@command("maybe", examples=("crmmail maybe",))
@ids_argument(required=False)
@pass_session
def maybe_command(session: Session, ids: tuple[int, ...] | None) -> None:
    """Say ids, if there are."""
    session.voice.say(str(ids))


@verb("make", examples=("crmmail make case",))
def make_command() -> None:
    """Make something."""


@make_command.command("case", examples=("crmmail make case",))
def make_case() -> None:
    """A case."""
    click.echo("made")


@command("summary", examples=("crmmail",))
@json_option
@pass_session
def summary_command(session: Session) -> None:
    """The screenful."""
    session.voice.document({"unread": 0, "as": session.user}, lambda: [f"nothing for {session.user}"])


FAULTS: dict[str, Callable[[], object]] = {
    "hostile": lambda: _raise(NotFound("no user \x1b[2J\u202ebob\nsays: [/]")),
    "broken": lambda: _raise(ConfigBroken("the file is broken")),
    "refused": lambda: _raise(click.BadParameter("no")),
    "system": lambda: os.stat("/nowhere/at all"),
    "bug": lambda: _raise(ZeroDivisionError("division\x1b by\nzero")),
    "stop": lambda: _raise(KeyboardInterrupt()),
    "abort": lambda: _raise(click.Abort()),
    "75": lambda: 75,
    "true": lambda: True,
    "many": lambda: [click.echo("x" * 100) for _ in range(10_000)] and None,
}


def _raise(error: BaseException) -> None:
    raise error


@command("fault", examples=("crmmail fault bug",))
@click.argument("kind", type=click.Choice(list(FAULTS)))
def fault_command(kind: str) -> object:
    """Go wrong."""
    return FAULTS[kind]()


MADE = {
    "things": things_command,
    "hundred": hundred_command,
    "maybe": maybe_command,
    "make": make_command,
    "fault": fault_command,
    "summary": summary_command,
}


def install() -> None:
    """Also called by `started`, in a process of its own."""
    for name, made in MADE.items():
        program.commands[name] = made


@pytest.fixture
def crmmail(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setattr(program, "commands", LazyCommands())
    install()
    return lambda *words, **more: CliRunner().invoke(program, words, **more)


def line_of(*words: str) -> list[str]:
    """The command line of a process that has the commands above."""
    load = (
        f"import importlib.util; s = importlib.util.spec_from_file_location('made', {__file__!r});"
        "m = importlib.util.module_from_spec(s); s.loader.exec_module(m); m.install(); m.program.main()"
    )
    return [sys.executable, "-c", load, *words]


def started(*words: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    return subprocess.run(line_of(*words), capture_output=True, env=environment, stdin=subprocess.DEVNULL)


# --- the table ------------------------------------------------------------------------------------------------


def test_help_shows_every_command_under_its_theme(crmmail: Callable[..., Result]) -> None:
    said = crmmail("--help").output
    at = [said.index(f"\n{theme}:\n") for theme in ("Daily work", "Records", "Keeping house", "Plumbing")]
    assert at == sorted(at)
    for row in COMMANDS.values():
        assert (f"\n  {row.name} " in said) is (row.theme != HIDDEN)
        assert row.help in said or row.theme == HIDDEN
        assert len(row.help) < 60
        assert not row.help.endswith(".")


def test_help_reads_no_command_and_no_database() -> None:
    code = (
        "import sys\nfrom crmmail.cli.main import run\nrun(['--help'])\n"
        "heavy = {'peewee', 'rich', 'jinja2', 'sqlite3', 'crmmail.workspace', 'crmmail.cli.commands.summary'}\n"
        "bad = heavy & set(sys.modules)\n"
        "assert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_a_piped_listing_reads_neither_rich_nor_the_database() -> None:
    code = line_of("things")[2].replace("m.program.main()", "from crmmail.cli.main import run; run(['things'])")
    checked = code + "\nimport sys\nassert not {'rich', 'peewee'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", checked], cwd=ROOT, capture_output=True).returncode == 0


def test_completion_has_the_words_of_the_table() -> None:
    # The one command that is written beside the table; a test of all commands holds the others to it.
    made = LazyCommands()["completion"]
    assert made.get_short_help_str() == COMMANDS["completion"].help
    assert isinstance(made, Command)
    assert made.examples


# --- errors and exits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["inbx"], 2, "crmmail: No such command 'inbx'. Did you mean 'inbox'? See: crmmail --help"),
        (["things", "ad"], 2, "crmmail: No such command 'ad'. Did you mean 'add'? See: crmmail things --help"),
        (
            ["things", "--outpt"],
            2,
            "crmmail: No such option '--outpt'. Did you mean '--output'? See: crmmail things list --help",
        ),
        (["--qqq"], 2, "crmmail: No such option '--qqq'. See: crmmail summary --help"),
        (["--db"], 2, "crmmail: Option '--db' requires an argument. See: crmmail --help"),
        (["things", "--db"], 2, "crmmail: Option '--db' requires an argument. See: crmmail things --help"),
        (["make"], 2, "crmmail: say what: case. See: crmmail make --help"),
        (["make", "x"], 2, "crmmail: No such command 'x'. See: crmmail make --help"),
        (["hundred"], 2, "crmmail: Missing argument 'ID…'. See: crmmail hundred --help"),
        (
            ["hundred", "1", "\x1b[2J"],
            2,
            "crmmail: Invalid value for 'ID…': '\\x1b[2J' is no number: it must be like 101.",
        ),
        (["things", "--fields", "x"], 2, "crmmail: there is no field 'x' here; there are id, who"),
        (["fault", "hostile"], 1, "crmmail: no user �[2J�bob says: [/]"),
        (["fault", "broken"], 1, "crmmail: the file is broken"),
        (["fault", "refused"], 2, "crmmail: Invalid value: no. See: crmmail fault --help"),
        (["fault", "system"], 1, "crmmail: /nowhere/at all: No such file or directory"),
        (["fault", "bug"], 1, "crmmail: something went wrong in crmmail itself: ZeroDivisionError: division� by zero;"),
        (["fault", "stop"], 130, ""),
        (["fault", "abort"], 130, ""),
        (["fault", "75"], 75, ""),
        (["fault", "true"], 0, ""),
    ],
)
def test_an_error_is_one_line_and_a_number(
    crmmail: Callable[..., Result], words: list[str], code: int, said: str
) -> None:
    result = crmmail(*words)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith(said)
    assert result.stderr.count("\n") == bool(said)


def test_the_whole_story_only_with_v(crmmail: Callable[..., Result]) -> None:
    assert "Traceback" not in crmmail("fault", "bug").stderr
    for words in (["-v", "fault", "bug"], ["fault", "bug", "-v"]):
        said = crmmail(*words).stderr
        assert "Traceback" in said
        assert "\x1b" not in said
        assert "run again" not in said


def test_nobody_reads() -> None:
    head = subprocess.Popen(["head", "-1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    many = subprocess.Popen(line_of("fault", "many"), cwd=ROOT, stdout=head.stdin, stderr=subprocess.PIPE)
    assert head.stdin is not None
    head.stdin.close()
    _, said = many.communicate()
    assert head.stdout is not None
    with head.stdout as printed:
        assert printed.read() == b"x" * 100 + b"\n"
    head.wait()
    assert (many.returncode, said) == (141, b"")


def test_a_full_disk_under_stdout_is_said() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    with open("/dev/full", "w") as full:
        done = subprocess.run(line_of("things"), cwd=ROOT, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"crmmail: No space left on device\n")


@pytest.mark.parametrize("redirect", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_change_nothing(redirect: str) -> None:
    done = subprocess.run(["sh", "-c", f'"$@" {redirect}', "sh", *line_of("things")], cwd=ROOT, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_what_was_printed_stands_before_the_error() -> None:
    done = started("hundred", "1")
    assert done.stdout == b"(1,)\n"


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1"}])
def test_output_is_utf8_whatever_the_locale(locale: dict[str, str]) -> None:
    done = started("inbox", "list", "--help", **locale)
    assert "[QUERY]…" in done.stdout.decode()


def test_a_name_of_bytes_that_are_no_utf8_is_printed_harmlessly() -> None:
    done = subprocess.run([*map(os.fsencode, line_of("things", "add")), b"\xff\xfe"], cwd=ROOT, capture_output=True)
    assert done.returncode == 0
    done.stdout.decode()


# --- global options, nouns ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["--db", "D", "--as", "bob", "-v", "--color", "never", "things", "add", "x"],
        ["things", "--db=D", "--as", "bob", "-v", "--color", "never", "add", "x"],
        ["things", "add", "--db", "D", "x", "--as", "bob", "--verbose", "--color=never"],
        "--db other --color always things --as ann add x --as bob --db D -v --color never".split(),
    ],
)  # fmt: skip
def test_global_options_stand_anywhere_and_the_last_wins(crmmail: Callable[..., Result], words: list[str]) -> None:
    assert crmmail(*words).output == "x False False D bob True never\n"


def test_options_of_commands(crmmail: Callable[..., Result]) -> None:
    assert crmmail("things", "add", "x", "-y", "-n").output.startswith("x True True ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["things"], "1\tNone None None\n2\tNone None None\n"),
        (["things", "list"], "1\tNone None None\n2\tNone None None\n"),
        (["--db", "D", "things", "--config", "C"], "1\tD C None\n2\tD C None\n"),
        (["things", "-oids"], "1\n2\n"),
        (["things", "-ocsv", "--fields", "id"], "id\n1\n2\n"),
        (["things", "--header", "--fields=who,id", "--as", "z"], "who\tid\nNone None z\t1\nNone None z\t2\n"),
        (["things", "-o", "jsonl", "--fields", "id"], '{"id": 1}\n{"id": 2}\n'),
        (["things", "--json", "-o", "ids"], "1\n2\n"),
        (["things", "list", "--json", "--fields", "id"], '[\n  {\n    "id": 1\n  },\n  {\n    "id": 2\n  }\n]\n'),
    ],
)
def test_a_noun_alone_lists_with_its_options(crmmail: Callable[..., Result], words: list[str], said: str) -> None:
    assert crmmail(*words).output == said


@pytest.mark.parametrize("words", [[], ["--as", "bob"], ["--as=bob"]])
def test_alone_it_is_the_summary(crmmail: Callable[..., Result], words: list[str]) -> None:
    assert crmmail(*words).output == f"nothing for {'bob' if words else None}\n"
    assert crmmail(*words, "--json", "--fields", "unread").output == '{\n  "unread": 0\n}\n'


def test_help_has_examples_and_the_global_options_apart(crmmail: Callable[..., Result]) -> None:
    said = crmmail("things", "add", "--help").output
    assert said.endswith("\nExamples:\n  crmmail things add x\n")
    assert said.index("\nOptions:") < said.index("-n, --dry-run") < said.index("\nGlobal options:") < said.index("--db")
    assert "alone does this" in crmmail("things", "--help").output
    assert crmmail("--version").output.startswith("crmmail ")


# --- ids, completion, session ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (["1", "#22", "1"], "", "(1, 22)"),
        (["-"], "3\n4 #5\n\n3\n", "(3, 4, 5)"),
        (["9", "-", "8"], "7", "(9, 7, 8)"),
        (["-"], "", "()"),
    ],
)
def test_ids(crmmail: Callable[..., Result], words: list[str], stdin: str, said: str) -> None:
    assert crmmail("hundred", *words, input=stdin).output == said + "\n"


@pytest.mark.parametrize("word", ["0", "-1", "1.5", "x", "٣", "9" * 19, "1\t2", "##1", ""])
def test_what_is_no_id(crmmail: Callable[..., Result], word: str) -> None:
    assert crmmail("hundred", "--", word).exit_code == 2
    if word.split() == [word]:
        assert crmmail("hundred", "-", input=word).exit_code == 2


def test_no_ids_and_no_words_on_stdin_are_two_things(crmmail: Callable[..., Result]) -> None:
    assert crmmail("maybe").output == "None\n"
    assert crmmail("maybe", "-", input="").output == "()\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str) -> None:
    done = started("completion", shell)
    assert done.returncode == 0
    assert b"_CRMMAIL_COMPLETE" in done.stdout
    assert done.stderr == b""


def completed(*words: str) -> list[str]:
    maker = ShellComplete(program, {}, "crmmail", "_CRMMAIL_COMPLETE")
    return [item.value for item in maker.get_completions(list(words[:-1]), words[-1])]


def test_completion_knows_commands_and_never_fails(
    crmmail: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CRMMAIL_DB", str(tmp_path / "none.db"))
    assert completed("in") == ["inbox", "init"]
    assert completed("things", "") == ["list", "add"]
    assert completed("--db", "x", "things", "a") == ["add"]
    assert completed("hundred", "1") == []


def test_completion_of_record_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import ModuleType

    import crmmail.services.desk

    fake = ModuleType("crmmail.services.desk.reading")
    fake.completions = lambda workspace, prefix: [(prefix + "01", "Printer \x1b broken")]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "crmmail.services.desk.reading", fake)
    monkeypatch.setattr(crmmail.services.desk, "reading", fake, raising=False)
    monkeypatch.setattr(Session, "workspace", None)
    context = click.Context(hundred_command)
    (item,) = RECORD.shell_complete(context, hundred_command.params[0], "1")
    assert (item.value, item.help) == ("101", "Printer � broken")


def test_a_session_opens_once_and_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    import crmmail.workspace

    closed = []

    class Fake:
        def __init__(self, choice: object, check: bool) -> None:
            self.choice, self.check, self.troubles = choice, check, list[str]()

        def close(self) -> None:
            closed.append(self)

    monkeypatch.setattr(crmmail.workspace, "Workspace", Fake)
    session = Session()
    session.db, session.user = "D", "bob"
    first = session.workspace
    assert first is session.workspace
    assert (session.choice.db, session.choice.config, session.choice.user) == ("D", None, "bob")
    session.close()
    session.close()
    assert closed == [first]


def test_on_a_real_terminal_a_table_and_no_code_when_told() -> None:
    def on_terminal(**more: str) -> str:
        ours, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "PYTHONPATH": str(ROOT), **more}
        environment = {name: value for name, value in environment.items() if name != "NO_COLOR" or "NO_COLOR" in more}
        done = subprocess.run(line_of("things"), stdout=theirs, stdin=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        assert done.returncode == 0
        try:
            return os.read(ours, 100_000).decode()
        finally:
            os.close(ours)

    assert "1  None None None" in on_terminal()
    assert "1  None None None" in on_terminal(NO_COLOR="1")
    assert "\x1b" not in on_terminal(NO_COLOR="1")
    assert "\x1b" not in on_terminal(TERM="dumb")


def test_no_command_file_is_named_like_a_room() -> None:
    rooms = {"command", "columns", "forms", "line", "main", "options", "pager", "paint", "session", "voice"}
    assert not rooms & {row.module for row in COMMANDS.values()}
