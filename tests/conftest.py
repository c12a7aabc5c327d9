"""Fixtures for all tests: real mail servers (`servers`, `mailsink`), and a shop that talks by mail (`conversation`)."""

pytest_plugins = ["servers", "mailsink", "conversation"]
