"""What the index of words has in it, to be held against what it would have were it made anew."""

from __future__ import annotations

from typing import Any

from conversation import Talk

from crmmail.store.engine import sql
from crmmail.store.letters import index


def contents() -> list[Any]:
    """Everything in the index of the open store, in an order of its own."""
    if sql.postgres():
        return sql.rows("SELECT message_id, CAST(document AS text) FROM crm_search ORDER BY 1")
    sql.run("CREATE VIRTUAL TABLE IF NOT EXISTS temp.parted USING fts5vocab('main', 'crm_search', 'instance')")
    words = sql.rows("SELECT doc, term, col, offset FROM parted ORDER BY 1, 2, 3, 4")
    return [*words, *sql.rows("SELECT id, HEX(sz) FROM crm_search_docsize ORDER BY 1")]


def check_current() -> None:
    """The index of the open store has what the messages say, neither more nor less."""
    found = contents()
    with sql.transaction():
        index.clear()
        index.put(index.lost(index.messages()))
    assert found == contents()


def check(talk: Talk) -> None:
    """The same of a shop's, in which there is something to find."""
    with talk.open():
        check_current()
        assert contents()
