"""The sending pass: claim → build → hand over → settle, one mail to one recipient at a time, over one connection.

Rows are claimed in one transaction, and each is settled in one of its own after the server's word; nothing is sent
while a transaction is open.  A worker killed between the server's 250 and our commit leaves one row that goes out
again under the same Message-ID; every other row goes out once.  What cannot be built is parked, the others go on.

Where the way out itself is shut, the pass ends: every other mail would meet the same.  Once the server has heard of a
mail nobody knows that for sure, for it may be about the sender: then the next mail, of another sender where there is
one, decides.  The mail that failed stands behind the others from then on, so that no mail can hold the rest up.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from crmmail.core import failure as failures
from crmmail.core import retry
from crmmail.core.failure import Failure
from crmmail.core.letter import Letter
from crmmail.core.typed import Any, NamedTuple
from crmmail.errors import CrmmailError, StoreBroken, StoreBusy
from crmmail.mail import smtp, smtp_url
from crmmail.mail.smtp_talk import UNWANTED
from crmmail.secret import smtp_password
from crmmail.services.sending import outgoing
from crmmail.services.sending.claims import LEASE, Claims, Result
from crmmail.store.engine.database import speaking_plainly
from crmmail.store.letters import outbox
from crmmail.store.letters.outbox import Delivery
from crmmail.workspace import Workspace

DEADLINE = 600  # seconds: the most that one mail may take
STUBBORN = 600  # seconds for which we try to write down what a server has said, while others hold the store
PAUSE = 0.5  # seconds between two such tries, besides the wait for the lock itself
BEHIND = timedelta(seconds=1)  # by which the rows that were not tried are due before the one that failed
LATELY = timedelta(days=1)  # the way out is open if some mail has left in that time


def way_out(workspace: Workspace) -> bool:
    """Is there a server to send through?"""
    return bool(workspace.config.smtp_url)


class _Made(NamedTuple):
    """A row, ready to go."""

    copy: Delivery
    letter: Letter
    data: bytes
    digest: str
    note: str  # where it goes to another address than it was written for

    @property
    def sender(self) -> str:
        return _plain(self.letter.return_path)


class _Doubt(NamedTuple):
    """A mail failed as if the way out were shut; or is it shut for its sender only?"""

    sender: str
    failure: Failure


def send(
    workspace: Workspace, *, numbers: Sequence[int] | None = None, step: Callable[[], None] = lambda: None
) -> list[Result]:
    """Sends what is due; what came of each row, in order.  [] where there is no way out: then everything waits.

    Args:
        numbers: only these rows.
        step: called after each row, for a progress bar.

    Raises:
        ConfigBroken: `smtp.url` cannot be understood.
        StoreBusy, StoreBroken: the store could not be read or written; the sentence says so of a mail that has left.
    """
    if not way_out(workspace):
        return []
    config = workspace.config
    server = smtp_url.read(config.smtp_url)
    helo = next(iter(config.mail_domains), "localhost.localdomain")
    with smtp.Connection(
        server,
        lambda: smtp_password(config.smtp_password_command, config.smtp_password_file, workspace.environ),
        helo=helo,
        timeout=config.smtp_timeout,
        deadline=DEADLINE,
    ) as connection:
        this = _Pass(workspace, connection, step)
        while not this.is_over and (claimed := this.claims.take(numbers)):
            try:
                this.send(claimed)
            except BaseException:
                # ^C: the rest is free for the next pass.  A store that is locked still does not hide why we stopped;
                # the rows are free as well when this process has ended.
                with contextlib.suppress(CrmmailError):
                    this.claims.give_back(claimed)
                raise
    return this.results


def due(workspace: Workspace, numbers: Sequence[int] | None = None) -> int:
    """How many rows a pass would send now."""
    return outbox.count_due(workspace.now(), numbers)


class _Pass:
    """One pass over the outbox: what it has found out of the way out, and what came of the rows so far."""

    def __init__(self, workspace: Workspace, connection: smtp.Connection, step: Callable[[], None]) -> None:
        self.workspace, self.connection, self.step = workspace, connection, step
        self.claims = Claims(workspace)
        self.results: list[Result] = []
        self.is_over = False  # the way out is shut
        self._doubt: _Doubt | None = None
        self._closed: dict[str, Failure] = {}  # senders whose mail the server did not take, while it took others'

    def send(self, claimed: Sequence[int]) -> None:
        """Sends the rows of one claim; where the way out is shut the rest is given back."""
        until = datetime.now(UTC) + LEASE / 2
        rows, facts = self._read(claimed)
        waiting = list(rows)
        while waiting and not self.is_over:
            number = self._next(waiting, rows, facts)
            waiting.remove(number)
            if not self.claims.is_still_mine(number, renew=datetime.now(UTC) > until):
                continue
            result = self._one(rows[number], facts)
            if result is not None:
                self.results.append(result)
                self.step()
        if self.is_over:
            result = self.results[-1]
            assert result.failure is not None
            self.claims.put_off(waiting, result.failure, self._before_it(result))

    def _read(self, claimed: Sequence[int]) -> tuple[dict[int, Delivery], outgoing.Facts]:
        """The rows of a claim, in its order, and what they are made of.  One that cannot be read is parked: a row that
        a hand or a disk has spoiled must not hold up those that were claimed with it."""
        try:
            return self._read_together(claimed)
        except StoreBroken:
            spoiled = {number: why for number in claimed if (why := self._why_unreadable(number))}
            if not spoiled:
                raise
        for number, why in spoiled.items():
            self._park_unread(number, why)
        return self._read_together([one for one in claimed if one not in spoiled])

    def _read_together(self, claimed: Sequence[int]) -> tuple[dict[int, Delivery], outgoing.Facts]:
        with speaking_plainly(self.workspace.store.place):
            found = {one.id: one for one in outbox.deliveries(numbers=claimed)}
            rows = {number: found[number] for number in claimed if number in found}
            return rows, outgoing.gather(list(rows.values()))

    def _why_unreadable(self, number: int) -> str:
        """What the database says of one row or of what it is made of; "" where they can be read."""
        try:
            self._read_together([number])
        except StoreBroken as error:
            return str(error)
        return ""

    def _park_unread(self, number: int, why: str) -> None:
        broken = Failure("unbuildable", True, False, failures.shown(f"it cannot be read: {why}"))
        self.claims.park(number, broken)
        self.results.append(Result(outbox.unread(number), "failed", broken))
        self.step()

    def _next(self, waiting: Sequence[int], rows: dict[int, Delivery], facts: outgoing.Facts) -> int:
        """The row to try: the first one, but in doubt of a sender one that another has written."""
        if self._doubt:
            for number in waiting:
                if self._sender(rows[number], facts) not in ("", self._doubt.sender):
                    return number
        return waiting[0]

    def _sender(self, copy: Delivery, facts: outgoing.Facts) -> str:
        """Under whose name a row will leave; "" where it cannot be made."""
        try:
            return _plain(outgoing.build(self.workspace, copy, facts)[0].return_path)
        except (StoreBusy, StoreBroken):
            raise
        except CrmmailError:
            return ""

    # --- one row --------------------------------------------------------------------------------------------

    def _one(self, copy: Delivery, facts: outgoing.Facts) -> Result | None:
        """One row, from claimed to settled; None where it was taken from us, or put off without a try."""
        note = ""
        user = facts.users.get(copy.user) if copy.user is not None else None  # None: parked by `outgoing`
        if user is not None:
            if not user.active:
                return self.claims.settle(copy, Result(copy, "cancelled"), reason="he does not work here any more")
            # What tells him something goes where he wants it today; a letter to an address of his may go to that one.
            if copy.to != user.email and (copy.purpose != "mail" or copy.to not in user.addresses):
                if not user.email:
                    why = f"{copy.to} is not his any more, and he has no other address"
                    return self.claims.settle(copy, Result(copy, "cancelled"), tell=True, reason=why)
                copy, note = self.claims.readdress(copy, user.email)
        try:
            outgoing.check_reader(self.workspace, copy, facts)
            letter, data, digest = outgoing.build(self.workspace, copy, facts)
        except (StoreBusy, StoreBroken):
            raise
        except CrmmailError as error:
            broken = Failure("unbuildable", True, False, failures.shown(f"it cannot be made into a mail: {error}"))
            return self.claims.settle(copy, Result(copy, "failed", broken))
        made = _Made(copy, letter, data, digest, note)
        closed = self._closed.get(made.sender)
        if closed:
            self.claims.put_off([copy.id], closed, self.workspace.now() + retry.delay(1, ours=True) - BEHIND)
            return None
        result = self._hand_over(made)
        if result is not None:
            self._weigh(made.sender, result)
        return result

    def _hand_over(self, made: _Made) -> Result | None:
        """Gives a mail to the server and writes down what it said; interrupted behind the last dot, that too."""
        copy, letter = made.copy, made.letter
        result: Result | None = None
        try:
            failure = self.connection.send(
                letter.return_path,
                letter.recipient,
                made.data,
                utf8=outgoing.needs_utf8(letter),
                wanted=lambda: self.claims.is_still_mine(copy.id, renew=False),
            )
            if failure is UNWANTED:
                return None
            result = self._judged(copy, failure)
            return self._settle_surely(made, result)
        except (StoreBusy, StoreBroken):
            raise
        except BaseException:
            if result is None and self.connection.may_have_arrived(made.data):
                words = "it was interrupted before the server confirmed the mail"
                result = self._judged(copy, Failure("dropped", False, False, words))
            if result is not None:
                with contextlib.suppress(StoreBusy, StoreBroken):
                    self._settle_made(made, result)
            raise

    def _judged(self, copy: Delivery, failure: Failure | None) -> Result:
        """What is to become of a row after a try."""
        if failure is None:
            return Result(copy, "sent")
        attempts = copy.attempts + 1
        if failure.permanent or self._is_given_up(copy, failure, attempts):
            return Result(copy, "failed", failure)
        return Result(copy, "queued", failure, self.workspace.now() + retry.delay(attempts, failure.ours))

    def _is_given_up(self, copy: Delivery, failure: Failure, attempts: int) -> bool:
        if failure.kind == "dropped" and retry.is_spent(attempts, copy.left):
            return True
        now = self.workspace.now()
        if not retry.is_over(attempts, now - copy.created):
            return False
        # While nothing leaves at all it is no fault of the mail's, however long that lasts.
        if not failure.ours:
            return True
        with speaking_plainly(self.workspace.store.place):
            return self.connection.named and outbox.has_left_since(now - LATELY)

    # --- the way out ----------------------------------------------------------------------------------------

    def _weigh(self, sender: str, result: Result) -> None:
        """What a try tells of the way out: open, shut, or shut for one sender."""
        doubt, self._doubt = self._doubt, None
        failure = result.failure
        if failure is None or not failure.ours:
            if doubt and doubt.sender != sender:
                self._closed[doubt.sender] = doubt.failure
        elif doubt or self.connection.is_shut:
            self.is_over = True
        else:
            self._doubt = _Doubt(sender, failure)

    def _before_it(self, result: Result) -> datetime:
        """When the rows are due that were not tried because of this one: before it, if it may be to blame itself."""
        if self.connection.named or result.due is None:
            return self.workspace.now() + retry.delay(1, ours=True) - BEHIND
        return result.due

    # --- writing down ---------------------------------------------------------------------------------------

    def _settle_surely(self, made: _Made, result: Result) -> Result | None:
        """As `_settle_made`, and again while the store cannot be written: a mail that left would leave once more."""
        until = time.monotonic() + STUBBORN
        while True:
            try:
                return self._settle_made(made, result)
            except (StoreBusy, StoreBroken) as error:
                if not self.connection.may_have_arrived(made.data):
                    raise
                if time.monotonic() > until:
                    copy = made.copy
                    raise type(error)(
                        f"mail {copy.id} to {copy.to} went out, which could not be written down, so it may go out once "
                        f"more: `crmmail outbox cancel {copy.id}` prevents that ({error})"
                    ) from error
                time.sleep(PAUSE)

    def _settle_made(self, made: _Made, result: Result) -> Result | None:
        """Writes down what came of a try."""
        columns: dict[str, Any] = {}
        if result.state == "sent":
            columns = {"content_hash": made.digest, "sent": self.workspace.now(), "reason": made.note or None}
        elif result.failure is not None and result.failure.kind == "dropped":
            columns = {"content_hash": made.digest}  # it may come back
        if result.due is not None:
            columns["due"] = result.due
        return self.claims.settle(made.copy, result, **columns)


def _plain(address: str) -> str:
    """An address of ours without the tag of its one mail."""
    local, at, host = address.rpartition("@")
    return f"{local.partition('+')[0]}{at}{host}"
