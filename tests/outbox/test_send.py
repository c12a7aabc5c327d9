"""The sending pass: what is tried when, what is parked, what never leaves, and what a person can do about it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conversation import Talk
from mailsink import Sink
from outgoing import Office, identifier, raw_store, words
from peewee import OperationalError

from crmmail import render
from crmmail.core.letter import File
from crmmail.mail.compose import compose
from crmmail.mail.smtp import Connection
from crmmail.services.acts import letters
from crmmail.services.sending import outbox, outgoing, send, trouble
from crmmail.store import tables

ANA, BOB, EVE = "ana@example.com", "bob@example.com", "eve@example.com"


def states(office: Office) -> dict[str, str]:
    return {row.to: row.state for row in office.rows()}


# --- when ---------------------------------------------------------------------------------------------------


class TestDelay:
    def test_it_grows_and_after_five_days_it_is_over(self, office: Office, sink: Sink) -> None:
        number = office.letter()
        sink.answer(recipient="451 4.3.0 disk trouble")
        waits: list[float] = []
        while office.row(number).state == "queued":
            office.talk.wait(seconds=max((office.row(number).due - office.talk.clock).total_seconds(), 0))
            began = office.talk.clock
            assert len(waits) < 50
            last = office.talk.cli("tick")
            waits.append((office.row(number).due - began) / timedelta(minutes=1))
        assert waits[:6] == [5, 15, 60, 180, 360, 360]
        row = office.row(number)
        assert (row.state, row.failure, row.attempts) == ("failed", "later", len(waits))
        assert timedelta(days=5) < office.talk.clock - row.created < timedelta(days=5, hours=7)
        assert (last.code, last.err.count("\n")) == (1, 1)
        assert "gave up" in last.err
        assert office.items() == [("failed", "failed")]
        assert office.envelope() == "failed"
        sink.behave()
        office.talk.wait(days=1)
        assert office.talk.do("tick") == ""  # nobody tries any more
        office.talk.do("outbox retry")
        assert office.talk.do("outbox send") == "1 sent"
        assert [identifier(mail) for mail in office.mails()] == [row.identifier]

    def test_a_fault_of_ours_is_tried_for_ever(self, office: Office, sink: Sink) -> None:
        number = office.letter()
        sink.answer(connect="421 4.3.2 closing")
        waits: list[float] = []
        for _ in range(7):
            office.talk.cli("tick")
            wait = office.row(number).due - office.talk.clock
            waits.append(wait / timedelta(minutes=1))
            office.talk.wait(seconds=wait.total_seconds())
        assert waits == [1, 2, 5, 10, 15, 15, 15]
        office.talk.wait(days=30)
        office.talk.cli("tick")
        assert office.row(number).state == "queued"
        sink.behave()
        office.talk.wait(minutes=15)
        office.talk.do("tick")
        assert office.row(number).state == "sent"

    def test_who_waited_long_for_a_mail_server_is_not_given_up_at_once(self, office: Office, sink: Sink) -> None:
        office.use("")
        number = office.letter()
        office.talk.wait(days=6)
        office.use(sink.url)
        sink.answer(recipient=["451 4.7.1 Greylisted", "ok"])
        assert office.talk.cli("tick").code == 0
        assert office.row(number).state == "queued"
        office.talk.wait(minutes=5)
        office.talk.do("tick")
        assert office.row(number).state == "sent"


class TestShut:
    """The way out itself is shut."""

    def test_the_pass_ends_and_the_others_say_why_they_wait(self, office: Office, sink: Sink) -> None:
        numbers = [office.letter(to) for to in (ANA, BOB, EVE)]
        office.change(numbers[0], due=office.talk.clock - timedelta(hours=1))
        # The first to be tried is the one that has been due the longest, whatever its number.
        office.change(numbers[2], due=office.talk.clock - timedelta(hours=2))
        sink.answer(connect="554 go away")
        said = office.talk.cli("outbox send")
        assert (said.code, said.err.count("\n"), sink.connections) == (0, 1, 1)
        rows = [office.row(number) for number in numbers]
        assert [row.attempts for row in rows] == [0, 0, 1]
        assert {row.reason for row in rows} == {"554 go away"}
        assert {row.due for row in rows} == {office.talk.clock + timedelta(minutes=1)}
        with raw_store(office.talk.db) as store:
            assert store.execute("SELECT DISTINCT worker, lease FROM crm_delivery").fetchall() == [(None, None)]
        assert office.talk.do("tick") == "" and sink.connections == 1
        sink.behave()
        office.talk.wait(minutes=1)
        assert office.talk.do("outbox send") == "3 sent"

    def test_nothing_configured_and_everything_waits_untouched(self, office: Office) -> None:
        office.use("")
        number = office.letter()
        before = office.row(number)
        assert "config set smtp.url" in office.talk.refused("outbox send")
        assert office.talk.do("tick") == ""
        assert office.row(number) == before
        assert (before.attempts, before.state) == (0, "queued")
        doctor = office.talk.cli("doctor").out
        assert "no way out is set: mail waits in the outbox (1 now)" in doctor
        assert "config set smtp.url" in doctor
        said = office.talk.cli(["reply", str(office.case), "-m", "More."], "agent")
        assert said.code == 0 and "config set smtp.url" in said.out
        assert office.envelope() is None

    def test_an_address_of_the_server_that_cannot_be_understood(self, office: Office) -> None:
        office.use("smtp://mail.crm.test:notaport")
        number = office.letter()
        assert "smtp.url cannot be used" in office.talk.refused("tick")
        assert office.row(number).attempts == 0

    def test_interrupted_everything_else_is_free(
        self, office: Office, sink: Sink, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        office.letters([ANA, BOB, EVE])
        real = Connection.send

        def interrupted(self: Any, sender: str, recipient: str, *rest: Any, **more: Any) -> Any:
            if recipient == BOB:
                raise KeyboardInterrupt
            return real(self, sender, recipient, *rest, **more)

        with monkeypatch.context() as patch, office.talk.open() as workspace:
            patch.setattr(Connection, "send", interrupted)
            with pytest.raises(KeyboardInterrupt):
                send.send(workspace)
        with raw_store(office.talk.db) as store:
            assert store.execute("SELECT count(*) FROM crm_delivery WHERE worker IS NOT NULL").fetchone() == (0,)
        assert office.talk.do("outbox send") == "2 sent"
        assert sink.recipients == [ANA, BOB, EVE]


# --- poison -------------------------------------------------------------------------------------------------


class TestPoison:
    """What cannot be made into a mail is parked, and everything else goes."""

    def parked(self, office: Office, number: int, why: str) -> None:
        others = [office.letter(to) for to in (BOB, EVE)]
        said = office.talk.cli("outbox send")
        assert said.code == 1
        assert said.out.strip() == "2 sent"
        row = office.row(number)
        assert (row.state, row.failure, row.attempts) == ("failed", "unbuildable", 1)
        assert why in row.reason and row.reason.isprintable()
        assert [office.row(other).state for other in others] == ["sent", "sent"]
        assert why in office.talk.do(f"outbox show {number}")
        assert office.items()[0][0] == "failed"

    def test_a_slip_of_ours(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        number = office.letter()

        def broken(letter: Any, **more: Any) -> bytes:
            if letter.recipient == ANA:
                raise ZeroDivisionError("a slip\nof ours")
            return compose(letter, **more)

        monkeypatch.setattr(outgoing, "compose", broken)
        self.parked(office, number, "ZeroDivisionError: a slip")

    def test_an_address_that_is_none(self, office: Office) -> None:
        number = office.letter()
        office.change(number, address="ana@example.com>\r\nRCPT TO:<eve@example.com")
        self.parked(office, number, "is no address")

    def test_a_message_id_that_is_none(self, office: Office) -> None:
        number = office.letter()
        office.change(number, identifier="1.x.2>\r\nBcc: eve@example.com")
        self.parked(office, number, "is no Message-ID")

    @pytest.mark.parametrize(
        ("template", "why"),
        [
            ("Subject: {{ nobody }}\n\nHello", "'nobody' is undefined"),
            ("Subject: {{ tagged\n\nHello", "expected token"),
            ("Hello", "its first line must be"),
            ("Subject: x\n\n{{ 1 // 0 }}", "and nothing else"),
            ("Subject: x\n\n{{ 'A' * 10**10 }}", "and nothing else"),
            ("Subject: x\n\n{% for i in range(10**9) %}{% for j in range(10**9) %}{% endfor %}{% endfor %}", "list"),
            ("Subject: x\n\n{% for letter in text %}{% endfor %}", "text is no list"),
        ],
    )
    def test_a_template_that_is_broken(
        self, office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str, why: str
    ) -> None:
        office.talk.do("users set agent --notify both")
        office.talk.mail(ANA, subject="Re: Printer", answers=office.talk.sent[0], text="Still.")
        (tmp_path / "templates" / "en").mkdir(parents=True)
        (tmp_path / "templates" / "en" / "notification.txt").write_text(template)
        monkeypatch.setattr(render, "folder", lambda: str(tmp_path / "templates"))
        (notice,) = office.rows()
        self.parked(office, notice.id, why)

    def test_a_user_who_is_not_there(self, office: Office) -> None:
        number = office.letter("agent@crm.test", user="boss")
        with raw_store(office.talk.db) as store:
            store.execute("UPDATE crm_delivery SET user_id = 99 WHERE id = ?", (number,))
        assert office.talk.cli("outbox send").code == 1
        row = office.row(number)
        assert (row.state, row.failure) == ("failed", "unbuildable")
        assert "was a user's, who is not here any more" in row.reason

    @pytest.mark.parametrize(
        ("table", "column"),
        [("crm_message", "subject"), ("crm_message", "text"), ("crm_delivery", "address"), ("crm_thread", "title")],
    )
    def test_what_cannot_be_read(self, office: Office, sink: Sink, table: str, column: str) -> None:
        """Half a surrogate pair, as a hand or a bad disk puts it there: SQLite gives it to nobody."""
        other = office.talk.mail(BOB, subject="Scanner broken").record
        number = office.letter()
        row = {"crm_message": office.row(number).message, "crm_thread": office.case}.get(table, number)
        fine = office.letters([BOB, EVE], record=other)
        with raw_store(office.talk.db) as store:
            store.execute(f"UPDATE {table} SET {column} = CAST(x'eda080' AS TEXT) WHERE id = ?", (row,))
        said = office.talk.cli("outbox send")
        assert (said.code, said.out.strip()) == (1, "2 sent")
        assert f"mail {number} to somebody not sent: it cannot be read" in said.err
        assert [office.row(one).state for one in fine] == ["sent", "sent"]
        with raw_store(office.talk.db) as store:
            (state,) = store.execute("SELECT state FROM crm_delivery WHERE id = ?", (number,)).fetchone()
        assert state == "failed"
        assert office.talk.cli("tick").code == 0, "it is said once"

    def test_a_file_whose_bytes_are_gone(self, office: Office) -> None:
        file = File("plan.txt", "text/plain", b"The plan.")
        number = office.letter(files=(file,))
        with raw_store(office.talk.db) as store:
            store.execute("PRAGMA foreign_keys = OFF")
            store.execute("DELETE FROM crm_blob")
        self.parked(office, number, "it cannot be made into a mail")

    def test_nobody_can_be_told(self, office: Office, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
        """A slip while one row is written down holds up no other, and the mail does not leave again."""
        first, second = office.letter(), office.letter(BOB)
        sink.answer(recipient={ANA: "550 5.1.1 no such user"})

        def broken(*_: object) -> None:
            raise ZeroDivisionError("a slip of ours")

        monkeypatch.setattr(trouble, "raise_envelope", broken)
        said = office.talk.cli("outbox send")
        assert (said.code, said.out.strip()) == (1, "1 sent")
        assert [office.row(one).state for one in (first, second)] == ["failed", "sent"]
        assert office.items("boss") == [("failed", "failed")]
        assert office.talk.do("outbox send") == "nothing is due"

    def test_a_message_whose_author_is_gone(self, office: Office) -> None:
        number = office.letter()
        with raw_store(office.talk.db) as store:  # as a hand in the database would do it
            store.execute("UPDATE crm_message SET author_id = 99 WHERE kind = 'email_out'")
        others = office.letter(BOB)
        assert office.talk.do("outbox send") == "2 sent"
        assert [office.row(one).state for one in (number, others)] == ["sent", "sent"]
        assert office.mails(ANA)[0]["From"].addresses[0].addr_spec == "support@crm.test"


# --- what never leaves --------------------------------------------------------------------------------------


class TestInside:
    @pytest.mark.parametrize("purpose", ["mail", "notification"])
    def test_a_note_never_leaves_whatever_a_row_says(self, office: Office, sink: Sink, purpose: str) -> None:
        office.talk.do(["note", str(office.case), "-m", "She never pays."], "agent")
        number = office.letter(BOB)
        office.talk.cli("outbox send")
        with office.talk.open() as workspace, workspace.store.transaction():
            note = tables.Message.get(tables.Message.kind == "note")
            row = tables.Delivery.get_by_id(number)
            mine = {"id": None, "message": note.id, "address": EVE, "identifier": "1.x.evil@crm.test"}
            columns = {**row.__data__, **mine, "state": "queued", "purpose": purpose}
            forged = tables.Delivery.create(**columns).id
        assert office.talk.cli("outbox send").code == 1
        assert office.row(forged).state == "failed"
        assert "is internal" in office.row(forged).reason
        assert sink.recipients == [BOB]
        assert "never pays" not in sink.heard.decode()

    def test_a_user_who_has_left(self, office: Office, sink: Sink) -> None:
        office.talk.do("users set agent --notify email")
        office.talk.mail(ANA, subject="Re: Printer", answers=office.talk.sent[0], text="Still.")
        office.talk.do("users set agent --inactive")
        office.letter(BOB, user="boss")
        assert office.talk.do("outbox send") == "1 sent"
        assert states(office) == {"agent@crm.test": "cancelled", BOB: "sent"}
        assert sink.recipients == [BOB]
        (row,) = [row for row in office.rows() if row.user is not None]
        assert (row.reason, row.attempts) == ("he does not work here any more", 0)


# --- by hand ------------------------------------------------------------------------------------------------


class TestByHand:
    def test_cancelled_is_not_sent_and_undo_sends_it(self, office: Office, sink: Sink) -> None:
        number = office.letter()
        assert "will not be sent" in office.talk.do(f"outbox cancel {number}", "agent")
        assert office.talk.do("outbox send") == "nothing is due"
        assert sink.received == []
        office.talk.do("undo", "agent")
        assert office.talk.do("outbox send") == "1 sent"
        assert [identifier(mail) for mail in office.mails()] == [office.row(number).identifier]

    def test_what_is_sent_cannot_be_cancelled_or_tried_again(self, office: Office) -> None:
        number = office.letter()
        office.talk.do("outbox send")
        for verb in ("cancel", "retry"):
            assert office.talk.refused(f"outbox {verb} {number}") == f"mail {number} to {ANA} was sent already"
        office.talk.do("outbox retry")
        assert office.talk.do("outbox send") == "nothing is due"

    def test_cancel_is_refused_while_it_is_sent(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        number = office.letter()
        heard = []
        real = outgoing.build

        def build(*arguments: Any) -> Any:
            with pytest.raises(Exception, match="is being sent at this moment") as error:
                outbox.cancel(arguments[0], [number])
            heard.append(str(error.value))
            return real(*arguments)

        monkeypatch.setattr(outgoing, "build", build)
        assert office.talk.do("outbox send", "agent") == "1 sent"
        assert heard == [f"mail {number} to {ANA} is being sent at this moment"]

    def test_all_or_nothing(self, office: Office) -> None:
        sent, waiting = office.letter(), office.letter(BOB)
        with office.talk.open() as workspace:
            send.send(workspace, numbers=[sent])
        office.talk.refused(f"outbox cancel {waiting} {sent}")
        assert office.row(waiting).state == "queued"

    def test_a_deleted_message_is_not_sent(self, office: Office, sink: Sink) -> None:
        number = office.letter()
        office.talk.do(f"message delete {office.row(number).message}")
        assert office.row(number).state == "cancelled"
        assert office.talk.do("outbox send") == "nothing is due"
        office.talk.do("undo")
        assert office.talk.do("outbox send") == "1 sent"
        assert words(office.mails()[0]) == "Pull the plug!"

    def test_a_message_that_is_deleted_during_the_pass_is_not_sent(
        self, office: Office, sink: Sink, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = office.letter(), office.letter(BOB)
        message = office.row(second).message
        real = Connection.send
        with office.talk.open() as workspace:

            def sending(self: Any, *arguments: Any, **more: Any) -> Any:
                letters.delete(workspace, message)
                return real(self, *arguments, **more)

            monkeypatch.setattr(Connection, "send", sending)
            results = send.send(workspace)
        assert [one.delivery.id for one in results] == [first]
        assert sink.recipients == [ANA]
        monkeypatch.setattr(Connection, "send", real)
        office.talk.do("undo")
        assert office.talk.do("outbox send") == "1 sent"

    def test_only_what_is_named_is_sent(self, office: Office, sink: Sink) -> None:
        first, second = office.letter(), office.letter(BOB)
        with office.talk.open() as workspace:
            assert [one.delivery.id for one in send.send(workspace, numbers=[second])] == [second]
        assert (office.row(first).state, office.row(second).state) == ("queued", "sent")

    def test_a_dry_run_sends_nothing(self, office: Office, sink: Sink) -> None:
        number = office.letter()
        assert office.talk.do("outbox send --dry-run") == f"would send mail {number} to {ANA}: Printer broken"
        assert (sink.connections, office.row(number).attempts) == (0, 0)

    def test_retry_of_all_leaves_what_bounced(self, office: Office, sink: Sink) -> None:
        failed, bounced = office.letter(), office.letter(BOB)
        sink.answer(recipient={ANA: "550 5.1.1 no such user"})
        office.talk.cli("outbox send")
        office.change(bounced, state="bounced", reason="550 5.1.1", failure="recipient")
        assert office.talk.do("outbox retry") == f"mail {failed} to {ANA}: due now   (crmmail outbox send)"
        assert office.row(bounced).state == "bounced"
        office.talk.do(f"outbox retry {bounced}")
        sink.behave()
        assert office.talk.do("outbox send") == "2 sent"


def test_a_busy_store_parks_nothing(office: Office, monkeypatch: pytest.MonkeyPatch, talk: Talk) -> None:
    number = office.letter()

    def locked(*_: object, **__: object) -> None:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(outgoing, "letter", locked)
        assert "is locked by another process" in talk.refused("outbox send")
    assert (office.row(number).state, office.row(number).attempts) == ("queued", 0)
    assert talk.do("outbox send") == "1 sent"
