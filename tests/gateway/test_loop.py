"""A person answers, and the answer comes home: notification → the user's answer by mail → the customer → reopened."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from conversation import SHOP, Talk, founded, opened
from mailsink import Sink

from crmmail.store import tables


@pytest.fixture
def shop(talk: Talk, sink: Sink) -> Talk:
    """The shop can send, and the agent hears by mail."""
    talk.environ(CRMMAIL_SMTP_URL=sink.url)
    talk.do("users set agent --notify both")
    return talk


def letters(sink: Sink, to: str) -> list[EmailMessage]:
    """What somebody received, oldest first."""
    return [message_from_bytes(one.data, policy=policy.default) for one in sink.received if one.recipient == to]


def words(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n").strip()


def identifier(mail: EmailMessage) -> str:
    return str(mail["Message-ID"]).strip("<>")


class TestTheWholeLoop:
    def test_from_the_customer_to_the_agent_to_the_customer_and_back(self, shop: Talk, sink: Sink) -> None:
        first = shop.mail('"Ana" <ana@example.com>', subject="Printer broken", text="It smokes.")
        case = first.record
        assert case is not None
        shop.do("tick")
        (notice,) = letters(sink, "agent@crm.test")
        assert notice["Subject"] == f"[{case}] Printer broken"
        assert "It smokes." in words(notice)
        assert f"crmmail show {case}" in words(notice)
        assert notice["Auto-Submitted"] == "auto-generated"
        assert notice["Reply-To"] == "support@crm.test"
        quoted = "\n".join(f"> {line}" for line in words(notice).splitlines())
        answer = shop.mail(
            "agent@crm.test",
            subject=f"Re: {notice['Subject']}",
            answers=identifier(notice),
            text=f"Pull the plug!\n\n{notice['From']} wrote:\n{quoted}",
        )
        assert answer.record == case
        assert shop.state(case) == "done"
        shop.do("tick")
        (mail,) = letters(sink, "ana@example.com")
        assert words(mail) == "Pull the plug!"
        assert mail["From"] == "agent <agent@crm.test>"
        assert mail["To"] == "Ana <ana@example.com>"
        assert mail["Reply-To"] == "support@crm.test"
        assert mail["Auto-Submitted"] is None
        assert first.id in mail["References"]
        assert "crmmail" not in mail.as_string().replace("X-Crmmail-Sent", "")
        again = shop.mail("ana@example.com", answers=identifier(mail), subject="Re: Printer", text="Still smokes.")
        assert (again.record, again.reason) == (case, "own-id")
        assert shop.state(case) == "open"
        assert [one["kind"] for one in shop.show(case)["messages"] if one["kind"] != "system"] == [
            "email_in",
            "email_out",
            "email_in",
        ]

    def test_an_answer_with_note_stays_inside(self, shop: Talk, sink: Sink) -> None:
        case = shop.mail("ana@example.com", subject="Printer broken", text="It smokes.").record
        assert case is not None
        notice = shop.notice("agent", case)
        shop.mail("agent@crm.test", answers=notice, text="#note\nShe never pays.")
        shop.do("tick")
        assert letters(sink, "ana@example.com") == []
        note = shop.show(case)["messages"][-1]
        assert (note["kind"], note["internal"], note["text"].strip()) == ("note", True, "She never pays.")
        assert shop.state(case) == "draft"

    def test_an_answer_that_is_nothing_but_a_quote_goes_nowhere_and_says_so(self, shop: Talk, sink: Sink) -> None:
        case = shop.mail("ana@example.com", subject="Printer broken", text="It smokes.").record
        assert case is not None
        notice = shop.notice("agent", case)
        shop.do("done --all", "agent")
        quoted = "\n".join(f"> {line}" for line in notice.text.splitlines())
        shop.mail("agent@crm.test", answers=notice, text=f"agent wrote:\n{quoted}")
        shop.do("tick")
        assert letters(sink, "ana@example.com") == []
        assert [one["why"] for one in shop.inbox("agent")] == ["not sent"]


class TestFromTheTerminal:
    def test_an_answer_leaves_at_once_and_hers_comes_home(self, shop: Talk, sink: Sink) -> None:
        first = shop.mail('"Ana" <ana@example.com>', subject="Printer broken", text="It smokes.")
        shop.do(f"reply {first.record} -m 'Pull the plug!' --then close --yes", user="agent")
        (mail,) = letters(sink, "ana@example.com")
        assert words(mail).startswith("Pull the plug!\n\nOn ")
        assert mail["In-Reply-To"] == f"<{first.id}>"
        assert shop.state(first.record) == "done"
        again = shop.mail("ana@example.com", answers=identifier(mail), subject="Re: Printer", text="Still smokes.")
        assert (again.record, shop.state(first.record)) == (first.record, "open")
        shop.do("tick")
        assert "Still smokes." in words(letters(sink, "agent@crm.test")[-1])

    def test_both_ways_in_one_conversation(self, shop: Talk, sink: Sink) -> None:
        """From the terminal and by mail in turn; the customer sees one thread, each letter once (F91, F167)."""
        asked = shop.mail("ana@example.com", subject="Printer broken", text="Question 0.")
        ids = [asked.id]
        for turn in range(3):
            shop.do("tick")
            if turn % 2:
                shop.do(f"reply {asked.record} -m 'Answer {turn}.' --no-quote --yes", user="agent")
            else:
                notice = letters(sink, "agent@crm.test")[-1]
                shop.mail("agent@crm.test", answers=identifier(notice), subject="Re: x", text=f"Answer {turn}.")
                shop.do("tick")
            mail = letters(sink, "ana@example.com")[-1]
            assert words(mail) == f"Answer {turn}."
            assert str(mail["References"]).split() == [f"<{one}>" for one in ids]
            assert mail["In-Reply-To"] == f"<{ids[-1]}>"
            ids.append(identifier(mail))
            ids.append(
                shop.mail("ana@example.com", answers=ids[-1], subject="Re: Printer", text=f"Question {turn + 1}.").id
            )
        assert shop.words(asked.record) == [
            "Question 0.",
            *(f"{one} {turn + (one == 'Question')}." for turn in range(3) for one in ("Answer", "Question")),
        ]
        assert len(letters(sink, "ana@example.com")) == 3


class TestSilence:
    """Safety 4: whoever answers by machine, it ends."""

    def test_a_vacation_responder_and_an_address_that_bounces(self, shop: Talk, sink: Sink) -> None:
        shop.do("config set mail.plus_addresses yes")
        asked = shop.mail("ana@example.com", subject="Printer broken", text="It smokes.")
        shop.do(f"follow {asked.record} --who expert@firm.example")
        shop.do(f"reply {asked.record} -m 'Pull the plug!' --yes", user="agent")
        seen = 0
        for _ in range(30):
            shop.do("tick")
            new = sink.received[seen:]
            seen = len(sink.received)
            if not new:
                break
            for at, one in enumerate(new):
                if one.recipient == "expert@firm.example":
                    shop.mail(
                        "MAILER-DAEMON@firm.example",
                        one.sender,
                        "Undelivered Mail Returned to Sender",
                        f"<{one.recipient}>: 550 5.1.1 unknown",
                        headers={"Return-Path": "<>"},
                    )
                else:
                    shop.mail(
                        one.recipient,
                        one.sender,
                        f"Away {seen} {at}",
                        "I am away.",
                        headers={"Auto-Submitted": "auto-replied", "Return-Path": "<>"},
                    )
        assert seen <= 4
        assert shop.all("case") == [asked.record]
        assert shop.quarantine() == []

    def test_two_shops_that_follow_each_other(
        self, shop: Talk, sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "other"
        folder.mkdir()
        other = opened(founded(folder, [line.replace("crm.test", "other.test") for line in SHOP]), folder, monkeypatch)
        shops = {"crm.test": shop, "other.test": other}

        def at(one: Talk) -> Talk:
            one.environ(CRMMAIL_DB=str(one.db), HOME=str(one.home), CRMMAIL_SMTP_URL=sink.url)
            return one

        asked = at(shop).mail("ana@example.com", subject="Printer broken", text="It smokes.")
        shop.do(f"follow {asked.record} --who support@other.test")
        theirs = at(other).mail("bea@example.com", "support@other.test", "Scanner broken", "It hums.")
        other.do(f"follow {theirs.record} --who support@crm.test")
        at(shop).mail("ana@example.com", answers=asked, text="It burns.")
        at(other).mail("bea@example.com", "support@other.test", answers=theirs, text="It sings.")
        seen, crossed = 0, 0
        for _ in range(30):
            for one in shops.values():
                at(one).do("tick")
            new = sink.received[seen:]
            seen = len(sink.received)
            if not new:
                break
            for mail in new:
                domain = mail.recipient.partition("@")[2]
                if mail.recipient.startswith("support@"):
                    crossed += 1
                    at(shops[domain]).post(mail.data)
        assert 2 <= crossed <= 10
        for one in shops.values():
            assert [entry for entry in at(one).outbox() if entry.startswith("support@")] == []


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 10])
class TestHowManyMailsLeave:
    """`loop.mails` mails leave because mail came, not one more or less, whoever writes them; 0: no limit."""

    def test_answers_of_a_user_to_one_customer(self, talk: Talk, limit: int) -> None:
        talk.environ(CRMMAIL_LOOP_MAILS=str(limit))
        talk.do("users set agent --notify both")
        case = talk.mail("ana@example.com", subject="Printer broken", text="It smokes.").record
        assert case is not None
        notice = talk.notice("agent", case)
        for turn in range(limit + 2 if limit else 12):
            talk.mail("agent@crm.test", answers=notice, text=f"Answer {turn}.")
        assert talk.outbox().count("ana@example.com") == (limit or 12)

    def test_copies_to_one_follower(self, talk: Talk, limit: int) -> None:
        talk.environ(CRMMAIL_LOOP_MAILS=str(limit))
        asked = talk.mail("ana@example.com", subject="Printer broken", text="It smokes.")
        talk.do(f"follow {asked.record} --who expert@firm.example")
        for turn in range(limit + 2 if limit else 12):
            talk.mail("ana@example.com", answers=asked, text=f"Question {turn}.")
        assert talk.outbox().count("expert@firm.example") == (limit or 12)

    def test_mails_of_rules_to_one_customer(self, talk: Talk, limit: int) -> None:
        talk.environ(CRMMAIL_LOOP_MAILS=str(limit))
        talk.do("templates add thanks --subject Thanks -m 'We have your letter.'")
        talk.do("rules add Thanks --state-from none --mail thanks")
        for turn in range(limit + 2 if limit else 12):
            talk.mail("ana@example.com", subject=f"Printer {turn} broken", text="It smokes.")
        assert talk.outbox().count("ana@example.com") == (limit or 12)


def test_a_reply_to_a_record_that_lives_on_as_another(shop: Talk, sink: Sink) -> None:
    case = shop.mail("ana@example.com", subject="Printer broken", text="It smokes.").record
    other = shop.mail("ana@example.com", subject="It smokes again", text="Help.").record
    shop.do("tick")
    notice = letters(sink, "agent@crm.test")[0]
    with shop.open() as workspace, workspace.store.transaction():
        tables.Thread.update(moved_to=other).where(tables.Thread.id == case).execute()
    answer = shop.mail("agent@crm.test", answers=identifier(notice), subject="Re: x", text="Pull the plug!")
    shop.do("tick")
    assert answer.record == other
    assert [words(mail) for mail in letters(sink, "ana@example.com")] == ["Pull the plug!"]
