"""The door as MTAs use it: a real process that answers 0 or 75, whatever happens to it.

0 is "committed to disk", 75 is "offer it again", death by a signal counts as 75 with fetchmail and Postfix alike.
Behaviour §1; safety 15, 16, 18.  What a disk, a crowd, a clock or a line can do to it is in `faults/`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from doors import LATER, MDA, OK, ROOT, SOUND, Shop, answers_later, letter, open_shop, with_python

from crmmail.mda import understand

CHECKOUT = (sys.executable, str(ROOT / "bin" / "crmmail-mda"))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path)


def answers_ok(done: subprocess.CompletedProcess[bytes]) -> None:
    assert (done.returncode, done.stdout, done.stderr) == (OK, b"", b"")


# -- 0 or 75, and nothing else ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", [(MDA,), CHECKOUT], ids=["installed", "checkout"])
def test_silent_when_all_is_well(shop: Shop, door: tuple[str, ...]) -> None:
    answers_ok(
        shop.mda(letter("Printer broken"), "--sender=ann@x.example", "--recipient=support@crm.test", command=door)
    )
    assert shop.titles("case") == ["Printer broken"]


@pytest.mark.parametrize(
    "options",
    [
        ["--nope"],
        ["-x"],
        ["-s"],
        ["--recipient"],
        ["--verbose=5.1.1"],
        ["--=x"],
        ["word"],
        ["5.1.1 no such user"],
        ["--recipient=a@crm.test", "b@crm.test"],
        ["--", "--sender=x"],
        ["--\x1b]0;owned\x07\r\n5.1.1 gone"],
        [b"--\xff\xfe"],
        [b"\xd0\xbf\xd0\xb8\xd1\x81\xd1\x8c\xd0\xbc\xd0\xbe"],
        ["--" + "x" * 100_000],
    ],
    ids=lambda options: repr(options[0])[:30],
)
def test_command_line_that_cannot_be(shop: Shop, options: list[str | bytes]) -> None:
    answers_later(shop.mda(letter("Printer broken"), *options))
    assert shop.mails() == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("-u3 -padmin -ssupport -esupport@mycompany.com", []),
        ("-u 3 -p admin -s support -e support@mycompany.com", []),
        ("-u99 -p '' -s nowhere -m boss@crm.test", ["no-section"]),
        ("-s '' --recipient=", []),
        ("--sender= --recipient=%T", []),
        ("--sender=--config=/etc/passwd --recipient=-o@", []),
        ("--recipient=-o@x.example", ["no-route"]),
        ("-s support -s nowhere", ["no-section"]),
    ],
)
def test_command_line_that_may_be_odd(shop: Shop, options: str, words: list[str]) -> None:
    """None of these is a reason to keep a mail waiting: at worst it waits in quarantine."""
    import shlex

    to = "nobody@elsewhere.example" if words else "support@crm.test"
    answers_ok(shop.mda(letter("Printer broken", to=to), *shlex.split(options)))
    assert shop.held() == words
    assert shop.mails() == ([] if words else ["Printer broken"])


def test_a_command_line_may_name_several_recipients() -> None:
    options = understand(["--recipient", "<Sales@crm.test>, ben@crm.test nobody"])
    assert options.envelope.recipients == ("sales@crm.test", "ben@crm.test")


def _write(name: str, words: str = "") -> Callable[[Shop], str]:
    def prepare(shop: Shop) -> str:
        path = shop.folder / name
        path.write_text(words)
        return str(path)

    return prepare


def _folder(shop: Shop) -> str:
    return str(shop.home)


SURROUNDINGS: dict[str, tuple[str, str | Callable[[Shop], str], str]] = {
    "store missing": ("CRMMAIL_DB", "/nowhere/crmmail.db", "no store at"),
    "store below a file": ("CRMMAIL_DB", "/etc/passwd/crmmail.db", "no store at"),
    "store a folder": ("CRMMAIL_DB", _folder, "open"),
    "store empty": ("CRMMAIL_DB", _write("empty.db"), "crmmail init"),
    "store no database": ("CRMMAIL_DB", _write("text.db", "5.1.1 is no database\n" * 500), "not a database"),
    "store of another kind": ("CRMMAIL_DB", "postgresql://x/y", "postgresql"),
    "store's name too long": ("CRMMAIL_DB", "/" + "x" * 5000, "no store at"),
    "store's name hostile": ("CRMMAIL_DB", "/\x1b[31m\n5.1.1 x", "no store at"),
    "configuration missing": ("CRMMAIL_CONFIG", "/nowhere/config.toml", "no configuration file"),
    "configuration no TOML": ("CRMMAIL_CONFIG", _write("a.toml", "[mail\n=="), "cannot read"),
    "configuration not UTF-8": ("CRMMAIL_CONFIG", lambda shop: _latin(shop), "cannot read"),
    "configuration a folder": ("CRMMAIL_CONFIG", _folder, "cannot read"),
    "unknown setting": ("CRMMAIL_CONFIG", _write("b.toml", "[delivery]\nspeed = 3\n"), "delivery.speed"),
    "wrong setting": ("CRMMAIL_CONFIG", _write("c.toml", "[delivery]\ndeadline = 'soon'\n"), "deadline"),
    "nonsense in the environment": ("CRMMAIL_DELIVERY_BUSY_TIMEOUT", "-1", "BUSY_TIMEOUT"),
    "deadline beyond all clocks": ("CRMMAIL_DELIVERY_DEADLINE", "9007199254740991", ""),
    "clock nonsense": ("CRMMAIL_NOW", "yesterday", "CRMMAIL_NOW"),
    "clock out of range": ("CRMMAIL_NOW", "9999-12-31T23:59:59-14:00", ""),
}


def _latin(shop: Shop) -> str:
    path = shop.folder / "latin.toml"
    path.write_bytes(b"[mail]\ncatchall = '\xe9'\n")
    return str(path)


@pytest.mark.parametrize("trouble", SURROUNDINGS)
def test_trouble_around_it(shop: Shop, trouble: str) -> None:
    variable, value, words = SURROUNDINGS[trouble]
    value = value if isinstance(value, str) else value(shop)
    assert words in answers_later(shop.mda(letter("Printer broken"), env={variable: value}))
    assert (shop.mails(), shop.held()) == ([], [])


def test_empty_mail_comes_again(shop: Shop) -> None:
    """A fetchmail killed at the wrong moment starts the MDA with nothing."""
    assert "nothing came" in answers_later(shop.mda(b""))
    assert (shop.mails(), shop.held()) == ([], [])


@pytest.mark.parametrize("descriptors", [(1,), (2,), (1, 2)])
def test_closed_output_changes_nothing(shop: Shop, descriptors: tuple[int, ...]) -> None:
    done = shop.mda(letter("Printer broken"), "-v", prepare=lambda: [os.close(one) for one in descriptors])
    assert done.returncode == OK
    assert shop.mails() == ["Printer broken"]
    done = shop.mda(letter("Another"), "--nope", prepare=lambda: [os.close(one) for one in descriptors])
    assert done.returncode == LATER
    assert shop.check() == SOUND


def test_full_output_changes_nothing(shop: Shop) -> None:
    for option, status in (("-v", OK), ("--nope", LATER)):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [MDA, option], input=letter("Printer broken"), env=shop.env(), stdout=full, stderr=full
            )
        assert done.returncode == status
    assert shop.mails() == ["Printer broken"]


def test_no_mail_to_read(shop: Shop) -> None:
    answers_later(shop.mda(b"", prepare=lambda: os.close(0)))
    assert (shop.mails(), shop.held()) == ([], [])


def test_bare_surroundings(shop: Shop) -> None:
    """As from a daemon: `/`, umask 077, and not one variable."""

    def bare() -> None:
        os.chdir("/")
        os.umask(0o077)

    shop.place.chmod(0o600)
    for number, env in enumerate(
        ({}, {"PATH": "", "HOME": ""}, {"LC_ALL": "C", "LANG": "xx_YY.nonsense", "TZ": "No/Where"})
    ):
        done = subprocess.run(
            [MDA, "--db", str(shop.place)],
            input=letter(f"Письмо {number}"),
            env={**env, "XDG_STATE_HOME": str(shop.home)},
            capture_output=True,
            preexec_fn=bare,
        )
        answers_ok(done)
    assert shop.mails() == ["Письмо 0", "Письмо 1", "Письмо 2"]
    modes = {path.name: path.stat().st_mode & 0o077 for path in shop.place.parent.iterdir()}
    assert set(modes.values()) == {0}, modes


@pytest.mark.parametrize(
    "broken",
    [
        "raise SystemExit(3)",
        "raise KeyboardInterrupt",
        "import no_such_module",
        "this is no Python",
        "raise MemoryError",
        "main = lambda *words: 64",
        "def main(*words): raise SystemExit(1)",
        "def main(*words): raise RuntimeError('5.1.1\\n5.1.1 \\x1b[31m')",
        "def main(*words): return None",
        "",
        "begin = lambda: exit(1)",
        "begin = dict\ndef taken(*words): raise RuntimeError",
        "begin = dict\ntaken = lambda *words: exit(0)",
    ],
)
def test_program_that_cannot_start(tmp_path: Path, broken: str) -> None:
    """A checkout in the middle of an update, a missing library: 75, and the mail was read to its end."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "crmmail").mkdir()
    (tmp_path / "crmmail" / "__init__.py").touch()
    for name in ("mda.py", "handover.py"):
        shutil.copy(ROOT / "crmmail" / name, tmp_path / "crmmail")
    (tmp_path / "crmmail" / ("handover.py" if "begin" in broken else "mda.py")).write_text(broken)
    shutil.copy(ROOT / "bin" / "crmmail-mda", tmp_path / "bin")
    command = [sys.executable, str(tmp_path / "bin" / "crmmail-mda")]
    # subprocess would forgive a broken pipe, so the pipe is our own.
    assert offer_all(subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1), b"x" * 1_000_000)


def offer_all(process: subprocess.Popen[bytes], raw: bytes) -> str:
    """Writes the whole mail, which must not meet a broken pipe; the one line of a process that says 75."""
    assert process.stdin and process.stdout and process.stderr
    view, file = memoryview(raw), process.stdin.fileno()
    while view:
        view = view[os.write(file, view[:65536]) :]
    process.stdin.close()
    with process:
        return answers_later(
            subprocess.CompletedProcess([], process.wait(60), process.stdout.read(), process.stderr.read())
        )


@pytest.mark.parametrize("door", [(MDA,), CHECKOUT], ids=["installed", "checkout"])
@pytest.mark.parametrize(
    ("options", "env"),
    [
        ((), {"CRMMAIL_DB": "/nowhere"}),
        ((), {"CRMMAIL_CONFIG": "/nowhere"}),
        ((), {"CRMMAIL_NOW": "never"}),
        (("--nope",), {}),
    ],
)
def test_reads_the_mail_to_its_end_before_it_says_later(
    shop: Shop, door: tuple[str, ...], options: tuple[str, ...], env: dict[str, str]
) -> None:
    offer_all(shop.start(*options, command=door, env=env), letter("Huge", "x" * 70 * 999 + "\n") * 115)
    assert shop.mails() == []


# -- what it says -----------------------------------------------------------------------------------------------------


def test_verbose_explains(shop: Shop) -> None:
    """Oracle 22."""
    done = shop.mda(letter("An offer?", to="sales@crm.test"), "-v")
    assert (done.returncode, done.stdout) == (OK, b"")
    lines = done.stderr.decode().splitlines()
    assert "stored #1 (new): a new lead: written to sales@crm.test" in lines[0]
    assert all(line.startswith("crmmail-mda: ") for line in lines)
    again = shop.mda(letter("An offer?", to="sales@crm.test"), "-v")
    assert b"duplicate #1: the same letter is here already" in again.stderr


def test_verbose_prints_nothing_that_acts_on_a_terminal(shop: Shop) -> None:
    raw = letter("x", to="support@crm.test").replace(
        b"ann@customer.example", b"a\x1b]0;b\x07\x9b5m\xff@customer.example"
    )
    done = shop.mda(raw.replace(b"Subject: x", b"Subject: \x1b[31m[7] \xff"), "-v", "-s\x1b[31m\nnowhere")
    assert done.returncode == OK
    lines = done.stderr.decode().removesuffix("\n").split("\n")
    assert all(line.startswith("crmmail-mda: ") and line.isprintable() for line in lines), lines


def test_password_is_warned_about_once(shop: Shop) -> None:
    for number in range(3):
        answers_ok(shop.mda(letter(f"Mail {number}"), "-padmin", "-u77"))
    log = shop.log.read_text().splitlines()
    assert len([line for line in log if "password" in line]) == 1
    assert len([line for line in log if "-u77 fits no user" in line]) == 1
    assert len([line for line in log if "stored #" in line]) == 3
    assert "admin" not in shop.log.read_text()


@pytest.mark.parametrize("log", ["a folder", "below a file", "/proc/nowhere/log", "/dev/full", "a pipe", "\x00"])
def test_log_that_cannot_be_written_changes_nothing(shop: Shop, log: str) -> None:
    path = shop.folder / "broken-log"
    if log == "a folder":
        path.mkdir()
    elif log == "a pipe":  # nobody reads it: opening it would wait for ever
        os.mkfifo(path)
    elif log == "below a file":
        path.touch()
        path = path / "log"
    elif log == "\x00":
        (shop.folder / "nul.toml").write_text('[log]\nfile = "a\\u0000b"\n')
        answers_ok(shop.mda(letter("Printer broken"), "-padmin", "--config", str(shop.folder / "nul.toml")))
        return
    else:
        path = Path(log)
    answers_ok(shop.mda(letter("Printer broken"), "-padmin", env={"CRMMAIL_LOG_FILE": str(path)}))
    assert shop.mails() == ["Printer broken"]


# -- after the commit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        "from crmmail import log\ndef fail(*a): raise RuntimeError\nlog.write = fail",
        "from crmmail.workspace import Workspace\ndef fail(self): raise RuntimeError\nWorkspace.close = fail",
        "from crmmail.workspace import Workspace\ndef fail(*a): raise RuntimeError\nWorkspace.knows_user = fail",
        "import atexit, os\natexit.register(os._exit, 3)",
    ],
)
def test_nothing_turns_0_into_75_after_the_commit(shop: Shop, broken: str) -> None:
    answers_ok(shop.mda(letter("Printer broken"), "-u3", command=with_python(broken)))
    assert shop.mails() == ["Printer broken"]


# -- cut off ----------------------------------------------------------------------------------------------------------

SLEEP = """
import time
from crmmail.core import route
route.decide = lambda *_: time.sleep(60)
"""
REGULAR_EXPRESSION = """
import re
from crmmail.services.incoming import prepare
prepare.parse = lambda raw: re.match(r"(a+)+$", "a" * 60 + "b")
"""
SUICIDE = """
import os, signal
from crmmail.services.incoming import prepare
prepare.parse = lambda raw: os.kill(os.getpid(), signal.SIGKILL)
"""
EXIT = """
import os
from crmmail.services.incoming import prepare
prepare.parse = lambda raw: os._exit(1)
"""
BUG = """
from crmmail.services.incoming import judge, prepare
def parse(raw): raise ZeroDivisionError("5.1.1")
prepare.parse = parse
"""
DEADLINE = {"CRMMAIL_DELIVERY_DEADLINE": "1"}


def test_what_is_cut_off_three_times_waits_in_quarantine(shop: Shop) -> None:
    """A mail that hangs or kills whoever reads it holds up the ones behind it three times, and no more."""
    raw = letter("The killer")
    for broken, status in ((SLEEP, -signal.SIGALRM), (REGULAR_EXPRESSION, -signal.SIGALRM), (SUICIDE, -signal.SIGKILL)):
        done = shop.mda(raw, command=with_python(broken), env=DEADLINE)
        assert (done.returncode, done.stdout, done.stderr) == (status, b"", b"")
        assert (shop.mails(), shop.held()) == ([], [])
    # Whoever tries it on by hand changes nothing.
    assert b"cut off" in shop.mda(raw, "deliver", "--dry-run", command=(str(Path(MDA).parent / "crmmail"),)).stdout
    trace = b"Received: from here by there; Tue, 24 Nov 2026 10:01:00 +0000\r\n"
    answers_ok(shop.mda(trace + raw, command=with_python(SUICIDE)))
    (held,) = shop.json("quarantine")
    assert held["reason"] == "cut-off"
    kept = subprocess.run(
        [*_crmmail("quarantine", "show", str(held["id"]), "--raw")], env=shop.env(), capture_output=True
    )
    assert kept.stdout == trace + raw
    # Another mail is another matter.
    answers_ok(shop.mda(letter("A harmless one")))
    assert shop.mails() == ["A harmless one"]
    # Offered once more, because fetchmail did not hear the 0, it kills nobody and is the same letter.
    answers_ok(shop.mda(raw, command=with_python(SUICIDE)))
    assert len(shop.json("quarantine")) == 1
    assert len([name for name in os.listdir(f"{shop.place}.attempts") if name.endswith("given-up")]) == 1


def _crmmail(*words: str) -> tuple[str, ...]:
    return (str(Path(MDA).parent / "crmmail"), *words)


def test_decoder_that_ends_the_process(shop: Shop) -> None:
    for _ in range(3):
        assert shop.mda(letter("The killer"), command=with_python(EXIT)).returncode == 1
    answers_ok(shop.mda(letter("The killer")))
    assert shop.held() == ["cut-off"]


def test_bug_of_ours_costs_nobody_a_letter(shop: Shop) -> None:
    for _ in range(2):
        answers_ok(shop.mda(letter("Printer broken"), command=with_python(BUG)))
    assert shop.held() == ["unreadable"]
    answers_ok(shop.mda(letter("Another"), command=with_python(BUG.replace("prepare.parse", "judge.routing.decide"))))
    assert shop.held() == ["unreadable", "crashed"]
    assert os.listdir(f"{shop.place}.attempts") == []


def test_waiting_for_the_store_never_counts(shop: Shop) -> None:
    raw = letter("Printer broken")
    with shop.locked():
        for _ in range(3):
            assert "locked" in answers_later(shop.mda(raw, env={"CRMMAIL_DELIVERY_BUSY_TIMEOUT": "0"}))
        for _ in range(2):  # the deadline strikes while it waits
            assert shop.mda(raw, env=DEADLINE).returncode == -signal.SIGALRM
    answers_ok(shop.mda(raw))
    assert (shop.mails(), shop.held()) == (["Printer broken"], [])


def test_judging_at_the_same_time_is_no_death(shop: Shop) -> None:
    """Many deliveries of one mail at once: those that are alive are not counted as cut off."""
    slow = "import os, time\nfrom crmmail.services.incoming import prepare\nparse = prepare.parse\n"
    slow += "def slowly(raw):\n    while not os.path.exists('go'): time.sleep(0.02)\n    return parse(raw)\n"
    slow += "prepare.parse = slowly\n"
    raw = letter("Printer broken")
    crowd = [shop.start(command=with_python(slow)) for _ in range(5)]
    for one in crowd:
        assert one.stdin
        one.stdin.write(raw)
        one.stdin.close()
    folder = Path(f"{shop.place}.attempts")
    wait_until(lambda: folder.is_dir() and sum(path.stat().st_size for path in folder.iterdir()) >= 5)
    answers_ok(shop.mda(raw))
    (shop.folder / "go").touch()
    assert [one.wait(30) for one in crowd] == [OK] * 5
    for one in crowd:
        assert one.stdout and one.stderr and (one.stdout.read(), one.stderr.read()) == (b"", b"")
        one.stdout.close()
        one.stderr.close()
    assert (shop.mails(), shop.held()) == (["Printer broken"], [])
    assert os.listdir(folder) == []


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("ignored", [False, True])
def test_pipe_that_stays_open_and_silent(shop: Shop, ignored: bool) -> None:
    """Death by a signal, also where the caller had that signal ignored and blocked."""

    def ignore() -> None:
        if ignored:
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])

    process = shop.start(command=with_python("from crmmail import handover\nhandover.SILENCE = 1"), preexec_fn=ignore)
    with process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(letter("Half a mail"))
        process.stdin.flush()
        assert process.wait(20) == -signal.SIGALRM
        assert (process.stdout.read(), process.stderr.read()) == (b"", b"")
    assert (shop.mails(), shop.held()) == ([], [])


# -- several at once --------------------------------------------------------------------------------------------------


def all_at_once(shop: Shop, raws: list[bytes]) -> list[int]:
    """Starts one process a mail, and lets them go together; their exits."""
    processes = [shop.start() for _ in raws]
    for process, raw in zip(processes, raws, strict=True):
        assert process.stdin
        process.stdin.write(raw)
        process.stdin.flush()
    for process in processes:
        assert process.stdin
        process.stdin.close()
    statuses = []
    for process in processes:
        with process:
            assert process.stdout and process.stderr
            assert (process.stdout.read(), process.stderr.read()) == (b"", b"")
            statuses.append(process.wait(60))
    return statuses


@pytest.mark.parametrize(("crowd", "rounds"), [(2, 8), (8, 3)])
def test_deliveries_of_one_mail_at_once_give_one_message(shop: Shop, crowd: int, rounds: int) -> None:
    subjects = [f"Mail {number}" for number in range(rounds)]
    for subject in subjects:
        assert all_at_once(shop, [letter(subject)] * crowd) == [OK] * crowd
    assert shop.mails() == subjects
    assert shop.titles("case") == subjects
    assert shop.held() == []
    assert shop.check() == SOUND
