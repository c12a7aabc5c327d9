"""`crmmail demo`: the main job on real mail, in a throw-away store, as the people of a small shop see it.

Each mail that comes in goes through the real MDA, as fetchmail would call it; each mail that leaves goes over SMTP into
a sink on loopback, where it is read, and answered, as it came.  Each screen is what the command beside it prints on a
terminal.  A step that does not do what the story says ends the demo.  Nothing outside one folder is touched.
"""

from __future__ import annotations

import os
import pty
import quopri
import re
import shlex
import subprocess
import sys
import tempfile
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from shutil import get_terminal_size

import click

from crmmail.cli.command import command
from crmmail.cli.line import Body, Span, broken
from crmmail.cli.session import Session, pass_session
from crmmail.core.text import cells
from crmmail.core.typed import NamedTuple
from crmmail.errors import CrmmailError
from crmmail.server.sink import Received, Sink

MAILS = Path(__file__).parent / "demo_mails"
ANN, AGENT, OLGA = "ann@customer.example", "agent@crm.example", "olga@crm.example"
MAKER, GONE = "service@maker.example", "info@maker.example"
REFUSED = {GONE: "550 5.1.1 info: no such mailbox here"}
COMMENT = "# "
STYLED = re.compile("\x1b\\[[0-9;]*m")
NARROWEST = 80  # cells; in a narrower table the words that a step must show may be cut


class Step(NamedTuple):
    """What is done, and what must be seen then.  One of `line`, `mail` and `reads` is set."""

    words: str  # a sentence for the spectator
    line: str = ""  # a command line; {name} in it is a number that `keeps` kept
    mail: str = ""  # a letter of `demo_mails` for the MDA
    answers: str = ""  # whose newest mail that letter answers, or sends back
    reads: str = ""  # whose mailbox is looked into: the next mail must be there
    whole: bool = False  # with its whole header
    sees: Sequence[str] = ()  # what must stand on the screen
    code: int = 0  # what the command must exit with
    keeps: str = ""  # a name for the number of the first message on this screen, as a person would copy it


# The numbers of records are sure: the store is new, and so Ann's case is #1 and Boris's lead #2.
STORY = (
    Step(
        "A shop is set up, with a catchall mailbox: so answers come back to addresses that prove whose they are.",
        line='init --domain crm.example --user boss:boss@crm.example --name "The Boss" --catchall crm@crm.example',
    ),
    Step(
        "The agent lives in his mail program; Olga reads Russian.",
        line=f'users add agent --name "An Agent" --email {AGENT} --notify email',
    ),
    Step("", line=f'users add olga --name "Ольга" --email {OLGA} --lang ru --notify both'),
    Step("", line='sections add support --name "Support" --email support@crm.example --manager agent'),
    Step("", line="aliases add sales@crm.example --kind lead"),
    Step("", line="follow --kind lead --types created --who olga"),
    Step("", line="follow --kind case --types created --who boss"),
    # A letter comes, and is answered by mail.
    Step("A customer writes to support@: a case.", mail="1-printer.eml", sees=["stored #1 (new)"]),
    Step("The agent is told by mail. It leaves with the next tick, which cron calls each minute.", line="tick"),
    Step("", reads=AGENT, sees=["[1] The printer is on fire", "smokes since an hour"]),
    Step(
        "He presses Reply in his mail program. The address that he writes to proves that it is he.",
        mail="2-answer.eml",
        answers=AGENT,
        sees=["stored #1", "user proven", "goes on to ann@customer.example"],
    ),
    Step("", line="tick"),
    Step(
        "The customer gets his words as a letter from him. This is its whole header.",
        reads=ANN,
        whole=True,
        sees=[
            "From: An Agent <agent@crm.example>",
            "Reply-To: support+",
            "References: <first.1@customer.example>",
            "Pull the plug",
        ],
    ),
    Step(
        "Both are in the case, and it is done.",
        line="--as boss show 1",
        sees=["case · done", "Pull the plug"],
        keeps="photo",
    ),
    # She answers, and is answered from the terminal.
    Step(
        "She answers under another subject, and to sales@. Her program names his letter, so it finds her case and "
        "opens it again.",
        mail="3-again.eml",
        answers=ANN,
        sees=["stored #1: an answer"],
    ),
    Step("The boss's day begins.", line="--as boss", sees=["#1 The printer is on fire · open"], keeps="second"),
    Step(
        "Why is that in her case, and no new lead?",
        line="--as boss why {second}",
        sees=["an answer"],
    ),
    Step("The agent is told again.", line="tick"),
    Step("", reads=AGENT, sees=["[1] Still smoking!", "still smokes"]),
    Step(
        "This time his answer begins with #note: it stays inside.",
        mail="4-note.eml",
        answers=AGENT,
        sees=["stored #1", "user proven"],
    ),
    Step("The boss reads both.", line="--as boss show 1 --last 3", sees=["case · open", "third one of this series"]),
    Step(
        "He answers her from the terminal, and closes the case. His letter leaves at once.",
        line='--as boss reply 1 -m "Dear Ann, leave the room. We are coming **today**." --then close',
        sees=[f"sent to {ANN}", "open → done"],
    ),
    Step("", reads=ANN, sees=["From: The Boss <boss@crm.example>", "Subject: Re: Still smoking!", "leave the room"]),
    Step(
        "Her vacation responder answers him. It joins the case, and does not open it.",
        mail="6-vacation.eml",
        answers=ANN,
        sees=["stored #1: an answer", "machine mail"],
    ),
    Step(
        "What the boss tells the agent, she does not read.",
        line='--as boss note 1 --to agent -m "Take the extinguisher with you."',
        sees=["agent told"],
    ),
    Step("The agent was also told of the answer; now of this.", line="tick"),
    Step("", reads=AGENT, sees=["leave the room"]),
    Step("", reads=AGENT, sees=["extinguisher", "stays inside"]),
    # What does not arrive.
    Step(
        "The boss passes her photo on to the maker of the printer, whose server knows no such address.",
        line=f'--as boss forward {{photo}} --to {GONE} -m "Is this normal?"',
        code=1,
        sees=["no such mailbox here"],
    ),
    Step("", line="--as boss outbox", sees=["failed", "550 5.1.1"]),
    Step(
        "Another address of theirs takes it …",
        line=f'--as boss forward {{photo}} --to {MAKER} -m "Is this normal?"',
        sees=[f"sent to {MAKER}"],
    ),
    Step("", reads=MAKER, sees=["Is this normal?", "smokes since an hour"]),
    Step(
        "… and sends it back an hour later. The report finds the letter of which it speaks.",
        mail="8-bounce.eml",
        answers=MAKER,
        sees=["stored #1"],
    ),
    Step("Two red envelopes for the boss.", line="--as boss inbox", sees=["✉! not delivered", "✉! came back"]),
    Step("", line="--as boss show 1 --last 3", sees=["the mailbox is full"]),
    # The rest of a mail day.
    Step("Boris writes to sales@, in Russian: a lead.", mail="7-offer.eml", sees=["stored #2 (new)"]),
    Step("", line="tick"),
    Step("Olga is told in her language.", reads=OLGA, sees=["[2] Нужны десять принтеров"]),
    Step(
        "A stranger answers Ann's letter. He takes no part: held, and put before the agent, who manages the section.",
        mail="5-stranger.eml",
        sees=["unconfirmed"],
    ),
    Step("", line="--as agent inbox", sees=["Mallory", "held: unconfirmed"]),
    Step("He dismisses everything. A slip; it comes back.", line="--as agent done --all", sees=["dismissed"]),
    Step("", line="--as agent undo", sees=["undone"]),
    Step("A letter to an address that nobody set up. It is not lost.", mail="9-nobody.eml", sees=["quarantined"]),
    Step("The line broke, and fetchmail offers the first mail again.", mail="1-printer.eml", sees=["duplicate #1"]),
    Step("What waits in quarantine.", line="--as boss quarantine", sees=["no-route", "unconfirmed"]),
    # What happens by itself.
    Step(
        "A rule: a lead that nobody has taken for a day is Olga's.",
        line='--as boss rules add "Nobody took it" --kind lead --responsible nobody --trigger created --delay 1d '
        "--set-responsible olga --remind responsible",
        sees=["rule 1 Nobody took it"],
    ),
    Step(
        "In two days it would do this, and cron's tick does it then. Now nothing is changed.",
        line="--as boss rules run --dry-run --at +2d",
        sees=["#2", "responsible olga, responsible reminded"],
    ),
    Step("Why not now?", line="--as boss rules explain 2", sees=["not yet"]),
    Step("The numbers of the day.", line="--as boss stats --by section,state", sees=["support"]),
    Step("Is all well?", line="--as boss doctor"),
)


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


# --- the mail program of the demo's people: enough to read what crmmail writes, and to answer it ---------------------


def split(raw: bytes) -> tuple[str, str]:
    """A mail, or a part of one: its header as it stands there, and its body."""
    header, _, body = raw.decode("ascii").replace("\r\n", "\n").partition("\n\n")
    return header, body


def field(header: str, name: str) -> str:
    """A header's value in one line, still encoded; "" where it is missing."""
    unfolded = re.sub(r"\n[ \t]+", " ", header)
    return next((line[len(name) + 2 :] for line in unfolded.split("\n") if line.startswith(f"{name}: ")), "")


def value(header: str, name: str) -> str:
    """A header's value as it is read."""
    joined = re.sub(r"\?=\s+=\?utf-8\?q\?", "", field(header, name))
    return re.sub(r"=\?utf-8\?q\?(.*?)\?=", lambda word: quopri.decodestring(word[1], header=True).decode(), joined)


def text(raw: bytes) -> str:
    """The words of a mail; of a multipart its first part's."""
    header, body = split(raw)
    if cut := re.search(r'boundary="([^"]+)"', field(header, "Content-Type")):
        return text(body.split(f"--{cut[1]}")[1].lstrip("\n").encode())
    encoding = field(header, "Content-Transfer-Encoding")
    data = body.encode()
    if encoding == "quoted-printable":
        data = quopri.decodestring(data)
    elif encoding == "base64":
        data = b64decode(data)
    return data.decode().replace("\r\n", "\n").strip("\n")


def filled(letter: bytes, answered: Sequence[Received]) -> bytes:
    """A letter of `demo_mails` as it is sent: today, and where it answers a mail, with what that mail says."""
    values = {"date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")}
    for mail in answered:
        header, _ = split(mail.data)
        quoted = [f"> {line}".rstrip() for line in text(mail.data).split("\n")]
        values |= {
            "subject": field(header, "Subject"),
            "message_id": field(header, "Message-ID"),
            "references": f"{field(header, 'References')} {field(header, 'Message-ID')}".lstrip(),
            "reply_to": field(header, "Reply-To") or field(header, "From"),
            "quote": "\n".join([f"{value(header, 'From')} wrote:", *quoted]),
            "header": header,
            "recipient": mail.recipient,
            "return_path": mail.sender,
        }
    for name, words in values.items():
        letter = letter.replace(f"{{{name}}}".encode(), words.encode())
    return letter
