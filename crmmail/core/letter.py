"""An outgoing mail as a plain value: one mail to one recipient.

`services.sending.outgoing` fills it, `mail.compose` makes bytes of it, `mail.smtp` hands those over.  Addresses are
canonical; nothing else in it is trusted to be one line or free of control characters: `mail.compose` sees to that.
"""

from __future__ import annotations

from datetime import datetime

from crmmail.core.message import Address
from crmmail.core.typed import NamedTuple


class File(NamedTuple):
    """Something attached.  A whole mail has the type `message/rfc822`, and its raw bytes are its data."""

    name: str
    type: str  # "image/png", lower case
    data: bytes


class Letter(NamedTuple):
    """What one recipient will read, and what its envelope says."""

    recipient: str  # RCPT TO: exactly one
    return_path: str  # MAIL FROM: where a bounce goes; "" is the null path
    identifier: str  # Message-ID, without <>; the same over all tries
    date: datetime  # aware; of the message, not of the try
    sender: Address  # From
    to: tuple[Address, ...]  # the To header, which need not name the recipient (Bcc)
    cc: tuple[Address, ...]
    reply_to: Address | None
    subject: str
    text: str  # the whole text, quote and all
    markdown: bool = False  # give it an HTML alternative, made from the text as Markdown
    in_reply_to: str = ""  # id without <>
    references: tuple[str, ...] = ()  # ids without <>, oldest first
    files: tuple[File, ...] = ()
    automatic: bool = False  # no person wrote it to this recipient: Auto-Submitted, X-Loop
