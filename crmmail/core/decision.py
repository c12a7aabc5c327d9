"""What is decided about a letter, plain data: `core.route` decides, `services.incoming.judge` does, `why` tells."""

from __future__ import annotations

from crmmail.core.evidence import Evidence
from crmmail.core.sender import Sender
from crmmail.core.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from crmmail.core.failure import Failure  # its tables cost 6 ms, and only bounces need them


class Route(NamedTuple):
    """One fate of the letter.  A letter to two aliases of different targets has two."""

    outcome: str  # stored | duplicate | quarantined | ignored | unconfirmed
    reason: str  # a short code: token, own-id, reference, subject, alias, section, no-route …
    sentence: str
    thread: int | None = None  # stored: the record it joins; duplicate: where the first copy is
    kind: str = ""  # stored without a thread: the kind of record to make
    alias: int | None = None
    recipient: str = ""  # the address of ours that it is about
    section: str = ""
    candidate: int | None = None
    message: int | None = None  # duplicate: the message that is there already
    quarantine: int | None = None  # duplicate: the row that is there already
    supersedes: int | None = None  # a message that this letter is the whole of
    superseded_by: int | None = None  # a message that is the whole of this letter
    internal: bool = False  # answers an internal notice
    delivery: int | None = None  # a bounce: the mail of ours that it speaks of
    failure: Failure | None = None  # a bounce: why that did not arrive; None: a mere report


class Decision(NamedTuple):
    routes: tuple[Route, ...]
    sender: Sender
    evidence: tuple[Evidence, ...] = ()
    notes: tuple[str, ...] = ()  # what else was seen on the way, for `why`
    identifier_contested: bool = False  # its Message-ID belongs to another letter: it is no evidence


def quarantine(reason: str, sentence: str, recipient: str = "") -> Route:
    """The route of a letter that waits for a person."""
    return Route("quarantined", reason, sentence, recipient=recipient)
