"""Fixtures for all tests: real mail servers (`servers`), and a shop that talks by mail (`conversation`)."""

pytest_plugins = ["servers", "conversation"]
