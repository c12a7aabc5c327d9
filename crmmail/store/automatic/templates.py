"""The shop's own mail templates: a name, and a text for each language that it is there in."""

from __future__ import annotations

from crmmail.core.typed import NamedTuple
from crmmail.store import tables as t


class Template(NamedTuple):
    id: int
    name: str
    lang: str
    subject: str
    text: str


def templates(name: str | None = None) -> list[Template]:
    """All, or those of one name, by name and language."""
    query = t.Template.select().order_by(t.Template.name, t.Template.lang)
    if name is not None:
        query = query.where(t.Template.name == name)
    return [Template(row.id, row.name, row.lang, row.subject, row.text) for row in query]
