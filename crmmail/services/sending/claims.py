"""A worker's rows of the outbox: claimed by a lease, given back, put off, settled; each act in its own transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from crmmail.core import failure as failures
from crmmail.core.failure import Failure
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import StoreBusy
from crmmail.services.sending import trouble, worker
from crmmail.store.engine.database import speaking_plainly
from crmmail.store.history import journal
from crmmail.store.letters import outbox
from crmmail.store.letters.outbox import Delivery
from crmmail.workspace import Workspace

BATCH = 50  # rows claimed at a time
LEASE = timedelta(minutes=45)  # renewed when half is over: longer than a mail may take, and writing it down
PATIENCE = 3  # tries after which somebody is told that a mail still waits


class Result(NamedTuple):
    """What came of one row."""

    delivery: Delivery
    state: str  # sent | queued (tried, will be again) | failed | cancelled
    failure: Failure | None = None
    due: datetime | None = None  # of a queued one: the next try

    @property
    def advice(self) -> str:
        if self.failure is None:
            return ""
        number = None if self.failure.ours else self.delivery.id  # a shut door is everybody's
        return failures.advice(self.failure, gave_up=self.state == "failed", mail=number)


class Claims:
    """The rows that a worker has claimed."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.me = worker.name()

    def take(self, numbers: Sequence[int] | None) -> list[int]:
        """The next rows that are due, of these or of all: no other worker has them, and none takes them meanwhile."""
        now = datetime.now(UTC)
        with self.workspace.store.transaction():
            return outbox.claim(
                self.me, self.workspace.now(), now, now + LEASE, alive=worker.alive, numbers=numbers, limit=BATCH
            )

    def give_back(self, numbers: Sequence[int]) -> None:
        """They are free for the next pass."""
        with self.workspace.store.transaction():
            outbox.release(numbers, self.me)

    def is_still_mine(self, number: int, *, renew: bool) -> bool:
        """Is the row to be sent, and by us?  Its message may have been deleted since it was claimed."""
        with speaking_plainly(self.workspace.store.place):
            if outbox.is_mine(number, self.me) and not renew:
                return True
        with self.workspace.store.transaction():
            if outbox.renew(number, self.me, datetime.now(UTC) + LEASE):
                return True
            outbox.release([number], self.me)  # cancelled: should it be put back, it must be free
        return False

    def readdress(self, copy: Delivery, address: str) -> tuple[Delivery, str]:
        """The row, to the address that its user has now; and what row and log say of it."""
        note = f"addressed to {address}, which is his now, instead of {copy.to}"
        now = self.workspace.now()
        with self.workspace.store.transaction():
            if outbox.is_mine(copy.id, self.me):
                outbox.change(copy.id, address=address, reason=note)
                sentence = f"mail {copy.id} {note}"
                journal.write(None, "", now, "readdress-mail", sentence, thread=copy.record, undoable=False)
        return copy._replace(to=address), note

    def put_off(self, numbers: Sequence[int], failure: Failure, due: datetime) -> None:
        """Rows that are not tried: they say why they wait, and are given back."""
        with self.workspace.store.transaction():
            for number in numbers:
                outbox.settle(number, self.me, due=due, reason=failure.words, failure=failure.kind)

    def park(self, number: int, broken: Failure) -> None:
        """A row that cannot be read has failed.

        Nobody's inbox is told of it, for an item about it could not be read either: `tick` says it, and `doctor`.
        """
        with self.workspace.store.transaction():
            outbox.settle(number, self.me, state="failed", reason=broken.words, failure=broken.kind)

    def settle(self, copy: Delivery, result: Result, *, tell: bool = False, **columns: Any) -> Result | None:
        """Writes down what came of a row, and who must hear of it; `tell`: somebody must in any case."""
        failure = result.failure
        columns = {
            "reason": failure.words if failure else None,
            "failure": failure.kind if failure else None,
            "attempts": copy.attempts + (result.state != "cancelled"),
            **columns,
        }
        workspace = self.workspace
        try:
            with workspace.store.transaction():
                if not outbox.settle(copy.id, self.me, state=result.state, **columns):
                    return None
                if copy.failure and result.state in ("sent", "cancelled"):
                    trouble.lower_envelope(workspace, copy.message)
                if tell or result.state == "failed":
                    trouble.raise_envelope(workspace, copy, "failed")
                elif result.state == "queued" and copy.attempts + 1 == PATIENCE:
                    trouble.raise_envelope(workspace, copy, "waiting")
                if failure is not None:
                    trouble.mark_address(workspace, copy, failure)
        except StoreBusy:
            raise
        except Exception:
            # Whoever could not be told, what came of the mail must be written down: else it leaves again with each
            # pass, and no other mail behind it.
            with workspace.store.transaction():
                if not outbox.settle(copy.id, self.me, state=result.state, **columns):
                    return None
            if result.state != "sent":
                trouble.tell_admins(workspace, copy)
        return result
