"""Rules, views, deadlines, activities, templates of the shop's own; who is away; what statistics count.  Frozen."""

from peewee import (
    SQL,
    AutoField,
    BooleanField,
    CharField,
    FloatField,
    ForeignKeyField,
    IntegerField,
    Model,
    NodeList,
    SqliteDatabase,
    TextField,
)

from crmmail.store.fields import JSONText, UTCField

# peewee's add_column copies a whole SQLite table for NOT NULL; with a default both databases add it in place.
REQUIRED = (
    ("crm_section", "reopen_window", "VARCHAR(255)", "''"),
    ("crm_section", "reopen_cancelled", "INTEGER", "0"),
)
# What the new columns would hold, had they been there from the beginning.
PAST = (
    ("acted", "MAX", "kind IN ('email_in', 'email_out', 'note')"),
    ("partner_wrote", "MAX", "kind = 'email_in' AND author_id IS NULL"),
    ("answered", "MIN", "kind = 'email_out' AND author_id IS NOT NULL"),
)


class NumberField(AutoField):
    """A key that is never used again, also on SQLite."""

    def ddl(self, ctx):
        nodes = super().ddl(ctx)
        if isinstance(self.model._meta.database, SqliteDatabase):
            return NodeList((nodes, SQL("AUTOINCREMENT")))
        return nodes


def up(migrator, db):
    sqlite = isinstance(db, SqliteDatabase)
    for table, column, kind, value in REQUIRED:
        if kind == "INTEGER" and not sqlite:
            kind, value = "BOOLEAN", "FALSE"
        db.execute_sql(f"ALTER TABLE {table} ADD COLUMN {column} {kind} NOT NULL DEFAULT {value}")

    def there(name, key="id"):
        """A table of an earlier migration, of which only the key matters here."""
        field = AutoField() if key == "id" else IntegerField(primary_key=True)
        meta = type("Meta", (), {"database": db, "table_name": name})
        return type(name.title().replace("_", ""), (Model,), {key: field, "Meta": meta})

    User, Section, PartnerCategory = there("crm_user"), there("crm_section"), there("crm_partner_category")
    Thread = there("crm_thread")

    class Contact(Model):
        thread = ForeignKeyField(Thread, primary_key=True)

        class Meta:
            database = db
            table_name = "crm_contact"

    class RecordContact(Model):
        thread = ForeignKeyField(Thread)
        contact = ForeignKeyField(Contact)

        class Meta:
            database = db
            table_name = "crm_record_contact"
            indexes = ((("thread", "contact"), True),)

    class Activity(Model):
        id = NumberField()
        thread = ForeignKeyField(Thread)
        user = ForeignKeyField(User, null=True)
        summary = TextField()
        due = UTCField()
        created = UTCField()
        done = UTCField(null=True)

        class Meta:
            database = db
            table_name = "crm_activity"
            indexes = ((("done", "due"), False),)

    class Sla(Model):
        id = NumberField()
        section = ForeignKeyField(Section, null=True)
        partner_category = ForeignKeyField(PartnerCategory, null=True)
        priority = IntegerField(null=True)
        within = CharField()
        working = BooleanField(default=False)

        class Meta:
            database = db
            table_name = "crm_sla"

    class View(Model):
        user = ForeignKeyField(User, null=True)
        name = CharField()
        kind = CharField()
        query = TextField()

        class Meta:
            database = db
            table_name = "crm_view"
            indexes = ((("user", "name"), True),)

    class Rule(Model):
        id = NumberField()
        name = CharField(unique=True)
        sequence = IntegerField(default=10)
        active = BooleanField(default=True)
        dated = BooleanField(default=False)
        spec = JSONText(default=dict)
        changed = UTCField()

        class Meta:
            database = db
            table_name = "crm_rule"

    class Firing(Model):
        rule = ForeignKeyField(Rule)
        thread = ForeignKeyField(Thread)
        base = UTCField(null=True)
        at = UTCField()
        sentence = TextField()
        failed = TextField(null=True)

        class Meta:
            database = db
            table_name = "crm_firing"
            indexes = ((("rule", "thread", "base"), True), (("thread", "id"), False))

    class Template(Model):
        name = CharField()
        lang = CharField()
        subject = TextField()
        text = TextField()

        class Meta:
            database = db
            table_name = "crm_template"
            indexes = ((("name", "lang"), True),)

    class HookCall(Model):
        thread = ForeignKeyField(Thread)
        rule = ForeignKeyField(Rule, null=True)
        program = CharField()
        payload = JSONText(default=dict)
        state = CharField(default="queued")
        attempts = IntegerField(default=0)
        due = UTCField()
        reason = TextField(null=True)
        created = UTCField()

        class Meta:
            database = db
            table_name = "crm_hook_call"
            indexes = ((("state", "due"), False),)

    db.create_tables([RecordContact, Activity, Sla, View, Rule, Firing, Template, HookCall])
    migrator.migrate(
        migrator.add_column("crm_user", "away_until", UTCField(null=True)),
        migrator.add_column("crm_user", "deputy_id", ForeignKeyField(User, field=User.id, null=True)),
        migrator.add_column("crm_category", "probability", FloatField(null=True)),
        migrator.add_column("crm_message", "rule_id", ForeignKeyField(Rule, field=Rule.id, null=True)),
        migrator.add_column("crm_message", "template", CharField(null=True)),
        migrator.add_index("crm_case", ("section_id", "state")),
        *(
            migrator.add_column(table, column, UTCField(null=True))
            for table in ("crm_case", "crm_lead")
            for column, _, _ in PAST
        ),
    )
    for table in ("crm_case", "crm_lead"):
        for column, which, letters in PAST:
            db.execute_sql(
                f"UPDATE {table} SET {column} = (SELECT {which}(received) FROM crm_message WHERE NOT automatic "
                f"AND thread_id = {table}.thread_id AND {letters})"
            )
