"""A throw-away mail server on loopback: real dovecot (IMAP, POP3) and real fetchmail, without root.

    with MailStack() as stack:
        stack.deliver(b"From: a@x\\r\\n...")                       # straight into the Maildir
        stack.fetchmail("imap", mda="/path/to/mda --sender=%F")    # one poll
        stack.count()                                              # messages left, as the server itself says

Ports and folder are chosen anew each time. dovecot runs as the caller; for root it runs as `nobody`, because it refuses
to serve root's mail. fetchmail and the MDA always run as the caller: `nobody` could not even reach a Python that lies
in /root.

Needs Debian's fetchmail, dovecot-imapd and dovecot-pop3d, 2.3 or 2.4 (their configuration languages differ).
"""

from __future__ import annotations

import contextlib
import grp
import os
import poplib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, Literal

Protocol = Literal["imap", "pop3"]

# A user's PATH may lack /usr/sbin, where Debian puts dovecot.
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])

APT_LINE = "apt-get install fetchmail dovecot-imapd dovecot-pop3d"

_DOVECOT_23 = """\
protocols = imap pop3
ssl = no
disable_plaintext_auth = no
mail_location = maildir:~/Maildir
pop3_uidl_format = %08Xu%08Xv
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {dir}/passwd
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={dir}/home/%u allow_all_users=yes
}}
"""

_DOVECOT_24 = """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols = imap pop3
ssl = no
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = ~/Maildir
pop3_uidl_format = %{{uid | hex(8)}}%{{uidvalidity | hex(8)}}
passdb passwd-file {{
  passwd_file_path = {dir}/passwd
  default_password_scheme = PLAIN
}}
userdb static {{
  fields {{
    uid = {uid}
    gid = {gid}
    home = {dir}/home/%{{user}}
  }}
  allow_all_users = yes
}}
"""

# What both languages say alike. No service may change its user or its root: we are not root.
_DOVECOT_BOTH = """\
base_dir = {dir}/run
state_dir = {dir}/run
log_path = {dir}/dovecot.log
listen = 127.0.0.1
auth_mechanisms = plain login
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = {uid}
first_valid_gid = {gid}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  process_min_avail = 1
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
namespace inbox {{
  inbox = yes
}}
# every connection sees the newest state
maildir_stat_dirs = yes
mail_fsync = never
mail_max_userip_connections = 50
"""

_FETCHMAILRC = """\
set no bouncemail
set no spambounce
poll 127.0.0.1 service {port} protocol {protocol} timeout 20
  user "{user}" password "{password}" is "{recipient}" here
  sslproto ''
  no rewrite
  {keep}
  {fetchall}
  mda "{mda}"
"""


def missing() -> list[str]:
    """The programs that are not installed; empty where a MailStack can run."""
    absent = [name for name in ("fetchmail", "dovecot") if shutil.which(name, path=_PATH) is None]
    # On Debian the protocols are packages of their own; elsewhere they come with dovecot.
    helpers = Path("/usr/lib/dovecot")
    if helpers.is_dir():
        absent += [name for name in ("imap-login", "pop3-login") if not (helpers / name).exists()]
    return absent


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise FileNotFoundError(f"no {name}: {APT_LINE}")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class MailStack:
    """One mailbox on a server of its own, from `start` to `stop`."""

    host = "127.0.0.1"

    def __init__(self, user: str = "support", password: str = "secret") -> None:
        # Short: dovecot's sockets lie in here, and a socket's path must stay under 108 bytes.
        self.dir = Path(tempfile.mkdtemp(prefix="cm-", dir="/tmp"))
        self.user, self.password = user, password
        self.imap, self.pop3 = _free_port(), _free_port()
        account = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self._account = account
        # How a server process becomes that account; nothing to do unless we are root.
        self._become: dict[str, Any] = {}
        if os.getuid() == 0:
            self._become = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self._dovecot: subprocess.Popen[bytes] | None = None

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self, timeout: float = 15.0) -> MailStack:
        """Start the server and wait until both protocols greet."""
        configuration = self._write_configuration()
        self._dovecot = subprocess.Popen(
            [_program("dovecot"), "-F", "-c", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.dir / "dovecot.err").open("wb"),
            start_new_session=True,
            **self._become,
        )
        end = time.monotonic() + timeout
        for port, greeting in ((self.imap, b"* OK"), (self.pop3, b"+OK")):
            while not self._greets(port, greeting):
                if self._dovecot.poll() is not None or time.monotonic() > end:
                    words = self.log()
                    self.stop()
                    raise RuntimeError(f"dovecot did not start: {words}")
                time.sleep(0.01)
        return self

    def stop(self) -> None:
        """Kill the server and remove the folder. SIGTERM would take a second, and nothing here is worth saving."""
        if self._dovecot is not None and self._dovecot.poll() is None:
            os.killpg(self._dovecot.pid, signal.SIGKILL)
            self._dovecot.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    __enter__ = start

    def __exit__(self, *_: object) -> None:
        self.stop()

    def clear(self) -> None:
        """An empty mailbox, and a fetchmail that remembers nothing."""
        for path in self.messages():
            path.unlink()
        (self.dir / "fetchids").unlink(missing_ok=True)

    def log(self) -> str:
        """What dovecot said, to its log and to stderr."""
        paths = (self.dir / "dovecot.err", self.dir / "dovecot.log")
        return "".join(path.read_text() for path in paths if path.exists())

    def _greets(self, port: int, greeting: bytes) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self.host, port), 1) as connection:
            return connection.recv(64).startswith(greeting)
        return False

    def _write_configuration(self) -> Path:
        version = subprocess.run([_program("dovecot"), "--version"], capture_output=True, text=True, check=True).stdout
        template = (_DOVECOT_23 if version.startswith("2.3") else _DOVECOT_24) + _DOVECOT_BOTH
        configuration = self.dir / "dovecot.conf"
        configuration.write_text(
            template.format(
                dir=self.dir,
                user=self._account.pw_name,
                group=grp.getgrgid(self._account.pw_gid).gr_name,
                uid=self._account.pw_uid,
                gid=self._account.pw_gid,
                imap=self.imap,
                pop3=self.pop3,
            )
        )
        (self.dir / "passwd").write_text(f"{self.user}:{{PLAIN}}{self.password}\n")
        (self.dir / "run").mkdir()
        for folder in ("cur", "new", "tmp"):
            (self.maildir / folder).mkdir(parents=True)
        for path in (self.dir, *self.dir.rglob("*")):
            self._give(path)
        return configuration

    def _give(self, path: Path) -> None:
        if self._become:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    # -- the mailbox --------------------------------------------------------------------------------------------------

    @property
    def maildir(self) -> Path:
        return self.dir / "home" / self.user / "Maildir"

    def deliver(self, raw: bytes) -> Path:
        """Put a mail into the mailbox as an MTA does: written in tmp/, renamed into new/."""
        name = f"{time.time_ns()}.{uuid.uuid4().hex}.test"
        path = self.maildir / "tmp" / name
        path.write_bytes(raw)
        self._give(path)
        return path.rename(self.maildir / "new" / name)

    def messages(self) -> list[Path]:
        """The files of the mails that are there, oldest first, without those marked as deleted."""
        files = (path for folder in ("new", "cur") for path in (self.maildir / folder).iterdir())
        return sorted((path for path in files if "T" not in path.name.partition(":2,")[2]), key=lambda path: path.name)

    def count(self) -> int:
        """How many mails the server itself says it has (POP3 STAT)."""
        connection = poplib.POP3(self.host, self.pop3, 10)
        try:
            connection.user(self.user)
            connection.pass_(self.password)
            return connection.stat()[0]
        finally:
            connection.quit()

    # -- fetchmail ----------------------------------------------------------------------------------------------------

    def port(self, protocol: Protocol) -> int:
        return self.imap if protocol == "imap" else self.pop3

    def fetchmail(
        self,
        protocol: Protocol,
        mda: str,
        *,
        recipient: str = "support@crm.test",
        keep: bool = False,
        fetchall: bool = True,
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Poll once. `mda` is the command line as in a fetchmailrc, %F and %T included; `recipient` becomes %T."""
        return self.poll(
            _FETCHMAILRC.format(
                port=self.port(protocol),
                protocol=protocol,
                user=self.user,
                password=self.password,
                recipient=recipient,
                keep="keep" if keep else "no keep",
                fetchall="fetchall" if fetchall else "no fetchall",
                mda=mda,
            ),
            env=env,
        )

    def poll(self, fetchmailrc: str, *, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Poll once with a fetchmailrc of your own. The MDA gets our environment and `env`.

        Returns what `fetchmail -v` says and its exit status: 0, also when the MDA failed; 1 when there was no mail.
        """
        path = self.dir / "fetchmailrc"
        path.unlink(missing_ok=True)
        path.touch(0o600)  # fetchmail refuses a file that others may read
        path.write_text(fetchmailrc)
        home = {"HOME": str(self.dir), "FETCHMAILHOME": str(self.dir), "LC_ALL": "C"}
        files = ["-f", str(path), "--pidfile", str(self.dir / "fetchmail.pid"), "--idfile", str(self.dir / "fetchids")]
        return subprocess.run(
            [_program("fetchmail"), *files, "--nodetach", "--nosyslog", "-v"],
            env={**os.environ, **home, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=100,
        )
