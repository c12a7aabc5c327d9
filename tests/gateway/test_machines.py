"""Behaviour §2.1–3: our own name, machines, bounces, and loops."""

from __future__ import annotations

import pytest
from conversation import RECEIVED, Letter, Talk


class TestOurOwnName:
    def test_from_one_of_our_aliases(self, talk: Talk) -> None:
        letter = talk.mail("Support <support+x@crm.test>", "sales@crm.test", "Hello")
        assert letter.fates == [("quarantined", "own-address")]

    def test_our_message_id_with_other_content(self, talk: Talk, case: Letter) -> None:
        talk.do("users set agent --notify both")
        talk.mail("ana@example.com", answers=case, text="Well?")
        notice = talk.notice("agent", case.record or 0)
        letter = talk.mail("eve@evil.example", subject="Hello", id=notice.id)
        assert letter.fates == [("quarantined", "own-id-reused")]

    def test_a_token_that_we_did_not_sign_is_nothing(self, talk: Talk, case: Letter) -> None:
        forged = f"{case.record}.u2.abcdef0123456789.abcdefghijklmnop@crm.test"
        letter = talk.mail("eve@evil.example", answers=forged, text="Hello.")
        assert letter.record != case.record

    def test_our_own_headers_from_outside_are_nothing(self, talk: Talk) -> None:
        letter = talk.mail(
            "eve@evil.example", subject="Hello", headers={"X-Crmmail-Sent": "abcdefghijklmnop", "X-Priority": "1"}
        )
        assert letter.outcome == "stored"
        assert talk.field(letter.record, "priority") == 3


MACHINES: list[dict[str, str]] = [
    {"Auto-Submitted": "auto-replied"},
    {"Precedence": "bulk"},
    {"List-Id": "<news.example.com>"},
    {"X-Autoreply": "yes"},
    {"X-Auto-Response-Suppress": "All"},
    {"X-Loop": "crmmail"},
]


class TestMachineMail:
    @pytest.fixture(autouse=True)
    def by_mail(self, talk: Talk) -> None:
        talk.do("users set agent --notify both")

    @pytest.mark.parametrize("headers", MACHINES, ids=lambda headers: next(iter(headers)))
    def test_joins_but_changes_nothing_and_sends_nothing(
        self, talk: Talk, case: Letter, headers: dict[str, str]
    ) -> None:
        talk.do(f"follow {case.record} --who expert@firm.example")
        talk.do(f"close {case.record}")
        sent = talk.outbox()
        letter = talk.mail("ana@example.com", answers=case, text="I am away.", headers=headers)
        assert (letter.record, talk.state(case.record), talk.outbox()) == (case.record, "done", sent)
        assert talk.show(case.record)["messages"][-1]["automatic"] is True
        assert talk.heard("agent")[-1] == (case.record, "I am away.")
        assert "machine mail: " in talk.why(letter)

    def test_that_answers_nothing_makes_a_record_and_sends_nothing(self, talk: Talk) -> None:
        letter = talk.mail("robot@example.com", subject="Alarm", text="Disk full.", headers=MACHINES[0])
        assert letter.fates == [("stored", "alias")]
        assert talk.heard("agent") == [(letter.record, "Disk full.")]
        talk.do("users set agent --notify email")
        talk.mail("robot@example.com", subject="Alarm", text="Disk still full.", headers=MACHINES[0])
        assert talk.outbox() == []

    def test_auto_submitted_no_is_a_person(self, talk: Talk, case: Letter) -> None:
        talk.do(f"close {case.record}")
        talk.mail("ana@example.com", answers=case, text="It burns.", headers={"Auto-Submitted": "no"})
        assert talk.state(case.record) == "open"


BOUNCE = (
    b"From: MAILER-DAEMON@mx.example.com\nTo: agent@crm.test\nSubject: Undelivered Mail Returned to Sender\n"
    b"Return-Path: <>\nIn-Reply-To: <m1@example.com>\nMessage-ID: <b1@mx.example.com>\nMIME-Version: 1.0\n"
    b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
    b"--b\nContent-Type: text/plain\n\nIt could not be delivered.\n"
    b"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.com\n\n"
    b"Final-Recipient: rfc822; ana@example.com\nAction: failed\nStatus: 5.1.1\n\n--b--\n"
)


def test_a_bounce_makes_no_record_and_reopens_nothing(talk: Talk, case: Letter) -> None:
    talk.do(f"close {case.record}")
    letter = talk.post(BOUNCE)
    assert letter.fates == [("quarantined", "bounce-unmatched")]
    assert (talk.state(case.record), talk.all("case")) == ("done", [case.record])


class TestLoops:
    def test_new_records_of_one_sender(self, talk: Talk) -> None:
        talk.environ(CRMMAIL_LOOP_NEW_RECORDS="3")
        fates = [talk.mail("robot@example.com", subject=f"Alarm {number}").reason for number in range(5)]
        assert fates == ["alias"] * 3 + ["loop"] * 2
        assert talk.mail("ana@example.com", subject="I am another").outcome == "stored"
        assert [one["reason"] for one in talk.inbox("boss")] == ["loop"]  # one item a day, not one a letter
        talk.wait(minutes=121)
        assert talk.mail("robot@example.com", subject="Alarm 6").reason == "alias"

    def test_one_item_a_day(self, talk: Talk) -> None:
        talk.environ(CRMMAIL_LOOP_NEW_RECORDS="1")
        for day in range(2):
            for number in range(3):
                talk.mail("robot@example.com", subject=f"Alarm {day} {number}")
            assert len(talk.inbox("boss")) == day + 1
            talk.wait(hours=25)

    def test_messages_of_one_sender_to_one_record(self, talk: Talk, case: Letter) -> None:
        talk.environ(CRMMAIL_LOOP_MESSAGES="3")
        reasons = [talk.mail("ana@example.com", answers=case, text=f"Away {number}").reason for number in range(4)]
        assert reasons == ["reference"] * 2 + ["loop"] * 2  # her first letter counts too
        assert talk.words(case.record) == ["It burns.", "Away 0", "Away 1"]
        assert talk.sent[-1].outcomes[0].candidate == case.record
        assert [one["reason"] for one in talk.inbox("agent") if one["quarantine"]] == ["loop"]

    def test_nought_is_no_limit(self, talk: Talk, case: Letter) -> None:
        talk.environ(CRMMAIL_LOOP_MESSAGES="0", CRMMAIL_LOOP_NEW_RECORDS="0")
        for number in range(25):
            talk.mail("ana@example.com", answers=case, text=f"Away {number}")
            talk.mail("ana@example.com", subject=f"New {number}")
        assert talk.quarantine() == []

    def test_an_alias_has_its_own_limit(self, talk: Talk) -> None:
        talk.environ(CRMMAIL_LOOP_NEW_RECORDS="2")
        talk.do("aliases set sales@crm.test --loop-limit 4")
        form = [talk.mail("form@example.com", "sales@crm.test", f"Form {number}").reason for number in range(5)]
        assert form == ["alias"] * 4 + ["loop"]
        talk.do("aliases set sales@crm.test --loop-limit 0")
        assert talk.mail("form@example.com", "sales@crm.test", "More").reason == "alias"

    def test_an_alias_has_a_limit_where_there_is_none(self, talk: Talk) -> None:
        talk.environ(CRMMAIL_LOOP_NEW_RECORDS="0")
        talk.do("aliases set sales@crm.test --loop-limit 2")
        form = [talk.mail("form@example.com", "sales@crm.test", f"Form {number}").reason for number in range(3)]
        assert form == ["alias"] * 2 + ["loop"]
        assert talk.mail("form@example.com", subject="Elsewhere").reason == "alias"

    def test_a_hundred_hops(self, talk: Talk) -> None:
        letter = talk.post(RECEIVED * 101 + talk.raw("ana@example.com", subject="Round and round"))
        assert letter.fates == [("quarantined", "loop")]
