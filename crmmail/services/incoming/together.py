"""Many letters at once, for a server that stays: read one by one, committed together.

Each is counted as an attempt for itself while it is read and while it is judged.  So where one of them kills the
server, that one is accused and not its neighbours, which merely come again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crmmail.core.known import Envelope
from crmmail.errors import CrmmailError
from crmmail.services.incoming.deliver import deliver_together
from crmmail.services.incoming.judge import Outcome
from crmmail.services.incoming.manner import MAIL
from crmmail.services.incoming.prepare import Prepared, Reading, prepare, reading
from crmmail.spool import Spool
from crmmail.store.engine import database
from crmmail.store.files.attempts import Attempts
from crmmail.store.letters import outbox
from crmmail.workspace import Workspace


def can_take(workspace: Workspace) -> None:
    """Does nothing if the store could be written now.

    Raises:
        CrmmailError: it could not: locked, read-only, broken, of another schema.
    """
    workspace.store.check_writable()
    with workspace.store.transaction():
        database.check_schema(workspace.store.place)


def newest_waiting() -> tuple[int, int]:
    """Of what waits to leave; another answer than before means that there is something to do."""
    return outbox.newest_waiting()


def read(
    workspace: Workspace, letters: Sequence[tuple[Spool, Envelope]], counter: Attempts
) -> list[Prepared | CrmmailError]:
    """Each letter as it was read; an error where it must come again."""
    limits = reading(workspace)
    return [_read(limits, letter, envelope, counter) for letter, envelope in letters]


def take(
    workspace: Workspace,
    many: list[Prepared | CrmmailError],
    counter: Attempts,
    more: Callable[[], Sequence[Prepared | CrmmailError]] = tuple,
) -> list[list[Outcome] | CrmmailError]:
    """What became of each letter; whoever has outcomes is committed, the others must come again.

    Args:
        more: as `deliver_together` has it; what it says is added to `many`.
    """

    def added() -> list[Prepared]:
        came = more()
        many.extend(came)
        return _whole(came)

    judged = iter(deliver_together(workspace, _whole(many), MAIL, counter, added))
    return [next(judged) if isinstance(one, Prepared) else one for one in many]


def _whole(many: Sequence[Prepared | CrmmailError]) -> list[Prepared]:
    return [one for one in many if isinstance(one, Prepared)]


def _read(limits: Reading, letter: Spool, envelope: Envelope, counter: Attempts) -> Prepared | CrmmailError:
    try:
        return prepare(limits, letter, envelope, counter)
    except CrmmailError as error:
        return error
