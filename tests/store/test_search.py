"""The index of words: what is found in it, and that it has what the messages say, whatever was done to them."""

from __future__ import annotations

from datetime import datetime
from unicodedata import ucd_3_2_0

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from indexed import check_current
from store import rows
from store.rows import NOW, ago

from crmmail.core.message import Part
from crmmail.core.query import Query, parse
from crmmail.core.words import words
from crmmail.errors import NotFound
from crmmail.services.keeping import upkeep
from crmmail.store.care import soundness
from crmmail.store.engine import sql
from crmmail.store.engine.database import Store
from crmmail.store.history import undoable
from crmmail.store.letters import index, messages
from crmmail.store.lists import search

PHOTO = Part(1, "photo of it.jpg", "image/jpeg", b"JPEG", "", False)


def understand(said: str) -> datetime:
    return datetime.fromisoformat(said).replace(tzinfo=NOW.tzinfo)


def find(typed: str, limit: int = 50, before: int | None = None, user: int | None = None) -> list[int]:
    """The messages that somebody finds who types this."""
    return search.numbers(parse([typed], understand), limit=limit, before=before, user=user, now=NOW)


@pytest.mark.both
@pytest.mark.parametrize(
    ("text", "found", "not_found"),
    [
        (
            "The invoices of May",
            ["invoice", "INVO", "may invoices", '"invoices of"'],
            ["voices", "invoiced", '"of invo"'],
        ),
        ("L'école a été rénovée", ["ecole", "école", "ete", "renov", '"a ete renovee"'], ["colee"]),
        ("Ещё одна ёлка у замка", ["еще", "ЁЛКА", "елк", "зам"], ["лка"]),
        ("мой дом", ["мой", "мой дом"], ["мои"]),
        ("Die Straße nach Łódź", ["strasse", "straße", "lodz", "STRASS"], ["trasse"]),
        ("Καλημέρα κόσμε", ["καλημερα", "ΚΌΣΜΕ", "κοσ"], []),
        ("我的打印机坏了。", ["打印机", "坏了", "印机", "机"], ["打机"]),
        ("プリンターが動かない", ["プリンター", "動か"], []),
        ("프린터가 고장났어요", ["프린터", "고장"], ["린터"]),
        (
            "see INV-2026-0001 (or call +49 89 1234)",
            ["INV-2026", "inv-2026-0001", "2026", "1234", '"89 1234"'],
            ["026"],
        ),
        ("write to ann.lee@customer.example", ["ann.lee@customer.example", "customer", "lee@cust"], ["ann@customer"]),
        ("a b an", ["a", "an b"], ["x"]),
        ("Thanks 👍🏽 so much", ["thanks", "thanks 👍", "- thanks"], ["👍", "-", "***"]),
    ],
)
def test_words_are_found(store: Store, text: str, found: list[str], not_found: list[str]) -> None:
    message = rows.message(rows.case(), text=text)
    assert {typed: find(typed) for typed in found} == {typed: [message] for typed in found}
    assert {typed: find(typed) for typed in not_found} == {typed: [] for typed in not_found}


@pytest.mark.both
def test_what_is_looked_through(store: Store) -> None:
    case = rows.case()
    with sql.transaction():
        message = rows.message(
            case, "ann@one.example", "bea@two.example", "cy@three.example", subject="Printer", from_name="Ann Lee"
        )
        messages.put_attachments(message, [PHOTO])
    for typed in ("printer", "ann", "one.example", "lee", "bea", "two", "three", "photo", "jpg", "printer ann photo"):
        assert find(typed) == [message], typed
    assert find("from:ann") == find("from:lee") == find("from:ann@one.example") == [message]
    assert find("from:bea") == find("from:printer") == []
    assert find("printer from:ann") == [message]


def test_all_words_must_be_in_one_message(store: Store) -> None:
    case = rows.case()
    rows.message(case, text="red")
    rows.message(case, text="green")
    both = rows.message(case, subject="red", text="green")
    assert find("red green") == [both]


def test_newest_first_a_page_at_a_time(store: Store) -> None:
    case = rows.case()
    numbers = [rows.message(case, text=f"word {one}") for one in range(7)]
    newest = numbers[::-1]
    assert find("word") == find("") == newest
    assert find("word", limit=3) == newest[:3]
    assert find("word", limit=3, before=newest[2]) == newest[3:6]
    assert find("", limit=3, before=newest[5]) == newest[6:]
    assert find("word", before=numbers[0]) == []
    with pytest.raises(NotFound, match="no message 99999"):
        find("word", before=99999)


@pytest.mark.both
@pytest.mark.parametrize("few", [search.FEW, 0], ids=["few records", "many records"])
@pytest.mark.parametrize("most", [search.SORTED, 0], ids=["their dates", "from the newest on"])
def test_newest_first_where_old_mail_came_after_new(
    store: Store, monkeypatch: pytest.MonkeyPatch, few: int, most: int
) -> None:
    for name, value in {"FEW": few, "SORTED": most, "NEWEST": 3, "WALKED": 2}.items():
        monkeypatch.setattr(search, name, value)
    case, lead = rows.case(), rows.lead()
    days = [30, 20, 1, 40, 25, 25, 3, 50, 2, 10]
    came = [brought(case if one % 2 else lead, ago(days=one), text=f"word {one}") for one in days]
    wanted = [came[at] for at in sorted(range(10), key=lambda at: (-days[at], at), reverse=True)]
    for typed, fits in (
        ("word", wanted),
        ("", wanted),
        ("word 25", [came[5], came[4]]),
        ("missing", []),
        ("word kind:case", [one for one in wanted if days[came.index(one)] % 2]),
        ("kind:lead", [one for one in wanted if not days[came.index(one)] % 2]),
        ("word kind:case missing", []),
        (f"word after:{ago(days=35).date()} before:{ago(days=9).date()}", wanted[3:8]),
    ):
        assert find(typed) == fits, typed
        shown = found = find(typed, limit=2)
        while found:
            found = find(typed, limit=2, before=found[-1])
            shown = shown + found
        assert shown == fits, typed


@pytest.mark.both
def test_only_mail_that_came_out_of_order_marks_the_store(store: Store) -> None:
    case = rows.case()
    rows.message(case, received=ago(days=9))
    with sql.transaction():
        brought(case, ago(days=8))
        brought(case, ago(days=8))
        brought(case, ago(days=7))
    assert not index.is_by_date()
    with pytest.raises(KeyError), sql.transaction():
        brought(case, ago(days=8))
        raise KeyError
    assert not index.is_by_date()
    with sql.transaction():
        brought(case, ago(days=6))
        brought(case, ago(days=8))
    assert index.is_by_date()


def brought(thread: int, received: datetime, **columns: str) -> int:
    """As `import` makes a message."""
    with sql.transaction():
        number = rows.message(thread, received=received, **columns)
        index.brought(number)
    return number


def test_a_copy_that_was_cut_short_is_left_to_the_whole_letter(store: Store) -> None:
    case = rows.case()
    short = rows.message(case, text="The printer")
    whole = rows.message(case, text="The printer burns.")
    messages.change_message(short, superseded_by=whole)
    assert find("printer") == [whole]


FILTERS = [
    ("kind:case", [1, 2]),
    ("kind:lead", [3]),
    ("kind:nothing", []),
    ("state:open", [1]),
    ("state:done", [2]),
    ("closed", [2]),
    ("unfinished", [1, 3]),
    ("section:support", [1]),
    ("section:support,sales", [1, 2]),
    ("responsible:bob", [1]),
    ("mine", [1]),
    ("unassigned", [3]),
    ("priority:high", [1]),
    ("late", [1]),
    ("partner:ann", [2]),
    ("after:2026-11-24", [3]),
    ("before:2026-11-24", [1, 2]),
    ("after:2026-11-23 before:2026-11-24", [2]),
    ("after:2030-01-01", []),
    ("before:2001-01-01", []),
    ("has:attachment", [2]),
    ("has:attachment kind:case before:2026-11-24 closed from:ann", [2]),
    ("has:attachment kind:lead", []),
]


@pytest.mark.both
@pytest.mark.parametrize("few", [search.FEW, 0], ids=["few records", "many records"])
@pytest.mark.parametrize("word", ["", "printer", "missing"])
def test_what_a_query_asks_of_the_record(store: Store, monkeypatch: pytest.MonkeyPatch, few: int, word: str) -> None:
    """The same is found whether few records fit, whose messages are looked up, or many."""
    monkeypatch.setattr(search, "FEW", few)
    bob = rows.user("bob")
    ann = rows.contact("Ann", "ann@customer.example")
    support, sales = rows.section("support"), rows.section("sales")
    first = rows.case(section_id=support, responsible_id=bob, priority=2, deadline=ago(days=1))
    second = rows.case(state="done", section_id=sales, partner_id=ann, responsible_id=rows.user("cy"))
    third = rows.lead()
    found = {
        rows.message(first, text="printer", received=ago(days=2)): 1,
        rows.message(second, "ann@customer.example", text="printer", received=ago(days=1)): 2,
        rows.message(third, text="printer"): 3,
    }
    messages.put_attachments(list(found)[1], [PHOTO])
    for typed, wanted in FILTERS:
        numbers = [] if word == "missing" else wanted[::-1]
        assert [found[one] for one in find(f"{word} {typed}", user=bob)] == numbers, typed


ANYTHING = [
    '"', '""', '"""', "'", "*", "a*", "^a", "-a", "+a", "a AND", "OR", "NOT a", "NEAR(a b)", "a NEAR/2 b", "(a", "a)",
    "{x}:", "words:a", "words : a", ":", "a:", ":a", "from:", "from:*", 'from:"', "\\", "%", "_", "a_b", "a\0b", "👍",
    "\ud800", "' OR 1=1 --", "; DROP TABLE crm_message", "&", "|", "!", "a & b", "<->", "a:*", "\u0301", "ﬁ",
    "x" * 100_000, "word " * 10_000, " ".join(f"w{one}" for one in range(10_000)), f'"{"a b " * 5_000}"',
    'before:2026-01-01 " *', 'category:"', "9" * 400,
]  # fmt: skip


@pytest.mark.both
def test_any_input_is_a_query(store: Store) -> None:
    message = rows.message(rows.case(), "a@example.com", text="a b words word near")
    for typed in ANYTHING:
        assert find(typed) in ([], [message]), typed[:80]
        assert find(f"{typed} missing") == [], typed[:80]


@pytest.mark.both
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(), st.text())
def test_no_input_fails(store: Store, typed: str, sender: str) -> None:
    search.numbers(parse([typed], understand), limit=5, now=NOW)
    search.numbers(Query(words=(typed,), sender=sender), limit=5)


def has_old_case(letter: str) -> bool:
    """SQLite knows the letter cases of Unicode 6.1, and not those that were found for Cherokee, say, since."""
    return letter.lower() == letter or all(
        ucd_3_2_0.category(one) in ("Lu", "Lt", "Ll") for one in (letter, letter.lower()[0])
    )


WORD = st.text(st.characters(categories=["L", "N"], max_codepoint=0x9FFF).filter(has_old_case), min_size=1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(WORD), st.sampled_from(" \n\t.,;:!?-_/()<>«»…—€"), st.data())
def test_a_message_is_found_by_any_word_of_its_own(
    store: Store, parts: list[str], sign: str, data: st.DataObject
) -> None:
    text = sign.join(parts)
    message = rows.message(rows.case(), text=text)
    mine = words(text)
    if mine:
        word = data.draw(st.sampled_from(mine))
        for typed in (word, word[: max(3, len(word) - 1)]):
            assert message in search.numbers(Query(words=(typed,)), limit=999), typed


# --- kept current -------------------------------------------------------------------------------------------


@pytest.mark.both
def test_an_edit_and_its_undoing(store: Store) -> None:
    message = rows.message(rows.case(), subject="Ёлка", text="déjà vu")
    with sql.transaction():
        changes = undoable.update("message", message, text="other words")
    assert (find("deja"), find("other"), find("елка")) == ([], [message], [message])
    check_current()
    with sql.transaction():
        undoable.revert(changes)
    assert (find("deja"), find("other"), find("елка")) == ([message], [], [message])
    check_current()


def test_two_changes_in_one_transaction(store: Store) -> None:
    message = rows.message(rows.case(), text="first")
    with sql.transaction():
        undoable.update("message", message, text="second")
        messages.change_message(message, text="third")
    assert (find("first"), find("second"), find("third")) == ([], [], [message])
    check_current()


def test_a_text_that_was_changed_past_us(store: Store) -> None:
    """The index does not know the words that it should take out; the message can be edited all the same."""
    message = rows.message(rows.case(), text="first")
    sql.run("UPDATE crm_message SET text = ? WHERE id = ?", "words that nobody told the index of", message)
    with sql.transaction():
        undoable.update("message", message, text="third")
    assert find("third") == [message]
    with sql.transaction():
        index.clear()
        index.put(index.lost(9))
    assert (find("first"), find("third")) == ([], [message])
    assert not [one for one in soundness.damages(store) if one.check == "integrity"]


@pytest.mark.both
def test_an_attachment_that_goes_and_comes_again(store: Store) -> None:
    with sql.transaction():
        message = rows.message(rows.case())
        messages.put_attachments(message, [PHOTO])
    (file,) = messages.attachments([message])
    with sql.transaction():
        changes = undoable.delete("attachment", file.id)
    assert find("photo") == []
    check_current()
    with sql.transaction():
        undoable.revert(changes)
    assert find("photo") == [message]
    check_current()


def test_a_message_that_is_taken_back(store: Store) -> None:
    case = rows.case()
    changes: list[undoable.Change] = []
    with sql.transaction(), undoable.made(changes):
        rows.message(case, "ann@example.com", text="word")
    with sql.transaction():
        undoable.revert(changes)
    assert find("word") == []
    check_current()


@pytest.mark.both
def test_what_a_savepoint_takes_back(store: Store) -> None:
    """The number of a message that was taken back may be given again, and a change that was taken back is none."""
    case = rows.case()
    old = rows.message(case, text="old")
    with sql.transaction():
        with pytest.raises(KeyError), sql.transaction():
            rows.message(case, text="gone")
            undoable.update("message", old, text="changed")
            raise KeyError
        undoable.update("message", old, subject="more")
        new = rows.message(case, text="new")
    assert (find("gone"), find("changed"), find("old more"), find("new")) == ([], [], [old], [new])
    check_current()


def test_a_transaction_that_is_taken_back(store: Store) -> None:
    case = rows.case()
    with pytest.raises(KeyError), sql.transaction():
        rows.message(case, text="gone")
        raise KeyError
    rows.message(case, text="new")
    assert find("gone") == []
    check_current()


def test_of_a_monster_its_beginning(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "LONGEST", 1_000)
    message = rows.message(rows.case(), text="ё first " + "word " * 400 + "last")
    assert (find("first"), find("last")) == ([message], [])
    check_current()


@pytest.mark.both
def test_a_store_from_before_is_filled_a_part_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "PART", 3)
    case = rows.case()
    numbers = [rows.message(case, text="word") for _ in range(10)]
    with sql.transaction():
        index.forget(numbers[:8])
    assert find("word") == numbers[:7:-1]
    assert index.lost(99) == numbers[:8]
    steps: list[None] = []
    with pytest.raises(KeyError):  # cut off in the middle, it goes on from there
        upkeep.fill(store, lambda: _raise(len(steps), steps))
    assert index.missing() == 5
    assert upkeep.fill(store) == 5
    assert find("word") == numbers[::-1]
    check_current()


def _raise(count: int, steps: list[None]) -> None:
    if count == 2:
        raise KeyError
    steps.append(None)


@pytest.mark.sqlite
def test_what_is_no_message_and_what_is_not_found_is_reported(store: Store) -> None:
    """PostgreSQL has a foreign key for the first."""
    case = rows.case()
    first, last = rows.message(case, text="word"), rows.message(case, text="word")
    sql.run("DELETE FROM crm_search_docsize WHERE id = ?", first)
    sql.run("DELETE FROM crm_message WHERE id = ?", last)
    found = [(one.table, one.row) for one in soundness.damages(store) if one.check == "index"]
    assert found == [("crm_message", first), ("crm_search", last)]
