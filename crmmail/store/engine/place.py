"""Where a store lies: a file, or a database of a PostgreSQL server.

    crm.db, ~/crm.db, sqlite:crm.db               a file
    postgresql://crm@db.example.com/crm           a database

A place is shown in messages, written into logs and put into crontabs, so it never has a password in it; whoever gives
one in a URL is understood, and libpq's own places for it (~/.pgpass, $PGPASSWORD) serve better.
"""

from __future__ import annotations

import os

from crmmail.core import url
from crmmail.core.url import is_url as is_url


def of(named: str) -> str:
    """The place of a store that was named: an absolute path, or a URL without its password."""
    if is_url(named):
        return url.without_password(named)
    return os.path.abspath(os.path.expanduser(named.removeprefix("sqlite:").removeprefix("//")))


def real(named: str) -> str:
    """What tells a store from all others, by whatever link it was named."""
    return of(named) if is_url(named) else os.path.realpath(of(named))
