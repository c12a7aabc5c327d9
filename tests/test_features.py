"""Features of docs/features.md that no other test would miss, as conversations.  The numbers are the list's."""

from __future__ import annotations

from pathlib import Path

import pytest
from conversation import OURS, Letter, Talk

from crmmail.cli.voice import Voice

PROVEN = {"Authentication-Results": f"{OURS}; dmarc=pass"}


@pytest.fixture
def case(talk: Talk) -> Letter:
    """Ana's case #1 in support, whose manager is agent; our own mail host is believed."""
    talk.do(f"config set mail.trusted_authserv_id {OURS}")
    return talk.mail("Ana <ana@example.com>", subject="Printer", text="It burns.")


# --- records ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["follow support", "show support", "followers sales@crm.test"])
def test_what_is_no_record_has_no_conversation(talk: Talk, line: str) -> None:
    """F3"""
    assert "is no number" in talk.refused(line, code=2)


def test_a_colleague_who_was_never_told_reads_the_whole_history(talk: Talk, case: Letter) -> None:
    """F6, F7"""
    talk.do("take 1", user="agent")
    talk.mail("agent@crm.test", answers=case, text="Use water.", headers=PROVEN)
    talk.mail("ana@example.com", answers=case, text="Thanks.")
    talk.do("users add bob --email bob@crm.test")
    assert [one["text"].strip() for one in talk.show(1, user="bob")["messages"]] == [
        "case created: Printer",
        "It burns.",
        "responsible: none → agent",
        "Use water.",
        "state: draft → done (by a letter)",
        "Thanks.",
        "state: done → open (by a letter)",
    ]


def test_show_has_the_last_messages_or_all(talk: Talk, case: Letter) -> None:
    """F14"""
    talk.mail("ana@example.com", answers=case, text="Still.")
    assert "It burns." in talk.do("show 1 --peek")
    last = talk.do("show 1 --peek --last 1")
    assert ("Still." in last, "It burns." in last) == (True, False)


def test_show_folds_quotes_and_signatures_and_full_unfolds_them(talk: Talk, case: Letter) -> None:
    """F68, F98"""
    talk.mail("ana@example.com", answers=case, text="Still.\n\n> Use water.\n> Much.\n\n-- \nAna Lima\nCustomer Ltd")
    folded, whole = talk.do("show 1 --peek"), talk.do("show 1 --peek --full")
    assert "Still." in folded
    assert "folded: --full]" in folded
    for words in ("> Use water.", "Customer Ltd"):
        assert (words in folded, words in whole) == (False, True)


def test_who_made_it_and_when_and_what_was_done(talk: Talk) -> None:
    """F15"""
    talk.do("new case Printer", user="agent")
    talk.wait(hours=1)
    talk.do("close 1")
    made = talk.show(1)["record"]
    assert (made["id"], made["author"]) == (1, "agent")
    assert (made["created"], made["updated"]) == ("2026-11-24T10:00:00Z", "2026-11-24T11:00:00Z")
    assert [(one["login"], one["act"]) for one in talk.cli("log 1 --json").json] == [
        ("agent", "new"),
        ("boss", "close"),
    ]


def test_a_letter_tells_whom_it_went_to_and_what_came_with_it(talk: Talk) -> None:
    """F293, F294"""
    talk.mail(
        "Ana <ana@example.com>", subject="Plan", text="See file.", cc="bea@other.example", files=[("plan.txt", b"A")]
    )
    shown = talk.do("show 1 --peek")
    for words in ("Ana <ana@example.com>", "support@crm.test", "bea@other.example", "2026-11-24", "[1] plan.txt"):
        assert words in shown


def test_a_case_goes_from_section_to_section_with_its_conversation(talk: Talk, case: Letter) -> None:
    """F189"""
    talk.do("sections add quality --name Quality")
    talk.do("set 1 section=quality")
    talk.mail("ana@example.com", answers=case, text="Still.")
    assert (talk.field(1, "section"), talk.words(1)) == ("quality", ["It burns.", "Still."])
    assert "section: support → quality" in talk.system(1)


def test_sections_are_a_tree_and_list_takes_those_below(talk: Talk, case: Letter) -> None:
    """F201, F204"""
    talk.do("sections add level2 --name 'Level 2'")
    talk.do("sections set support --parent level2")
    assert [(one["code"], one["depth"]) for one in talk.cli("sections --json").json] == [("level2", 0), ("support", 1)]
    assert talk.do("list case --section level2 -o ids") == ""
    assert talk.do("list case --section level2 --recursive -o ids") == "1"


def test_the_newest_messages_of_all_or_ones_own(talk: Talk, case: Letter) -> None:
    """F77"""
    answer = talk.mail("agent@crm.test", answers=case, text="Use water.", headers=PROVEN)
    assert case.message in [one["id"] for one in talk.cli("message list --json", user="agent").json]
    own = talk.cli("message list --mine --json", user="agent").json
    assert answer.message in [one["id"] for one in own]
    assert {one["author"] for one in own} == {"agent"}


# --- followers and what is internal ----------------------------------------------------------------------------------


def test_who_answered_by_mail_hears_the_next_letter(talk: Talk, case: Letter) -> None:
    """F23, F48"""
    talk.do("users add bob --email bob@crm.test")
    talk.mail("bob@crm.test", answers=case, text="Use water.", headers=PROVEN)
    talk.mail("ana@example.com", answers=case, text="Thanks.")
    assert talk.heard("bob") == [(1, "Thanks.")]


def test_who_leaves_while_waiting_for_an_answer_is_warned(talk: Talk, case: Letter) -> None:
    """F26"""
    assert talk.cli("unfollow 1", user="agent").err == ""
    talk.mail("agent@crm.test", answers=case, text="Did you use water?", headers=PROVEN)
    assert "its answer will not reach your inbox" in talk.cli("unfollow 1", user="agent").err


def test_an_answer_to_an_internal_notice_stays_inside(talk: Talk, case: Letter) -> None:
    """F28"""
    talk.do("users set agent --notify email")
    talk.do("follow 1 --who expert@firm.example")
    talk.do("close 1")
    notice = talk.notice("agent", 1)
    talk.mail("agent@crm.test", answers=notice, text="She never pays.")
    (remark,) = [one for one in talk.show(1)["messages"] if one["text"].strip() == "She never pays."]
    assert (remark["internal"], talk.state(1)) == (True, "done")
    assert "expert@firm.example" not in talk.outbox()


# --- inbox and notifications -----------------------------------------------------------------------------------------


def test_on_a_terminal_the_inbox_shows_the_words(talk: Talk, case: Letter, monkeypatch: pytest.MonkeyPatch) -> None:
    """F35"""
    monkeypatch.setattr(Voice, "terminal", True)
    assert "It burns." in talk.do("inbox --color never", user="agent")
    short = talk.do("inbox --short --color never", user="agent")
    assert ("Printer" in short, "It burns." in short) == (True, False)


def test_stars_are_counted(talk: Talk, case: Letter) -> None:
    """F60"""
    assert talk.do("inbox --starred --count", user="agent") == "0"
    talk.do(f"star {case.message}", user="agent")
    assert talk.do("inbox --starred --count", user="agent") == "1"
    assert "★ 1 starred" in talk.do("", user="agent")


@pytest.mark.parametrize(
    ("lang", "words"),
    [("en", "Open it: crmmail show 1"), ("ru", "Открыть: crmmail show 1"), ("fr", "Ouvrir : crmmail")],
)
def test_a_notification_reads_in_its_readers_language(talk: Talk, lang: str, words: str) -> None:
    """F46, F165, F322"""
    talk.do(f"users set agent --notify email --lang {lang}")
    talk.mail("Ana <ana@example.com>", subject="Printer", text="It burns.")
    notice = talk.notice("agent", 1)
    assert (notice.to, notice.subject) == ("agent@crm.test", "[1] Printer")
    assert words in notice.text
    assert "It burns." in notice.text
    assert "#1 Printer (case, draft)" in notice.text


# --- letters, addresses, doctor --------------------------------------------------------------------------------------


def test_a_complaint_is_copied_to_us_and_the_suppliers_answer_closes_it(talk: Talk) -> None:
    """F170"""
    talk.do("sections add complaints --name Complaints --email complaints@crm.test --on-partner-reply close")
    complaint = talk.mail("buyer@elsewhere.example", "supplier@firm.example", "Late again", cc="complaints@crm.test")
    assert (talk.field(complaint.record, "section"), talk.state(complaint.record)) == ("complaints", "draft")
    answer = talk.mail("supplier@firm.example", "complaints@crm.test", answers=complaint, text="Sent today.")
    assert (answer.record, talk.state(complaint.record)) == (complaint.record, "done")


def test_who_has_left_keeps_his_addresses(talk: Talk) -> None:
    """F147"""
    talk.do("users remove agent")
    assert "it belongs to user agent" in talk.refused("users add bob --email agent@crm.test")
    letter = talk.mail("ana@example.com", "agent@crm.test", "For you")
    assert letter.outcome == "quarantined"  # and is not lost


def test_doctor_names_a_section_whose_new_cases_nobody_looks_at(talk: Talk) -> None:
    """F166"""
    words = "nobody is told of new cases of section support but the admins"
    assert words not in talk.do("doctor")
    talk.do("sections set support --manager ''")
    assert words in talk.do("doctor")
    talk.do("sections set support --assign round-robin")
    assert words not in talk.do("doctor")


def test_doctor_says_that_answers_would_not_come_back(talk: Talk, tmp_path: Path) -> None:
    """F89"""
    words = "answers would go to users' own mailboxes"
    assert words not in talk.do("doctor")
    talk.do(f"init --db {tmp_path}/new.db --domain crm.test --user boss:boss@crm.test")
    assert words in talk.do(f"doctor --db {tmp_path}/new.db")
