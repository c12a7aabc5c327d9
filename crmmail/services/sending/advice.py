"""What to do about a mail that did not leave; apart from `outbox`, for most listings have no use for the rest of it."""

from __future__ import annotations

from crmmail.core import failure as failures
from crmmail.core.failure import Failure
from crmmail.store.letters import outbox
from crmmail.store.letters.outbox import Delivery


def advice(copy: Delivery) -> str:
    """A sentence; "" where there is nothing to do."""
    if copy.failure not in failures.KINDS:
        return ""
    over = copy.state in outbox.TROUBLE
    return failures.advice(Failure(copy.failure, over, False, copy.reason), gave_up=over, mail=copy.id)
