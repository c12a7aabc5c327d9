"""Rules, what they did, and what they write and run."""

from __future__ import annotations

from peewee import AutoField, BooleanField, ForeignKeyField, IntegerField

from crmmail.store.fields import JSONText, Text, UTCField
from crmmail.store.models.base import Table, some, word
from crmmail.store.models.records import Thread


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
    rule = ForeignKeyField(Rule, index=False)
    thread = ForeignKeyField(Thread, index=False)
    base = UTCField(null=True)
    at = UTCField()
    sentence = Text()  # what it did
    failed = Text(null=True)  # why it could not; tried again later

    class Meta:
        table_name = "crm_firing"
        indexes = ((("rule", "thread", "base"), True), (("thread", "id"), False))


some(Firing, "firing_failed_at", Firing.at, filled=Firing.failed)


class Template(Table):
    """A mail of the shop's own, by name and language, with places like {record.title} for what it speaks of."""

    id = AutoField()
    name = word()
    lang = word()
    subject = Text()
    text = Text()

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
    reason = Text(null=True)
    created = UTCField()

    class Meta:
        table_name = "crm_hook_call"
        indexes = ((("state", "due"), False),)
