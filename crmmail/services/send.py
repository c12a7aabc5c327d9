"""The sending pass: claim → build → hand over → settle, one mail to one recipient at a time, over one connection.

Rows are claimed in one transaction, and each is settled in one of its own after the server's word; nothing is sent
while a transaction is open.  A worker killed between the server's 250 and our commit leaves one row that goes out
again under the same Message-ID; every other row goes out once.  What cannot be built is parked, the others go on.
Where the way out itself is shut, the pass ends: every other mail would meet the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from crmmail.core import failure as failures
from crmmail.core import retry
from crmmail.core.failure import Failure
from crmmail.errors import CrmmailError, StoreBroken, StoreBusy
from crmmail.mail import smtp
from crmmail.secret import smtp_password
from crmmail.services import outgoing, trouble, worker
from crmmail.store import outbox
from crmmail.store.database import speaking_plainly
from crmmail.store.outbox import Delivery
from crmmail.workspace import Workspace

BATCH = 50  # rows claimed at a time
LEASE = timedelta(minutes=30)  # longer than `DEADLINE`, the most that one mail may take
DEADLINE = 600  # seconds
PATIENCE = 3  # tries after which somebody is told that a mail still waits


class Result(NamedTuple):
    """What came of one row."""

    delivery: Delivery
    state: str  # sent | queued (tried, will be again) | failed | cancelled
    failure: Failure | None = None
    due: datetime | None = None  # of a queued one: the next try

    @property
    def advice(self) -> str:
        return failures.advice(self.failure, gave_up=self.state == "failed") if self.failure else ""


def way_out(workspace: Workspace) -> bool:
    """Is there a server to send through?"""
    return bool(workspace.config.smtp_url)


def send(
    workspace: Workspace, *, numbers: Sequence[int] | None = None, step: Callable[[], None] = lambda: None
) -> list[Result]:
    """Sends what is due; what came of each row, in order.  [] where there is no way out: then everything waits.

    Args:
        numbers: only these rows.
        step: called after each row, for a progress bar.

    Raises:
        ConfigBroken: `smtp.url` cannot be understood.
    """
    if not way_out(workspace):
        return []
    config, me = workspace.config, worker.name()
    server = smtp.server(config.smtp_url)
    helo = next(iter(config.mail_domains), "localhost.localdomain")
    results: list[Result] = []
    with smtp.Connection(
        server,
        lambda: smtp_password(config.smtp_password_command, config.smtp_password_file, workspace.environ),
        helo=helo,
        timeout=config.smtp_timeout,
        deadline=DEADLINE,
    ) as connection:
        while claimed := _claim(workspace, me, numbers):
            try:
                shut = _send_batch(workspace, me, claimed, connection, results, step)
            except BaseException:
                with workspace.store.transaction():  # ^C: the rest is free for the next pass
                    outbox.release(claimed, me)
                raise
            if shut:
                break
    return results


def due(workspace: Workspace, numbers: Sequence[int] | None = None) -> int:
    """How many rows a pass would send now."""
    return outbox.count_due(workspace.now(), numbers)


def _claim(workspace: Workspace, me: str, numbers: Sequence[int] | None) -> list[int]:
    now = datetime.now(UTC)
    with workspace.store.transaction():
        return outbox.claim(me, workspace.now(), now, now + LEASE, alive=worker.alive, numbers=numbers, limit=BATCH)


def _send_batch(
    workspace: Workspace,
    me: str,
    claimed: Sequence[int],
    connection: smtp.Connection,
    results: list[Result],
    step: Callable[[], None],
) -> bool:
    """Sends the rows of one claim; True where the way out is shut and the rest was given back."""
    until = datetime.now(UTC) + LEASE / 2
    with speaking_plainly(workspace.store.place):
        rows = {one.id: one for one in outbox.deliveries(numbers=claimed)}
        facts = outgoing.gather(list(rows.values()))
    for at, number in enumerate(claimed):
        if not _is_still_mine(workspace, me, number, renew=datetime.now(UTC) > until):
            continue
        result = _one(workspace, me, rows[number], facts, connection)
        if result is not None:
            results.append(result)
            step()
            if result.failure is not None and result.failure.ours:
                _put_off(workspace, me, claimed[at + 1 :], result)
                return True
    return False


def _is_still_mine(workspace: Workspace, me: str, number: int, *, renew: bool) -> bool:
    """Is the row to be sent, and by us?  Its message may have been deleted since it was claimed."""
    with speaking_plainly(workspace.store.place):
        if outbox.is_mine(number, me) and not renew:
            return True
    with workspace.store.transaction():
        if outbox.renew(number, me, datetime.now(UTC) + LEASE):
            return True
        outbox.release([number], me)  # cancelled: should it be put back, it must be free
    return False


def _one(
    workspace: Workspace, me: str, copy: Delivery, facts: outgoing.Facts, connection: smtp.Connection
) -> Result | None:
    """One row, from claimed to settled; None where it was taken from us."""
    if copy.user is not None and not facts.users[copy.user].active:
        return _settle(workspace, me, copy, Result(copy, "cancelled"), reason="he does not work here any more")
    try:
        letter, data, digest = outgoing.build(workspace, copy, facts)
    except (StoreBusy, StoreBroken):
        raise
    except CrmmailError as error:
        broken = Failure("unbuildable", True, False, failures.shown(f"it cannot be made into a mail: {error}"))
        return _settle(workspace, me, copy, Result(copy, "failed", broken))
    failure = connection.send(letter.return_path, letter.recipient, data, utf8=outgoing.needs_utf8(letter))
    now = workspace.now()
    if failure is None:
        return _settle(workspace, me, copy, Result(copy, "sent"), content_hash=digest, sent=now)
    if failure.permanent or (not failure.ours and retry.is_over(copy.attempts + 1, now - copy.created)):
        return _settle(workspace, me, copy, Result(copy, "failed", failure))
    due = now + retry.delay(copy.attempts + 1, failure.ours)
    return _settle(workspace, me, copy, Result(copy, "queued", failure, due), due=due)


def _settle(workspace: Workspace, me: str, copy: Delivery, result: Result, **columns: object) -> Result | None:
    """Writes down what came of a row, and who must hear of it."""
    failure = result.failure
    columns = {
        "reason": failure.words if failure else None,
        "failure": failure.kind if failure else None,
        "attempts": copy.attempts + (result.state != "cancelled"),
        **columns,
    }
    with workspace.store.transaction():
        if not outbox.settle(copy.id, me, state=result.state, **columns):
            return None
        if copy.attempts and result.state in ("sent", "cancelled"):
            trouble.lower_envelope(workspace, copy.message)
        if result.state == "failed":
            trouble.raise_envelope(workspace, copy, "failed")
        elif result.state == "queued" and copy.attempts + 1 == PATIENCE:
            trouble.raise_envelope(workspace, copy, "waiting")
        if failure is not None:
            trouble.mark_address(workspace, copy, failure)
    return result


def _put_off(workspace: Workspace, me: str, rest: Sequence[int], result: Result) -> None:
    """The rows behind one that met a shut door: they say why they wait, and are given back."""
    assert result.failure is not None
    with workspace.store.transaction():
        for number in rest:
            outbox.settle(number, me, due=result.due, reason=result.failure.words, failure=result.failure.kind)
