"""`crmmail demo`: the main job on real mail, in a throw-away store, as a person would see it.

Each mail goes through the real MDA, as fetchmail would call it; each screen is what the command beside it prints.
Nothing outside a temporary folder is touched.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click

from crmmail.cli.command import command
from crmmail.cli.line import Span
from crmmail.cli.session import Session, pass_session
from crmmail.errors import CrmmailError

MAILS = Path(__file__).parent / "demo_mails"


class Step(NamedTuple):
    """A sentence, and what is typed: a command line, or (with `mail`) a letter for the MDA."""

    words: str
    line: str
    mail: str = ""


# The numbers are sure: the store is new, and so Ann's case is #1 and Boris's lead #2.
STORY = (
    Step("A shop is set up.", 'init --domain crm.example --user boss:boss@crm.example --name "The Boss"'),
    Step("", "users add agent --email agent@crm.example --notify both"),
    Step("", 'sections add support --name "Support" --email support@crm.example --manager boss'),
    Step("", "aliases add sales@crm.example --kind lead"),
    Step("", "follow --kind lead --types created --who agent"),
    Step("A customer writes to support@: a case.", "", "1-printer.eml"),
    Step("Boris writes to sales@, in Russian: a lead.", "", "2-offer.eml"),
    Step("Ann adds something, and sends it to sales@. It is an answer, so it finds her case.", "", "3-more.eml"),
    Step("A stranger answers her letter. He takes no part: held, and shown to the manager.", "", "4-stranger.eml"),
    Step("Her vacation responder answers: it joins, and changes nothing.", "", "5-vacation.eml"),
    Step("A letter to an address that nobody set up. It is not lost.", "", "6-nobody.eml"),
    Step("The line broke and fetchmail offers the first mail again.", "", "1-printer.eml"),
    Step("The boss's day starts.", "--as boss"),
    Step("", "--as boss inbox"),
    Step("He opens the case, which marks it read.", "--as boss show 1"),
    Step("Why did Ann's second letter go there, though it was written to sales@?", "--as boss why 5"),
    Step("He stars the photo for later, takes the case, and closes it.", "--as boss star 2"),
    Step("", "--as boss take 1"),
    Step("", "--as boss close 1"),
    Step("Too early. Undo.", "--as boss undo"),
    Step("", "--as boss close 1"),
    Step("Ann writes once more, with nothing but the number in the subject: her case opens again.", "", "7-again.eml"),
    Step("", "--as boss show 1 --last 2"),
    Step("The agent had his lead in his inbox, and a copy by mail that waits in the outbox.", "--as agent inbox"),
    Step("", "outbox --as boss"),
    Step("He dismisses everything. A slip; it comes back.", "--as agent done --all"),
    Step("", "--as agent undo"),
    Step("What waits in quarantine, and why.", "--as boss quarantine"),
    Step("", "--as boss quarantine create 2 --kind lead"),
    Step("Is all well?", "--as boss doctor"),
)


@command("demo", examples=("crmmail demo", "crmmail demo --keep ./playground"))
@click.option("--keep", type=click.Path(file_okay=False), metavar="DIR", help="Leave the store there, to play with.")
@pass_session
def demo_command(session: Session, keep: str | None) -> int:
    """A store to play with.

    Sets up a shop, lets letters come in, and shows what the people who work there see.
    """
    with place(keep) as folder:
        environ = surroundings(folder)
        for step in STORY:
            if step.words:
                session.voice.say("")
                session.voice.say(Span(f"# {step.words}", "title"))
            if step.mail:
                deliver(session, step.mail, environ)
            else:
                run(session, step.line, environ)
        session.voice.say("")
        if keep:
            session.voice.say(f"# It is yours: crmmail --db {shlex.quote(str(folder / 'crmmail.db'))} --as boss")
        else:
            session.voice.say("# The store is gone again; `crmmail demo --keep DIR` leaves it there to play with.")
    return 0


@contextmanager
def place(keep: str | None) -> Iterator[Path]:
    """The folder of the demo's store."""
    if keep:
        folder = Path(keep).absolute()
        if (folder / "crmmail.db").exists():
            raise CrmmailError(f"{folder} has a store already: name another folder")
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="crmmail-demo-") as name:
            yield Path(name)


def surroundings(folder: Path) -> dict[str, str]:
    """The environment of the demo's programs: their own store and log, nothing of yours, no pager."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CRMMAIL_")}
    return {
        **own,
        "CRMMAIL_DB": str(folder / "crmmail.db"),
        "CRMMAIL_PAGER": "",
        "XDG_STATE_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }


def run(session: Session, line: str, environ: Mapping[str, str]) -> None:
    """One command line, as typed; its output is what it prints itself."""
    session.voice.say(Span(f"$ crmmail {line}", "dim"))
    sys.stdout.flush()
    done = subprocess.run([sys.executable, "-m", "crmmail", *shlex.split(line)], env=environ, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise CrmmailError(f"the demo stopped: `crmmail {line}` ended with {done.returncode}")


def deliver(session: Session, mail: str, environ: Mapping[str, str]) -> None:
    """One letter through the MDA, as fetchmail would."""
    session.voice.say(Span(f"$ crmmail-mda -v < {mail}", "dim"))
    sys.stdout.flush()
    program = "import sys; from crmmail.mda import main; main(sys.argv[1:])"
    with open(MAILS / mail, "rb") as letter:
        done = subprocess.run([sys.executable, "-c", program, "-v"], stdin=letter, env=environ, stderr=subprocess.PIPE)
    for line in done.stderr.decode("utf-8", "replace").splitlines():
        session.voice.say(line.removeprefix("crmmail-mda: "))
    if done.returncode:
        raise CrmmailError(f"the demo stopped: the MDA answered {done.returncode} to {mail}")
