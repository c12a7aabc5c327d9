"""Inbox items and stars: rows of (message, user).  The message itself never changes because of them (F39).

Here they come and go; `items` has them as their owner reads them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from crmmail.errors import NotFound
from crmmail.store.engine import sql

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
    sql.put(
        "crm_notification",
        user_id=user,
        why=why,
        created=created,
        message_id=message,
        quarantine_id=quarantine,
        thread_id=thread,
    )


def raise_notification(user: int, why: str, now: datetime, *, message: int, thread: int) -> None:
    """An inbox item about a message, unread again where there was one."""
    put_notification(user, why, now, message=message, thread=thread)
    sql.run("UPDATE crm_notification SET why = ?, done = NULL WHERE user_id = ? AND message_id = ?", why, user, message)


def settle_notifications(message: int, whys: Collection[str], now: datetime) -> None:
    """Dismisses the items about a message that stand in the inboxes for one of these reasons."""
    sql.run(
        "UPDATE crm_notification SET done = ?"
        f" WHERE message_id = ? AND done IS NULL AND why IN ({sql.marks(len(whys))})",
        now,
        message,
        *whys,
    )


def unread(user: int, *, thread: int | None = None) -> list[int]:
    """The ids of somebody's unread items: all, or those about messages of one record (a letter that is held is not
    one of its messages, and stays until somebody decides)."""
    record = " AND thread_id = ? AND message_id IS NOT NULL" if thread is not None else ""
    mine = f"SELECT id FROM crm_notification WHERE user_id = ? AND done IS NULL{record} ORDER BY id"
    return [number for (number,) in sql.rows(mine, user, *([thread] if thread is not None else []))]


def messages_of(items: Iterable[int]) -> list[int]:
    """The messages that these items are about."""
    found: list[int] = []
    for some in sql.parts(items):
        about = f"SELECT message_id FROM crm_notification WHERE id IN ({sql.marks(len(some))})"
        found += [message for (message,) in sql.rows(about, *some) if message is not None]
    return found


def check_own(user: int, numbers: Iterable[int]) -> None:
    """Refuses ids that are no inbox items of this user."""
    wanted = list(dict.fromkeys(numbers))
    mine: set[int] = set()
    for some in sql.parts(wanted):
        text = f"SELECT id FROM crm_notification WHERE user_id = ? AND id IN ({sql.marks(len(some))})"
        mine |= {number for (number,) in sql.rows(text, user, *some)}
    missing = sorted(set(wanted) - mine)
    if missing:
        raise NotFound(f"no inbox item {', '.join(map(str, missing))} of yours: `crmmail inbox --all` lists them")


def set_done(numbers: Iterable[int], at: datetime | None) -> None:
    """Takes items out of the inbox, or (None) puts them back."""
    for some in sql.parts(numbers):
        sql.run(f"UPDATE crm_notification SET done = ? WHERE id IN ({sql.marks(len(some))})", at, *some)


def about_quarantine(quarantine: int) -> list[int]:
    """The unread items about a letter in quarantine, in all inboxes."""
    rows = sql.rows("SELECT id FROM crm_notification WHERE quarantine_id = ? AND done IS NULL", quarantine)
    return [number for (number,) in rows]


def told(message: int) -> list[tuple[int, str, bool]]:
    """(user, why, unread) of everybody who has an item about this message."""
    rows = sql.rows("SELECT user_id, why, done FROM crm_notification WHERE message_id = ?", message)
    return [(user, why, done is None) for user, why, done in rows]


# --- stars --------------------------------------------------------------------------------------------------


def starred(user: int, message: int) -> bool:
    return sql.row("SELECT 1 FROM crm_star WHERE user_id = ? AND message_id = ?", user, message) is not None
