"""Our mails as they leave: who they are from, where answers come back, what they answer, and nothing that they must not
say.  They are read with the standard library, as their readers' programs would."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage

import pytest
from conversation import Talk
from mailsink import Sink
from outgoing import Office, fill, identifier, raw_store, words

from crmmail.core import token
from crmmail.core.letter import File
from crmmail.mail.compose import compose, marked
from crmmail.services.sending import outbox, outgoing
from crmmail.store import tables

ANA, BOB, EVE = "ana@example.com", "bob@example.com", "eve@example.com"
EVIL = 'Eve"\r\nBcc: victim@example.com\r\n\r\n<b>\x00\x1b[31m'
LETTER = [
    "Content-Type", "Date", "From", "In-Reply-To", "MIME-Version", "Message-ID", "References", "Reply-To", "Subject",
    "To", "X-Crmmail-Sent",
]  # fmt: skip
NOTICE = ["Auto-Submitted", "Content-Transfer-Encoding", *LETTER, "X-Auto-Response-Suppress", "X-Loop"]


def send(office: Office) -> list[EmailMessage]:
    """Everything that is due leaves; what arrived."""
    before = len(office.sink.received)
    said = office.talk.cli("outbox send")
    assert (said.code, said.err) == (0, ""), said
    return office.mails()[before:]


def names(mail: EmailMessage) -> list[str]:
    return sorted(mail.keys(), key=lambda name: (name.startswith("X-"), name))


def ids(value: str | None) -> list[str]:
    return [one.strip("<>") for one in str(value or "").split()]


def contact(talk: Talk) -> int:
    """Bob's card."""
    talk.do(["new", "contact", "Bob", "--email", BOB])
    return talk.newest("contact")


# --- From, To, Cc, Bcc --------------------------------------------------------------------------------------


class TestPeople:
    def test_from_the_user_with_his_name(self, office: Office) -> None:
        office.talk.do(["users", "set", "agent", "--name", "Аня Агент, Ltd"])
        office.letter()
        (mail,) = send(office)
        (sender,) = mail["From"].addresses
        assert (sender.display_name, sender.addr_spec) == ("Аня Агент, Ltd", "agent@crm.test")

    def test_a_virtual_address_before_a_private_one(self, office: Office) -> None:
        with raw_store(office.talk.db) as store:
            store.execute("UPDATE crm_user_address SET main = 0 WHERE address = 'agent@crm.test'")
            user = store.execute("SELECT id FROM crm_user WHERE login = 'agent'").fetchone()[0]
            store.execute(
                "INSERT INTO crm_user_address (address, user_id, main, virtual) VALUES (?, ?, 1, 0)",
                ("agent@home.example", user),
            )
            store.execute("UPDATE crm_user_address SET virtual = 1 WHERE address = 'agent@crm.test'")
        office.letter()
        (mail,) = send(office)
        assert mail["From"].addresses[0].addr_spec == "agent@crm.test"

    def test_each_has_a_mail_of_his_own_and_nobody_sees_bcc(self, office: Office, sink: Sink) -> None:
        office.letters([f"Ana <{ANA}>"], cc=(f"Bob <{BOB}>",), bcc=(f"Eve <{EVE}>",))
        mails = send(office)
        assert sink.recipients == [ANA, BOB, EVE]
        assert {str(mail["To"]) for mail in mails} == {f"Ana <{ANA}>"}
        assert {str(mail["Cc"]) for mail in mails} == {f"Bob <{BOB}>"}
        assert not any("eve" in one.data.decode().lower() for one in sink.received)
        assert all("Bcc" not in mail for mail in mails)
        assert len({identifier(mail) for mail in mails}) == 3

    def test_only_hidden_recipients(self, office: Office) -> None:
        number = office.letter(BOB)
        office.change(number, role="bcc")
        (mail,) = send(office)
        assert str(mail["To"]) == "undisclosed-recipients:;"
        assert BOB not in office.sink.received[-1].data.decode()


# --- Reply-To and the envelope ------------------------------------------------------------------------------


class TestReplyTo:
    def test_the_section_before_the_conversation_before_the_catchall(self, office: Office) -> None:
        talk = office.talk
        talk.environ(CRMMAIL_MAIL_CATCHALL="all@other.test", CRMMAIL_MAIL_PLUS_ADDRESSES="no")
        lead = talk.mail(ANA, to="sales@crm.test", subject="An offer?").record
        card = contact(talk)
        office.letter()
        office.letter(record=lead)
        office.letter(BOB, record=card)
        assert [str(mail["Reply-To"]) for mail in send(office)] == [
            "support@crm.test",
            "sales@crm.test",
            "all@other.test",
        ]

    def test_without_any_of_ours_there_is_none(self, office: Office) -> None:
        talk = office.talk
        card = contact(talk)
        office.letter(BOB, record=card)
        (mail,) = send(office)
        assert mail["Reply-To"] is None
        assert office.sink.received[-1].sender == "agent@crm.test"

    @pytest.mark.parametrize(
        "setting", [{"CRMMAIL_MAIL_PLUS_ADDRESSES": "yes"}, {"CRMMAIL_MAIL_CATCHALL": "all@crm.test"}], ids=str
    )
    def test_with_plus_addresses_it_is_signed(self, office: Office, sink: Sink, setting: dict[str, str]) -> None:
        office.talk.environ(**setting)
        office.letter()
        (mail,) = send(office)
        address, path = str(mail["Reply-To"]), sink.received[-1].sender
        with office.talk.open() as workspace:
            tag = address.partition("+")[2].partition("@")[0]
            assert token.read_tag(workspace.secret, tag) == token.Token(office.case, "x")
        assert address.startswith("support+") and address.endswith("@crm.test")
        assert path == f"support+{identifier(mail).partition('@')[0]}@crm.test"
        assert max(len(one.rpartition("@")[0]) for one in (address, path)) <= 64

    def test_without_plus_addresses_it_is_plain(self, office: Office, sink: Sink) -> None:
        office.talk.environ(CRMMAIL_MAIL_PLUS_ADDRESSES="no", CRMMAIL_MAIL_CATCHALL="all@crm.test")
        office.letter()
        (mail,) = send(office)
        assert (str(mail["Reply-To"]), sink.received[-1].sender) == ("support@crm.test", "support@crm.test")

    def test_the_bounce_address_has_the_id_in_it(self, office: Office, sink: Sink) -> None:
        office.talk.environ(CRMMAIL_MAIL_PLUS_ADDRESSES="yes", CRMMAIL_MAIL_BOUNCE="bounce@crm.test")
        office.letter()
        (mail,) = send(office)
        assert sink.received[-1].sender == f"bounce+{identifier(mail).partition('@')[0]}@crm.test"

    def test_an_answer_to_that_address_alone_finds_its_record(self, office: Office) -> None:
        office.talk.environ(CRMMAIL_MAIL_PLUS_ADDRESSES="yes")
        office.letter(BOB)
        (mail,) = send(office)
        answer = office.talk.mail("bob@home.example", to=str(mail["Reply-To"]), subject="Hello", text="From home.")
        assert (answer.record, answer.reason) == (office.case, "token")

    def test_a_user_is_proven_by_it(self, office: Office) -> None:
        talk = office.talk
        talk.environ(CRMMAIL_MAIL_PLUS_ADDRESSES="yes")
        talk.do("users set agent --notify email")
        talk.mail(ANA, answers=talk.sent[0], text="It still smokes.")
        (notice,) = send(office)
        answer = talk.mail("agent@crm.test", to=str(notice["Reply-To"]), subject="Hello", text="Pull the plug!")
        assert (answer.record, answer.reason) == (office.case, "token")
        assert talk.state(office.case) == "done"
        (mail,) = send(office)
        assert (str(mail["To"]), words(mail)) == (ANA, "Pull the plug!")


# --- the conversation ---------------------------------------------------------------------------------------


class TestReferences:
    def test_six_letters_as_each_of_two_people_knows_them(self, office: Office) -> None:
        talk = office.talk
        first = talk.sent[0]
        office.letters([ANA, BOB], text="One.")
        one_ana, one_bob = send(office)
        second = talk.mail(ANA, answers=identifier(one_ana), subject="Re: Printer broken", text="Two.")
        talk.do(["note", str(office.case), "-m", "She never pays."], "agent")
        office.letters([ANA, BOB], text="Three.")
        three_ana, three_bob = send(office)
        fourth = talk.mail(BOB, answers=identifier(three_bob), subject="Re: Printer broken", text="Four.")
        office.letters([ANA, BOB], text="Five.")
        five_ana, five_bob = send(office)
        chain = [first.id, identifier(one_ana), second.id, identifier(three_ana), fourth.id]
        assert ids(five_ana["References"]) == chain
        assert ids(five_bob["References"]) == [
            first.id, identifier(one_bob), second.id, identifier(three_bob), fourth.id,
        ]  # fmt: skip
        assert ids(one_ana["References"]) == [first.id] == ids(one_ana["In-Reply-To"])
        for mail in (three_ana, three_bob, five_ana, five_bob):
            assert ids(mail["In-Reply-To"])[0] in ids(mail["References"])

    def test_the_letter_that_is_answered_by_its_number(self, office: Office) -> None:
        talk = office.talk
        second = talk.mail(BOB, answers=talk.sent[0], subject="Re: Printer", text="Mine too.")
        talk.mail(ANA, answers=talk.sent[0], subject="Re: Printer", text="Hello?")
        if second.record != office.case:  # he takes no part yet
            talk.do(f"quarantine route {second.quarantine} {office.case}")
        number = next(one["id"] for one in talk.show(office.case)["messages"] if one["from_address"] == BOB)
        talk.do(["reply", str(office.case), "--to", BOB, "--message", str(number), "-m", "Yours too?"], "agent")
        (mail,) = office.mails(BOB)
        assert ids(mail["In-Reply-To"]) == [second.id]

    def test_no_internal_id_goes_outside(self, office: Office) -> None:
        talk = office.talk
        talk.do("users set agent --notify email")
        talk.do(["note", str(office.case), "-m", "She never pays."], "boss")
        talk.mail(ANA, answers=talk.sent[0], text="Hello?")
        notices = send(office)
        assert [str(notice["To"]) for notice in notices] == ["agent@crm.test"] * len(notices) and notices
        office.letter()
        (mail,) = send(office)
        known = {letter.id for letter in talk.sent}
        assert set(ids(mail["References"])) <= known
        for notice in notices:
            assert identifier(notice) not in mail.as_string()

    def test_an_id_that_we_made_for_a_letter_without_one_is_not_told(self, office: Office) -> None:
        case = office.talk.mail(BOB, subject="No id", text="Hello.", id="").record
        office.letter(BOB, record=case)
        (mail,) = send(office)
        assert (mail["References"], mail["In-Reply-To"]) == (None, None)


# --- marks --------------------------------------------------------------------------------------------------


class TestMarks:
    def test_a_letter_is_no_automatic_mail_and_a_notification_is(self, office: Office) -> None:
        talk = office.talk
        talk.do("users set agent --notify email")
        talk.mail(ANA, answers=talk.sent[0], text="Hello?")
        office.letter(BOB, user="boss")
        by_name = {str(mail["To"]): mail for mail in send(office)}
        letter, notice = by_name[BOB], by_name["agent@crm.test"]
        assert names(letter) == sorted(LETTER, key=lambda name: (name.startswith("X-"), name))
        assert (notice["Auto-Submitted"], notice["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
        assert notice["X-Loop"]
        assert set(names(notice)) <= {*NOTICE}
        assert str(notice["Subject"]) == f"[{office.case}] Printer broken"
        assert str(letter["Subject"]) == "Printer broken"

    def test_our_own_mail_that_comes_back_is_known(self, office: Office, sink: Sink) -> None:
        talk = office.talk
        talk.do("users set agent --notify email")
        talk.mail(ANA, answers=talk.sent[0], text="Hello?")
        office.letter(BOB, user="boss")
        send(office)
        before = talk.count(tables.Message)
        for mail in list(sink.received):
            back = talk.post(
                b"Received: from mx.example.com by crm.test; Tue, 24 Nov 2026 10:00:00 +0000\r\n" + mail.data
            )
            assert back.fates == [("ignored", "own")]
        assert talk.count(tables.Message) == before

    def test_the_mark_is_put_in_as_if_the_mail_had_been_composed_with_it(self, office: Office) -> None:
        number = office.letter(text="Hello.\nMIME-Version: 1.0\n\n*Yes*")
        with office.talk.open() as workspace:
            letter, data, _ = outgoing.build(workspace, outbox.delivery(number))
        mark = str(message_from_bytes(data)["X-Crmmail-Sent"])
        assert marked(compose(letter), mark) == compose(letter, mark=mark) == data

    def test_known_even_without_the_mark(self, office: Office, sink: Sink) -> None:
        office.letter(BOB)
        send(office)
        lines = sink.received[0].data.split(b"\r\n")
        raw = b"\r\n".join(line for line in lines if not line.startswith(b"X-Crmmail-Sent"))
        assert len(raw) < len(sink.received[0].data)
        assert office.talk.post(raw).fates == [("ignored", "own")]

    def test_our_id_with_other_words_is_held(self, office: Office, sink: Sink) -> None:
        office.letter(BOB)
        send(office)
        raw = sink.received[0].data.replace(b"Pull the plug!", b"Pay at once!")
        assert office.talk.post(raw).fates == [("quarantined", "own-id-reused")]

    def test_two_tries_are_one_mail(self, office: Office, sink: Sink) -> None:
        number = office.letter(files=(File("plan.txt", "text/plain", b"plan"),))
        sink.answer(mail=["keep-and-drop", "ok"])
        office.talk.do("outbox send")
        office.talk.wait(minutes=5)
        office.talk.do("tick")
        one, two = sink.received
        assert one.data == two.data
        assert office.row(number).state == "sent"


# --- no header line more than there should be ---------------------------------------------------------------


class TestInjection:
    def letter_is_whole(self, office: Office, mail: EmailMessage, fields: list[str]) -> None:
        assert names(mail) == sorted(fields, key=lambda name: (name.startswith("X-"), name))
        assert all(not part.defects for part in mail.walk())
        head = office.sink.received[-1].data.partition(b"\r\n\r\n")[0]
        assert head.isascii() and b"\x1b" not in head and b"\0" not in head
        assert b"\nBcc:" not in head
        assert office.sink.recipients.count("victim@example.com") == 0

    def test_names_subjects_files_and_sections(self, office: Office) -> None:
        talk = office.talk
        with raw_store(talk.db) as store:  # as no door would take them
            store.execute("UPDATE crm_user SET name = ?", (EVIL,))
            store.execute("UPDATE crm_section SET name = ?", (EVIL,))
            store.execute("UPDATE crm_thread SET title = ?", (EVIL,))
            store.execute("UPDATE crm_case SET partner_name = ?", (EVIL,))
            store.execute("UPDATE crm_message SET from_name = ?, subject = ?", (EVIL, EVIL))
            store.execute("UPDATE crm_message_address SET name = ?", (EVIL,))
        number = office.letter(files=(File(EVIL, "text/plain\r\nX-Evil: 1", b"plan"),))
        with raw_store(talk.db) as store:
            store.execute("UPDATE crm_message SET subject = ? WHERE kind = 'email_out'", (EVIL,))
            store.execute("UPDATE crm_message_address SET name = ? WHERE role = 'to'", (EVIL,))
        (mail,) = send(office)
        self.letter_is_whole(office, mail, LETTER)
        assert office.row(number).state == "sent"
        (sender,) = mail["From"].addresses
        assert sender.addr_spec == "agent@crm.test"
        assert [one.addr_spec for one in mail["To"].addresses] == [ANA]
        (file,) = list(mail.iter_attachments())
        assert sorted(file.keys()) == ["Content-Disposition", "Content-Transfer-Encoding", "Content-Type"]
        name = file.get_filename()
        assert name is not None and name.isprintable()
        assert file.get_payload(decode=True) == b"plan"

    @pytest.mark.parametrize("user", [True, False], ids=["user", "follower"])
    def test_a_notification(self, office: Office, user: bool) -> None:
        talk = office.talk
        if user:
            talk.do("users set agent --notify email")
        else:
            talk.do(["follow", str(office.case), "--who", BOB])
        talk.mail(ANA, answers=talk.sent[0], subject="Re: Printer", text=f"Hello.\nSubject: other\n\n{EVIL[5:40]}")
        with raw_store(talk.db) as store:
            store.execute("UPDATE crm_thread SET title = ?", (EVIL,))
            store.execute("UPDATE crm_case SET partner_name = ?", (EVIL,))
            store.execute("UPDATE crm_message SET from_name = ?, subject = ?", (EVIL, EVIL))
        (mail,) = send(office)
        self.letter_is_whole(office, mail, NOTICE)
        assert str(mail["Subject"]).startswith(f"[{office.case}] Eve")
        (sender,) = mail["From"].addresses
        assert sender.addr_spec == "support@crm.test"

    def test_ids_of_strangers_and_endless_words(self, office: Office) -> None:
        """What nobody's header may hold is left out or cut; what is left is a mail of its own."""
        talk, endless = office.talk, "A" * 100_000
        first = talk.mail(EVE, subject="Scanner", text="It hums.").record
        with raw_store(talk.db) as store:
            store.execute("UPDATE crm_message SET message_id = ?, from_name = ?", (f"x>\r\nBcc: {EVIL}@y", endless))
            store.execute("UPDATE crm_thread SET title = ?", (endless,))
            store.execute("UPDATE crm_user SET name = ?", (endless,))
        office.letter(EVE, record=first, subject=endless, files=(File(endless, "text/plain", b"plan"),))
        (mail,) = send(office)
        self.letter_is_whole(office, mail, [one for one in LETTER if one not in ("In-Reply-To", "References")])
        assert len(office.sink.received[-1].data) < 20_000
        assert all(len(line) <= 998 for line in office.sink.received[-1].data.split(b"\r\n"))

    def test_what_a_rule_fills_into_a_template(self, office: Office) -> None:
        talk = office.talk
        talk.do(["templates", "add", "thanks", "--subject", "For {partner.name}", "-m", "{record.title}"])
        talk.do("rules add Thanks --state-to done --mail thanks")
        with raw_store(talk.db) as store:
            store.execute("UPDATE crm_thread SET title = ?", (EVIL,))
            store.execute("UPDATE crm_case SET partner_name = ?", (EVIL,))
        talk.do(f"close {office.case}")
        (mail,) = send(office)
        automatic = [one for one in NOTICE if one != "Content-Transfer-Encoding" or one in mail]
        self.letter_is_whole(office, mail, automatic)
        assert str(mail["Subject"]).startswith("For Eve")

    def test_by_mail_and_by_command(self, talk: Talk, office: Office) -> None:
        raw = (
            b"From: =?utf-8?q?Eve=0D=0ABcc:_victim=40example.com?= <eve@example.com>\r\nTo: support@crm.test\r\n"
            b"Subject: =?utf-8?q?Hello=0D=0ABcc:_victim=40example.com=0D=0A=0D=0Abody?=\r\n"
            b"Message-ID: <e1@example.com>\r\n\r\nHello.\r\n"
        )
        case = talk.post(raw).record
        talk.do(["reply", str(case), "-m", "Yes?", "--subject", "Re\r\nBcc: victim@example.com"], "agent")
        mail = office.mails(EVE)[-1]
        self.letter_is_whole(office, mail, LETTER)
        assert str(mail["To"]).endswith("<eve@example.com>")
        assert [one.addr_spec for one in mail["To"].addresses] == [EVE]


def test_rows_that_a_test_makes_leave_like_others(office: Office) -> None:
    """`fill` of the tests with a thousand mails makes what the program would."""
    wanted = fill(office.talk.db, 2, records=1)
    mails = send(office)
    assert [identifier(mail) for mail in mails] == wanted
    assert {str(mail["Subject"]) for mail in mails} == {"Offer 0", "Offer 1"}
    assert {str(mail["Reply-To"]) for mail in mails} == {"support@crm.test"}
