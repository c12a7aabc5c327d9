"""What an answer is made of: its subject, whom it goes to, what it quotes, and which letters it stands behind."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from crmmail.core import text as texts
from crmmail.core.address import without_tag as without_plus
from crmmail.core.message import Address
from crmmail.core.typed import NamedTuple

# Reply and forward prefixes of the programs people write with; `Re[2]:` and `AW (3):` too.
_PREFIX = re.compile(
    r"(?:re|aw|antw|antwort|sv|vs|odp|ynt|rif|r|ref|réf|rép|отв|на|fw|fwd|wg|tr|vl|пер|rv|i)"
    r"(?:\[\d{1,4}\]|\s?\(\d{1,4}\))?\s?[:：]\s*",
    re.IGNORECASE,
)
_OWN_TAG = re.compile(r"(\[[ \t]{0,8}#?[0-9]{1,18}[ \t]{0,8}\])\s*(?:\(note\)\s*)?", re.IGNORECASE)
_MARKS = re.compile(r"\A(?:\(note\)\s*)+", re.IGNORECASE)
INTERNAL = "(note)"  # behind the number, in the subject of a notice that stays inside: so does the answer

MAX_QUOTED_LINES = 500  # an answer to a long letter repeats its beginning only
MAX_REFERENCES = 20  # the first and the nearest ones; more serve no mail program


class Addressee(NamedTuple):
    """Somebody who gets a letter as a letter."""

    name: str
    address: str  # canonical
    role: str  # to | cc | bcc
    why: str  # customer | participant | explicit
    user: int | None = None  # set: he works here
    new: bool = False  # never before in this conversation


def subject(words: str, prefix: str = "Re: ") -> str:
    """`words` with one prefix, whatever prefixes of whatever language it has: `AW: Re[2]: Printer` → `Re: Printer`."""
    bare = texts.one_line(words)
    while (match := _PREFIX.match(bare)) and len(bare) > match.end():
        bare = bare[match.end() :]
    return f"{prefix}{bare}"


def without_tag(words: str, number: int) -> str:
    """`words` without the `[101]` or `[101] (note)` of notification mails: customers need not see our numbers."""
    return _OWN_TAG.sub(lambda tag: "" if str(number) in re.findall(r"\d+", tag[1]) else tag[0], words).strip()


def tagged(words: str, number: int, *, internal: bool = False) -> str:
    """`words` with `[101]` before it, once (F165), or `[101] (note)` where the notice stays inside: an answer that has
    lost its threading headers is known by that."""
    mark = f"[{number}] {INTERNAL}" if internal else f"[{number}]"
    bare = _MARKS.sub("", without_tag(texts.one_line(words), number))  # nobody else's subject may say it
    return f"{mark} {bare}".rstrip()


ATTRIBUTION = {
    "en": "On {date}, {who} wrote:",
    "fr": "Le {date}, {who} a écrit :",
    "ru": "{date}, {who} пишет:",
}
FORWARDED = "---------- Forwarded message ----------"


def attribution(who: str, moment: datetime, language: str = "en") -> str:
    """The line above a quote."""
    words = ATTRIBUTION.get(language, ATTRIBUTION["en"])
    return words.format(date=moment.strftime("%Y-%m-%d %H:%M"), who=texts.one_line(who))


def quoted(text: str, heading: str) -> str:
    """`text` as a quote under its heading."""
    lines = texts.clean(text).strip().split("\n")
    more = ["> […]"] if len(lines) > MAX_QUOTED_LINES else []
    kept = lines[:MAX_QUOTED_LINES]
    return "\n".join([heading, *(f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in kept), *more])


def forwarded(text: str, *, who: str, moment: datetime, to: Sequence[str], subject: str) -> str:
    """A letter as it is passed on: its head in words, and its whole text."""
    head = [FORWARDED, f"From: {texts.one_line(who)}", f"Date: {moment:%Y-%m-%d %H:%M %Z}"]
    head += [f"Subject: {texts.one_line(subject)}"]
    head += [f"To: {texts.one_line(', '.join(to))}"] if to else []
    return "\n".join([*head, "", texts.clean(text).strip()])


def references(chain: Sequence[str]) -> tuple[str, ...]:
    """The ids for References: each once, the first and the nearest (RFC 5322 lets a long list be cut in the middle)."""
    ids = tuple(dict.fromkeys(chain))
    return ids if len(ids) <= MAX_REFERENCES else (ids[0], *ids[-(MAX_REFERENCES - 1) :])


def addressees(
    *,
    customer: Sequence[Address],
    others: Sequence[Address],
    to: Sequence[Address],
    cc: Sequence[Address],
    bcc: Sequence[Address],
    everybody: bool,
    ours: Collection[str],
    users: Mapping[str, int],
    known: Collection[str],
) -> tuple[Addressee, ...]:
    """Who gets the letter, each once, To before Cc before Bcc.

    Args:
        customer: who wrote the letter that is answered, else whom the record is about.
        others: To and Cc of that letter; they stay in when `everybody` is answered (F96).
        to, cc, bcc: named by hand; `to` takes the place of the customer.
        ours: addresses of ours whose mail comes back to us: never written to.
        users: address → user, of those who work here.
        known: addresses that took part in the conversation before.
    """
    found: dict[str, Addressee] = {}

    def add(people: Sequence[Address], role: str, why: str) -> None:
        for one in people:
            if one.address and without_plus(one.address) not in ours:
                new = one.address not in known and one.address not in users
                found.setdefault(one.address, Addressee(one.name, one.address, role, why, users.get(one.address), new))

    add(to, "to", "explicit")
    if not to:
        add(customer, "to", "customer")
    add(cc, "cc", "explicit")
    if everybody:
        add([one for one in others if one.address not in users], "cc", "participant")
    add(bcc, "bcc", "explicit")
    return tuple(found.values())
