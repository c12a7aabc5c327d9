"""Messages and what hangs on them; letters in quarantine, the outbox, the journal."""

from __future__ import annotations

from peewee import AutoField, BlobField, BooleanField, CompositeKey, ForeignKeyField, IntegerField

from crmmail.store.fields import JSONText, Text, UTCField
from crmmail.store.models.base import Table, some, word
from crmmail.store.models.records import Contact, Subtype, Thread
from crmmail.store.models.rules import Rule
from crmmail.store.models.shop import User


class Original(Table):
    """One incoming mail as it came.  The unique index is what stops two deliveries of one mail at once."""

    id = AutoField()
    message_id = word()
    content_hash = word()
    from_address = word()
    mailbox = word(null=True)  # the mailbox that it was fetched from, where the mail tells (Delivered-To)
    received = UTCField()
    size = IntegerField()
    data = BlobField(null=True)  # zlib; None where the alias does not keep originals

    class Meta:
        table_name = "crm_original"
        indexes = ((("message_id", "content_hash"), True),)


class Message(Table):
    """A contribution to a thread.  Append-only for users (F74)."""

    id = AutoField()
    thread = ForeignKeyField(Thread)
    kind = word()
    subtype = ForeignKeyField(Subtype, column_name="subtype", index=False)
    internal = BooleanField(default=False)
    automatic = BooleanField(default=False)
    author = ForeignKeyField(User, null=True, index=False)
    from_name = Text(default="")
    from_address = word(default="")
    subject = Text(default="")
    text = Text(default="")
    html = Text(default="")
    date = UTCField()  # what the letter says; the order in a thread is that of the ids
    received = UTCField(index=True)
    message_id = word(null=True, index=True)
    original = ForeignKeyField(Original, null=True)
    superseded_by = ForeignKeyField("self", null=True, index=False)  # a copy that the line had cut short
    answers = ForeignKeyField(
        "self", null=True, index=False
    )  # the message that this letter of ours answers or forwards
    format = word(default="plain")  # plain | markdown: leaves with an HTML alternative made of it
    details = JSONText(null=True)  # of a system message: [{"field", "old", "new"}]
    rule = ForeignKeyField(Rule, null=True, index=False)  # which rule wrote it
    template = word(null=True)  # of an automatic mail: what it will be written from when it leaves

    class Meta:
        table_name = "crm_message"


some(Message, "message_with_author", Message.author)
some(Message, "message_superseded", Message.superseded_by)
some(Message, "message_answering", Message.answers)
some(Message, "message_by_rule", Message.rule)


class MessageAddress(Table):
    """From, To and Cc of a message: who has taken part in the conversation."""

    id = AutoField()
    message = ForeignKeyField(Message)
    thread = ForeignKeyField(Thread)
    role = word()  # from | to | cc
    name = Text(default="")
    address = word()

    class Meta:
        table_name = "crm_message_address"
        indexes = ((("address", "thread"), False),)


class Blob(Table):
    """The bytes of attachments, each once."""

    sha256 = word(primary_key=True)
    size = IntegerField()
    data = BlobField()

    class Meta:
        table_name = "crm_blob"


class Attachment(Table):
    id = AutoField()
    message = ForeignKeyField(Message)
    position = IntegerField()
    name = Text()
    type = word()
    content_id = Text(default="")
    inline = BooleanField(default=False)
    size = IntegerField()
    blob = ForeignKeyField(Blob, column_name="sha256")

    class Meta:
        table_name = "crm_attachment"


class Quarantine(Table):
    """A letter that found no record, or may not have it yet.  Nothing is ever lost (F113)."""

    id = AutoField()
    original = ForeignKeyField(Original)
    reason = word(index=True)
    sentence = Text()
    recipient = word(null=True)  # the address of ours that this row is about
    recipients = JSONText(default=list)
    from_name = Text(default="")
    from_address = word(default="")
    subject = Text(default="")
    text = Text(default="")  # the beginning, for the list
    candidate = ForeignKeyField(Thread, null=True)
    internal = BooleanField(default=False)  # answers what never left the house, and stays inside wherever it is put
    state = word(default="waiting")  # waiting | routed | created | spam | purged
    message = ForeignKeyField(Message, null=True)  # what it became
    received = UTCField()
    decided = UTCField(null=True)
    decided_by = ForeignKeyField(User, null=True)

    class Meta:
        table_name = "crm_quarantine"
        indexes = ((("state", "reason"), False),)


class Decision(Table):
    """Why a mail went where it went, one row a route: `crmmail why` reads it."""

    id = AutoField()
    original = ForeignKeyField(Original)
    at = UTCField()
    outcome = word()
    reason = word()
    sentence = Text()
    recipient = word(null=True)  # the address of ours that the route was for
    thread = ForeignKeyField(Thread, null=True)
    message = ForeignKeyField(Message, null=True)
    quarantine = ForeignKeyField(Quarantine, null=True, index=False)
    created = BooleanField(default=False)
    counted = BooleanField(default=True)  # counts for the loop limits
    sender = word(default="")
    evidence = JSONText(default=list)

    class Meta:
        table_name = "crm_decision"
        indexes = ((("sender", "at"), False),)


some(Decision, "decision_quarantined", Decision.quarantine)


class Notification(Table):
    """An item in somebody's inbox: about a message, or about a letter in quarantine."""

    id = AutoField()
    user = ForeignKeyField(User, index=False)
    message = ForeignKeyField(Message, null=True, index=False)
    quarantine = ForeignKeyField(Quarantine, null=True, index=False)
    thread = ForeignKeyField(Thread, null=True)
    why = word()  # follower | addressed | mentioned | admin | manager | …
    created = UTCField()
    done = UTCField(null=True)  # read by `show`, or dismissed

    class Meta:
        table_name = "crm_notification"
        indexes = ((("user", "done", "id"), False), (("user", "id"), False), (("message", "user"), True))


some(
    Notification, "notification_of_letter", Notification.quarantine, Notification.user, unique=True,
    filled=Notification.quarantine,
)  # fmt: skip


class Star(Table):
    """Set aside by one user for himself; stays until he takes it away (F58)."""

    user = ForeignKeyField(User, index=False)
    message = ForeignKeyField(Message)
    created = UTCField()

    class Meta:
        table_name = "crm_star"
        primary_key = CompositeKey("user", "message")
        indexes = ((("user", "created"), False),)


class Delivery(Table):
    """One recipient of one outgoing mail: the outbox, and the red envelope when it fails (F84)."""

    id = AutoField()
    message = ForeignKeyField(Message, index=False)
    thread = ForeignKeyField(Thread, index=False)
    user = ForeignKeyField(User, null=True, index=False)
    contact = ForeignKeyField(Contact, null=True, index=False)
    address = word()
    purpose = word()  # notification | mail
    role = word(default="copy")  # of a mail: to | cc | bcc, as it was asked for; copy: a follower's, all his own
    why = word(default="")  # customer, participant, follower, explicit …
    state = word(default="queued")  # queued | sent | failed | bounced | cancelled
    identifier = word(unique=True)  # its Message-ID: signed, for this recipient, the same over all tries
    content_hash = word(null=True)  # of what was sent, to know it when it comes back
    attempts = IntegerField(default=0)
    due = UTCField()
    reason = Text(null=True)  # what the last try, or the bounce, said
    failure = word(null=True)  # its kind, of core.failure.KINDS
    worker = word(null=True)  # who is sending it at this moment (services.worker)
    lease = UTCField(null=True)  # until when that holds, by the real clock
    created = UTCField()
    sent = UTCField(null=True)

    class Meta:
        table_name = "crm_delivery"
        indexes = ((("state", "due"), False), (("message", "state"), False), (("thread", "state"), False))


some(Delivery, "delivery_to_user", Delivery.user)
some(Delivery, "delivery_to_contact", Delivery.contact)
some(Delivery, "delivery_known_content", Delivery.content_hash)
some(Delivery, "delivery_sent", Delivery.sent)


class BadAddress(Table):
    """An address that does not exist, says a bounce: writing to it warns."""

    address = word(primary_key=True)
    since = UTCField()
    reason = Text()
    delivery = ForeignKeyField(Delivery, null=True)

    class Meta:
        table_name = "crm_bad_address"


class Journal(Table):
    """Who did what, and how to undo it."""

    id = AutoField()
    user = ForeignKeyField(User, null=True, index=False)
    os_login = word(null=True)
    at = UTCField()
    act = word()
    sentence = Text()
    thread = IntegerField(null=True, index=True)  # no foreign key: the journal outlives what it tells of
    changes = JSONText(default=list)  # [[table, key, field, before, after], …]
    undoable = BooleanField(default=True)
    undone = UTCField(null=True)

    class Meta:
        table_name = "crm_journal"
        indexes = ((("user", "id"), False),)


Journal.add_index(Journal.index(Journal.user, Journal.id, name="journal_final", where=~Journal.undoable))
