"""When a mail that did not leave is tried again.

Greylisting wants a second try after some minutes, a full mailbox after some hours.  A fault of ours (wrong password,
no connection) is mended by a person who then watches, so those tries come close together.
"""

from __future__ import annotations

from datetime import timedelta

GIVE_UP = timedelta(days=5)  # as RFC 5321 4.5.4.1 asks of mail servers

DROPS = 3  # tries after which a mail that may have arrived each time is left to a person

FARTHEST = timedelta(days=1)  # no try is ever that far ahead: one that is was planned by a clock that went wrong

# Minutes before the next try, by the number of tries that failed; the last one stays.
_ITS_OWN = (5, 15, 60, 180, 360)
_OURS = (1, 2, 5, 10, 15)


def is_over(attempts: int, age: timedelta) -> bool:
    """Is it time to give up?  Not before a mail has had all its delays, however long it waited for its first try."""
    return age > GIVE_UP and attempts > len(_ITS_OWN)


def is_spent(attempts: int, again: bool) -> bool:
    """Has a mail that was lost before the server's answer come too often already?  `again`: it was lost so before.

    A server that takes it each time and never says so would deliver it for five days.
    """
    return again and attempts >= DROPS


def delay(attempts: int, ours: bool) -> timedelta:
    """How long to wait after `attempts` failed tries (1 is the first); `ours` is that of the last Failure."""
    steps = _OURS if ours else _ITS_OWN
    return timedelta(minutes=steps[min(max(attempts, 1), len(steps)) - 1])
