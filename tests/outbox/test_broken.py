"""What must not hold the outbox up, and what must not send a mail twice: servers, stores and people that misbehave."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from doors import CRMMAIL, Shop, open_shop
from mailsink import Sink
from outgoing import Office, fill, raw_store

from crmmail.errors import StoreBusy
from crmmail.mail.smtp_talk import Talk
from crmmail.services.sending import send
from crmmail.store.engine.database import Store
from crmmail.store.letters import outbox

ANA, BOB, EVE, DAN = "ana@example.com", "bob@example.com", "eve@example.com", "dan@example.com"
SUPPORT, SALES = "support@crm.test", "sales@crm.test"


# --- one mail that the server does not take ---------------------------------------------------------------------


@pytest.fixture
def sales(office: Office) -> int:
    """A lead, whose letters leave as sales@."""
    office.talk.environ(CRMMAIL_MAIL_CATCHALL="", CRMMAIL_MAIL_PLUS_ADDRESSES="no")
    lead = office.talk.mail("Eve <eve@example.com>", to=SALES, subject="An offer?", text="How much?").record
    office.talk.quiet()
    assert lead is not None
    return lead


class TestOneSender:
    """The server does not take mail from support@, and takes all other."""

    @pytest.mark.parametrize("act", ["421 4.7.0 rate limit for you", "drop", "450 4.7.1 too many mails"])
    def test_the_mail_of_others_leaves(self, office: Office, sink: Sink, sales: int, act: str) -> None:
        blocked = [office.letter(ANA), office.letter(BOB)]
        others = [office.letter(EVE, record=sales), office.letter(DAN, record=sales)]
        sink.answer(sender={SUPPORT: act})
        said = office.talk.cli("outbox send")
        assert (said.code, said.out.strip(), said.err.count("\n")) == (0, "2 sent", 1)
        assert sink.recipients == [EVE, DAN]
        assert [office.row(one).state for one in (*blocked, *others)] == ["queued", "queued", "sent", "sent"]
        first, second = (office.row(one) for one in blocked)
        assert (first.attempts, second.attempts) == (1, 0)
        assert second.reason == first.reason and second.due < first.due
        sink.behave()
        office.talk.wait(minutes=1)
        assert office.talk.do("outbox send") == "2 sent"
        assert sink.recipients == [EVE, DAN, BOB, ANA]

    def test_without_another_sender_the_next_mail_decides(self, office: Office, sink: Sink) -> None:
        numbers = [office.letter(to) for to in (ANA, BOB, EVE)]
        sink.answer(sender=["450 4.7.1 too many mails", "ok"])
        assert office.talk.do("outbox send") == "2 sent"
        assert [office.row(one).state for one in numbers] == ["queued", "sent", "sent"]

    @pytest.mark.sqlite("writes into the file")
    def test_where_the_next_meets_the_same_the_pass_ends(self, office: Office, sink: Sink, sales: int) -> None:
        numbers = [office.letter(to) for to in (ANA, BOB)] + [office.letter(EVE, record=sales), office.letter(DAN)]
        sink.answer(sender="530 5.7.0 Authentication required")
        assert office.talk.cli("outbox send").code == 0
        rows = [office.row(one) for one in numbers]
        assert [row.attempts for row in rows] == [1, 0, 1, 0]
        assert {row.failure for row in rows} == {"no-login"}
        assert max(rows[1].due, rows[3].due) < min(rows[0].due, rows[2].due)
        with raw_store(office.talk.db) as store:
            assert store.execute("SELECT DISTINCT worker FROM crm_delivery").fetchall() == [(None,)]

    def test_the_next_pass_begins_with_the_others(self, office: Office, sink: Sink) -> None:
        numbers = [office.letter(to) for to in (ANA, BOB, EVE, DAN)]
        sink.answer(sender=["450 4.7.1 too many mails", "450 4.7.1 too many mails", "ok"])
        office.talk.cli("outbox send")
        office.talk.wait(minutes=1)
        assert office.talk.do("outbox send") == "4 sent"
        assert sink.recipients == [EVE, DAN, ANA, BOB]
        assert {office.row(one).state for one in numbers} == {"sent"}

    def test_after_a_refused_mail_the_connection_itself_is_refused(self, office: Office, sink: Sink) -> None:
        """The way out is shut for now, by this mail: it stands behind the others all the same."""
        numbers = [office.letter(to) for to in (ANA, BOB)]
        sink.answer(sender=["421 4.7.0 rate limit", "ok"], connect=["ok", "421 4.7.0 rate limit", "ok"])
        office.talk.cli("outbox send")
        first, second = (office.row(one) for one in numbers)
        assert (first.attempts, second.attempts) == (1, 0)
        assert second.due < first.due
        office.talk.wait(minutes=1)
        assert office.talk.do("outbox send") == "2 sent"
        assert sink.recipients == [BOB, ANA]

    def test_after_five_days_it_is_over_if_others_left(self, office: Office, sink: Sink, sales: int) -> None:
        number = office.letter(ANA)
        sink.answer(sender={SUPPORT: "450 4.7.1 too many mails"})
        for _ in range(13):
            office.letter(EVE, record=sales)
            office.talk.cli("tick")
            assert office.row(number).state == "queued"
            office.talk.wait(hours=10)
        said = office.talk.cli("tick")
        assert (said.code, office.row(number).state) == (1, "failed")
        assert ("failed", "failed") in office.items()

    def test_while_nothing_leaves_it_waits_for_ever(self, office: Office, sink: Sink) -> None:
        number = office.letter(ANA)
        sink.answer(sender="450 4.7.1 too many mails")
        for _ in range(16):
            office.talk.cli("tick")
            office.talk.wait(hours=10)
        assert office.row(number).state == "queued"


# --- what may have arrived ------------------------------------------------------------------------------------


class TestDropped:
    def test_a_server_that_takes_it_and_never_says_so_gets_three(self, office: Office, sink: Sink) -> None:
        number = office.letter()
        sink.answer(mail="keep-and-drop")
        codes = []
        for _ in range(20):
            codes.append(office.talk.cli("tick").code)
            office.talk.wait(hours=7)
        assert sink.recipients == [ANA] * 3
        assert codes == [0, 0, 1, *[0] * 17]
        row = office.row(number)
        assert (row.state, row.failure, row.attempts) == ("failed", "dropped", 3)
        advice = office.listed(number)["advice"]
        assert "may well have arrived, possibly more than once: ask the recipient before you run" in advice
        assert f"`crmmail outbox retry {number}`" in advice
        assert office.items() == [("failed", "failed")]

    def test_other_failures_between_give_it_no_more(self, office: Office, sink: Sink) -> None:
        office.letter()
        sink.answer(recipient=["451 4.7.1 Greylisted", "ok", "451 4.7.1 Greylisted", "ok"], mail=["keep-and-drop"])
        for _ in range(20):
            office.talk.cli("tick")
            office.talk.wait(hours=7)
        assert sink.recipients == [ANA] * 2

    def test_the_first_time_it_is_tried_again_however_long_it_waited(self, office: Office, sink: Sink) -> None:
        number = office.letter()
        sink.answer(recipient="451 4.7.1 Greylisted")
        for _ in range(4):
            office.talk.cli("tick")
            office.talk.wait(hours=7)
        sink.behave()
        sink.answer(mail=["keep-and-drop", "ok"])
        office.talk.cli("tick")
        assert (office.row(number).state, office.row(number).failure) == ("queued", "dropped")
        office.talk.wait(hours=7)
        office.talk.cli("tick")
        assert office.row(number).state == "sent"


class TestInterrupted:
    def test_behind_the_dot_it_may_have_arrived(
        self, office: Office, sink: Sink, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        numbers = office.letters([ANA, BOB])

        def interrupted(self: Talk, code: int, said: bytes, good: int = 2) -> None:
            if self.stage == "end":
                raise KeyboardInterrupt

        with monkeypatch.context() as patch, office.talk.open() as workspace:
            patch.setattr(Talk, "_heard", interrupted)
            with pytest.raises(KeyboardInterrupt):
                send.send(workspace)
        first, second = (office.row(one) for one in numbers)
        assert (first.state, first.failure, first.attempts) == ("queued", "dropped", 1)
        assert first.reason == "it was interrupted before the server confirmed the mail"
        assert first.due == office.talk.clock + timedelta(minutes=5)
        assert (second.attempts, second.failure) == (0, "")
        assert office.talk.do("outbox send") == "1 sent"
        assert sink.recipients == [ANA, BOB]

    def test_behind_the_servers_word_it_has(self, office: Office, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
        number = office.letter()
        real = outbox.settle
        calls = []

        def interrupted(*arguments: Any, **columns: Any) -> bool:
            calls.append(columns)
            if len(calls) == 1:
                raise KeyboardInterrupt
            return real(*arguments, **columns)

        with monkeypatch.context() as patch, office.talk.open() as workspace:
            patch.setattr(outbox, "settle", interrupted)
            with pytest.raises(KeyboardInterrupt):
                send.send(workspace)
        assert (office.row(number).state, office.row(number).attempts) == ("sent", 1)
        assert office.talk.do("outbox send") == "nothing is due"

    def test_before_the_dot_nothing_has(self, office: Office, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
        office.letters([ANA, BOB])
        real = Talk._pour
        calls = []

        def interrupted(*arguments: Any) -> None:
            calls.append(arguments)
            if len(calls) == 2:
                raise KeyboardInterrupt
            real(*arguments)

        with monkeypatch.context() as patch, office.talk.open() as workspace:
            patch.setattr(Talk, "_pour", interrupted)
            with pytest.raises(KeyboardInterrupt):
                send.send(workspace)
        assert [row.attempts for row in office.rows()] == [1, 0]
        assert office.talk.do("outbox send") == "1 sent"

    @pytest.mark.parametrize("line", [["tick"], ["outbox", "send"], ["reply", "1", "-m", "Pull the plug!"]])
    def test_a_real_process(self, tmp_path: Path, sink: Sink, line: list[str]) -> None:
        shop = open_shop(tmp_path)
        fill(shop.place, 1)
        if line[0] == "reply":
            with raw_store(shop.place) as store:
                store.execute("UPDATE crm_delivery SET state = 'sent'")
            line = [*line, "--to", ANA]
        sink.answer(mail="keep-and-hang")
        env = shop.env(CRMMAIL_SMTP_URL=sink.url)
        process = subprocess.Popen([CRMMAIL, *line], env=env, stderr=subprocess.PIPE, text=True)
        until(lambda: bool(sink.received))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "Traceback" not in err
        sink.behave()
        assert shop.rows("SELECT failure, attempts FROM crm_delivery WHERE state = 'queued'") == [("dropped", 1)]
        done = subprocess.run([CRMMAIL, "tick"], env=env, capture_output=True, text=True, timeout=30)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert len(sink.received) == 1


def until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not ready():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.005)


class TestLocked:
    """Somebody holds the store at the moment of the server's word."""

    def locked(self, shop: Shop, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
        """From the first mail on the store is locked, until the event is set."""
        done, held = threading.Event(), threading.Event()
        real = sink.due

        def hold() -> None:
            with contextlib.closing(sqlite3.connect(shop.place, isolation_level=None, timeout=5)) as store:
                store.execute("BEGIN IMMEDIATE")
                held.set()
                done.wait(30)
                store.execute("ROLLBACK")

        def due(stage: str, address: str = "") -> str:
            if stage == "mail" and not held.is_set():
                threading.Thread(target=hold, daemon=True).start()
                held.wait(5)
            return real(stage, address)

        monkeypatch.setattr(sink, "due", due)
        return done

    @pytest.mark.parametrize("command", [["tick"], ["outbox", "send"]])
    def test_it_is_written_down_when_the_store_is_free(
        self, tmp_path: Path, sink: Sink, monkeypatch: pytest.MonkeyPatch, command: list[str]
    ) -> None:
        shop = open_shop(tmp_path)
        wanted = fill(shop.place, 3)
        done = self.locked(shop, sink, monkeypatch)
        env = shop.env(CRMMAIL_SMTP_URL=sink.url, CRMMAIL_DELIVERY_BUSY_TIMEOUT="1")
        process = subprocess.Popen([CRMMAIL, *command], env=env, stderr=subprocess.PIPE, text=True)
        until(lambda: bool(sink.received))
        time.sleep(2.5)  # longer than the store waits by itself
        assert process.poll() is None
        done.set()
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
        assert shop.rows("SELECT state, count(*) FROM crm_delivery GROUP BY state") == [("sent", 3)]
        assert len(sink.received) == len(wanted)

    def test_at_last_it_gives_up_and_says_so(self, office: Office, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
        number = office.letter()
        real = Store.transaction

        @contextlib.contextmanager
        def transaction(self: Store) -> Any:
            if sink.received:
                raise StoreBusy("it is locked")
            with real(self):
                yield

        monkeypatch.setattr(send, "STUBBORN", 0.3)
        monkeypatch.setattr(send, "PAUSE", 0.05)
        with monkeypatch.context() as patch:
            patch.setattr(Store, "transaction", transaction)
            sentence = office.talk.refused("outbox send")
        assert sentence.startswith(f"mail {number} to {ANA} went out, which could not be written down")
        assert f"`crmmail outbox cancel {number}`" in sentence
        assert len(sink.received) == 1


# --- a user's address -----------------------------------------------------------------------------------------


class TestAddressOfAUser:
    @pytest.fixture
    def notice(self, office: Office) -> int:
        """A notification to agent waits."""
        office.talk.do("users set agent --notify email")
        office.talk.mail(ANA, subject="Re: Printer", answers=office.talk.sent[0], text="Still.")
        (row,) = office.rows()
        assert (row.to, row.purpose) == ("agent@crm.test", "notification")
        return row.id

    def test_it_goes_to_the_one_that_he_has_now(self, office: Office, sink: Sink, notice: int) -> None:
        office.talk.do("users set agent --email agent@new.example")
        assert office.talk.do("outbox send") == "1 sent"
        assert sink.recipients == ["agent@new.example"]
        row = office.row(notice)
        note = "addressed to agent@new.example, which is his now, instead of agent@crm.test"
        assert (row.to, row.state, row.reason) == ("agent@new.example", "sent", note)
        assert f"mail {notice} {note}" in office.talk.do("log")

    def test_a_letter_to_another_address_of_his_stays(self, office: Office, sink: Sink) -> None:
        number = office.letter("agent@crm.test", user="boss")
        office.talk.do("users set agent --email agent@new.example")
        assert office.row(number).user is not None
        office.talk.do("outbox send")
        assert sink.recipients == ["agent@crm.test"]

    @pytest.mark.sqlite("writes into the file")
    def test_what_was_his_and_is_not_any_more(self, office: Office, sink: Sink, notice: int) -> None:
        with raw_store(office.talk.db) as store:
            store.execute("DELETE FROM crm_user_address WHERE address = 'agent@crm.test'")
        assert office.talk.do("outbox send") in ("", "0 sent")
        assert sink.recipients == []
        row = office.row(notice)
        assert (row.state, row.reason) == (
            "cancelled",
            "agent@crm.test is not his any more, and he has no other address",
        )
        assert [why for why, _ in office.items()] == ["failed"]


# --- tried again by hand ----------------------------------------------------------------------------------------


def test_retry_gives_an_old_mail_all_its_tries(office: Office, sink: Sink) -> None:
    number = office.letter()
    sink.answer(recipient="451 4.3.0 disk trouble")
    while office.row(number).state == "queued":
        office.talk.cli("tick")
        office.talk.wait(hours=7)
    office.talk.wait(days=5)
    office.talk.do(f"outbox retry {number}")
    assert office.row(number).attempts == 0
    sink.answer(recipient="451 4.7.1 Greylisted")
    states = Counter[str]()
    for _ in range(5):
        assert office.talk.cli("tick").code == 0
        states[office.row(number).state] += 1
        office.talk.wait(hours=7)
    assert states == {"queued": 5}
    sink.behave()
    assert office.talk.cli("tick").code == 0
    assert office.row(number).state == "sent"
    assert [envelope for _, envelope in office.items()] in ([], [None])
