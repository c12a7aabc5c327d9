"""The index of words is kept current through every act, and so is what people find."""

from __future__ import annotations

from collections.abc import Callable

import indexed
import pytest
from conversation import Talk

from crmmail.store.letters import index


def find(talk: Talk, typed: str) -> list[int]:
    """The messages that somebody finds who types this."""
    return [one["message"] for one in talk.cli(["search", "--json", typed]).json]


@pytest.fixture
def shop(talk: Talk) -> Talk:
    """Two cases, with letters, an attachment and a note."""
    letter = talk.mail(
        "Ann <ann@customer.example>", subject="Invoice 4711", text="Déjà payée.", files=[("scan.pdf", b"PDF")]
    )
    talk.mail("ann@customer.example", answers=letter, text="Where is it?")
    talk.mail("bea@other.example", subject="Printer", text="It burns.")
    talk.do("note 1 -m 'Call her, please'")
    return talk


ACTS: dict[str, Callable[[Talk], object]] = {
    "edit": lambda talk: talk.do("message edit 2 -m 'Other words'"),
    "delete": lambda talk: talk.do("message delete 2"),
    "move": lambda talk: talk.do("message move 2 2"),
    "merge": lambda talk: talk.do("merge 2 --into 1"),
    "new": lambda talk: talk.do("new case 'Scanner is slow' --section support"),
    "title": lambda talk: talk.do("set 1 title='Rechnung falsch'"),
    "reply": lambda talk: talk.do("reply 1 -m 'We look into it.' --yes"),
    "escalate": lambda talk: talk.do("assign 1 agent"),
}


@pytest.mark.parametrize("act", ACTS)
def test_the_index_is_current_after_an_act_and_its_undoing(shop: Talk, act: str) -> None:
    indexed.check(shop)
    ACTS[act](shop)
    indexed.check(shop)
    shop.cli("undo")
    indexed.check(shop)


def test_what_was_edited_is_found_as_it_is_now(shop: Talk) -> None:
    (message,) = find(shop, "payee")
    shop.do(f"message edit {message} -m 'Not paid'")
    assert (find(shop, "payee"), find(shop, "paid")) == ([], [message])
    shop.do("undo")
    assert (find(shop, "payee"), find(shop, "paid")) == ([message], [])


def test_what_was_deleted_is_not_found(shop: Talk) -> None:
    (message,) = find(shop, "scan")
    shop.do(f"message delete {message}")
    assert find(shop, "scan") == find(shop, "payee") == []
    shop.do("undo")
    assert find(shop, "scan") == find(shop, "payee") == [message]


def test_a_title_is_found_that_no_letter_has(shop: Talk) -> None:
    shop.do("new case 'Scanner is slow' --section support")
    assert len(find(shop, "scanner")) == 1
    shop.do("set 1 title='Rechnung falsch'")
    assert len(find(shop, "rechnung")) == 1


def test_the_record_of_a_letter_is_one_hit(shop: Talk) -> None:
    """What the program says when a letter makes a record has the letter's subject again."""
    assert len(find(shop, "printer")) == 1


def test_notes_are_found_and_letters_in_quarantine_are_not(shop: Talk) -> None:
    assert len(find(shop, "call her")) == 1
    held = shop.mail("cy@new.example", "jobs@crm.test", subject="Zebra")
    assert held.quarantine
    assert find(shop, "zebra") == []
    shop.do(f"quarantine create {held.quarantine} --kind lead")
    assert len(find(shop, "zebra")) == 1
    indexed.check(shop)


def test_a_dry_run_leaves_nothing(shop: Talk) -> None:
    shop.do("merge 2 --into 1 --dry-run")
    shop.cli("deliver --dry-run", input=shop.raw("cy@new.example", subject="Zebra"))
    assert find(shop, "zebra") == []
    indexed.check(shop)


def test_check_doctor_reindex(shop: Talk) -> None:
    with shop.open() as workspace, workspace.store.transaction():
        index.forget([2])
    assert find(shop, "payee") == []
    said = shop.cli("db check")
    assert (said.code, said.err) == (1, "crmmail: no search finds message 2: crmmail db reindex\n")
    assert "1 message is not in the index" in shop.cli("doctor").out
    count = len(find(shop, ""))
    assert shop.do("db reindex") == f"{count} messages indexed"
    assert find(shop, "payee") == [2]
    assert shop.do("db check") == "the store is sound"
    indexed.check(shop)


def test_a_migration_goes_on_where_it_was_cut_off(shop: Talk) -> None:
    with shop.open() as workspace, workspace.store.transaction():
        index.clear()
    assert shop.do("db migrate") == "the schema is up to date"
    assert find(shop, "payee") == [2]
    indexed.check(shop)
