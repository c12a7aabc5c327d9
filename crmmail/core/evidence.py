"""What says that a letter is an answer, and to which record; strongest first (behaviour §2, 5).

token      a signed token in a recipient's address       from anybody
own-id     our signed Message-ID in what it answers      from anybody
reference  a stored Message-ID in what it answers        from participants and proven users
subject    `[101]` in the subject                        from participants and proven users; `[101] (note)`
                                                         answers an internal notice

The tokens of internal notices count only from a proven user: what somebody else answers to one, from a colleague's or
from his own private address, could otherwise reach the customer.
"""

from __future__ import annotations

from crmmail.core import token
from crmmail.core.known import Envelope, Known, Settings, answered_ids, internal_tags, subject_tags, tokens
from crmmail.core.message import Mail
from crmmail.core.sender import Sender
from crmmail.core.typed import NamedTuple


class Evidence(NamedTuple):
    kind: str  # token | own-id | reference | subject
    thread: int
    detail: str
    counts: bool  # False: seen, but not believed from this sender
    internal: bool = False  # what it answers never left the house


# Where a token was found → the kind of evidence, and in words.
MARKS = {
    "address": ("token", "the signed token in its address"),
    "path": ("token", "the signed token in its address"),
    "id": ("own-id", "our signed Message-ID"),
}


def reply_evidence(
    mail: Mail, envelope: Envelope, sender: Sender, known: Known, settings: Settings, notes: list[str]
) -> list[Evidence]:
    """All that says the letter is an answer, strongest first; conflicts go to `notes`."""
    found: list[Evidence] = []

    def add(kind: str, thread: int, detail: str, counts: bool, internal: bool = False) -> None:
        live = known.redirects.get(thread, thread)
        if live not in known.threads:
            notes.append(f"{detail} names record {thread}, which does not exist")
            return
        if live != thread:
            notes.append(f"record {thread} lives on as {live}")
        found.append(Evidence(kind, live, detail, counts, internal))

    for mark, where in tokens(mail, envelope, settings):
        kind, detail = MARKS[where]
        add(kind, mark.thread, detail, sender.proven or not mark.internal, mark.internal)
    for identifier in answered_ids(mail):
        if identifier in known.parents and not token.read_message_id(settings.secret, identifier):
            thread = known.parents[identifier]
            internal = identifier in known.internal_parents
            add("reference", thread, f"it answers <{identifier}>", believed(thread, sender, known), internal)
    for number in subject_tags(mail.subject):
        if known.redirects.get(number, number) not in known.threads:
            continue  # footnotes and trackers write such tags
        if believed(number, sender, known):
            add("subject", number, f"[{number}] in the subject", True, number in internal_tags(mail.subject))
            break
        notes.append(f"[{number}] in the subject is no evidence: {unbelieved(number, sender)}")
    if len({one.thread for one in found if one.counts}) > 1:
        named = ", ".join(f"{one.thread} by {one.kind}" for one in found if one.counts)
        notes.append(f"the evidence disagrees ({named}); the strongest wins")
    return found


def unbelieved(thread: int, sender: Sender) -> str:
    """Why not, where `believed` says no; in words."""
    who = sender.address or "an unclear sender"
    if sender.refuted:
        return f"our own host says that it is not from {who}"
    if sender.user is not None:
        return f"nothing proves that {who} wrote it"
    return f"the sender takes no part in record {thread}"


def believed(thread: int, sender: Sender, known: Known) -> bool:
    """May this sender answer that record without a token?  Participants and proven users may (behaviour §2)."""
    if sender.refuted:
        return False
    if sender.here:
        return True
    if sender.user is not None:
        return sender.proven
    return known.redirects.get(thread, thread) in known.takes_part
