"""What the conversations with the gateway begin with."""

from __future__ import annotations

import pytest
from conversation import Letter, Talk


@pytest.fixture
def case(talk: Talk) -> Letter:
    """Ana's case #1 in support, whose manager is agent."""
    return talk.mail("ana@example.com", subject="Printer broken", text="It burns.")
