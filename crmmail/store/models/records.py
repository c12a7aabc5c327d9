"""Threads and records, what belongs to them, and who follows them."""

from __future__ import annotations

from peewee import AutoField, BooleanField, FloatField, ForeignKeyField, IntegerField

from crmmail.store.fields import JSONText, Text, UTCField
from crmmail.store.models.base import Table, some, word
from crmmail.store.models.shop import Category, PartnerCategory, Section, User


class Thread(Table):
    """One topic.  Its number is the record's number, and is never used again."""

    id = AutoField()
    kind = word()
    title = Text()
    address = word(null=True)  # the address of ours that this conversation is held under
    moved_to = ForeignKeyField("self", null=True)  # merged or converted: later replies go there
    author = ForeignKeyField(User, null=True)  # who made it; None: a mail did
    created = UTCField()
    updated = UTCField()

    class Meta:
        table_name = "crm_thread"
        indexes = ((("kind", "updated"), False), (("kind", "created"), False))


class Contact(Table):
    """A person or firm outside.  No state."""

    thread = ForeignKeyField(Thread, primary_key=True)
    company = Text(null=True)
    company_key = word(null=True, index=True)  # the company in lower case: colleagues have the same one
    category = ForeignKeyField(PartnerCategory, null=True)
    lang = word(null=True)

    class Meta:
        table_name = "crm_contact"


class ContactAddress(Table):
    """An address of a contact.  Not unique: one person can be several cards (F10)."""

    id = AutoField()
    contact = ForeignKeyField(Contact, backref="addresses", index=False)
    address = word(index=True)

    class Meta:
        table_name = "crm_contact_address"
        indexes = ((("contact", "address"), True),)


class Case(Table):
    """Something to be solved."""

    thread = ForeignKeyField(Thread, primary_key=True)
    state = word()
    section = ForeignKeyField(Section, null=True, index=False)
    category = ForeignKeyField(Category, null=True)
    responsible = ForeignKeyField(User, null=True, index=False)
    priority = IntegerField(default=3)
    partner = ForeignKeyField(Contact, null=True)
    email = word(null=True, index=True)
    partner_name = Text(null=True)  # as the letter gave it, where no contact is known
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
        indexes = (
            (("state", "deadline"), False),
            (("section", "state"), False),
            (("responsible", "state"), False),
            (("section", "responsible", "assigned"), False),
        )


class Lead(Table):
    """Somebody who may become a customer."""

    thread = ForeignKeyField(Thread, primary_key=True)
    state = word(index=True)
    section = ForeignKeyField(Section, null=True, index=False)
    responsible = ForeignKeyField(User, null=True, index=False)
    priority = IntegerField(default=3)
    partner = ForeignKeyField(Contact, null=True)
    email = word(null=True, index=True)
    partner_name = Text(null=True)
    revenue = FloatField(null=True)
    probability = FloatField(null=True)
    assigned = UTCField(null=True)
    closed = UTCField(null=True)
    acted = UTCField(null=True)
    partner_wrote = UTCField(null=True)
    answered = UTCField(null=True)

    class Meta:
        table_name = "crm_lead"
        indexes = ((("responsible", "state"), False), (("section", "responsible", "assigned"), False))


class RecordContact(Table):
    """Further contacts of a case or lead, beside its partner (F193): they take part in its conversation."""

    id = AutoField()
    thread = ForeignKeyField(Thread, index=False)
    contact = ForeignKeyField(Contact)

    class Meta:
        table_name = "crm_record_contact"
        indexes = ((("thread", "contact"), True),)


class Activity(Table):
    """Something that somebody has to do about a record by a day."""

    id = AutoField()
    thread = ForeignKeyField(Thread)
    user = ForeignKeyField(User, null=True)
    summary = Text()
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
    user = ForeignKeyField(User, null=True, index=False)
    name = word()
    kind = word()
    query = Text()

    class Meta:
        table_name = "crm_view"
        indexes = ((("user", "name"), True),)


class Subtype(Table):
    """What one subscribes to (F71)."""

    code = word(primary_key=True)
    name = Text()
    internal = BooleanField(default=False)  # never for followers outside
    position = IntegerField()

    class Meta:
        table_name = "crm_subtype"


class Follower(Table):
    """A user, a contact, or a bare address that hears of a thread: exactly one of the three."""

    id = AutoField()
    thread = ForeignKeyField(Thread, index=False)
    user = ForeignKeyField(User, null=True)
    contact = ForeignKeyField(Contact, null=True, index=False)
    address = word(null=True)
    types = JSONText(null=True)  # codes of subtypes; None: all for users, discussions for others
    created = UTCField()

    class Meta:
        table_name = "crm_follower"
        indexes = ((("thread", "user"), True),)


some(Follower, "follower_contact", Follower.contact)
some(Follower, "follower_bare_address", Follower.address)
some(Follower, "follower_once_contact", Follower.thread, Follower.contact, unique=True)
some(Follower, "follower_once_address", Follower.thread, Follower.address, unique=True)


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
