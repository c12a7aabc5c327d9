"""The fault sweep: one delivery, struck at every call by which it writes, makes lasting, cuts or removes anything.

Killed there, or refused by the disk once or from then on; then the same mail is offered again as fetchmail does, with
another Received line.  In the end the store has exactly what an undisturbed delivery leaves, and is sound.  The short
form strikes every call that decides about a commit and a sample of the others, `--thorough` all of them in all scenes.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import NamedTuple

import pytest
from doors import MDA, SOUND, Shop, letter, open_shop
from mailsink import Sink
from strike import WAL, Call, Snapshot, Striker, need_strace, rows
from thorough import long_form

from crmmail.services.keeping import upkeep
from crmmail.workspace import Choice, Workspace

pytestmark = pytest.mark.timeout(3600)  # the long form takes minutes a scene

OK, LATER, KILLED = 0, 75, -9
AGAIN = b"Received: from mx.example.com by crm.test; Tue, 24 Nov 2026 10:01:00 +0000\r\n"
KILL, EIO, FULL, STAYS_FULL = "signal=KILL", "error=EIO", "error=ENOSPC", "error=ENOSPC+"
FAULTS = (KILL, EIO, FULL, STAYS_FULL)
# A page that cannot be read; a lock server that is away, as on a network file system.
OTHER_FAULTS = {"pread64": (EIO,), "fcntl": (KILL, "error=ENOLCK")}
MODES = {"persist": "", "wal": WAL}

FIRST = letter("Printer broken", "It smells.\n", identifier="<first@customer.example>")
PLAN = bytes(range(256)) * 20


class Scene(NamedTuple):
    """What lies in the store already, and the mail that comes."""

    before: tuple[bytes, ...]
    raw: bytes


SCENES = {
    "a new mail": Scene((), letter("The plan", "Words. " * 300, attachment=PLAN)),
    "an answer with an attachment": Scene(
        (FIRST,), letter("Re: Printer broken", "Now it burns.\n", answers="<first@customer.example>", attachment=PLAN)
    ),
    "a mail for two records": Scene((FIRST,), letter("Both", to="support@crm.test, sales@crm.test")),
    "a duplicate": Scene((FIRST,), AGAIN + FIRST),
    "a mail over a limit": Scene((FIRST,), b"X-More: y\r\n" * 1001 + letter("Too many fields")),
    "a mail for nobody": Scene((FIRST,), letter("Who?", to="nobody@crm.test")),
}


class Tally:
    """What came of the strikes, to be printed at the end."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()

    def __str__(self) -> str:
        counts = self.statuses
        later, killed = counts[LATER], counts[KILLED]
        return f"{counts.total()} points: {counts[OK]} answered 0, {later} answered 75, {killed} were killed"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """In memory where that can be: strace strikes the calls there as well, and the disk need not be waited for."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield open_shop(tmp_path)
        return
    with tempfile.TemporaryDirectory(prefix="crmmail-", dir=memory) as folder:
        yield open_shop(Path(folder))


def strikes(calls: list[Call], *, thorough: bool) -> Iterator[tuple[Call, str]]:
    """Which calls are struck, and how."""
    writes = [call for call in calls if call.name == "pwrite64"]
    some = {writes[round(place * (len(writes) - 1) / 7)] for place in range(8)} if writes else set()
    for index, call in enumerate(calls):
        if call.name in OTHER_FAULTS:
            if thorough or index % 50 == 0:
                yield from ((call, fault) for fault in OTHER_FAULTS[call.name])
        elif thorough:
            yield from ((call, fault) for fault in FAULTS if fault != STAYS_FULL or call.name == "pwrite64")
        elif ends_a_journal(call):
            yield from ((call, fault) for fault in (KILL, EIO, FULL))
        elif "sync" in call.name:
            yield from ((call, fault) for fault in (KILL, EIO))
        elif call.name != "pwrite64" or call in some:
            yield call, FAULTS[index % (4 if call in some else 3)]


def ends_a_journal(call: Call) -> bool:
    """Are these the 28 zeros over the head of the journal, which make a commit one?"""
    return call.name == "pwrite64" and "-journal" in call.words and ", 28, 0)" in call.words


def injection(call: Call, fault: str) -> str:
    """What strace is told."""
    kind, stays, _ = fault.partition("+")
    return f"{call.name}:{kind}:when={call.number}{stays}"


def unsound(shop: Shop) -> list[str]:
    """What `crmmail db check` finds."""
    with Workspace(Choice(db=str(shop.place)), shop.env()) as workspace:
        return [one.sentence for one in upkeep.damages(workspace)]


def sweep(shop: Shop, scene: Scene, patch: str, tally: Tally, *, thorough: bool) -> None:
    """Strikes one scene; the door is the loaded program."""
    with Striker(shop, patch) as striker:
        for raw in (letter("Anything"), *scene.before):
            assert striker.deliver(raw) == OK, striker.said()
        before = Snapshot(shop)
        assert striker.deliver(scene.raw) == OK  # whatever is loaded late has its byte code from now on
        before.put_back()
        calls = striker.calls(scene.raw)
        wanted = rows(shop)
        for call, fault in strikes(calls, thorough=thorough):
            before.put_back()
            what = f"{fault} at {call.words[:150]}"
            status = striker.deliver(scene.raw, inject=injection(call, fault))
            tally.statuses[status] += 1
            assert status in (OK, LATER, KILLED), what
            assert status != KILLED or fault == KILL, what
            words = striker.said()
            assert re.fullmatch(r"crmmail-mda: [^\n]+\n" if status == LATER else "", words), (what, words)
            if status == OK:  # then it must be there, whatever comes next
                assert rows(shop) == wanted, what
            assert striker.deliver(AGAIN + scene.raw) == OK, (what, striker.said())
            assert rows(shop) == wanted, what
            assert unsound(shop) == [], what
    assert shop.check() == SOUND


@pytest.mark.parametrize("mode", MODES)
def test_fault_at_any_write(shop: Shop, mode: str, thorough: bool) -> None:
    tally = Tally()
    sweep(shop, SCENES["a new mail"], MODES[mode], tally, thorough=thorough)
    assert set(tally.statuses) == {OK, LATER, KILLED}, "the faults have struck, and some of them do no harm"
    print(f"\n{mode}, a new mail: {tally}")


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("fdatasync:signal=KILL:when=4", KILLED),  # the pages are in the store, and the journal still says otherwise
        ("fdatasync:error=EIO:when=1", LATER),
        ("fdatasync:error=EIO:when=5", LATER),
        ("pwrite64:signal=KILL:when=100", KILLED),
    ],
)
def test_fault_in_the_installed_door(shop: Shop, fault: str, status: int) -> None:
    """The loaded program of the other tests is the door itself: the script that fetchmail calls says the same."""
    need_strace()
    name = fault.partition(":")[0]
    options = ["-f", "-qq", "-o", str(shop.folder / "trace"), "-e", f"trace={name}", "-e", f"inject={fault}"]
    raw = SCENES["a new mail"].raw
    done = shop.mda(raw, command=["strace", *options, sys.executable, MDA])
    if "strace: " in done.stderr.decode():
        pytest.skip("strace may not trace here (ptrace is forbidden)")
    assert done.returncode == status, done  # strace dies of the signal that its child died of
    assert shop.mda(AGAIN + raw).returncode == OK
    assert (shop.mails(), shop.titles("case"), shop.held()) == (["The plan"], ["The plan"], [])
    assert shop.check() == SOUND


@pytest.mark.thorough
@pytest.mark.parametrize("scene", [name for name in SCENES if name != "a new mail"])
@pytest.mark.parametrize("mode", MODES)
def test_fault_at_any_write_of_other_mails(shop: Shop, mode: str, scene: str) -> None:
    tally = Tally()
    sweep(shop, SCENES[scene], MODES[mode], tally, thorough=True)
    print(f"\n{mode}, {scene}: {tally}")


# -- what leaves ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["persist", *long_form("wal")])
def test_fault_at_any_write_of_a_tick(shop: Shop, sink: Sink, mode: str, thorough: bool) -> None:
    """Two letters wait.  Each reaches its customer: once, or twice under one Message-ID where the tick was struck
    between the server's word and our commit; never not at all."""
    tally, twice = Tally(), 0
    with Striker(shop, MODES[mode], CRMMAIL_SMTP_URL=sink.url) as striker:
        people = [f"{name}@customer.example" for name in ("ann", "bob")]
        for number, who in enumerate(people, start=1):
            assert striker.deliver(letter(f"Question of {who}", sender=who)) == OK
            shop.crmmail("reply", str(number), "-m", "It is done.", "--yes")
        before = Snapshot(shop)
        assert striker.crmmail("tick") == 0  # whatever is loaded late has its byte code from now on
        before.put_back()
        sink.received.clear()
        calls = striker.calls(None, "tick")
        assert sorted(sink.recipients) == people
        for call, fault in strikes(calls, thorough=thorough):
            if fault == STAYS_FULL:  # then it waits for room, up to ten minutes: a mail that left would leave again
                continue
            if not thorough and (not ends_a_journal(call) or fault == FULL):
                continue
            before.put_back()
            sink.received.clear()
            what = f"{fault} at {call.words[:150]}"
            status = striker.crmmail("tick", inject=injection(call, fault))
            tally.statuses[status] += 1
            assert status in (0, 1, KILLED), what
            assert "Traceback" not in striker.said(), what
            assert striker.crmmail("tick") == 0, (what, striker.said())  # the next minute of cron
            assert shop.rows("SELECT DISTINCT state FROM crm_delivery") == [("sent",)], what
            assert sorted(set(sink.recipients)) == people, what
            assert len(sink.recipients) <= 2 + (status == KILLED), (what, "only the mail under way goes out twice")
            twice += len(sink.recipients) == 3
            identifiers = {(one.recipient, message_from_bytes(one.data)["Message-ID"]) for one in sink.received}
            assert len(identifiers) == 2, (what, identifiers)
            assert unsound(shop) == [], what
    assert tally.statuses[KILLED] and tally.statuses[OK]
    counts = tally.statuses
    ended = f"{counts[0]} ended with 0, {counts[1]} with 1, {counts[KILLED]} were killed"
    print(f"\n{mode}, a tick: {counts.total()} points: {ended}; {twice} times one letter of the two went out twice")
