"""The shop: settings, people, sections, categories, addresses."""

from __future__ import annotations

from peewee import AutoField, BooleanField, FloatField, ForeignKeyField, IntegerField

from crmmail.store.fields import JSONText, Text, UTCField
from crmmail.store.models.base import Table, word


class Setting(Table):
    """What `init` and `config set` wrote, and the store's secret."""

    key = word(primary_key=True)
    value = Text()

    class Meta:
        table_name = "crm_setting"


class User(Table):
    """Somebody who works here."""

    id = AutoField()
    login = word(unique=True)
    name = Text()
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
    name = Text()
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
    section = ForeignKeyField(Section, index=False)
    name = Text()
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
    name = Text()  # as it was first written

    class Meta:
        table_name = "crm_partner_category"
