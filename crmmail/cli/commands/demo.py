"""`crmmail demo`: the main job on real mail, in a throw-away store, as the people of a small shop see it.

Each mail that comes in goes through the real MDA, as fetchmail would call it; each mail that leaves goes over SMTP into
a sink on loopback, where it is read, and answered, as it came.  Each screen is what the command beside it prints on a
terminal.  A step that does not do what the story says ends the demo.  Nothing outside one folder is touched.
"""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import get_terminal_size

import click

from crmmail.cli.command import command
from crmmail.cli.demo_mail import filled, split, text, value
from crmmail.cli.demo_story import REFUSED, STORY, Step
from crmmail.cli.line import Body, Span, broken
from crmmail.cli.session import Session, pass_session
from crmmail.core.text import cells
from crmmail.errors import CrmmailError
from crmmail.server.sink import Received, Sink

MAILS = Path(__file__).parent / "demo_mails"
COMMENT = "# "
STYLED = re.compile("\x1b\\[[0-9;]*m")
NARROWEST = 80  # cells; in a narrower table the words that a step must show may be cut


@command("demo", examples=("crmmail demo", "crmmail demo --keep ./playground"))
@click.option(
    "--keep",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Leave the store there, and the mails that were sent.",
)
@pass_session
def demo_command(session: Session, keep: str | None) -> int:
    """A store to play with.

    Sets up a shop, lets letters come in and go out, and shows what the people who work there, and their customers, see.
    """
    voice = session.voice
    with place(keep) as folder, Sink(folder / "sent", refused=REFUSED) as sink:
        demo = Demo(session, sink, surroundings(session, folder, sink.url))
        for step in STORY:
            demo.play(step)
        demo.finish()
        voice.say("")
        if keep:
            demo.comment(f"It is yours: crmmail --db {shlex.quote(str(folder / 'crmmail.db'))} --as boss")
            demo.comment(f"The mails that were sent: {shlex.quote(str(sink.folder))}")
        else:
            demo.comment("The store is gone again; `crmmail demo --keep DIR` leaves it there to play with.")
    return 0


@contextmanager
def place(keep: str | None) -> Iterator[Path]:
    """The folder of the demo's store and mails."""
    if keep:
        folder = Path(keep).absolute()
        if (folder / "crmmail.db").exists():
            raise CrmmailError(f"{folder} has a store already: name another folder")
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="crmmail-demo-") as name:
            yield Path(name)


def surroundings(session: Session, folder: Path, smtp_url: str) -> dict[str, str]:
    """The environment of the demo's programs: their own store, log and way out, nothing of yours, no pager."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("CRMMAIL_", "XDG_"))}
    plain = {} if session.voice.terminal and session.voice.color != "never" else {"NO_COLOR": "1"}
    return {
        **own,
        **plain,
        "COLUMNS": str(max(get_terminal_size().columns, NARROWEST)),
        "CRMMAIL_DB": str(folder / "crmmail.db"),
        "CRMMAIL_PAGER": "",
        "CRMMAIL_SMTP_URL": smtp_url,
        "XDG_STATE_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }


class Demo:
    """The story while it is played: what came to whom, and what the screens showed."""

    def __init__(self, session: Session, sink: Sink, environ: Mapping[str, str]) -> None:
        self.session, self.sink, self.environ = session, sink, environ
        self.numbers: dict[str, str] = {}  # what steps kept
        self.opened: Counter[str] = Counter()  # mailbox → mails that were read there
        self.letters: dict[str, bytes] = {}  # file → the letter as it was delivered, for its second time

    def play(self, step: Step) -> None:
        """One step; raises CrmmailError where it does not do what the story says."""
        if step.words or step.reads:
            self.session.voice.say("")
        if step.words:
            self.comment(step.words)
        if step.line:
            screen = self.run(step.line.format_map(self.numbers), step.code)
        elif step.mail:
            screen = self.deliver(step.mail, step.answers)
        else:
            screen = self.read(step.reads, step.whole)
        seen = " ".join(STYLED.sub("", screen).split())  # a narrow terminal breaks lines between words
        for words in step.sees:
            if words not in seen:
                raise CrmmailError(f"the demo stopped: {step.line or step.mail or step.reads} shows no {words!r}")
        if step.keeps:
            found = re.search(r"message (\d+)", seen)
            if not found:
                raise CrmmailError(f"the demo stopped: {step.line} shows no number for {step.keeps!r}")
            self.numbers[step.keeps] = found[1]

    def comment(self, words: str) -> None:
        """A sentence for the spectator, on a terminal as wide as that."""
        voice = self.session.voice
        lines = broken(words, voice.width - cells(COMMENT)) if voice.terminal else words
        for line in lines.split("\n"):
            voice.say(Span(f"{COMMENT}{line.strip()}", "title"))

    def finish(self) -> None:
        """Nobody outside got a mail that the story does not show; colleagues hear of more."""
        unread = Counter(mail.recipient for mail in self.sink.mails()) - self.opened
        outside = [address for address in unread if not address.endswith("@crm.example")]
        if outside:
            raise CrmmailError(f"the demo stopped: mail came to {', '.join(outside)} that the story does not tell of")

    def run(self, line: str, code: int) -> str:
        """One command line, as typed; shows and returns what it prints on a terminal."""
        self.session.voice.say(Span(f"$ crmmail {line}", "dim"), whole=True)
        sys.stdout.flush()
        screen, answer = on_a_terminal([sys.executable, "-m", "crmmail", *shlex.split(line)], self.environ)
        sys.stdout.write(screen)
        if answer != code:
            raise CrmmailError(f"the demo stopped: `crmmail {line}` ended with {answer}, not with {code}")
        return screen

    def deliver(self, name: str, answers: str) -> str:
        """One letter through the MDA, as fetchmail would; shows and returns what it says of it."""
        self.session.voice.say(Span(f"$ crmmail-mda -v < {name}", "dim"), whole=True)
        if name not in self.letters:
            answered = self.mailbox(answers)[-1:]
            if answers and not answered:
                raise CrmmailError(f"the demo stopped: no mail came to {answers}")
            self.letters[name] = filled((MAILS / name).read_bytes(), answered)
        program = "import sys; from crmmail.mda import main; main(sys.argv[1:])"
        done = subprocess.run(
            [sys.executable, "-c", program, "-v"], input=self.letters[name], env=self.environ, stderr=subprocess.PIPE
        )
        said = done.stderr.decode("utf-8", "replace").replace("crmmail-mda: ", "")
        self.session.voice.say(Body(said.rstrip("\n")))
        if done.returncode:
            raise CrmmailError(f"the demo stopped: the MDA answered {done.returncode} to {name}")
        return said

    def read(self, address: str, whole: bool) -> str:
        """The next mail in somebody's mailbox, as his mail program shows it."""
        self.session.voice.say(Span(f"The mailbox of {address}:", "dim"))
        came = self.mailbox(address)
        if len(came) <= self.opened[address]:
            raise CrmmailError(f"the demo stopped: {address} has no new mail")
        mail = came[self.opened[address]]
        self.opened[address] += 1
        header, _ = split(mail.data)
        shown = header if whole else "\n".join(f"{name}: {value(header, name)}" for name in ("From", "To", "Subject"))
        words = f"{shown}\n\n{text(mail.data)}"
        self.session.voice.say(Body(words, indent="  │ "))
        return words

    def mailbox(self, address: str) -> list[Received]:
        """What came to somebody, oldest first."""
        return [mail for mail in self.sink.mails() if mail.recipient == address]


def on_a_terminal(words: Sequence[str], environ: Mapping[str, str]) -> tuple[str, int]:
    """Runs a program as at a terminal of its own, so that its screens are a person's also where ours go into a file;
    what it showed, and its exit code."""
    master, slave = pty.openpty()
    with open(master, "rb", buffering=0) as screen:
        program = subprocess.Popen(words, env=environ, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave)
        os.close(slave)
        pieces = []
        try:
            while piece := screen.read(65536):
                pieces.append(piece)
        except OSError:  # EIO: Linux says so when nobody holds the other end any more
            pass
    return b"".join(pieces).decode("utf-8", "replace").replace("\r\n", "\n"), program.wait()
