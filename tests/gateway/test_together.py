"""Many letters in one transaction (behaviour §1): one that fails costs the others nothing, and nobody hears of a letter
before it is on the disk."""

from __future__ import annotations

import pickle
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from conversation import Letter, Talk

from crmmail.core import route as routing
from crmmail.core.known import Envelope
from crmmail.errors import CrmmailError, OutOfMemory, StoreBroken, StoreBusy
from crmmail.services.incoming import filing, held
from crmmail.services.incoming.deliver import deliver_together
from crmmail.services.incoming.judge import Outcome
from crmmail.services.incoming.prepare import Prepared, prepare, reading
from crmmail.store.engine import sql
from crmmail.store.files.attempts import Attempts

ANA, BEN = "ana@example.com", "ben@example.org"


def together(talk: Talk, *letters: bytes, counter: Attempts | None = None) -> list[list[Outcome] | CrmmailError]:
    with talk.open() as workspace:
        read = [prepare(reading(workspace), raw, Envelope(), counter) for raw in letters]
        return deliver_together(workspace, read, counter=counter)


def fates(answers: Sequence[list[Outcome] | CrmmailError]) -> list[str]:
    """`stored alias`, or the name of the error."""
    return [
        type(one).__name__ if isinstance(one, CrmmailError) else " and ".join(f"{o.outcome} {o.reason}" for o in one)
        for one in answers
    ]


def letters(talk: Talk, count: int = 3) -> list[bytes]:
    return [talk.raw(ANA, subject=f"Letter {number}", text="Hello", id=f"{number}@x") for number in range(count)]


def titles(talk: Talk) -> list[str]:
    return sorted(one["title"] for one in talk.cli("list cases --json").json)


def failing(real: Callable[..., Any], subject: str, error: Exception, times: int = 99) -> Callable[..., Any]:
    """The function, which does its work and fails then, for the letter with this subject, so many times."""
    left = [times]

    def fail(*args: Any, **more: object) -> Any:
        done = real(*args, **more)
        if left[0] and any(getattr(one, "subject", "") == subject for one in args):
            left[0] -= 1
            raise error
        return done

    return fail


def test_what_has_come_meanwhile_is_committed_with_the_others(talk: Talk) -> None:
    with talk.open() as workspace:
        first, second, third = (prepare(reading(workspace), raw, Envelope()) for raw in letters(talk))
        meanwhile = [[second], [third], []]
        seen: list[int] = []

        def more() -> list[Prepared]:
            with sqlite3.connect(talk.db) as somebody:
                seen.extend(somebody.execute("SELECT count(*) FROM crm_message").fetchone())
            return meanwhile.pop(0)

        assert fates(deliver_together(workspace, [first], more=more)) == ["stored alias"] * 3
    assert (set(seen), meanwhile) == ({0}, []), "nobody sees anything before the end"
    assert titles(talk) == ["Letter 0", "Letter 1", "Letter 2"]


def test_what_has_come_meanwhile_may_fail_by_itself(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filing, "file_letter", failing(filing.file_letter, "Letter 1", ValueError("broken")))
    with talk.open() as workspace:
        first, *others = (prepare(reading(workspace), raw, Envelope()) for raw in letters(talk))
        meanwhile = [others, []]
        found = deliver_together(workspace, [first], more=lambda: meanwhile.pop(0))
    assert fates(found) == ["stored alias", "quarantined crashed", "stored alias"]
    assert titles(talk) == ["Letter 0", "Letter 2"]


# --- what one does for another --------------------------------------------------------------------------------------


def test_each_stands_where_it_would_by_itself(talk: Talk) -> None:
    first = talk.raw(ANA, subject="Printer broken", text="It burns.", id="1@x")
    answer = talk.raw(ANA, subject="Re: Printer broken", text="Hurry!", answers="1@x", id="2@x")
    other = talk.raw(BEN, "sales@crm.test", "An offer?", id="3@x")
    stray = talk.raw(BEN, "jobs@crm.test", "Do you hire?", id="4@x")
    found = together(talk, first, answer, first, other, stray, stray)
    assert fates(found) == [
        "stored alias", "stored reference", "duplicate duplicate", "stored alias", "quarantined no-route",
        "duplicate duplicate",
    ]  # fmt: skip
    (case,), (lead,) = talk.all("case"), talk.all("lead")
    assert talk.words(case) == ["It burns.", "Hurry!"]
    assert [one[0].record for one in found if not isinstance(one, CrmmailError)] == [case, case, case, lead, None, None]
    assert talk.quarantine() == [("no-route", "Do you hire?")]


def test_an_answer_that_comes_before_its_letter_finds_none(talk: Talk) -> None:
    answer = talk.raw(ANA, subject="Re: Printer broken", answers="1@x", id="2@x")
    first = talk.raw(ANA, subject="Printer broken", id="1@x")
    assert fates(together(talk, answer, first)) == ["stored alias"] * 2
    assert len(talk.all("case")) == 2


def test_what_was_read_can_be_sent_to_another_process(talk: Talk) -> None:
    raw = talk.raw(ANA, subject="A file", text="Look.", files=[("plan.pdf", b"\0" * 5000)])
    with talk.open() as workspace:
        one = prepare(reading(workspace), raw, Envelope(recipients=("support@crm.test",)))
        there: Prepared = pickle.loads(pickle.dumps(one))
        ((outcome,),) = deliver_together(workspace, [there])  # type: ignore[misc]
    assert (there.mail, there.key, there.envelope) == (one.mail, one.key, one.envelope)
    assert talk.cli(f"show {outcome.record} --raw").bytes == raw


# What is asked once a transaction (`store.engine.standing`): none of these may change because a letter comes.
STANDING = {"setting", "user", "user_address", "section", "category", "alias", "auto_follow", "rule", "sla"}


def test_no_letter_writes_what_stands_still(talk: Talk, case: Letter, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = sql.Connection.execute
    monkeypatch.setattr(
        sql.Connection, "execute", lambda held, text, *given: asked.append(text) or real(held, text, *given)
    )
    answer = talk.raw(ANA, answers=case, text="Hurry!", id="2@x")
    stray = talk.raw(BEN, "jobs@crm.test", "Do you hire?", id="3@x")
    assert fates(together(talk, *letters(talk), answer, stray))[-2:] == ["stored reference", "quarantined no-route"]
    written = {match[1] for one in asked if (match := re.search(r"(?:INTO|UPDATE|DELETE FROM) crm_(\w+)", one))}
    assert written and not written & STANDING
    aliases = [one for one in asked if one.startswith("SELECT address FROM crm_alias")]
    assert len(aliases) == 1  # for five letters


@pytest.mark.sqlite("writes into the file")
def test_what_stands_still_is_asked_again_by_the_next_transaction(talk: Talk) -> None:
    first, second = letters(talk, 2)
    with talk.open() as workspace:
        limits = reading(workspace)
        deliver_together(workspace, [prepare(limits, first, Envelope())])
        with sqlite3.connect(talk.db) as other:
            other.execute("UPDATE crm_auto_follow SET kind = 'case'")
            other.execute("UPDATE crm_section SET manager_id = 1")
        other.close()
        deliver_together(workspace, [prepare(limits, second, Envelope())])
    assert [talk.followers(number) for number in sorted(talk.all("case"))] == [["agent"], ["boss"]]


# --- one that fails -------------------------------------------------------------------------------------------------


def test_one_that_crashes_goes_to_quarantine_and_the_others_stand(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    raws = letters(talk)
    monkeypatch.setattr(filing, "file_letter", failing(filing.file_letter, "Letter 1", RuntimeError("paper jam")))
    assert fates(together(talk, *raws)) == ["stored alias", "quarantined crashed", "stored alias"]
    assert titles(talk) == ["Letter 0", "Letter 2"]
    (kept,) = talk.cli("quarantine --json").json
    assert "paper jam" in kept["sentence"]
    assert talk.post(raws[1]).fates == [("duplicate", "crashed")]  # by itself it is the same letter
    assert talk.cli(f"quarantine show {kept['id']} --raw").bytes == raws[1]


def test_one_that_fails_half_way_leaves_nothing_half_and_is_tried_once_more(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = filing.store_letter
    monkeypatch.setattr(filing, "store_letter", failing(real, "Letter 1", sqlite3.IntegrityError("no"), times=1))
    answers = together(talk, *letters(talk))  # its record is there when it fails
    assert fates(answers) == ["stored alias"] * 3
    assert titles(talk) == ["Letter 0", "Letter 1", "Letter 2"]
    assert [len(talk.words(number)) for number in talk.all("case")] == [1, 1, 1]


def test_one_that_must_come_again_costs_the_others_nothing(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filing, "file_letter", failing(filing.file_letter, "Letter 1", MemoryError()))
    answers = together(talk, *letters(talk))
    assert fates(answers) == ["stored alias", "OutOfMemory", "stored alias"]
    assert isinstance(answers[1], OutOfMemory) and answers[1].retry
    assert (len(talk.all("case")), talk.quarantine()) == (2, [])


def test_one_that_nobody_can_read_is_kept_among_the_others(talk: Talk) -> None:
    talk.environ(CRMMAIL_DELIVERY_MAX_SIZE="5000")
    big = talk.raw(ANA, subject="Big", text="x" * 6000)
    first, last = letters(talk, 2)
    assert fates(together(talk, first, big, last)) == ["stored alias", "quarantined too-large", "stored alias"]
    assert fates(together(talk, big)) == ["duplicate too-large"]


# --- the whole transaction fails ------------------------------------------------------------------------------------


def test_where_the_commit_fails_all_of_them_come_again(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(connection: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(sql.Connection, "commit", full)
        answers = together(talk, *letters(talk))
    assert fates(answers) == ["StoreBroken"] * 3
    assert "no room left" in str(answers[0])
    assert talk.all("case") == []
    assert fates(together(talk, *letters(talk))) == ["stored alias"] * 3


def test_where_the_database_ends_it_half_way_nothing_goes_on(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk takes the whole transaction back; what came after it would be committed line by line."""
    real = filing.store_letter

    def ended(workspace: Any, number: int, mail: Any, *args: Any, **more: Any) -> int:
        if mail.subject == "Letter 1":
            workspace.store.connection.driver.execute("ROLLBACK")
            raise sqlite3.OperationalError("database or disk is full")
        return real(workspace, number, mail, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(filing, "store_letter", ended)
        assert fates(together(talk, *letters(talk))) == ["StoreBroken"] * 3
    assert (talk.all("case"), talk.quarantine()) == ([], [])


@pytest.mark.sqlite("locks the file")
def test_a_store_that_is_locked_takes_none(talk: Talk) -> None:
    talk.environ(CRMMAIL_DELIVERY_BUSY_TIMEOUT="0")
    raws = letters(talk)
    with talk.open() as workspace:
        read = [prepare(reading(workspace), raw, Envelope()) for raw in raws]
        with sqlite3.connect(talk.db) as other:
            other.execute("BEGIN IMMEDIATE")
            assert [type(one) for one in deliver_together(workspace, read)] == [StoreBusy] * 3
        other.close()
        assert fates(deliver_together(workspace, read)) == ["stored alias"] * 3


def test_a_bug_at_the_commit_is_one_letters_only(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left for the end of the transaction may fail over one of them: each is done by itself then."""

    def burn(messages: list[int]) -> None:
        for (subject,) in sql.rows(
            f"SELECT subject FROM crm_message WHERE id IN ({sql.marks(len(messages))})", *messages
        ):
            assert subject != "Letter 1"

    monkeypatch.setattr("crmmail.store.letters.index.put", burn)
    assert fates(together(talk, *letters(talk))) == ["stored alias", "quarantined crashed", "stored alias"]


def test_a_bug_that_is_everywhere_loses_none(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "hold_unread", lambda *_: 1 / 0)
    monkeypatch.setattr(routing, "decide", lambda *_: 1 / 0)
    answers = together(talk, *letters(talk))
    assert [type(one) for one in answers] == [StoreBroken] * 3  # nobody says that it is ours
    assert all(isinstance(one, CrmmailError) and one.retry for one in answers)


# --- who killed us --------------------------------------------------------------------------------------------------

KILLED = """
import os, pickle, sys
from crmmail.core import route
from crmmail.core.known import Envelope
from crmmail.services.incoming.deliver import deliver_together
from crmmail.services.incoming.prepare import prepare, reading
from crmmail.store.files.attempts import Attempts
from crmmail.workspace import Workspace
real = route.decide
route.decide = lambda mail, *facts: os.kill(os.getpid(), 9) if mail.subject == "Letter 1" else real(mail, *facts)
with Workspace() as workspace:
    counter = Attempts(workspace.store.place)
    letters = pickle.load(sys.stdin.buffer)
    deliver_together(
        workspace, [prepare(reading(workspace), raw, Envelope(), counter) for raw in letters], counter=counter
    )
"""


def test_of_many_only_the_one_in_hand_is_accused(talk: Talk) -> None:
    raws = letters(talk)
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", KILLED], input=pickle.dumps(raws), timeout=60)
        assert done.returncode == -9
    counter = Attempts(str(talk.db))
    with talk.open() as workspace:
        read = [prepare(reading(workspace), raw, Envelope(), counter) for raw in raws]
    assert [counter.count(one.key) for one in read] == [0, 3, 0]
    assert fates(together(talk, *raws, counter=counter)) == ["stored alias", "quarantined cut-off", "stored alias"]
    assert counter.count(read[1].key) > 2  # it would kill us again if it came again


# --- two at once ----------------------------------------------------------------------------------------------------

BATCH = """
import pickle, sys
from crmmail.core.known import Envelope
from crmmail.services.incoming.deliver import deliver_together
from crmmail.services.incoming.prepare import prepare, reading
from crmmail.workspace import Workspace
with Workspace() as workspace:
    letters = [prepare(reading(workspace), raw, Envelope()) for raw in pickle.load(sys.stdin.buffer)]
    for begin in range(0, len(letters), 5):
        for outcomes in deliver_together(workspace, letters[begin:begin + 5]):
            print(outcomes[0].outcome)
"""


def test_two_that_bring_the_same_letters_bring_each_once(talk: Talk) -> None:
    raws = letters(talk, 20)
    orders = (raws, raws[::-1])
    doors = [
        subprocess.Popen([sys.executable, "-c", BATCH], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in orders
    ]
    for door, order in zip(doors, orders, strict=True):
        assert door.stdin
        door.stdin.write(pickle.dumps(order))
        door.stdin.close()
    said = [door.stdout.read().decode().split() for door in doors if door.stdout]
    assert [door.wait(60) for door in doors] == [0, 0]
    assert sorted(said[0] + said[1]) == ["duplicate"] * 20 + ["stored"] * 20
    assert titles(talk) == sorted(f"Letter {number}" for number in range(20))


# --- what a delivery loads ------------------------------------------------------------------------------------------

LOADED = """
import json, pickle, sys
from crmmail import mda
bad = lambda: sorted(name for name in sys.modules if name.startswith(("peewee", "playhouse", "crmmail.store.models")))
said = {}
for kind, raw in pickle.load(sys.stdin.buffer).items():
    status, lines = mda.run(["-v"], raw)
    said[kind] = [status, lines[0].split("[")[-1].rstrip("]"), bad()]
print(json.dumps(said))
"""


def test_no_ordinary_delivery_loads_peewee(talk: Talk) -> None:
    """Its import is a third of the time of a process that lives for one mail."""
    import json

    talk.do("users set agent --notify email")
    opened: Letter = talk.mail(ANA, subject="Printer broken", text="It burns.", id="open@x")
    closed = talk.mail(ANA, subject="Screen broken", text="It flickers.", id="closed@x")
    talk.do(f"close {closed.record}")
    notice = talk.notice("agent", opened.record or 0)
    talk.do("aliases add new@crm.test --kind lead --default responsible=agent")
    kinds = {
        "a new case": talk.raw(BEN, subject="Scanner", id="1@x", files=[("scan.png", b"png")]),
        "a new lead": talk.raw(BEN, "sales@crm.test", "An offer?", id="2@x"),
        "a new lead that is somebody's": talk.raw(BEN, "new@crm.test", "Two offers?", id="3@x"),
        "an answer": talk.raw(ANA, answers=opened, subject="Re: Printer broken", text="Hurry!", id="4@x"),
        "an answer that opens its case again": talk.raw(ANA, answers=closed, subject="Re: Screen", id="5@x"),
        "a user's answer": talk.raw(
            "agent@crm.test", answers=notice, subject="Re: Printer broken", text="Pull the plug!", id="6@x"
        ),
        "the same again": talk.raw(BEN, "sales@crm.test", "An offer?", id="2@x"),
        "to nobody": talk.raw(BEN, "jobs@crm.test", "Do you hire?", id="7@x"),
        "from somebody else": talk.raw("eve@evil.example", answers=opened, subject="Re: Printer broken", id="8@x"),
        "a bounce": b"Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.com\nTo: support@crm.test\nSubject: Undelivered\n"
        b"Message-ID: <9@x>\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; "
        b'boundary="b"\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n\n'
        b"Final-Recipient: rfc822; agent@crm.test\nAction: failed\nStatus: 5.1.1\n\n--b\n"
        b"Content-Type: text/rfc822-headers\n\nMessage-ID: <%b>\n\n--b--\n" % notice.id.encode(),
    }
    done = subprocess.run([sys.executable, "-c", LOADED], input=pickle.dumps(kinds), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == {
        "a new case": [0, "alias", []],
        "a new lead": [0, "alias", []],
        "a new lead that is somebody's": [0, "alias", []],
        "an answer": [0, "reference", []],
        "an answer that opens its case again": [0, "reference", []],
        "a user's answer": [0, "own-id", []],
        "the same again": [0, "duplicate", []],
        "to nobody": [0, "no-route", []],
        "from somebody else": [0, "unconfirmed", []],
        "a bounce": [0, "bounce", []],
    }
    assert talk.state(closed.record) == "open"
