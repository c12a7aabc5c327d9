"""A letter as people outside may read it, in a quote or in words that are passed on.

Of a letter of ours that is what left: the words without our notification, From the address that he writes under, To
whom it went to.  A user's answer by mail is stored as he sent it to us, with his private address, his token and the
quoted notification.  Of everybody's letter the addresses are as people know them, without our signed tags.
"""

from __future__ import annotations

import re

from crmmail.core import answer, reply, token
from crmmail.core.address import without_tag
from crmmail.core.message import Address
from crmmail.core.typed import NamedTuple
from crmmail.services.hearing.tell import own_addresses
from crmmail.services.sending import envelope, outgoing
from crmmail.store.letters import outbox
from crmmail.store.letters.messages import Message
from crmmail.store.people import directory
from crmmail.workspace import Workspace

DELETED = "(deleted by {login})"  # what stands where a letter stood
_DELETED = re.compile(r"\(deleted by \S+\)")
# An address with a plus-tag, wherever it stands in a text.
_TAGGED = re.compile(r"[^\s<>()\[\],;:\"'@+]{1,64}\+[^\s<>()\[\],;:\"'@]{1,120}@[\w.-]{1,255}")


class Read(NamedTuple):
    """What somebody outside sees of a letter."""

    sender: Address
    to: tuple[str, ...]  # To and Cc: names or addresses
    subject: str
    text: str


def read(workspace: Workspace, message: Message) -> Read:
    """A letter of a record, ours or theirs."""
    author = directory.user(message.author) if message.author else None
    sender = envelope.of_user(author) if author else Address(message.from_name, message.from_address)
    subject, words, to = message.subject, message.text, (*message.to, *message.cc)
    if message.kind == "email_out":
        left = outgoing.own_words(workspace, message)
        subject, words = left.subject, left.text
        named = outbox.named([message.id])[message.id]
        people = (*named.to, *named.cc)
        ours = own_addresses(workspace)
        # One that he sent to the customer himself has no row: whom he named, and not us.
        to = tuple(one.address for one in people) or tuple(one for one in to if without_tag(one) not in ours)
    elif author:
        opening = envelope.opening_of(workspace, message.thread)
        subject = reply.without_tag(subject, message.thread)
        words = answer.without_house(words, message.thread, opening)
    sender = Address(without_marks(sender.name), without_marks(sender.address))
    return Read(sender, tuple(without_marks(one) for one in to), subject, without_marks(words))


def is_deleted(message: Message) -> bool:
    """Did an admin take its words away?  What is left of it says by whom, which is nothing for people outside."""
    return not (message.subject or message.html or message.attachments) and bool(_DELETED.fullmatch(message.text))


def without_marks(text: str) -> str:
    """`text` with the addresses in it as people know them."""
    return _TAGGED.sub(lambda match: token.without_mark(match[0]), text)
