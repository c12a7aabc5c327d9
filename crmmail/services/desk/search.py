"""Searching all messages by their words, newest first: letters, notes, and what the program said (F78)."""

from __future__ import annotations

from crmmail.core import text
from crmmail.core.excerpt import Excerpt, asked_for, excerpt
from crmmail.core.query import Query
from crmmail.core.typed import NamedTuple
from crmmail.store import mails, search
from crmmail.store.search import Hit
from crmmail.workspace import Workspace


class Found(NamedTuple):
    """A message that was found, and the line that says why."""

    hit: Hit
    subject: Excerpt
    snippet: Excerpt


def find(workspace: Workspace, query: Query, *, limit: int, before: int | None = None) -> list[Found]:
    """The newest messages that fit a query; `before`: of those that came before this one."""
    user = workspace.user().id if query.mine else None
    asked = [one for one in asked_for(query) if not one.sender]
    return [
        Found(hit, excerpt(text.one_line(hit.subject), asked), excerpt(text.clean(hit.text), asked))
        for hit in search.hits(query, limit=limit, before=before, user=user, now=workspace.now())
    ]


def held() -> int:
    """How many letters wait in quarantine, where no search looks."""
    return sum(count for _, _, count in mails.waiting_by_recipient())
