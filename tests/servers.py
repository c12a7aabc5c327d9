"""A pytest plugin: the fixture `mailstack`, a real mail server with an empty mailbox.

Where the servers are not installed the test skips and its reason is the line to type; with CRMMAIL_REQUIRE_SERVERS=1 it
fails instead, so that a build server cannot pass by not looking.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from mailstack import APT_LINE, MailStack, missing


@pytest.fixture(scope="session")
def _mailstack() -> Iterator[MailStack]:
    if missing():
        reason = f"needs: {APT_LINE}"
        if os.environ.get("CRMMAIL_REQUIRE_SERVERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with MailStack() as stack:
        yield stack


@pytest.fixture
def mailstack(_mailstack: MailStack) -> MailStack:
    _mailstack.clear()
    return _mailstack
