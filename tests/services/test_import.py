"""`crmmail import`: the mail of years, out of files.  It sends nothing, and can be stopped and begun again."""

from __future__ import annotations

import gzip
import os
import random
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from conversation import RECEIVED, Talk
from thorough import long_form

from crmmail.cli.voice import Voice
from crmmail.core.known import Envelope
from crmmail.errors import Refused, StoreBusy
from crmmail.mail import mbox
from crmmail.services.incoming import importing
from crmmail.services.incoming.deliver import deliver_together
from crmmail.services.incoming.importing import Wanted
from crmmail.services.incoming.manner import HISTORY
from crmmail.services.incoming.prepare import prepare, reading
from crmmail.services.shared import workers
from crmmail.store import tables
from crmmail.store.engine import sql
from crmmail.workspace import Workspace

LONG_AGO = datetime(2019, 3, 1, 9, 0, tzinfo=UTC)


class Box:
    """Letters of years ago, a day between two of them, and the files that they lie in."""

    def __init__(self, talk: Talk, folder: Path) -> None:
        self.talk = talk
        self.folder = folder
        self.letters: list[bytes] = []

    def letter(self, sender: str, *args: Any, received: bool = True, day: int | None = None, **more: Any) -> str:
        """Somebody wrote; the letter's Message-ID."""
        number = len(self.letters)
        now, self.talk.clock = self.talk.clock, LONG_AGO.replace(day=number + 1 if day is None else day)
        identifier = str(more.pop("id", f"old{number}@example.com"))
        raw = self.talk.raw(sender, *args, id=identifier, **more)
        self.talk.clock = now
        self.letters.append((RECEIVED if received else b"") + raw)
        return identifier

    def mbox(self, name: str = "old.mbox", order: Sequence[int] | None = None) -> Path:
        path = self.folder / name
        some = self.letters if order is None else [self.letters[one] for one in order]
        path.write_bytes(b"".join(mbox.as_mbox(one, "x@example.com", LONG_AGO) for one in some))
        return path

    def maildir(self, name: str, some: Sequence[int]) -> Path:
        for below in ("cur", "new", "tmp"):
            (self.folder / name / below).mkdir(parents=True)
        for one in some:
            (self.folder / name / "cur" / f"15514{one:05}.{one}.h:2,S").write_bytes(self.letters[one])
        return self.folder / name


@pytest.fixture
def box(talk: Talk, tmp_path: Path) -> Box:
    folder = tmp_path / "box"
    folder.mkdir()
    return Box(talk, folder)


def rows(talk: Talk) -> dict[str, int]:
    """How many rows each table has that letters fill."""
    names = ("Thread", "Message", "Original", "Decision", "Quarantine", "Notification", "Delivery", "Attachment")
    return {name: talk.count(getattr(tables, name)) for name in names}


# --- what becomes of the letters ----------------------------------------------------------------------------


def test_each_conversation_becomes_a_record_with_its_dates(talk: Talk, box: Box) -> None:
    first = box.letter("ana@example.com", subject="Printer", text="It burns.", files=[("log.txt", b"smoke")])
    box.letter("bea@example.com", to="sales@crm.test", subject="An offer?", text="For ten.")
    box.letter("ana@example.com", answers=first, text="Still.")
    said = talk.do(["import", str(box.mbox())])
    assert said.startswith("3 mails: 3 stored in 2 records; ")
    assert (talk.words(1), talk.words(2)) == (["It burns.", "Still."], ["For ten."])
    this = talk.show(1)
    assert (this["record"]["created"], this["record"]["updated"]) == ("2019-03-01T09:00:00Z", "2019-03-03T09:00:00Z")
    assert {one["date"][:10] for one in this["messages"]} == {"2019-03-01", "2019-03-03"}
    assert [one["name"] for one in this["messages"][1]["attachments"]] == ["log.txt"]
    assert "alias" in talk.do(f"why {this['messages'][1]['id']}")
    assert talk.do(f"show 1 --raw --message {this['messages'][1]['id']}").encode() == box.letters[0].rstrip(b"\n")


def test_an_answer_finds_its_record_whatever_lies_first_and_whatever_the_clocks_said(talk: Talk, box: Box) -> None:
    first = box.letter("ana@example.com", subject="Printer", text="One.", day=20)  # her clock was wrong
    second = box.letter("ana@example.com", answers=first, text="Two.", day=5)
    box.letter("ana@example.com", answers=second, text="Three.", day=4)
    talk.do(["import", str(box.mbox(order=[2, 1, 0]))])
    assert talk.words(1) == ["One.", "Two.", "Three."]
    assert talk.all("case") == [1]


def test_letters_that_answer_each_other_in_a_circle_come_in(talk: Talk, box: Box) -> None:
    box.letter("ana@example.com", subject="Egg", answers="hen@example.com", id="egg@example.com")
    box.letter("ana@example.com", subject="Hen", answers="egg@example.com", id="hen@example.com")
    assert talk.do(["import", str(box.mbox())]).startswith("2 mails: 2 stored in 1 record; ")


def test_our_own_letters_of_a_sent_folder_are_our_answers(talk: Talk, box: Box) -> None:
    first = box.letter("ana@example.com", subject="Printer", text="It burns.")
    box.letter("agent@crm.test", to="ana@example.com", answers=first, text="Use water.", received=False)
    box.letter("ana@example.com", answers="old1@example.com", text="Thanks.")
    box.letter("agent@crm.test", to="carl@example.com", subject="Our offer", text="Ten for nine.", received=False)
    box.letter("support@crm.test", to="carl@example.com", answers="old3@example.com", text="And?", received=False)
    box.letter("carl@example.com", to="agent@crm.test", answers="old3@example.com", text="No.")
    said = talk.do(["import", str(box.mbox()), "--section", "support"])
    assert said.startswith("6 mails: 6 stored in 2 records; ")
    kinds = [(one["kind"], one["author"]) for one in talk.show(1)["messages"] if one["kind"] != "system"]
    assert kinds == [("email_in", None), ("email_out", "agent"), ("email_in", None)]
    assert talk.words(1) == ["It burns.", "Use water.", "Thanks."]
    assert talk.system(1)[1:] == ["state: draft → done (by a letter)", "state: done → open (by a letter)"]
    assert talk.words(2) == ["Ten for nine.", "And?", "No."]
    assert (talk.field(2, "email"), talk.field(2, "section")) == ("carl@example.com", "support")
    assert talk.outbox() == []


def test_a_name_of_ours_in_a_letter_that_came_proves_nothing(talk: Talk, box: Box) -> None:
    first = box.letter("ana@example.com", subject="Printer", text="It burns.")
    box.letter("agent@crm.test", to="ana@example.com", answers=first, text="Pay the rent to me.")
    talk.cli(["import", str(box.mbox())])
    assert talk.words(1) == ["It burns."]
    assert [reason for reason, _ in talk.quarantine()] == ["unconfirmed"]


def test_a_letter_is_ours_by_its_folder_or_by_our_word(talk: Talk, box: Box) -> None:
    box.letter("agent@crm.test", to="carl@example.com", subject="By Gmail", text="One.")
    box.letter("agent@crm.test", to="carl@example.com", subject="Once more", text="Two.")
    box.maildir(".Sent Items", [0])
    talk.do(["import", str(box.folder / ".Sent Items"), "--section", "support"])
    talk.do(["import", str(box.mbox(order=[1])), "--section", "support", "--sent"])
    kinds = [one["kind"] for row in (1, 2) for one in talk.show(row)["messages"] if one["kind"] != "system"]
    assert kinds == ["email_out", "email_out"]


@pytest.mark.sqlite("a rehearsal happens in a copy of the file")
def test_what_names_no_address_of_ours_waits_or_goes_to_the_section(talk: Talk, box: Box) -> None:
    box.letter("ana@example.com", to="info@old.test", subject="Printer", text="It burns.")
    said = talk.cli(["import", str(box.mbox()), "-n"])
    assert said.out.startswith("1 mail: 0 stored, 1 in quarantine; ")
    assert "in quarantine: 1 no-route (crmmail quarantine)" in said.err
    assert "crmmail quarantine create - --section CODE" in said.err
    assert talk.do(["import", str(box.mbox()), "--section", "support"]).startswith("1 mail: 1 stored in 1 record")
    assert talk.field(1, "section") == "support"


def test_a_bad_letter_waits_whole_and_the_others_come_in(talk: Talk, box: Box) -> None:
    box.letter("ana@example.com", subject="Printer", text="It burns.")
    box.letters.append(b"Received: x\n" * 1200 + b"\nToo many fields\n")
    said = talk.cli(["import", str(box.mbox())])
    assert said.out.startswith("2 mails: 1 stored in 1 record, 1 in quarantine; ")
    number = talk.cli("quarantine --json").json[0]["id"]
    assert talk.cli(f"quarantine show {number} --raw").bytes == box.letters[1]


# --- and what does not --------------------------------------------------------------------------------------


def test_nothing_leaves_and_nobody_hears(talk: Talk, box: Box) -> None:
    talk.do("users set agent --notify both")
    talk.do("sections set support --assign manager")
    talk.do("sla add --section support --within 2h")
    talk.do("rules add Holiday --state-from none --set-priority high")
    talk.do("rules add Late --state-to draft --trigger created --delay 2d --remind partner --set-priority low")
    box.letter("ana@example.com", subject="Printer", text="It burns.")
    box.letter("ana@example.com", answers="old0@example.com", text="Still.")
    talk.do(["import", str(box.mbox())])
    assert (talk.inbox("agent"), talk.inbox("boss"), talk.outbox()) == ([], [], [])
    this = talk.show(1)["record"]
    assert (this["priority"], this["responsible"], this["deadline"]) == (3, None, None)
    talk.wait(days=1)
    talk.do("tick")  # nor later, for a day that was over long ago
    assert (talk.inbox("agent"), talk.outbox(), talk.words(1)) == ([], [], ["It burns.", "Still."])


def test_rules_act_on_days_that_are_still_to_come(talk: Talk, box: Box) -> None:
    talk.do("rules add Late --state-to draft --trigger created --delay 10000d --set-priority high")
    box.letter("ana@example.com", subject="Printer", text="It burns.")
    talk.do(["import", str(box.mbox())])
    talk.wait(days=8000)
    talk.do("rules run")
    assert talk.field(1, "priority") == 2


def test_cut_off_behind_a_commit_rules_still_pass_over_what_was_over(
    talk: Talk, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk.do("rules add Late --state-from draft --trigger created --delay 2d --remind partner")
    box.letter("ana@example.com", subject="Printer")
    together = importing.deliver_together

    def cut_off(*args: Any) -> Any:
        together(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(importing, "deliver_together", cut_off)
        talk.cli(["import", str(box.mbox())])
    assert talk.do(["import", str(box.mbox())]).startswith("1 mail: 0 stored, 1 duplicate; ")
    talk.do("rules run")
    assert talk.outbox() == []


def test_rules_pass_over_days_that_a_later_letter_of_the_import_begins(
    talk: Talk, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 1)
    talk.do("rules add Idle --state-from draft --trigger action --delay 2d --remind partner")
    talk.do("rules add Open --state-from open --trigger created --delay 2d --remind partner")
    first = box.letter("ana@example.com", subject="Printer")
    box.letter("agent@crm.test", to="ana@example.com", answers=first, text="Use water.", received=False)
    box.letter("ana@example.com", answers="old1@example.com", text="Thanks.")
    assert talk.do(["import", str(box.mbox())]).startswith("3 mails: 3 stored in 1 record; ")
    assert talk.field(1, "state") == "open"
    talk.do("rules run")
    assert talk.outbox() == []


def test_what_was_due_before_an_old_letter_came_stays_due(talk: Talk, box: Box) -> None:
    talk.do("rules add Late --state-from draft --trigger created --delay 2d --set-priority high")
    first = talk.mail("ana@example.com", subject="Printer")
    talk.wait(days=3)
    box.letter("ana@example.com", answers=first, text="I wrote this before.")
    assert talk.do(["import", str(box.mbox())]).startswith("1 mail: 1 stored")
    talk.do("rules run")
    assert talk.field(1, "priority") == 2


def test_a_day_that_comes_tomorrow_is_not_over(talk: Talk, box: Box) -> None:
    """Months have no fixed length, so the database gives a rule's records some days early."""
    talk.do("rules add Late --state-from draft --trigger created --delay 92mo --set-priority high")
    box.letter("ana@example.com", subject="Printer", day=26)
    talk.do(["import", str(box.mbox())])
    talk.wait(days=3)
    talk.do("rules run")
    assert talk.field(1, "priority") == 2


def test_more_dated_rules_ask_the_database_no_more(talk: Talk, box: Box) -> None:
    """Each of them asked twice about each letter, which made an import twenty times slower."""
    for name in ("ana", "bea"):
        box.letter(f"{name}@example.com", subject="Printer", id=name)

    def asked(letter: bytes) -> int:
        statements: list[str] = []
        with talk.open() as workspace:
            read = [prepare(reading(workspace), letter, Envelope())]
            sql.connection().driver.set_trace_callback(statements.append)
            deliver_together(workspace, read, HISTORY._replace(brought=workspace.now()))
            sql.connection().driver.set_trace_callback(None)
        return sum(one.lstrip().startswith("SELECT") for one in statements)

    talk.do("rules add Late0 --trigger created --delay 2d --set-priority high")
    with_one = asked(box.letters[0])
    for number in range(1, 4):
        talk.do(f"rules add Late{number} --trigger created --delay 2d --set-priority high")
    assert asked(box.letters[1]) == with_one
    assert talk.count(tables.Firing) == 1 + 4


def test_with_notify_people_get_inbox_items_and_no_mail(talk: Talk, box: Box) -> None:
    talk.do("users set agent --notify email")
    box.letter("ana@example.com", subject="Printer", text="It burns.")
    talk.do(["import", str(box.mbox()), "--notify"])
    assert talk.heard("agent") == [(1, "It burns.")]
    assert talk.outbox() == []


def test_many_letters_of_one_sender_are_no_loop(talk: Talk, box: Box) -> None:
    for number in range(25):
        box.letter("ana@example.com", subject=f"Printer {number}", day=1)
    assert talk.do(["import", str(box.mbox())]).startswith("25 mails: 25 stored in 25 records; ")
    assert talk.mail("ana@example.com", subject="Today").outcome == "stored"


def test_an_old_letter_changes_nothing_about_what_happened_since(talk: Talk, box: Box) -> None:
    first = talk.mail("ana@example.com", subject="Printer", text="It burns.")
    talk.do("close 1", user="agent")
    before = talk.show(1)["record"]
    box.letter("ana@example.com", answers=first, text="I wrote this before.")
    talk.do(["import", str(box.mbox())])
    assert talk.words(1) == ["It burns.", "I wrote this before."]
    assert talk.show(1)["record"] == before


def test_our_notifications_in_a_users_mailbox_are_no_bounces(talk: Talk, box: Box) -> None:
    talk.do("users set agent --notify email")
    talk.mail("ana@example.com", subject="Printer", text="It burns.")
    number = talk.cli("outbox --json").json[0]["id"]
    left = talk.cli(f"outbox show {number} --raw").bytes.replace(b"\r\n", b"\n")
    box.letters.append(RECEIVED + left)
    said = talk.do(["import", str(box.mbox())])
    assert said.startswith("1 mail: 0 stored, 1 of our own coming back; ")
    assert [one["state"] for one in talk.cli("outbox --json").json] == ["queued"]


# --- again, stopped, killed ---------------------------------------------------------------------------------


def test_imported_again_it_changes_nothing(talk: Talk, box: Box) -> None:
    box.letter("ana@example.com", subject="Printer", text="It burns.")
    box.letter("ana@example.com", subject="No id", text="Still.", id="")
    box.letter("eve@example.com", answers="old0@example.com", text="Me too.")
    talk.cli(["import", str(box.mbox())])
    before = rows(talk)
    said = talk.do(["import", str(box.mbox())])
    assert said.startswith("3 mails: 0 stored, 3 duplicates; ")
    assert {**rows(talk), "Decision": 0} == {**before, "Decision": 0}


def test_what_came_by_delivery_is_known(talk: Talk, box: Box) -> None:
    letter = talk.mail("ana@example.com", subject="Printer", text="It burns.")
    box.letters.append(b"Received: another way\n" + letter.raw)
    assert talk.do(["import", str(box.mbox())]).startswith("1 mail: 0 stored, 1 duplicate; ")
    assert talk.words(1) == ["It burns."]


@pytest.mark.sqlite("a rehearsal happens in a copy of the file")
def test_a_rehearsal_says_the_same_and_leaves_nothing(talk: Talk, box: Box, tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    talk.environ(TMPDIR=str(tmp_path / "room"))
    box.letter("ana@example.com", subject="Printer", text="It burns.")
    box.letter("ana@example.com", answers="old0@example.com", text="Still.")
    before = rows(talk)
    rehearsed = talk.do(["import", str(box.mbox()), "--dry-run"])
    assert rows(talk) == before
    assert rehearsed.startswith("2 mails: 2 stored in 1 record; ")
    assert os.listdir(tmp_path / "room") == []


def test_on_postgresql_a_rehearsal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing.sql, "postgres", lambda: True)
    with pytest.raises(Refused, match="crmmail db copy"):
        importing.check(cast("Workspace", None), Wanted(), dry_run=True)
    importing.check(cast("Workspace", None), Wanted())


@pytest.mark.sqlite("a rehearsal happens in a copy of the file")
def test_a_rehearsal_does_not_say_that_it_imports(talk: Talk, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    progress = Voice.progress
    monkeypatch.setattr(
        Voice, "progress", lambda self, total, label: said.append(label) or progress(self, total, label)
    )
    box.letter("ana@example.com", subject="Printer")
    for flags in (["--dry-run"], []):
        talk.do(["import", str(box.mbox()), *flags])
    assert said == ["Looking", "Rehearsing", "Looking", "Importing"]


def test_interrupted_it_goes_on_where_it_was(talk: Talk, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(12):
        box.letter("ana@example.com", subject=f"Printer {number}")
    monkeypatch.setattr(importing, "BATCH", 5)
    together, batches = importing.deliver_together, []

    def interrupted(*args: Any) -> Any:
        batches.append(len(args[1]))
        if len(batches) == 2:
            raise KeyboardInterrupt
        return together(*args)

    with monkeypatch.context() as patch:
        patch.setattr(importing, "deliver_together", interrupted)
        said = talk.cli(["import", str(box.mbox())])
    assert "stopped: 5 mails: 5 stored in 5 records; " in said.err
    assert talk.count(tables.Thread) == 5
    assert talk.do(["import", str(box.mbox())]).startswith("12 mails: 7 stored in 7 records, 5 duplicates; ")
    assert [one["subject"] for row in talk.all("case") for one in talk.show(row)["messages"][1:]] == [
        f"Printer {number}" for number in range(12)
    ]


@pytest.mark.parametrize("seed", [1, *long_form(*range(2, 20))])
def test_killed_at_any_moment_it_goes_on_where_it_was(talk: Talk, box: Box, seed: int) -> None:
    for number in range(25):
        answers = f"old{number - 1}@example.com" if number % 5 else None
        box.letter("ana@example.com", subject=f"Printer {number // 5}", text=f"{number}", answers=answers)
    command = [sys.executable, "-c", SLOWLY, "import", str(box.mbox())]
    process = subprocess.Popen(command, env={**os.environ, "CRMMAIL_USER": "boss"}, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    wanted = random.Random(seed).randrange(1, 20)
    while talk.count(tables.Message) < wanted and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert talk.count(tables.Message) >= wanted, "it was met at its work"
    assert talk.do(["import", str(box.mbox())]).startswith("25 mails: ")
    assert [talk.words(row) for row in talk.all("case")] == [
        [f"{one}" for one in range(first, first + 5)] for first in range(0, 25, 5)
    ]


# The real program, a letter a transaction, and slow enough to be met at its work.
SLOWLY = """
import sys
from crmmail.services.incoming import importing
from crmmail.services.incoming.deliver import deliver_together
from crmmail.services.incoming.importing import Wanted
from crmmail.services.incoming.manner import HISTORY
from crmmail.services.incoming.prepare import prepare, reading
importing.BATCH, importing.PAUSE = 1, 0.02
from crmmail.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


def test_a_letter_that_kills_its_reader_waits_unread(talk: Talk, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        box.letter("ana@example.com", subject="Bomb" if number == 3 else f"Printer {number}")
    prepare, here = importing.prepare, os.getpid()

    def deadly(limits: Any, letter: Any, envelope: Any) -> Any:
        if os.getpid() != here and b"Bomb" in letter.whole():
            os.kill(os.getpid(), signal.SIGKILL)
        return prepare(limits, letter, envelope)

    monkeypatch.setattr(importing, "prepare", deadly)
    monkeypatch.setattr(importing, "CHUNK", 2)
    said = talk.cli(["import", str(box.mbox())])
    assert said.out.startswith("7 mails: 6 stored in 6 records, 1 in quarantine; ")
    assert "1 cut-off" in said.err
    (held,) = talk.cli("quarantine --json").json
    assert talk.cli(f"quarantine show {held['id']} --raw").bytes == box.letters[3]


def test_the_processes_end_when_we_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with workers.Workers(lambda task: os.getpid() + task, 3) as pool:
        answers = [answer for _, answer in pool.each([0] * 9)]
        assert len(set(answers)) == 3
        assert all(isinstance(one, int) and os.path.exists(f"/proc/{one}") for one in answers)
    assert not any(os.path.exists(f"/proc/{one}") for one in answers)


def test_what_a_process_raises_is_raised_here() -> None:
    with workers.Workers(lambda task: 1 // task, 2) as pool, pytest.raises(ZeroDivisionError):
        list(pool.each([1, 1, 0, 1]))


@pytest.mark.timeout(30)
def test_tasks_and_answers_that_no_pipe_has_room_for_come_through() -> None:
    much = bytes(1 << 20)
    with workers.Workers(lambda task: task + much, 2) as pool:
        assert [answer for _, answer in pool.each([much] * 7)] == [much + much] * 7


def test_a_batch_is_as_big_as_its_letters_came(talk: Talk, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        box.letter("ana@example.com", subject=f"Log {number}", text="The same line.\n" * 2_000)  # packs 50:1
    monkeypatch.setattr(importing, "BATCH_BYTES", 40_000)
    together, batches = importing.deliver_together, []

    def counted(*args: Any) -> Any:
        batches.append(len(args[1]))
        return together(*args)

    monkeypatch.setattr(importing, "deliver_together", counted)
    assert talk.do(["import", str(box.mbox())]).startswith("5 mails: 5 stored")
    assert batches == [2, 2, 1]


def test_imported_again_one_letter_at_a_time_is_in_memory(
    talk: Talk, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mbox, "STEP", 1 << 17)
    size, count, chance = 100_000, 30, random.Random(1)
    for number in range(count):
        box.letter("ana@example.com", subject=f"Photo {number}", files=[("a.jpg", chance.randbytes(size))])
    path = str(box.mbox())
    box.letters.clear()
    talk.do(["import", path])
    tracemalloc.start()
    try:
        said = talk.do(["import", path])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert said.startswith(f"{count} mails: 0 stored, {count} duplicates; ")
    assert peak < count / 2 * size


def test_a_store_that_cannot_be_written_stops_it_and_says_what_is_there(
    talk: Talk, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        box.letter("ana@example.com", subject=f"Printer {number}")
    monkeypatch.setattr(importing, "BATCH", 3)
    together, busy = importing.deliver_together, StoreBusy("the store is locked by another process: try again")
    answers = iter([together, lambda workspace, batch, manner: [busy] * len(batch)])
    monkeypatch.setattr(importing, "deliver_together", lambda *args: next(answers)(*args))
    said = talk.cli(["import", str(box.mbox())])
    assert said.code == 1
    assert "stopped: 3 mails: 3 stored in 3 records; " in said.err
    assert "is locked by another process" in said.err
    assert talk.count(tables.Thread) == 3
    assert "mail imported: 3 read, 3 stored, 3 new records" in talk.do("log")


# --- files --------------------------------------------------------------------------------------------------


def test_a_maildir_comes_with_its_folders_but_those_that_nobody_wants(talk: Talk, box: Box) -> None:
    for number in range(4):
        box.letter("ana@example.com", subject=f"Printer {number}")
    maildir = box.maildir("Maildir", [0])
    box.maildir("Maildir/.Archive", [1])
    box.maildir("Maildir/.Junk", [2, 3])
    said = talk.cli(["import", str(maildir)])
    assert said.out.startswith("2 mails: 2 stored in 2 records; ")
    assert f"left out: {maildir}/.Junk (2); a folder that is named itself is imported" in said.err
    assert talk.do(["import", str(maildir / ".Junk")]).startswith("2 mails: 2 stored")


def test_from_a_pipe_packed_and_as_single_letters(talk: Talk, box: Box) -> None:
    for number in range(5):
        box.letter("ana@example.com", subject=f"Printer {number}")
    assert talk.do("import -", input=box.mbox(order=[0, 1]).read_bytes()).startswith("2 mails: 2 stored")
    assert talk.do("import -", input=box.letters[2].replace(b"\n", b"\r\n")).startswith("1 mail: 1 stored")
    packed = box.folder / "old.mbox.gz"
    packed.write_bytes(gzip.compress(box.mbox(order=[3]).read_bytes()))
    assert talk.do(["import", str(packed)]).startswith("1 mail: 1 stored")
    (box.folder / "eml").mkdir()
    (box.folder / "eml" / "4.eml").write_bytes(box.letters[4])
    assert talk.do(["import", str(box.folder / "eml")]).startswith("1 mail: 1 stored")
    assert talk.do(["import", str(box.folder / "eml" / "4.eml")]).startswith("1 mail: 0 stored, 1 duplicate")
    assert [talk.field(row, "title") for row in talk.all("case")] == [f"Printer {number}" for number in range(5)]


def test_what_is_no_mail_stops_it_before_it_begins(talk: Talk, box: Box) -> None:
    box.letter("ana@example.com", subject="Printer")
    (box.folder / "a.pdf").write_bytes(b"%PDF-1.7\0")
    assert "a.pdf is no mail" in talk.refused(["import", str(box.mbox()), str(box.folder / "a.pdf")])
    (box.folder / "cut.gz").write_bytes(gzip.compress(box.letters[0])[:-12])
    assert "cut.gz is damaged" in talk.refused(["import", str(box.folder / "cut.gz")])
    assert "there is no section" in talk.refused(["import", str(box.mbox()), "--section", "nowhere"])
    assert talk.count(tables.Thread) == 0


def test_a_file_is_found_by_its_bytes_and_shown_harmlessly(talk: Talk, box: Box) -> None:
    box.letter("ana@example.com", subject="Printer")
    box.letter("ben@example.com", subject="Scanner")
    paths = [os.fsdecode(os.fsencode(box.folder) + name) for name in (b"/\xff.eml", b"/\xfe.eml", b"/\xfd.eml")]
    for path, letter in zip(paths, box.letters, strict=False):
        Path(path).write_bytes(letter)  # which are one as text
    assert talk.do(["import", *paths[:2]]).startswith("2 mails: 2 stored")
    assert "\ufffd.eml: No such file" in talk.refused(["import", paths[2]])


def test_what_is_no_letter_stops_nothing_and_is_told_of(talk: Talk, box: Box) -> None:
    box.letter("ana@example.com", subject="Printer")
    cur = box.maildir("box", [0]) / "cur"
    (cur / os.fsdecode(b"\xff")).symlink_to("/etc/passwd")
    (cur / "loop").symlink_to("loop")
    said = talk.cli(["import", str(cur.parent), "--json"])
    assert (said.json["mails"], said.json["stored"]) == (3, 1)
    assert sorted(said.json["not_read"]) == [f"{cur}/loop is no plain file", f"{cur}/\ufffd is no plain file"]
    assert f"{cur}/loop is no plain file" in said.err
    (box.folder / "mac.mbox").write_bytes(box.mbox().read_bytes().replace(b"\n", b"\r"))
    assert "no letter was found in" in talk.refused(["import", str(box.folder / "mac.mbox")])


def test_the_json_has_all_of_it(talk: Talk, box: Box) -> None:
    box.letter("ana@example.com", subject="Printer")
    box.letter("ana@example.com", to="x@old.test", subject="Nowhere")
    found = talk.cli(["import", str(box.mbox()), "--json"]).json
    assert isinstance(found.pop("seconds"), float)
    assert found == {
        "mails": 2,
        "stored": 1,
        "records": 1,
        "created": 1,
        "duplicates": 0,
        "ignored": 0,
        "quarantined": 1,
        "reasons": {"no-route": 1},
        "not_read": [],
        "not_taken": [],
        "removed": 0,
        "left_out": [],
        "dry_run": False,
    }


def test_the_journal_remembers_it(talk: Talk, box: Box) -> None:
    box.letter("ana@example.com", subject="Printer")
    talk.do(["import", str(box.mbox())])
    assert "mail imported: 1 read, 1 stored, 1 new records" in talk.do("log")
