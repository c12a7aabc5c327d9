"""Drafts behind `reply`, `note`, `send` and `forward`: going on with one, and keeping the words of a letter that was
refused, so that none are lost."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from crmmail.cli.order import LETTER, Order
from crmmail.cli.session import Session
from crmmail.core.draft import Draft
from crmmail.core.reply import Addressee
from crmmail.core.text import one_line
from crmmail.errors import CrmmailError, NotFound, Refused, StoreBroken, StoreBusy, UsageError
from crmmail.services.acts import drafts
from crmmail.services.sending import preview
from crmmail.services.sending.preview import Plan, Words
from crmmail.workspace import Workspace

_PLAIN_NAME = re.compile(r"\w[\w .-]*")

# --- going on -----------------------------------------------------------------------------------------------


def resumed(workspace: Workspace, order: Order) -> Order:
    """The order with a draft's words; what the command line names takes the place of what the draft says.

    A draft without a record, or with one that does not exist, is taken only where it is named: its words were meant
    for somebody else than whom the newest letter is about.
    """
    given = order.draft
    if order.resume:
        found = drafts.find(workspace, order.resume)
    else:
        found = drafts.newest(workspace, given.verb, given.record)
    if found.error:
        raise Refused(f"{found.error}; mend it with your editor")
    order, draft = order._replace(path=found.path), found.draft
    if order.resume and not _is_there(workspace, draft):
        draft = draft._replace(record=None)
    check_same(order, draft)
    if not drafts.is_of_store(workspace, found):
        raise Refused(f"{found.path} belongs to another store: --db {draft.store or 'PATH'}")
    if draft.user not in ("", workspace.user().login):
        raise Refused(f"{found.path} is {draft.user}'s: --as {draft.user}")
    merged = draft._replace(
        record=given.record or draft.record,
        verb=given.verb,
        message=given.message or draft.message,
        to=given.to or draft.to,
        cc=given.cc or draft.cc,
        bcc=given.bcc or draft.bcc,
        subject=draft.subject if given.subject is None else given.subject,
        attach=(*draft.attach, *given.attach),
        then=given.then or draft.then,
    )
    order = order._replace(draft=merged)
    if merged.record is None:
        raise UsageError(f"say which record the letter is about: crmmail send RECORD --resume {found.path}")
    with suppress(CrmmailError):  # whom it would go to by itself need not be named
        usual = first_plan(workspace, order._replace(draft=merged._replace(to=())))
        if merged.to == _spelled(usual.addressees, "to"):
            order = order._replace(draft=merged._replace(to=()))
    return order


def _is_there(workspace: Workspace, draft: Draft) -> bool:
    """Is there the record that the draft names?"""
    if draft.record is None:
        return False
    try:
        preview.below(workspace, "send", draft.record, None)
    except NotFound:
        return False
    return True


def check_same(order: Order, draft: Draft) -> None:
    """Is it about this record, and the same kind of letter?"""
    wanted = order.draft
    verb, record = draft.verb or wanted.verb, draft.record or wanted.record
    if verb != wanted.verb or (wanted.record is not None and record != wanted.record):
        raise Refused(
            f"{order.path} says {verb} and #{record}, not {wanted.verb} and #{wanted.record}: "
            "change its first lines, or the command"
        )


# --- keeping ------------------------------------------------------------------------------------------------


@contextmanager
def kept(session: Session, order: Order) -> Iterator[None]:
    """Whatever goes wrong inside, the words are kept, and a line of its own says where."""
    try:
        yield
    except CrmmailError as error:
        where = _kept_where(session, order, busy=isinstance(error, StoreBusy | StoreBroken))
        if where:
            error.add_note(where)
        raise
    except BaseException:  # ^C at a question, or a fault of ours
        where = _kept_where(session, order, busy=True)
        if where:
            if sys.stderr.isatty():
                print(file=sys.stderr)  # behind the terminal's ^C
            session.voice.warn(where)
        raise


def _kept_where(session: Session, order: Order, *, busy: bool) -> str:
    """Keeps the words and says so; "" where there are none."""
    path = order.path
    if not path and (order.dry_run or not order.draft.text.strip()):
        return ""
    workspace = session.workspace
    try:
        if not path:
            path = drafts.put(workspace, order.draft if busy else _as_far_as_known(workspace, order))
    except CrmmailError as error:
        return f"and your words could not be kept: {error}"
    order = order._replace(path=path)
    if not (busy or _is_there(workspace, order.draft)):  # the next command names another record
        order = order._replace(draft=order.draft._replace(record=None))
    return f"your words are in {path}: go on with `{order.again}`"


def _as_far_as_known(workspace: Workspace, order: Order) -> Draft:
    """The draft with whatever can be filled in although something is wrong with it."""
    draft = order.draft
    if not _is_there(workspace, draft):
        return draft
    with suppress(CrmmailError):
        return filled(workspace, order, first_plan(workspace, order))
    return draft


# --- between an order and a draft ---------------------------------------------------------------------------


def filled(workspace: Workspace, order: Order, plan: Plan) -> Draft:
    """The draft with everything that stands for itself: who gets it, the subject, what it answers."""
    draft = order.draft
    if plan.internal:
        return draft
    below = preview.below(workspace, draft.verb, plan.record.id, draft.message)
    return draft._replace(
        message=plan.answers.id if plan.answers else None,
        to=_spelled(plan.addressees, "to"),
        cc=_spelled(plan.addressees, "cc"),
        bcc=_spelled(plan.addressees, "bcc"),
        subject=plan.subject,
        below=below if plan.answers and without_files(order).quote else "",
    )


def _spelled(people: Sequence[Addressee], role: str) -> tuple[str, ...]:
    return tuple(spelled(one.name, one.address) for one in people if one.role == role)


def spelled(name: str, address: str) -> str:
    """`Ann <ann@customer.example>`, `"Doe, Ann" <ann@customer.example>`, as it is typed: quotes where they must be."""
    name = one_line(name.replace('"', "").replace("\\", ""))
    if not name:
        return address
    return f"{name} <{address}>" if _PLAIN_NAME.fullmatch(name) else f'"{name}" <{address}>'


def without_files(order: Order) -> Words:
    """What the services take; the files are still to be read."""
    draft = order.draft
    whole = draft.verb == "forward" and f"{LETTER}{draft.message}" in draft.attach
    return Words(
        text=draft.text,
        subject=draft.subject,
        message=draft.message,
        to=draft.to,
        cc=draft.cc,
        bcc=draft.bcc,
        everybody=order.everybody,
        quote=order.quote and not whole,
        plain=order.plain,
        then=draft.then,
    )


def first_plan(workspace: Workspace, order: Order) -> Plan:
    """Who would get it, before there are words."""
    assert order.draft.record is not None
    return preview.plan(workspace, order.draft.verb, order.draft.record, without_files(order), begun=True)
