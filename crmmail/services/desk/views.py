"""Views: queries with a name (F191, F192, F206).  The usual ones are there already, the others are saved.

    crmmail view my-late        crmmail view save gold 'category:"Gold"' unfinished --shared

A view of one's own stands before everybody's of the same name; the built-in ones are nobody's to change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crmmail.core import query, record, text
from crmmail.core.typed import NamedTuple
from crmmail.errors import NotFound, Refused, Taken, UsageError
from crmmail.services.desk import reading
from crmmail.services.shared import fields
from crmmail.services.shared.rights import need_admin
from crmmail.store.history import journal, undoable
from crmmail.store.lists import views
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace, os_login

# The lists that S2 has for each section: `crmmail view my-open --section support` is one of them.
BUILT_IN = {
    "my": "mine",
    "my-unfinished": "mine unfinished",
    "my-open": "mine state:open",
    "my-pending": "mine state:pending",
    "my-draft": "mine state:draft",
    "my-late": "mine late",
    "my-cancelled": "mine state:cancel",
    "all": "",
    "unassigned": "unassigned",
    "unfinished": "unfinished",
    "late": "late",
    "late-unassigned": "late unassigned",
    "today": "today",
}
# What stands behind `crmmail view` and is no view.
COMMANDS = ("list", "run", "save", "remove")


class View(NamedTuple):
    name: str
    kind: str
    query: str
    shared: bool = False  # everybody's
    built_in: bool = False


def known(workspace: Workspace) -> list[View]:
    """All views that the acting user can call: the built-in ones, his own, everybody's."""
    built_in = [View(name, "case", words, shared=True, built_in=True) for name, words in BUILT_IN.items()]
    return built_in + [_view(one) for one in views.views(workspace.user().id)]


def find(workspace: Workspace, name: str) -> View:
    """The view that a name means to the acting user.

    Raises:
        NotFound: with the names there are.
    """
    name = text.one_line(name)
    if name.lower() in BUILT_IN:
        return View(name.lower(), "case", BUILT_IN[name.lower()], shared=True, built_in=True)
    found = views.view(name, workspace.user().id) or views.view(name, None)
    if found is None:
        names = ", ".join(dict.fromkeys(one.name for one in known(workspace)))
        raise NotFound(f"there is no view {name!r}; views: {names}")
    return _view(found)


def listing(
    workspace: Workspace,
    view: View,
    words: Sequence[str] = (),
    *,
    section: str | None = None,
    recursive: bool = False,
    limit: int | None = None,
    before: int | None = None,
) -> Iterator[Record]:
    """The records that a view shows, of those that fit further words; arguments as `reading.listing` has them."""
    wanted = query.parse([view.query, *words], lambda said: fields.moment(workspace, said))
    return reading.listing(
        workspace, view.kind, wanted, section_code=section, recursive=recursive, limit=limit, before=before
    )


def save(workspace: Workspace, name: str, words: Sequence[str], *, kind: str = "case", shared: bool = False) -> View:
    """Keeps a query under a name; one of that name is replaced.  `shared`: for everybody, which an admin decides."""
    me = need_admin(workspace, "share views") if shared else workspace.user()
    name = text.one_line(name)
    if not name or " " in name or name.startswith("-"):
        raise UsageError(f"{name!r} is no name for a view: it must be one word")
    if name.lower() in COMMANDS:
        raise UsageError(f"a view cannot be called {name}: `crmmail view {name.lower()}` is a command")
    if name.lower() in BUILT_IN:
        raise Taken(f"there is a view {name.lower()} already, which is built in: choose another name")
    columns = {"kind": record.kind(kind).name, "query": text.one_line(query.join(words))}
    owner = None if shared else me.id
    with workspace.store.transaction():
        there = views.view(name, owner)
        if there:
            done = undoable.update("view", there.id, name=name, **columns)
        else:
            done = undoable.insert("view", user=owner, name=name, **columns)
        if not done:
            raise Refused(f"view {name} says that already")
        journal.write(me.id, os_login(), workspace.now(), "view", f"view {name} saved", done)
    return find(workspace, name) if not shared else View(name, columns["kind"], columns["query"], shared=True)


def remove(workspace: Workspace, name: str) -> View:
    """Forgets a view: one's own, else everybody's (an admin)."""
    this = find(workspace, name)
    if this.built_in:
        raise Refused(f"view {this.name} is built in and stays")
    me = need_admin(workspace, "remove shared views") if this.shared else workspace.user()
    there = views.view(this.name, None if this.shared else me.id)
    with workspace.store.transaction():
        done = undoable.delete("view", there.id) if there else []
        journal.write(me.id, os_login(), workspace.now(), "view", f"view {this.name} removed", done)
    return this


def _view(saved: views.Saved) -> View:
    return View(saved.name, saved.kind, saved.query, shared=saved.user is None)
