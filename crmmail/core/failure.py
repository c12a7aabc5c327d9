"""Why a mail did not leave, as a plain value, and what to do about it in plain words (F84, F396-F398).

Three kinds of evidence, strongest first: the enhanced status code of the answer (RFC 3463: 5.1.1), the reply code with
the stage at which it came (RFC 5321: 550 to RCPT TO), and the words.  Words come first in a few rows only: those of
greylisting and of rate limits, for which no code was ever agreed on.
"""

from __future__ import annotations

import re

from crmmail.core import text
from crmmail.core.pattern import pattern
from crmmail.core.typed import NamedTuple

MAX_WORDS = 300  # columns that are shown
_MAX_READ = 3_000  # characters that are looked at: a report may come from anybody


class Failure(NamedTuple):
    """One try to hand a mail over that did not succeed, or a bounce."""

    kind: str  # of KINDS
    permanent: bool  # trying the very same again is no use (5.x.x); False: try again later (4.x.x)
    ours: bool  # the way out itself is shut (no connection, login, TLS): every other mail would meet the same
    words: str  # what the server or the system said, with its code, one line: "550 5.1.1 no such user"


# The talk with a server, in its order.  What goes wrong in the first four meets every mail.
STAGES = ("connect", "helo", "tls", "login", "sender", "recipient", "data")
OPENING = STAGES[:4]

_SET = "(`crmmail config set smtp.url …`)"
_SET_PASSWORD = "(`crmmail config set smtp.password_command …`)"
_ITSELF = "crmmail tries again by itself, or with the next tick after `crmmail outbox retry`"
_THEN = "then run `crmmail outbox retry`"
_AWAY = "`crmmail outbox cancel` puts this one away"


def _both(what: str) -> tuple[str, str]:
    return f"{what}; {_ITSELF}.", f"{what}; {_THEN}."


# kind → (what to do while crmmail goes on trying, what to do when nobody tries any more)
KINDS = {
    "no-connection": _both(f"Check that the mail server runs and that smtp.url has its host and port {_SET}"),
    "no-such-host": _both(f"Check the host in smtp.url {_SET} and that this computer is on the network"),
    "timeout": _both(f"The mail server is slow or silent: check host and port in smtp.url {_SET}"),
    "tls": _both(
        f"Check that smtp.url names the server as its certificate does, with smtps:// or ?starttls=1 as it wants {_SET}"
    ),
    "login": _both(
        "Check the user in smtp.url and the password that smtp.password_command or smtp.password_file gives "
        f"{_SET_PASSWORD}"
    ),
    "no-login": _both(
        "See whether the server wants a login: then smtp.url needs a user, as in smtp://user@host, and "
        f"smtp.password_command or smtp.password_file a password, else neither {_SET}"
    ),
    "secret": _both(
        f"Try the command of smtp.password_command in a terminal, or look at smtp.password_file {_SET_PASSWORD}"
    ),
    "sender": (
        f"The server doubts our sender address: check it and the user in smtp.url {_SET}; {_ITSELF}.",
        "The server does not let us send from that address: have it allowed there or change the user in smtp.url "
        f"{_SET}; {_THEN}.",
    ),
    "recipient": (
        f"The server does not take the recipient's address now: check it; {_ITSELF}.",
        f"Ask the recipient for the right address, correct the contact and write again; {_AWAY}.",
    ),
    "address": (
        f"What stands behind the @ of the recipient's address cannot be found now: check it; {_ITSELF}.",
        "What stands behind the @ of the recipient's address does not exist or takes no mail: correct it and write "
        f"again; {_AWAY}.",
    ),
    "greylisted": (
        f"Nothing is wrong, the server lets strangers wait some minutes: {_ITSELF}.",
        f"A mail server on the way let us wait and then gave up: {_THEN}.",
    ),
    "quota": (
        f"The recipient's mailbox is full: tell them another way if it is urgent; {_ITSELF}.",
        "The recipient's mailbox is full: tell them another way; when they have made room, run `crmmail outbox retry`.",
    ),
    "size": (
        f"The mail is too large for the server now: if this lasts, write again with smaller files; {_ITSELF}.",
        "The mail is too large for the server: write again with smaller files, or with a link to them.",
    ),
    "content": (
        f"The server takes the mail for spam or finds it against its rules: if this lasts, read its words; {_ITSELF}.",
        "The server refused the mail as spam or against its rules: read its words, change the text or the files and "
        "write again; if it refuses others too, ask your mail provider.",
    ),
    "too-many": _both("The server wants fewer mails in that time: wait an hour"),
    "later": (
        f"The server cannot take it just now, nothing needs doing: {_ITSELF}.",
        f"A mail server on the way could not take it and gave up: wait an hour, {_THEN}.",
    ),
    "refused": _both("The server refused it: read its words and mend what they name"),
    "utf8": _both(
        "The server cannot take an address with letters beyond a to z: ask the recipient for another one, or set "
        f"smtp.url to a server that can {_SET}"
    ),
    "unbuildable": _both("The mail could not be made: read the words and mend what they name"),
    "dropped": (
        "The connection was lost before the server confirmed the mail, so it may have arrived, and a second copy may "
        f"follow: {_ITSELF}.",
        "The connection was lost before the server confirmed the mail, so it may well have arrived, possibly more than "
        "once: ask the recipient before you run `crmmail outbox retry`.",
    ),
}

_STATUS = pattern(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_ADDRESS = pattern(r"[^\s@]{1,64}@\S+")
_GREY = pattern(r"gr[ae]y-?list|\bgr[ae]yed\b", re.I)
# What greylisting says where it does not give its name: postgrey, rspamd ("Try again later"), Exim, Exchange.
_COME_BACK = pattern(r"(?:try|retry) again|(?:try|retry)\s+(?:\S+ )?later|come back|please retry|not yet auth", re.I)
_NOT_GREY = pattern(r"local problem|lookup|mailbox|storage|disk|queue|user|rejected|internal|cannot find|config", re.I)
_TOO_MANY = pattern(
    r"too (?:many|much) (?!hops|mail data|data)|too (?:fast|quickly)|rate[- ]?limit|unusual rate|at a rate|\bthrottl"
    r"|(?:hourly|daily|sending) (?:\S+ ){0,2}(?:limit|quota)",
    re.I,
)
_QUOTA = pattern(r"quota|(?:mailbox|inbox|folder) (?:is |of .{1,80} is )?full|over ?quota|out of space", re.I)
_SIZE = pattern(r"too (?:large|big)|(?:size|length) (?:limit|exceed)|(?:exceeds?|maximum|max) .{0,40}size", re.I)
_CONTENT = pattern(
    r"\bspam|\bvirus|malware|phish|polic(?:y|ies)|blacklist|black list|blocklist|block list|blocked|\bdnsbl|\brbl\b"
    r"|reputation|\bspf\b|\bdkim\b|dmarc|content|unsolicited|banned",
    re.I,
)
_HOST = pattern(
    r"(?:domain|host) (?:name )?(?:not found|does not exist|unknown)|unrouteable|no such domain|nxdomain", re.I
)
_UNKNOWN = pattern(
    r"no such (?:user|recipient|mailbox|address|person)|unknown (?:user|recipient|mailbox|address)"
    r"|(?:user|recipient|mailbox|account|address)\b.{0,60}(?:unknown|not found|unavailable|disabled|does ?n[o']t exist"
    r"|does not exist|inactive|invalid|rejected)|invalid (?:recipient|mailbox)",
    re.I,
)
_SENDER = pattern(r"sender (?:address|verif|domain)|(?:from|sender) address (?:not|is not|reject)|not owned by", re.I)
_NO_RELAY = pattern(
    r"relay(?:ing)? (?:access |is )?(?:denied|not permitted|not allowed|prohibited)|unable to relay", re.I
)
_WANTS_LOGIN = pattern(
    r"authentication (?:is )?required|must authenticate|not authenticated|auth required|log ?in first", re.I
)
_WANTS_TLS = pattern(r"starttls|encryption (?:is )?(?:required|needed)|\btls\b.{0,20}required", re.I)

# Enhanced status without its class → kind (RFC 3463, RFC 7505, the IANA registry of enhanced status codes).
_BY_STATUS = {
    "1.1": "recipient",
    "1.2": "address",
    "1.3": "recipient",
    "1.6": "recipient",
    "1.7": "sender",
    "1.8": "sender",
    "1.10": "address",
    "2.1": "recipient",
    "2.2": "quota",
    "2.3": "size",
    "3.4": "size",
    "4.4": "address",
    "4.5": "too-many",
    "5.3": "too-many",
    "6.7": "utf8",
    "6.9": "utf8",
    "7.10": "tls",
    "7.11": "tls",
    **dict.fromkeys(("7.20", "7.21", "7.22", "7.23", "7.24", "7.25", "7.26"), "content"),  # DKIM, SPF, DNS, DMARC
    "7.27": "sender",
    "7.28": "too-many",
}
# The same, where the first words that fit decide between several meanings of one code.
_BY_WORDS = (
    (_NO_RELAY, "no-login"),
    (_WANTS_LOGIN, "no-login"),
    (_WANTS_TLS, "tls"),
    (_QUOTA, "quota"),
    (_SIZE, "size"),
    (_SENDER, "sender"),
    (_HOST, "address"),
    (_UNKNOWN, "recipient"),
    (_CONTENT, "content"),
)
_OF_SHOP = ("no-connection", "no-such-host", "tls", "login", "no-login", "secret")


def classify(stage: str, code: int, words: str) -> Failure:
    """What a server's refusal means.

    Args:
        stage: of STAGES, when it came; MAIL FROM is `sender`, RCPT TO `recipient`, DATA and its end `data`.
        code: the reply code, 400 to 599; anything else is an answer that is no SMTP.
        words: the reply without the code; several lines have newlines between them.
    """
    words = words[:_MAX_READ]
    if stage in OPENING:
        kind = _at_opening(stage, code, words)
    else:
        kind = _of_mail(stage, code, _status(words), words)
    ours = stage in OPENING or kind in _OF_SHOP or (stage == "sender" and kind == "too-many")
    # A limit on a time passes with the time, whatever the code.
    permanent = 500 <= code <= 599 and not ours and kind != "too-many"
    return Failure(kind, permanent, ours, shown(words, code))


def bounced(status: str, words: str) -> Failure:
    """What a delivery report means (RFC 3464).

    Args:
        status: its Status field; where it is empty or says nothing (5.0.0), the diagnostic's own code is looked at.
        words: its Diagnostic-Code, with or without "smtp;" before it, or what a plain bounce says.
    """
    words = re.sub(r"^\s*(?:smtp|x-[\w.-]+)\s*;\s*", "", words[:_MAX_READ], flags=re.I)
    status = _status(status)
    reply = re.match(r"([45]\d\d)[ -]", words)
    if not status or status.endswith(".0.0"):
        status = _status(words) or status
    permanent = not status.startswith("4") if status else not (reply and reply[1].startswith("4"))
    code = int(reply[1]) if reply and reply[1].startswith("5") == permanent else (500 if permanent else 400)
    kind = _of_mail("recipient" if reply else "", code, status, words)
    # Another server's refusal of a login or of relaying is no trouble with our own way out.
    if kind in _OF_SHOP:
        kind = "refused" if permanent else "later"
    return Failure(kind, permanent, False, shown(words if _status(words) else f"{status} {words}"))


def advice(failure: Failure, *, gave_up: bool = False, mail: int | None = None) -> str:
    """One sentence: what to do.

    Args:
        gave_up: nobody tries again, as after a bounce, or after `retry.GIVE_UP`.
        mail: its number, for the commands that it names.
    """
    trying, over = KINDS[failure.kind]
    said = over if failure.permanent or gave_up else trying
    return re.sub(r"(?<=`crmmail outbox )(retry|cancel)(?=`)", rf"\1 {mail}", said) if mail is not None else said


def shown(words: str, code: int = 0) -> str:
    """`words` of a server or of the system for a person: one clean line of at most MAX_WORDS columns, the code first.

    Servers repeat the enhanced code in each line of their answer; it is shown once.
    """
    lines = words.splitlines()
    first = _STATUS.match(lines[0]) if lines else None
    if first:
        lines[1:] = [line.removeprefix(first[0]) for line in lines[1:]]
    said = " ".join(lines)
    return text.one_line(f"{code} {said}" if 200 <= code <= 599 else said, MAX_WORDS)


def _status(words: str) -> str:
    found = _STATUS.search(words)
    return found[1] if found and found[1][0] != "2" else ""


def _at_opening(stage: str, code: int, words: str) -> str:
    """Before the first mail: about us and the server only."""
    if stage == "tls" and code != 421:
        return "tls"
    if 400 <= code <= 499 and code != 432:
        return "too-many" if _TOO_MANY.search(words) else "later"
    if stage != "login":
        return "no-connection"
    if code == 538 or _WANTS_TLS.search(words):
        return "tls"
    # 500, 502 and 503 do not know AUTH, 504 not this way of it, 530 wants something else before.
    return "no-login" if code in (500, 502, 503, 504, 530) else "login"


def _of_mail(stage: str, code: int, status: str, words: str) -> str:
    """From MAIL FROM on, and in reports."""
    words = _ADDRESS.sub(" ", words)  # quota@customer.example says nothing about a quota
    passing = not 500 <= code <= 599
    if code == 530:
        return "tls" if _WANTS_TLS.search(words) else "no-login"
    if code == 535 or status == "5.7.8":
        return "login"
    if passing and _is_grey(code, status, words):
        return "greylisted"
    if _TOO_MANY.search(words):
        return "too-many"
    if status == "5.4.1" and _UNKNOWN.search(words):  # Exchange says so of unknown recipients
        return "recipient"
    kind = _BY_STATUS.get(status[2:]) or next((kind for said, kind in _BY_WORDS if said.search(words)), "")
    if stage == "sender" and kind in ("recipient", "address"):
        return "sender"  # nobody has spoken of the recipient yet
    if kind and not (stage == "sender" and kind == "content"):
        return kind
    if passing:
        return "later"
    if stage == "sender":
        return "size" if code == 552 else "sender"
    if code == 552:
        return "quota" if stage == "recipient" else "size"
    if stage == "recipient" and code in (550, 551, 553) and (not status or status.startswith("5.1.")):
        return "recipient"
    return "content" if stage == "data" and status.startswith("5.7.") else "refused"


def _is_grey(code: int, status: str, words: str) -> bool:
    if _GREY.search(words):
        return True
    known = code in (450, 451) and (not status or status.startswith(("4.7.", "4.2.0")))
    return known and bool(_COME_BACK.search(words)) and not _NOT_GREY.search(words) and not _TOO_MANY.search(words)
