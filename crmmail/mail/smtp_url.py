"""Where mail leaves: what `smtp.url` says, and what is wrong with it."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from crmmail.core import address as addresses
from crmmail.core.typed import NamedTuple
from crmmail.errors import ConfigBroken

PORT, SUBMISSION_PORT, TLS_PORT = 25, 587, 465


class Server(NamedTuple):
    """Where mail leaves, as `smtp.url` says."""

    host: str  # a name in ASCII, or an IP address without brackets
    port: int
    tls: str  # "none", "starttls", or "tls" from the first byte
    user: str  # "": no login

    @property
    def place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_here(self) -> bool:
        """Is it this very computer, so that nobody can listen on the way?"""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def read(url: str) -> Server:
    """The server that smtp://[user@]host[:port][?starttls=1] or smtps://[user@]host[:port] names.

    Without a port it is 25, with starttls 587, with smtps 465.  A user's name may hold an @ (the last one counts).

    Raises:
        ConfigBroken: it is not such an address, or it has a password in it.
    """
    if not url.isprintable() or " " in url or not url.startswith(("smtp://", "smtps://")):
        raise _broken("it does not begin with smtp:// or smtps://, or has blanks in it")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _broken("its brackets hold no IPv6 address") from None
    # No sentence repeats the address: somebody may have put a password in.
    user, _, _ = parts.netloc.rpartition("@")
    if ":" in user:
        raise _broken(
            "a password does not belong into it: let smtp.password_command or smtp.password_file give it "
            "(a : in the user's name is written %3A)"
        )
    if parts.path.strip("/") or parts.fragment:
        raise _broken("only a port and ?starttls=1 may stand behind the host (a / or # in the user's name: %2F, %23)")
    starttls = _starttls(parts)
    host = _host(parts)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise _broken("its port is no number from 1 to 65535")
    user = unquote(user)
    if not user.isprintable():
        raise _broken("the user's name has characters that cannot be seen")
    if parts.scheme == "smtps":
        return Server(host, port or TLS_PORT, "tls", user)
    return Server(host, port or (SUBMISSION_PORT if starttls else PORT), "starttls" if starttls else "none", user)


def _starttls(parts: SplitResult) -> bool:
    query = parse_qsl(parts.query, keep_blank_values=True)
    for key, value in query:
        if key != "starttls" or value not in ("0", "1") or len(query) > 1:
            raise _broken("of what may stand behind a ? only ?starttls=1 is known")
    wanted = ("starttls", "1") in query
    if wanted and parts.scheme == "smtps":
        raise _broken("smtps:// is encrypted from the start: leave ?starttls=1 away, or write smtp://")
    return wanted


def _host(parts: SplitResult) -> str:
    name = parts.hostname or ""
    if "[" in parts.netloc:
        try:
            return str(ipaddress.IPv6Address(name))
        except ValueError:
            raise _broken("its brackets hold no IPv6 address") from None
    host = addresses.canonical_host(name)
    if not host:
        raise _broken("what should be its host is none" if name else "it names no host")
    return host


def _broken(why: str) -> ConfigBroken:
    usage = "smtp://[user@]host[:port][?starttls=1] or smtps://[user@]host[:port]"
    return ConfigBroken(f"smtp.url cannot be used: {why}. Set it with `crmmail config set smtp.url …` as {usage}")
