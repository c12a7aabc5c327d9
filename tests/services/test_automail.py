"""F225–F230: the mails that rules write: who gets them, what stands in them, and what never happens because of them."""

from __future__ import annotations

import random
import re
from email import message_from_bytes
from typing import Any

import pytest
from conversation import Letter, Talk

from crmmail.services.automatic import automail, rule_words
from crmmail.store.automatic import rules
from crmmail.store.letters import outbox

ANA = "Ana <ana@example.com>"


@pytest.fixture
def case(talk: Talk) -> Letter:
    talk.do("users set agent --lang en --notify both")
    letter = talk.mail(ANA, subject="Printer broken", text="It smokes.")
    talk.do("set 1 responsible=agent deadline=2026-11-25T09:00")
    talk.do("open 1")
    talk.do("done --all", "agent")
    return letter


class Ruled:
    """A rule acts on case 1, without a rule around it: what it wrote, and what it could not."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.notes: list[str] = []
        with talk.open() as workspace, workspace.store.transaction():
            self.rule = rules.put_rule(None, name="After a day", spec={}, changed=workspace.now())

    def write(self, what: str, *more: Any, documents: bool = False) -> list[dict[str, Any]]:
        """The messages that it wrote, as `show` has them."""
        self.notes = []
        with self.talk.open() as workspace, workspace.store.transaction():
            act = getattr(automail, what)
            written = act(workspace, 1, self.rule, "After a day", *more, documents=documents, notes=self.notes)
        return [one for one in self.talk.show(1)["messages"] if one["id"] in written]

    def mails(self, message: int) -> list[dict[str, Any]]:
        """The mails of a message as they will read."""
        rows = [one["id"] for one in self.talk.cli("outbox list --all --json").json if one["message"] == message]
        return [self.talk.cli(f"outbox show {one} --json").json for one in rows]

    def raw(self, message: int) -> bytes:
        """Its first mail exactly as it leaves."""
        row = next(one["id"] for one in self.talk.cli("outbox list --all --json").json if one["message"] == message)
        return self.talk.cli(f"outbox show {row} --raw").bytes


@pytest.fixture
def ruled(talk: Talk, case: Letter) -> Ruled:
    return Ruled(talk)


def to(message: dict[str, Any]) -> list[str]:
    return [one["to"] for one in message["deliveries"]]


class TestResponsible:
    def test_is_reminded_and_nobody_else(self, talk: Talk, ruled: Ruled) -> None:
        talk.do("follow 1 --who boss")
        talk.wait(days=2, hours=3)
        [message] = ruled.write("remind_responsible")
        assert (message["kind"], message["subtype"], message["internal"], message["automatic"]) == (
            "auto", "note", True, True,
        )  # fmt: skip
        assert (message["author"], message["from_name"], to(message)) == (None, "crmmail", ["agent@crm.test"])
        assert [one["message"] for one in talk.inbox("agent")] == [message["id"]]
        assert message["id"] not in [one["message"] for one in talk.inbox("boss")]
        [mail] = ruled.mails(message["id"])
        assert mail["rendered_subject"] == "[1] (note) Reminder: Printer broken"
        for words in (
            "#1 Printer broken waits for you: open, here for 2 d 3 h.", "Deadline: 2026-11-25 09:00 (it has passed)",
            "Customer: Ana", "Rule: After a day", "  It smokes.", "Open it: crmmail show 1",
        ):  # fmt: skip
            assert words in mail["text"], words

    @pytest.mark.parametrize(
        ("lang", "words"), [("ru", "Напоминание: Printer broken"), ("fr", "Rappel : Printer broken")]
    )
    def test_in_his_language(self, talk: Talk, ruled: Ruled, lang: str, words: str) -> None:
        talk.do(f"users set agent --lang {lang}")
        [message] = ruled.write("remind_responsible")
        assert message["subject"] == words

    def test_as_he_has_set(self, talk: Talk, ruled: Ruled) -> None:
        talk.do("users set agent --notify inbox")
        [message] = ruled.write("remind_responsible")
        assert to(message) == []
        assert [one["message"] for one in talk.inbox("agent")] == [message["id"]]

    def test_else_the_manager_is(self, talk: Talk, ruled: Ruled) -> None:
        talk.do("set 1 responsible=")
        talk.do("sections set support --manager boss")
        talk.quiet()
        [message] = ruled.write("remind_responsible")
        assert [one["message"] for one in talk.inbox("boss")] == [message["id"]]
        assert talk.inbox("agent") == []

    def test_else_nobody_and_that_is_said(self, talk: Talk, ruled: Ruled) -> None:
        talk.do("set 1 responsible= section=")
        assert ruled.write("remind_responsible") == []
        assert ruled.notes == ["nobody is there to be reminded"]

    def test_his_answer_stays_inside(self, talk: Talk, ruled: Ruled) -> None:
        ruled.write("remind_responsible")
        answer = talk.mail("agent@crm.test", answers=talk.notice("agent", 1), text="I am at it.")
        assert answer.record == 1
        last = talk.show(1)["messages"][-1]
        assert (last["kind"], last["internal"], last["author"]) == ("note", True, "agent")
        assert "ana@example.com" not in talk.outbox()


class TestPartner:
    def test_is_reminded_by_a_letter_that_says_it_is_automatic(self, talk: Talk, ruled: Ruled) -> None:
        talk.do(["reply", "1", "-m", "Which model is it?", "--no-quote"], "agent")
        talk.wait(days=3)
        [message] = ruled.write("remind_partner")
        assert (message["kind"], message["subtype"], message["internal"]) == ("auto", "discussion", False)
        assert message["from_name"] == "Support"
        mail = next(one for one in ruled.mails(message["id"]) if one["to"] == "ana@example.com")
        assert (mail["rendered_subject"], mail["purpose"]) == ("Re: Printer broken", "mail")
        assert "Dear Ana," in mail["text"] and "  Which model is it?" in mail["text"]
        assert "crmmail show" not in mail["text"]
        raw = ruled.raw(message["id"]).decode()
        assert "Auto-Submitted: auto-generated" in raw and "From: Support <support@crm.test>" in raw

    @pytest.mark.parametrize(("lang", "words"), [("ru", "Здравствуйте, Ana!"), ("fr", "Bonjour Ana,")])
    def test_in_the_language_of_the_card(self, talk: Talk, ruled: Ruled, lang: str, words: str) -> None:
        talk.do(f"contacts add Ana --email ana@example.com --lang {lang}")
        [message] = ruled.write("remind_partner")
        assert words in message["text"]

    def test_the_answer_comes_home_and_reopens(self, talk: Talk, ruled: Ruled) -> None:
        [message] = ruled.write("remind_partner")
        talk.do("close 1", "agent")
        answer = talk.mail("ana@example.com", answers=message["message_id"], text="It is the old one.")
        assert (answer.record, answer.outcome) == (1, "stored")
        assert talk.state(1) == "open"

    def test_a_bounce_is_the_matter_of_whoever_is_in_charge(self, talk: Talk, ruled: Ruled) -> None:
        [message] = ruled.write("remind_partner")
        talk.quiet()
        text = f"Diagnostic: 550 5.1.1 no such user\n\nMessage-ID: <{message['message_id']}>\n"
        report = talk.mail(
            "MAILER-DAEMON@mx.example.com", to="support@crm.test", subject="Undelivered Mail Returned to Sender",
            text=text, answers=message["message_id"], headers={"Return-Path": "<>"},
        )  # fmt: skip
        assert report.reason == "bounce"
        [copy] = next(one for one in talk.show(1)["messages"] if one["id"] == message["id"])["deliveries"][:1]
        assert copy["state"] == "bounced"
        assert [(one["message"], one["why"]) for one in talk.inbox("agent")][:1] == [(message["id"], "bounced")]

    def test_who_follows_hears_and_the_partner_gets_one_mail(self, talk: Talk, ruled: Ruled) -> None:
        talk.do("follow 1 --who boss")
        talk.do("follow 1 --who ana@example.com")
        talk.do("follow 1 --who expert@firm.example")
        talk.quiet()
        [message] = ruled.write("remind_partner")
        assert sorted(to(message)) == ["agent@crm.test", "ana@example.com", "expert@firm.example"]
        assert [one["message"] for one in talk.inbox("boss")] == [message["id"]]

    def test_our_own_mail_that_comes_back_is_ignored(self, talk: Talk, ruled: Ruled) -> None:
        [message] = ruled.write("remind_partner")
        back = talk.post(ruled.raw(message["id"]), "--recipient=support@crm.test")
        assert back.fates == [("ignored", "own")]
        assert talk.all("case") == [1]


class TestNever:
    def test_to_an_address_of_ours(self, talk: Talk, ruled: Ruled) -> None:
        talk.do("set 1 email=sales+x@crm.test")
        assert ruled.write("remind_partner") == []
        assert ruled.notes == ["not to sales+x@crm.test: it is an address of ours"]

    def test_to_who_has_no_address(self, talk: Talk, ruled: Ruled) -> None:
        talk.do("set 1 email=")
        assert ruled.write("remind_partner") == []
        assert ruled.notes == ["the customer has no address"]

    def test_to_an_address_that_does_not_exist(self, talk: Talk, ruled: Ruled) -> None:
        talk.do(["reply", "1", "-m", "Hello"], "agent")
        with talk.open() as workspace, workspace.store.transaction():
            row = outbox.deliveries()[-1]
            outbox.mark_bad("ana@example.com", workspace.now(), "550 no such user", row.id)
        assert ruled.write("remind_partner") == []
        assert ruled.notes == ["not to ana@example.com: mail to it came back"]

    @pytest.mark.parametrize("address", ["noreply@shop.example", "MAILER-DAEMON@mx.example"])
    def test_to_a_machine_by_its_name(self, talk: Talk, ruled: Ruled, address: str) -> None:
        talk.do(f"set 1 email={address}")
        assert ruled.write("copy", [address]) == []
        assert ruled.notes == [f"not to {address.lower()}: a machine reads it"]

    def test_to_who_wrote_by_machine_only(self, talk: Talk, ruled: Ruled) -> None:
        talk.mail(
            "robot@shop.example", subject="[1] Printer", to="support@crm.test", text="Beep.",
            headers={"Auto-Submitted": "auto-generated"},
        )  # fmt: skip
        number = talk.newest("case")
        assert number == 2
        with talk.open() as workspace, workspace.store.transaction():
            notes: list[str] = []
            written = automail.remind_partner(workspace, 2, ruled.rule, "x", documents=False, notes=notes)
        assert (written, notes) == ([], ["not to robot@shop.example: a machine reads it"])


class TestCopy:
    def test_is_the_conversation_as_people_outside_may_read_it(self, talk: Talk, ruled: Ruled) -> None:
        talk.do(["note", "1", "-m", "He never pays."], "agent")
        talk.do(["reply", "1", "-m", "Pull the plug!"], "agent")
        ruled.write("remind_partner")
        [message] = ruled.write("copy", ["expert@mycompany.com", "two@mycompany.com"])
        assert sorted(to(message)) == ["expert@mycompany.com", "two@mycompany.com"]
        assert message["subject"] == "Fwd: Printer broken"
        text = message["text"]
        assert text.index("It smokes.") < text.index("Pull the plug!")
        assert text.count("It smokes.") == 1  # what is quoted stands above already
        assert "He never pays" not in text and "reminder" not in text

    def test_each_sees_himself_only(self, talk: Talk, ruled: Ruled) -> None:
        [message] = ruled.write("copy", ["expert@mycompany.com", "two@mycompany.com"])
        for mail in (ruled.raw(message["id"]),):
            assert b"To: expert@mycompany.com" in mail and b"two@mycompany.com" not in mail

    def test_nothing_to_copy(self, talk: Talk, ruled: Ruled) -> None:
        talk.do("new case Empty --section support")
        with talk.open() as workspace, workspace.store.transaction():
            notes: list[str] = []
            written = automail.copy(workspace, 2, ruled.rule, "x", ["e@firm.example"], documents=False, notes=notes)
        assert (written, notes) == ([], ["no copy: nobody has written a letter yet"])

    def test_the_experts_answer_comes_home(self, talk: Talk, ruled: Ruled) -> None:
        [message] = ruled.write("copy", ["expert@mycompany.com"])
        answer = talk.mail("expert@mycompany.com", answers=message["message_id"], text="Change the fuser.")
        assert (answer.record, answer.outcome) == (1, "stored")


class TestMail:
    @pytest.fixture(autouse=True)
    def templates(self, talk: Talk) -> None:
        talk.do(["templates", "add", "thanks", "--subject", "Done: {record.title}", "-m", "Thank you, {partner.name}!"])
        talk.do(["templates", "add", "thanks", "--lang", "ru", "--subject", "Готово: {record.title}", "-m", "Спасибо!"])

    def send(self, ruled: Ruled, *to: str, documents: bool = False) -> list[dict[str, Any]]:
        return ruled.write("mail", "thanks", to, documents=documents)

    def test_to_the_partner(self, talk: Talk, ruled: Ruled) -> None:
        [message] = self.send(ruled, "partner")
        assert (message["subject"], message["text"]) == ("Done: Printer broken", "Thank you, Ana!\n")
        assert "ana@example.com" in to(message) and not message["internal"]

    def test_in_the_partners_language(self, talk: Talk, ruled: Ruled) -> None:
        talk.do("contacts add Ana --email ana@example.com --lang ru")
        assert self.send(ruled, "partner")[0]["subject"] == "Готово: Printer broken"

    def test_to_the_responsible_it_stays_inside(self, talk: Talk, ruled: Ruled) -> None:
        [message] = self.send(ruled, "responsible")
        assert message["internal"] and to(message) == ["agent@crm.test"]
        assert "ana@example.com" not in talk.outbox()

    def test_to_all_of_them(self, talk: Talk, ruled: Ruled) -> None:
        talk.do("follow 1 --who expert@firm.example")
        talk.do("follow 1 --who boss")
        talk.quiet()
        inside, letter = self.send(ruled, "responsible", "partner", "watchers", "chief@firm.example")
        assert inside["internal"] and not letter["internal"]
        assert sorted(to(letter)) == ["ana@example.com", "chief@firm.example", "expert@firm.example"]
        for user in ("agent", "boss"):  # each once
            assert [one["message"] for one in talk.inbox(user)] == [inside["id"]]

    def test_to_nobody(self, talk: Talk, ruled: Ruled) -> None:
        talk.do("set 1 email=")
        assert self.send(ruled, "partner") == []
        assert ruled.notes == ["the customer has no address", "nobody to mail thanks to"]

    def test_what_a_customer_wrote_is_no_template(self, talk: Talk, ruled: Ruled) -> None:
        talk.do(["set", "1", "title={user.email} {{ 7 * 7 }}"])
        assert self.send(ruled, "partner")[0]["subject"] == "Done: {user.email} {{ 7 * 7 }}"


class TestDocuments:
    @pytest.fixture(autouse=True)
    def files(self, talk: Talk, ruled: Ruled) -> None:
        talk.mail(ANA, answers=talk.sent[0], text="Here.", files=[("photo.jpg", b"JPEG"), ("again.jpg", b"JPEG")])
        path = talk.home / "secret.txt"
        path.write_text("inside")
        talk.do(["note", "1", "-m", "ours", "--attach", str(path)], "agent")

    def test_each_once_and_none_that_is_internal(self, talk: Talk, ruled: Ruled) -> None:
        [message] = ruled.write("remind_partner", documents=True)
        assert [one["name"] for one in message["attachments"]] == ["photo.jpg"]
        assert b"photo.jpg" in ruled.raw(message["id"])
        [more] = ruled.write("remind_partner", documents=True)
        assert [one["name"] for one in more["attachments"]] == ["photo.jpg"]

    def test_a_reminder_carries_them_to_the_responsible(self, talk: Talk, ruled: Ruled) -> None:
        [message] = ruled.write("remind_responsible", documents=True)
        assert b"photo.jpg" in ruled.raw(message["id"])
        assert "crmmail attachment save" not in ruled.mails(message["id"])[0]["text"]

    def test_without_them(self, talk: Talk, ruled: Ruled) -> None:
        assert ruled.write("remind_partner")[0]["attachments"] == []

    def test_what_has_no_room_is_named(self, talk: Talk, ruled: Ruled, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rule_words, "MOST_BYTES", 3)
        [message] = ruled.write("copy", ["expert@firm.example"], documents=True)
        assert message["attachments"] == []
        assert message["text"].endswith("Not attached, for the mail would be too large: photo.jpg\n")


SUPPLIER, EXPERT, CARL = "supplier@sup.example", "expert@ext.example", "carl@carl.example"


class TestWhoKnowsWhat:
    """What a rule's mail quotes and attaches, its readers have sent or got."""

    @pytest.fixture
    def file(self, talk: Talk) -> str:
        path = talk.home / "prices.txt"
        path.write_text("SUPPLIERFILE")
        return str(path)

    def send(self, talk: Talk, to: str, words: str, *more: str) -> None:
        talk.wait(minutes=1)
        talk.do(["send", "1", "--to", to, "-m", words, "-y", *more], "agent")

    def reminded(self, ruled: Ruled) -> str:
        """What the customer reads, with the files, as one text."""
        [message] = ruled.write("remind_partner", documents=True)
        return readable(ruled.raw(message["id"]))

    def test_not_what_we_wrote_to_somebody_else(self, talk: Talk, ruled: Ruled, file: str) -> None:
        self.send(talk, "ana@example.com", "ANAWORDS")
        self.send(talk, SUPPLIER, "SUPPLIERWORDS: we sell at 500.", "--attach", file)
        mail = self.reminded(ruled)
        assert "ANAWORDS" in mail
        assert "SUPPLIER" not in mail and "prices.txt" not in mail
        assert ruled.notes == ["1 file not attached: from letters that not all readers were sent"]

    def test_not_what_was_passed_on(self, talk: Talk, ruled: Ruled) -> None:
        talk.do(["forward", str(talk.sent[0].message), "--to", SUPPLIER, "-m", "SUPPLIERWORDS", "-y"], "agent")
        mail = self.reminded(ruled)
        assert "SUPPLIERWORDS" not in mail and "What we wrote to you last" not in mail

    def test_not_what_an_expert_was_asked(self, talk: Talk, ruled: Ruled) -> None:
        [copy] = ruled.write("copy", [EXPERT])
        asked = talk.mail(EXPERT, answers=copy["message_id"], text="EXPERTQUESTION", files=[("plan.txt", b"EXPERT")])
        talk.do(["reply", "1", "--to", EXPERT, "--message", str(asked.message), "-m", "EXPERTANSWER", "-y"], "agent")
        assert any("EXPERTANSWER" in words for words in talk.words(1))
        assert "EXPERT" not in self.reminded(ruled)

    def test_not_what_came_with_a_merged_record(self, talk: Talk, ruled: Ruled) -> None:
        talk.mail(CARL, subject="CARLSUBJECT", text="CARLWORDS", files=[("carl.txt", b"CARLFILE")])
        talk.do(["reply", "2", "-m", "TOCARL", "-y"], "agent")
        talk.do("merge 2 --into 1")
        mail = self.reminded(ruled)
        assert "CARL" not in mail and "carl" not in mail

    def test_a_copy_passes_on_what_came_with_a_merged_record(self, talk: Talk, ruled: Ruled) -> None:
        talk.mail(CARL, subject="CARLSUBJECT", text="CARLWORDS", files=[("carl.txt", b"CARLFILE")])
        talk.do("merge 2 --into 1")
        [copy] = ruled.write("copy", [EXPERT], documents=True)
        assert "It smokes." in copy["text"] and "CARLWORDS" in copy["text"]
        assert [one["name"] for one in copy["attachments"]] == ["carl.txt"]

    def test_a_copy_has_the_files_of_the_letters_in_it(self, talk: Talk, ruled: Ruled, file: str) -> None:
        talk.mail(
            ANA, answers=talk.sent[0], text="I am away.", files=[("log.txt", b"LOG")],
            headers={"Auto-Submitted": "auto-generated"},
        )  # fmt: skip
        assert len(talk.words(1)) == 2
        self.send(talk, SUPPLIER, "SUPPLIERWORDS", "--attach", file)
        [copy] = ruled.write("copy", [EXPERT], documents=True)
        assert [one["name"] for one in copy["attachments"]] == ["prices.txt"]

    def test_not_what_the_partner_before_him_was_told(self, talk: Talk, ruled: Ruled) -> None:
        self.send(talk, "ana@example.com", "ANAWORDS")
        talk.do("contacts add Bob --email bob@firm.example")
        talk.do(f"set 1 partner={talk.newest('contact')} email=bob@firm.example")
        [message] = ruled.write("remind_partner")
        assert to(message)[0] == "bob@firm.example"
        assert "ANAWORDS" not in message["text"]

    def test_what_did_not_leave_was_not_got(self, talk: Talk, ruled: Ruled) -> None:
        self.send(talk, "ana@example.com", "FIRST")
        self.send(talk, "ana@example.com", "CALLEDOFF")
        row = max(one["id"] for one in talk.cli("outbox --json").json if one["to"] == "ana@example.com")
        talk.do(f"outbox cancel {row}")
        mail = self.reminded(ruled)
        assert "FIRST" in mail and "CALLEDOFF" not in mail

    def test_a_follower_outside_gets_no_copy_of_what_he_does_not_know(self, talk: Talk, ruled: Ruled) -> None:
        self.send(talk, "ana@example.com", "ANAWORDS")
        talk.do(f"follow 1 --who {EXPERT}")
        [message] = ruled.write("remind_partner")
        assert sorted(to(message)) == ["agent@crm.test", "ana@example.com"]
        assert ruled.notes == [f"no copy to {EXPERT}: it has words or files that he was not sent"]
        self.send(talk, "ana@example.com", "MORE")  # he follows now, and has this
        assert EXPERT in to(ruled.write("remind_partner")[0])

    def test_a_prepared_mail_has_the_files_that_all_its_readers_know(self, talk: Talk, ruled: Ruled, file: str) -> None:
        talk.do(["templates", "add", "thanks", "--subject", "Done", "-m", "Thank you!"])
        self.send(talk, f"ana@example.com,{SUPPLIER}", "To both", "--attach", file)
        talk.mail(ANA, answers=talk.sent[0], text="Here.", files=[("ana.txt", b"ANAFILE")])
        names = [
            sorted(one["name"] for one in ruled.write("mail", "thanks", people, documents=True)[0]["attachments"])
            for people in (["partner"], ["partner", SUPPLIER], ["partner", EXPERT], ["responsible"])
        ]
        assert names == [["ana.txt", "prices.txt"], ["prices.txt"], [], ["ana.txt", "prices.txt"]]

    def test_it_names_no_letters_that_its_reader_does_not_know(self, talk: Talk, ruled: Ruled) -> None:
        self.send(talk, SUPPLIER, "Have you one?")
        asked = talk.show(1)["messages"][-1]["message_id"]
        theirs = talk.mail(SUPPLIER, answers=asked, text="Yes.", id="secret@sup.example")
        assert theirs.record == 1
        [message] = ruled.write("remind_partner")
        raw = ruled.raw(message["id"]).decode()
        assert f"In-Reply-To: <{talk.sent[0].id}>" in raw and "sup.example" not in raw
        [copy] = ruled.write("copy", [EXPERT])
        assert "In-Reply-To" not in ruled.raw(copy["id"]).decode()

    def test_what_an_admin_deleted_is_in_none(self, talk: Talk, ruled: Ruled) -> None:
        self.send(talk, "ana@example.com", "FIRST")
        self.send(talk, "ana@example.com", "SECOND")
        talk.do(f"message delete {talk.show(1)['messages'][-1]['id']}")
        [reminder] = ruled.write("remind_partner")
        [copy] = ruled.write("copy", [EXPERT])
        for message in (reminder, copy):
            assert "FIRST" in message["text"] and "deleted" not in message["text"]
        [inside] = ruled.write("remind_responsible")
        assert "(deleted by boss)" in inside["text"]


class Conversation:
    """Letters on case 1 whose words and files are all different, and who has sent or got each."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.takes_part: dict[str, set[str]] = {}  # the unique word of a letter → addresses
        self.ids: dict[str, set[str]] = {}  # the Message-ID of a letter that came → addresses

    def _word(self, *people: str) -> str:
        word = f"UNIQUE{len(self.takes_part)}X"
        self.takes_part[word] = set(people)
        self.talk.wait(minutes=1)
        return word

    def ours(self, *people: str) -> None:
        word = self._word(*people)
        path = self.talk.home / f"name{word}.txt"
        path.write_text(f"data{word}")
        line = ["send", "1", "--to", ",".join(people), "-m", word, "--attach", str(path), "-y"]
        self.talk.do(line, "agent")

    def theirs(self, sender: str, *cc: str) -> None:
        word = self._word(sender, *cc)
        letter = self.talk.mail(
            sender, cc=", ".join(cc), text=word, files=[(f"name{word}.txt", b"data" + word.encode())],
            answers=next((one["message_id"] for one in self._to(sender)), self.talk.sent[0]),
        )  # fmt: skip
        assert letter.record == 1
        self.ids[letter.id] = self.takes_part[word]

    def _to(self, address: str) -> list[dict[str, Any]]:
        """Our letters to somebody."""
        return [one for one in self.talk.show(1)["messages"] if address in to(one)]

    def passed_on(self, people: str) -> None:
        """The newest letter from outside is forwarded: its words and files go along."""
        letter = [one for one in self.talk.show(1)["messages"] if one["kind"] == "email_in"][-1]
        for word in re.findall(r"UNIQUE\d+X", letter["text"]):
            self.takes_part[word].add(people)
        word = self._word(people)
        self.talk.do(["forward", str(letter["id"]), "--to", people, "-m", word, "-y"], "agent")


def readable(raw: bytes) -> str:
    """A mail as text: its head, and all that is in it."""
    mail = message_from_bytes(raw)
    parts = [str(mail.items())]
    for part in mail.walk():
        data = part.get_payload(decode=True)
        parts.append(f"{part.get_filename() or ''} {data.decode() if isinstance(data, bytes) else ''}")
    return "\n".join(parts)


@pytest.mark.parametrize("seed", range(4))
def test_nobody_gets_words_or_files_of_letters_in_which_he_took_no_part(talk: Talk, ruled: Ruled, seed: int) -> None:
    """A customer, a supplier and an expert write and are written to, in any order; then rules write."""
    ana = "ana@example.com"
    said = Conversation(talk)
    steps = [
        lambda: said.ours(ana), lambda: said.ours(SUPPLIER), lambda: said.ours(EXPERT),
        lambda: said.ours(ana, SUPPLIER), lambda: said.theirs(ana), lambda: said.theirs(ana, EXPERT),
        lambda: said.theirs(SUPPLIER),
        lambda: said.theirs(EXPERT, SUPPLIER), lambda: said.passed_on(EXPERT), lambda: said.passed_on(SUPPLIER),
    ]  # fmt: skip
    said.ours(SUPPLIER)  # whom we wrote to may answer
    said.ours(EXPERT)
    for step in random.Random(seed).sample(steps, 7):
        step()
    for address in (SUPPLIER, EXPERT):
        talk.do(f"follow 1 --who {address}")
    talk.do(["templates", "add", "thanks", "--subject", "Done", "-m", "Thank you!"])
    written = ruled.write("remind_partner", documents=True)
    for people in (["partner"], ["watchers"], ["partner", "watchers"], [SUPPLIER], [EXPERT, "new@new.example"]):
        written += ruled.write("mail", "thanks", people, documents=True)
    mine = {one["id"] for one in written if not one["internal"]}
    rows = [one for one in talk.cli("outbox list --all --json").json if one["message"] in mine]
    outside = [one for one in rows if not one["to"].endswith("@crm.test")]
    assert {one["to"] for one in outside} == {ana, SUPPLIER, EXPERT, "new@new.example"}
    quoted = 0
    for row in outside:
        mail = readable(talk.cli(f"outbox show {row['id']} --raw").bytes)
        for word, readers in said.takes_part.items():
            assert row["to"] in readers or word not in mail, (row["to"], word)
            quoted += word in mail
        for number, readers in said.ids.items():
            assert row["to"] in readers or number not in mail, (row["to"], number)
    assert quoted  # what he knows is there
    [copy] = ruled.write("copy", ["new@new.example"], documents=True)
    mail = readable(ruled.raw(copy["id"]))
    assert all(f"data{word}" in mail or word in copy["text"] for word in said.takes_part)


class TestByRules:
    """The same, with rules that a shop has written."""

    def test_the_client_hears_of_each_stage(self, talk: Talk, case: Letter) -> None:
        for state, words in (("pending", "We have ordered a part."), ("done", "It is repaired.")):
            talk.do(["templates", "add", state, "--subject", "{record.title}", "-m", words])
            talk.do(f"rules add 'Tell of {state}' --state-to {state} --mail {state} --mail-to partner")
        talk.do("pending 1", "agent")
        talk.do("close 1", "agent")
        said = [one for one in talk.show(1)["messages"] if one["kind"] == "auto"]
        assert [(one["text"], to(one)[0]) for one in said] == [
            ("We have ordered a part.\n", "ana@example.com"), ("It is repaired.\n", "ana@example.com"),
        ]  # fmt: skip

    def test_a_letter_makes_a_rule_write_and_that_makes_no_rule_write(self, talk: Talk, case: Letter) -> None:
        talk.do(["templates", "add", "got", "--subject", "{record.title}", "-m", "We got it."])
        talk.do("rules add Receipt --contains printer --mail got")
        talk.mail("bea@example.com", subject="Printer jam")
        said = [one for one in talk.show(2)["messages"] if one["kind"] == "auto"]
        assert [to(one) for one in said] == [["bea@example.com", "agent@crm.test"]]
        row = next(
            one["id"] for one in talk.cli("outbox --json").json if one["record"] == 2 and one["to"] == to(said[0])[0]
        )
        raw = talk.cli(f"outbox show {row} --raw").bytes
        assert talk.post(raw).fates == [("ignored", "own")]
        robot = talk.mail(
            "bea@example.com", answers=said[0]["message_id"], subject="Away: printer", text="I am away.",
            headers={"Auto-Submitted": "auto-replied"},
        )  # fmt: skip
        assert robot.record == 2
        assert len([one for one in talk.show(2)["messages"] if one["kind"] == "auto"]) == 1

    def test_who_is_left_out_stands_in_the_rules_sentence(self, talk: Talk, case: Letter) -> None:
        talk.do("set 1 email=sales@crm.test")
        talk.do("rules add Remind --state-to pending --remind partner")
        talk.do("pending 1", "agent")
        assert "not to sales@crm.test: it is an address of ours" in talk.system(1)[-1]
