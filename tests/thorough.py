"""A pytest plugin: `bin/test --thorough` runs the long form of the tests that have a short one.

def test_fault_at_any_write(shop, thorough):
    points = every_point() if thorough else a_sample()
"""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough", action="store_true", help="every point of the fault sweep, many more steps of the state machine"
    )


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Are the long forms wanted?"""
    return bool(request.config.getoption("--thorough"))
