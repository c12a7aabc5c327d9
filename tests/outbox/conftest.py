"""What the tests of the sending pass begin with."""

from __future__ import annotations

from smtpd import Sink

import pytest
from conversation import Talk
from outgoing import Office


@pytest.fixture
def office(talk: Talk, sink: Sink) -> Office:
    return Office(talk, sink)
