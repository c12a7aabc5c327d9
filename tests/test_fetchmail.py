"""The main job on real mail: fetchmail polls a real dovecot and pipes each mail into crmmail-mda.

Mail is gone from the server once it is ours, stays there while we say 75, and comes in exactly once whatever happens
between the two: behaviour §1 as fetchmail lives it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import random
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from doors import MDA, ROOT, SOUND, Shop, letter, open_shop
from mailstack import MailStack, Protocol

pytestmark = pytest.mark.usefixtures("mailstack")

BOTH: tuple[Protocol, ...] = ("pop3", "imap")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path)


@pytest.fixture(params=BOTH)
def protocol(request: pytest.FixtureRequest) -> Protocol:
    name: Protocol = request.param
    return name


def poll(shop: Shop, stack: MailStack, protocol: Protocol, mda: str = "", **env: str) -> str:
    """One poll of a mailbox that collects the mail of several addresses; what fetchmail said."""
    done = stack.fetchmail(protocol, mda or f"{MDA} --sender=%F", env=shop.settings(**env))
    # 0 also when every MDA failed; -9 where the test killed it.  13 would be an aborted poll.
    assert done.returncode in (0, -9), done.stdout + done.stderr
    return done.stdout + done.stderr


# -- the whole way ----------------------------------------------------------------------------------------------------


def test_mails_become_cases_and_leads_and_a_reply_finds_its_record(
    shop: Shop, mailstack: MailStack, protocol: Protocol
) -> None:
    for raw in (
        letter("Printer broken", "It smells.\n", identifier="<one@customer.example>"),
        letter("An offer?", "For ten.\n", to="sales@crm.test", sender="Bob <bob@buyer.example>"),
        letter("Re: Printer broken", "Now it burns.\n", answers="<one@customer.example>"),
        letter("For nobody", to="nobody@crm.test"),
    ):
        mailstack.deliver(raw)
    assert mailstack.count() == 4

    said = poll(shop, mailstack, protocol)

    assert mailstack.count() == 0
    assert "crmmail" not in said.replace(MDA, ""), "silent when all is well"
    assert shop.titles("case") == ["Printer broken"]
    assert shop.titles("lead") == ["An offer?"]
    case = shop.json("list", "case")[0]
    assert (case["section"], case["email"], case["state"]) == ("support", "ann@customer.example", "draft")
    assert shop.words(case["id"]) == ["It smells.", "Now it burns."]
    assert shop.held() == ["no-route"]
    inbox = shop.json("inbox")
    assert {one["subject"] for one in inbox} == {"Printer broken", "An offer?", "Re: Printer broken"}
    assert all(one["unread"] for one in inbox)
    assert shop.check() == SOUND


def test_answer_that_comes_with_a_later_poll_by_the_other_protocol(shop: Shop, mailstack: MailStack) -> None:
    mailstack.deliver(letter("Printer broken", "It smells.\n", identifier="<one@customer.example>"))
    poll(shop, mailstack, "pop3")
    case = shop.json("list", "case")[0]["id"]
    shop.crmmail("close", str(case))
    mailstack.deliver(letter("Re: Printer broken", "Again!\n", answers="<one@customer.example>"))
    poll(shop, mailstack, "imap")
    assert shop.words(case) == ["It smells.", "Again!"]
    assert [one["state"] for one in shop.json("list", "case")] == ["open"]


def test_mail_that_stays_on_the_server_by_keep_comes_in_once(
    shop: Shop, mailstack: MailStack, protocol: Protocol
) -> None:
    mailstack.deliver(letter("Printer broken"))
    for _ in range(2):
        mailstack.fetchmail(protocol, f"{MDA} --sender=%F", keep=True, env=shop.settings())
    assert mailstack.count() == 1
    assert shop.mails() == ["Printer broken"]


# -- lines of a fetchmailrc -------------------------------------------------------------------------------------------


def _source_rc(stack: MailStack, mda: str) -> str:
    """S2's fetchmailrc.  `sslproto`: the fetchmail of today insists on TLS, which our mail server does not speak."""
    return (
        "# fetchmailrc\n\n"
        f"poll 127.0.0.1 service {stack.pop3} proto pop3:\n\n"
        f"username {stack.user} password {stack.password} sslproto '' mda \"{mda}\"\n"
    )


def test_line_of_the_source_works_with_only_the_path_changed(shop: Shop, mailstack: MailStack) -> None:
    """S2, oracle 1. The host and the mailbox's password are ours, the mda line is the source's."""
    to = "support@mycompany.com"
    mailstack.deliver(letter("Printer broken", "It smells.\n", to=to, identifier="<one@x.example>"))
    mailstack.deliver(letter("Re: Printer broken", "It burns.\n", to=to, answers="<one@x.example>"))
    done = mailstack.poll(
        _source_rc(mailstack, f"{MDA} -u3 -padmin -ssupport -esupport@mycompany.com"), env=shop.settings()
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert mailstack.count() == 0
    (case,) = shop.json("list", "case")
    assert (case["title"], case["section"]) == ("Printer broken", "support")
    assert shop.words(case["id"]) == ["It smells.", "It burns."]
    assert shop.log.read_text().count("a password on the mda line (-p)") == 1


def test_both_polls_of_the_example(shop: Shop, mailstack: MailStack) -> None:
    shop.crmmail("aliases", "add", "support@mycompany.com", "--kind", "case", "--section", "support")
    example = (ROOT / "fetchmailrc.example").read_text()
    changes = {
        "imap.mycompany.com protocol imap": f"127.0.0.1 service {mailstack.imap} protocol imap",
        "pop.mycompany.com proto pop3:": f"127.0.0.1 service {mailstack.pop3} proto pop3:",
        "ssl sslcertck ": "sslproto '' ",  # our mail server speaks no TLS
        "password mypass ": "password mypass sslproto '' ",
        "mypass": mailstack.password,
        "/usr/local/bin/crmmail-mda": MDA,
        "/path/to/crmmail-mda": MDA,
    }
    for old, new in changes.items():
        assert old in example
        example = example.replace(old, new)
    first, second = example.index("\npoll 127"), example.rindex("\npoll 127")

    # The address after `is` decides, not To: --recipient=%T.
    mailstack.deliver(letter("By blind copy", to="undisclosed@elsewhere.example"))
    assert mailstack.poll(example[:second], env=shop.settings()).returncode == 0
    assert (mailstack.count(), shop.titles("case")) == (0, ["By blind copy"])
    # Without --recipient it is To that decides, and -s where To decides nothing.
    mailstack.deliver(letter("By the section", to="undisclosed@elsewhere.example"))
    assert mailstack.poll(example[:first] + example[second:], env=shop.settings()).returncode == 0
    assert (mailstack.count(), shop.titles("case")) == (0, ["By blind copy", "By the section"])
    assert {one["section"] for one in shop.json("list", "case")} == {"support"}


@pytest.mark.parametrize(
    "path", ["--config=/tmp/evil", "$(touch evil)@x.example", "a'b;touch evil;@x.example", "", "-o@x.example"]
)
def test_envelope_sender_is_a_word_and_nothing_more(shop: Shop, mailstack: MailStack, path: str) -> None:
    """safety 15: a Return-Path that looks like an option, or like shell."""
    mailstack.deliver(f"Return-Path: <{path}>\r\n".encode() + letter("Hostile sender"))
    poll(shop, mailstack, "pop3", f"cd {shlex.quote(str(shop.folder))} && {MDA} --sender=%F --recipient=%T")
    assert mailstack.count() == 0
    assert shop.mails() == ["Hostile sender"]
    assert not (shop.folder / "evil").exists()


# -- big and bad ones -------------------------------------------------------------------------------------------------


def test_big_mails_come_whole(shop: Shop, mailstack: MailStack, protocol: Protocol) -> None:
    lines = "".join(f"{number} {'long words and more of them ' * 2}\n" for number in range(5000))
    plan = random.Random(6).randbytes(6_000_000)
    assert len(lines) > 300_000
    mailstack.deliver(letter("A long story", lines))
    mailstack.deliver(letter("The plan", attachment=plan))
    mailstack.deliver(letter("Behind them"))
    poll(shop, mailstack, protocol)
    assert mailstack.count() == 0
    assert shop.titles("case") == ["A long story", "The plan", "Behind them"]
    story, planned, _ = (one["id"] for one in sorted(shop.json("list", "case"), key=lambda one: one["id"]))
    assert [one.split() for one in shop.words(story)] == [lines.split()]
    messages = shop.json("show", str(planned), "--peek")["messages"]
    (attachment,) = [one for message in messages for one in message["attachments"]]
    assert attachment["size"] == len(plan)
    shop.crmmail("attachment", "save", str(attachment["id"]), str(shop.folder / "saved"))
    assert hashlib.sha256((shop.folder / "saved").read_bytes()).digest() == hashlib.sha256(plan).digest()


BEFORE_A_GOOD_ONE = ("octets", "too many fields", "too deep", "through 120 hosts", "dots")


def _bad_mails() -> dict[str, bytes]:
    head = b"From: Ann <ann@customer.example>\r\nTo: support@crm.test\r\nSubject: Bad\r\n"
    boundary = b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n'
    return {
        "no header": b"\r\njust words\r\n",
        "no From": b"Subject: Who am I?\r\nTo: support@crm.test\r\n\r\nhm\r\n",
        "octets": head + b"\r\n" + bytes(range(1, 256)) * 20 + b"\r\n",
        "unknown charset": head + b"Content-Type: text/plain; charset=undefined\r\n\r\n\xff\xfe\r\n",
        "broken base64": head + b"Content-Transfer-Encoding: base64\r\n\r\n!!!!====A\r\n",
        "too many fields": head + b"".join(b"X-%d: y\r\n" % number for number in range(2000)) + b"\r\nx\r\n",
        "too deep": head + b"".join(boundary % (number, number) for number in range(3000)),
        "through 120 hosts": head + b"Received: from a by b; Tue, 24 Nov 2026 10:00:00 +0000\r\n" * 120 + b"\r\nx\r\n",
        "hostile subject": b"From: a@x.example\r\nTo: support@crm.test\r\nSubject: \x1b]0;x\x07[/] 5.1.1\r\n\r\nx\r\n",
        "open multipart": head + b"Content-Type: multipart/mixed\r\n\r\nno boundary\r\n",
        "two From": b"From: a@x.example\r\nFrom: b@x.example\r\nTo: support@crm.test\r\nSubject: Two\r\n\r\nx\r\n",
        "dots": head + b"\r\n.\r\n..\r\nFrom nobody\r\n" + base64.b64encode(b"x" * 50) + b"\r\n",
    }


def test_bad_mails_hold_nobody_up(shop: Shop, mailstack: MailStack, protocol: Protocol) -> None:
    good = []
    for name, raw in _bad_mails().items():
        mailstack.deliver(raw)
        if name in BEFORE_A_GOOD_ONE:
            good.append(f"Behind {name}")
            mailstack.deliver(letter(good[-1]))
    said = poll(shop, mailstack, protocol)
    assert mailstack.count() == 0, said
    titles = shop.titles("case")
    assert [one for one in titles if one.startswith("Behind ")] == good
    # Each of them is here, as a record or in quarantine, and those that may not be read are in quarantine.
    held = shop.held()
    assert len(titles) - len(good) + len(held) == len(_bad_mails())
    assert {"too-many-headers", "too-deep", "loop"} <= set(held)
    assert not {"crashed", "unreadable", "cut-off"} & set(held)
    assert shop.check() == SOUND


# -- trouble with the store -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _missing(shop: Shop) -> Iterator[str]:
    aside = shop.place.with_name("aside")
    shop.place.rename(aside)
    yield MDA
    assert not shop.place.exists(), "a store that is not there must not come back empty"
    aside.rename(shop.place)


@contextlib.contextmanager
def _folder_missing(shop: Shop) -> Iterator[str]:
    aside = shop.folder / "aside"
    shop.place.parent.rename(aside)
    yield MDA
    assert not shop.place.parent.exists()
    aside.rename(shop.place.parent)


@contextlib.contextmanager
def _corrupt(shop: Shop) -> Iterator[str]:
    whole = shop.place.read_bytes()
    shop.place.write_bytes(b"no database at all, " * 5000)
    yield MDA
    shop.place.write_bytes(whole)


@contextlib.contextmanager
def _behind(shop: Shop) -> Iterator[str]:
    def rename(old: str, new: str) -> None:
        store = sqlite3.connect(shop.place)
        assert store.execute("UPDATE crm_migration SET name = ? WHERE name = ?", (new, old)).rowcount == 1
        store.commit()
        store.close()

    (newest,) = shop.rows("SELECT max(name) FROM crm_migration")[0]
    rename(newest, "0000_before")
    yield MDA
    rename("0000_before", newest)


@contextlib.contextmanager
def _locked(shop: Shop) -> Iterator[str]:
    with shop.locked():
        yield MDA


@contextlib.contextmanager
def _read_only(shop: Shop) -> Iterator[str]:
    """For root no mode is read-only: a mount is, in a name space of its own."""
    if os.getuid() != 0:
        shop.place.chmod(0o400)
        shop.place.parent.chmod(0o500)
        yield MDA
        shop.place.parent.chmod(0o700)
        shop.place.chmod(0o600)
        return
    folder = shlex.quote(str(shop.place.parent))
    mount = f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"
    trial = f"{mount} && ! touch {folder}/x"
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "sh", "-c", trial]).returncode != 0:
        pytest.skip("root, and no mount name space to make the store read-only in (unshare -m)")
    wrapper = shop.folder / "read-only-mda"
    wrapper.write_text(f'#!/bin/sh\nexec unshare -m sh -c \'{mount} && exec "$@"\' sh {MDA} "$@"\n')
    wrapper.chmod(0o755)
    yield str(wrapper)


@pytest.mark.parametrize(
    ("trouble", "protocol"),
    [
        *((trouble, protocol) for trouble in (_locked, _missing, _read_only) for protocol in BOTH),
        *((_folder_missing, "imap"), (_corrupt, "pop3"), (_behind, "imap")),
    ],
)
def test_mail_stays_on_the_server_until_the_trouble_is_over(
    shop: Shop,
    mailstack: MailStack,
    trouble: Callable[[Shop], contextlib.AbstractContextManager[str]],
    protocol: Protocol,
) -> None:
    subjects = ["Before the trouble", "In trouble", "Behind it"]
    mailstack.deliver(letter(subjects[0]))
    poll(shop, mailstack, protocol)
    # Longer than a pipe holds: an MDA that did not read it to the end would abort the poll.
    mailstack.deliver(letter(subjects[1], "It is long.\n" * 30_000))
    mailstack.deliver(letter(subjects[2]))
    with trouble(shop) as mda:
        said = poll(shop, mailstack, protocol, f"{mda} --sender=%F", CRMMAIL_DELIVERY_BUSY_TIMEOUT="1")
        assert mailstack.count() == 2
        assert said.count("the mail stays where it is") == 2, said
        assert "Traceback" not in said
    assert shop.mails() == subjects[:1]
    poll(shop, mailstack, protocol)
    assert mailstack.count() == 0
    assert shop.mails() == subjects
    assert shop.held() == []
    assert shop.check() == SOUND


def test_lock_that_goes_away_in_time_is_waited_for(shop: Shop, mailstack: MailStack) -> None:
    mailstack.deliver(letter("Printer broken"))
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD_FOR_A_SECOND, str(shop.place)], stdout=subprocess.PIPE, start_new_session=True
    )
    with holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        poll(shop, mailstack, "imap", CRMMAIL_DELIVERY_BUSY_TIMEOUT="20")
    assert (mailstack.count(), shop.mails()) == (0, ["Printer broken"])


_HOLD_FOR_A_SECOND = """
import sqlite3, sys, time
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(1)
"""


# -- fetchmail is killed ----------------------------------------------------------------------------------------------


# Until some of the mail stands in the pipe, unread; more than a pipe holds never does.
WAIT_FOR_HALF = """
import fcntl, struct, termios, time
while struct.unpack("i", fcntl.ioctl(0, termios.FIONREAD, bytes(4)))[0] < 8_000:
    time.sleep(0.01)
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_fetchmail_killed_in_the_middle_of_a_poll(
    shop: Shop, mailstack: MailStack, protocol: Protocol, moment: str
) -> None:
    """SIGKILL while the second mail is on its way (only half of it is in the pipe), or just after it was stored."""
    whole = "".join(f"line {number} of the long one\n" for number in range(12_000))
    mailstack.deliver(letter("First"))
    mailstack.deliver(letter("Second", whole))
    mailstack.deliver(letter("Third"))
    kill = f'kill -9 "$(head -n 1 {mailstack.dir}/fetchmail.pid)"'
    second = '[ "$(wc -l <calls)" -eq 2 ]'
    # A fetchmail that is killed before it wrote a word leaves an empty pipe, which is another story (75, nothing kept).
    half = f"{shlex.quote(sys.executable)} -c {shlex.quote(WAIT_FOR_HALF)}"
    before, after = (f"{second} && {half} && {kill}", ":") if moment == "before" else (":", f"{second} && {kill}")
    wrapper = shop.folder / "killing-mda"
    wrapper.write_text(
        f"#!/bin/sh\ncd {shlex.quote(str(shop.folder))}\necho >>calls\n"
        f'{before}\n{MDA} "$@"\nstatus=$?\necho >>ended\n{after}\nexit $status\n'
    )
    wrapper.chmod(0o755)

    done = mailstack.fetchmail(protocol, f"{wrapper} --sender=%F", env=shop.settings())
    assert done.returncode == -9
    ended, patience = shop.folder / "ended", time.monotonic() + 60
    while ended.read_text().count("\n") < 2 and time.monotonic() < patience:
        time.sleep(0.05)  # the MDA outlives the fetchmail that started it
    poll(shop, mailstack, protocol)

    assert mailstack.count() == 0
    assert shop.titles("case") == ["First", "Second", "Third"]
    assert shop.held() == []
    second = next(one["id"] for one in shop.json("list", "case") if one["title"] == "Second")
    words = [one.split("\n") for one in shop.words(second)]
    assert words[-1] == whole.strip().split("\n")
    if moment == "after":
        assert len(words) == 1
        assert shop.mails() == ["First", "Second", "Third"]
    else:  # what was in the cut pipe came in as a mail, and the whole one stands beside it in the same record
        half, _ = words
        assert 100 < len(half) < len(words[-1])
        assert half[:-1] == words[-1][: len(half) - 1]
    assert shop.check() == SOUND
