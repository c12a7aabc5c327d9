"""The talk with a mail server, in SMTP: from the connection and the login to the dot behind each mail.

`smtplib` has the words.  What it does not do is done here: a clock that shuts the socket, a password that never goes in
clear, one login attempt instead of one for each mechanism (three wrong ones lock an account), and letters beyond ASCII
in names and passwords.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable

from crmmail.core.failure import OPENING, Failure, classify, shown
from crmmail.core.typed import NamedTuple
from crmmail.mail.smtp_secret import in_base64, without_password
from crmmail.mail.smtp_url import Server

CHUNK = 65_536  # bytes handed to the socket at once: each may take `timeout` seconds, so a slow line is no silent one
GOODBYE = 5.0  # seconds for QUIT: nothing depends on its answer
UNWANTED = Failure("unwanted", False, False, "it was called back before the last dot")


class Parcel(NamedTuple):
    """One mail to one recipient."""

    sender: str
    recipient: str
    data: bytes  # CR LF at each line's end
    given: bytes  # as the caller has it
    utf8: bool
    wanted: Callable[[], bool]  # asked before the last dot


class Stopped(Exception):
    """This try is over.  `fresh`: the server has shut this connection, another one may do better."""

    def __init__(self, failure: Failure, *, fresh: bool = False) -> None:
        super().__init__(failure.words)
        self.failure = failure
        self.fresh = fresh


class Talk:
    """The talk on one connection at a time, which can be opened again.

    Where the server refuses, `Stopped` is raised; where the connection breaks or falls silent, OSError.

    Attributes:
        stage: "idle", or of core.failure.STAGES, or "end": the dot is sent, the answer is not here.
        late: time is up for the present mail.
        named: the server has heard of the present mail.
        dotted: the last mail that it has had all of, with the dot, as the caller has it.
    """

    def __init__(
        self, server: Server, password: Callable[[], str], *, helo: str, timeout: float, deadline: float
    ) -> None:
        """As of `mail.smtp.Connection`."""
        self._server, self._password, self._helo = server, password, helo
        self._timeout, self._deadline = timeout, deadline
        self._secret: str | None = None
        self._smtp: smtplib.SMTP | None = None
        self._socket: socket.socket | None = None  # the one to shut when time is up
        self.stage = "idle"
        self.late = False
        self.named = False
        self.dotted: bytes | None = None

    @property
    def is_open(self) -> bool:
        return self._smtp is not None

    def close(self) -> None:
        """Say QUIT and go, whatever the server makes of it.  In the middle of a mail (Ctrl-C) just go: it is void."""
        if self._smtp and self._socket and self.stage == "idle":
            watch = self.watch(GOODBYE)
            try:
                self._socket.settimeout(GOODBYE)
                self._smtp.docmd("QUIT")
            except OSError:
                pass
            finally:
                watch.cancel()
        self.drop()

    # --- the clock ------------------------------------------------------------------------------------------

    def watch(self, seconds: float) -> threading.Timer:
        """Start the clock that shuts the socket when time is up, whatever we then wait for.

        A timeout alone would let a server that sends one byte a minute hold us for ever.
        """
        self.late = False
        watch = threading.Timer(seconds, self._time_is_up)
        watch.daemon = True
        watch.start()
        return watch

    def _time_is_up(self) -> None:
        self.late = True
        if self._socket:
            try:
                # Not SSLSocket's own shutdown: that one first forgets its keys, and the next bytes would go in clear.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            except OSError:
                pass

    def _in_time(self) -> None:
        """The clock shuts a socket only once there is one."""
        if self.late:
            raise TimeoutError

    def drop(self) -> None:
        """Go without a word."""
        if self._smtp:
            self._smtp.close()
        if self._socket:
            self._socket.close()
        self._smtp = self._socket = None

    # --- opening --------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Connect, encrypt and log in, as the server's address says."""
        self._connect()
        self._smtp = smtp = smtplib.SMTP(local_hostname=self._helo, timeout=self._timeout)
        smtp.sock = self._socket
        self._heard(*smtp.getreply())
        self._hello(smtp)
        if self._server.tls == "starttls":
            self.stage = "tls"
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

    def _connect(self) -> None:
        self.stage = "connect"
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
            self.stage = "tls"
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
            if self.late:
                raise
            reason = getattr(error, "reason", None) or error.strerror or error
            raise self._no("tls", f"no TLS with {self._server.place}: {reason}") from error

    def _hello(self, smtp: smtplib.SMTP) -> None:
        self.stage = "helo"
        code, _ = smtp.ehlo()
        # A server of before 1995 does not know EHLO; one that is busy says 421 and would say it again.
        if 500 <= code <= 599:
            self._heard(*smtp.helo())
        else:
            self._heard(code, smtp.ehlo_resp or b"")

    def _login(self, smtp: smtplib.SMTP) -> None:
        self.stage = "login"
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
            self._heard(*smtp.docmd("AUTH PLAIN", in_base64(b"\0" + user + b"\0" + password)))
        else:
            self._heard(*smtp.docmd("AUTH LOGIN"), good=3)
            self._heard(*smtp.docmd(in_base64(user)), good=3)
            self._heard(*smtp.docmd(in_base64(password)))

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

    def transfer(self, mail: Parcel) -> None:
        """Hand one mail over: from MAIL FROM to the server's word behind the last dot."""
        smtp = self._smtp
        assert smtp
        self.stage = "sender"
        self.named, self.dotted = True, None
        options = self._options(smtp, mail)
        smtp.command_encoding = "utf-8" if mail.utf8 else "ascii"
        self._heard(*smtp.docmd("MAIL", " ".join((f"FROM:<{mail.sender}>", *options))))
        self.stage = "recipient"
        self._heard(*smtp.docmd("RCPT", f"TO:<{mail.recipient}>"))
        self.stage = "data"
        self._heard(*smtp.docmd("DATA"), good=3)
        self._pour(smtp, mail.data)
        if not mail.wanted():
            self.drop()
            raise Stopped(UNWANTED)
        self.stage = "end"
        assert self._socket
        self.dotted = mail.given
        self._socket.sendall(b".\r\n")
        self._heard(*smtp.getreply())
        self.stage = "idle"

    def _options(self, smtp: smtplib.SMTP, mail: Parcel) -> list[str]:
        """What MAIL FROM says of the mail, or the failure that is certain before a word is said."""
        options = []
        if smtp.has_extn("size"):
            limit = smtp.esmtp_features["size"]
            if limit.isdecimal() and len(limit) < 20 and 0 < int(limit) < len(mail.data):
                words = f"the mail has {len(mail.data)} bytes, {self._server.place} takes {limit}"
                raise Stopped(Failure("size", True, False, shown(words)))
            options.append(f"SIZE={len(mail.data)}")
        if mail.utf8 and not smtp.has_extn("smtputf8"):
            words = f"{self._server.place} takes no address with letters beyond ASCII (SMTPUTF8)"
            raise Stopped(Failure("utf8", True, False, shown(words)))
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

    def reset(self) -> None:
        """Back to where MAIL FROM is possible; a connection that cannot is given up."""
        if self._smtp is None:
            return
        try:
            code, _ = self._smtp.rset()
        except OSError:
            code = 0
        if code == 250:
            self.stage = "idle"
        else:
            self.drop()

    # --- answers --------------------------------------------------------------------------------------------

    def _heard(self, code: int, said: bytes, good: int = 2) -> None:
        """Go on when the answer is a 2xx (or 3xx), and 250 at the end: no other one says that a mail was taken."""
        self._in_time()  # smtplib takes a line that the clock cut off for a whole one: "2222" is no 222
        if code == 250 if self.stage == "end" else code // 100 == good:
            return
        stage = "data" if self.stage == "end" else self.stage
        # Without a code the two do not talk of the same thing any more; after 421 the server hangs up.
        astray = code // 100 not in (4, 5)
        words = said.decode("utf-8", "replace")
        hidden = self._without_password(words)
        if astray and stage == "connect":
            hidden = f"{self._server.place} does not speak SMTP: {hidden}"
        if astray and self.stage == "end":
            raise Stopped(Failure("dropped", False, False, shown(hidden, code)))
        failure = classify(stage, code, words)._replace(words=shown(hidden, code))
        raise Stopped(failure, fresh=stage not in OPENING and (astray or code == 421))

    def _no(self, kind: str, words: str) -> Stopped:
        """A failure that every mail would meet, in our words."""
        return Stopped(Failure(kind, False, True, shown(self._without_password(words))))

    def _without_password(self, words: str) -> str:
        if not self._secret:
            return words
        return without_password(words, self._server.user.encode(), self._secret.encode("utf-8", "surrogateescape"))
