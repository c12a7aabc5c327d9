"""LMTP (RFC 2033), for mail servers and for fetchmail's `lmtp`: 250 means that the mail is committed.

After the text of a mail there is one other answer, and that is none: the connection ends.  fetchmail takes whatever
else is said there, a 451 too, for a refusal, returns the mail to its sender and deletes it; an ended connection makes
fetchmail and every mail server keep it.  Whether the store could take a mail is asked before its recipient is
accepted, where a 451 keeps it.

One mail to several recipients is delivered once, with all of them, and all of them hear the same.  Nobody is refused
for what he is: that is for the routing to say, and what it cannot place goes to quarantine.  There is no login, so the
socket is for the machine itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from crmmail import mda
from crmmail.core.text import one_line
from crmmail.errors import CrmmailError
from crmmail.server.connection import Connection
from crmmail.server.dots import Text
from crmmail.server.queue import Queue, Verdict
from crmmail.services.incoming.judge import Outcome
from crmmail.spool import Spool
from crmmail.workspace import Choice

NAME = "crmmail"
LONGEST = 4096  # bytes of a command; RFC 5321 asks for 512, and its extensions for some hundred more
LONGEST_REPLY = 400  # characters of a reason; RFC 5321 allows 512 bytes
RECIPIENTS = 100  # RFC 5321 §4.5.3.1.8: a client sends the others in another transaction
MISTAKES = 20  # commands that are none, after which we hang up
HELD = 1 << 20  # bytes of a mail held in memory while it comes
PATH = r'<((?:"(?:[^"\\]|\\.)*"|[^">])*)>'  # RFC 5321 §4.1.2; a quoted local part may hold anything
FROM = re.compile(rf"FROM: *{PATH} *(.*)", re.IGNORECASE)
TO = re.compile(rf"TO: *{PATH} *(.*)", re.IGNORECASE)
SIZE = re.compile(r"\bSIZE=(\d{1,18})(?: |$)", re.IGNORECASE)
# `SIZE` without a number: whatever comes is kept, that over the limit whole in quarantine.
EXTENSIONS = ("PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8", "SIZE")


class Lmtp(Connection):
    """One client."""

    def __init__(self, queue: Queue, others: set[Connection], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(queue, others, loop)
        self._has_greeted = False
        self._sender: str | None = None  # None: no MAIL yet; "": the null path
        self._size = 0  # bytes, as MAIL said; 0: it did not
        self._recipients: list[str] = []
        self._asked_for = ""  # the recipient for whom the queue is asked
        self._text: Text | None = None  # while the mail itself comes
        self._letter = Spool()
        self._skips = False  # the rest of a command that is too long
        self._mistakes = 0

    def greeted(self) -> None:
        self._reply(f"220 {NAME} LMTP")

    def turned_away(self) -> None:
        self._reply("421 4.3.2 too many connections: try again")

    def step(self) -> bool:
        if self._text is not None:
            return self._take_text(self._text)
        line, end, behind = self.buffer.partition(b"\n")
        if len(line) > LONGEST:
            self._skips = True
        if not end:
            self.buffer = b"" if self._skips else self.buffer
            return False
        self.buffer = behind
        if self._skips:
            self._skips = False
            self._mistake("500 5.5.6 that line is too long")
        else:
            self._take_command(line.decode("utf-8", "replace").rstrip("\r "))
        return True

    def _take_command(self, line: str) -> None:
        verb, _, words = line.partition(" ")
        act = COMMANDS.get(verb.upper())
        if act is None:
            self._mistake("500 5.5.2 no such command")
        elif verb.upper() in MAILING and not self._has_greeted:
            self._mistake("503 5.5.1 say LHLO first")
        else:
            act(self, words.strip())

    # -- commands -----------------------------------------------------------------------------------------------------

    def _lhlo(self, words: str) -> None:
        if not words:
            self._mistake("501 5.5.4 say LHLO and your name")
            return
        self._has_greeted = True
        self._forget()
        for line in (NAME, *EXTENSIONS[:-1]):
            self._reply(f"250-{line}")
        self._reply(f"250 {EXTENSIONS[-1]}")

    def _helo(self, _words: str) -> None:
        self._mistake("500 5.5.1 this is LMTP: say LHLO")

    def _mail(self, words: str) -> None:
        found = FROM.fullmatch(words)
        if self._sender is not None:
            self._mistake("503 5.5.1 there is a sender already")
        elif found is None:
            self._mistake("501 5.5.4 say MAIL FROM:<address>")
        else:
            # Of what else may stand there nothing changes what we do, so nothing is refused.
            size = SIZE.search(found[2])
            self._sender, self._size = found[1], int(size[1]) if size else 0
            self._reply("250 2.1.0 OK")

    def _rcpt(self, words: str) -> None:
        found = TO.fullmatch(words)
        if self._sender is None:
            self._mistake("503 5.5.1 say MAIL first")
        elif found is None or not found[1]:
            self._mistake("501 5.1.3 say RCPT TO:<address>")
        elif len(self._recipients) >= RECIPIENTS:
            self._reply("452 4.5.3 too many recipients: send the others another time")
        elif self._recipients:
            self._accept(found[1])
        else:
            self._asked_for = found[1]
            self.reserve(self._size)

    def reserved(self, trouble: str) -> None:
        if trouble:
            self._reply(f"451 4.3.0 {one_line(trouble)[:LONGEST_REPLY]}")
        else:
            self._accept(self._asked_for)

    def _accept(self, recipient: str) -> None:
        self._recipients.append(recipient.rpartition(":")[2] if recipient.startswith("@") else recipient)
        self._reply("250 2.1.5 OK")

    def _data(self, _words: str) -> None:
        if not self._recipients:
            self._mistake("503 5.5.1 no recipient is accepted yet")
        else:
            self._text, self._letter = Text(), Spool(held=HELD)
            self._reply("354 end the mail with a dot on a line of its own")

    def _rset(self, _words: str) -> None:
        self._forget()
        self._reply("250 2.0.0 OK")

    def _noop(self, _words: str) -> None:
        self._reply("250 2.0.0 OK")

    def _vrfy(self, _words: str) -> None:
        self._reply("252 2.5.2 send a mail and see")

    def _quit(self, _words: str) -> None:
        self._reply("221 2.0.0 bye")
        self.close()

    # -- the mail -----------------------------------------------------------------------------------------------------

    def _take_text(self, text: Text) -> bool:
        piece, behind = text.feed(self.buffer)
        self._letter.write(piece)
        self.buffer = behind or b""
        if behind is None:
            return False
        self._text = None
        if not self._letter.size:  # its end came, so this is all there is of it; the MDA's empty mail is half a mail
            self._letter.write(b"\r\n")
        envelope = mda.envelope(recipients=self._recipients, sender=self._sender)
        options = mda.Options(Choice(), envelope, user="", password=False, verbose=False, way="lmtp")
        self.hand_over(self._letter, options)
        return True

    def judged(self, verdict: Verdict) -> None:
        if isinstance(verdict, CrmmailError):
            self.close()
            return
        words = fate(verdict[0])
        for _ in self._recipients:
            self._reply(f"250 2.0.0 {words}")
        self._forget()

    def end(self, why: str) -> None:
        if self._sender is None:  # within a mail no other answer but silence keeps it for certain
            self._reply(f"421 4.3.2 {why}")
        self.close()

    def _forget(self) -> None:
        """There is no mail any more."""
        self._sender, self._recipients = None, []
        self._letter = Spool()
        self.give_back()

    # -- replies ------------------------------------------------------------------------------------------------------

    def _reply(self, line: str) -> None:
        self.say(line.encode("ascii", "replace") + b"\r\n")

    def _mistake(self, line: str) -> None:
        self._reply(line)
        self._mistakes += 1
        if self._mistakes >= MISTAKES:
            self._reply("421 4.7.0 too many mistakes")
            self.close()


def fate(outcome: Outcome) -> str:
    """What became of a mail, for the mail server's log: `stored #101`."""
    where = f"#{outcome.record}" if outcome.record else str(outcome.quarantine or "")
    return f"{outcome.outcome} {where}".rstrip()


COMMANDS: dict[str, Callable[[Lmtp, str], None]] = {
    "LHLO": Lmtp._lhlo,
    "HELO": Lmtp._helo,
    "EHLO": Lmtp._helo,
    "MAIL": Lmtp._mail,
    "RCPT": Lmtp._rcpt,
    "DATA": Lmtp._data,
    "RSET": Lmtp._rset,
    "NOOP": Lmtp._noop,
    "VRFY": Lmtp._vrfy,
    "QUIT": Lmtp._quit,
}
MAILING = ("MAIL", "RCPT", "DATA")
