"""The socket of `crmmail-mda`: one mail, one answer (`crmmail.handover` is the other end, and has the protocol).

The answer is 0 once the mail is committed.  Whatever else happens, the client is told to do it itself, or finds the
connection ended and does it; so nothing has to be explained here, and no mail is ever given up.  That goes for a client
with other settings than ours, too: whose mail would go into another store, or be judged by other rules, is not ours.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

from crmmail import config as configuration
from crmmail import handover, mda
from crmmail.errors import CrmmailError
from crmmail.server.connection import Connection
from crmmail.server.queue import Queue, Verdict
from crmmail.services.shared import failing
from crmmail.spool import Spool
from crmmail.store.engine import place as places
from crmmail.store.files import serving
from crmmail.workspace import Choice

HEAD = b"crmmail-mda 1 "
LONGEST_HEAD = 64  # bytes
MOST_FIELDS = 1 << 18  # bytes
DO_IT_YOURSELF = b"75 0\n"
# Variables of the client that say nothing of how a mail is judged, or stand in what is compared otherwise.
ELSEWHERE = ("CRMMAIL_DB", "CRMMAIL_CONFIG", "CRMMAIL_USER", "CRMMAIL_PAGER", "CRMMAIL_SMTP_", "CRMMAIL_SERVE_")


class Settings(NamedTuple):
    """Where the settings of a process come from that bear on a delivery."""

    place: str  # of the store
    file: str  # of the configuration; "": none
    variables: frozenset[tuple[str, str]]


class Resident(Connection):
    """One client."""

    patience = 60.0  # the client has read its mail to the end before it comes

    def __init__(
        self, queue: Queue, others: set[Connection], loop: asyncio.AbstractEventLoop, ours: Callable[[], Settings]
    ) -> None:
        super().__init__(queue, others, loop)
        self._ours = ours
        self._options: mda.Options | None = None
        self._mail = b""

    def turned_away(self) -> None:
        self.say(DO_IT_YOURSELF)

    def step(self) -> bool:
        head, end, behind = self.buffer.partition(b"\n")
        if not end:
            if len(head) > LONGEST_HEAD:
                self._decline()
            return False
        if head == serving.QUESTION:
            self.buffer = b""
            self.reserve(0)
            return True
        numbers = head.removeprefix(HEAD).split()
        if not head.startswith(HEAD) or len(numbers) != 2 or not all(map(bytes.isdigit, numbers)):
            self._decline()
            return False
        fields, mail = map(int, numbers)
        if fields > MOST_FIELDS or not 0 < mail <= handover.MOST:
            self._decline()
            return False
        if len(behind) < fields + mail:
            return False
        self.buffer = b""
        self._take(behind[:fields], behind[fields : fields + mail])
        return True

    def _take(self, fields: bytes, mail: bytes) -> None:
        try:
            options, told = understood(fields)
            environ = at_home(told, self._owner())
            is_ours = settings_of(options.choice, environ) == self._ours()
        except (ValueError, CrmmailError):
            self._decline()
            return
        # The mark in a client's own folder that its deliveries fail only the client can clear.
        if not is_ours or os.path.exists(failing.in_state(environ)):
            self._decline()
            return
        self._options, self._mail = options, mail
        self.reserve(None)  # it has its mail in hand, and hears soon enough that we could not take it

    def reserved(self, trouble: str) -> None:
        if self._options is None:  # it only asked
            said = trouble.encode("utf-8", "replace")
            self.say(b"75 %d\n%b" % (len(said), said))
            self.close()
        elif trouble:
            self._decline()
        else:
            self.hand_over(Spool(self._mail), self._options._replace(way="mda"))
            self._mail = b""

    def judged(self, verdict: Verdict) -> None:
        assert self._options is not None
        if not isinstance(verdict, CrmmailError):
            words = "\n".join(mda.explain(verdict)) if self._options.verbose else ""
            said = words.encode("utf-8", "replace")
            self.say(b"0 %d\n%b" % (len(said), said))
        else:
            self.say(DO_IT_YOURSELF)
        self.close()

    def _decline(self) -> None:
        self.say(DO_IT_YOURSELF)
        self.close()

    def _owner(self) -> int:
        """The user whose process the client is; ours where the system does not tell."""
        there = self.transport.get_extra_info("socket") if self.transport else None
        if there is None or not hasattr(socket, "SO_PEERCRED"):
            return os.getuid()
        _, user, _ = struct.unpack("3i", there.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
        return int(user)


def understood(fields: bytes) -> tuple[mda.Options, dict[str, str]]:
    """The client's command line, and of its environment what it told.

    Raises:
        ValueError: these are no fields of `handover`.
        CrmmailError: a command line that cannot be understood.
    """
    words = [os.fsdecode(one) for one in fields.split(b"\0")[:-1]]
    count = int(words[0]) if words else 0
    if not 0 <= count < len(words):
        raise ValueError("fewer words than it says")
    pairs = (one.partition("=") for one in words[1 + count :])
    return mda.understand(words[1 : 1 + count]), {name: value for name, _, value in pairs}


def settings_of(choice: Choice, environ: Mapping[str, str]) -> Settings:
    """Where the settings of a process with this command line and environment come from.

    Raises:
        CrmmailError: they name a file that is not there, or cannot be read.
    """
    ours = {name: value for name, value in environ.items() if name.startswith("CRMMAIL_")}
    place = configuration.database(choice.db, choice.config, environ)
    file = configuration.find_file(choice.config, environ)
    return Settings(
        places.real(place),
        os.path.realpath(file) if file else "",
        frozenset((name, value) for name, value in ours.items() if not name.startswith(ELSEWHERE)),
    )


def at_home(environ: Mapping[str, str], user: int) -> dict[str, str]:
    """The environment with the folders spelt out that lie in the user's home, so that they can be looked for from
    here."""
    home = environ.get("HOME")
    if not home:
        try:
            home = pwd.getpwuid(user).pw_dir
        except KeyError:
            home = os.path.expanduser("~")
    usual = {"XDG_CONFIG_HOME": ".config", "XDG_DATA_HOME": ".local/share", "XDG_STATE_HOME": ".local/state"}
    told = {name: value for name, value in environ.items() if name not in usual or os.path.isabs(value)}
    return {name: os.path.join(home, folder) for name, folder in usual.items()} | told
