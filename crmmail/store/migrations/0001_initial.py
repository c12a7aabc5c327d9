"""The first schema.  Frozen: what is written here never changes again; a change is a new file.

Written by peewee's own generator from `store/tables.py`, with two additions: keys that a person may have seen are
AUTOINCREMENT (a plain key reuses the number of the last row when that is deleted), and the subtypes are filled in.
"""

from peewee import (
    SQL,
    AutoField,
    BlobField,
    BooleanField,
    CharField,
    CompositeKey,
    FloatField,
    ForeignKeyField,
    IntegerField,
    Model,
    NodeList,
    SqliteDatabase,
    TextField,
)

from crmmail.store.fields import JSONText, UTCField

SUBTYPES = (
    ("discussion", "Discussion", False),
    ("note", "Note", True),
    ("created", "Created", True),
    ("state", "State changed", True),
    ("assigned", "Assigned", True),
    ("section", "Section changed", True),
    ("call", "Call", True),
)


class NumberField(AutoField):
    """A key that is never used again, also on SQLite."""

    def ddl(self, ctx):
        nodes = super().ddl(ctx)
        if isinstance(self.model._meta.database, SqliteDatabase):
            return NodeList((nodes, SQL("AUTOINCREMENT")))
        return nodes


def up(migrator, db):
    class User(Model):
        login = CharField(unique=True)
        name = TextField()
        os_login = CharField(null=True)
        admin = BooleanField(default=False)
        notify = CharField(default="inbox")
        lang = CharField(default="en")
        active = BooleanField(default=True)
        created = UTCField()

        class Meta:
            database = db
            table_name = "crm_user"

    db.create_tables([User])

    class Section(Model):
        code = CharField(unique=True)
        name = TextField()
        parent = ForeignKeyField("self", null=True)
        manager = ForeignKeyField(User, null=True)
        address = CharField(null=True)
        on_user_reply = CharField(default="close")
        on_partner_reply = CharField(default="open")
        assign = CharField(default="none")
        active = BooleanField(default=True)

        class Meta:
            database = db
            table_name = "crm_section"

    db.create_tables([Section])

    class Alias(Model):
        address = CharField(unique=True)
        kind = CharField()
        section = ForeignKeyField(Section, null=True)
        user = ForeignKeyField(User, null=True)
        policy = CharField(default="everyone")
        on_reply = CharField(default="thread")
        defaults = JSONText(default=dict)
        keep_original = BooleanField(default=True)
        loop_limit = IntegerField(null=True)
        active = BooleanField(default=True)

        class Meta:
            database = db
            table_name = "crm_alias"

    db.create_tables([Alias])

    class Thread(Model):
        id = NumberField()
        kind = CharField()
        title = TextField()
        address = CharField(null=True)
        moved_to = ForeignKeyField("self", null=True)
        author = ForeignKeyField(User, null=True)
        created = UTCField()
        updated = UTCField(index=True)

        class Meta:
            database = db
            table_name = "crm_thread"

    db.create_tables([Thread])

    class Subtype(Model):
        code = CharField(primary_key=True)
        name = TextField()
        internal = BooleanField(default=False)
        position = IntegerField()

        class Meta:
            database = db
            table_name = "crm_subtype"

    db.create_tables([Subtype])

    class Original(Model):
        message_id = CharField()
        content_hash = CharField()
        from_address = CharField(index=True)
        mailbox = CharField(null=True)
        received = UTCField()
        size = IntegerField()
        data = BlobField(null=True)

        class Meta:
            database = db
            table_name = "crm_original"
            indexes = ((("message_id", "content_hash"), True),)

    db.create_tables([Original])

    class Message(Model):
        id = NumberField()
        thread = ForeignKeyField(Thread)
        kind = CharField()
        subtype = ForeignKeyField(Subtype, column_name="subtype")
        internal = BooleanField(default=False)
        automatic = BooleanField(default=False)
        author = ForeignKeyField(User, null=True)
        from_name = TextField(default="")
        from_address = CharField(default="")
        subject = TextField(default="")
        text = TextField(default="")
        html = TextField(default="")
        date = UTCField()
        received = UTCField()
        message_id = CharField(index=True, null=True)
        original = ForeignKeyField(Original, null=True)
        superseded_by = ForeignKeyField("self", null=True)
        details = JSONText(null=True)

        class Meta:
            database = db
            table_name = "crm_message"
            indexes = ((("from_address", "received"), False),)

    db.create_tables([Message])

    class Blob(Model):
        sha256 = CharField(primary_key=True)
        size = IntegerField()
        data = BlobField()

        class Meta:
            database = db
            table_name = "crm_blob"

    db.create_tables([Blob])

    class Attachment(Model):
        id = NumberField()
        message = ForeignKeyField(Message)
        position = IntegerField()
        name = TextField()
        type = CharField()
        content_id = TextField(default="")
        inline = BooleanField(default=False)
        size = IntegerField()
        blob = ForeignKeyField(Blob, column_name="sha256")

        class Meta:
            database = db
            table_name = "crm_attachment"

    db.create_tables([Attachment])

    class AutoFollow(Model):
        kind = CharField()
        section = ForeignKeyField(Section, null=True)
        user = ForeignKeyField(User)
        types = JSONText(null=True)

        class Meta:
            database = db
            table_name = "crm_auto_follow"
            indexes = ((("kind", "user"), False),)

    db.create_tables([AutoFollow])

    class Category(Model):
        section = ForeignKeyField(Section)
        name = TextField()
        active = BooleanField(default=True)

        class Meta:
            database = db
            table_name = "crm_category"
            indexes = ((("section", "name"), True),)

    db.create_tables([Category])

    class PartnerCategory(Model):
        path = CharField(unique=True)
        name = TextField()

        class Meta:
            database = db
            table_name = "crm_partner_category"

    db.create_tables([PartnerCategory])

    class Contact(Model):
        thread = ForeignKeyField(Thread, primary_key=True)
        company = TextField(null=True)
        company_key = CharField(index=True, null=True)
        category = ForeignKeyField(PartnerCategory, null=True)
        lang = CharField(null=True)

        class Meta:
            database = db
            table_name = "crm_contact"

    db.create_tables([Contact])

    class Case(Model):
        thread = ForeignKeyField(Thread, primary_key=True)
        state = CharField(index=True)
        section = ForeignKeyField(Section, null=True)
        category = ForeignKeyField(Category, null=True)
        responsible = ForeignKeyField(User, null=True)
        priority = IntegerField(default=3)
        partner = ForeignKeyField(Contact, null=True)
        email = CharField(index=True, null=True)
        partner_name = TextField(null=True)
        deadline = UTCField(null=True)
        revenue = FloatField(null=True)
        cost = FloatField(null=True)
        probability = FloatField(null=True)
        assigned = UTCField(null=True)
        closed = UTCField(null=True)

        class Meta:
            database = db
            table_name = "crm_case"

    db.create_tables([Case])

    class ContactAddress(Model):
        contact = ForeignKeyField(Contact)
        address = CharField(index=True)

        class Meta:
            database = db
            table_name = "crm_contact_address"
            indexes = ((("contact", "address"), True),)

    db.create_tables([ContactAddress])

    class Quarantine(Model):
        id = NumberField()
        original = ForeignKeyField(Original)
        reason = CharField(index=True)
        sentence = TextField()
        recipient = CharField(null=True)
        recipients = JSONText(default=list)
        from_name = TextField(default="")
        from_address = CharField(default="")
        subject = TextField(default="")
        text = TextField(default="")
        candidate = ForeignKeyField(Thread, null=True)
        internal = BooleanField(default=False)
        state = CharField(index=True, default="waiting")
        message = ForeignKeyField(Message, null=True)
        received = UTCField()
        decided = UTCField(null=True)
        decided_by = ForeignKeyField(User, null=True)

        class Meta:
            database = db
            table_name = "crm_quarantine"

    db.create_tables([Quarantine])

    class Decision(Model):
        original = ForeignKeyField(Original)
        at = UTCField()
        outcome = CharField()
        reason = CharField()
        sentence = TextField()
        recipient = CharField(null=True)
        thread = ForeignKeyField(Thread, null=True)
        message = ForeignKeyField(Message, null=True)
        quarantine = ForeignKeyField(Quarantine, null=True)
        created = BooleanField(default=False)
        counted = BooleanField(default=True)
        sender = CharField(default="")
        evidence = JSONText(default=list)

        class Meta:
            database = db
            table_name = "crm_decision"
            indexes = ((("sender", "at"), False),)

    db.create_tables([Decision])

    class Delivery(Model):
        id = NumberField()
        message = ForeignKeyField(Message)
        thread = ForeignKeyField(Thread)
        user = ForeignKeyField(User, null=True)
        contact = ForeignKeyField(Contact, null=True)
        address = CharField()
        purpose = CharField()
        state = CharField(default="queued")
        identifier = CharField(unique=True)
        content_hash = CharField(index=True, null=True)
        attempts = IntegerField(default=0)
        due = UTCField()
        reason = TextField(null=True)
        created = UTCField()
        sent = UTCField(null=True)

        class Meta:
            database = db
            table_name = "crm_delivery"
            indexes = ((("state", "due"), False),)

    db.create_tables([Delivery])

    class Follower(Model):
        thread = ForeignKeyField(Thread)
        user = ForeignKeyField(User, null=True)
        contact = ForeignKeyField(Contact, null=True)
        address = CharField(index=True, null=True)
        types = JSONText(null=True)
        created = UTCField()

        class Meta:
            database = db
            table_name = "crm_follower"
            indexes = ((("thread", "user"), True), (("thread", "contact"), True), (("thread", "address"), True))

    db.create_tables([Follower])

    class Journal(Model):
        id = NumberField()
        user = ForeignKeyField(User, null=True)
        os_login = CharField(null=True)
        at = UTCField()
        act = CharField()
        sentence = TextField()
        thread = IntegerField(index=True, null=True)
        changes = JSONText(default=list)
        undoable = BooleanField(default=True)
        undone = UTCField(null=True)

        class Meta:
            database = db
            table_name = "crm_journal"
            indexes = ((("user", "id"), False),)

    db.create_tables([Journal])

    class Lead(Model):
        thread = ForeignKeyField(Thread, primary_key=True)
        state = CharField(index=True)
        section = ForeignKeyField(Section, null=True)
        responsible = ForeignKeyField(User, null=True)
        priority = IntegerField(default=3)
        partner = ForeignKeyField(Contact, null=True)
        email = CharField(index=True, null=True)
        partner_name = TextField(null=True)
        revenue = FloatField(null=True)
        probability = FloatField(null=True)
        assigned = UTCField(null=True)
        closed = UTCField(null=True)

        class Meta:
            database = db
            table_name = "crm_lead"

    db.create_tables([Lead])

    class MessageAddress(Model):
        message = ForeignKeyField(Message)
        thread = ForeignKeyField(Thread)
        role = CharField()
        name = TextField(default="")
        address = CharField()

        class Meta:
            database = db
            table_name = "crm_message_address"
            indexes = ((("address", "thread"), False),)

    db.create_tables([MessageAddress])

    class Notification(Model):
        id = NumberField()
        user = ForeignKeyField(User)
        message = ForeignKeyField(Message, null=True)
        quarantine = ForeignKeyField(Quarantine, null=True)
        thread = ForeignKeyField(Thread, null=True)
        why = CharField()
        created = UTCField()
        done = UTCField(null=True)

        class Meta:
            database = db
            table_name = "crm_notification"
            indexes = ((("user", "done", "id"), False), (("message", "user"), True), (("quarantine", "user"), True))

    db.create_tables([Notification])

    class Setting(Model):
        key = CharField(primary_key=True)
        value = TextField()

        class Meta:
            database = db
            table_name = "crm_setting"

    db.create_tables([Setting])

    class Star(Model):
        user = ForeignKeyField(User)
        message = ForeignKeyField(Message)
        created = UTCField()

        class Meta:
            database = db
            table_name = "crm_star"
            primary_key = CompositeKey("user", "message")

    db.create_tables([Star])

    class UserAddress(Model):
        address = CharField(primary_key=True)
        user = ForeignKeyField(User)
        main = BooleanField(default=False)
        virtual = BooleanField(default=False)

        class Meta:
            database = db
            table_name = "crm_user_address"

    db.create_tables([UserAddress])

    for position, (code, name, internal) in enumerate(SUBTYPES):
        Subtype.create(code=code, name=name, internal=internal, position=position)
