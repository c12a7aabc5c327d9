"""What commands that change something share: the one line that says what was done, and one id after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from crmmail.cli.line import Line, Span
from crmmail.cli.session import Session
from crmmail.core.typed import TYPE_CHECKING
from crmmail.errors import CrmmailError

if TYPE_CHECKING:  # what they come from is read by the commands that act, not by those that only list
    from crmmail.services.acts.records import Done
    from crmmail.services.shared.fields import Detail

UNDO = "   (undo: crmmail undo)"
REHEARSED = "   (a dry run: nothing was changed)"


def each(session: Session, ids: Iterable[int], act: Callable[[int], list[Line]]) -> int:
    """Does `act` to each id and says what it answers; what fails is said and the rest goes on.  The worst exit code.

    Each is an act of its own, so behind several it is said how to take back all of them.
    """
    failed = acts = 0
    for number in ids:
        try:
            for line in act(number):
                session.voice.say(line)
                acts += not isinstance(line, str) and Span(UNDO, "dim") in line
        except CrmmailError as error:
            session.voice.warn(str(error))
            failed = max(failed, error.exit_code)
    if acts > 1:
        session.voice.say(Span(f"all {acts:,} of them: crmmail undo {acts}", "dim"))
    return failed


def changed(done: Done, hint: str = UNDO) -> list[Line]:
    """`#101 Printer broken: open → done   (undo: crmmail undo)`, and what rules made of it."""
    return said(f"#{done.record} {done.title}: {details(done.details)}", hint, done.rules)


def said(sentence: str, hint: str = UNDO, rules: Iterable[str] = ()) -> list[Line]:
    """One line, and one for each rule that acted besides, since the first no longer tells how it ended."""
    return [(sentence, Span(hint, "dim")), *(Span(f"  rule {one}", "dim") for one in rules)]


def details(changes: Iterable[Detail]) -> str:
    """A change of state needs no name before it, the others do."""
    return ", ".join(
        f"{one.old} → {one.new}" if one.field == "state" else f"{one.field} {one.old or 'none'} → {one.new or 'none'}"
        for one in changes
    )
