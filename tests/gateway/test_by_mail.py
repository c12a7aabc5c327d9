"""A user answers by mail: his words leave, the house's do not, and who else hears (F45-F48, F165-F171, safety 3)."""

from __future__ import annotations

import random
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from conversation import OURS, Letter, Talk
from mailsink import Sink
from programs import MARKING, PROGRAMS, Told, quoting, written

ANA = "ana@example.com"
PROVEN = {"Authentication-Results": f"{OURS}; dmarc=pass"}


@pytest.fixture
def shop(talk: Talk, sink: Sink) -> Talk:
    """The shop can send, and the agent hears by mail."""
    talk.environ(CRMMAIL_SMTP_URL=sink.url)
    talk.do("users set agent --notify email")
    return talk


@pytest.fixture
def case(shop: Talk) -> Letter:
    """Ana's case, of which the agent was told by mail."""
    letter = shop.mail('"Ana Lima" <ana@example.com>', subject="Printer broken", text="Hello,\nit smokes.\n-- \nAna")
    shop.do("tick")
    return letter


def received(sink: Sink, to: str) -> list[EmailMessage]:
    """What somebody got, oldest first."""
    mails = [message_from_bytes(one.data, policy=policy.default) for one in sink.received if one.recipient == to]
    return [mail for mail in mails if isinstance(mail, EmailMessage)]


def words(mail: EmailMessage) -> str:
    return quoting(mail).text


def identifier(mail: EmailMessage) -> str:
    return str(mail["Message-ID"]).strip("<>")


def told(sink: Sink, user: str = "agent@crm.test") -> EmailMessage:
    """The newest notification of a user's."""
    return received(sink, user)[-1]


def answers(shop: Talk, sink: Sink, text: str, user: str = "agent", **more: object) -> Letter:
    """A user answers his newest notification, and everything that is due leaves."""
    notice = told(sink, f"{user}@crm.test")
    letter = shop.mail(
        f"{user}@crm.test",
        str(notice["Reply-To"]),
        f"Re: {notice['Subject']}",
        text,
        answers=identifier(notice),
        **more,  # type: ignore[arg-type]
    )
    shop.do("tick")
    return letter


def reasons(shop: Talk, user: str = "agent") -> list[str]:
    return [one["why"] for one in shop.inbox(user)]


# --- what leaves --------------------------------------------------------------------------------------------


class TestHisWords:
    @pytest.mark.parametrize(("program", "language"), PROGRAMS)
    def test_and_his_signature_leave_and_nothing_of_ours(
        self, shop: Talk, sink: Sink, case: Letter, program: str, language: str
    ) -> None:
        shop.do(f"users set agent --lang {language}")
        shop.mail(ANA, answers=case, text="And now it burns!")
        shop.do("tick")
        said = "Hello Ana,\n\npull the plug!\n\n-- \nAgent, Support"
        notice = told(sink)
        answers(shop, sink, written(program, language, said, quoting(notice)))
        (mail,) = received(sink, ANA)
        assert words(mail).startswith(said)
        assert words(mail).removeprefix(said).count("\n") <= 2  # the line that a telephone adds
        assert "burns" not in words(mail)
        assert "crmmail" not in words(mail) and f"#{case.record}" not in words(mail)
        assert (mail["From"], mail["To"]) == ("agent <agent@crm.test>", "ana@example.com")

    @pytest.mark.parametrize(("program", "language"), [one for one in MARKING if one[1] == "ru" or one[0] == "mutt"])
    @pytest.mark.parametrize("place", ["bottom", "between"])
    def test_below_and_between(
        self, shop: Talk, sink: Sink, case: Letter, program: str, language: str, place: str
    ) -> None:
        text = written(program, language, "Since when?", quoting(told(sink)), place=place, after="it smokes")
        answers(shop, sink, f"{text}\n" if place == "bottom" else f"{text}\nThe agent\n")
        (mail,) = received(sink, ANA)
        assert "Since when?" in words(mail)
        assert ("The agent" in words(mail)) is (place == "between")
        for house in ("crmmail show", f"#{case.record}", "#note", "(case, draft)"):
            assert house not in words(mail)

    def test_of_a_mail_that_is_html_only(self, shop: Talk, sink: Sink, case: Letter) -> None:
        notice = told(sink)
        quote = quoting(notice).text.replace("&", "&amp;").replace("<", "&lt;").replace("\n", "<br>")
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "agent@crm.test", str(notice["Reply-To"]), "Re: Printer"
        mail["In-Reply-To"], mail["Message-ID"] = f"<{identifier(notice)}>", "<h1@example.com>"
        mail.set_content(
            "<html><body><div>Pull the <b>plug</b>!</div><div><br></div><div>Agent</div><br>"
            "<div class='gmail_quote'><div dir='ltr'>On Tue, Nov 24, 2026 at 10:00 AM Ana Lima "
            "&lt;<a href='mailto:support@crm.test'>support@crm.test</a>&gt; wrote:<br></div>"
            f"<blockquote>{quote}</blockquote></div></body></html>",
            subtype="html",
        )
        shop.post(mail.as_bytes())
        shop.do("tick")
        (left,) = received(sink, ANA)
        assert words(left).split() == "Pull the plug! Agent".split()

    def test_and_his_files(self, shop: Talk, sink: Sink, case: Letter) -> None:
        answers(shop, sink, "See the plan.", files=[("plan.bin", b"\x00\x01plan")])
        (mail,) = received(sink, ANA)
        (file,) = mail.iter_attachments()
        assert (file.get_filename(), file.get_content()) == ("plan.bin", b"\x00\x01plan")
        assert words(mail) == "See the plan."

    def test_or_a_file_alone(self, shop: Talk, sink: Sink, case: Letter) -> None:
        quote = written("gmail", "en", "", quoting(told(sink)))
        answers(shop, sink, quote, files=[("plan.bin", b"plan")])
        (mail,) = received(sink, ANA)
        assert words(mail) == ""
        assert [file.get_filename() for file in mail.iter_attachments()] == ["plan.bin"]

    def test_but_never_our_notification_as_a_file(self, shop: Talk, sink: Sink, case: Letter) -> None:
        """Some programs attach what is answered in place of quoting it."""
        notice = told(sink)
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "agent@crm.test", str(notice["Reply-To"]), "Re: Printer"
        mail["In-Reply-To"], mail["Message-ID"] = f"<{identifier(notice)}>", "<h1@example.com>"
        mail.set_content("Pull the plug!\n")
        mail.add_attachment(notice)
        mail.add_attachment(b"plan", "application", "octet-stream", filename="plan.bin")
        shop.post(mail.as_bytes())
        shop.do("tick")
        (left,) = received(sink, ANA)
        assert [file.get_filename() for file in left.iter_attachments()] == ["plan.bin"]
        assert b"crmmail show" not in left.as_bytes()

    def test_under_the_customers_subject_without_our_number(self, shop: Talk, sink: Sink, case: Letter) -> None:
        answers(shop, sink, "Pull the plug!")
        assert received(sink, ANA)[0]["Subject"] == "Re: Printer broken"

    def test_in_the_conversation_that_she_knows(self, shop: Talk, sink: Sink, case: Letter) -> None:
        answers(shop, sink, "Pull the plug!")
        first = received(sink, ANA)[0]
        assert (first["In-Reply-To"], first["References"]) == (f"<{case.id}>", f"<{case.id}>")
        second = shop.mail(ANA, answers=identifier(first), subject="Re: Printer", text="I did.")
        shop.do("tick")
        answers(shop, sink, "Then wait.")
        mail = received(sink, ANA)[1]
        assert mail["In-Reply-To"] == f"<{second.id}>"
        assert str(mail["References"]).split() == [f"<{case.id}>", f"<{identifier(first)}>", f"<{second.id}>"]
        assert identifier(told(sink)) not in mail.as_string()


class TestNothingLeaves:
    def spared(self, shop: Talk, sink: Sink, state: str = "draft", record: int = 1) -> bool:
        assert received(sink, ANA) == []
        assert shop.state(record) == state
        return True

    @pytest.mark.parametrize(("program", "language"), PROGRAMS)
    def test_where_he_wrote_nothing_and_he_is_told(
        self, shop: Talk, sink: Sink, case: Letter, program: str, language: str
    ) -> None:
        shop.do(f"follow {case.record} --who expert@firm.example")
        letter = answers(shop, sink, written(program, language, "", quoting(told(sink))))
        assert self.spared(shop, sink)
        assert received(sink, "expert@firm.example") == []
        assert reasons(shop) == ["not sent"]
        assert "not sent on: it has no words of its own" in letter.evidence

    def test_of_a_note_by_any_spelling(self, shop: Talk, sink: Sink, case: Letter) -> None:
        for text in ("#note\nShe never pays.", "#note She never pays.", "#Note: She never pays."):
            answers(shop, sink, text)
            note = shop.show(case.record)["messages"][-1]
            assert (note["kind"], note["internal"], note["text"].strip()) == ("note", True, "She never pays.")
        answers(shop, sink, written("mutt", "en", "#note\nShe never pays.", quoting(told(sink)), place="bottom"))
        assert shop.show(case.record)["messages"][-1]["kind"] == "note"
        assert self.spared(shop, sink)
        assert reasons(shop) == []

    def test_of_an_answer_to_a_note(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.do(f"note {case.record} -m 'Does she pay?'")
        shop.do("tick")
        assert "stays inside" in words(told(sink))
        letter = answers(shop, sink, "Never.")
        assert shop.show(case.record)["messages"][-1]["internal"] is True
        assert (letter.record, self.spared(shop, sink)) == (case.record, True)

    def test_of_an_answer_to_a_change_of_state(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.do(f"pending {case.record}")
        shop.do("tick")
        answers(shop, sink, "Why that?")
        assert self.spared(shop, sink, "pending")

    def test_of_a_user_whom_nothing_proves(self, shop: Talk, sink: Sink, case: Letter) -> None:
        letter = shop.mail("agent@crm.test", answers=case, text="I am the agent.")
        shop.do("tick")
        assert (letter.outcome, self.spared(shop, sink)) == ("unconfirmed", True)

    def test_of_a_forged_token(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.do("users add bob --email bob@crm.test")
        mine = identifier(told(sink))
        forged = mine.replace(".u2.", ".u3.")
        assert forged != mine
        letter = shop.mail("bob@crm.test", answers=forged, subject="Re: x", text="Pay me.")
        shop.do("tick")
        assert (letter.record != case.record, self.spared(shop, sink)) == (True, True)

    @pytest.mark.parametrize("headers", [{"Auto-Submitted": "auto-replied"}, {"X-Autoreply": "yes"}])
    def test_of_his_vacation_responder(self, shop: Talk, sink: Sink, case: Letter, headers: dict[str, str]) -> None:
        shop.do(f"follow {case.record} --who expert@firm.example")
        answers(shop, sink, "I am away, my deputy is Bob.", headers=headers)
        assert self.spared(shop, sink)
        assert received(sink, "expert@firm.example") == []
        assert shop.show(case.record)["messages"][-1]["automatic"] is True

    def test_to_his_vacation_responder_in_place_of_the_customer(self, shop: Talk, sink: Sink) -> None:
        case = int(shop.do("new case 'Call back' --email ana@example.com --section support"))
        shop.do(f"note {case} -m 'Look.'")
        shop.do("tick")
        answers(shop, sink, "I am away.", headers={"Auto-Submitted": "auto-replied"})
        shop.do(f"reply {case} -m 'Good morning.' --no-quote --yes")
        assert [words(mail) for mail in received(sink, ANA)] == ["Good morning."]

    def test_where_the_record_has_nobody_outside_and_he_is_told(self, shop: Talk, sink: Sink) -> None:
        shop.do("users set boss --notify email")
        case = int(shop.do("new case 'Paint the wall' --section support"))
        shop.do(f"config set mail.trusted_authserv_id {OURS}")
        letter = shop.mail("agent@crm.test", subject=f"Re: [{case}] wall", text="In blue?", headers=PROVEN)
        shop.do("tick")
        assert letter.record == case
        assert reasons(shop) == ["not sent"]
        assert "not sent on: the record names nobody outside" in letter.evidence
        assert {one.recipient for one in sink.received} <= {"boss@crm.test", "agent@crm.test"}
        assert "Nobody outside takes part yet" in words(told(sink, "boss@crm.test"))


# --- to whom it goes ----------------------------------------------------------------------------------------


class TestToWhom:
    def test_to_whom_the_notification_was_about_though_another_wrote_since(
        self, shop: Talk, sink: Sink, case: Letter
    ) -> None:
        shop.mail(ANA, answers=case, text="My colleague knows more.", cc="Carl <carl@example.com>")
        shop.do("tick")
        of_ana = told(sink)
        shop.mail('"Carl" <carl@example.com>', answers=case, text="It is the fuse.")
        shop.do("tick")
        of_carl = told(sink)
        for notice, to in ((of_ana, ANA), (of_carl, "carl@example.com")):
            mail = shop.mail("agent@crm.test", answers=identifier(notice), subject="Re: x", text=f"To {to}.")
            assert mail.record == case.record
        shop.do("tick")
        assert [words(mail) for mail in received(sink, ANA)] == [f"To {ANA}."]
        assert [words(mail) for mail in received(sink, "carl@example.com")] == ["To carl@example.com."]
        assert "goes to Carl" in words(of_carl)  # as its foot promised

    def test_not_twice_where_he_wrote_to_her_himself(self, shop: Talk, sink: Sink, case: Letter) -> None:
        letter = answers(shop, sink, "Pull the plug!", cc=f"Ana <{ANA}>")
        assert received(sink, ANA) == []
        assert reasons(shop) == []
        assert "who asked has it already" in letter.evidence
        assert shop.state(case.record) == "done"
        again = shop.mail(ANA, answers=letter, text="I did.")
        assert (again.record, shop.state(case.record)) == (case.record, "open")

    def test_who_stood_in_her_cc_is_spared(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.mail(ANA, answers=case, text="For Carl too.", cc="carl@example.com")
        shop.do("tick")
        answers(shop, sink, "Pull the plug!")
        assert (len(received(sink, ANA)), received(sink, "carl@example.com")) == (1, [])

    def test_by_our_own_hosts_word_without_a_token(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.do(f"config set mail.trusted_authserv_id {OURS}")
        letter = shop.mail("agent@crm.test", answers=case, text="Pull the plug!", headers=PROVEN)
        shop.do("tick")
        assert letter.record == case.record
        assert [words(mail) for mail in received(sink, ANA)] == ["Pull the plug!"]

    @pytest.mark.parametrize("plus", ["yes", "no"])
    def test_by_the_token_in_the_address_alone(self, shop: Talk, sink: Sink, plus: str) -> None:
        """A telephone that forgets In-Reply-To: the plus-address tells; without one nothing proves him."""
        shop.do(f"config set mail.plus_addresses {plus}")
        case = shop.mail(ANA, subject="Printer broken", text="It smokes.").record
        shop.do("tick")
        letter = shop.mail("agent@crm.test", str(told(sink)["Reply-To"]), "Re: Printer", "Pull the plug!")
        shop.do("tick")
        assert len(received(sink, ANA)) == (plus == "yes")
        assert (letter.record == case) is (plus == "yes")

    def test_the_customer_is_a_colleague(self, shop: Talk, sink: Sink) -> None:
        shop.do("users add bob --email bob@crm.test")
        shop.do(f"config set mail.trusted_authserv_id {OURS}")
        case = shop.mail("bob@crm.test", subject="My laptop", text="It died.", headers=PROVEN).record
        shop.do("tick")
        answers(shop, sink, "Try the other plug.")
        (mail,) = received(sink, "bob@crm.test")
        assert words(mail) == "Try the other plug."
        assert shop.state(case) == "done"
        again = shop.mail("bob@crm.test", answers=identifier(mail), subject="Re: My laptop", text="No.", headers=PROVEN)
        shop.do("tick")
        assert (again.record, shop.state(case)) == (case, "open")
        answers(shop, sink, "I come.")
        assert [words(one) for one in received(sink, "bob@crm.test")] == ["Try the other plug.", "I come."]

    def test_nothing_goes_to_our_own_aliases(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.mail(ANA, answers=case, text="For sales too.", cc="sales@crm.test, support@crm.test")
        shop.do(f"follow {case.record} --who expert@firm.example")
        shop.do("tick")
        answers(shop, sink, "Pull the plug!", cc="sales@crm.test, support+x@crm.test")
        shop.do(f"reply {case.record} -m Well? --all --no-quote --yes")
        shop.do("tick")
        assert {one.recipient for one in sink.received} == {ANA, "agent@crm.test", "expert@firm.example"}


class TestWhoElseHears:
    def test_the_other_agents_and_not_the_author(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.do("users add bob --email bob@crm.test --notify email")
        shop.do("users add eve --email eve@crm.test")
        for user in ("bob", "eve"):
            shop.do(f"follow {case.record} --who {user}")
        before = len(received(sink, "agent@crm.test"))
        answers(shop, sink, written("gmail", "en", "Pull the plug!", quoting(told(sink))))
        assert len(received(sink, "agent@crm.test")) == before
        assert shop.inbox("agent") == []
        (to_bob,) = received(sink, "bob@crm.test")
        assert "Pull the plug!" in words(to_bob)
        assert to_bob["From"] == "agent <agent@crm.test>"
        assert [one["record"] for one in shop.inbox("eve")] == [case.record]
        letter = answers(shop, sink, "And wait.", user="bob")  # his answer to hers is one to the customer
        assert letter.record == case.record
        assert [words(mail) for mail in received(sink, ANA)] == ["Pull the plug!", "And wait."]

    @pytest.mark.parametrize("shape", ["words", "a file alone", "between"])
    def test_a_follower_outside_gets_a_copy_of_his_words_only(
        self, shop: Talk, sink: Sink, case: Letter, shape: str
    ) -> None:
        shop.do(f"follow {case.record} --who expert@firm.example")
        notice = quoting(told(sink))
        if shape == "between":
            answers(shop, sink, written("mutt", "en", "Why?", notice, place="between", after="it smokes") + "\nBye.")
        elif shape == "words":
            answers(shop, sink, written("mutt", "en", "Pull the plug!", notice))
        else:
            answers(shop, sink, written("mutt", "en", "", notice), files=[("plan.bin", b"plan")])
        (copy,) = received(sink, "expert@firm.example")
        assert copy["Auto-Submitted"] == "auto-generated"
        for house in ("crmmail show", "#note", "(case, draft)"):
            assert house not in words(copy)
        if shape == "words":
            assert "Pull the plug!" in words(copy)
        assert len(list(copy.iter_attachments())) == (shape == "a file alone")

    @pytest.mark.parametrize(("policy_", "state"), [("close", "done"), ("pending", "pending"), ("keep", "draft")])
    def test_and_what_becomes_of_the_case(self, shop: Talk, sink: Sink, case: Letter, policy_: str, state: str) -> None:
        shop.do(f"sections set support --on-user-reply {policy_}")
        answers(shop, sink, "Pull the plug!")
        assert (shop.state(case.record), len(received(sink, ANA))) == (state, 1)

    def test_a_mention_in_a_note_by_mail(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.quiet()
        answers(shop, sink, "#note\n@boss, does she pay?")
        assert [(one["record"], one["why"]) for one in shop.inbox("boss")] == [(case.record, "addressed")]
        assert received(sink, ANA) == []


# --- the notification itself --------------------------------------------------------------------------------


class TestNotifications:
    @pytest.mark.parametrize(
        ("notify", "by_inbox", "by_mail"),
        [("inbox", True, False), ("email", False, True), ("both", True, True), ("none", False, False)],
    )
    def test_by_the_way_that_he_has_set(
        self, shop: Talk, sink: Sink, notify: str, by_inbox: bool, by_mail: bool
    ) -> None:
        case = shop.mail(ANA, subject="Printer broken", text="It smokes.")
        shop.do(f"follow {case.record} --who boss")  # else what nobody hears of waits before the manager
        shop.do("tick")
        shop.quiet()
        sink.received.clear()
        shop.do(f"users set agent --notify {notify}")
        shop.mail(ANA, answers=case, text="Well?")
        shop.do("tick")
        assert (bool(shop.inbox("agent")), bool(received(sink, "agent@crm.test"))) == (by_inbox, by_mail)

    @pytest.mark.parametrize(
        ("language", "phrases"),
        [
            ("en", ("Ana Lima wrote about #1", "Open it: crmmail show 1", "goes to Ana Lima, as from you")),
            ("fr", ("Ana Lima a écrit à propos de #1", "Ouvrir : crmmail show 1", "ira à Ana Lima, en votre nom")),
            ("ru", ("Ana Lima пишет по #1", "Открыть: crmmail show 1", "получит Ana Lima — от вашего имени")),
        ],
    )
    def test_in_his_language(self, shop: Talk, sink: Sink, language: str, phrases: tuple[str, ...]) -> None:
        shop.do(f"users set agent --lang {language}")
        shop.mail('"Ana Lima" <ana@example.com>', subject="Printer broken", text="Добрый день, ça brûle.")
        shop.do("tick")
        mail = told(sink)
        for phrase in (*phrases, "Добрый день, ça brûle.", "#note"):
            assert phrase in words(mail)
        # So that no program wraps it where it quotes it.
        assert all(len(line) <= 74 for line in words(mail).split("\n"))

    @pytest.mark.parametrize("subject", ["Printer", "[1] Printer", "Re: [1] Printer", "[ #1 ] [1] Printer"])
    def test_the_number_stands_in_the_subject_once(self, shop: Talk, sink: Sink, subject: str) -> None:
        shop.mail(ANA, subject=subject, text="It smokes.")
        shop.do("tick")
        assert str(told(sink)["Subject"]).count("1]") == 1
        assert str(told(sink)["Subject"]).startswith("[1] ")

    def test_files_are_named_and_stay_here(self, shop: Talk, sink: Sink) -> None:
        case = shop.mail(ANA, subject="Printer", text="See.", files=[("plan.bin", b"plan")]).record
        shop.do("tick")
        (file,) = shop.show(case)["messages"][-1]["attachments"]
        assert f"[{file['id']}] plan.bin: crmmail attachment save {file['id']}" in words(told(sink))
        assert list(told(sink).iter_attachments()) == []

    def test_the_record_opens_by_a_link(self, shop: Talk, sink: Sink) -> None:
        shop.do("config set mail.open https://crm.test/{record}/open")
        shop.mail(ANA, subject="Printer", text="It smokes.")
        shop.do("tick")
        assert "Open it: https://crm.test/1/open" in words(told(sink))
        answers(shop, sink, written("outlook", "en", "Pull the plug!", quoting(told(sink))))
        assert words(received(sink, ANA)[0]) == "Pull the plug!"

    def test_a_mention_in_a_note(self, shop: Talk, sink: Sink, case: Letter) -> None:
        shop.do(f"unfollow {case.record}", user="agent")
        shop.quiet()
        shop.do(f"note {case.record} -m '@agent please look'")
        shop.do("tick")
        assert (shop.inbox("agent"), "@agent please look" in words(told(sink))) == ([], True)  # he hears by mail
        shop.do("users set agent --notify inbox")
        shop.do(f"note {case.record} -m '@agent please look again'")
        assert shop.heard("agent") == [(case.record, "@agent please look again")]


# --- safety 3: whatever happens -----------------------------------------------------------------------------


ACTS = ("note", "note by mail", "answer by mail", "customer", "reply", "vacation", "state", "expert")


@pytest.mark.parametrize("seed", range(3))
def test_no_word_of_a_note_ever_reaches_a_customer(shop: Talk, sink: Sink, seed: int) -> None:
    """A long conversation of two agents, two customers and an expert: answers and notes, by mail in every shape and
    from the terminal, answers to internal notices, vacation notices, a bounce.  Every note has a word of its own."""
    dice = random.Random(seed)
    shop.environ(CRMMAIL_LOOP_MESSAGES="0", CRMMAIL_LOOP_NEW_RECORDS="0")
    shop.do("users add bob --email bob@crm.test --notify both --lang ru")
    shop.do("users set agent --lang fr")
    shop.do("sections set support --on-user-reply keep")
    case = shop.mail('"Ana" <ana@example.com>', subject="Printer broken", text="It smokes.", cc="carl@example.com")
    record = case.record
    for who in ("bob", "expert@firm.example"):
        shop.do(f"follow {record} --who {who}")
    shop.mail(ANA, answers=case, text="Well?")
    shop.do("tick")
    secret = 0

    def marker() -> str:
        nonlocal secret
        secret += 1
        return f"secret{secret}"

    def by_mail(user: str, text: str, **more: object) -> None:
        mails = received(sink, f"{user}@crm.test")
        notice = dice.choice(mails[-6:])
        program, language = dice.choice(PROGRAMS)
        place = dice.choice(["top", "bottom", "between"]) if (program, language) in MARKING else "top"
        told_of: Told = quoting(notice)
        second = next((line for line in told_of.text.split("\n")[2:] if line.strip()), "")
        body = written(program, language, text, told_of, place=place, after=second)
        shop.mail(
            f"{user}@crm.test",
            str(notice["Reply-To"]),
            f"Re: {notice['Subject']}",
            body,
            answers=identifier(notice),
            id=f"{seed}-{secret}-{len(shop.sent)}@crm.test",
            **more,  # type: ignore[arg-type]
        )

    for step in range(40):
        user = dice.choice(["agent", "bob"])
        act, case_ = dice.choice(ACTS), f"Step {step}"
        if act == "note":
            shop.do(f"note {record} -m '{case_}: {marker()} @agent'", user=user)
        elif act == "note by mail":
            by_mail(user, f"#note\n{case_}: {marker()}")
        elif act == "answer by mail":
            # An answer to an internal notice stays inside; one to a letter leaves.  Which it is the program knows.
            by_mail(user, f"{case_}: open{step}")
        elif act == "customer":
            who = dice.choice([ANA, "carl@example.com"])
            mails = received(sink, who)
            answered = identifier(mails[-1]) if mails else case.id
            shop.mail(who, answers=answered, subject="Re: Printer broken", text=f"{case_}: still.")
        elif act == "reply":
            shop.do(f"reply {record} -m '{case_}: spoken' --yes", user=user)
        elif act == "vacation":
            by_mail(user, f"Away until {marker()}", headers={"Auto-Submitted": "auto-replied"})
        elif act == "state":
            shop.cli(f"{dice.choice(['open', 'pending', 'close'])} {record}", user)
        else:
            mails = received(sink, "expert@firm.example")
            if mails:
                shop.mail(
                    "expert@firm.example", answers=identifier(mails[-1]), subject="Re: x", text=f"{case_}: I know."
                )
        shop.do("tick")
        shop.wait(minutes=1)

    inside = {"agent@crm.test", "bob@crm.test", "boss@crm.test"}
    outside = [one for one in sink.received if one.recipient not in inside]
    assert secret >= 5 and len(outside) >= 5
    texts = [message_from_bytes(one.data, policy=policy.default).as_bytes().decode() for one in outside]
    bodies = [
        str(part.get_content())
        for one in outside
        for part in message_from_bytes(one.data, policy=policy.default).walk()
        if part.get_content_maintype() == "text"
    ]
    for text in (*texts, *bodies):
        assert "secret" not in text
        assert "crmmail show" not in text
        assert "#note" not in text
    notes = [one for one in shop.show(record)["messages"] if "secret" in one["text"] and not one["automatic"]]
    assert notes and all(one["internal"] for one in notes)
