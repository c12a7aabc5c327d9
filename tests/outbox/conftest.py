"""What the tests of the sending pass begin with."""

from __future__ import annotations

import pytest
from conversation import Talk
from mailsink import Sink
from outgoing import Office


@pytest.fixture
def office(talk: Talk, sink: Sink) -> Office:
    return Office(talk, sink)
