"""A throw-away dovecot that takes mail, for the benches: LMTP over a unix socket, and dovecot-lda.

    with Receiver() as dovecot:
        dovecot.lmtp                    # the socket
        dovecot.lda                     # a command that delivers its standard input
        dovecot.count_mails()

Into Maildirs, with dovecot's own defaults for what must be on the disk (`mail_fsync = optimized`): the tests' mail
server, which this one is otherwise, needs none of that.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import mailstack
import pairs

APT_LINE = "apt-get install dovecot-lmtpd dovecot-imapd dovecot-pop3d"
LDA = Path("/usr/lib/dovecot/dovecot-lda")

# What stands further down in dovecot's configuration wins.
_TAKES_MAIL = """
protocols = imap pop3 lmtp
mail_fsync = optimized
maildir_stat_dirs = no
auth_username_format = {name}
protocol lda {{
  postmaster_address = postmaster@crm.example
}}
protocol lmtp {{
  postmaster_address = postmaster@crm.example
}}
service lmtp {{
  process_min_avail = {clients}
  unix_listener {dir}/lmtp {{
    mode = 0666
  }}
}}
"""


def missing() -> list[str]:
    """What is not installed; empty where a Receiver can run."""
    absent = [name for name in mailstack.missing() if name != "fetchmail"]
    return absent + [str(path) for path in (LDA, LDA.with_name("lmtp")) if not path.exists()]


def version() -> str:
    return pairs.version(
        "dovecot", [shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin") or "dovecot", "--version"]
    )


class Receiver(mailstack.MailStack):
    """Takes mail for `support@crm.example`, from start to stop."""

    def __init__(self, clients: int = 8) -> None:
        super().__init__("support")
        self._clients = clients

    def _write_configuration(self) -> Path:
        configuration = super()._write_configuration()
        name = "%n" if "disable_plaintext_auth" in configuration.read_text() else "%{user | username | lower}"
        with configuration.open("a") as file:
            file.write(_TAKES_MAIL.format(dir=self.dir, name=name, clients=self._clients))
        return configuration

    def start(self, timeout: float = 15.0) -> Receiver:
        super().start(timeout)
        end = time.monotonic() + timeout
        while not self.lmtp.exists() and time.monotonic() < end:
            time.sleep(0.01)
        return self

    __enter__ = start

    @property
    def lmtp(self) -> Path:
        return self.dir / "lmtp"

    @property
    def lda(self) -> list[str]:
        """Delivers standard input as the mailbox's owner."""
        return [str(LDA), "-c", str(self.dir / "dovecot.conf"), "-d", self.user]

    def processor_time(self) -> float:
        """Seconds so far, of all its processes."""
        return pairs.processor_time(self._dovecot.pid) if self._dovecot else 0.0

    def count_mails(self) -> int:
        return sum(1 for _ in (self.maildir / "new").iterdir())
