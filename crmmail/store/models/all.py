"""The tables, by what they are about; `store.tables` is the door to all of them."""

from __future__ import annotations

import peewee
from peewee import JOIN, fn

from crmmail.store.engine import shared, sql
from crmmail.store.models.base import Table, database
from crmmail.store.models.messages import (
    Attachment,
    BadAddress,
    Blob,
    Decision,
    Delivery,
    Journal,
    Message,
    MessageAddress,
    Notification,
    Original,
    Quarantine,
    Star,
)
from crmmail.store.models.records import (
    Activity,
    AutoFollow,
    Case,
    Contact,
    ContactAddress,
    Follower,
    Lead,
    RecordContact,
    Sla,
    Subtype,
    Thread,
    View,
)
from crmmail.store.models.rules import (
    Firing,
    HookCall,
    Rule,
    Template,
)
from crmmail.store.models.shop import (
    Alias,
    Category,
    PartnerCategory,
    Section,
    Setting,
    User,
    UserAddress,
)

__all__ = [
    "JOIN",
    "RECORDS",
    "TABLES",
    "Activity",
    "Alias",
    "Attachment",
    "AutoFollow",
    "BadAddress",
    "Blob",
    "Case",
    "Category",
    "Contact",
    "ContactAddress",
    "Decision",
    "Delivery",
    "Firing",
    "Follower",
    "HookCall",
    "Journal",
    "Lead",
    "Message",
    "MessageAddress",
    "Notification",
    "Original",
    "PartnerCategory",
    "Quarantine",
    "RecordContact",
    "Rule",
    "Section",
    "Setting",
    "Sla",
    "Star",
    "Subtype",
    "Table",
    "Template",
    "Thread",
    "User",
    "UserAddress",
    "View",
    "database",
    "fn",
    "peewee",
]

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

if sql.is_open():  # a store was opened before anybody asked for a table
    database.initialize(shared.database(sql.connection()))
