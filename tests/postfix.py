"""A throw-away Postfix on loopback: the host that takes our mail, the customers' mailboxes and the pipe into our MDA.

    with Postfix() as postfix:
        postfix.deliver_to(f"{MDA} --sender=${{sender}} --recipient=${{original_recipient}}", env=shop.settings())
        send(letter, via=postfix.url)                            # or submission_url, smtps_url: they want a login
        postfix.mailbox("ann@customer.example")                  # what Ann has received, as bytes
        postfix.queue(), postfix.flush()                         # what waits, and: try again now

Mail for anybody at crm.example or customer.example goes into a mailbox; with `deliver_to`, that for crm.example goes to
the MDA, through pipe(8). Nothing leaves the machine, nobody asks the DNS, and no other Postfix is touched. Some
addresses at customer.example, each with +anything too, make trouble (`RECIPIENTS`, `TRANSPORTS`):

    nobody@   550 5.1.1 at RCPT          grey@   450 4.7.1 at RCPT          full@   552 5.2.2 at RCPT
    late@     accepted, then returned to its sender by a real DSN (5.1.1)
    slow@     accepted, then it stays in the queue (4.4.1), whatever `flush` does

and the sender evil@crm.example has 553 5.7.1 at MAIL FROM. A recipient in any other domain has 550 5.4.4 at RCPT.

Postfix's master runs as root only. Needs Linux and Debian's postfix, 3.4 or later.
"""

from __future__ import annotations

import base64
import contextlib
import email
import grp
import json
import os
import pwd
import random
import re
import secrets
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import trustme

# A user's PATH may lack /usr/sbin, where Debian puts Postfix.
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])

APT_LINE = "apt-get install postfix"

HOST = "127.0.0.1"
OURS = "crm.example"
THEIRS = "customer.example"

RECIPIENTS = {
    f"nobody@{THEIRS}": "550 5.1.1 User unknown in virtual mailbox table",
    f"grey@{THEIRS}": "450 4.7.1 Greylisted, please try again later",
    f"full@{THEIRS}": "552 5.2.2 The mailbox is over its quota",
}
SENDERS = {
    "evil@{ours}": "553 5.7.1 Sender is not allowed here",
}
# The error(8) transport would not do: smtpd(8) knows it, and refuses at once.
TRANSPORTS = {
    f"late@{THEIRS}": "smtp:[{host}]:{elsewhere}",  # another host, which refuses it
    f"slow@{THEIRS}": "smtp:[{host}]:1",  # a closed port
}

# {account} is the system user that owns the mailboxes and calls the MDA: Postfix does neither as root.
_MAIN = """\
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
maillog_file = {dir}/log
maillog_file_prefixes = {dir}
myhostname = mx.{ours}
inet_interfaces = {host}
inet_protocols = ipv4
mynetworks = {host}/32
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
append_dot_mydomain = no
recipient_delimiter = +
enable_long_queue_ids = yes

# no system users, and nowhere else to go
alias_maps =
alias_database =
mydestination =
local_recipient_maps =
local_transport = error:5.1.1 nobody has an account here
default_transport = error:5.4.4 tests know no other domain
virtual_mailbox_domains = {ours} {theirs}
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
transport_maps = texthash:{dir}/transports

# a refused sender is refused at MAIL FROM, and not at RCPT
smtpd_delay_reject = no
smtpd_sender_restrictions = check_sender_access texthash:{dir}/senders
smtpd_recipient_restrictions = check_recipient_access texthash:{dir}/recipients
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated reject
smtpd_tls_chain_files = {dir}/tls.pem
smtpd_tls_auth_only = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:{host}:{login}

# what Postfix retries it retries when it is told to; nobody is made to wait
queue_run_delay = 1h
minimal_backoff_time = 1h
transport_retry_time = 1s
smtpd_error_sleep_time = 0
in_flow_delay = 0
notify_classes =
mda_destination_recipient_limit = 1
"""

_MASTER = """\
{host}:{port} inet n - n - - smtpd
{host}:{submission_port} inet n - n - - smtpd
    -o smtpd_tls_security_level=encrypt {login_options}
{host}:{smtps_port} inet n - n - - smtpd
    -o smtpd_tls_wrappermode=yes {login_options}
{host}:{elsewhere} inet n - n - - smtpd
    -o myhostname=mx.{theirs}
    -o {{smtpd_recipient_restrictions=check_recipient_access static:{{550 5.1.1 User unknown}}}}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
# `postfix check` makes these too, in two seconds and a half.
_QUEUES = "active bounce corrupt defer deferred flush hold incoming private saved trace".split()
_LOGIN_OPTIONS = "-o smtpd_sasl_auth_enable=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject"
_PIPE = "mda unix - n n - - pipe flags={flags} user={account} null_sender= argv={door} {command}\n"

# bash, because it can open a TCP connection.
_DOOR = """\
#!/bin/bash
# What pipe(8) calls: hands the command line and the mail to the tests, and ends as the MDA ended.
exec 3<>/dev/tcp/{host}/{port} || exit 75
for word in {token} "$@"; do printf %s "$word" | base64 -w0 >&3; printf ' ' >&3; done
echo >&3
base64 -w0 >&3
echo >&3
read -r status <&3 || exit 75
cat <&3
[ "$status" -ge 0 ] || kill "$status" $$
exit "$status"
"""


def missing() -> bool:
    """Whether Postfix is not installed."""
    return not sys.platform.startswith("linux") or shutil.which("postfix", path=_PATH) is None


def _run(*command: str) -> str:
    """Runs one of Postfix's programs; what it says."""
    program = shutil.which(command[0], path=_PATH)
    if program is None:
        raise FileNotFoundError(f"no {command[0]}: {APT_LINE}")
    done = subprocess.run([program, *command[1:]], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on.

    They lie below those that Linux gives to whoever wants any: Postfix is away for a moment whenever it starts anew,
    and nobody shall get its port meanwhile.
    """
    with contextlib.ExitStack() as stack:
        found: list[int] = []
        while len(found) < count:
            probe = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                probe.bind((HOST, random.randrange(16384, 32768)))
                found.append(probe.getsockname()[1])
        return found


def _wait(until: Callable[[], bool], what: str, timeout: float = 20.0) -> None:
    end = time.monotonic() + timeout
    while not until():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {timeout:g} s in vain: {what}")
        time.sleep(0.01)


class Postfix:
    """One Postfix, from `start` to `stop`."""

    user, password = "crm", "secret"  # the login for submission_url and smtps_url

    def __init__(self, folder: Path | None = None) -> None:
        """In a folder of its own, removed at the end; by default under /tmp: Postfix's users cannot reach pytest's."""
        self.dir = folder or Path(tempfile.mkdtemp(prefix="cm-", dir="/tmp"))
        self.port, self.submission_port, self.smtps_port, self._elsewhere = _free_ports(4)
        self.url = f"smtp://{HOST}:{self.port}"
        self.submission_url = f"smtp://{self.user}@{HOST}:{self.submission_port}?starttls=1"
        self.smtps_url = f"smtps://{self.user}@{HOST}:{self.smtps_port}"
        self.ca_file = self.dir / "ca.pem"  # who signed the certificate; it names 127.0.0.1 and localhost
        self._account = pwd.getpwnam("nobody")
        self._login = _Login(self.user, self.password)
        self._mda = _Mda()
        self._master: subprocess.Popen[bytes] | None = None
        self._master_program = ""
        self._main: dict[str, str] = {}
        self._pipe, self._ours = "", OURS

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> Postfix:
        """Start, and wait until it greets."""
        try:
            self._make_folders()
            self._login.start()
            self._mda.start()
            self._write_configuration()
            self._master_program = _run("postconf", "-c", str(self.dir), "-h", "daemon_directory").strip() + "/master"
            self._up()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End every process, and remove the folder."""
        try:
            self._down()
        finally:
            self._login.stop()
            self._mda.stop()
            shutil.rmtree(self.dir, ignore_errors=True)

    __enter__ = start

    def __exit__(self, *_: object) -> None:
        self.stop()

    def clear(self) -> None:
        """An empty queue, empty mailboxes, an empty log, no MDA and no setting of a test's own."""
        self._down()
        self._main, self._pipe, self._ours = {}, "", OURS
        for folder in ("incoming", "active", "deferred", "defer", "bounce", "corrupt"):
            for path in (self.dir / "queue" / folder).rglob("*"):
                if path.is_file():
                    path.unlink()
        shutil.rmtree(self.dir / "mail" / "all", ignore_errors=True)
        (self.dir / "log").unlink(missing_ok=True)
        self._write_configuration()
        self._up()

    def configure(self, **settings: object) -> None:
        """Settings of main.cf until the next `clear`: configure(message_size_limit=2000). Starts Postfix anew."""
        self._main.update({name: str(value) for name, value in settings.items()})
        self._restart()

    def deliver_to(
        self, command: str, env: Mapping[str, str] | None = None, *, flags: str = "", domain: str = OURS
    ) -> None:
        """Mail for our domain goes to an MDA, until the next `clear`. Starts Postfix anew.

        Postfix lets nobody's rights be root's, and an ordinary user could not even reach a Python that lies in /root.
        So what pipe(8) calls is a little door of ours, and behind it the tests' own process runs the MDA: with the
        command line that Postfix has made, the same mail, status and words, but as the user who runs the tests.

        Args:
            command: as in master.cf after `argv=`: words between blanks, no shell; {a word} may hold blanks;
                ${sender}, ${recipient}, ${original_recipient}, ...; `$$` is a dollar.
            env: variables to set beside ours.
            flags: pipe(8)'s, such as "R" for a Return-Path.
            domain: what takes the place of crm.example.
        """
        self._mda.env = {**os.environ, **(env or {})}
        self._pipe = _PIPE.format(flags=flags, account=self._account.pw_name, door=self.dir / "door", command=command)
        self._ours = domain
        self._restart()

    def log(self) -> str:
        """What Postfix has said since `clear`."""
        path = self.dir / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    # -- mail ---------------------------------------------------------------------------------------------------------

    def mailbox(self, address: str) -> list[bytes]:
        """The mails that somebody has received, in order of arrival, also those to his address with +anything.

        Waits until what is under way has arrived. Above the mail as it was sent stand Postfix's Return-Path,
        X-Original-To, Delivered-To and Received; its lines end with \\n.
        """
        self.settle()
        files = [path for path in (self.dir / "mail" / "all").glob("new/*") if path.is_file()]
        mails = [path.read_bytes() for path in sorted(files, key=_arrival)]
        return [raw for raw in mails if _recipient(raw) == address.lower()]

    def queue(self) -> list[dict[str, Any]]:
        """What waits for another try, as `postqueue -j` says: queue_id, sender, recipients (address, delay_reason)."""
        self.settle()
        return [json.loads(line) for line in _run("postqueue", "-c", str(self.dir), "-j").splitlines()]

    def flush(self) -> None:
        """Try again now what waits; returns when each mail had its try."""
        waiting = {path: path.stat().st_ctime_ns for path in self._waiting("deferred")}
        _run("postqueue", "-c", str(self.dir), "-f")
        _wait(lambda: not any(_changed(path) == then for path, then in waiting.items()), "the queue does not move")
        self.settle()

    def settle(self, timeout: float = 20.0) -> None:
        """Wait until every mail is delivered, returned, or waits for another try; TimeoutError if it takes longer."""

        def idle() -> bool:
            return not self._waiting("incoming") and not self._waiting("active")

        # Twice: a mail may pass from the second place to the first, as a bounce, while we look.
        _wait(lambda: idle() and idle(), "mail is still under way", timeout)

    def _waiting(self, folder: str) -> list[Path]:
        return [path for path in (self.dir / "queue" / folder).rglob("*") if path.is_file()]

    # -- how it is made -----------------------------------------------------------------------------------------------

    def _make_folders(self) -> None:
        self.dir.mkdir(exist_ok=True)
        self.dir.chmod(0o755)
        postfix, postdrop = pwd.getpwnam("postfix"), grp.getgrnam("postdrop")
        for name in _QUEUES:
            self._make_folder(f"queue/{name}", 0o700, postfix.pw_uid)
        self._make_folder("queue/pid", 0o755)
        self._make_folder("queue/public", 0o2710, postfix.pw_uid, postdrop.gr_gid)
        self._make_folder("queue/maildrop", 0o1730, postfix.pw_uid, postdrop.gr_gid)
        self._make_folder("data", 0o700, postfix.pw_uid)
        self._make_folder("mail", 0o700, self._account.pw_uid)
        ca = trustme.CA()
        ca.cert_pem.write_to_path(str(self.ca_file))
        ca.issue_cert(HOST, "localhost").private_key_and_cert_chain_pem.write_to_path(str(self.dir / "tls.pem"))
        (self.dir / "tls.pem").chmod(0o600)

    def _make_folder(self, name: str, mode: int, owner: int = 0, group: int = 0) -> None:
        path = self.dir / name
        path.mkdir(parents=True)
        os.chown(path, owner, group)
        path.chmod(mode)

    def _write_configuration(self) -> None:
        values = {
            "dir": self.dir,
            "host": HOST,
            "ours": self._ours,
            "theirs": THEIRS,
            "uid": self._account.pw_uid,
            "gid": self._account.pw_gid,
            "login": self._login.port,
            "port": self.port,
            "submission_port": self.submission_port,
            "smtps_port": self.smtps_port,
            "elsewhere": self._elsewhere,
            "login_options": _LOGIN_OPTIONS,
        }
        own = "".join(f"{name} = {value}\n" for name, value in self._main.items())
        self._write("main.cf", _MAIN.format(**values) + own)
        self._write("master.cf", _MASTER.format(**values) + self._pipe)
        transports = {**TRANSPORTS, **({self._ours: "mda:"} if self._pipe else {})}
        for name, table in (("recipients", RECIPIENTS), ("senders", SENDERS), ("transports", transports)):
            self._write(name, "".join(f"{key} {value}\n".format(**values) for key, value in table.items()))
        # A new file with a new token: a door of before, should one still stand open, leads nowhere.
        self._mda.token = secrets.token_hex(16)
        door = self.dir / "door"
        door.unlink(missing_ok=True)
        door.write_text(_DOOR.format(host=HOST, port=self._mda.port, token=self._mda.token))
        door.chmod(0o500)  # the token is nobody else's business
        os.chown(door, self._account.pw_uid, self._account.pw_gid)

    def _write(self, name: str, text: str) -> None:
        """A file of an hour ago: one of the last two seconds Postfix takes for unfinished, and waits."""
        path = self.dir / name
        path.write_text(text)
        past = time.time() - 3600
        os.utime(path, (past, past))

    def _restart(self) -> None:
        self.settle()
        self._down()
        self._write_configuration()
        self._up()

    def _up(self) -> None:
        # -e: should the tests be killed, Postfix does not outlive them by more than an hour.
        self._master = subprocess.Popen(
            [self._master_program, "-c", str(self.dir), "-e", "3600"], stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            _wait(self._greets, "Postfix does not greet")
        except TimeoutError as error:
            raise RuntimeError(f"Postfix did not start: {self.log()}") from error

    def _greets(self) -> bool:
        assert self._master is not None
        if self._master.poll() is not None:
            raise RuntimeError(f"Postfix did not start: {self.log()}")
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 5) as connection:
            return connection.recv(64).startswith(b"220")
        return False

    def _down(self) -> None:
        """End the master and its children (it is the leader of their session), every MDA, and the doors to them."""
        if self._master is None:
            return
        session = self._master.pid
        with contextlib.suppress(ProcessLookupError):
            os.killpg(session, signal.SIGKILL)
        self._master.wait()
        self._master = None

        def gone() -> bool:
            self._mda.kill()
            return not _living(session, f"{self.dir}/door")

        _wait(gone, "a process of Postfix does not end")


def _living(session: int, program: str) -> list[int]:
    """The processes of a session, and those of a program elsewhere.

    Zombies do not count: in a container there may be nobody who buries them.
    """
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, _, its_session = (path / "stat").read_text(errors="replace").rpartition(") ")[2].split()[:4]
            words = (path / "cmdline").read_bytes().split(b"\0")
            if (int(its_session) == session or program.encode() in words) and state not in "ZX":
                found.append(int(path.name))
    return found


def _changed(path: Path) -> int | None:
    try:
        return path.stat().st_ctime_ns
    except FileNotFoundError:
        return None


def _arrival(path: Path) -> tuple[int, int]:
    """Seconds and microseconds, which virtual(8) writes into the name: 1753005600.V801I52M483920.mx.crm.example."""
    found = re.match(r"(\d+)\.V[0-9a-f]+I[0-9a-f]+M(\d+)\.", path.name)
    assert found, path.name
    return int(found[1]), int(found[2])


def _recipient(raw: bytes) -> str:
    """Whose mail it is, without +anything."""
    local, _, domain = email.message_from_bytes(raw)["Delivered-To"].strip().lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


# -- what Postfix asks the tests --------------------------------------------------------------------------------------


class _Server(ABC, socketserver.ThreadingTCPServer):
    """One of the two servers below: each connection is a call of `answer` in a thread of its own."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        answer = self.answer

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    answer(self)

        super().__init__((HOST, 0), Handler)
        self.port: int = self.server_address[1]
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self.shutdown()
        self.server_close()

    @abstractmethod
    def answer(self, peer: socketserver.StreamRequestHandler) -> None:
        """Talks with one peer until it has gone."""


class _Login(_Server):
    """Who may log in: the server's side of Dovecot's authentication protocol, PLAIN only.

    A real Dovecot thinks for two seconds and longer before it refuses a password, and its tests would too.
    """

    def __init__(self, user: str, password: str) -> None:
        super().__init__()
        self._user, self._password = user, password

    def answer(self, peer: socketserver.StreamRequestHandler) -> None:
        hello = ("VERSION\t1\t2", "MECH\tPLAIN\tplaintext", "SPID\t1", "CUID\t1", f"COOKIE\t{secrets.token_hex(16)}")
        peer.wfile.write("".join(f"{line}\n" for line in (*hello, "DONE")).encode())
        for line in peer.rfile:
            command, *words = line.decode().rstrip("\n").split("\t")
            if command != "AUTH":
                continue
            number, _mechanism, *parameters = words
            _, _, response = parameters[-1].partition("resp=")  # always the last one
            _acts_as, _, login = base64.b64decode(response).partition(b"\0")
            verdict = "OK" if login == f"{self._user}\0{self._password}".encode() else "FAIL"
            peer.wfile.write(f"{verdict}\t{number}\tuser={self._user}\n".encode())


class _Mda(_Server):
    """Runs the MDA for the door that pipe(8) calls.

    The door sends two lines: the token and the words of the command line, then the mail, all in base64. It gets the
    status (below 0: the signal that killed the MDA) in a line, then what the MDA has said.
    """

    def __init__(self) -> None:
        super().__init__()
        self.token = ""  # set with each door: anybody on this machine can connect
        self.env: dict[str, str] = {}
        self._running: set[subprocess.Popen[bytes]] = set()

    def answer(self, peer: socketserver.StreamRequestHandler) -> None:
        token, *command = (base64.b64decode(word).decode() for word in peer.rfile.readline().split(b" ")[:-1])
        mail = peer.rfile.readline()
        if not self.token or token != self.token or not mail.endswith(b"\n"):  # a stranger, or a door that was killed
            return
        try:
            process = subprocess.Popen(
                command,
                env=self.env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            peer.wfile.write(f"75\n{error}\n".encode())
            return
        self._running.add(process)
        said, _ = process.communicate(base64.b64decode(mail))
        self._running.discard(process)
        peer.wfile.write(b"%d\n%s" % (process.returncode, said))

    def kill(self) -> None:
        """End every MDA that still runs, with its children."""
        for process in list(self._running):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
