"""Fixtures for all tests: real mail servers (`servers`, `mailsink`), a shop that talks by mail (`conversation`), long
forms of tests (`thorough`), PostgreSQL (`pgstack`), and stores with many messages (`bigstore`)."""

pytest_plugins = ["servers", "mailsink", "pgstack", "conversation", "thorough", "bigstore"]
