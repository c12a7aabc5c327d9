"""`crmmail db check`: looks through the whole store for damage, in small steps.

    the file        SQLite's own integrity check, foreign keys
    the rows        what must hold among them beyond foreign keys: RULES and RINGS
    the values      text without NUL and half characters, moments in UTC
    the bytes       attachments by their hash; letters by their size and the checksum of zlib
    the index       each message is in it, and nothing else

It only reads.  While a statement reads, nobody can commit where the journal is not WAL, and a delivery waits; so one
statement looks through PAGE rows or the bytes of one file, and SQLite checks a big store table by table.  Memory stays
at a slice, or at the longest text.

PostgreSQL itself refuses what `the file` and `the values` are about; its pages are its own affair (pg_amcheck).
"""

from __future__ import annotations

import codecs
import hashlib
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator

import peewee

from crmmail.core.record import KINDS
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import StoreBehind, StoreBroken, StoreMissing
from crmmail.store import tables as t
from crmmail.store.engine import database, sql
from crmmail.store.engine.database import LOOK_CLOSER, Store, speaking_plainly
from crmmail.store.fields import JSONText, UTCField
from crmmail.store.letters import index

MOST = 20  # lines about damage of one kind
PAGE = 2_000  # rows whose texts one statement looks through
SLICE = 1 << 20  # bytes of a blob that are held at once
SMALL = 256 << 20  # bytes of a file that SQLite checks in one go
SECRET = 32  # hexadecimal digits of the token secret, at least


class Damage(NamedTuple):
    """Something that is not as it must be."""

    check: str  # integrity | keys | rows | rings | text | moments | bytes | secret | index
    table: str  # "" where it is the whole file
    row: int | None
    sentence: str


class Rule(NamedTuple):
    """What no row of a table may be, as an SQL condition, and the sentence that says so of one that is."""

    table: type[t.Table]
    sentence: str
    wrong: str


def _kinds() -> Iterator[Rule]:
    """A thread has its record's row in the table of its kind, and a record's row its thread, in a state of its kind."""
    for name, kind in KINDS.items():
        table = t.RECORDS[name]
        there = table._meta.table_name
        missing = f"kind = '{name}' AND NOT EXISTS (SELECT 1 FROM {there} r WHERE r.thread_id = x.id)"
        yield Rule(t.Thread, f"#{{row}} is a {name} and has no row in {there}", missing)
        other = f"NOT EXISTS (SELECT 1 FROM crm_thread h WHERE h.id = x.thread_id AND h.kind = '{name}')"
        yield Rule(table, f"row {{row}} of {there} belongs to a thread that is no {name}", other)
        if kind.states:
            states = ", ".join(f"'{one}'" for one in kind.states)
            yield Rule(table, f"{name} {{row}} has a state that {kind.plural} do not have", f"state NOT IN ({states})")
        if "priority" in table._meta.fields:
            yield Rule(table, f"the priority of {name} {{row}} is none of 1 to 5", "priority NOT BETWEEN 1 AND 5")


RULES: tuple[Rule, ...] = (
    *_kinds(),
    Rule(
        t.Thread,
        "#{row} is of a kind that there is not",
        f"kind NOT IN ({', '.join(repr(one) for one in KINDS)})",
    ),
    Rule(
        t.Original,
        "the letter {row} came, and nothing says what was decided about it",
        "NOT EXISTS (SELECT 1 FROM crm_decision d WHERE d.original_id = x.id)",
    ),
    Rule(
        t.Quarantine,
        "the letter {row} waits in quarantine, and its bytes are gone",
        "state = 'waiting' AND NOT EXISTS"
        " (SELECT 1 FROM crm_original o WHERE o.id = x.original_id AND o.data IS NOT NULL)",
    ),
    Rule(t.Notification, "item {row} of an inbox is about nothing", "message_id IS NULL AND quarantine_id IS NULL"),
    Rule(
        t.Follower,
        "follower {row} is not exactly one of a user, a contact, an address",
        "CAST(user_id IS NOT NULL AS INTEGER) + CAST(contact_id IS NOT NULL AS INTEGER)"
        " + CAST(address IS NOT NULL AS INTEGER) <> 1",
    ),
    Rule(
        t.Delivery,
        "mail {row} of the outbox would carry what is internal to somebody outside",
        "user_id IS NULL AND state <> 'cancelled'"
        " AND EXISTS (SELECT 1 FROM crm_message m WHERE m.id = x.message_id AND m.internal)",
    ),
    Rule(
        t.Delivery,
        "mail {row} of the outbox is in a state that there is not",
        "state NOT IN ('queued', 'sent', 'failed', 'bounced', 'cancelled')",
    ),
    Rule(t.Delivery, "mail {row} of the outbox was sent, and nothing says when", "state = 'sent' AND sent IS NULL"),
    Rule(t.Delivery, "mail {row} of the outbox goes to nobody", "address = ''"),
    Rule(t.Delivery, "mail {row} of the outbox was tried less than no times", "attempts < 0"),
    Rule(t.Original, "the letter {row} has less than no bytes", "size < 0"),
    Rule(t.Blob, "the attachment bytes in row {row} are not as many as they were", "size <> length(data)"),
    Rule(
        t.Attachment,
        "attachment {row} says another size than its bytes have",
        "size <> (SELECT b.size FROM crm_blob b WHERE b.sha256 = x.sha256)",
    ),
)

# (table, column, what it tells): chains that must end, or somebody would walk them for ever.
RINGS = (
    (t.Thread, "moved_to_id", "was merged into itself"),
    (t.Message, "superseded_by_id", "takes the place of itself"),
    (t.Message, "answers_id", "answers itself"),
    (t.Section, "parent_id", "stands above itself"),
)


def damages(store: Store, step: Callable[[], None] = lambda: None) -> Iterator[Damage]:
    """What is wrong, as it is found; nothing where the store is sound.

    Args:
        step: called after each of `pieces`.

    Raises:
        StoreBusy: somebody holds the store for himself.
    """
    said: set[str] = set()
    for piece in _pieces(store):
        try:
            with speaking_plainly(store.place):
                yield from piece(store)
        except StoreBroken as error:
            sentence = str(error).removesuffix(LOOK_CLOSER)
            if sentence not in said:
                yield Damage("integrity", "", None, sentence)
            said.add(sentence)
        step()


def pieces(store: Store) -> int:
    """Of how many steps the check consists."""
    return len(_pieces(store))


def _pieces(store: Store) -> list[Callable[[Store], Iterator[Damage]]]:
    """The file first; the rest only where the tables are those that this program knows."""
    found: list[Callable[[Store], Iterator[Damage]]] = [_tables]
    if not sql.postgres():
        found += [_integrity, _foreign_keys]
    try:
        database.check_schema(store.place)
    except (StoreBehind, StoreMissing, sqlite3.DatabaseError):
        return found
    found += [_secret, _rules, _rings]
    if not sql.postgres():
        found += [lambda store, model=model: _values(store, model) for model in t.TABLES]
    return [*found, _attachments, _letters, _index]


# --- the file -----------------------------------------------------------------------------------------------


def _tables(store: Store) -> Iterator[Damage]:
    """SQLite takes a file that was cut off at its beginning for a new, sound database."""
    if not database.is_made(store):
        yield Damage("integrity", "", None, database.NOTHING_IN)


def _integrity(store: Store) -> Iterator[Damage]:
    """SQLite's own check; of a big file table by table, which leaves out only pages that belong to nothing."""
    whole = os.path.getsize(store.place) <= SMALL or sqlite3.sqlite_version_info < (3, 33)
    for name in [""] if whole else store.database.get_tables():
        asked = f"PRAGMA integrity_check({name})" if name else "PRAGMA integrity_check"
        for (line,) in store.database.execute_sql(asked).fetchall()[:MOST]:
            if line != "ok":
                yield Damage("integrity", name, None, str(line))


def _foreign_keys(store: Store) -> Iterator[Damage]:
    for name in store.database.get_tables():
        for table, row, parent, _ in store.database.execute_sql(f"PRAGMA foreign_key_check({name})").fetchall()[:MOST]:
            sentence = f"row {row} of {table} points to a row of {parent} that is not there"
            yield Damage("keys", table, row, sentence)


# --- the rows -----------------------------------------------------------------------------------------------


def _secret(store: Store) -> Iterator[Damage]:
    row = store.database.execute_sql("SELECT value FROM crm_setting WHERE key = 'secret'").fetchone()
    value = str(row[0]) if row else ""
    begun = store.database.execute_sql("SELECT 1 FROM crm_user LIMIT 1").fetchone()  # before `init` there is none
    if begun and (len(value) < SECRET or set(value) - set("0123456789abcdef")):
        yield Damage("secret", "crm_setting", None, "the token secret is gone or damaged: restore it from a backup")


def _rules(store: Store) -> Iterator[Damage]:
    for rule in RULES:
        table = rule.table._meta.table_name
        for (row,) in sql.rows(f"SELECT {_key(table)} FROM {table} x WHERE {rule.wrong} LIMIT {MOST}"):
            yield Damage("rows", table, _number(row), rule.sentence.format(row=row))


def _key(table: str) -> str:
    """The column by whose values rows are told."""
    if not sql.postgres():
        return "rowid"
    return next(one._meta.primary_key.column_name for one in t.TABLES if one._meta.table_name == table)


def _number(row: Any) -> int | None:
    """The number of a row, if it has one."""
    return row if isinstance(row, int) else None


def _rings(store: Store) -> Iterator[Damage]:
    for model, column, what in RINGS:
        table = model._meta.table_name
        rows = store.database.execute_sql(f"SELECT id, {column} FROM {table} WHERE {column} IS NOT NULL").fetchall()
        after = dict(rows)
        ended: set[int] = set()
        for at in after:
            path: set[int] = set()
            while at in after and at not in ended and at not in path:
                path.add(at)
                at = after[at]
            if at in path:
                yield Damage("rings", table, at, f"row {at} of {table} {what}, directly or by way of others")
            ended |= path


# --- the values ---------------------------------------------------------------------------------------------


def _values(store: Store, model: type[t.Table]) -> Iterator[Damage]:
    """Texts that PostgreSQL, JSON or a terminal would refuse, and moments that are not written as we write them."""
    table = model._meta.table_name
    columns = model._meta.sorted_fields
    texts = [one.column_name for one in columns if isinstance(one, peewee.CharField | peewee.TextField | JSONText)]
    moments = [one.column_name for one in columns if isinstance(one, UTCField)]
    conditions = [
        *(("text", f"typeof({one}) = 'blob' OR unclean(CAST({one} AS BLOB))", one) for one in texts),
        *(("moments", f"{one} NOT GLOB '????-??-?? ??:??:??.??????'", one) for one in moments),
    ]
    if not conditions:
        return
    store.database.connection().create_function("unclean", 1, _unclean, deterministic=True)
    sentences = {
        "text": "row {row} of {table} has no clean text in {column}: NUL, or bytes that are no UTF-8",
        "moments": "row {row} of {table} has no moment in UTC in {column}",
    }
    marks = ", ".join(f"COALESCE({condition}, 0)" for _, condition, _ in conditions)
    said = 0
    for first, last in _pages(store, table):
        query = f"SELECT rowid, {marks} FROM {table} WHERE rowid BETWEEN ? AND ?"
        for row, *wrong in store.database.execute_sql(query, (first, last)).fetchall():
            for (check, _, column), mark in zip(conditions, wrong, strict=True):
                if mark and said < MOST:
                    said += 1
                    yield Damage(check, table, row, sentences[check].format(row=row, table=table, column=column))


def _unclean(data: bytes | None) -> bool:
    """Is this no text of ours?"""
    if not data:
        return False
    if data.isascii():
        return b"\0" in data
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), SLICE):
            decoder.decode(data[start : start + SLICE], start + SLICE >= len(data))
    except UnicodeDecodeError:  # the encoded half of a surrogate pair, too
        return True
    return b"\0" in data


def _pages(store: Store, table: str) -> Iterator[tuple[Any, Any]]:
    """(first, last) key of pieces of a table."""
    key = _key(table)
    last: Any = "" if key == "sha256" else 0
    page = f"SELECT {key} AS row FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT ?"
    while True:
        first, end = sql.rows(f"SELECT MIN(p.row), MAX(p.row) FROM ({page}) p", last, PAGE)[0]
        if first is None:
            return
        yield first, end
        last = end


# --- the bytes ----------------------------------------------------------------------------------------------


def _attachments(store: Store) -> Iterator[Damage]:
    said = 0
    for first, last in _pages(store, "crm_blob"):
        key = _key("crm_blob")
        for row, named in sql.rows(f"SELECT {key}, sha256 FROM crm_blob WHERE {key} BETWEEN ? AND ?", first, last):
            found = hashlib.sha256()
            for piece in _slices(store, "crm_blob", row):
                found.update(piece)
            if found.hexdigest() != named and said < MOST and _is_there(store, "crm_blob", row):
                said += 1
                yield Damage(
                    "bytes", "crm_blob", _number(row), f"the attachment bytes {str(named)[:12]}… are not what came"
                )


def _letters(store: Store) -> Iterator[Damage]:
    said = 0
    for first, last in _pages(store, "crm_original"):
        query = "SELECT id, size FROM crm_original WHERE id BETWEEN ? AND ? AND data IS NOT NULL"
        for row, size in sql.rows(query, first, last):
            wrong = _unpacked(_slices(store, "crm_original", row)) != size
            if wrong and said < MOST and _is_there(store, "crm_original", row):
                said += 1
                yield Damage("bytes", "crm_original", row, f"the kept letter {row} is not what came")


def _slices(store: Store, table: str, row: Any) -> Iterator[bytes]:
    """The bytes of a row, a slice at a time; none where it has gone meanwhile."""
    if sql.postgres():
        part, start = f"SELECT substring(data FROM ? FOR ?) FROM {table} WHERE {_key(table)} = ?", 1
        while piece := sql.value(part, start, SLICE, row):
            yield bytes(piece)
            start += SLICE
        return
    try:
        with store.database.connection().blobopen(table, "data", row, readonly=True) as data:
            while piece := data.read(SLICE):
                yield piece
    except sqlite3.OperationalError as error:
        if "no such rowid" not in str(error) and "cannot open value" not in str(error):
            raise


def _is_there(store: Store, table: str, row: Any) -> bool:
    """Is the row there, with its bytes?  Somebody may have removed them while we read."""
    return sql.row(f"SELECT 1 FROM {table} WHERE {_key(table)} = ? AND data IS NOT NULL", row) is not None


def _unpacked(packed: Iterator[bytes]) -> int:
    """How many bytes a packed letter has; -1 where it is cut, or zlib's checksum does not fit."""
    unpacker, size = zlib.decompressobj(), 0
    try:
        for piece in packed:
            while piece and not unpacker.eof:
                size += len(unpacker.decompress(piece, SLICE))
                piece = unpacker.unconsumed_tail
    except zlib.error:
        return -1
    return size if unpacker.eof and not unpacker.unused_data else -1


# --- the index ----------------------------------------------------------------------------------------------


def _index(store: Store) -> Iterator[Damage]:
    """What is in it of a message, SQLite cannot say; that acts keep it current, tests hold."""
    for number in index.lost(MOST):
        yield Damage("index", "crm_message", number, f"no search finds message {number}: crmmail db reindex")
    for number in index.left_over(MOST):
        sentence = f"the index has message {number}, which is not there: crmmail db reindex"
        yield Damage("index", "crm_search", number, sentence)
