"""What a bounce says: which of our mails it speaks of, whom that one did not reach, and why.

Half of the world's mailers write a report for programs (RFC 3464; RFC 6533 where addresses go beyond ASCII).  It is
read first and believed.  The other half (qmail, Exim, OpenSMTPD, the old Exchange) write a letter for people with the
original mail under it, so the letter is cut off where that copy begins and read by the habits of those mailers.  What
the report leaves open is taken from the letter too: many reports name no diagnostic.

The surest word on which mail bounced is the Message-ID of the copy that came back; then what the report calls the
original id; then what the bounce answers; then ids that stand in its text as a quoted header.

A bounce is anybody's to forge and any size, so at most SCANNED characters of a part are read, and every pattern here
takes linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from crmmail.core.address import canonical
from crmmail.core.message import Mail, Report
from crmmail.core.text import one_line
from crmmail.core.typed import NamedTuple
from crmmail.mail.charset import decode_words
from crmmail.mail.header import fields, split_header, unfolded, with_newlines

SCANNED = 200_000  # of the text and of each part
OWN_WORDS = 50_000  # of the text above the copy; a mailer with more to say writes a report
MAX_IDS = 20
MAX_RECIPIENTS = 1000
MAX_PARTS = 5  # of one kind: a mail may have a thousand
WORDS_LIMIT = 300

# The gravest first: a report that names several fates is about those of the gravest.
ACTIONS = ("failed", "delayed", "relayed", "expanded", "delivered")

_STATUS_PARTS = ("message/delivery-status", "message/global-delivery-status")
_COPIES = (
    "message/rfc822",
    "text/rfc822-headers",
    "message/rfc822-headers",
    "message/global",
    "message/global-headers",
)
_ORIGINAL_IDS = ("original-message-id", "x-original-message-id")

_BLANK_LINE = re.compile(rb"\n[ \t]*\n")
_GAP = re.compile(r"\n{3,}")
_COMMENT = re.compile(r"\([^()]*\)")
_TYPE_PREFIX = re.compile(r"[A-Za-z0-9-]{1,40};\s*")
_ESCAPED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")  # RFC 6533 §3, utf-8-addr-xtext
_ID = re.compile(r"<([!-;=?-~]{1,255})>")
# A header's line, as it stands in the text: maybe quoted, maybe folded behind the colon.
_QUOTED_ID = re.compile(
    r"^[> \t|]{0,20}(?:x-)?(?:original-)?message-id[ \t]{0,9}:[ \t]{0,9}(?:\n[> \t|]{1,20})?<([!-;=?-~]{1,255})>",
    re.I | re.M,
)

_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)")
# In prose a status must look like one: #5.1.1, (5.1.1), 550 5.1.1.  Addresses of hosts and versions have dots too.
_TOLD_STATUS = re.compile(r"(?:[#(\[]|(?<![\w.])[45]\d\d[ -])([45]\.[0-7]\.\d{1,3})(?!\.?\d)")
_TOLD_CODE = re.compile(r"(?<![\w.:/@-])(421|45[0-5]|50[0-4]|521|523|53[0-58]|55[0-7]|571)(?=[ :-]|$)", re.M)
_FULL = ("quota", "mailbox full", "mailbox is full", "exceeded storage", "переполнен")

_ADDRESS = r"[^\s<>()\[\]:;,@]{1,64}@[^\s<>()\[\]:;,@]{1,255}"
# How plain bounces name a recipient, one alternative each; each begins a line.
_TOLD_RECIPIENT = re.compile(
    rf"^[ \t]{{0,10}}<({_ADDRESS})>(?=[ \t]{{0,9}}(?:[:(]|$))"  # qmail, Postfix, Yahoo, sendmail
    rf"|^[ \t]{{1,10}}({_ADDRESS})$"  # Exim, Gmail
    rf"|^[ \t]{{0,10}}({_ADDRESS}) on (?=[^\n]{{0,20}}\d)[^\n]{{0,60}}$"  # Exchange 5.5, 2003
    rf"|^[^\n<]{{0,200}}<mailto:({_ADDRESS})>$"  # Exchange 2007 and later
    rf"|^({_ADDRESS}):(?= )"  # OpenSMTPD
    rf"|^[ \t]{{0,10}}(?:original |final )?recipient(?: address)?:[ \t]{{0,9}}<?({_ADDRESS})",  # Sun, James
    re.I | re.M,
)
_NAMED_RECIPIENT = re.compile(rf"\b(?:deliver|delivered|delivery|message|email) to[ \n]<?({_ADDRESS})", re.I)
# What stands above the reason where it is neither at the recipient nor has a status.
_REASON = re.compile(
    r"^[ \t]{0,10}(?:technical details of \w{1,20} failure|the response was|the reason for the problem):", re.I | re.M
)
# Where the mailer stops speaking and the original mail begins: a line of its own, or the first line of a header.
_COPY_BEGINS = re.compile(
    r"^(?:[-* \t>]{0,40}(?:this is a copy of|below (?:this line )?is a copy|original message|the header of the original"
    r"|undelivered message|unsent message below|message headers? follow|returned message|копия сообщения|исходное)"
    r"|(?:return-path|received|dkim-signature|mime-version|message-id)[ \t]{0,9}:)",
    re.I | re.M,
)

# What says that the mailer will try again.  A subject counts by its beginning: its end is often the original's.
_DELAYED_SUBJECTS = (
    "warning: message",
    "warning: could not send",
    "delayed",
    "delivery delayed",
    "delivery status notification (delay)",
    "zustellung verzögert",
    "verzögert",
    "remise différée",
    "remise retardée",
    "доставка отложена",
    "доставка задерж",
    "entrega retrasada",
    "recapito ritardato",
    "bezorging vertraagd",
)
_DELAYED_WORDS = (
    "has not yet been delivered",
    "has not been delivered yet",
    "will be retried",
    "will continue to be attempted",
    "delivery attempts will continue",
    "will keep trying",
    "will continue trying",
    "no action is required",
    "do not need to resend",
    "don't need to resend",
    "is a warning message only",
    "delivery has been delayed",
    "noch nicht zugestellt",
    "pas encore été remis",
    "ещё не доставлен",
    "еще не доставлен",
    "попытки доставки будут продолж",
    "aún no se ha entregado",
    "non è stato ancora recapitato",
    "nog niet bezorgd",
    "ainda não foi entregue",
)
_FINAL_WORDS = ("permanent error", "permanent fatal", "failed permanently", "given up", "giving up on the message")


class _Group(NamedTuple):
    """What a report says of one recipient."""

    action: str
    status: str
    recipient: str  # canonical, "" where it names none
    words: str


class _Told(NamedTuple):
    """What the words of a letter say."""

    status: str
    recipients: tuple[str, ...]
    words: str
    delayed: bool


def read(mail: Mail) -> Report | None:
    """What the bounce `mail` reports; None where it names no mail, no recipient and no status.

    `mail` was judged to be one (`core.automatic.bounce`).  A report of several fates is about the gravest: where one
    recipient failed, those that were reached are left out.  `status` and `words` are of one recipient; where hard and
    soft failures are mixed, of a soft one, so that no address is given up for another's fault.
    """
    head = _head(mail)
    told = _told(mail, head)
    found = (block for data in _parts(mail, _STATUS_PARTS) for block in _blocks(data))
    blocks = list(islice(found, MAX_RECIPIENTS))
    if not blocks:  # the report of a mail whose boundaries are broken lies in its text
        found = (block for block in _blocks(head.encode()) if "final-recipient" in block)
        blocks = list(islice(found, MAX_RECIPIENTS))
    groups = list(filter(None, (_group(block, told.delayed) for block in blocks)))
    ids = _ids(mail, blocks)
    if not groups:
        action = "delayed" if told.delayed else "failed"
        report = Report(action, told.status, told.recipients, told.words, ids)
    else:
        action = min((group.action for group in groups), key=ACTIONS.index)
        meant = [group for group in groups if group.action == action]
        shown = next((group for group in meant if group.status.startswith("4")), meant[0])
        recipients = _unique(group.recipient for group in meant)
        report = Report(
            action,
            shown.status or (told.status if action in ("failed", "delayed") else ""),
            recipients or told.recipients,
            shown.words or told.words,
            ids,
        )
    return report if report.ids or report.recipients or report.status else None


def _parts(mail: Mail, types: tuple[str, ...]) -> list[bytes]:
    return [part.data[:SCANNED] for part in mail.attachments if part.type in types][:MAX_PARTS]


def _blocks(data: bytes) -> Iterator[dict[str, bytes]]:
    """The groups of fields of a report by name, the first of a name; blank lines part them (RFC 3464 §2.1)."""
    lines = with_newlines(data).replace(b"\r\n", b"\n")
    for block in _BLANK_LINE.split(lines):
        named: dict[str, bytes] = {}
        for field in fields(block):
            named.setdefault(field.name, field.raw)
        if named:
            yield named


def _group(named: dict[str, bytes], delayed: bool) -> _Group | None:
    """One recipient's fate; None for the fields of the whole report and for junk."""
    if not named.keys() & {"final-recipient", "original-recipient", "action", "status"}:
        return None
    stated = _value(named, "status")
    diagnostic = _diagnostic(named.get("diagnostic-code", b""))
    found = _STATUS.search(stated)
    status = found[1] if found else _told_status(diagnostic)[0]
    comment = _COMMENT.search(stated)
    # The address that we wrote to; the final one may be where somebody forwards his mail to, whom we do not know.
    recipient = _recipient(_value(named, "original-recipient")) or _recipient(_value(named, "final-recipient"))
    action = " ".join(_COMMENT.sub(" ", _value(named, "action")).lower().split()[:1])
    if action not in ACTIONS:
        retried = delayed or "will-retry-until" in named
        action = {"2": "delivered", "4": "delayed" if retried else "failed"}.get(status[:1], "failed")
    return _Group(action, status, recipient, diagnostic or (_line(comment[0][1:-1]) if comment else ""))


def _value(named: dict[str, bytes], name: str) -> str:
    return unfolded(named.get(name, b"")[:4000]).decode("utf-8", "replace")


def _recipient(value: str) -> str:
    """`rfc822; <Ann@x.example> (Ann)` → `ann@x.example`; "" where it is no address."""
    kind, typed, address = value.partition(";")
    if not typed:
        kind, address = "", value
    if kind.strip().lower() == "utf-8":
        address = _ESCAPED.sub(_letter, address)
    if "<" in address:
        address = address.partition("<")[2].partition(">")[0]
    return canonical(_COMMENT.sub(" ", address).strip())


def _letter(escaped: re.Match[str]) -> str:
    number = int(escaped[1], 16)
    return chr(number) if number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else escaped[0]


def _diagnostic(raw: bytes) -> str:
    """What the other server said, without the `smtp;` that says in which language."""
    return _line(_TYPE_PREFIX.sub("", decode_words(raw[:4000], limit=2000).strip(), count=1))


def _line(words: str) -> str:
    return one_line(words[:2000], WORDS_LIMIT)[:WORDS_LIMIT]


def _ids(mail: Mail, blocks: list[dict[str, bytes]]) -> tuple[str, ...]:
    """The Message-IDs of the mail that the bounce speaks of, the surest first."""
    found = [one for data in _parts(mail, _COPIES) for one in _own_id(data)]
    found += [one for named in blocks for name in _ORIGINAL_IDS for one in _ID.findall(_value(named, name))]
    found += mail.in_reply_to
    found += reversed(mail.references)  # the last of them is what is answered (RFC 5322 §3.6.4)
    found += [quoted[1] for quoted in _QUOTED_ID.finditer(mail.text[:SCANNED]) if "@" in quoted[1]]
    return tuple(one for one in dict.fromkeys(found) if one != mail.message_id)[:MAX_IDS]


def _own_id(data: bytes) -> list[str]:
    """The Message-ID in the header of a mail that came back, not those of mails inside it."""
    for field in fields(split_header(data)[0]):
        if field.name == "message-id":
            return _ID.findall(unfolded(field.raw[:4000]).decode("latin-1"))[:1]
    return []


def _head(mail: Mail) -> str:
    """The mailer's own words: the text above the copy of the original, no blanks at line ends, one blank line a gap."""
    text = "\n".join(line.rstrip() for line in mail.text[:OWN_WORDS].split("\n"))
    text = _GAP.sub("\n\n", text)
    copy = _COPY_BEGINS.search(text)
    return text[: copy.start()] if copy else text


def _told(mail: Mail, head: str) -> _Told:
    """What the mailer says to people in `head`, and in X-Failed-Recipients."""
    named = islice(_TOLD_RECIPIENT.finditer(head), MAX_RECIPIENTS)
    places = [(place, canonical(place[place.lastindex or 0])) for place in named]
    places = [(place, address) for place, address in places if address]
    recipients = _unique(
        canonical(one.strip().strip("<>"))
        for one in ",".join(mail.headers.get("x-failed-recipients", ()))[:SCANNED].split(",")
    )
    if not recipients:
        recipients = _unique(address for _, address in places)
    if not recipients:
        named = islice(_NAMED_RECIPIENT.finditer(head), MAX_RECIPIENTS)
        recipients = _unique(canonical(place[1].rstrip(".")) for place in named)
    status, at = _told_status(head)
    words = _told_words(head, at, [place for place, _ in places])
    return _Told(status, recipients, words, _delayed(mail.subject, head))


def _told_status(words: str) -> tuple[str, int]:
    """The status in a mailer's own words and where it stands; ("", -1) without one.

    A reply code alone tells only its class, and a full mailbox where the words say so.
    """
    if found := _TOLD_STATUS.search(words):
        return found[1], found.start()
    if found := _TOLD_CODE.search(words):
        said = words[found.start() : found.start() + 200].lower()
        return found[1][0] + (".2.2" if any(word in said for word in _FULL) else ".0.0"), found.start()
    return "", -1


def _told_words(head: str, at: int, places: list[re.Match[str]]) -> str:
    """The paragraph in which the status stands at `at`, or else what follows a heading or the first recipient."""
    begins = [head.rfind("\n\n", 0, at) + 1, *(place.end() for place in places if place.end() <= at)]
    if at < 0:
        heading = _REASON.search(head) or next(iter(places), None)
        if heading is None:
            return ""
        at = heading.end()
        begins = [at]
        while at < len(head) and head[at] in ": \t\n":
            at += 1
    ends = [head.find("\n\n", at), *(place.start() for place in places if place.start() > at)]
    end = min((end for end in ends if end >= 0), default=len(head))
    lines = [line for line in head[max(begins) : end].split("\n") if not line.lstrip().startswith("---")]  # headings
    return _line(" ".join(lines).lstrip(": "))


def _delayed(subject: str, head: str) -> bool:
    """Whether the letter says that the mailer will try again."""
    if subject.strip().lower().startswith(_DELAYED_SUBJECTS):
        return True
    said = " ".join(head.lower().split())
    return any(words in said for words in _DELAYED_WORDS) and not any(words in said for words in _FINAL_WORDS)


def _unique(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, addresses)))[:MAX_RECIPIENTS]
