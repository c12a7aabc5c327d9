"""The store as the server's thread sees it: many mails to a transaction, one of which may be trouble."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from conversation import Talk
from doors import letter

from crmmail import mda
from crmmail.core import route
from crmmail.core.message import Mail as Letter
from crmmail.core.route import Decision
from crmmail.errors import StoreBroken
from crmmail.mail.parse import body_digest_key
from crmmail.server import intake as room
from crmmail.server.intake import Intake
from crmmail.server.queue import Verdict
from crmmail.spool import Spool
from crmmail.store.engine import sql
from crmmail.store.files import beside
from crmmail.store.letters import index
from crmmail.workspace import Choice, Workspace

pytestmark = pytest.mark.sqlite("the commit of a file, and the file itself, are made to fail")


class Desk:
    """One intake, and what its queue would hear."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.queued = 0
        self.intake = Intake(Choice(db=str(talk.db)), os.environ, self._queued)

    def _queued(self) -> None:
        self.queued += 1

    def do(self, line: str) -> str:
        """A command; the intake lets go of the store for it, because one process has one store open."""
        self.intake.close()
        return self.talk.do(line)

    def take(self, *subjects: str, to: str = "support@crm.test") -> list[str]:
        """One batch; what became of each, in a word."""
        return self.take_raw([letter(one, sender=f"{n}@customer.example") for n, one in enumerate(subjects)], to)

    def take_raw(self, letters: list[bytes], to: str = "support@crm.test") -> list[str]:
        options = mda.Options(Choice(), mda.envelope(recipients=[to]), "", False, False)
        read = self.intake.read([(Spool(one), options.envelope) for one in letters])
        return [word(one) for one in self.intake.take(read, [options] * len(letters))]


def word(verdict: Verdict) -> str:
    return type(verdict).__name__ if isinstance(verdict, Exception) else f"{verdict[0].outcome} {verdict[0].reason}"


@pytest.fixture
def desk(talk: Talk) -> Iterator[Desk]:
    found = Desk(talk)
    yield found
    found.intake.close()


def commits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each commit."""
    found: list[int] = []
    real = sql.Connection.commit

    def commit(self: sql.Connection) -> None:
        found.append(1)
        real(self)

    monkeypatch.setattr(sql.Connection, "commit", commit)
    return found


def test_many_mails_are_one_commit(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.take("Zero")
    counted = commits(monkeypatch)
    assert desk.take("One", "Two", "Three") == ["stored alias"] * 3
    assert len(counted) == 1


def test_one_that_a_bug_of_ours_stops_is_kept_and_the_others_are_filed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = route.decide

    def decide(one: Letter, *rest: object) -> Decision:
        return 1 / 0 if one.subject == "Two" else real(one, *rest)  # type: ignore[arg-type,return-value]

    monkeypatch.setattr(route, "decide", decide)
    assert desk.take("One", "Two", "Three") == ["stored alias", "quarantined crashed", "stored alias"]


def test_where_the_commit_fails_nobody_has_a_verdict_and_the_store_is_opened_anew(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def commit(_: sql.Connection) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        patch.setattr(sql.Connection, "commit", commit)
        assert desk.take("One", "Two") == ["StoreBroken"] * 2
    assert "no room left on the disk" in Path(beside.failing(str(desk.talk.db))).read_text()
    assert desk.take("One", "Two") == ["stored alias"] * 2, "they were not there"
    assert not os.path.exists(beside.failing(str(desk.talk.db))), "and the mark is gone"


def test_a_store_that_says_nothing_any_more_ends_the_process_as_a_mail_does_that_hangs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host of a database may go without a word, which a process hears of a quarter of an hour later."""
    left: list[float] = []  # seconds until the alarm
    real = Workspace.is_current

    def is_current(self: Workspace) -> bool:
        left.append(signal.getitimer(signal.ITIMER_REAL)[0])
        return real(self)

    monkeypatch.setattr(Workspace, "is_current", is_current)
    monkeypatch.setenv("CRMMAIL_DELIVERY_DEADLINE", "70")
    for ask in (lambda: desk.take("One"), lambda: desk.intake.trouble([0]), lambda: desk.intake.read([])):
        ask()
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert left and all(99 < one <= 100 for one in left), left


def test_whether_the_store_is_the_same_is_asked_once_a_batch(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the file and the database: more than a question of the mail itself costs."""
    looks: list[bool] = []
    real = Workspace.is_current

    def is_current(self: Workspace) -> bool:
        looks.append(real(self))
        return looks[-1]

    monkeypatch.setattr(Workspace, "is_current", is_current)
    assert desk.take("One") == ["stored alias"]
    for count in (1, 2, 3):
        assert desk.take(f"Next {count}") == ["stored alias"]
        assert looks == [True] * count


def test_an_empty_mail_is_an_error_of_its_own_only(desk: Desk) -> None:
    assert desk.take_raw([b"", letter("One")]) == ["EmptyMail", "stored alias"]


def test_a_large_mail_is_indexed_while_it_is_in_hand_and_small_ones_together(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a large one that hangs the index is accused like one that hangs the judging."""
    held: list[str] = []  # what the server's file says, each time that words are written
    real = index.put

    def put(messages: Sequence[int]) -> None:
        (path,) = Path(beside.attempts(str(desk.talk.db))).glob("steady.*")
        held.append(path.read_text().strip())
        real(messages)

    monkeypatch.setattr(index, "put", put)
    large = letter("Two", "word " * 20_000)
    assert desk.take_raw([letter("One"), large, letter("Three")]) == ["stored alias"] * 3
    assert held == [body_digest_key([large]), ""]
    assert index.missing() == 0


def test_it_says_when_something_is_to_leave(desk: Desk) -> None:
    desk.do("users set agent --notify both")
    desk.take("For nobody", to="nobody@crm.test")
    assert desk.queued == 0
    desk.take("Printer broken")
    assert desk.queued == 1


@pytest.mark.parametrize("trouble", ["gone", "full", "behind", "not ours to write", "another bug"])
def test_trouble_is_said_in_words_and_marked_for_doctor(
    desk: Desk, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert desk.intake.trouble([0]) == [""]
    with monkeypatch.context() as patch:
        words = make_trouble(desk, trouble, patch)
        first, second = desk.intake.trouble([0, 7])
        assert words in first and words in second
        assert words in Path(mark(desk, trouble)).read_text()


def mark(desk: Desk, trouble: str) -> str:
    """Beside the store, or, where there is none, in the state folder."""
    from crmmail.services.shared import failing

    return failing.in_state(os.environ) if trouble == "gone" else beside.failing(str(desk.talk.db))


def make_trouble(desk: Desk, trouble: str, patch: pytest.MonkeyPatch) -> str:
    """Makes it; words of what is said then."""
    if trouble == "gone":
        desk.talk.db.rename(desk.talk.db.with_name("away"))
        return "no store at"
    if trouble == "full":
        patch.setattr(room, "RESERVE", 1 << 62)
        return "no room left on the disk"
    if trouble == "behind":
        with sqlite3.connect(desk.talk.db) as store:
            store.execute("DELETE FROM crm_migration WHERE name > '0003'")
        return "crmmail db migrate"
    if trouble == "not ours to write":
        real = os.access  # root may write everywhere
        patch.setattr(os, "access", lambda path, how, **more: how != os.W_OK and real(path, how, **more))
        return "cannot be written: check the owner and mode"
    patch.setattr("crmmail.services.incoming.together.can_take", lambda _: 1 / 0)
    return "ZeroDivisionError"


def test_a_mail_that_is_said_to_be_too_big_for_the_disk_is_trouble(desk: Desk) -> None:
    fits, too_big, fits_too = desk.intake.trouble([1000, 1 << 62, 0])
    assert (fits, fits_too) == ("", "") and "no room left" in too_big


def test_a_store_that_was_replaced_is_opened_anew(desk: Desk) -> None:
    copy = desk.talk.db.with_name("copy.db")
    desk.do(f"db backup {copy}")
    assert desk.take("Lost") == ["stored alias"]
    copy.rename(desk.talk.db)
    assert desk.take("Kept") == ["stored alias"]
    desk.intake.close()
    assert [one["title"] for one in desk.talk.cli("list case --json").json] == ["Kept"]


def test_what_was_read_before_a_setting_changed_is_read_again(desk: Desk) -> None:
    """In the transaction's own batch, and in what joins it: the reader goes by what it was told last."""
    desk.do("config set delivery.max_size 1")
    options = mda.Options(Choice(), mda.envelope(recipients=["support@crm.test"]), "", False, False)
    letters = [(letter(one, sender=f"{one}@customer.example"), options.envelope) for one in ("One", "Two")]
    old, *joins = desk.intake.read([(Spool(raw), envelope) for raw, envelope in letters])
    desk.do("config set delivery.max_size 1000000")
    meanwhile = [joins, []]
    found = desk.intake.take([old], [options] * 2, lambda: meanwhile.pop(0))
    assert [word(one) for one in found] == ["stored alias"] * 2


def test_what_is_broken_is_said_by_its_class() -> None:
    with pytest.raises(StoreBroken):
        room.there_is_room("/tmp/crm.db", 1 << 62)
    room.there_is_room("postgresql://host/crm", 1 << 62)
