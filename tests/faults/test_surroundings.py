"""What surrounds a delivery and is no business of its: modes, folders, signals, and a clock that goes wrong."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from doors import CRMMAIL, SOUND, Shop, letter, open_shop
from mailsink import Sink
from thorough import long_form

pytestmark = pytest.mark.timeout(600)  # many processes each; on a busy machine that takes its time

OK, LATER = 0, 75


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path)


def meddled(shop: Shop, code: str) -> dict[str, str]:
    """The environment of a door to which something was done first."""
    folder = shop.folder / "meddled"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}


# -- modes and folders ------------------------------------------------------------------------------------------------

DIES = """
import os, signal
from crmmail.services.incoming import prepare
prepare.parse = lambda raw: os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("mask", [0o077, 0o022, 0o000])
def test_whatever_the_umask_nobody_else_may_read(shop: Shop, mask: int) -> None:
    """fetchmail's is 077, and that of a careless cron may be 000: what we make is its owner's alone."""

    def run(*words: str) -> None:
        env = shop.env(CRMMAIL_DB=str(place), XDG_STATE_HOME=str(state), CRMMAIL_LOG_FILE="")
        done = subprocess.run(
            [CRMMAIL, *words], env=env, capture_output=True, text=True, preexec_fn=lambda: os.umask(mask)
        )
        assert done.returncode == 0, done

    def mda(raw: bytes, *options: str, **env: str) -> int:
        own = {"CRMMAIL_DB": str(place), "XDG_STATE_HOME": str(state), "CRMMAIL_LOG_FILE": "", **env}
        return shop.mda(raw, *options, env=own, prepare=lambda: os.umask(mask)).returncode

    state, place = shop.folder / "state", shop.folder / "made" / "crmmail.db"
    place.parent.mkdir()
    run("init", "--domain", "crm.test", "--user", "boss:boss@crm.test")
    run("sections", "add", "support", "--name", "Support", "--email", "support@crm.test", "--manager", "boss")
    assert mda(letter("First"), "-padmin") == OK
    for _ in range(3):
        assert mda(letter("The killer"), **meddled(shop, DIES)) == -signal.SIGKILL
    assert mda(letter("The killer")) == OK
    assert mda(letter("Later"), CRMMAIL_DELIVERY_MAX_SIZE="none") == LATER
    run("db", "backup", str(place.parent / "backup.db"))
    run("reply", "1", "-m", "Words.", "--yes")
    files = [path for path in (*place.parent.rglob("*"), *state.rglob("*")) if path.is_file()]
    assert {"crmmail.db", "backup.db"} <= {path.name for path in files}
    assert any(path.name.endswith("given-up") for path in files), "the count of what was cut off"
    assert any(path.parent != place.parent and "log" in path.name for path in files), files
    modes = {str(path): oct(stat.S_IMODE(path.stat().st_mode)) for path in files if path.stat().st_mode & 0o077}
    assert modes == {}
    folders = [path for path in (*place.parent.rglob("*"), *state.rglob("*")) if path.is_dir()]
    modes = {str(path): oct(stat.S_IMODE(path.stat().st_mode)) for path in folders if path.stat().st_mode & 0o007}
    assert modes == {}


def test_folder_that_is_gone(shop: Shop) -> None:
    """The working directory was removed under the daemon that starts us."""
    gone = shop.folder / "gone"

    def leave() -> None:
        gone.mkdir()
        os.chdir(gone)
        gone.rmdir()

    done = shop.mda(letter("Printer broken"), prepare=leave)
    assert (done.returncode, done.stderr) == (OK, b"")
    assert shop.mails() == ["Printer broken"]


# -- signals ----------------------------------------------------------------------------------------------------------

HERE = """
import time
def stop():
    open("here", "w").close()
    time.sleep(60)
"""
WRITTEN = """
from crmmail.store.letters import mails
put_decision = mails.put_decision
def stop_behind(*words, **more):
    put_decision(*words, **more)
    stop()
mails.put_decision = stop_behind
"""
MOMENTS = {
    "while it is judged": "from crmmail.services.incoming import prepare\nprepare.parse = lambda raw: stop()\n",
    "while it is written": WRITTEN,
    "after the commit": "from crmmail import log\nlog.write = lambda *words: stop()\n",
}


def hear_all_signals() -> None:
    """A test in the background of a shell, or under nohup, has some of them ignored, and so would its children."""
    for one in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(one, signal.SIG_DFL)


@pytest.mark.parametrize("moment", ["while it is read", *MOMENTS])
@pytest.mark.parametrize(
    "name", ["SIGTERM", "SIGINT", *long_form("SIGHUP", "SIGPIPE", "SIGQUIT", "SIGUSR1", "SIGXCPU")]
)
def test_signal_in_the_middle(shop: Shop, name: str, moment: str) -> None:
    """Whatever the signal: either it is here, or it comes again; in the end it is here once."""
    code = HERE + MOMENTS.get(moment, "")
    raw = letter("Printer broken")
    with shop.start(env=meddled(shop, code), preexec_fn=hear_all_signals) as process:
        assert process.stdin and process.stderr
        process.stdin.write(raw)
        process.stdin.flush()
        if moment == "while it is read":
            time.sleep(0.5)
        else:
            process.stdin.close()
            wait_until((shop.folder / "here").exists)
        if process.poll() is None:
            process.send_signal(getattr(signal, name))
        if name == "SIGPIPE":  # which Python ignores, and so do we
            process.kill()
        if moment == "while it is read":
            process.stdin.close()
        status = process.wait(60)
        words = process.stderr.read()
    assert status < 0 or status == LATER or (status == OK and moment == "after the commit"), (status, words)
    assert b"Traceback" not in words, words
    there = shop.mails()
    assert there == (["Printer broken"] if moment == "after the commit" else [])
    assert shop.mda(b"Received: from a by b; Tue, 24 Nov 2026 10:01:00 +0000\r\n" + raw).returncode == OK
    assert (shop.mails(), shop.titles("case"), shop.held()) == (["Printer broken"], ["Printer broken"], [])
    assert shop.check() == SOUND


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


# -- the clock --------------------------------------------------------------------------------------------------------

TODAY = "2026-11-24T10:00:00Z"
# A computer without a battery, the end of 32-bit seconds (signed, unsigned), far ahead.
WRONG = ["1970-01-01T00:00:00Z", "2038-01-19T03:14:08Z", "2106-02-07T06:28:16Z", "2999-12-31T23:59:59Z"]


def at(moment: str) -> dict[str, str]:
    return {"CRMMAIL_NOW": moment}


def crmmail(shop: Shop, *words: str, now: str, **env: str) -> str:
    done = subprocess.run([CRMMAIL, *words], env=shop.env(**at(now), **env), capture_output=True, text=True)
    assert done.returncode == 0, (words, done)
    return done.stdout


@pytest.mark.parametrize("wrong", [*long_form(*WRONG[:-1]), WRONG[-1]])
def test_clock_that_is_wrong_for_a_while(shop: Shop, sink: Sink, wrong: str) -> None:
    """Mails, acts and letters of that while stand where they belong, and nothing waits for a day that never comes."""
    env = {"CRMMAIL_SMTP_URL": sink.url}
    first = letter("Printer broken", "One.\n", identifier="<one@customer.example>")
    assert shop.mda(first, env=at(TODAY)).returncode == OK
    second = letter("Re: Printer broken", "Two.\n", answers="<one@customer.example>")
    assert shop.mda(second, env=at(wrong)).returncode == OK
    crmmail(shop, "take", "1", now=wrong)
    crmmail(shop, "reply", "1", "-m", "Three.", "--yes", now=wrong)  # queued; no way out is set yet

    # The clock is right again.
    third = letter("Re: Printer broken", "Four.\n", answers="<one@customer.example>", identifier="<four@x.example>")
    assert shop.mda(third, env=at(TODAY)).returncode == OK
    assert shop.mda(third, env=at(TODAY)).returncode == OK  # a duplicate, then as ever
    texts = [one["text"].split("\n")[0] for one in shop.json("show", "1", "--peek")["messages"] if one["text"]]
    assert [text for text in texts if text in ("One.", "Two.", "Three.", "Four.")] == [
        "One.",
        "Two.",
        "Three.",
        "Four.",
    ]
    crmmail(shop, "set", "1", "priority=2", now=TODAY)
    assert "priority" in crmmail(shop, "undo", now=TODAY), "the last act, not the one with the latest date"
    crmmail(shop, "tick", now=TODAY, **env)
    assert sink.recipients == ["ann@customer.example"], "what was written meanwhile leaves now"
    # His answer to it carries our token, which no clock makes old.
    (ours,) = [line for line in sink.received[0].data.decode().split("\r\n") if line.lower().startswith("message-id:")]
    fifth = letter("Thanks", "Five.\n", answers=ours.split()[-1], sender="Ann <ann@elsewhere.example>")
    assert shop.mda(fifth, env=at(TODAY)).returncode == OK
    for words in (["inbox"], ["show", "1", "--full"], ["list", "case"], ["log"], ["agenda"], ["stats"], ["outbox"]):
        crmmail(shop, *words, now=TODAY)
    assert shop.check() == SOUND


def test_sender_of_the_future_is_no_loop(shop: Shop) -> None:
    """Letters came while the clock stood in 2038: they must not count as those of the last two hours."""
    limit = {"CRMMAIL_LOOP_NEW_RECORDS": "3"}
    for number in range(3):
        assert shop.mda(letter(f"Mail {number}"), env={**limit, **at("2038-01-20T00:00:00Z")}).returncode == OK
    for number in range(3, 7):
        assert shop.mda(letter(f"Mail {number}"), env={**limit, **at(TODAY)}).returncode == OK
    assert shop.mails() == [f"Mail {number}" for number in range(6)]
    assert shop.held() == ["loop"], "and those of today count as ever"


def test_clock_that_jumps_between_two_copies(shop: Shop) -> None:
    for moment in (TODAY, *WRONG, TODAY):
        assert shop.mda(letter("Printer broken"), env=at(moment)).returncode == OK
    assert (shop.mails(), shop.held(), shop.check()) == (["Printer broken"], [], SOUND)
