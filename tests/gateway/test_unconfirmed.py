"""Answers whose senders nothing confirms: what they may not do, and what people make of them (safety 1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conversation import OURS, RECEIVED, Letter, Talk, founded, opened

from crmmail.store import tables

ANA, EVE, BOB = "ana@example.com", "eve@evil.example", "bob@crm.test"
EXPERT = "expert@outside.example"
FORGED = {"Authentication-Results": f"{OURS}; dmarc=fail"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Letter]:
    """Ana's case is done; bob works here too and follows it, an expert outside follows it, and all is read."""
    folder = tmp_path_factory.mktemp("house")
    with pytest.MonkeyPatch.context() as monkeypatch:
        talk = opened(founded(folder), folder, monkeypatch)
        case = talk.mail(ANA, subject="Printer broken", text="It burns.")
        talk.do("users add bob --email bob@crm.test")
        talk.do("follow 1 --who bob")
        talk.do(f"follow 1 --who {EXPERT}")
        talk.do("close 1", user="agent")
        talk.do(f"config set mail.trusted_authserv_id {OURS}")
        for user in ("boss", "agent", "bob"):
            talk.do("done --all", user)
    return talk.db, case


@pytest.fixture
def case(house: tuple[Path, Letter]) -> Letter:
    return house[1]


@pytest.fixture
def shop(house: tuple[Path, Letter], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Talk:
    """A copy of it, made once."""
    talk = opened(house[0], tmp_path, monkeypatch)
    talk.sent.append(house[1])
    return talk


@pytest.fixture
def eves(shop: Talk, case: Letter) -> Letter:
    """Eve answers Ana's letter, of which she should know nothing."""
    return shop.mail(f"Eve <{EVE}>", answers=case, text="Send it to me.", cc="mallory@evil.example")


@pytest.fixture
def bobs(shop: Talk, case: Letter) -> Letter:
    """A letter under bob's address, and nothing proves that he wrote it."""
    return shop.mail("bob@crm.test", answers=case, text="Use water.\n\nSet-Priority: high")


def world(talk: Talk) -> dict[str, list[Any]]:
    """Every row but those that only ever grow."""
    with talk.open():
        return {
            table.__name__: sorted(table.select().tuples(), key=str)
            for table in tables.TABLES
            if table not in (tables.Journal, tables.Blob, tables.Thread)
        }


def said(talk: Talk, record: int | None) -> list[dict[str, Any]]:
    """What people wrote into a record."""
    return [one for one in talk.show(record)["messages"] if one["kind"] != "system"]


class TestWaits:
    def test_in_a_list_of_its_own_and_in_quarantine(self, shop: Talk, eves: Letter) -> None:
        (one,) = shop.cli("unconfirmed --json", "agent").json
        assert (one["id"], one["record"], one["title"], one["kind"]) == (1, 1, "Printer broken", "case")
        assert (one["from_name"], one["from_address"], one["user"]) == ("Eve", EVE, None)
        assert one["why"] == "it answers <m1@example.com> of record 1, but eve@evil.example takes no part in record 1"
        (held,) = shop.cli("quarantine --json").json
        assert (held["id"], held["reason"], held["candidate"]) == (1, "unconfirmed", 1)
        assert {key: one[key] for key in held} == held

    def test_and_nothing_else_is_in_that_list(self, shop: Talk, eves: Letter) -> None:
        other = shop.mail(EVE, "jobs@crm.test", "Do you hire?")
        assert [one["id"] for one in shop.cli("unconfirmed --json").json] == [eves.quarantine]
        for verb in ("show", "accept", "refuse"):
            what = shop.cli(f"unconfirmed {verb} {other.quarantine}")
            assert (what.code, what.out) == (1, "")
            assert "letter 2 is no unconfirmed answer (no-route): crmmail quarantine show 2" in what.err

    def test_once_however_often_it_comes(self, shop: Talk, eves: Letter) -> None:
        """Its copies made a case of their own: nobody had noted that it was taken for an answer."""
        again = shop.post(RECEIVED + eves.raw)
        assert (again.fates, again.quarantine, shop.all("case")) == ([("duplicate", "duplicate")], 1, [1])

    def test_and_shows_itself(self, shop: Talk, eves: Letter) -> None:
        shown = shop.do("unconfirmed show 1", "agent")
        for words in (
            "letter 1 Re: Printer broken",
            "perhaps an answer in #1 Printer broken (case, done)",
            "from Eve <eve@evil.example>",
            "not believed: it answers <m1@example.com> of record 1, but eve@evil.example takes no part in record 1",
            "    Send it to me.",
            "crmmail unconfirmed accept 1   it is a letter of eve@evil.example, who takes part from then on",
            "crmmail unconfirmed refuse 1",
        ):
            assert words in shown, words

    def test_and_everything_that_tells_of_it_leads_there(self, shop: Talk, eves: Letter) -> None:
        shop.environ(COLUMNS="100")
        assert "! letter 1 may belong here: crmmail unconfirmed show 1" in shop.do("show 1 --peek", "agent")
        assert "! 1 unconfirmed answer   crmmail unconfirmed" in shop.do("", "agent")
        (item,) = shop.inbox("agent")
        assert (item["quarantine"], item["record"], item["message"]) == (1, 1, None)
        words = shop.refused(f"inbox reply {item['id']} -m x", "agent")
        assert words.endswith("give it a record first (crmmail unconfirmed show 1)")

    def test_on_a_terminal_too(self, shop: Talk, eves: Letter, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("crmmail.cli.voice.Voice.terminal", True)
        assert "held: crmmail unconfirmed show 1" in shop.do("inbox --color never", "agent")

    def test_and_what_waits_for_another_reason_does_not(self, shop: Talk, case: Letter) -> None:
        shop.do("config set loop.messages 2")
        for count in range(3):
            letter = shop.mail(ANA, answers=case, text=f"More {count}.")
        assert letter.reason == "loop"
        assert "! letter 1 may belong here: crmmail quarantine show 1" in shop.do("show 1 --peek", "agent")

    def test_where_its_record_went(self, shop: Talk, eves: Letter) -> None:
        other = shop.mail("cy@example.com", subject="Scanner").record
        shop.do(f"merge 1 --into {other}")
        (one,) = shop.cli("unconfirmed --json").json
        assert (one["record"], one["title"]) == (other, "Scanner")
        shop.do("unconfirmed accept 1")
        assert said(shop, other)[-1]["text"].strip() == "Send it to me."

    def test_and_why_tells_of_it_before_and_after(self, shop: Talk, eves: Letter) -> None:
        assert "eve@evil.example takes no part in record 1" in shop.do("why --quarantine 1")
        shop.do("unconfirmed accept 1", "agent")
        message = said(shop, 1)[-1]["id"]
        for line in (f"why {message}", "why --quarantine 1"):
            told = shop.do(line)
            assert "unconfirmed letter 1" in told
            assert "stored #1: accepted as a letter of eve@evil.example, by agent" in told

    def test_and_afterwards_says_what_became_of_it(self, shop: Talk, eves: Letter) -> None:
        shop.do("unconfirmed accept 1", "agent")
        message = said(shop, 1)[-1]["id"]
        for noun in ("unconfirmed", "quarantine"):
            shown = shop.do(f"{noun} show 1")
            assert f"accepted by agent, as message {message}" in shown
            assert "crmmail unconfirmed accept" not in shown
        assert "perhaps" not in shop.do("quarantine show 1")

    @pytest.mark.parametrize("noun", ["unconfirmed", "quarantine"])
    def test_programs_read_the_same_columns_wherever_they_are(
        self, shop: Talk, eves: Letter, monkeypatch: pytest.MonkeyPatch, noun: str
    ) -> None:
        piped = shop.do(f"{noun} -o csv")
        assert {"state", "from_address"} <= set(piped.splitlines()[0].split(","))
        monkeypatch.setattr("crmmail.cli.voice.Voice.terminal", True)
        assert shop.do(f"{noun} -o csv") == piped
        shop.environ(COLUMNS="200")
        assert "waiting" not in shop.do(noun)
        assert "waiting" in shop.do(f"{noun} --all")

    def test_a_listing_says_what_each_lacks(self, shop: Talk, eves: Letter, bobs: Letter, case: Letter) -> None:
        first, second = shop.do("unconfirmed -o table").splitlines()[-2:]
        assert "nothing proves that bob@crm.test wrote it" in first
        assert "takes no part in record 1" in second
        assert "it answers" not in first + second

    def test_the_summary_counts_what_quarantine_lists(self, shop: Talk, eves: Letter) -> None:
        shop.mail(ANA, "jobs@crm.test", "Do you hire?")
        assert "! 2 letters in quarantine, 1 of them unconfirmed   crmmail quarantine" in shop.do("")
        assert len(shop.do("quarantine -o ids").split()) == 2

    def test_among_many_by_their_ids(self, shop: Talk, eves: Letter, case: Letter) -> None:
        shop.mail("cy@example.com", answers=case, text="Me too.")
        assert shop.do("unconfirmed list -o ids").split() == ["2", "1"]
        assert shop.do("unconfirmed list -o ids --limit 1") == "2"
        assert shop.do("unconfirmed list -o ids --before 2") == "1"
        shop.do("unconfirmed refuse -", input="1\n2\n")
        assert shop.cli("unconfirmed --json").json == []


class TestAccepted:
    def test_a_strangers_letter_does_all_that_an_answer_does(self, shop: Talk, eves: Letter, case: Letter) -> None:
        shop.do("rules add Reopened --state-to open --set-priority high")
        line = shop.cli("unconfirmed accept 1", "agent").out.splitlines()
        assert line[0] == (
            "letter 1 accepted into #1 Printer broken, as a letter of eve@evil.example   (undo: crmmail undo)"
        )
        assert line[1].startswith(f"#1 Printer broken: mail to {EXPERT} waits in the outbox")
        message = said(shop, 1)[-1]
        assert (message["kind"], message["internal"], message["from_address"]) == ("email_in", False, EVE)
        assert (shop.state(1), shop.field(1, "priority")) == ("open", 2)  # by the section's policy, and a rule
        assert (1, "Send it to me.") in shop.heard("bob")
        assert shop.outbox() == [EXPERT]
        assert not any(one["quarantine"] for one in shop.inbox("agent"))
        assert shop.cli("unconfirmed --json").json == []
        assert [one["state"] for one in shop.cli("unconfirmed list --all --json").json] == ["accepted"]
        assert "letter 1 accepted" in shop.do("log 1")
        # She takes part from now on, and so does whom she named.
        for sender in (EVE, "mallory@evil.example"):
            assert shop.mail(sender, answers=case, text=f"Thanks, {sender}.").fates == [("stored", "reference")]

    def test_and_is_undone_as_one_act(self, shop: Talk, eves: Letter, case: Letter) -> None:
        before = world(shop)
        shop.wait(hours=1)
        shop.do("unconfirmed accept 1", "agent")
        assert world(shop) != before
        assert shop.do("undo", "agent").startswith("undone: letter 1 accepted into #1")
        after = world(shop)
        after["Message"] = [row for row in after["Message"] if "undone: " not in str(row)]
        after["Notification"] = [row for row in after["Notification"] if row in before["Notification"]]
        for rows in (before, after):  # that somebody worked on it stays true
            rows["Case"] = [tuple(str(one).replace("11:00", "10:00") for one in row) for row in rows["Case"]]
        assert after == before
        assert shop.mail(EVE, answers=case, text="Again.").outcome == "unconfirmed"
        shop.do("unconfirmed accept 1", "agent")
        assert shop.state(1) == "open"

    def test_undo_takes_back_that_somebody_outside_wrote(self, shop: Talk, eves: Letter) -> None:
        def wrote() -> Any:
            with shop.open():
                return tables.Case.get().partner_wrote

        first = wrote()
        shop.wait(days=1)
        shop.do("unconfirmed accept 1")
        assert wrote() > first
        shop.do("undo")
        assert wrote() == first

    def test_nothing_is_undone_once_a_mail_has_left(self, shop: Talk, eves: Letter, sink: Any) -> None:
        shop.environ(CRMMAIL_SMTP_URL=sink.url)
        shop.do("unconfirmed accept 1")
        shop.do("tick")
        assert sink.recipients == [EXPERT]
        assert "a mail about it has left already" in shop.refused("undo")

    def test_into_another_record(self, shop: Talk, eves: Letter) -> None:
        other = shop.mail("cy@example.com", subject="Scanner").record
        line = shop.do(f"unconfirmed accept 1 --record {other}")
        assert line.startswith(f"letter 1 accepted into #{other} Scanner, as a letter of {EVE}")
        assert shop.words(other) == ["Scanner", "Send it to me."]
        assert (shop.words(1), shop.state(1)) == (["It burns."], "done")

    def test_a_rehearsal_says_the_same_and_leaves_no_trace(self, shop: Talk, eves: Letter) -> None:
        before = world(shop)
        told = shop.do("unconfirmed accept 1 --dry-run")
        assert world(shop) == before
        assert "(a dry run: nothing was changed)" in told
        assert told.replace("(a dry run: nothing was changed)", "(undo: crmmail undo)") == shop.do(
            "unconfirmed accept 1"
        )

    def test_once_only(self, shop: Talk, eves: Letter) -> None:
        shop.do("unconfirmed accept 1")
        for verb in ("accept", "refuse"):
            assert "letter 1 is not waiting any more, it was accepted already" in shop.cli(f"unconfirmed {verb} 1").err
        assert len(said(shop, 1)) == 2

    def test_the_same_letter_again_is_a_copy(self, shop: Talk, eves: Letter) -> None:
        shop.do("unconfirmed accept 1")
        again = shop.post(RECEIVED + eves.raw)
        assert (again.fates, again.record) == ([("duplicate", "duplicate")], 1)
        assert len(said(shop, 1)) == 2

    def test_a_machines_letter_changes_no_state_and_sends_nothing(self, shop: Talk, case: Letter) -> None:
        shop.mail(EVE, answers=case, text="I am away.", headers={"Auto-Submitted": "auto-replied"})
        shop.do("unconfirmed accept 1")
        message = said(shop, 1)[-1]
        assert (message["automatic"], shop.state(1), shop.outbox()) == (True, "done", [])

    def test_nor_does_one_that_only_its_envelope_showed_to_be_a_machines(self, shop: Talk, case: Letter) -> None:
        raw = shop.raw(EVE, answers=case, text="I am away.")
        letter = shop.post(raw, "--sender=", "--recipient=support@crm.test")
        assert (letter.outcome, "machine mail: null-path" in letter.evidence) == ("unconfirmed", True)
        shop.do("unconfirmed accept 1")
        assert (said(shop, 1)[-1]["automatic"], shop.state(1), shop.outbox()) == (True, "done", [])

    def test_a_letter_that_our_own_host_refuted_says_so(self, shop: Talk, case: Letter) -> None:
        shop.mail(ANA, answers=case, text="It is me.", headers=FORGED)
        assert "our own host says that it is not from ana@example.com" in shop.do("unconfirmed show 1")
        line = shop.do("unconfirmed accept 1")
        assert "as a letter of ana@example.com, though our own host says that it is not from ana@example.com" in line
        assert (shop.state(1), said(shop, 1)[-1]["from_address"]) == ("open", ANA)

    def test_a_letter_of_nobody_clear(self, shop: Talk, case: Letter) -> None:
        letter = shop.mail("Ana <ana@example.com>, eve@evil.example", answers=case, text="Both of us.")
        assert letter.outcome == "unconfirmed"
        shown = shop.do("unconfirmed show 1")
        assert "unclear: Ana <ana@example.com>, eve@evil.example" in shown  # whole, for it is why
        assert "it is a letter of an unclear sender, and nobody takes part by it" in shown
        assert "as a letter of an unclear sender" in shop.do("unconfirmed accept 1")
        assert said(shop, 1)[-1]["from_address"] == ""

    def test_what_answers_an_internal_notice_stays_inside(self, shop: Talk, case: Letter) -> None:
        shop.do("users set agent --notify email")
        shop.do("open 1")
        notice = shop.notice("agent", 1)
        letter = shop.mail("agent@home.example", answers=notice.id, text="What a pain he is.")
        assert letter.outcome == "unconfirmed"
        assert "it is kept inside the record" in shop.do("unconfirmed show 1")
        line = shop.do("unconfirmed accept 1")
        assert "inside, for it answers an internal notice" in line
        message = said(shop, 1)[-1]
        assert (message["internal"], message["text"].strip()) == (True, "What a pain he is.")
        assert EXPERT not in shop.outbox()
        assert "ana@example.com" not in shop.outbox()
        assert shop.mail("agent@home.example", answers=case, text="x").outcome == "unconfirmed"  # that is no seat

    def test_one_that_cannot_be_done_does_not_stop_the_others(self, shop: Talk, eves: Letter) -> None:
        what = shop.cli("unconfirmed accept 99 1")
        assert (what.code, "99" in what.err) == (1, True)
        assert shop.state(1) == "open"


class TestUnderAColleaguesAddress:
    def test_acts_on_nothing(self, shop: Talk, bobs: Letter) -> None:
        assert bobs.outcome == "unconfirmed"
        assert (shop.state(1), shop.field(1, "priority"), len(said(shop, 1))) == ("done", 3, 1)

    def test_accepted_by_himself_it_is_his_answer(self, shop: Talk, bobs: Letter) -> None:
        shop.do("open 1")
        meaning = f"it is your answer, and {ANA} gets it; what it orders is done: Set-Priority: high"
        assert meaning in shop.do("unconfirmed show 1", "bob")
        assert "  Set-Priority: high → obeyed" in shop.do("unconfirmed accept 1 --dry-run", "bob")
        lines = shop.do("unconfirmed accept 1", "bob").splitlines()
        assert lines[0] == "letter 1 accepted into #1 Printer broken, as your own answer   (undo: crmmail undo)"
        assert ANA in lines[1]
        assert EXPERT in lines[1]
        assert "waits in the outbox" in lines[1]
        message = said(shop, 1)[-1]
        assert (message["kind"], message["author"], message["internal"]) == ("email_out", "bob", False)
        assert message["text"].strip() == "Use water."
        assert shop.field(1, "priority") == 2  # Set-Priority is obeyed
        assert shop.state(1) == "done"  # on_user_reply of the section
        assert {ANA, EXPERT} <= set(shop.outbox())

    def test_and_all_of_that_is_undone_as_one_act(self, shop: Talk, bobs: Letter) -> None:
        shop.do("open 1")
        shop.do("set 1 priority=low", "bob")
        before = {table: rows for table, rows in world(shop).items() if table not in ("Message", "Notification")}
        shop.do("unconfirmed accept 1", "bob")
        shop.do("undo", "bob")
        after = world(shop)
        assert {table: after[table] for table in before} == before
        assert (shop.state(1), shop.field(1, "priority"), shop.outbox()) == ("open", 4, [])
        assert len(said(shop, 1)) == 1
        assert "priority: normal → low" in shop.do("undo", "bob")  # the order in the letter was no act of its own

    def test_accepted_by_anybody_else_it_is_a_note_and_nothing_leaves(self, shop: Talk, bobs: Letter) -> None:
        shop.do("users set agent --notify both")
        meaning = (
            "it is kept as an internal note of bob's; only bob himself, instead of you, can make it his answer: "
            "crmmail --as bob unconfirmed accept 1"
        )
        assert meaning in shop.do("unconfirmed show 1", "agent")
        line = shop.do("unconfirmed accept 1", "agent")
        assert line == ("letter 1 accepted into #1 Printer broken, as an internal note of bob's   (undo: crmmail undo)")
        message = said(shop, 1)[-1]
        assert (message["kind"], message["internal"], message["author"]) == ("note", True, None)
        assert message["from_address"] == BOB
        assert (shop.state(1), shop.field(1, "priority")) == ("done", 3)
        assert [one for one in shop.outbox() if not one.endswith("@crm.test")] == []
        assert [one[0] for one in shop.heard("bob")] == [1]  # he hears what is said under his name
        shop.do("undo", "agent")
        assert len(said(shop, 1)) == 1

    def test_it_goes_to_whoever_wrote_the_letter_that_it_names(self, shop: Talk, eves: Letter, case: Letter) -> None:
        """Not to the stranger who wrote last, and was let in."""
        shop.mail(BOB, answers=case, text="Use water.")
        shop.do("unconfirmed accept 1", "agent")
        assert f"it is your answer, and {ANA} gets it" in shop.do("unconfirmed show 2", "bob")
        shop.do("unconfirmed accept 2", "bob")
        assert (ANA in shop.outbox(), EVE in shop.outbox()) == (True, False)

    def test_so_does_one_that_our_own_host_proves(self, shop: Talk, eves: Letter, case: Letter) -> None:
        shop.do("unconfirmed accept 1", "agent")
        proof = {"Authentication-Results": f"{OURS}; dmarc=pass header.from=crm.test"}
        assert shop.mail(BOB, answers=case, text="Use water.", headers=proof).outcome == "stored"
        assert (ANA in shop.outbox(), EVE in shop.outbox()) == (True, False)

    @pytest.mark.parametrize(
        ("text", "more", "meaning"),
        [
            ("#note\nShe never pays.", {}, "it is an internal note of yours"),
            ("Set-Priority: high", {}, "what it orders is done (Set-Priority: high), and nobody else gets it"),
            ("Use water.", {"cc": ANA}, f"it is your answer, and {ANA} had it from you"),
            ("", {}, "it is your answer, but without words of its own, so nobody gets it"),
            (
                "Away.",
                {"headers": {"Auto-Submitted": "auto-replied"}},
                "it is kept as the letter of a machine of yours",
            ),
        ],
    )
    def test_what_it_becomes_is_said_before(
        self, shop: Talk, case: Letter, text: str, more: dict[str, Any], meaning: str
    ) -> None:
        shop.mail(BOB, answers=case, text=text, **more)
        assert meaning in shop.do("unconfirmed show 1", "bob")
        shop.do("unconfirmed accept 1", "bob")
        assert ANA not in shop.outbox()

    def test_quarantine_files_it_in_the_same_way(self, shop: Talk, bobs: Letter) -> None:
        """As a plain letter of his it had our answers go to him."""
        assert "crmmail unconfirmed accept 1" in shop.do("quarantine show 1", "agent")
        line = shop.do("quarantine route 1 1", "agent")
        assert line.startswith("letter 1 accepted into #1 Printer broken, as an internal note of bob's")
        assert f"To: {ANA}" in shop.do("reply 1 -m Hello. --dry-run", "agent").replace("Ana <", "")

    def test_a_note_of_his_stays_one_whoever_accepts_it(self, shop: Talk, case: Letter) -> None:
        letter = shop.mail(BOB, answers=case, text="#note\nShe never pays.")
        assert letter.outcome == "unconfirmed"
        shop.do("unconfirmed accept 1", "bob")
        message = said(shop, 1)[-1]
        assert (message["kind"], message["author"], message["text"].strip()) == ("note", "bob", "She never pays.")
        assert shop.outbox() == []

    def test_an_answer_to_an_internal_notice_is_a_note_also_by_himself(self, shop: Talk, case: Letter) -> None:
        shop.do("users set agent --notify email")
        shop.do("open 1", "boss")
        notice = shop.notice("agent", 1)
        letter = shop.mail(BOB, answers=notice, text="He never reads.")
        assert letter.outcome == "unconfirmed"
        assert "as a note of yours" in shop.do("unconfirmed accept 1", "bob")
        message = said(shop, 1)[-1]
        assert (message["kind"], message["author"], message["internal"]) == ("note", "bob", True)
        assert [one for one in shop.outbox() if not one.endswith("@crm.test")] == []

    def test_his_machine_answers_nobody(self, shop: Talk, case: Letter) -> None:
        shop.mail(BOB, answers=case, text="I am away.", headers={"Auto-Submitted": "auto-replied"})
        shop.do("unconfirmed accept 1", "bob")
        assert (said(shop, 1)[-1]["kind"], shop.state(1), shop.outbox()) == ("email_in", "done", [])

    def test_one_that_our_own_host_refuted_says_so(self, shop: Talk, case: Letter) -> None:
        shop.mail(BOB, answers=case, text="Use water.", headers=FORGED)
        line = shop.do("unconfirmed accept 1", "bob")
        assert "as your own answer, though our own host says that it is not from bob@crm.test" in line

    def test_who_is_the_customer_himself_writes_as_the_customer(self, shop: Talk) -> None:
        number = int(shop.do("new case Chair --section support --email bob@crm.test").split()[0].strip("#"))
        shop.do(f"send {number} --to cy@example.com -m Look.")
        first = shop.show(number)["messages"][-1]["message_id"]
        shop.do(f"close {number}")
        with shop.open():  # what is left of the id when a mail program breaks it
            tables.Message.update(message_id="plain@crm.test").where(tables.Message.message_id == first).execute()
        letter = shop.mail(BOB, answers="plain@crm.test", text="It squeaks.")
        assert letter.outcome == "unconfirmed"
        shop.do(f"unconfirmed accept {letter.quarantine}", "agent")
        message = said(shop, number)[-1]
        assert (message["kind"], message["internal"], shop.state(number)) == ("email_in", False, "open")


class TestRefused:
    def test_stays_out_and_can_be_read(self, shop: Talk, eves: Letter, case: Letter) -> None:
        assert shop.do("unconfirmed refuse 1", "agent") == "letter 1 is refused   (undo: crmmail undo)"
        assert (shop.words(1), shop.state(1), shop.outbox()) == (["It burns."], "done", [])
        assert [user for user in ("boss", "agent", "bob") if shop.inbox(user)] == []
        assert shop.cli("unconfirmed --json").json == shop.cli("quarantine --json").json == []
        (row,) = shop.cli("quarantine list --all --json").json
        assert (row["state"], row["reason"]) == ("refused", "unconfirmed")
        assert "Send it to me." in shop.do("unconfirmed show 1")
        assert "crmmail unconfirmed accept" not in shop.do("unconfirmed show 1")
        assert shop.cli("quarantine show 1 --raw").bytes == eves.raw

    def test_and_comes_back_by_undo(self, shop: Talk, eves: Letter) -> None:
        before = world(shop)
        shop.do("unconfirmed refuse 1", "agent")
        assert shop.do("undo", "agent") == "undone: letter 1 is refused"
        assert world(shop) == before
        assert [one["quarantine"] for one in shop.inbox("agent")] == [1]

    def test_the_same_letter_again_is_a_copy(self, shop: Talk, eves: Letter) -> None:
        shop.do("unconfirmed refuse 1", "agent")
        again = shop.post(RECEIVED + eves.raw)
        assert (again.fates, again.quarantine) == ([("duplicate", "duplicate")], 1)
        assert shop.cli("unconfirmed --json").json == []
        assert shop.inbox("agent") == []

    def test_another_letter_of_hers_waits_again(self, shop: Talk, eves: Letter, case: Letter) -> None:
        shop.do("unconfirmed refuse 1", "agent")
        assert shop.mail(EVE, answers=case, text="Please!").outcome == "unconfirmed"

    def test_it_makes_nobody_a_participant(self, shop: Talk, eves: Letter, case: Letter) -> None:
        shop.do("unconfirmed refuse 1", "agent")
        assert shop.mail("mallory@evil.example", answers=case, text="And me?").outcome == "unconfirmed"


@pytest.mark.parametrize("what", ["our address", "our Message-ID", "a bounce of nothing", "too many answers"])
def test_what_is_held_before_its_addresses_count_makes_no_record_by_its_copy(
    shop: Talk, case: Letter, what: str
) -> None:
    shop.do("users set agent --notify email")
    shop.do("open 1")
    notice = shop.notice("agent", 1)
    shop.do("config set loop.messages 1")
    first = {
        "our address": lambda: shop.mail("sales@crm.test", subject="Hello"),
        "our Message-ID": lambda: shop.mail(EVE, subject="Hello", id=notice.id),
        "a bounce of nothing": lambda: shop.mail("mailer-daemon@x.example", subject="Undeliverable: x"),
        "too many answers": lambda: shop.mail(ANA, answers=case, text="More."),
    }[what]()
    assert first.outcome == "quarantined"
    assert shop.post(RECEIVED + first.raw).fates == [("duplicate", "duplicate")]
    assert shop.all("case") == [1]
