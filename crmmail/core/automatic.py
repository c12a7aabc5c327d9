"""Whether a mail was written by a machine.

An answer to a machine can be answered by the machine, and two helpdesks have filled each other's disks that way.
So mail is judged here before anything else: `machine` gives the word why a mail counts as automatic (RFC 3834,
and the headers that were in use before and beside it), `bounce` the word why it is a report that our own mail did
not arrive (RFC 3464, and the forms of older mailers).  "" means no.  An automatic mail is kept and shown like any
other, but it changes no state and nothing is ever sent to its sender.

A bounce is looked for first: a bounce is machine mail too.  A vacation notice often has the null return path of
a bounce (RFC 3834 §3.3) and is none: a bounce carries a report, or comes from a mailer and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from crmmail.core.address import without_tag
from crmmail.core.message import Mail

OUR_LOOP = "crmmail"  # X-Loop on the mails that no person wrote, ours or another crmmail's

_AUTO_SUBMITTED = ("auto-replied", "auto-generated", "auto-notified")  # RFC 3834 §5, RFC 5436 §2.7.1
_PRECEDENCE = ("bulk", "junk", "list", "auto_reply", "auto-reply")
# [MS-OXCMAIL]: the header asks receivers to suppress answers.  DR, NDR, RN and NRN speak of receipts only, and
# people's Outlook sets them; OOF, AutoReply and All are set by programs (and by some Exchange rules on people's mail:
# such a mail is kept and shown, but it reopens nothing.  The other way round is a loop).
_SUPPRESS = ("oof", "autoreply", "all")
# Reports that are no bounces: read receipts (RFC 8098), abuse reports (RFC 5965), DMARC and TLS reports.
_BOUNCE_REPORTS = ("delivery-status", "global-delivery-status")
_STATUS_PARTS = ("message/delivery-status", "message/global-delivery-status")
_MAILERS = ("mailer-daemon", "mailerdaemon", "mail-daemon", "maildaemon", "postmaster")
# Local parts that nobody reads: programs write under them.
_UNREAD = ("noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "do_not_reply", "bounce", "bounces")
# What mailers write above a bounce, where it has no machine-readable report.
_TELL_TALES = (
    "undeliver",  # Undelivered Mail Returned to Sender (Postfix), Undeliverable: (Exchange)
    "mail delivery",  # Mail delivery failed: returning message to sender (Exim), Mail Delivery Failure
    "delivery status notification",
    "delivery fail",
    "delivery has failed",
    "failure notice",  # qmail
    "failed delivery",
    "returned mail",  # sendmail
    "returned to sender",
    "not delivered",
    "not be delivered",
    "unzustellbar",
    "zustellung fehlgeschlagen",
    "non remis",
    "échec de la remise",
    "échec de la distribution",
    "недоставлен",
    "не доставлен",
    "не удалось доставить",
    "no se puede entregar",
    "no se pudo entregar",
    "impossibile recapitare",
    "non recapitabile",
    "onbestelbaar",
    "niet te bezorgen",
    "niedostarcz",
    "não é possível entregar",
)
# What they write above news of a delay; a postmaster who is a person warns of other things.
_WARNINGS = ("warning: message ", "warning: could not send")  # Exim, sendmail

_COMMENT = re.compile(r"\([^()]*\)")


def machine(mail: Mail) -> str:
    """Why `mail` is not a person's, in one word; "" if it is a person's.

    The words: own-loop, auto-replied, auto-generated, auto-notified, auto-submitted (any other value), x-autoreply,
    x-autorespond, auto-response-suppress, list, bulk, junk, auto_reply, report, mailer-daemon, null-path.
    """
    return next(filter(None, (test(mail) for test in _MACHINES)), "")


def bounce(mail: Mail, bounce_address: str = "") -> str:
    """Why `mail` reports the fate of a mail of ours, in one word; "" if it does not.

    The words: delivery-status, report, failed-recipients, mailer-daemon, bounce-address.  That the report may tell of
    a delay or of success is read later, from the report.  `bounce_address` is canonical; plus-tags of the recipients
    do not matter.  What is written to it is a bounce unless it is an automatic answer: vacation programs write to the
    return path, as RFC 3834 §4 wants.
    """
    report = _report_type(mail)
    if report in _BOUNCE_REPORTS:
        return "delivery-status"
    if report not in ("", "unnamed"):
        return ""
    mailer, null = _from_mailer(mail), _null_path(mail)
    if mailer or null:
        if report or any(part.type in _STATUS_PARTS for part in mail.attachments):
            return "report"
        if "x-failed-recipients" in mail.headers:
            return "failed-recipients"
    subject = mail.subject[:300].lower()
    if mailer and any(words in subject for words in _TELL_TALES):
        return "mailer-daemon"
    # A postmaster is a person too, on other days; a mailer daemon with a null return path is not.
    if mailer not in ("", "postmaster") and (null or subject.startswith(_WARNINGS)):
        return "mailer-daemon"
    if bounce_address and bounce_address in _recipients(mail) and machine(mail) not in _ANSWERS:
        return "bounce-address"
    return ""


def unread(address: str) -> bool:
    """Is it an address behind which no person reads, by its name?  A mailer's, or a no-reply's."""
    local = without_tag(address).partition("@")[0].lower()
    return local in _UNREAD or (local in _MAILERS and local != "postmaster")


def _auto_submitted(mail: Mail) -> str:
    for value in _values(mail, "auto-submitted"):
        if value and value != "no":
            return value if value in _AUTO_SUBMITTED else "auto-submitted"
    return ""


def _precedence(mail: Mail) -> str:
    return next((value for value in _values(mail, "precedence") if value in _PRECEDENCE), "").replace("-", "_")


def _suppress(mail: Mail) -> str:
    wishes = {
        wish.strip() for value in mail.headers.get("x-auto-response-suppress", ()) for wish in value.lower().split(",")
    }
    return "auto-response-suppress" if wishes.intersection(_SUPPRESS) else ""


def _named(header: str, word: str) -> Callable[[Mail], str]:
    """The header is there and does not say no: some programs write yes into it, some their name, some nothing."""
    return lambda mail: word if any(value != "no" for value in _values(mail, header)) else ""


# The first that answers names the reason, so the most telling ones stand first.
_MACHINES: tuple[Callable[[Mail], str], ...] = (
    lambda mail: "own-loop" if OUR_LOOP in _values(mail, "x-loop") else "",
    _auto_submitted,
    _named("x-autoreply", "x-autoreply"),
    _named("x-autorespond", "x-autorespond"),
    _suppress,
    _named("list-id", "list"),
    _precedence,
    lambda mail: "report" if _report_type(mail) else "",
    lambda mail: "mailer-daemon" if _from_mailer(mail) not in ("", "postmaster") else "",
    # No person's mail has it (RFC 5321 §4.5.5); the last resort against answers that say nothing of themselves.
    lambda mail: "null-path" if _null_path(mail) else "",
)
_ANSWERS = ("auto-replied", "x-autoreply", "x-autorespond", "auto_reply")


def _values(mail: Mail, header: str) -> list[str]:
    """The first word of each such header, lower case, without what follows a ; or stands in parentheses.

    `Auto-Submitted: (by hand) no; x=y` → `no`; RFC 3834 §5 allows all of that.
    """
    found = []
    for value in mail.headers.get(header, ()):
        words = _COMMENT.sub(" ", value[:1000]).partition(";")[0].lower().split()
        found.append(words[0] if words else "")
    return found


def _report_type(mail: Mail) -> str:
    """`report-type` of a multipart/report (RFC 6522), lower case; "unnamed" without one; "" for any other mail."""
    for value in mail.headers.get("content-type", ())[:1]:
        kind, *parameters = _COMMENT.sub(" ", value[:1000]).lower().split(";")
        if kind.strip() == "multipart/report":
            pairs = (parameter.partition("=") for parameter in parameters)
            return next((said.strip(' \t"') for key, _, said in pairs if key.strip() == "report-type"), "") or "unnamed"
    return ""


def _null_path(mail: Mail) -> bool:
    """The topmost Return-Path, which our own host wrote, is <>."""
    return any(not value.strip(" \t<>") for value in mail.headers.get("return-path", ())[:1])


def _from_mailer(mail: Mail) -> str:
    """The local part of a mailer's From, "" if a mailer did not write; `From: MAILER-DAEMON` has no address at all."""
    sender = mail.sender.address or mail.from_line[:300].lower().rpartition("<")[2]
    local = sender.partition("@")[0].strip(' \t">')
    return local if local in _MAILERS else "mailer-daemon" if local.split()[:1] == ["mailer-daemon"] else ""


def _recipients(mail: Mail) -> set[str]:
    named = [address.address for address in mail.to + mail.cc]
    named += [
        value.strip().strip("<>").lower()
        for header in ("delivered-to", "x-original-to")
        for value in mail.headers.get(header, ())
    ]
    return {form for address in named for form in (address, without_tag(address))}
