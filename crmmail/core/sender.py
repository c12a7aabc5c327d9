"""Who wrote a letter, and what proves it.

From can be typed by anybody.  A user's powers (changing a state, answering the customer) need proof: he answers a
notification whose token was made for him, or our own mail host vouches for him in Authentication-Results (RFC 8601).
"""

from __future__ import annotations

import re

from crmmail.core import address as addresses
from crmmail.core import automatic
from crmmail.core.known import Envelope, Known, Settings, tokens
from crmmail.core.message import Mail
from crmmail.core.pattern import pattern
from crmmail.core.typed import NamedTuple

_WORD = pattern(r"[a-z0-9._@+-]*\Z")


class Sender(NamedTuple):
    address: str
    user: int | None  # the user with that address, proven or not
    proven: bool
    how: str  # what proved him
    machine: str  # "" or why this is machine mail
    refuted: bool  # our own host says that DMARC failed
    here: bool = False  # it lay among the letters that we wrote, and is from a user or an address of ours


def identify(mail: Mail, envelope: Envelope, known: Known, settings: Settings) -> Sender:
    """Who the sender is and what proves it.  A plain mail proves nothing: From can be typed by anybody.

    Nobody writes to a return path by hand: what comes there from a user is his vacation responder's, though it says
    nothing of itself.  It is known as his, so that nobody takes him for the customer, but it is machine mail: it
    answers nobody.
    """
    address = mail.sender.address
    user = known.users.get(address) if address else None
    verdicts = authentication(mail, settings)
    proven, how, refuted = False, "", "dmarc=fail" in verdicts
    machine = automatic.machine(mail)
    found = tokens(mail, envelope, settings) if user is not None else []
    if any(where == "path" for _, where in found):
        machine = machine or "return-path"
    if user is not None and not refuted:
        if any(mark.who == f"u{user}" for mark, _ in found):
            proven, how = True, "answers a notification that was made for this user"
        else:
            passed = proof_by_host(verdicts, address)
            proven, how = bool(passed), passed
    here = envelope.written_here and not refuted and (user is not None or is_ours(address, known, settings))
    if here and user is not None and not proven:
        proven, how = True, "it lay among the letters that were written here"
    return Sender(address, user, proven, how, machine, refuted, here)


def is_ours(address: str, known: Known, settings: Settings) -> bool:
    """Is it an address that the house itself writes under: an alias, the catchall, the bounce address?"""
    sender = addresses.without_tag(address)
    alias = known.aliases.get(sender)
    ours = alias is not None and alias.user is None  # a personal alias is its user's own address, too
    return bool(sender) and (ours or sender in (settings.catchall, settings.bounce))


def authentication(mail: Mail, settings: Settings) -> frozenset[str]:
    """What our own host's topmost Authentication-Results says: words like `dmarc=pass`, `dkim=pass`, and for an
    aligned signature `dkim=pass:customer.example` (RFC 8601).  Lines of other hosts are anybody's."""
    host = settings.trusted_authserv_id.lower()
    top = mail.headers.get("authentication-results", ())[:1]
    if not host or not top:
        return frozenset()
    name, _, rest = _bare(top[0].lower()).partition(";")
    if name.split()[:1] != [host]:
        return frozenset()
    found = set()
    for clause in rest.split(";"):
        match = re.match(r"\s*(dmarc|dkim|auth)\s*=\s*([a-z]+)", clause)
        if match:
            found.add(f"{match[1]}={match[2]}")
            for signer in re.findall(r"\s(?:header\.d|header\.i|header\.from|smtp\.auth)\s*=\s*([^\s;]+)", clause):
                found.add(f"{match[1]}={match[2]}:{signer}")
    return frozenset(found)


def _bare(line: str) -> str:
    """`line` without comments, which nest, and without quoted strings that are more than a word: in both our host
    repeats words of the sender's, such as the return path `"; dmarc=pass"@evil.example`."""
    kept: list[str] = []
    depth, quote = 0, -1  # how many brackets are open; where in `kept` the open quote began
    escaped = False
    for char in line:
        if escaped:
            escaped = False
        elif char == "\\" and (depth or quote >= 0):
            escaped = True
            continue
        elif char == '"' and not depth:
            if quote >= 0 and not _WORD.match("".join(kept[quote:])):
                kept[quote:] = "?"
            quote = len(kept) if quote < 0 else -1
            continue
        elif char in "()" and quote < 0:
            depth = depth + 1 if char == "(" else max(depth - 1, 0)
            char = " "
        if not depth:
            kept.append(char)
    return "".join(kept if quote < 0 else kept[:quote])


def proof_by_host(verdicts: frozenset[str], address: str) -> str:
    """What of `verdicts` proves that `address` wrote the letter; "" if nothing does."""
    host = addresses.host_of(address)
    dmarc = {one for one in verdicts if one.startswith("dmarc=")}
    if dmarc in ({"dmarc=pass"}, {"dmarc=pass", f"dmarc=pass:{host}"}):  # one verdict, about this From and no other
        return "our own host says dmarc=pass"
    if f"auth=pass:{address}" in verdicts:
        return "our own host says auth=pass"
    for verdict in verdicts:
        signer = verdict.partition("dkim=pass:")[2].rpartition("@")[2]
        if "." in signer and (host == signer or host.endswith("." + signer)):
            return "our own host says dkim=pass, aligned"
    return ""
