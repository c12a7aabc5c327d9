"""Somebody's inbox as he reads it: items and stars; `inbox` is what puts them there.

First the numbers of those that fit are found, newest first, then they are read by their keys, a part at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from crmmail.core.query import Query
from crmmail.core.typed import NamedTuple
from crmmail.errors import NotFound
from crmmail.store.engine import sql
from crmmail.store.engine.values import moment
from crmmail.store.letters import outbox
from crmmail.store.lists import finding
from crmmail.store.lists.finding import Condition


class Item(NamedTuple):
    """A line of somebody's inbox: about a message, or about a letter in quarantine."""

    id: int | None  # of the notification; None: only starred
    record: int | None
    kind: str
    title: str
    state: str
    message: int | None
    quarantine: int | None
    reason: str  # why the letter is in quarantine
    message_kind: str
    subtype: str
    internal: bool
    automatic: bool
    author: str
    from_name: str
    from_address: str
    subject: str
    text: str
    date: datetime
    unread: bool
    starred: bool
    why: str  # follower | addressed | mentioned | in charge | failed | bounced | waiting …; "" for a mere star
    envelope: str  # of a letter of ours that did not arrive: bounced | failed | waiting


# What the item is about; n is the item, st the star.  Each table is found by its key.
_ABOUT = f"""
    LEFT JOIN crm_quarantine q ON q.id = n.quarantine_id
    LEFT JOIN crm_thread h ON h.id = COALESCE(m.thread_id, n.thread_id) {finding.CASE_OR_LEAD}"""
_ITEMS = f"""FROM crm_notification n
    LEFT JOIN crm_star st ON st.message_id = n.message_id AND st.user_id = n.user_id
    LEFT JOIN crm_message m ON m.id = n.message_id {_ABOUT}"""
_STARS = f"""FROM crm_star st
    LEFT JOIN crm_notification n ON n.message_id = st.message_id AND n.user_id = st.user_id
    LEFT JOIN crm_message m ON m.id = st.message_id {_ABOUT}"""


def numbers(
    user: int,
    query: Query = Query(),  # noqa: B008 (a NamedTuple cannot change)
    *,
    unread_only: bool = True,
    starred_only: bool = False,
    now: datetime | None = None,
    limit: int | None = None,
    before: int | None = None,
) -> list[int]:
    """The numbers of somebody's items, newest first; with `starred_only` those of the messages that he has starred,
    whether or not there is an item about them.

    Args:
        now: against which `late` is measured.
        limit: the newest so many.
        before: of those that are older than this item, or (a star) were starred before this message.

    Raises:
        NotFound: he has no item `before`, or has not starred that message.
    """
    key, tables = ("st.message_id", _STARS) if starred_only else ("n.id", _ITEMS)
    fits = [Condition(f"{'st' if starred_only else 'n'}.user_id = ?", (user,))]
    if unread_only and not starred_only:
        fits.append(Condition("n.done IS NULL"))
    if before is not None and starred_only:
        since = sql.value("SELECT created FROM crm_star WHERE user_id = ? AND message_id = ?", user, before)
        if since is None:
            raise NotFound(f"message {before} is not starred")
        fits.append(Condition("(st.created, st.message_id) < (?, ?)", (moment(since), before)))
    elif before is not None:
        if sql.row("SELECT 1 FROM crm_notification WHERE id = ? AND user_id = ?", before, user) is None:
            raise NotFound(f"there is no item {before} in this inbox")
        fits.append(Condition("n.id < ?", (before,)))
    asked = _conditions(query, now=now, user=user)
    if not asked:  # then the index of the items knows
        tables = tables[: tables.index("LEFT JOIN")]
    held = finding.every([*fits, *asked])
    order = "st.created DESC, st.message_id DESC" if starred_only else "n.id DESC"
    beyond = finding.CARD_AND_PARTNER if asked else ""
    cut, most = sql.cut(limit)
    found = sql.rows(f"SELECT {key} {tables} {beyond} WHERE {held.text} ORDER BY {order} {cut}", *held.values, *most)
    return [number for (number,) in found]


def _conditions(query: Query, *, user: int, now: datetime | None) -> list[Condition]:
    if query == Query():
        return []
    subject, text = "COALESCE(m.subject, q.subject, '')", "COALESCE(m.text, q.text, '')"
    sender = ("COALESCE(m.from_name, q.from_name, '')", "COALESCE(m.from_address, q.from_address, '')")
    received = "COALESCE(m.received, q.received)"
    found = [finding.any_has((subject, text, "h.title"), word) for word in query.words]
    found += [finding.any_has(sender, query.sender)] if query.sender else []
    found += finding.conditions(query, finding.OF_ANY, user, now)
    found += [Condition(f"{received} >= ?", (query.after,))] if query.after else []
    found += [Condition(f"{received} < ?", (query.before,))] if query.before else []
    if query.has_attachment:
        found.append(Condition("EXISTS (SELECT 1 FROM crm_attachment x WHERE x.message_id = m.id)"))
    return found


def items(
    user: int,
    query: Query = Query(),  # noqa: B008 (a NamedTuple cannot change)
    *,
    unread_only: bool = True,
    starred_only: bool = False,
    now: datetime | None = None,
    limit: int | None = None,
) -> list[Item]:
    """Somebody's inbox, newest first; arguments as `numbers` has them."""
    found = numbers(user, query, unread_only=unread_only, starred_only=starred_only, now=now, limit=limit)
    return list(listed(user, found, starred_only=starred_only))


def listed(
    user: int, wanted: Iterable[int], *, starred_only: bool = False, length: int | None = None
) -> Iterator[Item]:
    """Items by their numbers, in that order, read a part at a time.

    Args:
        wanted: of items; with `starred_only` of messages that he has starred.
        length: characters of each text that are wanted, from its beginning; None: all.
    """
    key, whose, tables = ("st.message_id", "st", _STARS) if starred_only else ("n.id", "n", _ITEMS)
    text = f"SUBSTR(COALESCE(m.text, q.text, ''), 1, {length})" if length else "COALESCE(m.text, q.text, '')"
    select = f"""
        SELECT {key}, n.id, h.id, h.kind, h.title, COALESCE(c.state, l.state), m.id, q.id, q.reason, m.kind, m.subtype,
            m.internal, m.automatic, w.login, COALESCE(m.from_name, q.from_name, ''),
            COALESCE(m.from_address, q.from_address, ''), COALESCE(m.subject, q.subject, ''), {text},
            COALESCE(m.received, q.received), n.done, st.created, n.why, ({outbox.envelope("d.message_id = m.id")})
        {tables} LEFT JOIN crm_user w ON w.id = m.author_id
        WHERE {whose}.user_id = ? AND {key}"""
    for some in sql.parts(wanted):
        rows = sql.rows(f"{select} IN ({sql.marks(len(some))})", user, *some)
        found = {row[0]: row[1:] for row in rows}
        yield from (_item(found[one]) for one in some if one in found)


def _item(row: sql.Row) -> Item:
    (
        number, record, kind, title, state, message, quarantine, reason, message_kind, subtype, internal, automatic,
        author, from_name, from_address, subject, text, received, done, starred, why, envelope,
    ) = row  # fmt: skip
    return Item(
        number,
        record,
        kind or "",
        title or "",
        state or "",
        message,
        quarantine,
        reason or "",
        message_kind or "",
        subtype or "",
        bool(internal),
        bool(automatic),
        author or "",
        from_name,
        from_address,
        subject,
        text,
        moment(received),
        number is not None and done is None,
        starred is not None,
        why or "",
        outbox.ENVELOPES.get(envelope or "", ""),
    )


def counts(user: int) -> tuple[int, int]:
    """(unread, starred)."""
    unread = sql.value("SELECT COUNT(*) FROM crm_notification WHERE user_id = ? AND done IS NULL", user)
    return int(unread), int(sql.value("SELECT COUNT(*) FROM crm_star WHERE user_id = ?", user))
