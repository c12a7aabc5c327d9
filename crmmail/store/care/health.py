"""What `doctor` asks of the store and nobody else does."""

from __future__ import annotations

from datetime import datetime

from peewee import fn

from crmmail.core.typed import NamedTuple
from crmmail.store import tables as t


class Growth(NamedTuple):
    """Letters that came into quarantine."""

    lately: int  # since a moment
    before: int  # in the time before it
    oldest: datetime | None  # of those that wait


def quarantine_growth(since: datetime, before: datetime) -> Growth:
    """How many letters came into quarantine from `since` on, and from `before` until then."""
    of = t.Quarantine
    lately = of.select().where(of.received >= since).count()
    earlier = of.select().where(of.received >= before, of.received < since).count()
    oldest: datetime | None = of.select(fn.MIN(of.received)).where(of.state == "waiting").scalar()
    return Growth(lately, earlier, oldest)


def waiting_since(reason: str) -> datetime | None:
    """Since when the oldest letter waits that is in quarantine for that reason."""
    of = t.Quarantine
    found: datetime | None = of.select(fn.MIN(of.received)).where(of.state == "waiting", of.reason == reason).scalar()
    return found


def newest() -> datetime | None:
    """The latest moment at which anything came or was done, as the clock said."""
    moments = [
        t.Decision.select(fn.MAX(t.Decision.at)).scalar(),
        t.Journal.select(fn.MAX(t.Journal.at)).scalar(),
        t.Message.select(fn.MAX(t.Message.received)).scalar(),
    ]
    return max((one for one in moments if one is not None), default=None)


def following_aliases() -> list[tuple[str, int]]:
    """(address of ours that makes records, the record that it follows)."""
    rows = t.Follower.select(t.Follower.address, t.Follower.thread).join(
        t.Alias, on=(t.Alias.address == t.Follower.address)
    )
    return [(address, thread) for address, thread in rows.where(t.Alias.active).order_by(t.Follower.id).tuples()]


def contacts_with_aliases() -> list[tuple[str, int]]:
    """(address of ours that makes records, the contact that has it)."""
    rows = (
        t.ContactAddress.select(t.ContactAddress.address, t.ContactAddress.contact)
        .join(t.Alias, on=(t.Alias.address == t.ContactAddress.address))
        .where(t.Alias.active)
    )
    return [(address, contact) for address, contact in rows.order_by(t.ContactAddress.id).tuples()]


def users_with_aliases() -> list[tuple[str, str]]:
    """(login, his address), where the address makes records; a personal alias of his own is none of these."""
    rows = (
        t.UserAddress.select(t.User.login, t.UserAddress.address)
        .join(t.User)
        .switch(t.UserAddress)
        .join(t.Alias, on=(t.Alias.address == t.UserAddress.address))
        .where(t.User.active, t.Alias.active, t.Alias.user.is_null() | (t.Alias.user != t.UserAddress.user))
    )
    return [(login, address) for login, address in rows.order_by(t.UserAddress.address).tuples()]


def bad_since(moment: datetime) -> list[str]:
    """Addresses of which a bounce has said since then that they do not exist, the latest first."""
    rows = t.BadAddress.select(t.BadAddress.address).where(t.BadAddress.since >= moment)
    return [row.address for row in rows.order_by(t.BadAddress.since.desc(), t.BadAddress.address)]


def dated_rules() -> int:
    """How many rules act when their day has come."""
    return int(t.Rule.select().where(t.Rule.active, t.Rule.dated).count())
