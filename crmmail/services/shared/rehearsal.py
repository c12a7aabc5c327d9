"""A dry run does the whole act, so that what it says is what would be done, and then takes it back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from crmmail.workspace import Workspace


class _Rehearsed(Exception):
    """Rolls a dry run back."""


@contextmanager
def rehearsed(workspace: Workspace, dry_run: bool) -> Iterator[None]:
    """One transaction, which a dry run rolls back at its end.  What was found out inside the block stays known."""
    try:
        with workspace.store.transaction():
            yield
            if dry_run:
                raise _Rehearsed
    except _Rehearsed:
        pass
