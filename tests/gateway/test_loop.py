"""A person answers, and the answer comes home: notification → the user's answer by mail → the customer → reopened."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from conversation import Talk
from smtpd import Sink


@pytest.fixture
def shop(talk: Talk, sink: Sink) -> Talk:
    """The shop can send, and the agent hears by mail."""
    talk.environ(CRMMAIL_SMTP_URL=sink.url)
    talk.do("users set agent --notify both")
    return talk


def letters(sink: Sink, to: str) -> list[EmailMessage]:
    """What somebody received, oldest first."""
    return [
        message_from_bytes(one.data, policy=policy.default)  # type: ignore[misc]
        for one in sink.received
        if one.recipient == to
    ]


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
