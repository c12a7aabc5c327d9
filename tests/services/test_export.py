"""`crmmail export`: letters as an mbox or a Maildir, records as JSON; and the way back, by `crmmail import`."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import stat
from collections import Counter
from pathlib import Path

import pytest
from conversation import Letter, Talk, opened
from corpora import THERE, of_each_kind, theirs
from thorough import long_form

from crmmail.mail import folders
from crmmail.services.desk import exporting


@pytest.fixture
def case(talk: Talk) -> Letter:
    """A case with a letter, our answer and a note, and a lead."""
    letter = talk.mail("ana@example.com", subject="Printer", text="It burns.\n\nFrom the window.", files=[("a", b"A")])
    talk.do("reply 1 -m Water!", user="agent")
    talk.do("note 1 -m Secret")
    talk.mail("bea@example.com", to="sales@crm.test", subject="An offer?", text="For ten.")
    return letter


def letters(path: Path) -> list[bytes]:
    return [folders.read(place) for folder in folders.folders(str(path)) for place in folders.places(folder)]


def conversations(talk: Talk) -> Counter[tuple[str, tuple[str, ...]]]:
    """Kind and letters of each record, without what is only said by us among ourselves."""
    found: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for kind in ("case", "lead"):
        for row in talk.all(kind):
            said = [one for one in talk.show(row)["messages"] if one["kind"] in ("email_in", "email_out")]
            # Of ours without what they quote, and by author: a row of ours has no address, a letter out of a file has.
            found[kind, tuple(f"{one['author'] or one['from_address']}: {one['visible'].strip()}" for one in said)] += 1
    return found


def again(talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Path, shop: Path, *flags: str) -> Talk:
    """Another shop with the same people, which imports what this one has exported."""
    other = tmp_path / "other"
    other.mkdir()
    second = opened(shop, other, monkeypatch)
    with sqlite3.connect(second.db) as store:  # another house: what this one signed tells it nothing
        store.execute("UPDATE crm_setting SET value = ? WHERE key = 'secret'", ("5e" * 32,))
    second.clock = talk.clock
    second.wait()
    second.do(["import", str(path), *flags])
    return second


# --- what is written ----------------------------------------------------------------------------------------


def test_a_letter_that_came_is_written_as_it_came(talk: Talk, case: Letter, tmp_path: Path) -> None:
    path = tmp_path / "all.mbox"
    assert talk.do(["export", "--mbox", str(path)]) == f"{path}: 3 letters of 2 records"
    first, ours, lead = letters(path)
    assert (first, b"For ten." in lead) == (case.raw, True)
    assert b"\n>From the window." in path.read_bytes()
    assert (b"\nWater!\n" in ours, b"@crm.test>\n" in ours) == (True, True)
    assert b"Secret" not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_maildir_says_what_was_read_answered_and_starred(talk: Talk, case: Letter, tmp_path: Path) -> None:
    path = tmp_path / "out"
    talk.do(f"star {case.message}", user="agent")
    talk.do("show 1", user="agent")
    assert talk.do(["export", "--maildir", str(path)], user="agent") == f"{path}: 3 letters of 2 records"
    assert (os.listdir(path / "new"), os.listdir(path / "tmp")) == ([], [])
    names = sorted(os.listdir(path / "cur"), key=lambda name: int(name.split(".M")[1].split("P")[0]))
    assert [name.split(":2,")[1] for name in names] == ["FRS", "S", "S"]
    assert (path / "cur" / names[0]).read_bytes() == case.raw
    assert (path / "cur" / names[0]).stat().st_mtime == talk.clock.timestamp()


def test_the_json_has_a_line_a_record_with_all_of_it(talk: Talk, case: Letter) -> None:
    unread = talk.inbox("agent")
    assert len(unread) == 2
    talk.do("export --json", user="agent")
    assert talk.inbox("agent") == unread, "who exports has not read"
    lines = [json.loads(line) for line in talk.do("export --json").splitlines()]
    assert lines == [talk.show(1), talk.show(2)]
    assert "Secret" in str(lines[0])
    (lead,) = talk.do("export --json kind:lead").splitlines()
    assert json.loads(lead) == talk.show(2)


def test_records_are_chosen_by_number_or_by_query(talk: Talk, case: Letter) -> None:
    assert b"For ten." in talk.cli("export --mbox - 2").bytes
    assert b"It burns." not in talk.cli("export --mbox - 2").bytes
    assert b"It burns." in talk.cli("export --mbox - section:support").bytes
    assert talk.cli("export --mbox - printer").bytes == talk.cli("export --mbox - 1").bytes
    assert talk.refused("export --mbox - 1 99") == "there is no record 99"


def test_what_waits_in_quarantine_comes_when_it_is_asked_for(talk: Talk, case: Letter, tmp_path: Path) -> None:
    held = talk.mail("ana@example.com", to="nobody@crm.test", subject="Lost")
    without, with_it = tmp_path / "without.mbox", tmp_path / "with.mbox"
    said = talk.cli(["export", "--mbox", str(without)])
    assert said.out.strip() == f"{without}: 3 letters of 2 records"
    assert "1 letter in quarantine: not in it; --quarantine takes them in" in said.err
    assert len(letters(without)) == 3
    said = talk.cli(["export", "--mbox", str(with_it), "--quarantine"])
    assert (said.out.strip(), said.err) == (f"{with_it}: 3 letters of 2 records, 1 from quarantine", "")
    assert letters(with_it)[-1] == held.raw
    assert talk.cli("export --mbox - 1").err == ""  # who names records asks for nothing else


def test_a_letter_in_two_records_is_written_once(talk: Talk, tmp_path: Path) -> None:
    letter = talk.mail("ana@example.com", to="support@crm.test, sales@crm.test", subject="Both", text="One.")
    assert len(letter.outcomes) == 2
    assert talk.cli("export --mbox -").bytes.count(b"\nSubject: Both\n") == 1


def test_what_was_not_kept_is_made_again(talk: Talk, tmp_path: Path) -> None:
    talk.do("aliases set sales@crm.test --no-keep-original")
    talk.mail("Ana <ana@example.com>", to="sales@crm.test", subject="An offer?", text="For ten.", files=[("a", b"A")])
    talk.do(["export", "--mbox", str(tmp_path / "a.mbox")])
    (made,) = letters(tmp_path / "a.mbox")
    for line in (b"From: Ana <ana@example.com>", b"To: sales@crm.test", b"Message-ID: <m1@example.com>", b"For ten."):
        assert line in made.splitlines()


def test_what_was_deleted_or_never_left_is_not_in_it(talk: Talk, case: Letter, tmp_path: Path) -> None:
    talk.do(f"message delete {case.message}")
    waiting = [str(one["id"]) for one in talk.cli("outbox --json").json if one["to"] == "ana@example.com"]
    talk.do(["outbox", "cancel", *waiting])
    said = talk.cli("export --mbox - 1").bytes
    assert said == b""


def test_where_no_record_fits_nothing_is_written(talk: Talk, case: Letter, tmp_path: Path) -> None:
    for form in ("--mbox", "--maildir"):
        sentence = talk.refused(["export", form, str(tmp_path / "out"), "nothing", "like", "this"])
        assert sentence == "no record fits, so nothing was written"
        talk.cli("new contact Carl")
        sentence = talk.refused(["export", form, str(tmp_path / "out"), "kind:contact"])
        assert sentence == "no letter is in what was asked for, so nothing was written"
        assert not (tmp_path / "out").exists()
    assert talk.do("export --json nothing like this") == ""


# --- files --------------------------------------------------------------------------------------------------


def test_nothing_is_written_over(talk: Talk, case: Letter, tmp_path: Path) -> None:
    (tmp_path / "there.mbox").write_bytes(b"mine")
    (tmp_path / "there").mkdir()
    (tmp_path / "link.mbox").symlink_to(tmp_path / "elsewhere")
    for words in (["--mbox", "there.mbox"], ["--maildir", "there"], ["--mbox", "link.mbox"]):
        sentence = talk.refused(["export", words[0], str(tmp_path / words[1])])
        assert sentence.startswith(f"{tmp_path / words[1]} is there already")
    assert (tmp_path / "there.mbox").read_bytes() == b"mine"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("form", ["--mbox", "--maildir"])
def test_half_a_file_is_none(
    talk: Talk, case: Letter, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "_bytes", full)
    assert "No space left on device" in talk.refused(["export", form, str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["--mbox", "--maildir"])
def test_what_is_written_is_on_the_disk(
    talk: Talk, case: Letter, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced, fsync = tmp_path / "out", dict[int, int](), os.fsync

    def noted(file: int) -> None:
        fsync(file)
        there = os.fstat(file)
        synced[there.st_ino] = there.st_size

    monkeypatch.setattr(os, "fsync", noted)
    talk.do(["export", form, str(path)])
    files = [path] if form == "--mbox" else list((path / "cur").iterdir())
    assert len(files) == (1 if form == "--mbox" else 3)
    assert {one.stat().st_ino: one.stat().st_size for one in files}.items() <= synced.items()
    assert form == "--mbox" or (path / "cur").stat().st_ino in synced, "the names"


@pytest.mark.parametrize(
    "line",
    [
        "export",
        "export --json --mbox x",
        "export --mbox x --maildir y",
        "export --json --quarantine",
        "export --mbox x --quarantine 1",
        "export --mbox x --quarantine kind:case",
    ],
)
def test_one_form_is_said(talk: Talk, line: str) -> None:
    talk.refused(line, code=2)


# --- the way back -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["--mbox", "--maildir"])
def test_the_way_back(
    talk: Talk, case: Letter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _shop: Path, form: str
) -> None:
    ours = next(one for one in talk.show(1)["messages"] if one["kind"] == "email_out")["deliveries"][0]["id"]
    left = talk.cli(f"outbox show {ours} --raw").bytes
    identifier = next(line for line in left.decode().splitlines() if line.startswith("Message-ID:")).split("<")[1][:-1]
    talk.mail("ana@example.com", answers=identifier, text="Thanks!")
    before = conversations(talk)
    talk.do(["export", form, str(tmp_path / "out")])
    second = again(talk, tmp_path, monkeypatch, tmp_path / "out", _shop)
    assert conversations(second) == before
    conversation = ("ana@example.com: It burns.\n\nFrom the window.", "agent: Water!", "ana@example.com: Thanks!")
    assert ("case", conversation) in before


def test_into_the_same_shop_it_is_all_there_already(talk: Talk, case: Letter, tmp_path: Path) -> None:
    talk.do(["export", "--mbox", str(tmp_path / "all.mbox")])
    before = conversations(talk)
    said = talk.do(["import", str(tmp_path / "all.mbox")])
    assert said.startswith("3 mails: 0 stored, 3 duplicates; ")
    assert conversations(talk) == before


@pytest.mark.parametrize("seed", [1, 2, *long_form(*range(3, 40))])
def test_whatever_was_said_comes_back_in_the_same_threads(
    talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _shop: Path, seed: int
) -> None:
    """Customers write, answer each other's letters and ours, people here answer, note and close."""
    chance = random.Random(seed)
    customers = ("ana@example.com", "bea@example.com", "carl@other.example")
    for number in range(12):
        talk.wait(minutes=chance.randrange(1, 500))
        act = chance.choice(("write", "write", "answer", "answer", "reply", "note"))
        rows = [*talk.all("case"), *talk.all("lead")]
        sent = [one for one in talk.sent if one.outcome == "stored"]
        if act == "answer" and sent:
            asked = chance.choice(sent)
            talk.mail(_sender(asked), answers=asked, text=f"Answer {number}\n\nFrom {number}")
        elif act in ("reply", "note") and rows:
            talk.do([act, str(chance.choice(rows)), "-m", f"{act} {number}"], user="agent")
        else:
            # Not to both: of an answer to a letter that is in two records nothing says to which of them it belongs.
            to = chance.choice(("support@crm.test", "sales@crm.test"))
            talk.mail(chance.choice(customers), to=to, subject=f"Subject {number}", text=f"Question {number}")
    before = conversations(talk)
    path = tmp_path / "all.mbox"
    talk.do(["export", "--mbox", str(path)])
    second = again(talk, tmp_path, monkeypatch, path, _shop)
    assert conversations(second) == before


def _sender(letter: Letter) -> str:
    return next(line for line in letter.raw.decode().splitlines() if line.startswith("From: ")).removeprefix("From: ")


@pytest.mark.thorough
def test_every_kind_of_mail_comes_back(
    talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _shop: Path
) -> None:
    paths = [*of_each_kind(tmp_path), *theirs("mikel-mail/*/*.eml", "stalwart/*/*.eml")]
    talk.cli(["import", *map(str, paths), "--section", "support"])
    before = conversations(talk)
    assert sum(before.values()) > (110 if THERE else 10)
    talk.do(["export", "--mbox", str(tmp_path / "all.mbox")])
    second = again(talk, tmp_path, monkeypatch, tmp_path / "all.mbox", _shop, "--section", "support")
    assert conversations(second) == before
