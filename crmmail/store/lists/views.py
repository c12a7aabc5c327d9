"""Saved views: queries with a name, of one user or of everybody."""

from __future__ import annotations

from crmmail.core.typed import NamedTuple
from crmmail.store.engine import sql
from crmmail.store.lists import finding


class Saved(NamedTuple):
    id: int
    user: int | None  # whose; None: everybody's
    name: str
    kind: str
    query: str


def views(user: int) -> list[Saved]:
    """Those that a user can call: his own, then everybody's, by name."""
    rows = sql.rows(f"{_SELECT} WHERE user_id = ? OR user_id IS NULL ORDER BY user_id IS NULL, name", user)
    return [Saved(*row) for row in rows]


def view(name: str, user: int | None) -> Saved | None:
    """The view of that name that a user has himself, or (None) that is everybody's."""
    named = finding.same("name", name)
    whose = finding.Condition("user_id = ?", (user,)) if user is not None else finding.Condition("user_id IS NULL")
    row = sql.row(f"{_SELECT} WHERE {named.text} AND {whose.text}", *named.values, *whose.values)
    return Saved(*row) if row else None


_SELECT = "SELECT id, user_id, name, kind, query FROM crm_view"
