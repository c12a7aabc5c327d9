"""The index of all words of all messages, kept current in the transaction that writes the message.

    a new message          `added`: it is put in at the end of the transaction, when all that hangs on it is there
    edit, delete, undo     `changing`: it is taken out, with the words it had, and put in again at the end
    a store from before    `put` puts in what is `lost`, a part at a time (`services.keeping.upkeep.fill`)

What is in it: subject; text, with what it quotes (people look for that too, and a letter that was never sent to us is
here only as a quote), of a monster the first LONGEST characters; sender; who else took part; names of attachments.  Not
the system's word that a letter made a record: its title is the letter's own subject.  Letters in quarantine are no
messages.

SQLite takes words out of an index that keeps no texts only if it is told which: so `changing` comes before the change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from crmmail.core.typed import NamedTuple
from crmmail.core.words import fold, words
from crmmail.store.engine import sql

LONGEST = 1 << 18  # characters of a text; of names and files together as many
PART = 100  # messages that are read together
COLUMNS = ("subject", "words", "sender", "names", "files")
FIELDS = frozenset(("subject", "text", "from_name", "from_address"))  # of a message, that are in it
BY_DATE = "search.by_date"  # the setting that marks a store in which old mail came after new
HANGING = frozenset(("message_address", "attachment"))  # tables whose rows are in the index with their message


class Document(NamedTuple):
    """What is indexed of a message."""

    message: int
    subject: str
    words: str
    sender: str
    names: str
    files: str


# --- keeping it current -------------------------------------------------------------------------------------


def added(message: int) -> None:
    """A message was made."""
    sql.at_the_end(put, message)


@contextmanager
def changing(messages: Sequence[int]) -> Iterator[None]:
    """Around a change of what is indexed of messages; those that come or go with it are named too."""
    forget(messages)
    yield
    for one in messages:
        sql.at_the_end(put, one)


def brought(message: int) -> None:
    """A message was made that may be older than those that are here: an import brings such."""
    sql.at_the_end(_look_at_order, message)


def is_by_date() -> bool:
    """Is a message here older than one that came before it?  Else their numbers are their order (`search`)."""
    return sql.row("SELECT 1 FROM crm_setting WHERE key = ?", BY_DATE) is not None


def _look_at_order(messages: Sequence[int]) -> None:
    """Marks the store when one of these, the last that came, is older than one before it."""
    if is_by_date():
        return
    # `+id`, or the database would look at all that are before these, and not at the newest of them.
    newest = "SELECT received FROM crm_message WHERE +id < ? ORDER BY received DESC LIMIT 1"
    last = sql.value(newest, min(messages))
    for some in sql.parts(sorted(messages)):
        dated = f"SELECT id, received FROM crm_message WHERE id IN ({sql.marks(len(some))}) ORDER BY id"
        for _, received in sql.rows(dated, *some):
            if last is not None and received < last:
                sql.put("crm_setting", key=BY_DATE, value="yes")
                return
            last = received


def put(messages: Sequence[int]) -> None:
    """Puts in those of these messages that are there and are not in it yet."""
    if sql.postgres():
        for some in sql.parts(messages, PART):
            given = [(one.message, _vector(one)) for one in _documents(some, "NOT EXISTS")]
            sql.run_many("INSERT INTO crm_search (message_id, document) VALUES (?, CAST(? AS tsvector))", given)
        return
    into = f"INSERT INTO crm_search (rowid, {', '.join(COLUMNS)}) VALUES ({sql.marks(6)})"
    for some in sql.parts(messages, PART):
        sql.run_many(into, list(_documents(some, "NOT EXISTS")))


def forget(messages: Sequence[int]) -> None:
    """Takes messages out, before they change."""
    for some in sql.parts(messages, PART):
        if sql.postgres():
            sql.run(f"DELETE FROM crm_search WHERE message_id IN ({sql.marks(len(some))})", *some)
        else:
            for one in _documents(some, "EXISTS"):
                _take_out(one)


def _take_out(document: Document) -> None:
    """Takes a message out of SQLite's index.

    Where somebody has changed its text past us, FTS5 may find that more words would go than came, and calls that a
    malformed database.  Then we only forget that it is in there: it is put in as it is now, and its old words stay
    until `db reindex`.
    """
    columns = f"crm_search, rowid, {', '.join(COLUMNS)}"
    try:
        with sql.savepoint():
            sql.run(f"INSERT INTO crm_search ({columns}) VALUES ('delete', {sql.marks(6)})", *document)
    except Exception as error:
        if "malformed" not in str(error):
            raise
        sql.run("DELETE FROM crm_search_docsize WHERE id = ?", document.message)


def _documents(messages: Collection[int], where: str) -> Iterator[Document]:
    """Of those of these messages that are in the index (EXISTS), or are not (NOT EXISTS)."""
    together = "STRING_AGG" if sql.postgres() else "GROUP_CONCAT"
    found = sql.rows(
        f"""
        SELECT m.id, m.subject, m.from_name, m.from_address, m.kind = 'system' AND m.subtype = 'created'
            AND m.author_id IS NULL,
            (SELECT {together}(a.name || ' ' || a.address, ' ') FROM crm_message_address a
             WHERE a.message_id = m.id AND a.role <> 'from'),
            (SELECT {together}(f.name, ' ') FROM crm_attachment f WHERE f.message_id = m.id)
        FROM crm_message m
        WHERE m.id IN ({sql.marks(len(messages))}) AND {where} ({_here()})""",
        *messages,
    )
    for number, subject, name, address, silent, names, files in found:
        if silent:
            yield Document(number, "", "", "", "", "")
            continue
        text = _beginning(number)
        cut = [fold(one[:LONGEST]) for one in (subject, text, f"{name} {address}", names or "", files or "")]
        yield Document(number, *cut)


def _beginning(message: int) -> str:
    """A message's text, or LONGEST characters of it.  To cut a monster by SQL, SQLite would make a copy of it first."""
    if sql.postgres():
        return str(sql.value("SELECT SUBSTR(text, 1, ?) FROM crm_message WHERE id = ?", LONGEST, message))
    with sql.connection().driver.blobopen("crm_message", "text", message, readonly=True) as text:
        return str(text.read(4 * LONGEST).decode("utf-8", "ignore"))[:LONGEST]


# --- PostgreSQL ---------------------------------------------------------------------------------------------

WORD = 500  # characters of a word; PostgreSQL takes 2 kB
_WHOLE = 900_000  # bytes of a document; it takes a megabyte
_LAST = 16_383  # the last position that it counts


def _vector(document: Document) -> str:
    """A document in PostgreSQL's own writing, each word with its places; those of the sender are marked A."""
    places: dict[str, list[str]] = {}
    at, size = 1, 0
    texts = dict(zip(COLUMNS, document[1:], strict=True))
    for column in ("sender", "names", "files", "subject", "words"):  # the long one last
        mark = "A" if column == "sender" else ""
        for one in words(texts[column]):
            word = one[:WORD]
            size += len(word.encode()) + 8
            if size > _WHOLE:
                break
            places.setdefault(word, []).append(f"{min(at, _LAST)}{mark}")
            at += 1
        at += 2  # no phrase goes from one text into the next
    return " ".join(f"'{word}':{','.join(found[:256])}" for word, found in places.items())


# --- the whole of it ----------------------------------------------------------------------------------------


def messages() -> int:
    """How many messages there are."""
    return int(sql.value("SELECT COUNT(*) FROM crm_message"))


def missing() -> int:
    """How many of them are not in it, as far as two counts can tell."""
    return max(0, messages() - int(sql.value(f"SELECT COUNT(*) FROM {_table()[0]}")))


def clear() -> None:
    """Takes everything out."""
    sql.run("DELETE FROM crm_search" if sql.postgres() else "INSERT INTO crm_search (crm_search) VALUES ('delete-all')")


def lost(limit: int, after: int = 0) -> list[int]:
    """Messages that are not in it, the oldest first, of those `after` a message."""
    query = f"SELECT m.id FROM crm_message m WHERE m.id > ? AND NOT EXISTS ({_here()}) ORDER BY m.id LIMIT ?"
    return [number for (number,) in sql.rows(query, after, limit)]


def left_over(limit: int) -> list[int]:
    """Numbers in it that are no messages."""
    table, key = _table()
    gone = f"NOT EXISTS (SELECT 1 FROM crm_message m WHERE m.id = s.{key})"
    return [number for (number,) in sql.rows(f"SELECT s.{key} FROM {table} s WHERE {gone} ORDER BY 1 LIMIT ?", limit)]


def _table() -> tuple[str, str]:
    """The table that says which messages are in it, and its key."""
    return ("crm_search", "message_id") if sql.postgres() else ("crm_search_docsize", "id")


def _here() -> str:
    """That message m is in it."""
    table, key = _table()
    return f"SELECT 1 FROM {table} s WHERE s.{key} = m.id"
