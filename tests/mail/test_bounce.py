"""What bounces say: one mail of each mailer, pieces of reports, and letters made to hurt."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
from corpora import CORPORA, needed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quick import QUICK

from crmmail.core.automatic import bounce, machine
from crmmail.core.message import Mail, Part, Report
from crmmail.mail.bounce import ACTIONS, MAX_IDS, MAX_RECIPIENTS, WORDS_LIMIT, read
from crmmail.mail.parse import parse

BOUNCES = Path(__file__).parent / "bounces"
OURS, ANN, BOB = "3.101.Zm9v@crm.example", "ann@customer.example", "bob@partner.example"
UNKNOWN = "550 5.1.1 <ann@customer.example>"


def report(action: str, status: str, words: str, *recipients: str, ids: tuple[str, ...] = (OURS,)) -> Report:
    return Report(action, status, recipients or (ANN,), words, ids)


# (file, why `core.automatic` takes it for a bounce, what it says)
SAMPLES = [
    (
        "amazon-ses",  # Amazon gives every mail an id of its own, so ours does not come back
        "delivery-status",
        report(
            "failed",
            "5.0.0",
            "5.1.0 - Unknown address error 550-'5.1.1 <ann@customer.example>... User unknown' (delivery attempts: 0)",
            ids=("00000132d6ca0cd4-ff6d8ee5-000000@email.amazonses.example",),
        ),
    ),
    (
        "broken-boundary",
        "delivery-status",
        report("failed", "5.4.6", "554 Too many hops 26 (25 max): from <bounce@crm.example>"),
    ),
    (
        "exchange-55",
        "mailer-daemon",
        report(
            "failed",
            "",
            "The recipient name is not recognized The MTS-ID of the original message is: c=us;a= "
            ";p=partner;l=RELAY-261102100005Z-7 MSEXCH:IMS:Partner:HQ:RELAY 0 (000C05A6) Unknown Recipient",
        ),
    ),
    (
        "exchange-2003",
        "mailer-daemon",
        report(
            "failed",
            "5.1.1",
            "The e-mail account does not exist at the organization this message was sent to. "
            "<exch1.partner.example #5.1.1 smtp;550 5.1.1 User unknown>",
            ids=(),
        ),
    ),
    (
        "exchange-2019",
        "delivery-status",
        report(
            "failed",
            "5.1.10",
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; "
            "Recipient ann@customer.example not found by SMTP address lookup",
            ids=(OURS, "first@customer.example"),
        ),
    ),
    (
        "exim",
        "failed-recipients",
        report(
            "failed",
            "5.0.0",
            "host mx.customer.example [192.0.2.25] SMTP error from remote mail server after "
            "RCPT TO:<ann@customer.example>: 550 no such mailbox here",
        ),
    ),
    (
        "exim-delay",
        "mailer-daemon",
        report(
            "delayed",
            "4.7.1",
            "host mx.customer.example [192.0.2.25] Delay reason: SMTP error from remote mail server after "
            "RCPT TO:<ann@customer.example>: 451 4.7.1 Greylisted, please come back later",
        ),
    ),
    (
        "exim-mime",
        "delivery-status",
        report("failed", "5.0.0", "552-5.2.2 The mailbox is full 552 5.2.2 ask its owner to make room"),
    ),
    (
        "gmail",
        "delivery-status",
        report(
            "failed",
            "5.1.1",
            "550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking "
            "the recipient's email address for typos or 550-5.1.1 unnecessary spaces. - gsmtp",
        ),
    ),
    (
        "gmail-plain",
        "failed-recipients",
        report(
            "delayed",
            "",
            "The recipient server did not accept our requests to connect. "
            "[mx.customer.example. (10): Connection timed out]",
        ),
    ),
    (
        "mailru",
        "failed-recipients",
        report(
            "failed",
            "5.2.2",
            "SMTP error from remote mail server after RCPT TO:<ann@customer.example>: "
            "host mx.customer.example [192.0.2.25]: 550 5.2.2 <ann@customer.example>... Mailbox Full",
            ANN,
            BOB,
        ),
    ),
    (
        "office365",
        "delivery-status",
        report(
            "failed",
            "5.7.133",
            "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction "
            "check failed because the sender was not authenticated when sending to this group",
        ),
    ),
    ("opensmtpd", "mailer-daemon", report("failed", "5.1.1", f"{UNKNOWN}: Recipient address rejected: User unknown")),
    (
        "postfix",
        "delivery-status",
        report("failed", "5.1.1", f"{UNKNOWN}: Recipient address rejected: User unknown in virtual mailbox table"),
    ),
    (
        "postfix-delay",
        "delivery-status",
        report("delayed", "4.4.1", "connect to mx.customer.example[192.0.2.25]:25: Connection timed out"),
    ),
    ("postfix-success", "delivery-status", report("relayed", "2.0.0", "250 2.0.0 Ok: queued as 4XyZ1l3Kw1z8")),
    (
        "postfix-utf8",
        "delivery-status",
        report("failed", "5.1.1", "550 5.1.1 Нет такого ящика", "анна@xn--80a1acny.example"),
    ),
    (
        "qmail",
        "mailer-daemon",
        report(
            "failed",
            "5.1.1",
            "192.0.2.25 does not like recipient. Remote host said: 550 5.1.1 Sorry, no mailbox here by that name. "
            "Giving up on 192.0.2.25.",
            ANN,
            BOB,
        ),
    ),
    (
        "qmail-quota",
        "mailer-daemon",
        report(
            "failed",
            "5.2.2",
            "192.0.2.25 does not like recipient. Remote host said: 552 Error: disk quota exceeded "
            "Giving up on 192.0.2.25.",
        ),
    ),
    ("sendmail", "delivery-status", report("failed", "5.1.1", f"{UNKNOWN}... User unknown")),
    (
        "sendmail-plain",
        "mailer-daemon",
        report(
            "failed",
            "5.0.0",
            "... while talking to mx.customer.example.: >>> RCPT To:<ann@customer.example> "
            "<<< 550 <ann@customer.example>... User unknown 550 <ann@customer.example>... User unknown",
        ),
    ),
    # Five recipients, four fates: the delivered and the delayed are left out, and so is what is no address.
    ("several", "delivery-status", report("failed", "5.2.1", "550 5.2.1 mailbox disabled", ANN, BOB)),
    (
        "yahoo",
        "mailer-daemon",
        report(
            "failed",
            "5.0.0",
            "554: delivery error: dd This user doesn't have a customer.example account (ann@customer.example) [0] "
            "- mta1234.mail.customer.example",
        ),
    ),
    (
        "yandex",
        "delivery-status",
        report("failed", "4.4.1", "connect to mx.customer.example[192.0.2.25]:25: Connection timed out"),
    ),
]


@pytest.mark.parametrize(("name", "why", "said"), SAMPLES, ids=[name for name, _, _ in SAMPLES])
def test_every_mailer_is_known_and_understood(name: str, why: str, said: Report) -> None:
    raw = (BOUNCES / f"{name}.eml").read_bytes()
    for form in (raw, raw.replace(b"\r\n", b"\n"), raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")):
        mail = parse(form)
        assert bounce(mail) == why
        assert read(mail) == said


def test_every_sample_has_its_row() -> None:
    assert sorted(path.stem for path in BOUNCES.glob("*.eml")) == sorted(name for name, _, _ in SAMPLES)


REPORTS = CORPORA / "mikel-mail" / "multipart_report_emails"


@needed
@pytest.mark.parametrize(
    ("path", "action", "state", "recipients", "ids"),
    [
        (REPORTS / "report_422.eml", "delayed", "4.2.2", 1, ("15655788.13.1200472642578.JavaMail.Administrator@",)),
        (REPORTS / "report_530.eml", "failed", "5.3.0", 1, ("200712232303.lBNN3jDq002941@mail12.rrrr.com.au",)),
        (REPORTS / "multi_address_bounce1.eml", "failed", "5.1.1", 5, ("118707422.15521266992174819.JavaMail.root@",)),
        (REPORTS / "multi_address_bounce2.eml", "failed", "5.1.1", 5, ("118707422.15521266992174819.JavaMail.root@",)),
        (REPORTS / "multipart_report_multiple_status.eml", "failed", "5.3.0", 1, ("4c2a146147ac8_61ff157c4ec1652df@",)),
        (CORPORA / "cpython" / "msg_16.txt", "failed", "5.0.0", 1, ("002001c144a6$8752e060$56104586@oxy.edu",)),
        (CORPORA / "cpython" / "msg_25.txt", "failed", "5.4.6", 1, ("01040616033903.00962@server",)),
        (CORPORA / "cpython" / "msg_43.txt", "failed", "5.7.1", 11, ()),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else "",
)
def test_real_bounces(path: Path, action: str, state: str, recipients: int, ids: tuple[str, ...]) -> None:
    mail = parse(path.read_bytes())
    assert bounce(mail)
    said = read(mail)
    assert said is not None
    assert (said.action, said.status, len(said.recipients)) == (action, state, recipients)
    assert len(said.ids) == len(ids) and all(one.startswith(start) for one, start in zip(said.ids, ids, strict=True))


PLAIN = parse(b"From: MAILER-DAEMON@mx.example\nMessage-ID: <bounce@mx.example>\nSubject: failure notice\n\n")


def letter(text: str = "", subject: str = "failure notice", **changes: object) -> Mail:
    return PLAIN._replace(text=text, subject=subject, **changes)  # type: ignore[arg-type]


def part(kind: str, data: bytes) -> Part:
    return Part(1, "part-1.bin", kind, data, "", False)


def status(*groups: str, kind: str = "message/delivery-status") -> Mail:
    """A bounce whose report has these groups of fields behind the first."""
    return letter(attachments=(part(kind, "\n\n".join(("Reporting-MTA: dns; mx.example", *groups)).encode()),))


TO_ANN = "Final-Recipient: rfc822; ann@customer.example\n"


@pytest.mark.parametrize(
    ("group", "action", "state"),
    [
        ("Action: failed\nStatus: 5.1.1", "failed", "5.1.1"),
        ("ACTION : Failed (at last)\nstatus:5.1.1 (unknown)", "failed", "5.1.1"),
        ("Action: failed\nStatus: 4.4.7", "failed", "4.4.7"),  # given up: a soft one
        ("Action: delayed\nStatus: 4.4.1", "delayed", "4.4.1"),
        ("Action: delivered\nStatus: 2.1.5", "delivered", "2.1.5"),
        ("Action: relayed\nStatus: 2.0.0", "relayed", "2.0.0"),
        ("Action: expanded\nStatus: 2.0.0", "expanded", "2.0.0"),
        ("Status: 5.2.2", "failed", "5.2.2"),
        ("Status: 4.2.2", "failed", "4.2.2"),
        ("Status: 4.2.2\nWill-Retry-Until: Sat, 7 Nov 2026 10:00:00 +0000", "delayed", "4.2.2"),
        ("Status: 2.1.5", "delivered", "2.1.5"),
        ("Action: lost\nStatus: 5.0.0", "failed", "5.0.0"),
        ("Action: failed", "failed", ""),
        ("Action: failed\nStatus: none", "failed", ""),
        ("Action: failed\nDiagnostic-Code: smtp; 550 5.7.1 go away", "failed", "5.7.1"),
        ("Action: failed\nDiagnostic-Code: smtp; 550 go away", "failed", "5.0.0"),
        ("Action: failed\nStatus:\n 5.1.1\n (unknown)", "failed", "5.1.1"),
        ("Action: failed\nStatus: 5.1.1\nnonsense\n:\nX", "failed", "5.1.1"),
    ],
)
def test_action_and_status(group: str, action: str, state: str) -> None:
    said = read(status(TO_ANN + group))
    assert said is not None
    assert (said.action, said.status, said.recipients) == (action, state, (ANN,))


def test_a_report_of_a_soft_failure_that_will_be_tried_again_by_its_words() -> None:
    mail = status(TO_ANN + "Status: 4.2.2")
    said = read(mail._replace(text="Your mail has not yet\nbeen delivered."))
    assert said is not None and said.action == "delayed"


@pytest.mark.parametrize(
    ("field", "address"),
    [
        ("Final-Recipient: rfc822; Ann@Customer.EXAMPLE", ANN),
        ("Final-Recipient: RFC822;<ann@customer.example> (Ann)", ANN),
        ("Final-Recipient: ann@customer.example", ANN),
        ("Final-Recipient: rfc822;\n\tann@customer.example", ANN),
        ("Final-Recipient: rfc822; ann+20@customer.example", "ann+20@customer.example"),
        ("Original-Recipient: rfc822; ann@customer.example\nFinal-Recipient: rfc822; x@elsewhere.example", ANN),
        ("Original-Recipient: unknown; gone\nFinal-Recipient: rfc822; ann@customer.example", ANN),
        ("Final-Recipient: utf-8; \\x{430}@customer.example", "а@customer.example"),
        ("Final-Recipient: utf-8; \\x{D800}\\x{FFFFFF}@customer.example", ""),
        ("Final-Recipient: rfc822; \\x{430}@customer.example", ""),
        ("Final-Recipient: x400; /C=de/S=ann/", ""),
        ("Final-Recipient: rfc822; ann", ""),
        ("X-Actual-Recipient: rfc822; x@elsewhere.example", ""),
    ],
)
def test_recipients_of_a_report(field: str, address: str) -> None:
    said = read(status(f"{field}\nAction: failed\nStatus: 5.1.1", kind="message/global-delivery-status"))
    assert said is not None
    assert said.recipients == ((address,) if address else ())


def test_hard_and_soft_failures_together_are_soft() -> None:
    soft = "Final-Recipient: rfc822; bob@partner.example\nAction: failed\nStatus: 4.4.7\nDiagnostic-Code: smtp; expired"
    said = read(status(TO_ANN + "Action: failed\nStatus: 5.1.1", soft))
    assert said == Report("failed", "4.4.7", (ANN, BOB), "expired", ())


def test_words_without_a_diagnostic_come_from_the_status_or_the_letter() -> None:
    said = read(status(TO_ANN + "Action: failed\nStatus: 5.2.2 (over quota)"))
    assert said is not None and said.words == "over quota"
    mail = status(TO_ANN + "Action: failed\nStatus: 5.2.2")
    said = read(mail._replace(text=f"Sorry.\n\n<{ANN}>: his box is full\n\nBye."))
    assert said is not None and said.words == "his box is full"


def test_words_are_one_short_clean_line() -> None:
    said = read(status(TO_ANN + "Status: 5.0.0\nDiagnostic-Code: smtp;550 a\x1b[2J\n \u202eb " + "long " * 1000))
    assert said is not None
    assert said.words.startswith("550 a\ufffd[2J \ufffdb long")
    assert len(said.words) <= WORDS_LIMIT
    said = read(status(TO_ANN + "Status: 5.0.0\nDiagnostic-Code: smtp; 550 =?utf-8?Q?ge=C3=B6ffnet?="))
    assert said is not None and said.words == "550 geöffnet"


COPY = b"Received: x\nMessage-ID: <copy@crm.example>\nIn-Reply-To: <not@x.example>\n\nMessage-ID: <deeper@x.example>\n"


@pytest.mark.parametrize("kind", ["message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"])
def test_ids_come_the_surest_first(kind: str) -> None:
    gmail = (
        b"X-Original-Message-ID: <named@crm.example>\n\nFinal-Recipient: rfc822; ann@customer.example\nStatus: 5.0.0\n"
    )
    mail = letter(
        "It said\n> Message-ID:\n>  <quoted@crm.example>\nmessage-id: <no-at-sign>\nMessage-ID: <bounce@mx.example>\n",
        attachments=(part("message/delivery-status", gmail), part(kind, COPY)),
        in_reply_to=("answered@crm.example",),
        references=("older@crm.example", "answered@crm.example"),
    )
    said = read(mail)
    assert said is not None
    names = [one.removesuffix("@crm.example") for one in said.ids]
    assert names == ["copy", "named", "answered", "older", "quoted"]


def test_no_more_ids_than_a_few() -> None:
    said = read(letter("".join(f"Message-ID: <{number}@x.example>\n" for number in range(1000))))
    assert said is not None
    assert said.ids == tuple(f"{number}@x.example" for number in range(MAX_IDS))


@pytest.mark.parametrize(
    ("text", "recipients"),
    [
        (f"<{ANN}>:\nno such box", (ANN,)),
        (f"<{ANN}>: no\n<{BOB}>: no\n<{ANN}>: no", (ANN, BOB)),
        (f"failed:\n\n  {ANN}\n    unknown\n  {BOB}\n    unknown", (ANN, BOB)),
        ("failed:\n\n  Ann@Customer.Example  ", (ANN,)),
        (f"did not reach the following recipient(s):\n\n{ANN} on Mon, 2 Nov 2026\n  unknown", (ANN,)),
        (f"Delivery has failed to these recipients:\n\nAnn ({ANN})<mailto:{ANN}>\nIt failed.", (ANN,)),
        (f"Recipient address: {ANN}\nReason: quota", (ANN,)),
        (f"{ANN}: Envelope expired", (ANN,)),
        (f"Your message wasn't delivered to {ANN} because of that.", (ANN,)),
        (f"I could not deliver your message to <{ANN}>.", (ANN,)),
        (f"Please ask {ANN} what is wrong.", ()),
        (f"No.\n\n--- Below this line is a copy of the message.\n\n  {ANN}\n", ()),
        (f"No.\n\nReceived: from x\nSubject: y\n\n<{ANN}>:\n", ()),
        ("<ann@@customer.example>: no\n<ann>: no\n", ()),
    ],
)
def test_recipients_of_a_plain_bounce(text: str, recipients: tuple[str, ...]) -> None:
    said = read(letter(f"{text}\n\nMessage-ID: <1@crm.example>\n"))
    assert said is not None
    assert said.recipients == recipients


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("Sorry, no mailbox here by that name. (#5.1.1)", "5.1.1"),
        ("said no (5.7.133)", "5.7.133"),
        ("Remote host said: 550 5.1.1 unknown", "5.1.1"),
        ("Remote host said: 550-5.1.1 unknown", "5.1.1"),
        ("Remote host said: 451 4.7.1 later", "4.7.1"),
        ("Remote host said: 550 unknown", "5.0.0"),
        ("450: busy", "4.0.0"),
        ("552 mailbox full", "5.2.2"),
        ("452 over quota", "4.2.2"),
        ("552 exceeded storage allocation", "5.2.2"),
        ("452 insufficient system storage", "4.0.0"),
        ("552 message too large", "5.0.0"),
        ("host 192.0.2.5 [5.5.2652.78], Exim 4.5.1, port 25, at 10:55:00, 1550 mails", ""),
        ("the answer was 42", ""),
        ("No.\n\n----- Original message -----\n\n550 5.1.1 is in it", ""),
    ],
)
def test_status_of_a_plain_bounce(text: str, state: str) -> None:
    said = read(letter(f"{text}\n\nMessage-ID: <1@crm.example>\n"))
    assert said is not None
    assert said.status == state


@pytest.mark.parametrize(
    ("subject", "text", "action"),
    [
        ("failure notice", "", "failed"),
        ("Delivery Status Notification (Delay)", "", "delayed"),
        ("Warning: could not send message for past 4 hours", "", "delayed"),
        ("Zustellung verzögert: Angebot", "", "delayed"),
        ("Доставка отложена", "", "delayed"),
        ("Warning: your mail had a virus", "", "failed"),
        ("Undeliverable: Delivery delayed", "", "failed"),  # the original's subject stands in it
        ("Mail", "No action is required on your part.", "delayed"),
        ("Mail", "It will be\nretried for 3 days.", "delayed"),
        ("Mail", "Ваше письмо ещё не доставлено.", "delayed"),
        ("Mail", "This is a permanent error. Nothing will be retried.", "failed"),
        ("Mail", "Gone.\n\n--- Below this line is a copy of the message.\n\nNo action is required.", "failed"),
    ],
)
def test_action_of_a_plain_bounce(subject: str, text: str, action: str) -> None:
    said = read(letter(f"<{ANN}>: no\n{text}", subject))
    assert said is not None
    assert said.action == action


@pytest.mark.parametrize(
    "mail",
    [
        letter(),
        letter("Your mail could not be delivered. We are sorry."),
        letter(attachments=(part("message/delivery-status", b""), part("message/rfc822", b"Subject: x\n\nwords\n"))),
        letter(attachments=(part("message/delivery-status", b"Reporting-MTA: dns; mx.example\n\njunk\n"),)),
        letter("Message-ID: <bounce@mx.example>\n"),  # its own
    ],
)
def test_what_says_nothing(mail: Mail) -> None:
    assert read(mail) is None


# Bytes that are close to what the reader looks for.
_PIECES = st.sampled_from(
    "Message-ID: <a@x.example>|<ann@x.example>:|\n|\n\n|  |(|)|<|>|@|;|:|550 |5.1.1|#5.1.1|Status: |Action: failed"
    "|smtp; |Final-Recipient: rfc822; ann@x.example|Final-Recipient: utf-8; \\x{110000}|\\x{D800}|=?utf-8?B?gICA?="
    "|Diagnostic-Code: |Received: x|will be retried|<mailto:|ann@x.example on 1|Recipient: |\r\n|\r|ß|\u0301|\0"
    "|\ud800|\u202e|----- Original message|Original-Recipient: |the response was:|Message-ID:|delivered to ".split("|")
)
_TEXTS = st.lists(_PIECES | st.text(max_size=5), max_size=40).map("".join)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=_TEXTS, report=_TEXTS, copy=_TEXTS, subject=_TEXTS, named=_TEXTS)
def test_nothing_raises_and_what_is_said_is_clean(text: str, report: str, copy: str, subject: str, named: str) -> None:
    parts = (
        part("message/delivery-status", report.encode("utf-8", "surrogatepass")),
        part("message/rfc822", copy.encode("utf-8", "surrogatepass")),
    )
    # What `parse` gives holds no lone surrogates; here a text without them is enough.
    text, subject, named = (one.encode("utf-8", "replace").decode() for one in (text, subject, named))
    said = read(letter(text, subject, attachments=parts, headers={"x-failed-recipients": (named,)}))
    if said is None:
        return
    assert said.action in ACTIONS
    assert len(said.words) <= WORDS_LIMIT and len(said.words.splitlines()) <= 1
    assert len(said.ids) <= MAX_IDS and not any(set(one) & set(" <>\n") for one in said.ids)
    assert all(one and "@" in one for one in said.recipients)
    for value in (said.status, said.words, *said.recipients, *said.ids):
        value.encode("utf-8")


MUCH = 300_000
HOSTILE = [
    "<",
    " ",
    "\n",
    "(",
    "a",
    "a@",
    "@",
    "\t\n",
    "> ",
    "-",
    "5.",
    "550 ",
    "(#5.1",
    "\n:",
    "\n\n<a@b>:",
    "\n a@b.example",
    "\na@b.example on 1 ",
    "\nmessage-id",
    "\nmessage-id: \n > <",
    "\nMessage-ID: <a@b>",
    "\nMessage-ID: <" + "a" * 255,
    "\n" + "a" * 64 + "@" + "b" * 255,
    "\n" + " " * 200 + "<mailto:",
    "\nDiagnostic-Code: smtp; 550 5.1.1 =?utf-8?Q?=",
    "\n\nAction: failed",
    "\n\nStatus: 5.1.1 (((((",
    "\n\nFinal-Recipient: rfc822; \u0430@\u0430.example",
    "\n\nFinal-Recipient: utf-8; " + "\\x{430}" * 60 + "@x.example",
    "\x00\x81\xfe",
    "\u0301",
]


@pytest.mark.parametrize("piece", HOSTILE, ids=[ascii(piece[:20]) for piece in HOSTILE])
def test_nothing_is_slow(piece: str) -> None:
    text = piece * (MUCH // len(piece))
    data = text.encode()
    failed = (text.replace("\n", ""),)
    for mail in (
        letter(text, text),
        letter("x", attachments=(part("message/delivery-status", data),)),
        letter("x", attachments=(part("message/rfc822", data),)),
        letter("x", headers={"x-failed-recipients": failed}),
        letter("Reporting-MTA: x\n\n" + TO_ANN + text),
    ):
        started = time.process_time()
        said = read(mail)
        assert time.process_time() - started < QUICK
        assert said is None or len(said.recipients) <= MAX_RECIPIENTS


def test_a_thousand_reports_are_not_slow() -> None:
    data = (TO_ANN + "Status: 5.1.1\n\n").encode() * 1000
    parts = tuple(part(kind, data) for kind in ("message/delivery-status", "message/rfc822") for _ in range(500))
    started = time.process_time()
    said = read(letter(attachments=parts))
    assert time.process_time() - started < QUICK
    assert said is not None and said.recipients == (ANN,)


# --- the RFCs, clause by clause, from the bytes ---------------------------------------------------------------------

OUR_ID = "1.x.0123456789abcdef.abcdefghijklmnop@crm.test"
PER_MESSAGE = (
    "Reporting-MTA: dns; mx.example\nOriginal-Envelope-Id: e1\nArrival-Date: Tue, 24 Nov 2026 10:00:00 +0000\n"
)


def dsn(
    status: str,
    *,
    kind: str = "message/delivery-status",
    encoding: str = "7bit",
    copy: str = "message/rfc822",
    report: str = "report-type=delivery-status",
) -> bytes:
    """A report as it lies in a mailbox: explanation, status, and our letter or its header."""
    if encoding == "base64":
        status = base64.encodebytes(status.encode()).decode()
    return (
        f"Return-Path: <>\nFrom: MAILER-DAEMON@mx.example\nTo: bounce@crm.test\nSubject: Alas\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; {report};\n boundary="b"\nMessage-ID: <d1@mx.example>\n\n'
        f"--b\nContent-Type: text/plain\n\nIt did not arrive.\n\n"
        f"--b\nContent-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n{status}\n"
        f"--b\nContent-Type: {copy}\n\nMessage-ID: <{OUR_ID}>\nSubject: Hello\n\n--b--\n"
    ).encode()


@pytest.mark.parametrize(
    ("clause", "raw", "said"),
    [
        (
            "RFC 3464 2.1: a group for the message, one for each recipient; 2.3.1: what we wrote to stands first",
            dsn(
                f"{PER_MESSAGE}\nOriginal-Recipient: rfc822;ann@customer.example\n"
                "Final-Recipient: rfc822; ann@elsewhere.example\nAction: failed\nStatus: 5.1.1\n"
            ),
            ("failed", "5.1.1", (ANN,)),
        ),
        (
            "RFC 3464 2.3.3: delayed is no failure, and is less than one",
            dsn(
                f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@customer.example\nAction: delayed\nStatus: 4.4.1\n\n"
                "Final-Recipient: rfc822; ann@customer.example\nAction: failed\nStatus: 5.1.1\n"
            ),
            ("failed", "5.1.1", (ANN,)),
        ),
        (
            "RFC 3464 2.3.3: relayed beside delivered tells of the one of which nobody knows more",
            dsn(
                f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@customer.example\nAction: delivered\nStatus: 2.0.0\n\n"
                "Final-Recipient: rfc822; ann@customer.example\nAction: relayed\nStatus: 2.0.0\n"
            ),
            ("relayed", "2.0.0", (ANN,)),
        ),
        (
            "RFC 3464 2.1.2: a comment where the action stands, the type of the address in any letter case",
            dsn(
                f"{PER_MESSAGE}\nFinal-Recipient: RFC822; ann@customer.example\n"
                "Action: FAILED (expired)\nStatus: 4.4.7\n"
            ),
            ("failed", "4.4.7", (ANN,)),
        ),
        (
            "RFC 3464 2.3.6: another type of diagnostic says nothing about SMTP codes; the status stands",
            dsn(
                f"{PER_MESSAGE}\nFinal-Recipient: rfc822; ann@customer.example\nAction: failed\nStatus: 5.0.0\n"
                "Diagnostic-Code: x-unix; exit 67\n"
            ),
            ("failed", "5.0.0", (ANN,)),
        ),
        (
            "RFC 3463: a code of the registry's later years",
            dsn(f"{PER_MESSAGE}\nFinal-Recipient: rfc822; ann@customer.example\nAction: failed\nStatus: 5.7.509\n"),
            ("failed", "5.7.509", (ANN,)),
        ),
        (
            "RFC 6522 3: the header of our letter alone is enough to know it",
            dsn(
                f"{PER_MESSAGE}\nFinal-Recipient: rfc822; ann@customer.example\nAction: failed\nStatus: 5.1.1\n",
                copy="text/rfc822-headers",
            ),
            ("failed", "5.1.1", (ANN,)),
        ),
        (
            "RFC 6522 3: the name of the report in quotes, behind others, in any letter case",
            dsn(
                f"{PER_MESSAGE}\nFinal-Recipient: rfc822; ann@customer.example\nAction: failed\nStatus: 5.1.1\n",
                report='charset=utf-8; REPORT-TYPE="Delivery-Status"',
            ),
            ("failed", "5.1.1", (ANN,)),
        ),
        (
            "RFC 6533 3 and 4: letters beyond ASCII as they are, in a part that may be encoded",
            dsn(
                f"{PER_MESSAGE}\nFinal-Recipient: utf-8; Анна@customer.example\nAction: failed\nStatus: 5.1.1\n",
                kind="message/global-delivery-status",
                encoding="base64",
                copy="message/global-headers",
                report="report-type=global-delivery-status",
            ),
            ("failed", "5.1.1", ("анна@customer.example",)),
        ),
        (
            "RFC 6533 3: the same in ASCII, each letter by its number",
            dsn(
                f"{PER_MESSAGE}\nOriginal-Recipient: utf-8;\\x{{410}}\\x{{43D}}\\x{{43D}}\\x{{430}}@customer.example\n"
                "Final-Recipient: rfc822; x@elsewhere.example\nAction: failed\nStatus: 5.1.1\n",
                copy="message/global",
            ),
            ("failed", "5.1.1", ("анна@customer.example",)),
        ),
    ],
    ids=lambda value: value.partition(":")[0] if isinstance(value, str) and value.startswith("RFC") else "",
)
def test_the_rfcs(clause: str, raw: bytes, said: tuple[str, str, tuple[str, ...]]) -> None:
    mail = parse(raw)
    assert bounce(mail) == "delivery-status", clause
    report = read(mail)
    assert report is not None
    assert (report.action, report.status, report.recipients) == said, clause
    assert report.ids[:1] == (OUR_ID,), clause


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("disposition-notification", "message/disposition-notification"),
        ("global-disposition-notification", "message/global-disposition-notification"),
        ("feedback-report", "message/feedback-report"),
    ],
)
def test_reports_that_are_no_bounces(kind: str, part: str) -> None:
    """RFC 8098 §3, RFC 6533 §6, RFC 5965: somebody read it, or calls it spam; it has arrived."""
    fields = "Final-Recipient: rfc822; ann@customer.example\nDisposition: manual-action/MDN-sent-manually; displayed\n"
    mail = parse(dsn(fields, kind=part, report=f"report-type={kind}"))
    assert (bounce(mail), machine(mail)) == ("", "report")
