"""Asking the index of words: which messages have them, newest first.

A word is found as the beginning of one: `invo` finds invoices; a phrase is found word for word.  All words of a query
must be in one message, in any of its parts.

A million messages hold the word that somebody asks for half a million times, so nothing here reads all of them:

    words                 the database gives the newest that have them one at a time, and stops at the last one wanted;
                          for that the beginning of a word is first made into the words that begin so, as it would
                          have to merge the lists of all of them otherwise
    words, and records    where few records fit (FEW), their messages are picked out of those that have the words
                          without reading these; else those that have the words are looked at, newest first
    records only          the messages of few records; else the messages are looked at, newest first

The numbers of the messages are the order in which they came, and that is all the index has of it.  Where an import has
brought mail that is older than what was here (`index.is_by_date`), newest first is by the date.  The index is asked for
those of the NEWEST that have the words, which came together as a rule.  Where these are not enough, it is asked for all
that have them, and then for their dates, or where they are many (SORTED), the messages are read from the newest on
until enough are among them: half a second where a million messages are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

from crmmail.core.excerpt import Asked, asked_for
from crmmail.core.query import Query
from crmmail.core.record import KINDS
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import NotFound
from crmmail.store.engine import sql
from crmmail.store.engine.values import moment
from crmmail.store.letters import index
from crmmail.store.lists import finding
from crmmail.store.lists.finding import Condition

FEW = 1_000  # records whose messages are looked up by the record
SORTED = 2_000  # messages whose dates are looked up
NEWEST = 1_000  # messages that the index is asked for first where dates are the order
WALKED = 2_000  # messages that are read together from the newest on
PROBED = 100  # messages for each of which the index is asked
BEGINNINGS = 200  # words that begin alike; beyond them the database has to merge


class Hit(NamedTuple):
    """A message that was found."""

    message: int
    record: int
    kind: str  # of the record
    title: str
    state: str
    message_kind: str
    author: str
    from_name: str
    from_address: str
    subject: str
    text: str  # as much of it as is in the index
    internal: bool
    received: datetime


# What a query may ask about the record of a message.
_RECORD = f"CROSS JOIN crm_thread h {finding.CASE_OR_LEAD} {finding.CARD_AND_PARTNER}"


def hits(
    query: Query, *, limit: int, before: int | None = None, user: int | None = None, now: datetime | None = None
) -> list[Hit]:
    """The newest messages that fit.

    Args:
        before: of those that are older than this message.
        user: whose are `mine`.
        now: against which `late` is measured.

    Raises:
        NotFound: there is no message `before`.
    """
    return _read(numbers(query, limit=limit, before=before, user=user, now=now))


def numbers(
    query: Query, *, limit: int, before: int | None = None, user: int | None = None, now: datetime | None = None
) -> list[int]:
    """The numbers of the messages that fit, newest first; arguments as `hits` has them."""
    older = _older(before)
    asked = _wanted(query)
    if asked is None:
        return []
    about = query._replace(words=(), sender="", after=None, before=None, has_attachment=False)
    held = finding.conditions(about, finding.OF_ANY, user, now)
    few = _messages_of_few(about, user, now) if held else None
    if few is not None:
        held = []
    if index.is_by_date():
        return _fitting(_by_date(asked, few, [*_received(query), *older]), _of_message(query), held, limit)
    span = _span(query, before)
    if span is None:
        return []
    if few is not None:
        left = {one for one in few if span[0] <= one <= span[1]}
        there = _with_words(asked, left) if asked.text and left else iter(sorted(left, reverse=True))
        return _fitting(there, _of_message(query), held, limit)
    key = "s.rowid" if asked.text and not sql.postgres() else "m.id"
    source, within = "crm_message m", [Condition(f"{key} BETWEEN ? AND ?", span)]
    if asked.text:
        source = "crm_search s CROSS JOIN crm_message m"
        within += [asked, Condition("m.id = s.message_id" if sql.postgres() else "m.id = s.rowid")]
    fits = finding.every([*within, *_of_record(held), *_of_message(query)])
    rows = sql.rows(
        f"SELECT m.id FROM {source} {_RECORD if held else ''} WHERE {fits.text} ORDER BY {key} DESC LIMIT ?",
        *fits.values,
        limit,
    )
    return [number for (number,) in rows]


def _read(wanted: Sequence[int]) -> list[Hit]:
    """Messages by their numbers, in that order."""
    found: dict[int, sql.Row] = {}
    for some in sql.parts(wanted):
        rows = sql.rows(
            f"""
            SELECT m.id, h.id, h.kind, h.title, COALESCE(c.state, l.state, ''), m.kind, COALESCE(w.login, ''),
                m.from_name, m.from_address, m.subject, SUBSTR(m.text, 1, {index.LONGEST}), m.internal, m.received
            FROM crm_message m
            JOIN crm_thread h ON h.id = m.thread_id {finding.CASE_OR_LEAD}
            LEFT JOIN crm_user w ON w.id = m.author_id
            WHERE m.id IN ({sql.marks(len(some))})""",
            *some,
        )
        found |= {row[0]: row for row in rows}
    there = (found[one] for one in wanted if one in found)
    return [Hit(*told, internal=bool(internal), received=moment(received)) for *told, internal, received in there]


def hanging(messages: Sequence[int]) -> dict[int, list[str]]:
    """What the index has of messages beside their subjects and texts, a line each: who took part, what is attached."""
    found: dict[int, list[str]] = {number: [] for number in messages}
    for some in sql.parts(messages):
        people = "SELECT message_id, id, role, name, address FROM crm_message_address WHERE message_id IN"
        for number, _, role, name, address in sorted(sql.rows(f"{people} ({sql.marks(len(some))})", *some)):
            found[number].append(f"{role}: {name} <{address}>" if name and address else f"{role}: {name or address}")
        files = "SELECT message_id, position, name FROM crm_attachment WHERE message_id IN"
        for number, _, name in sorted(sql.rows(f"{files} ({sql.marks(len(some))})", *some)):
            found[number].append(f"file: {name}")
    return found


# --- words --------------------------------------------------------------------------------------------------


def _wanted(query: Query) -> Condition | None:
    """That a message has the words of a query; empty where it asks for none, None where no message can have them."""
    asked = list(dict.fromkeys(asked_for(query)))
    if not asked:
        return None if query.words or query.sender else Condition("")
    if sql.postgres():
        return Condition("s.document @@ CAST(? AS tsquery)", (" & ".join(map(_for_postgres, asked)),))
    parts = [_for_sqlite(one) for one in asked]
    return Condition("crm_search MATCH ?", (" AND ".join(parts),)) if all(parts) else None


def _for_sqlite(asked: Asked) -> str:
    """In the language of FTS5; "" where nothing begins as the last word does."""
    *first, last = asked.words
    known = [last] if asked.whole else _beginning(last)
    if len(known) > BEGINNINGS:
        found = f'"{" ".join(asked.words)}" *'
    else:
        found = " OR ".join(f'"{" ".join([*first, one])}"' for one in known)
    return found and f"sender : ({found})" if asked.sender else found and f"({found})"


def _for_postgres(asked: Asked) -> str:
    """In that of tsquery."""
    *first, last = (f"'{one[: index.WORD]}'" for one in asked.words)
    sign = ("" if asked.whole else "*") + ("A" if asked.sender else "")
    return f"({' <-> '.join([*first, f'{last}:{sign}' if sign else last])})"


def _beginning(start: str) -> list[str]:
    """The words of the index that begin so, no more than BEGINNINGS and one; each is one step in its list of words."""
    sql.run("CREATE VIRTUAL TABLE IF NOT EXISTS temp.crm_vocabulary USING fts5vocab('main', 'crm_search', 'instance')")
    found: list[str] = []
    at, end = start, f"{start}\U0010ffff"
    while len(found) <= BEGINNINGS:
        following = sql.value("SELECT term FROM crm_vocabulary WHERE term >= ? AND term < ? LIMIT 1", at, end)
        if following is None:
            break
        found.append(following)
        at = f"{following}\x01"
    return found


# --- messages, records --------------------------------------------------------------------------------------


def _of_message(query: Query) -> list[Condition]:
    """What a query asks about the message itself.  A letter that was cut short is left to the whole one."""
    found = [Condition("m.superseded_by_id IS NULL"), *_received(query)]
    if query.has_attachment:
        found.append(Condition("EXISTS (SELECT 1 FROM crm_attachment x WHERE x.message_id = m.id)"))
    return found


def _received(query: Query) -> list[Condition]:
    found = [Condition("m.received >= ?", (query.after,))] if query.after else []
    return found + ([Condition("m.received < ?", (query.before,))] if query.before else [])


def _of_record(held: Sequence[Condition]) -> list[Condition]:
    """What a query asks about the record of the message; it stands in _RECORD."""
    return [Condition("h.id = m.thread_id"), *held] if held else []


def _older(before: int | None) -> list[Condition]:
    """That a message is older than this one, by their dates."""
    if before is None:
        return []
    last = sql.row("SELECT received FROM crm_message WHERE id = ?", before)
    if last is None:
        raise NotFound(f"there is no message {before}")
    return [Condition("(m.received, m.id) < (?, ?)", (moment(last[0]), before))]


def _span(query: Query, before: int | None) -> tuple[int, int] | None:
    """The first and the last message that can fit; None where none can.

    Imported letters are older than their numbers, so the first is the lowest number of all from a day on.  `+id`, or
    SQLite would look for the lowest among all messages rather than among those of that time.
    """
    first = last = None
    if query.after:
        first = sql.value("SELECT MIN(+id) FROM crm_message WHERE received >= ?", query.after)
        if first is None:
            return None
    if query.before:
        last = sql.value("SELECT MAX(+id) FROM crm_message WHERE received < ?", query.before)
        if last is None:
            return None
    last = sql.value("SELECT MAX(id) FROM crm_message") or 0 if last is None else last
    return first or 1, min(last, before - 1 if before else last)


def _messages_of_few(about: Query, user: int | None, now: datetime | None) -> set[int] | None:
    """The messages of the records that fit; None where these are not FEW."""
    kinds = [one for one in KINDS if not about.kind or one == about.kind.rstrip("s")]
    records: list[int] = []
    for kind in kinds:
        fits = finding.fitting(kind, about, user=user, now=now)
        rows = sql.rows(f"SELECT h.id {fits.text} LIMIT ?", *fits.values, FEW + 1 - len(records))
        records += [number for (number,) in rows]
        if len(records) > FEW:
            return None
    found: set[int] = set()
    for some in sql.parts(records):
        found |= {
            one for (one,) in sql.rows(f"SELECT id FROM crm_message WHERE thread_id IN ({sql.marks(len(some))})", *some)
        }
    return found


def _fitting(candidates: Iterator[int], fits: Sequence[Condition], held: Sequence[Condition], limit: int) -> list[int]:
    """The first of these messages that fit, and whose records do, in their order."""
    found: list[int] = []
    size = limit
    while len(found) < limit and (some := list(islice(candidates, min(size, sql.TOGETHER)))):
        every = finding.every([finding.one_of("m.id", some), *_of_record(held), *fits])
        rows = sql.rows(f"SELECT m.id FROM crm_message m {_RECORD if held else ''} WHERE {every.text}", *every.values)
        there = {number for (number,) in rows}
        found += [one for one in some if one in there]
        size *= 2
    return found[:limit]


def _with_words(asked: Condition, of: set[int]) -> Iterator[int]:
    """Those of these messages that have the words, newest first, one at a time."""
    key = "s.message_id" if sql.postgres() else "s.rowid"
    within = Condition(f"{key} BETWEEN ? AND ?", (min(of), max(of)))
    if len(of) <= PROBED:
        within = finding.one_of(key, tuple(of))
    text = f"SELECT {key} FROM crm_search s WHERE {asked.text} AND {within.text} ORDER BY {key} DESC"
    for (number,) in sql.connection().execute(text, [*asked.values, *within.values]):
        if number in of:
            yield number


# --- by date ------------------------------------------------------------------------------------------------


def _by_date(asked: Condition, few: set[int] | None, within: Sequence[Condition]) -> Iterator[int]:
    """The messages that have the words and are of this time, newest first; of few, where these are not None."""
    newest = _from_the_newest(within)
    wanted, seen = few, set[int]()
    if asked.text and few is None:
        some = list(islice(newest, NEWEST))
        there = set(_with_words(asked, set(some))) if some else set()
        yield from (one for one in some if one in there)
        if len(some) < NEWEST:
            return
        seen.update(some)
        key = "s.message_id" if sql.postgres() else "s.rowid"
        rows = sql.rows(f"SELECT {key} FROM crm_search s WHERE {asked.text}", *asked.values)
        wanted = {number for (number,) in rows} - seen
    elif asked.text and few:
        wanted = set(_with_words(asked, few))
    if wanted is None or len(wanted) > SORTED:
        yield from (one for one in newest if wanted is None or one in wanted)
        return
    dated: list[tuple[Any, int]] = []
    for some in sql.parts(wanted):
        held = finding.every([finding.one_of("m.id", some), *within])
        dated += sql.rows(f"SELECT m.received, m.id FROM crm_message m WHERE {held.text}", *held.values)
    yield from (number for _, number in sorted(dated, reverse=True))


def _from_the_newest(within: Sequence[Condition]) -> Iterator[int]:
    """All messages of this time, newest first; the index of dates alone is read."""
    last: list[Condition] = []
    while True:
        held = finding.every([*within, *last])
        where = f"WHERE {held.text}" if within or last else ""
        newest = f"SELECT m.received, m.id FROM crm_message m {where} ORDER BY m.received DESC, m.id DESC LIMIT ?"
        some = sql.rows(newest, *held.values, WALKED)
        yield from (number for _, number in some)
        if len(some) < WALKED:
            return
        last = [Condition("(m.received, m.id) < (?, ?)", (moment(some[-1][0]), some[-1][1]))]
