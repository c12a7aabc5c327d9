"""A transaction that is done again when the database could not fit it in with the others of that moment.

SQLite has one writer at a time, and nothing is ever done twice.  So has PostgreSQL, as we use it
(`store.engine.postgres`); but somebody with a tool of his own may write there too, or a cluster may not know the lock
that makes it so.  Then the server takes one of the two back, and it is done again: it must have done nothing but write
into the store.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from crmmail.errors import StoreContended
from crmmail.services.shared.rehearsal import rehearsed
from crmmail.workspace import Workspace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")

PAUSES = (0.01, 0.04, 0.16, 0.64)  # seconds, at most; two that met by chance do not meet again


def again(workspace: Workspace, act: Callable[[], T], *, dry_run: bool = False) -> T:
    """Does `act` in a transaction of its own, some times if it must; its answer.

    Raises:
        StoreContended: somebody was in its way each time; others as `Store.transaction` does.
    """
    for pause in PAUSES:
        try:
            with rehearsed(workspace, dry_run):
                return act()
        except StoreContended:
            time.sleep(pause * os.urandom(1)[0] / 255)
    with rehearsed(workspace, dry_run):
        return act()
