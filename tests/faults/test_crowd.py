"""Many at once: deliveries, readers, somebody at a terminal and cron, on one store.

None of the deliveries says 75, nothing a reader has seen vanishes, and in the end every mail is there once.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from doors import CRMMAIL, MDA, SOUND, Shop, letter, open_shop
from mailsink import Sink
from strike import WAL
from thorough import long_form

OK = 0
MODES: dict[str, Sequence[str]] = {
    "persist": (MDA,),
    "wal": (sys.executable, "-c", f"{WAL}\nimport sys\nfrom crmmail import mda\nmda.main(sys.argv[1:])\n"),
}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return open_shop(tmp_path)


class Others:
    """Who works on the store beside the deliveries, each in a thread, again and again until the end."""

    def __init__(self, shop: Shop, **env: str) -> None:
        self.env = shop.env(**env)
        self.shop = shop
        self.over = threading.Event()
        self.said: list[str] = []  # of whoever failed
        self.rounds: dict[str, int] = {}
        self.threads: list[threading.Thread] = []

    def begin(self, name: str, act: Callable[[], None], pause: float) -> None:
        def run() -> None:
            while not self.over.is_set():
                act()
                self.rounds[name] = self.rounds.get(name, 0) + 1
                self.over.wait(pause)  # leave the processor to the deliveries

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def crmmail(self, *words: str, may_refuse: bool = False) -> None:
        """One command, which must succeed; or, where it may, refuse for a reason of its own."""
        done = subprocess.run([CRMMAIL, *words], env=self.env, capture_output=True, text=True, timeout=1000)
        if done.returncode != 0 and not (may_refuse and "locked" not in done.stderr):
            self.said.append(f"{' '.join(words)}: {done.returncode} {done.stderr}")

    def end(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", ["persist", *long_form("wal")])
def test_eight_deliveries_at_once_while_others_work(shop: Shop, sink: Sink, mode: str, thorough: bool) -> None:
    """None says 75: a busy store is waited for, a reader shuts nobody out, nor does who writes or sends."""
    shop.crmmail("users", "set", "boss", "--notify", "both")
    assert shop.mda(letter("First"), command=MODES[mode]).returncode == OK
    size = 100 if thorough else 5
    # The short form runs beside other tests, on a machine that may be very busy.
    patience = {} if thorough else {"CRMMAIL_DELIVERY_BUSY_TIMEOUT": "100"}
    patience |= {"CRMMAIL_LOOP_NEW_RECORDS": "0"}  # a hundred of one sender are no loop here
    crowd = [[f"Mail {number} of {who}" for number in range(size)] for who in range(8)]
    answers: list[tuple[int, bytes]] = []
    seen: list[int] = []

    def deliver(subjects: list[str]) -> None:
        for subject in subjects:
            raw = letter(subject, sender=f"{subject.split()[-1]}@customer.example")
            done = shop.mda(raw, command=MODES[mode], env=patience)
            answers.append((done.returncode, done.stderr))

    others = Others(shop, CRMMAIL_SMTP_URL=sink.url, **patience)
    others.begin("inbox", lambda: others.crmmail("inbox", "--limit", "1000", "--json"), 2)
    others.begin("show", lambda: others.crmmail("show", "1"), 2)
    others.begin("list", lambda: seen.append(len(shop.json("list", "case", "--limit", "1000"))), 2)
    others.begin("done", lambda: others.crmmail("done", "--all"), 2)
    others.begin("undo", lambda: others.crmmail("undo", may_refuse=True), 2)  # `show` read it since; nothing is left
    others.begin("tick", lambda: others.crmmail("tick"), 2)
    began = time.monotonic()
    threads = [threading.Thread(target=deliver, args=(subjects,)) for subjects in crowd]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    others.end()

    assert (len(answers), set(answers)) == (8 * size, {(OK, b"")})
    assert others.said == []
    assert sorted(shop.mails()) == sorted(["First", *(subject for subjects in crowd for subject in subjects)])
    assert (shop.held(), shop.check()) == ([], SOUND)
    assert seen
    assert seen == sorted(seen), "what was seen once must not vanish"
    others.crmmail("tick")
    (waiting,) = shop.rows("SELECT count(*) FROM crm_delivery WHERE state != 'sent'")[0]
    assert (waiting, len(sink.received)) == (0, 8 * size + 1), "one notification a mail, once"
    rounds = ", ".join(f"{name} {count}" for name, count in others.rounds.items())
    print(f"\n{mode}: {8 * size} mails in {seconds:.0f} s, all answered 0; beside them {rounds}")


def test_crowd_finds_a_store_in_the_other_journal_mode(shop: Shop) -> None:
    """An SQLite that may use WAL comes into the house, or goes: both change the store while others have it open."""
    there, back = MODES["wal"], MODES["persist"]
    for change, command in enumerate((there, back)):
        crowd = [shop.start(command=command) for _ in range(6)]
        for number, one in enumerate(crowd):
            assert one.stdin
            one.stdin.write(letter(f"Mail {change}{number}"))
            one.stdin.flush()
        for one in crowd:
            assert one.stdin
            one.stdin.close()
        for one in crowd:
            with one:
                assert one.stdout and one.stderr
                assert (one.stdout.read(), one.stderr.read(), one.wait(60)) == (b"", b"", OK)
    assert sorted(shop.mails()) == [f"Mail {change}{number}" for change in range(2) for number in range(6)]
    assert (shop.held(), shop.check()) == ([], SOUND)
