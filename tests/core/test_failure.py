"""What servers say, and what it means: answers as postfix, Exim, Exchange, Gmail, postgrey, rspamd word them."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from quick import QUICK

from crmmail.core import retry
from crmmail.core.failure import KINDS, MAX_WORDS, OPENING, STAGES, Failure, advice, bounced, classify, shown

SENDER = [
    (530, "5.7.0 Authentication required", "no-login"),
    (530, "5.7.0 Must issue a STARTTLS command first", "tls"),
    (550, "5.7.1 Client does not have permissions to send as this sender", "sender"),
    (553, "5.7.1 <agent@crm.test>: Sender address rejected: not owned by user boss", "sender"),
    (550, "5.1.8 <agent@crm.test>: Sender address rejected: Domain not found", "sender"),
    (501, "5.1.7 Bad sender address syntax", "sender"),
    (550, "no", "sender"),
    (554, "5.7.1 blocked by policy", "sender"),
    (450, "4.1.8 <agent@crm.test>: Sender address rejected: Domain not found", "sender"),
    (552, "5.3.4 Message size exceeds fixed limit", "size"),
    (552, "no", "size"),
    (452, "4.3.1 Insufficient system storage", "later"),
    (451, "4.3.0 Temporary lookup failure", "later"),
    (450, "4.7.1 Error: too much mail from 192.0.2.1", "too-many"),
    (550, "5.4.5 Daily user sending quota exceeded. s14-20020a0-gsmtp", "too-many"),
    (421, "4.3.2 Service shutting down", "later"),
]
RECIPIENT = [
    (
        550,
        "5.1.1 <bob@customer.example>: Recipient address rejected: User unknown in local recipient table",
        "recipient",
    ),
    (550, "No such user here", "recipient"),
    (550, "no", "recipient"),
    (550, "5.1.1 The email account that you tried to reach does not exist.\n5.1.1 Please try again", "recipient"),
    (550, "5.4.1 Recipient address rejected: Access denied. [AM6EUR05FT003.eop]", "recipient"),
    (550, "5.2.1 The email account that you tried to reach is disabled", "recipient"),
    (553, "5.1.3 The recipient address is not a valid RFC 5321 address", "recipient"),
    (550, "<quota@customer.example>: user unknown", "recipient"),
    (450, "4.1.1 <bob@customer.example>: Recipient address rejected: unverified address", "recipient"),
    (550, "5.1.2 <bob@custommer.example>: Recipient address rejected: Domain not found", "address"),
    (556, "5.1.10 Recipient address has null MX", "address"),
    (550, "Unrouteable address", "address"),
    (450, "4.1.2 <bob@custommer.example>: Recipient address rejected: Domain not found", "address"),
    (
        450,
        "4.2.0 <bob@customer.example>: Recipient address rejected: Greylisted, see http://postgrey…/help",
        "greylisted",
    ),
    (451, "4.7.1 Greylisting in action, please come back later", "greylisted"),
    (451, "4.7.1 Please try again later", "greylisted"),
    (450, "You are grey-listed, come back in 5 minutes", "greylisted"),
    (451, "4.7.500 Server busy. Please try again later from [192.0.2.1]. (AS780090)", "greylisted"),
    (451, "4.7.651 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation", "too-many"),
    (451, "Temporary local problem - please try later", "later"),
    (450, "4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]", "content"),
    (450, "4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]", "later"),
    (452, "4.2.2 The email account that you tried to reach is over quota", "quota"),
    (552, "5.2.2 <bob@customer.example>: user is over quota", "quota"),
    (552, "no", "quota"),
    (550, "Mailbox is full", "quota"),
    (450, "4.2.1 The user you are trying to contact is receiving mail at a rate that prevents", "too-many"),
    (452, "4.5.3 Error: too many recipients", "too-many"),
    (554, "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", "content"),
    (550, "5.7.23 <bob@customer.example>: Recipient address rejected: SPF fail - not authorized", "content"),
    (554, "5.7.1 <bob@customer.example>: Relay access denied", "no-login"),
    (550, "5.7.64 TenantAttribution; Relay Access Denied", "no-login"),
    (550, "relay not permitted", "no-login"),
    (550, "5.6.7 Non-ASCII address not permitted", "utf8"),
    (554, "5.4.6 Too many hops", "refused"),
    (554, "5.3.2 no", "refused"),
]
DATA = [
    (554, "5.7.1 Spam message rejected", "content"),
    (550, "5.7.26 Unauthenticated email from crm.test is not accepted due to domain's DMARC policy", "content"),
    (550, "High probability of spam", "content"),
    (554, "5.7.1 no", "content"),
    (552, "5.3.4 Message too big for system", "size"),
    (552, "Error: Too much mail data", "size"),
    (552, "5.2.3 Your message exceeded Google's message size limits", "size"),
    (552, "5.2.2 over quota", "quota"),
    (451, "4.7.1 Try again later", "greylisted"),
    (421, "4.7.28 Our system has detected an unusual rate of unsolicited mail", "too-many"),
    (451, "4.3.0 queue file write error", "later"),
    (554, "5.5.1 Error: no valid recipients", "refused"),
    (-1, "garbage", "later"),
]


@pytest.mark.parametrize(
    ("stage", "code", "words", "kind"),
    [(stage, *row) for stage, rows in (("sender", SENDER), ("recipient", RECIPIENT), ("data", DATA)) for row in rows],
)
def test_what_a_server_means(stage: str, code: int, words: str, kind: str) -> None:
    failure = classify(stage, code, words)
    assert failure.kind == kind
    assert failure.ours is (kind in ("no-login", "tls") or (stage, kind) == ("sender", "too-many"))
    assert failure.permanent is (code >= 500 and not failure.ours and kind != "too-many")


@pytest.mark.parametrize(
    ("stage", "code", "words", "kind"),
    [
        ("connect", 421, "4.3.2 too busy", "later"),
        ("connect", 421, "4.7.0 mx.example Error: too many connections from 192.0.2.1", "too-many"),
        ("connect", 554, "5.7.1 You are not welcome", "no-connection"),
        ("connect", -1, "this is no mail server", "no-connection"),
        ("helo", 550, "5.7.1 Helo command rejected: Host not found", "no-connection"),
        ("helo", 450, "4.7.1 Helo command rejected: Host not found", "later"),
        ("tls", 454, "4.7.0 TLS not available due to local problem", "tls"),
        ("tls", 501, "5.5.4 no", "tls"),
        ("tls", 421, "4.3.2 closing", "later"),
        ("login", 535, "5.7.8 Error: authentication failed: UGFzc3dvcmQ6", "login"),
        ("login", 534, "5.7.9 Application-specific password required", "login"),
        ("login", 432, "4.7.12 A password transition is needed", "login"),
        ("login", 454, "4.7.0 Temporary authentication failure", "later"),
        ("login", 454, "4.7.0 Too many login attempts, please try again later", "too-many"),
        ("login", 538, "5.7.11 Encryption required for requested authentication mechanism", "tls"),
        ("login", 530, "5.7.0 Must issue a STARTTLS command first", "tls"),
        ("login", 503, "5.5.1 Error: authentication not enabled", "no-login"),
        ("login", 504, "5.5.4 Unrecognized authentication type", "no-login"),
    ],
)
def test_what_meets_every_mail_is_ours_and_passes(stage: str, code: int, words: str, kind: str) -> None:
    assert classify(stage, code, words)[:3] == (kind, False, True)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("code", [-1, 0, 250, 354, 421, 450, 500, 530, 535, 550, 552, 554, 599, 999])
def test_every_answer_has_a_kind_and_advice(stage: str, code: int) -> None:
    for words in ("", "5.1.1", "4.2.2 full", "\n", "5.999.999 \x1b[2J"):
        failure = classify(stage, code, words)
        assert failure.kind in KINDS
        assert not (failure.ours and failure.permanent)
        assert failure.ours or stage not in OPENING
        assert advice(failure)


# --- reports ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words", "kind", "permanent"),
    [
        (
            "5.1.1",
            "smtp; 550 5.1.1 <bob@customer.example>: Recipient address rejected: User unknown",
            "recipient",
            True,
        ),
        ("5.1.1", "", "recipient", True),
        ("5.0.0", "smtp; 550 5.2.2 mailbox full", "quota", True),
        ("5.0.0", "x-unix; user unknown", "recipient", True),
        ("", "smtp; 552 5.2.2 over quota", "quota", True),
        ("", "550 no such user", "recipient", True),
        ("", "452 4.2.2 over quota", "quota", False),
        ("", "450 not now", "later", False),
        ("", "", "refused", True),
        ("what?", "Sorry, no mailbox here by that name.", "refused", True),
        ("4.2.2", "smtp; 452 4.2.2 over quota", "quota", False),
        ("4.4.1", "connect to mx.customer.example[192.0.2.1]:25: Connection timed out", "later", False),
        ("4.4.7", "delivery time expired", "later", False),
        ("4.7.1", "smtp; 450 4.7.1 Greylisted", "greylisted", False),
        ("4.7.1", "smtp; 451 4.7.1 Try again later", "greylisted", False),
        ("5.4.4", "Host or domain name not found. Name service error for name=custommer.example", "address", True),
        ("5.1.2", "no such host", "address", True),
        ("5.7.1", "smtp; 554 5.7.1 Spam message rejected", "content", True),
        ("5.7.1", "smtp; 554 5.7.1 <bob@customer.example>: Relay access denied", "refused", True),
        ("5.7.8", "smtp; 535 5.7.8 authentication failed", "refused", True),
        ("5.3.4", "message size 60000000 exceeds size limit of mx.customer.example", "size", True),
        ("4.0.0", "550 5.1.1 no such user", "recipient", True),
    ],
)
def test_what_a_report_means(status: str, words: str, kind: str, permanent: bool) -> None:
    assert bounced(status, words)[:3] == (kind, permanent, False)


@pytest.mark.parametrize(
    ("status", "words", "expected"),
    [
        ("5.1.1", "smtp; 550 5.1.1 no such user", "550 5.1.1 no such user"),
        ("5.1.1", "smtp;no such user", "5.1.1 no such user"),
        ("", "no such user", "no such user"),
    ],
)
def test_what_is_shown_of_a_report(status: str, words: str, expected: str) -> None:
    assert bounced(status, words).words == expected


# --- words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        ("5.1.1 no such user", 550, "550 5.1.1 no such user"),
        ("5.1.1 no such user,\n5.1.1 really\n5.1.1", 550, "550 5.1.1 no such user, really"),
        ("no\r\n\tway", 550, "550 no way"),
        ("this is no code", -1, "this is no code"),
        ("", 0, ""),
        ("\x1b]52;c;aGk=\x07red\u202egreen", 550, "550 \ufffd]52;c;aGk=\ufffdred\ufffdgreen"),
    ],
)
def test_words_are_one_clean_line(words: str, code: int, expected: str) -> None:
    assert shown(words, code) == expected


def test_words_are_cut() -> None:
    assert len(classify("data", 550, "no " * 1000).words) <= MAX_WORDS
    assert len(bounced("5.0.0", "no " * 100_000).words) <= MAX_WORDS


@pytest.mark.parametrize("piece", ["a", "a@", "@", "too ", "user ", "exceeds ", "mailbox of ", "5.", "sending x "])
def test_no_words_take_long(piece: str) -> None:
    started = time.process_time()
    bounced("", piece * 100_000)
    classify("recipient", 450, piece * 100_000)
    assert time.process_time() - started < QUICK


# --- advice -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_advice_is_one_sentence_that_says_who_tries_again(kind: str) -> None:
    soft, hard = Failure(kind, False, False, ""), Failure(kind, True, False, "")
    assert "crmmail tries again by itself" in advice(soft)
    for sentence in (advice(hard), advice(soft, gave_up=True)):
        assert "by itself" not in sentence
        assert "`crmmail outbox retry`" in sentence or "write again" in sentence
    for sentence in (advice(soft), advice(hard)):
        assert sentence[0].isupper() and sentence.endswith(".") and ". " not in sentence and "\n" not in sentence


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("no-connection", "crmmail config set smtp.url"),
        ("no-such-host", "crmmail config set smtp.url"),
        ("timeout", "crmmail config set smtp.url"),
        ("tls", "?starttls=1"),
        ("login", "crmmail config set smtp.password_command"),
        ("no-login", "smtp.url needs a user"),
        ("secret", "smtp.password_file"),
        ("sender", "sender address"),
        ("quota", "mailbox is full"),
        ("greylisted", "Nothing is wrong"),
        ("dropped", "may have arrived"),
    ],
)
def test_advice_names_what_to_look_at(kind: str, names: str) -> None:
    assert names in advice(Failure(kind, False, True, ""))


# --- when to try again --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "minutes"),
    [(False, [5, 5, 15, 60, 180, 360, 360, 360]), (True, [1, 1, 2, 5, 10, 15, 15, 15])],
)
def test_the_waiting_grows(ours: bool, minutes: list[int]) -> None:
    assert [retry.delay(attempts, ours) for attempts in range(8)] == [timedelta(minutes=each) for each in minutes]


def test_it_is_given_up_after_some_twenty_tries() -> None:
    waited, tries = timedelta(), 0
    while waited < retry.GIVE_UP:
        tries += 1
        waited += retry.delay(tries, ours=False)
    assert (retry.GIVE_UP.days, tries) == (5, 24)
