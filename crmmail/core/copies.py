"""Letters that were here before: our own coming back, the same one again, and the whole of one that was cut short.

fetchmail offers a mail again when it did not hear our 0; a server line that breaks in the middle hands us half a mail
with a clean end of file, and the whole comes at the next poll under the same Message-ID.
"""

from __future__ import annotations

from crmmail.core import token
from crmmail.core.decision import Route, quarantine
from crmmail.core.known import Envelope, Known, Place, Settings, Twin
from crmmail.core.message import Mail
from crmmail.core.sender import Sender, is_ours
from crmmail.core.typed import NamedTuple

# The reasons of routes that put a copy beside its other copy.
COPIES = ("whole", "cut-short")
# The reasons of routes that were chosen before anybody looked at the addresses: no copy makes a record by another one.
BEFORE_ADDRESSES = ("own-id-reused", "own-address", "bounce-unmatched", "unconfirmed")


class Half(NamedTuple):
    """What two copies of one letter are compared by."""

    size: int
    subject: str
    text: str
    attachments: int


def came_from_us(mail: Mail, known: Known, settings: Settings) -> bool:
    """Our own mail coming back: its content is what we sent, or it bears our signature over just this content."""
    if known.sent_before or "x-crmmail-sent" not in mail.headers:
        return known.sent_before
    mark = token.sent_mark(settings.secret, mail.message_id, mail.content_hash)
    return any(token.same(value, mark) for value in mail.headers["x-crmmail-sent"])


def borrowed_name(mail: Mail, known: Known, settings: Settings) -> Route | None:
    """Quarantine for a letter that uses our name and is not ours."""
    if mail.has_own_id and token.read_message_id(settings.secret, mail.message_id):
        return quarantine("own-id-reused", f"its Message-ID <{mail.message_id}> is one of ours, its content is not")
    if is_ours(mail.sender.address, known, settings):
        return quarantine("own-address", f"it says it is from our own address {mail.sender.address}, and is not signed")
    return None


def same_letter(known: Known) -> tuple[Twin, Route] | None:
    """The equal copy of a letter that is here, and its route."""
    twin = next((one for one in known.twins if one.same_content), None)
    if twin is None:
        return None
    return twin, Route(
        "duplicate",
        "duplicate",
        "the same letter is here already",
        thread=twin.thread,
        message=twin.message,
        quarantine=twin.quarantine,
    )


def cut_copy(mail: Mail, envelope: Envelope, sender: Sender, known: Known) -> tuple[Twin, list[Route]] | None:
    """The copy that this letter is the whole of, or that is the whole of it, and the routes: one for each record that
    the copy is in.

    The longer one supersedes the shorter, so it takes as much trust as an answer: a sender whom nothing refutes, and
    for a user's address a proof.
    """
    if not sender.address or sender.refuted or (sender.user is not None and not sender.proven):
        return None
    # The longest first: of three copies the two shorter ones are both halves of it.
    for twin in sorted(known.twins, key=lambda one: one.size, reverse=True):
        if twin.text is None or twin.thread is None or twin.message is None or twin.from_address != sender.address:
            continue
        this = Half(envelope.size, mail.subject, mail.text.rstrip(), len(mail.attachments))
        that = Half(twin.size, twin.subject, twin.text.rstrip(), twin.attachments)
        places = twin.filed or (Place(twin.thread, twin.message, ""),)
        if twin.cut:
            return twin, [_whole(place) if twin.cut == "half" else _cut_short(place) for place in places]
        # Where the bytes tell nothing the words do.  What was filed may be without the orders that stood in it.
        for one, other in ((this, that), (_without_orders(this), _without_orders(that))):
            if begins(other, one):
                return twin, [_whole(place) for place in places]
            if begins(one, other):
                return twin, [_cut_short(place) for place in places]
    return None


def _without_orders(half: Half) -> Half:
    if "set-" not in half.text.lower():
        return half
    from crmmail.core import orders  # which few letters need

    return half._replace(text=orders.read(half.text).rest.rstrip())


def _whole(place: Place) -> Route:
    sentence = f"the whole of message {place.message}, which the line had cut short"
    reason, cut = COPIES[0], place.message
    return Route("stored", reason, sentence, thread=place.thread, recipient=place.recipient, supersedes=cut)


def _cut_short(place: Place) -> Route:
    sentence = f"a copy of message {place.message} that the line cut short"
    reason, whole = COPIES[1], place.message
    return Route("stored", reason, sentence, thread=place.thread, recipient=place.recipient, superseded_by=whole)


def begins(half: Half, whole: Half) -> bool:
    """Is `half` where the line may have cut `whole`?  A copy without words is one only when it has no files either:
    a scanner sends letters that are nothing but a file, all under one Message-ID."""
    return (
        half.size < whole.size
        and whole.subject.startswith(half.subject)
        and whole.text.startswith(half.text)
        and bool(half.text or not half.attachments)
    )
