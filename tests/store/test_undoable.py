"""Changes as data, the journal, and putting rows back only where they are as the act left them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from store import rows
from store.rows import NOW, ago

from crmmail.errors import Changed
from crmmail.store import tables as t
from crmmail.store.engine import sql
from crmmail.store.engine.database import Store
from crmmail.store.engine.values import unjson
from crmmail.store.history import journal, undoable
from crmmail.store.history.undoable import Change
from crmmail.store.letters import outbox
from crmmail.store.people import followers


@pytest.fixture(autouse=True)
def transaction(store: Store) -> Iterator[None]:
    """Open around all that is done, as in every act."""
    with store.transaction():
        yield


@pytest.fixture
def case(store: Store) -> int:
    """A case, with a letter in it."""
    number = rows.case(priority=3)
    rows.message(number, "ann@customer.example")
    return number


def kept(changes: list[Change]) -> list[Change]:
    """The changes as the journal gives them back: through JSON."""
    number = journal.write(None, "root", NOW, "test", "a test", changes)
    written = unjson(sql.value("SELECT changes FROM crm_journal WHERE id = ?", number))
    return [Change(*change) for change in written]


def snapshot() -> dict[str, list[Any]]:
    """Every row of every journalled table."""
    models = {name: undoable._model(name) for name in undoable.JOURNALLED}
    return {
        name: list(model.select().order_by(*model._meta.get_primary_keys()).dicts()) for name, model in models.items()
    }


# --- changes ------------------------------------------------------------------------------------------------


def test_an_update_tells_what_changed_and_only_that(case: int) -> None:
    assert undoable.update("case", case, state="done", priority=3, closed=NOW) == [
        Change("case", case, "state", "open", "done"),
        Change("case", case, "closed", None, "2026-11-24 10:00:00.000000"),
    ]
    row = t.Case.get_by_id(case)
    assert (row.state, row.closed) == ("done", NOW)


def test_an_update_that_changes_nothing_is_no_change(case: int) -> None:
    assert undoable.update("case", case, state="open", priority=3) == []


def test_an_update_of_a_row_that_is_gone(store: Store) -> None:
    with pytest.raises(Changed, match="case 999 is gone"):
        undoable.update("case", 999, state="done")


def test_a_record_s_title_belongs_to_its_thread(case: int) -> None:
    assert undoable.update_record(case, "case", title="Ink", state="done") == [
        Change("thread", case, "title", "The printer burns", "Ink"),
        Change("case", case, "state", "open", "done"),
    ]


def test_an_insert_tells_the_key_once(case: int) -> None:
    bob, message = rows.user("bob"), t.Message.get().id
    first = undoable.insert("star", user=bob, message=message, created=NOW)
    assert first == [Change("star", [bob, message], "*", None, None)]
    assert undoable.insert("star", user=bob, message=message, created=NOW) == []


def test_a_delete_keeps_the_whole_row(case: int) -> None:
    number = followers.put_follower(case, ago(days=1), address="ann@customer.example", types=["discussion"])
    (change,) = undoable.delete("follower", number)
    assert change[:3] == ("follower", number, "*")
    assert change.before["address"] == "ann@customer.example"
    assert change.before["types"] == '["discussion"]'
    assert undoable.delete("follower", number) == []


def test_made_collects_every_new_row(case: int) -> None:
    bob = rows.user("bob")
    changes: list[Change] = []
    with undoable.made(changes):
        other = rows.lead()
        message = rows.message(other, "ann@customer.example")
        followers.put_follower(other, NOW, user=bob)
        t.Notification.create(user=bob, message=message, thread=other, why="follower", created=NOW)
    made = {(change.table, change.key) for change in changes}
    assert {("thread", other), ("lead", other), ("message", message)} <= made
    assert sorted(change.table for change in changes) == [
        *("follower", "lead", "message", "message_address", "notification", "thread"),
    ]
    assert all(change.field == "*" and change.before is None for change in changes)


# --- undoing ------------------------------------------------------------------------------------------------


class World(NamedTuple):
    """What is there before an act."""

    case: int
    other: int
    message: int
    bob: int
    ann: int
    item: int
    follower: int


@pytest.fixture
def world(case: int) -> World:
    """The case; another one; bob, who has a star on the message and its item; ann, who follows the case."""
    bob, ann, message = rows.user("bob"), rows.user("ann"), t.Message.get().id
    item = t.Notification.create(user=bob, message=message, thread=case, why="follower", created=ago(days=1))
    follower = followers.put_follower(case, ago(days=2), user=ann, types=["note"])
    undoable.insert("star", user=bob, message=message, created=ago(days=3))
    return World(case, rows.case("Another"), message, bob, ann, item.id, follower or 0)


def _file(world: World) -> list[Change]:
    changes: list[Change] = []
    with undoable.made(changes):
        number = rows.lead()
        rows.message(number, "ann@customer.example", "sales@crm.example", "jo@customer.example")
        followers.put_follower(number, NOW, address="jo@customer.example")
    return changes


ACTS: dict[str, Callable[[World], list[Change]]] = {
    "a state": lambda its: undoable.update("case", its.case, state="done", closed=NOW),
    "a title": lambda its: undoable.update_record(its.case, "case", title="Ink"),
    "numbers": lambda its: undoable.update("case", its.case, priority=1, revenue=12.5, probability=0.0),
    "a responsible": lambda its: undoable.update("case", its.case, responsible=its.bob, assigned=NOW),
    "one after another": lambda its: [
        *undoable.update("case", its.case, state="pending"),
        *undoable.update("case", its.case, state="done"),
    ],
    "a message moved": lambda its: undoable.update("message", its.message, thread=its.other),
    "a redirect": lambda its: undoable.update_record(its.case, "case", moved_to=its.other),
    "done": lambda its: undoable.update("notification", its.item, done=NOW),
    "other subscriptions": lambda its: undoable.update("follower", its.follower, types=None),
    "a star": lambda its: undoable.insert("star", user=its.ann, message=its.message, created=NOW),
    "a star taken away": lambda its: undoable.delete("star", [its.bob, its.message]),
    "a follower taken away": lambda its: undoable.delete("follower", its.follower),
    "a letter filed": _file,
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_what_was_done_is_put_back(world: World, act: Callable[[World], list[Change]]) -> None:
    before = snapshot()
    changes = kept(act(world))
    assert changes and snapshot() != before
    undoable.revert(changes)
    assert snapshot() == before


MAKING = ("a star", "a letter filed")


@pytest.mark.parametrize("act", [act for act in ACTS if act not in MAKING])
def test_what_was_put_back_is_not_put_back_again(world: World, act: str) -> None:
    changes = kept(ACTS[act](world))
    undoable.revert(changes)
    with pytest.raises(Changed):
        undoable.revert(changes)


@pytest.mark.parametrize("act", MAKING)
def test_what_is_gone_already_need_not_go(world: World, act: str) -> None:
    changes = kept(ACTS[act](world))
    undoable.revert(changes)
    before = snapshot()
    undoable.revert(changes)
    assert snapshot() == before


def test_a_later_change_is_not_overwritten(store: Store, case: int) -> None:
    changes = kept(undoable.update("case", case, state="done", priority=1))
    undoable.update("case", case, state="open")
    with pytest.raises(Changed, match="the state was changed since"):
        undoable.revert(changes)
    assert t.Case.get_by_id(case).state == "open"


def test_a_later_change_of_another_column_does_not_matter(case: int) -> None:
    changes = kept(undoable.update("case", case, state="done"))
    undoable.update("case", case, priority=1)
    undoable.revert(changes)
    row = t.Case.get_by_id(case)
    assert (row.state, row.priority) == ("open", 1)


def test_a_row_that_is_gone_counts_as_changed(case: int) -> None:
    number = followers.put_follower(case, NOW, user=rows.user("bob"))
    changes = kept(undoable.update("follower", number, types=["note"]))
    undoable.delete("follower", number)
    with pytest.raises(Changed, match="the types was changed since"):
        undoable.revert(changes)


def test_a_row_that_came_back_counts_as_changed(case: int) -> None:
    bob, message = rows.user("bob"), t.Message.get().id
    undoable.insert("star", user=bob, message=message, created=NOW)
    changes = kept(undoable.delete("star", [bob, message]))
    undoable.insert("star", user=bob, message=message, created=NOW)
    with pytest.raises(Changed, match="is there again already"):
        undoable.revert(changes)


def test_what_newer_things_hang_on_cannot_go(store: Store) -> None:
    changes: list[Change] = []
    with undoable.made(changes):
        number = rows.lead()
    rows.message(number, "ann@customer.example")
    with (
        pytest.raises(Changed, match=f"record {number} cannot go again: something newer hangs on it"),
        store.transaction(),
    ):
        undoable.revert(kept(changes))
    assert t.Lead.get_by_id(number).state == "new"


# --- the journal --------------------------------------------------------------------------------------------


def test_the_journal_tells_who_did_what(case: int) -> None:
    bob = rows.user("bob")
    changes = undoable.update("case", case, state="done")
    number = journal.write(bob, "bsmith", NOW, "close", f"closed {case}", changes, thread=case)
    (entry,) = journal.last(bob, 9)
    assert entry == (number, bob, "bob", "bsmith", NOW, "close", f"closed {case}", case, changes, True, None)
    (line,) = journal.listed(journal.numbers(9, thread=case))
    assert line == (number, "bob", "bsmith", NOW, "close", f"closed {case}", case, None)


def test_the_last_acts_oldest_first(case: int) -> None:
    other = rows.case()
    first, second, third = (journal.write(None, "", NOW, "note", "", thread=one) for one in (case, other, case))
    assert journal.numbers(9) == [first, second, third]
    assert journal.numbers(2) == [second, third]
    assert journal.numbers(9, before=third) == [first, second]
    assert journal.numbers(9, thread=case) == [first, third]
    assert journal.numbers(1, thread=case, before=third) == [first]
    assert [one.id for one in journal.listed([third, 99, first])] == [third, first]


def test_only_undoable_acts_of_his_own_are_offered_newest_first(case: int) -> None:
    bob, ann = rows.user("bob"), rows.user("ann")
    change = [Change("case", case, "state", "open", "done")]
    first = journal.write(bob, "", NOW, "close", "first", change)
    journal.write(ann, "", NOW, "close", "ann's", change)
    journal.write(bob, "", NOW, "purge", "not to be undone", change, undoable=False)
    journal.write(bob, "", NOW, "nothing", "changed nothing", [])
    second = journal.write(bob, "", NOW, "close", "second", change)
    undone = journal.write(bob, "", NOW, "close", "taken back already", change)
    journal.mark_undone(undone, NOW)
    assert [entry.id for entry in journal.last(bob, 9)] == [second, first]
    assert [entry.id for entry in journal.last(bob, 1)] == [second]
    assert [line.sentence for line in journal.listed(journal.numbers(2))] == ["second", "taken back already"]


def test_who_changed_the_same_thing_later(case: int) -> None:
    bob, ann = rows.user("bob"), rows.user("ann")
    mine = undoable.update("case", case, state="done")
    number = journal.write(bob, "", NOW, "close", "closed", mine)
    assert journal.who_changed(mine[0], number) == ""
    journal.write(ann, "", NOW, "set", "priority", undoable.update("case", case, priority=1))
    assert journal.who_changed(mine[0], number) == ""
    journal.write(ann, "", NOW, "open", "opened", undoable.update("case", case, state="open"))
    assert journal.who_changed(mine[0], number) == "ann"


# --- many rows ----------------------------------------------------------------------------------------------


@pytest.fixture
def three(case: int) -> list[int]:
    """Messages: two of the case, one of another one."""
    return [t.Message.get().id, rows.message(case), rows.message(rows.case("Ink"))]


def threads(messages: list[int]) -> list[int]:
    return [t.Message.get_by_id(one).thread_id for one in messages]


def test_a_column_of_many_rows_is_one_change_for_each_value_before(case: int, three: list[int]) -> None:
    third, target = t.Message.get_by_id(three[2]).thread_id, rows.case("All")
    there = rows.message(target)
    changes = undoable.update_all("message", [*three, there, 999], "thread", target)
    assert changes == [
        Change("message", three[:2], "thread", case, target),
        Change("message", three[2:], "thread", third, target),
    ]
    assert threads([*three, there]) == [target] * 4
    assert undoable.update_all("message", three, "thread", target) == []
    undoable.revert(kept(changes))
    assert threads([*three, there]) == [case, case, third, target]


def test_a_column_of_many_rows_that_had_none(three: list[int]) -> None:
    changes = undoable.update_all("message", three, "message_id", "1@crm.example")
    assert changes == [Change("message", three, "message_id", None, "1@crm.example")]
    assert undoable.update_all("message", three, "message_id", None)[0].after is None
    with pytest.raises(Changed, match="the message_id was changed since"):
        undoable.revert(changes)


def test_of_many_rows_all_must_be_as_they_were_left(case: int, three: list[int]) -> None:
    target, ann = rows.case("All"), rows.user("ann")
    changes = undoable.update_all("message", three, "thread", target)
    number = journal.write(None, "root", NOW, "merge", "merged", changes)
    assert journal.who_changed(changes[0], number) == ""
    moved = undoable.update("message", three[1], thread=case)
    journal.write(ann, "", NOW, "move-message", "moved", moved)
    with pytest.raises(Changed, match="the thread was changed since"):
        undoable.revert(changes)
    assert journal.who_changed(changes[0], number) == "ann"
    journal.write(ann, "", NOW, "merge", "merged", undoable.update_all("message", three[1:2], "thread", target))
    assert journal.who_changed(moved[0], number + 1) == "ann"


def test_more_rows_than_a_statement_has_parameters(three: list[int]) -> None:
    (change,) = undoable.update_all("message", range(1, 300_000), "subject", "Ink")
    assert change.key == three


@pytest.mark.parametrize("name", undoable.JOURNALLED)
def test_every_column_of_a_journalled_table_fits_into_json(store: Store, name: str) -> None:
    values = {"UTCField": NOW, "JSONText": ["a"], "BooleanField": True, "FloatField": 1.5, "BlobField": None}
    for field in undoable._model(name)._meta.sorted_fields:
        plain = undoable._plain(field, values.get(type(field).__name__, 1))
        assert json.loads(json.dumps(plain)) == plain


@pytest.mark.parametrize("name", undoable.JOURNALLED)
def test_it_knows_which_rows_belong_to_a_record(name: str) -> None:
    meta = undoable._model(name)._meta
    assert ("thread" in meta.fields and meta.primary_key.name != "thread") == (name in undoable._OF_A_RECORD)


def test_deliveries_are_rows_like_others(case: int) -> None:
    message = t.Message.get().id
    number = outbox.put_delivery(
        message, case, address="ann@customer.example", purpose="mail", identifier="1@crm", due=NOW, created=NOW
    )
    changes = undoable.update("delivery", number, state="cancelled", reason="thought better of it")
    undoable.revert(kept(changes))
    assert outbox.deliveries(messages=[message])[0].state == "queued"
