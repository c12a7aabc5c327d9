"""A pytest plugin: real mail servers, each as good as new for every test.

`mailstack`: dovecot and fetchmail with an empty mailbox. `postfix`: a Postfix with an empty queue and empty mailboxes.

Where the servers are not installed the test skips and its reason is the line to type; with CRMMAIL_REQUIRE_SERVERS=1 it
fails instead, so that a build server cannot pass by not looking. The same goes for Postfix where we are not root.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NoReturn

import mailstack as dovecot
import postfix as mta
import pytest
from mailstack import MailStack
from postfix import Postfix


def absent(reason: str) -> NoReturn:
    """A program that a test needs is not there: all files of tests skip, or fail, by this one rule."""
    if os.environ.get("CRMMAIL_REQUIRE_SERVERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def _mailstack() -> Iterator[MailStack]:
    if dovecot.missing():
        absent(f"needs: {dovecot.APT_LINE}")
    with MailStack() as stack:
        yield stack


@pytest.fixture
def mailstack(_mailstack: MailStack) -> MailStack:
    _mailstack.clear()
    return _mailstack


@pytest.fixture(scope="session")
def _postfix() -> Iterator[Postfix]:
    if mta.missing():
        absent(f"needs: {mta.APT_LINE}")
    if os.getuid() != 0:
        absent("needs root: Postfix gives each of its processes a user of its own")
    with Postfix() as server:
        yield server


@pytest.fixture
def postfix(_postfix: Postfix) -> Postfix:
    _postfix.clear()
    return _postfix
