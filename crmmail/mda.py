"""The door for fetchmail and MTAs: one mail on standard input, and one of two answers.

    crmmail-mda [--sender=%F] [--recipient=%T] [-s SECTION] [--db FILE] [--config FILE] [--mailbox ADDRESS] [-v]

    0    it is ours now: committed to disk as a message, a duplicate, or in quarantine
    75   keep it and offer it again: no store, a locked one, a full disk, a broken setting, an empty mail

There is no third: any other status makes fetchmail offer the mail again for ever, and Postfix bounce it to its sender.
Standard input is read to its end before anything else, also when the answer will be 75: fetchmail aborts the whole
poll when an MDA leaves the pipe early.  Silent when all is well; -v explains.

The flags of the OpenERP 5 gateway work unchanged, glued or apart (`-u3 -padmin -ssupport -esupport@mycompany.com`):
-u user, -p password, -s section by id or code, -e reply address, -m address told in case of trouble, -d store.
A password on a command line is visible to every local user; this store needs none, so it is ignored.

Where `crmmail serve` runs, `crmmail.handover` has given the mail away before this file is loaded.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # `handover` says why
import os
import time
from collections.abc import Iterable, Sequence

from crmmail import handover, log
from crmmail.config import log_file
from crmmail.core import address as addresses
from crmmail.core.known import Envelope
from crmmail.core.typed import NamedTuple
from crmmail.errors import CrmmailError, UsageError
from crmmail.handover import Beginning, say
from crmmail.services.incoming.deliver import deliver
from crmmail.services.incoming.judge import Outcome
from crmmail.services.shared import failing
from crmmail.spool import Spool
from crmmail.workspace import Choice, Workspace

OK, LATER = 0, 75
SAID = "crmmail-mda: "
MDA, SERVE = "mda", "serve"  # whose process took a mail, in the log
MARKING = 20  # seconds in which a failure is to be written down

PASSWORD_SEEN = "a password on the mda line (-p) is visible to every local user; take it away"


class Options(NamedTuple):
    choice: Choice
    envelope: Envelope
    user: str  # -u
    password: bool  # -p was given
    verbose: bool
    way: str = ""  # by which a server took it: mda or lmtp; "": there was none


def main(argv: list[str], begun: Beginning | None = None) -> int:
    """Delivers the mail on standard input and ends the process.

    `os._exit` after the commit: nothing that goes wrong in tearing down the interpreter can turn 0 into something
    else, and it saves a dozen milliseconds a mail.

    Args:
        begun: what was read of the mail already, and offered to a server that did not take it.
    """
    begun = begun or handover.begin()
    waited = time.monotonic() - begun.when
    status, lines = run(argv, read_on(begun), waited=waited)
    for line in lines:
        say(line)
    os._exit(status)


def read_on(begun: Beginning) -> Spool:
    """All of standard input."""
    letter = Spool(begun.mail)
    while not begun.ended:
        piece = handover.read_some(1 << 20)
        begun.ended = not piece
        letter.write(piece)
    return letter


def run(argv: list[str], letter: bytes | Spool, *, waited: float = 0) -> tuple[int, list[str]]:
    """The answer to one mail, and the lines for standard error.

    Args:
        waited: seconds that a server was given for it, which count as part of its time.
    """
    outcomes: list[Outcome] = []
    choice = Choice()
    try:
        options = understand(argv)
        choice = options.choice
        with Workspace(choice) as workspace:
            # The default action: death by a signal means "later".
            signal.alarm(time_left(workspace.config.delivery_deadline, waited))
            outcomes = deliver(workspace, letter, options.envelope)
            signal.alarm(0)
            note(workspace, [(options, outcomes)])
    except CrmmailError as error:
        mark(choice, error)
        return LATER, [complaint(str(error))]
    except Exception as error:  # a bug outside the judging
        if not outcomes:  # the mail is not ours yet, so it must come again; once it is, nothing changes that
            mark(choice, error)
            return LATER, [complaint(f"something went wrong in crmmail itself: {type(error).__name__}: {error}")]
    return OK, explain(outcomes) if options.verbose else []


def time_left(deadline: int, waited: float) -> int:
    """Seconds for judging a mail; 0: no limit.

    At least half of what is set: a server that hangs must not stop all mail.
    """
    return max(deadline - int(waited), (deadline + 1) // 2)


def understand(argv: list[str]) -> Options:
    """The command line.  What it cannot be is "later": a wrong line in fetchmailrc must lose no mail."""
    try:
        said = handover.options(argv)
    except ValueError as error:
        raise UsageError(str(error)) from None
    section = said.get("-s", said.get("--section"))
    return Options(
        Choice(db=said.get("-d") or said.get("--db"), config=said.get("--config")),
        envelope(
            recipients=parted(said.get("--recipient", "")),
            sender=said.get("--sender"),
            section=section,
            mailbox=said.get("--mailbox", ""),
            reply_address=said.get("-e", ""),
            keep_original="--no-keep-original" not in said,
        ),
        said.get("-u", ""),
        "-p" in said,
        "-v" in said or "--verbose" in said,
    )


def parted(recipients: str) -> list[str]:
    """The recipients as a command line names them: with blanks or commas between them."""
    return recipients.replace(",", " ").split()


def envelope(
    *,
    recipients: Iterable[str] = (),
    sender: str | None = None,
    section: str | None = None,
    mailbox: str = "",
    reply_address: str = "",
    keep_original: bool = True,
) -> Envelope:
    """What the transport told, as it was typed; what is no address, and bytes that are no text, count as not told."""
    named = (addresses.canonical(one.strip("<>")) for one in recipients)
    code = section.encode("utf-8", "replace").decode().strip() if section else ""
    return Envelope(
        recipients=tuple(found for found in named if found),
        section=code or None,
        null_sender=sender is not None and not sender.strip("<> "),
        mailbox=addresses.canonical(mailbox.strip("<>")),
        reply_address=addresses.canonical(reply_address),
        keep_original=keep_original,
    )


def note(workspace: Workspace, taken: Sequence[tuple[Options, list[Outcome]]]) -> None:
    """Deliveries succeed again, and each has a line in the log; what goes wrong here changes nothing, they are
    committed."""
    try:
        failing.over(workspace)
        path, now = log_file(workspace.config, workspace.environ), workspace.now()
        door = MDA
        lines: list[str] = []
        for options, outcomes in taken:
            door = SERVE if options.way else MDA
            if options.password:
                log.once(
                    path, now, door, "a password on the mda line (-p) is visible to every local user; take it away"
                )
            if options.user and not workspace.knows_user(options.user):
                log.once(path, now, door, f"-u{options.user} fits no user; it changes nothing")
            for line in explain(outcomes)[:1]:
                lines.append(f"{options.way}: {line.removeprefix(SAID)}" if options.way else line)
        log.write(path, now, door, *lines)
    except Exception:
        pass


def mark(choice: Choice, error: Exception) -> None:
    """Writes down that deliveries fail, for `crmmail doctor`; whatever goes wrong here, the answer is "later"."""
    try:
        signal.alarm(MARKING)
        failing.note(choice, os.environ, error)
    except Exception:
        pass
    signal.alarm(0)


def explain(outcomes: list[Outcome]) -> list[str]:
    """What was done with the mail and why, a line each (F399)."""
    lines = []
    for one in outcomes:
        where = f" #{one.record}" if one.record else f" {one.quarantine}" if one.quarantine else ""
        made = " (new)" if one.created else ""
        lines.append(f"{SAID}{one.outcome}{where}{made}: {one.sentence} [{one.reason}]")
        lines += [f"{SAID}  {piece}" for piece in one.evidence]
    return lines


def complaint(sentence: str) -> str:
    return f"{SAID}{sentence[:500]}; the mail stays where it is"
