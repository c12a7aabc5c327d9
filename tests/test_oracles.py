"""Behaviour §8: the tests that the source documents themselves set, as conversations.  The number is theirs."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from conversation import Talk
from mailsink import Sink

S2 = "-u3 -padmin -ssupport -esupport@mycompany.com"

pytestmark = pytest.mark.both


@pytest.mark.parametrize("flags", [S2, "-u 3 -p admin -s support -e support@mycompany.com"], ids=["glued", "apart"])
def test_1_the_fetchmailrc_line_of_openerp_works(talk: Talk, flags: str) -> None:
    letter = talk.mail("ana@example.com", "support@mycompany.com", "Printer broken", flags=flags)
    assert (letter.outcome, letter.reason) == ("stored", "section")
    case = talk.show(letter.record)["record"]
    assert (case["kind"], case["section"], case["address"]) == ("case", "support", "support@mycompany.com")


def test_1_what_the_line_cannot_do_here_is_said_once_in_the_log(talk: Talk) -> None:
    talk.mail("ana@example.com", "support@mycompany.com", "Before", flags="-ssupport")
    for number in range(3):
        talk.mail("ana@example.com", "support@mycompany.com", f"Letter {number}", flags=S2)
    log = talk.do("log --file")
    assert log.count("a password on the mda line") == 1
    assert log.count("-u3 fits no user") == 1
    assert "admin" not in log.split("stored")[0].replace("-padmin", "")


def test_1_a_user_that_is_there_is_no_matter_of_the_log(talk: Talk) -> None:
    talk.mail("ana@example.com", "support@mycompany.com", "Letter", flags="-u1 -ssupport")
    assert "fits no user" not in talk.do("log --file")


def test_2_a_number_in_the_subject_updates_the_case(talk: Talk) -> None:
    case = talk.mail("ana@example.com", subject="Problem with my printer", text="It burns.").record
    talk.mail("ana@example.com", subject=f"Re: [{case}] Problem with my printer", text="It still burns.")
    assert talk.words(case) == ["It burns.", "It still burns."]
    assert talk.all("case") == [case]


def test_3_the_responsible_and_the_partner_work_by_mail(talk: Talk) -> None:
    talk.do("users set agent --notify email")
    talk.do("sections set support --assign manager")
    question = talk.mail("ana@example.com", subject="Printer broken", text="It burns.")
    case = question.record
    assert talk.field(case, "responsible") == "agent"

    notice = talk.notice("agent", case or 0)
    assert notice.subject == f"[{case}] Printer broken"
    assert notice.to == "agent@crm.test"
    assert talk.inbox("agent") == []  # he hears by mail

    answer = talk.mail("agent@crm.test", answers=notice, text="Use water.")
    assert (answer.record, answer.reason, talk.state(case)) == (case, "own-id", "done")

    talk.mail("ana@example.com", answers=question, text="It still burns.")
    assert talk.state(case) == "open"
    assert talk.words(case) == ["It burns.", "Use water.", "It still burns."]
    assert [line for line in talk.system(case) if "state" in line] == [
        "state: draft → done (by a letter)",
        "state: done → open (by a letter)",
    ]


def test_3_word_for_word_with_the_mails_that_leave(talk: Talk, sink: Sink) -> None:
    talk.environ(CRMMAIL_SMTP_URL=sink.url)
    talk.do("users set agent --notify email")
    talk.do("sections set support --assign manager")
    case = talk.mail("ana@example.com", subject="Printer broken", text="It burns.").record  # new mail → case
    talk.do("tick")
    (notice,) = left(sink, "agent@crm.test")  # the responsible gets `[id] subject`
    assert (talk.field(case, "responsible"), notice["Subject"]) == ("agent", f"[{case}] Printer broken")
    talk.mail("agent@crm.test", answers=str(notice["Message-ID"]).strip("<>"), subject="Re: x", text="Use water.")
    assert talk.state(case) == "done"  # his answer by mail → done
    talk.do("tick")
    (mail,) = left(sink, "ana@example.com")
    assert mail.get_content().strip() == "Use water."
    talk.mail("ana@example.com", answers=str(mail["Message-ID"]).strip("<>"), subject="Re: x", text="It still burns.")
    assert talk.state(case) == "open"  # the partner's answer → open
    assert talk.words(case) == ["It burns.", "Use water.", "It still burns."]  # both texts in the history


def left(sink: Sink, to: str) -> list[EmailMessage]:
    """What left for somebody."""
    mails = [message_from_bytes(one.data, policy=policy.default) for one in sink.received if one.recipient == to]
    return [mail for mail in mails if isinstance(mail, EmailMessage)]


class TestALetterToSalesDoesFiveThings:
    """Oracle 8; F124–F128."""

    @pytest.fixture
    def lead(self, talk: Talk) -> int:
        talk.do("follow --kind lead --types created --who agent")
        talk.do("aliases set sales@crm.test --default priority=high")
        talk.mail("Ana Lima <ana@example.com>", to="sales@crm.test", subject="An offer?", text="What is the price?")
        return talk.newest("lead")

    def test_8_one_the_record_is_filled(self, talk: Talk, lead: int) -> None:
        made = talk.show(lead)["record"]
        assert (made["kind"], made["title"], made["state"]) == ("lead", "An offer?", "new")
        assert (made["partner_name"], made["email"]) == ("Ana Lima", "ana@example.com")
        assert (made["priority"], made["address"]) == (2, "sales@crm.test")

    def test_8_two_a_system_message_of_its_own_type(self, talk: Talk, lead: int) -> None:
        first = talk.show(lead)["messages"][0]
        assert (first["kind"], first["subtype"], first["internal"]) == ("system", "created", True)
        assert first["text"] == "lead created: An offer?"

    def test_8_three_who_subscribed_to_new_leads_follows(self, talk: Talk, lead: int) -> None:
        assert talk.show(lead)["followers"] == [
            {"who": "agent", "address": "agent@crm.test", "internal": True, "types": None, "name": "agent"}
        ]

    def test_8_four_he_is_notified(self, talk: Talk, lead: int) -> None:
        assert talk.heard("agent") == [(lead, "What is the price?")]
        assert talk.inbox("boss") == []

    def test_8_five_the_letter_is_a_message(self, talk: Talk, lead: int) -> None:
        letter = talk.show(lead)["messages"][1]
        assert (letter["kind"], letter["subtype"], letter["text"]) == ("email_in", "discussion", "What is the price?")
        assert (letter["from_name"], letter["from_address"]) == ("Ana Lima", "ana@example.com")


def test_9_an_answer_to_a_mail_from_a_contacts_card_comes_to_the_card(talk: Talk, sink: Sink) -> None:
    talk.environ(CRMMAIL_SMTP_URL=sink.url)
    talk.do("aliases add crm@crm.test --kind lead")
    card = int(talk.do("contacts add 'Ana Lima' --email ana@example.com"))
    talk.do(f"send {card} -s 'New printers' -m 'Will you see them?' --yes", user="agent")
    (mail,) = left(sink, "ana@example.com")
    answer = talk.mail(
        "ana@example.com", "crm@crm.test", "Re: New printers", "I will.", answers=str(mail["Message-ID"]).strip("<>")
    )
    assert (answer.record, answer.outcomes[0].created) == (card, False)
    assert talk.words(card)[-1] == "I will."
    assert talk.all("lead") == []


def test_10_a_new_letter_of_the_same_client_is_a_new_lead(talk: Talk) -> None:
    first = talk.mail("ana@example.com", to="sales@crm.test", subject="An offer?")
    talk.mail("ana@example.com", to="sales@crm.test", answers=first, text="For ten, please.")
    talk.mail("ana@example.com", to="sales@crm.test", subject="An offer?", text="Another matter.")
    one, other = talk.all("lead")
    assert talk.words(one) == ["An offer?", "For ten, please."]
    assert talk.words(other) == ["Another matter."]


def test_11_a_letter_to_no_alias_waits_and_doctor_says_so(talk: Talk) -> None:
    letter = talk.mail("ana@example.com", to="jobs@crm.test", subject="Do you hire?")
    assert (letter.outcome, letter.reason) == ("quarantined", "no-route")
    assert talk.quarantine() == [("no-route", "Do you hire?")]
    assert "1 letter to jobs@crm.test, which makes no records" in talk.do("doctor")


class TestMailboxAndAddressee:
    """Oracle 12: S0's five right and three wrong pairs."""

    @pytest.fixture(autouse=True)
    def boxes(self, talk: Talk) -> None:
        talk.do("config set mail.catchall catchall@crm.test")
        talk.do("aliases add info@crm.test --kind lead")
        talk.do("aliases add it-department@crm.test --kind case")
        talk.do("aliases add crm@crm.test --kind lead")

    def fetched(self, talk: Talk, mailbox: str, to: str) -> tuple[str, str]:
        letter = talk.mail("ana@example.com", f"{to}@crm.test", to, headers={"Delivered-To": f"{mailbox}@crm.test"})
        return letter.outcome, letter.reason

    def verdicts(self, talk: Talk) -> list[tuple[str, str]]:
        found = talk.cli("doctor --json").json
        return [(one["level"], one["sentence"]) for one in found if one["check"] == "mailboxes"]

    @pytest.mark.parametrize(
        ("mailbox", "to", "fate"),
        [
            ("catchall", "info", ("stored", "alias")),
            ("catchall", "it-department", ("stored", "alias")),
            ("catchall", "agent", ("quarantined", "user-address-new")),
            ("crm", "crm", ("stored", "alias")),
            ("info", "info", ("stored", "alias")),
        ],
    )
    def test_12_right(self, talk: Talk, mailbox: str, to: str, fate: tuple[str, str]) -> None:
        assert self.fetched(talk, mailbox, to) == fate
        ((level, sentence),) = self.verdicts(talk)
        assert level == "ok"
        assert sentence.startswith(f"{mailbox}@crm.test ← {to}@crm.test: ")

    def test_12_wrong_the_catchall_is_addressed_itself(self, talk: Talk) -> None:
        assert self.fetched(talk, "catchall", "catchall") == ("quarantined", "catchall-addressed")
        ((level, sentence),) = self.verdicts(talk)
        assert (level, sentence.partition(":")[0]) == ("warn", "catchall-addressed")
        assert "misuse:catchall-addressed" in talk.why(talk.sent[-1])

    @pytest.mark.parametrize(
        ("to", "fate"), [("agent", ("quarantined", "user-address-new")), ("info", ("stored", "alias"))]
    )
    def test_12_wrong_a_functional_mailbox_used_as_catchall(self, talk: Talk, to: str, fate: tuple[str, str]) -> None:
        assert self.fetched(talk, "crm", to) == fate  # routed all the same (F144)
        ((level, sentence),) = self.verdicts(talk)
        assert level == "warn"
        assert sentence.startswith(f"box-used-as-catchall: the mailbox crm@crm.test received a letter to {to}@crm.test")
        assert "misuse:box-used-as-catchall" in talk.why(talk.sent[-1])

    def test_12_an_answer_to_a_virtual_address_finds_its_card(self, talk: Talk) -> None:
        first = talk.mail("ana@example.com", subject="Printer")
        talk.mail(
            "ana@example.com",
            "agent@crm.test",
            answers=first,
            text="To you personally.",
            headers={"Delivered-To": "catchall@crm.test"},
        )
        assert talk.words(first.record) == ["Printer", "To you personally."]


def test_13_the_inbox_is_cleared_by_show_and_done_only(talk: Talk) -> None:
    one = talk.mail("ana@example.com", subject="First")
    other = talk.mail("bea@example.com", subject="Second")
    talk.do(f"star {one.message} {other.message}", user="agent")

    for _ in range(2):  # reading the inbox clears nothing
        assert [item["subject"] for item in talk.inbox("agent")] == ["Second", "First"]
    talk.do(f"show {one.record} --peek", user="agent")
    assert len(talk.inbox("agent")) == 2

    talk.do(f"show {one.record}", user="agent")
    assert talk.heard("agent") == [(other.record, "Second")]
    talk.do("done --all", user="agent")
    assert talk.inbox("agent") == []
    assert "undone: 1 item dismissed" in talk.do("undo", user="agent")
    assert talk.heard("agent") == [(other.record, "Second")]

    stars = talk.cli("inbox --starred --json", user="agent").json
    assert sorted(item["subject"] for item in stars) == ["First", "Second"]


def test_14_a_star_is_seen_by_its_owner_only(talk: Talk) -> None:
    letter = talk.mail("ana@example.com", subject="Printer")
    talk.do(f"follow {letter.record}", user="boss")
    again = talk.mail("ana@example.com", answers=letter, text="More.")
    talk.do(f"star {again.message}", user="agent")

    def starred(user: str) -> list[int]:
        return [item["message"] for item in talk.cli("inbox --all --json", user).json if item["starred"]]

    assert starred("agent") == [again.message]
    assert starred("boss") == []
    assert talk.cli("inbox --starred --json", user="boss").json == []
    assert talk.cli("--json", user="boss").json["starred"] == 0
    talk.do(f"unstar {again.message}", user="boss")
    assert starred("agent") == [again.message]


def test_15_a_failure_is_a_red_envelope_and_retry_clears_it(talk: Talk, sink: Sink) -> None:
    talk.environ(CRMMAIL_SMTP_URL=sink.url)
    case = talk.mail("ana@example.com", subject="Printer broken", text="It burns.").record
    talk.do("done --all", user="agent")
    sink.answer(recipient={"ana@example.com": "550 5.1.1 no such user"})
    talk.cli(f"reply {case} -m 'Use water.' --no-quote --yes", user="agent")
    assert talk.field(case, "envelope") == "failed"
    assert [(one["why"], one["envelope"]) for one in talk.inbox("agent")] == [("failed", "failed")]
    assert "✉! ana@example.com: failed" in talk.do(f"show {case} --peek")
    (row,) = talk.cli("outbox --json").json
    assert (row["state"], row["reason"]) == ("failed", "550 5.1.1 no such user")

    sink.behave()
    talk.do(f"outbox retry {row['id']}")
    talk.do("tick")
    assert len(left(sink, "ana@example.com")) == 1
    assert talk.field(case, "envelope") is None
    assert [one for one in talk.inbox("agent") if one["envelope"]] == []
    assert "✉!" not in talk.do(f"show {case} --peek")


def test_22_v_explains(talk: Talk) -> None:
    code, lines = talk.mda(talk.raw("ana@example.com", subject="See [77]"), "-v")
    assert code == 0
    assert lines == ["crmmail-mda: stored #1 (new): a new case: written to support@crm.test [alias]"]
    code, lines = talk.mda(talk.raw("bea@example.com", subject="Re: [1]", id="other@example.com"), "-v")
    assert (code, lines[0]) == (0, "crmmail-mda: stored #2 (new): a new case: written to support@crm.test [alias]")
    assert lines[1] == "crmmail-mda:   [1] in the subject is no evidence: the sender takes no part in record 1"
    code, lines = talk.mda(b"", "-v")
    assert (code, lines) == (75, ["crmmail-mda: nothing came on standard input; the mail stays where it is"])
