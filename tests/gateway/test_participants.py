"""Who takes part in a record, clause by clause as behaviour §2 has them, and who does not.

Each row: what happened, and who then answers a letter of the conversation by its plain Message-ID.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conversation import OURS, Letter, Talk, founded, opened

ANA, NEW = "ana@example.com", "new@elsewhere.example"
PROVEN = {"Authentication-Results": f"{OURS}; dmarc=pass"}


def answers(talk: Talk, case: Letter, sender: str) -> bool:
    """Does an answer from this address come into the case?"""
    letter = talk.mail(sender, answers=case, text=f"Answer of {sender}.")
    assert letter.fates in ([("stored", "reference")], [("unconfirmed", "unconfirmed")])
    return letter.outcome == "stored"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Letter]:
    """Ana's case; our own mail host is believed."""
    folder = tmp_path_factory.mktemp("house")
    with pytest.MonkeyPatch.context() as monkeypatch:
        talk = opened(founded(folder), folder, monkeypatch)
        talk.do(f"config set mail.trusted_authserv_id {OURS}")
        return talk.db, talk.mail(ANA, subject="Printer broken", text="It burns.")


@pytest.fixture
def case(house: tuple[Path, Letter]) -> Letter:
    return house[1]


@pytest.fixture
def shop(house: tuple[Path, Letter], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Talk:
    """A copy of it, made once."""
    talk = opened(house[0], tmp_path, monkeypatch)
    talk.sent.append(house[1])
    return talk


def partner(talk: Talk, company: str, *colleague: str) -> None:
    """Ana has a card, and so becomes the partner; a colleague has one too."""
    talk.do(f"contacts add Ana --email {ANA} --company '{company}'")
    talk.do(["contacts", "add", "New", "--email", NEW, *colleague])
    assert talk.field(1, "partner") == {"id": 2, "name": "Ana"}


TAKE_PART: dict[str, Callable[[Talk, Letter], object]] = {
    "its e-mail": lambda talk, case: talk.do(f"set 1 email={NEW}"),
    "another address of its partner": lambda talk, case: talk.do(f"contacts add Ana --email {ANA} --email {NEW}"),
    "a follower by address": lambda talk, case: talk.do(f"follow 1 --who {NEW}"),
    "a follower by card": lambda talk, case: (
        talk.do(f"contacts add New --email {NEW}"),
        talk.do("follow 1 --who 2"),
    ),
    "of the partner's company, set by hand": lambda talk, case: partner(talk, "Acme", "--company", "ACME"),
    "From of a letter that was believed": lambda talk, case: (
        talk.do(f"follow 1 --who {NEW}"),
        talk.mail(NEW, answers=case, text="Here I am."),
        talk.do(f"unfollow 1 --who {NEW}"),
    ),
    "To of a participant's letter": lambda talk, case: talk.mail(
        ANA, f"support@crm.test, {NEW}", answers=case, text="Ask her."
    ),
    "Cc of a participant's letter: a stranger whom she brings in": lambda talk, case: talk.mail(
        ANA, answers=case, text="I let my colleague in.", cc=NEW
    ),
    "To of what we sent": lambda talk, case: talk.do(f"send 1 --to {NEW} -m Hello."),
    "Cc of what we sent": lambda talk, case: talk.do(f"reply 1 --cc {NEW} -m Hello."),
    "Cc of a user's answer by mail": lambda talk, case: talk.mail(
        "agent@crm.test", answers=case, text="Use water.", cc=NEW, headers=PROVEN
    ),
    "From of a letter that a person accepted": lambda talk, case: (
        talk.mail(NEW, answers=case, text="I am her colleague."),
        talk.do("unconfirmed accept 1"),
    ),
    "who took part in what was merged into it": lambda talk, case: (
        talk.mail(NEW, subject="Same trouble"),
        talk.do("merge 2 --into 1"),
    ),
}

TAKE_NO_PART: dict[str, Callable[[Talk, Letter], object]] = {
    "anybody": lambda talk, case: None,
    "the same domain": lambda talk, case: talk.do("set 1 email=jo@elsewhere.example"),
    "the same domain as the partner's, with cards for both": lambda talk, case: (
        talk.do("contacts add Jo --email jo@elsewhere.example"),
        talk.do(f"contacts add New --email {NEW}"),
        talk.do("set 1 partner=2"),
    ),
    "of another company": lambda talk, case: partner(talk, "Acme", "--company", "Acme Ltd"),
    "of no company, as the partner": lambda talk, case: partner(talk, "", "--company", ""),
    "a follower who left": lambda talk, case: (
        talk.do(f"follow 1 --who {NEW}"),
        talk.do(f"unfollow 1 --who {NEW}"),
    ),
    "a follower of another record": lambda talk, case: (
        talk.mail("cy@example.com", subject="Scanner"),
        talk.do(f"follow 2 --who {NEW}"),
    ),
    "a partner of another record": lambda talk, case: talk.mail(NEW, subject="Scanner"),
    "Reply-To": lambda talk, case: talk.mail(ANA, answers=case, text="x", headers={"Reply-To": NEW}),
    "Resent-*": lambda talk, case: talk.mail(
        ANA,
        answers=case,
        text="x",
        headers={"Resent-From": NEW, "Resent-To": NEW, "Resent-Cc": NEW, "Resent-Sender": NEW},
    ),
    "Sender and other fields": lambda talk, case: talk.mail(
        ANA, answers=case, text="x", headers={"Sender": NEW, "X-Original-From": NEW, "Disposition-Notification-To": NEW}
    ),
    "To and Cc of a letter that is unconfirmed": lambda talk, case: talk.mail(
        "eve@evil.example", f"support@crm.test, {NEW}", answers=case, text="x", cc=NEW
    ),
    "From and Cc of a letter that was refused": lambda talk, case: (
        talk.mail(NEW, answers=case, text="x", cc=NEW),
        talk.do("unconfirmed refuse 1"),
    ),
    "Cc of a letter in quarantine": lambda talk, case: (
        talk.do("config set loop.messages 1"),
        talk.mail(ANA, answers=case, text="One."),
        talk.mail(ANA, answers=case, text="Two.", cc=NEW),
        talk.do("config set loop.messages 20"),
    ),
    "whom a user's note by mail names": lambda talk, case: talk.mail(
        "agent@crm.test", answers=case, text="#note\nHe never pays.", cc=NEW, headers=PROVEN
    ),
    "whose address stands in a note": lambda talk, case: talk.do(f"note 1 -m 'Ask {NEW}.'"),
    "an inside answer that a person accepted": lambda talk, case: (
        talk.do("users set agent --notify email"),
        talk.do("open 1"),
        talk.mail(NEW, answers=talk.notice("agent", 1), text="From my other address."),
        talk.do("unconfirmed accept 1"),
    ),
    "Bcc of what we sent: what he answers to has our own id": lambda talk, case: talk.do(
        f"reply 1 --bcc {NEW} -m Hello."
    ),
    "a letter that was accepted, and taken back": lambda talk, case: (
        talk.mail(NEW, answers=case, text="I am her colleague."),
        talk.do("unconfirmed accept 1"),
        talk.do("undo"),
    ),
}


@pytest.mark.parametrize("happens", TAKE_PART.values(), ids=TAKE_PART)
def test_takes_part(shop: Talk, case: Letter, happens: Callable[[Talk, Letter], object]) -> None:
    happens(shop, case)
    assert answers(shop, case, NEW)


@pytest.mark.parametrize("happens", TAKE_NO_PART.values(), ids=TAKE_NO_PART)
def test_takes_no_part(shop: Talk, case: Letter, happens: Callable[[Talk, Letter], object]) -> None:
    happens(shop, case)
    assert not answers(shop, case, NEW)


def test_a_bare_from_suffices_unless_our_own_host_says_that_it_is_forged(shop: Talk, case: Letter) -> None:
    assert answers(shop, case, ANA)
    letter = shop.mail(ANA, answers=case, text="x", headers={"Authentication-Results": f"{OURS}; dmarc=fail"})
    assert letter.outcome == "unconfirmed"
    assert "our own host says that it is not from ana@example.com" in shop.why(letter)


def test_a_colleague_takes_part_in_nothing_by_his_bare_from(shop: Talk, case: Letter) -> None:
    """Not even where he follows, is responsible and was named in Cc."""
    shop.do("take 1", user="agent")
    shop.mail(ANA, answers=case, text="x", cc="agent@crm.test")
    assert not answers(shop, case, "agent@crm.test")
