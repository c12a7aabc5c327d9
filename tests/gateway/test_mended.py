"""What readers found in the mails that leave, as conversations."""

from __future__ import annotations

import pytest
from conversation import RECEIVED, Talk
from mailsink import Received, Sink
from outgoing import identifier, read, words

WORDS = "Dear Ana,\n\nplease turn it off\nand open a window."


@pytest.fixture
def case(talk: Talk, sink: Sink) -> int:
    """A case, in a shop that can send, with an agent who lives in his mail program."""
    talk.environ(CRMMAIL_SMTP_URL=sink.url)
    talk.do("users set agent --notify email")
    record = talk.mail("ana@example.com", subject="Printer broken", text="It smokes.").record
    assert record is not None
    return record


def copies(talk: Talk, answers: str, text: str) -> tuple[bytes, bytes]:
    """One answer of the agent's as the line cut it short, and as it is."""
    whole = talk.raw("agent@crm.test", "support@crm.test", "Re: Printer", text, answers=answers, id="a1@crm.test")
    half = whole[: whole.index(b"off") + 6] if b"off" in whole else whole[: len(whole) - 30]
    return RECEIVED + half, RECEIVED + whole


class TestAnAnswerThatTheLineCutShort:
    def test_the_customer_gets_the_whole_of_it_once(self, talk: Talk, case: int, sink: Sink) -> None:
        half, whole = copies(talk, talk.notice("agent", case).id, WORDS)
        talk.post(half)
        talk.post(whole)
        talk.do("tick")
        assert letters(sink, "ana@example.com") == [WORDS]

    def test_she_gets_the_rest_where_the_half_has_left(self, talk: Talk, case: int, sink: Sink) -> None:
        half, whole = copies(talk, talk.notice("agent", case).id, WORDS)
        talk.post(half)
        talk.do("tick")
        talk.post(whole)
        talk.do("tick")
        assert letters(sink, "ana@example.com")[-1] == WORDS

    @pytest.mark.parametrize("order", ["cut first", "whole first"])
    def test_what_answers_an_internal_notice_stays_inside(self, talk: Talk, case: int, sink: Sink, order: str) -> None:
        talk.do(f"follow {case} --who expert@firm.example")
        talk.do(f'note {case} --to agent -m "She never pays."')
        notice = read([one for one in sink.received if one.recipient == "agent@crm.test"][-1])
        pair = copies(talk, identifier(notice), "I agree, turn her off\nand the SECRET price of 5 too.")
        for raw in pair if order == "cut first" else pair[::-1]:
            talk.wait(minutes=1)
            talk.post(raw)
        talk.do("tick")
        assert letters(sink, "ana@example.com") == []
        assert not any(b"SECRET" in one.data or b"agree" in one.data for one in outside(sink))
        mine = [one for one in talk.show(case)["messages"] if "agree" in one["text"]]
        assert [(one["kind"], one["internal"]) for one in mine] == [("note", True), ("note", True)]


def outside(sink: Sink) -> list[Received]:
    return [one for one in sink.received if not one.recipient.endswith("@crm.test")]


def letters(sink: Sink, to: str) -> list[str]:
    """The words of what somebody received, oldest first."""
    return [words(read(one)).strip() for one in sink.received if one.recipient == to]


def test_a_notification_that_comes_back_through_the_catchall_is_told_in_the_inbox(
    talk: Talk, case: int, sink: Sink
) -> None:
    talk.do("tick")
    (mail,) = [one for one in sink.received if one.recipient == "agent@crm.test"]
    assert talk.inbox("agent") == []
    back = talk.post(RECEIVED + mail.data)
    assert back.fates == [("ignored", "own")]
    (item,) = talk.inbox("agent")
    assert (item["record"], item["why"]) == (case, "bounced")
    (row,) = [one for one in talk.cli("outbox --all --json").json if one["to"] == "agent@crm.test"]
    assert (row["state"], row["reason"]) == ("bounced", "it came back to us: the address has no mailbox of its own")
    talk.post(RECEIVED + mail.data)
    assert len(talk.inbox("agent")) == 1


@pytest.mark.parametrize(
    ("lang", "heading", "change"),
    [
        ("en", "News of #1 Printer broken, by boss:", "priority: normal → high"),
        ("fr", "Du nouveau sur #1", "priorité : normale → haute"),
        ("ru", "Новое по #1", "приоритет: обычный → высокий"),
    ],
)
def test_a_change_is_news_and_no_letter(
    talk: Talk, case: int, sink: Sink, lang: str, heading: str, change: str
) -> None:
    talk.do(f"users set agent --lang {lang}")
    talk.do(f"set {case} priority=high")
    talk.do("tick")
    said = words(read([one for one in sink.received if one.recipient == "agent@crm.test"][-1]))
    assert said.startswith(heading)
    assert change in said
    assert "wrote" not in said


def test_a_note_from_a_users_private_address_stays_inside(talk: Talk, case: int, sink: Sink) -> None:
    talk.do(f"follow {case} --who expert@firm.example")
    notice = talk.notice("agent", case)
    talk.mail("agent.private@gmail.example", answers=notice, text="#note\nShe never pays the SECRET price.")
    talk.mail("ana@example.com", answers="m1@example.com", text="#note\nI am the customer.")
    talk.do("tick")
    assert not any(b"SECRET" in one.data for one in outside(sink))
    kinds = {one["text"].strip(): (one["kind"], one["internal"]) for one in talk.show(case)["messages"]}
    assert kinds["She never pays the SECRET price."] == ("note", True)
    assert kinds["#note\nI am the customer."] == ("email_in", False)
