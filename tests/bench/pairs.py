"""What the benches share: an environment without settings of ours, an installed wheel, programs in turns, tables.

    bin, env = installed(venv), environment(folder)             # refuses an editable install
    make_shop(bin, env)
    costs = take_turns({"nothing": nothing(bin), "ours": Program([...], env)}, make_mails(folder, 50))
    print(table([("", *QUARTILES), ("ratio", *quartiles(ratios(costs["ours"], costs["nothing"])))]))
    print(machine(bin / "python"))

Quote ratios, not times: they hold from machine to machine.  The programs of a round run one right after the other, each
round in another order, so that what else the machine does falls on all of them.
"""

from __future__ import annotations

import contextlib
import os
import platform
import random
import re
import sqlite3
import statistics
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from measure import Cost, measured  # noqa: E402 (the folder above)

MAKER = TESTS.parents[1] / "shared" / "bench" / "make_mails.py"
ALIASES = "sales info billing leads projects crm"  # those of the mail maker; support is the section's
SHOP = (
    "init --domain crm.example --user boss:boss@crm.example",
    "sections add support --name Support --email support@crm.example --manager boss",
    *(f"aliases add {alias}@crm.example --kind lead" for alias in ALIASES.split()),
)
WARMING = 3  # rounds
QUARTILES = ("quartile", "median", "quartile")

READING = """
import sys
import click, peewee
from rich.console import Console
from rich.table import Table
rows = peewee.SqliteDatabase(sys.argv[1]).execute_sql(
    "SELECT id, from_address, subject, date FROM crm_message ORDER BY id DESC LIMIT 50"
)
table = Table(box=None)
for name in ("number", "from", "subject", "date"):
    table.add_column(name)
for row in rows:
    table.add_row(*map(str, row))
Console().print(table)
"""

Row = Sequence[str | float]


def environment(folder: Path) -> dict[str, str]:
    """An environment without what would slow Python down or send the mail elsewhere; its store is in `folder`."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "CRMMAIL_", "XDG_"))}
    limits = {"CRMMAIL_LOOP_NEW_RECORDS": "0", "CRMMAIL_LOOP_MESSAGES": "0"}
    return {**own, **limits, "HOME": str(folder), "CRMMAIL_DB": str(folder / "crmmail.db"), "CRMMAIL_USER": "boss"}


def installed(venv: Path) -> Path:
    """The programs of a virtual environment.  It must have our wheel in it, for an editable install is slower."""
    bin = venv.absolute() / "bin"
    where = "import crmmail.errors, sys; print(crmmail.errors.__file__); print(sys.prefix)"
    said = subprocess.run([bin / "python", "-I", "-c", where], capture_output=True, text=True, cwd="/")
    if said.returncode != 0:
        sys.exit(f"no crmmail in {venv}: {said.stderr.strip()}")
    file, prefix = said.stdout.splitlines()
    if not Path(file).is_relative_to(prefix):
        sys.exit(f"crmmail is installed from {file}, not from its wheel")
    return bin


def make_shop(bin: Path, env: Mapping[str, str], lines: Iterable[str] = SHOP) -> None:
    for line in lines:
        subprocess.run([bin / "crmmail", *line.split()], env=env, check=True, stdout=subprocess.DEVNULL)


def make_mails(folder: Path, count: int) -> list[Path]:
    """`count` mails of 3 KB, 30 % new and 70 % replies, in the order in which they come.

    They come from ../shared/bench/make_mails.py where it is there, else they are made here.
    """
    out = folder / "mails"
    out.mkdir()
    if MAKER.exists():
        maker = [sys.executable, str(MAKER), str(count), str(out), "--profile", "text"]
        subprocess.run(maker, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    else:
        chance = random.Random(1)
        for number in range(count):
            thread = number if number < 3 or chance.random() < 0.3 else chance.randrange(number)
            answers = f"In-Reply-To: <{thread}@customer.example>\n" if thread != number else ""
            words = "".join(f"> line {line} of what was written before, and some more words\n" for line in range(40))
            (out / f"{number:06}.eml").write_text(
                f"From: Ann <ann@customer.example>\nTo: support@crm.example\nSubject: Mail {number}\n"
                f"Message-ID: <{number}@customer.example>\n{answers}Date: Tue, 24 Nov 2026 10:00:00 +0000\n"
                f"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nHello,\n\n{words}\n-- \nAnn\n"
            )
    return sorted(out.glob("*.eml"))


def mean_size(mails: Sequence[Path]) -> float:
    """Bytes."""
    return statistics.mean(mail.stat().st_size for mail in mails)


# -- programs that take turns ------------------------------------------------------------------------------------------


class Program(NamedTuple):
    """What is started, and in which environment."""

    command: Sequence[str]
    env: Mapping[str, str]
    terminal: bool = False  # its standard output is one, not /dev/null


def take_turns(programs: Mapping[str, Program], inputs: Sequence[Path]) -> dict[str, list[Cost]]:
    """What each program takes as a whole process, from its start to its end, for every input; each must say 0.

    The first three rounds write byte code and warm the caches; they are not counted.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in programs}
    for number, stdin in enumerate(inputs):
        for name in rotated(list(programs), number):
            program = programs[name]
            run = measured_on_terminal if program.terminal else measured
            cost = run(program.command, stdin, program.env)
            if cost.status != 0:
                sys.exit(f"{name} with {stdin.name}: exit {cost.status}: {cost.said.strip()}")
            if number >= WARMING:
                costs[name].append(cost)
    return costs


def nothing(bin: Path) -> Program:
    """`python -c pass`, what every other program is compared with."""
    return Program([str(bin / "python"), "-c", "pass"], environment(bin))


def reading(bin: Path, store: Path, terminal: bool) -> Program:
    """What a listing takes at least that is made with our libraries: it imports them, asks for 50 rows, prints them."""
    return Program([str(bin / "python"), "-c", READING, str(store)], environment(bin), terminal)


def measured_on_terminal(command: Sequence[str], stdin: Path, env: Mapping[str, str]) -> Cost:
    """The same as `measured`, but standard output is a terminal of 120 columns that reads at once what is written."""
    ours, its = os.openpty()
    termios.tcsetwinsize(its, (70, 120))  # 50 rows fit on the screen, so nothing is handed to a pager
    files = [(os.POSIX_SPAWN_OPEN, 0, str(stdin), os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, its, 1)]
    start = time.perf_counter()
    process = os.posix_spawn(command[0], command, {**env, "TERM": "xterm-256color"}, file_actions=files)
    os.close(its)
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while os.read(ours, 1 << 16):
            pass
    _, status, usage = os.wait4(process, 0)
    taken = time.perf_counter() - start
    os.close(ours)
    peak = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return Cost(os.waitstatus_to_exitcode(status), peak, usage.ru_utime + usage.ru_stime, taken, "")


def rotated(names: list[str], by: int) -> list[str]:
    """The names in another order each time: nobody always comes first, or always after the same one."""
    by %= len(names)
    return names[by:] + names[:by]


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratios(ours: Sequence[Cost], theirs: Sequence[Cost]) -> list[float]:
    """Of the wall clock, pair by pair."""
    return [one.seconds / other.seconds for one, other in zip(ours, theirs, strict=True)]


def processor_ratios(ours: Sequence[Cost], theirs: Sequence[Cost]) -> list[float]:
    """The same by processor time: on a machine that has other work it moves less."""
    return [one.processor / other.processor for one, other in zip(ours, theirs, strict=True)]


def family(leader: int) -> dict[int, list[str]]:
    """A process and all that came of it, as far as they live: the fields of each in /proc behind its name (proc(5))."""
    there = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            there[int(path.parent.name)] = path.read_text().rpartition(")")[2].split()
    found, new = {}, [leader]
    while new:
        found |= {one: there[one] for one in new if one in there}
        new = [one for one, fields in there.items() if int(fields[1]) in new]
    return found


def processor_time(leader: int) -> float:
    """Seconds that a process and all that came of it have taken so far, user and system, also those that have ended."""
    ticks = sum(int(field) for fields in family(leader).values() for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def everything_arrived(store: Path, count: int) -> str:
    """Where `count` mails are in the store.  A fast delivery that loses mail is none: then the program ends."""
    database = sqlite3.connect(store)
    (messages,) = database.execute("SELECT count(*) FROM crm_message WHERE kind = 'email_in'").fetchone()
    (records,) = database.execute("SELECT count(*) FROM crm_thread").fetchone()
    (held,) = database.execute("SELECT count(*) FROM crm_quarantine").fetchone()
    database.close()
    if messages + held != count:
        sys.exit(f"{count} mails were delivered, and {messages} messages and {held} in quarantine are there")
    return f"{messages:,} messages in {records:,} records, {held} in quarantine"


# -- what is said ------------------------------------------------------------------------------------------------------


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return low, middle, high


def table(rows: Sequence[Row]) -> str:
    """Markdown, ready for docs/benchmarks.md; the first row is the head."""
    head, *body = [[figure(cell) for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figure(cell: str | float) -> str:
    """Three figures are more than such a measurement knows: 0.93, 6.4, 21, 1,480."""
    if isinstance(cell, str):
        return cell
    return f"{cell:.2f}" if cell < 2 else f"{cell:.1f}" if cell < 20 else f"{cell:,.0f}"


def machine(python: str | Path) -> str:
    """Cores, system, versions: what belongs beside every figure."""
    ask = "import sys, sqlite3; print(sys.version.split()[0], sqlite3.sqlite_version)"
    version, library = subprocess.run([python, "-I", "-c", ask], capture_output=True, text=True).stdout.split()
    return f"{os.cpu_count()} cores, {_system()}, {platform.machine()}, CPython {version}, SQLite {library}"


def version(name: str, command: Sequence[str | Path]) -> str:
    """`notmuch 0.37`, from what the command says of itself."""
    said = subprocess.run(command, capture_output=True, text=True).stdout
    found = re.search(r"[0-9]+\.[0-9.]*[0-9]", said)
    return f"{name} {found[0]}" if found else name


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform()
