"""Mail leaves: what a delivery needs to be sent, tried again and explained; addresses that bounced.  Frozen."""

from peewee import AutoField, CharField, ForeignKeyField, Model, TextField

from crmmail.store.fields import UTCField

# peewee's add_column copies a whole SQLite table for NOT NULL; with a default both databases add it in place.
WORDS = (("crm_message", "format", "plain"), ("crm_delivery", "role", "copy"), ("crm_delivery", "why", ""))


def up(migrator, db):
    for table, column, value in WORDS:
        db.execute_sql(f"ALTER TABLE {table} ADD COLUMN {column} VARCHAR(255) NOT NULL DEFAULT '{value}'")

    class Message(Model):
        id = AutoField()

        class Meta:
            database = db
            table_name = "crm_message"

    class Delivery(Model):
        class Meta:
            database = db
            table_name = "crm_delivery"

    class BadAddress(Model):
        address = CharField(primary_key=True)
        since = UTCField()
        reason = TextField()
        delivery = ForeignKeyField(Delivery, null=True)

        class Meta:
            database = db
            table_name = "crm_bad_address"

    migrator.migrate(
        migrator.add_column("crm_message", "answers_id", ForeignKeyField(Message, field=Message.id, null=True)),
        migrator.add_column("crm_delivery", "failure", CharField(null=True)),
        migrator.add_column("crm_delivery", "worker", CharField(null=True)),
        migrator.add_column("crm_delivery", "lease", UTCField(null=True)),
    )
    db.create_tables([BadAddress])
