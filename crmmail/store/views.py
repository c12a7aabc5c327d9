"""Saved views: queries with a name, of one user or of everybody."""

from __future__ import annotations

from typing import Any, NamedTuple

from peewee import fn

from crmmail.store import tables as t


class Saved(NamedTuple):
    id: int
    user: int | None  # whose; None: everybody's
    name: str
    kind: str
    query: str


def views(user: int) -> list[Saved]:
    """Those that a user can call: his own, then everybody's, by name."""
    rows = t.View.select().where((t.View.user == user) | t.View.user.is_null())
    return [_saved(row) for row in rows.order_by(t.View.user.is_null(), t.View.name)]


def view(name: str, user: int | None) -> Saved | None:
    """The view of that name that a user has himself, or (None) that is everybody's."""
    whose = t.View.user.is_null() if user is None else t.View.user == user
    row = t.View.select().where(fn.CASEFOLD(t.View.name) == name.casefold(), whose).first()
    return _saved(row) if row else None


def _saved(row: Any) -> Saved:
    return Saved(row.id, row.user_id, row.name, row.kind, row.query)
