"""The tables.  `docs/schema.md` is generated from here; `migrations/` makes them.

A thread is what every record has exactly one of, and a record's key *is* its thread's: one number space (house.md).
Test for a column of `Thread`: would a contact's thread need it?  Message, Attachment and Follower hang on the
thread; Notification and Star belong to (message, user), never to the message.  All names begin with `crm_`, because
`case` and `user` are reserved words.
"""

from __future__ import annotations

from typing import Any

from peewee import (
    AutoField,
    BlobField,
    BooleanField,
    CharField,
    CompositeKey,
    DatabaseProxy,
    FloatField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)

from crmmail.store.fields import JSONText, UTCField

database = DatabaseProxy()


class Table(Model):
    class Meta:
        database = database
        legacy_table_names = False


def word(**options: Any) -> CharField:
    """A short text: a code, a login, a state."""
    return CharField(max_length=255, **options)


# --- the shop: settings, people, sections, addresses --------------------------------------------------------


class Setting(Table):
    """What `init` and `config set` wrote, and the store's secret."""

    key = word(primary_key=True)
    value = TextField()

    class Meta:
        table_name = "crm_setting"


class User(Table):
    """Somebody who works here."""

    id = AutoField()
    login = word(unique=True)
    name = TextField()
    os_login = word(null=True)
    admin = BooleanField(default=False)
    notify = word(default="inbox")  # inbox | email | both | none
    lang = word(default="en")
    active = BooleanField(default=True)
    away_until = UTCField(null=True)  # on leave: new work goes to the deputy
    deputy = ForeignKeyField("self", null=True)
    created = UTCField()

    class Meta:
        table_name = "crm_user"


class UserAddress(Table):
    """An address of a user.  A virtual one exists nowhere on the mail server: the catchall receives it (F145)."""

    address = word(primary_key=True)
    user = ForeignKeyField(User, backref="addresses")
    main = BooleanField(default=False)  # where notifications go
    virtual = BooleanField(default=False)

    class Meta:
        table_name = "crm_user_address"


class Section(Table):
    """A department: a node of a tree, with its policies."""

    id = AutoField()
    code = word(unique=True)
    name = TextField()
    parent = ForeignKeyField("self", null=True)
    manager = ForeignKeyField(User, null=True)
    address = word(null=True)  # answers of its records come back here; an alias of the same address exists
    on_user_reply = word(default="close")
    on_partner_reply = word(default="open")
    assign = word(default="none")
    reopen_window = word(default="")  # a duration: how long after closing an answer opens a case again; "": for ever
    reopen_cancelled = BooleanField(default=False)  # does an answer open a cancelled case?
    active = BooleanField(default=True)

    class Meta:
        table_name = "crm_section"


class Category(Table):
    """What differs among the cases of one section."""

    id = AutoField()
    section = ForeignKeyField(Section)
    name = TextField()
    probability = FloatField(null=True)  # percent: what a record gets that has none of its own
    active = BooleanField(default=True)

    class Meta:
        table_name = "crm_category"
        indexes = ((("section", "name"), True),)


class Alias(Table):
    """An address of ours that makes records (F122)."""

    id = AutoField()
    address = word(unique=True)
    kind = word()
    section = ForeignKeyField(Section, null=True)
    user = ForeignKeyField(User, null=True)  # set: this is that user's personal alias
    policy = word(default="everyone")  # everyone | contacts | followers
    on_reply = word(default="thread")  # thread | new
    defaults = JSONText(default=dict)  # field → text, as `set` takes them
    keep_original = BooleanField(default=True)
    loop_limit = IntegerField(null=True)  # new records a sender in loop.minutes, instead of loop.new_records
    active = BooleanField(default=True)

    class Meta:
        table_name = "crm_alias"


class PartnerCategory(Table):
    """A path of words, made on first use: `Support contract / Gold` stands under `Support contract`."""

    id = AutoField()
    path = word(unique=True)  # folded to lower case, parts joined by " / "
    name = TextField()  # as it was first written

    class Meta:
        table_name = "crm_partner_category"


# --- threads and records ------------------------------------------------------------------------------------


class Thread(Table):
    """One topic.  Its number is the record's number, and is never used again."""

    id = AutoField()
    kind = word()
    title = TextField()
    address = word(null=True)  # the address of ours that this conversation is held under
    moved_to = ForeignKeyField("self", null=True)  # merged or converted: later replies go there
    author = ForeignKeyField(User, null=True)  # who made it; None: a mail did
    created = UTCField()
    updated = UTCField(index=True)

    class Meta:
        table_name = "crm_thread"


class Contact(Table):
    """A person or firm outside.  No state."""

    thread = ForeignKeyField(Thread, primary_key=True)
    company = TextField(null=True)
    company_key = word(null=True, index=True)  # the company in lower case: colleagues have the same one
    category = ForeignKeyField(PartnerCategory, null=True)
    lang = word(null=True)

    class Meta:
        table_name = "crm_contact"


class ContactAddress(Table):
    """An address of a contact.  Not unique: one person can be several cards (F10)."""

    id = AutoField()
    contact = ForeignKeyField(Contact, backref="addresses")
    address = word(index=True)

    class Meta:
        table_name = "crm_contact_address"
        indexes = ((("contact", "address"), True),)


class Case(Table):
    """Something to be solved."""

    thread = ForeignKeyField(Thread, primary_key=True)
    state = word(index=True)
    section = ForeignKeyField(Section, null=True)
    category = ForeignKeyField(Category, null=True)
    responsible = ForeignKeyField(User, null=True)
    priority = IntegerField(default=3)
    partner = ForeignKeyField(Contact, null=True)
    email = word(null=True, index=True)
    partner_name = TextField(null=True)  # as the letter gave it, where no contact is known
    deadline = UTCField(null=True)
    revenue = FloatField(null=True)
    cost = FloatField(null=True)
    probability = FloatField(null=True)  # percent
    assigned = UTCField(null=True)
    closed = UTCField(null=True)
    acted = UTCField(null=True)  # when a person, inside or outside, last did something; rules and machines do not count
    partner_wrote = UTCField(null=True)  # the last letter from outside by a person
    answered = UTCField(null=True)  # the first letter that a user wrote to somebody outside

    class Meta:
        table_name = "crm_case"
        indexes = ((("section", "state"), False),)


class Lead(Table):
    """Somebody who may become a customer."""

    thread = ForeignKeyField(Thread, primary_key=True)
    state = word(index=True)
    section = ForeignKeyField(Section, null=True)
    responsible = ForeignKeyField(User, null=True)
    priority = IntegerField(default=3)
    partner = ForeignKeyField(Contact, null=True)
    email = word(null=True, index=True)
    partner_name = TextField(null=True)
    revenue = FloatField(null=True)
    probability = FloatField(null=True)
    assigned = UTCField(null=True)
    closed = UTCField(null=True)
    acted = UTCField(null=True)
    partner_wrote = UTCField(null=True)
    answered = UTCField(null=True)

    class Meta:
        table_name = "crm_lead"


class RecordContact(Table):
    """Further contacts of a case or lead, beside its partner (F193): they take part in its conversation."""

    id = AutoField()
    thread = ForeignKeyField(Thread)
    contact = ForeignKeyField(Contact)

    class Meta:
        table_name = "crm_record_contact"
        indexes = ((("thread", "contact"), True),)


class Activity(Table):
    """Something that somebody has to do about a record by a day."""

    id = AutoField()
    thread = ForeignKeyField(Thread)
    user = ForeignKeyField(User, null=True)
    summary = TextField()
    due = UTCField()
    created = UTCField()
    done = UTCField(null=True)

    class Meta:
        table_name = "crm_activity"
        indexes = ((("done", "due"), False),)


class Sla(Table):
    """By when a new case must be done: of all rows that fit a case, the most particular one counts."""

    id = AutoField()
    section = ForeignKeyField(Section, null=True)  # and those below it
    partner_category = ForeignKeyField(PartnerCategory, null=True)  # and those below it
    priority = IntegerField(null=True)
    within = word()  # a duration
    working = BooleanField(default=False)  # counted in working hours

    class Meta:
        table_name = "crm_sla"


class View(Table):
    """A query with a name, of one user, or (user is null) for everybody."""

    id = AutoField()
    user = ForeignKeyField(User, null=True)
    name = word()
    kind = word()
    query = TextField()

    class Meta:
        table_name = "crm_view"
        indexes = ((("user", "name"), True),)


# --- rules --------------------------------------------------------------------------------------------------


class Rule(Table):
    """What is done by itself, and when.  `spec` is the rule as its TOML table has it, without the name."""

    id = AutoField()
    name = word(unique=True)
    sequence = IntegerField(default=10)
    active = BooleanField(default=True)
    dated = BooleanField(default=False)  # has a trigger date, so it runs from cron
    spec = JSONText(default=dict)
    changed = UTCField()

    class Meta:
        table_name = "crm_rule"


class Firing(Table):
    """The ledger: a dated rule acts once for a record and a base date.  Rules on events are noted without one."""

    id = AutoField()
    rule = ForeignKeyField(Rule)
    thread = ForeignKeyField(Thread)
    base = UTCField(null=True)
    at = UTCField()
    sentence = TextField()  # what it did
    failed = TextField(null=True)  # why it could not; tried again later

    class Meta:
        table_name = "crm_firing"
        indexes = ((("rule", "thread", "base"), True), (("thread", "id"), False))


class Template(Table):
    """A mail of the shop's own, by name and language, with places like {record.title} for what it speaks of."""

    id = AutoField()
    name = word()
    lang = word()
    subject = TextField()
    text = TextField()

    class Meta:
        table_name = "crm_template"
        indexes = ((("name", "lang"), True),)


class HookCall(Table):
    """A program of the shop's that a rule wants to run; `tick` runs it, after everything is committed."""

    id = AutoField()
    thread = ForeignKeyField(Thread)
    rule = ForeignKeyField(Rule, null=True)
    program = word()
    payload = JSONText(default=dict)
    state = word(default="queued")  # queued | done | failed
    attempts = IntegerField(default=0)
    due = UTCField()
    reason = TextField(null=True)
    created = UTCField()

    class Meta:
        table_name = "crm_hook_call"
        indexes = ((("state", "due"), False),)


class Subtype(Table):
    """What one subscribes to (F71)."""

    code = word(primary_key=True)
    name = TextField()
    internal = BooleanField(default=False)  # never for followers outside
    position = IntegerField()

    class Meta:
        table_name = "crm_subtype"


class Follower(Table):
    """A user, a contact, or a bare address that hears of a thread: exactly one of the three."""

    id = AutoField()
    thread = ForeignKeyField(Thread)
    user = ForeignKeyField(User, null=True)
    contact = ForeignKeyField(Contact, null=True)
    address = word(null=True, index=True)
    types = JSONText(null=True)  # codes of subtypes; None: all for users, discussions for others
    created = UTCField()

    class Meta:
        table_name = "crm_follower"
        indexes = ((("thread", "user"), True), (("thread", "contact"), True), (("thread", "address"), True))


class AutoFollow(Table):
    """Auto-subscription: who follows every new record of a kind (F25)."""

    id = AutoField()
    kind = word()
    section = ForeignKeyField(Section, null=True)
    user = ForeignKeyField(User)
    types = JSONText(null=True)

    class Meta:
        table_name = "crm_auto_follow"
        indexes = ((("kind", "user"), False),)


# --- messages and what hangs on them ------------------------------------------------------------------------


class Original(Table):
    """One incoming mail as it came.  The unique index is what stops two deliveries of one mail at once."""

    id = AutoField()
    message_id = word()
    content_hash = word()
    from_address = word(index=True)
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
    subtype = ForeignKeyField(Subtype, column_name="subtype")
    internal = BooleanField(default=False)
    automatic = BooleanField(default=False)
    author = ForeignKeyField(User, null=True)
    from_name = TextField(default="")
    from_address = word(default="")
    subject = TextField(default="")
    text = TextField(default="")
    html = TextField(default="")
    date = UTCField()  # what the letter says; the order in a thread is that of the ids
    received = UTCField()
    message_id = word(null=True, index=True)
    original = ForeignKeyField(Original, null=True)
    superseded_by = ForeignKeyField("self", null=True)  # a copy that the line had cut short
    answers = ForeignKeyField("self", null=True)  # the message that this letter of ours answers or forwards
    format = word(default="plain")  # plain | markdown: leaves with an HTML alternative made of it
    details = JSONText(null=True)  # of a system message: [{"field", "old", "new"}]
    rule = ForeignKeyField(Rule, null=True)  # which rule wrote it
    template = word(null=True)  # of an automatic mail: what it will be written from when it leaves

    class Meta:
        table_name = "crm_message"
        indexes = ((("from_address", "received"), False),)


class MessageAddress(Table):
    """From, To and Cc of a message: who has taken part in the conversation."""

    id = AutoField()
    message = ForeignKeyField(Message)
    thread = ForeignKeyField(Thread)
    role = word()  # from | to | cc
    name = TextField(default="")
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
    name = TextField()
    type = word()
    content_id = TextField(default="")
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
    sentence = TextField()
    recipient = word(null=True)  # the address of ours that this row is about
    recipients = JSONText(default=list)
    from_name = TextField(default="")
    from_address = word(default="")
    subject = TextField(default="")
    text = TextField(default="")  # the beginning, for the list
    candidate = ForeignKeyField(Thread, null=True)
    internal = BooleanField(default=False)  # answers what never left the house, and stays inside wherever it is put
    state = word(default="waiting", index=True)  # waiting | routed | created | spam | purged
    message = ForeignKeyField(Message, null=True)  # what it became
    received = UTCField()
    decided = UTCField(null=True)
    decided_by = ForeignKeyField(User, null=True)

    class Meta:
        table_name = "crm_quarantine"


class Decision(Table):
    """Why a mail went where it went, one row a route: `crmmail why` reads it."""

    id = AutoField()
    original = ForeignKeyField(Original)
    at = UTCField()
    outcome = word()
    reason = word()
    sentence = TextField()
    recipient = word(null=True)  # the address of ours that the route was for
    thread = ForeignKeyField(Thread, null=True)
    message = ForeignKeyField(Message, null=True)
    quarantine = ForeignKeyField(Quarantine, null=True)
    created = BooleanField(default=False)
    counted = BooleanField(default=True)  # counts for the loop limits
    sender = word(default="")
    evidence = JSONText(default=list)

    class Meta:
        table_name = "crm_decision"
        indexes = ((("sender", "at"), False),)


class Notification(Table):
    """An item in somebody's inbox: about a message, or about a letter in quarantine."""

    id = AutoField()
    user = ForeignKeyField(User)
    message = ForeignKeyField(Message, null=True)
    quarantine = ForeignKeyField(Quarantine, null=True)
    thread = ForeignKeyField(Thread, null=True)
    why = word()  # follower | addressed | mentioned | admin | manager | …
    created = UTCField()
    done = UTCField(null=True)  # read by `show`, or dismissed

    class Meta:
        table_name = "crm_notification"
        indexes = ((("user", "done", "id"), False), (("message", "user"), True), (("quarantine", "user"), True))


class Star(Table):
    """Set aside by one user for himself; stays until he takes it away (F58)."""

    user = ForeignKeyField(User)
    message = ForeignKeyField(Message)
    created = UTCField()

    class Meta:
        table_name = "crm_star"
        primary_key = CompositeKey("user", "message")


class Delivery(Table):
    """One recipient of one outgoing mail: the outbox, and the red envelope when it fails (F84)."""

    id = AutoField()
    message = ForeignKeyField(Message)
    thread = ForeignKeyField(Thread)
    user = ForeignKeyField(User, null=True)
    contact = ForeignKeyField(Contact, null=True)
    address = word()
    purpose = word()  # notification | mail
    role = word(default="copy")  # of a mail: to | cc | bcc, as it was asked for; copy: a follower's, all his own
    why = word(default="")  # customer, participant, follower, explicit …
    state = word(default="queued")  # queued | sent | failed | bounced | cancelled
    identifier = word(unique=True)  # its Message-ID: signed, for this recipient, the same over all tries
    content_hash = word(null=True, index=True)  # of what was sent, to know it when it comes back
    attempts = IntegerField(default=0)
    due = UTCField()
    reason = TextField(null=True)  # what the last try, or the bounce, said
    failure = word(null=True)  # its kind, of core.failure.KINDS
    worker = word(null=True)  # who is sending it at this moment (services.worker)
    lease = UTCField(null=True)  # until when that holds, by the real clock
    created = UTCField()
    sent = UTCField(null=True)

    class Meta:
        table_name = "crm_delivery"
        indexes = ((("state", "due"), False),)


class BadAddress(Table):
    """An address that does not exist, says a bounce: writing to it warns."""

    address = word(primary_key=True)
    since = UTCField()
    reason = TextField()
    delivery = ForeignKeyField(Delivery, null=True)

    class Meta:
        table_name = "crm_bad_address"


class Journal(Table):
    """Who did what, and how to undo it."""

    id = AutoField()
    user = ForeignKeyField(User, null=True)
    os_login = word(null=True)
    at = UTCField()
    act = word()
    sentence = TextField()
    thread = IntegerField(null=True, index=True)  # no foreign key: the journal outlives what it tells of
    changes = JSONText(default=list)  # [[table, key, field, before, after], …]
    undoable = BooleanField(default=True)
    undone = UTCField(null=True)

    class Meta:
        table_name = "crm_journal"
        indexes = ((("user", "id"), False),)


TABLES: tuple[type[Table], ...] = (
    Setting,
    User,
    UserAddress,
    Section,
    Category,
    Alias,
    PartnerCategory,
    Thread,
    Contact,
    ContactAddress,
    Case,
    Lead,
    Subtype,
    Follower,
    AutoFollow,
    Original,
    Message,
    MessageAddress,
    Blob,
    Attachment,
    Quarantine,
    Decision,
    Notification,
    Star,
    Delivery,
    BadAddress,
    Journal,
    RecordContact,
    Activity,
    Sla,
    View,
    Rule,
    Firing,
    Template,
    HookCall,
)

RECORDS: dict[str, type[Table]] = {"contact": Contact, "lead": Lead, "case": Case}
