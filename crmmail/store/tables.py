"""The tables, all of them.  `docs/schema.md` is generated from here; `migrations/` makes them.

A thread is what every record has exactly one of, and a record's key *is* its thread's: one number space (house.md).
Test for a column of `Thread`: would a contact's thread need it?  Message, Attachment and Follower hang on the
thread; Notification and Star belong to (message, user), never to the message.  All names begin with `crm_`, because
`case` and `user` are reserved words.
"""

from __future__ import annotations

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
