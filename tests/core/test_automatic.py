"""Machine mail and bounces, by tables of headers."""

from __future__ import annotations

import pytest

from crmmail.core.address import canonical
from crmmail.core.automatic import bounce, machine, unread
from crmmail.core.message import Address, Mail, Part


def letter(
    sender: str = "ann@customer.example",
    to: str = "support@crm.example",
    subject: str = "Hello",
    parts: str = "",
    **headers: str,
) -> Mail:
    """A mail with these headers: `auto_submitted="no"` is `Auto-Submitted: no`; two values of one name by " || "."""
    return Mail(
        message_id="1@customer.example",
        has_own_id=True,
        content_hash="",
        sender=Address("", canonical(sender)),
        from_line=sender,
        to=(Address("", to),),
        cc=(),
        reply_to=(),
        subject=subject,
        date=None,
        in_reply_to=(),
        references=(),
        text="Hello",
        html="",
        attachments=tuple(Part(1, "part-1.bin", kind, b"", "", False) for kind in parts.split()),
        headers={name.replace("_", "-"): tuple(value.split(" || ")) for name, value in headers.items()},
        defects=(),
        guessed_charset=False,
        leaves=1,
    )


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, ""),
        ({"auto_submitted": "no"}, ""),
        ({"auto_submitted": "No (a person)"}, ""),
        ({"auto_submitted": "(by hand) no; owner=ann"}, ""),
        ({"auto_submitted": ""}, ""),
        ({"auto_submitted": "auto-replied"}, "auto-replied"),
        ({"auto_submitted": 'AUTO-Replied; owner-email="ann@customer.example"'}, "auto-replied"),
        ({"auto_submitted": "auto-generated (failure)"}, "auto-generated"),
        ({"auto_submitted": "auto-notified; owner-email=x"}, "auto-notified"),
        ({"auto_submitted": "yes"}, "auto-submitted"),
        ({"auto_submitted": "no || auto-generated"}, "auto-generated"),
        ({"x_auto_response_suppress": "All"}, "auto-response-suppress"),
        ({"x_auto_response_suppress": "DR, RN, NRN, OOF, AutoReply"}, "auto-response-suppress"),
        ({"x_auto_response_suppress": "autoreply"}, "auto-response-suppress"),
        ({"x_auto_response_suppress": "DR, NDR, RN, NRN"}, ""),
        ({"x_auto_response_suppress": "None"}, ""),
        ({"x_autoreply": "yes"}, "x-autoreply"),
        ({"x_autoreply": ""}, "x-autoreply"),
        ({"x_autoreply": "no"}, ""),
        ({"x_autorespond": "Vacation 2.0"}, "x-autorespond"),
        ({"precedence": "bulk"}, "bulk"),
        ({"precedence": "Junk"}, "junk"),
        ({"precedence": "list"}, "list"),
        ({"precedence": "auto_reply"}, "auto_reply"),
        ({"precedence": "auto-reply"}, "auto_reply"),
        ({"precedence": "first-class"}, ""),
        ({"precedence": "normal || bulk"}, "bulk"),
        ({"list_id": "Friends of mail <friends.lists.example>"}, "list"),
        ({"list_unsubscribe": "<https://crm.other.example/u>"}, ""),
        ({"feedback_id": "1:2:3:esp"}, ""),
        ({"x_loop": "crmmail"}, "own-loop"),
        ({"x_loop": "CRMmail desk@other.example"}, "own-loop"),
        ({"x_loop": "owner@bugs.example"}, ""),
        ({"x_loop": "crmmail", "precedence": "bulk"}, "own-loop"),
        ({"content_type": "multipart/report; report-type=disposition-notification; boundary=x"}, "report"),
        ({"content_type": "multipart/mixed; boundary=x"}, ""),
        ({"return_path": "<>"}, "null-path"),
        ({"return_path": "<> || <ann@customer.example>"}, "null-path"),
        ({"return_path": "<ann@customer.example>"}, ""),
        ({"sender": "MAILER-DAEMON@mx.example"}, "mailer-daemon"),
        ({"sender": "postmaster@mx.example"}, ""),
        ({"auto_submitted": "(" * 100_000}, "auto-submitted"),
    ],
)
def test_machine(headers: dict[str, str], why: str) -> None:
    assert machine(letter(**headers)) == why


@pytest.mark.parametrize(
    ("address", "nobody_reads_it"),
    [
        ("no-reply@shop.example", True),
        ("NoReply+x1@shop.example", True),
        ("MAILER-DAEMON@mx.example", True),
        ("bounces@list.example", True),
        ("postmaster@firm.example", False),
        ("norman.reply@firm.example", False),
        ("ann@noreply.example", False),
    ],
)
def test_unread(address: str, nobody_reads_it: bool) -> None:
    assert unread(address) is nobody_reads_it


DSN = "multipart/report; report-type=delivery-status; boundary=x"


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, ""),
        ({"content_type": DSN}, "delivery-status"),
        ({"content_type": 'MULTIPART/Report; boundary="a"; Report-Type="Delivery-Status"'}, "delivery-status"),
        ({"content_type": "multipart/report (a report); report-type=global-delivery-status"}, "delivery-status"),
        ({"content_type": "multipart/report; boundary=x", "return_path": "<>"}, "report"),
        ({"content_type": "multipart/report; boundary=x"}, ""),
        ({"content_type": "multipart/mixed", "parts": "message/delivery-status", "return_path": "<>"}, "report"),
        # Somebody forwards a bounce that he got: his mail is no bounce.
        ({"content_type": "multipart/mixed", "parts": "message/delivery-status"}, ""),
        ({"content_type": "multipart/report; report-type=disposition-notification", "return_path": "<>"}, ""),
        ({"content_type": "multipart/report; report-type=feedback-report", "to": "bounce@crm.example"}, ""),
        ({"return_path": "<>", "x_failed_recipients": "bob@partner.example"}, "failed-recipients"),
        ({"x_failed_recipients": "bob@partner.example"}, ""),
        ({"sender": "Mailer-Daemon@mx.example", "x_failed_recipients": "bob@partner.example"}, "failed-recipients"),
        ({"sender": "MAILER-DAEMON", "subject": "failure notice"}, "mailer-daemon"),
        (
            {"sender": "MAILER-DAEMON (Mail Delivery System)", "subject": "Undelivered Mail Returned to Sender"},
            "mailer-daemon",
        ),
        ({"sender": "Mail System <MAILER-DAEMON>", "subject": "Warning", "return_path": "<>"}, "mailer-daemon"),
        # Fetched from a mailbox that keeps no return path, news of a delay is known by its subject alone.
        (
            {"sender": "Mailer-Daemon@mx.example", "subject": "Warning: message 1tABcd delayed 24 hours"},
            "mailer-daemon",
        ),
        ({"sender": "MAILER-DAEMON", "subject": "Warning: could not send message for past 4 hours"}, "mailer-daemon"),
        ({"sender": "MAILER-DAEMON", "subject": "Warning"}, ""),
        ({"sender": "postmaster@mx.example", "subject": "Warning: message store is full"}, ""),
        ({"sender": "postmaster@mx.example", "subject": "Undeliverable: Hello"}, "mailer-daemon"),
        ({"sender": "postmaster@mx.example", "subject": "Недоставленное сообщение: Привет"}, "mailer-daemon"),
        ({"sender": "postmaster@mx.example", "subject": "Your new quota"}, ""),
        ({"sender": "postmaster@mx.example", "subject": "Your new quota", "return_path": "<>"}, ""),
        # A vacation notice with the null return path is a machine's, and no bounce.
        ({"return_path": "<>", "auto_submitted": "auto-replied", "subject": "Out of office"}, ""),
        ({"return_path": "<>", "subject": "Undeliverable? No, I am on holiday"}, ""),
        ({"to": "bounce@crm.example"}, "bounce-address"),
        ({"to": "bounce+101-7f@crm.example"}, "bounce-address"),
        ({"delivered_to": "Bounce+x@CRM.example"}, "bounce-address"),
        ({"x_original_to": "<bounce@crm.example>"}, "bounce-address"),
        ({"to": "bounce@crm.example", "auto_submitted": "auto-replied"}, ""),
        ({"to": "bounce@crm.example", "auto_submitted": "auto-replied", "content_type": DSN}, "delivery-status"),
        ({"to": "bounce@crm.example", "auto_submitted": "auto-generated"}, "bounce-address"),
    ],
)
def test_bounce(headers: dict[str, str], why: str) -> None:
    assert bounce(letter(**headers), "bounce@crm.example") == why


def test_without_a_bounce_address_nobody_writes_to_it() -> None:
    assert bounce(letter(to="bounce@crm.example")) == ""
    assert bounce(letter(to="")) == ""


def test_every_bounce_is_machine_mail_or_comes_to_the_bounce_address() -> None:
    assert machine(letter(content_type=DSN)) == "report"
    assert machine(letter(sender="postmaster@mx.example", subject="Undeliverable: Hello")) == ""  # hence bounces first
