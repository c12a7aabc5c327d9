"""Where the words of a letter come from, and how none are lost.

    -m TEXT …, -f FILE, stdin where it is no terminal, else the editor; --resume goes on with a draft

The editor works on the draft's own file, so whatever becomes of the terminal, the words are there.  Whatever refuses a
letter later leaves its words in a draft too, and a line says where.  A draft that nobody wrote into is no draft.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence

from crmmail.cli import editor
from crmmail.cli.keep import check_same, filled, first_plan, kept, resumed, without_files
from crmmail.cli.order import FILE, LETTER, THEN, Order, at_terminal
from crmmail.cli.session import Session
from crmmail.core import when
from crmmail.core.draft import Draft
from crmmail.core.letter import File
from crmmail.core.text import one_line
from crmmail.errors import Refused, UsageError
from crmmail.services.acts import drafts
from crmmail.services.sending import attach, preview
from crmmail.services.sending.preview import Words
from crmmail.store.work.records import Record
from crmmail.workspace import Workspace

# --- the words ----------------------------------------------------------------------------------------------


def composed(session: Session, order: Order) -> Order:
    """The order with its words, read or written.

    Raises:
        Refused: there are none, or the person thought better of it.
        UsageError: nobody is there to write them.
    """
    workspace = session.workspace
    _check_usage(order)
    if order.resume is not None:
        order = resumed(workspace, _about(workspace, order))
        return _edited(session, order) if at_terminal() and not order.yes else order
    words = given(order.words, order.file, edit=order.edit)
    order = order._replace(draft=order.draft._replace(text=words or ""))
    with kept(session, order):
        order = _about(workspace, order)
        if words is None and not order.edit and order.draft.verb == "forward":
            return order  # what is passed on speaks for itself
        if words is None or order.edit:
            if not at_terminal():
                raise UsageError("an editor needs a terminal: say the words with -m, with -f, or on stdin")
        elif not (words.strip() or order.words or order.draft.verb == "forward"):
            raise Refused("there are no words: say them with -m, with -f, or on stdin")
        else:
            return order
    return _edited(session, order)


def _check_usage(order: Order) -> None:
    draft = order.draft
    if order.resume is not None and (order.words or order.file is not None):
        raise UsageError("--resume goes on with a draft; -m and -f begin a new one")
    if order.words and order.file is not None:
        raise UsageError("the words come with -m or with -f, not with both")
    if draft.verb == "send" and draft.record is None and order.resume is None and not draft.to:
        raise UsageError("say which record the letter is about: crmmail send RECORD")


def _about(workspace: Workspace, order: Order) -> Order:
    """The order with its record; a letter without one is refused, and whose it could be is said (F81)."""
    draft = order.draft
    if draft.verb == "forward":
        return order._replace(draft=_passed_on(workspace, order))
    if draft.record is not None or order.resume is not None:
        return order
    found = preview.candidates(workspace, draft.to)
    people = ", ".join(draft.to)
    if not found:
        raise Refused(
            f"a letter belongs to a record, and none is about {people}: "
            f"make one (crmmail new case TITLE --email {people}), then crmmail send ITS-NUMBER"
        )
    raise Refused(
        f"a letter belongs to a record; about {people} there is {_candidates(found)}: "
        f"say which, as in `crmmail send {found[0].id} --to {shlex.quote(people)}`"
    )


def _candidates(found: Sequence[Record], limit: int = 10) -> str:
    """`#101 Printer broken (case, open), #102 …`."""
    named = [
        f"#{one.id} {one_line(one.title, 40)} ({one.kind}{', ' if one.state else ''}{one.state})"
        for one in found[:limit]
    ]
    return ", ".join([*named, *([f"and {len(found) - limit} more"] if len(found) > limit else [])])


def _passed_on(workspace: Workspace, order: Order) -> Draft:
    """A letter that is passed on, with what goes along; a draft that is resumed names its files itself."""
    draft = order.draft
    assert draft.message is not None
    record = preview.record_of(draft.message)
    along: list[str] = []
    if order.resume is None and order.along == "letter":
        along = [f"{LETTER}{draft.message}"]
    elif order.resume is None and order.along == "files":
        along = [f"{FILE}{one}" for one in attach.of_message(workspace, draft.message)]
    return draft._replace(record=record, attach=(*draft.attach, *along))


def given(words: Sequence[str], file: str | None, *, edit: bool = False) -> str | None:
    """The words that the command line gives or names; None: somebody has to write them."""
    if words:
        return "\n\n".join(words)
    if file is not None and file != "-":
        return _decoded(_content(file), file)
    if file is None and (sys.stdin.isatty() or edit):
        return None
    return _decoded(sys.stdin.buffer.read(), "stdin")


def _content(path: str) -> bytes:
    try:
        with open(os.path.expanduser(path), "rb") as file:
            return file.read()
    except OSError as error:
        raise Refused(f"cannot read the words in {path}: {error.strerror}") from None


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise Refused(f"the words in {where} are not in UTF-8: iconv can change that") from None


# --- the editor ---------------------------------------------------------------------------------------------


def _edited(session: Session, order: Order) -> Order:
    """The order as the person leaves it in his editor; what he changed in its header counts."""
    workspace, begun = session.workspace, bool(order.path)
    if not begun:
        _speak_of_older(session, order)
        order = _filled_in(session, order)
    elif drafts.load(order.path).record != order.draft.record:  # it was begun without one, or with a wrong one
        order = _filled_in(session, order)
    before = drafts.load(order.path)
    with kept(session, order):
        editor.edit(order.path, workspace.environ)
    try:
        after = drafts.load(order.path)
    except Refused as error:
        raise Refused(f"{error}; mend it: `{order.again}`") from None
    if after == before and not after.text and not begun:
        drafts.remove(order.path, workspace.environ)
        raise Refused(f"nothing was {_done(after)}: there are no words")
    if not after.text or after == before:
        raise _unchanged(order, after)
    with kept(session, order):
        check_same(order, after)
        if before.to and not after.to:
            raise Refused("nobody stands in To any more")
    return _taken_over(order, before, after)


def _speak_of_older(session: Session, order: Order) -> None:
    """Who begins anew may have forgotten what he began before."""
    workspace, wanted = session.workspace, order.draft
    for one in drafts.listing(workspace):
        if one.draft.text and (one.draft.verb, one.draft.record) == (wanted.verb, wanted.record):
            ago = when.ago(one.updated, workspace.now().astimezone()).replace("now", "a moment ago")
            session.voice.warn(f"a draft of {ago} is there: --resume goes on with it")
            return


def _filled_in(session: Session, order: Order) -> Order:
    """The order with a file that has all that stands for itself; it takes the place of a draft that lacked it."""
    workspace = session.workspace
    with kept(session, order):
        path = drafts.put(workspace, filled(workspace, order, first_plan(workspace, order)))
    if order.path and drafts.is_ours(order.path, workspace.environ):
        drafts.remove(order.path, workspace.environ)
    return order._replace(path=path)


def _unchanged(order: Order, after: Draft) -> Refused:
    why = "the draft is unchanged" if after.text else "the words are empty"
    so = " (--yes sends it as it is)" if after.text else ""
    error = Refused(f"nothing was {_done(after)}: {why}")
    error.add_note(f"the draft is {order.path}: go on with `{order.again}`{so}")
    return error


def _done(draft: Draft) -> str:
    return "written" if draft.verb == "note" else "sent"


def _taken_over(order: Order, before: Draft, after: Draft) -> Order:
    """What the person changed counts; what he left alone is still the command line's to say, so that the customer stays
    the customer and not somebody who was named."""
    given = order.draft
    left = {
        field: getattr(given, field)
        for field in ("record", "verb", "to", "cc", "bcc", "subject", "then")
        if field in ("record", "verb") or getattr(after, field) == getattr(before, field)
    }
    added = tuple(one for one in given.attach if one not in before.attach)
    draft = after._replace(**left, message=after.message or given.message, attach=(*after.attach, *added))
    return order._replace(draft=draft, everybody=order.everybody and after.cc == before.cc)


# --- what the services take ---------------------------------------------------------------------------------


def words(workspace: Workspace, order: Order) -> Words:
    """The words with their files.

    Raises:
        Refused, NotFound, NotAllowed: a file cannot be attached.
    """
    draft = order.draft
    if draft.then not in ("", *THEN):
        raise Refused(f"Then: {draft.then} is not possible after a letter: it must be {' or '.join(THEN)}")
    internal = draft.verb == "note"
    return without_files(order)._replace(files=tuple(_file(workspace, one, internal) for one in draft.attach))


def _file(workspace: Workspace, name: str, internal: bool) -> File:
    """What an attachment's name means: `file:3`, `message:7`, else a path."""
    for mark, found in ((FILE, attach.from_message), (LETTER, attach.whole_letter)):
        number = name.removeprefix(mark)
        if name != number and number.isascii() and number.isdigit() and len(number) <= 18:
            return found(workspace, int(number), internal=internal)
    return attach.from_disk(workspace, name)
