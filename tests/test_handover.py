"""The mail is handed to a server where one is running, and delivered here on any trouble with it.

What the server itself does is in `server/`; here one of a few lines says what it is told to say.
"""

from __future__ import annotations

import getopt
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from doors import MDA, OK, SOUND, Shop, letter, open_shop
from hypothesis import given
from hypothesis import strategies as some

from crmmail import config, handover, mda
from crmmail.handover import Beginning
from crmmail.services.shared import failing
from crmmail.store.files import beside
from crmmail.workspace import Choice, Workspace


class Server:
    """Listens where the server of a store listens; to each mail it answers the same, in the given pieces."""

    def __init__(self, place: Path) -> None:
        self.answer: list[bytes] = [b"0 0\n"]
        self.before: Callable[[socket.socket], object] = lambda client: None
        self.requests: list[bytes] = []
        self._listens = socket.socket(socket.AF_UNIX)
        self._listens.bind(f"{place}.serve")
        self._listens.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listens.accept()
            except OSError:
                return
            with client, client.makefile("rb") as file:
                try:
                    self.before(client)
                    line = file.readline()
                    _, _, fields, mail = line.split()
                    self.requests.append(line + file.read(int(fields) + int(mail)))
                    for piece in self.answer:
                        client.sendall(piece)
                        time.sleep(0.01)
                except (OSError, ValueError):
                    pass

    def die(self) -> None:
        """As when it is killed: the socket stays where it was."""
        if self._listens.fileno() >= 0:
            self._listens.shutdown(socket.SHUT_RDWR)  # wakes the thread
            self._listens.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one: the path of a socket has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="crm-") as name:
        yield Path(name)


@pytest.fixture
def place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("CRMMAIL_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("CRMMAIL_DB", str(folder / "crm.db"))
    (folder / "crm.db").touch()
    return folder / "crm.db"


@pytest.fixture
def server(place: Path) -> Iterator[Server]:
    one = Server(place)
    yield one
    one.die()


def came(mail: bytes = b"Subject: Hello\n\n", *, ended: bool = True) -> Beginning:
    return Beginning(mail, ended, time.monotonic())


# -- taken ------------------------------------------------------------------------------------------------------------


def test_taken(server: Server, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("CRMMAIL_LOOP_MINUTES", "5")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    monkeypatch.setenv("LANG", "C")
    assert handover.taken(["--sender=ann@x.example", "-s", "p\udcff"], came(b"\0\xff\n" * 9))
    line, _, rest = server.requests[0].partition(b"\n")
    words = [b"--sender", b"ann@x.example", b"-s", b"p\xff"]
    fields, mail = rest[: -len(b"\0\xff\n" * 9)], rest[-len(b"\0\xff\n" * 9) :]
    assert line == b"crmmail-mda 1 %d 27" % len(fields)
    assert mail == b"\0\xff\n" * 9
    assert fields.endswith(b"\0")
    told = fields.split(b"\0")[:-1]
    assert told[:1] == [b"4"] and told[1:5] == words
    assert sorted(told[5:]) == sorted(
        [
            f"CRMMAIL_DB={folder}/crm.db".encode(),
            b"CRMMAIL_LOOP_MINUTES=5",
            f"HOME={folder}".encode(),
            b"XDG_STATE_HOME=/state",
        ]
    )


def test_files_are_named_from_the_root_on(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server stands in another folder, where the same words name other files, or none."""
    monkeypatch.chdir(folder)
    (folder / "c.toml").touch()
    for name, value in (
        ("CRMMAIL_CONFIG", "c.toml"),
        ("CRMMAIL_LOG_FILE", "log"),
        ("CRMMAIL_HOOKS_FOLDER", "~/hooks"),
        ("CRMMAIL_SERVE_LMTP", "off"),
    ):
        monkeypatch.setenv(name, value)
    for words, whole in (
        (["--conf=c.toml", "-v"], ["--config", f"{folder}/c.toml", "-v"]),
        (["-dcrm.db", "--config", ""], ["-d", f"{folder}/crm.db", "--config", ""]),
        (["--db=sqlite:crm.db", "-s", "--"], ["--db", f"{folder}/crm.db", "-s", "--"]),
        (["--db", "~/crm.db", "--"], ["--db", f"{folder}/crm.db"]),
    ):
        server.requests.clear()
        assert handover.taken(words, came())
        told = [os.fsdecode(one) for one in server.requests[0].partition(b"\n")[2].split(b"\0")[:-1]]
        assert told[1 : 1 + int(told[0])] == whole
        assert set(told[1 + len(whole) :]) == {
            f"CRMMAIL_CONFIG={folder}/c.toml",
            f"CRMMAIL_DB={folder}/crm.db",
            f"CRMMAIL_LOG_FILE={folder}/log",
            "CRMMAIL_HOOKS_FOLDER=~/hooks",
            "CRMMAIL_SERVE_LMTP=off",
            f"HOME={folder}",
        }


def test_by_a_link_it_is_the_same_server(server: Server, folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "link.db").symlink_to("../crm.db")
    (folder / "away").symlink_to(folder / "deep", target_is_directory=True)
    for name in ("deep/link.db", "away/link.db"):
        link = str(folder / name)
        assert handover.socket_of(link) == beside.serve(link) == os.path.realpath(f"{folder}/crm.db") + ".serve"
        assert handover.taken(["--db", link], came())
    assert beside.served(f"{folder}/away/other.db") == f"{folder}/away/other.db.served"  # a socket's path must be short


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([b"0 0\n"], ""),
        ([b"0", b" ", b"0", b"\n"], ""),
        ([b"0 30\ncrmmail-mda: stored #1 (new): \n"], "crmmail-mda: stored #1 (new): \n"),
        ([b"0 6\n", b"one\n", b"\xd1\x8b\n"], "one\nы\n"),
        ([b"0 9\na\x1b[31m\xff\n"], "a [31m\ufffd\n"),  # nothing that acts on a terminal
        ([b"0 999\nhalf of it"], "half of it\n"),  # it is committed, whatever becomes of the words
        ([b"0 " + b"9" * 4000 + b"\nhalf of it"], "half of it\n"),
    ],
)
def test_what_it_has_to_say(server: Server, capfd: pytest.CaptureFixture[str], answer: list[bytes], said: str) -> None:
    server.answer = answer
    assert handover.taken(["-v"], came())
    assert capfd.readouterr() == ("", said)


def test_slow_words_do_not_turn_it_back(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "PATIENCE", 0.1)
    server.answer = [b"0 500\n", *[b"a"] * 500]
    assert handover.taken([], came())


# -- not taken --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [b"75 0\n"],
        [b"0"],
        [b"0 0"],
        [b"0\n"],
        [b"\n"],
        [b"00 0\n"],
        [b"0 -1\n"],
        [b"0 x\n"],
        [b" 0 0\n"],
        [b"250 ok\n"],
        [b"crmmail-mda 1 0 0\n"],
        [b"\0" * 200_000],
        [b"1 0\n0 0\n"],
    ],
)
def test_any_other_answer_means_do_it_yourself(server: Server, answer: list[bytes]) -> None:
    server.answer = answer
    assert not handover.taken([], came())
    assert len(server.requests) == 1


def test_closed_in_the_middle(server: Server) -> None:
    def give_up(client: socket.socket) -> None:
        client.recv(100)
        raise OSError

    server.before = give_up
    assert not handover.taken([], came(b"x" * handover.MOST))
    assert server.requests == []


def test_server_that_hangs(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "PATIENCE", 0.1)
    done = threading.Event()
    server.before = lambda client: done.wait(20)
    for mail in (b"small\n", b"x" * handover.MOST):  # waits for the answer; waits for room to send
        assert not handover.taken([], came(mail))
    done.set()


def test_server_that_drips(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is for the whole answer, not for each byte of it."""
    monkeypatch.setattr(handover, "PATIENCE", 0.2)
    server.answer = [b"0"] * 500
    start = time.monotonic()
    assert not handover.taken([], came())
    assert time.monotonic() - start < 3


def test_nobody_there(place: Path) -> None:
    assert not handover.taken([], came())


def test_socket_that_a_killed_server_left(server: Server, place: Path) -> None:
    server.die()
    assert Path(f"{place}.serve").is_socket()
    assert not handover.taken([], came())


def test_file_that_is_no_socket(place: Path) -> None:
    Path(f"{place}.serve").write_text("0 0\n")
    assert not handover.taken([], came())


def test_path_too_long_for_a_socket(place: Path) -> None:
    deep = place.parent / ("d" * 120)
    deep.mkdir()
    (deep / "crm.db").touch()
    (deep / "crm.db.serve").touch()
    assert not handover.taken(["--db", str(deep / "crm.db")], came())


def test_what_is_never_handed_over(server: Server) -> None:
    for beginning in (came(b""), came(b"x", ended=False), came(b"x" * (handover.MOST + 1))):
        assert not handover.taken([], beginning)
    for words in (["--nope"], ["word"], ["-s"], ["--db", "postgresql://x/y"], ["--db=/nowhere/crm.db"]):
        assert not handover.taken(words, came())
    assert server.requests == []
    assert handover.taken([], came(b"x" * handover.MOST))


@pytest.mark.parametrize(
    ("owners", "trusted"),
    [
        ({"socket": 0, "store": 7}, True),
        ({"socket": 7, "store": 7}, True),
        ({"socket": 9, "store": 7}, True),  # ourselves
        ({"socket": 8, "store": 7}, False),
        ({"socket": 8, "store": 0}, False),
    ],
)
def test_mail_is_given_to_nobody_else(
    server: Server, monkeypatch: pytest.MonkeyPatch, owners: dict[str, int], trusted: bool
) -> None:
    """Anybody may make files in /tmp."""
    monkeypatch.setattr(os, "getuid", lambda: 9)
    monkeypatch.setattr(os, "lstat", lambda path: SimpleNamespace(st_uid=owners["socket"], st_mode=0))
    monkeypatch.setattr(os, "stat", lambda path: SimpleNamespace(st_uid=owners["store"]))
    taken = handover.taken([], came())
    monkeypatch.undo()
    assert taken is trusted
    assert len(server.requests) == trusted


def test_store_on_a_server(place: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Its socket lies in the state folder of whoever delivers."""
    monkeypatch.setenv("CRMMAIL_DB", "postgresql://crm:geheim@db.example/crm")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    server = Server(Path(beside.serve("postgresql://crm@db.example/crm").removesuffix(".serve")))
    assert handover.taken([], came())
    monkeypatch.setattr(os, "lstat", lambda path: SimpleNamespace(st_uid=8))
    monkeypatch.setattr(os, "getuid", lambda: 9)
    assert not handover.taken([], came())
    monkeypatch.undo()
    server.die()
    assert len(server.requests) == 1


def test_bug_of_ours_costs_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "request", lambda words, mail: 1 / 0)
    assert not handover.taken([], came())


# -- which server -----------------------------------------------------------------------------------------------------

SHORT = "u:p:s:e:m:d:v"
LONG = ("sender=", "recipient=", "section=", "mailbox=", "no-keep-original", "db=", "config=", "verbose")
_WORDS = some.sampled_from(
    "-u3 -padmin -u 3 -s support -v -vv -vs -vu3 -x -s -- - --sender=%F --sender= --sender x --se=x --se --s=1 --s "
    "--no --no-keep-original=1 --no-keep-original --verb --verbose=1 --db /x --db=/x --d=/y --config c --recipient "
    "--rec=a@b --= --nope -d/x -d= word --m=a@b --section=a=b".split()
)


@given(some.lists(_WORDS, max_size=5))
def test_command_line_is_read_as_getopt_reads_it(words: list[str]) -> None:
    try:
        pairs, rest = getopt.getopt(words, SHORT, LONG)
        meant = None if rest else dict(pairs)
    except getopt.GetoptError:
        meant = None
    try:
        read = handover.options(words)
    except ValueError as error:
        assert meant is None, words
        assert re.search(r": (mend the mda line \(crmmail-mda |write --recipient=%T in one word)", str(error))
    else:
        assert read == meant, words


FILES = {
    "": "",
    "one.toml": 'db = "/from/file.db"\n[mail]\ndomains = ["crm.test"]\n',
    "bare.toml": "[mail]\ndomains = ['crm.test']\n",
    "odd.toml": "# where it is\n\n  db='~/file.db'  \n[mail]\n",
    "empty.toml": 'db = ""\n',
    "sqlite.toml": "db = 'sqlite:///from/file.db'\n",
    "relative.toml": "db = 'from/file.db'\n",
    "postgres.toml": "db = 'postgresql://db.example:5433/crm'\n",
}
SURROUNDINGS = {
    "option": ("--db=/a/b.db", {}),
    "option, short": ("-d /a/b.db --db=/c.db", {"CRMMAIL_DB": "/e.db"}),
    "option, empty": ("--db=", {"CRMMAIL_DB": "/e.db"}),
    "relative": ("-d b.db", {}),
    "dots": ("-d /a/../b//c.db", {}),
    "home": ("-d ~/b.db", {}),
    "sqlite": ("-d sqlite:/a/b.db", {}),
    "sqlite, slashes": ("-d sqlite:///a/b.db", {"CRMMAIL_DB": "/e.db"}),
    "sqlite, relative": ("-d sqlite:b.db", {}),
    "PostgreSQL": ("--db postgresql://crm:geheim@db.example/crm?sslmode=require&password=x", {}),
    "PostgreSQL, environment": ("", {"CRMMAIL_DB": "postgres:///crm"}),
    "PostgreSQL in a file": ("--config postgres.toml", {}),
    "environment": ("", {"CRMMAIL_DB": "~/e.db", "CRMMAIL_CONFIG": "one.toml"}),
    "usual place": ("", {}),
    "usual place, moved": ("", {"XDG_DATA_HOME": "/data"}),
    "usual place, not moved": ("", {"XDG_DATA_HOME": "data"}),
    "usual file": ("", {"XDG_CONFIG_HOME": "xdg"}),
    **{f"--config={name}": (f"--config {name}", {"XDG_DATA_HOME": "/data"}) for name in FILES if name},
    **{f"$CRMMAIL_CONFIG={name}": ("", {"CRMMAIL_CONFIG": name}) for name in FILES},
}


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_store_is_the_one_that_a_delivery_finds(place: Path, folder: Path, surroundings: str) -> None:
    said, environ = SURROUNDINGS[surroundings]
    for name, words in FILES.items():
        if name:
            (folder / name).write_text(words)
    (folder / "xdg" / "crmmail").mkdir(parents=True)
    (folder / "xdg" / "crmmail" / "config.toml").write_text("db = '/from/usual.db'")
    environ = {key: value.replace("xdg", str(folder / "xdg")) for key, value in environ.items()}
    environ = {key: str(folder / value) if value in FILES and value else value for key, value in environ.items()}
    said = re.sub(r"(?<=--config )", f"{folder}/", said)
    found = handover.store(handover.options(said.split()), environ)
    assert found == failing.place_of(mda.understand(said.split()).choice, environ)
    assert handover.socket_of(found) == beside.serve(found)


@pytest.mark.parametrize(
    "words",
    [
        'db = """/a.db"""',
        'db = "/a\\u002edb"',
        '"db" = "/a.db"',
        "db = '/a.db' # here",
        "db = 3",
        "db =",
        "db",
        "dbase = '/a.db'",
        "x = 1\ndb = '/a.db'",
        "db = \"/a.db'",
        'db = "/a" .db"',
    ],
)
def test_file_that_only_a_parser_understands(folder: Path, words: str) -> None:
    (folder / "config.toml").write_text(words)
    assert handover.store({"--config": str(folder / "config.toml")}, {}) == ""


def test_file_that_cannot_be_read(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who delivers it says what is wrong."""
    monkeypatch.delenv("CRMMAIL_DB")
    (folder / "config.toml").write_bytes(b"db = '\xff'")
    for path in (folder / "config.toml", folder / "none.toml", folder):
        assert not handover.taken([f"--config={path}"], came())
    assert server.requests == []


# -- and then it is delivered here ------------------------------------------------------------------------------------


@pytest.fixture
def shop(folder: Path) -> Shop:
    return open_shop(folder)


def test_whole_door(shop: Shop) -> None:
    """Taken: the store has not seen it, and the door says 0.  Not taken: it is delivered as ever."""
    server = Server(shop.place)
    server.answer = [b"0 12\nit is mine.\n"]
    done = shop.mda(letter("Taken"), "-v", command=(sys.executable, MDA))
    assert (done.returncode, done.stdout, done.stderr) == (OK, b"", b"it is mine.\n")
    assert server.requests[0].endswith(letter("Taken"))
    assert shop.mails() == []
    server.answer = [b"75 0\n"]
    done = shop.mda(letter("Not taken"), command=(sys.executable, MDA))
    assert (done.returncode, done.stdout, done.stderr) == (OK, b"", b"")
    assert len(server.requests) == 2
    server.die()
    done = shop.mda(letter("Server dead"), command=(sys.executable, MDA))
    assert (done.returncode, done.stdout, done.stderr) == (OK, b"", b"")
    assert sorted(shop.mails()) == ["Not taken", "Server dead"]
    assert shop.check() == SOUND


def test_mail_that_is_too_large_for_it(shop: Shop) -> None:
    server = Server(shop.place)
    raw = letter("Large", attachment=os.urandom(handover.MOST))
    assert shop.mda(raw, command=(sys.executable, MDA)).returncode == OK
    server.die()
    assert server.requests == []
    (mail,) = shop.rows("SELECT size FROM crm_original")
    assert mail == (len(raw),)


@pytest.mark.parametrize(
    ("deadline", "waited", "left"),
    [(120, 0, 120), (120, 0.9, 120), (120, 40.2, 80), (10, 40, 5), (1, 40, 1), (0, 40, 0)],
)
def test_time_that_is_left(deadline: int, waited: float, left: int) -> None:
    assert mda.time_left(deadline, waited) == left
    assert handover.PATIENCE + mda.time_left(config.Config().delivery_deadline, handover.PATIENCE) <= 120


def test_what_was_waited_counts(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    alarms: list[int] = []
    monkeypatch.setattr(mda.signal, "alarm", alarms.append)
    for name, value in shop.env().items():
        monkeypatch.setenv(name, value)
    assert mda.run([], letter("Late"), waited=45.0) == (0, [])
    assert alarms == [75, 0]
    with Workspace(Choice()) as workspace:
        assert workspace.config.delivery_deadline == 120


def test_mail_in_pieces(folder: Path) -> None:
    """What was offered to a server is the beginning of what is delivered, byte for byte."""
    program = (
        "import sys\nfrom crmmail import handover, mda\nhandover.MOST = 100_000\nbegun = handover.begin()\n"
        "size, ended = len(begun.mail), begun.ended\nwhole = mda.read_on(begun).whole()\n"
        "sys.stdout.buffer.write(b'%d %d\\n' % (size > 100_000, ended) + whole)"
    )
    raw = os.urandom(300_000)
    done = subprocess.run([sys.executable, "-c", program], input=raw, capture_output=True, timeout=60)
    assert done.stdout == b"1 0\n" + raw
    done = subprocess.run([sys.executable, "-c", program], input=raw[:70_000], capture_output=True, timeout=60)
    assert done.stdout == b"0 1\n" + raw[:70_000]
