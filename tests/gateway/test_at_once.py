"""Behaviour §1 under real processes: whatever is delivered at the same moment, or while people act on the same record,
every letter is there once, in the one place where it belongs, and the store is sound."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from doors import CRMMAIL, SOUND, Shop, letter, open_shop

TEXT = "Первые слова письма: принтер горит.\r\n" * 20 + "И последние: приезжайте.\r\n"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = open_shop(tmp_path)
    yield shop
    assert shop.check() == SOUND
    assert shop.rows("SELECT id FROM crm_original WHERE id NOT IN (SELECT original_id FROM crm_decision)") == []


def together(shop: Shop, *mails: bytes | tuple[bytes, Sequence[str]], acts: Sequence[Sequence[str]] = ()) -> list[int]:
    """Offers these mails at the same moment, each to a door of its own, while people act; the exit codes of the acts.

    Args:
        mails: bytes, or bytes with the door's options.
        acts: command lines of crmmail.
    """
    offers = [(one, ()) if isinstance(one, bytes) else one for one in mails]
    doors = [shop.start(*options) for _, options in offers]
    people = [
        subprocess.Popen([CRMMAIL, *words], env=shop.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for words in acts
    ]
    for door, (raw, _) in zip(doors, offers, strict=True):
        assert door.stdin
        door.stdin.write(raw)
        door.stdin.flush()
    for door in doors:  # all have read all but the end: now they begin
        assert door.stdin
        door.stdin.close()
        door.stdin = None
    for door in doors:
        assert door.communicate(timeout=60) == (b"", b"")
        assert door.returncode == 0
    return [one.wait(timeout=60) for one in people]


def half(raw: bytes, at: float = 0.6) -> bytes:
    """What a line that broke left of a mail; in the middle of a Cyrillic letter, as it happens."""
    begin = raw.index(b"\r\n\r\n") + 4
    return raw[: begin + int((len(raw) - begin) * at)]


def live(shop: Shop) -> list[tuple[int, str]]:
    """(record, text) of the letters that nothing supersedes."""
    return shop.rows("SELECT thread_id, text FROM crm_message WHERE kind = 'email_in' AND superseded_by_id IS NULL")


def test_the_same_letter_many_times(shop: Shop) -> None:
    raw = letter("Printer")
    together(shop, *[b"Received: by mx%d; x\r\n" % number + raw for number in range(6)])
    assert shop.mails() == shop.titles("case") == ["Printer"]
    assert shop.rows("SELECT outcome, COUNT(*) FROM crm_decision GROUP BY outcome ORDER BY outcome") == [
        ("duplicate", 5),
        ("stored", 1),
    ]


def test_a_letter_without_an_id_many_times(shop: Shop) -> None:
    raw = b"\r\n".join(line for line in letter("No id").split(b"\r\n") if not line.startswith(b"Message-ID"))
    other = raw.replace(b"Hello.", b"Hello!")
    together(shop, raw, other, raw, other)
    assert shop.mails() == ["No id", "No id"]
    assert sorted(text.strip() for _, text in live(shop)) == ["Hello!", "Hello."]


def test_wholes_and_their_halves(shop: Shop, thorough: bool) -> None:
    """One live message with the whole text, whoever came first, and everything in one record."""
    turns = range(12 if thorough else 2)
    for turn in turns:
        whole = letter(f"Long {turn}", TEXT)
        copies = [whole, half(whole, 0.3), half(whole, 0.7)]
        at = turn % 3
        together(shop, *copies[at:], *copies[:at])
    assert sorted(shop.titles("case")) == sorted(f"Long {turn}" for turn in turns)
    assert [text.split() for _, text in live(shop)] == [TEXT.split()] * len(turns)
    assert len({record for record, _ in live(shop)}) == len(turns)
    assert len(shop.mails()) == 3 * len(turns)


def test_one_message_id_and_other_content(shop: Shop) -> None:
    """Both are kept, and the id of the second is no evidence."""
    one = letter("One", identifier="<same@x>", sender="ann@customer.example")
    other = letter("Other", identifier="<same@x>", sender="eve@evil.example")
    together(shop, one, other, one, other)
    assert sorted(shop.mails()) == sorted(shop.titles("case")) == ["One", "Other"]
    ids = [row[0] for row in shop.rows("SELECT message_id FROM crm_message WHERE kind = 'email_in'")]
    assert ids.count("same@x") == 1
    assert len(set(ids)) == 2


def test_one_letter_to_two_aliases_in_two_copies(shop: Shop) -> None:
    raw = letter("To both", to="support@crm.test, sales@crm.test")
    copies = [(raw, (f"--recipient={alias}@crm.test",)) for alias in ("support", "sales")]
    together(shop, *copies, *copies)
    assert (shop.titles("case"), shop.titles("lead")) == (["To both"], ["To both"])
    assert len(shop.mails()) == 2
    assert shop.rows("SELECT COUNT(*) FROM crm_original") == [(1,)]


@pytest.fixture
def case(shop: Shop) -> bytes:
    """Ann's case 1; its Message-ID."""
    assert shop.mda(letter("Printer", identifier="<first@x>")).returncode == 0
    return b"first@x"


def answer(number: int) -> bytes:
    return letter(f"Re: Printer {number}", f"Answer {number}.\r\n", answers="<first@x>", identifier=f"<a{number}@x>")


def test_answers_that_reopen_a_case(shop: Shop, case: bytes) -> None:
    """It is opened once, and every answer is in it."""
    shop.crmmail("close", "1")
    together(shop, *map(answer, range(4)))
    assert shop.titles("case") == ["Printer"]
    assert sorted(shop.words(1)) == ["Answer 0.", "Answer 1.", "Answer 2.", "Answer 3.", "Hello."]
    ((state, closed),) = shop.rows("SELECT state, closed FROM crm_case")
    assert (state, closed) == ("open", None)
    said = shop.rows("SELECT text FROM crm_message WHERE kind = 'system' AND text LIKE '%by a letter%'")
    assert said == [("state: done → open (by a letter)",)]


def test_answers_while_their_record_is_merged_moved_and_closed(shop: Shop, case: bytes) -> None:
    """Each answer is where the record lives in the end, or in what was merged, and in no third place."""
    shop.mda(letter("Other", identifier="<other@x>"))
    shop.crmmail("sections", "add", "head")
    codes = together(
        shop,
        *map(answer, range(4)),
        acts=[["merge", "1", "--into", "2"], ["move", "2", "--section", "head"], ["close", "2"]],
    )
    assert codes[0] == 0
    assert sorted(shop.mails()) == ["Other", "Printer", *(f"Re: Printer {number}" for number in range(4))]
    assert {thread for thread, _ in live(shop)} == {2}
    assert len(shop.titles("case")) == 2
    assert shop.rows("SELECT moved_to_id FROM crm_thread WHERE id = 1") == [(2,)]


def test_a_letter_that_comes_again_while_somebody_files_it(shop: Shop, case: bytes) -> None:
    raw = letter("Jobs?", to="jobs@crm.test")
    assert shop.mda(raw).returncode == 0
    assert shop.held() == ["no-route"]
    codes = together(shop, raw, raw, acts=[["quarantine", "route", "1", "1"], ["quarantine", "create", "1"]])
    assert sorted(codes) == [0, 1]  # one of the two was first
    assert Counter(shop.mails()) == {"Printer": 1, "Jobs?": 1}
    assert shop.held() == []


def test_undo_while_the_record_is_answered(shop: Shop) -> None:
    """Either the record goes before the answer comes, which then makes its own, or the answer keeps it."""
    raw = letter("Jobs?", to="jobs@crm.test", identifier="<first@x>")
    assert shop.mda(raw).returncode == 0
    shop.crmmail("quarantine", "create", "1", "--kind", "case", "--section", "support")
    codes = together(shop, answer(1), acts=[["undo"]])
    assert (shop.held(), len(shop.titles("case"))) in ((["no-route"], 1), ([], 1))
    assert (codes == [0]) == (shop.held() == ["no-route"])
    assert shop.mails()[-1] == "Re: Printer 1"
