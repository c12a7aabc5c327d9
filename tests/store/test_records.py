"""Listing and finding records, one query for all kinds; and what is written of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store import rows
from store.rows import NOW, ago

from crmmail.core.message import Part
from crmmail.core.query import parse
from crmmail.core.section import Candidate
from crmmail.errors import NotFound
from crmmail.store.engine.database import Store
from crmmail.store.letters import messages
from crmmail.store.lists import finding
from crmmail.store.people import directory, offices
from crmmail.store.work import records, workload


def understand(words: str) -> datetime:
    return datetime.fromisoformat(words).replace(tzinfo=NOW.tzinfo)


@pytest.fixture
def shop(store: Store) -> dict[str, int]:
    with store.transaction():
        return filled()


def filled() -> dict[str, int]:
    """Some records, each by a short name, the newest last."""
    bob, ann = rows.user("bob"), rows.user("ann")
    support, sales = rows.section("support"), rows.section("sales")
    jo = rows.contact("Jo Smith", "jo@smith.example", company="Smith & Sons")
    later = ago(days=1)
    made = {
        "burning": rows.case(
            "The printer burns", ago(days=9), section=support, responsible=bob, email="ann@customer.example"
        ),
        "ink": rows.case("Ink 100% empty", ago(days=8), section=support, partner_name="Анна Ильина", deadline=later),
        "done": rows.case("Paper jam", ago(days=7), state="done", section=sales, responsible=bob, deadline=later),
        "offer": rows.lead("An offer?", ago(days=6), section=sales, responsible=ann, partner=jo),
        "lost": rows.lead("ПРИНТЕР нужен", ago(days=5), state="lost", email="p@x.example"),
        "jo": jo,
    }
    records.change(jo, "contact", updated=ago(days=4))
    for number, name in enumerate(("burning", "ink", "done", "offer", "lost", "jo")):
        assert records.record(made[name]).updated == ago(days=9 - number)
    message = rows.message(made["burning"], "ann@customer.example", received=ago(days=9))
    messages.put_attachments(message, [Part(1, "log.txt", "text/plain", b"x", "", False)])
    return made


FOUND: dict[str, str] = {
    "": "jo lost offer done ink burning",
    "printer": "burning",
    "PRINTER": "burning",
    "burns printer": "burning",
    "printer ink": "",
    "принтер": "lost",
    "ильина": "ink",
    "%": "ink",
    "100%": "ink",
    "_": "",
    "customer.example": "burning",
    "smith": "jo offer",
    "sons": "jo",
    "from:ann@customer": "burning",
    "from:Jo": "jo offer",
    "from:анна": "ink",
    "kind:case": "done ink burning",
    "kind:leads": "lost offer",
    "kind:contact": "jo",
    "kind:x": "",
    "state:open": "ink burning",
    "state:done": "done",
    "state:new kind:lead": "offer",
    "section:support": "ink burning",
    "section:Sales": "offer done",
    "section:none": "",
    "responsible:bob": "done burning",
    "responsible:BOB": "done burning",
    "mine": "done burning",
    "mine state:open": "burning",
    "unassigned": "ink",
    "late": "ink",
    "after:2026-11-18": "jo lost offer",
    "before:2026-11-17": "ink burning",
    "after:2026-11-16 before:2026-11-18": "done ink",
    "after:2026-11-19T10:00": "jo lost",
    "before:2026-11-19T10:00": "offer done ink burning",
    "has:attachment": "burning",
    "has:attachment state:done": "",
    "from:ann": "burning",
    "nothing:here": "",
}


@pytest.mark.parametrize(("typed", "names"), FOUND.items(), ids=[typed or "all" for typed in FOUND])
def test_finding(shop: dict[str, int], typed: str, names: str) -> None:
    query = parse([typed], understand)
    found = list(records.listed(finding.numbers(query=query, user=directory.user("bob").id, now=NOW)))
    by_number = {number: name for name, number in shop.items()}
    assert " ".join(by_number[one.id] for one in found) == names


def test_by_kind_by_section_and_only_so_many(shop: dict[str, int]) -> None:
    assert finding.numbers("lead") == [shop["lost"], shop["offer"]]
    assert finding.numbers(sections=["sales"]) == [shop["offer"], shop["done"]]
    assert finding.numbers(sections=[]) == []
    assert finding.numbers(limit=2) == [shop["jo"], shop["lost"]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(st.characters(categories=("L", "M", "N", "P", "S", "Z", "C"))),
            st.builds("{}:{}".format, st.sampled_from("from kind state section responsible".split()), st.text()),
        ),
        max_size=4,
    )
)
def test_any_words_find_something_or_nothing(store: Store, typed: list[str]) -> None:
    query = parse(typed, understand)
    assert finding.numbers(query=query, user=1, now=NOW) == []


def test_words_that_are_no_text_find_nothing(shop: dict[str, int]) -> None:
    """A terminal hands over what is no UTF-8 as half surrogates."""
    assert finding.numbers(query=parse(["\udcff"], understand)) == []
    assert finding.numbers(query=parse(["from:\udcff"], understand)) == []


# --- one record ---------------------------------------------------------------------------------------------


def test_a_case_with_names_for_numbers(shop: dict[str, int]) -> None:
    support = offices.section("support").id
    number = rows.case(
        section=support,
        category=offices.put_category(support, "Printers"),
        responsible=directory.user("bob").id,
        partner=shop["jo"],
        priority=1,
        revenue=12.5,
        closed=NOW,
    )
    one = records.record(number)
    assert (one.kind, one.title, one.state, one.priority) == ("case", "The printer burns", "open", 1)
    assert (one.section, one.category, one.responsible) == ("support", "Printers", "bob")
    assert (one.partner, one.revenue, one.closed) == (records.Partner(shop["jo"], "Jo Smith"), 12.5, NOW)
    assert (one.created, one.updated, one.moved_to, one.author, one.address) == (NOW, NOW, None, "", "")


def test_a_contact_has_its_first_address_and_no_state(shop: dict[str, int]) -> None:
    directory.add_contact_address(shop["jo"], "a@smith.example")
    one = records.record(shop["jo"])
    assert (one.kind, one.state, one.email, one.company, one.priority) == (
        *("contact", "", "jo@smith.example", "Smith & Sons", None),
    )


@pytest.mark.parametrize("number", [0, -1, 999, 10**18 - 1])
def test_a_record_that_is_not_there(store: Store, number: int) -> None:
    with pytest.raises(NotFound, match=f"there is no record {number}"):
        records.record(number)


def test_a_new_message_makes_its_record_the_newest(shop: dict[str, int]) -> None:
    rows.message(shop["burning"], received=NOW)
    assert finding.numbers(limit=1) == [shop["burning"]]


@pytest.mark.parametrize(
    ("columns", "read"),
    [
        ({"title": "Ink"}, lambda one: one.title == "Ink"),
        ({"state": "done", "title": "Ink"}, lambda one: (one.state, one.title) == ("done", "Ink")),
        ({"address": "support@crm.example"}, lambda one: one.address == "support@crm.example"),
        ({"deadline": ago(days=-3)}, lambda one: one.deadline == ago(days=-3)),
    ],
)
def test_changing(store: Store, columns: dict[str, Any], read: Callable[[records.Record], bool]) -> None:
    number, other = rows.case(), rows.case()
    before = records.record(other)
    records.change(number, "case", **columns)
    assert read(records.record(number))
    assert records.record(other) == before


# --- around a record ----------------------------------------------------------------------------------------


def test_every_record_with_an_address(shop: dict[str, int]) -> None:
    other = rows.case(email="jo@smith.example")
    assert [one.id for one in finding.with_address("jo@smith.example")] == sorted([shop["jo"], shop["offer"], other])
    assert finding.with_address("nobody@x.example") == []


def test_what_is_related(shop: dict[str, int]) -> None:
    merged = rows.case(partner=shop["jo"])
    records.change(shop["ink"], "case", moved_to=merged)
    assert [one.id for one in finding.related(merged)] == sorted([shop["jo"], shop["offer"], shop["ink"]])
    assert [one.id for one in finding.related(shop["jo"])] == sorted([shop["offer"], merged])
    assert finding.related(shop["burning"]) == []


def test_linking_an_address_to_a_contact(shop: dict[str, int]) -> None:
    mine, taken = rows.lead(email="p@x.example"), rows.case(email="p@x.example", partner=shop["jo"])
    card = rows.contact("P", "p@x.example")
    assert records.link_partner("p@x.example", card) == sorted([shop["lost"], mine])
    assert records.record(taken).partner == records.Partner(shop["jo"], "Jo Smith")
    assert records.link_partner("p@x.example", card) == []


def test_counts(shop: dict[str, int]) -> None:
    bob, ann = directory.user("bob").id, directory.user("ann").id
    assert finding.counts(bob, NOW, ago(days=-1)) == {"mine": 1, "unassigned": 1, "late": 1, "today": 0}
    assert finding.counts(ann, ago(days=2), NOW) == {"mine": 1, "unassigned": 1, "late": 0, "today": 1}


def test_counts_of_an_empty_store(store: Store) -> None:
    assert finding.counts(1, NOW, NOW) == {"mine": 0, "unassigned": 0, "late": 0, "today": 0}


def test_titles_for_completion(store: Store) -> None:
    with store.transaction():
        numbers = [rows.case(f"Case {number}", ago(days=number)) for number in range(12)]
    assert finding.titles("1") == [(number, f"Case {number - 1}") for number in (1, 10, 11, 12)]
    assert len(finding.titles("")) == len(numbers)
    assert len(finding.titles("", limit=3)) == 3
    assert finding.titles("%") == []


def test_who_could_get_a_case_and_how_busy_he_is(store: Store) -> None:
    support, sales = rows.section("support"), rows.section("sales")
    bob, ann = rows.user("bob"), rows.user("ann")
    rows.user("gone", active=False)
    rows.case(section=support, responsible=bob, assigned=ago(days=2))
    rows.case(section=sales, responsible=bob, assigned=ago(days=1))
    rows.case(section=support, responsible=bob, assigned=ago(days=3), state="done")
    (first, second) = workload.candidates(support)
    assert (first.user, first.open_cases, first.last_assigned[:10]) == (bob, 2, "2026-11-22")
    assert second == Candidate(ann, 0, "")
