"""Set-commands by mail: a user works from any mail program, and nobody else can (F167, F168, F171)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from conversation import OURS, Letter, Talk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mailsink import Sink
from programs import PROGRAMS, quoting, written

from crmmail.store.letters import messages

ANA = "ana@example.com"
SIGNS = ["", " ", "\n", "\n> ", "*", "**", "- ", "\u00ad", "\u200b", "\u2060", "\u202b", "\u2066", "\ufeff", "\u0336"]
PROVEN = {"Authentication-Results": f"{OURS}; dmarc=pass"}


@pytest.fixture
def case(talk: Talk) -> int:
    """Ana's case, of which the agent was told by mail; bob and Ana's card are there."""
    talk.do("users set agent --notify email")
    talk.do("users add bob --email bob@crm.test --notify none")
    letter = talk.mail('"Ana Lima" <ana@example.com>', subject="Printer broken", text="Hello,\nit smokes.\n-- \nAna")
    assert letter.record is not None
    return letter.record


def says(talk: Talk, case: int, *lines: str, user: str = "agent", **more: object) -> Letter:
    """A user answers his newest notification of a case."""
    notice = talk.notice(user, case)
    text = "\n".join(lines)
    return talk.mail(f"{user}@crm.test", subject=f"Re: {notice.subject}", text=text, answers=notice, **more)  # type: ignore[arg-type]


def leaving(talk: Talk, to: str = ANA) -> list[str]:
    """The texts that wait for somebody."""
    rows = [one["id"] for one in talk.cli("outbox --json").json if one["to"] == to]
    return [talk.cli(f"outbox show {row} --json").json["text"].strip() for row in sorted(rows)]


def answered(talk: Talk) -> list[dict[str, object]]:
    """The inbox items that tell of orders, of the agent."""
    return [one for one in talk.inbox("agent") if one["why"] == "orders"]


def orders(letter: Letter) -> list[str]:
    return [one.removeprefix("order: ") for one in letter.outcomes[0].evidence if one.startswith("order: ")]


# --- what can be ordered ------------------------------------------------------------------------------------


class TestObeyed:
    @pytest.mark.parametrize(
        ("line", "field", "value"),
        [
            ("Set-State: close", "state", "done"),
            ("Set-State: done", "state", "done"),
            ("Set-State: open", "state", "open"),
            ("Set-State: pending", "state", "pending"),
            ("Set-State: cancel", "state", "cancel"),
            ("Set-Priority: 2", "priority", 2),
            ("Set-Priority: highest", "priority", 1),
            ("set-user : BOB", "responsible", "bob"),
            ("Set-User: bob@crm.test", "responsible", "bob"),
            ("SET-COST: 12,50", "cost", 12.5),
            ("Set-Revenue: 1000", "revenue", 1000),
            ("Set-Revenue: 1.234,50 EUR", "revenue", 1234.5),
            ("Set-Probability: 30%", "probability", 30),
        ],
    )
    def test_every_order(self, talk: Talk, case: int, line: str, field: str, value: object) -> None:
        letter = says(talk, case, line)
        assert talk.field(case, field) == value
        assert orders(letter) == [f"{line} → obeyed"]
        assert f"order: {line} → obeyed" in talk.why(letter)
        assert leaving(talk) == []
        assert answered(talk) == []

    @pytest.mark.parametrize("value", ["{card}", "#{card}", "ana@home.example", "Ana@Home.Example"])
    def test_the_partner_by_number_or_address(self, talk: Talk, case: int, value: str) -> None:
        card = int(talk.do("contacts add 'Ana Lima' --email ana@home.example"))
        says(talk, case, f"Set-Partner: {value.format(card=card)}")
        assert talk.field(case, "partner")["id"] == card

    def test_any_state_from_any_other(self, talk: Talk, case: int) -> None:
        notice = talk.notice("agent", case)
        for state in ("cancel", "pending", "done", "draft", "cancel", "draft", "open", "done", "pending"):
            talk.mail("agent@crm.test", subject="Re: x", text=f"Set-State: {state}", answers=notice)
            assert talk.state(case) == state

    def test_several_are_one_act(self, talk: Talk, case: int) -> None:
        talk.do(f"follow {case}", user="boss")
        talk.quiet()
        letter = says(talk, case, "Set-State: pending", "Set-Priority: 2", "Set-Cost: 30", "Set-User: bob")
        assert len(orders(letter)) == 4
        said = talk.system(case)[-1]
        assert said == "state: draft → pending, responsible: none → bob, priority: normal → high, cost: none → 30"
        assert [text for _, text in talk.heard("boss")] == [said]
        acts = [one for one in talk.cli("log --json").json if one["login"] == "agent"]
        assert [one["sentence"] for one in acts] == [f"#{case} Printer broken: {said}"]

    def test_and_undone_by_him(self, talk: Talk, case: int) -> None:
        says(talk, case, "Set-State: close", "Set-Priority: 2")
        talk.do("undo", user="agent")
        assert (talk.state(case), talk.field(case, "priority")) == ("draft", 3)
        assert "nothing to undo" in talk.refused("undo", user="agent")

    def test_who_opens_it_takes_it(self, talk: Talk, case: int) -> None:
        says(talk, case, "Set-State: open")
        assert talk.field(case, "responsible") == "agent"

    def test_unless_he_gives_it_to_another(self, talk: Talk, case: int) -> None:
        says(talk, case, "Set-State: open", "Set-User: bob")
        assert talk.field(case, "responsible") == "bob"

    def test_of_two_that_contradict_the_later_counts(self, talk: Talk, case: int) -> None:
        letter = says(talk, case, "Set-Priority: 2", "Set-Priority: 4")
        assert talk.field(case, "priority") == 4
        assert orders(letter) == ["Set-Priority: 2 → a later line says otherwise", "Set-Priority: 4 → obeyed"]
        assert answered(talk) == []

    def test_what_is_so_already_is_no_act(self, talk: Talk, case: int) -> None:
        before = talk.system(case)
        letter = says(talk, case, "Set-State: draft", "Set-Priority: 3")
        assert orders(letter) == ["Set-State: draft → it is so already", "Set-Priority: 3 → it is so already"]
        assert (talk.system(case), answered(talk)) == (before, [])

    def test_an_empty_one_clears(self, talk: Talk, case: int) -> None:
        talk.do(f"set {case} responsible=bob cost=5")
        says(talk, case, "Set-User:", "Set-Cost:")
        assert (talk.field(case, "responsible"), talk.field(case, "cost")) == (None, None)

    def test_a_lead_has_states_of_its_own(self, talk: Talk, case: int) -> None:
        talk.do("follow --kind lead", user="agent")
        lead = talk.mail(ANA, "sales@crm.test", subject="An offer?").record
        assert lead is not None
        letter = says(talk, lead, "Set-State: qualify", "Set-Cost: 3", "Set-Revenue: 100")
        assert (talk.state(lead), talk.field(lead, "revenue")) == ("qualified", 100)
        assert "Set-Cost: 3 → a lead has no such field: Set-State, Set-Priority" in orders(letter)[1]

    def test_twice_delivered_is_once_obeyed(self, talk: Talk, case: int) -> None:
        letter = says(talk, case, "Set-Priority: 2")
        talk.do(f"set {case} priority=5")
        assert talk.post(letter.raw).outcome == "duplicate"
        assert talk.field(case, "priority") == 5

    def test_a_dry_run_shows_and_changes_nothing(self, talk: Talk, case: int) -> None:
        notice = talk.notice("agent", case)
        raw = talk.raw("agent@crm.test", subject="Re: x", text="Set-State: close\nSet-X: y", answers=notice)
        said = talk.do("deliver --dry-run --explain", input=raw)
        assert "order: Set-State: close → obeyed" in said
        assert "order: Set-X: y → there is no such order: Set-State, " in said
        assert (talk.state(case), answered(talk)) == ("draft", [])

    def test_a_rule_hears_of_it(self, talk: Talk, case: int) -> None:
        talk.do("rules add 'What is done is low' --state-to done --set-priority 5")
        says(talk, case, "Set-State: close")
        assert (talk.state(case), talk.field(case, "priority")) == ("done", 5)


# --- his letter ---------------------------------------------------------------------------------------------


class TestHisLetter:
    def test_leaves_without_them(self, talk: Talk, case: int) -> None:
        says(talk, case, "Set-Priority: 2", "Pull the plug!", "set-cost: 5", "Then wait.")
        assert leaving(talk) == ["Pull the plug!\nThen wait."]
        assert talk.words(case)[-1] == "Pull the plug!\nThen wait."
        number = next(one["id"] for one in talk.show(case)["messages"] if one["kind"] == "email_out")
        assert "set-cost: 5" in talk.do(f"show {case} --raw --message {number}")  # the original keeps them

    def test_closes_by_policy_beside_other_orders(self, talk: Talk, case: int) -> None:
        says(talk, case, "Pull the plug!", "Set-Priority: 2")
        assert (talk.state(case), talk.field(case, "priority")) == ("done", 2)

    @pytest.mark.parametrize(("order", "state"), [("pending", "pending"), ("draft", "draft"), ("opne", "draft")])
    def test_closes_nothing_where_he_speaks_of_the_state(self, talk: Talk, case: int, order: str, state: str) -> None:
        says(talk, case, "Pull the plug!", f"Set-State: {order}")
        assert talk.state(case) == state
        assert leaving(talk) == ["Pull the plug!"]

    @pytest.mark.parametrize("signature", ["", "-- \nAgent, Support", "Regards,\nAgent", "Sent from my iPhone"])
    def test_that_holds_nothing_else_goes_to_nobody(self, talk: Talk, case: int, signature: str) -> None:
        talk.do(f"follow {case} --who expert@firm.example")
        letter = says(talk, case, "Set-Priority: 2", "", signature)
        assert (leaving(talk), leaving(talk, "expert@firm.example")) == ([], [])
        assert talk.state(case) == "draft"
        assert talk.inbox("agent") == []  # nor is he told that nothing was sent
        assert "not sent on: it holds orders and nothing else" in letter.evidence

    def test_that_has_a_file_takes_it_along(self, talk: Talk, case: int) -> None:
        says(talk, case, "Set-Priority: 2", files=[("plan.bin", b"plan")])
        (row,) = [one["id"] for one in talk.cli("outbox --json").json if one["to"] == ANA]
        raw = talk.do(f"outbox show {row} --raw")
        assert "plan.bin" in raw and "Set-Priority" not in raw
        assert talk.field(case, "priority") == 2

    def test_with_the_logo_of_his_firm_is_nothing_else(self, talk: Talk, case: int) -> None:
        notice = talk.notice("agent", case)
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "agent@crm.test", "support@crm.test", "Re: Printer"
        mail["In-Reply-To"], mail["Message-ID"] = f"<{notice.id}>", "<h1@example.com>"
        html = "<div>Set-Priority: 2</div><br><div>Regards,</div><div>Agent</div><img src='cid:logo@crm.test'>"
        mail.set_content(f"<html><body>{html}</body></html>", subtype="html")
        mail.add_related(b"\x89PNG logo", "image", "png", cid="<logo@crm.test>")
        letter = talk.post(mail.as_bytes())
        assert (talk.field(case, "priority"), talk.state(case)) == (2, "draft")
        assert (letter.record, leaving(talk), talk.inbox("agent")) == (case, [], [])

    @pytest.mark.parametrize(("program", "language"), PROGRAMS)
    def test_of_any_program(self, talk: Talk, sink: Sink, case: int, program: str, language: str) -> None:
        talk.environ(CRMMAIL_SMTP_URL=sink.url)
        talk.do(f"users set agent --lang {language}")
        talk.mail(ANA, subject=f"Re: [{case}]", text="And now it burns!\nSet-User: eve\nSet-State: cancel")
        talk.do("tick")
        notice = _received(sink, "agent@crm.test")[-1]
        text = written(program, language, "Set-Priority: 2\nPull the plug!", quoting(notice))
        identifier = str(notice["Message-ID"]).strip("<>")
        letter = talk.mail("agent@crm.test", subject="Re: x", text=text, answers=identifier)
        talk.do("tick")
        (mail,) = _received(sink, ANA)
        assert "Pull the plug!" in mail.get_content() and "Set-Priority" not in mail.get_content()
        assert (talk.field(case, "priority"), talk.state(case)) == (2, "done")
        assert orders(letter) == ["Set-Priority: 2 → obeyed"]

    def test_in_html_only(self, talk: Talk, case: int) -> None:
        notice = talk.notice("agent", case)
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "agent@crm.test", "support@crm.test", "Re: Printer"
        mail["In-Reply-To"], mail["Message-ID"] = f"<{notice.id}>", "<h1@example.com>"
        mail.set_content(
            "<html><body><div>Set-State:&nbsp;pending</div><div><b>Set-User</b>: <a href='mailto:bob@crm.test'>"
            "bob@crm.test</a></div><div>Pull the plug!</div><div class='gmail_quote'>On Tue, Nov 24, 2026 at 10:00 AM"
            " Ana &lt;support@crm.test&gt; wrote:<br><blockquote>Set-State: cancel<br>it smokes</blockquote></div>"
            "</body></html>",
            subtype="html",
        )
        talk.post(mail.as_bytes())
        assert (talk.state(case), talk.field(case, "responsible")) == ("pending", "bob")
        assert leaving(talk) == ["Pull the plug!"]

    def test_is_a_note(self, talk: Talk, case: int) -> None:
        says(talk, case, "#note", "Set-State: pending", "She never pays.")
        note = talk.show(case)["messages"][-2]
        assert (note["kind"], note["internal"], note["text"].strip()) == ("note", True, "She never pays.")
        assert (talk.state(case), leaving(talk)) == ("pending", [])

    def test_is_a_note_below_an_order(self, talk: Talk, case: int) -> None:
        says(talk, case, "Set-Priority: 2", "#note She never pays.")
        assert talk.words(case)[-1] == "She never pays."
        assert (talk.field(case, "priority"), talk.state(case), leaving(talk)) == (2, "draft", [])

    def test_makes_a_record(self, talk: Talk, case: int) -> None:
        talk.do(f"config set mail.trusted_authserv_id {OURS}")
        text = "Carl called, he is angry.\nSet-Priority: 1\nSet-User: bob"
        new = talk.mail("agent@crm.test", subject="Carl's plotter", text=text, headers=PROVEN).record
        assert new != case
        assert (talk.field(new, "priority"), talk.field(new, "responsible")) == (1, "bob")
        assert talk.words(new) == ["Carl called, he is angry."]

    def test_cut_short_and_whole_is_one(self, talk: Talk, case: int) -> None:
        notice = talk.notice("agent", case)
        text = "Pull the plug!\nSet-Priority: 2\nThen wait.\nSet-Cost: 12\nFor an hour."
        whole = talk.raw("agent@crm.test", subject="Re: x", text=text, answers=notice, id="w@crm.test")
        half = whole[: whole.index(b"\nSet-Cost: 12") + 11]
        assert talk.post(half).record == case
        assert talk.field(case, "priority") == 2
        letter = talk.post(whole)
        assert "the whole of message" in talk.why(letter)
        assert talk.field(case, "cost") == 12
        assert leaving(talk) == ["Pull the plug!\nThen wait.\nFor an hour."]
        assert talk.post(half + b"\n").outcomes[0].reason in ("duplicate", "cut-short")


# --- who can ------------------------------------------------------------------------------------------------


class TestNobodyElse:
    def test_a_customer(self, talk: Talk, case: int) -> None:
        letter = talk.mail(ANA, subject=f"Re: [{case}]", text="Set-State: cancel\nSet-Priority: 1\nSet-Foo: 1")
        assert (talk.state(case), talk.field(case, "priority")) == ("draft", 3)
        assert "Set-State: cancel" in talk.words(case)[-1]
        assert (orders(letter), answered(talk), leaving(talk)) == ([], [], [])

    def test_a_stranger_with_a_new_letter(self, talk: Talk) -> None:
        new = talk.mail("eve@evil.example", subject="Hello", text="Set-Priority: 1\nSet-Foo: 1").record
        assert talk.field(new, "priority") == 3
        assert talk.outbox() == []

    def test_whoever_writes_the_users_address_in_from(self, talk: Talk, case: int) -> None:
        letter = talk.mail("agent@crm.test", subject=f"Re: [{case}]", text="Set-Priority: 1\nSet-Foo: 1")
        assert letter.record != case
        assert (talk.field(case, "priority"), talk.field(letter.record, "priority")) == (3, 3)
        assert answered(talk) == []

    def test_a_user_from_an_address_that_we_do_not_know(self, talk: Talk, case: int) -> None:
        notice = talk.notice("agent", case)
        talk.mail("agent@home.example", subject="Re: x", text="#note\nSet-Priority: 1\nHm.", answers=notice)
        assert talk.field(case, "priority") == 3
        assert talk.words(case)[-1] == "Set-Priority: 1\nHm."

    def test_a_machine_of_his(self, talk: Talk, case: int) -> None:
        says(talk, case, "Set-Priority: 1", headers={"Auto-Submitted": "auto-replied"})
        assert (talk.field(case, "priority"), answered(talk)) == (3, [])

    def test_a_colleague_who_is_the_customer(self, talk: Talk, case: int) -> None:
        talk.do(f"config set mail.trusted_authserv_id {OURS}")
        mine = talk.mail("bob@crm.test", subject="My laptop", text="It died.", headers=PROVEN)
        talk.mail("bob@crm.test", answers=mine, text="Set-Priority: 1", headers=PROVEN)
        assert talk.field(mine.record, "priority") == 3
        assert talk.words(mine.record)[-1] == "Set-Priority: 1"

    def test_a_customer_whom_his_program_quotes_without_marks(self, talk: Talk, case: int) -> None:
        """No program says so, but what the customer wrote himself is known."""
        talk.mail(ANA, subject=f"Re: [{case}]", text="Please!\nSet-User: bob\nSet-State : CLOSE")
        letter = says(talk, case, "I see.", "", "Please!", "Set-User: bob", "Set-State: close", "Set-Priority: 2")
        assert (talk.field(case, "responsible"), talk.state(case), talk.field(case, "priority")) == (None, "draft", 2)
        assert [line.partition(" → ")[2][:11] for line in orders(letter)] == ["it stands i", "it stands i", "obeyed"]
        assert len(answered(talk)) == 1

    def test_nor_behind_many_lines_that_say_nothing(self, talk: Talk, case: int) -> None:
        many = [f"Set-X{number}: y" for number in range(60)]
        talk.mail(ANA, subject=f"Re: [{case}]", text="\n".join([*many, "Set-State: cancel"]))
        letter = says(talk, case, "I see.", "Set-State: cancel")
        assert talk.state(case) == "draft"
        assert orders(letter)[0].startswith("Set-State: cancel → it stands in a letter from outside")

    @pytest.mark.parametrize(
        ("hers", "his"),
        [
            ("Hello, I have waited for a rather long time now, so Set-State: cancel", "Set-State: cancel"),
            ("Set-State: cancel this, if you can, and tell me", "Set-State: cancel"),
            ("I ask you to Set-\nState: cancel", "Set-State: cancel"),
            ("**Set-State: cancel**", "Set-State: cancel"),
            ("- Set-State: cancel", "Set-State: cancel"),
            ("> Set-State: cancel", "Set-State: cancel"),
            ("\u201cSet-State: cancel\u201d", "Set-State: cancel"),
            ("Set-St\u00adate: can\u200bcel", "Set-State: cancel"),
            ("Set-State: can\u2060cel", "Set-State: can\u200bcel"),
            ("\u202aSet-State: cancel\u202c", "Set-State: cancel"),
            ("\uff33et-State: cancel", "Set-State: cancel"),
            ("Set-State:", "Set-State: cancel"),
        ],
    )
    def test_however_his_program_shows_what_the_customer_wrote(
        self, talk: Talk, case: int, hers: str, his: str
    ) -> None:
        talk.mail(ANA, subject=f"Re: [{case}]", text=f"It smokes.\n{hers}\ncancel")
        letter = says(talk, case, "I see.", "", "It smokes.", his)
        assert talk.state(case) != "cancel"
        (said,) = orders(letter)
        assert said.endswith(f"may be a quote; to do it anyway: crmmail cancel {case}")
        assert said.split(" → ")[1] in talk.notice("agent", case).text
        talk.do(f"cancel {case}")

    def test_an_order_on_two_lines_of_a_customer(self, talk: Talk, case: int) -> None:
        """Wrapped behind the colon it would clear."""
        talk.do(f"set {case} responsible=bob")
        talk.mail(ANA, subject=f"Re: [{case}]", text="I want you to Set-User: agent, please")
        letter = says(talk, case, "I see.", "Set-User:")
        assert talk.field(case, "responsible") == "bob"
        assert orders(letter)[0].endswith(f"crmmail set {case} responsible=…")

    def test_nor_by_what_is_shown_beside_the_words(self, talk: Talk, case: int) -> None:
        talk.mail(
            '"Ana, who would like you to Set-Priority: 1" <ana@example.com>',
            subject=f"Re: [{case}] A rather long subject, which ends in Set-State: cancel",
            cc='"Set-User: bob" <carl@example.com>',
            text="Hello.",
            files=[("Please Set-Cost: 5.txt", b"x")],
        )
        asked = ["Set-Priority: 1", "Set-State: cancel", "Set-User: bob", "Set-Cost: 5", "Set-Revenue: 7"]
        letter = says(talk, case, "I see.", *asked)
        assert [one.partition(" → ")[2][:8] for one in orders(letter)] == ["it stand"] * 4 + ["obeyed"]
        named = ("priority", "responsible", "cost", "revenue")
        assert [talk.field(case, name) for name in named] == [3, None, None, 7]

    def test_nor_by_the_title_that_a_customer_gave(self, talk: Talk, case: int) -> None:
        """It is in the foot of each notification, whoever wrote the letter."""
        title = "The printer on the third floor smokes again, I want you to Set-Priority: 1"
        new = talk.mail('"Set-Cost: 5" <eve@example.com>', subject=title, text="Now!").record
        assert new is not None
        card = int(talk.do("contacts add 'Set-Revenue: 9' --email nine@example.com"))
        talk.do(f"set {new} partner={card}")
        says(talk, new, "I see.", "Set-Priority: 1", "Set-Cost: 5", "Set-Revenue: 9")
        assert [talk.field(new, name) for name in ("priority", "cost", "revenue")] == [3, None, None]

    def test_his_own_order_stands_beside_a_quoted_one(self, talk: Talk, case: int) -> None:
        talk.mail(ANA, subject=f"Re: [{case}]", text="Set-Priority: 1")
        letter = says(talk, case, "Set-Priority: 4", "", "Ana Lima wrote:", "Set-Priority: 1")
        assert talk.field(case, "priority") == 4
        assert orders(letter)[0] == "Set-Priority: 4 → obeyed"

    def test_what_users_wrote_stands_in_nobodys_way(self, talk: Talk, case: int) -> None:
        talk.do(f"note {case} -m 'You may answer Set-Priority: 2'")
        for priority in (2, 4, 2):
            says(talk, case, f"Set-Priority: {priority}", "Set-State: opne")
            assert talk.field(case, "priority") == priority

    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.sampled_from(SIGNS), min_size=8, max_size=8), st.integers(10, 10_000))
    def test_whatever_stands_around_it(self, talk: Talk, case: int, signs: list[str], cost: int) -> None:
        talk.wait(hours=2)
        pieces = ("Set", "-", "State", ":", "can", "cel", "\nSet-Cost: ", str(cost))
        hers = "".join(piece + sign for piece, sign in zip(pieces, signs, strict=True))
        assert talk.mail(ANA, subject=f"Re: [{case}]", text=f"Hello. {hers}").record == case
        letter = says(talk, case, "Set-State: cancel", f"Set-Cost: {cost}", f"Set-Revenue: {cost}")
        assert [one.partition(" → ")[2][:8] for one in orders(letter)[:2]] == ["it stand"] * 2
        assert (talk.state(case) == "cancel", talk.field(case, "cost")) == (False, None)
        assert talk.field(case, "revenue") == cost

    def test_a_thousand_letters_are_compared_in_no_time(self, talk: Talk, case: int) -> None:
        with talk.open() as workspace, workspace.store.transaction():
            now = workspace.now()
            for at in range(1000):
                text = f"Принтер снова дымит.\n{at}\n" * 200 + ("Set-State: cancel" if not at else "")
                messages.put_message(
                    case, kind="email_in", subtype="discussion", text=text, date=now, received=now, from_address=ANA
                )
        begun = time.process_time()
        says(talk, case, "Set-State: cancel", "Set-Priority: 2")
        assert time.process_time() - begun < 4
        assert (talk.state(case), talk.field(case, "priority")) == ("draft", 2)

    def test_who_left_the_house_gets_no_work(self, talk: Talk, case: int) -> None:
        talk.do("users set bob --inactive")
        letter = says(talk, case, "Set-User: bob")
        assert talk.field(case, "responsible") is None
        assert orders(letter) == ["Set-User: bob → there is no user 'bob': agent, boss"]


# --- what was wrong -----------------------------------------------------------------------------------------

WRONG = ("Set-Priority: 2", "Set-State: opne", "Set-Prioritaet: 1", "Set-Cost: much", "Set-Revenue: 1,000",
         "Set-Probability: 130", "Set-User: mallory", "Set-Partner: 4711")  # fmt: skip
TOLD = {
    "en": """\
* Set-Priority: 2 → obeyed
* Set-State: opne → there is no state 'opne': open, pending, done, cancel, draft
* Set-Prioritaet: 1 → there is no such order: Set-State, Set-Priority, Set-User, Set-Partner, Set-Cost, Set-Revenue, \
Set-Probability
* Set-Cost: much → 'much' is no number
* Set-Revenue: 1,000 → '1,000' can be two amounts: 1000, 1.00
* Set-Probability: 130 → '130' is no percentage from 0 to 100
* Set-User: mallory → there is no user 'mallory': agent, bob, boss
* Set-Partner: 4711 → there is no contact '4711': its number or address
""",
    "fr": """\
* Set-Priority: 2 → exécuté
* Set-State: opne → l'état « opne » n'existe pas : open, pending, done, cancel, draft
* Set-Prioritaet: 1 → cet ordre n'existe pas : Set-State, Set-Priority, Set-User, Set-Partner, Set-Cost, Set-Revenue, \
Set-Probability
* Set-Cost: much → « much » n'est pas un nombre
* Set-Revenue: 1,000 → « 1,000 » peut être deux montants : 1000, 1.00
* Set-Probability: 130 → « 130 » n'est pas un pourcentage de 0 à 100
* Set-User: mallory → il n'y a pas d'utilisateur « mallory » : agent, bob, boss
* Set-Partner: 4711 → il n'y a pas de contact « 4711 » : son numéro ou son adresse
""",
    "ru": """\
* Set-Priority: 2 → выполнено
* Set-State: opne → состояния «opne» нет: open, pending, done, cancel, draft
* Set-Prioritaet: 1 → такой команды нет: Set-State, Set-Priority, Set-User, Set-Partner, Set-Cost, Set-Revenue, \
Set-Probability
* Set-Cost: much → «much» не число
* Set-Revenue: 1,000 → «1,000» можно понять двояко: 1000, 1.00
* Set-Probability: 130 → «130» не процент от 0 до 100
* Set-User: mallory → пользователя «mallory» нет: agent, bob, boss
* Set-Partner: 4711 → контакта «4711» нет: нужен его номер или адрес
""",
}


class TestWrong:
    @pytest.mark.parametrize("language", TOLD)
    def test_he_gets_the_transcript_in_his_language(self, talk: Talk, case: int, language: str) -> None:
        talk.do(f"users set agent --lang {language}")
        says(talk, case, *WRONG)
        notice = talk.notice("agent", case)
        assert notice.to == "agent@crm.test"
        assert notice.subject == f"[{case}] (note) Printer broken"
        assert TOLD[language] in notice.text
        assert f"#{case} Printer broken" in notice.text and f"crmmail show {case}" in notice.text
        assert talk.field(case, "priority") == 2  # what was right is done
        assert talk.field(case, "revenue") is None  # what can be two amounts is not guessed

    @pytest.mark.parametrize("notify", ["inbox", "email", "none"])
    def test_by_mail_and_in_the_inbox_however_he_hears(self, talk: Talk, case: int, notify: str) -> None:
        notice = talk.notice("agent", case)
        talk.do(f"users set agent --notify {notify}")
        talk.mail("agent@crm.test", subject="Re: x", text="Set-State: opne", answers=notice)
        assert talk.outbox().count("agent@crm.test") == 2  # and the first notification
        (item,) = answered(talk)
        assert (item["record"], item["internal"], item["from_name"]) == (case, True, "crmmail")
        assert "* Set-State: opne → there is no state 'opne'" in str(item["text"])

    @pytest.mark.parametrize(
        ("language", "told"),
        [
            ("en", "may be a quote; to do it anyway: crmmail close {case}"),
            ("fr", "c'est peut-être une citation ; pour le faire quand même : crmmail close {case}"),
            ("ru", "это может быть цитата; всё равно сделать это: crmmail close {case}"),
        ],
    )
    def test_he_hears_how_to_do_what_may_be_a_quote(self, talk: Talk, case: int, language: str, told: str) -> None:
        talk.do(f"users set agent --lang {language}")
        talk.mail(ANA, subject=f"Re: [{case}]", text="When will you Set-State: close?")
        says(talk, case, "I see.", "Set-State: close")
        assert talk.state(case) == "draft"
        assert told.format(case=case) in talk.notice("agent", case).text

    def test_nobody_else_does(self, talk: Talk, case: int) -> None:
        talk.do(f"follow {case} --who expert@firm.example")
        talk.do(f"follow {case}", user="boss")
        talk.do("users set boss --notify both")
        says(talk, case, "Set-State: opne")
        assert set(talk.outbox()) == {"agent@crm.test"}
        assert talk.inbox("boss") == []
        message = next(one for one in talk.show(case)["messages"] if one["kind"] == "auto")
        assert (message["internal"], message["automatic"], message["author"]) == (True, True, None)

    def test_it_leaves_as_what_it_is_and_an_answer_to_it_works(self, talk: Talk, sink: Sink, case: int) -> None:
        talk.environ(CRMMAIL_SMTP_URL=sink.url)
        says(talk, case, "Set-State: opne", "Pull the plug!")
        talk.do("tick")
        told = _received(sink, "agent@crm.test")[-1]
        assert str(told["Auto-Submitted"]) == "auto-generated"
        assert "Set-State" not in _received(sink, ANA)[-1].get_content()
        for program, language in PROGRAMS:
            text = written(program, language, "Set-State: pending", quoting(told))
            identifier = str(told["Message-ID"]).strip("<>")
            letter = talk.mail(
                "agent@crm.test", str(told["Reply-To"]), f"Re: {told['Subject']}", text, answers=identifier
            )
            assert (letter.record, talk.state(case)) == (case, "pending")
            assert orders(letter) == ["Set-State: pending → obeyed"]
            talk.do(f"open {case}")
        talk.do("tick")
        assert len(_received(sink, ANA)) == 1  # nothing of it goes to the customer

    def test_more_than_fifty_are_not_obeyed(self, talk: Talk, case: int) -> None:
        letter = says(talk, case, *(f"Set-Cost: {number}" for number in range(51)))
        assert talk.field(case, "cost") == 49
        assert orders(letter)[-1] == "… → only the first 50 orders of a letter are obeyed"
        assert len(answered(talk)) == 1

    @pytest.mark.parametrize("line", ["Set-Cost: 1", "Set-a: b", "set-", "> Set-User: eve", "Set-State: a" * 20])
    def test_a_letter_of_nothing_but_lines_takes_no_time(self, talk: Talk, case: int, line: str) -> None:
        begun = time.process_time()
        letter = says(talk, case, *[line] * (300_000 // (len(line) + 1)))
        assert letter.record == case
        assert time.process_time() - begun < 15
        assert len(orders(letter)) <= 51

    def test_an_address_of_two_contacts(self, talk: Talk, case: int) -> None:
        cards = [int(talk.do(f"contacts add {name} --email both@example.com")) for name in ("Ana", "Bea")]
        letter = says(talk, case, "Set-Partner: both@example.com")
        listed = ", ".join(f"#{card}" for card in cards)
        assert orders(letter)[0].endswith(f"several contacts have the address both@example.com: {listed}")

    def test_a_contact_has_no_state(self, talk: Talk, case: int) -> None:
        card = int(talk.do("contacts add Ana --email ana@example.com"))
        talk.do(f"follow {card}", user="agent")
        talk.mail(ANA, subject=f"Re: [{card}]", text="Hello.")
        letter = says(talk, card, "Set-State: open", "Set-Cost: 5")
        assert orders(letter) == [
            "Set-State: open → a contact has no states",
            "Set-Cost: 5 → a contact has no such field: ",
        ]

    def test_a_hostile_value_acts_on_nothing(self, talk: Talk, case: int) -> None:
        says(talk, case, "Set-User: {{ 7*7 }}\x1b[31m{open}%s", "Set-Priority: ²")
        notice = talk.notice("agent", case)
        assert "{{ 7*7 }}" in notice.text and "\x1b" not in notice.text
        assert "there is no priority '²': 1, 2, 3, 4, 5, highest" in notice.text


def _received(sink: Sink, to: str) -> list[EmailMessage]:
    mails = [message_from_bytes(one.data, policy=policy.default) for one in sink.received if one.recipient == to]
    return [mail for mail in mails if isinstance(mail, EmailMessage)]


# --- what a delivery loads ----------------------------------------------------------------------------------

DELIVER = """
import json, sys
from crmmail import mda
assert mda.run([], sys.stdin.buffer.read()) == (0, [])
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize(("text", "loads"), [("Set-Priority: 2", True), ("Pull the plug!", False)])
def test_a_delivery_loads_them_only_where_there_are_any(talk: Talk, case: int, text: str, loads: bool) -> None:
    notice = talk.notice("agent", case)
    raw = talk.raw("agent@crm.test", subject="Re: x", text=text, answers=notice)
    done = subprocess.run([sys.executable, "-c", DELIVER], input=raw, capture_output=True, timeout=60, check=True,
                          cwd=Path(__file__).parents[2])  # fmt: skip
    modules = json.loads(done.stdout)
    assert ("crmmail.services.incoming.orders" in modules) is ("crmmail.core.orders" in modules) is loads
    assert not {"jinja2", "crmmail.render", "click", "rich", "smtplib"} & set(modules)
