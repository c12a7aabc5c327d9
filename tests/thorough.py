"""A pytest plugin: `bin/test --thorough` runs the long form of the tests that have a short one.

def test_fault_at_any_write(shop, thorough):
    points = every_point() if thorough else a_sample()

@pytest.mark.parametrize("name", ["SIGTERM", *long_form("SIGHUP", "SIGPIPE")])
"""

from __future__ import annotations

from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough", action="store_true", help="every point of the fault sweep, many more steps of the state machine"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "thorough: only in the long form (--thorough)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without --thorough, what is marked is not there at all: a skip would say that something is missing."""
    if config.getoption("--thorough"):
        return
    left_out = [item for item in items if item.get_closest_marker("thorough")]
    if left_out:
        items[:] = [item for item in items if not item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Are the long forms wanted?"""
    return bool(request.config.getoption("--thorough"))


def long_form(*values: Any) -> list[Any]:
    """Values of a parametrized test that only the long form tries."""
    return [pytest.param(value, marks=pytest.mark.thorough) for value in values]
