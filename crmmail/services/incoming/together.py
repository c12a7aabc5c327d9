"""Many letters at once, for a server that stays: read one by one, committed together.

Each is counted as an attempt for itself while it is read (`prepare`) and while it is judged.  So where one of them
kills the server, that one is accused and not its neighbours, which merely come again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crmmail.errors import CrmmailError
from crmmail.services.incoming.deliver import deliver_together
from crmmail.services.incoming.judge import Outcome
from crmmail.services.incoming.manner import MAIL
from crmmail.services.incoming.prepare import Prepared, again_with, reading
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


def take(
    workspace: Workspace,
    many: list[Prepared | CrmmailError],
    counter: Attempts,
    more: Callable[[], Sequence[Prepared | CrmmailError]] = tuple,
) -> list[list[Outcome] | CrmmailError]:
    """What became of each letter; whoever has outcomes is committed, the others must come again.

    Who read them had the settings as they were then; what was read by others than these is read again.

    Args:
        more: as `deliver_together` has it; what it says is added to `many`.
    """

    def current(came: Sequence[Prepared | CrmmailError]) -> list[Prepared | CrmmailError]:
        return [again_with(limits, one, counter) if isinstance(one, Prepared) else one for one in came]

    def added() -> list[Prepared]:
        came = current(more())
        many.extend(came)
        return _whole(came)

    limits = reading(workspace)
    many[:] = current(many)
    judged = iter(deliver_together(workspace, _whole(many), MAIL, counter, added))
    return [next(judged) if isinstance(one, Prepared) else one for one in many]


def _whole(many: Sequence[Prepared | CrmmailError]) -> list[Prepared]:
    return [one for one in many if isinstance(one, Prepared)]
