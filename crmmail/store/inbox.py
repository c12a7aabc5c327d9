"""Inbox items and stars: rows of (message, user).  The message itself never changes because of them (F39)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from peewee import JOIN, fn

from crmmail.core.query import Query
from crmmail.errors import NotFound
from crmmail.store import outbox, records
from crmmail.store import tables as t
from crmmail.store.database import every, has


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


def items(
    user: int,
    query: Query = Query(),  # noqa: B008 (a NamedTuple cannot change)
    *,
    unread_only: bool = True,
    starred_only: bool = False,
    number: int | None = None,
    now: datetime | None = None,
    limit: int | None = None,
) -> list[Item]:
    """Somebody's inbox, newest first; with `starred_only` his stars, whether or not there is an item about them; with
    `number` that item only."""
    item, star = t.Notification, t.Star
    if starred_only:
        rows = star.select().where(star.user == user)
        rows = rows.join(item, JOIN.LEFT_OUTER, on=((item.message == star.message) & (item.user == user)))
        message, order = star.message, (star.created.desc(), star.message.desc())
    else:
        rows = item.select().where(item.user == user)
        if unread_only:
            rows = rows.where(item.done.is_null())
        if number is not None:
            rows = rows.where(item.id == number)
        rows = rows.join(star, JOIN.LEFT_OUTER, on=((star.message == item.message) & (star.user == user)))
        message, order = item.message, (item.id.desc(),)
    from crmmail.store import finding  # who only puts items here, as a delivery does, finds none

    author = t.User.alias()
    rows = records.joined(
        rows.join(t.Message, JOIN.LEFT_OUTER, on=(t.Message.id == message))
        .join(t.Quarantine, JOIN.LEFT_OUTER, on=(t.Quarantine.id == item.quarantine))
        .join(t.Thread, JOIN.LEFT_OUTER, on=(t.Thread.id == fn.COALESCE(t.Message.thread, item.thread)))
    ).join(author, JOIN.LEFT_OUTER, on=(author.id == t.Message.author))
    from_name = fn.COALESCE(t.Message.from_name, t.Quarantine.from_name, "")
    from_address = fn.COALESCE(t.Message.from_address, t.Quarantine.from_address, "")
    subject = fn.COALESCE(t.Message.subject, t.Quarantine.subject, "")
    text = fn.COALESCE(t.Message.text, t.Quarantine.text, "")
    fits = [
        *(has(subject, word) | has(text, word) | has(t.Thread.title, word) for word in query.words),
        *([has(from_name, query.sender) | has(from_address, query.sender)] if query.sender else []),
        *finding.conditions(query, user, now),
        *([(t.Message.received >= query.after) | (t.Quarantine.received >= query.after)] if query.after else []),
        *([(t.Message.received < query.before) | (t.Quarantine.received < query.before)] if query.before else []),
        *([t.Message.id.in_(t.Attachment.select(t.Attachment.message))] if query.has_attachment else []),
    ]
    if fits:
        rows = rows.where(every(fits))
    rows = rows.select(
        item.id.alias("item"),
        item.done.alias("item_done"),
        item.why.alias("why"),
        outbox.envelope(t.Delivery.message == t.Message.id).alias("envelope"),
        t.Thread.id.alias("record"),
        t.Thread.kind.alias("thread_kind"),
        t.Thread.title.alias("title"),
        fn.COALESCE(t.Case.state, t.Lead.state).alias("state"),
        t.Message.id.alias("message_number"),
        t.Quarantine.id.alias("quarantine_number"),
        t.Quarantine.reason.alias("reason"),
        t.Message.kind.alias("message_kind"),
        t.Message.subtype.alias("subtype_code"),
        t.Message.internal.alias("internal"),
        t.Message.automatic.alias("automatic"),
        author.login.alias("author_login"),
        from_name.alias("from_name"),
        from_address.alias("from_address"),
        subject.alias("subject"),
        text.alias("text"),
        t.Message.received.alias("message_received"),
        t.Quarantine.received.alias("quarantine_received"),
        star.created.alias("star_created"),
    )
    return [_item(row) for row in rows.order_by(*order).limit(limit).dicts()]


def _item(row: dict[str, Any]) -> Item:
    return Item(
        row["item"],
        row["record"],
        row["thread_kind"] or "",
        row["title"] or "",
        row["state"] or "",
        row["message_number"],
        row["quarantine_number"],
        row["reason"] or "",
        row["message_kind"] or "",
        row["subtype_code"] or "",
        bool(row["internal"]),
        bool(row["automatic"]),
        row["author_login"] or "",
        row["from_name"],
        row["from_address"],
        row["subject"],
        row["text"],
        row["message_received"] or row["quarantine_received"],
        row["item"] is not None and row["item_done"] is None,
        row["star_created"] is not None,
        row["why"] or "",
        outbox.ENVELOPES.get(row["envelope"] or "", ""),
    )


def counts(user: int) -> tuple[int, int]:
    """(unread, starred)."""
    unread = t.Notification.select().where(t.Notification.user == user, t.Notification.done.is_null()).count()
    starred = t.Star.select().where(t.Star.user == user).count()
    return unread, starred


# --- items --------------------------------------------------------------------------------------------------


def put_notification(
    user: int,
    why: str,
    created: datetime,
    *,
    message: int | None = None,
    quarantine: int | None = None,
    thread: int | None = None,
) -> None:
    """An inbox item; telling somebody twice of the same thing does nothing."""
    t.Notification.insert(
        user=user, why=why, created=created, message=message, quarantine=quarantine, thread=thread
    ).on_conflict_ignore().execute()


def raise_notification(user: int, why: str, now: datetime, *, message: int, thread: int) -> None:
    """An inbox item about a message, unread again where there was one."""
    put_notification(user, why, now, message=message, thread=thread)
    mine = (t.Notification.user == user) & (t.Notification.message == message)
    t.Notification.update(why=why, done=None).where(mine).execute()


def settle_notifications(message: int, whys: Collection[str], now: datetime) -> None:
    """Dismisses the items about a message that stand in the inboxes for one of these reasons."""
    item = t.Notification
    mine = (item.message == message) & item.why.in_(list(whys)) & item.done.is_null()
    item.update(done=now).where(mine).execute()


def unread(user: int, *, thread: int | None = None) -> list[int]:
    """The ids of somebody's unread items: all, or those about messages of one record (a letter that is held is not
    one of its messages, and stays until somebody decides)."""
    query = t.Notification.select(t.Notification.id).where(t.Notification.user == user, t.Notification.done.is_null())
    if thread is not None:
        query = query.where(t.Notification.thread == thread, t.Notification.message.is_null(False))
    return [row.id for row in query.order_by(t.Notification.id)]


def messages_of(items: Iterable[int]) -> list[int]:
    """The messages that these items are about."""
    rows = t.Notification.select(t.Notification.message).where(t.Notification.id.in_(list(items)))
    return [row.message_id for row in rows if row.message_id is not None]


def check_own(user: int, numbers: Iterable[int]) -> None:
    """Refuses ids that are no inbox items of this user."""
    wanted = list(dict.fromkeys(numbers))
    rows = t.Notification.select(t.Notification.id).where(t.Notification.user == user, t.Notification.id.in_(wanted))
    missing = sorted(set(wanted) - {row.id for row in rows})
    if missing:
        raise NotFound(f"no inbox item {', '.join(map(str, missing))} of yours: `crmmail inbox --all` lists them")


def set_done(numbers: Iterable[int], at: datetime | None) -> None:
    """Takes items out of the inbox, or (None) puts them back."""
    t.Notification.update(done=at).where(t.Notification.id.in_(list(numbers))).execute()


def about_quarantine(quarantine: int) -> list[int]:
    """The unread items about a letter in quarantine, in all inboxes."""
    query = t.Notification.select(t.Notification.id).where(
        t.Notification.quarantine == quarantine, t.Notification.done.is_null()
    )
    return [row.id for row in query]


def told(message: int) -> list[tuple[int, str, bool]]:
    """(user, why, unread) of everybody who has an item about this message."""
    rows = t.Notification.select().where(t.Notification.message == message)
    return [(row.user_id, row.why, row.done is None) for row in rows]


# --- stars --------------------------------------------------------------------------------------------------


def starred(user: int, message: int) -> bool:
    return bool(t.Star.select().where(t.Star.user == user, t.Star.message == message).exists())
