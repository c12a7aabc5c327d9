"""The queue: a place before a mail, many mails to a transaction, one thread, and an end at which nobody waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from lmtp import KEPT

from crmmail import mda
from crmmail.core.known import Envelope
from crmmail.errors import StoreBusy
from crmmail.server import queue
from crmmail.server.queue import FULL, STOPPING, Mail, Queue, Verdict
from crmmail.spool import Spool
from crmmail.workspace import Choice

BUSY = StoreBusy("locked")
UNREAD = b"unread"


def mail(words: bytes = b"Hello") -> Mail:
    return Mail(Spool(words), mda.Options(Choice(), Envelope(), "", False, False))


Batch = tuple[Sequence[Mail], list[bytes] | None]


class Store:
    """Stands in for the intake: it can be made to wait, to fail, and tells in which parts the mails came."""

    def __init__(self, trouble: str = "", verdict: Verdict = KEPT) -> None:
        self.said, self.verdict = trouble, verdict
        self.looks: list[int] = []
        self.rounds = 0  # how often it looked
        self.reads_nothing = False
        self.batches: list[list[bytes]] = []
        self.threads: set[str] = set()
        self.readers: set[str] = set()
        self.leisure: list[bool] = []  # a mail each
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.is_free = threading.Event()  # nobody else has the lock
        self.is_free.set()
        self.closed = False

    def trouble(self, sizes: Sequence[int]) -> list[str]:
        self.looks += sizes
        self.rounds += 1
        self.threads.add(threading.current_thread().name)
        assert self.is_free.wait(10)
        return [self.said] * len(sizes)

    def begin(self) -> None:
        self.readers.add(threading.current_thread().name)

    def read(self, mails: Sequence[Mail], *, at_leisure: bool) -> list[bytes] | None:
        self.readers.add(threading.current_thread().name)
        self.leisure += [at_leisure] * len(mails)
        return None if self.reads_nothing else [one.letter.whole() for one in mails]

    def take(self, batches: Sequence[Batch], more: Callable[[], Sequence[Batch]]) -> list[Verdict]:
        came = list(batches)
        self.threads.add(threading.current_thread().name)
        assert self.goes_on.wait(10)
        while others := more():
            came.extend(others)
        self.batches.append([one for _, read in came for one in ([UNREAD] if read is None else read)])
        return [self.verdict for mails, _ in came for _ in mails]

    def close(self) -> None:
        self.closed = True


class Doors:
    """Connections: what each of them heard."""

    def __init__(self, store: Store, **more: Any) -> None:
        self.queue = Queue(asyncio.get_running_loop(), store, **more)
        self.queue.start()
        self.heard: list[object] = []
        self.verdicts: list[Verdict] = []

    async def reserve(self, size: int | None = 0) -> str:
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.queue.reserve(size, answer.set_result)
        return await asyncio.wait_for(answer, 10)

    def put(self, one: Mail) -> None:
        self.queue.put(one, self.verdicts.append)

    async def until(self, count: int) -> None:
        """All these verdicts are here."""
        for _ in range(1000):
            if len(self.verdicts) >= count:
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"{len(self.verdicts)} verdicts of {count}")


def test_a_place_then_a_mail_then_a_verdict() -> None:
    async def run() -> None:
        doors = Doors(store := Store())
        assert await doors.reserve() == ""
        doors.put(mail())
        await doors.until(1)
        assert doors.verdicts == [KEPT]
        assert (doors.queue.waiting, store.batches) == (0, [[b"Hello"]])
        assert (store.readers, store.threads) == ({"reader"}, {"store"}), "each has a thread of its own"
        assert doors.queue.stop(5)
        assert store.closed

    asyncio.run(run())


def test_what_waits_is_taken_in_together_in_its_order() -> None:
    async def run() -> None:
        doors = Doors(store := Store())
        store.goes_on.clear()
        for number in range(120):
            doors.queue._taken += 1
            doors.put(mail(b"%d" % number))
        store.goes_on.set()
        await doors.until(120)
        assert [one for batch in store.batches for one in batch] == [b"%d" % number for number in range(120)]
        assert queue.BATCH <= max(map(len, store.batches)) < 2 * queue.BATCH
        assert len(store.batches) <= 5
        doors.queue.stop(5)

    asyncio.run(run())


def test_what_is_read_meanwhile_joins_the_transaction_and_a_big_mail_does_not() -> None:
    async def run() -> None:
        doors = Doors(store := Store())
        store.goes_on.clear()
        big = Spool(held=1)
        big.write(b"three")
        for one in (mail(b"one"), mail(b"two"), mail()._replace(letter=big), mail(b"four")):
            await doors.reserve()
            doors.put(one)
            while doors.queue._jobs.qsize() or not store.threads:
                await asyncio.sleep(0.001)
        store.goes_on.set()
        await doors.until(4)
        assert store.batches[0][:2] == [b"one", b"two"] and b"three" not in store.batches[0]
        assert sorted(word for batch in store.batches for word in batch) == [b"four", b"one", b"three", b"two"]
        doors.queue.stop(5)

    asyncio.run(run())


def test_what_is_not_read_yet_does_not_join_a_transaction() -> None:
    async def run() -> None:
        doors = Doors(store := Store())
        store.goes_on.clear()
        for number, store.reads_nothing in enumerate((False, False, True), 1):
            await doors.reserve()
            doors.put(mail(b"%d" % number))
            while len(store.leisure) < number or not store.threads:
                await asyncio.sleep(0.001)
        store.goes_on.set()
        await doors.until(3)
        assert store.batches == [[b"1", b"2"], [UNREAD]]
        doors.queue.stop(5)

    asyncio.run(run())


def test_the_trouble_of_one_connection_costs_the_others_nothing() -> None:
    """All of one transaction hear their verdict, and no place is lost."""

    async def run() -> None:
        doors = Doors(store := Store())
        told: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: told.append(str(what["exception"])))
        store.goes_on.clear()

        def broken(_: Verdict) -> None:
            raise RecursionError("too deep")

        for verdict in (broken, doors.verdicts.append, broken, doors.verdicts.append):
            await doors.reserve(None)
            doors.queue.put(mail(), verdict)
        store.goes_on.set()
        await doors.until(2)
        assert (doors.verdicts, doors.queue.waiting, told) == ([KEPT] * 2, 0, ["too deep"] * 2)
        doors.queue.stop(5)

    asyncio.run(run())


def test_a_mail_that_comes_alone_is_read_at_leisure_and_what_comes_meanwhile_is_not() -> None:
    async def run() -> None:
        doors = Doors(store := Store())
        for _ in range(3):
            await doors.reserve()
        store.goes_on.clear()
        for number in range(3):
            doors.put(mail())
            while len(store.leisure) <= number:
                await asyncio.sleep(0.001)
        store.goes_on.set()
        await doors.until(3)
        assert store.leisure == [True, False, False]
        for number in (4, 5):
            await doors.reserve()
            while not doors.queue._idle.is_set():
                await asyncio.sleep(0.001)
            doors.put(mail())
            await doors.until(number)
        assert store.leisure[3:] == [True, True]
        doors.queue.stop(5)

    asyncio.run(run())


def test_big_mails_do_not_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "BATCH_BYTES", 1000)

    async def run() -> None:
        doors = Doors(store := Store())
        store.goes_on.clear()
        for _ in range(3):
            doors.queue._taken += 1
            doors.put(mail(b"x" * 1500))
        store.goes_on.set()
        await doors.until(3)
        assert list(map(len, store.batches)) == [1, 1, 1]
        doors.queue.stop(5)

    asyncio.run(run())


def test_there_are_so_many_places_and_no_more() -> None:
    async def run() -> None:
        doors = Doors(store := Store(), places=2)
        store.goes_on.clear()
        assert [await doors.reserve() for _ in range(3)] == ["", "", FULL]
        doors.queue.release()
        assert [await doors.reserve() for _ in range(2)] == ["", FULL]
        doors.put(mail())
        assert await doors.reserve() == FULL, "a mail has its place until its verdict"
        store.goes_on.set()
        await doors.until(1)
        assert await doors.reserve() == ""
        doors.queue.stop(5)

    asyncio.run(run())


def test_trouble_gives_no_place_and_is_looked_at_each_time() -> None:
    async def run() -> None:
        doors = Doors(store := Store("locked"))
        assert [await doors.reserve(), await doors.reserve()] == ["locked", "locked"]
        store.said = ""
        assert await doors.reserve() == ""
        assert await doors.reserve(5_000_000) == "", "for a big one the disk is looked at again"
        assert await doors.reserve() == ""
        assert store.looks == [0, 0, 0, 5_000_000], "a look that has just been is believed"
        store.said = "locked"
        assert await doors.reserve(None) == "", "who can do it himself need not wait for a look"
        assert (len(store.looks), doors.queue.waiting) == (4, 4)
        doors.queue.stop(5)

    asyncio.run(run())


def test_while_the_store_is_locked_all_who_ask_wait_for_one_look() -> None:
    async def run() -> None:
        doors = Doors(store := Store("locked"))
        store.is_free.clear()
        asked = [asyncio.create_task(doors.reserve(size)) for size in range(15)]
        while not store.looks:
            await asyncio.sleep(0.001)
        store.is_free.set()
        assert await asyncio.gather(*asked) == ["locked"] * 15
        assert (sorted(store.looks), store.rounds <= 2) == (list(range(15)), True)
        doors.queue.stop(5)

    asyncio.run(run())


def test_after_a_mail_that_failed_the_store_is_looked_at_again() -> None:
    async def run() -> None:
        doors = Doors(store := Store(verdict=BUSY))
        await doors.reserve()
        doors.put(mail())
        await doors.until(1)
        assert doors.verdicts == [BUSY]
        await doors.reserve()
        assert len(store.looks) == 2
        doors.queue.stop(5)

    asyncio.run(run())


@pytest.mark.parametrize("which", ["read", "take", "trouble"])
def test_it_tells_for_how_long_an_answer_has_been_owed(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, goes_on = threading.Event(), threading.Event()
    real = getattr(Store, which)

    def slow(*given: object, **more: object) -> object:
        asked.set()
        assert goes_on.wait(10)
        return real(*given, **more)

    async def run() -> None:
        doors = Doors(Store())
        await doors.reserve()
        await quiet(doors.queue)
        monkeypatch.setattr(Store, which, slow)
        place = asyncio.create_task(doors.reserve(5_000_000))
        doors.put(mail())
        assert await asyncio.to_thread(asked.wait, 10)
        before = doors.queue.silence
        await asyncio.sleep(0.02)
        assert doors.queue.silence >= before + 0.02
        goes_on.set()
        await doors.until(1)
        assert await place == ""
        await quiet(doors.queue)
        doors.queue.stop(5)

    asyncio.run(run())


async def quiet(queue: Queue) -> None:
    """Every question is answered."""
    for _ in range(1000):
        if queue.silence == 0:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"silent for {queue.silence} s")


def test_at_the_end_nobody_gets_a_place_and_who_has_one_gets_his_verdict() -> None:
    async def run() -> None:
        doors = Doors(store := Store())
        store.goes_on.clear()
        await doors.reserve()
        await doors.reserve()
        doors.put(mail())
        doors.queue.refuse()
        assert await doors.reserve() == STOPPING
        doors.put(mail())
        store.goes_on.set()
        assert doors.queue.stop(5)
        await doors.until(2)
        assert doors.verdicts == [KEPT, KEPT]
        assert (doors.queue.waiting, store.closed) == (0, True)

    asyncio.run(run())


@pytest.mark.parametrize("which", ["read", "take", "trouble"])
def test_whatever_ends_a_thread_is_told(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object, **__: object) -> None:
        raise MemoryError("none left")

    async def run() -> None:
        broken: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        store = Store()
        monkeypatch.setattr(store, which, bug)
        doors = Doors(store, broken=broken.set_result)
        doors.queue.reserve(0 if which == "trouble" else None, lambda _: None)
        doors.put(mail())
        assert str(await asyncio.wait_for(broken, 10)) == "none left"
        doors.queue._threads[which != "read"].join(10)
        assert not doors.queue.is_alive

    asyncio.run(run())
