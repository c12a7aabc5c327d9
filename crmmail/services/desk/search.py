"""Searching all messages by their words, newest first: letters, notes, and what the program said (F78)."""

from __future__ import annotations

from collections.abc import Sequence

from crmmail.core import text
from crmmail.core.excerpt import Asked, Excerpt, asked_for, excerpt
from crmmail.core.query import Query
from crmmail.core.typed import NamedTuple
from crmmail.store.letters import quarantine
from crmmail.store.lists import search
from crmmail.store.lists.search import Hit
from crmmail.workspace import Workspace


class Found(NamedTuple):
    """A message that was found, and the line that says why."""

    hit: Hit
    subject: Excerpt
    snippet: Excerpt


def find(workspace: Workspace, query: Query, *, limit: int, before: int | None = None) -> list[Found]:
    """The newest messages that fit a query; `before`: of those that are older than this one.

    The snippet is a line of the text; where neither that nor the subject has what was asked for, whoever took part, or
    the name of the file, that has it.
    """
    user = workspace.user().id if query.mine else None
    asked = [one for one in asked_for(query) if not one.sender]
    found = [
        Found(hit, excerpt(text.one_line(hit.subject), asked), excerpt(text.clean(hit.text), asked))
        for hit in search.hits(query, limit=limit, before=before, user=user, now=workspace.now())
    ]
    unclear = [one.hit.message for one in found if asked and not (one.subject.marks or one.snippet.marks)]
    beside = {number: _beside(lines, asked) for number, lines in search.hanging(unclear).items()}
    return [one._replace(snippet=beside.get(one.hit.message) or one.snippet) for one in found]


def _beside(lines: Sequence[str], asked: Sequence[Asked]) -> Excerpt | None:
    """The first of these lines that has what was asked for."""
    found = excerpt("\n".join(text.one_line(one) for one in lines), asked)
    return found if found.marks else None


def held() -> int:
    """How many letters wait in quarantine, where no search looks."""
    return sum(count for _, _, count in quarantine.waiting_by_recipient())
