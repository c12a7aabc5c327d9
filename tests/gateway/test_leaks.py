"""What people outside may not read, though somebody passes it on: private addresses, tokens, our notifications."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from conversation import OURS, Letter, Talk
from mailsink import Sink
from programs import quoting, written

from crmmail.core.letter import File
from crmmail.services.sending import attach

ANA, EXPERT, PRIVATE = "ana@example.com", "expert@firm.example", "agent.private@mail.example"
SIGNED = re.compile(r"\d+\.(?:u\d+|c\d+|x)n?\.(?:[a-z0-9]{1,32}\.)?[a-z2-7]{16}")
HOUSE = ("crmmail show", "#note", "(case, ", "about #", PRIVATE)


@pytest.fixture
def shop(talk: Talk, sink: Sink) -> Talk:
    """The shop can send; the agent reads his mail in a private mailbox and writes under our domain."""
    talk.environ(CRMMAIL_SMTP_URL=sink.url)
    talk.do("config set mail.plus_addresses yes")
    talk.do(f"users set agent --notify email --email {PRIVATE} --address agent@crm.test")
    return talk


@pytest.fixture
def case(shop: Talk) -> Letter:
    letter = shop.mail('"Ana Lima" <ana@example.com>', subject="Printer broken", text="It smokes.")
    shop.do("tick")
    return letter


def received(sink: Sink, to: str) -> list[EmailMessage]:
    mails = [message_from_bytes(one.data, policy=policy.default) for one in sink.received if one.recipient == to]
    return [mail for mail in mails if isinstance(mail, EmailMessage)]


def raw(sink: Sink, to: str) -> str:
    """The newest mail that somebody got, below its own header."""
    return [one.data.decode() for one in sink.received if one.recipient == to][-1].partition("\r\n\r\n")[2]


def identifier(mail: EmailMessage) -> str:
    return str(mail["Message-ID"]).strip("<>")


def answers(shop: Talk, sink: Sink, text: str = "Pull the plug!", *, file: bytes = b"", kind: str = "rfc822") -> Letter:
    """The agent answers his newest notification from his private mailbox, quoting it."""
    notice = received(sink, PRIVATE)[-1]
    mail = message_from_bytes(
        shop.raw(
            f"Agent <{PRIVATE}>",
            str(notice["Reply-To"]),
            f"Re: {notice['Subject']}",
            written("mutt", "en", text, quoting(notice)),
            answers=identifier(notice),
        ),
        policy=policy.default,
    )
    assert isinstance(mail, EmailMessage)
    if file and kind == "rfc822":
        mail.add_attachment(message_from_bytes(file, policy=policy.default))
    elif file:
        mail.add_attachment(file, "application", "octet-stream", filename="mail.eml")
    letter = shop.post(mail.as_bytes())
    shop.do("tick")
    return letter


def files(shop: Talk, letter: Letter) -> list[dict[str, Any]]:
    """What hangs on a message."""
    (message,) = (one for one in shop.show(letter.record)["messages"] if one["id"] == letter.message)
    return list(message["attachments"])


def clean(text: str) -> bool:
    assert not SIGNED.search(text), SIGNED.findall(text)
    assert not [word for word in HOUSE if word in text]
    return True


class TestAnAnswerByMailIsPassedOn:
    def test_in_words(self, shop: Talk, sink: Sink, case: Letter) -> None:
        letter = answers(shop, sink)
        shop.do(f"forward {letter.message} --to {EXPERT} --yes")
        (mail,) = received(sink, EXPERT)
        text = quoting(mail).text
        assert "From: agent <agent@crm.test>\n" in text
        assert "To: ana@example.com\n\nPull the plug!" in text
        assert "Subject: Re: Printer broken\n" in text
        assert clean(raw(sink, EXPERT))

    def test_in_a_quote(self, shop: Talk, sink: Sink, case: Letter) -> None:
        letter = answers(shop, sink)
        shop.do(f"reply {case.record} --message {letter.message} -m PS --yes")
        text = quoting(received(sink, ANA)[-1]).text
        assert text.endswith("PS\n\nOn 2026-11-24 10:00, agent wrote:\n> Pull the plug!")
        assert clean(raw(sink, ANA))

    def test_as_a_file(self, shop: Talk, sink: Sink, case: Letter) -> None:
        letter = answers(shop, sink)
        shop.do(f"forward {letter.message} --to {EXPERT} --as-attachment -m Look. --yes")
        (file,) = received(sink, EXPERT)[0].iter_attachments()
        inside = file.get_payload(0)
        assert isinstance(inside, EmailMessage)
        assert (inside["From"], inside["To"]) == ("agent <agent@crm.test>", "Ana Lima <ana@example.com>")
        assert quoting(inside).text == "Pull the plug!"
        assert (inside["Message-ID"], inside["Reply-To"], inside["X-Crmmail-Sent"]) == (None, None, None)
        assert str(inside["In-Reply-To"]) == f"<{case.id}>"
        assert clean(raw(sink, EXPERT))

    def test_not_as_a_file_where_it_left_for_nobody(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.environ(CRMMAIL_SMTP_URL="")
        letter = answers(shop, sink)
        line = f"forward {letter.message} --to {EXPERT} --as-attachment -m Look. --dry-run"
        assert shop.refused(line) == (
            f"message {letter.message} was never sent to anybody outside: only its words can be passed on"
        )

    def test_a_letter_written_here_as_a_file(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.do(f"reply {case.record} -m 'Pull it.' --no-quote --yes", user="agent")
        number = shop.show(case.record)["messages"][-1]["id"]
        shop.do(f"forward {number} --to {EXPERT} --as-attachment -m Look. --yes")
        assert "Pull it." in raw(sink, EXPERT)
        assert clean(raw(sink, EXPERT))


class TestOurNotificationAsAFile:
    @pytest.mark.parametrize("kind", ["rfc822", "octets"])
    def test_goes_along_with_nothing(self, shop: Talk, sink: Sink, case: Letter, kind: str) -> None:
        notice = next(one.data for one in sink.received if one.recipient == PRIVATE)
        letter = answers(shop, sink, file=notice, kind=kind)
        shop.do(f"forward {letter.message} --to {EXPERT} --yes")
        for to in (ANA, EXPERT):
            assert list(received(sink, to)[-1].iter_attachments()) == []
            assert clean(raw(sink, to))
        (file,) = files(shop, letter)
        said = shop.refused(f"reply {case.record} -m Look. --attach-file {file['id']} --dry-run", code=1)
        assert "is a notification of ours, or has one inside: it stays inside" in said

    def test_a_colleague_inside_may_have_it(self, shop: Talk, sink: Sink, case: Letter) -> None:
        notice = next(one.data for one in sink.received if one.recipient == PRIVATE)
        (file,) = files(shop, answers(shop, sink, file=notice))
        shop.do(f"note {case.record} -m Look. --attach-file {file['id']}")
        assert len(shop.show(case.record)["messages"][-1]["attachments"]) == 1


class TestACustomersAnswerIsPassedOn:
    def answered(self, shop: Talk, sink: Sink, case: Letter, **more: object) -> Letter:
        shop.do(f"reply {case.record} -m 'Is it on?' --no-quote --yes", user="agent")
        mine = received(sink, ANA)[-1]
        to = f"{mine['Reply-To']}, {EXPERT}"
        return shop.mail(ANA, to, answers=identifier(mine), subject="Re: Printer", text="It is.", **more)  # type: ignore[arg-type]

    def test_in_words_without_our_token(self, shop: Talk, sink: Sink, case: Letter) -> None:
        letter = self.answered(shop, sink, case)
        shop.do(f"forward {letter.message} --to {EXPERT} --yes")
        assert f"To: support@crm.test, {EXPERT}\n\nIt is." in quoting(received(sink, EXPERT)[-1]).text
        assert clean(raw(sink, EXPERT))

    def test_as_a_file_all_but_our_marks_byte_for_byte(self, shop: Talk, sink: Sink, case: Letter) -> None:
        letter = self.answered(shop, sink, case, headers={"Delivered-To": "support+1.x.aaaaaaaaaaaaaaaa@crm.test"})
        mine = received(sink, ANA)[-1]
        wanted = letter.raw.replace(str(mine["Reply-To"]).encode(), b"support@crm.test")
        for name in ("In-Reply-To", "References"):
            wanted = wanted.replace(f"{name}: {mine['Message-ID']}\n".encode(), b"")
        assert wanted != letter.raw
        with shop.open() as workspace:
            found = attach.whole_letter(workspace, letter.message or 0, internal=False)
            assert found == File("Re: Printer.eml", "message/rfc822", wanted)
            assert attach.whole_letter(workspace, letter.message or 0, internal=True).data == letter.raw

    def test_not_as_a_file_with_our_mail_inside(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.do(f"reply {case.record} -m 'Is it on?' --no-quote --yes", user="agent")
        mine = next(one.data for one in sink.received if one.recipient == ANA)
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = ANA, "support@crm.test", "See"
        mail["In-Reply-To"], mail["Message-ID"] = f"<{case.id}>", "<s1@example.com>"
        mail.set_content("See below.")
        mail.add_attachment(message_from_bytes(mine, policy=policy.default))
        letter = shop.post(mail.as_bytes())
        said = shop.refused(f"forward {letter.message} --to {EXPERT} --as-attachment -m Look. --dry-run")
        assert said.startswith(f"message {letter.message} has a mail of ours inside, which proves who somebody is")
        shop.do(f"forward {letter.message} --to {EXPERT} --yes")  # the file alone goes, without our marks
        assert len(list(received(sink, EXPERT)[-1].iter_attachments())) == 1
        assert not SIGNED.search(raw(sink, EXPERT))


class TestHisOwnWordsStay:
    def answer(self, shop: Talk, sink: Sink, text: str) -> str:
        notice = received(sink, PRIVATE)[-1]
        shop.mail(PRIVATE, str(notice["Reply-To"]), f"Re: {notice['Subject']}", text, answers=identifier(notice))
        shop.do("tick")
        return quoting(received(sink, ANA)[-1]).text

    @pytest.mark.parametrize("number", ["1", "12"])
    def test_with_the_link_of_the_record(self, shop: Talk, sink: Sink, number: str) -> None:
        shop.do("config set mail.open https://crm.test/r/{record}")
        shop.mail(ANA, subject="Printer broken", text="It smokes.")
        shop.do("tick")
        said = f"Dear Ana,\nyour account is at https://crm.test/r/{number} now.\nThe new password follows.\nAgent"
        assert self.answer(shop, sink, said) == said

    def test_below_an_unmarked_quote(self, shop: Talk, sink: Sink, case: Letter) -> None:
        notice = quoting(received(sink, PRIVATE)[-1])
        text = self.answer(shop, sink, f"Hello Ana,\n\n{notice.text}\n\nPull the plug!")
        assert text.startswith("Hello Ana,") and text.endswith("Pull the plug!")
        assert clean(text)


class TestWhereNothingProves:
    def test_an_answer_to_a_note_that_lost_its_headers_stays_inside(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.do(f"config set mail.trusted_authserv_id {OURS}")
        shop.do(f"note {case.record} -m 'Does she pay?' --to agent")
        shop.do("tick")
        notice = received(sink, PRIVATE)[-1]
        assert str(notice["Subject"]).startswith(f"[{case.record}] (note) ")
        vouched = {"Authentication-Results": f"{OURS}; dmarc=pass header.from=mail.example"}
        letter = shop.mail(PRIVATE, subject=f"Re: {notice['Subject']}", text="Never.", headers=vouched)
        shop.do("tick")
        said = shop.show(case.record)["messages"][-1]
        assert (letter.record, said["kind"], said["internal"]) == (case.record, "note", True)
        assert received(sink, ANA) == []

    def test_the_subject_of_what_is_not_internal_never_says_note(self, shop: Talk, sink: Sink) -> None:
        shop.mail(ANA, subject="(note) Printer broken", text="It smokes.")
        shop.do("tick")
        notice = received(sink, PRIVATE)[-1]
        assert notice["Subject"] == "[1] Printer broken"
        answers(shop, sink)
        assert len(received(sink, ANA)) == 1

    def test_a_vacation_notice_without_marks_to_the_return_path(self, shop: Talk, sink: Sink, case: Letter) -> None:
        notice = [one for one in sink.received if one.recipient == PRIVATE][-1]
        assert SIGNED.search(notice.sender)
        letter = shop.mail(PRIVATE, notice.sender, "Out of office", "I am away until Monday.")
        shop.do("tick")
        assert (letter.record, received(sink, ANA)) == (case.record, [])
        assert "machine mail: return-path" in letter.evidence
        shop.do(f"reply {case.record} -m Hello. --no-quote --yes")
        assert [quoting(mail).text for mail in received(sink, ANA)] == ["Hello."]

    def test_a_customers_answer_to_the_return_path_is_an_answer(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.do(f"reply {case.record} -m 'Is it on?' --no-quote --then close --yes", user="agent")
        mine = next(one for one in sink.received if one.recipient == ANA)
        letter = shop.mail(ANA, mine.sender, "Re: Printer", "It is.")
        assert (letter.record, shop.state(case.record)) == (case.record, "open")
