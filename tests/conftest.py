"""Fixtures for all tests: real mail servers (`servers`, `smtpd`), and a shop that talks by mail (`conversation`)."""

pytest_plugins = ["servers", "smtpd", "conversation"]
