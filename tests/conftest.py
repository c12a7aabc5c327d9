"""Fixtures for all tests: real mail servers (`servers`, `mailsink`), a shop that talks by mail (`conversation`), and
long forms of tests (`thorough`)."""

pytest_plugins = ["servers", "mailsink", "conversation", "thorough"]
