"""Whoever passes for somebody else by the name or the address that he chose is seen through wherever he is shown."""

from __future__ import annotations

from email import message_from_bytes, policy
from typing import Any

import pytest
from conversation import Letter, Talk

from crmmail.cli.voice import Voice
from crmmail.core.text import SUSPECT

EVE = "eve@evil.example"
ALIKE = "аna@example.com"  # the first letter is Cyrillic
NAMES = {
    "an address of ours": "boss@crm.test",
    "a mailbox of ours": "Boss <boss@crm.test>",
    "a colleague": "Bob Miller",
    "a colleague, in capitals": "BOB  MILLER",
    "a login": "bob",
    "a section": "Support",
    "a letter of another alphabet": "Bоb Miller",
    "full-width letters": "Ｂob Miller",
}


@pytest.fixture
def shop(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> Talk:
    """Bob Miller works here, and a person sits at a terminal of 100 columns."""
    talk.do(["users", "add", "bob", "--email", "bob@crm.test", "--name", "Bob Miller", "--notify", "both"])
    monkeypatch.setattr(Voice, "terminal", True)
    talk.environ(COLUMNS="100", NO_COLOR="1", PAGER="cat")
    return talk


def mail(shop: Talk, *words: Any, **more: Any) -> Letter:
    """As `talk.mail`, with the look-alike written as it is where the address stands that a test can write."""
    return shop.post(shop.raw(*words, **more).replace(b"alike@example.com", ALIKE.encode()))


def held(shop: Talk, sender: str) -> Letter:
    """A letter of this sender's is filed, one is unconfirmed, one finds no record."""
    first = shop.mail("ana@example.com", subject="Printer", text="It burns.")
    mail(shop, sender, answers=first, text="Send it to me.")
    mail(shop, sender, "jobs@crm.test", "Hello")
    return mail(shop, sender, "sales@crm.test", "An offer?", text="Well?")


WHERE = (
    "", "inbox", "inbox --short", "message --limit 2", "list lead --limit 1", "show {lead} --peek",
    "show {lead} --peek --full", "quarantine", "quarantine show {loose}", "unconfirmed", "unconfirmed show {held}",
)  # fmt: skip


def newest(shop: Talk, place: int) -> int:
    """A letter in quarantine, the newest first."""
    return int(shop.do("quarantine -o ids").split()[place - 1])


def some(thorough: bool) -> list[str]:
    """In the short form three of the names; `tests/core/test_text.py::test_person` has all kinds."""
    return list(NAMES.values()) if thorough else [NAMES["an address of ours"], NAMES["a colleague"], NAMES["a section"]]


def test_a_name_that_passes_for_somebody_here(shop: Talk, thorough: bool) -> None:
    shop.do("follow --kind lead --types created --who agent")
    for name in some(thorough):
        lead = held(shop, f'"{name}" <{EVE}>')
        for line in WHERE:
            words = shop.do(line.format(lead=lead.record, held=newest(shop, 2), loose=newest(shop, 1)), "agent")
            assert EVE[:10] in words, (name, line, words)  # a narrow column may cut the end
        assert EVE in shop.do(f"reply {lead.record} -m Hello. --dry-run", "agent")
        for user in ("agent", "bob"):
            shop.do("done --all", user)
        shop.do(["quarantine", "spam", *shop.do("quarantine -o ids").split()])


def test_in_a_notification_too(shop: Talk, thorough: bool) -> None:
    shop.do("follow --kind lead --types created,discussion --who bob")
    for name in some(thorough):
        lead = shop.mail(f'"{name}" <{EVE}>', "sales@crm.test", "An offer?", text="Well?")
        assert EVE in shop.notice("bob", lead.record or 0).text
        row = shop.cli("outbox --json").json[-1]["id"]
        sender = str(message_from_bytes(shop.cli(f"outbox show {row} --raw").bytes, policy=policy.default)["From"])
        assert sender.startswith(f'"{EVE} ({" ".join(name.split())})" <sales@crm.test>')
        shop.do("outbox cancel " + " ".join(str(one["id"]) for one in shop.cli("outbox --json").json))


def test_an_honest_name_stands_alone(shop: Talk) -> None:
    shop.do("follow --kind lead --types created --who agent")
    held(shop, "Bobby Müller <bobby@customer.example>")
    for line in ("", "inbox", "message", "list lead"):
        words = shop.do(line, "agent")
        assert "Bobby Müller" in words, line
        assert "bobby@" not in words, line


def test_an_address_that_looks_like_anothers(shop: Talk) -> None:
    shop.do("follow --kind lead --types created --who agent")
    lead = held(shop, "Ana <alike@example.com>")
    for line in WHERE:
        words = shop.do(line.format(lead=lead.record, held=newest(shop, 2), loose=newest(shop, 1)), "agent")
        assert SUSPECT.strip() in words, line


def test_nobody_clear_is_called_unclear(shop: Talk) -> None:
    first = shop.mail("ana@example.com", subject="Printer", text="It burns.")
    shop.mail("boss@crm.test, eve@evil.example", answers=first, text="Send it to me.")
    for line in ("", "inbox", "quarantine", "quarantine show 1", "unconfirmed", "unconfirmed show 1"):
        assert "unclear: boss@crm.t" in shop.do(line, "agent"), line


def test_whoever_stands_in_cc_is_marked(shop: Talk) -> None:
    letter = mail(shop, "ana@example.com", subject="Printer", text="It burns.", cc="Ana <alike@example.com>")
    assert f"{SUSPECT}{ALIKE}" in shop.do(f"show {letter.record} --peek")
    shop.do(f"follow {letter.record} --who {ALIKE}")
    assert f"{SUSPECT}{ALIKE} (outside)" in shop.do(f"show {letter.record} --peek")
    assert SUSPECT in shop.do(f"followers {letter.record}")
    assert f"{SUSPECT}{ALIKE}" in shop.do(f"reply {letter.record} -m x --all --dry-run")


def test_programs_read_both_as_they_came(shop: Talk) -> None:
    lead = held(shop, '"Bob Miller" <alike@example.com>')
    shown: list[dict[str, Any]] = [
        shop.cli("unconfirmed --json").json[0],
        shop.cli("quarantine --json").json[0],
        shop.cli("message --limit 1 --json").json[0],
        shop.show(lead.record)["messages"][-1],
    ]
    assert [one["from_address"] for one in shown] == [ALIKE] * 4
    assert {one.get("from_name", "Bob Miller") for one in shown} == {"Bob Miller"}
    assert (shop.field(lead.record, "partner_name"), shop.field(lead.record, "email")) == ("Bob Miller", ALIKE)
