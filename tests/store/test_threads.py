"""What the store knows of a letter: who takes part in which record, what became of records, how much was written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from store import rows
from store.rows import NOW, ago

from crmmail.core.known import Known, Question
from crmmail.core.message import Part
from crmmail.store import tables as t
from crmmail.store.engine.database import Store
from crmmail.store.letters import messages, threads
from crmmail.store.people import followers, offices

ANN, EVE = "ann@customer.example", "eve@evil.example"


def question(**changes: Any) -> Question:
    return Question("2@customer.example", "decaf", ANN, (), (), (), None, 120)._replace(**changes)


def known(**changes: Any) -> Known:
    return threads.known(question(**changes), NOW)


def follow(thread: int, **who: Any) -> None:
    followers.put_follower(thread, NOW, **who)


def move(thread: int, to: int) -> None:
    t.Thread.update(moved_to=to).where(t.Thread.id == thread).execute()


def test_an_empty_store_knows_nothing(store: Store) -> None:
    facts = known(answered=("x@y",), threads=(1, 999), addresses=(ANN,), section="support")
    assert facts == Known()


# --- who takes part -----------------------------------------------------------------------------------------

ROLES: dict[str, tuple[Callable[[], int], str]] = {
    "its e-mail (case)": (lambda: rows.case(email=ANN), "its e-mail"),
    "its e-mail (lead)": (lambda: rows.lead(email=ANN), "its e-mail"),
    "its partner's address": (
        lambda: rows.case(partner=rows.contact("Ann", "old@customer.example", ANN)),
        "its partner, or of the same company",
    ),
    "a lead's partner": (lambda: rows.lead(partner=rows.contact("Ann", ANN)), "its partner, or of the same company"),
    "a colleague of its partner": (
        lambda: [rows.contact("Ann", ANN, company="Acme"), rows.case(partner=rows.contact("Jo", company="ACME"))][1],
        "its partner, or of the same company",
    ),
    "a follower by address": (lambda: following(rows.case(), address=ANN), "follower"),
    "a follower by card": (lambda: following(rows.case(), contact=rows.contact("Ann", ANN)), "follower"),
    "who wrote to it": (lambda: spoken(sender=ANN), "named in the conversation"),
    "who was written to": (lambda: spoken(to=ANN, kind="email_out"), "named in the conversation"),
    "who stood in Cc": (lambda: spoken(cc=f"x@y.example {ANN}"), "named in the conversation"),
    "the contact itself": (lambda: rows.contact("Ann", ANN), "the contact itself"),
}


def following(thread: int, **who: Any) -> int:
    follow(thread, **who)
    return thread


def spoken(**message: Any) -> int:
    thread = rows.case()
    rows.message(thread, **message)
    return thread


@pytest.mark.parametrize(("make", "role"), ROLES.values(), ids=ROLES)
def test_who_takes_part_and_as_what(store: Store, make: Callable[[], int], role: str) -> None:
    thread = make()
    other = rows.case("Another's", email="other@customer.example")
    assert known(threads=(thread, other)).takes_part == {thread: role}
    assert known(threads=(thread, other), sender=EVE).takes_part == {}
    assert known(threads=(thread, other), sender="").takes_part == {}


STRANGERS: dict[str, Callable[[], int]] = {
    "the same domain": lambda: rows.case(email="jo@customer.example"),
    "no company is not the same company": lambda: [
        rows.contact("Ann", ANN),
        rows.case(partner=rows.contact("Jo", "jo@customer.example")),
    ][1],
    "another company": lambda: [
        rows.contact("Ann", ANN, company="Acme"),
        rows.case(partner=rows.contact("Jo", company="Acme Ltd")),
    ][1],
    "who was named in a note only": lambda: spoken(to=ANN, kind="note", subtype="note", internal=True),
    "a partner without that address": lambda: rows.case(partner=rows.contact("Ann", "old@customer.example")),
    "a follower of another record": lambda: [following(rows.case(), address=ANN), rows.case()][1],
}


@pytest.mark.parametrize("make", STRANGERS.values(), ids=STRANGERS)
def test_who_takes_no_part(store: Store, make: Callable[[], int]) -> None:
    assert known(threads=(make(),)).takes_part == {}


# --- records, redirects, parents ----------------------------------------------------------------------------


def test_a_merged_record_lives_on_in_another(store: Store) -> None:
    first, second, last = rows.case(), rows.case(), rows.case(email=ANN)
    move(first, second)
    move(second, last)
    facts = known(threads=(first,))
    assert (facts.threads, facts.redirects) == ({last}, {first: last})
    assert facts.takes_part == {last: "its e-mail"}


def test_two_records_that_live_on_in_the_same(store: Store) -> None:
    one, other, last = rows.case(), rows.case(), rows.case()
    move(one, last)
    move(other, last)
    facts = known(threads=(one, other, last))
    assert (facts.threads, facts.redirects) == ({last}, {one: last, other: last})


def test_records_of_one_chain(store: Store) -> None:
    one, other, last = rows.case(), rows.case(), rows.case()
    move(one, other)
    move(other, last)
    assert known(threads=(one, other)).redirects == {one: last, other: last}


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_circle_of_merges_ends(store: Store, length: int) -> None:
    ring = [rows.case() for _ in range(length)]
    for at, thread in enumerate(ring):
        move(thread, ring[(at + 1) % length])
    sound = rows.case()
    facts = known(threads=(*ring, sound))
    assert (facts.threads, facts.redirects) == ({sound}, {})


def test_stored_ids_lead_to_their_records(store: Store) -> None:
    one, other, last = rows.case(), rows.case(), rows.case()
    move(other, last)
    rows.message(one, message_id="1@x")
    rows.message(other, message_id="2@x")
    rows.message(one, message_id="4@x", kind="note", subtype="note", internal=True)
    facts = known(answered=("1@x", "2@x", "3@x", "4@x"))
    assert facts.parents == {"1@x": one, "2@x": other, "4@x": one}
    assert facts.internal_parents == {"4@x"}
    assert (facts.threads, facts.redirects) == ({one, last}, {other: last})


def test_of_two_messages_with_one_id_the_first_is_meant(store: Store) -> None:
    first, second = rows.case(), rows.case()
    rows.message(first, message_id="1@x")
    rows.message(second, message_id="1@x")
    assert known(answered=("1@x",)).parents == {"1@x": first}


# --- the shop -----------------------------------------------------------------------------------------------


def test_aliases_users_and_contacts_of_the_named_addresses(store: Store) -> None:
    support = rows.section("support")
    bob = rows.user("bob")
    rows.user("gone", active=False)
    offices.put_alias("support@crm.example", kind="case", section=support, policy="contacts", loop_limit=5)
    offices.put_alias("old@crm.example", kind="case", active=False)
    offices.put_alias("other@crm.example", kind="lead")
    cards = rows.contact("Ann", ANN), rows.contact("Ann again", ANN)
    named = ("support@crm.example", "old@crm.example", "bob@crm.example", "gone@crm.example", ANN)
    facts = known(addresses=named)
    (alias,) = facts.aliases.values()
    assert alias[1:] == ("support@crm.example", "case", "support", None, "contacts", "thread", 5, True)
    assert facts.users == {"bob@crm.example": bob}
    assert facts.contacts == cards


def test_the_kinds_of_records_that_a_sender_follows(store: Store) -> None:
    follow(rows.case(), address=ANN)
    follow(rows.lead(), contact=rows.contact("Ann", ANN))
    offices.put_alias("team@crm.example", kind="case", policy="followers")
    team = ("team@crm.example",)
    assert known(addresses=team).follows_kinds == {"case", "lead"}
    assert known(addresses=team, sender=EVE).follows_kinds == frozenset()
    assert known().follows_kinds == frozenset()  # of no use where no alias asks for it


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("support", "support"),
        ("Support", "support"),
        ("1", "support"),
        ("closed", None),
        ("2", None),
        ("3", None),
        ("", None),
        ("١", None),
        ("9" * 30, None),
        (None, None),
    ],
)
def test_a_section_by_code_or_number(store: Store, words: str | None, code: str | None) -> None:
    rows.section("support")
    rows.section("closed", active=False)
    assert known(section=words).sections == ({words: code} if code else {})


# --- the same letter before ---------------------------------------------------------------------------------


def test_what_became_of_an_equal_letter(store: Store) -> None:
    thread = rows.case()
    original = rows.original("2@customer.example", "decaf")
    message = rows.message(thread, ANN, text="Help!", original=original)
    rows.decision(original, message=message, thread=thread, created=True, recipient="support@crm.example")
    rows.decision(original, outcome="quarantined", recipient="sales@crm.example", quarantine=rows.quarantined())
    (found,) = known().twins
    assert (found.same_content, found.text, found.thread, found.message) == (True, "Help!", thread, message)
    assert (found.quarantine, found.reply) == (None, False)
    assert found.covered == {"support@crm.example", "sales@crm.example"}


def test_another_letter_of_the_same_id(store: Store) -> None:
    original = rows.original("2@customer.example", "other", raw=b"x" * 99)
    rows.decision(original, outcome="quarantined", quarantine=rows.quarantined())
    (found,) = known().twins
    assert (found.same_content, found.text, found.message, found.size) == (False, None, None, 99)
    assert found.quarantine is not None
    assert known(message_id="3@customer.example").twins == ()


def test_an_answer_is_known_as_one(store: Store) -> None:
    thread = rows.case()
    original = rows.original("2@customer.example", "decaf")
    rows.decision(original, message=rows.message(thread, ANN), thread=thread, created=False)
    assert known().twins[0].reply


def test_of_several_fates_the_message_is_the_one_that_counts(store: Store) -> None:
    thread, original = rows.case(), rows.original("2@customer.example", "decaf")
    rows.decision(original, outcome="quarantined", quarantine=rows.quarantined())
    message = rows.message(thread, ANN, subject="Re: ink", text="Help!", original=original)
    messages.put_attachments(message, [Part(1, "a.txt", "text/plain", b"x", "", False)])
    rows.decision(original, message=message, thread=thread)
    (found,) = known().twins
    assert (found.message, found.quarantine, found.subject, found.attachments) == (message, None, "Re: ink", 1)


def test_what_we_sent_is_known_by_its_content(store: Store) -> None:
    thread = rows.case()
    t.Delivery.create(
        message=rows.message(thread),
        thread=thread,
        address=ANN,
        purpose="mail",
        identifier="1@crm",
        content_hash="decaf",
        due=NOW,
        created=NOW,
    )
    assert known().sent_before
    assert not known(content_hash="c0ffee").sent_before


# --- loops --------------------------------------------------------------------------------------------------

DECISIONS: dict[str, tuple[dict[str, Any], int, int]] = {
    "a new record": ({"created": True}, 1, 1),
    "an answer": ({}, 0, 1),
    "long ago": ({"created": True, "at": ago(minutes=121)}, 0, 0),
    "just within": ({"created": True, "at": ago(minutes=119)}, 1, 1),
    "by another": ({"created": True, "sender": EVE}, 0, 0),
    "an import": ({"created": True, "counted": False}, 0, 0),
    "a duplicate": ({"outcome": "duplicate"}, 0, 0),
}


@pytest.mark.parametrize(("columns", "made", "written"), DECISIONS.values(), ids=DECISIONS)
def test_what_is_counted(store: Store, columns: dict[str, Any], made: int, written: int) -> None:
    thread = rows.case()
    at = columns.pop("at", NOW)
    rows.decision(rows.original(), at, thread=thread, **columns)
    facts = known(threads=(thread,))
    assert (facts.new_records, facts.messages.get(thread, 0)) == (made, written)
    # Where there is no limit nobody counts: it would take longer with each letter of the same sender.
    facts = known(threads=(thread,), counts_records=False, counts_messages=False)
    assert (facts.new_records, facts.messages) == (0, {})
    columns["at"] = at


# --- bounded ------------------------------------------------------------------------------------------------


@contextmanager
def counted(store: Store) -> Iterator[list[str]]:
    """The statements that SQLite runs inside the block."""
    statements: list[str] = []
    connection: sqlite3.Connection = store.database.connection()
    connection.set_trace_callback(statements.append)
    yield statements
    connection.set_trace_callback(None)


def big(size: int) -> Question:
    """A letter with so many references, addresses and tags, each of which is known."""
    cases = []
    for number in range(size):
        cases.append(rows.case(email=ANN))
        rows.message(cases[-1], ANN, message_id=f"{number}@x")
        rows.contact(f"Card {number}", ANN, company=f"Company {number}")
        offices.put_alias(f"a{number}@crm.example", kind="case")
    return question(
        answered=tuple(f"{number}@x" for number in range(size)),
        threads=tuple(cases),
        addresses=tuple(f"a{number}@crm.example" for number in range(size)),
        section="support",
    )


@pytest.mark.sqlite("counts statements by its trace")
def test_the_number_of_queries_does_not_grow_with_the_letter(store: Store) -> None:
    one = big(1)
    with counted(store) as few:
        threads.known(one, NOW)
    with store.transaction():
        many = big(200)
    with counted(store) as more:
        facts = threads.known(many, NOW)
    assert len(facts.parents) == 200
    assert facts.takes_part.keys() >= set(many.threads)
    assert len(more) == len(few) <= 25


@pytest.mark.sqlite("counts statements by its trace")
def test_twins_and_circles_are_bounded_too(store: Store) -> None:
    with store.transaction():
        for number in range(100):
            rows.original("2@customer.example", "decaf" if number == 3 else str(number))
    ring = [rows.case(), rows.case()]
    move(ring[0], ring[1])
    move(ring[1], ring[0])
    with counted(store) as statements:
        facts = known(threads=tuple(ring))
    assert len(facts.twins) == 1 + threads.OTHER_TWINS
    assert len(statements) < 100


@pytest.mark.sqlite("counts statements by its trace")
def test_each_query_goes_by_an_index(store: Store) -> None:
    asked = big(3)
    with counted(store) as statements:
        threads.known(asked, NOW)
    for statement in statements:
        plan = store.database.execute_sql(f"EXPLAIN QUERY PLAN {statement}").fetchall()
        scans = [step[-1] for step in plan if step[-1].startswith("SCAN t")]
        # A shop's sections are few, and asked by lower case.
        assert not scans or '"crm_section"' in statement, statement
