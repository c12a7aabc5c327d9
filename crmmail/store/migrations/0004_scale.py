"""The index of all words of all messages; the indexes that a million of them need.  Frozen.

On SQLite it holds words only, not the texts again (`content=''`).  Messages that are here already are put into it
afterwards, a part at a time, by `db migrate`: one transaction over a million would keep every delivery waiting.
"""

from peewee import SqliteDatabase

# Each index is another page that a letter writes.  These have no readers, or a longer one begins with the same column.
NEEDLESS = """
    thread_updated case_state case_responsible_id case_section_id lead_responsible_id lead_section_id
    contactaddress_contact_id follower_thread_id recordcontact_thread_id view_user_id category_section_id
    original_from_address message_subtype message_from_address_received notification_user_id notification_message_id
    notification_quarantine_id star_user_id delivery_message_id delivery_thread_id journal_user_id quarantine_state
    firing_rule_id firing_thread_id
"""
INDEXES = (
    ("thread_kind_updated", "crm_thread", "kind, updated"),
    ("thread_kind_created", "crm_thread", "kind, created"),
    ("case_state_deadline", "crm_case", "state, deadline"),
    ("case_responsible_id_state", "crm_case", "responsible_id, state"),
    ("case_section_id_responsible_id_assigned", "crm_case", "section_id, responsible_id, assigned"),
    ("lead_responsible_id_state", "crm_lead", "responsible_id, state"),
    ("lead_section_id_responsible_id_assigned", "crm_lead", "section_id, responsible_id, assigned"),
    ("message_received", "crm_message", "received"),
    ("notification_user_id_id", "crm_notification", "user_id, id"),
    ("star_user_id_created", "crm_star", "user_id, created"),
    ("delivery_message_id_state", "crm_delivery", "message_id, state"),
    ("delivery_thread_id_state", "crm_delivery", "thread_id, state"),
    ("quarantine_state_reason", "crm_quarantine", "state, reason"),
)
# Columns that are mostly empty: only the rows that have something in the column that stands fourth are in these.  What
# stands last is the index that it replaces.
PARTIAL = (
    ("message_with_author", "crm_message", "author_id", "author_id", "message_author_id"),
    ("message_superseded", "crm_message", "superseded_by_id", "superseded_by_id", "message_superseded_by_id"),
    ("message_answering", "crm_message", "answers_id", "answers_id", "crm_message_answers_id"),
    ("message_by_rule", "crm_message", "rule_id", "rule_id", "crm_message_rule_id"),
    ("decision_quarantined", "crm_decision", "quarantine_id", "quarantine_id", "decision_quarantine_id"),
    ("follower_contact", "crm_follower", "contact_id", "contact_id", "follower_contact_id"),
    ("follower_bare_address", "crm_follower", "address", "address", "follower_address"),
    ("delivery_to_user", "crm_delivery", "user_id", "user_id", "delivery_user_id"),
    ("delivery_to_contact", "crm_delivery", "contact_id", "contact_id", "delivery_contact_id"),
    ("delivery_known_content", "crm_delivery", "content_hash", "content_hash", "delivery_content_hash"),
    ("delivery_sent", "crm_delivery", "sent", "sent", ""),
    ("firing_failed_at", "crm_firing", "at", "failed", ""),
)
UNIQUE = (
    (
        "notification_of_letter",
        "crm_notification",
        "quarantine_id, user_id",
        "quarantine_id",
        "notification_quarantine_id_user_id",
    ),
    ("follower_once_contact", "crm_follower", "thread_id, contact_id", "contact_id", "follower_thread_id_contact_id"),
    ("follower_once_address", "crm_follower", "thread_id, address", "address", "follower_thread_id_address"),
)

# How texts are parted into words: marks belong to them, for Hindi is written with marks.
TOKENIZER = "unicode61 remove_diacritics 2 categories ''L* N* Co Mn Mc''"


def up(migrator, db):
    if isinstance(db, SqliteDatabase):
        db.execute_sql(
            "CREATE VIRTUAL TABLE crm_search USING fts5("
            f"subject, words, sender, names, files, content='', tokenize='{TOKENIZER}')"
        )
    else:
        db.execute_sql(
            "CREATE TABLE crm_search (message_id INTEGER NOT NULL PRIMARY KEY"
            " REFERENCES crm_message (id) ON DELETE CASCADE, document TSVECTOR NOT NULL)"
        )
        db.execute_sql("CREATE INDEX crm_search_document ON crm_search USING GIN (document)")
    for name in NEEDLESS.split():
        db.execute_sql(f"DROP INDEX IF EXISTS {name}")
    for name, table, columns in INDEXES:
        db.execute_sql(f"CREATE INDEX {name} ON {table} ({columns})")
    for unique, rows in (("", PARTIAL), ("UNIQUE", UNIQUE)):
        for name, table, columns, filled, replaced in rows:
            if replaced:
                db.execute_sql(f"DROP INDEX IF EXISTS {replaced}")
            db.execute_sql(f"CREATE {unique} INDEX {name} ON {table} ({columns}) WHERE {filled} IS NOT NULL")
    # `undo` asks for somebody's last act that cannot be taken back, of which most have none.
    db.execute_sql("CREATE INDEX journal_final ON crm_journal (user_id, id) WHERE NOT undoable")
