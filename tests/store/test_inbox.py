"""Inbox items and stars: of one user each, and the message does not change because of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from store import rows
from store.rows import NOW, ago

from crmmail.core.message import Part
from crmmail.core.query import parse
from crmmail.errors import NotFound
from crmmail.store import tables as t
from crmmail.store.engine import sql
from crmmail.store.engine.database import Store
from crmmail.store.history import undoable
from crmmail.store.letters import inbox, messages
from crmmail.store.lists import items
from crmmail.store.people import directory


def understand(words: str) -> datetime:
    return datetime.fromisoformat(words).replace(tzinfo=NOW.tzinfo)


@pytest.fixture
def shop(store: Store) -> dict[str, int]:
    with store.transaction():
        return filled()


def filled() -> dict[str, int]:
    """Bob's inbox: letters about a case and a lead, a state, a letter in quarantine; the newest last."""
    bob, ann = rows.user("bob"), rows.user("ann")
    support = rows.section("support")
    case = rows.case(section=support, responsible=bob, deadline=ago(days=1))
    lead = rows.lead("An offer?", state="lost", responsible=ann)
    made = {
        "help": rows.message(
            case, "ann@customer.example", subject="Help!", text="Ink smells", received=ago(days=3), from_name="Ann"
        ),
        "offer": rows.message(lead, "jo@x.example", subject="Сколько стоит?", received=ago(days=2)),
        "state": rows.message(case, kind="system", subtype="state", text="open → done", internal=True, author=ann),
        "held": rows.quarantined(
            "no-route", subject="Lost letter", text="to nobody", from_address="eve@evil.example", received=ago(days=1)
        ),
    }
    messages.put_attachments(made["offer"], [Part(1, "log.txt", "text/plain", b"x", "", False)])
    inbox.put_notification(bob, "follower", NOW, message=made["help"], thread=case)
    inbox.put_notification(bob, "follower", NOW, message=made["offer"], thread=lead)
    inbox.put_notification(bob, "follower", NOW, message=made["state"], thread=case)
    inbox.put_notification(bob, "admin", NOW, quarantine=made["held"])
    inbox.put_notification(ann, "addressed", NOW, message=made["help"], thread=case)
    return {**made, "bob": bob, "ann": ann, "case": case, "lead": lead}


def listed(shop: dict[str, int], who: str = "bob", typed: str = "", **options: Any) -> str:
    """The names of somebody's items."""
    found = items.items(shop[who], parse([typed], understand), now=NOW, **options)
    by_message = {shop[name]: name for name in ("help", "offer", "state")}
    return " ".join("held" if one.quarantine else by_message[one.message or 0] for one in found)


FOUND = {
    "": "held state offer help",
    "ink": "help",
    "HELP": "help",
    "burns": "state help",  # a word of the record's title
    "СКОЛЬКО": "offer",
    "lost": "held",
    "nobody": "held",
    "from:ann": "help",
    "from:evil": "held",
    "kind:case": "state help",
    "kind:leads": "offer",
    "state:lost": "offer",
    "section:support": "state help",
    "responsible:ann": "offer",
    "mine": "state help",
    "late": "state help",
    "has:attachment": "offer",
    "after:2026-11-22": "held state offer",
    "before:2026-11-22": "help",
    "before:2026-11-24": "held offer help",
    "ink kind:lead": "",
    "\udcff": "",
}


@pytest.mark.parametrize(("typed", "names"), FOUND.items(), ids=[ascii(typed) for typed in FOUND])
def test_finding(shop: dict[str, int], typed: str, names: str) -> None:
    assert listed(shop, typed=typed) == names


def test_everybody_has_his_own(shop: dict[str, int]) -> None:
    assert listed(shop, "ann") == "help"
    assert items.counts(shop["bob"]) == (4, 0)
    assert items.counts(shop["ann"]) == (1, 0)
    assert items.counts(99) == (0, 0)


def test_an_item_tells_of_its_message_and_record(shop: dict[str, int]) -> None:
    held, state, _, help_item = items.items(shop["bob"])
    assert (help_item.record, help_item.kind, help_item.title) == (shop["case"], "case", "The printer burns")
    assert (help_item.message, help_item.subject, help_item.text) == (shop["help"], "Help!", "Ink smells")
    assert (help_item.from_name, help_item.from_address) == ("Ann", "ann@customer.example")
    assert (help_item.date, help_item.unread, help_item.starred) == (ago(days=3), True, False)
    assert (state.message_kind, state.subtype, state.internal, state.author) == ("system", "state", True, "ann")
    assert (held.record, held.message, held.quarantine, held.reason) == (None, None, shop["held"], "no-route")
    assert (held.subject, held.from_address, held.date) == ("Lost letter", "eve@evil.example", ago(days=1))


def test_listing_changes_nothing(shop: dict[str, int]) -> None:
    before = list(t.Notification.select().dicts()), list(t.Message.select().dicts())
    items.items(shop["bob"])
    items.items(shop["bob"], unread_only=False, starred_only=True)
    assert (list(t.Notification.select().dicts()), list(t.Message.select().dicts())) == before


def test_telling_twice_tells_once(shop: dict[str, int]) -> None:
    inbox.put_notification(shop["bob"], "mentioned", NOW, message=shop["help"], thread=shop["case"])
    inbox.put_notification(shop["bob"], "admin", NOW, quarantine=shop["held"])
    assert listed(shop) == "held state offer help"


def test_what_is_done_leaves_and_can_come_back(shop: dict[str, int]) -> None:
    gone = inbox.unread(shop["bob"], thread=shop["case"])
    inbox.set_done(gone, NOW)
    assert listed(shop) == "held offer"
    assert listed(shop, unread_only=False) == "held state offer help"
    assert listed(shop, "ann") == "help"
    assert sorted(inbox.messages_of(gone)) == sorted([shop["help"], shop["state"]])
    inbox.set_done(gone, None)
    assert listed(shop) == "held state offer help"


def test_only_so_many(shop: dict[str, int]) -> None:
    assert listed(shop, limit=2) == "held state"


def test_items_of_somebody_else_are_refused(shop: dict[str, int]) -> None:
    (hers,) = inbox.unread(shop["ann"])
    mine = inbox.unread(shop["bob"])
    inbox.check_own(shop["bob"], mine)
    with pytest.raises(NotFound, match=f"no inbox item {hers}, 999 of yours"):
        inbox.check_own(shop["bob"], [mine[0], 999, hers, hers])


def test_a_decided_letter_leaves_every_inbox(shop: dict[str, int]) -> None:
    inbox.put_notification(shop["ann"], "manager", NOW, quarantine=shop["held"])
    items = inbox.about_quarantine(shop["held"])
    assert len(items) == 2
    inbox.set_done(items, NOW)
    assert (listed(shop), listed(shop, "ann")) == ("state offer help", "help")
    assert inbox.about_quarantine(shop["held"]) == []


def test_who_was_told(shop: dict[str, int]) -> None:
    inbox.set_done(inbox.unread(shop["ann"]), NOW)
    assert sorted(inbox.told(shop["help"])) == sorted(
        [(shop["bob"], "follower", True), (shop["ann"], "addressed", False)]
    )


# --- stars --------------------------------------------------------------------------------------------------


def star(user: int, message: int, created: datetime) -> None:
    with sql.transaction():
        undoable.insert("star", user=user, message=message, created=created)


def test_a_star_is_of_one_user_and_survives_reading(shop: dict[str, int]) -> None:
    star(shop["bob"], shop["help"], NOW)
    star(shop["bob"], shop["help"], NOW)
    inbox.set_done(inbox.unread(shop["bob"]), NOW)
    assert listed(shop, starred_only=True) == "help"
    assert listed(shop, "ann", starred_only=True) == ""
    assert items.counts(shop["bob"]) == (0, 1)
    assert inbox.starred(shop["bob"], shop["help"]) and not inbox.starred(shop["ann"], shop["help"])
    undoable.delete("star", [shop["ann"], shop["help"]])
    assert listed(shop, starred_only=True) == "help"
    undoable.delete("star", [shop["bob"], shop["help"]])
    assert listed(shop, starred_only=True) == ""


def test_a_star_needs_no_item_and_the_newest_star_comes_first(shop: dict[str, int]) -> None:
    star(shop["ann"], shop["offer"], ago(days=1))
    star(shop["ann"], shop["help"], ago(days=2))
    found = items.items(shop["ann"], starred_only=True)
    assert [(one.message, one.id is None, one.unread, one.starred) for one in found] == [
        (shop["offer"], True, False, True),
        (shop["help"], False, True, True),
    ]
    assert [one.starred for one in items.items(shop["ann"])] == [True]


def test_a_user_who_left_keeps_his_items(shop: dict[str, int]) -> None:
    directory.change_user(shop["bob"], active=False)
    assert items.counts(shop["bob"]) == (4, 0)
