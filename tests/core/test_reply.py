"""What an answer is made of: subject, quote, references, and whom it goes to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from crmmail.core import reply
from crmmail.core.message import Address


@pytest.mark.parametrize(
    ("words", "prefixed"),
    [
        ("Printer", "Re: Printer"),
        ("Re: Printer", "Re: Printer"),
        ("AW: Re[2]: RE (3): Отв: Réf : Printer", "Re: Printer"),
        ("Fwd: WG: Printer", "Re: Printer"),
        ("Re:", "Re: Re:"),
        ("Reason: none", "Re: Reason: none"),
        ("", "Re: "),
        ("two\nlines", "Re: two lines"),
    ],
)
def test_subject(words: str, prefixed: str) -> None:
    assert reply.subject(words) == prefixed


@pytest.mark.parametrize(
    ("words", "tagged"),
    [
        ("Printer", "[101] Printer"),
        ("[101] Printer", "[101] Printer"),
        ("Re: [101] Printer", "[101] Re: Printer"),
        ("Re: [ #101 ] [101] Printer", "[101] Re: Printer"),
        ("[102] Printer", "[101] [102] Printer"),
        ("", "[101]"),
    ],
)
def test_tagged_once(words: str, tagged: str) -> None:
    assert reply.tagged(words, 101) == tagged
    assert reply.tagged(reply.tagged(words, 101), 101) == tagged


@pytest.mark.parametrize(
    "words", ["Printer", "[101] (note) Printer", "[101] Printer", "(note) Printer", "(NOTE) (note) Printer"]
)
def test_a_notice_that_stays_inside_says_so_once(words: str) -> None:
    assert reply.tagged(words, 101, internal=True) == "[101] (note) Printer"
    assert reply.tagged(words, 101) == "[101] Printer"


def test_without_tag_and_its_mark() -> None:
    assert reply.without_tag("Re: [101] (note) Printer", 101) == "Re: Printer"
    assert reply.without_tag("Re: [102] (note) Printer (note)", 101) == "Re: [102] (note) Printer (note)"


def test_quoted_and_attributed() -> None:
    moment = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    assert reply.attribution("Ana\r\nBcc: x", moment, "ru") == "2026-11-24 10:00, Ana Bcc: x пишет:"
    assert reply.attribution("Ana", moment, "xx").startswith("On 2026-11-24")
    assert reply.quoted("one\n\n> two\n", "She wrote:") == "She wrote:\n> one\n>\n>> two"
    long = reply.quoted("line\n" * 1000, "She wrote:").split("\n")
    assert len(long) == reply.MAX_QUOTED_LINES + 2
    assert "> […]" in long


def test_references_are_cut_in_the_middle() -> None:
    ids = [f"{number}@x" for number in range(50)]
    assert reply.references([*ids, *ids]) == ("0@x", *ids[-19:])
    assert reply.references(["a", "b", "a"]) == ("a", "b")
    assert reply.references([]) == ()


class TestAddressees:
    ANA, BOB, EVE = Address("Ana", "ana@x.example"), Address("Bob", "bob@x.example"), Address("", "eve@y.example")
    OURS = Address("", "support@crm.test")

    def found(self, **more: Any) -> list[tuple[str, str, str]]:
        wanted: dict[str, Any] = {"customer": (), "others": (), "to": (), "cc": (), "bcc": (), "everybody": False}
        wanted |= {"ours": {"support@crm.test"}, "users": {"agent@crm.test": 2}, "known": {"ana@x.example"}}
        return [(one.address, one.role, one.why) for one in reply.addressees(**{**wanted, **more})]

    def test_the_customer(self) -> None:
        assert self.found(customer=[self.ANA], others=[self.BOB]) == [("ana@x.example", "to", "customer")]

    def test_everybody_but_us_and_each_once(self) -> None:
        others = [self.BOB, self.OURS, self.ANA, Address("", "agent@crm.test")]
        assert self.found(customer=[self.ANA], others=others, cc=[self.EVE], everybody=True) == [
            ("ana@x.example", "to", "customer"),
            ("eve@y.example", "cc", "explicit"),
            ("bob@x.example", "cc", "participant"),
        ]

    def test_who_is_named_takes_the_customers_place(self) -> None:
        assert self.found(customer=[self.ANA], to=[self.BOB], bcc=[self.BOB, self.EVE]) == [
            ("bob@x.example", "to", "explicit"),
            ("eve@y.example", "bcc", "explicit"),
        ]

    def test_never_to_ourselves(self) -> None:
        assert self.found(customer=[self.OURS], to=(), cc=[self.OURS]) == []

    def test_who_is_new_and_who_works_here(self) -> None:
        people = reply.addressees(
            customer=[self.ANA], others=(), to=(), cc=[self.BOB, Address("", "agent@crm.test")], bcc=(),
            everybody=False, ours=(), users={"agent@crm.test": 2}, known={"ana@x.example"},
        )  # fmt: skip
        assert [(one.user, one.new) for one in people] == [(None, False), (None, True), (2, False)]
