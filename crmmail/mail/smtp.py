"""Handing a mail over to the shop's mail server: one connection, many mails, one recipient each.

`mail.smtp_talk` speaks the protocol, and nothing it raises leaves this file: `send` answers None or a
`core.failure.Failure`.  Here is a deadline for a whole mail, and a second try on a fresh connection where the first one
was merely stale.

Nothing is tried twice that may have arrived: once the dot after the mail is on its way, a lost connection is `dropped`.
"""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from types import TracebackType

from crmmail.core.failure import OPENING, Failure, shown
from crmmail.mail.smtp_talk import Parcel, Stopped, Talk
from crmmail.mail.smtp_url import Server


class Connection:
    """One connection for many mails: opened at the first, and again where the server closed it between two.

    A failure before the first MAIL FROM meets every mail, so it is remembered: later mails get it at once, without
    another try.  From MAIL FROM on it may be about this mail's sender only, whatever it says.
    """

    def __init__(
        self,
        server: Server,
        password: Callable[[], str],
        *,
        helo: str,
        timeout: float = 60,
        deadline: float = 600,
    ) -> None:
        """
        Args:
            server: where to.
            password: asked at most once, when a login is due; whatever it raises becomes a Failure `secret`.
            helo: our own host's name, for HELO; no name server is asked for it.
            timeout: seconds for each word of the server.
            deadline: seconds for a whole mail, with connecting and a second try.
        """
        self._place, self._timeout, self._deadline = server.place, timeout, deadline
        self._talk = Talk(server, password, helo=helo, timeout=timeout, deadline=deadline)
        self._shut: Failure | None = None

    @property
    def is_shut(self) -> bool:
        """Would every other mail fail as the last one did, without a try?"""
        return self._shut is not None

    @property
    def named(self) -> bool:
        """Did the last mail get as far as MAIL FROM, so that its failure may be about itself?"""
        return self._talk.named

    def may_have_arrived(self, data: bytes) -> bool:
        """Did this mail go out whole just now, so that the server may have it, whatever has interrupted us since?"""
        return self._talk.dotted is data

    def send(
        self,
        sender: str,
        recipient: str,
        data: bytes,
        *,
        utf8: bool = False,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Failure | None:
        """Hand one mail over.  None: the server has taken it.

        Args:
            sender: the envelope's sender; "" is the null path.
            recipient: the one recipient.
            data: the whole mail; line ends are made CR LF, and a lone CR or LF is one (no SMTP smuggling).
            utf8: the mail has letters beyond ASCII in its headers (RFC 6531); such addresses set it by themselves.
            wanted: asked once the server has all of the mail but the last dot; where the answer is no, the connection
                is cut, which makes the mail void, and the Failure is UNWANTED.
        """
        if self._shut:
            return self._shut
        talk = self._talk
        talk.named, talk.dotted = False, None
        for address in (sender, recipient):
            if not _is_safe(address) or not recipient:
                return Failure("unbuildable", True, False, shown(f"{address!r} cannot stand in an envelope"))
        lines = b"".join(line + b"\r\n" for line in data.splitlines())
        mail = Parcel(sender, recipient, lines, data, utf8 or not (sender + recipient).isascii(), wanted)
        watch = talk.watch(self._deadline)
        try:
            failure = self._try_twice(mail)
        finally:
            watch.cancel()
        if talk.late:
            talk.drop()
        if failure and failure.ours and talk.stage in OPENING:
            self._shut = failure
            self.close()
        return failure

    def close(self) -> None:
        """Say QUIT and go, whatever the server makes of it."""
        self._talk.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- tries ----------------------------------------------------------------------------------------------

    def _try_twice(self, mail: Parcel) -> Failure | None:
        try:
            self._try(mail)
        except Stopped as first:
            if not first.fresh:
                return first.failure
            try:
                self._try(mail)
            except Stopped as second:
                return second.failure
        return None

    def _try(self, mail: Parcel) -> None:
        talk = self._talk
        try:
            if not talk.is_open:
                talk.open()
            talk.transfer(mail)
        except OSError as error:  # SMTPException is one too
            talk.drop()
            raise self._lost(error) from error
        except Stopped as stopped:
            if stopped.fresh or talk.stage in OPENING:
                talk.drop()
            else:
                talk.reset()
            raise

    def _lost(self, error: OSError) -> Stopped:
        """What it means that the connection broke, or fell silent, at this stage."""
        # smtplib says "disconnected" for everything; what the system said hangs below.
        cause = error.__context__ if isinstance(error, smtplib.SMTPServerDisconnected) else error
        place, stage, late = self._place, self._talk.stage, self._talk.late
        # Before the server has heard of a recipient its silence cannot be about the mail.
        ours = stage in (*OPENING, "sender")
        silent = late or isinstance(cause, TimeoutError)
        if late:
            words = f"{place} was not done with the mail after {self._deadline:g} seconds"
        elif silent:
            words = f"no answer from {place} for {self._timeout:g} seconds"
        else:
            words = f"{place} closed the connection"
            if isinstance(cause, OSError) and cause.strerror:
                words += f": {cause.strerror}"
        if stage == "end":
            return Stopped(Failure("dropped", False, False, shown(f"{words} before it confirmed the mail")))
        if silent:
            return Stopped(Failure("timeout", False, ours, shown(words)))
        return Stopped(Failure("no-connection", False, ours, shown(words)), fresh=stage not in OPENING)


def _is_safe(address: str) -> bool:
    """Can it stand between < and > of a command, as one address and nothing else?  "" is the null path."""
    return address.isprintable() and not set(address) & set('<> "\\') and len(address) <= 320
