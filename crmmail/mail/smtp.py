"""Handing a mail over to the shop's mail server: one connection, many mails, one recipient each.

`smtplib` speaks the protocol, and nothing it raises leaves this file: `send` answers None or a `core.failure.Failure`.
What it does not do is done here: a deadline for a whole mail, a password that never goes in clear, one login attempt
instead of one for each mechanism (three wrong ones lock an account), letters beyond ASCII in names and passwords, and
a second try on a fresh connection where the first one was merely stale.

Nothing is tried twice that may have arrived: once the dot after the mail is on its way, a lost connection is `dropped`.
"""

from __future__ import annotations

import base64
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType

from crmmail.core.failure import OPENING, Failure, classify, shown
from crmmail.core.typed import NamedTuple
from crmmail.mail.smtp_url import Server

CHUNK = 65_536  # bytes handed to the socket at once: each may take `timeout` seconds, so a slow line is no silent one
PIECE = 8  # characters of base64 by which a password is known, where a server repeats it
GOODBYE = 5.0  # seconds for QUIT: nothing depends on its answer
UNWANTED = Failure("unwanted", False, False, "it was called back before the last dot")


class _Mail(NamedTuple):
    sender: str
    recipient: str
    data: bytes  # CR LF at each line's end
    given: bytes  # as the caller has it
    utf8: bool
    wanted: Callable[[], bool]  # asked before the last dot


class _Stopped(Exception):
    """This try is over.  `fresh`: the server has shut this connection, another one may do better."""

    def __init__(self, failure: Failure, *, fresh: bool = False) -> None:
        super().__init__(failure.words)
        self.failure = failure
        self.fresh = fresh


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
        self._server, self._password, self._helo = server, password, helo
        self._timeout, self._deadline = timeout, deadline
        self._secret: str | None = None
        self._smtp: smtplib.SMTP | None = None
        self._socket: socket.socket | None = None  # the one to shut when time is up
        self._stage = "idle"  # or of core.failure.STAGES, or "end": the dot is sent, the answer is not here
        self._late = False  # time is up for the present mail
        self._shut: Failure | None = None
        self._named = False  # the server has heard of the present mail
        self._dotted: bytes | None = None  # the last mail that it has had all of, with the dot

    @property
    def is_shut(self) -> bool:
        """Would every other mail fail as the last one did, without a try?"""
        return self._shut is not None

    @property
    def named(self) -> bool:
        """Did the last mail get as far as MAIL FROM, so that its failure may be about itself?"""
        return self._named

    def may_have_arrived(self, data: bytes) -> bool:
        """Did this mail go out whole just now, so that the server may have it, whatever has interrupted us since?"""
        return self._dotted is data

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
        self._named, self._dotted = False, None
        for address in (sender, recipient):
            if not _is_safe(address) or not recipient:
                return Failure("unbuildable", True, False, shown(f"{address!r} cannot stand in an envelope"))
        lines = b"".join(line + b"\r\n" for line in data.splitlines())
        mail = _Mail(sender, recipient, lines, data, utf8 or not (sender + recipient).isascii(), wanted)
        watch = self._watch(self._deadline)
        try:
            failure = self._try_twice(mail)
        finally:
            watch.cancel()
        if self._late:
            self._drop()
        if failure and failure.ours and self._stage in OPENING:
            self._shut = failure
            self.close()
        return failure

    def close(self) -> None:
        """Say QUIT and go, whatever the server makes of it.  In the middle of a mail (Ctrl-C) just go: it is void."""
        if self._smtp and self._socket and self._stage == "idle":
            watch = self._watch(GOODBYE)
            try:
                self._socket.settimeout(GOODBYE)
                self._smtp.docmd("QUIT")
            except OSError:
                pass
            finally:
                watch.cancel()
        self._drop()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- tries ----------------------------------------------------------------------------------------------

    def _try_twice(self, mail: _Mail) -> Failure | None:
        try:
            self._try(mail)
        except _Stopped as first:
            if not first.fresh:
                return first.failure
            try:
                self._try(mail)
            except _Stopped as second:
                return second.failure
        return None

    def _try(self, mail: _Mail) -> None:
        try:
            smtp = self._smtp or self._open()
            self._transfer(smtp, mail)
            self._stage = "idle"
        except OSError as error:  # SMTPException is one too
            self._drop()
            raise self._lost(error) from error
        except _Stopped as stopped:
            if stopped.fresh or self._stage in OPENING:
                self._drop()
            elif self._smtp:
                self._reset(self._smtp)
            raise

    def _lost(self, error: OSError) -> _Stopped:
        """What it means that the connection broke, or fell silent, at this stage."""
        # smtplib says "disconnected" for everything; what the system said hangs below.
        cause = error.__context__ if isinstance(error, smtplib.SMTPServerDisconnected) else error
        place = self._server.place
        # Before the server has heard of a recipient its silence cannot be about the mail.
        ours = self._stage in (*OPENING, "sender")
        silent = self._late or isinstance(cause, TimeoutError)
        if self._late:
            words = f"{place} was not done with the mail after {self._deadline:g} seconds"
        elif silent:
            words = f"no answer from {place} for {self._timeout:g} seconds"
        else:
            words = f"{place} closed the connection"
            if isinstance(cause, OSError) and cause.strerror:
                words += f": {cause.strerror}"
        if self._stage == "end":
            return _Stopped(Failure("dropped", False, False, shown(f"{words} before it confirmed the mail")))
        if silent:
            return _Stopped(Failure("timeout", False, ours, shown(words)))
        return _Stopped(Failure("no-connection", False, ours, shown(words)), fresh=self._stage not in OPENING)

    def _watch(self, seconds: float) -> threading.Timer:
        """Start the clock that shuts the socket when time is up, whatever we then wait for.

        A timeout alone would let a server that sends one byte a minute hold us for ever.
        """
        self._late = False
        watch = threading.Timer(seconds, self._time_is_up)
        watch.daemon = True
        watch.start()
        return watch

    def _time_is_up(self) -> None:
        self._late = True
        if self._socket:
            try:
                # Not SSLSocket's own shutdown: that one first forgets its keys, and the next bytes would go in clear.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            except OSError:
                pass

    def _in_time(self) -> None:
        """The clock shuts a socket only once there is one."""
        if self._late:
            raise TimeoutError

    def _drop(self) -> None:
        if self._smtp:
            self._smtp.close()
        if self._socket:
            self._socket.close()
        self._smtp = self._socket = None

    # --- opening --------------------------------------------------------------------------------------------

    def _open(self) -> smtplib.SMTP:
        self._connect()
        self._smtp = smtp = smtplib.SMTP(local_hostname=self._helo, timeout=self._timeout)
        smtp.sock = self._socket
        self._heard(*smtp.getreply())
        self._hello(smtp)
        if self._server.tls == "starttls":
            self._stage = "tls"
            if not smtp.has_extn("starttls"):
                raise self._no("tls", f"{self._server.place} offers no STARTTLS: see what else it offers")
            self._heard(*smtp.docmd("STARTTLS"))
            self._encrypt()
            # RFC 3207 4.2: what was said in clear is forgotten, and so is what was slipped in behind the answer.
            smtp.sock, smtp.file = self._socket, None
            smtp.does_esmtp, smtp.esmtp_features = False, {}
            self._hello(smtp)
        if self._server.user:
            self._login(smtp)
        return smtp

    def _connect(self) -> None:
        self._stage = "connect"
        host, port = self._server.host, self._server.port
        try:
            self._socket = socket.create_connection((host, port), min(self._timeout, self._deadline))
        except socket.gaierror as error:
            unknown = error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
            kind = "no-such-host" if unknown else "no-connection"
            raise self._no(kind, f"{host}: {error.strerror}") from error
        except TimeoutError:
            raise
        except OSError as error:
            raise self._no("no-connection", f"{self._server.place}: {error.strerror or error}") from error
        self._in_time()
        self._socket.settimeout(self._timeout)
        # The dot after a mail is a small packet behind a larger one: it would wait 40 ms for the other's receipt.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._server.tls == "tls":
            self._stage = "tls"
            self._encrypt()

    def _encrypt(self) -> None:
        """The TLS handshake; the certificate must be of a known authority ($SSL_CERT_FILE) and of this host."""
        assert self._socket
        context = ssl.create_default_context()
        try:
            # Wrapped first, so that the clock has a socket to shut while the handshake is under way.
            wrapped = context.wrap_socket(
                self._socket, server_hostname=self._server.host, do_handshake_on_connect=False
            )
            self._socket = wrapped
            self._in_time()
            wrapped.do_handshake()
        except ssl.SSLCertVerificationError as error:
            raise self._no("tls", f"certificate of {self._server.place}: {error.verify_message}") from error
        except (ssl.SSLError, ConnectionError) as error:
            if self._late:
                raise
            reason = getattr(error, "reason", None) or error.strerror or error
            raise self._no("tls", f"no TLS with {self._server.place}: {reason}") from error

    def _hello(self, smtp: smtplib.SMTP) -> None:
        self._stage = "helo"
        code, _ = smtp.ehlo()
        # A server of before 1995 does not know EHLO; one that is busy says 421 and would say it again.
        if 500 <= code <= 599:
            self._heard(*smtp.helo())
        else:
            self._heard(code, smtp.ehlo_resp or b"")

    def _login(self, smtp: smtplib.SMTP) -> None:
        self._stage = "login"
        place = self._server.place
        if self._server.tls == "none" and not self._server.is_here:
            raise self._no("tls", f"a password goes to {place} encrypted or not at all: add ?starttls=1 to smtp.url")
        if not smtp.has_extn("auth"):
            raise self._no("no-login", f"{place} takes no login, and smtp.url has a user")
        offered = smtp.esmtp_features["auth"].upper().split()
        mechanism = next((name for name in ("PLAIN", "LOGIN") if name in offered), "")
        if not mechanism:
            raise self._no("no-login", f"{place} takes no PLAIN or LOGIN, only: {' '.join(offered)}")
        user, password = self._server.user.encode(), self._known_password().encode("utf-8", "surrogateescape")
        if mechanism == "PLAIN":
            self._heard(*smtp.docmd("AUTH PLAIN", _base64(b"\0" + user + b"\0" + password)))
        else:
            self._heard(*smtp.docmd("AUTH LOGIN"), good=3)
            self._heard(*smtp.docmd(_base64(user)), good=3)
            self._heard(*smtp.docmd(_base64(password)))

    def _known_password(self) -> str:
        if self._secret is None:
            try:
                self._secret = self._password()
            except Exception as error:
                raise self._no("secret", str(error) or type(error).__name__) from error
        if not self._secret:
            raise self._no("no-login", "smtp.url has a user, and no password is set")
        return self._secret

    # --- one mail -------------------------------------------------------------------------------------------

    def _transfer(self, smtp: smtplib.SMTP, mail: _Mail) -> None:
        self._stage = "sender"
        self._named, self._dotted = True, None
        options = self._options(smtp, mail)
        smtp.command_encoding = "utf-8" if mail.utf8 else "ascii"
        self._heard(*smtp.docmd("MAIL", " ".join((f"FROM:<{mail.sender}>", *options))))
        self._stage = "recipient"
        self._heard(*smtp.docmd("RCPT", f"TO:<{mail.recipient}>"))
        self._stage = "data"
        self._heard(*smtp.docmd("DATA"), good=3)
        self._pour(smtp, mail.data)
        if not mail.wanted():
            self._drop()
            raise _Stopped(UNWANTED)
        self._stage = "end"
        assert self._socket
        self._dotted = mail.given
        self._socket.sendall(b".\r\n")
        self._heard(*smtp.getreply())

    def _options(self, smtp: smtplib.SMTP, mail: _Mail) -> list[str]:
        """What MAIL FROM says of the mail, or the failure that is certain before a word is said."""
        options = []
        if smtp.has_extn("size"):
            limit = smtp.esmtp_features["size"]
            if limit.isdecimal() and len(limit) < 20 and 0 < int(limit) < len(mail.data):
                words = f"the mail has {len(mail.data)} bytes, {self._server.place} takes {limit}"
                raise _Stopped(Failure("size", True, False, shown(words)))
            options.append(f"SIZE={len(mail.data)}")
        if mail.utf8 and not smtp.has_extn("smtputf8"):
            words = f"{self._server.place} takes no address with letters beyond ASCII (SMTPUTF8)"
            raise _Stopped(Failure("utf8", True, False, shown(words)))
        if smtp.has_extn("8bitmime") and (mail.utf8 or not mail.data.isascii()):
            options.append("BODY=8BITMIME")
        if mail.utf8:
            options.append("SMTPUTF8")
        return options

    def _pour(self, smtp: smtplib.SMTP, data: bytes) -> None:
        """The mail's lines, with a dot before each that begins with one (RFC 5321 4.5.2), but not the last dot."""
        assert self._socket
        data = re.sub(rb"(?m)^\.", b"..", data)
        try:
            for start in range(0, len(data), CHUNK):
                self._socket.sendall(data[start : start + CHUNK])
        except (ConnectionError, ssl.SSLError):
            # A server that has seen enough says why and hangs up; its words may still lie there.
            self._heard(*smtp.getreply())
            raise

    def _reset(self, smtp: smtplib.SMTP) -> None:
        """Back to where MAIL FROM is possible; a connection that cannot is given up."""
        try:
            code, _ = smtp.rset()
        except OSError:
            code = 0
        if code == 250:
            self._stage = "idle"
        else:
            self._drop()

    # --- answers --------------------------------------------------------------------------------------------

    def _heard(self, code: int, said: bytes, good: int = 2) -> None:
        """Go on when the answer is a 2xx (or 3xx), and 250 at the end: no other one says that a mail was taken."""
        self._in_time()  # smtplib takes a line that the clock cut off for a whole one: "2222" is no 222
        if code == 250 if self._stage == "end" else code // 100 == good:
            return
        stage = "data" if self._stage == "end" else self._stage
        # Without a code the two do not talk of the same thing any more; after 421 the server hangs up.
        astray = code // 100 not in (4, 5)
        words = said.decode("utf-8", "replace")
        hidden = self._without_password(words)
        if astray and stage == "connect":
            hidden = f"{self._server.place} does not speak SMTP: {hidden}"
        if astray and self._stage == "end":
            raise _Stopped(Failure("dropped", False, False, shown(hidden, code)))
        failure = classify(stage, code, words)._replace(words=shown(hidden, code))
        raise _Stopped(failure, fresh=stage not in OPENING and (astray or code == 421))

    def _no(self, kind: str, words: str) -> _Stopped:
        """A failure that every mail would meet, in our words."""
        return _Stopped(Failure(kind, False, True, shown(self._without_password(words))))

    def _without_password(self, words: str) -> str:
        """The server's words, where it repeats what we said at the login: as it is, or in one of its base64 forms."""
        if not self._secret:
            return words
        user, password = self._server.user.encode(), self._secret.encode("utf-8", "surrogateescape")
        pieces = {piece for said in _tokens(user, password) for piece in _pieces(_base64(said))}

        def hidden(run: re.Match[str]) -> str:
            return "***" if any(piece in run[0].casefold() for piece in pieces) else run[0]

        words = re.sub(r"[a-z0-9+/=]{2,}", hidden, words, flags=re.I)
        return re.sub(re.escape(password.decode("utf-8", "replace")), "***", words, flags=re.I)


def _tokens(user: bytes, password: bytes) -> tuple[bytes, ...]:
    """What a login says in base64."""
    return password, user + b"\0" + password, b"\0" + user + b"\0" + password, user + b"\0" + user + b"\0" + password


def _pieces(token: str) -> set[str]:
    """All that betrays a token of base64, which may be cut at both ends and come in other letter case."""
    token = token.rstrip("=").casefold()
    return {token[start : start + PIECE] for start in range(max(len(token) - PIECE, 0) + 1)}


def _is_safe(address: str) -> bool:
    """Can it stand between < and > of a command, as one address and nothing else?  "" is the null path."""
    return address.isprintable() and not set(address) & set('<> "\\') and len(address) <= 320


def _base64(secret: bytes) -> str:
    return base64.b64encode(secret).decode("ascii")
