"""`reply`, `send`, `forward`, `note`: what a person says, who hears of it, and that no word is lost on the way."""

from __future__ import annotations

import email
import email.policy
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple

import pytest
from conversation import Said, Talk
from mailsink import Sink

from crmmail.cli import keep
from crmmail.services.acts import drafts
from crmmail.services.sending import preview
from crmmail.store import tables

CRMMAIL = str(Path(sys.executable).parent / "crmmail")
TABLES = (
    tables.Message, tables.Delivery, tables.Notification, tables.Attachment, tables.MessageAddress, tables.Journal,
    tables.Follower, tables.Blob,
)  # fmt: skip


@pytest.fixture
def case(talk: Talk) -> int:
    """Ann's printer; Bob stood in the Cc of her letter.  Record 1, message 2."""
    letter = talk.mail(
        "Ann <ann@customer.example>",
        subject="Printer broken",
        text="It burns.",
        cc="Bob <bob@customer.example>",
        files=[("photo.jpg", b"JPEG")],
    )
    assert (letter.record, letter.message) == (1, 2)
    return 1


@pytest.fixture
def wire(talk: Talk, sink: Sink) -> Sink:
    """The shop has a mail server."""
    talk.environ(CRMMAIL_SMTP_URL=sink.url)
    return sink


# Bob stood in the Cc of the letter that most tests answer; only one test is about him.
WITHOUT_BOB = "crmmail: not to bob@customer.example, who was in Cc (--all keeps them in)\n"


def say(talk: Talk, line: str | list[str], code: int = 0, input: str | bytes | None = None) -> Said:
    said = talk.cli(line, user="agent", input=input)
    assert said.code == code, said
    return said._replace(err=said.err.removeprefix(WITHOUT_BOB))


def refused(talk: Talk, line: str | list[str], code: int = 1, input: str | bytes | None = None) -> str:
    """One line on stderr, and one that says where the words are; nothing else."""
    said = say(talk, line, code, input)
    lines = said.err.splitlines()
    assert said.out == "" and len(lines) in (1, 2), said
    assert all(one.startswith("crmmail: ") for one in lines), said
    assert len(lines) == 1 or lines[1].startswith("crmmail: your words are in "), said
    return "; ".join(one.removeprefix("crmmail: ") for one in lines)


def mails(sink: Sink) -> list[EmailMessage]:
    return [email.message_from_bytes(one.data, policy=email.policy.default) for one in sink.received]  # type: ignore[misc]


def body(mail: EmailMessage) -> str:
    found = mail.get_body(("plain",))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n").strip()


def letter(sink: Sink) -> EmailMessage:
    """The one mail that was sent."""
    (mail,) = mails(sink)
    return mail


def counts(talk: Talk) -> list[int]:
    return [talk.count(table) for table in TABLES]


def kept(talk: Talk) -> list[drafts.Kept]:
    """The agent's drafts, newest first."""
    with talk.open("agent") as workspace:
        return drafts.listing(workspace)


# --- an answer ----------------------------------------------------------------------------------------------


def test_an_answer_reaches_the_customer(talk: Talk, case: int, wire: Sink) -> None:
    said = say(talk, 'reply 1 -m "It works again."')
    assert said.out == "#1 Printer broken: sent to ann@customer.example\n"
    assert said.err == ""
    mail = letter(wire)
    assert wire.recipients == ["ann@customer.example"]
    assert (mail["From"], mail["To"], mail["Subject"]) == (
        "agent <agent@crm.test>", "Ann <ann@customer.example>", "Re: Printer broken",
    )  # fmt: skip
    assert body(mail) == "It works again.\n\nOn 2026-11-24 10:00, Ann wrote:\n> It burns."
    assert talk.words(1)[-1] == body(mail)
    assert talk.state(1) == "draft"  # an answer keeps the state


def test_the_customers_answer_comes_home(talk: Talk, case: int, wire: Sink) -> None:
    say(talk, 'reply 1 -m "Is it on?" --then close')
    answered = talk.mail("ann@customer.example", answers=str(letter(wire)["Message-ID"]).strip("<>"), text="No!")
    assert (answered.record, talk.state(1)) == (1, "open")


def test_words_come_from_options_files_and_stdin(talk: Talk, case: int, wire: Sink, tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_bytes("\ufeffИз файла.\r\nЕщё.\r\n".encode())
    for words, given, read in (
        (["-m", "One.", "-m", "Two."], None, "One.\n\nTwo."),
        (["-f", str(file)], None, "Из файла.\nЕщё."),
        (["-f", "-"], "From stdin.", "From stdin."),
        ([], "Also from stdin.\n\n", "Also from stdin."),
        (["-m", "Not this."], "but that", "Not this."),
    ):
        say(talk, ["reply", "1", "--no-quote", *words], input=given)
        assert body(mails(wire)[-1]) == read


@pytest.mark.parametrize(
    ("line", "input", "sentence"),
    [
        ("reply 1", None, "there are no words: say them with -m, with -f, or on stdin"),
        ("reply 1 --attach x", " \n\n", "there are no words: say them with -m, with -f, or on stdin"),
        ("reply 1 -m ''", None, "nothing to send: there are no words"),
        ("reply 1 -m ' '", None, "nothing to send: there are no words"),
        ("note 1 -m ''", None, "nothing to note: there are no words"),
        ("note 1", None, "there are no words: say them with -m, with -f, or on stdin"),
        ("reply 1 -f none.txt", None, "cannot read the words in none.txt: No such file or directory"),
        ("reply 1", b"\xe4\xf6", "the words in stdin are not in UTF-8: iconv can change that"),
    ],
)
def test_without_words_nothing_leaves(talk: Talk, case: int, line: str, input: str, sentence: str) -> None:
    assert refused(talk, line, input=input) == sentence
    assert kept(talk) == []
    assert talk.outbox() == []


def test_two_sources_of_words_are_one_too_many(talk: Talk, case: int) -> None:
    assert refused(talk, "reply 1 -m a -f b", 2) == "the words come with -m or with -f, not with both"
    assert refused(talk, "reply 1 -m a --resume", 2) == "--resume goes on with a draft; -m and -f begin a new one"


def test_everybody_stays_in(talk: Talk, case: int, wire: Sink) -> None:
    said = say(
        talk, "reply 1 -m Hello --all --bcc secret@firm.example --cc 'new@firm.example, \"Doe, Cy\" <cy@x.example>'"
    )
    assert said.out == (
        "#1 Printer broken: sent to 5: ann@customer.example, new@firm.example, cy@x.example, bob@customer.example, "
        "secret@firm.example\n"
    )
    assert sorted(wire.recipients) == [
        "ann@customer.example", "bob@customer.example", "cy@x.example", "new@firm.example", "secret@firm.example",
    ]  # fmt: skip
    for mail in mails(wire):
        assert mail["To"] == "Ann <ann@customer.example>"
        assert mail["Cc"] == 'new@firm.example, "Doe, Cy" <cy@x.example>, bob@customer.example'
        assert b"secret" not in mail.as_bytes().partition(b"\n\n")[0]


def test_named_by_hand_takes_the_place_of_the_customer(talk: Talk, case: int, wire: Sink) -> None:
    say(talk, "reply 1 -m Hello --to cy@x.example,di@x.example -s 'By the way'")
    assert wire.recipients == ["cy@x.example", "di@x.example"]
    assert mails(wire)[0]["Subject"] == "By the way"


def test_a_certain_letter_is_answered(talk: Talk, case: int, wire: Sink) -> None:
    talk.mail("bob@customer.example", answers=talk.sent[0], text="It smokes.")
    say(talk, "reply 1 -m Hello --message 2")
    assert body(letter(wire)).endswith("> It burns.")
    say(talk, "reply 1 -m Again")
    assert (wire.recipients[-1], body(mails(wire)[-1])[-12:]) == ("bob@customer.example", "> It smokes.")
    other = talk.mail("cy@x.example", subject="Another").record
    assert f"message 2 is in #1, not in #{other}" in refused(talk, f"reply {other} -m x --message 2")
    assert refused(talk, "reply 1 -m x --message 99").startswith("there is no message 99; your words are in ")


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "On 2026-11-24 10:00, Ann wrote:"),
        ("fr", "Le 2026-11-24 10:00, Ann a écrit :"),
        ("ru", "2026-11-24 10:00, Ann пишет:"),
    ],
)
def test_the_quote_speaks_the_customers_language(talk: Talk, case: int, wire: Sink, language: str, line: str) -> None:
    talk.do(f"contacts add Ann --email ann@customer.example --lang {language}")
    say(talk, "reply 1 -m Hello")
    assert body(letter(wire)) == f"Hello\n\n{line}\n> It burns."


def test_plain_or_with_html(talk: Talk, case: int, wire: Sink) -> None:
    say(talk, "reply 1 -m 'It is **done**.'")
    say(talk, "reply 1 -m 'That is **all**.' --plain --no-quote")
    marked, plain = mails(wire)
    assert "<strong>done</strong>" in str(marked.get_body(("html",)).get_content())  # type: ignore[union-attr]
    assert (plain.get_content_type(), body(plain)) == ("text/plain", "That is **all**.")


def test_attachments_of_three_kinds(talk: Talk, case: int, wire: Sink, tmp_path: Path) -> None:
    file = tmp_path / "manual.pdf"
    file.write_bytes(b"%PDF")
    say(talk, ["reply", "1", "-m", "See.", "--attach", str(file), "--attach-file", "1", "--attach-message", "2"])
    found = list(letter(wire).iter_attachments())
    assert [one.get_filename() for one in found] == ["manual.pdf", "photo.jpg", "Printer broken.eml"]
    assert [one.get_content_type() for one in found] == [
        "application/pdf", "application/octet-stream", "message/rfc822",
    ]  # fmt: skip
    assert found[0].get_content() == b"%PDF"
    assert found[2].get_content()["Subject"] == "Printer broken"
    assert len(talk.show(1)["messages"][-1]["attachments"]) == 3


def test_a_file_alone_is_a_letter(talk: Talk, case: int, wire: Sink, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    say(talk, ["send", "1", "-m", "", "--attach", str(tmp_path / "a.txt")])
    assert [one.get_filename() for one in letter(wire).iter_attachments()] == ["a.txt"]


@pytest.mark.parametrize(("then", "state"), [("close", "done"), ("pending", "pending")])
def test_and_then(talk: Talk, case: int, wire: Sink, then: str, state: str) -> None:
    said = say(talk, f"reply 1 -m Done. --then {then}")
    assert said.out.splitlines() == [
        "#1 Printer broken: sent to ann@customer.example",
        f"#1 Printer broken: draft → {state}   (undo: crmmail undo)",
    ]
    assert talk.state(1) == state
    assert say(talk, f"reply 1 -m 'Once more.' --then {then}").out.count("\n") == 1  # it is so already
    talk.do("undo --skip", user="agent")
    assert (talk.state(1), len(wire.received)) == ("draft", 2)


def test_what_cannot_be_pressed_stops_the_letter(talk: Talk, case: int, wire: Sink) -> None:
    talk.do("cancel 1", user="agent")
    sentence = refused(talk, "reply 1 -m Done. --then close")
    assert sentence.startswith("#1 Printer broken: close is not possible for a case in state cancel; ")
    assert (len(kept(talk)), wire.received) == (1, [])
    say(talk, "reply 1 -m Done. --then open", 2)


def test_who_is_left_out_is_said(talk: Talk, case: int, wire: Sink) -> None:
    for line in ("reply 1 -m Hello", "reply 1 -m Hello -n", "reply 1 -m Hello --message 2 --json -n"):
        assert talk.cli(line, user="agent").err.startswith(WITHOUT_BOB), line
    for line in (
        "reply 1 -m More --all", "reply 1 -m More --cc bob@customer.example", "reply 1 -m More --to cy@x.example",
        "send 1 -m More", "note 1 -m More", "forward 2 --to cy@x.example",
    ):  # fmt: skip
        assert "not to" not in talk.cli(line, user="agent").err, line
    talk.mail("ann@customer.example", "support@crm.test, bob@customer.example, agent@crm.test", "Again",
              answers=talk.sent[0], cc="cy@x.example")  # fmt: skip
    assert talk.cli("reply 1 -m 'And more' -n", user="agent").err == (
        "crmmail: not to bob@customer.example, cy@x.example, who were in To and Cc (--all keeps them in)\n"
    )


def test_words_go_with_m(talk: Talk, case: int) -> None:
    sentence = refused(talk, ["reply", "1", "--message", "It works again."], 2)
    assert "'It works again.' is no number: it must be like 101 (the words go with -m)" in sentence


def test_the_help_speaks_of_the_quote_and_not_of_our_papers(talk: Talk) -> None:
    said = " ".join(talk.do("reply --help").split())
    assert "quoted below them by itself" in said and "--no-quote" in said
    assert "(F" not in talk.do("inbox reply --help")


# --- what became of it --------------------------------------------------------------------------------------


def test_without_a_mail_server_it_waits(talk: Talk, case: int) -> None:
    said = say(talk, "reply 1 -m Hello")
    assert said.out == (
        "#1 Printer broken: mail to ann@customer.example waits in the outbox: no mail server is set\n"
        "  crmmail config set smtp.url smtp://host:port\n"
    )
    assert talk.outbox() == ["ann@customer.example"]


def test_a_refused_recipient_is_said_with_advice(talk: Talk, case: int, wire: Sink) -> None:
    wire.answer(
        recipient={"ann@customer.example": "550 5.1.1 no such user", "bob@customer.example": "451 4.7.1 Greylisted"}
    )
    said = say(talk, "reply 1 -m Hello --all --cc cy@x.example", 1)
    cy, bob, words, advice = said.out.splitlines()
    assert cy == "#1 Printer broken: sent to cy@x.example"
    assert bob == "#1 Printer broken: mail to bob@customer.example waits in the outbox: next try in 5 min"
    assert words == "  451 4.7.1 Greylisted"
    assert re.match(r"  [A-Z].*\.$", advice)
    assert said.err.startswith("crmmail: not sent to ann@customer.example: 550 5.1.1 no such user. ")
    assert kept(talk) == []  # the words are in the message
    again = say(talk, "reply 1 -m 'Are you there?'", 1)
    assert "mail to ann@customer.example came back before: 550 5.1.1 no such user\n" in again.err


def test_a_server_that_is_away_is_no_failure(talk: Talk, case: int, wire: Sink) -> None:
    wire.stop()
    said = say(talk, "reply 1 -m Hello --all")
    fate, words, advice = said.out.splitlines()  # once for both
    people = "ann@customer.example, bob@customer.example"
    assert fate == f"#1 Printer broken: mail to {people} waits in the outbox: next try in 1 min"
    assert words.startswith("  127.0.0.1")
    assert advice.endswith("`crmmail outbox retry 1 2`.")


def test_a_server_that_cannot_be_understood_is_no_failure_either(talk: Talk, case: int) -> None:
    talk.environ(CRMMAIL_SMTP_URL="smtp://host:port")
    said = say(talk, "reply 1 -m Hello")
    assert said.out == "#1 Printer broken: mail to ann@customer.example waits in the outbox\n"
    assert said.err.startswith("crmmail: message 3 is written and waits in the outbox: smtp.url cannot be used: ")
    assert (kept(talk), talk.outbox()) == ([], ["ann@customer.example"])


def test_where_everybody_is_refused_no_empty_line_stands(talk: Talk, case: int, wire: Sink) -> None:
    wire.answer(recipient={"ann@customer.example": "550 5.1.1 no such user"})
    said = say(talk, "reply 1 -m Hello", 1)
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert say(talk, "reply 1 -m More --color always", 1).out == ""


def test_a_long_title_is_shortened(talk: Talk, wire: Sink) -> None:
    title = "The printer on the third floor, behind the kitchen, burns"
    talk.mail("ann@customer.example", subject=title)
    short = "#1 The printer on the third floor, behind…"
    assert say(talk, "reply 1 -m Hello").out == f"{short}: sent to ann@customer.example\n"
    assert say(talk, "note 1 -m Hello").out.startswith(f"{short}: note ")


def test_a_colleagues_notice_is_sent_and_not_talked_about(talk: Talk, case: int, wire: Sink) -> None:
    talk.do("users add bea --email bea@home.example --notify both")
    talk.do("follow 1 --who bea")
    assert say(talk, "reply 1 -m Hello").out == "#1 Printer broken: sent to ann@customer.example\n"
    assert sorted(wire.recipients) == ["ann@customer.example", "bea@home.example"]
    wire.answer(recipient={"bea@home.example": "550 5.1.1 no such user"})
    said = say(talk, "reply 1 -m More")
    assert said.out == "#1 Printer broken: sent to ann@customer.example\n"
    assert said.err.startswith("crmmail: not sent to bea@home.example: 550 5.1.1 no such user. ")


def test_a_follower_outside_gets_a_copy_that_is_talked_about(talk: Talk, case: int, wire: Sink) -> None:
    talk.do("follow 1 --who expert@firm.example")
    said = say(talk, "reply 1 -m Hello")
    assert said.out == "#1 Printer broken: sent to 2: ann@customer.example, expert@firm.example\n"


def test_the_same_words_twice_are_warned_of(talk: Talk, case: int, wire: Sink) -> None:
    assert say(talk, "reply 1 -m 'Turn it off.'").err == ""
    said = say(talk, "reply 1 -m 'Turn  it off.'")
    assert said.err == "crmmail: the same words went to ann@customer.example lately (message 3)\n"
    talk.wait(days=3)
    assert say(talk, "reply 1 -m 'Turn it off.'").err == ""


def test_json_afterwards(talk: Talk, case: int, wire: Sink) -> None:
    wire.answer(recipient={"bob@customer.example": "550 5.1.1 no such user"})
    said = say(talk, "reply 1 -m Hello --all --then pending --json", 1)
    assert json.loads(said.out) == {
        "record": 1,
        "message": 3,
        "deliveries": [
            {"id": 1, "to": "ann@customer.example", "state": "sent", "reason": None},
            {"id": 2, "to": "bob@customer.example", "state": "failed", "reason": "550 5.1.1 no such user"},
        ],
        "state": "pending",
        "warnings": [],
    }
    said = say(talk, "note 1 -m Hello --json")
    assert json.loads(said.out) == {"record": 1, "message": 5, "deliveries": [], "state": "pending", "warnings": []}
    assert json.loads(say(talk, "note 1 -m More --json --fields message").out) == {"message": 6}


# --- a dry run ----------------------------------------------------------------------------------------------


def test_a_dry_run_shows_who_and_why_and_writes_nothing(talk: Talk, case: int, wire: Sink, tmp_path: Path) -> None:
    talk.do("follow 1 --who boss")
    talk.do("follow 1 --who expert@firm.example")
    (tmp_path / "a.txt").write_text("12345")
    before = counts(talk)
    said = say(talk, ["reply", "1", "-m", "Hello", "--all", "--cc", "new@x.example,boss@crm.test", "--dry-run",
                      "--attach", str(tmp_path / "a.txt"), "--then", "close"])  # fmt: skip
    assert said.out.splitlines() == [
        "From: agent <agent@crm.test>",
        "To: Ann <ann@customer.example>",
        "Cc: new@x.example, boss@crm.test, bob@customer.example",
        "Reply-To: support@crm.test",
        "Subject: Re: Printer broken",
        "Outside:",
        "  ann@customer.example  To, customer",
        "  new@x.example         Cc, explicit, new here",
        "  bob@customer.example  Cc, participant",
        "  expert@firm.example   follower, mail",
        "Inside:",
        "  boss@crm.test  Cc, explicit, inbox",
        "Attached: a.txt (text/plain, 5 B)",
        "Then: close",
        "",
        "    Hello",
        "",
        "    On 2026-11-24 10:00, Ann wrote:",
        "    > It burns.",
    ]
    assert (counts(talk), wire.received, kept(talk), talk.state(1)) == (before, [], [], "draft")


def test_a_dry_run_for_programs(talk: Talk, case: int) -> None:
    found = say(talk, "reply 1 -m Hello --cc new@x.example -n --json").out
    assert json.loads(found) == {
        "record": 1,
        "verb": "reply",
        "from": "agent@crm.test",
        "to": ["ann@customer.example"],
        "cc": ["new@x.example"],
        "bcc": [],
        "reply_to": "support@crm.test",
        "subject": "Re: Printer broken",
        "text": "Hello\n\nOn 2026-11-24 10:00, Ann wrote:\n> It burns.",
        "recipients": [
            {"address": "ann@customer.example", "name": "Ann", "role": "to", "why": "customer", "internal": False,
             "new": False},
            {"address": "new@x.example", "name": None, "role": "cc", "why": "explicit", "internal": False, "new": True},
        ],
        "hearers": [],
        "attachments": [],
        "warnings": [],
        "message": 2,
        "then": None,
    }  # fmt: skip


def test_a_dry_run_that_is_refused_writes_no_draft_either(talk: Talk, case: int) -> None:
    assert refused(talk, "reply 1 -m Hello --to nonsense -n", 2) == "'nonsense' is no e-mail address"
    assert kept(talk) == []


@pytest.mark.parametrize(
    "line", ["note 1 -m Hello --to boss -n", "forward 2 --to x@x.example -n", "send 1 -m Hello -n"]
)
def test_a_dry_run_of_the_others(talk: Talk, case: int, line: str) -> None:
    before = counts(talk)
    assert "Printer broken" in say(talk, line).out
    assert json.loads(say(talk, f"{line} --json").out)["verb"] == line.split()[0]
    assert counts(talk) == before


def test_warnings_stand_in_the_preview(talk: Talk, case: int) -> None:
    say(talk, "reply 1 -m Hello")
    said = say(talk, "reply 1 -m Hello -n")
    assert "! the same words went to ann@customer.example lately (message 3)" in said.out.splitlines()
    assert said.err == ""


def test_what_a_mail_says_never_runs_the_terminal(talk: Talk) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u2066[/][bold red]"
    quoted = "".join(f"={byte:02X}" for byte in hostile.encode())
    raw = (
        f"From: =?utf-8?q?{quoted}?= <eve@xn--80a1acny.example>\nTo: support@crm.test\n"
        f"Subject: =?utf-8?q?{quoted}?=\nMessage-ID: <h@x.example>\nMIME-Version: 1.0\n"
        f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n{quoted}\n"
    )
    talk.post(raw.encode())
    bad = [chr(code) for code in (*range(9), *range(11, 32), *range(127, 160), 0x202E, 0x2066)]
    for line in (
        "reply 1 -m x -n", "reply 1 -m x", "note 1 -m x", "forward 2 --to a@x.example -n", "reply 1 -m x -n --json",
        "send --to eve@xn--80a1acny.example -m x", "drafts", "reply 1 --attach nope -m x",
    ):  # fmt: skip
        said = talk.cli(line, user="agent")
        assert [char for char in bad if char in said.out + said.err] == [], line
        assert said.code in (0, 1)
    assert "[/][bold red]" in talk.do("reply 1 -m x -n", user="agent")
    assert "(look twice) eve@xn--80a1acny.example" in talk.do("reply 1 -m x -n", user="agent")  # marked


# --- many recipients ----------------------------------------------------------------------------------------

ELEVEN = ",".join(f"a{number}@x.example" for number in range(11))


def test_more_than_ten_want_a_yes(talk: Talk, case: int, wire: Sink) -> None:
    sentence = refused(talk, f"reply 1 -m Hello --to {ELEVEN}", 2)
    assert sentence.startswith(
        "11 people outside will get this. Send it? Nobody is here to answer: say --yes to do it; your words are in "
    )
    assert (wire.received, [one.draft.text for one in kept(talk)]) == ([], ["Hello"])
    assert say(talk, "reply 1 --resume --yes").out.startswith("#1 Printer broken: sent to 11: a0@x.example, a1@")
    assert (len(wire.received), kept(talk)) == (11, [])
    say(talk, f"reply 1 -m Again --to {ELEVEN} --yes")
    assert len(wire.received) == 22


def test_ten_do_not(talk: Talk, case: int, wire: Sink) -> None:
    say(talk, f"reply 1 -m Hello --to {ELEVEN.partition(',')[2]}")
    assert len(wire.received) == 10
    talk.do("follow 1 --who expert@firm.example")  # he would be the eleventh outside
    say(talk, f"reply 1 -m Hello --to {ELEVEN.partition(',')[2]}", 2)
    assert len(wire.received) == 10


# --- words are kept -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "code", "why", "record"),
    [
        ("reply 1 --to bob", 2, "'bob' is no e-mail address", 1),
        ("reply 1 --cc 'a@x.example, bob'", 2, "'bob' is no e-mail address", 1),
        ("reply 1 --to ''", 2, "'' is no e-mail address", 1),
        ("reply 1 --bcc 'Doe, Cy <cy@x.example>'", 2, "'Doe' is no e-mail address", 1),
        ("reply 1 --to support@crm.test", 1, "support@crm.test is an address of ours", 1),
        ("reply 1 --attach none.pdf", 1, "cannot attach ", 1),
        ("reply 1 --attach-file 99", 1, "there is no ", 1),
        ("reply 1 --attach-message 99", 1, "there is no message 99", 1),
        ("reply 99", 1, "there is no record 99", 99),
        ("note 99", 1, "there is no record 99", 99),
        ("note 1 --to ghost", 1, "there is no user", 1),
        ("note 1 --to ann@customer.example", 1, "a note never leaves", 1),
        ("send 99", 1, "there is no record 99", 99),
        ("send --to ann@customer.example", 1, "a letter belongs to a record", None),
        ("forward 99 --to a@x.example", 1, "there is no message 99", None),
        ("forward 2", 2, "say to whom: --to ADDRESS", 1),
        ("forward 2 --to nobody", 2, "'nobody' is no e-mail address", 1),
    ],
)
def test_whatever_is_refused_keeps_the_words(
    talk: Talk, case: int, wire: Sink, line: str, code: int, why: str, record: int | None
) -> None:
    before = counts(talk)
    sentence = refused(talk, f"{line} -m 'A long story.'", code)
    assert why in sentence
    path = re.search(r"; your words are in (\S+): go on with `crmmail (\w+ \w+) --resume( \S+)?`$", sentence)
    assert path, sentence
    known = line if record == 1 else f"{line.split()[0]} NUMBER"
    assert path[2] == " ".join(known.split()[:2])
    assert path[3] == (None if record == 1 else f" {os.path.basename(path[1])}")
    (draft,) = kept(talk)
    assert (draft.path, draft.draft.text, draft.draft.verb, draft.draft.record) == (
        path[1], "A long story.", line.split()[0], record,
    )  # fmt: skip
    assert (counts(talk), wire.received) == (before, [])


def test_words_from_stdin_are_kept_as_well(talk: Talk, case: int) -> None:
    assert "your words are in" in refused(talk, "reply 1 --to bob", 2, input="Привет!\n")
    assert kept(talk)[0].draft.text == "Привет!"


def test_nobody_to_write_to(talk: Talk) -> None:
    talk.do("new case 'Clean the kitchen' --section support")
    sentence = refused(talk, "send 1 -m Hello")
    assert sentence.startswith("#1 Clean the kitchen has nobody outside to write to: name somebody with --to ADDRESS; ")
    assert kept(talk)[0].draft.text == "Hello"


def test_a_kept_draft_knows_all_that_was_known(talk: Talk, case: int, wire: Sink, tmp_path: Path) -> None:
    refused(talk, ["reply", "1", "-m", "Hello", "--all", "--attach", str(tmp_path / "a.txt"), "--then", "close"])
    draft = kept(talk)[0].draft
    assert (draft.message, draft.to, draft.cc, draft.subject, draft.then) == (
        2, ("Ann <ann@customer.example>",), ("bob@customer.example",), "Re: Printer broken", "close",
    )  # fmt: skip
    assert draft.attach == (str(tmp_path / "a.txt"),)
    assert "> It burns." in draft.below
    (tmp_path / "a.txt").write_text("x")
    say(talk, "reply 1 --resume")
    assert wire.recipients == ["ann@customer.example", "bob@customer.example"]
    assert body(mails(wire)[0]).startswith("Hello\n\nOn ")
    assert body(mails(wire)[0]).count("> It burns.") == 1
    assert (talk.state(1), kept(talk)) == ("done", [])


# --- going on with a draft ----------------------------------------------------------------------------------


def test_resume_names_what_was_wrong(talk: Talk, case: int, wire: Sink) -> None:
    refused(talk, "reply 1 -m First --to bob", 2)
    talk.wait(minutes=1)
    refused(talk, "reply 1 -m Second --to cy", 2)
    say(talk, "reply 1 --resume --to cy@x.example")
    assert body(letter(wire)).startswith("Second")
    say(talk, "reply 1 --resume 1 --to bob@customer.example --no-quote")
    assert [(one.recipient, body(mail)[:5]) for one, mail in zip(wire.received, mails(wire), strict=True)] == [
        ("cy@x.example", "Secon"), ("bob@customer.example", "First"),
    ]  # fmt: skip
    assert refused(talk, "reply 1 --resume") == "there is no draft of a reply to #1: `crmmail drafts` lists yours"


def test_resume_of_words_without_a_record(talk: Talk, case: int, wire: Sink) -> None:
    refused(talk, "send --to ann@customer.example -m Hello")
    assert "say which record the letter is about" in refused(talk, "send --resume", 2)
    # Whom they were meant for nobody knows, so the newest is not good enough.
    assert refused(talk, "send 1 --resume") == "there is no draft of a send to #1: `crmmail drafts` lists yours"
    say(talk, "send 1 --resume 1")
    assert wire.recipients == ["ann@customer.example"]


def test_words_for_another_record_are_not_sent(talk: Talk, case: int, wire: Sink) -> None:
    talk.mail("cy@x.example", subject="Another")
    refused(talk, "reply 99 -m 'The password is secret.'")
    assert kept(talk)[0].draft.record == 99
    assert "there is no draft of a reply to #1" in refused(talk, "reply 1 --resume --yes")
    assert wire.received == []
    say(talk, "reply 2 --resume 1 --yes")
    assert (wire.recipients, kept(talk)) == (["cy@x.example"], [])
    assert body(letter(wire)).startswith("The password is secret.\n\nOn ")


def test_resume_of_a_file_of_ones_own(talk: Talk, case: int, wire: Sink, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("Only words.\n")
    said = say(talk, ["reply", "1", "--resume", str(mine)])
    assert body(letter(wire)).startswith("Only words.")
    assert mine.exists()
    assert "remove it yourself" in said.err


def test_a_draft_of_something_else_is_not_sent(talk: Talk, case: int, wire: Sink) -> None:
    refused(talk, "reply 1 -m Hello --to bob", 2)
    assert "says reply and #1, not note and #1" in refused(talk, "note 1 --resume 1")
    talk.mail("cy@x.example", subject="Another")
    assert "says reply and #1, not reply and #4" in refused(talk, "reply 4 --resume 1")
    with talk.open("agent") as workspace:
        path = drafts.listing(workspace)[0].path
    assert f"{path} is agent's: --as agent" in talk.refused(["reply", "1", "--resume", path], user="boss")
    other = path.replace(re.findall(r"-([0-9a-f]{6})\.txt$", path)[0], "0" * 6)
    Path(other).write_text(Path(path).read_text())
    assert f"{other} belongs to another store: --db PATH" in refused(talk, ["reply", "1", "--resume", other])
    Path(path).write_text(Path(path).read_text().replace("Record: 1", "Record: one"))
    assert "'one' is no number" in refused(talk, ["reply", "1", "--resume", path])
    Path(path).write_text("Verb: reply\nStore: /somewhere/else.db\n\nHello\n")
    assert "belongs to another store: --db /somewhere/else.db" in refused(talk, ["reply", "1", "--resume", path])
    Path(path).write_text("Verb: reply\nThen: reset\n\nHello\n")
    assert "it must be close or pending" in refused(talk, ["reply", "1", "--resume", path])
    assert wire.received == []


def test_a_forward_is_resumed_with_its_files_once(talk: Talk, case: int, wire: Sink) -> None:
    refused(talk, "forward 2 --to nobody -m Look.", 2)
    assert kept(talk)[0].draft.attach == ("file:1",)
    say(talk, "forward 2 --resume --to cy@x.example")
    assert [one.get_filename() for one in letter(wire).iter_attachments()] == ["photo.jpg"]
    assert body(letter(wire)).startswith("Look.\n\n---------- Forwarded message ----------")


# --- a letter, a letter passed on, a note -------------------------------------------------------------------


def test_send_is_a_new_letter(talk: Talk, case: int, wire: Sink) -> None:
    say(talk, "send 1 -m 'A new one is on its way.'")
    mail = letter(wire)
    assert (mail["Subject"], body(mail)) == ("Printer broken", "A new one is on its way.")


def test_send_without_a_record_names_candidates(talk: Talk, case: int) -> None:
    talk.mail("ann@customer.example", "sales@crm.test", subject="An offer?")
    sentence = refused(talk, "send --to ann@customer.example")
    assert sentence == (
        "a letter belongs to a record; about ann@customer.example there is "
        "#1 Printer broken (case, draft), #2 An offer? (lead, new): "
        "say which, as in `crmmail send 1 --to ann@customer.example`"
    )
    sentence = refused(talk, "send --to nobody@x.example")
    assert sentence.endswith("make one (crmmail new case TITLE --email nobody@x.example), then crmmail send ITS-NUMBER")
    assert "say which record the letter is about: crmmail send RECORD" in refused(talk, "send", 2)
    assert talk.outbox() == []


def test_forward_takes_words_and_files_along(talk: Talk, case: int, wire: Sink) -> None:
    talk.do("follow 1 --who expert@firm.example")
    said = say(talk, "forward 2 --to cy@x.example --cc di@x.example")
    assert said.out == "#1 Printer broken: sent to 2: cy@x.example, di@x.example\n"
    mail = mails(wire)[0]
    assert mail["Subject"] == "Fwd: Printer broken"
    assert "It burns." in body(mail) and "From: Ann" in body(mail)
    assert [one.get_filename() for one in mail.iter_attachments()] == ["photo.jpg"]


def test_forward_as_a_file_or_without_files(talk: Talk, case: int, wire: Sink) -> None:
    say(talk, "forward 2 --to cy@x.example --as-attachment", input="Look.\n")
    say(talk, "forward 2 --to cy@x.example --no-attachments -s 'See below' --plain")
    whole, bare = mails(wire)
    assert body(whole) == "Look."
    (file,) = whole.iter_attachments()
    assert (file.get_content_type(), file.get_filename()) == ("message/rfc822", "Printer broken.eml")
    assert (bare["Subject"], bare.get_content_type()) == ("See below", "text/plain")


def test_a_note_can_not_be_passed_on(talk: Talk, case: int, wire: Sink, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("secret")
    say(talk, ["note", "1", "-m", "Between us.", "--attach", str(tmp_path / "a.txt")])
    for line in (
        "forward 3 --to cy@x.example", "forward 3 --to cy@x.example --as-attachment",
        "forward 3 --to cy@x.example --no-attachments", "reply 1 -m x --message 3", "reply 1 -m x --attach-file 2",
        "reply 1 -m x --attach-message 3",
    ):  # fmt: skip
        assert re.search(r"stays inside|is internal", refused(talk, line))
    assert wire.received == []


def test_a_note_stays_inside(talk: Talk, case: int, wire: Sink) -> None:
    talk.do("follow 1 --who expert@firm.example")
    assert say(talk, "note 1 -m 'He was friendly.'").out == "#1 Printer broken: note 3 (nobody told)\n"
    talk.do("follow 1 --who boss")
    assert say(talk, "note 1 -m 'He was rude.' --then close").out.splitlines() == [
        "#1 Printer broken: note 4 (boss told)",
        "#1 Printer broken: draft → done   (undo: crmmail undo)",
    ]
    assert wire.received == []
    assert [one["internal"] for one in talk.show(1)["messages"] if one["kind"] == "note"] == [True, True]
    assert "No such option" in refused(talk, "note 1 -m x --cc a@x.example", 2)


def test_a_note_tells_whom_it_names(talk: Talk, case: int, wire: Sink) -> None:
    talk.do("users add bea --email bea@home.example --notify email")
    said = say(talk, "note 1 -m 'Look, @boss.' --to bea")
    assert said.out == "#1 Printer broken: note 3 (boss, bea told)\n"
    assert (1, "Look, @boss.") in talk.heard("boss")
    dry = say(talk, "note 1 -m 'Look.' --to 'boss, bea' -n").out.splitlines()
    assert dry[:2] == ["Note: #1 Printer broken", "Inside:"]
    assert dry[2].split() == ["boss", "addressed,", "inbox"]


def test_a_note_for_nobody_we_know(talk: Talk, case: int) -> None:
    talk.do("users add bea --email bea@crm.test")
    talk.do("users remove bea")
    for line in ("note 1 -m 'hi @nobody, @Boss and @bea: write to x@y.example'", "note 1 -m 'hi @nobody and @bea' -n"):
        assert say(talk, line).err == (
            "crmmail: there is no user bea, so @bea tells nobody\n"
            "crmmail: there is no user nobody, so @nobody tells nobody\n"
        )
    assert say(talk, "reply 1 -m 'hi @nobody'").err == ""


def test_a_machines_letter_is_marked_in_the_inbox(talk: Talk, case: int, terminal: Terminal) -> None:
    talk.mail("robot@x.example", answers=talk.sent[0], subject="Away", headers={"Auto-Submitted": "auto-replied"})
    talk.mail("robot@x.example", subject="Report", headers={"Auto-Submitted": "auto-generated"})
    heads = [line for line in terminal("inbox").text.splitlines() if "Report" in line and "#" in line]
    assert heads and all(" · machine" in line for line in heads), terminal("inbox").text
    assert all(" · machine" not in line for line in terminal("inbox").text.splitlines() if "Ann" in line)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("The Boss", "The Boss <a@x.example>"),
        ("J. R. O-Neill", "J. R. O-Neill <a@x.example>"),
        ("Ольга", "Ольга <a@x.example>"),
        ("Doe, Ann", '"Doe, Ann" <a@x.example>'),
        ("a@b.example", '"a@b.example" <a@x.example>'),
        ('"Ann" \\ <x>', '"Ann  <x>" <a@x.example>'),
        ("vim: set x", '"vim: set x" <a@x.example>'),
        ("", "a@x.example"),
    ],
)
def test_names_are_quoted_where_they_must_be(talk: Talk, name: str, written: str) -> None:
    spelled = keep.spelled(name, "a@x.example")
    assert spelled == written.replace("  ", " ")
    with talk.open() as workspace:
        (read,) = preview.typed(workspace, [spelled])
    assert (read.name, read.address) == (" ".join(name.replace('"', "").replace("\\", "").split()), "a@x.example")


def test_reply_from_the_inbox(talk: Talk, case: int, wire: Sink) -> None:
    talk.mail("bob@customer.example", answers=talk.sent[0], text="It smokes.")
    items = {one["text"].strip(): one["id"] for one in talk.inbox("agent") if one["subtype"] == "discussion"}
    said = say(talk, f"inbox reply {items['It burns.']} -m 'I am coming.' --then pending")
    assert said.out.startswith("#1 Printer broken: sent to ann@customer.example\n")
    assert body(letter(wire)).endswith("> It burns.")
    say(talk, f"inbox reply {items['It smokes.']} -m 'Open the window.'")
    assert wire.recipients[-1] == "bob@customer.example"
    assert "no inbox item 99 of yours" in refused(talk, "inbox reply 99 -m x")
    assert "bob" in say(talk, "inbox from:bob").out  # a query needs no `list`
    assert say(talk, "inbox list reply").out == ""


def test_reply_to_a_held_letter(talk: Talk, case: int) -> None:
    talk.mail("eve@evil.example", answers=talk.sent[0], text="Send it to me.")
    (held,) = [one for one in talk.inbox("agent") if one["quarantine"]]
    sentence = refused(talk, f"inbox reply {held['id']} -m x")  # Eve's, not Ann's, though it may belong to #1
    assert "is about letter 1 in quarantine: give it a record first (crmmail unconfirmed show 1)" in sentence


def test_a_system_message_is_answered_with_the_last_letter(talk: Talk, case: int, wire: Sink) -> None:
    talk.do("assign 1 agent")
    item = talk.inbox("agent")[0]
    assert item["subtype"] == "assigned"
    say(talk, f"inbox reply {item['id']} -m 'I am on it.'")
    assert wire.recipients == ["ann@customer.example"]
    assert body(letter(wire)).endswith("> It burns.")


# --- on a terminal ------------------------------------------------------------------------------------------


class Screen(NamedTuple):
    code: int
    text: str


Terminal = Callable[..., Screen]


@pytest.fixture
def terminal(talk: Talk, tmp_path: Path) -> Terminal:
    """The real program on a real terminal: `terminal("reply 1", editor="…")`.

    `editor` is Python: `head` and `rest` are what stands above and below the first empty line of the draft; what it
    leaves in `text` is saved.  The draft as it was shown is in the file `seen`.
    """

    def run(
        line: str, editor: str = "", answer: str = "", cut: bool = False, program: str = "", columns: int = 1000
    ) -> Screen:
        script = tmp_path / "editor"
        script.write_text(
            f"#!{sys.executable}\nimport os, sys\nshown = text = open(sys.argv[1]).read()\n"
            f"open({str(tmp_path / 'seen')!r}, 'w').write(shown)\nhead, _, rest = shown.partition('\\n\\n')\n"
            f"{editor}\nif text != shown:\n    open(sys.argv[1], 'w').write(text)\n"
        )
        script.chmod(0o700)
        ours, theirs = pty.openpty()
        own = {name: value for name, value in os.environ.items() if name != "VISUAL"}
        process = subprocess.Popen(
            [CRMMAIL, *line.split()],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={
                **own,
                "EDITOR": program or str(script),
                "COLUMNS": str(columns),
                "CRMMAIL_USER": "agent",
                "PAGER": "cat",
                "NO_COLOR": "1",
            },
            start_new_session=True,
        )
        os.close(theirs)
        said = b""
        while True:
            try:
                said += os.read(ours, 4096)
            except OSError:  # the terminal is closed
                break
            if said.rstrip().endswith(b"[y/N]"):
                if cut:
                    process.send_signal(signal.SIGINT)
                    cut = False
                elif answer:
                    os.write(ours, f"{answer}\n".encode())
                    answer = ""
        os.close(ours)
        return Screen(process.wait(60), said.decode().replace("\r\n", "\n").replace(WITHOUT_BOB, ""))

    return run


WRITE = "text = head + '\\n\\nIt works.\\n' + rest"


def test_the_editor_has_all_that_is_known(
    talk: Talk, case: int, wire: Sink, terminal: Terminal, tmp_path: Path
) -> None:
    done = terminal("reply 1 --all --then close", WRITE)
    assert done == (
        0,
        "#1 Printer broken: sent to 2: ann@customer.example, bob@customer.example\n"
        "#1 Printer broken: draft → done   (undo: crmmail undo)\n",
    )
    seen = (tmp_path / "seen").read_text()
    assert seen.startswith(
        "Record: 1\nVerb: reply\nMessage: 2\nTo: Ann <ann@customer.example>\nCc: bob@customer.example\nBcc:\n"
        "Subject: Re: Printer broken\nAttach:\nThen: close\n\n\n\n-- >8 -- "
    )
    assert seen.rstrip().endswith("> It burns.")
    assert body(mails(wire)[0]) == "It works.\n\nOn 2026-11-24 10:00, Ann wrote:\n> It burns."
    assert kept(talk) == []


def test_what_is_changed_in_the_head_counts(
    talk: Talk, case: int, wire: Sink, terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "plan.txt").write_text("x")
    change = (
        "head = head.replace('To: Ann <ann@customer.example>', 'To: cy@x.example')"
        ".replace('Cc: bob@customer.example', 'Cc:').replace('Bcc:', 'Bcc: di@x.example')"
        ".replace('Re: Printer broken', 'Good news')"
        f".replace('Attach:', 'Attach: {tmp_path / 'plan.txt'}\\nThen: pending')\n" + WRITE
    )
    assert terminal("reply 1 --all", change).code == 0
    assert sorted(wire.recipients) == ["cy@x.example", "di@x.example"]
    mail = mails(wire)[0]
    assert (mail["To"], mail["Cc"], mail["Subject"]) == ("cy@x.example", None, "Good news")
    assert [one.get_filename() for one in mail.iter_attachments()] == ["plan.txt"]
    assert talk.state(1) == "pending"


@pytest.mark.parametrize(
    ("line", "done"),
    [
        ("reply 1", "sent"),
        ("reply 1 --cc cy@x.example", "sent"),
        ("note 1", "written"),
        ("send 1", "sent"),
        ("forward 2 --to cy@x.example --edit", "sent"),
    ],
)
def test_who_writes_nothing_leaves_nothing(
    talk: Talk, case: int, wire: Sink, terminal: Terminal, line: str, done: str
) -> None:
    assert terminal(line, "") == (1, f"crmmail: nothing was {done}: there are no words\n")
    assert (kept(talk), wire.received) == ([], [])


def test_what_was_changed_in_the_head_is_kept(talk: Talk, case: int, wire: Sink, terminal: Terminal) -> None:
    done = terminal("reply 1", "text = head.replace('Cc:', 'Cc: cy@x.example') + '\\n\\n' + rest")
    (draft,) = kept(talk)
    assert done == (
        1,
        "crmmail: nothing was sent: the words are empty\n"
        f"crmmail: the draft is {draft.path}: go on with `crmmail reply 1 --resume`\n",
    )
    terminal("reply 1 --resume", "")
    assert [one.draft.cc for one in kept(talk)] == [("cy@x.example",)]
    assert wire.received == []


def test_an_older_draft_is_spoken_of(talk: Talk, case: int, wire: Sink, terminal: Terminal) -> None:
    refused(talk, "reply 1 -m Hello --attach none")
    talk.wait(minutes=8)
    done = terminal("reply 1", WRITE)
    assert "crmmail: a draft of 8 min ago is there: --resume goes on with it\n" in done.text
    assert [one.draft.text for one in kept(talk)] == ["Hello"]
    assert body(letter(wire)).startswith("It works.")
    assert "a draft" not in terminal("note 1", WRITE).text


def test_a_draft_for_no_record_is_filled_in_before_the_editor_opens(
    talk: Talk, case: int, wire: Sink, terminal: Terminal, tmp_path: Path
) -> None:
    refused(talk, "reply 99 -m Hello")
    assert terminal("reply 1 --resume 1", "text = shown.replace('Hello', 'Hello Ann')").code == 0
    seen = (tmp_path / "seen").read_text()
    assert seen.startswith("Record: 1\nVerb: reply\nMessage: 2\nTo: Ann <ann@customer.example>\n")
    assert "Subject: Re: Printer broken" in seen and seen.endswith("> It burns.\n")
    assert body(letter(wire)) == "Hello Ann\n\nOn 2026-11-24 10:00, Ann wrote:\n> It burns."
    assert kept(talk) == []


def test_a_file_of_ones_own_is_not_written_into(
    talk: Talk, case: int, wire: Sink, terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("Only words.\n")
    assert terminal(f"reply 1 --resume {tmp_path / 'mine.txt'}", "text = shown.replace('Only', 'My')").code == 0
    assert (tmp_path / "mine.txt").read_text() == "Only words.\n"
    assert body(letter(wire)).startswith("My words.\n\nOn ")
    assert kept(talk) == []


@pytest.mark.parametrize("name", ["vi", "nano"])
def test_the_editor_begins_where_the_words_do(
    talk: Talk, case: int, wire: Sink, terminal: Terminal, tmp_path: Path, name: str
) -> None:
    vi = tmp_path / name
    vi.write_text(f'#!/bin/sh\nprintf %s "$1" >{tmp_path / "line"}\nsed -i "${{1#+}}s/.*/It works./" "$2"\n')
    vi.chmod(0o700)
    assert terminal("reply 1", program=str(vi)).code == 0
    assert (tmp_path / "line").read_text() == "+10"
    assert body(letter(wire)).startswith("It works.\n\nOn ")


def test_a_slip_in_the_head_loses_nothing(talk: Talk, case: int, wire: Sink, terminal: Terminal) -> None:
    done = terminal("reply 1", "head = head.replace('ann@customer.example', 'ann')\n" + WRITE)
    assert (done.code, "is no e-mail address\ncrmmail: your words are in" in done.text) == (2, True)
    done = terminal("reply 1 --resume", "text = shown.replace('Subject: ', 'Subjekt: ')")
    assert (done.code, "there is no header 'Subjekt'" in done.text) == (1, True)
    path = Path(kept(talk)[0].path)
    done = terminal(f"reply 1 --resume {path.name}", "")
    assert "there is no header 'Subjekt'" in done.text
    path.write_text(path.read_text().replace("Subjekt: ", "Subject: "))
    done = terminal("reply 1 --resume", "text = shown.replace('<ann>', '<ann@customer.example>')")
    assert done.text == "#1 Printer broken: sent to ann@customer.example\n"
    assert body(letter(wire)).startswith("It works.")
    assert kept(talk) == []


def test_nobody_in_to_any_more(talk: Talk, case: int, wire: Sink, terminal: Terminal) -> None:
    empty = "head = head.replace('To: Ann <ann@customer.example>', 'To:')\n" + WRITE
    done = terminal("reply 1 --cc cy@x.example", empty)
    assert (done.code, "nobody stands in To any more\ncrmmail: your words are in" in done.text) == (1, True)
    assert wire.received == []


def test_an_editor_that_fails(talk: Talk, case: int, terminal: Terminal) -> None:
    done = terminal("reply 1", "sys.exit(3)")
    (draft,) = kept(talk)
    said = f"ended with 3\ncrmmail: your words are in {draft.path}: go on with `crmmail reply 1 --resume`\n"
    assert (done.code, done.text.endswith(said)) == (1, True)


def test_an_unchanged_draft_is_sent_with_yes(talk: Talk, case: int, wire: Sink, terminal: Terminal) -> None:
    refused(talk, "reply 1 -m Hello --attach none", 1)
    path = Path(kept(talk)[0].path)
    path.write_text(re.sub(r"Attach: .*", "Attach:", path.read_text()))
    done = terminal("reply 1 --resume")
    assert (done.code, "nothing was sent: the draft is unchanged\n" in done.text) == (1, True)
    assert "(--yes sends it as it is)" in done.text
    assert terminal("reply 1 --resume --yes").text == "#1 Printer broken: sent to ann@customer.example\n"


def test_a_dry_run_with_the_editor_keeps_the_draft(talk: Talk, case: int, wire: Sink, terminal: Terminal) -> None:
    done = terminal("reply 1 --dry-run", WRITE)
    assert done.code == 0
    assert "  ann@customer.example  To, customer\n" in done.text
    assert f"crmmail: a dry run: nothing was written; your words are in {kept(talk)[0].path}\n" in done.text
    assert (wire.received, kept(talk)[0].draft.text) == ([], "It works.")


def test_no_editor_before_it_is_clear_that_there_is_something_to_write(
    talk: Talk, case: int, terminal: Terminal, tmp_path: Path
) -> None:
    for line in (
        "reply 99",
        "note 99",
        "forward 99 --to a@x.example -e",
        "send --to ann@customer.example",
        "reply 1 --to x",
    ):
        assert terminal(line, WRITE).code in (1, 2)
    assert not (tmp_path / "seen").exists()
    assert kept(talk) == []


def test_the_question_on_a_terminal(talk: Talk, case: int, wire: Sink, terminal: Terminal) -> None:
    line = f"reply 1 -m Hello --to {ELEVEN}"
    done = terminal(line, answer="n")
    assert done.code == 1
    assert "11 people outside will get this. Send it? [y/N] " in done.text
    assert "crmmail: nothing was sent\ncrmmail: your words are in " in done.text
    done = terminal(line, cut=True)
    assert (done.code, "crmmail: your words are in " in done.text) == (130, True)
    assert ([one.draft.text for one in kept(talk)], wire.received) == (["Hello", "Hello"], [])
    assert terminal(line, answer="y").code == 0
    assert len(wire.received) == 11


def test_doubts_are_asked_about(talk: Talk, case: int, wire: Sink, terminal: Terminal) -> None:
    line = "reply 1 -m Hello"
    assert "[y/N]" not in terminal(line).text
    done = terminal(line, answer="n")
    asked = "crmmail: the same words went to ann@customer.example lately (message 3)\nSend it all the same? [y/N] "
    assert (done.code, done.text.startswith(asked)) == (1, True)
    assert "crmmail: nothing was sent\ncrmmail: your words are in " in done.text
    assert (len(wire.received), [one.draft.text for one in kept(talk)]) == (1, ["Hello"])
    assert terminal(line, answer="y").code == 0
    assert terminal(f"{line} --yes").code == 0
    assert len(wire.received) == 3
    wire.answer(recipient={"ann@customer.example": "550 5.1.1 no such user"})
    say(talk, "reply 1 -m Other", 1)
    done = terminal("reply 1 -m Third", answer="n")
    assert done.code == 1
    assert "came back before: 550 5.1.1 no such user\nSend it all the same? [y/N] " in done.text
    assert "[y/N]" not in terminal("note 1 -m Hello").text


def test_lines_break_between_words_on_a_terminal(talk: Talk, case: int, wire: Sink, terminal: Terminal) -> None:
    done = terminal("reply 1 -m Hello --attach no-such-file-anywhere-on-this-machine.pdf", columns=60)
    lines = done.text.splitlines()
    starts = [at for at, line in enumerate(lines) if line.startswith("crmmail: ")]
    assert len(starts) == 2 and len(lines) > 3, lines
    assert all(line.startswith("  ") for at, line in enumerate(lines) if at not in starts)
    for line in lines:
        assert len(line) <= 60 or len(line.split()) == 1, line
    done = terminal(f"reply 1 -m Hello --to {ELEVEN.partition(',')[2]}", columns=60)
    first, *others = done.text.splitlines()
    assert first == "#1 Printer broken: sent to 10: a1@x.example, a2@x.example,"
    assert all(line.startswith("  a") and len(line) <= 60 for line in others)
    done = terminal("set 1 title=A-title-of-some-length priority=high", columns=60)
    first, *others = done.text.splitlines()
    assert others and all(line.startswith("  ") for line in others)
    assert all(len(line) <= 60 for line in (first, *others))


def test_forward_needs_no_editor(talk: Talk, case: int, wire: Sink, terminal: Terminal) -> None:
    assert terminal("forward 2 --to cy@x.example", "sys.exit(1)").code == 0
    assert terminal("forward 2 --to cy@x.example -e", WRITE).code == 0
    first, second = mails(wire)
    assert body(first).startswith("---------- Forwarded message")
    assert body(second).startswith("It works.\n\n---------- Forwarded message")
    assert len(list(second.iter_attachments())) == 1


def test_an_editor_without_a_screen(talk: Talk, case: int) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [CRMMAIL, "reply", "1"],
        stdin=theirs,
        capture_output=True,
        text=True,
        env={**os.environ, "CRMMAIL_USER": "agent"},
    )
    os.close(theirs)
    os.close(ours)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "crmmail: an editor needs a terminal: say the words with -m, with -f, or on stdin\n"
    assert kept(talk) == []


def test_a_title_takes_what_the_line_has_left(talk: Talk, terminal: Terminal) -> None:
    title = "The printer on the third floor, behind the kitchen, burns and nobody comes to put it out, please hurry"
    talk.mail("ann@customer.example", subject=title)
    for line in ("inbox", ""):
        wide, narrow = (terminal(line, columns=columns).text for columns in (180, 80))
        assert f"#1 {title} · " in wide
        (head,) = (one for one in terminal(line, columns=110).text.splitlines() if "#1" in one)
        assert len(head) == 110 and "… · draft" in head and head.endswith("message 2")  # cut, so as not to be broken
        assert "#1 The printer on the third floor, behind… · " in narrow
        (at,) = [at for at, one in enumerate(narrow.splitlines()) if "#1" in one]
        assert narrow.splitlines()[at + 1].startswith("  ")
