"""A bounce comes home: to the letter of ours that it speaks of, before its author, and nowhere else (F84, safety 4)."""

from __future__ import annotations

from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from conversation import Letter, Talk
from mailsink import Received, Sink

from crmmail.cli.voice import Voice
from crmmail.store import tables
from crmmail.store.letters import outbox

ANA = "ana@example.com"
REFUSED = "550 5.1.1 <ana@example.com>: User unknown"


@pytest.fixture
def shop(talk: Talk, sink: Sink) -> Talk:
    """The shop can send, its bounces come to an address of their own, and its host has plus-addresses."""
    talk.environ(CRMMAIL_SMTP_URL=sink.url)
    talk.do("config set mail.bounce bounce@crm.test")
    talk.do("config set mail.plus_addresses yes")
    return talk


@pytest.fixture
def case(shop: Talk) -> Letter:
    """Ana's case, which agent has answered; the mail has left."""
    asked = shop.mail(ANA, subject="Printer broken", text="It burns.")
    shop.do(f"reply {asked.record} -m 'Pull the plug!' --no-quote --yes", user="agent")
    shop.quiet()
    return asked


def left(sink: Sink, to: str = ANA) -> Received:
    """The newest mail that left for somebody."""
    return [one for one in sink.received if one.recipient == to][-1]


def parsed(mail: Received) -> EmailMessage:
    found = message_from_bytes(mail.data, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def identifier(mail: Received) -> str:
    return str(parsed(mail)["Message-ID"]).strip("<>")


def bounce(
    to: str,
    *parts: tuple[str, str],
    sender: str = "MAILER-DAEMON@mx.example.com",
    subject: str = "Undelivered Mail Returned to Sender",
    report: bool = True,
    id: str = "b1@mx.example.com",
    more: str = "",
) -> bytes:
    """A bounce of these parts: (type, text)."""
    head = (
        f"Return-Path: <>\nFrom: {sender}\nTo: {to}\nSubject: {subject}\nMessage-ID: <{id}>\n{more}MIME-Version: 1.0\n"
    )
    if not report:
        return f"{head}Content-Type: text/plain\n\n{parts[0][1]}\n".encode()
    head += 'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
    return (head + "".join(f"--b\nContent-Type: {kind}\n\n{text}\n" for kind, text in parts) + "--b--\n").encode()


def fate(action: str = "failed", status: str = "5.1.1", words: str = REFUSED, recipient: str = ANA) -> tuple[str, str]:
    lines = ["Reporting-MTA: dns; mx.example.com", "", f"Final-Recipient: rfc822; {recipient}", f"Action: {action}"]
    return "message/delivery-status", "\n".join([*lines, f"Status: {status}", f"Diagnostic-Code: smtp; {words}", ""])


HUMAN = ("text/plain", "I'm sorry to have to inform you that your message could not be delivered.")


def dsn(
    mail: Received,
    action: str = "failed",
    status: str = "5.1.1",
    words: str = REFUSED,
    *,
    id: str = "b1@mx.example.com",
    sender: str = "MAILER-DAEMON@mx.example.com",
) -> bytes:
    """A whole report on a mail of ours, to its return path."""
    parts = (HUMAN, fate(action, status, words), ("message/rfc822", mail.data.decode()))
    return bounce(mail.sender, *parts, id=id, sender=sender)


def marks(talk: Talk, record: int | None) -> list[tuple[str, str]]:
    """(state, kind of failure) of all mails about a record that left, or should."""
    with talk.open():
        rows = tables.Delivery.select().where(tables.Delivery.thread == record).order_by(tables.Delivery.id)
        return [(row.state, row.failure or "") for row in rows]


def why_heard(talk: Talk, user: str) -> list[tuple[int | None, str]]:
    return [(one["record"], one["why"]) for one in talk.inbox(user)]


# --- how it finds its letter --------------------------------------------------------------------------------


def by_token_alone(mail: Received) -> bytes:
    return bounce(mail.sender, HUMAN, fate())


def by_token_and_nothing_else(mail: Received) -> bytes:
    return bounce(mail.sender, ("text/plain", "Sorry, no."), report=False)


def by_attached_message(mail: Received) -> bytes:
    return bounce("bounce@crm.test", HUMAN, fate(), ("message/rfc822", mail.data.decode()))


def by_headers_only(mail: Received) -> bytes:
    head = mail.data.decode().partition("\r\n\r\n")[0]
    return bounce("bounce@crm.test", HUMAN, fate(), ("text/rfc822-headers", head))


def by_original_id(mail: Received) -> bytes:
    kind, text = fate()
    return bounce("bounce@crm.test", HUMAN, (kind, f"Original-Message-ID: <{identifier(mail)}>\n{text}"))


def plain(mail: Received) -> bytes:
    """As qmail and Exim write them, to the section's own address."""
    text = (
        "Hi. This is the qmail-send program at mx.example.com.\nI'm afraid I wasn't able to deliver your message.\n\n"
        f"<{ANA}>:\n{REFUSED}\n\n--- Below this line is a copy of the message.\n\n{mail.data.decode()}"
    )
    return bounce("support@crm.test", ("text/plain", text), subject="failure notice", report=False)


def by_recipient_of_the_envelope(mail: Received) -> bytes:
    return bounce("undisclosed@mx.example.com", HUMAN, fate(), more=f"Delivered-To: {mail.sender}\n")


WAYS = (
    by_token_alone, by_token_and_nothing_else, by_attached_message, by_headers_only, by_original_id, plain,
    by_recipient_of_the_envelope,
)  # fmt: skip


class TestItFindsItsLetter:
    @pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
    def test_and_marks_it(self, shop: Talk, sink: Sink, case: Letter, way: Callable[[Received], bytes]) -> None:
        letter = shop.post(way(left(sink)))
        assert (letter.fates, letter.record) == ([("stored", "bounce")], case.record)
        assert marks(shop, case.record)[-1][0] == "bounced"
        assert why_heard(shop, "agent") == [(case.record, "bounced")]
        assert shop.field(case.record, "envelope") == "bounced"

    def test_by_the_envelope_that_the_mail_server_tells(self, shop: Talk, sink: Sink, case: Letter) -> None:
        mail = left(sink)
        letter = shop.post(bounce("x@mx.example.com", HUMAN, fate()), "--sender=", f"--recipient={mail.sender}")
        assert (letter.reason, letter.record) == ("bounce", case.record)

    def test_without_plus_addresses_by_what_it_shows(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.do("config set mail.plus_addresses no")
        shop.do(f"reply {case.record} -m 'Did you?' --no-quote --yes", user="agent")
        mail = left(sink)
        assert mail.sender == "bounce@crm.test"
        assert shop.post(dsn(mail)).record == case.record
        assert [state for state, _ in marks(shop, case.record)] == ["sent", "bounced"]

    def test_without_a_bounce_address_at_the_sections(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.do("config set mail.bounce ''")
        shop.do(f"reply {case.record} -m 'Did you?' --no-quote --yes", user="agent")
        mail = left(sink)
        assert mail.sender.startswith("support+") and mail.sender.endswith("@crm.test")
        letter = shop.post(bounce(mail.sender, HUMAN, fate()))
        assert (letter.reason, letter.record, shop.all("case")) == ("bounce", case.record, [case.record])


# --- what it says -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words", "kind", "marked"),
    [
        ("5.1.1", REFUSED, "recipient", True),
        ("5.1.2", "Host not found", "address", True),
        ("5.2.2", "552 5.2.2 Mailbox full", "quota", False),
        ("5.7.1", "554 5.7.1 Message looks like spam", "content", False),
        ("4.2.2", "452 4.2.2 Mailbox full", "quota", False),
        ("4.4.7", "Message expired", "later", False),
        ("4.1.1", "450 4.1.1 User unknown, try later", "recipient", False),
    ],
)
def test_hard_and_soft(shop: Talk, sink: Sink, case: Letter, status: str, words: str, kind: str, marked: bool) -> None:
    letter = shop.post(dsn(left(sink), "failed", status, words))
    assert marks(shop, case.record)[-1] == ("bounced", kind)
    assert ("was refused" if status[0] == "5" else "was given up") in shop.why(letter)
    with shop.open():
        assert bool(outbox.bad([ANA])) is marked
    said = shop.cli(f"reply {case.record} -m 'Again.' --no-quote --dry-run", "agent")
    assert ("came back before" in said.out + said.err) is marked


@pytest.mark.parametrize(
    ("action", "status"), [("delayed", "4.4.1"), ("delivered", "2.0.0"), ("relayed", "2.0.0"), ("expanded", "2.0.0")]
)
def test_a_report_that_is_no_failure_changes_nothing(
    shop: Talk, sink: Sink, case: Letter, action: str, status: str
) -> None:
    before, state = marks(shop, case.record), shop.state(case.record)
    letter = shop.post(dsn(left(sink), action, status, "250 2.0.0 OK" if status[0] == "2" else "Connection refused"))
    assert (letter.fates, letter.record) == ([("stored", "bounce-report")], case.record)
    assert (marks(shop, case.record), shop.state(case.record), shop.inbox("agent")) == (before, state, [])
    assert f"the mail to {ANA} is {action}" in shop.why(letter)


# --- who hears of it ----------------------------------------------------------------------------------------


class TestWhoHears:
    def test_of_a_notification_the_user_whom_it_was_for(self, shop: Talk, sink: Sink) -> None:
        shop.do("users set agent --notify email")
        case = shop.mail(ANA, subject="Printer broken", text="It burns.").record
        shop.do("tick")
        assert shop.inbox("agent") == []
        shop.post(dsn(left(sink, "agent@crm.test")))
        assert why_heard(shop, "agent") == [(case, "bounced")]
        assert shop.field(case, "envelope") is None  # no letter of the record's went astray

    def test_of_a_copy_to_a_follower_outside_whoever_is_in_charge(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.do(f"follow {case.record} --who expert@firm.example")
        shop.mail(ANA, answers=case, text="More.")
        shop.do("tick")
        shop.quiet()
        shop.post(dsn(left(sink, "expert@firm.example")))
        assert why_heard(shop, "agent") == [(case.record, "bounced")]

    def test_where_the_author_left_whoever_is_in_charge(self, shop: Talk, sink: Sink) -> None:
        shop.do("users add bob --email bob@crm.test")
        case = shop.mail(ANA, subject="Printer broken", text="It burns.").record
        shop.do(f"reply {case} -m 'Pull the plug!' --no-quote --yes", user="bob")
        shop.quiet()
        shop.do("users remove bob")
        shop.post(dsn(left(sink)))
        assert why_heard(shop, "agent") == [(case, "bounced")]

    def test_nobody_else(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.do(f"follow {case.record} --who boss")
        shop.do(f"follow {case.record} --who expert@firm.example")
        shop.do("users set boss --notify both")
        shop.do("users set agent --notify both")
        before = shop.cli("outbox list --all --json").json
        shop.post(dsn(left(sink)))
        assert shop.cli("outbox list --all --json").json[1:] == before[1:]
        shop.do("tick")
        assert len(sink.received) == 1
        assert shop.inbox("boss") == []


# --- what it must not do ------------------------------------------------------------------------------------


class TestItDoesNothingElse:
    def test_no_record_no_reopening_no_follower(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.do(f"close {case.record}", user="agent")
        followers = shop.followers(case.record)
        shop.post(dsn(left(sink)))
        shop.do("tick")
        assert (shop.state(case.record), shop.all("case"), shop.followers(case.record)) == (
            "done",
            [case.record],
            followers,
        )
        last = shop.show(case.record)["messages"][-1]
        assert (last["internal"], last["automatic"]) == (True, True)
        assert len(sink.received) == 1

    def test_it_counts_for_no_loop(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.environ(CRMMAIL_LOOP_MESSAGES="3")
        for number in range(6):  # some mailers write in the name of the recipient
            shop.post(dsn(left(sink), id=f"b{number}@mx.example.com", sender=ANA))
        assert shop.quarantine() == []
        assert shop.mail(ANA, answers=case, text="I am here.").outcome == "stored"

    def test_twice_the_same(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.post(dsn(left(sink)))
        shop.quiet()
        again = shop.post(dsn(left(sink)))
        assert again.outcome == "duplicate"
        assert shop.inbox("agent") == []
        other = shop.post(dsn(left(sink), id="b2@mx.example.com"))  # another hop tells the same
        assert other.reason == "bounce"
        assert marks(shop, case.record)[-1] == ("bounced", "recipient")
        assert len(shop.inbox("agent")) == 1

    def test_nor_can_it_be_answered_or_read_outside(self, shop: Talk, sink: Sink, case: Letter) -> None:
        number = shop.post(dsn(left(sink))).message
        said = shop.cli(f"forward {number} --to x@y.example -m x", "agent")
        assert (said.code, said.out) == (1, "") and "stays inside" in said.err
        shop.do(f"reply {case.record} -m 'Still there?' --yes", user="agent")
        assert "not be delivered" not in left(sink).data.decode()


class TestForgeries:
    @pytest.mark.parametrize(
        "forged",
        [
            "1.u2.0123456789abcdef.abcdefghijklmnop@crm.test",
            "m1@example.com",  # a letter of hers
            "99999999999999999999.x.0.abcdefghijklmnop@crm.test",
        ],
    )
    def test_an_id_that_is_not_ours(self, shop: Talk, case: Letter, forged: str) -> None:
        copy = f"Message-ID: <{forged}>\nFrom: agent@crm.test\nTo: {ANA}\nSubject: x\n\nx"
        tag = forged.partition("@")[0]
        letter = shop.post(bounce(f"bounce+{tag}@crm.test", HUMAN, fate(), ("message/rfc822", copy)))
        assert letter.fates == [("quarantined", "bounce-unmatched")]
        assert marks(shop, case.record) == [("sent", "")]
        assert "names no letter of ours" in shop.why(letter)

    def test_an_id_that_was_tampered_with(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.mail("bea@example.com", subject="Record 2")
        changed = left(sink).data.replace(f"<{case.record}.x.".encode(), b"<2.x.")
        assert changed != left(sink).data
        tag = identifier(left(sink)).partition("@")[0].replace(f"{case.record}.x.", "2.x.", 1)
        letter = shop.post(bounce(f"bounce+{tag}@crm.test", HUMAN, fate(), ("message/rfc822", changed.decode())))
        assert letter.fates == [("quarantined", "bounce-unmatched")]
        assert marks(shop, case.record) == [("sent", "")]

    def test_a_person_who_quotes_numbers_to_the_bounce_address_is_an_answer(
        self, shop: Talk, sink: Sink, case: Letter
    ) -> None:
        shop.do(f"close {case.record}", user="agent")
        mail = left(sink)
        letter = shop.mail(
            ANA, mail.sender, answers=identifier(mail), text=f"It says 550 5.1.1, and <{ANA}>: what is that?"
        )
        assert (letter.outcome, letter.record, shop.state(case.record)) == ("stored", case.record, "open")
        assert letter.reason == "token"
        assert marks(shop, case.record) == [("sent", "")]

    def test_nor_does_a_bounce_of_an_unknown_mail_hide_in_a_record(self, shop: Talk, case: Letter) -> None:
        letter = shop.post(bounce("support@crm.test", HUMAN, fate(), more=f"In-Reply-To: <{case.id}>\n"))
        assert letter.fates == [("quarantined", "bounce-unmatched")]
        told = f"the mail to {ANA} failed, 5.1.1: {REFUSED}"
        assert told in shop.do(f"quarantine show {letter.quarantine}")
        shop.do(f"quarantine purge {letter.quarantine} --yes")
        assert told not in shop.do(f"quarantine show {letter.quarantine}")


# --- records that went elsewhere ----------------------------------------------------------------------------


class TestElsewhere:
    def test_of_a_message_that_was_moved(self, shop: Talk, sink: Sink, case: Letter) -> None:
        other = shop.mail("bea@example.com", subject="Scanner").record
        answer = next(one["id"] for one in shop.show(case.record)["messages"] if one["kind"] == "email_out")
        shop.do(f"message move {answer} {other}")
        shop.quiet()
        letter = shop.post(dsn(left(sink)))
        assert letter.record == other
        assert why_heard(shop, "agent") == [(other, "bounced")]

    def test_of_a_record_that_lives_on_as_another(self, shop: Talk, sink: Sink, case: Letter) -> None:
        other = shop.mail("bea@example.com", subject="Scanner").record
        shop.quiet()
        with shop.open() as workspace, workspace.store.transaction():
            tables.Thread.update(moved_to=other).where(tables.Thread.id == case.record).execute()
        letter = shop.post(dsn(left(sink)))
        assert letter.record == other
        assert [one["why"] for one in shop.inbox("agent")] == ["bounced"]


# --- whose mail, and whose address --------------------------------------------------------------------------


class TestWhichMail:
    """Two letters of ours left; a bounce is about one of them, whatever it quotes."""

    @pytest.fixture
    def two(self, shop: Talk, sink: Sink, case: Letter) -> tuple[Received, Received]:
        first = left(sink)
        shop.do(f"reply {case.record} -m 'Did you?' --no-quote --yes", user="agent")
        shop.quiet()
        return first, left(sink)

    def test_the_address_it_came_to_says_so_before_the_copy(
        self, shop: Talk, case: Letter, two: tuple[Received, Received]
    ) -> None:
        first, second = two
        shop.post(bounce(first.sender, HUMAN, fate(), ("message/rfc822", second.data.decode())))
        assert [state for state, _ in marks(shop, case.record)] == ["bounced", "sent"]

    def test_the_copy_says_so_before_the_letters_that_it_answers(
        self, shop: Talk, case: Letter, two: tuple[Received, Received]
    ) -> None:
        second = two[1]
        assert identifier(two[0]) in str(parsed(second)["References"])
        shop.post(bounce("bounce@crm.test", HUMAN, fate(), ("message/rfc822", second.data.decode())))
        assert [state for state, _ in marks(shop, case.record)] == ["sent", "bounced"]

    def test_of_two_copies_the_first(self, shop: Talk, case: Letter, two: tuple[Received, Received]) -> None:
        copies = [("message/rfc822", mail.data.decode()) for mail in reversed(two)]
        shop.post(bounce("bounce@crm.test", HUMAN, fate(), *copies))
        assert [state for state, _ in marks(shop, case.record)] == ["sent", "bounced"]


class TestWhoseAddress:
    def test_where_somebody_passes_his_mail_on_his_own_address_is_not_dead(
        self, shop: Talk, sink: Sink, case: Letter
    ) -> None:
        mail = left(sink)
        shop.post(bounce(mail.sender, HUMAN, fate(recipient="ana.new@elsewhere.example")))
        assert marks(shop, case.record)[-1] == ("bounced", "recipient")
        with shop.open():
            assert [row.address for row in tables.BadAddress.select()] == []

    @pytest.mark.parametrize("spelled", ["ana+2Bcrm@example.com", "Ana+crm@EXAMPLE.com"])
    def test_an_address_as_its_own_server_spells_it(self, shop: Talk, sink: Sink, case: Letter, spelled: str) -> None:
        shop.do(f"send {case.record} --to ana+crm@example.com -m Hello. --yes", user="agent")
        shop.post(bounce(left(sink, "ana+crm@example.com").sender, HUMAN, fate(recipient=spelled)))
        with shop.open():
            assert [row.address for row in tables.BadAddress.select()] == ["ana+crm@example.com"]

    def test_what_somebody_has_put_away_stays_away(self, shop: Talk, sink: Sink, case: Letter) -> None:
        mail = left(sink)
        shop.post(dsn(mail))
        shop.do("outbox cancel 1", user="agent")
        shop.quiet()
        letter = shop.post(dsn(mail, id="b2@mx.example.com"))
        assert (letter.reason, letter.record) == ("bounce", case.record)
        assert (marks(shop, case.record)[-1][0], shop.inbox("agent")) == ("cancelled", [])

    def test_show_and_contacts_tell_of_it(
        self, shop: Talk, sink: Sink, case: Letter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        number = shop.do(f"contacts add Ana --email {ANA}")
        shop.do(f"follow {case.record} --who expert@firm.example")
        shop.post(dsn(left(sink)))
        assert f"! mail to {ANA} came back: {REFUSED}" in shop.do(f"show {case.record} --peek")
        assert shop.field(case.record, "bad_addresses") == [{"address": ANA, "reason": REFUSED}]
        assert f"! mail to {ANA} came back" in shop.do(f"contacts show {number}")
        (card,) = shop.cli("contacts --json").json
        assert card["bad_addresses"] == [{"address": ANA, "reason": REFUSED}]  # in one shape everywhere
        with monkeypatch.context() as on_a_terminal:
            on_a_terminal.setattr(Voice, "terminal", True)
            assert f"{ANA} (came back)" in shop.do("contacts")
        shop.mail(ANA, answers=case, text="Here I am.")
        assert (shop.field(case.record, "bad_addresses"), shop.cli("contacts --json").json[0]["bad_addresses"]) == (
            [],
            [],
        )


class TestNoMoreMail:
    """What leaves by itself goes to no address that does not exist; what a person writes goes, and he is warned."""

    def test_a_follower_outside_gets_no_more_copies_until_he_writes(self, shop: Talk, sink: Sink, case: Letter) -> None:
        expert = "expert@firm.example"
        shop.do(f"follow {case.record} --who {expert}")
        shop.mail(ANA, answers=case, text="More.")
        shop.do("tick")
        shop.post(bounce(left(sink, expert).sender, HUMAN, fate(recipient=expert)))
        for words in ("And more.", "And more still."):
            shop.mail(ANA, answers=case, text=words)
        plan = shop.cli(f"reply {case.record} -m Hm. --no-quote --dry-run --json", "agent").json
        assert expert not in str(plan)
        shop.do("tick")
        assert sink.recipients.count(expert) == 1
        shop.mail(expert, answers=identifier(left(sink, expert)), subject="Re: Printer", text="I am back.")
        shop.mail(ANA, answers=case, text="The last.")
        shop.do("tick")
        assert sink.recipients.count(expert) == 2

    @pytest.mark.parametrize("notify", ["email", "both"])
    def test_a_user_hears_in_his_inbox_until_he_writes(self, shop: Talk, sink: Sink, case: Letter, notify: str) -> None:
        shop.do(f"users set agent --notify {notify}")
        shop.mail(ANA, answers=case, text="More.")
        shop.do("tick")
        shop.post(bounce(left(sink, "agent@crm.test").sender, HUMAN, fate(recipient="agent@crm.test")))
        shop.quiet()
        shop.mail(ANA, answers=case, text="And more.")
        shop.do("tick")
        assert shop.heard("agent") == [(case.record, "And more.")]
        assert sink.recipients.count("agent@crm.test") == 1
        notice = identifier(left(sink, "agent@crm.test"))
        shop.mail("agent@crm.test", answers=notice, subject="Re: Printer", text="I see to it.")
        shop.mail(ANA, answers=case, text="The last.")
        shop.do("tick")
        assert sink.recipients.count("agent@crm.test") == 2

    def test_a_full_mailbox_is_no_reason(self, shop: Talk, sink: Sink, case: Letter) -> None:
        expert = "expert@firm.example"
        shop.do(f"follow {case.record} --who {expert}")
        shop.mail(ANA, answers=case, text="More.")
        shop.do("tick")
        shop.post(bounce(left(sink, expert).sender, HUMAN, fate("failed", "5.2.2", "552 5.2.2 Mailbox full", expert)))
        shop.mail(ANA, answers=case, text="And more.")
        shop.do("tick")
        assert sink.recipients.count(expert) == 2


# --- other automatic mail, and forgiving --------------------------------------------------------------------


def test_a_vacation_notice_to_the_return_path_joins_its_thread(shop: Talk, sink: Sink, case: Letter) -> None:
    shop.do(f"close {case.record}", user="agent")
    mail = left(sink)
    for headers in ({"Auto-Submitted": "auto-replied"}, {"Precedence": "auto_reply"}):
        letter = shop.mail(ANA, mail.sender, "Away", "I am back on Monday.", headers=headers | {"Return-Path": "<>"})
        assert (letter.outcome, letter.record) == ("stored", case.record)
    shop.do("tick")
    assert (shop.state(case.record), marks(shop, case.record), len(sink.received)) == ("done", [("sent", "")], 1)


def test_an_address_that_writes_to_us_is_alive(shop: Talk, sink: Sink, case: Letter) -> None:
    shop.post(dsn(left(sink)))
    said = shop.cli(f"reply {case.record} -m 'Again.' --no-quote --dry-run", "agent")
    assert f"mail to {ANA} came back before" in said.out + said.err
    shop.mail(ANA, subject="Away", text="Robot", headers={"Auto-Submitted": "auto-generated"})
    with shop.open():
        assert outbox.bad([ANA])  # a machine proves nothing
    shop.mail(ANA, answers=case, text="Here I am.")
    said = shop.cli(f"reply {case.record} -m 'Again.' --no-quote --dry-run", "agent")
    assert "came back before" not in said.out + said.err


class TestInWords:
    def test_why(self, shop: Talk, sink: Sink, case: Letter) -> None:
        letter = shop.post(dsn(left(sink)))
        said = shop.why(letter)
        assert f"a bounce: the mail to {ANA} was refused ({REFUSED})" in said
        assert "machine mail" in said

    def test_explain_before_it_is_taken(self, shop: Talk, sink: Sink, case: Letter) -> None:
        raw = dsn(left(sink))
        said = shop.do("deliver --dry-run --explain", input=raw)
        assert said.startswith(f"stored in #{case.record}: a bounce: the mail to {ANA} was refused")
        assert (marks(shop, case.record), shop.inbox("agent")) == ([("sent", "")], [])

    def test_a_bounce_without_a_reason_has_no_empty_brackets(self, shop: Talk, sink: Sink, case: Letter) -> None:
        letter = shop.post(by_token_and_nothing_else(left(sink)))
        assert "was refused" in shop.why(letter)
        assert "()" not in shop.why(letter)
