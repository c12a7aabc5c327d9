"""`crmmail serve` as a process: what it has acknowledged is in the store, whatever ends it; its sockets and its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from doors import CRMMAIL, OK, ROOT, SOUND, Shop, letter, open_shop
from lmtp import FULL, Client, Desk, Served, wait_for
from mailsink import Sink
from servers import absent
from thorough import long_form

from crmmail.cli.main import run
from crmmail.errors import ConfigBroken, Refused, UsageError
from crmmail.server import sockets
from crmmail.server.serve import Doors, Service, listening
from crmmail.server.storekeeper import Storekeeper
from crmmail.server.systemd import Notices
from crmmail.store.engine.database import NEWEST
from crmmail.store.files import beside, serving
from crmmail.store.files.serving import Address
from crmmail.workspace import Choice


@pytest.fixture
def shop() -> Iterator[Shop]:
    """In a folder with a short name: the path of a socket has 107 bytes at most."""
    folder = Path(tempfile.mkdtemp(prefix="cs-", dir="/tmp"))
    yield open_shop(folder)
    shutil.rmtree(folder)


def findings(shop: Shop, check: str) -> list[dict[str, str]]:
    """What `doctor` finds under that name."""
    done = subprocess.run([CRMMAIL, "doctor", "--json"], env=shop.env(), capture_output=True, text=True, timeout=60)
    return [one for one in json.loads(done.stdout) if one["check"] == check]


def whose(shop: Shop) -> list[int]:
    """The processes that took the mails in, in their order."""
    return [
        int(number)
        for number in re.findall(r" (?:mda|serve)\[(\d+)\] (?:mda|lmtp|crmmail-mda): ", shop.log.read_text())
    ]


class Load:
    """Some clients, each of which sends one mail after the other until the server is gone, or it is over."""

    def __init__(self, server: Served, clients: int = 4) -> None:
        self.acknowledged: list[str] = []
        self.offered: list[str] = []
        self.said: list[str] = []
        self._server, self._ended = server, threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(clients)]
        for one in self._threads:
            one.start()

    def _send(self, client: int) -> None:
        number = 0
        with contextlib.suppress(OSError):
            while not self._ended.is_set():
                with self._server.connect() as line:
                    for _ in range(5):  # then another connection
                        number += 1
                        subject = f"{client}-{number}"
                        self.offered.append(subject)
                        said = line.offer(self.mail(subject))
                        self.said += said
                        if said and said[0].startswith("250"):
                            self.acknowledged.append(subject)
                        else:
                            return

    @staticmethod
    def mail(subject: str) -> bytes:
        """Each of another sender: nobody shall be taken for a loop."""
        return letter(subject, sender=f"ann.{subject}@customer.example")

    def over(self) -> None:
        self._ended.set()
        for one in self._threads:
            one.join(30)
            assert not one.is_alive()


# -- mail -------------------------------------------------------------------------------------------------------------


def test_250_means_that_it_is_in_the_store(shop: Shop) -> None:
    with Served(shop) as server, server.connect() as line:
        assert line.offer(letter("Printer broken")) == ["250 2.0.0 stored #1"]
        assert shop.mails() == ["Printer broken"]
        assert line.offer(letter("An offer?", to="sales@crm.test"), "sales@crm.test", "x@crm.test") == [
            "250 2.0.0 stored #2",
            "250 2.0.0 stored #2",
        ]
        assert line.offer(letter("Printer broken")) == ["250 2.0.0 duplicate #1"]
        assert line.offer(letter("For nobody", to="no@crm.test"), "no@crm.test") == ["250 2.0.0 quarantined 1"]
        # The other door, which hands its mail over.
        assert shop.mda(letter("Again broken"), "--recipient=support@crm.test").returncode == OK
        done = shop.mda(letter("Still broken"), "--recipient=support@crm.test", "-v")
        assert (done.returncode, done.stderr[:28]) == (OK, b"crmmail-mda: stored #4 (new)")
        assert shop.mails() == ["Printer broken", "An offer?", "Again broken", "Still broken"]
        assert whose(shop) == [server.storekeeper] * 6, "no other process took a mail"
        ways = re.findall(rf" serve\[{server.storekeeper}\] (\w+): \w+", shop.log.read_text())
        assert ways == ["lmtp"] * 4 + ["mda"] * 2, "and the log says so"
        # What is changed meanwhile counts from the next mail on.
        shop.crmmail("config", "set", "delivery.max_size", "1000")
        assert line.offer(letter("Big", "x" * 3000)) == ["250 2.0.0 quarantined 2"]
        shop.crmmail("aliases", "add", "jobs@crm.test", "--kind", "lead")
        assert line.offer(letter("Hire me", to="jobs@crm.test"), "jobs@crm.test") == ["250 2.0.0 stored #5"]
        assert shop.held() == ["no-route", "too-large"]
        assert server.stop() == 0
    assert shop.mda(letter("By itself"), "--recipient=support@crm.test").returncode == OK
    assert shop.mails()[-1] == "By itself"
    assert re.search(r" mda\[\d+\] crmmail-mda: stored #6 .*\n\Z", shop.log.read_text())
    assert shop.check() == SOUND


def test_what_was_queued_leaves_at_once(shop: Shop, sink: Sink) -> None:
    shop.crmmail("users", "set", "boss", "--notify", "both")
    with Served(shop, ticks=True, env={"CRMMAIL_SMTP_URL": sink.url}) as server, server.connect() as line:
        wait_for(lambda: os.path.exists(beside.tick(str(shop.place))), "the first tick")
        line.offer(letter("Printer broken"))
        wait_for(lambda: shop.rows("SELECT 1 FROM crm_delivery WHERE state = 'sent'"), "the notification is sent")
        assert server.stop() == 0


# -- trouble ----------------------------------------------------------------------------------------------------------


def test_no_recipient_is_accepted_while_the_store_cannot_be_written(shop: Shop) -> None:
    away = shop.place.with_name("away")
    with Served(shop, env={"CRMMAIL_DELIVERY_BUSY_TIMEOUT": "0"}) as server, server.connect() as line:
        shop.place.rename(away)
        (said,) = line.offer(letter("One"))
        assert said.startswith(f"451 4.3.0 no store at {shop.place}")
        away.rename(shop.place)
        line.say("RSET")
        assert line.offer(letter("Two"))[0][:3] == "250"
        time.sleep(1.1)  # a look that was good is believed for a second
        with shop.locked():
            (said,) = line.offer(letter("Three"))
            assert said == f"451 4.3.0 {shop.place} is locked by another process: try again"
            line.say("RSET")
        with contextlib.closing(sqlite3.connect(shop.place)) as store, store:
            store.execute("UPDATE crm_migration SET name = '9999_newer' WHERE name = ?", (NEWEST,))
        (said,) = line.offer(letter("Four"))
        assert said.startswith("451 4.3.0 ") and "newer crmmail" in said
    assert [row[0] for row in shop.rows("SELECT subject FROM crm_message WHERE kind = 'email_in'")] == ["Two"]


def test_what_cannot_be_committed_is_a_connection_that_ends(shop: Shop) -> None:
    with Served(shop, patch=FULL) as server:
        with server.connect() as line:
            assert line.offer(letter("One")) == []
        assert shop.mails() == []
        assert "no room left on the disk" in shop.log.read_text()
        assert findings(shop, "deliveries")[0]["sentence"].endswith("make some and try again")
        with server.connect() as line:
            assert line.offer(letter("Two")) == [], "and the server lives"
        done = shop.mda(letter("Three"), "--recipient=support@crm.test")
        assert (done.returncode, shop.mails()) == (OK, ["Three"]), "crmmail-mda can do it itself, and does"


# A mail hangs while it is read, another one while it is judged.
HANG = """
import time
from crmmail.core import route
from crmmail.services.incoming import prepare
def hanging(real, subject):
    def act(mail, *rest):
        while subject in str(getattr(mail, "subject", mail)):
            time.sleep(1)
        return real(mail, *rest)
    return act
prepare.parse = hanging(prepare.parse, "Unreadable")
route.decide = hanging(route.decide, "Undecidable")
"""
# As under load, where the store has no leisure to read.
BUSY = """
from crmmail.server.storekeeper import Storekeeper
real_read = Storekeeper.read
Storekeeper.read = lambda self, mails, *, at_leisure: real_read(self, mails, at_leisure=False)
"""


@pytest.mark.parametrize("where", ["reader", "storekeeper"])
def test_a_mail_that_hangs_ends_its_process_and_the_third_time_goes_to_quarantine(shop: Shop, where: str) -> None:
    """The server stays, the neighbours come in, and nobody accuses them."""
    poison = letter({"reader": "Unreadable", "storekeeper": "Undecidable"}[where])
    with Served(shop, patch=HANG + BUSY, env={"CRMMAIL_DELIVERY_DEADLINE": "1"}) as server:
        processes = set()
        for number in range(4):
            with server.connect() as line:
                assert line.offer(letter(f"Good {number}"))[0].startswith("250 2.0.0 stored")
                processes.add(getattr(server, where))
                assert line.offer(poison) == ([] if number < 3 else ["250 2.0.0 quarantined 1"])
        assert len(processes) == 4
        assert server.stop() == 0
    assert shop.held() == ["cut-off"]
    assert shop.mails() == [f"Good {number}" for number in range(4)]
    assert shop.log.read_text().count(f"signal {signal.SIGALRM.value} ended it) over 1 mails, which come again") == 3


# -- the end ----------------------------------------------------------------------------------------------------------


def check_nothing_is_lost(shop: Shop, load: Load) -> None:
    """What was acknowledged is there, once; what was not may be there, once, too."""
    there = shop.mails()
    assert load.acknowledged, "nothing was sent: the test tests nothing"
    assert sorted(set(load.acknowledged) - set(there)) == []
    assert len(there) == len(set(there))
    assert not [said for said in load.said if said[:3] not in ("250", "421", "451")]
    assert shop.check() == SOUND


def test_term_under_load_loses_nothing_and_leaves_nothing_behind(shop: Shop) -> None:
    with Served(shop) as server:
        load = Load(server)
        wait_for(lambda: len(load.acknowledged) > 4, "the first mails")
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10
        load.over()
    check_nothing_is_lost(shop, load)
    assert not [name for name in (beside.serve, beside.lmtp) if os.path.exists(name(str(shop.place)))]
    assert os.listdir(beside.attempts(str(shop.place))) == []


@pytest.mark.parametrize("delay", [0.2, *long_form(*(0.05 * number for number in range(20)))])
def test_killed_under_load_nothing_is_lost_or_doubled(shop: Shop, delay: float) -> None:
    with Served(shop) as server:
        load = Load(server)
        wait_for(lambda: load.acknowledged, "the first mail")
        time.sleep(delay)
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        load.over()
    assert os.path.exists(beside.serve(str(shop.place))), "a killed one leaves its sockets"
    check_nothing_is_lost(shop, load)
    with Served(shop) as server, server.connect() as line:  # which takes them over
        for subject in load.offered:  # a mail server offers again what it knows nothing of
            assert line.offer(load.mail(subject))[0][:3] == "250"
    assert sorted(shop.mails()) == sorted(load.offered)
    check_nothing_is_lost(shop, load)


Says = Callable[..., str]


@pytest.fixture
def refused(shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Says:
    """What a server says that does not start."""
    for name, value in shop.env().items():
        monkeypatch.setenv(name, value)

    def serve(*options: str) -> str:
        assert run(["serve", *options]) == 1
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1), said
        return said.err

    return serve


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--lmtp", "0.0.0.0:2424"), "LMTP has no login"),
        (("--lmtp", "crm.example:2424"), "LMTP has no login"),
        (("--lmtp", "unix:/tmp/" + "x" * 120), "too long for a socket"),
        (("--lmtp", "unix:/nowhere/lmtp"), "cannot listen on unix:/nowhere/lmtp"),
        (("--lmtp", "203.0.113.1:2424", "--anywhere"), "cannot listen on 203.0.113.1:2424"),
        (("--db", "/nowhere/crm.db"), "no store at /nowhere/crm.db"),
    ],
)
def test_what_it_cannot_serve_is_said_in_one_line(refused: Says, options: tuple[str, ...], words: str) -> None:
    assert words in refused(*options)


def offer(server: Served, mail: bytes) -> bool:
    """One mail over a connection of its own; was it taken?"""
    with server.connect() as line:
        return "".join(line.offer(mail)).startswith("250")


@pytest.mark.parametrize("which", ["storekeeper", *long_form("reader")])
def test_when_a_process_of_its_own_is_killed_the_server_goes_on(shop: Shop, which: str) -> None:
    with Served(shop) as server:
        load = Load(server)
        wait_for(lambda: len(load.acknowledged) > 3, "the first mails")
        os.kill(getattr(server, which), signal.SIGKILL)
        wait_for(lambda: offer(server, load.mail(load.offered[0])), "it goes on")
        load.over()
        with server.connect() as line:
            for subject in load.offered:
                assert line.offer(load.mail(subject))[0][:3] == "250"
    assert sorted(shop.mails()) == sorted(load.offered)
    check_nothing_is_lost(shop, load)


def test_of_two_servers_the_second_is_refused(shop: Shop, refused: Says) -> None:
    first = serving.lock(str(shop.place))
    assert first is not None and serving.lock(str(shop.place)) is None
    serving.write(first, serving.Server(4711, "0.1.0", NEWEST, datetime.now(UTC), ""))
    assert f"{shop.place} is served already by process 4711: end that one first" in refused()
    os.close(first)
    assert serving.read(str(shop.place)) is None, "who is dead serves no more"


def test_a_file_of_somebody_elses_is_not_taken_for_a_socket(shop: Shop, refused: Says) -> None:
    path = Path(beside.serve(str(shop.place)))
    path.write_text("precious")
    assert "cannot listen on" in refused()
    assert path.read_text() == "precious"


def test_a_socket_at_which_somebody_listens_stays_his(shop: Shop, refused: Says) -> None:
    place, path = str(shop.place), shop.folder / "lmtp"
    with sockets.opened(Address(str(path)), place):
        before = path.stat().st_ino
        assert f"somebody listens on {path} already: end that server" in refused("--lmtp", f"unix:{path}")
        assert path.stat().st_ino == before
        assert not os.path.exists(beside.serve(place)), "its own went"
        path.unlink()
        with socket.socket(socket.AF_UNIX) as another:
            another.bind(str(path))
            another.listen()
    assert path.exists(), "and whoever has ended takes only his own away"


def test_of_two_servers_that_begin_at_one_moment_one_listens_and_the_other_is_refused(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has looked whether somebody listens, and has seen nobody, must not take away what has come since."""
    path, both_looked = str(shop.folder / "lmtp"), threading.Barrier(2)
    real = sockets.remove

    def late(path: str) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            both_looked.wait(0.2)  # so long the other one has for his look
        real(path)

    monkeypatch.setattr(sockets, "remove", late)

    def begin(_: int) -> socket.socket | Exception:
        try:
            return opened.enter_context(sockets.opened(Address(path), str(shop.place)))
        except (Refused, ConfigBroken) as error:
            return error

    with contextlib.ExitStack() as opened, ThreadPoolExecutor(2) as pool:
        first, second = sorted(pool.map(begin, range(2)), key=lambda one: isinstance(one, Exception))
        assert isinstance(first, socket.socket) and isinstance(second, Refused), (first, second)
        assert serving.listens(path)


def test_where_the_name_is_too_long_for_a_socket_crmmail_mda_delivers_by_itself(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    place = shop.folder / ("x" * 100) / "crm.db"
    place.parent.mkdir()
    shutil.copy(shop.place, place)
    with listening(str(place), Address(str(shop.folder / "lmtp")), []) as doors:
        assert doors.mda is None and doors.lmtp is not None
    with listening(str(place), None, []) as doors:
        assert doors == (None, None)
    assert run(["serve", "--db", str(place), "--lmtp", "unix:/nowhere/lmtp"]) == 1
    said = capsys.readouterr().err
    assert "crm.db.serve is too long for a socket: crmmail-mda delivers by itself" in said
    assert "cannot listen on unix:/nowhere/lmtp" in said


def test_a_store_that_cannot_be_written_is_not_served(
    shop: Shop, refused: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    cannot_write(monkeypatch)
    assert f"{shop.place} cannot be written: check the owner" in refused()


def cannot_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so the system's answer is made up."""
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, how, **more: how != os.W_OK and real(path, how, **more))


class Unheard:
    """A store that hangs, or whose thread has died."""

    waiting, is_alive = 1, True


@pytest.mark.parametrize("is_alive", [True, False])
def test_nobody_is_waited_for_without_end(is_alive: bool) -> None:
    """Who has handed a mail over and hears nothing finds his connection ended, which keeps the mail."""
    queue = Unheard()
    queue.is_alive = is_alive
    client = Client(Desk(slow=True))
    client.says("LHLO me", "MAIL FROM:<ann@customer.example>", "RCPT TO:<support@crm.test>")
    client.desk.catch_up()
    client.says("DATA", "Subject: Hello", "", ".")
    service = Service(Choice(), {}, "", longest=60, ticks=False)
    service._connections = client.others
    before = client.wire.out
    began = time.monotonic()
    assert not asyncio.run(service._everybody_leaves(queue, 0.2 if is_alive else 60))  # type: ignore[arg-type]
    assert (client.wire.open, client.wire.out, client.others) == (False, before, set())
    assert time.monotonic() - began < 10


def test_a_bug_of_ours_ends_it_with_an_error(shop: Shop, refused: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object, **__: object) -> None:
        raise TypeError("of another version")

    monkeypatch.setattr(Storekeeper, "begin", bug)
    monkeypatch.setattr(Storekeeper, "trouble", lambda _, sizes: [""] * len(sizes))
    assert run(["serve", "--no-tick"]) == 1
    assert "stopped over a bug of crmmail's own (TypeError: of another version)" in shop.log.read_text()


def test_its_sockets_are_as_open_as_the_store(shop: Shop) -> None:
    path, place = shop.folder / "socket", str(shop.place)
    for mode in (0o660, 0o600):
        shop.place.chmod(mode)
        with sockets.opened(Address(str(path)), place) as listening:
            assert (path.stat().st_mode & 0o777, sockets.name(listening)) == (mode, f"unix:{path}")
        assert not path.exists()
    shop.place.chmod(0o660)
    os.close(serving.lock(place) or 0)
    assert os.stat(beside.served(place)).st_mode & 0o777 == 0o660


@pytest.mark.parametrize(
    ("words", "anywhere", "found"),
    [
        ("off", False, "None"),
        ("unix", False, "unix:/srv/crm.db.lmtp"),
        ("unix:/run/lmtp", False, "unix:/run/lmtp"),
        ("/run/lmtp", False, "unix:/run/lmtp"),
        ("127.0.0.1:2424", False, "127.0.0.1:2424"),
        ("localhost:2424", False, "localhost:2424"),
        ("[::1]:2424", False, "[::1]:2424"),
        ("0.0.0.0:2424", True, "0.0.0.0:2424"),
        ("192.0.2.1:2424", False, Refused),
        ("[::]:2424", False, Refused),
        ("localhost.evil.example:2424", False, Refused),
        ("2424", False, UsageError),
        ("127.0.0.1:0", False, UsageError),
        ("127.0.0.1:lmtp", False, UsageError),
        ("127.0.0.1:99999", False, UsageError),
        ("127.0.0.1:²", False, UsageError),
        ("", False, UsageError),
    ],
)
def test_where_it_may_listen(words: str, anywhere: bool, found: str | type[Exception]) -> None:
    if isinstance(found, str):
        assert str(sockets.address(words, "/srv/crm.db", anywhere=anywhere)) == found
    else:
        with pytest.raises(found):
            sockets.address(words, "/srv/crm.db", anywhere=anywhere)


@pytest.mark.parametrize("words", ["unix:/run/lmtp", "127.0.0.1:2424", "[::1]:2424"])
def test_an_address_is_read_as_it_is_written(words: str) -> None:
    assert str(serving.address(words)) == words


def test_as_many_may_wait_before_a_door_as_it_says(tmp_path: Path) -> None:
    async def run() -> int:
        path = str(tmp_path / "door")
        with contextlib.ExitStack() as opened:
            listening = opened.enter_context(sockets.opened(Address(path), ""))
            service = Service(Choice(), {}, "", longest=0, ticks=False)
            loop = asyncio.get_running_loop()
            (server,) = await service._open(loop, Doors(None, listening), Desk())  # type: ignore[arg-type]
            opened.callback(server.close)
            for waiting in range(2 * sockets.BACKLOG):  # the loop lets nobody in meanwhile
                client = opened.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                try:
                    client.connect(path)
                except BlockingIOError:
                    return waiting
        raise AssertionError("there is room without end")

    assert asyncio.run(run()) >= sockets.BACKLOG


# -- systemd ----------------------------------------------------------------------------------------------------------


def test_systemd_gives_it_its_sockets_and_hears_of_it(shop: Shop) -> None:
    """The sockets stay when it ends: a client waits in them for the next server."""
    paths = [beside.serve(str(shop.place)), str(shop.folder / "lmtp")]
    with contextlib.ExitStack() as stack:
        doors = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in paths]
        for door, path in zip(doors, paths, strict=True):
            door.bind(path)
            door.listen()
        notices = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        notices.bind(str(shop.folder / "notify"))
        notices.settimeout(20)
        start = (
            f"import os\nfor number, one in enumerate({[one.fileno() for one in doors]}): os.dup2(one, 3 + number)\n"
            f"os.environ['LISTEN_PID'] = str(os.getpid())\nos.execv({CRMMAIL!r}, ['crmmail', 'serve', '--no-tick'])"
        )
        env = {"LISTEN_FDS": "2", "NOTIFY_SOCKET": str(shop.folder / "notify"), "WATCHDOG_USEC": "200000"}
        given = {"env": env, "pass_fds": [one.fileno() for one in doors], "command": (sys.executable, "-c", start)}
        for subject in ("One", "Two"):
            with Served(shop, **given) as server:
                server.path = Path(paths[1])
                heard = {notices.recv(100) for _ in range(3)}
                assert heard == {b"READY=1", b"WATCHDOG=1"}
                with server.connect() as line:
                    assert line.offer(letter(subject))[0][:3] == "250"
                assert shop.mda(letter(f"{subject} by hand"), "--recipient=support@crm.test").returncode == OK
                assert server.stop() == 0
                while (said := notices.recv(100)) == b"WATCHDOG=1":
                    pass
                assert said == b"STOPPING=1"
            assert all(map(os.path.exists, paths))
        assert shop.mails() == ["One", "One by hand", "Two", "Two by hand"]
        assert len(whose(shop)) == 4 and len(set(whose(shop))) == 2, "each server took two"


class Asked:
    """A queue whose processes have owed an answer for so long."""

    is_alive = True

    def __init__(self, silence: float) -> None:
        self.silence = silence


@pytest.mark.parametrize(
    ("silence", "longest", "lives"), [(0, 150, True), (200, 150, True), (211, 150, False), (9999, 0, True)]
)
def test_systemd_hears_nothing_of_a_server_whose_process_stands_still(
    silence: float, longest: float, lives: bool
) -> None:
    notices = Notices({"WATCHDOG_USEC": "2000"})
    said: list[str] = []
    notices.say = said.append  # type: ignore[method-assign]

    async def sweep() -> None:
        service = Service(Choice(), {}, "", longest=longest, ticks=False)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(service._sweep(notices, Asked(silence)), 0.05)  # type: ignore[arg-type]

    asyncio.run(sweep())
    assert set(said) == ({"WATCHDOG=1"} if lives else set())


def test_the_units_are_what_systemd_understands(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        absent("needs: apt-get install systemd")
    units = sorted((ROOT / "docs" / "systemd").iterdir())
    assert [one.name for one in units] == ["crmmail.service", "crmmail.socket"]
    for one in units:
        (tmp_path / one.name).write_text(one.read_text().replace("/usr/local/bin/crmmail", CRMMAIL))
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))], capture_output=True, text=True, timeout=60
    )
    ours = [line for line in done.stderr.splitlines() if "crmmail" in line]
    assert (done.returncode, ours) == (0, []), done.stderr
