"""Workers that share one outbox: real processes, one of which may be killed at any moment."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from doors import CRMMAIL, Shop, open_shop
from mailsink import Sink, _Client
from outgoing import Office, fill, identifier, raw_store, read

from crmmail.services.sending import worker

HOUSE = worker.name().rsplit(":", 3)[0]


class Workers:
    """Processes of `crmmail outbox send` on one store."""

    def __init__(self, shop: Shop, sink: Sink) -> None:
        self.shop, self.sink = shop, sink
        self._started: list[subprocess.Popen[str]] = []

    def start(self) -> subprocess.Popen[str]:
        self._started.append(
            subprocess.Popen(
                [CRMMAIL, "outbox", "send"],
                env=self.shop.env(CRMMAIL_SMTP_URL=self.sink.url),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return self._started[-1]

    def run(self) -> str:
        """One pass to its end; what it said."""
        out, err = self.start().communicate(timeout=60)
        assert err == ""
        return out

    def stop(self) -> None:
        for one in self._started:
            one.kill()
            one.communicate()

    def ids(self) -> Counter[str]:
        """Message-ID → how often it arrived."""
        return Counter(identifier(read(mail)) for mail in self.sink.received)

    def states(self) -> dict[str, int]:
        return dict(self.shop.rows("SELECT state, count(*) FROM crm_delivery GROUP BY state"))


@pytest.fixture
def workers(tmp_path: Path, sink: Sink) -> Iterator[Workers]:
    found = Workers(open_shop(tmp_path), sink)
    yield found
    found.stop()


def until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not ready():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.005)


def slow(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mail takes a while, so that both workers are at it."""
    real = sink.due

    def due(stage: str, address: str = "") -> str:
        time.sleep(0.01 if stage == "data" else 0)
        return real(stage, address)

    monkeypatch.setattr(sink, "due", due)


def test_two_at_once_send_each_mail_once(workers: Workers, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(sink, monkeypatch)
    wanted = fill(workers.shop.place, 60)
    both = [workers.start(), workers.start()]
    said = [one.communicate(timeout=60) for one in both]
    assert [err for _, err in said] == ["", ""]
    assert sum(int(out.split()[0]) for out, _ in said if "sent" in out) == 60
    assert workers.ids() == Counter(wanted)
    assert workers.states() == {"sent": 60}
    assert sink.connections == 2, "one of them had nothing to do"


def test_one_is_killed_and_the_next_takes_its_rows_at_once(
    workers: Workers, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(sink, monkeypatch)
    wanted = fill(workers.shop.place, 60)
    first = workers.start()
    until(lambda: len(sink.received) >= 10)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert len(sink.received) < 55
    workers.run()
    ids = workers.ids()
    assert set(ids) == set(wanted)
    assert sum(ids.values()) <= 61
    assert workers.states() == {"sent": 60}
    assert workers.shop.check() == "the store is sound"


def test_killed_between_the_servers_word_and_ours_one_mail_comes_twice(workers: Workers, sink: Sink) -> None:
    wanted = fill(workers.shop.place, 12)
    sink.answer(mail=["ok"] * 4 + ["keep-and-hang", "ok"])
    first = workers.start()
    until(lambda: len(sink.received) == 5)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert workers.run() == "8 sent\n"
    ids = workers.ids()
    assert set(ids) == set(wanted)
    assert [one for one, count in ids.items() if count == 2] == [wanted[4]]
    assert sum(ids.values()) == 13
    twice = [mail.data for mail in sink.received if identifier(read(mail)) == wanted[4]]
    assert twice[0] == twice[1]


def test_the_rows_of_one_that_lives_are_left_to_it(workers: Workers, sink: Sink) -> None:
    fill(workers.shop.place, 3)
    sink.answer(mail=["keep-and-hang", "ok"])
    workers.start()
    until(lambda: len(sink.received) == 1)
    assert workers.run() == "nothing is due\n"
    assert len(sink.received) == 1
    with pytest.raises(AssertionError, match="is being sent at this moment"):
        workers.shop.crmmail("outbox", "cancel", "2")
    past = (datetime.now(UTC) - timedelta(seconds=1)).replace(tzinfo=None).isoformat(" ")
    with raw_store(workers.shop.place) as store:
        store.execute("UPDATE crm_delivery SET lease = ?", (past,))
    assert workers.run() == "3 sent\n"  # it has held them for longer than any mail may take


class Held:
    """The sink keeps one client waiting for its word, while others go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stage: str, time_: int) -> None:
        self.waits, self.go_on = threading.Event(), threading.Event()
        seen = 0
        real = _Client.play

        async def play(client: _Client, at: str, *rest: Any, **more: Any) -> str:
            nonlocal seen
            seen += at == stage
            if at == stage and seen == time_:
                self.waits.set()
                while not self.go_on.is_set():
                    await asyncio.sleep(0.01)
            return await real(client, at, *rest, **more)

        monkeypatch.setattr(_Client, "play", play)


@pytest.mark.parametrize("stage", ["sender", "recipient", "data"])
def test_frozen_past_its_lease_it_sends_nothing_that_another_took_over(
    workers: Workers, sink: Sink, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    wanted = fill(workers.shop.place, 6)
    held = Held(monkeypatch, stage, 3)
    frozen = workers.start()
    assert held.waits.wait(30)
    frozen.send_signal(signal.SIGSTOP)
    assert workers.run() == "nothing is due\n"
    past = (datetime.now(UTC) - timedelta(seconds=1)).replace(tzinfo=None).isoformat(" ")
    with raw_store(workers.shop.place) as store:
        store.execute("UPDATE crm_delivery SET lease = ? WHERE lease IS NOT NULL", (past,))
    assert workers.run() == "4 sent\n"
    held.go_on.set()
    frozen.send_signal(signal.SIGCONT)
    out, err = frozen.communicate(timeout=60)
    assert (out, err) == ("2 sent\n", "")
    assert workers.ids() == Counter(wanted)
    assert workers.states() == {"sent": 6}
    assert workers.shop.rows("SELECT count(*) FROM crm_delivery WHERE worker IS NOT NULL") == [(0,)]


def test_two_that_are_killed_at_random_moments(
    workers: Workers, sink: Sink, monkeypatch: pytest.MonkeyPatch, thorough: bool
) -> None:
    """Each mail arrives once, but for those that a killed worker had under way: at most one a kill, and the same."""
    slow(sink, monkeypatch)
    count, kills = (1_000, 30) if thorough else (200, 4)
    chance = random.Random(5)
    wanted = fill(workers.shop.place, count)
    both = [workers.start(), workers.start()]
    done = 0
    for number in range(kills):
        until(lambda aim=(number + 1) * count // (kills + 1): len(sink.received) >= aim)  # type: ignore[misc]
        time.sleep(chance.random() * 0.05)
        victim = chance.randrange(2)
        done += both[victim].poll() is None
        both[victim].kill()
        both[victim].wait()
        both[victim] = workers.start()
    assert done >= kills // 2, "most of them had nothing left to do"
    for one in both:
        one.communicate(timeout=60)
    workers.start().communicate(timeout=60)
    ids = workers.ids()
    assert set(ids) == set(wanted)
    assert sum(ids.values()) - count <= done
    copies: dict[str, set[bytes]] = {}
    for mail in sink.received:
        copies.setdefault(identifier(read(mail)), set()).add(mail.data)
    assert all(len(one) == 1 for one in copies.values())
    assert workers.states() == {"sent": count}
    assert workers.shop.check() == "the store is sound"


# --- whose rows ---------------------------------------------------------------------------------------------


@pytest.fixture
def claimed(office: Office) -> Callable[..., bool]:
    """Would a pass take the row of this worker?"""

    def would_be_taken(name: str, *, lease: timedelta = timedelta(minutes=30)) -> bool:
        number = office.letter()
        office.change(number, worker=name, lease=datetime.now(UTC) + lease)
        office.talk.do("outbox send")
        return office.row(number).state == "sent"

    return would_be_taken


def test_a_number_that_was_given_to_another_process(claimed: Callable[..., bool]) -> None:
    began = worker.name().split(":")[2]
    parent = os.getppid()
    assert claimed(f"{HOUSE}:{parent}:{int(began) + 1}:x")


def test_a_live_process(claimed: Callable[..., bool]) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        began = worker._began(other.pid)
        assert not claimed(f"{HOUSE}:{other.pid}:{began}:x")
        assert claimed(f"{HOUSE}:{other.pid}:{began}:x", lease=timedelta(seconds=-1))
        other.kill()


def test_a_process_that_was_killed_and_is_not_buried_yet(claimed: Callable[..., bool]) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        name = f"{HOUSE}:{other.pid}:{worker._began(other.pid)}:x"
        other.kill()
        until(lambda: not worker.alive(name))
        assert other.returncode is None, "it was buried"
        assert claimed(name)


def test_another_computer_is_believed_until_its_lease_is_over(claimed: Callable[..., bool]) -> None:
    assert not claimed("other.crm.test:1:5")
    assert claimed("other.crm.test:1:5", lease=timedelta(seconds=-1))


@pytest.mark.parametrize("name", ["", "nonsense", f"{HOUSE}:x:1:x", f"{HOUSE}:99999999999999999999:1:x"])
def test_a_name_that_says_nothing_is_believed_until_its_lease_is_over(claimed: Callable[..., bool], name: str) -> None:
    assert not claimed(name)
    assert claimed(name, lease=timedelta(seconds=-1))


def test_my_own_name_is_this_process() -> None:
    assert worker.alive(worker.name())
    assert worker.name().split(":")[1] == str(os.getpid())


def test_another_pass_of_this_process_keeps_its_rows(claimed: Callable[..., bool]) -> None:
    assert worker.name() != worker.name()
    assert not claimed(worker.name())
    assert claimed(worker.name(), lease=timedelta(seconds=-1))


def test_the_same_number_in_another_container_is_believed_until_its_lease_is_over(
    claimed: Callable[..., bool],
) -> None:
    host = HOUSE.partition("@")[0]
    assert f"{host}@{os.readlink('/proc/self/ns/pid').strip('pid:[]')}" == HOUSE
    name = f"{host}@1:99999:5:x"  # a number that nobody has here
    assert not worker.alive(f"{HOUSE}:99999999:5:x")
    assert not claimed(name)
    assert claimed(name, lease=timedelta(seconds=-1))
